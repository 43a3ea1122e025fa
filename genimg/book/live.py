"""Figures that go on living on the site: a trained model, exported with the picture that stands for it.

In Jupyter and Colab a `Live` is the figure drawn last, as a picture. Where `GENIMG_LIVE=1` is set, as it is when the
site is built, it carries the model too, in the ONNX format (https://onnx.ai), and the page runs it in the reader's
browser. Some inputs with the outputs that torch gives go along, so that a test can hold the browser to them.
"""

import base64
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from genimg.book.zh import figures
from genimg.data import scenes, sentences
from genimg.models.export import OfCode, Pictures, ToldVelocity, halved, onnx_bytes, rounded
from genimg.models.flow import guided
from genimg.models.gan import GAN
from genimg.models.ode import carry
from genimg.models.vae import VAE
from genimg.models.words import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The media type under which the model and its settings lie beside the picture in a notebook's output.
MIME = "application/vnd.genimg.live+json"


@dataclass(frozen=True)
class Live:
    """A figure and what its live part needs.

    Attributes:
        kind: which explorer shows it: the name of a module in book/_live, without its suffix.
        poster: PNG bytes of the figure, and `size`, its width and height in CSS pixels.
        settings: numbers and names for the explorer, as JSON knows them.
        models: name -> ONNX bytes; empty where nothing is exported.
        examples: a list of {"model", "inputs": {name: nested list}, "output": nested list}, computed by torch.
        chinese: the media bundle of the poster in Chinese, and its metadata; empty where none is drawn.
    """

    kind: str
    poster: bytes = field(repr=False)
    size: tuple[int, int]
    settings: dict[str, Any] = field(repr=False)
    models: dict[str, bytes] = field(repr=False, default_factory=dict)
    examples: list[dict[str, Any]] = field(repr=False, default_factory=list)
    chinese: tuple[dict[str, Any], dict[str, Any]] = field(repr=False, default=({}, {}))

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {"image/png": base64.b64encode(self.poster).decode(), "text/plain": repr(self)}
        if wanted():
            data[MIME] = {
                "kind": self.kind,
                "settings": self.settings,
                "models": {name: base64.b64encode(model).decode() for name, model in self.models.items()},
                "examples": self.examples,
            }
        pictures, lacked = self.chinese
        return data | pictures, {"image/png": dict(zip(("width", "height"), self.size, strict=True))} | lacked


def wanted() -> bool:
    """Whether models are exported: where the environment sets `GENIMG_LIVE=1`."""
    return os.environ.get("GENIMG_LIVE") == "1"


def live(
    kind: str, settings: dict[str, Any], models: dict[str, tuple[nn.Module, dict[str, Tensor]]] | None = None,
    figure: "Figure | None" = None, half: bool = False,
) -> Live:  # fmt: skip
    """A `Live` of the figure drawn last, with its models exported where they are wanted.

    Args:
        kind: the explorer.
        settings: a dict that JSON can hold.
        models: name -> (module, inputs): a module and a dict of example inputs, name -> tensor (N, ...), in the order
            of the module's arguments. The first axis of each may have any length in the browser.
        figure: a matplotlib figure; None takes the current one. It is closed: it is shown once, as the poster.
        half: the page loads the weights as float16, half as large; those of the modules are rounded to them.

    Raises:
        ValueError: no figure is open.
        RuntimeError: models are wanted and the packages that export them are missing.
    """
    poster, size, chinese = _picture_of(figure)
    exported, examples = {}, []
    for name, (module, inputs) in (models or {}).items() if wanted() else ():
        module = rounded(module.eval()) if half else module.eval()
        inputs = {key: value.detach().cpu().float() for key, value in inputs.items()}
        try:
            onnx = onnx_bytes(module, inputs)
        except ImportError as error:
            raise RuntimeError(f"{error}, or unset GENIMG_LIVE") from error
        exported[name] = halved(onnx) if half else onnx
        with torch.no_grad():
            output = module(*inputs.values())
        as_lists = {key: value.tolist() for key, value in inputs.items()}
        examples.append({"model": name, "inputs": as_lists, "output": output.tolist()})
    return Live(kind, poster, size, settings, exported, examples, chinese)


