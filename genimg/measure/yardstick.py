"""The yardstick: everything that this book says of samples in numbers, beside the same numbers for real pictures."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from genimg.data.images import Images, to_floats
from genimg.measure import metrics, oracle
from genimg.measure.features import Extractor
from genimg.system.progress import Progress


class Read(Protocol):
    """Pictures that are read as they are drawn."""

    def __len__(self) -> int:
        """How many there are."""

    def batches(self, indices: Iterable[Tensor]) -> Iterator[Tensor]:
        """uint8 (B, C, H, W) for each tensor of indices (B,)."""


class Placed(Protocol):
    """A model, of which all that is asked here is where its weights are."""

    def device(self) -> torch.device:
        """Where its weights are."""


#: Neighbours in the balls of density and coverage (Naeem et al. 2020).
NEIGHBOURS = 5

#: Neighbours in the balls of precision and recall (Kynkaanniemi et al. 2019).
FEW_NEIGHBOURS = 3


#: Training pictures that are held at once.
PART = 256


#: Name -> what it is called in a table for people.
MEANS = {
    "fd": "Frechet distance", "kd": "kernel distance", "kd_se": "  its standard error", "copies": "share of copies",
    "rms": "to the nearest seen", "rms_real": "  the same of unseen ones", "invalid": "share of no shape",
    "modes": "kinds and hues found", "kl": "  KL of their shares, nats", "bits_per_dim": "bits per dimension",
    "milliseconds_per_sample": "milliseconds per sample",
}  # fmt: skip


#: Fewer pictures than this have no 1 % quantile, so nothing can be said of copies.
LEAST_FOR_COPIES = 99


def yardstick(
    samples: Tensor, train: Images | Read, test: Images, extractor: Extractor | None = None,
    kinds: Sequence[str] | None = None, away: Tensor | None = None, within: float = oracle.REDRAWN_WITHIN,
) -> dict[str, Any]:  # fmt: skip
    """Measure samples.

    Every comparison is with n pictures of `test`, n the largest number that all three sets have; its floor is the same
    comparison made with n pictures of `train`, drawn at random, in place of the samples. Of `train` no more than these
    is held at once, so that it may be larger than the memory.

    Args:
        samples: (N, C, H, W) in [-1, 1].
        train, test: what the model saw, and what it did not.
        extractor: a `features.Extractor`, or None: then nothing is measured in features.
        kinds: of `shapes`, the names in the data: then the oracle reads the samples.
        away: of samples and test pictures, (N + M,): what `distances_to` gives, where it was measured before.
        within: how closely the oracle has to redraw a valid sample, see `oracle.report`.

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
        reference = extractor(_some(test, n))
        result["features"] = f"{extractor.name} {extractor.digest}"
        result |= in_features(extractor(samples[:n]), reference)
        result["floor"] = in_features(extractor(_some(train, n)), reference)
    away = distances_to(train, torch.cat([samples.cpu(), test.floats()])) if away is None else away
    fake, real = away.split([len(samples), len(test)])
    result["copies"] = metrics.share_nearer(fake, real) if len(real) >= LEAST_FOR_COPIES else None
    result["rms"], result["rms_real"] = (_grey_levels(one, samples) for one in (fake, real))
    if kinds:
        modes = oracle.report(samples, kinds, within=within)
        result |= {"invalid": modes.invalid, "modes": modes.covered, "kl": modes.kl}
    return result


def in_features(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Distances and shares between two sets of features, (n, d) each: dict of floats."""
    kernel = metrics.kernel_distance(fake, real)
    precision, recall = metrics.precision_recall(real, fake, FEW_NEIGHBOURS)
    density, coverage = metrics.density_coverage(real, fake, NEIGHBOURS)
    return {
        "fd": metrics.frechet_distance(fake, real), "kd": kernel.value, "kd_se": kernel.standard_error,
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
    }  # fmt: skip


def distances_to(images: Images | Read, x: Tensor) -> Tensor:
    """Distance of each x (N, C, H, W) in [-1, 1] to the nearest of the pictures, (N,); 0.0 is a copy."""
    parts = torch.arange(len(images)).split(PART)
    away = torch.full((len(x),), math.inf, dtype=torch.float64)
    with Progress(len(parts), "nearest pictures", len(x) * len(images) * x[0].numel() > metrics.LONG) as progress:
        for i, pixels in enumerate(drawn(images, parts), 1):
            seen = to_floats(pixels)
            found = [metrics.nearest_neighbours(some, seen)[0][:, 0].cpu() for some in x.split(PART // 2)]
            away = torch.minimum(away, torch.cat(found))
            progress.update(i)
    return away


def drawn(images: Images | Read, indices: Iterable[Tensor]) -> Iterator[Tensor]:
    """uint8 (B, C, H, W) for each tensor of indices (B,)."""
    if isinstance(images, Images):
        return (images.pixels[index] for index in indices)
    return images.batches(indices)


def _some(images: Images | Read, n: int) -> Images:
    """n of the pictures, drawn at random from a fixed seed; all of them in their order where there are no more."""
    if isinstance(images, Images) and len(images) == n:
        return images
    drawing = torch.Generator().manual_seed(0)
    index = torch.arange(n) if len(images) == n else torch.randperm(len(images), generator=drawing)[:n]
    return Images(torch.cat(list(drawn(images, index.split(PART)))))


def _grey_levels(away: Tensor, x: Tensor) -> float:
    """The median of distances of pictures (N, C, H, W) as root mean squared difference, in grey levels 0 to 1."""
    return (away / (2 * x[0].numel() ** 0.5)).median().item()


def nearest(x: Tensor, y: Tensor) -> float:
    """Median over x of the root mean squared difference to the nearest of y, in grey levels 0 to 1.

    Far below what real pictures have among themselves, x holds copies.
    """
    return _grey_levels(metrics.nearest_neighbours(x, y)[0][:, 0], x)


def milliseconds_per_sample(sample: Callable[[int], Tensor], n: int = 64) -> float:
    """Time of one sample among n drawn together, by the clock: sample(n) -> pictures."""
    sample(8)  # the first call prepares kernels
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    sample(n).cpu()
    return 1000 * (time.perf_counter() - started) / n


def bits_per_dim(model: Placed, x: Tensor, seed: int = 0, **options: int) -> float | None:
    """Mean bits per dimension of pictures (N, C, H, W) in [-1, 1]: of a VAE an upper bound (by the ELBO), of a Flow an
    estimate, whose solver's error has no side; None of a GAN.

    Args:
        options: of the model's own `bits_per_dim`: `k` of a VAE, `steps` and `probes` of a Flow.
    """
    if not hasattr(model, "bits_per_dim"):
        return None
    generator = torch.Generator(model.device()).manual_seed(seed)
    return model.bits_per_dim(x.to(model.device()), generator=generator, **options)
