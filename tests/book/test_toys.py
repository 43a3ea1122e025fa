"""The toys against torch.distributions, means by draws, and the equations that their flow has to fulfil."""

import math

import pytest
import torch
from torch import distributions

from genimg import flow
from genimg.book import toys

LOPSIDED = toys.Mixture([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.0]], 0.4, [1.0, 2.0, 5.0])


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "mixture",
    [LOPSIDED, toys.ring(), toys.grid(), toys.Mixture([[1.0, 2.0, 3.0]], 2.0)],
    ids=["lopsided", "ring", "grid", "one heap"],
)
@pytest.mark.parametrize("t", [0.0, 0.3, 0.9, 1.0])
def test_log_density_against_torch_distributions(mixture, t):
    heaps = distributions.Independent(distributions.Normal(t * mixture.means, math.hypot(1 - t, t * mixture.sigma)), 1)
    wanted = distributions.MixtureSameFamily(distributions.Categorical(mixture.weights), heaps)
    x = 2 * rand(50, mixture.dims)
    assert torch.allclose(mixture.log_prob(x, t), wanted.log_prob(x), rtol=1e-12, atol=1e-12)
    assert torch.allclose(mixture.log_prob(x, torch.full((50,), t, dtype=torch.float64)), mixture.log_prob(x, t))


