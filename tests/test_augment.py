"""Augmentations: shapes, ranges, gradients, and that each picture gets a draw of its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genimg.data.augment import augment
from genimg.models.diff_augment import POLICIES, diff_augment

X = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("options", [{"rotate": 20.0}, {"flip": True}, {"crop": 0.7}, {}])
def test_transforms_keep_shape_and_range(options):
    torch.manual_seed(0)
    y = augment(**options)(X)
    assert y.shape == X.shape
    assert y.dtype == X.dtype
    assert y.abs().max() <= 1 + 1e-5
    assert torch.equal(y, X) == (not options)


def test_flip_mirrors_each_picture_on_its_own():
    torch.manual_seed(0)
    y = augment(flip=True)(X)
    mirrored = [torch.equal(b, a.flip(-1)) for a, b in zip(X, y, strict=True)]
    kept = [torch.equal(b, a) for a, b in zip(X, y, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True))
    assert any(mirrored)
    assert any(kept)


def test_rotation_uncovers_the_fill():
    torch.manual_seed(0)
    assert (augment(rotate=45.0, fill=-1.0)(torch.ones(4, 1, 16, 16)) == -1).any()


@pytest.mark.parametrize("crop", [0.0, -1.0, 1.5])
def test_bad_crop(crop):
    with pytest.raises(ValueError, match="crop"):
        augment(crop=crop)


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


def test_unknown_policy():
    with pytest.raises(ValueError, match="mirror"):
        diff_augment(X, ("mirror",))
