"""Costs: operations against hand-counted layers and torch's counter, bytes, growth."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from genimg import gan, vae
from genimg.book import cost, families
from genimg.models import classic, unet
from genimg.training.step import Stepper


class Written(TorchDispatchMode):
    """Counts the numbers that every operation puts out but those that the counter knows, and views."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if not function.is_view and not any(other in name for other in ("convolution", "mm", "empty")):
            outputs = result if isinstance(result, tuple | list) else (result,)
            self.numbers += sum(y.numel() for y in outputs if isinstance(y, torch.Tensor))
        return result


@pytest.mark.parametrize("family", ["GAN", "VAE", "flow"])
def test_what_is_not_counted_is_little(family):
    x = torch.randn(8, 1, 16, 16)
    trainer = Stepper(families.build("digits", family), "cpu", torch.float32)
    trainer.step(x)  # the first step of a GAN has penalties
    with Written() as written:
        trainer.step(x)
    assert 0 < 100 * written.numbers < cost.step_operations(lambda: trainer.step(x))


def test_operations_by_hand():
    # 8 x 8 numbers out, 5 filters, each over 3 x 3 x 2 numbers, two operations each
    (conv,) = cost.layers(nn.Conv2d(2, 5, 3, padding=1), torch.zeros(1, 2, 8, 8))
    assert conv.operations == 2 * 8 * 8 * 5 * 3 * 3 * 2
    assert conv.parameters == 5 * 2 * 9 + 5
    assert conv.bytes == 4 * (2 * 64 + 5 * 64 + 95)
    assert conv.output == (1, 5, 8, 8)
    assert conv.intensity == conv.operations / conv.bytes
    # each of 4 x 4 x 3 numbers is written to 3 x 3 places in 2 maps
    (up,) = cost.layers(nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), torch.zeros(1, 3, 4, 4))
    assert up.operations == 2 * 4 * 4 * 3 * 9 * 2 and up.output == (1, 2, 8, 8)
    (dense,) = cost.layers(nn.Linear(7, 11), torch.zeros(6, 7))
    assert dense.operations == 2 * 6 * 7 * 11


NETWORKS = {
    "generator": (lambda: gan.Generator(16, 1), (4, 32)),
    "discriminator": (lambda: gan.Discriminator(16, 1), (4, 1, 16, 16)),
    "encoder": (lambda: vae.Encoder(16, 1), (4, 1, 16, 16)),
    "decoder": (lambda: vae.Decoder(16, 1), (4, 16)),
    "text's generator": (lambda: classic.Generator(32, 3, 64, 16), (4, 64)),
    "text's discriminator": (lambda: classic.Discriminator(32, 3, 16), (4, 3, 32, 32)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_operations_are_those_of_torchs_counter(name):
    build, shape = NETWORKS[name]
    network, x = build(), torch.randn(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    assert sum(layer.operations for layer in cost.layers(network, x)) == counter.get_total_flops()


def test_a_network_of_two_inputs_is_counted():
    network, inputs = unet.UNet(8, 1, 16), (torch.randn(2, 1, 8, 8), torch.rand(2))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    assert sum(layer.operations for layer in cost.layers(network, *inputs)) == counter.get_total_flops()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 3, 4]), st.integers(1, 2),
    st.sampled_from([1, 2]), st.booleans(),
)  # fmt: skip
def test_any_convolution_is_counted(n, a, b, k, stride, groups, transposed):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer, x = kind(a * groups, b * groups, k, stride, groups=groups), torch.zeros(n, a * groups, 9, 9)
    with FlopCounterMode(display=False) as counter:
        layer(x)
    assert cost.layers(layer, x)[0].operations == counter.get_total_flops()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.sampled_from([1, 3, 4]), st.integers(1, 2), st.integers(0, 2), st.integers(4, 9),
    st.booleans(),
)  # fmt: skip
def test_products_with_zeros_are_told_from_the_rest(channels, k, stride, padding, side, transposed):
    """With weights and a map of ones, the sum of what is put out is the number of products that count."""
    padding = min(padding, k // 2)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer, x = kind(channels, 2, k, stride, padding, bias=False), torch.ones(1, channels, side, side)
    nn.init.ones_(layer.weight)
    (counted,) = cost.layers(layer, x)
    assert counted.inner == 2 * layer(x).sum().item() <= counted.operations
    assert padding or counted.inner == counted.operations


def test_layers_are_timed_where_asked():
    network, x = gan.Discriminator(16, 1), torch.randn(2, 1, 16, 16)
    assert all(layer.seconds is None for layer in cost.layers(network, x))
    timed = cost.layers(network, x, rounds=1)
    assert all(layer.seconds > 0 for layer in timed)
    assert [layer.operations for layer in timed] == [layer.operations for layer in cost.layers(network, x)]


def test_counting_needs_no_numbers():
    with torch.device("meta"):
        network, x = classic.Generator(128, 3, 64, 16), torch.empty(4, 64)
        counted = cost.layers(network, x)
    real = cost.layers(classic.Generator(128, 3, 64, 16), torch.zeros(4, 64))
    assert counted == real


def test_counting_leaves_the_network_alone():
    network = classic.Discriminator(32, 3, 8).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost.layers(network, torch.randn(8, 3, 32, 32))
    assert network.training and not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_backward_pass_costs_twice_the_forward_pass():
    network, x = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)), torch.randn(3, 8, requires_grad=True)
    forward = cost.step_operations(lambda: network(x))
    assert cost.step_operations(lambda: network(x).sum().backward()) == 3 * forward


def test_a_gradient_by_the_picture_as_penalties_take_it_costs_a_forward_pass():
    network, x = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)), torch.randn(3, 8, requires_grad=True)
    forward = cost.step_operations(lambda: network(x))
    assert cost.step_operations(lambda: torch.autograd.grad(network(x).sum(), x, create_graph=True)) == 2 * forward


def test_saved_bytes():
    x, w = torch.randn(10, 4), torch.randn(4, 6, requires_grad=True)
    assert cost.saved_bytes(lambda: (x @ w).sum(), weights=[w]) == 10 * 4 * 4  # the product keeps its input
    assert cost.saved_bytes(lambda: (x @ w).sum()) == 10 * 4 * 4  # gradient to x is not needed, so w is not kept
    assert cost.saved_bytes(lambda: (x @ w).exp().sum(), weights=[w]) == 10 * 4 * 4 + 10 * 6 * 4
    assert cost.saved_bytes(lambda: x.sum()) == 0
    x.requires_grad_()  # now the product keeps both
    assert cost.saved_bytes(lambda: (x @ w).sum()) == 10 * 4 * 4 + 4 * 6 * 4
    assert cost.saved_bytes(lambda: (x @ w).sum(), weights=[w]) == 10 * 4 * 4


def test_saved_bytes_grow_with_the_batch():
    network = gan.Discriminator(16, 1)

    def kept(n):
        return cost.saved_bytes(lambda: network(torch.randn(n, 1, 16, 16)).sum(), list(network.parameters()))

    assert kept(16) - kept(8) == kept(24) - kept(16) > 0


def test_exponent():
    assert cost.exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert cost.exponent([1, 10, 100], [5, 5, 5]) == pytest.approx(0)


def test_peaks_are_numbers():
    assert all(0 < peak < 1e18 for peak in cost.peaks(scale=1 / 16))
