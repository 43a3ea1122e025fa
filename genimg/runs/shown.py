"""What is shown of a run's model elsewhere: its networks in ONNX with their inputs described, and where to steer it."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from genimg.data.images import to_bytes
from genimg.models.captioned import GUIDANCE, Captioned
from genimg.models.export import OfCode, Pictures, ToldVelocity, Velocity, described, onnx_bytes
from genimg.models.flow import Flow
from genimg.models.joined import joined
from genimg.models.latent import Latent
from genimg.models.model import Model
from genimg.models.ode import carry
from genimg.models.sizes import sides
from genimg.runs.recipes import Recipe
from genimg.system import errors

#: Directions that are found, and how many pictures they are found by.
DIRECTIONS, BY_PICTURES = 5, 256
#: Steps from noise to a picture in a page, for a flow; fewer than `sample` takes.
STEPS = 10
#: Captions that a page offers at most, and the inputs of a network that reads them.
SOME, ASKED = 8, ("words", "guidance")
#: Name -> network, and name -> example of an input, (2, ...).
Parts = dict[str, tuple[nn.Module, dict[str, Tensor]]]


@dataclass(frozen=True)
class Told:
    """What a model that reads captions can be told.

    Attributes:
        words: that of number i is `words[i - 1]`.
        length: numbers of a sentence.
        some: captions of training, the first of which a page begins with.
        guidance: how far samples go in what they say, where nothing else is asked for.
    """

    words: tuple[str, ...]
    length: int
    some: tuple[str, ...]
    guidance: float = GUIDANCE


@dataclass(frozen=True)
class Network:
    """What draws a run's pictures, alone.

    Attributes:
        parts: "velocity", of x (N, *places) and t (N,), or "picture", of z (N, z_dim), or both, the second of the code
            (N, *places) that the first leads to.
        places: shape of what a velocity moves; of z where there is none.
        classes: names of those that the input `label` of the first part counts; none where it has no such input.
        free: whether `label` may also be one more than these have, for no class in particular.
        told: of a model that reads captions, whose inputs are `words` and `guidance`.
        meaning: name of an input or of the output -> what it is, in the model as one.
        use: how pictures come of it.
    """

    parts: Parts
    places: tuple[int, ...]
    classes: tuple[str, ...]
    free: bool
    meaning: dict[str, str]
    use: str
    told: Told | None = None

    def weights(self) -> int:
        """Of all parts."""
        return sum(one.numel() for module, _ in self.parts.values() for one in module.parameters())

    def graphs(self) -> dict[str, bytes]:
        """Each part in ONNX."""
        return {name: onnx_bytes(module, inputs) for name, (module, inputs) in self.parts.items()}

    def onnx(self, recipe: Recipe, graphs: dict[str, bytes]) -> bytes:
        """One model in ONNX of the graphs of all parts, with all this in it."""
        alone = joined(graphs["velocity"], graphs["picture"], self.places) if len(graphs) > 1 else [*graphs.values()][0]
        about = {"made by": "genimg, of Images from Noise", "family": recipe.family, "use": self.use} | self.meaning
        lists = {"classes": self.classes, "vocabulary": self.told.words if self.told else ()}
        return described(alone, self.meaning, about | {name: json.dumps(one) for name, one in lists.items() if one})

    def __str__(self) -> str:
        return "; ".join(f"{name}: {meaning}" for name, meaning in self.meaning.items()) + f". {self.use}"


def network_of(model: Model, recipe: Recipe, label: int | None = None) -> Network:
    """What draws, of one class where a label is given; where there are classes and none is, the class is an input, and
    of a model that reads captions the sentence."""
    height, width = sides(recipe.size)
    shape = f"{recipe.channels}, {height}, {width}"
    colours = "grey" if recipe.channels == 1 else "red, green, blue"
    pictures = f"float32 (n, {shape}), {colours} from -1, black, to 1, white"
    if recipe.channels == 4:
        pictures = f"float32 (n, {shape}), {colours}, each times opacity, and opacity, from -1 for 0 to 1"
    z = model.noise(2, torch.Generator(model.device()).manual_seed(0)).cpu()
    classes, free = recipe.class_names if label is None else (), isinstance(model, Flow | Latent)
    asked: dict[str, Tensor] = {}
    counted: dict[str, str] = {}
    if classes:
        first, last = (errors.shown(classes[i]) for i in (0, -1))
        numbers = f"from 0, {first}, to {len(classes) - 1}, {last}, in the order of their names"
        counted["label"] = f"float32 (n,), the class, {numbers}{f'; {len(classes)} for none' if free else ''}"
        asked["label"] = torch.tensor([0.0, 1.0])
    told = None
    if isinstance(model, Captioned):
        told = _told(model)
        counted["words"] = f"float32 (n, {told.length}), a caption: numbers of its words, then 0; all 0 for none"
        counted["guidance"] = f"float32 (n,), how far to go in what it says; usually {told.guidance:g}"
        asked = {"words": model.told(told.some[0], z).float(), "guidance": torch.full((2,), told.guidance)}
    meaning = {"z": f"float32 (n, {math.prod(z.shape[1:])}), noise from N(0, 1)", **counted, "x": pictures}

    if not isinstance(model, Flow | Latent):
        module = Pictures(model, label=label)  # type: ignore[arg-type]
        parts: Parts = {"picture": (module, {"z": z, **asked})}
        return Network(parts, tuple(z.shape[1:]), classes, free, meaning, "Each z makes one picture")
    solver = "20 steps of Heun's method, the last by Euler's"
    places = model.places if isinstance(model, Latent) else model.shape
    x = z.unflatten(1, places) if isinstance(model, Latent) else z
    velocity: nn.Module = ToldVelocity(model) if isinstance(model, Captioned) else Velocity(model, label)
    parts = {"velocity": (velocity, {"x": x, "t": torch.tensor([0.2, 0.7]), **asked})}
    if isinstance(model, Latent):
        parts["picture"] = (OfCode(model), {"code": x})
        use = f"Each z makes one picture: a flow leads it to a code, by {solver}, and a decoder draws that"
        return Network(parts, places, classes, free, meaning, use, told)
    meaning = {
        "x": f"float32 (n, {shape}), at t = 0 noise from N(0, 1)", "t": "float32 (n,), the time, from 0 to 1",
        **counted, "velocity": f"float32 (n, {shape}), dx/dt at x and t",
    }  # fmt: skip
    use = f"Followed from t = 0 to t = 1, by {solver}, x becomes {pictures}"
    return Network(parts, places, classes, free, meaning, use)


def _told(model: Captioned) -> Told:
    some = dict.fromkeys(map(model.vocabulary.decode, model.kinds()))
    return Told(model.vocabulary.words, model.length, tuple(some)[:SOME] or model.vocabulary.words[:1])


def directions(model: Model, network: Network) -> Tensor:
    """Directions of the noise in which pictures change most, at most `DIRECTIONS`, of length 1 and at right angles:
    (k, *noise).

    Of a GAN or a VAE they are those in which the change of a picture with z is largest, squared and averaged over z:
    the first eigenvectors of the mean of J^T J, with J the derivative of the picture. J is seen through one random
    vector for each z, whose products with it have the same mean square.

    A flow makes of noise along the principal components of what it ends at what that is made of along these. So of a
    flow they are the principal components of 64 pictures that it draws, and of a latent flow what codes differ in along
    these: the sums of their 64 codes, weighed by the pictures' components. A model that reads captions is told the
    first.
    """
    generator = torch.Generator().manual_seed(0)
    if "velocity" in network.parts:
        z = model.noise_for(64, 1).cpu()  # other noise than the example's, which would stand out
        velocity: Callable[..., Tensor]
        velocity, inputs = network.parts["velocity"]
        if network.told:
            given = {name: inputs[name][:1].expand(64, *inputs[name].shape[1:]) for name in ASKED}
            velocity = partial(velocity, **given)
        with torch.no_grad():
            ends = carry(velocity, z.unflatten(1, network.places) if z.ndim == 2 else z, STEPS)
            if "picture" in network.parts:
                x = network.parts["picture"][0](ends)
            else:
                x = ends = ends.clamp(-1, 1)
        scores, _, _ = torch.linalg.svd((x - x.mean(0)).flatten(1).float(), full_matrices=False)  # (64, 64)
        axes = torch.linalg.qr((ends - ends.mean(0)).flatten(1).T @ scores[:, :DIRECTIONS])[0].T
        return axes.unflatten(1, z.shape[1:]).contiguous()
    module, inputs = network.parts["picture"]
    shape = tuple(inputs["z"].shape[1:])
    labels = [torch.randint(len(network.classes), (64,), generator=generator).float()] if network.classes else []
    found: list[Tensor] = []
    for _ in range(BY_PICTURES // 64):
        z = torch.randn(64, *shape, generator=generator).requires_grad_()
        x = module(z, *labels)
        seen = torch.randn(x.shape, generator=generator)
        found += torch.autograd.grad((x * seen).sum(), z)
    _, _, axes = torch.linalg.svd(torch.cat(found).float(), full_matrices=False)
    return axes[:DIRECTIONS].unflatten(1, shape).contiguous()


def example(model: Model, network: Network, label: int | None = None) -> tuple[Tensor, Tensor]:
    """The first noise of the run's own grids, (1, *noise), and the picture that torch draws of it as a page does, uint8
    (1, C, H, W): of no class in particular, or the first, where none is given, and of the first caption."""
    z = model.noise_for(64, 0)[:1]
    options: dict[str, Any] = {"steps": STEPS, "solver": "heun"} if isinstance(model, Flow | Latent) else {}
    options |= {"labels": network.told.some[0], "guidance": network.told.guidance} if network.told else {}
    if label is None and network.classes and not network.free:
        label = 0
    options |= {} if label is None else {"labels": label}
    return z.cpu(), to_bytes(model.sample(z=z, **options)).cpu()
