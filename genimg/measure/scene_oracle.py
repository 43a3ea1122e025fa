"""The oracle of scenes: reads two shapes, their colours and how they lie back from a picture, by drawing it again.

Each shape is looked for in its half of the picture; then both are refined together until the redrawing agrees. Like the
oracle of one shape it needs no training, and its error says of a picture that it is no scene.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genimg.data import scenes, shapes
from genimg.measure.oracle import PERIODS, REDRAWN_WITHIN, colours_of, refined, turn_of, unit_area

#: Angles tried in each period before the best is refined.
ANGLES = 6

#: The radius tried, as a multiple of the one that has the area of what is seen, to which pale edges do not belong.
LARGER = 1.05

#: Shapes of a scene are no smaller, in picture widths.
SMALLEST = 0.10

#: And their centres no nearer to each other.
NEAREST = 0.3

#: A colour word holds for hues no farther from its own, in turns; this is half the way from red to yellow.
HUE_WITHIN = 1 / 12


@dataclass(frozen=True)
class SceneReading:
    """What the oracle read; of two shapes the left or upper one is the first.

    Attributes:
        factors: `kind`, `hue`, `x`, `y`, `radius`, `angle` (N, 2) and `ground` (N,), as `scenes.render_floats` takes
            them.
        colour: index into `scenes.COLOURS`, (N, 2); -1 where no word holds.
        upright: (N,), whether one lies above the other.
        error: (N,) root mean squared difference between the picture and its redrawing, in [0, 1] grey levels.
        valid: (N,), whether it is a scene: redrawn closely, with two shapes that are not too small.
    """

    factors: dict[str, Tensor]
    colour: Tensor
    upright: Tensor
    error: Tensor
    valid: Tensor


def read_scenes(pixels: Tensor, within: float = REDRAWN_WITHIN, steps: int = 12, batch: int = 500) -> SceneReading:
    """Read scenes.

    Args:
        pixels: (N, 3, S, S) uint8, or floats in [-1, 1].
        within: a picture with a larger redraw error is no scene.
        steps: of refinement by gradient descent.
        batch: pictures worked on at once.
    """
    pixels = pixels.cpu()
    x = pixels.float() / 255 if pixels.dtype == torch.uint8 else (pixels.float() + 1) / 2
    parts = [_read(part, steps) for part in x.split(batch)]
    factors = {name: torch.cat([part[0][name] for part in parts]) for name in parts[0][0]}
    upright, error = torch.cat([part[1] for part in parts]), torch.cat([part[2] for part in parts])
    off = (factors["hue"][..., None] - torch.tensor(list(scenes.COLOURS.values())) + 0.5) % 1.0 - 0.5  # (N, 2, 4)
    nearest = off.abs().min(2)
    colour = torch.where(nearest.values <= HUE_WITHIN, nearest.indices, -1)
    distance = (factors["x"].diff(dim=1).square() + factors["y"].diff(dim=1).square()).sqrt().squeeze(1)  # (N,)
    valid = (error < within) & (factors["radius"] >= SMALLEST).all(1) & (distance >= NEAREST)  # and no NaN
    return SceneReading(factors, colour, upright, error, valid)


def obeyed(reading: SceneReading, words: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of the sentences' words the pictures show, name -> (N,) bool; nothing counts where there is no scene.

    `kinds` and `colours`: both, wherever they are. `bound`: each colour on its kind. `axis`: side by side, or one above
    the other, as asked. `all`: every word, so that the picture is one of those that the sentence describes.
    """
    asked, upright = scenes.layout(words)
    read = reading.factors["kind"] * len(scenes.COLOURS) + reading.colour  # (N, 2)
    named = (reading.colour >= 0).all(1)

    def same(a: Tensor, b: Tensor) -> Tensor:
        return (a.sort(1).values == b.sort(1).values).all(1)

    found = {
        "kinds": same(reading.factors["kind"], words["kind"]),
        "colours": same(reading.colour, words["colour"]),
        "bound": named & same(read, asked),
        "axis": reading.upright == upright,
        "all": named & (read == asked).all(1) & (reading.upright == upright),
    }
    return {name: value & reading.valid for name, value in found.items()}


