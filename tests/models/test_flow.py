"""Flow matching: the loss and its minimum, changes of variable, guidance and classes, training, bits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genimg import flow
from genimg.book import toys
from genimg.data.images import to_bytes, to_floats
from genimg.data.sources import load_images
from genimg.models.likelihood import log_gaussian
from genimg.training.loop import fit
from genimg.training.step import Stepper

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
        flow.Flow(8, width=8).sample(3, labels=1)


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
    x = digits[(digits.labels < 2).nonzero().squeeze(1)].floats()[:40]
    own = trained.bits_per_dim(x, generator=torch.Generator().manual_seed(0))
    assert 0 < own < 7
    assert trained.bits_per_dim(-x, generator=torch.Generator().manual_seed(0)) > own + 1


def test_bits_per_dim_of_a_known_density():
    """A flow whose velocity is that of N(0, 1/4): the bits of 8-bit pictures follow from the normal density."""

    class Exact(torch.nn.Module):
        def forward(self, x, t, labels=None):
            t = flow.per_sample(t, x)
            return (t * 0.25 - (1 - t)) / ((1 - t) ** 2 + t**2 * 0.25) * x

    model = flow.Flow(8, velocity=Exact())
    x = to_floats(to_bytes(0.5 * torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))))
    model.average["velocity"] = model.velocity
    model.device = lambda: torch.device("cpu")
    found = model.bits_per_dim(x, steps=100, generator=torch.Generator().manual_seed(1))
    log_p = log_gaussian(x, 0.0, 0.5) + 64 * math.log(2 / 255)
    assert found == pytest.approx(-log_p.mean().item() / (64 * math.log(2)), abs=0.01)


def test_labels_that_are_hidden():
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
    torch.manual_seed(0)
    Stepper(model, "cpu", torch.float32).step(torch.zeros(4000, 1, 8, 8), torch.full((4000,), 1))
    (labels,) = seen
    assert set(labels.tolist()) == {1, 3}
    assert (labels == 3).double().mean().item() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("steps", [1, 20, 50])
@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_sampling_ends_at_what_a_denoiser_answers(steps, solver):
    """However short the last step is: none of the noise is left."""
    answer = torch.linspace(-0.5, 0.5, 64).view(1, 1, 8, 8)

    class Knows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, t, labels=None):
            return answer.expand_as(x) + self.nothing

    model = flow.Flow(size=8, predicts="denoised", velocity=Knows())
    torch.testing.assert_close(model.sample(3, seed=0, steps=steps, solver=solver), answer.expand(3, -1, -1, -1))


def test_the_loss_of_a_denoiser_is_that_of_its_answer():
    """|answer - x_1|^2 / max(1 - t, 0.05)^2 per dimension: finite up to the end, and least at the mean of x_1."""
    answer, x, x_0 = points(5, 1, 64), points(5, 2, 64), points(5, 3, 64)
    answer, x, x_0 = (a.view(5, 1, 8, 8) for a in (answer, x, x_0))
    t = torch.tensor([0.0, 0.5, 0.94, 0.96, 0.9999], **DOUBLE)

    class Knows(torch.nn.Module):
        def forward(self, x, t, labels=None):
            return answer

    loss = flow.Flow(size=8, predicts="denoised", velocity=Knows()).loss(x, torch.zeros_like(x), x_0, t)["loss"]
    expected = (answer - x).square().flatten(1).mean(1) / (1 - t).clamp(min=0.05).square()
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)


def test_flow_refuses_unknown_times():
    with pytest.raises(ValueError, match="uniform, logit_normal"):
        flow.Flow(8, times="cosine")
