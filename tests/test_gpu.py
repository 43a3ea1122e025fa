"""What a device computes is what a CPU computes in 64 bits: losses, penalties, samples, checkpoints, metrics.

`python -m genimg record gpu` runs these on its device (`GENIMG_DEVICE`); the suite runs them on the CPU. They need
pytest and the package, nothing else.
"""

import copy
import os

import pytest
import torch

from genimg import flow, gan, metrics, oracle, shapes, vae
from genimg.models.flow import Flow
from genimg.models.gan import GAN
from genimg.models.vae import VAE
from genimg.system.device import seed_everything
from genimg.training.loop import Training

pytestmark = pytest.mark.gpu
DEVICE = torch.device(os.environ.get("GENIMG_DEVICE", "cpu"))
#: That, and an Apple GPU wherever there is one.
apple = pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no Apple GPU here")
DEVICES = (pytest.param(DEVICE, id="device"), pytest.param(torch.device("mps"), id="apple", marks=apple))
PIXELS = shapes.render(shapes.sample_factors(64, seed=0), 16)
X = PIXELS.float() / 127.5 - 1

FAMILIES = (
    lambda: GAN(16, 3, z_dim=8, width=4, d_width=4, max_width=16, every=2),
    lambda: VAE(16, 3, z_dim=8, width=4, max_width=16),
    lambda: Flow(16, 3, width=8, max_width=16),
)
each_family = pytest.mark.parametrize("build", FAMILIES, ids=("gan", "vae", "flow"))


@pytest.fixture(autouse=True)
def exact():
    """Products in 32 bits, not in the 19 of TF32."""
    kept = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = kept


def trained(build, steps=4, **options):
    seed_everything(0)
    run = Training(build(), PIXELS, 20, 16, device=DEVICE, dtype=torch.float32, **options)
    for _ in range(steps):
        run.advance()
    return run


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gan_losses(model, x):
    x_fake = model.generator(drawn(len(x), 8).to(x)).to(x)
    logits_real, logits_fake = model.discriminator(x), model.discriminator(x_fake)
    return model.loss_of_d(logits_real, logits_fake).mean() + model.loss_of_g(logits_real, logits_fake).mean()


def vae_losses(model, x):
    mu, logvar = model.encoder(x)
    z = vae.reparameterise(mu, logvar, drawn(len(x), 8).to(x))
    log_p = vae.log_gaussian(x, torch.tanh(model.decoder(z)), 0.5)
    return (vae.kl_to_standard_normal(mu, logvar).sum(1) - log_p).mean()


def flow_losses(model, x):
    x_0, t = drawn(*x.shape).to(x), torch.linspace(0.1, 0.9, len(x)).to(x)
    return flow.velocity_loss(model.velocity(flow.interpolate(x_0, x, t), t, None), x_0, x).mean()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("build, losses", (
    (FAMILIES[0], gan_losses), (FAMILIES[1], vae_losses), (FAMILIES[2], flow_losses),
), ids=("gan", "vae", "flow"))  # fmt: skip
def test_losses_and_their_gradients_are_those_of_a_cpu_in_64_bits(build, losses, device):
    seed_everything(0)
    model = build()
    found = []
    for where, dtype in (("cpu", torch.float64), (device, torch.float32)):
        one = copy.deepcopy(model).to(where, dtype)
        loss = losses(one, X[:16].to(where, dtype))
        loss.backward()
        slope = sum(p.grad.square().sum() for p in one.parameters() if p.grad is not None).sqrt()
        found.append((loss.item(), slope.item()))
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    assert found[0][1] > 0


def test_the_penalty_is_the_squared_slope_of_a_linear_discriminator():
    weight = torch.randn(3 * 16 * 16, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    x = X[:8].to(DEVICE).requires_grad_()
    found = gan.gradient_penalty_at(x.flatten(1) @ weight, x)
    torch.testing.assert_close(found, weight.square().sum().expand(8), rtol=1e-4, atol=0)


@each_family
def test_a_run_that_was_saved_goes_on_as_if_it_had_not_stopped(build, tmp_path):
    through, cut = trained(build, 8), trained(build, 4)
    torch.save(cut.state_dict(), tmp_path / "state")
    again = Training(build(), PIXELS, 20, 16, device=DEVICE, dtype=torch.float32)
    again.load_state_dict(torch.load(tmp_path / "state", map_location="cpu", weights_only=True))
    for _ in range(4):
        again.advance()
    assert again.step == through.step == 8
    for name, value in through.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value, rtol=1e-3, atol=1e-5, msg=name)


@each_family
def test_samples_obey_their_seed_and_the_average_is_another_network(build):
    run = trained(build)
    run.finish()
    one, same, other = (run.model.sample(4, seed=seed) for seed in (1, 1, 2))
    torch.testing.assert_close(one, same)
    assert one.device.type == DEVICE.type and one.shape == (4, 3, 16, 16) and one.abs().max() <= 1
    assert (one - other).abs().max() > 1e-3
    assert (one - run.model.sample(4, seed=1, averaged=False)).abs().max() > 0


@each_family
def test_training_lowers_what_it_lowers(build):
    """The discriminator's loss against a frozen generator, the VAE's and the flow's loss."""
    run = trained(build, 1)
    name = "loss_d" if isinstance(run.model, GAN) else "loss"
    x = X[:16].to(DEVICE)
    if isinstance(run.model, GAN):
        losses = [run.stepper.move("d", x)[name].mean().item() for _ in range(40)]
    else:
        losses = [run.stepper.step(x)[name].item() for _ in range(40)]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_metrics_of_a_device_are_those_of_a_cpu_in_64_bits():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(300, 16, generator=generator), 0.3 + torch.randn(300, 16, generator=generator)
    here, there = (a.double(), b.double()), (a.to(DEVICE), b.to(DEVICE))
    for measure, value in (
        (metrics.frechet_distance, float),
        (metrics.kernel_distance, lambda estimate: estimate.value),
        (metrics.precision_recall, list),
        (metrics.density_coverage, list),
    ):
        assert value(measure(*there)) == pytest.approx(value(measure(*here)), rel=1e-3, abs=1e-5), measure.__name__


def test_the_oracle_reads_what_was_drawn():
    factors = shapes.sample_factors(24, seed=3, device=DEVICE)
    reading = oracle.read_factors(shapes.render(factors, 32))
    assert (reading.error < oracle.REDRAWN_WITHIN).float().mean() > 0.9
    assert (reading.factors["kind"] == factors["kind"]).float().mean() > 0.9
