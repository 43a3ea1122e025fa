"""Flow matching: the loss and its minimum, the solvers' order, the likelihood, changes of variable, training."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import genimg
from genimg import flow
from genimg.data.images import batches, to_bytes, to_floats
from genimg.data.sources import load_images
from genimg.measure import toys
from genimg.models import unet
from genimg.training.loop import fit
from genimg.models.vae import log_gaussian

DOUBLE = dict(dtype=torch.float64)
RING = toys.ring()


def points(n, seed=0, dims=2):
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed), **DOUBLE)


@pytest.fixture(scope="module")
def digits():
    return load_images("digits", 8)


@pytest.fixture(scope="module")
def trained(digits):
    """A small conditional flow on the digits 0 and 1, quick to learn apart."""
    torch.manual_seed(0)
    model = flow.Flow(size=8, width=16, max_width=32, classes=2, lr=3e-3)
    fit(model, digits[(digits.labels < 2).nonzero().squeeze(1)], steps=250, batch=32)
    return model


def test_the_path_runs_from_noise_to_data():
    x_0, x_1 = points(5), points(5, seed=1)
    assert torch.equal(flow.interpolate(x_0, x_1, 0.0), x_0)
    assert torch.equal(flow.interpolate(x_0, x_1, 1.0), x_1)
    t = torch.linspace(0, 1, 5, **DOUBLE)
    by_hand = torch.stack([(1 - t[i]) * x_0[i] + t[i] * x_1[i] for i in range(5)])
    assert torch.allclose(flow.interpolate(x_0, x_1, t), by_hand)


def test_the_target_is_the_derivative_of_the_path():
    x_0, x_1, h = points(4), points(4, seed=1), 1e-6
    slope = (flow.interpolate(x_0, x_1, 0.3 + h) - flow.interpolate(x_0, x_1, 0.3 - h)) / (2 * h)
    assert flow.velocity_loss(slope, x_0, x_1).max() < 1e-12
    assert flow.velocity_loss(-slope, x_0, x_1).min() > 0.01


def test_the_loss_is_per_sample_and_a_mean_over_dimensions():
    x_0, x_1 = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    v = torch.stack([torch.full((1, 2, 2), 3.0), torch.ones(1, 2, 2)])
    assert flow.velocity_loss(v, x_0, x_1).tolist() == [4.0, 0.0]


def test_the_loss_is_least_at_the_marginal_velocity():
    """The mean loss of the closed-form field is below that of fields a little off, in every direction tried."""
    generator = torch.Generator().manual_seed(0)
    x_1, x_0 = RING.sample(20_000, generator, **DOUBLE), points(20_000)
    t = torch.rand(20_000, generator=generator, **DOUBLE)
    x_t = flow.interpolate(x_0, x_1, t)
    v = RING.velocity(x_t, t)

    def loss(v):
        return flow.velocity_loss(v, x_0, x_1).mean()

    for change in (0.1 * x_t, -0.1 * x_t, torch.tensor([0.1, 0.0]), 0.1 * v, -0.1 * v, t[:, None] * torch.ones(2) / 10):
        assert loss(v + change) > loss(v)


@pytest.mark.parametrize("name", list(flow.TIMES))
def test_times_are_in_the_open_interval_and_follow_their_law(name):
    t = flow.TIMES[name](40_000, torch.Generator().manual_seed(0))
    assert t.shape == (40_000,) and t.min() >= 0 and t.max() <= 1
    assert t.mean().item() == pytest.approx(0.5, abs=0.01)
    # P(1/4 < t < 3/4): half, or that |N(0, 1)| < log 3.
    inside = {"uniform": 0.5, "logit_normal": math.erf(math.log(3) / math.sqrt(2))}[name]
    assert ((t > 0.25) & (t < 0.75)).double().mean().item() == pytest.approx(inside, abs=0.01)


def test_logit_normal_times_take_mean_and_deviation():
    t = flow.logit_normal_times(40_000, torch.Generator().manual_seed(0), mean=-1.0, std=0.5)
    logit = torch.logit(t.double())
    assert logit.mean().item() == pytest.approx(-1, abs=0.02) and logit.std().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_order_of_the_solvers(solver, order):
    """dx/dt = x cos t, whose solution is x_0 e^(sin t), and the ring's own field."""
    x = points(50)
    exact = x * math.exp(math.sin(1.0))
    fine = flow.integrate(RING.velocity, x, 4000)
    for velocity, truth, counts in (
        (lambda x, t: x * t.cos()[:, None], exact, (8, 32)),
        (RING.velocity, fine, (128, 512)),
    ):
        few, many = [(flow.integrate(velocity, x, k, solver) - truth).abs().mean() for k in counts]
        assert math.log(few / many) / math.log(counts[1] / counts[0]) == pytest.approx(order, abs=0.25)


