"""How far samples are from data: Frechet and kernel distances, neighbours, precision and its kin, copies, modes.

Every set is a tensor or an array whose first axis counts the points: features (n, d), or pictures (n, C, H, W), which
are taken as vectors of their values. All arithmetic is in float64, on the device of the first set, and no n x m matrix
is ever held whole. A number means something only beside its n, its spread over training seeds and its floor: the same
number between real pictures and other real pictures, at the same n.

Raises, wherever sets are compared:
    ValueError: too few points; points of different dimension; a value that is not finite; bytes against floats.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genimg.system.progress import Progress

#: A set of points, one for each place of its first axis.
Points = Tensor | np.ndarray
#: Numbers in one block of a distance or kernel matrix (32 MB).
BLOCK = 2**22
#: Multiplications from which on a comparison shows how far it is, some seconds' worth.
LONG = 2e10
#: The distance from 1 to the next larger float64.
EPS = torch.finfo(torch.float64).eps


def frechet_distance(a: Points, b: Points) -> float:
    """Frechet distance between the Gaussians with the means and covariances of two sets: (n, d), (m, d) -> float >= 0.

    |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), in squared units of the features, with S divided by n - 1
    (Dowson and Landau 1982, https://doi.org/10.1016/0047-259X%2882%2990077-X; of Inception's features it is the FID,
    Heusel et al. 2017, https://arxiv.org/abs/1706.08500). Finite for any sets of 2 points or more, and 0.0 where
    it is below what rounding leaves, as for one set against itself. Its bias is upwards and falls like 1/n.
    """
    a, b = _pair(a, b, least=2)
    a, b = a.cpu(), b.cpu()  # where singular values of one matrix are as quick as on a GPU
    shift = (a.mean(0) - b.mean(0)).square().sum()
    a, b = _factor(a), _factor(b)  # S_a = a.T @ a
    # With S_a = A'A and S_b = B'B, S_a S_b has the eigenvalues of (AB')(AB')', so the trace of its root is the sum of
    # the singular values of AB'. Eigenvalues of S_a S_b would be their squares, where rounding drowns the small ones.
    singular = torch.linalg.svdvals(a @ b.T)
    variance = a.square().sum() + b.square().sum()
    distance = (shift + variance - 2 * singular.sum()).item()
    return distance if distance > len(singular) * EPS * variance.item() else 0.0


def _factor(x: Tensor) -> Tensor:
    """A matrix A with A.T @ A the covariance of x: (n, d) -> (min(n, d), d)."""
    x = (x - x.mean(0)) / math.sqrt(len(x) - 1)
    # Singular values take (rows)^3. More points than d are folded into the d rows of R, for Q of x = QR drops out of
    # the covariance; fewer are the smaller factor as they stand.
    return torch.linalg.qr(x, mode="r").R if len(x) > x.shape[1] else x


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error: the deviation it would have over sets drawn anew."""

    value: float
    standard_error: float


def kernel_distance(a: Points, b: Points) -> Estimate:
    """Unbiased squared maximum mean discrepancy, kernel k(x, y) = (x.y / d + 1)^3: (n, d), (m, d) -> Estimate.

    Binkowski et al. 2018, https://arxiv.org/abs/1801.01401; of Inception's features it is the KID. Its mean is 0 where
    the distributions are the same, at any n, so that a single value may well be negative.

    The standard error is that of the value for sets of these sizes, where the distributions are the same and where
    they differ: of the variance's two parts, the first vanishes in the former case and rules in the latter. Each is
    estimated without bias (as in Sutherland and Deka 2019, https://arxiv.org/abs/1906.02104), but the first never below
    0, so that for one distribution the standard error is about a tenth too large, a quarter in a dimension or two.

    Raises:
        ValueError: also for fewer than 4 points, the least for a standard error.
    """
    a, b = _pair(a, b, least=4)
    n, m = len(a), len(b)
    rows_a, _, squares_a = _kernel_sums(a, a, diagonal=False)
    rows_b, _, squares_b = _kernel_sums(b, b, diagonal=False)
    rows, columns, squares = _kernel_sums(a, b)
    total = rows.sum()
    value = rows_a.sum() / (n * (n - 1)) + rows_b.sum() / (m * (m - 1)) - 2 * total / (n * m)
    # Hoeffding's decomposition. Second order: the mean square of each kernel after what depends on x alone, or on y
    # alone, is taken out (within a set by U-centring, Szekely and Rizzo 2014, https://arxiv.org/abs/1310.2926).
    within_a, within_b = _interaction(rows_a, squares_a), _interaction(rows_b, squares_b)
    between = squares - rows.square().sum() / m - columns.square().sum() / n + total**2 / (n * m)
    between = between.clamp(min=0) / ((n - 1) * (m - 1))
    second = 2 * within_a / (n * (n - 1)) + 2 * within_b / (m * (m - 1)) + 4 * between / (n * m)
    # First order: the variance of the witness function E k(x, a) - E k(x, b) over x from a, and over x from b; less
    # what the estimated expectations add to it.
    witness_a = (rows_a / (n - 2) - rows / m).var() - within_a / (n - 2) - between / m
    witness_b = (rows_b / (m - 2) - columns / n).var() - within_b / (m - 2) - between / n
    first = 4 * witness_a / n + 4 * witness_b / m
    return Estimate(value.item(), (first.clamp(min=0) + second).sqrt().item())


def _kernel_sums(x: Tensor, y: Tensor, diagonal: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of the cubic kernel over rows (n,) and columns (m,), and of its square, a scalar; with i = j or without."""
    rows, columns, squares = [], y.new_zeros(len(y)), y.new_zeros(())
    for part in _parts(x, y, "kernel distance"):
        u = x[part] @ y.T / x.shape[1]  # (b, m)
        k = u * (u * (u + 3) + 3)  # (u + 1)^3 - 1: the 1 is in all three means and cancels, here without rounding
        if not diagonal:
            k.diagonal(part.start).zero_()
        rows.append(k.sum(1))
        columns += k.sum(0)
        squares += k.square().sum()
    return torch.cat(rows), columns, squares


def _interaction(rows: Tensor, squares: Tensor) -> Tensor:
    """Mean square of a U-centred symmetric matrix without diagonal, from its row sums (n,) and its sum of squares."""
    n = len(rows)
    centred = squares - 2 * rows.square().sum() / (n - 2) + rows.sum() ** 2 / ((n - 1) * (n - 2))
    return centred.clamp(min=0) / (n * (n - 3))


def nearest_neighbours(x: Points, y: Points, k: int = 1, exclude_self: bool = False) -> tuple[Tensor, Tensor]:
    """The k nearest points of y to each point of x: (n, d), (m, d) -> distances (n, k), indices (n, k) into y.

    Euclidean, ascending, of equal ones the lower index first. Exact: a copy is at distance 0.0.

    With exclude_self x and y are one set, and a point is no neighbour of itself.

    Raises:
        ValueError: also for k < 1 or more than the neighbours there are, and for exclude_self with n != m.
    """
    x, y = _pair(x, y, least=1)
    if exclude_self and len(x) != len(y):
        raise ValueError(f"exclude_self is for one set against itself; these have {len(x)} and {len(y)} points")
    if not 1 <= k <= len(y) - exclude_self:
        raise ValueError(f"k = {k}: it is at least 1 and at most {len(y) - exclude_self}, the neighbours there are")
    found = []
    for part, squared, slack in _squared_distances(x, y):
        if exclude_self:
            squared.diagonal(part.start).fill_(math.inf)
        # Every point that may be among the k nearest, given the rounding of `squared`; then exactly these.
        kth = squared.topk(k, largest=False).values[:, -1:]
        most = int((squared <= kth + 2 * slack).sum(1).max())
        shortlist = squared.topk(most, largest=False).indices.sort().values  # (b, most)
        of = torch.arange(part.start, part.stop, device=x.device)[:, None].expand_as(shortlist)
        exact = _distances(x, y, of.flatten(), shortlist.flatten()).view_as(shortlist)
        if exclude_self:
            exact[shortlist == of] = math.inf
        distances, order = exact.sort(stable=True)
        found.append((distances[:, :k], shortlist.gather(1, order[:, :k])))
    return torch.cat([distances for distances, _ in found]), torch.cat([indices for _, indices in found])


def precision_recall(real: Points, fake: Points, k: int = 3) -> tuple[float, float]:
    """Share of fakes among the reals, and of reals among the fakes: (n, d), (m, d) -> precision, recall, in [0, 1].

    A point is among a set if it lies in the ball of one of its points, which reaches to that point's k-th neighbour in
    the set (Kynkaanniemi et al. 2019, https://arxiv.org/abs/1904.06991). Balls are closed (<=), as
    there: a fake exactly on the border of a ball is in it, and a copy of a real is, even where duplicates leave a
    radius of 0. The package prdc takes <; away from ties the two agree. Two sets of one distribution do not give 1.

    Raises:
        ValueError: also for k < 1 or k >= n or m.
    """
    real, fake = _pair(real, fake, least=2)
    precision = torch.cat([inside.any(1) for inside in _in_balls(fake, real, k, closed=True)])
    recall = torch.cat([inside.any(1) for inside in _in_balls(real, fake, k, closed=True)])
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(real: Points, fake: Points, k: int = 5) -> tuple[float, float]:
    """How many real balls hold a fake, and what share of them holds any: (n, d), (m, d) -> density, coverage.

    A real point's ball reaches to its k-th neighbour among the reals. Density: balls that a fake lies in, over k, mean
    over fakes; for one distribution 1 in expectation, and it may exceed 1. Coverage: share of balls with a fake in
    them, in [0, 1]; for one distribution and n = m about 1 - (1/2)^k (Naeem et al. 2020,
    https://arxiv.org/abs/2002.09797). Balls are open (<), as in the authors' package prdc: a fake exactly on the border
    is outside, so that copies of the whole real set have density 1 and not 1 + 1/k, and a ball whose radius duplicates
    leave at 0 holds nothing.

    Raises:
        ValueError: also for k < 1 or k >= n.
    """
    real, fake = _pair(real, fake, least=1)
    balls, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for inside in _in_balls(fake, real, k, closed=False):
        balls += int(inside.sum())
        covered |= inside.any(0)
    return balls / (k * len(fake)), covered.double().mean().item()


def memorisation_rate(samples: Points, train: Points, test: Points, quantile: float = 0.01) -> float:
    """Share of samples that are nearer to a training picture than test pictures are, in [0, 1].

    The threshold is the r-th smallest distance from a test picture to its nearest training picture, r =
    floor(quantile * (n_test + 1)). A picture drawn afresh is nearer (<) with probability r / (n_test + 1), which is
    the quantile or just below; a model that gives much more copies.

    Args:
        samples, train, test: pictures or features, in one range of values.
        quantile: in (0, 1).

    Raises:
        ValueError: also for a quantile outside (0, 1), for too few test pictures for it, and where the threshold is
            0 because so many test pictures are themselves copies: nothing is nearer than that.
    """
    return share_nearer(nearest_neighbours(samples, train)[0][:, 0], nearest_neighbours(test, train)[0][:, 0], quantile)


def share_nearer(fake: Tensor, real: Tensor, quantile: float = 0.01) -> float:
    """`memorisation_rate` from distances to the nearest training picture, of samples (n,) and of test pictures (m,)."""
    if not 0 < quantile < 1:
        raise ValueError(f"quantile {quantile}: it is between 0 and 1")
    rank = math.floor(quantile * (len(real) + 1) + 1e-9)
    if rank < 1:
        raise ValueError(f"{len(real)} test pictures; the quantile {quantile} takes {math.ceil(1 / quantile) - 1}")
    threshold = real.kthvalue(rank).values
    if threshold == 0:
        raise ValueError(f"{int((real == 0).sum())} of {len(real)} test pictures are copies of training pictures")
    return (fake < threshold).double().mean().item()


def _pair(a: Points, b: Points, least: int) -> tuple[Tensor, Tensor]:
    """Two sets as float64 matrices (n, d) and (m, d) on one device, or a ValueError that says what is wrong."""
    a, b = torch.as_tensor(a).detach(), torch.as_tensor(b).detach()
    if (a.dtype == torch.uint8) != (b.dtype == torch.uint8):
        raise ValueError(f"{a.dtype} against {b.dtype}: bytes and floats are in different ranges")
    device = "cpu" if a.device.type == "mps" else a.device  # MPS has no float64
    for x in (a, b):
        if x.ndim < 2 or len(x) < least:
            raise ValueError(f"a set of shape {tuple(x.shape)}: it takes (n, d) with n at least {least}")
        if not x.isfinite().all():
            raise ValueError("a value that is not finite")
    a, b = (x.to(device).double().flatten(1) for x in (a, b))
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"points of {a.shape[1]} and of {b.shape[1]} dimensions")
    return a, b


def _parts(x: Tensor, y: Tensor, label: str) -> Iterator[slice]:
    """Slices of x's rows whose blocks against all of y are small; progress where it takes long."""
    n, size = len(x), max(1, BLOCK // max(y.shape))
    with Progress(n, label, visible=n * y.numel() > LONG) as progress:
        for start in range(0, n, size):
            yield slice(start, min(start + size, n))
            progress.update(min(start + size, n))


def _squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """For each slice of x: itself, squared distances to y (b, m), and a bound on their rounding error (b, 1).

    |x|^2 + |y|^2 - 2 x.y, by matrix multiplication: an order of magnitude quicker than differences, but points that
    are nearly the same lose all digits. Who needs those asks `_distances` about the pairs that the bound leaves open.
    """
    norms = y.square().sum(1)
    for part in _parts(x, y, "distances"):
        own = x[part].square().sum(1, keepdim=True)
        squared = torch.addmm(norms, x[part], y.T, alpha=-2) + own
        yield part, squared, (x.shape[1] + 8) * EPS * (own.sqrt() + norms.max().sqrt()).square()


def _distances(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Distances of the pairs x[i], y[j] by differences: (p,) indices each -> (p,)."""
    size = max(1, BLOCK // x.shape[1])
    return torch.cat([(x[a] - y[b]).square().sum(1).sqrt() for a, b in zip(i.split(size), j.split(size), strict=True)])


def _in_balls(points: Tensor, centres: Tensor, k: int, closed: bool) -> Iterator[Tensor]:
    """Which points lie in which centres' balls, that reach to the k-th other centre: yields (b, m) booleans."""
    radii = nearest_neighbours(centres, centres, k, exclude_self=True)[0][:, -1]
    for part, squared, slack in _squared_distances(points, centres):
        beyond = squared - radii.square()
        inside = beyond < 0
        i, j = (beyond.abs() <= slack).nonzero(as_tuple=True)  # too close to call: exactly
        exact = _distances(points, centres, i + part.start, j)
        inside[i, j] = exact <= radii[j] if closed else exact < radii[j]
        yield inside


def spectrum(x: Tensor) -> Tensor:
    """Mean power of pictures (N, C, H, W) at each spatial frequency, (H, W), zero frequency in the middle."""
    power = torch.fft.fft2(x.float().mean(1)).abs().square().mean(0)
    return torch.fft.fftshift(power)


def checkerboard(x: Tensor) -> float:
    """Power at half a cycle a pixel, along either axis, against that of the frequencies next to it.

    1 where the spectrum is smooth; above where neighbouring pixels alternate, as a transposed convolution of stride 2
    with an odd kernel makes them (Odena et al. 2016).
    """
    power = torch.fft.fft2(x.float().mean(1)).abs().square().mean(0)  # (H, W)
    down, along = x.shape[-2] // 2, x.shape[-1] // 2
    at = power[down, :].mean() + power[:, along].mean()
    beside = power[down - 2 : down, :].mean() + power[:, along - 2 : along].mean()
    return (at / beside).item()
