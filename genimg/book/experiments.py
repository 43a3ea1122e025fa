"""One factor at a time: the source text's networks, and each change to them, at one budget over several seeds.

Too long for a page: `python -m genimg record NAME` runs an experiment and keeps it as a record (`records.py`), which
the page then shows. The data are `shapes`, where an oracle can say how good a sample is.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genimg.book.records import Results
from genimg.data.images import Images
from genimg.data.sources import load_images
from genimg.measure import metrics, oracle
from genimg.models import classic, gan, vae
from genimg.models.model import Model
from genimg.system.device import seed_everything
from genimg.training.loop import fit

#: Shapes that do not blend into each other; see the chapter on GANs.
KINDS = ("square", "triangle", "ring")

#: The source text's GAN, as `build_gan` takes it.
TEXT_GAN: dict[str, Any] = dict(loss="sigmoid_bce", norm="all", up="transposed", lr=2e-4, betas=(0.5, 0.999), r1=0.0)

#: Name -> what differs from the text's GAN. The last two need a discriminator without batch norm, as a penalty
#: per picture means nothing where a picture's score depends on its neighbours.
GAN_FACTORS: dict[str, dict[str, Any]] = {
    "text": {},
    "logits": {"loss": "non_saturating"},
    "no first norm": {"norm": "not_first"},
    "no norm in D": {"norm": "none"},
    "upsampling": {"up": "nearest"},
    "lr 1e-3": {"lr": 1e-3},
    "relativistic, R1, R2": {"norm": "none", "loss": "relativistic", "r1": 0.1},
    "all of them": {
        "norm": "none", "loss": "relativistic", "r1": 0.1, "up": "nearest", "lr": 1e-3, "betas": (0.0, 0.99),
    },
}  # fmt: skip

#: The source text's VAE, as `build_vae` takes it.
TEXT_VAE: dict[str, Any] = dict(sigma=1.0, up="transposed", norm="all", lr=2e-4, betas=(0.5, 0.999))

#: Name -> what differs from the text's VAE with a sum over pixels. "mean" is what averaging over the D numbers of a
#: picture amounts to: squared error / D + KL has the minimum of a Gaussian with sigma^2 = D / 2.
VAE_FACTORS: dict[str, dict[str, Any]] = {
    "mean": {"sigma": "mean"},
    "sum": {},
    "optimal sigma": {"sigma": "optimal"},
    "optimal, lr 1e-3": {"sigma": "optimal", "lr": 1e-3},
    "optimal, upsampling": {"sigma": "optimal", "up": "nearest"},
    "optimal, no norm": {"sigma": "optimal", "norm": "none"},
}


def build_gan(size: int, width: int, z_dim: int = 64, **changes: Any) -> gan.GAN:
    """The text's GAN with changes, a fresh `gan.GAN`."""
    options = TEXT_GAN | changes
    up, norm, r1 = options.pop("up"), options.pop("norm"), options.pop("r1")
    return gan.GAN(
        generator=classic.Generator(size, 3, z_dim, width, up), r1=r1, r2=r1, every=8,
        discriminator=classic.Discriminator(size, 3, width, norm), **options,
    )  # fmt: skip


def build_vae(size: int, width: int, z_dim: int = 64, **changes: Any) -> vae.VAE:
    """The text's VAE with changes, a fresh `vae.VAE`."""
    options = TEXT_VAE | changes
    up, norm = options.pop("up"), options.pop("norm")
    if options["sigma"] == "mean":
        options["sigma"] = mean_sigma(3 * size * size)
    return vae.VAE(
        size, 3, z_dim, encoder=classic.Encoder(size, 3, z_dim, width, norm),
        decoder=classic.Decoder(size, 3, z_dim, width, up, norm), **options,
    )  # fmt: skip


def mean_sigma(dims: int) -> float:
    """The sigma for which the sum over `dims` pixels, / (2 sigma^2), is their mean."""
    return math.sqrt(dims / 2)


