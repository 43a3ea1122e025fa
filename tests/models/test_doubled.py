"""Upsampling and convolution in one: the same maps and gradients as in two, fewer products, the same weights' names."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from genimg import gan
from genimg.models.doubled import Doubled, doubling


def two(layer, x):
    return F.conv2d(F.interpolate(x, scale_factor=2.0), layer.weight, padding=1)


@pytest.mark.parametrize("shape", [(8, 8), (9, 14), (1, 3)])
def test_it_is_upsampling_and_a_convolution(shape):
    torch.manual_seed(0)
    layer, x = Doubled(5, 3).double(), torch.randn(2, 5, *shape, dtype=torch.float64, requires_grad=True)
    one, other = layer(x), two(layer, x)
    assert torch.allclose(one, other, atol=1e-12)
    towards = torch.randn_like(one)
    wanted = torch.autograd.grad(other, (x, layer.weight), towards)
    for found, right in zip(torch.autograd.grad(one, (x, layer.weight), towards), wanted, strict=True):
        assert torch.allclose(found, right, atol=1e-12)
    assert torch.equal(layer.eval()(x), other)


def products(function, *arguments):
    with FlopCounterMode(display=False) as counter:
        function(*arguments)
    return counter.get_total_flops()


def test_it_takes_fewer_products():
    layer, x = Doubled(8, 8), torch.randn(1, 8, 16, 16)
    assert products(layer, x) < 0.5 * products(two, layer, x)


def test_only_large_pictures_have_it():
    of = {size: [type(m) for m in gan.GAN(size).generator.modules()].count(Doubled) for size in (32, 56, 64, 128)}
    assert of == {32: 0, 56: 0, 64: 3, 128: 4}
    assert not isinstance(doubling(2, 2, (11, 11), (23, 23), (184, 184))[1], Doubled)
    assert [type(m) for m in gan.GAN((64, 88)).generator.modules()].count(Doubled) == 3


def test_weights_have_the_names_and_values_that_they_had():
    torch.manual_seed(0)
    names = list(gan.Generator(64, 3, 8, 4).state_dict())
    assert [name for name in names if name.startswith("levels.0")][:2] == ["levels.0.1.weight", "levels.0.2.weight"]
    torch.manual_seed(0)
    layer = Doubled(4, 6)
    torch.manual_seed(0)
    assert torch.equal(layer.weight, torch.nn.Conv2d(4, 6, 3, padding=1, bias=False).weight)
