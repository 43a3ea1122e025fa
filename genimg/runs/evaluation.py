"""A run measured: its samples by the yardstick, its likelihood, its time."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genimg.data.images import DIGITS, SHAPES, SOURCES, Images, fingerprint
from genimg.data.sources import load_images, meant, unmistakable
from genimg.data.stream import Stream
from genimg.measure import features, oracle
from genimg.measure.yardstick import (
    NEIGHBOURS,
    Read,
    bits_per_dim,
    distances_to,
    drawn,
    milliseconds_per_sample,
    yardstick,
)
from genimg.runs.recipes import Recipe
from genimg.runs.run import load
from genimg.system.errors import RunError, shown


def evaluate(
    out: str | os.PathLike[str], source: str | None = None, n: int = 500, seed: int = 1,
    device: torch.device | str | None = None, named_features: str | None = None, trained_on: str | None = None,
    workers: int | None = None, memory: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure a run.

    Args:
        out: the run's folder.
        source: pictures that the run has not seen, to compare with. None: of shapes new ones are drawn; else the
            run's own pictures are compared with, the others standing for what it saw, and nothing is said of copies.
        n: samples, and pictures compared with, at most.
        seed: of both.
        named_features: what `features.load` knows by name, or "none". None takes those made for digits and shapes
            where the run was trained on these, else none.
        trained_on: where the pictures that it was trained on are now; None: where they were.
        workers, memory: of a folder that streams, see `images.batches` and `folder.load`.

    Returns:
        dict of plain values: `run`, `family`, `data`, `seen` (names of pictures of `source` that were trained on and so
        are left out), what `yardstick` returns, `bits_per_dim` (VAE and flow: of n pictures compared with),
        `milliseconds_per_sample`.

    Raises:
        RunError: the pictures are not those that the run was trained on, or are all that it was; too few of them.
        RunError, DataError: see `run.load`, `load_images` and `features.load`.
    """
    model, recipe = load(out, device)
    source, trained_on = (one and str(meant(one)) for one in (source, trained_on))
    own = source is None or source == recipe.data
    images, _ = _read(recipe, trained_on or recipe.data, recipe.n, recipe.seed, memory, workers)
    if fingerprint(images) != recipe.fingerprint:
        raise RunError(
            f"the pictures in {shown(trained_on or recipe.data)} are not those that {out} was trained on: some came, "
            f"went or changed, or it is another folder. --trained-on names the folder that has them"
        )
    train: Images | Read = images
    names: list[str] = []
    if own and recipe.data == SHAPES:
        test, names = _read(recipe, SHAPES, n, seed + 1_000_000)
    elif own:
        train, test = _parted(images, n, seed)
    else:
        test, names = _read(recipe, source or "", n, seed, memory=0)
    test = test if isinstance(test, Images) else Images(test.pixels_of(range(len(test))))
    if test.shape[1] != recipe.channels:
        raise RunError(f"{source} has {test.shape[1]} channels, the run {recipe.channels}")
    if named_features is None:
        named_features = recipe.data if recipe.data in (DIGITS, SHAPES) else "none"
    extractor = None if named_features == "none" else features.load(named_features)
    samples = model.sample(n, seed=seed)
    away = distances_to(train, torch.cat([samples.cpu(), test.floats()]))
    seen = (away[len(samples) :] == 0).nonzero().flatten().tolist()
    if len(seen) == len(test):
        raise RunError(
            f"{source or recipe.data} cannot be compared with: all {len(test)} pictures are copies of training pictures"
        )
    unseen = torch.ones(len(test), dtype=torch.bool)
    unseen[seen] = False
    test, away = test[unseen], away[torch.cat([torch.ones(len(samples), dtype=torch.bool), unseen])]
    if extractor and min(n, len(train), len(test)) <= NEIGHBOURS:
        raise RunError(
            f"{min(n, len(train), len(test))} pictures are too few to compare in features: it takes {NEIGHBOURS + 1}; "
            f"--features none leaves these comparisons out"
        )
    kinds = oracle.shapes.KINDS if recipe.data == SHAPES else None
    result: dict[str, Any] = {"run": str(out), "family": recipe.family, "data": source or recipe.data}
    result["seen"] = [names[i] for i in seen] if names else []  # of its own pictures they are what is there twice
    result |= yardstick(samples, train, test, extractor, kinds, away)
    if own and recipe.data != SHAPES:
        result["copies"] = result["rms_real"] = None  # all of them were seen
    result["bits_per_dim"] = bits_per_dim(model, test[:n].floats(), seed)
    result["milliseconds_per_sample"] = milliseconds_per_sample(model.sample, min(n, 64))
    return result


def _read(
    recipe: Recipe, source: str, n: int | None, seed: int, memory: float | None = None, workers: int | None = None
) -> tuple[Images | Stream, list[str]]:
    """At most n pictures of a source as the recipe prepares them, and what they are called."""
    options: dict[str, Any] = {}
    if source not in SOURCES:
        options = dict(background=recipe.background, fit=recipe.fit, skip_bad=recipe.skip_bad, memory=memory)
        options |= dict(channels=recipe.channels, white=recipe.white)
    images = load_images(unmistakable(source), recipe.size, n, seed=seed, **options)
    if isinstance(images, Images):
        return images, [f"number {i}" for i in range(len(images))]
    images.workers = workers
    return images, [str(file) for file in images.files]


def _parted(images: Images | Stream, n: int, seed: int) -> "tuple[Part, Images]":
    """(the others, n pictures): at most half of them, drawn by the seed."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    n = min(n, len(images) // 2)
    return Part(images, order[n:]), Images(torch.cat(list(drawn(images, order[:n].split(64)))))


@dataclass
class Part:
    """Some of a set of pictures, read as they are drawn."""

    images: Images | Read
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, indices: Iterable[Tensor]) -> Iterator[Tensor]:
        """uint8 (B, C, H, W) for each tensor of indices (B,)."""
        return drawn(self.images, (self.index[one] for one in indices))