def score_gan(model: gan.GAN, n: int = 300) -> dict[str, float]:
    """How good samples are: dict of floats, for the averaged weights and (`raw_...`) those in training.

    invalid, kl: share of samples that the oracle does not redraw, and the divergence of the others' kinds and hues from
    equal shares in nats, not a number if there are none (`oracle.report`); redraw_error: median over samples of the
    root mean squared difference to the closest picture that the renderer can draw (grey levels 0 to 1), by which an
    empty picture beats many a GAN; kinds: how many of `KINDS` hold at least a tenth of the samples; checkerboard: see
    `metrics.checkerboard`.
    """
    result: dict[str, float] = {}
    for prefix, averaged in (("", True), ("raw_", False)):
        x = model.sample(n, seed=1, averaged=averaged)
        reading = oracle.read_factors(x, kinds=KINDS)
        found = oracle.modes(reading, KINDS)
        result |= {prefix + "invalid": found.invalid, prefix + "kl": found.kl}
        result[prefix + "redraw_error"] = reading.error.median().item()
        names = [oracle.shapes.KINDS.index(k) for k in KINDS]
        result[prefix + "kinds"] = float(sum((reading.factors["kind"] == k).float().mean().item() > 0.1 for k in names))
        result[prefix + "checkerboard"] = metrics.checkerboard(x)
    return result


def score_vae(model: vae.VAE, test: Images) -> dict[str, float]:
    """bits_per_dim, rmse (of reconstructions), kept (share of the pictures' variance about their mean that is in the
    reconstructions), kl (nats), active (latents whose mean varies by more than 0.01 nats' worth: variance of mu > 0.01,
    Burda et al. 2015)."""
    x = test.floats(model.device())
    generator = torch.Generator(model.device()).manual_seed(1)
    mu, logvar = model.encode(x)
    squared = (model.decode(mu) - x).square().mean()
    return {
        "bits_per_dim": model.bits_per_dim(x, generator=generator),
        "rmse": squared.sqrt().item() / 2,
        "kept": (1 - squared / (x - x.mean(0)).square().mean()).item(),
        "kl": vae.kl_to_standard_normal(mu, logvar).sum(1).mean().item(),
        "active": float((mu.var(0) > 0.01).sum().item()),
    }


def pictures(size: int, n: int = 10_000, seed: int = 0) -> Images:
    """The experiments' shapes."""
    return load_images("genimg:shapes", size, n, seed=seed, kinds=KINDS)


def gan_factors(
    size: int = 32, width: int = 16, steps: int = 2000, batch: int = 32, seeds: int = 3,
    device: torch.device | str | None = None, names: Sequence[str] = tuple(GAN_FACTORS),
    tell: Callable[[str], object] = print,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Train every variant of `GAN_FACTORS` with every seed.

    Returns:
        (results, samples): name -> list of score dicts, one a seed; name -> pictures (16, 3, size, size) of seed 0.
    """

    def one(changes: dict[str, Any], seed: int) -> tuple[Model, dict[str, float]]:
        model = build_gan(size, width, **changes)
        history = fit(model, images, steps, batch, seed, device, label=f"seed {seed}")
        return model, score_gan(model) | {"seconds": history.seconds}

    images = pictures(size)
    return _each(one, {name: GAN_FACTORS[name] for name in names}, seeds, tell)


def vae_factors(
    size: int = 32, width: int = 16, steps: int = 2000, batch: int = 32, seeds: int = 3,
    device: torch.device | str | None = None, names: Sequence[str] = tuple(VAE_FACTORS),
    tell: Callable[[str], object] = print,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """As `gan_factors`, for `VAE_FACTORS`."""

    def one(changes: dict[str, Any], seed: int) -> tuple[Model, dict[str, float]]:
        model = build_vae(size, width, **changes)
        history = fit(model, images, steps, batch, seed, device, label=f"seed {seed}")
        return model, score_vae(model, test) | {"seconds": history.seconds}

    images, test = pictures(size), pictures(size, 1000, seed=1)
    return _each(one, {name: VAE_FACTORS[name] for name in names}, seeds, tell)


def _each(
    one: Callable[[dict[str, Any], int], tuple[Model, dict[str, float]]], factors: dict[str, dict[str, Any]],
    seeds: int, tell: Callable[[str], object],
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    results: Results = {}
    samples: dict[str, Tensor] = {}
    for name, changes in factors.items():
        results[name] = []
        for seed in range(seeds):
            seed_everything(seed)
            model, score = one(changes, seed)
            results[name].append(score)
            if seed == 0:
                samples[name] = model.sample(16, seed=0).cpu()
            tell(f"{name}, seed {seed}: " + ", ".join(f"{key} {value:.3g}" for key, value in score.items()))
    return results, samples