def test_samples_come_from_the_density():
    x = LOPSIDED.sample(200_000, torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = LOPSIDED.weights @ LOPSIDED.means
    assert torch.allclose(x.mean(0), mean, atol=0.02)
    off = LOPSIDED.means - mean
    covariance = (LOPSIDED.weights[:, None] * off).T @ off + 0.16 * torch.eye(2)
    assert torch.allclose(x.T.cov(), covariance, atol=0.03)
    nearest = torch.cdist(x, LOPSIDED.means).argmin(1).bincount() / len(x)
    assert torch.allclose(nearest.double(), LOPSIDED.weights, atol=0.02)


def test_samples_repeat_with_the_generator():
    a, b = (toys.ring().sample(10, torch.Generator().manual_seed(3)) for _ in range(2))
    assert a.dtype == torch.float32
    assert torch.equal(a, b)


@pytest.mark.parametrize("t", [0.0, 0.35, 0.8])
def test_velocity_and_denoised_are_conditional_means(t):
    """The mean of x_1 - x_0 near a point, over draws weighted by how well they fit there: without the closed form."""
    g = torch.Generator().manual_seed(1)
    x_1 = LOPSIDED.sample(2_000_000, g, dtype=torch.float64)
    for x in torch.tensor([[0.3, 0.2], [-0.8, 0.1], [0.2, 1.0]], dtype=torch.float64):
        x_0 = (x - t * x_1) / (1 - t)  # the only noise that brings x_1 through x at time t
        weight = torch.exp(-x_0.square().sum(1) / 2)
        weight /= weight.sum()
        effective = 1 / weight.square().sum()
        for found, values in (
            (LOPSIDED.velocity(x[None], t)[0], x_1 - x_0),
            (LOPSIDED.denoised(x[None], t)[0], x_1),
        ):
            mean = weight @ values
            error = (weight @ (values - mean).square() / effective).sqrt()
            assert ((found - mean).abs() < 5 * error).all()
            assert (error < 0.01).all()


@pytest.mark.parametrize("mixture", [LOPSIDED, toys.ring()], ids=["lopsided", "ring"])
def test_velocity_and_density_fulfil_the_continuity_equation(mixture):
    """d p / d t + div(p v) = 0, so that no probability is made or lost; divided by p, by automatic derivatives."""
    x, t = (1.5 * rand(200, 2)).requires_grad_(), torch.linspace(0.01, 0.99, 200, dtype=torch.float64).requires_grad_()
    log_p, v = mixture.log_prob(x, t), mixture.velocity(x, t)
    grad_x, grad_t = torch.autograd.grad(log_p.sum(), (x, t))
    divergence = sum(torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(2))
    terms = torch.stack([grad_t, divergence, (v.detach() * grad_x).sum(1)])
    assert (terms.sum(0).abs() <= 1e-9 * terms.abs().sum(0)).all()
    assert terms[0].abs().max() > 1


def test_velocity_and_denoised_are_one_thing():
    x, t = rand(100, 2), torch.linspace(0, 0.99, 100, dtype=torch.float64)
    ring = toys.ring()
    assert torch.allclose(flow.denoised(x, ring.velocity(x, t), t), ring.denoised(x, t), atol=1e-12)


def test_following_the_velocity_turns_noise_into_the_mixture_and_keeps_count_of_the_density():
    ring = toys.ring()
    x_0 = rand(2000, 2)
    x_1 = flow.integrate(ring.velocity, x_0, steps=200)
    truth = ring.report(ring.sample(100_000, torch.Generator().manual_seed(0)))
    report = ring.report(x_1)
    assert report["modes"] == 8
    assert abs(report["high_quality"] - 0.989) < 0.01
    assert abs(report["mean_log_density"] - truth["mean_log_density"]) < 0.08
    back = flow.integrate(ring.velocity, x_1, steps=200, start=1.0, end=0.0)
    assert (back - x_0).abs().max() < 0.02
    log_p = flow.log_likelihood(ring.velocity, x_1[:200], steps=200)
    assert (log_p - ring.log_prob(x_1[:200])).abs().max() < 2e-3


def test_ends_of_the_path_are_exact():
    x, mean = rand(20, 2), LOPSIDED.weights @ LOPSIDED.means
    assert torch.allclose(LOPSIDED.velocity(x, 0.0), mean - x)  # nothing is known of x_1 yet
    assert torch.allclose(LOPSIDED.denoised(x, 1.0), x)
    assert torch.allclose(LOPSIDED.velocity(x, 1.0), x)  # x_1 is known, and x_0 has mean 0


def test_far_points_stay_finite_in_float32():
    x = torch.tensor([[300.0, -200.0], [0.0, 0.0]])
    for t in (0.0, 0.5, 1.0):
        assert toys.ring(sigma=0.01).velocity(x, t).isfinite().all()
        assert toys.ring(sigma=0.01).log_prob(x, t).isfinite().all()


def test_report_by_hand():
    pair = toys.Mixture([[0.0, 0.0], [10.0, 0.0]], 1.0, [0.75, 0.25])
    report = pair.report(torch.tensor([[0.0, 0.0], [0.0, 2.9], [0.0, 3.1], [10.0, 0.0]]))
    assert report["high_quality"] == 0.75
    assert report["modes"] == 2
    two, one = 2 / 3, 1 / 3
    assert report["kl"] == pytest.approx(two * math.log(two / 0.75) + one * math.log(one / 0.25))
    logs = [math.log(0.75) - d**2 / 2 for d in (0, 2.9, 3.1)] + [math.log(0.25)]
    assert report["mean_log_density"] == pytest.approx(sum(logs) / 4 - math.log(2 * math.pi), abs=1e-5)


def test_report_of_bad_samples():
    ring = toys.ring()
    assert ring.report(ring.means[:1].expand(50, 2))["modes"] == 1
    assert ring.report(ring.means[:1].expand(50, 2))["kl"] == pytest.approx(math.log(8))
    nothing = ring.report(torch.zeros(5, 2))
    assert (nothing["high_quality"], nothing["modes"]) == (0.0, 0)
    assert math.isnan(nothing["kl"])


def test_ring_and_grid():
    ring, grid = toys.ring(6, radius=3.0, sigma=0.2), toys.grid(4, spacing=0.5)
    assert len(ring) == 6
    assert torch.allclose(ring.means.norm(dim=1), torch.tensor(3.0, dtype=torch.float64))
    assert torch.allclose(ring.means.sum(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert len(grid) == 16
    assert torch.pdist(grid.means).min() == 0.5
    assert grid.means.abs().max() == 0.75


@pytest.mark.parametrize(
    "arguments", [([1.0], 1.0), ([[0.0]], 0.0), ([[0.0]], -1.0), ([[0.0], [1.0]], 1.0, [1.0]), ([[0.0]], 1.0, [0.0])]
)
def test_what_is_no_mixture_is_refused(arguments):
    with pytest.raises(ValueError):
        toys.Mixture(*arguments)
