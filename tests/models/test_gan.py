"""The GAN's losses, penalties, networks and step, against closed forms and against what goes wrong silently."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import genimg
from genimg import gan
from genimg.training.step import Stepper

logit = st.floats(-8, 8, allow_nan=False)


def pair(real, fake):
    return torch.tensor([real], dtype=torch.float64), torch.tensor([fake], dtype=torch.float64)


@settings(deadline=None)
@given(real=logit, fake=logit)
def test_losses_equal_their_formulas(real, fake):
    d_real, d_fake = 1 / (1 + math.exp(-real)), 1 / (1 + math.exp(-fake))
    wanted = {
        "minimax": (-math.log(d_real) - math.log(1 - d_fake), math.log(1 - d_fake)),
        "non_saturating": (-math.log(d_real) - math.log(1 - d_fake), -math.log(d_fake)),
        "sigmoid_bce": (-math.log(d_real) - math.log(1 - d_fake), -math.log(d_fake)),
        "hinge": (max(0, 1 - real) + max(0, 1 + fake), -fake),
        "wasserstein": (fake - real, -fake),
        "relativistic": (
            -math.log(1 / (1 + math.exp(fake - real))),
            -math.log(1 / (1 + math.exp(real - fake))),
        ),
    }
    assert wanted.keys() == gan.LOSSES.keys()
    for name, losses in gan.LOSSES.items():
        for loss, value in zip(losses, wanted[name], strict=True):
            assert loss(*pair(real, fake)).item() == pytest.approx(value, abs=1e-9), name


@settings(deadline=None)
@given(real=logit, fake=logit)
def test_every_loss_pulls_the_right_way(real, fake):
    for name, (d_loss, g_loss) in gan.LOSSES.items():
        here = pair(real, fake)
        assert d_loss(*pair(real + 0.5, fake)) <= d_loss(*here), name
        assert d_loss(*pair(real, fake - 0.5)) <= d_loss(*here), name
        assert g_loss(*pair(real, fake + 0.5)) < g_loss(*here), name


@pytest.mark.parametrize("name", gan.LOSSES)
def test_gradients_against_finite_differences(name):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, dtype=torch.float64, generator=generator).requires_grad_()
    for loss in gan.LOSSES[name]:
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x[0], x[1]), logits)


def test_losses_are_per_sample_and_survive_huge_logits():
    logits = torch.tensor([-1e4, 0.0, 1e4])
    for d_loss, g_loss in gan.LOSSES.values():
        for loss in (d_loss, g_loss):
            values = loss(logits, -logits)
            assert values.shape == (3,)
            assert torch.isfinite(values).all()


@settings(deadline=None)
@given(real=logit, fake=logit, shift=st.floats(-50, 50))
def test_relativistic_loss_ignores_a_shift_of_all_logits(real, fake, shift):
    for loss in gan.LOSSES["relativistic"]:
        assert loss(*pair(real + shift, fake + shift)).item() == pytest.approx(loss(*pair(real, fake)).item(), abs=1e-9)


class Linear(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight


def test_penalties_of_a_linear_discriminator():
    weight = torch.randn(12, generator=torch.Generator().manual_seed(1))
    discriminator, x = Linear(weight), torch.randn(5, 3, 2, 2, requires_grad=True)
    r1 = gan.gradient_penalty_at(discriminator(x), x)
    assert torch.allclose(r1, weight.square().sum().expand(5))
    wasserstein = gan.wgan_penalty(discriminator, x.detach(), torch.randn(5, 3, 2, 2))
    assert torch.allclose(wasserstein, (weight.norm() - 1).square().expand(5), atol=1e-5)
    r1.mean().backward()  # the penalty trains the weights: d|w|^2 / dw = 2 w
    assert torch.allclose(discriminator.weight.grad, 2 * weight, atol=1e-5)


def test_r1_against_finite_differences():
    torch.manual_seed(0)
    net = gan.Discriminator(8, 1, width=4).double()
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    r1 = gan.gradient_penalty_at(net(x), x)
    by_hand = torch.zeros(3, dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        for i in range(64):
            change = torch.zeros(1, 64, dtype=torch.float64)
            change[0, i] = step
            change = change.view(1, 1, 8, 8)
            by_hand += ((net(x + change) - net(x - change)) / (2 * step)).double().square()
    assert torch.allclose(r1, by_hand, rtol=2e-2)  # logits come out in float32


@settings(max_examples=12, deadline=None)
@given(
    size=st.sampled_from([8, 16, 24, 32, 40, 64, 88]),
    channels=st.sampled_from([1, 3]),
    n=st.integers(1, 3),
    z_dim=st.integers(1, 40),
)
def test_networks_fit_each_other(size, channels, n, z_dim):
    generator = gan.Generator(size, channels, z_dim, width=4, max_width=8).eval()
    discriminator = gan.Discriminator(size, channels, width=4, max_width=8)
    x = generator(torch.randn(n, z_dim))
    assert x.shape == (n, channels, size, size)
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (n,)


@pytest.mark.parametrize("size", [0, -8, 4, 20, 520])
def test_sizes_that_do_not_fit_are_refused(size):
    with pytest.raises(ValueError, match="a multiple of 8 from 8 to 512"):
        gan.GAN(size=size)


def test_unknown_loss_is_named():
    with pytest.raises(ValueError, match="cross_entropy"):
        gan.GAN(loss="cross_entropy")


def small(loss="relativistic", **options):
    torch.manual_seed(0)
    model = gan.GAN(size=8, channels=1, z_dim=4, width=8, d_width=8, loss=loss, **{"lr": 3e-3} | options)
    return Stepper(model, "cpu", torch.float32)


def weights(net):
    return [p.detach().clone() for p in net.parameters()]


def unchanged(net, before):
    return all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


WHITE = torch.ones(16, 1, 8, 8)


@pytest.mark.parametrize("penalised", [True, False])
@pytest.mark.parametrize("loss", gan.LOSSES)
def test_each_step_trains_its_own_network_alone(loss, penalised):
    trainer = small(loss)
    model = trainer.model
    trainer.steps = 0 if penalised else 1
    g, d = weights(model.generator), weights(model.discriminator)
    trainer.move("d", WHITE)
    assert unchanged(model.generator, g)
    assert all(p.grad is None for p in model.generator.parameters())
    assert not unchanged(model.discriminator, d)
    d = weights(model.discriminator)
    trainer.optimisers["d"].zero_grad(set_to_none=True)
    trainer.move("g", WHITE)
    assert unchanged(model.discriminator, d)
    assert all(p.grad is None for p in model.discriminator.parameters())
    assert not unchanged(model.generator, g)
    trainer.step(WHITE)
    assert all(p.requires_grad for p in [*model.discriminator.parameters(), *model.generator.parameters()])


@pytest.mark.parametrize("penalise", [True, False])
@pytest.mark.parametrize("loss", gan.LOSSES)
def test_no_gradient_of_the_discriminators_loss_reaches_the_generator(loss, penalise):
    """Also where nobody has taken the generator's weights out of the graph, as `Stepper` does."""
    model = small(loss, r1=0.1, r2=0.1, wgan=1.0).model
    assert all(p.requires_grad for p in model.generator.parameters())
    parts = model.d_loss(WHITE, model.noise(16), penalise=penalise)
    assert ({"r1", "r2", "wgan"} <= parts.keys()) == penalise
    sum(part.sum() for part in parts.values() if part.requires_grad).backward()
    assert all(p.grad is None for p in model.generator.parameters()), "D's loss reached G: its fakes are not detached"
    assert all(p.grad is not None for name, p in model.discriminator.named_parameters() if name.endswith("weight"))


