"""Every metric against torchmetrics, prdc, a closed form or a case whose answer is known."""

import contextlib
import io
import math

import numpy as np
import prdc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from genimg import metrics


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(n, modes=10, dims=8, seed=0):
    """n points from Gaussians about the first `modes` of ten far-off means."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(modes, (n,), generator=generator)
    return 10 * rand(10, dims, seed=99)[label] + torch.randn(n, dims, generator=generator, dtype=torch.float64)


FEATURES = {
    "random": lambda n, d, seed: rand(n, d, seed=seed) * (1 + 0.1 * seed) + 0.1 * seed,
    "correlated": lambda n, d, seed: rand(n, d, seed=seed) @ rand(d, d, seed=7) + rand(1, d, seed=seed + 50),
    "rank-deficient": lambda n, d, seed: rand(n, 5, seed=seed) @ rand(5, d, seed=8) + 0.2 * seed,
    "like ReLU": lambda n, d, seed: (rand(n, d, seed=seed) @ rand(d, d, seed=9)).relu() / d**0.5,
}


class Flat(nn.Module):
    """A feature network that leaves features as they are."""

    def __init__(self, dims):
        super().__init__()
        self.num_features = dims

    def forward(self, x):
        return x.flatten(1)


def ask_torchmetrics(metric, a, b):
    metric.set_dtype(torch.float64)
    metric.update(a[:, :, None, None], real=True)
    metric.update(b[:, :, None, None], real=False)
    return metric.compute()


def rounding_of_the_reference(a, b):
    """What torchmetrics may be off by: it takes the roots of S_a S_b's eigenvalues, which make e of a zero sqrt(e)."""
    product = torch.cov(a.T) @ torch.cov(b.T)
    zeros = len(product) - torch.linalg.matrix_rank(product).item()
    return 2 * zeros * (metrics.EPS * torch.linalg.matrix_norm(product, 2).item()) ** 0.5


@pytest.mark.parametrize("n, m, d", [(200, 150, 12), (40, 60, 48), (30, 200, 48)])
@pytest.mark.parametrize("kind", FEATURES)
def test_frechet_agrees_with_torchmetrics(kind, n, m, d):
    a, b = FEATURES[kind](n, d, 1), FEATURES[kind](m, d, 2)
    wanted = ask_torchmetrics(FrechetInceptionDistance(feature=Flat(d), normalize=True), a, b).item()
    assert metrics.frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6, abs=rounding_of_the_reference(a, b))


@pytest.mark.parametrize("kind", FEATURES)
def test_kernel_agrees_with_torchmetrics(kind):
    n, d = 60, 24
    a, b = FEATURES[kind](n, d, 1), FEATURES[kind](n, d, 2)
    metric = KernelInceptionDistance(feature=Flat(d), subsets=1, subset_size=n, normalize=True)
    wanted, _ = ask_torchmetrics(metric, a, b)
    assert metrics.kernel_distance(a, b).value == pytest.approx(wanted.item(), rel=1e-6)


def ask_prdc(real, fake, k):
    with contextlib.redirect_stdout(io.StringIO()):
        return prdc.compute_prdc(real.numpy(), fake.numpy(), k)


@pytest.mark.parametrize("k", [1, 3, 5, 10])
@pytest.mark.parametrize("n, m, d", [(150, 100, 2), (80, 200, 16), (120, 120, 200)])
def test_precision_and_its_kin_agree_with_prdc(n, m, d, k):
    real, fake = rand(n, d, seed=1), 0.9 * rand(m, d, seed=2) + 0.1
    wanted = ask_prdc(real, fake, k)
    precision, recall = metrics.precision_recall(real, fake, k)
    density, coverage = metrics.density_coverage(real, fake, k)
    assert precision == pytest.approx(wanted["precision"], abs=1e-12)
    assert recall == pytest.approx(wanted["recall"], abs=1e-12)
    assert density == pytest.approx(wanted["density"], abs=1e-12)
    assert coverage == pytest.approx(wanted["coverage"], abs=1e-12)


# Frechet distance


def root(s):
    values, vectors = torch.linalg.eigh(s)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def gaussian_distance(mean_a, s_a, mean_b, s_b):
    cross = root(root(s_a) @ s_b @ root(s_a)).trace()
    return ((mean_a - mean_b).square().sum() + s_a.trace() + s_b.trace() - 2 * cross).item()


