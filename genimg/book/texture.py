"""Textures without a trained network: pictures whose random-filter statistics are those of an example.

Gatys et al. 2015, https://arxiv.org/abs/1505.07376, describe a texture by the correlations between the features of a
network. Ustyuzhaninov et al. 2016, https://arxiv.org/abs/1606.00021, found that one layer of random filters can do.
Pictures are (N, 3, H, W) in [-1, 1].
"""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Name of the way in which a picture goes on beyond its edges -> torch's name of the padding.
EDGES = {"tile": "circular", "reflect": "reflect"}


class Statistics:
    """Correlations between random filters' answers, at several scales.

    Args:
        filters: how many at each scale.
        taps: width and height of a filter, odd.
        scales: each after the first sees the picture at half the size of the one before, blurred.
        seed: of the filters: normal, of mean 0 over each filter, so that a flat grey answers nothing.

    Raises:
        ValueError: an even number of taps.
    """

    def __init__(
        self, filters: int = 96, taps: int = 7, scales: int = 3, seed: int = 0,
    ) -> None:  # fmt: skip
        if taps % 2 == 0:
            raise ValueError(f"taps={taps}: a filter needs a middle, so an odd number")
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(filters, 3, taps, taps, generator=generator)
        weight = weight - weight.mean((1, 2, 3), keepdim=True)
        self.weight = weight / weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        self.scales = scales

    def __call__(self, x: Tensor, edges: str = "reflect") -> list[Tensor]:
        """Per scale, the mean over places of the products of every two features, (N, filters + 3, filters + 3).

        Features are the rectified answers of the filters and the three colours themselves, whose products with
        each other fix the colours' means of squares. The mean makes pictures of different sizes comparable.

        Args:
            edges: "tile" if the picture is to be laid side by side with itself, else "reflect".
        """
        result = []
        for scale in range(self.scales):
            x = halved(x, edges) if scale else x
            margin = self.weight.shape[-1] // 2
            padded = F.pad(x, (margin,) * 4, mode=EDGES[edges])
            features = torch.cat([F.relu(F.conv2d(padded, self.weight)), x + 1], 1).flatten(2)  # (N, K + 3, H W)
            result.append(features @ features.transpose(1, 2) / features.shape[2])
        return result

    def distance(self, found: list[Tensor], wanted: list[Tensor]) -> Tensor:
        """Mean over scales of |found - wanted|^2 / |wanted|^2: two lists as `__call__` returns them -> (N,)."""
        parts = [(a - b).square().sum((1, 2)) / b.square().sum((1, 2)) for a, b in zip(found, wanted, strict=True)]
        return torch.stack(parts).mean(0)


def synthesise(
    statistics: Statistics, example: Tensor, start: Tensor, edges: str = "tile", steps: int = 150, keep: float = 0.0,
    kept: Tensor | None = None,
) -> tuple[Tensor, list[float]]:  # fmt: skip
    """A picture with the statistics of an example, found by L-BFGS from a start.

    Args:
        statistics: a `Statistics`.
        example: (1, 3, h, w), of any size that the scales divide.
        start: (1, 3, H, W): noise, or the picture to be restyled.
        edges: of the new picture, see `Statistics`; those of the example are reflected.
        steps: of L-BFGS.
        keep: weight of the mean squared difference to `kept`, both in grey and blurred by averaging 4x4 pixels.
        kept: (1, 3, H, W), or None.

    Returns:
        (picture (1, 3, H, W) in [-1, 1], the distance after each evaluation).
    """
    with torch.no_grad():
        wanted = statistics(example)
    free = torch.atanh(start.clamp(-0.98, 0.98)).detach().clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [free], max_iter=steps, max_eval=2 * steps, history_size=20, tolerance_change=0, tolerance_grad=0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip
    distances = []

    def loss() -> Tensor:
        optimiser.zero_grad()
        x = torch.tanh(free)
        distance = statistics.distance(statistics(x, edges), wanted).sum()
        distances.append(distance.item())
        if keep:
            assert kept is not None
            distance = distance + keep * (_coarse(x) - _coarse(kept)).square().mean()
        (1000 * distance).backward()
        return 1000 * distance.detach()

    optimiser.step(loss)
    return torch.tanh(free).detach(), distances


def halved(x: Tensor, edges: str = "reflect") -> Tensor:
    """(N, C, H, W) -> (N, C, H / 2, W / 2), blurred by the taps 1, 3, 3, 1: plain means of 2x2 would leave blocks."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    weight = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (1,) * 4, mode=EDGES[edges]), weight, stride=2, groups=x.shape[1])


def _coarse(x: Tensor) -> Tensor:
    return F.avg_pool2d(x.mean(1, keepdim=True), 4)


def seam(x: Tensor) -> Tensor:
    """How visible the edges are when a picture is laid side by side with itself: (N, 3, H, W) -> (N,).

    The root mean squared difference between its last row and its first, and its last column and its first, against
    that between neighbouring rows and columns inside: 1 where an edge is like any other place.
    """
    across = (x[..., 0, :] - x[..., -1, :]).square().mean((1, 2)) + (x[..., 0] - x[..., -1]).square().mean((1, 2))
    inside = x.diff(dim=2).square().mean((1, 2, 3)) + x.diff(dim=3).square().mean((1, 2, 3))
    return (across / inside).sqrt()
