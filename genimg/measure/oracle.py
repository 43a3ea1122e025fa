"""The oracle: reads the factors back from a picture of a shape, by drawing it again until the two agree.

It needs no training, so it cannot have learned the mistakes of what it judges. A picture that no factors redraw
closely is not a shape: the error says so.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genimg.data import shapes
from genimg.measure.modes import Modes, mode_statistics

#: Turns after which a shape looks the same again, in radians; None for any.
PERIODS = {
    "disc": None, "ring": None, "square": math.pi / 2, "cross": math.pi / 2, "triangle": 2 * math.pi / 3,
    "star": 2 * math.pi / 5,
}  # fmt: skip

#: Angles tried in each period before the best is refined.
ANGLES = 6

#: A picture counts as a shape when it is redrawn within this root mean squared error (grey levels 0 to 1).
REDRAWN_WITHIN = 0.06

#: Factors that gradient descent refines, and its rates.
REFINED = {"x": 0.01, "y": 0.01, "radius": 0.008, "angle": 0.06, "hue": 0.01, "ground": 0.02}


@dataclass(frozen=True)
class Reading:
    """What the oracle read.

    Attributes:
        factors: name -> (N,), as `shapes.sample_factors` gives them; angles within the shape's period.
        error: (N,) root mean squared difference between the picture and its redrawing, in [0, 1] grey levels.
    """

    factors: dict[str, Tensor]
    error: Tensor


def read_factors(pixels: Tensor, kinds: Sequence[str] = shapes.KINDS, steps: int = 25, batch: int = 500) -> Reading:
    """Read the factors of pictures.

    Args:
        pixels: (N, 3, S, S) uint8, or floats in [-1, 1].
        kinds: names of the shapes that may be in them.
        steps: of refinement by gradient descent.
        batch: pictures worked on at once.

    Returns:
        Reading.
    """
    x = pixels.float() / 255 if pixels.dtype == torch.uint8 else (pixels.float() + 1) / 2
    parts = [_read(part, kinds, steps) for part in x.split(batch)]
    factors = {name: torch.cat([part.factors[name] for part in parts]) for name in parts[0].factors}
    return Reading(factors, torch.cat([part.error for part in parts]))


def report(
    pixels: Tensor, kinds: Sequence[str] = shapes.KINDS, hues: int = 6, within: float = REDRAWN_WITHIN, steps: int = 25,
    batch: int = 500,
) -> Modes:  # fmt: skip
    """How samples spread over the shapes and colours that the data have in equal shares.

    A mode is a kind in one of `hues` equal parts of the colour circle, the first of them around hue 0 (so that each of
    `hues` equally spaced ones is in the middle of its part). `mode_statistics` says what the numbers mean.

    Args:
        pixels: (N, 3, S, S) uint8, or floats in [-1, 1]; N at least 1.
        kinds: names of the shapes in the data.
        hues: parts of the colour circle.
        within: a picture with a larger redraw error is invalid, and in no mode.
        steps, batch: see `read_factors`.

    Returns:
        Modes: `invalid` (share of samples), `covered` modes out of len(kinds) * hues, `kl` in nats of the
        valid samples' histogram from the uniform one.
    """
    return modes(read_factors(pixels, kinds, steps, batch), kinds, hues, within)


def modes(
    reading: Reading, kinds: Sequence[str] = shapes.KINDS, hues: int = 6, within: float = REDRAWN_WITHIN
) -> Modes:
    """What `report` says, of pictures that are read already."""
    place = torch.full((len(shapes.KINDS),), -1)
    for i, name in enumerate(kinds):
        place[shapes.KINDS.index(name)] = i
    valid = reading.error.cpu() < within  # not so where the error is not a number
    kind, hue = reading.factors["kind"].cpu(), torch.where(valid, reading.factors["hue"].cpu(), 0.0)
    mode = place[kind] * hues + (hue * hues).round().long() % hues
    total = len(kinds) * hues
    return mode_statistics(torch.where(valid, mode, -1), torch.full((total,), 1 / total))


def _read(x: Tensor, kinds: Sequence[str], steps: int) -> Reading:
    n, _, _, size = x.shape
    chroma, ground, cover = colours_of(x)
    hue = turn_of((chroma * cover.unsqueeze(1)).sum((2, 3)))
    axis = (torch.arange(size, device=x.device) + 0.5) / size - 0.5
    weight = cover.sum((1, 2)).clamp(min=1e-6)
    centre_x = (cover.sum(1) * axis).sum(1) / weight
    centre_y = -(cover.sum(2) * axis).sum(1) / weight
    area = cover.mean((1, 2)).clamp(min=1e-3)

    best = torch.full((n,), math.inf, device=x.device)
    kind = torch.zeros(n, dtype=torch.long, device=x.device)
    start = {"x": centre_x, "y": centre_y, "hue": hue, "ground": ground}
    radius, angle = torch.zeros(n, device=x.device), torch.zeros(n, device=x.device)
    for name in kinds:
        k = shapes.KINDS.index(name)
        guess = (area / unit_area(name)).sqrt().clamp(0.02, 0.7)
        period = PERIODS[name]
        turns = [0.0] if period is None else [period * i / ANGLES for i in range(ANGLES)]
        for turn in turns:
            tried = {**start, "radius": guess, "angle": torch.full_like(guess, turn)}
            error = _error(x, k, tried)
            better = error < best
            best = torch.where(better, error, best)
            kind[better], radius[better], angle[better] = k, guess[better], turn
    found = {**start, "radius": radius, "angle": angle}
    for k in kind.unique().tolist():
        index = (kind == k).nonzero().squeeze(1)
        draw = functools.partial(shapes.render_floats, k, size=x.shape[-1])
        closer, best[index] = refined(x[index], draw, {name: value[index] for name, value in found.items()}, steps)
        period = PERIODS[shapes.KINDS[k]]
        for name, value in closer.items():
            found[name][index] = value
        found["angle"][index] = found["angle"][index] % period if period else 0.0
    found["hue"], found["ground"] = found["hue"] % 1.0, found["ground"] % 1.0
    return Reading({"kind": kind, **found}, best)


def colours_of(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Chroma (N, 2, S, S), the ground's hue (N,), and how far each pixel belongs to a shape, (N, S, S), by chroma."""
    phase = 2 * math.pi * torch.arange(3, device=x.device) / 3
    chroma = torch.stack([(x * f(phase).view(3, 1, 1)).sum(1) for f in (torch.cos, torch.sin)], 1) * (2 / 3)
    edge = torch.cat([chroma[:, :, 0], chroma[:, :, -1], chroma[:, :, :, 0], chroma[:, :, :, -1]], 2)  # (N, 2, 4 S)
    ground = edge.median(2).values
    cover = ((chroma - ground[:, :, None, None]).square().sum(1).sqrt() / 0.42).clamp(0, 1)
    return chroma, turn_of(ground), torch.where(cover > 0.25, cover, 0.0)


