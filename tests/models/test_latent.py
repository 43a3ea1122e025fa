"""A flow on a VAE's codes: shapes, turns of the two players, the scale of codes, samples."""

import pytest
import torch

from genimg import flow, latent, load_images
from genimg.data.images import to_floats
from genimg.models.vae import kl_to_standard_normal
from genimg.training.loop import Training, fit

SIZES = {8: 8, 16: 8, 24: 12, 32: 8, 40: 10, 64: 8, 72: 9, 128: 16}


def small(**options):
    torch.manual_seed(0)
    return latent.Latent(16, 3, z_dim=4, width=8, max_width=16, flow_width=16, lr=3e-3, **options)


@pytest.fixture(scope="module")
def pictures():
    return load_images("shapes", 16, 400, seed=3)


@pytest.fixture(scope="module")
def trained(pictures):
    model = small()
    fit(model, pictures, steps=500, batch=32)
    return model


@pytest.mark.parametrize("size", SIZES)
def test_codes_are_maps_and_noise_is_as_long(size):
    model = latent.Latent(size, 3, z_dim=2, width=4, max_width=8, flow_width=8)
    mu, logvar = model.encode(torch.zeros(2, 3, size, size))
    assert mu.shape == logvar.shape == (2, 2, SIZES[size], SIZES[size])
    assert model.noise(3).shape == (3, 2 * SIZES[size] ** 2)
    assert model.sample(2, seed=0, steps=2).shape == (2, 3, size, size)
    with pytest.raises(ValueError, match="size 50"):
        latent.Latent(50)


def test_the_players_move_one_after_the_other(pictures):
    training = Training(small(first=0.4), pictures, 10, batch=8, device="cpu", every=1)
    names, moved = ("encoder", "decoder", "velocity"), []
    for _ in range(10):
        before = {n: [w.detach().clone() for w in training.model.get_submodule(n).parameters()] for n in names}
        averages = {n: [w.clone() for w in training.model.average[n].parameters()] for n in names}
        training.advance()
        now = {n: list(training.model.get_submodule(n).parameters()) for n in names}
        moved.append({n for n in names if any(not torch.equal(a, b) for a, b in zip(before[n], now[n], strict=True))})
        after = {n: list(training.model.average[n].parameters()) for n in names}
        assert moved[-1] == {
            n for n in names if any(not torch.equal(a, b) for a, b in zip(averages[n], after[n], strict=True))
        }
    assert moved == 4 * [{"encoder", "decoder"}] + 6 * [{"velocity"}]
    values = training.history
    assert values["kl"][:4].min() > 0 and torch.tensor(values["kl"][4:]).isnan().all()
    assert torch.tensor(values["velocity"][:4]).isnan().all() and values["velocity"][4:].min() > 0


def test_each_player_has_the_whole_schedule_to_itself(pictures):
    training = Training(small(first=0.5), pictures, 8, batch=8, device="cpu")
    rates = []
    for _ in range(8):
        (name,) = training.moving()
        training.advance()
        rates.append(training.stepper.optimisers[name].param_groups[0]["lr"] / 3e-3)
    assert rates == pytest.approx(2 * [1.0 - 0.9 * i / 4 for i in range(4)])


def test_the_bound_is_that_of_the_vae(pictures):
    model = small(kl_weight=0.25)
    x = to_floats(pictures.pixels[:5])
    eps, x_0, t = model.training_noise(5)
    parts = model.vae_loss(x, eps, x_0, t)
    mean = torch.tanh(model.decoder(parts["mu"] + (0.5 * parts["logvar"]).exp() * eps))
    sigma = (x - mean).square().mean().sqrt()
    log_p = torch.distributions.Normal(mean, sigma).log_prob(x).flatten(1).sum(1)
    kl = kl_to_standard_normal(parts["mu"], parts["logvar"]).sum((1, 2, 3))
    assert torch.allclose(parts["loss"], 0.25 * kl - log_p, rtol=1e-5)


def test_the_flow_sees_codes_of_deviation_one(trained, pictures):
    mu, logvar = trained.encode(to_floats(pictures.pixels))
    code = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
    seen = (code - trained.shift) / trained.deviation
    assert (seen.mean((0, 2, 3)).abs() < 0.15).all() and ((seen.std((0, 2, 3)) - 1).abs() < 0.15).all()


def test_the_flows_loss_is_that_of_its_velocity_and_leaves_the_encoder_alone(trained, pictures):
    x = to_floats(pictures.pixels[:4])
    eps, x_0, t = trained.training_noise(4)
    trained.zero_grad()
    parts = trained.flow_loss(x, eps, x_0, t)
    mu, logvar = trained.encode(x)
    code = (mu + (0.5 * logvar).exp() * eps - trained.shift) / trained.deviation
    v = trained.velocity(flow.interpolate(x_0, code, t), t)
    assert torch.allclose(parts["velocity"], flow.velocity_loss(v, x_0, code), atol=1e-5)
    parts["velocity"].mean().backward()
    assert all(w.grad is None for w in trained.encoder.parameters())
    assert any(w.grad is not None for w in trained.velocity.parameters())


def test_it_learns(trained, pictures):
    """The flow's codes lie nearer to those of pictures than the prior's: in their covariance over places."""
    unseen = to_floats(load_images("shapes", 16, 300, seed=9).pixels)
    x = trained.sample(300, seed=1)
    prior = trained.decode(trained.noise(300).unflatten(1, trained.places) * trained.deviation + trained.shift)

    def off(samples):
        a, b = (torch.cov(part.flatten(1).T) for part in (samples, unseen))
        return ((a - b).norm() / b.norm()).item()

    assert off(x) < 0.7 * off(prior)
    again = trained.decode(trained.encode(unseen)[0])
    assert (again - unseen).square().mean() < 0.3 * (unseen.mean(0) - unseen).square().mean()


def test_the_same_seed_the_same_pictures(trained):
    assert torch.equal(trained.sample(3, seed=5), trained.sample(3, seed=5))
    assert not torch.equal(trained.sample(3, seed=5), trained.sample(3, seed=6))
    z = trained.noise(3, torch.Generator().manual_seed(5))
    assert torch.equal(trained.sample(z=z), trained.sample(3, seed=5))
