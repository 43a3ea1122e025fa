"""Augmentations of the data: shapes, ranges, and that each picture gets a draw of its own."""

import pytest
import torch

from genimg.data.augment import augment

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
