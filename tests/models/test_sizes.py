"""Sizes: how they are written, which there are, and that each family has networks for all of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genimg.models import flow, gan, labelled, latent, sizes, vae

#: Squares whose halves are odd here or there, and pictures that are wide or tall.
SHAPES = [8, 24, 40, 88, (16, 24), (40, 16), (8, 64), (64, 96)]
MODELS = {
    "gan": lambda size: gan.GAN(size, 3, 5, 4, 4, 8),
    "labelled gan": lambda size: labelled.LabelledGAN(3, size, 3, 5, 4, 4, 8),
    "labelled vae": lambda size: labelled.LabelledVAE(3, size, 3, 5, 4, 8),
    "vae": lambda size: vae.VAE(size, 3, 5, 4, 8),
    "flow": lambda size: flow.Flow(size, 3, 8, 8),
    "latent": lambda size: latent.Latent(size, 3, 2, 4, 8, 8),
}
side = st.integers(-(10**11), 10**11)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", MODELS)
def test_each_family_draws_and_learns_pictures_of_each_size(name, size):
    torch.manual_seed(0)
    model = MODELS[name](size)
    labels = torch.tensor([0, 1, 2]) if name.startswith("labelled") else None
    shape = (3, 3, *sizes.sides(size))
    for player in model.players().values():
        parts = player.loss(torch.rand(shape) * 2 - 1, *model.training_noise(3), labels=labels)
        next(iter(parts.values())).mean().backward()
    assert all(w.grad is not None for w in model.parameters() if w.requires_grad)
    fast = {} if model.quick else {"steps": 2}
    assert model.sample(3, seed=0, **fast).shape == shape


def test_maps_halve_until_a_side_is_below_8():
    assert sizes.level_sides(64) == [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]
    assert sizes.level_sides(40) == [(40, 40), (20, 20), (10, 10), (5, 5)]
    assert sizes.level_sides((64, 96)) == [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)]
    for s in range(8, 513, 8):
        assert 4 <= sizes.level_sides(s)[-1][0] <= 7


@given(side, side)
def test_what_is_written_is_read_again_width_first(height, width):
    size = width if height == width else (height, width)
    assert sizes.read(sizes.written(size)) == size
    assert sizes.sides(sizes.read(f"{width}x{height}")) == (height, width)


@given(side, side)
def test_the_nearest_are_sizes(height, width):
    size = (height, width)
    if sizes.is_size(size):
        assert sizes.checked(size) == size
        return
    with pytest.raises(ValueError, match=sizes.written(size)) as error:
        sizes.checked(size)
    for text in str(error.value).partition("the nearest: ")[2].split(" or "):
        near = sizes.read(text)
        assert sizes.is_size(near)
        off = [abs(a - min(max(b, 8), 512)) for a, b in zip(sizes.sides(near), size, strict=True)]
        assert max(off) < 8


@pytest.mark.parametrize("text", ["", "x", "64x", "x64", "64x64x64", "6 4", "nan", "1e3", "64.0", "9" * 40, "96,64"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="is no size, which is a multiple of 8"):
        sizes.read(text)


@pytest.mark.parametrize("size", ["64", None, True, 64.0, (64,), (64, 64, 3), (64.0, 64), [64, 64], (60, 96), (0, 64)])
@pytest.mark.parametrize("name", ["gan", "vae", "latent"])
def test_models_refuse_it(name, size):
    with pytest.raises(ValueError, match="it has to be a multiple of 8 from 8 to 512"):
        MODELS[name](size)
