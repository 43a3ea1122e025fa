"""Features of any pictures, computed and not learnt: how much light and colour varies, how finely, which way and where.

A bank of Gabor filters, waves under a bell, at each octave of a picture's size: what simple cells of the visual cortex
answer to (Daugman 1985, https://doi.org/10.1364/JOSAA.2.001160), here the first order of a scattering transform (Bruna
and Mallat 2012, https://arxiv.org/abs/1203.1513). Nothing is fetched, nothing is trained.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.data.images import to_floats

#: Directions of the waves, their length and the bell's deviation in pixels, and the filters' side.
DIRECTIONS, LENGTH, BELL, SIDE = 4, 4.0, 1.8, 7
#: Larger pictures are averaged down to this side; below the other there is no further octave.
LARGEST, SMALLEST = 64, 8
#: What means of lightness and of colours are divided by, so that none rules a distance. It is about their deviation
#: over photographs, drawings and shapes.
LIGHT, COLOUR = 0.3, 0.15
#: The same for the strength of waves in lightness and in colours, from the finest octave on.
LIGHT_WAVES, COLOUR_WAVES = (0.02, 0.03, 0.04, 0.06), (0.006, 0.01, 0.015, 0.025)
#: Octaves of the largest pictures.
OCTAVES = len(LIGHT_WAVES)
#: Quadrants in which the light's variation is averaged, and squares in which light and colours are, along a side.
QUADRANTS, SQUARES = 2, 4
#: Features of a picture.
DIMS = 3 * SQUARES**2 + OCTAVES * (DIRECTIONS * QUADRANTS**2 + 2)
#: All that the features depend on.
SETTINGS = (
    DIRECTIONS, LENGTH, BELL, SIDE, LARGEST, SMALLEST, LIGHT, COLOUR, LIGHT_WAVES, COLOUR_WAVES, QUADRANTS, SQUARES,
)  # fmt: skip
#: Its rows are lightness, red against green, yellow against blue.
OPPONENT = ((1 / 3, 1 / 3, 1 / 3), (0.5, -0.5, 0.0), (0.25, 0.25, -0.5))


class Bank(nn.Module):
    """The filters, two to a direction: a wave and the same a quarter of its length on."""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", _filters())
        self.register_buffer("opponent", torch.tensor(OPPONENT))

    def prepared(self, pixels: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> what the filters see: (N, 3, h, w) of the same proportions, neither above `LARGEST`,
        colours as opponents."""
        x = to_floats(pixels.to(self.filters.device))
        if (longest := max(x.shape[-2:])) > LARGEST:
            height, width = (max(round(side * LARGEST / longest), SMALLEST) for side in x.shape[-2:])
            x = F.adaptive_avg_pool2d(x, (height, width))
        return torch.einsum("oc,nchw->nohw", self.opponent, x.expand(-1, 3, -1, -1))

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, DIMS): mean colours; then octave by octave the mean strength of waves, in lightness by
        direction and quadrant, in each colour. Octaves that small pictures have not are 0."""
        found = [_means(x[:, :1], SQUARES) / LIGHT, _means(x[:, 1:], SQUARES) / COLOUR]
        for light, colour in zip(LIGHT_WAVES, COLOUR_WAVES, strict=True):
            if min(x.shape[-2:]) < SMALLEST:
                break
            waves = F.conv2d(F.pad(x.flatten(0, 1).unsqueeze(1), (SIDE // 2,) * 4, mode="reflect"), self.filters)
            strength = (waves[:, ::2].square() + waves[:, 1::2].square() + 1e-6).sqrt().unflatten(0, (len(x), 3))
            found += [_means(strength[:, 0], QUADRANTS) / light, strength[:, 1:].mean((2, 3, 4)) / colour]
            x = F.avg_pool2d(x, 2)
        result = torch.cat(found, 1)
        return F.pad(result, (0, DIMS - result.shape[1]))


def _filters() -> Tensor:
    """(2 DIRECTIONS, 1, SIDE, SIDE), each of sum 0 and of absolute sum 1."""
    axis = torch.arange(SIDE) - SIDE // 2
    y, x = torch.meshgrid(axis.float(), axis.float(), indexing="ij")
    bell = torch.exp(-(x.square() + y.square()) / (2 * BELL**2))
    found = []
    for i in range(DIRECTIONS):
        along = x * math.cos(math.pi * i / DIRECTIONS) + y * math.sin(math.pi * i / DIRECTIONS)
        for wave in (torch.cos(2 * math.pi * along / LENGTH), torch.sin(2 * math.pi * along / LENGTH)):
            own = bell * wave
            own = own - bell * own.sum() / bell.sum()
            found.append(own / own.abs().sum())
    return torch.stack(found).unsqueeze(1)


def _means(x: Tensor, side: int) -> Tensor:
    """Means over side x side parts of the picture, (N, C side side)."""
    return F.adaptive_avg_pool2d(x, side).flatten(1)
