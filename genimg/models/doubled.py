"""Upsampling and a convolution as one step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: (height, width).
Map = tuple[int, int]
#: Pixels along the shorter side, of a map and of a picture, from which on the two are one step.
LEAST, FROM = 8, 64


class Doubled(nn.Conv2d):
    """Nearest-neighbour upsampling by 2, then a 3x3 convolution: (N, a, h, w) -> (N, b, 2 h, 2 w).

    Of the 9 pixels that the convolution sees of the larger map many are the same, so an output is a sum over 2x2 of the
    smaller one, with sums of the weights: a transposed convolution with a 4x4 kernel. In training on a processor it is
    computed so, with 4 products in place of 9, in half of the time.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.device.type != "cpu":
            return super().forward(F.interpolate(x, scale_factor=2.0))
        one = self.weight.flip(2, 3).transpose(0, 1)  # (b, a, 3, 3) -> (a, b, 3, 3), as a transposed one has it
        shifted = [F.pad(one, (right, 1 - right, down, 1 - down)) for right in (0, 1) for down in (0, 1)]
        kernel = torch.stack(shifted).sum(0)  # (a, b, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)


def doubling(channels: int, out: int, before: Map, after: Map, picture: Map) -> tuple[nn.Module, nn.Module]:
    """Two layers from a map (height, width) to one of twice its sides: nearest-neighbour upsampling, a convolution.

    From `LEAST` pixels of a map and `FROM` of the picture on they are one, as below nothing is gained, and what small
    networks compute stays the same to the byte.
    """
    if after == (2 * before[0], 2 * before[1]) and min(before) >= LEAST and min(picture) >= FROM:
        return nn.Identity(), Doubled(channels, out)
    return nn.Upsample(after), nn.Conv2d(channels, out, 3, padding=1, bias=False)
