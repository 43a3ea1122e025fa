"""Differentiable augmentation: what a GAN's discriminator is shown, changed in ways that gradients pass through."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.models.model import Alone

#: Names of differentiable augmentations; see `diff_augment`.
POLICIES = ("colour", "translation", "cutout")
#: What gives this process's n rows of draw(a batch's size).
Rows = Callable[[Callable[[int], Tensor], int], Tensor]


def diff_augment(x: Tensor, policy: str | Sequence[str] = POLICIES, p: float = 1.0, rows: Rows = Alone.rows) -> Tensor:
    """Differentiable augmentation for a GAN: if D sees real and generated pictures changed alike, G need not learn it.

    Zhao et al. 2020, https://arxiv.org/abs/2006.10738; with p < 1, Karras et al. 2020,
    https://arxiv.org/abs/2006.06676.

    Args:
        x: (N, C, H, W) in [-1, 1].
        policy: names out of `POLICIES`. colour: brightness, saturation (of colour pictures), contrast;
            translation: by up to an eighth of a side; cutout: a grey square of half the side.
        p: the probability that a picture gets each of them.
        rows: function (draw, n) that gives this process's n rows of what is drawn for the whole batch.

    Returns:
        (N, C, H, W); colour may leave [-1, 1].
    """
    policy = (policy,) if isinstance(policy, str) else tuple(policy)
    unknown = set(policy) - set(POLICIES)
    if unknown:
        raise ValueError(f"unknown augmentation {', '.join(sorted(unknown))}; there are {', '.join(POLICIES)}")
    for name in policy:
        changed = {"colour": _colour, "translation": _translation, "cutout": _cutout}[name](x, rows)
        x = changed if p >= 1 else torch.where(_uniform(x, rows) < p, changed, x)
    return x


def _uniform(x: Tensor, rows: Rows) -> Tensor:  # one number per picture: (N, 1, 1, 1)
    return rows(lambda n: torch.rand(n, 1, 1, 1, device=x.device), len(x))


def _integers(end: int, x: Tensor, rows: Rows) -> Tensor:  # one number out of 0 to end - 1 per picture: (N, 1)
    return rows(lambda n: torch.randint(0, end, (n, 1), device=x.device), len(x))


def _colour(x: Tensor, rows: Rows) -> Tensor:
    x = x + (_uniform(x, rows) - 0.5)
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * (2 * _uniform(x, rows))
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (0.5 + _uniform(x, rows))


def _translation(x: Tensor, rows: Rows, share: float = 0.125) -> Tensor:
    n, _, height, width = x.shape
    by, bx = round(height * share), round(width * share)
    padded = F.pad(x, (bx, bx, by, by))
    top, left = _integers(2 * by + 1, x, rows), _integers(2 * bx + 1, x, rows)
    down = top + torch.arange(height, device=x.device)  # (N, H)
    across = left + torch.arange(width, device=x.device)  # (N, W)
    each = torch.arange(n, device=x.device).view(n, 1, 1)
    shifted = padded.permute(0, 2, 3, 1)[each, down.unsqueeze(2), across.unsqueeze(1)]  # (N, H, W, C)
    return shifted.permute(0, 3, 1, 2)


def _cutout(x: Tensor, rows: Rows, share: float = 0.5) -> Tensor:
    _, _, height, width = x.shape
    down, across = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    middle_y, middle_x = _integers(height, x, rows), _integers(width, x, rows)
    inside_y = (down - middle_y).abs() <= height * share / 2  # (N, H)
    inside_x = (across - middle_x).abs() <= width * share / 2  # (N, W)
    return x.masked_fill((inside_y.unsqueeze(2) & inside_x.unsqueeze(1)).unsqueeze(1), 0.0)