def with_moments(n, mean, s, seed):
    """n points whose sample mean and covariance (over n - 1) are exactly these."""
    x = rand(n, len(mean), seed=seed)
    x = x - x.mean(0)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / (n - 1)), x.T, upper=False).T
    return x @ torch.linalg.cholesky(s).T + mean


@pytest.mark.parametrize("n, m", [(9, 9), (30, 200)])
def test_frechet_of_samples_with_given_moments(n, m):
    d = 6
    mean_a, mean_b = rand(d, seed=1), rand(d, seed=2)
    s_a, s_b = (f(rand(20, d, seed=k)) for k, f in ((3, lambda x: x.T @ x / 10), (4, lambda x: x.T @ x / 20)))
    wanted = gaussian_distance(mean_a, s_a, mean_b, s_b)
    found = metrics.frechet_distance(with_moments(n, mean_a, s_a, 5), with_moments(m, mean_b, s_b, 6))
    assert found == pytest.approx(wanted, rel=1e-9)


def test_frechet_of_many_samples_of_two_gaussians():
    scale = torch.linspace(0.5, 2, 8)
    a, b = rand(100_000, 8, seed=1), rand(100_000, 8, seed=2) * scale + 0.3
    wanted = 8 * 0.3**2 + (scale - 1).square().sum().item()  # covariances that commute
    assert metrics.frechet_distance(a, b) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("n, d", [(2, 3), (5, 200), (200, 5), (64, 64), (300, 250)])
@pytest.mark.parametrize("kind", FEATURES)
def test_frechet_of_a_set_with_itself_is_zero(kind, n, d):
    a = 1e3 * FEATURES[kind](n, d, 1)
    assert metrics.frechet_distance(a, a.clone()) == 0.0
    assert metrics.frechet_distance(a, a.flip(0)) == 0.0
    assert metrics.frechet_distance(a.float(), a.float()) == 0.0
    assert metrics.frechet_distance(torch.ones(n, d), torch.ones(n, d)) == 0.0


@pytest.mark.parametrize("n", [10, 300])
def test_frechet_of_a_small_shift_is_no_rounding(n):
    a, shift = rand(n, 20), 1e-5 * rand(20, seed=1)
    assert metrics.frechet_distance(a, a + shift) == pytest.approx(shift.square().sum().item(), rel=1e-3)


def test_frechet_of_two_points_each():
    a, b = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    # means (1, 0) and (0, 2); variances 2 along one axis and 8 along the other, so no common direction
    assert metrics.frechet_distance(a, b) == pytest.approx(5 + 2 + 8)
    # two points on one line: variances 2 and 8, means 1 and 2
    assert metrics.frechet_distance(a, b.flip(1)) == pytest.approx(1 + (8**0.5 - 2**0.5) ** 2)


sets = st.tuples(st.integers(2, 30), st.integers(2, 30), st.integers(1, 20), st.integers(0, 10_000))


@settings(max_examples=60)
@given(sets, st.floats(-3, 3))
def test_frechet_is_symmetric_and_blind_to_rotation_and_translation(shape, log_scale):
    n, m, d, seed = shape
    a, b = rand(n, d, seed=seed), 10**log_scale * rand(m, d, seed=seed + 1) + 1
    rotation, shift = torch.linalg.qr(rand(d, d, seed=seed + 2)).Q, 5 * rand(d, seed=seed + 3)
    value = metrics.frechet_distance(a, b)
    near = pytest.approx(value, rel=1e-8, abs=1e-10 * 10 ** max(0, 2 * log_scale))
    assert value >= 0
    assert math.isfinite(value)
    assert metrics.frechet_distance(b, a) == near
    assert metrics.frechet_distance(a @ rotation, b @ rotation) == near
    assert metrics.frechet_distance(a + shift, b + shift) == near
    assert metrics.frechet_distance(3 * a, 3 * b) == pytest.approx(9 * value, rel=1e-8, abs=1e-9)


