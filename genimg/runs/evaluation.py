"""A run measured: its samples by the yardstick, its likelihood, its time."""

import os
from typing import Any

import torch

from genimg.data.images import DIGITS, SHAPES, SOURCES, Images
from genimg.data.sources import load_images, meant, unmistakable
from genimg.measure import features, oracle
from genimg.measure.yardstick import NEIGHBOURS, bits_per_dim, milliseconds_per_sample, yardstick
from genimg.runs.recipes import Recipe
from genimg.runs.run import load
from genimg.system.errors import RunError


def evaluate(
    out: str | os.PathLike[str], source: str | None = None, n: int = 500, seed: int = 1,
    device: torch.device | str | None = None, named_features: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure a run.

    Args:
        out: the run's folder.
        source: pictures that the run has not seen, to compare with. None: of shapes new ones are drawn; else the
            run's own pictures are compared with, half of them standing for what it saw, and nothing is said of copies.
        n: samples, and pictures compared with, at most.
        seed: of both.
        named_features: what `features.load` knows by name, or "none". None takes those made for digits and shapes
            where the run was trained on these, else none.

    Returns:
        dict of plain values: `run`, `family`, `data`, what `yardstick` returns, `bits_per_dim` (VAE and flow: of n
        pictures compared with), `milliseconds_per_sample`.

    Raises:
        RunError, DataError: see `run.load`, `load_images` and `features.load`.
    """
    model, recipe = load(out, device)
    source = recipe.data if source is None else str(meant(source))
    own = source == recipe.data
    train = _pictures(recipe, recipe.data, recipe.n, recipe.seed)
    if own and recipe.data == SHAPES:
        test = _pictures(recipe, recipe.data, n, seed + 1_000_000)
    elif own:
        train, test = train.split(test=0.5, seed=seed)
    else:
        test = _pictures(recipe, source, n, seed)
    if test.shape[1] != recipe.channels:
        raise RunError(f"{source} has {test.shape[1]} channels, the run {recipe.channels}")
    if named_features is None:
        named_features = recipe.data if recipe.data in (DIGITS, SHAPES) else "none"
    extractor = None if named_features == "none" else features.load(named_features)
    samples = model.sample(n, seed=seed)
    kinds = oracle.shapes.KINDS if recipe.data == SHAPES else None
    result: dict[str, Any] = {"run": str(out), "family": recipe.family, "data": source}
    if extractor and min(n, len(train), len(test)) <= NEIGHBOURS:
        raise RunError(
            f"{min(n, len(train), len(test))} pictures are too few to compare in features: it takes {NEIGHBOURS + 1}; "
            f"--features none leaves these comparisons out"
        )
    try:
        result |= yardstick(samples, train, test, extractor, kinds)
    except ValueError as error:  # as where --data are copies of what the run was trained on
        raise RunError(f"{source} cannot be compared with: {error}") from error
    if own and recipe.data != SHAPES:
        result["copies"] = result["rms_real"] = None  # both halves were seen
    result["bits_per_dim"] = bits_per_dim(model, test[:n].floats(), seed)
    result["milliseconds_per_sample"] = milliseconds_per_sample(model.sample, min(n, 64))
    return result


def _pictures(recipe: Recipe, source: str, n: int | None, seed: int) -> Images:
    """At most n pictures of a source as the recipe prepares them, all in memory."""
    options: dict[str, Any] = {}
    if source not in SOURCES:
        options = dict(background=recipe.background, fit=recipe.fit, skip_bad=recipe.skip_bad)
        options |= dict(channels=recipe.channels, white=recipe.white)
    images = load_images(unmistakable(source), recipe.size, n, seed=seed, **options)
    assert isinstance(images, Images)
    return images
