"""Features of any pictures: what they order, at any size, in grey and colour."""

import pytest
import torch
import torch.nn.functional as F

from genimg.data.images import Images, to_bytes
from genimg.data.sources import load_images
from genimg.measure import features, gabor, metrics

N = 150


@pytest.fixture(scope="module")
def extractor():
    return features.load(features.ANY)


@pytest.fixture(scope="module")
def pictures():
    """Pictures to measure by, and others to spoil."""
    images = load_images("shapes", 32, 4 * N, seed=11)
    return images[: 2 * N], images[2 * N :]


def blurred(x, sigma):
    """With a Gaussian of some pixels; 0 leaves them as they are."""
    axis = torch.arange(-6.0, 7.0)
    bell = torch.exp(-axis.square() / (2 * max(sigma, 1e-3) ** 2))
    bell = (bell / bell.sum()).expand(3, 1, 1, 13)
    x = F.conv2d(F.pad(x, (6, 6, 0, 0), mode="reflect"), bell, groups=3)
    return F.conv2d(F.pad(x, (0, 0, 6, 6), mode="reflect"), bell.transpose(2, 3), groups=3)


def noisy(x, sigma):
    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def tinted(x, shift):
    return x + shift * torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1)


def repeated(x, times):
    return x[: len(x) // times].repeat(times, 1, 1, 1)


def joined(x, share):
    """The left half of one picture and the right half of another."""
    x, n = x.clone(), int(share * len(x))
    x[:n, :, :, 16:] = x[:n].roll(1, 0)[:, :, :, 16:]
    return x


SPOILT = {
    "blur": (blurred, (0.0, 0.4, 0.8, 1.6)),
    "noise": (noisy, (0.0, 0.05, 0.1, 0.2)),
    "colour": (tinted, (0.0, 0.05, 0.1, 0.2)),
    "repeats": (repeated, (1, 5, 15, 50)),
    "joined halves": (joined, (0.0, 0.3, 0.6, 1.0)),
}


@pytest.mark.parametrize("name", SPOILT)
def test_the_more_spoilt_the_further_away(name, extractor, pictures):
    by, others = pictures
    spoil, settings = SPOILT[name]
    x, reference = others.floats()[:N], extractor(by)
    away = [metrics.frechet_distance(extractor(spoil(x, setting)), reference) for setting in settings]
    assert away == sorted(away) and len(set(away)) == len(away), away


def test_the_fewer_kinds_the_further_away(extractor, pictures):
    by, others = pictures
    reference = extractor(by)
    away = []
    for kinds in (6, 4, 2, 1):
        index = (others.labels < kinds).nonzero().flatten().repeat(6)[:N]
        away.append(metrics.frechet_distance(extractor(others[index]), reference))
    assert away == sorted(away), away


@pytest.mark.parametrize("size", [8, 16, 48, 64, 128])
def test_any_size_and_grey(size, extractor):
    pixels = load_images("shapes", max(size, 8), 6, seed=1).pixels
    found = extractor(pixels)
    assert found.shape == (6, gabor.DIMS) == (6, extractor.dims) and found.isfinite().all()
    grey = pixels[:, :1]
    assert torch.equal(extractor(grey), extractor(grey.expand(-1, 3, -1, -1)))
    assert torch.allclose(extractor(pixels[:2]), found[:2], atol=1e-6)  # a picture's features are its own


def test_what_the_parts_see(extractor):
    """A flat picture has its colour and no waves; stripes have waves across them."""
    flat = torch.full((1, 3, 32, 32), 200, dtype=torch.uint8)
    found = extractor(flat)[0]
    assert torch.allclose(found[:16], torch.full((16,), (200 / 127.5 - 1) / gabor.LIGHT), atol=1e-4)
    assert found[16:].abs().max() < 0.2  # the root of the 1e-6 under which no wave falls
    wave = torch.cos(2 * torch.pi * torch.arange(32) / gabor.LENGTH).expand(1, 3, 32, 32)
    upright, lying = (extractor(to_bytes(x))[0, 48 : 48 + 16].view(4, 4) for x in (wave, wave.transpose(2, 3)))
    assert upright.mean(1).argmax() == 0 and lying.mean(1).argmax() == 2
    assert isinstance(extractor(Images(flat)), torch.Tensor)
