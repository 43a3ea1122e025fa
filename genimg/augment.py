"""Augmentation: random changes of pictures that leave their meaning alone, for classifiers and for GANs."""

import torch
import torch.nn.functional as F

from genimg import distributed

#: Names of differentiable augmentations; see `diff_augment`.
POLICIES = ("colour", "translation", "cutout")


def augment(rotate=0.0, flip=False, crop=1.0, fill=-1.0):
    """A transform that gives each picture of a batch its own rotation, flip and crop (torchvision's v2 transforms).

    Args:
        rotate: largest angle in degrees, either way.
        flip: mirror left and right with probability 1/2.
        crop: smallest side of a random square crop, as a share of the picture; it is resized back.
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

    def transform(x):
        steps = []
        if rotate:
            steps.append(v2.RandomRotation(rotate, interpolation=v2.InterpolationMode.BILINEAR, fill=fill))
        if flip:
            steps.append(v2.RandomHorizontalFlip(0.5))
        if crop < 1:
            size = list(x.shape[-2:])
            steps.append(v2.RandomResizedCrop(size, scale=(crop**2, 1.0), ratio=(1.0, 1.0), antialias=True))
        both = v2.Compose(steps or [v2.Identity()])
        return torch.stack([both(picture) for picture in x])

    return transform


def _torchvision_v2():
    from genimg.data import import_torchvision

    import_torchvision()
    from torchvision.transforms import v2

    return v2


def mirror(x):
    """Half of the pictures (N, C, H, W), drawn anew each time, mirrored left to right."""
    return torch.where(_uniform(x) < 0.5, x.flip(3), x)


def diff_augment(x, policy=POLICIES, p=1.0):
    """Differentiable augmentation for a GAN: if D sees real and generated pictures changed alike, G need not learn it.

    Zhao et al. 2020, https://arxiv.org/abs/2006.10738; with p < 1, Karras et al. 2020,
    https://arxiv.org/abs/2006.06676.

    Args:
        x: (N, C, H, W) in [-1, 1].
        policy: names out of `POLICIES`. colour: brightness, saturation (of colour pictures), contrast;
            translation: by up to an eighth of a side; cutout: a grey square of half the side.
        p: the probability that a picture gets each of them.

    Returns:
        (N, C, H, W); colour may leave [-1, 1].
    """
    policy = (policy,) if isinstance(policy, str) else tuple(policy)
    unknown = set(policy) - set(POLICIES)
    if unknown:
        raise ValueError(f"unknown augmentation {', '.join(sorted(unknown))}; there are {', '.join(POLICIES)}")
    for name in policy:
        changed = {"colour": _colour, "translation": _translation, "cutout": _cutout}[name](x)
        x = changed if p >= 1 else torch.where(_uniform(x) < p, changed, x)
    return x


def _uniform(x):  # one number per picture: (N, 1, 1, 1)
    return distributed.rows(lambda n: torch.rand(n, 1, 1, 1, device=x.device), len(x))


def _integers(end, x):  # one number out of 0 to end - 1 per picture: (N, 1)
    return distributed.rows(lambda n: torch.randint(0, end, (n, 1), device=x.device), len(x))


def _colour(x):
    x = x + (_uniform(x) - 0.5)
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * (2 * _uniform(x))
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (0.5 + _uniform(x))


def _translation(x, share=0.125):
    n, _, height, width = x.shape
    by, bx = round(height * share), round(width * share)
    padded = F.pad(x, (bx, bx, by, by))
    top, left = _integers(2 * by + 1, x), _integers(2 * bx + 1, x)
    rows = top + torch.arange(height, device=x.device)  # (N, H)
    columns = left + torch.arange(width, device=x.device)  # (N, W)
    each = torch.arange(n, device=x.device).view(n, 1, 1)
    shifted = padded.permute(0, 2, 3, 1)[each, rows.unsqueeze(2), columns.unsqueeze(1)]  # (N, H, W, C)
    return shifted.permute(0, 3, 1, 2)


def _cutout(x, share=0.5):
    n, _, height, width = x.shape
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    middle_y, middle_x = _integers(height, x), _integers(width, x)
    inside_y = (rows - middle_y).abs() <= height * share / 2  # (N, H)
    inside_x = (columns - middle_x).abs() <= width * share / 2  # (N, W)
    return x.masked_fill((inside_y.unsqueeze(2) & inside_x.unsqueeze(1)).unsqueeze(1), 0.0)
