"""Does each number of a code stand for one factor? Three scores, for data whose factors are known.

Codes are (N, d) numbers, factors (N, k) numbers; N pictures, d latents, k factors. All three scores ignore the order,
the sign and the scale of latents. A rotation of the code is what they are there to notice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


def binned(values: ArrayLike, bins: int = 20) -> np.ndarray:
    """Each column of (N, d) cut into bins that hold equally many rows: int64 (N, d) from 0 to bins - 1.

    Equal counts, not equal widths, so that one far value cannot push all others into one bin. A column that does not
    vary lands in one bin.
    """
    values = np.asarray(values, dtype=np.float64)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], axis=0)  # (bins - 1, d)
    return np.stack([np.searchsorted(np.unique(e), v, side="right") for e, v in zip(edges.T, values.T, strict=True)], 1)


def information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Mutual information of every latent with every factor, (d, k) nats, for columns of integers."""
    a, b = _indicators(codes), _indicators(factors)  # (N, d, A), (N, k, B)
    joint = np.tensordot(a, b, (0, 0)) / len(a)  # (d, A, k, B): the share of rows in each pair of bins
    apart = a.mean(0)[:, :, None, None] * b.mean(0)
    return (joint * np.log(np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0))).sum((1, 3))


def entropies(factors: np.ndarray) -> np.ndarray:
    """Entropy of every factor, (k,) nats, for columns of integers: the information of each with itself."""
    return information(factors, factors).diagonal()


def _indicators(columns: np.ndarray) -> np.ndarray:
    """1 where a column (N, d) of integers has each of its values, from the least on: (N, d, values)."""
    columns = columns - columns.min()
    return (columns[:, :, None] == np.arange(columns.max() + 1)).astype(np.float64)


def mig(codes: ArrayLike, factors: ArrayLike, bins: int = 20) -> np.ndarray:
    """Mutual information gap (Chen et al. 2018, https://arxiv.org/abs/1802.04942), per factor, (k,), from 0 to 1.

    How much more the best latent knows about the factor than the second best does, over the factor's entropy: 1 if
    one latent knows it all and no other anything.

    Args:
        codes, factors: (N, d) with d >= 2, and (N, k); both are cut into `bins` bins of equal counts.

    Raises:
        ValueError: fewer than two latents, unequal numbers of rows, a factor that does not vary.
    """
    codes, factors = _checked(codes, factors)
    if codes.shape[1] < 2:
        raise ValueError("a gap needs at least two latents")
    factors = binned(factors, bins)
    known = np.sort(information(binned(codes, bins), factors), axis=0)
    return (known[-1] - known[-2]) / entropies(factors)


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness, informativeness (Eastwood and Williams 2018,
    https://openreview.net/forum?id=By-7dz-AZ).

    Attributes:
        disentanglement: 1 if every latent serves one factor, 0 if all serve all alike.
        completeness: 1 if every factor is served by one latent.
        informativeness: R^2 of each factor predicted from the code on held-out pictures, (k,).
        importance: how much each latent matters for each factor, (d, k).
    """

    disentanglement: float
    completeness: float
    informativeness: np.ndarray
    importance: np.ndarray


def dci(codes: ArrayLike, factors: ArrayLike, seed: int = 0, trees: int = 20) -> DCI:
    """Predict every factor from the code by a forest of decision trees, and see which latents it uses.

    Args:
        codes, factors: (N, d), (N, k); half of the rows train the forests, the other half test them.
    """
    from sklearn.ensemble import RandomForestRegressor

    codes, factors = _checked(codes, factors)
    half = len(codes) // 2
    forests = [
        RandomForestRegressor(trees, min_samples_leaf=2, random_state=seed).fit(codes[:half], f[:half])
        for f in factors.T
    ]
    importance = np.stack([forest.feature_importances_ for forest in forests], 1)  # (d, k)
    score = [forest.score(codes[half:], f[half:]) for forest, f in zip(forests, factors.T, strict=True)]
    return DCI(*from_importance(importance), np.array(score), importance)


def from_importance(importance: ArrayLike) -> tuple[float, float]:
    """(disentanglement, completeness) of an importance matrix (d, k), non-negative.

    Rows are weighed by how much they matter in all, so that latents that nobody uses do not count.
    """
    importance = np.asarray(importance, dtype=np.float64)
    weights = importance.sum(1) / importance.sum()
    d, k = importance.shape
    return float((weights * (1 - _entropy(importance, k))).sum()), float((1 - _entropy(importance.T, d)).mean())


def factor_vae_score(groups: ArrayLike, fixed: ArrayLike, spread: ArrayLike, threshold: float = 0.05) -> float:
    """The FactorVAE score (Kim and Mnih 2018, https://arxiv.org/abs/1802.05983): accuracy of a majority vote.

    In each group of codes one factor was held fixed. The latent that varies least there, relative to its spread over
    all data, should give away which. Half of the groups decide which factor each latent votes for, the other half is
    what the vote is tested on. Chance is 1 over the number of factors.

    Args:
        groups: codes (votes, L, d).
        fixed: index of the factor held fixed, (votes,).
        spread: variance of each latent over all data, (d,).
        threshold: latents with a smaller variance are left out: they carry nothing. (The prior's is 1.)

    Returns:
        accuracy from 0 to 1; chance if no latent is above the threshold.
    """
    groups, fixed, spread = np.asarray(groups), np.asarray(fixed), np.asarray(spread)
    active = spread > threshold
    factors = fixed.max() + 1
    if not active.any():
        return 1 / factors
    still = (groups.var(1)[:, active] / spread[active]).argmin(1)  # (votes,)
    half = len(fixed) // 2
    votes = np.zeros((active.sum(), factors))
    np.add.at(votes, (still[:half], fixed[:half]), 1)
    return float((votes.argmax(1)[still[half:]] == fixed[half:]).mean())


def _entropy(rows: np.ndarray, base: int) -> np.ndarray:
    """Entropy of each row, normalised to sum 1, in units of log(base); 1 for a row of zeros."""
    sums = rows.sum(1, keepdims=True)
    p = np.divide(rows, sums, out=np.full_like(rows, 1 / rows.shape[1]), where=sums > 0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return -(p * logs).sum(1) / np.log(base)


def _checked(codes: ArrayLike, factors: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    codes, factors = np.asarray(codes, dtype=np.float64), np.asarray(factors, dtype=np.float64)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes {codes.shape} and factors {factors.shape}: they have to be (N, d) and (N, k)")
    if (factors == factors[:1]).all(0).any():
        raise ValueError("a factor does not vary; nothing can be said about it")
    return codes, factors