def latent_map(
    model: VAE, codes: Tensor, labels: Tensor | Sequence[int], reach: float = 3.0, radius: float | None = None
) -> Live:
    """Explorer: drag a point over the plane of a VAE with two latents, see its picture, among encoded pictures.

    Args:
        model: a trained VAE with z_dim 2.
        codes: where pictures lie, (N, 2), and labels: their classes, (N,) integers.
        reach: the map shows the square from -reach to reach.
        radius: of a circle to draw around 0; None draws none.

    Raises:
        ValueError: z_dim is not 2, or as `live`.
    """
    if model.z_dim != 2:
        raise ValueError(f"a map needs z_dim 2; this model has {model.z_dim}")
    decoder = Pictures(model)
    z = torch.tensor([[0.0, 0.0], [1.5, -0.5], [-0.7, 2.0], [-1.2, -1.4]])
    settings = {
        "shape": _shape(decoder, z),
        "codes": _rounded(codes),
        "labels": torch.as_tensor(labels).tolist(),
        "reach": reach,
        "radius": radius,
    }
    return live("latent-map", settings, {"decoder": (decoder, {"z": z})})


def sliders(model: VAE, latents: dict[str, int], reach: float = 2.0) -> Live:
    """Explorer: a slider for each of some latents of a VAE; the others stay at 0.

    Args:
        model: a trained VAE.
        latents: label -> index of the latent, in the order to show.
        reach: sliders run from -reach to reach.

    Raises:
        ValueError: a latent that the model does not have, or as `live`.
    """
    strangers = [index for index in latents.values() if not 0 <= index < model.z_dim]
    if strangers:
        raise ValueError(f"latents {strangers}: the model has {model.z_dim}, counted from 0")
    decoder = Pictures(model)
    z = torch.randn(4, model.z_dim, generator=torch.Generator().manual_seed(0))
    settings = {"shape": _shape(decoder, z), "z_dim": model.z_dim, "latents": list(latents.items()), "reach": reach}
    return live("sliders", settings, {"decoder": (decoder, {"z": z})})


def interpolation(model: GAN, ends: Tensor) -> Live:
    """Explorer: walk between two random vectors of a GAN, with averaged weights and with raw ones.

    Args:
        model: a trained GAN.
        ends: pairs of vectors to start from, (pairs, 2, z_dim).

    Raises:
        ValueError: as `live`.
    """
    nets = {"averaged": Pictures(model), "raw": Pictures(model, averaged=False)}
    z = ends.detach().cpu().flatten(0, 1)
    settings = {"shape": _shape(nets["raw"], z), "ends": ends.tolist()}
    return live("interpolation", settings, {name: (net, {"z": z}) for name, net in nets.items()})


def particles(
    velocity: nn.Module, noise: Tensor, modes: Tensor, colours: Tensor | Sequence[int], near: float, reach: float = 3.0
) -> Live:
    """Explorer: points of the plane carried from noise to data by a learned velocity, by Euler's or Heun's method.

    Args:
        velocity: module (x (N, 2), t (N,)) -> (N, 2).
        noise: where the points start, (N, 2).
        modes: means of the data's modes, (K, 2).
        colours: the mode in which each point ends, (N,) integers.
        near: within this distance of a mode a point counts as having arrived.
        reach: the map shows the square from -reach to reach.

    Raises:
        ValueError: as `live`.
    """
    t = torch.linspace(0, 1, len(noise))
    settings = {
        "noise": _rounded(noise, 5),
        "modes": _rounded(modes),
        "colours": torch.as_tensor(colours).tolist(),
        "near": near,
        "reach": reach,
    }
    return live("particles", settings, {"velocity": (velocity, {"x": noise[:16], "t": t[:16]})})


