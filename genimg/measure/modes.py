"""Which modes samples fall into, how evenly, and how many into none."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Modes:
    """Share of samples that show no mode, in [0, 1]; modes covered; KL(histogram || truth) of the others, in nats."""

    invalid: float
    covered: int
    kl: float


def mode_statistics(labels: Tensor | Sequence[int], weights: Tensor | Sequence[float]) -> Modes:
    """Which of K known modes samples show, and how often: labels (N,), weights (K,) -> Modes.

    A mode is covered if at least one sample shows it. KL is of the valid samples' histogram from the true weights:
    0 if and only if they agree, about (K - 1) / 2N for a perfect model, infinite if a mode of weight 0 is shown, and
    not a number if no sample is valid.

    Args:
        labels: integers, the mode 0 ... K - 1 that a sample shows, -1 for none.
        weights: the true probabilities of the modes; they sum to 1.

    Raises:
        ValueError: no labels; labels that are not integers or beyond the modes; weights that are no probabilities.
    """
    labels, weights = torch.as_tensor(labels).cpu(), torch.as_tensor(weights).double().cpu()
    if weights.ndim != 1 or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-5:
        raise ValueError("weights are K probabilities that sum to 1")
    if labels.ndim != 1 or not len(labels) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError("labels are N integers, N at least 1")
    if labels.min() < -1 or labels.max() >= len(weights):
        raise ValueError(f"labels are from -1 to {len(weights) - 1}, one less than there are weights")
    counts = torch.bincount(labels[labels >= 0].long(), minlength=len(weights))
    shares = counts.double() / counts.sum()
    kl = (torch.xlogy(shares, shares) - torch.xlogy(shares, weights)).sum().clamp(min=0).item()
    return Modes((labels < 0).double().mean().item(), int((counts > 0).sum()), kl)
