"""What a step shows of itself: measured on the device without waiting, and of several processes on the whole batch."""

from collections.abc import Mapping

import torch
from torch import Tensor

from genimg.system import distributed

#: What a step tells besides losses.
MEASURES = ("told_apart", "spread", "shift", "code")
#: Steps from one of these measurements to the next.
EVERY = 4


def measures(x: Tensor, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the parts of a loss on a batch (N, C, H, W) say of the run: name out of `MEASURES` -> 0-d tensor."""
    found: dict[str, Tensor] = {}
    if "x_fake" in parts:
        found |= compare_batches(x, parts["x_fake"])
        found["told_apart"] = told_apart(parts["logit_real"], parts["logit_fake"])
    if "mu" in parts:
        found["code"] = code_size(parts["mu"], parts["logvar"])
    return found


@torch.no_grad()
def compare_batches(x_real: Tensor, x_fake: Tensor) -> dict[str, Tensor]:
    """How two batches (N, C, H, W) differ in what needs no discriminator to be seen.

    Returns:
        dict of 0-d tensors. spread: deviation of the generated pictures around their mean over that of the real ones,
        1 if they vary as much. shift: root mean squared distance of the two means over the deviation of the real ones,
        less what the means of N pictures differ by anyway: near 0 for two batches from one distribution. Where all
        real pictures are the same, there is nothing to compare with: 1 and 0.
    """
    both = torch.stack([x_real.flatten(1).float(), x_fake.flatten(1).float()])  # (2, N, D)
    n = both.shape[1] * distributed.size()
    means = distributed.mean(both.mean(1))  # (2, D)
    var_real, var_fake = distributed.mean((both - means[:, None]).square().mean((1, 2))) * n / (n - 1)
    apart = (means[0] - means[1]).square().mean() - (var_real + var_fake) / n
    varied = var_real > 1e-8
    spread, shift = (var_fake / var_real).sqrt(), (apart.clamp_min(0) / var_real).sqrt()
    return {"spread": torch.where(varied, spread, 1.0), "shift": torch.where(varied, shift, 0.0)}


@torch.no_grad()
def told_apart(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """Share of pairs (N,) in which the real picture has the larger logit: 0.5 by guessing, 1 if D is never wrong."""
    return (logits_real > logits_fake).float().mean()


@torch.no_grad()
def code_size(mu: Tensor, logvar: Tensor) -> Tensor:
    """Root mean square of codes z ~ q(z | x), (N, z_dim): 1 if together they are spread as the prior is."""
    return distributed.mean((mu.square() + logvar.exp()).mean()).sqrt()
