"""Scenes whose truth is known: two shapes, their colours, and where one lies from the other.

What a sentence says of a scene is its *words*: `kind` (N, 2) and `colour` (N, 2), the first shape's and the second's,
and `relation` (N,), where the first lies from the second; indices into `KINDS`, `COLOURS` and `RELATIONS`. All the
rest, the exact hue, place, size and turn, it leaves open. Lengths, angles and hues are those of `shapes`.
"""

import torch
from torch import Tensor

from genimg.data import shapes

#: The shapes, in the order of their numbers.
KINDS = ("square", "triangle", "ring")

#: Colour word -> its hue in turns.
COLOURS = {"red": 0.0, "yellow": 1 / 6, "green": 1 / 3, "blue": 2 / 3}

#: Where the first shape lies from the second, in the order of their numbers.
RELATIONS = ("left of", "right of", "above", "below")

#: How many kinds in a colour there are; the number of one is kind * len(COLOURS) + colour.
OBJECTS = len(KINDS) * len(COLOURS)

#: Half the distance of the two centres along the relation's axis.
APART = 0.23

#: How tinted the ground is, which is so much that a grey one in its place is beyond what the oracle takes for a scene.
TINT = 0.12

#: What a sentence leaves open -> the range that it is drawn from; places are offsets from the relation's.
RANGES = {
    "hue": (-0.03, 0.03), "along": (-0.02, 0.02), "across": (-0.05, 0.05), "radius": (0.14, 0.19),
    "angle": (-0.25, 0.25),
}  # fmt: skip


def all_words(same: bool = False) -> dict[str, Tensor]:
    """Every sentence's words, in order; without those of two equal shapes unless `same`."""
    first, second, relation = torch.cartesian_prod(
        torch.arange(OBJECTS), torch.arange(OBJECTS), torch.arange(len(RELATIONS))
    ).T
    both = torch.stack([first, second], 1)  # (576, 2)
    both, relation = (both, relation) if same else (both[first != second], relation[first != second])
    return {"kind": both // len(COLOURS), "colour": both % len(COLOURS), "relation": relation}


def objects(words: dict[str, Tensor]) -> Tensor:
    """The two shapes with their colours as one number each, (N, 2)."""
    return words["kind"] * len(COLOURS) + words["colour"]


def layout(words: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What the picture has to show: objects (N, 2), the left or upper one first, and whether one lies above the
    other, (N,). "A left of B" and "B right of A" ask for the same."""
    swapped = (words["relation"] == 1) | (words["relation"] == 3)
    both = objects(words)
    return torch.where(swapped[:, None], both.flip(1), both), words["relation"] >= 2


def is_held_out(words: dict[str, Tensor]) -> Tensor:
    """Whether a sentence is among the sixth that training never shows, (N,), nor any that asks for the same picture.

    Each shape stands in the held-out ones as often as every other, in each of the two places.
    """
    both, upright = layout(words)
    return (both[:, 0] + 2 * both[:, 1] + 3 * upright) % 6 == 0


def rows(words: dict[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    """Some of the sentences, or of the scenes, by mask or index."""
    return {name: value[index] for name, value in words.items()}


def sample_scenes(n: int, seed: int = 0, words: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Draw n scenes: the words evenly out of `words` (all if None), what they leave open evenly out of `RANGES`.

    Args:
        n: how many.
        seed: the same seed gives the same scenes.
        words: sentences to draw from.

    Returns:
        the words, and `hue`, `x`, `y`, `radius`, `angle` (n, 2) and `ground` (n,), float32.
    """
    generator = torch.Generator().manual_seed(seed)
    words = all_words() if words is None else words
    chosen = rows(words, torch.randint(len(words["relation"]), (n,), generator=generator))
    return chosen | open_factors(chosen, generator)


def open_factors(words: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """What sentences leave open, drawn: `hue`, `x`, `y`, `radius`, `angle` (N, 2), `ground` (N,)."""
    n = len(words["relation"])
    drawn = {name: low + (high - low) * torch.rand(n, 2, generator=generator) for name, (low, high) in RANGES.items()}
    side = torch.tensor([-1.0, 1.0, 1.0, -1.0])[words["relation"]]  # of the first: left and below are negative
    along = APART * side[:, None] * torch.tensor([1.0, -1.0]) + drawn.pop("along")
    across, upright = drawn.pop("across"), (words["relation"] >= 2)[:, None]
    hue = torch.tensor(list(COLOURS.values()))[words["colour"]] + drawn["hue"]
    places = {"x": torch.where(upright, across, along), "y": torch.where(upright, along, across)}
    return drawn | places | {"hue": hue % 1.0, "ground": torch.rand(n, generator=generator)}


def render(scenes: dict[str, Tensor], size: int = 32) -> Tensor:
    """Draw scenes, anti-aliased: uint8 (N, 3, size, size).

    Args:
        scenes: as `sample_scenes` gives them.
        size: width and height in pixels, 8 to 1024.
    """
    if not 8 <= size <= 1024:
        raise ValueError(f"size {size}: scenes are drawn from 8 to 1024 pixels wide")
    parts = torch.arange(len(scenes["ground"])).split(max(1, shapes.CHUNK_PIXELS // size**2))
    drawn = [render_floats(rows(scenes, part), size).mul_(255).round_().to(torch.uint8) for part in parts]
    return torch.cat(drawn)


def render_floats(scenes: dict[str, Tensor], size: int) -> Tensor:
    """Scenes as floats in [0, 1], (N, 3, size, size); differentiable in all but the words. The first shape covers the
    second where they touch."""
    first, second = (_painted(scenes, i, size) for i in (0, 1))
    picture = shapes.behind(scenes["ground"], torch.maximum(first[2], second[2]), TINT)
    for solid, cover, _ in (second, first):
        picture = torch.lerp(picture, solid, cover.unsqueeze(1))
    return picture.clamp(0, 1)


def _painted(scenes: dict[str, Tensor], which: int, size: int) -> tuple[Tensor, ...]:
    """`shapes.painted` of the first or the second shapes, whatever their kinds."""
    kind = scenes["kind"][:, which]
    order = [(kind == k).nonzero().squeeze(1) for k in range(len(KINDS))]
    parts = []
    for k, index in enumerate(order):
        factors = {name: scenes[name][index, which] for name in ("x", "y", "radius", "angle", "hue")}
        parts.append(shapes.painted(shapes.KINDS.index(KINDS[k]), factors, size))
    back = torch.cat(order).argsort()
    return tuple(torch.cat(same)[back] for same in zip(*parts, strict=True))