def test_the_field_carries_noise_to_the_data_and_back():
    x_0 = points(4000)
    x_1 = flow.integrate(RING.velocity, x_0, 200)
    report = RING.report(x_1)
    assert report["modes"] == 8 and report["high_quality"] > 0.97
    assert (flow.integrate(RING.velocity, x_1, 200, start=1.0, end=0.0) - x_0).abs().median() < 1e-3
    # Taken the other way round in time, it does not.
    assert RING.report(flow.integrate(lambda x, t: RING.velocity(x, 1 - t), x_0, 200))["high_quality"] < 0.9
    assert RING.report(flow.integrate(lambda x, t: -RING.velocity(x, t), x_0, 200))["high_quality"] < 0.5


def test_integrate_refuses():
    with pytest.raises(ValueError, match="euler, heun"):
        flow.integrate(RING.velocity, points(3), solver="rk45")
    with pytest.raises(ValueError, match="at least 1"):
        flow.integrate(RING.velocity, points(3), steps=0)


def test_the_likelihood_is_the_known_density():
    x = RING.sample(200, torch.Generator().manual_seed(1), **DOUBLE)
    found = flow.log_likelihood(RING.velocity, x, steps=400)
    assert (found - RING.log_prob(x)).abs().max() < 0.02
    away = torch.tensor([[0.0, 0.0], [3.0, 3.0]], **DOUBLE)
    assert torch.allclose(flow.log_likelihood(RING.velocity, away, 400), RING.log_prob(away), atol=0.05)


def test_the_likelihood_with_probes_is_right_on_average():
    x = RING.sample(4, torch.Generator().manual_seed(1), **DOUBLE)
    exact = flow.log_likelihood(RING.velocity, x, steps=60)
    generator = torch.Generator().manual_seed(2)
    repeated = flow.log_likelihood(RING.velocity, x.repeat_interleave(400, 0), 60, 1, generator).view(4, 400)
    error = repeated.std(1) / math.sqrt(400)
    assert error.min() > 0
    assert ((repeated.mean(1) - exact).abs() < 4 * error).all()
    averaged = flow.log_likelihood(RING.velocity, x.repeat_interleave(400, 0), 60, 4, generator).view(4, 400)
    assert (averaged.std(1) / repeated.std(1)).mean().item() == pytest.approx(0.5, abs=0.1)
    assert ((averaged.mean(1) - exact).abs() < 4 * error).all()


@settings(max_examples=30)
@given(t=st.floats(0.01, 0.99), seed=st.integers(0, 1000))
def test_three_readings_of_one_network(t, seed):
    """Velocity, noise and denoised picture determine each other; EDM's and DDPM's formulas give the same picture."""
    x_0, x_1 = points(6, seed), points(6, seed + 1)
    x_t = flow.interpolate(x_0, x_1, t)
    v = x_1 - x_0
    assert torch.allclose(flow.denoised(x_t, v, t), x_1, atol=1e-9)
    assert torch.allclose(flow.noise(x_t, v, t), x_0, atol=1e-9)
    assert torch.allclose(flow.from_denoised(x_t, x_1, t), v, atol=1e-9)
    assert torch.allclose(flow.from_noise(x_t, x_0, t), v, atol=1e-9)
    seen, sigma = flow.edm_view(x_t, t)
    assert torch.allclose(seen, x_1 + sigma * x_0, atol=1e-9)
    seen, a = flow.ddpm_view(x_t, t)
    assert torch.allclose((seen - (1 - a).sqrt() * flow.noise(x_t, v, t)) / a.sqrt(), x_1, atol=1e-5)


