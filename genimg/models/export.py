"""A model's network alone, as a function of noise, and in ONNX (https://onnx.ai), for other programs and pages."""

import copy
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genimg.models.flow import Flow, guided
from genimg.models.gan import GAN
from genimg.models.latent import Latent
from genimg.models.vae import VAE
from genimg.models.words import Words

#: Weights of at least so many numbers are kept as float16 by `halved`, the others as they are.
LARGE = 256


def numbers(x: Tensor) -> Tensor:
    """Labels or numbers of words, which are inputs as floats, since pages know no others, as int64."""
    return x.round().long()


class Pictures(nn.Module):
    """z (N, z_dim) -> what a GAN or a VAE draws, (N, C, H, W) in [-1, 1]: a copy of its network, on the processor.

    Args:
        model: a trained GAN or VAE.
        averaged: the averaged weights, or those in training.
        label: the class that is drawn, of a model that was trained with labels; or it is an input too, see `numbers`.

    Raises:
        ValueError: a Bernoulli VAE.
    """

    def __init__(self, model: GAN | VAE, averaged: bool = True, label: int | None = None) -> None:
        super().__init__()
        name = "generator" if hasattr(model, "generator") else "decoder"
        self.net = copy.deepcopy(model.network(name, averaged)).cpu().eval().requires_grad_(False)
        self.squash = {"generator": nn.Identity(), "decoder": nn.Tanh()}[name]
        if getattr(model, "likelihood", None) == "bernoulli":
            raise ValueError(
                "a Bernoulli VAE's decoder is squashed in another way; this draws Gaussian and logistic ones"
            )

        self.given = () if label is None else (torch.tensor([label]),)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.squash(self.net(z, *(self.given if label is None else (numbers(label),))))


class Velocity(nn.Module):
    """(x (N, ...), t (N,)) -> the averaged velocity of a flow's pictures or of a latent flow's codes, (N, ...): a copy
    of its network, on the processor. Of one class if it is given, here or as a third input, see `numbers`."""

    def __init__(self, model: Flow | Latent, label: int | None = None) -> None:
        super().__init__()
        self.label = None if label is None else torch.tensor([label])
        self.net = copy.deepcopy(model.network("velocity")).cpu().eval().requires_grad_(False)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        return self.net(x, t, self.label if label is None else numbers(label))


class ToldVelocity(nn.Module):
    """(x (N, z_dim, side, side), t (N,), words (N, L)) -> the averaged velocity of codes told sentences: a copy of its
    network, on the processor. For the words see `numbers`; 0 is no word. With a fourth input, (N,), it is guided, see
    `flow.guided`."""

    def __init__(self, model: Words) -> None:
        super().__init__()
        self.net = copy.deepcopy(model.network("velocity")).cpu().eval().requires_grad_(False)

    def forward(self, x: Tensor, t: Tensor, words: Tensor, guidance: Tensor | None = None) -> Tensor:
        told = self.net(x, t, numbers(words))
        if guidance is None:
            return told
        return guided(told, self.net(x, t, numbers(0 * words)), guidance[:, None, None, None])


class OfCode(nn.Module):
    """Where the flow ends (N, z_dim, side, side) -> the picture of that code, (N, C, H, W) in [-1, 1]: a copy of the
    averaged decoder, on the processor."""

    shift: Tensor
    deviation: Tensor

    def __init__(self, model: Latent) -> None:
        super().__init__()
        self.net = copy.deepcopy(model.network("decoder")).cpu().eval().requires_grad_(False)
        self.register_buffer("shift", model.shift.detach().cpu().clone())
        self.register_buffer("deviation", model.deviation.detach().cpu().clone())

    def forward(self, code: Tensor) -> Tensor:
        return torch.tanh(self.net(code * self.deviation + self.shift))


def onnx_bytes(module: nn.Module, inputs: dict[str, Tensor]) -> bytes:
    """A module in ONNX, without the paths and stack traces that the exporter notes down.

    Args:
        module: in evaluation mode, on the processor. What it gives is called x in the file, where no input is, else
            velocity.
        inputs: name -> example tensor (N, ...), in the order of its arguments, all with the same N of at least 2. The
            first axis of each may have any length in the file.

    Raises:
        ImportError: onnx or onnxscript is missing.
        ValueError: the module fixes the number N.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "exporting a model needs onnx and onnxscript: pip install -e '.[live]' in a checkout"
        ) from error
    n = torch.export.Dim("n", min=1, max=65536)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on the names of axes
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=["velocity" if "x" in inputs else "x"],
            dynamic_shapes=tuple({0: n} for _ in inputs),
            verbose=False,
        )
    assert program is not None
    program.optimize()
    proto = program.model_proto
    if not all(value.type.tensor_type.shape.dim[0].dim_param for value in proto.graph.input):
        raise ValueError("the module takes one number of pictures only: it asks for their number, as len(x) does")
    del proto.metadata_props[:]
    for graph in (proto.graph, *proto.functions):
        del graph.metadata_props[:]
        for part in (*graph.node, *graph.value_info, *getattr(graph, "input", ()), *getattr(graph, "initializer", ())):
            if not isinstance(part, str):
                del part.metadata_props[:]
                part.doc_string = ""
    return proto.SerializeToString()


@torch.no_grad()
def rounded(module: nn.Module) -> nn.Module:
    """The module, its weights rounded in place to what `halved` keeps of them."""
    for weights in module.parameters():
        if weights.ndim >= 2 and weights.numel() >= LARGE:
            weights.copy_(weights.half().float())
    return module


def halved(model: bytes) -> bytes:
    """An ONNX model whose weights are kept as float16, half as large; it computes in float32 as before."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_model_from_string(model)
    graph, kept, casts = proto.graph, [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != "float32" or values.ndim < 2 or values.size < LARGE or abs(values).max() > 60_000:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(values.astype("float16"), f"{tensor.name}.half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}.half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def described(model: bytes, inputs: Mapping[str, str], about: Mapping[str, str]) -> bytes:
    """An ONNX model that says what it takes.

    Args:
        inputs: name of an input or output -> what it is, kept as its description.
        about: key -> text, kept as the model's metadata.
    """
    import onnx

    proto = onnx.load_model_from_string(model)
    for value in (*proto.graph.input, *proto.graph.output):
        value.doc_string = inputs[value.name]
    onnx.helper.set_model_props(proto, dict(about))
    return proto.SerializeToString()