def test_the_two_players_have_their_own_networks_and_rates():
    players = small(lr=1e-3, d_lr=4e-3, r1=0.2, r2=0.0, every=5).model.players()
    assert list(players) == ["d", "g"]  # D moves first
    assert [player.networks for player in players.values()] == [("discriminator",), ("generator",)]
    assert [player.lr for player in players.values()] == [4e-3, 1e-3]
    assert (players["d"].penalties, players["d"].every, players["g"].penalties) == ({"r1": 0.1}, 5, {})
    assert small(lr=1e-3).rates == {"d": 1e-3, "g": 1e-3}
    trainer = small(lr=1e-3, d_lr=4e-3)
    assert {name: o.param_groups[0]["lr"] for name, o in trainer.optimisers.items()} == {"d": 4e-3, "g": 1e-3}


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_the_discriminator_learns_that_real_is_high(loss):
    trainer = small(loss)
    model = trainer.model
    for _ in range(30):
        trainer.move("d", WHITE)
    with torch.no_grad():
        real = model.discriminator(WHITE).mean()
        fake = model.discriminator(model.generator(model.noise(64))).mean()
    assert real > fake + 0.5


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_the_generator_climbs_the_logit(loss):
    trainer = small(loss)
    model = trainer.model
    for _ in range(30):
        trainer.move("d", WHITE)
    z = model.noise(64)
    with torch.no_grad():
        before = model.discriminator(model.generator(z)).mean()
    for _ in range(20):
        trainer.move("g", WHITE)
    with torch.no_grad():
        assert model.discriminator(model.generator(z)).mean() > before


