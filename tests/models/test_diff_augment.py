"""Differentiable augmentation: gradients pass, each picture gets a draw of its own, also where processes share them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genimg.models.diff_augment import POLICIES, diff_augment

X = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@settings(max_examples=30, deadline=None)
@given(
    policy=st.sets(st.sampled_from(POLICIES)),
    size=st.sampled_from([8, 16, 33]),
    channels=st.sampled_from([1, 3]),
    p=st.floats(0, 1),
)
def test_differentiable_augmentation_passes_gradients(policy, size, channels, p):
    x = torch.zeros(3, channels, size, size, requires_grad=True)
    y = diff_augment(x, sorted(policy), p)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad.abs().sum() > 0


def test_p_zero_changes_nothing_and_p_one_everything():
    torch.manual_seed(0)
    assert torch.equal(diff_augment(X, p=0.0), X)
    changed = diff_augment(X, p=1.0)
    assert all(not torch.equal(a, b) for a, b in zip(X, changed, strict=True))


def test_translation_moves_the_picture_whole():
    torch.manual_seed(0)
    x = torch.zeros(40, 1, 16, 16)
    x[:, :, 6:10, 6:10] = 1
    y = diff_augment(x, "translation")
    assert torch.equal(y.sum((1, 2, 3)), x.sum((1, 2, 3)))
    places = {tuple(int(i) for i in picture[0].nonzero()[0]) for picture in y}
    assert len(places) > 10
    assert all(abs(row - 6) <= 2 and abs(column - 6) <= 2 for row, column in places)


def test_cutout_covers_a_part():
    torch.manual_seed(0)
    share = (diff_augment(torch.ones(30, 1, 16, 16), "cutout") == 0).float().mean((1, 2, 3))
    assert share.min() > 0
    assert share.max() <= 0.35


def test_colour_shifts_brightness_per_picture():
    torch.manual_seed(0)
    y = diff_augment(torch.zeros(50, 3, 8, 8), "colour")
    means = y.mean((1, 2, 3))
    assert means.std() > 0.1
    assert (y - means.view(-1, 1, 1, 1)).abs().max() < 1e-5


def test_processes_draw_for_the_whole_batch_and_keep_their_rows():
    def of(rank, size):
        n = len(X) // size
        own = slice(rank * n, (rank + 1) * n)
        torch.manual_seed(0)
        return diff_augment(X[own], p=0.5, rows=lambda draw, n: draw(n * size)[own])

    whole = of(0, 1)
    assert not torch.equal(whole, X)
    for size in (2, 3):
        assert torch.allclose(torch.cat([of(rank, size) for rank in range(size)]), whole, atol=1e-6)


def test_unknown_policy():
    with pytest.raises(ValueError, match="mirror"):
        diff_augment(X, ("mirror",))
