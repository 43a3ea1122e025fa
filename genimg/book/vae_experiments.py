"""One factor at a time, for the VAE: a VAE that works, and each change to it, at one budget over several seeds.

`python -m genimg record vae-factors` runs it; see `experiments`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genimg.book import experiments
from genimg.book.records import Results
from genimg.data.images import Images
from genimg.data.sources import load_images
from genimg.models import classic, vae
from genimg.models.model import Model
from genimg.training.loop import fit

#: A VAE that works, as `build_vae` takes it: the source text's networks, with the optimal sigma and a higher rate.
GOOD_VAE: dict[str, Any] = dict(
    sigma="optimal", beta=1.0, up="transposed", norm="all", lr=3e-3, betas=(0.9, 0.999)
)  # fmt: skip

#: Name -> what differs from the VAE that works. What "mean", averaging over the D numbers of a picture, amounts to is
#: that squared error / D + KL has the minimum of a Gaussian with sigma^2 = D / 2.
VAE_FACTORS: dict[str, dict[str, Any]] = {
    "as it works": {},
    "mean": {"sigma": "mean"},
    "sum": {"sigma": 1.0},
    "beta 4": {"beta": 4.0},
    "lr 2e-4": {"lr": 2e-4},
    "upsampling": {"up": "nearest"},
    "no norm": {"norm": "none"},
}


def build_vae(size: int, width: int, z_dim: int = 16, **changes: Any) -> vae.VAE:
    """The VAE that works with changes, a fresh `vae.VAE`."""
    options = GOOD_VAE | changes
    up, norm = options.pop("up"), options.pop("norm")
    if options["sigma"] == "mean":
        options["sigma"] = experiments.mean_sigma(3 * size * size)
    return vae.VAE(
        size, 3, z_dim, encoder=classic.Encoder(size, 3, z_dim, width, norm),
        decoder=classic.Decoder(size, 3, z_dim, width, up, norm), **options,
    )  # fmt: skip


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


def vae_factors(
    size: int = 32, width: int = 16, steps: int = 2000, batch: int = 32, seeds: int = 3,
    device: torch.device | str | None = None, names: Sequence[str] = tuple(VAE_FACTORS),
    tell: Callable[[str], object] = print, n: int = 6000, scored: int = 200,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Train every variant of `VAE_FACTORS` with every seed, on n of `VAE_SHAPES`.

    Returns:
        As `gan_factors`. The score is `score_vae`'s, and `score_shapes` (with what was measured before its names) of
        so many reconstructions of unseen pictures, samples from the prior, and samples of a mixture fitted to the
        codes; the pictures are the mixture's. After the variants come pictures that took no training (`trivial`), with
        what `score_shapes` says of them under the same names as of the mixture's.
    """
    kinds = experiments.VAE_SHAPES["kinds"]

    def one(changes: dict[str, Any], seed: int) -> tuple[Model, dict[str, float]]:
        model = build_vae(size, width, **changes)
        history = fit(model, images, steps, batch, seed, device, label=f"seed {seed}")
        unseen, fitted = (
            test[:scored].floats(model.device()),
            experiments.fitted_codes(model, images, seed, min(50, n // 20)),
        )
        score = score_vae(model, test)
        drawn = {
            "redrawn": model.decode(model.encode(unseen)[0]), "prior": model.sample(scored, seed=seed),
            "fitted": fitted(scored, seed=seed),
        }  # fmt: skip
        for name, x in drawn.items():
            score |= {f"{name}_{key}": value for key, value in experiments.score_shapes(x.cpu(), kinds).items()}
        if seed == 0:
            rows[next(name for name, value in VAE_FACTORS.items() if value is changes)] = drawn["fitted"][:16].cpu()
        return model, score | {"seconds": history.seconds}

    images = load_images("shapes", size, n, seed=0, **experiments.VAE_SHAPES)
    test = load_images("shapes", size, 1000, seed=1, **experiments.VAE_SHAPES)
    rows: dict[str, Tensor] = {}
    results, _ = experiments.each(one, {name: VAE_FACTORS[name] for name in names}, seeds, tell)
    for seed in range(seeds):
        part = test.floats()[seed * 50 : seed * 50 + scored]
        for name, x in experiments.trivial(images.floats(), part).items():
            score = {f"fitted_{key}": value for key, value in experiments.score_shapes(x, kinds).items()}
            results.setdefault(name, []).append(score)
    return results, rows