@settings(max_examples=30)
@given(sets)
def test_frechet_never_falls_below_zero_or_what_the_means_give(shape):
    n, m, d, seed = shape
    a = rand(n, d, seed=seed)
    b = a[torch.arange(m) % n] + 1e-9 * rand(m, d, seed=seed + 1)  # nearly the same points: rounding rules
    value, means = metrics.frechet_distance(a, b), (a.mean(0) - b.mean(0)).square().sum().item()
    assert value >= means - 1e-12 * a.square().sum().item()
    assert value >= 0


def test_frechet_bias_falls_like_one_over_n():
    sizes = [100, 200, 400, 800]
    means = []
    for n in sizes:
        a, b = rand(30 * n, 12, seed=n).split(n), rand(30 * n, 12, seed=n + 1).split(n)
        means.append(np.mean([metrics.frechet_distance(x, y) for x, y in zip(a, b, strict=True)]))
    slope = np.polyfit(np.log(sizes), np.log(means), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


# Kernel distance


def test_kernel_by_its_definition():
    a, b = rand(7, 3, seed=1), rand(5, 3, seed=2)

    def k(x, y):
        return (torch.dot(x, y).item() / 3 + 1) ** 3

    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    between = np.mean([k(x, y) for x in a for y in b])
    assert metrics.kernel_distance(a, b).value == pytest.approx(within_a + within_b - 2 * between)
    between = np.mean([k(x, y) for x in a for y in a])  # of a set with itself too: no pair is left out here
    assert metrics.kernel_distance(a, a).value == pytest.approx(2 * within_a - 2 * between)


PAIRS = {
    "same": (lambda n, s: rand(n, 8, seed=s), lambda n, s: rand(n, 8, seed=s)),
    "same, like ReLU": (lambda n, s: FEATURES["like ReLU"](n, 32, s), lambda n, s: FEATURES["like ReLU"](n, 32, s)),
    "little apart": (lambda n, s: rand(n, 8, seed=s), lambda n, s: rand(n, 8, seed=s) + 0.15),
    "far apart": (lambda n, s: rand(n, 8, seed=s), lambda n, s: 1.2 * rand(n, 8, seed=s) + 0.5),
}


@pytest.mark.parametrize("n, m", [(30, 30), (20, 80)])
@pytest.mark.parametrize("pair", PAIRS)
def test_kernel_standard_error_is_the_deviation_over_draws(pair, n, m):
    a, b = PAIRS[pair]
    draws = [metrics.kernel_distance(a(n, 2 * s), b(m, 2 * s + 1)) for s in range(600)]
    values = np.array([draw.value for draw in draws])
    errors = np.array([draw.standard_error for draw in draws])
    assert 0.87 < errors.mean() / values.std() < 1.25
    if pair.startswith("same"):
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))  # at any n: no bias
    else:
        assert values.mean() > 3 * values.std() / math.sqrt(len(values))


def test_kernel_standard_error_falls_like_one_over_n_where_the_distributions_agree_and_slower_where_not():
    def ratio(pair):
        a, b = PAIRS[pair]
        small, large = (
            np.mean([metrics.kernel_distance(a(n, 2 * s), b(n, 2 * s + 1)).standard_error for s in range(20)])
            for n in (100, 400)
        )
        return small / large

    assert ratio("same") == pytest.approx(4, rel=0.15)
    assert ratio("far apart") == pytest.approx(2, rel=0.15)


def test_kernel_of_tiny_features_loses_no_digits():
    # (1 + u)^3 - 1 is 3 u where u is tiny: the distance is 3 / d times the unbiased |mu_a - mu_b|^2
    a, b = 1e-7 * rand(50, 4, seed=1), 1e-7 * (rand(50, 4, seed=2) + 1)
    means = (a.mean(0) - b.mean(0)).square().sum() - (a.var(0).sum() + b.var(0).sum()) / 50
    found = metrics.kernel_distance(a, b)
    assert found.value == pytest.approx(0.75 * means.item(), rel=1e-6)
    assert 0 < found.standard_error < found.value