def turn_of(chroma: Tensor) -> Tensor:
    """The hue of a chroma (N, 2), in turns: (N,)."""
    return (torch.atan2(chroma[:, 1], chroma[:, 0]) / (2 * math.pi)) % 1.0


def _error(x: Tensor, k: int, factors: dict[str, Tensor]) -> Tensor:
    return (shapes.render_floats(k, factors, x.shape[-1]) - x).square().mean((1, 2, 3)).sqrt()


@torch.enable_grad()
def refined(
    x: Tensor, draw: Callable[[dict[str, Tensor]], Tensor], found: dict[str, Tensor], steps: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Gradient descent on the squared error of the redrawing; the best of all steps counts.

    Args:
        x: pictures (N, 3, S, S), from 0 to 1.
        draw: the factors in `REFINED`, (N, ...) each -> pictures (N, 3, S, S).
        found: where to begin.

    Returns:
        the factors, and the root mean squared error (N,).
    """
    values = {name: found[name].detach().clone().requires_grad_() for name in REFINED}
    optimiser = torch.optim.Adam([{"params": [values[name]], "lr": rate} for name, rate in REFINED.items()])
    best_error = torch.full((len(x),), math.inf, device=x.device)
    best = {name: value.detach().clone() for name, value in values.items()}
    for step in range(steps + 1):
        error = (draw(values) - x).square().mean((1, 2, 3))
        better = error.detach() < best_error
        best_error = torch.where(better, error.detach(), best_error)
        for name, value in values.items():
            best[name][better] = value.detach()[better]
        if step < steps:
            optimiser.zero_grad()
            error.sum().backward()
            optimiser.step()
            for group in optimiser.param_groups:
                group["lr"] *= 0.93
            with torch.no_grad():
                values["radius"].clamp_(0.02, 0.9)
    return best, best_error.sqrt()


@functools.cache
def unit_area(name: str) -> float:
    """Area of the shape of radius 1, measured on a grid."""
    axis = torch.linspace(-1.3, 1.3, 521)
    inside = shapes.OUTLINES[name](axis.view(1, -1), axis.view(-1, 1)) < 0
    return inside.float().mean().item() * 2.6**2
