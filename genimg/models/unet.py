"""A small U-Net: from a noisy picture, a time and perhaps a class, a picture of the same shape.

Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597: down to coarse maps, up again, and at each size the fine map
from the way down beside the one on the way up. Conditioning as in Dhariwal and Nichol 2021,
https://arxiv.org/abs/2105.05233: time and class scale and shift the normalised maps.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.models.model import group_norm
from genimg.models.sizes import LARGEST, SMALLEST, Size, sides, written


class UNet(nn.Module):
    """(N, channels, height, width), times (N,), labels (N,) or None -> (N, channels, height, width).

    Its last convolution starts at zero, so an untrained one returns zeros.

    Args:
        size: of squares, or (height, width), each from 8 to 512.
        channels: of the pictures.
        width: of the first level; each level doubles it, up to `max_width`. Levels halve the map down to 4x4 at least,
            three of them at most.
        patch: pixels of a patch x patch square become channels of one position; None takes the first of 1, 2, 4, 8, 16
            that makes the first level no more than 48x48, where that can be.
        classes: 0, or how many labels there are. Label `classes` stands for "none given".

    Raises:
        ValueError: another size, or a patch that does not divide it into maps of at least 4.
    """

    def __init__(
        self, size: Size = 16, channels: int = 1, width: int = 32, max_width: int = 128, patch: int | None = None,
        classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        both = sides(size)
        patch = patch or patch_for(both)
        if min(both) < SMALLEST or max(both) > LARGEST or any(s % patch or s // patch < 4 for s in both):
            raise ValueError(
                f"size {written(size)} with patches of {patch}: it is built for {SMALLEST} to {LARGEST} pixels a side, "
                f"maps of 4 or more"
            )
        maps = [(both[0] // patch, both[1] // patch)]  # (height, width) of each level
        while len(maps) < 3 and min(maps[-1]) >= 8:
            maps.append((-(-maps[-1][0] // 2), -(-maps[-1][1] // 2)))
        levels = len(maps)
        widths = [min(width * 2**i, max_width) for i in range(levels)]
        self.patch, self.classes, cond = patch, classes, 4 * width
        self.time = nn.Sequential(TimeFeatures(), nn.Linear(32, cond), nn.SiLU(), nn.Linear(cond, cond))
        self.label = nn.Embedding(classes + 1, cond) if classes else None
        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = widths[0]
        for i, w in enumerate(widths):
            shrink = nn.Conv2d(before, w, 3, stride=2, padding=1) if i else nn.Identity()
            self.down.append(nn.ModuleList([shrink, Block(w, w, cond)]))
            before = w
        self.middle = Block(before, before, cond)
        for i, w in reversed(list(enumerate(widths))):
            grow = nn.Upsample(maps[i]) if i < levels - 1 else nn.Identity()
            self.up.append(nn.ModuleList([grow, Block(before + w, w, cond)]))
            before = w
        self.norm = group_norm(before)
        self.last = nn.Conv2d(before, channels * patch**2, 3, padding=1)
        for weight in self.last.parameters():
            nn.init.zeros_(weight)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        c = self.time(t)  # (N,) -> (N, cond)
        if self.label is not None:
            labels = torch.full_like(t, self.classes, dtype=torch.long) if labels is None else labels
            c = c + self.label(labels)
        c = F.silu(c)
        x = F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)  # (N, C p^2, S / p, S / p)
        x = self.first(x)
        fine = []
        for level in self.down:
            shrink, block = level.children()
            x = block(shrink(x), c)  # (N, w, s, s) -> (N, 2 w, s / 2, s / 2)
            fine.append(x)
        x = self.middle(x, c)
        for level in self.up:
            grow, block = level.children()
            x = block(torch.cat([grow(x), fine.pop()], 1), c)  # (N, 2 w, s, s) -> (N, w, 2 s, 2 s)
        x = self.last(F.silu(self.norm(x)))
        return F.pixel_shuffle(x, self.patch).float()


def patch_for(both: tuple[int, int]) -> int:
    """The patch of pictures (height, width) for which none is given: see `UNet`."""
    fit = [p for p in (1, 2, 4, 8, 16) if all(side % p == 0 and side // p >= 4 for side in both)] or [1]
    return next((p for p in fit if math.prod(both) <= (48 * p) ** 2), fit[-1])


class Block(nn.Module):
    """Two convolutions around a path that leaves the map as it is; `c` (N, cond) scales and shifts the second norm."""

    def __init__(self, channels: int, out: int, cond: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = group_norm(channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = group_norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.modulate = nn.Linear(cond, 2 * out)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        for weight in self.conv2.parameters():  # each block starts by changing nothing
            nn.init.zeros_(weight)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulate(c)[:, :, None, None].chunk(2, dim=1)  # (N, out, 1, 1) twice
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.skip(x) + h


class TimeFeatures(nn.Module):
    """t (N,) in [0, 1] -> (N, 32): cosines and sines of t at 16 frequencies from 1/2 to 64 turns, evenly in octaves."""

    turns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turns", 2.0 ** torch.linspace(-1, 6, 16), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = 2 * math.pi * t.float()[:, None] * self.turns
        return torch.cat([angle.cos(), angle.sin()], 1)
