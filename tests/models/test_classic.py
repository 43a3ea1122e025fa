"""The source text's networks: layer by layer as it describes them, at every size."""

import pytest
import torch
from torch import nn

from genimg import gan, vae
from genimg.models import classic
from genimg.models.model import CALIBRATED, has_batch_norm, start_averages
from genimg.training.step import Stepper

SIZES = [32, 64, 128, 256]


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_shapes(size, channels):
    x, z = torch.randn(2, channels, size, size), torch.randn(2, 5)
    assert classic.Discriminator(size, channels, 4)(x).shape == (2,)
    mu, logvar = classic.Encoder(size, channels, 5, 4)(x)
    assert mu.shape == logvar.shape == (2, 5)
    for up in classic.UPSAMPLINGS:
        picture = classic.Generator(size, channels, 5, 4, up)(z)
        assert picture.shape == (2, channels, size, size)
        assert picture.abs().max() <= 1
    assert classic.Decoder(size, channels, 5, 4)(z).shape == (2, channels, size, size)


@pytest.mark.parametrize("norm", classic.NORMS)
def test_discriminator_at_128_is_the_texts(norm):
    d = classic.Discriminator(norm=norm)
    normed = [norm == "all", *[norm != "none"] * 3]
    wanted = [kind for n in normed for kind in (nn.Conv2d, *[nn.BatchNorm2d] * n, nn.LeakyReLU)]
    assert [type(layer) for layer in d.down] == wanted
    convolutions = [layer for layer in d.down if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 128, 256, 512]
    assert {(c.kernel_size, c.stride) for c in convolutions} == {((3, 3), (2, 2))}
    assert [c.bias is None for c in convolutions] == normed  # a norm that follows has the bias
    assert {layer.negative_slope for layer in d.down if isinstance(layer, nn.LeakyReLU)} == {0.2}
    assert (d.dense.in_features, d.dense.out_features) == (512 * 64, 1024)
    assert (d.last.in_features, d.last.out_features) == (1024, 1)
    assert isinstance(d.norm, nn.Identity if norm == "none" else nn.BatchNorm1d)
    assert has_batch_norm(d) == (norm != "none")


@pytest.mark.parametrize("norm", ["all", "none"])
def test_generator_at_128_is_the_texts(norm):
    g, shapes = classic.Generator(norm=norm), []
    up = [m for m in g.modules() if isinstance(m, nn.ConvTranspose2d)]
    for layer in up:
        layer.register_forward_hook(lambda _, inputs, output: shapes.append((*inputs[0].shape[1:], *output.shape[1:])))
    assert g(torch.randn(2, 128)).shape == (2, 3, 128, 128)
    assert shapes == [
        (16, 8, 8, 64, 16, 16), (64, 16, 16, 64, 32, 32), (64, 32, 32, 64, 64, 64), (64, 64, 64, 3, 128, 128),
    ]  # fmt: skip
    assert {(c.kernel_size, c.stride) for c in up} == {((3, 3), (2, 2))}
    assert g.dense[0].out_features == 1024
    norms = [m for m in g.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == (4 if norm == "all" else 0)
    assert has_batch_norm(g) == (norm == "all")


def test_numbers_of_parameters():
    convolutions = sum(9 * a * b + 2 * b for a, b in [(3, 64), (64, 128), (128, 256), (256, 512)])
    down = 512 * 64
    assert count(classic.Discriminator()) == convolutions + down * 1024 + 2 * 1024 + 1024 + 1
    assert count(classic.Encoder()) == convolutions + 2 * (down * 128 + 128)
    up = sum(9 * a * b + 2 * b for a, b in [(16, 64), (64, 64), (64, 64)]) + 9 * 64 * 3 + 3
    assert count(classic.Generator()) == count(classic.Decoder()) == 128 * 1024 + 2 * 1024 + up


@pytest.mark.parametrize("build", [classic.Discriminator, classic.Encoder, classic.Decoder, classic.Generator])
@pytest.mark.parametrize("size", [0, -32, 16, 48, 100, 512])
def test_other_sizes_are_refused(build, size):
    with pytest.raises(ValueError, match="32, 64, 128, 256"):
        build(size)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="not_first"):
        classic.Discriminator(norm="first")
    with pytest.raises(ValueError, match="transposed, nearest"):
        classic.Decoder(up="bilinear")


