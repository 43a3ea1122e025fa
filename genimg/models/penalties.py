"""What a discriminator pays for the slope of its logit, per sample."""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty_at(logits: Tensor, x: Tensor) -> Tensor:
    """|grad_x logit|^2 per sample, (N,): R1 at real pictures, R2 at generated ones (Mescheder et al. 2018,
    https://arxiv.org/abs/1801.04406). `x` needs requires_grad before the logits are computed."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def wgan_penalty(
    discriminator: Callable[[Tensor], Tensor], x_real: Tensor, x_fake: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """(|grad logit| - 1)^2 at random points between pairs, (N,) (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""
    shape = (len(x_real), *[1] * (x_real.dim() - 1))
    t = torch.rand(shape, generator=generator, device=x_real.device)
    x = torch.lerp(x_real, x_fake, t).detach().requires_grad_()
    return (gradient_penalty_at(discriminator(x), x).add(1e-12).sqrt() - 1).square()
