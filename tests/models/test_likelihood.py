"""Likelihoods of pictures against torch.distributions, sums over grey levels and a model whose likelihood is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions

from genimg.data.images import to_floats
from genimg.models import likelihood


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sigma", [0.3, torch.tensor(2.0), rand(4, 1, 1, 1).exp()])
def test_gaussian_against_torch_distributions(sigma):
    x, mean = rand(4, 3, 5, 5), rand(4, 3, 5, 5, seed=1)
    wanted = distributions.Normal(mean, sigma).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(likelihood.log_gaussian(x, mean, sigma), wanted, rtol=1e-4)


def test_mean_squared_error_is_a_gaussian_in_disguise():
    x, mean = rand(4, 1, 8, 8), rand(4, 1, 8, 8, seed=1)
    error = (x - mean).square().flatten(1).sum(1)
    assert torch.allclose(likelihood.log_gaussian(x, mean, 1.0), -0.5 * error - 32 * math.log(2 * math.pi), rtol=1e-4)


def test_bernoulli_against_torch_distributions():
    x, logits = (rand(4, 1, 6, 6) > 0).float(), 3 * rand(4, 1, 6, 6, seed=1)
    wanted = distributions.Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(likelihood.log_bernoulli(x, logits), wanted, rtol=1e-4)


LEVELS = to_floats(torch.arange(256, dtype=torch.uint8)).view(256, 1, 1, 1)


@settings(deadline=None, max_examples=60)
@given(mean=st.floats(-1, 1), scale=st.floats(0.002, 30))
@pytest.mark.parametrize("log_p", [likelihood.log_discretised_gaussian, likelihood.log_discretised_logistic])
def test_discretised_likelihoods_sum_to_one(log_p, mean, scale):
    values = log_p(LEVELS, torch.tensor(mean), scale)
    assert torch.isfinite(values).all()
    assert values.double().exp().sum().item() == pytest.approx(1.0, abs=1e-4)


def test_discretised_gaussian_is_density_times_bin_where_the_bin_is_narrow():
    inner = LEVELS[40:216]
    values = likelihood.log_discretised_gaussian(inner, torch.tensor(0.1), 0.5)
    density = likelihood.log_gaussian(inner, torch.tensor(0.1), 0.5) + math.log(likelihood.BIN)
    assert torch.allclose(values, density, atol=1e-3)


def test_a_uniform_8_bit_model_costs_8_bits():
    dims = 3 * 16 * 16
    assert likelihood.bits_per_dim(torch.tensor(dims * math.log(1 / 256)), dims).item() == pytest.approx(8.0)

    def uniform(u):  # CDF of the uniform density over the 256 bins
        share = ((u + 1 + likelihood.BIN / 2) / (2 + likelihood.BIN)).clamp(1e-12, 1 - 1e-12)
        return share.log(), (1 - share).log()

    values = likelihood.log_discretised(LEVELS, torch.tensor(0.0), 1.0, uniform)
    assert likelihood.bits_per_dim(values, 1).mean().item() == pytest.approx(8.0, abs=0.05)


class LinearGaussian:
    """x = W z + noise of deviation s: everything about it is known (Tipping and Bishop 1999)."""

    def __init__(self, dims=6, latents=2, s=0.5):
        self.w, self.s = rand(dims, latents, seed=3).double(), s
        covariance = self.w @ self.w.T + s**2 * torch.eye(dims, dtype=torch.float64)
        self.x_distribution = distributions.MultivariateNormal(torch.zeros(dims, dtype=torch.float64), covariance)
        precision = torch.eye(latents, dtype=torch.float64) + self.w.T @ self.w / s**2
        self.posterior_covariance = torch.linalg.inv(precision)

    def log_weights(self, x, z, log_q):
        pairs, means = x.expand(len(z), *x.shape).flatten(0, 1), (z @ self.w.T).flatten(0, 1)
        log_p = likelihood.log_gaussian(pairs, means, self.s) + likelihood.log_gaussian(z.flatten(0, 1), 0.0, 1.0)
        return log_p.view(len(z), -1) - log_q

    def posterior(self, x):
        mean = x @ self.w @ self.posterior_covariance / self.s**2
        return distributions.MultivariateNormal(mean, self.posterior_covariance)


def test_the_bound_is_exact_with_the_exact_posterior():
    model = LinearGaussian()
    x = model.x_distribution.sample((20,))
    q = model.posterior(x)
    z = q.sample((3,))
    log_w = model.log_weights(x, z, q.log_prob(z))
    exact = model.x_distribution.log_prob(x)
    assert torch.allclose(log_w, exact.expand_as(log_w))  # every single weight is p(x)
    assert torch.allclose(likelihood.importance_bound(log_w), exact)


def test_elbo_iwae_and_log_p_are_in_order():
    torch.manual_seed(0)
    model = LinearGaussian()
    x = model.x_distribution.sample((400,))
    q = distributions.Independent(distributions.Normal(torch.zeros(400, 2).double(), 0.6), 1)  # a poor posterior
    z = q.sample((4096,))
    log_w = model.log_weights(x, z, q.log_prob(z))
    means = []
    for k in (1, 4, 16, 64, 512):
        groups = log_w[: 4096 // k * k].view(-1, k, 400)
        means.append(torch.stack([likelihood.importance_bound(g) for g in groups]).mean().item())
    assert means == sorted(means)
    assert means[0] < means[-1] - 0.5
    assert means[-1] < model.x_distribution.log_prob(x).mean().item()


def test_importance_bound_of_equal_weights_is_the_weight():
    assert torch.allclose(likelihood.importance_bound(torch.full((9, 2), -123.0)), torch.tensor([-123.0, -123.0]))


def test_seventeen_levels_sum_to_one_and_are_found():
    levels = torch.linspace(-1, 1, 17)
    assert torch.allclose(likelihood.to_levels(levels + 0.06 * torch.linspace(-1, 1, 17), 17), levels)
    for mean, sigma in ((0.7, 0.2), (-1.0, 0.02), (0.0, 3.0)):
        x = levels.view(-1, 1, 1, 1)
        log_p = likelihood.log_discretised_gaussian(x, torch.full_like(x, mean), sigma, levels=17)
        assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_independent_pixels_are_counted():
    seen = torch.tensor([[-1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]).view(3, 1, 1, 2)
    found = likelihood.independent_pixels(seen, torch.tensor([[-1.0, 1.0]]).view(1, 1, 1, 2), levels=3, floor=1.0)
    assert found.item() == pytest.approx(math.log(3 / 6) + math.log(2 / 6))
    grid = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 2).view(-1, 1, 1, 2)
    assert likelihood.independent_pixels(seen, grid, levels=3).exp().sum().item() == pytest.approx(1)
