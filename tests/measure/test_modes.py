"""Modes: which are covered, how evenly, and how many samples show none."""

import math

import pytest
import torch

from genimg.measure.modes import Modes, mode_statistics


def test_modes():
    found = mode_statistics(torch.tensor([0, 0, 2, -1]), torch.tensor([0.5, 0.25, 0.25, 0.0]))
    assert (found.invalid, found.covered) == (0.25, 2)
    assert found.kl == pytest.approx(2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(4 / 3))
    assert mode_statistics([0, 0, 1, 2], [0.5, 0.25, 0.25]) == Modes(0.0, 3, 0.0)
    assert mode_statistics([1], [1.0, 0.0]).kl == math.inf
    nothing = mode_statistics([-1, -1], [0.5, 0.5])
    assert (nothing.invalid, nothing.covered) == (1.0, 0)
    assert math.isnan(nothing.kl)


def test_divergence_of_a_perfect_model_is_the_number_of_modes_over_twice_n():
    weights, n = torch.linspace(1, 3, 20) / 40, 2000
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(weights, 50 * n, replacement=True, generator=generator).split(n)
    kl = sum(mode_statistics(part, weights).kl for part in labels) / 50
    assert kl == pytest.approx(19 / (2 * n), rel=0.2)


@pytest.mark.parametrize(
    "labels, weights, match",
    [
        ([], [1.0], "integers"),
        ([0.0], [1.0], "integers"),
        ([True], [1.0], "integers"),
        ([[0]], [1.0], "integers"),
        ([1], [1.0], "from -1 to 0"),
        ([-2], [1.0], "from -1 to 0"),
        ([0], [0.5, 0.4], "sum to 1"),
        ([0], [1.5, -0.5], "sum to 1"),
        ([0], [math.nan], "sum to 1"),
    ],
)
def test_modes_refuse(labels, weights, match):
    with pytest.raises(ValueError, match=match):
        mode_statistics(labels, weights)
