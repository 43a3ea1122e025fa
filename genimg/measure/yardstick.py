"""The yardstick: everything that this book says of samples in numbers, beside the same numbers for real pictures."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from genimg.data.images import Images
from genimg.measure import metrics, oracle
from genimg.measure.features import Extractor


class Placed(Protocol):
    """A model, of which all that is asked here is where its weights are."""

    def device(self) -> torch.device:
        """Where its weights are."""


#: Neighbours in the balls of density and coverage, and of precision and recall.
NEIGHBOURS = 5


#: Name -> what it is called in a table for people.
MEANS = {
    "fd": "Frechet distance", "kd": "kernel distance", "kd_se": "  its standard error", "copies": "share of copies",
    "rms": "to the nearest seen", "rms_real": "  the same of unseen ones", "invalid": "share of no shape",
    "modes": "kinds and hues found", "kl": "  KL of their shares, nats", "bits_per_dim": "bits per dimension, at most",
    "milliseconds_per_sample": "milliseconds per sample",
}  # fmt: skip


#: Fewer pictures than this have no 1 % quantile, so nothing can be said of copies.
LEAST_FOR_COPIES = 99


def yardstick(
    samples: Tensor, train: Images, test: Images, extractor: Extractor | None = None,
    kinds: Sequence[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measure samples.

    Every comparison is with the first n pictures of `test`, n the largest number that all three sets have; its floor
    is the same comparison made with the first n pictures of `train` in place of the samples.

    Args:
        samples: (N, C, H, W) in [-1, 1].
        train, test: `Images`: what the model saw, and what it did not.
        extractor: a `features.Extractor`, or None: then nothing is measured in features.
        kinds: of `shapes`, the names in the data: then the oracle reads the samples.

    Returns:
        dict of plain values. n. In features: `features` (name and digest), `fd` Frechet and `kd` kernel distance with
        its standard error `kd_se`, `precision`, `recall`, `density`, `coverage`; `floor` (a dict of the same for
        `train`). Of pictures: `copies`, the memorisation rate (None with fewer than 99 test pictures); `rms`, median
        distance to the nearest training picture, and `rms_real`, the same of test pictures, in grey levels 0 to 1. Of
        shapes: `invalid`, `modes`, `kl` (nats).
    """
    n = min(len(samples), len(train), len(test))
    result: dict[str, Any] = {"n": n}
    if extractor:
        reference = extractor(test[:n])
        result["features"] = f"{extractor.name} {extractor.digest}"
        result |= in_features(extractor(samples[:n]), reference)
        result["floor"] = in_features(extractor(train[:n]), reference)
    unseen, seen = test.floats(), train.floats()
    enough = len(unseen) >= LEAST_FOR_COPIES
    result["copies"] = metrics.memorisation_rate(samples.cpu(), seen, unseen) if enough else None
    result["rms"], result["rms_real"] = nearest(samples.cpu(), seen), nearest(unseen, seen)
    if kinds:
        modes = oracle.report(samples, kinds)
        result |= {"invalid": modes.invalid, "modes": modes.covered, "kl": modes.kl}
    return result


def in_features(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Distances and shares between two sets of features, (n, d) each: dict of floats."""
    kernel = metrics.kernel_distance(fake, real)
    precision, recall = metrics.precision_recall(real, fake, NEIGHBOURS)
    density, coverage = metrics.density_coverage(real, fake, NEIGHBOURS)
    return {
        "fd": metrics.frechet_distance(fake, real), "kd": kernel.value, "kd_se": kernel.standard_error,
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
    }  # fmt: skip


def nearest(x: Tensor, y: Tensor) -> float:
    """Median over x of the root mean squared difference to the nearest of y, in grey levels 0 to 1.

    Far below what real pictures have among themselves, x holds copies.
    """
    return (metrics.nearest_neighbours(x, y)[0] / (2 * x[0].numel() ** 0.5)).median().item()


def milliseconds_per_sample(sample: Callable[[int], Tensor], n: int = 64) -> float:
    """Time of one sample among n drawn together, by the clock: sample(n) -> pictures."""
    sample(8)  # the first call prepares kernels
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    sample(n).cpu()
    return 1000 * (time.perf_counter() - started) / n


def bits_per_dim(model: Placed, x: Tensor, seed: int = 0) -> float | None:
    """Mean upper bound on the bits per dimension of 8-bit pictures (N, C, H, W) in [-1, 1], of a VAE (by the ELBO) or a
    Flow; None of a GAN."""
    if not hasattr(model, "bits_per_dim"):
        return None
    generator = torch.Generator(model.device()).manual_seed(seed)
    return model.bits_per_dim(x.to(model.device()), generator=generator)
