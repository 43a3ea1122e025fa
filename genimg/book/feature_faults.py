"""Pictures that features for a distance are tried on: real ones in disjoint parts, and with five kinds of fault."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.data.images import SHAPES, Images, to_bytes
from genimg.data.sources import load_images
from genimg.runs.pictures import load_pictures, parted, some
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError

#: The reader's pictures, beside those drawn by the package.
FOLDER = "folder"
#: What features are tried on.
SOURCES = (SHAPES, FOLDER)
#: Draws of real pictures, whose distances are the floor and its spread.
DRAWS = 5
#: Kinds of picture; of a folder this many parts of one size by colour.
KINDS = 6
#: Each fault with its three strengths. Blur has a deviation in pixels. Noise has a deviation, and a tint what red gains
#: and blue loses, in pixel values from -1 to 1. Copies say how often each picture comes, dropped how many kinds miss.
FAULTS: dict[str, tuple[float, ...]] = {
    "blur": (0.5, 0.7, 1.0), "noise": (0.06, 0.12, 0.24), "tint": (0.05, 0.1, 0.2), "copies": (4, 12, 36),
    "dropped": (1, 2, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """Pictures that candidates are tried on, none of them twice.

    Attributes:
        learn: what candidates and models learn from.
        pool: other real pictures, `DRAWS` times as many as are held out.
        kinds: of these, (N,) from 0 to `KINDS` - 1.
        unseen: those held out, from which distances are measured.
    """

    learn: Images
    pool: Images
    kinds: Tensor
    unseen: Images

    def draw(self, i: int) -> Tensor:
        """The i-th draw of real pictures, floats (n, 3, S, S)."""
        n = len(self.unseen)
        return self.pool[i * n : (i + 1) * n].floats()


def pictures(folder: str, size: int) -> dict[str, Tried]:
    """Shapes, and the folder's pictures in colour, as many of both and parted alike: source -> Tried.

    Raises:
        RunError: too few pictures.
    """
    images, recipe = load_pictures(Recipe("gan", folder, size=size, channels=3).complete())
    rest, held_out = parted(images, recipe)
    n = min(len(held_out), len(rest) // (2 * DRAWS))
    if n < 8 * DRAWS:
        raise RunError(f"{folder} has {len(images):,} pictures; to try features on them it takes some 500")
    rest, unseen = some(rest, len(rest)), some(held_out, n)
    pool, learn = rest[: DRAWS * n], rest[DRAWS * n :]
    drawn = load_images("genimg:shapes", size, len(rest) + n, seed=0)
    assert drawn.factors is not None
    ours, kinds = drawn[: DRAWS * n], drawn.factors["kind"][: DRAWS * n]
    return {
        SHAPES: Tried(drawn[DRAWS * n : len(rest)], ours, kinds, drawn[len(rest) :]),
        FOLDER: Tried(learn, pool, by_colour(pool), unseen),
    }


def by_colour(images: Images) -> Tensor:
    """Kinds where nobody has named any: parts of one size along the direction in which mean colours differ most."""
    colours = images.floats().mean((2, 3))  # (N, 3)
    colours = colours - colours.mean(0)
    along = colours @ torch.linalg.svd(colours, full_matrices=False).Vh[0]  # (N,)
    return along.argsort().argsort() * KINDS // len(images)


# The faults. Everything is rounded to 8 bits, as files hold it.


def spoilt(tried: Tried, i: int) -> dict[str, list[Tensor]]:
    """The i-th draw of real pictures with every fault: fault -> uint8 (n, 3, S, S) in order of strength."""
    x, random = tried.draw(i), torch.Generator().manual_seed(i)
    waves = torch.randn(x.shape, generator=random)
    warm = torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1)
    made: dict[str, Callable[[float], Tensor]] = {
        "blur": lambda pixels: blurred(x, pixels),
        "noise": lambda much: x + much * waves,
        "tint": lambda much: x + much * warm,
        "copies": lambda times: x[: math.ceil(len(x) / times)].repeat(int(times), 1, 1, 1)[: len(x)],
        "dropped": lambda kinds: without(tried, int(kinds), i),
    }
    return {fault: [to_bytes(made[fault](strength)) for strength in FAULTS[fault]] for fault in FAULTS}


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Pictures (N, 3, S, S) under a Gaussian of so many pixels."""
    bell = torch.exp(-torch.arange(-4.0, 5.0).square() / (2 * deviation**2))
    bell = (bell / bell.sum()).expand(3, 1, 1, 9)
    x = F.conv2d(F.pad(x, (4, 4, 0, 0), mode="replicate"), bell, groups=3)
    return F.conv2d(F.pad(x, (0, 0, 4, 4), mode="replicate"), bell.transpose(2, 3), groups=3)


def without(tried: Tried, missing: int, seed: int) -> Tensor:
    """As many pictures of the pool as are held out, drawn from all kinds but the first so many."""
    left = (tried.kinds >= missing).nonzero().flatten()
    order = torch.randperm(len(left), generator=torch.Generator().manual_seed(seed))
    return tried.pool[left[order[: len(tried.unseen)]]].floats()


def controls(tried: Tried) -> dict[str, Tensor]:
    """Pictures that are worth nothing: name -> uint8 (n, 3, S, S)."""
    x = tried.unseen.floats()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean = tried.learn.floats().mean(0, keepdim=True).expand_as(x)
    return {"mean picture": to_bytes(mean), "white": to_bytes(torch.ones_like(x)), "noise only": to_bytes(noise)}
