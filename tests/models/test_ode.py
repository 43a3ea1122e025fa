"""The solvers' order and the likelihood, on a field whose solution and density are known."""

import math

import pytest
import torch

from genimg.book import toys
from genimg.models import ode

DOUBLE = dict(dtype=torch.float64)
RING = toys.ring()


def points(n, seed=0, dims=2):
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed), **DOUBLE)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_order_of_the_solvers(solver, order):
    """dx/dt = x cos t, whose solution is x_0 e^(sin t), and the ring's own field."""
    x = points(50)
    exact = x * math.exp(math.sin(1.0))
    fine = ode.integrate(RING.velocity, x, 4000)
    for velocity, truth, counts in (
        (lambda x, t: x * t.cos()[:, None], exact, (8, 32)),
        (RING.velocity, fine, (128, 512)),
    ):
        few, many = [(ode.integrate(velocity, x, k, solver) - truth).abs().mean() for k in counts]
        assert math.log(few / many) / math.log(counts[1] / counts[0]) == pytest.approx(order, abs=0.25)


def test_the_field_carries_noise_to_the_data_and_back():
    x_0 = points(4000)
    x_1 = ode.integrate(RING.velocity, x_0, 200)
    report = RING.report(x_1)
    assert report["modes"] == 8 and report["high_quality"] > 0.97
    assert (ode.integrate(RING.velocity, x_1, 200, start=1.0, end=0.0) - x_0).abs().median() < 1e-3
    # Taken the other way round in time, it does not.
    assert RING.report(ode.integrate(lambda x, t: RING.velocity(x, 1 - t), x_0, 200))["high_quality"] < 0.9
    assert RING.report(ode.integrate(lambda x, t: -RING.velocity(x, t), x_0, 200))["high_quality"] < 0.5


def test_integrate_refuses():
    with pytest.raises(ValueError, match="euler, heun"):
        ode.integrate(RING.velocity, points(3), solver="rk45")
    for solve in (ode.integrate, ode.carry):
        with pytest.raises(ValueError, match="at least 1"):
            solve(RING.velocity, points(3), steps=0)


@pytest.mark.parametrize("solver", ode.SOLVERS)
def test_nobody_asks_for_the_velocity_of_a_finished_picture(solver):
    asked = []

    def velocity(x, t):
        asked.append(t[0].item())
        return RING.velocity(x, t)

    for steps in (1, 2, 20):
        asked.clear()
        ode.carry(velocity, points(3), steps, solver)
        assert len(asked) == ode.evaluations(steps, solver)
        assert asked[0] == 0 and max(asked) == pytest.approx(1 - 1 / steps)


def test_the_last_step_ends_at_the_mean_of_all_that_fits():
    """Of data finer than the noise that is left nothing of it stays; data coarser than it come out too narrow."""

    def width(solve, sigma):
        ring = toys.ring(sigma=sigma)
        x = solve(ring.velocity, points(2000), 10)
        return torch.cdist(x, ring.means).min(1).values.square().mean().div(2).sqrt().item()

    assert width(ode.carry, 0.001) < 0.002 < 0.04 < width(ode.integrate, 0.001)
    assert width(ode.carry, 0.15) < 0.135 < 0.15 < width(ode.integrate, 0.15)


def test_the_likelihood_is_the_known_density():
    x = RING.sample(200, torch.Generator().manual_seed(1), **DOUBLE)
    found = ode.log_likelihood(RING.velocity, x, steps=400)
    assert (found - RING.log_prob(x)).abs().max() < 0.02
    away = torch.tensor([[0.0, 0.0], [3.0, 3.0]], **DOUBLE)
    assert torch.allclose(ode.log_likelihood(RING.velocity, away, 400), RING.log_prob(away), atol=0.05)


def test_the_likelihood_with_probes_is_right_on_average():
    x = RING.sample(4, torch.Generator().manual_seed(1), **DOUBLE)
    exact = ode.log_likelihood(RING.velocity, x, steps=60)
    generator = torch.Generator().manual_seed(2)
    repeated = ode.log_likelihood(RING.velocity, x.repeat_interleave(400, 0), 60, 1, generator).view(4, 400)
    error = repeated.std(1) / math.sqrt(400)
    assert error.min() > 0
    assert ((repeated.mean(1) - exact).abs() < 4 * error).all()
    averaged = ode.log_likelihood(RING.velocity, x.repeat_interleave(400, 0), 60, 4, generator).view(4, 400)
    assert (averaged.std(1) / repeated.std(1)).mean().item() == pytest.approx(0.5, abs=0.1)
    assert ((averaged.mean(1) - exact).abs() < 4 * error).all()