def obedience(pixels: Tensor, words: dict[str, Tensor]) -> dict[str, float]:
    """Shares of the pictures (N, 3, S, S) that obey their sentences, by the names of `obeyed`, and `valid`."""
    reading = read_scenes(pixels)
    shares = {name: value.float().mean().item() for name, value in obeyed(reading, words).items()}
    return {"valid": reading.valid.float().mean().item()} | shares


def _read(x: Tensor, steps: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Factors, whether upright, error."""
    n, _, _, size = x.shape
    chroma, ground, cover = colours_of(x)
    axis = (torch.arange(size) + 0.5) / size - 0.5
    grid = torch.stack([axis.expand(size, size), -axis[:, None].expand(size, size)])  # (2, S, S): x and y
    mean, variance = _moments(cover, grid)
    upright = variance[:, 1] > variance[:, 0]
    along = torch.where(upright[:, None, None], -grid[1], grid[0])  # (N, S, S), grows to the right or downwards
    middle = torch.where(upright, -mean[:, 1], mean[:, 0])[:, None, None]
    for _ in range(2):  # the larger shape draws the common mean to itself: halve between the two means
        halves = [cover * (along < middle), cover * (along >= middle)]
        ends = [(half * along).sum((1, 2)) / half.sum((1, 2)).clamp(min=1e-6) for half in halves]
        middle = ((ends[0] + ends[1]) / 2)[:, None, None]
    halves = [cover * (along < middle), cover * (along >= middle)]
    both = [_silhouette(half, chroma, grid) for half in halves]
    found = {name: torch.stack([one[name] for one in both], 1) for name in both[0]} | {"ground": ground}
    kind = found["kind"]
    closer, error = refined(x, lambda values: scenes.render_floats({"kind": kind, **values}, size), found, steps)
    found = {"kind": kind, **closer}
    found["hue"], found["ground"] = found["hue"] % 1.0, found["ground"] % 1.0
    return found, upright, error


def _moments(cover: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of x and of y over what is covered, (N, 2) each."""
    weight = cover.sum((1, 2)).clamp(min=1e-6)[:, None]
    mean = torch.einsum("nij,cij->nc", cover, grid) / weight
    square = torch.einsum("nij,cij->nc", cover, grid.square()) / weight
    return mean, square - mean.square()


def _silhouette(cover: Tensor, chroma: Tensor, grid: Tensor) -> dict[str, Tensor]:
    """The shape whose outline fits best what is covered in one half, (N, S, S): name -> (N,)."""
    n, size, _ = cover.shape
    mean, _ = _moments(cover, grid)
    area = cover.mean((1, 2)).clamp(min=1e-3)
    best = torch.full((n,), math.inf)
    kind, radius, angle = torch.zeros(n, dtype=torch.long), torch.full((n,), 0.02), torch.zeros(n)
    for k, name in enumerate(scenes.KINDS):
        period = PERIODS[name]
        guess = LARGER * (area / unit_area(name)).sqrt().clamp(0.02, 0.4)
        for turn in [0.0] if period is None else [period * i / ANGLES for i in range(ANGLES)]:
            factors = {"x": mean[:, 0], "y": mean[:, 1], "radius": guess, "angle": torch.full((n,), turn)}
            error = (shapes.covered(shapes.KINDS.index(name), factors, size) - cover).square().mean((1, 2))
            better = error < best
            best = torch.where(better, error, best)
            kind[better], radius[better], angle[better] = k, guess[better], turn
    hue = turn_of((chroma * cover[:, None]).sum((2, 3)))
    return {"kind": kind, "x": mean[:, 0], "y": mean[:, 1], "radius": radius, "angle": angle, "hue": hue}
