"""A GAN of pictures with labels: both of its networks are told the class.

The generator gets the class beside its noise (Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784), the
discriminator adds to its logit a product of its features with a vector of the class (Miyato and Koyama 2018,
https://arxiv.org/abs/1802.05637). Generated pictures have the labels of the batch, so that each real one is compared
with one of its class.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genimg.models.gan import GAN, Discriminator, Generator
from genimg.models.model import CALIBRATED, reset_statistics
from genimg.models.sizes import Size

#: Numbers that the generator is told a class by.
LENGTH = 32


class LabelledGenerator(Generator):
    """z (N, z_dim), labels (N,) or (1,) -> picture (N, channels, height, width) in [-1, 1].

    Args:
        classes: how many labels there are.
        size, channels, z_dim, options: see `gan.Generator`.
    """

    def __init__(self, classes: int, size: Size = 16, channels: int = 1, z_dim: int = 32, **options: Any) -> None:
        super().__init__(size, channels, z_dim + LENGTH, **options)
        self.z_dim = z_dim
        self.label = nn.Embedding(classes, LENGTH)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(torch.cat([z, self.label(labels).expand(z.shape[0], -1)], 1))


class LabelledDiscriminator(Discriminator):
    """Picture (N, channels, height, width), labels (N,) -> logit (N,) that it is real, and of its class.

    Args:
        classes: how many labels there are.
        options: see `gan.Discriminator`.
    """

    def __init__(self, classes: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.label = nn.Embedding(classes, self.last.in_features)
        nn.init.zeros_(self.label.weight)  # it starts by asking of no picture what class it is of

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        seen = self.features(x).flatten(1)  # (N, C, S, S) -> (N, C' * 16)
        return self.last(seen).float().squeeze(1) + (self.label(labels) * seen).float().sum(1)


class LabelledGAN(GAN):
    """A GAN of pictures with labels.

    Args:
        classes: how many labels there are.
        size, channels, z_dim, width, d_width, max_width, norm, options: see `gan.GAN`.

    Attributes:
        shares: of the classes among the pictures that it was trained on, (classes,).
    """

    shares: Tensor

    def __init__(
        self, classes: int, size: Size = 16, channels: int = 1, z_dim: int = 32, width: int = 24, d_width: int = 24,
        max_width: int = 96, norm: str = "batch", **options: Any,
    ) -> None:  # fmt: skip
        generator = LabelledGenerator(classes, size, channels, z_dim, width=width, max_width=max_width, norm=norm)
        discriminator = LabelledDiscriminator(classes, size, channels, d_width, 2 * max_width)
        super().__init__(size, channels, z_dim, generator=generator, discriminator=discriminator, **options)
        self.classes = classes
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def know(self, labels: Tensor) -> None:
        """The classes' shares among all pictures that are trained on, from their labels (N,)."""
        super().know(labels)
        self.shares.copy_(torch.bincount(labels.flatten(), minlength=self.classes) / len(labels))

    def spread(self, n: int) -> Tensor:
        """Labels (n,), the first few as well as all of them as often each as it was trained on."""
        at = (torch.arange(1, n + 1, device=self.device(), dtype=torch.float64) * 0.6180339887498949) % 1
        return torch.searchsorted(self.shares.double().cumsum(0), at).clamp(max=self.classes - 1)

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor] = ()) -> None:
        """As `GAN.calibrate`, of all classes as often as they come."""
        if reset_statistics(self.average["generator"]):
            generator = torch.Generator(self.device()).manual_seed(0)
            labels = self.spread(CALIBRATED).split(64)
            for part in labels:
                self.average["generator"](self.noise(len(part), generator), part)
        self.average["generator"].eval()

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, averaged: bool = True,
        labels: Tensor | int | None = None,
    ) -> Tensor:  # fmt: skip
        """Pictures (n, C, H, W) in [-1, 1], float32, see `GAN.sample`.

        Args:
            labels: the class of each sample, (n,), or one number for all; None takes each class as often as it came in
                training.

        Raises:
            ValueError: a class that it has not.
        """
        z = self.noise_for(n, seed) if z is None else z
        wanted = self.labels_of(labels, len(z))
        return self.drawn(z, self.spread(len(z)) if wanted is None else wanted, averaged=averaged)