def test_three_readings_agree_on_a_trained_network(trained, digits):
    """As one reads each: the denoised pictures agree to 1e-5 at every time but the very ends."""
    net = trained.velocity_of()
    x_0 = trained.noise(16, torch.Generator().manual_seed(0))
    t = torch.linspace(0.05, 0.95, 16)
    x_t = flow.interpolate(x_0, digits[:16].floats(), t)
    with torch.no_grad():
        v = net(x_t, t)
    direct, predicted = flow.denoised(x_t, v, t), flow.noise(x_t, v, t)
    seen, a = flow.ddpm_view(x_t, t)
    assert ((seen - (1 - a).sqrt() * predicted) / a.sqrt() - direct).abs().max() < 1e-5
    noisy, sigma = flow.edm_view(x_t, t)
    assert (noisy - sigma * predicted - direct).abs().max() < 1e-4


def test_guidance():
    c, u = torch.tensor([2.0]), torch.tensor([1.0])
    assert [flow.guided(c, u, s).item() for s in (0.0, 1.0, 3.0)] == [1.0, 2.0, 4.0]


def test_guidance_is_applied_once(trained):
    """The velocity that `sample` follows, against both networks' answers put together by hand."""
    x, t, labels = trained.noise(4, torch.Generator().manual_seed(3)), torch.full((4,), 0.4), torch.tensor([0, 1, 1, 0])
    net = trained.average["velocity"]
    with torch.no_grad():
        c, u = net(x, t, labels), net(x, t, None)
        assert torch.allclose(trained.velocity_of(labels, 3.0)(x, t), u + 3 * (c - u), atol=1e-5)
        assert torch.allclose(trained.velocity_of(labels)(x, t), c)
        assert torch.allclose(trained.velocity_of()(x, t), u)
    assert (c - u).abs().max() > 0.01


def test_classes_are_obeyed(trained, digits):
    """Mean pictures of the two classes are far apart; samples are nearer to that of their own."""
    means = torch.stack([digits.floats()[digits.labels == k].mean(0) for k in (0, 1)])
    for label in (0, 1):
        x = trained.sample(40, seed=0, labels=label, guidance=2.0, steps=10)
        distance = (x.unsqueeze(1) - means).square().flatten(2).sum(2)  # (40, 2)
        assert (distance.argmin(1) == label).double().mean() > 0.9
    with pytest.raises(ValueError, match="2 classes"):
        trained.sample(3, labels=2)
    with pytest.raises(ValueError, match="0 classes"):
        model = flow.Flow(8, width=8)
        model.prepare("cpu")
        model.sample(3, labels=1)


def test_it_learns_its_data(trained, digits):
    """Samples are far nearer to real zeros and ones than noise is, and as dark in the mean."""
    real = digits[(digits.labels < 2).nonzero().squeeze(1)].floats()
    x = trained.sample(100, seed=1)
    assert x.shape == (100, 1, 8, 8) and x.dtype == torch.float32 and x.abs().max() <= 1
    near = torch.cdist(x.flatten(1), real.flatten(1)).min(1).values.median()
    noise = torch.cdist(trained.noise(100).clamp(-1, 1).flatten(1), real.flatten(1)).min(1).values.median()
    assert near < 0.5 * noise
    assert x.mean().item() == pytest.approx(real.mean().item(), abs=0.1)


def test_samples_obey_seed_noise_and_solver(trained):
    assert torch.equal(trained.sample(5, seed=3), trained.sample(5, seed=3))
    assert not torch.equal(trained.sample(5, seed=3), trained.sample(5, seed=4))
    z = trained.noise(5, torch.Generator().manual_seed(3))
    assert torch.equal(trained.sample(z=z), trained.sample(5, seed=3))
    assert not torch.equal(trained.sample(z=z, steps=2), trained.sample(z=z, steps=2, solver="euler"))
    assert not torch.equal(trained.sample(z=z), trained.sample(z=z, averaged=False))


