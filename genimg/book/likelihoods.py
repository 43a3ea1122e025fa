"""Bits per dimension of unseen and of training pictures, with the width of a decoder fitted anew."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genimg.measure.yardstick import bits_per_dim
from genimg.models import vae
from genimg.models.model import Model

#: Deviations of a decoder that are tried when one is fitted anew.
SIGMAS = np.geomspace(0.01, 1.0, 60).tolist()


def likelihoods(model: Model, seen: Tensor, unseen: Tensor, seed: int, more: int = 4) -> dict[str, float]:
    """Bits per dimension of unseen pictures and of training pictures, each (N, C, H, W) in [-1, 1].

    Returns:
        dict of floats. `bits_per_dim`: of the unseen ones; `bits_seen`: of the others. Of a VAE, bounds with the sigma
        that training found (`sigma`), and `bits_refitted` and `bits_seen_refitted`, where each half of the pictures is
        scored with the sigma that is best on the other half. Of a flow, `bits_settled`: with so many times the solver's
        steps, by which its error is seen. Of a GAN nothing.
    """
    bits = bits_per_dim(model, unseen, seed)
    if bits is None:
        return {}
    scores = {"bits_per_dim": bits, "bits_seen": bits_per_dim(model, seen, seed) or math.nan}
    if isinstance(model, vae.VAE):
        scores["sigma"] = model.scale().item()
        for name, x in (("bits_refitted", unseen), ("bits_seen_refitted", seen)):
            scores[name] = refitted(bits_by_sigma(model, x, SIGMAS, seed))
    else:
        scores["bits_settled"] = bits_per_dim(model, unseen, seed, steps=20 * more) or math.nan
    return scores


@torch.no_grad()
def bits_by_sigma(model: vae.VAE, x: Tensor, sigmas: Sequence[float], seed: int) -> Tensor:
    """Bits per dimension of each picture by the ELBO with one draw of z, for each deviation of the decoder: (S, N)."""
    x = x.to(model.device())
    mu, logvar = model.encode(x)
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(seed)).to(mu)
    mean = model.decode(vae.reparameterise(mu, logvar, noise))
    kl = vae.kl_to_standard_normal(mu, logvar).sum(1)
    return torch.stack([
        vae.bits_per_dim(model.log_probability(x, mean, sigma) - kl, model.dims) for sigma in sigmas
    ])  # fmt: skip


def refitted(bits: Tensor) -> float:
    """Mean bits with the sigma that is best on the other half of the pictures: (S, N) -> float."""
    halves = bits.chunk(2, dim=1)
    chosen = [own[other.mean(1).argmin()].sum().item() for own, other in (halves, halves[::-1])]
    return sum(chosen) / bits.shape[1]
