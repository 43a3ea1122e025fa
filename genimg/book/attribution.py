"""Which pixels does a network's answer depend on? Gradients added up along a path, or pixels covered up.

Both explain one number a picture: function(x) -> (N,).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def integrated_gradients(
    function: Callable[[Tensor], Tensor], x: Tensor, baseline: Tensor | None = None,
    steps: int = 32,
) -> Tensor:  # fmt: skip
    """Integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365), (N, C, H, W).

    (x - baseline) times the mean gradient on the straight line between them. The sum over a picture is
    function(x) - function(baseline), up to the error of the midpoint rule: the method's completeness.

    Args:
        function: differentiable, (N, C, H, W) -> (N,), each picture on its own (no batch norm in training mode).
        baseline: what counts as "nothing to see", (C, H, W) or (N, C, H, W); None is 0, mid-grey.
    """
    baseline = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    total = torch.zeros_like(x)
    for i in range(steps):
        point = (baseline + (i + 0.5) / steps * (x - baseline)).detach().requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0]
    return (x - baseline) * total / steps


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The plain gradient of function(x) at x, (N, C, H, W)."""
    point = x.detach().requires_grad_()
    return torch.autograd.grad(function(point).sum(), point)[0]


@torch.no_grad()
def occlusion(function: Callable[[Tensor], Tensor], x: Tensor, patch: int = 4, value: float = 0.0) -> Tensor:
    """How much function(x) falls when a patch is covered: (N, 1, H, W), equal over each patch.

    Args:
        patch: side of the patches in pixels; it divides H and W.
        value: what covers them.

    Raises:
        ValueError: the patch does not divide the picture.
    """
    n, _, height, width = x.shape
    if height % patch or width % patch:
        raise ValueError(f"patches of {patch} do not tile {height} x {width} pixels")
    before = function(x)
    fall = torch.empty(n, 1, height // patch, width // patch, device=x.device)
    for i in range(height // patch):
        for j in range(width // patch):
            covered = x.clone()
            covered[:, :, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch] = value
            fall[:, 0, i, j] = before - function(covered)
    return F.interpolate(fall, scale_factor=patch, mode="nearest")


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation (Spearman) of the strengths of two maps, picture by picture: (N,), from -1 to 1.

    Strength is the absolute value, summed over channels. Maps that mark the same places agree in it whatever their
    scale; Adebayo et al. 2018 (https://arxiv.org/abs/1810.03292) compare explanations so. Equal strengths share their
    mean rank, so that flat parts of two maps do not agree by the order of their pixels. NaN if a map is flat all over.
    """
    from scipy.stats import rankdata

    a, b = (torch.from_numpy(rankdata(m.abs().sum(1).flatten(1).cpu().numpy(), axis=1)) for m in (a, b))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()
