"""Textures: Gram matrices by hand, what they ignore and what not, tiles without a seam."""

import pytest
import torch

from genimg import texture


def some(n=1, size=24, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_gram_by_hand():
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two maps of two places
    assert torch.equal(texture.gram(maps), torch.tensor([[[2.5, 5.5], [5.5, 12.5]]]))


def test_filters_have_no_mean_and_length_one():
    for bank, side in zip(texture.random_filters(8, seed=3), texture.SIDES, strict=True):
        assert bank.shape == (8, 3, side, side)
        assert torch.allclose(bank.sum((1, 2, 3)), torch.zeros(8), atol=1e-4)
        assert torch.allclose(bank.square().sum((1, 2, 3)), torch.ones(8), atol=1e-5)
    assert torch.equal(texture.random_filters(8, seed=3)[0], texture.random_filters(8, seed=3)[0])
    assert not torch.equal(texture.random_filters(8, seed=3)[0], texture.random_filters(8, seed=4)[0])


def test_the_style_of_a_picture_is_its_own():
    banks, x = texture.random_filters(8), some()
    style = texture.style_of(x, banks)
    assert texture.style_loss(x, style, banks).item() == pytest.approx(0, abs=1e-10)
    assert texture.style_loss(some(seed=1).clamp(-0.1, 0.1), style, banks).item() > 0.5


def test_where_things_are_does_not_matter_to_a_tile():
    banks, x = texture.random_filters(8), some()
    style = [texture.gram(maps) for maps in texture.responses(x, banks, tiling=True)]
    shifted = x.roll((5, 9), (2, 3))
    assert texture.style_loss(shifted, style, banks, tiling=True).item() == pytest.approx(0, abs=1e-8)
    turned = x.rot90(1, (2, 3))
    assert texture.style_loss(turned, style, banks, tiling=True).item() > 1e-3


def test_seam():
    ramp = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
    assert texture.seam(ramp).item() == pytest.approx(15)  # the ramp falls back in one step
    wave = torch.sin(torch.arange(16) * 2 * torch.pi / 16).expand(1, 3, 16, 16)
    assert 0.3 < texture.seam(wave).item() < 2
    assert texture.seam(some(20, 64)).mean().item() == pytest.approx(1, abs=0.1)


def test_synthesis_comes_nearer_tiles_and_repeats():
    ramp = torch.linspace(-1, 1, 24).expand(1, 3, 24, 24)
    example = (ramp + 0.3 * some()).clamp(-1, 1)
    tile, losses = texture.synthesise(example, 24, 30, seed=1, filters=4)
    again, _ = texture.synthesise(example, 24, 30, seed=1, filters=4)
    assert tile.shape == (1, 3, 24, 24) and tile.abs().max() <= 1 and torch.equal(tile, again)
    assert losses.shape == (30,) and losses[-1] < 0.7 * losses[0]
    assert texture.seam(tile).item() < texture.seam(example).item()


def test_the_weight_holds_the_content():
    content, example = some(seed=2, size=16), some(seed=3).abs() - 1
    near, far = (
        texture.synthesise(example, 16, 25, content=content, weight=w, tiling=False, filters=4)[0]
        for w in (100.0, 0.01)
    )
    assert (near - content).square().mean() < (far - content).square().mean()
