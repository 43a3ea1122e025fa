"""What can be said of a trained run in numbers: its likelihood, its samples as an oracle reads them, copies, time."""

import time

import torch

from genimg import data, oracle, runs
from genimg.errors import RunError

#: A picture counts as a shape when the oracle redraws it within this root mean squared error (grey levels 0 to 1).
REDRAWN_WITHIN = 0.06


def evaluate(out, source=None, n=500, seed=1, device=None):
    """Measure a run.

    Args:
        out: the run's folder.
        source: pictures to compare with; None takes the run's own source (shapes are drawn anew by the seed).
        n: samples, and pictures compared with, at most.
        seed: of both.

    Returns:
        dict of plain values: what was compared, `bits_per_dim` (VAE: mean upper bound over 8-bit pictures, of which
        the training pictures may be some), `redrawn` (shapes: share of samples within `REDRAWN_WITHIN`),
        `nearest_rms` and `nearest_rms_real` (see `nearest`), `milliseconds_per_sample`.

    Raises:
        RunError, DataError: see `runs.load` and `data.load_images`.
    """
    model, recipe = runs.load(out, device)
    source = source or recipe.data
    pictures = load(recipe, source, n, seed)
    if pictures.shape[1] != recipe.channels:
        raise RunError(f"{source} has {pictures.shape[1]} channels, the run {recipe.channels}")
    model.sample(8, seed=seed)  # the first call prepares kernels
    started = time.perf_counter()
    samples = model.sample(n, seed=seed).cpu()
    seconds = time.perf_counter() - started
    result = {"run": str(out), "family": recipe.family, "data": source, "pictures": len(pictures), "samples": n}
    if recipe.family == "vae":
        pixels = pictures.pixels.to(model.device())
        generator = torch.Generator(model.device()).manual_seed(seed)
        result["bits_per_dim"] = model.bits_per_dim(pixels, generator=generator)
    if source == data.SHAPES:
        error = oracle.read_factors(samples).error
        result["redrawn"] = (error < REDRAWN_WITHIN).float().mean().item()
        result["redraw_error"] = error.median().item()
    result["nearest_rms"] = nearest(samples, pictures.floats()).median().item()
    half = len(pictures) // 2
    if half:
        result["nearest_rms_real"] = nearest(pictures.floats()[:half], pictures.floats()[half:]).median().item()
    result["milliseconds_per_sample"] = 1000 * seconds / n
    return result


def load(recipe, source, n, seed):
    """At most n pictures of a source as the recipe prepares them, all in memory."""
    options = {}
    if source not in data.SOURCES:
        options = dict(background=recipe.background, fit=recipe.fit, skip_bad=recipe.skip_bad)
    return data.load_images(source, recipe.size, n, seed=seed + 1_000_000 * (source == data.SHAPES), **options)


def nearest(x, y):
    """Root mean squared difference of each picture of x to its nearest in y, in grey levels 0 to 1: (N,).

    Far below what real pictures have among themselves, samples are copies.
    """
    dims = x[0].numel()
    return torch.cdist(x.flatten(1), y.flatten(1)).min(1).values / (2 * dims**0.5)