def test_penalties_come_each_so_many_steps_with_their_weight():
    trainer = small(every=3)
    named = [set(trainer.step(WHITE)) for _ in range(6)]
    assert [{"r1", "r2"} <= names for names in named] == [True, False, False, True, False, False]
    strong, weak = small(r1=50.0, r2=0.0, every=1), small(r1=0.0, r2=0.0, every=1)
    for _ in range(15):
        strong.move("d", WHITE), weak.move("d", WHITE)
    slopes = []
    for trainer in (strong, weak):
        x = WHITE.clone().requires_grad_()
        slopes.append(gan.gradient_penalty_at(trainer.model.discriminator(x), x).mean().item())
    assert slopes[0] < 0.5 * slopes[1]


def test_losses_are_detached_and_on_the_device():
    losses = small().step(WHITE)
    assert {"loss_d", "loss_g", "logit_real", "logit_fake", "r1", "r2"} <= losses.keys()
    assert all(isinstance(v, torch.Tensor) and v.dim() == 0 and not v.requires_grad for v in losses.values())


def test_the_generator_is_trained_with_batch_statistics_and_sampled_without():
    trainer = small()
    model = trainer.model
    norm = next(m for m in model.generator.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone()
    trainer.step(WHITE)
    assert not torch.equal(norm.running_mean, before)
    model.calibrate()
    for averaged in (True, False):
        z, buffers = model.noise(40), [b.clone() for b in model.buffers()]
        together = model.sample(z=z, averaged=averaged)
        alone = torch.cat([model.sample(z=one, averaged=averaged) for one in z.split(1)])
        assert torch.allclose(together, alone, atol=1e-5), "a sample depends on its neighbours"
        assert all(torch.equal(a, b) for a, b in zip(model.buffers(), buffers, strict=True))
    assert model.generator.training
    assert not model.average["generator"].training


def test_a_score_does_not_depend_on_its_neighbours():
    discriminator = gan.Discriminator(16, 3, width=8).train()
    x = torch.randn(6, 3, 16, 16)
    alone = torch.cat([discriminator(one) for one in x.split(1)])
    assert torch.allclose(discriminator(x), alone, atol=1e-5)


def test_calibration_gives_the_average_statistics_of_its_own():
    trainer = small()
    model = trainer.model
    for _ in range(5):
        trainer.step(WHITE)
    with torch.no_grad():
        for p in model.average["generator"].parameters():
            p.add_(0.3)  # an average far from the weights in training
    z = model.noise(4000, torch.Generator().manual_seed(9))

    @torch.no_grad()
    def off():
        """How far pictures by running statistics are from those by the batch's own."""
        average = copy.deepcopy(model.average["generator"])
        return (average.eval()(z) - average.train()(z)).abs().mean().item()

    before = off()
    model.calibrate()
    assert off() < 0.03 and off() < before / 5  # of CALIBRATED pictures and of 4,000


def test_sample_obeys_its_seed():
    model = small().model
    assert torch.equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert not torch.equal(model.sample(3, seed=1), model.sample(3, seed=2))
    assert model.sample(300, seed=0).shape == (300, 1, 8, 8)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_a_short_training_finds_the_grey_level_of_the_data(loss):
    data = torch.full((64, 1, 8, 8), 200, dtype=torch.uint8)
    model = gan.GAN(size=8, z_dim=4, width=8, d_width=8, loss=loss, r1=1.0, r2=1.0, lr=3e-3)
    genimg.fit(model, data, steps=250, batch=16, seed=0)
    assert model.sample(64, seed=0).mean().item() == pytest.approx(200 / 127.5 - 1, abs=0.15)


def test_relativistic_generator_is_the_discriminators_mirror():
    a, b = torch.randn(5), torch.randn(5)
    assert torch.equal(gan.g_relativistic(a, b), gan.d_relativistic(b, a))
    assert torch.allclose(gan.d_minimax(a, b), F.softplus(-a) + F.softplus(b))
