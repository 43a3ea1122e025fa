"""Looks at samples, on models whose samples are known: each diagnosis on what it is for, none on what is healthy."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import genimg
from genimg import flow, gan, metrics, vae
from genimg.data.images import to_bytes, to_floats
from genimg.models.model import Model
from genimg.system.device import seed_everything
from genimg.training import checkup

TINY = dict(size=8, channels=1, width=8, d_width=8, z_dim=4)


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Painter(Model):
    """Draws what a function makes of z; made to fail in one way each."""

    def __init__(self, draw, shape=(16,)):
        super().__init__()
        self.draw, self.shape, self.anchor = draw, shape, nn.Parameter(torch.zeros(1))

    def device(self):
        return self.anchor.device

    def noise(self, n, generator=None):
        return torch.randn(n, *self.shape, generator=generator)

    def sample(self, n=None, seed=None, z=None, averaged=True, **sampling):
        return self.draw(z, **sampling)


BASIS = rand(16, 256, seed=7) / 4


def pictures(z):
    """(N, 16) -> (N, 1, 16, 16), smooth, all different."""
    fine = (z @ BASIS).view(-1, 1, 16, 16)
    return F.avg_pool2d(fine, 3, 1, 1).mul(1.5).tanh()


DATA = to_bytes(pictures(rand(600, 16, seed=99)))


def names(model, images=DATA, **options):
    return [one.name for one in genimg.diagnose(model, images, **options)]


def test_samples_of_the_datas_own_distribution_are_healthy():
    for seed in range(3):
        assert names(Painter(pictures), seed=seed) == []


def test_a_sample_that_depends_on_its_batch():
    model = Painter(lambda z: (pictures(z) - pictures(z).mean(0)).clamp(-1, 1))
    assert "batch statistics leak" in names(model)


def test_copies_of_the_training_pictures():
    floats = to_floats(DATA)
    model = Painter(lambda z: floats[(z[:, 0].abs() * 1e4).long() % len(floats)] + 0.01 * z.mean())
    assert names(model) == ["memorisation"]


def test_a_gan_whose_samples_are_all_alike():
    model = Painter(lambda z: pictures(0.1 * z + 1))
    model.discriminator = nn.Identity()
    assert "mode collapse" in names(model)
    del model.discriminator  # a VAE that draws one picture has another failure, told by its KL
    assert "mode collapse" not in names(model)


def test_pixels_that_alternate():
    board = (torch.arange(16).view(-1, 1) + torch.arange(16)) % 2 - 0.5
    assert names(Painter(lambda z: (pictures(z) + 0.5 * board).clamp(-1, 1))) == ["checkerboard"]
    # more at half a cycle than blurred data have, and no more than at the frequencies beside it
    x = pictures(rand(600, 16, seed=99))
    x = x + x.roll(1, 2)
    blurred = to_bytes((x + x.roll(1, 3)) / 4)
    noisy = 0.3 * rand(128, 1, 16, 16)
    assert metrics.checkerboard(to_floats(blurred)) < 0.5 < 0.8 < metrics.checkerboard(noisy) < 1.2
    assert "checkerboard" not in names(Painter(lambda z: noisy[: len(z)]), blurred)


def test_too_few_steps():
    def draw(z, steps=8):
        return pictures(z * (1 - 1 / steps)) - 1 / steps

    assert names(Painter(draw), steps=1) == ["too few steps"]
    assert names(Painter(draw), steps=100) == []


def test_guidance_too_strong():
    def draw(z, guidance=1.0):
        return (guidance * pictures(z)).clamp(-1, 1)

    assert names(Painter(draw), guidance=1.2) == []
    assert "guidance too strong" in names(Painter(draw), guidance=40.0)


def brighter(x):
    return 0.5 * x + 0.5


def test_an_augmentation_that_leaks():
    assert names(Painter(lambda z: brighter(pictures(z))), transform=brighter) == ["augmentation leak"]
    assert names(Painter(pictures), transform=brighter) == []


def test_augmented_share_by_hand():
    x = to_floats(DATA)
    assert checkup.augmented_share(x[400:500], x, brighter) < 0.1
    assert checkup.augmented_share(brighter(x[400:500]), x, brighter) > 0.9
    assert checkup.augmented_share(None, x, brighter) < 0.1


def test_statistics_of_other_weights():
    seed_everything(0)
    model, digits = gan.GAN(**TINY), genimg.load_images("digits", 8)[:300]
    genimg.fit(model, digits, steps=30, batch=32, device="cpu")
    assert "stale batch-norm statistics" not in names(model, digits)
    for module in model.average["generator"].modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(3.0)
    assert "stale batch-norm statistics" in names(model, digits)


def test_flows_are_looked_at_on_request_only():
    assert not flow.Flow.quick and gan.GAN.quick and vae.VAE.quick


def test_too_little_to_look_at():
    with pytest.raises(ValueError, match="fewer than 8"):
        genimg.diagnose(Painter(pictures), DATA[:7])
    with pytest.raises(ValueError, match="n=4"):
        genimg.diagnose(Painter(pictures), DATA, n=4)


def test_pictures_of_another_shape_than_the_samples():
    with pytest.raises(ValueError, match=r"samples are \(1, 16, 16\) and the pictures \(3, 16, 16\)"):
        genimg.diagnose(Painter(pictures), DATA.expand(-1, 3, -1, -1))


def test_looking_draws_no_random_number_of_the_run():
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    genimg.diagnose(Painter(pictures), DATA)
    assert torch.rand(1) == wanted