def test_first_layer_norm_is_all_that_not_first_removes():
    everything, fewer = classic.Discriminator(32), classic.Discriminator(32, norm="not_first")
    assert count(everything) - count(fewer) == 2 * 64 - 64  # scale and shift against the convolution's bias


def text_gan(norm="all"):
    torch.manual_seed(0)
    return gan.GAN(
        size=32, channels=1, loss="sigmoid_bce", r1=0.0, r2=0.0,
        generator=classic.Generator(32, 1, 5, 4), discriminator=classic.Discriminator(32, 1, 4, norm),
    )  # fmt: skip


@pytest.mark.parametrize(("norm", "sizes"), [("all", [6, 6]), ("none", [12])])
def test_batch_norm_sees_real_and_generated_apart(norm, sizes):
    trainer, seen = Stepper(text_gan(norm), "cpu"), []
    trainer.model.discriminator.register_forward_hook(lambda _, inputs, output: seen.append(len(inputs[0])))
    trainer.step(torch.rand(6, 1, 32, 32))
    assert seen[: len(sizes)] == sizes


def test_sigmoid_then_cross_entropy_equals_the_logits_loss_until_it_saturates():
    real, fake = (torch.linspace(-8, 8, 41).requires_grad_() for _ in range(2))
    for mine, exact in zip(gan.LOSSES["sigmoid_bce"], gan.LOSSES["non_saturating"], strict=True):
        a, b = mine(real, fake), exact(real, fake)
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)
        slopes = [torch.autograd.grad(v.sum(), fake)[0] for v in (mine(real, fake), exact(real, fake))]
        assert torch.allclose(*slopes, rtol=1e-2, atol=1e-3)


def test_sigmoid_then_cross_entropy_loses_its_gradient_beyond():
    logits = torch.tensor([20.0, 60.0], requires_grad=True)  # D is sure that generated pictures are real
    (lost,) = torch.autograd.grad(gan.d_sigmoid_bce(logits.detach() + 60, logits).sum(), logits)
    (kept,) = torch.autograd.grad(gan.d_minimax(logits.detach() + 60, logits).sum(), logits)
    assert lost.abs().max() < 1e-3
    assert torch.allclose(kept, torch.ones(2))


def test_calibrate_makes_every_statistic_anew():
    model = text_gan()
    start_averages(model)
    average = model.average["generator"]
    for m in average.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.fill_(float("nan"))
    assert not model.sample(4, seed=0).isfinite().all()
    model.calibrate()
    assert model.sample(4, seed=0).isfinite().all()
    assert not average.training
    z = model.noise(CALIBRATED, torch.Generator().manual_seed(0))
    with torch.no_grad():
        dense = average.dense[0](z)
    norm = average.dense[1]
    assert torch.allclose(norm.running_mean, dense.mean(0), atol=0.02)
    assert torch.allclose(norm.running_var, dense.var(0), rtol=0.05)


def test_calibrate_of_a_vae_needs_pictures():
    torch.manual_seed(0)
    model = vae.VAE(size=32, channels=1, encoder=classic.Encoder(32, 1, 3, 4), decoder=classic.Decoder(32, 1, 3, 4))
    start_averages(model)
    x = torch.rand(8, 1, 32, 32) + 1
    before = model.average["encoder"].down[1].running_mean.clone()
    model.calibrate([x])
    with torch.no_grad():
        first = model.average["encoder"].down[0](x)
    norms = [m for m in model.average.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert {int(m.num_batches_tracked) for m in norms} == {1}
    assert not torch.equal(before, model.average["encoder"].down[1].running_mean)
    assert torch.allclose(model.average["encoder"].down[1].running_mean, first.mean((0, 2, 3)), atol=1e-5)
    assert model.sample(2, seed=0).isfinite().all()
