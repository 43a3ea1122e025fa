"""Likelihoods of pictures: log p(x) given a mean and a scale, in nats and per sample, and what they are in bits.

Pictures x are in [-1, 1] and have so many grey levels, equally spaced with both ends; of 8-bit ones every value is one
of the 256 levels k / 127.5 - 1.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

#: Grey levels of an 8-bit picture.
LEVELS = 256


def bin_width(levels: int = LEVELS) -> float:
    """Width of one of so many grey levels in [-1, 1]."""
    return 2 / (levels - 1)


#: Width of one of 256 grey levels in [-1, 1].
BIN = bin_width()


def to_levels(x: Tensor, levels: int = LEVELS) -> Tensor:
    """The nearest of so many grey levels, of each value; what is outside [-1, 1] goes to its ends."""
    return ((x.clamp(-1, 1) + 1) / bin_width(levels)).round() * bin_width(levels) - 1


def log_gaussian(x: Tensor, mean: Tensor | float, sigma: Tensor | float) -> Tensor:
    """log N(x; mean, sigma^2), summed over all but the first axis: (N, ...) -> (N,) nats.

    sigma is a positive number or a tensor that broadcasts against x.
    """
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    per_dim = -0.5 * ((x - mean) / sigma).square() - sigma.log() - 0.5 * math.log(2 * math.pi)
    return per_dim.expand_as(x).flatten(1).sum(1)


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log of prod p^x (1-p)^(1-x) with p = sigmoid(logits): (N, ...) -> (N,) nats. x in [0, 1], binary to be exact.

    For grey x this is no density: it does not integrate to 1 (Loaiza-Ganem and Cunningham 2019, https://arxiv.org/abs/1907.06845).
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def log_discretised(
    x: Tensor, mean: Tensor, scale: Tensor | float, log_cdf_pair: Callable[[Tensor], tuple[Tensor, Tensor]],
    levels: int = LEVELS,
) -> Tensor:  # fmt: skip
    """log of the probability that a density around `mean` gives to each pixel's grey level: (N, C, H, W) -> (N,).

    The density's mass below -1 belongs to the first level and that above 1 to the last, so that all levels sum to 1
    (Salimans et al. 2017, https://arxiv.org/abs/1701.05517, section 2.1).

    Args:
        x: pictures in [-1, 1] of so many levels.
        mean: (N, C, H, W) in [-1, 1].
        scale: a positive number or tensor that broadcasts.
        log_cdf_pair: u -> (log CDF(u), log(1 - CDF(u))) of the standard density.
        levels: how many there are.
    """
    scale = torch.as_tensor(scale, dtype=x.dtype, device=x.device)
    half = bin_width(levels) / 2
    upper, lower = (x + half - mean) / scale, (x - half - mean) / scale
    # Work in the tail where the difference of two CDFs does not cancel: mirror when the bin lies right of the mean.
    mirrored = lower + upper > 0
    a, b = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)  # a < b, both mostly <= 0
    log_a, log_b = log_cdf_pair(a)[0], log_cdf_pair(b)[0]
    inside = log_b + torch.log(-torch.expm1((log_a - log_b).clamp(max=-1e-7)))
    per_dim = torch.where(x < half - 1, log_cdf_pair(upper)[0], inside)
    per_dim = torch.where(x > 1 - half, log_cdf_pair(lower)[1], per_dim)
    return per_dim.flatten(1).sum(1)


def log_discretised_logistic(x: Tensor, mean: Tensor, scale: Tensor | float, levels: int = LEVELS) -> Tensor:
    """`log_discretised` with the logistic density of the given scale (its deviation is scale * pi / sqrt(3))."""
    return log_discretised(x, mean, scale, lambda u: (F.logsigmoid(u), F.logsigmoid(-u)), levels)


def log_discretised_gaussian(x: Tensor, mean: Tensor, sigma: Tensor | float, levels: int = LEVELS) -> Tensor:
    """`log_discretised` with the normal density of deviation sigma."""
    return log_discretised(x, mean, sigma, lambda u: (torch.special.log_ndtr(u), torch.special.log_ndtr(-u)), levels)


def importance_bound(log_w: Tensor) -> Tensor:
    """log of the mean of k importance weights: (k, N) log p(x, z_k) - log q(z_k | x) -> (N,) nats.

    k = 1 is the ELBO; in expectation it rises with k towards log p(x) (Burda et al. 2015,
    https://arxiv.org/abs/1509.00519).
    """
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def bits_per_dim(log_p: Tensor, dims: int) -> Tensor:
    """log-probability of a picture's levels in nats -> bits per dimension: -log_p / (dims * ln 2). Where all levels are
    as probable, that is log2 of their number: 8 of 256."""
    return -log_p / (dims * math.log(2))


def independent_pixels(seen: Tensor, x: Tensor, levels: int = LEVELS, floor: float = 0.5) -> Tensor:
    """log-probability of pictures by a table of how often each level occurs at each pixel of others: (N,) nats.

    Args:
        seen: (M, C, H, W) in [-1, 1], what is counted.
        x: (N, C, H, W) in [-1, 1].
        levels: how many there are.
        floor: is added to each count, so that no level is impossible.
    """
    own, others = (((some.flatten(1) + 1) / bin_width(levels)).round().long().T for some in (x, seen))  # (D, N), (D, M)
    counts = torch.full((len(own), levels), floor, dtype=torch.float64, device=x.device)
    counts.scatter_add_(1, others, counts.new_ones(1, 1).expand_as(others))
    return (counts / counts.sum(1, keepdim=True)).log().gather(1, own).sum(0)