def test_bits_per_dim(trained, digits):
    """Less than the 8 bits of noise on its own data; more on pictures turned negative."""
    pixels = digits[(digits.labels < 2).nonzero().squeeze(1)].pixels[:40]
    own = trained.bits_per_dim(pixels, generator=torch.Generator().manual_seed(0))
    assert 0 < own < 7
    assert trained.bits_per_dim(255 - pixels, generator=torch.Generator().manual_seed(0)) > own + 1


def test_bits_per_dim_of_a_known_density():
    """A flow whose velocity is that of N(0, 1/4): the bits of 8-bit pictures follow from the normal density."""

    class Exact(torch.nn.Module):
        def forward(self, x, t, labels=None):
            t = flow.per_sample(t, x)
            return (t * 0.25 - (1 - t)) / ((1 - t) ** 2 + t**2 * 0.25) * x

    model = flow.Flow(8, velocity=Exact())
    pixels = to_bytes(0.5 * torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    model.average["velocity"] = model.velocity
    model.device = lambda: torch.device("cpu")
    found = model.bits_per_dim(pixels, steps=100, generator=torch.Generator().manual_seed(1))
    log_p = log_gaussian(to_floats(pixels), 0.0, 0.5) + 64 * math.log(2 / 255)
    assert found == pytest.approx(-log_p.mean().item() / (64 * math.log(2)), abs=0.01)


def test_labels_that_are_hidden(monkeypatch):
    """A share `drop` of the labels becomes "none given"; the others stay."""
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x, t, labels=None):
            seen.append(labels)
            return self.weight * x

    model = flow.Flow(8, classes=3, drop=0.25, velocity=Spy())
    model.prepare("cpu")
    torch.manual_seed(0)
    model.step(torch.zeros(4000, 1, 8, 8), torch.full((4000,), 1))
    (labels,) = seen
    assert set(labels.tolist()) == {1, 3}
    assert (labels == 3).double().mean().item() == pytest.approx(0.25, abs=0.03)


def test_labels_go_with_their_pictures(digits):
    pairs = batches(digits, 64, seed=5, labelled=True)
    plain = batches(digits, 64, seed=5)
    known = {picture.numpy().tobytes(): label for picture, label in zip(digits.pixels, digits.labels, strict=True)}
    for _ in range(40):  # into a second epoch
        x, labels = next(pairs)
        assert torch.equal(x, next(plain))
        assert [known[p.numpy().tobytes()] for p in to_bytes(x)] == labels.tolist()
    with pytest.raises(genimg.errors.DataError, match="no labels"):
        next(batches(digits.pixels, 8, labelled=True))


@pytest.mark.parametrize(("size", "channels", "patch"), [(8, 1, None), (16, 3, 2), (32, 3, 1), (64, 3, None)])
def test_unet(size, channels, patch):
    net = unet.UNet(size, channels, width=12, max_width=20, patch=patch, classes=4)
    x, t = torch.randn(2, channels, size, size), torch.tensor([0.1, 0.8])
    assert torch.equal(net(x, t), torch.zeros_like(x))
    torch.nn.init.normal_(net.last.weight)
    for module in net.modules():
        if isinstance(module, unet.Block):
            torch.nn.init.normal_(module.conv2.weight, std=0.02)
    y = net(x, t, torch.tensor([0, 1]))
    assert y.shape == x.shape
    assert not torch.allclose(y, net(x, t, torch.tensor([2, 1]))[:, :]) and not torch.allclose(y, net(x, t))
    assert not torch.allclose(y, net(x, t.flip(0), torch.tensor([0, 1])))
    alone = net(x[:1], t[:1], torch.tensor([0]))
    assert torch.allclose(alone, y[:1], atol=1e-4), "a picture's answer depends on its neighbours"


@pytest.mark.parametrize(("size", "patch"), [(12, None), (8, 4), (16, 3), (512, None)])
def test_unet_refuses(size, patch):
    with pytest.raises(ValueError, match="it is built for"):
        unet.UNet(size, patch=patch)


def test_flow_refuses_unknown_times():
    with pytest.raises(ValueError, match="uniform, logit_normal"):
        flow.Flow(8, times="cosine")
