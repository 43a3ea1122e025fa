"""The three one-page programs: they run as they stand, what they write are digits, their losses are the package's."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import genimg
from genimg.data.images import to_floats
from genimg.measure import features, metrics
from genimg.models import flow, gan, ode, vae

MICRO = Path(__file__).parents[2] / "book" / "micro"

#: Program -> the Frechet distance, in the digits classifier's features, that its 200 samples stay below.
BOUNDS = {"gan": 8.0, "vae": 8.0, "flow": 8.0}


def program(name):
    """One of the programs as a module; nothing is trained."""
    spec = importlib.util.spec_from_file_location(f"micro_{name}", MICRO / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pictures(path, zoom=4, side=10):
    """The pictures of a program's PNG, out of their frames: uint8 (rows, columns, 1, 8, 8)."""
    sheet = np.asarray(Image.open(path))
    small = sheet[::zoom, ::zoom]
    assert np.array_equal(small.repeat(zoom, 0).repeat(zoom, 1), sheet)
    cells = small.reshape(len(small) // side, side, -1, side).transpose(0, 2, 1, 3)
    return torch.from_numpy(cells[:, :, None, 1:-1, 1:-1].copy())


def root_mean_squared(x, y):
    """Difference of pictures in grey levels 0 to 1."""
    return ((x.float() - y.float()) / 255).square().mean().sqrt().item()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_program_is_one_page(name):
    lines = (MICRO / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    assert not any("genimg" in line for line in lines)


@pytest.mark.parametrize("name", BOUNDS)
def test_a_program_writes_digits(name, tmp_path):
    path = tmp_path / "sheet.png"
    command = [sys.executable, str(MICRO / f"{name}.py"), str(path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
    hold_to_digits(name, path)


@pytest.mark.parametrize("name", BOUNDS)
def test_so_is_the_sheet_that_the_page_shows(name):
    hold_to_digits(name, MICRO.parent / "figures" / f"micro-{name}.png")


def hold_to_digits(name, path):
    """A program's sheet shows digits: as near to real ones as no trivial sheet is, and what was asked for."""
    rows = pictures(path)
    samples = rows[-10:].flatten(0, 1)  # (200, 1, 8, 8)
    digits = genimg.load_images("digits")
    real = digits.pixels
    extractor = features.load("digits")
    reference = extractor(real)

    def off(x):
        return metrics.frechet_distance(extractor(x), reference)

    generator = torch.Generator().manual_seed(0)
    some = real[torch.randperm(len(real), generator=generator)[:200]]
    flat = to_floats(real).flatten(1)
    root = torch.linalg.cholesky(torch.cov(flat.T) + 1e-5 * torch.eye(64))
    gaussian = flat.mean(0) + torch.randn(200, 64, generator=generator) @ root.T
    noise = torch.randint(256, some.shape, generator=generator, dtype=torch.uint8)
    noisy = (to_floats(some) + 0.5 * torch.randn(some.shape, generator=generator)).clamp(-1, 1)
    controls = {
        "blank": torch.zeros_like(some),
        "mean picture": real.float().mean(0, keepdim=True).round().byte().expand_as(some),
        "noise": noise,
        "real digits under noise": noisy,
        "a Gaussian with their mean and covariance": gaussian.clamp(-1, 1).view_as(noisy),
        "one real digit": real[:1].expand_as(some),
        "real threes": real[digits.labels == 3].repeat(2, 1, 1, 1)[:200],
    }
    assert off(some) < BOUNDS[name]
    assert off(samples) < BOUNDS[name]
    for what, x in controls.items():
        assert off(x) > BOUNDS[name], what

    if name == "flow":  # what was asked for
        asked = torch.arange(10).repeat_interleave(20)

        def right(x):
            return (extractor.classify(x).argmax(1) == asked).float().mean().item()

        assert right(samples) > 0.9
        assert right(samples[torch.randperm(200, generator=generator)]) < 0.3

    if name == "vae":  # what was put in
        original, again = rows[0:4:2].flatten(0, 1), rows[1:4:2].flatten(0, 1)  # (40, 1, 8, 8) each
        assert torch.equal(original, ((real[-40:].float() / 255 * 16).round() * 255 / 16).round().byte())
        assert root_mean_squared(original, again) < 0.16
        assert root_mean_squared(original, again.roll(1, 0)) > 0.2
        assert root_mean_squared(original, real.float().mean(0)) > 0.2


@pytest.fixture
def batch():
    """x (16, 1, 8, 8) and a generator of noise, in float64: what two spellings of a formula differ by is then small."""
    return genimg.load_images("digits")[:16].floats().double(), torch.Generator().manual_seed(0)


def randn(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def same(ours, packages, net):
    """Losses (N,) and the gradients of their means in the weights of net are equal."""
    assert ours.shape == (16,)
    torch.testing.assert_close(ours, packages, rtol=0, atol=1e-6)
    weights = list(net.parameters())
    gradients = [torch.autograd.grad(loss.mean(), weights, retain_graph=True) for loss in (ours, packages)]
    for one, other in zip(*gradients, strict=True):
        assert one.abs().sum() > 0 or one.numel() == 1  # a relativistic loss does not see D's last bias
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_the_gans_losses_are_the_packages(batch):
    x_real, generator = batch
    micro = program("gan")
    torch.manual_seed(0)
    G, D = micro.generator().double(), micro.discriminator().double()
    z = randn(generator, 16, micro.z_dim)

    G.z_dim = micro.z_dim
    model = gan.GAN(generator=G, discriminator=D, loss="relativistic", r1=micro.r, r2=micro.r)
    parts = model.d_loss(x_real, z, penalise=True)
    packages = parts["loss_d"] + sum(weight * parts[name] for name, weight in model.players()["d"].penalties.items())
    d_loss = micro.d_loss(G, D, x_real, z)
    same(d_loss, packages, D)
    assert all(g is None for g in torch.autograd.grad(d_loss.mean(), list(G.parameters()), allow_unused=True))
    same(micro.g_loss(G, D, x_real, z), model.g_loss(x_real, z)["loss_g"], G)


def test_the_vaes_loss_is_the_packages(batch):
    x, generator = batch
    micro = program("vae")
    torch.manual_seed(0)
    encoder, decoder = micro.make_encoder().double(), micro.make_decoder().double()
    eps = randn(generator, 16, micro.z_dim)

    mu, logvar = encoder(x).chunk(2, dim=1)
    mean = decoder(vae.reparameterise(mu, logvar, eps))
    log_p = vae.log_gaussian(x, mean, vae.optimal_sigma(x, mean))
    packages = vae.kl_to_standard_normal(mu, logvar).sum(1) - log_p
    same(micro.loss(encoder, decoder, x, eps), packages, torch.nn.ModuleList([encoder, decoder]))


def test_the_flows_loss_and_sampler_are_the_packages(batch):
    x_1, generator = batch
    micro = program("flow")
    torch.manual_seed(0)
    net = micro.Velocity().double()
    x_0, t, label = randn(generator, *x_1.shape), torch.linspace(0, 1, 16).double(), torch.arange(16) % 10

    packages = flow.velocity_loss(net(flow.interpolate(x_0, x_1, t), t, label), x_0, x_1)
    same(micro.loss(net, x_1, x_0, t, label), packages, net)

    with torch.no_grad():
        x = ode.carry(lambda x, t: net(x, t, label), x_0, 20, "heun")
    torch.testing.assert_close(micro.sample(net, x_0, label), x, rtol=0, atol=1e-6)
