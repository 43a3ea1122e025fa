"""Attributions against linear functions, where the answer is known, and their axioms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import nn

from genimg.book import attribution

WEIGHTS = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))


def linear(x):
    return (x * WEIGHTS).sum((1, 2, 3)) + 3


def network(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    return net.double()


def pictures(n=5, seed=1, dtype=torch.float64):
    return torch.rand(n, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def test_of_a_linear_function():
    x = pictures(dtype=torch.float32)
    assert torch.allclose(attribution.integrated_gradients(linear, x, steps=1), x * WEIGHTS, atol=1e-6)
    assert torch.allclose(attribution.gradient(linear, x), WEIGHTS.expand_as(x))
    covered = attribution.occlusion(linear, x, patch=2)
    assert covered.shape == (5, 1, 4, 4)
    assert torch.allclose(covered[:, 0, 0, 0], (x * WEIGHTS)[:, :, :2, :2].sum((1, 2, 3)), atol=1e-5)
    assert torch.allclose(covered[:, 0, 3, 1], (x * WEIGHTS)[:, :, 2:, :2].sum((1, 2, 3)), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_integrated_gradients_add_up_to_the_change(seed):
    net, x, baseline = network(seed), pictures(seed=seed), pictures(1, seed + 1)[0]
    found = attribution.integrated_gradients(net, x, baseline, steps=64)
    change = net(x) - net(baseline.expand_as(x))
    assert torch.allclose(found.sum((1, 2, 3)), change, atol=2e-3)
    assert torch.equal(attribution.integrated_gradients(net, x, x), torch.zeros_like(x))


def test_the_midpoint_rule_gets_better_with_steps():
    net, x = network(), pictures()
    change = net(x) - net(torch.zeros_like(x))
    errors = [
        (attribution.integrated_gradients(net, x, steps=steps).sum((1, 2, 3)) - change).abs().max().item()
        for steps in (2, 4, 8)
    ]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]  # order two


def test_a_pixel_that_is_not_looked_at_gets_nothing():
    net, x = network(), pictures()

    def half(x):
        return net(torch.cat([x[..., :2], torch.zeros_like(x[..., 2:])], -1))

    for found in (attribution.integrated_gradients(half, x), attribution.gradient(half, x)):
        assert (found[..., 2:] == 0).all() and (found[..., :2] != 0).any()
    covered = attribution.occlusion(half, x, patch=2)
    assert (covered[..., 2:] == 0).all() and (covered[..., :2] != 0).any()


def test_the_network_is_left_without_gradients():
    net = network()
    attribution.integrated_gradients(net, pictures())
    assert all(p.grad is None for p in net.parameters())


def test_similarity():
    a = pictures()
    assert torch.allclose(attribution.similarity(a, 7 * a), torch.ones(5, dtype=torch.float64))
    assert torch.allclose(attribution.similarity(a, -a), torch.ones(5, dtype=torch.float64))
    ranks = torch.arange(16.0).view(1, 1, 4, 4) + 1
    assert attribution.similarity(ranks, ranks.flip(2, 3)).item() == pytest.approx(-1)
    assert attribution.similarity(ranks, ranks**3).item() == pytest.approx(1)
    steps = ranks.mul(0.25).floor()  # with ties
    assert attribution.similarity(ranks, steps).item() == pytest.approx(spearmanr(ranks.flatten(), steps.flatten())[0])
    many = pictures(500, 2), pictures(500, 3)
    assert attribution.similarity(*many).mean().abs() < 0.05


def test_flat_parts_do_not_agree_by_the_order_of_their_pixels():
    one, other = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    one[0, 0, 0, 0], other[0, 0, 3, 3] = 1, 1
    assert attribution.similarity(one, other).item() == pytest.approx(-1 / 15)
    assert attribution.similarity(one, torch.zeros(1, 1, 4, 4)).isnan().all()


def test_patches_have_to_fit():
    with pytest.raises(ValueError, match="3 do not tile"):
        attribution.occlusion(linear, pictures(dtype=torch.float32), patch=3)
