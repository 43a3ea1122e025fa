"""The VAE's terms against closed forms and torch.distributions, and what it learns."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions

import genimg
from genimg import vae
from genimg.data.images import to_floats
from genimg.training.step import Stepper


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_kl_against_torch_distributions():
    mu, logvar = rand(7, 5), rand(7, 5, seed=1)
    q = distributions.Normal(mu, (0.5 * logvar).exp())
    wanted = distributions.kl_divergence(q, distributions.Normal(0.0, 1.0))
    assert torch.allclose(vae.kl_to_standard_normal(mu, logvar), wanted, atol=1e-5)


@settings(deadline=None)
@given(mu=st.floats(-5, 5), logvar=st.floats(-10, 5))
def test_kl_is_never_negative_and_zero_at_the_prior(mu, logvar):
    kl = vae.kl_to_standard_normal(torch.tensor(mu, dtype=torch.float64), torch.tensor(logvar, dtype=torch.float64))
    assert kl >= -1e-12
    zero = torch.zeros(1)
    assert vae.kl_to_standard_normal(zero, zero).item() == 0.0


def test_kl_against_monte_carlo():
    mu, logvar = torch.tensor([[0.7, -1.2]]), torch.tensor([[-0.5, 0.9]])
    z = vae.reparameterise(mu.expand(200_000, 2), logvar.expand(200_000, 2), rand(200_000, 2))
    log_ratio = vae.log_gaussian(z, mu, (0.5 * logvar).exp()) - vae.log_gaussian(z, 0.0, 1.0)
    standard_error = log_ratio.std() / math.sqrt(len(log_ratio))
    assert abs(log_ratio.mean() - vae.kl_to_standard_normal(mu, logvar).sum()) < 4 * standard_error


def test_reparameterise_has_the_right_moments_and_gradients():
    mu = torch.full((100_000, 1), 0.5, requires_grad=True)
    logvar = torch.full((100_000, 1), math.log(4.0), requires_grad=True)
    torch.manual_seed(0)
    z = vae.reparameterise(mu, logvar)
    assert z.mean().item() == pytest.approx(0.5, abs=0.03)
    assert z.std().item() == pytest.approx(2.0, abs=0.03)
    z.square().mean().backward()  # E z^2 = mu^2 + sigma^2
    assert mu.grad.sum().item() == pytest.approx(2 * 0.5, abs=0.05)
    assert logvar.grad.sum().item() == pytest.approx(4.0, abs=0.1)
    assert torch.equal(vae.reparameterise(mu, logvar, torch.zeros_like(mu)), mu)


def test_optimal_sigma_is_the_best():
    x, mean = rand(8, 1, 8, 8), 0.5 * rand(8, 1, 8, 8, seed=1)
    best = vae.optimal_sigma(x, mean)
    here, lower, higher = (vae.log_gaussian(x, mean, best * f).sum() for f in (1.0, 0.97, 1.03))
    assert here > lower
    assert here > higher
    assert vae.optimal_sigma(x, x).item() == pytest.approx(math.exp(vae.LOG_SIGMA_RANGE[0]))


# The model.


def trained(steps=150, **options):
    images = genimg.load_images("digits", size=8, n=400)
    torch.manual_seed(0)
    model = vae.VAE(size=8, z_dim=4, width=16, max_width=32, lr=3e-3, **options)
    return model, genimg.fit(model, images, steps=steps, batch=32, seed=0), images


@pytest.mark.parametrize(
    "options", [{}, {"sigma": "learned"}, {"sigma": 0.5}, {"likelihood": "logistic"}, {"likelihood": "bernoulli"}]
)
def test_every_likelihood_trains(options):
    model, history, images = trained(**options)
    assert history["loss"][-1] < history["loss"][0]
    x = model.sample(5, seed=0)
    assert x.shape == (5, 1, 8, 8)
    assert x.abs().max() <= 1
    reconstructed = model.decode(model.encode(images.floats())[0])
    assert (reconstructed - images.floats()).square().mean() < 0.8 * images.floats().var(0).mean()


def test_likelihood_of_data_beats_noise_and_uniform():
    model, _, images = trained(400)
    noise = to_floats(torch.randint(0, 256, images.pixels.shape, dtype=torch.uint8))
    assert model.bits_per_dim(images.floats()) < 6.5 < 8 < model.bits_per_dim(noise)


def test_elbo_is_distortion_plus_kl():
    """The one-sample estimate agrees in the mean with the closed-form KL, so neither sign nor scale is off."""
    model, _, images = trained()
    x = images.floats()[:50]
    mu, logvar = model.encode(x)
    generator = torch.Generator().manual_seed(0)
    log_w = model.log_weights(x, 400, generator)
    kl = vae.kl_to_standard_normal(mu, logvar).sum(1)
    log_p = torch.stack(
        [
            vae.log_discretised_gaussian(
                x, model.decode(vae.reparameterise(mu, logvar, torch.randn(mu.shape, generator=generator))),
                model.scale(),
            )
            for _ in range(400)
        ]
    )  # fmt: skip
    error = (log_w.var(0) / 400 + log_p.var(0) / 400).mean().sqrt() / math.sqrt(50)
    assert abs((log_w.mean(0) - (log_p.mean(0) - kl)).mean()) < 5 * error + 1e-3


def test_importance_bound_of_the_model_is_tighter():
    model, _, images = trained()
    generator = torch.Generator().manual_seed(0)
    elbo, tighter = (model.log_likelihood_bound(images.floats()[:100], k, generator).mean() for k in (1, 32))
    assert tighter > elbo


def test_the_encoder_uses_its_noise():
    """A step with the noise dropped would give q(z | x) no reason to be wide: its variance would run to zero."""
    model, _, images = trained(300, sigma=1.0)
    mu, logvar = model.encode(images.floats())
    assert logvar.exp().mean() > 0.05
    assert vae.kl_to_standard_normal(mu, logvar).sum(1).mean() < 30


def test_step_reports_the_loss_it_descends():
    images = genimg.load_images("digits", size=8, n=64)
    for beta in (0.5, 1.0, 4.0):
        torch.manual_seed(0)
        model = vae.VAE(size=8, z_dim=3, width=8, beta=beta, sigma=0.7)
        losses = Stepper(model, "cpu", torch.float32).step(images.floats())
        assert losses["loss"].item() == pytest.approx((losses["distortion"] + beta * losses["kl"]).item(), rel=1e-5)


def test_more_beta_less_kl():
    kl = [trained(300, sigma=0.3, beta=beta)[1]["kl"][-1] for beta in (0.3, 1.0, 10.0)]
    assert kl[0] > kl[1] > kl[2]


def test_one_picture_does_not_depend_on_its_neighbours():
    model, _, images = trained(20)
    together = model.encode(images.floats()[:10])[0]
    alone = torch.cat([model.encode(one)[0] for one in images.floats()[:10].split(1)])
    assert torch.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("options", [{"likelihood": "mse"}, {"sigma": "best"}, {"sigma": -1.0}, {"sigma": 0}])
def test_bad_arguments_are_named(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        vae.VAE(**options)


@pytest.mark.parametrize("size", [8, 24, 40, 64, 88])
def test_networks_fit_each_other(size):
    encoder, decoder = vae.Encoder(size, 3, 5, width=4, max_width=8), vae.Decoder(size, 3, 5, width=4, max_width=8)
    mu, logvar = encoder(torch.randn(2, 3, size, size))
    assert mu.shape == logvar.shape == (2, 5)
    assert decoder(mu).shape == (2, 3, size, size)
    with pytest.raises(ValueError, match="a multiple of 8 from 8 to 512"):
        vae.VAE(size + 4)