@settings(max_examples=30)
@given(st.integers(4, 30), st.integers(4, 30), st.integers(1, 20), st.integers(0, 10_000))
def test_kernel_is_symmetric_and_blind_to_rotation(n, m, d, seed):
    a, b = rand(n, d, seed=seed), rand(m, d, seed=seed + 1) + 0.5
    rotation = torch.linalg.qr(rand(d, d, seed=seed + 2)).Q
    found = metrics.kernel_distance(a, b)
    for other in (metrics.kernel_distance(b, a), metrics.kernel_distance(a @ rotation, b @ rotation)):
        assert other.value == pytest.approx(found.value, rel=1e-8, abs=1e-10)
        assert other.standard_error == pytest.approx(found.standard_error, rel=1e-6)
    assert found.standard_error >= 0
    same = metrics.kernel_distance(torch.ones(n, d), torch.ones(m, d))
    assert (same.value, same.standard_error) == pytest.approx((0, 0), abs=1e-7)


# Neighbours


@pytest.mark.parametrize("offset, spread", [(0, 1), (1e3, 1), (1e4, 1e-4)])
def test_neighbours_by_differences(offset, spread):
    x, y = offset + spread * rand(40, 30, seed=1), offset + spread * rand(50, 30, seed=2)
    wanted, order = (x[:, None] - y).square().sum(2).sqrt().sort(dim=1)
    distances, indices = metrics.nearest_neighbours(x, y, 4)
    assert torch.allclose(distances, wanted[:, :4], rtol=1e-12, atol=0)
    assert torch.equal(indices, order[:, :4])


def test_a_copy_is_at_distance_zero_among_many_near_copies():
    pictures = torch.rand(30, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    nearly = pictures[7] + 3e-7 * rand(40, 3, 16, 16).float()  # a few units in the last place of float32
    train = torch.cat([nearly, pictures])
    distances, indices = metrics.nearest_neighbours(pictures, train)
    assert torch.equal(distances, torch.zeros(30, 1, dtype=torch.float64))
    assert torch.equal(indices[:, 0], 40 + torch.arange(30))
    distances, indices = metrics.nearest_neighbours(pictures[7:8], train, 41)
    wanted = (pictures[7].double() - nearly.double()).flatten(1).square().sum(1).sqrt().sort().values
    assert torch.allclose(distances[0, 1:], wanted, rtol=1e-12)


def test_neighbours_without_oneself():
    x = torch.tensor([[0.0], [1.0], [3.0], [3.0]])
    distances, indices = metrics.nearest_neighbours(x, x, 2, exclude_self=True)
    assert distances.tolist() == [[1, 3], [1, 2], [0, 2], [0, 2]]
    assert indices.tolist() == [[1, 2], [0, 2], [3, 1], [2, 1]]  # of equal ones the lower index first
    assert metrics.nearest_neighbours(x, x)[1][:, 0].tolist() == [0, 1, 2, 2]


def test_bytes_and_pictures():
    pixels = torch.randint(0, 256, (20, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    distances, indices = metrics.nearest_neighbours(pixels[:5], pixels, 2)
    again, same = metrics.nearest_neighbours(pixels[:5].flatten(1).double().numpy(), pixels.flatten(1).double(), 2)
    assert torch.equal(distances, again)
    assert torch.equal(indices, same)


# Precision, recall, density, coverage


def test_balls_are_closed_for_precision_and_open_for_density():
    real, fake = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[-1.0], [-2.0], [1.5]])
    # k = 1: radii of the reals 1, 1, 4; the fake -1 lies on the border of the ball about 0, and 1.5 in that about 1
    # and in that about 5; radii of the fakes 1, 1, 2.5: 0 on a border, 1 within 2.5 of 1.5, 5 beyond all
    assert metrics.precision_recall(real, fake, 1) == pytest.approx((2 / 3, 2 / 3))
    assert metrics.density_coverage(real, fake, 1) == pytest.approx((2 / 3, 2 / 3))


def test_copies_of_the_real_set():
    real = rand(100, 6).float()
    for fake in (real.clone(), real.flip(0)):
        assert metrics.precision_recall(real, fake) == (1.0, 1.0)
        assert metrics.density_coverage(real, fake) == (1.0, 1.0)
    same = torch.ones(8, 2)  # every radius is 0
    assert metrics.precision_recall(same, same) == (1.0, 1.0)
    assert metrics.density_coverage(same, same) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_what_each_sees_of_dropped_and_of_invented_modes(seed):
    real, fresh = mixture(1000, seed=3 * seed), mixture(1000, seed=3 * seed + 1)
    dropped = mixture(1000, modes=8, seed=3 * seed + 2)
    invented = torch.cat([fresh[:800], fresh[800:] + 100])
    precision, recall = metrics.precision_recall(real, fresh)
    density, coverage = metrics.density_coverage(real, fresh)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.02)
    assert density == pytest.approx(1, abs=0.1)
    assert metrics.density_coverage(real, dropped)[1] == pytest.approx(0.8 * coverage, abs=0.05)
    assert metrics.precision_recall(real, dropped)[0] == pytest.approx(precision, abs=0.04)
    assert metrics.precision_recall(real, dropped)[1] == pytest.approx(0.8 * recall, abs=0.05)
    assert metrics.precision_recall(real, invented)[0] == pytest.approx(0.8 * precision, abs=0.05)
    assert metrics.precision_recall(real, invented)[1] > 0.9 * recall
    assert metrics.density_coverage(real, invented)[0] == pytest.approx(0.8 * density, abs=0.05)
    assert metrics.density_coverage(real, invented)[1] > 0.9 * coverage


