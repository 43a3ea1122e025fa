"""The source text's networks: strided 3x3 convolutions from 64 filters down, transposed ones up, batch norm throughout.

The text describes them for 128x128x3 and leaves parts out; each choice that fills a gap says so. `size` drives the
depth: one level for each halving between the picture and an 8x8 map, which makes the text's four levels at 128.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The text's dense layer. 1024 = 16 * 8 * 8, so that a reshape to (16, 8, 8) is all that stands before the first
#: transposed convolution (the text has no reshape).
DENSE = 1024
#: Height and width of the smallest maps.
BOTTOM = 8
#: Sizes of pictures that the networks are built for.
SIZES = (32, 64, 128, 256)
#: Which levels have batch normalisation; see `Down`.
NORMS = ("all", "not_first", "none")
#: How a map is doubled, by a transposed convolution, or by repeating pixels before a plain one.
UPSAMPLINGS = ("transposed", "nearest")


def depth(size: int) -> int:
    """How many levels halve `size` to 8: 2 at 32, 3 at 64, 4 at 128, 5 at 256.

    Raises:
        ValueError: another size.
    """
    if size not in SIZES:
        raise ValueError(f"size {size}: the source text's networks are built for {', '.join(map(str, SIZES))} pixels")
    return (size // BOTTOM).bit_length() - 1


class Down(nn.Sequential):
    """Picture (N, channels, size, size) -> map (N, width * 2^(depth - 1), 8, 8).

    Each level: 3x3 convolution of stride 2, batch norm, LeakyReLU(0.2). The text gives 64 filters for the first
    level; doubling them at each level is our choice, as Radford et al. 2015 (https://arxiv.org/abs/1511.06434) do.

    Args:
        norm: batch norm in "all" levels, in all but the first ("not_first"), or "none".
    """

    def __init__(self, size: int = 128, channels: int = 3, width: int = 64, norm: str = "all") -> None:
        if norm not in NORMS:
            raise ValueError(f"norm {norm!r}; there are {', '.join(NORMS)}")
        widths = [channels, *(width * 2**level for level in range(depth(size)))]
        layers: list[nn.Module] = []
        for level, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
            normed = norm == "all" or (norm == "not_first" and level > 0)
            layers.append(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=not normed))
            layers += [nn.BatchNorm2d(b)] if normed else []
            layers.append(nn.LeakyReLU(0.2))
        super().__init__(*layers)
        self.features = widths[-1] * BOTTOM**2


class Discriminator(nn.Module):
    """Picture (N, channels, size, size) in [-1, 1] -> logit (N,) of the probability that it is real.

    `Down`, flatten, dense 1024, batch norm, LeakyReLU(0.2), dense 1. The text's sigmoid is left to the loss, which
    needs the logit to be exact (`gan.LOSSES["sigmoid_bce"]` computes what the text does with it).
    """

    def __init__(self, size: int = 128, channels: int = 3, width: int = 64, norm: str = "all") -> None:
        super().__init__()
        self.down = Down(size, channels, width, norm)
        self.dense = nn.Linear(self.down.features, DENSE, bias=norm == "none")
        self.norm = nn.Identity() if norm == "none" else nn.BatchNorm1d(DENSE)
        self.last = nn.Linear(DENSE, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x).flatten(1)  # (N, C, S, S) -> (N, C', 8, 8) -> (N, C' * 64)
        x = F.leaky_relu(self.norm(self.dense(x)), 0.2)  # (N, 1024)
        return self.last(x).float().squeeze(1)  # (N,)


class Encoder(nn.Module):
    """Picture (N, channels, size, size) -> mean and log-variance of q(z | x), each (N, z_dim).

    The text's encoder ends at the flattened map; without the two heads there is nothing to sample from.
    """

    def __init__(
        self, size: int = 128, channels: int = 3, z_dim: int = 128, width: int = 64, norm: str = "all"
    ) -> None:
        super().__init__()
        self.down = Down(size, channels, width, norm)
        self.mu = nn.Linear(self.down.features, z_dim)
        self.logvar = nn.Linear(self.down.features, z_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.down(x).flatten(1)  # (N, C, S, S) -> (N, C' * 64)
        return self.mu(x).float(), self.logvar(x).float().clamp(-12, 8)


class Decoder(nn.Module):
    """z (N, z_dim) -> picture before it is squashed, (N, channels, size, size).

    Dense 1024, batch norm, LeakyReLU(0.2), reshape to (16, 8, 8), then a doubling for each level. The text gives 64
    filters for the first transposed convolution; we keep 64 up to the last, which has as many as the picture.

    Args:
        up: "transposed" (3x3, stride 2, as in the text) or "nearest" (upsampling, then a 3x3 convolution).
        norm: batch norm in "all" levels or "none".
    """

    def __init__(
        self, size: int = 128, channels: int = 3, z_dim: int = 128, width: int = 64, up: str = "transposed",
        norm: str = "all",
    ) -> None:  # fmt: skip
        super().__init__()
        if up not in UPSAMPLINGS:
            raise ValueError(f"up {up!r}; there are {', '.join(UPSAMPLINGS)}")
        self.z_dim = z_dim
        normed = norm != "none"
        self.dense = nn.Sequential(
            nn.Linear(z_dim, DENSE, bias=not normed), nn.BatchNorm1d(DENSE) if normed else nn.Identity()
        )
        widths = [DENSE // BOTTOM**2, *[width] * (depth(size) - 1)]
        self.levels = nn.Sequential(
            *(
                nn.Sequential(
                    _double(a, b, up, bias=not normed),
                    nn.BatchNorm2d(b) if normed else nn.Identity(),
                    nn.LeakyReLU(0.2),
                )
                for a, b in zip(widths, widths[1:], strict=False)
            )
        )
        self.last = _double(widths[-1], channels, up, bias=True)

    def forward(self, z: Tensor) -> Tensor:
        x = F.leaky_relu(self.dense(z), 0.2)  # (N, z_dim) -> (N, 1024)
        x = x.unflatten(1, (-1, BOTTOM, BOTTOM))  # (N, 16, 8, 8)
        x = self.levels(x.contiguous(memory_format=torch.channels_last))  # (N, width, S / 2, S / 2)
        return self.last(x).float()  # (N, channels, S, S)


class Generator(Decoder):
    """z (N, z_dim) -> picture (N, channels, size, size) in [-1, 1]: the decoder with the text's tanh behind it.

    The text writes a picture as the generator's input and convolutions downwards; then there is nothing to sample.
    """

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(super().forward(z))


def _double(a: int, b: int, up: str, bias: bool) -> nn.Module:
    """Twice the side. A stride of 2 with 3 taps covers every other pixel twice: the cause of checkerboards."""
    if up == "transposed":
        return nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1, bias=bias))
