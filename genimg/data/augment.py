"""Augmentation: random changes of pictures that leave their meaning alone. For GANs there is `models/diff_augment`."""

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from genimg.data.sources import import_torchvision
from genimg.system import distributed


def augment(
    rotate: float = 0.0, flip: bool = False, crop: float = 1.0, fill: float = -1.0
) -> Callable[[Tensor], Tensor]:
    """A transform that gives each picture of a batch its own rotation, flip and crop (torchvision's v2 transforms).

    Args:
        rotate: largest angle in degrees, either way.
        flip: mirror left and right with probability 1/2.
        crop: smallest side of a random crop of the picture's proportions, as a share of it; it is resized back.
        fill: value of the corners that a rotation uncovers.

    Returns:
        function (N, C, H, W) -> (N, C, H, W), same dtype and range.

    Raises:
        ValueError: crop outside (0, 1].
        ImportError: torchvision is absent or does not match torch.
    """
    if not 0 < crop <= 1:
        raise ValueError(f"crop {crop}: the share of a side that is kept has to be in (0, 1]")
    v2 = _torchvision_v2()

    def transform(x: Tensor) -> Tensor:
        steps = []
        if rotate:
            steps.append(v2.RandomRotation(rotate, interpolation=v2.InterpolationMode.BILINEAR, fill=fill))
        if flip:
            steps.append(v2.RandomHorizontalFlip(0.5))
        if crop < 1:
            size = height, width = list(x.shape[-2:])
            steps.append(v2.RandomResizedCrop(size, scale=(crop**2, 1.0), ratio=(width / height,) * 2, antialias=True))
        both = v2.Compose(steps or [v2.Identity()])
        return torch.stack([both(picture) for picture in x])

    return transform


def _torchvision_v2() -> ModuleType:
    import_torchvision()
    from torchvision.transforms import v2

    return v2


def mirror(x: Tensor) -> Tensor:
    """Half of the pictures (N, C, H, W), drawn anew each time, mirrored left to right."""
    drawn = distributed.rows(lambda n: torch.rand(n, 1, 1, 1, device=x.device), len(x))
    return torch.where(drawn < 0.5, x.flip(3), x)