def test_kernel_distance_sees_dropped_modes_and_frechet_too():
    real, fresh, dropped = mixture(500, seed=1), mixture(500, seed=2), mixture(500, modes=8, seed=3)
    floor, found = metrics.kernel_distance(real, fresh), metrics.kernel_distance(real, dropped)
    assert abs(floor.value) < 3 * floor.standard_error
    assert found.value > 3 * found.standard_error
    assert metrics.frechet_distance(real, dropped) > 3 * metrics.frechet_distance(real, fresh)


# Copies


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_flagged_and_fresh_draws_as_often_as_the_quantile_says(seed):
    train, test, fresh = (rand(n, 3, 2, 2, seed=10 * seed + k) for k, n in enumerate((500, 999, 2000)))
    assert metrics.memorisation_rate(train, train, test) == 1.0
    rate = metrics.memorisation_rate(fresh, train, test)
    assert rate == pytest.approx(0.01, abs=4 * math.sqrt(0.01 * (1 / 999 + 1 / 2000)))
    half = torch.cat([train[:200] + 1e-3 * rand(200, 3, 2, 2, seed=seed), fresh[:200]])
    assert metrics.memorisation_rate(half, train, test) == pytest.approx(0.5, abs=0.03)
    assert metrics.memorisation_rate(fresh, train, test, quantile=0.3) == pytest.approx(0.3, abs=0.06)


def test_the_threshold_of_copies_is_an_order_statistic():
    train = torch.zeros(1, 1)
    test = torch.arange(1.0, 200)[:, None]  # 199 pictures at distances 1, 2, 3, ...: r = 2 at 1 %
    samples = torch.tensor([[0.0], [1.0], [1.9], [2.0], [2.1]])
    assert metrics.memorisation_rate(samples, train, test) == pytest.approx(3 / 5)
    assert metrics.memorisation_rate(samples, train, test[:99]) == pytest.approx(1 / 5)  # r = 1, and 1 is not below 1
    assert metrics.memorisation_rate(samples, train, test[:198]) == pytest.approx(1 / 5)


def test_copies_cannot_be_told_from_test_pictures_that_are_copies_or_too_few():
    train = rand(50, 4)
    with pytest.raises(ValueError, match="5 of 100 test pictures are copies"):
        metrics.memorisation_rate(train, train, torch.cat([train[:5], rand(95, 4, seed=1)]))
    with pytest.raises(ValueError, match="98 test pictures; the quantile 0.01 takes 99"):
        metrics.memorisation_rate(train, train, rand(98, 4, seed=1))
    for quantile in (0, 1, -0.1, 2):
        with pytest.raises(ValueError, match="between 0 and 1"):
            metrics.memorisation_rate(train, train, train, quantile)


# What holds for all


COMPARE = {
    "frechet": metrics.frechet_distance,
    "kernel": metrics.kernel_distance,
    "neighbours": metrics.nearest_neighbours,
    "precision": metrics.precision_recall,
    "density": metrics.density_coverage,
}


