"""Exercises of the chapter on errata."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from genimg.book.exercises import Number, exercise, number_of


@exercise(
    "11.1",
    "a function (pictures (N, D)) -> the picture (D,) that the generator ends at, and the variance of its samples "
    "over that of the digits",
)
def absolute_error(ends_at: Callable[[Tensor], Tensor], spread: Number) -> str | None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(301, 40, generator=generator) ** 3  # skewed: mean and median lie far apart
    x[0] = 9.0  # no picture of this set is near to all others in every pixel
    found = torch.as_tensor(ends_at(x.clone()))
    if found.shape != (40,):
        return f"of 301 pictures of 40 numbers the function makes {tuple(found.shape)}; one picture has (40,)"
    error = (x - found).abs().mean()
    if torch.allclose(found, x.mean(0), atol=1e-4):
        return "that picture has the least squared error; for the absolute one there is a better"
    if (x == found).all(1).any():
        return "that is one of the pictures; each pixel may be chosen by itself, which does better"
    if error > (x - x.median(0).values).abs().mean() + 1e-5:
        return f"its mean absolute distance to the pictures is {error:.4f}, and another picture has less"
    spread = number_of(spread)
    if spread < 0:
        return "the picture is right; a ratio of variances is not negative"
    if 0.9 < spread < 1.1:
        return "the picture is right; a ratio near 1 compares the digits with themselves"
    if spread > 0.1:
        return (
            f"the picture is right; with a ratio of {spread:.2f} the samples still differ: train longer, or look again"
        )
    return None


@exercise("11.2", "the generator's loss as a function of D's output d, the probability of 'generated'")
def mirrored(loss: Callable[[Tensor], Tensor]) -> str | None:
    d = torch.linspace(0.05, 0.95, 19, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(loss(d).sum(), d)
    if (slope < 0).all():
        return "who makes that small raises d, and d is now the probability of 'generated'"
    if not (slope > 0).all():
        return "the loss has to rise with d everywhere between 0 and 1"
    p = d.detach()
    for right in (1 / p, 1 / (1 - p)):  # the slopes of log d and of -log(1 - d)
        ratio = slope / right
        if torch.allclose(ratio, ratio[:1], atol=1e-6):  # a mean or a sum over the batch is as good
            return None
    return "the direction is right; the mirror image of log(1 - D) or of -log D was asked for"


@exercise("11.3", "a function (network, pictures) -> (depends on the order, depends on the other pictures)")
def company(depends: Callable[[nn.Module, Tensor], tuple[bool, bool]]) -> str | None:
    class Neighbour(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.roll(1, 0)

    def networks() -> dict[str, tuple[nn.Module, tuple[bool, bool]]]:
        torch.manual_seed(0)
        return {
            "batch norm in training mode": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (False, True)),
            "batch norm in evaluation mode": (
                nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval(),
                (False, False),
            ),
            "a convolution alone": (nn.Conv2d(3, 4, 3), (False, False)),
            "a layer that subtracts the picture before": (Neighbour(), (True, True)),
        }

    with torch.random.fork_rng(devices=[]):
        trials = networks()
        for name, (network, right) in trials.items():
            x = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
            mode = network.training
            order, others = (bool(said) for said in depends(network, x))
            if network.training != mode:
                return "the function leaves the network in another mode than it found it in"
            if order != right[0]:
                hint = "" if right[0] else "; compare each picture with itself, and leave room for rounding"
                return f"{name}: the function says {order} for the order{hint}"
            if others != right[1]:
                hint = "; is the network in the mode that it came in" if right[1] else "; leave room for rounding"
                return f"{name}: the function says {others} for the other pictures{hint}"
    return None