@torch.no_grad()
def sentence(model: Words, text: str, z: Tensor, steps: int = 20, solver: str = "euler", guidance: float = 2.0) -> Live:
    """Explorer: the reader writes a sentence, and the picture forms from noise.

    Args:
        model: a trained model, of the vocabulary of `sentences`.
        text: the sentence to start from, one of those that `sentences.say` gives.
        z: noises to start from, (N, code) with N of at least 2; then the page draws others.
        steps, solver, guidance: as `Words.sample` has them; where the sliders stand at first, but for the solver.

    Raises:
        ValueError: a sentence that cannot be read, or as `live`.
    """
    velocity, decoder = rounded(ToldVelocity(model)), rounded(OfCode(model))
    x = torch.tensor(_rounded(z)).unflatten(1, model.places)
    words = sentences.encode(text).float().expand(len(x), -1)

    def told(x: Tensor, t: Tensor) -> Tensor:
        return guided(velocity(x, t, words), velocity(x, t, torch.zeros_like(words)), guidance)

    code = carry(told, x, steps, solver)[:2]  # what the page has to come to as well
    every = scenes.all_words(same=True)
    asked, upright = scenes.layout(every)
    unseen = scenes.is_held_out(every) | (asked[:, 0] == asked[:, 1])
    settings = {
        "shape": _shape(decoder, code),
        "places": list(model.places),
        "noise": _rounded(z),
        "text": text,
        "steps": steps,
        "solver": solver,
        "guidance": guidance,
        "language": {
            "words": sentences.WORDS,
            "phrasings": sentences.PHRASINGS,
            "relations": {name: sentences.relations(name) for name in sentences.WORDS},
            "silent": sorted(set().union(*sentences.SILENT.values())),
            "length": sentences.LENGTH,
        },
        "scene": {"hues": list(scenes.COLOURS.values()), "apart": scenes.APART, "radius": scenes.RANGES["radius"]},
        "unseen": sorted({tuple(row) for row in torch.cat([asked, upright[:, None]], 1)[unseen].tolist()}),
    }
    t = torch.tensor([0.0, 0.75])
    inputs = {"x": x[:2], "t": t, "words": torch.stack([words[0], torch.zeros_like(words[0])])}
    models = {"velocity": (velocity, inputs), "decoder": (decoder, {"code": code})}
    return live("sentence", settings, models, half=True)


#: What a reader of the plane's GAN may choose, and so what `gan_in_the_plane` may set: the loss, the weights of the
#: penalties, the learning rates, Adam's beta1, the random start.
CHOICES = ("loss", "r1", "r2", "rateG", "rateD", "beta1", "seed")


def gan_in_the_plane(**settings: float | str) -> Live:
    """Explorer: a GAN that the reader trains in the page, on points of the plane. Nothing is exported.

    Args:
        settings: where the controls stand at first, by the names in `CHOICES`; the others start a run that collapses.

    Raises:
        ValueError: another name, or as `live`.
    """
    strangers = [name for name in settings if name not in CHOICES]
    if strangers:
        raise ValueError(f"{', '.join(strangers)}: the page knows {', '.join(CHOICES)}")
    return live("gan-2d", settings)


def _rounded(x: Tensor, places: int = 3) -> list[list[float]]:
    return [[round(value, places) for value in row] for row in torch.as_tensor(x).detach().cpu().tolist()]


@torch.no_grad()
def _shape(decoder: nn.Module, z: Tensor) -> list[int]:
    """Channels, height and width of the pictures."""
    return list(decoder(z[:1].float()).shape[1:])


def _picture_of(
    figure: "Figure | None",
) -> tuple[bytes, tuple[int, int], tuple[dict[str, Any], dict[str, Any]]]:
    """PNG bytes of a figure at twice its resolution, its size in CSS pixels, `Live.chinese`; the figure is closed."""
    import matplotlib.pyplot as plt
    from PIL import Image

    if figure is None and not plt.get_fignums():
        raise ValueError("no figure is open: draw the one that stands for the live part first, in the same cell")
    shown = figure or plt.gcf()

    def png() -> bytes:
        stream = io.BytesIO()
        shown.savefig(stream, format="png", dpi=2 * shown.dpi, bbox_inches="tight")
        return stream.getvalue()

    poster = png()
    chinese = figures.bundle(png) if figures.wanted() else ({}, {})
    plt.close(shown)
    width, height = Image.open(io.BytesIO(poster)).size
    return poster, (width // 2, height // 2), chinese