@pytest.mark.parametrize("compare", COMPARE.values(), ids=COMPARE)
def test_what_cannot_be_compared_is_refused(compare):
    good = rand(20, 4)
    bad = good.clone()
    bad[3, 2] = math.nan
    for a, b, match in [
        (good, rand(20, 5), "4 and of 5 dimensions"),
        (good, bad, "not finite"),
        (bad / 0, good, "not finite"),
        (good, good[:0], "n at least"),
        (good, good[:, 0], "n at least"),
        (good.byte(), good, "different ranges"),
    ]:
        with pytest.raises(ValueError, match=match):
            compare(a, b)


def test_too_few_points():
    few, many = rand(20, 4)[:1], rand(20, 4)
    with pytest.raises(ValueError, match="n at least 2"):
        metrics.frechet_distance(few, many)
    with pytest.raises(ValueError, match="n at least 4"):
        metrics.kernel_distance(many, many[:3])
    for k in (0, 20):
        with pytest.raises(ValueError, match="at most 19"):
            metrics.nearest_neighbours(many, many, k, exclude_self=True)
        with pytest.raises(ValueError, match="at most 19"):
            metrics.precision_recall(many, rand(30, 4), k)
        with pytest.raises(ValueError, match="at most 19"):
            metrics.density_coverage(many, rand(30, 4), k)
    with pytest.raises(ValueError, match="at most 9"):
        metrics.precision_recall(many, many[:10], 10)
    assert metrics.density_coverage(many, many[:1], 10)[0] >= 0  # there any number of fakes will do
    with pytest.raises(ValueError, match="at most 20"):
        metrics.nearest_neighbours(many, many, 21)
    with pytest.raises(ValueError, match="20 and 10 points"):
        metrics.nearest_neighbours(many, many[:10], exclude_self=True)


@pytest.mark.parametrize("block", [1, 7 * 60, 10**9])
def test_blocks_change_nothing(monkeypatch, block):
    a, b = rand(60, 5, seed=1), rand(50, 5, seed=2)

    def all_of_it():
        found = metrics.kernel_distance(a, b)
        distances, indices = metrics.nearest_neighbours(a, a, 3, exclude_self=True)
        return (
            [found.value, found.standard_error, *metrics.precision_recall(a, b), *metrics.density_coverage(a, b)]
            + [*metrics.density_coverage(a, a.flip(0))],  # each ball has a copy on its border
            distances,
            indices,
        )

    values, distances, indices = all_of_it()
    monkeypatch.setattr(metrics, "BLOCK", block)
    again = all_of_it()
    assert again[0] == pytest.approx(values, rel=1e-9)
    assert torch.allclose(again[1], distances, rtol=1e-12)
    assert torch.equal(again[2], indices)


def test_long_work_shows_how_far_it_is_and_short_work_does_not(monkeypatch, capfd):
    a, b = rand(30, 4), rand(20, 4, seed=1)
    metrics.kernel_distance(a, b)
    metrics.precision_recall(a, b)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(metrics, "LONG", 0)
    metrics.kernel_distance(a, b)
    assert "kernel distance: 30 steps in" in capfd.readouterr().err
    metrics.nearest_neighbours(a, b)
    assert "distances: 30 steps in" in capfd.readouterr().err


def test_sets_and_random_state_are_left_alone():
    a, b = rand(30, 4), rand(30, 4, seed=1).requires_grad_()
    before, state = a.clone(), torch.get_rng_state()
    for compare in COMPARE.values():
        compare(a, b)
    metrics.memorisation_rate(a, b, rand(100, 4, seed=2))
    assert torch.equal(a, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_checkerboard_sees_pixels_that_alternate_and_nothing_else():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(200, 3, 32, 32, generator=generator)
    assert metrics.checkerboard(noise) == pytest.approx(1, abs=0.05)
    board = (torch.arange(32).view(-1, 1) + torch.arange(32)) % 2 * 2.0 - 1
    assert metrics.checkerboard(noise + 0.3 * board) > 2
    stripes = (torch.arange(32) % 2 * 2.0 - 1).expand(32, 32)
    assert metrics.checkerboard(noise + 0.3 * stripes) > 2
    pairs = noise + noise.roll(1, 3)  # nothing alternates in the sum of neighbours
    assert metrics.checkerboard(pairs + pairs.roll(1, 2)) < 0.1
