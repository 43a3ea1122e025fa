"""A run measured: its samples by the yardstick, its likelihood, its time."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from genimg.data.images import DIGITS, SHAPES, SOURCES, Images, fingerprint
from genimg.data.sources import load_images, meant, unmistakable
from genimg.data.stream import Stream
from genimg.measure import features, oracle
from genimg.measure.yardstick import (
    NEIGHBOURS,
    bits_per_dim,
    distances_to,
    milliseconds_per_sample,
    yardstick,
)
from genimg.models.model import Model
from genimg.runs import kept
from genimg.runs.pictures import part, parted, some
from genimg.runs.recipes import Recipe
from genimg.runs.run import config, load
from genimg.system.errors import DataError, RunError, shown
from genimg.system.progress import Progress, duration

_T = TypeVar("_T")

#: Samples that are drawn, and pictures that are measured, between two signs of progress.
PART = 64
#: Seconds from which on they are shown.
LONG = 5.0


def evaluate(
    of: str | os.PathLike[str] | Model, source: str | None = None, n: int = 500, seed: int = 1,
    device: torch.device | str | None = None, named_features: str | None = None, trained_on: str | None = None,
    workers: int | None = None, memory: float | None = None, last: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Measure a run, with progress where it takes long.

    Args:
        of: the run's folder, or its model as `genimg.train` and `genimg.load` give it.
        source: pictures that the run has not seen, to compare with. None takes those that were held out, of shapes new
            ones. Where none were, the run's own pictures are compared with, the others standing for what it saw, and
            nothing is said of copies.
        n: samples, and pictures compared with, at most.
        seed: of both.
        named_features: what `features.load` knows by name, or "none". None takes those made for digits and shapes
            where the run was trained on these, else those for any pictures.
        trained_on: where the pictures that it was trained on are now; None: where they were.
        workers, memory: of a folder that streams, see `images.batches` and `folder.load`.
        last: measure the last save instead of the best.

    Returns:
        dict of plain values: `run`, `family`, `data`, `seen` (names of pictures of `source` that were trained on and so
        are left out), what `yardstick` returns, `bits_per_dim` (VAE and flow: of n pictures compared with),
        `milliseconds_per_sample`.

    Raises:
        RunError: the pictures are not those that the run was trained on, or are all that it was; too few of them; a
            model of no run.
        RunError, DataError: see `run.load`, `load_images` and `features.load`.
    """
    if isinstance(of, Model):
        if of.run is None:
            raise RunError("this model is of no run; genimg.diagnose(model, images) looks at its samples")
        out, model, recipe = Path(of.run), of, config(of.run)
    else:
        (model, recipe), out = load(of, device, last), Path(of)
    if line := kept.too_early(model, recipe, out, last):
        print(line, file=sys.stderr)
    source, trained_on = (one and str(meant(one)) for one in (source, trained_on))
    own = source is None or source == recipe.data
    try:
        images, _ = _read(recipe, trained_on or recipe.data, recipe.n, recipe.seed, memory, workers)
    except DataError as error:
        if trained_on:
            raise
        raise DataError(f"{error}; --trained-on names the folder where the pictures of {out} are now") from error
    if fingerprint(images) != recipe.fingerprint:
        raise RunError(
            f"the pictures in {shown(trained_on or recipe.data)} are not those that {out} was trained on: some came, "
            f"went or changed, or it is another folder. --trained-on names the folder that has them"
        )
    train, test = parted(images, recipe)
    names: list[str] = []
    if own and recipe.data == SHAPES:
        test, names = _read(recipe, SHAPES, n, seed + 1_000_000)
    elif own:
        if not recipe.held_out:
            train, test = halves(images, n, seed)
        test = some(test, n)
    else:
        test, names = _read(recipe, source or "", n, seed, memory=0)
    test = test if isinstance(test, Images) else Images(test.pixels_of(range(len(test))))
    if test.shape[1] != recipe.channels:
        raise RunError(f"{source} has {test.shape[1]} channels, the run {recipe.channels}")
    few = min(n, len(train), len(test)) <= NEIGHBOURS
    if named_features is None:
        named_features = recipe.data if recipe.data in (DIGITS, SHAPES) else "none" if few else features.ANY
    extractor = None if named_features == "none" else features.load(named_features)
    samples = _sampled(model, n, seed)
    away = distances_to(train, torch.cat([samples, test.floats()]))
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
    if own and recipe.data != SHAPES and not recipe.held_out:
        result["copies"] = result["rms_real"] = None  # all of them were seen
    result["bits_per_dim"] = _bits_per_dim(model, test[:n].floats(), seed)
    result["milliseconds_per_sample"] = milliseconds_per_sample(model.sample, min(n, PART))
    return result


def _sampled(model: Model, n: int, seed: int) -> Tensor:
    """What `model.sample(n, seed=seed)` draws, on the CPU."""
    return torch.cat(_by_parts(lambda z: model.sample(z=z).cpu(), model.noise_for(n, seed), "samples"))


def _bits_per_dim(model: Model, x: Tensor, seed: int) -> float | None:
    """The mean of `yardstick.bits_per_dim`; None where there is none."""
    if not hasattr(model, "bits_per_dim"):
        return None
    bits = _by_parts(lambda part: (bits_per_dim(model, part, seed) or 0.0) * len(part), x, "likelihood")
    return sum(bits) / len(x)


def _by_parts(function: Callable[[Tensor], _T], x: Tensor, label: str) -> list[_T]:
    """The function of parts of x (N, ...); where it takes long, how long, and how far it is."""
    first, *others = x.split(PART)
    started = time.perf_counter()
    found = [function(first)]
    left = (time.perf_counter() - started) * len(others)
    with Progress(len(x), label, left > LONG, unit="picture") as progress:
        progress.say(f"{label}: {len(x):,} pictures, about {duration(left)}")
        for part in others:
            found.append(function(part))
            progress.update(min(PART * len(found), len(x)))
    return found


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


def halves(images: Images | Stream, n: int, seed: int) -> tuple[Images | Stream, Images | Stream]:
    """(the others, n pictures): at most half of them, drawn by the seed."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    n = min(n, len(images) // 2)
    return part(images, order[n:]), part(images, order[:n])
