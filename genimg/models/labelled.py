"""A GAN and a VAE of pictures with labels: both networks of each are told the class.

The GAN's generator gets the class beside its noise (Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784), the
discriminator adds to its logit a product of its features with a vector of the class (Miyato and Koyama 2018,
https://arxiv.org/abs/1802.05637). Generated pictures have the labels of the batch, so that each real one is compared
with one of its class.

The VAE's encoder and decoder are told the class, q(z | x, y) and p(x | z, y), and its prior is not: the loss bounds
log p(x | y), and a code says what the class does not (Sohn et al. 2015,
https://papers.nips.cc/paper/5775-learning-structured-output-representation-using-deep-conditional-generative-models).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genimg.models.gan import GAN, Discriminator, Generator
from genimg.models.model import CALIBRATED, Model, reset_statistics
from genimg.models.sizes import Size
from genimg.models.vae import VAE, Decoder, Encoder

#: Numbers that the generator and the decoder are told a class by.
LENGTH = 32


class BesideNoise(nn.Module):
    """Gives a network of noise the class beside it. Stands before a generator or a decoder.

    Args:
        classes: how many labels there are.
        size, channels, z_dim, options: of the network behind it.
    """

    def __init__(self, classes: int, size: Size, channels: int, z_dim: int, **options: Any) -> None:
        super().__init__(size, channels, z_dim + LENGTH, **options)
        self.z_dim = z_dim
        self.label = nn.Embedding(classes, LENGTH)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        out: Tensor = super().forward(torch.cat([z, self.label(labels).expand(z.shape[0], -1)], 1))
        return out


class LabelledGenerator(BesideNoise, Generator):  # type: ignore[misc]
    """z (N, z_dim), labels (N,) or (1,) -> picture (N, channels, height, width) in [-1, 1]."""


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


class Labelled(Model):
    """How often each class came, which samples without a class keep to. Stands before a GAN or a VAE.

    Args:
        classes: how many labels there are.
        arguments, options: of the model behind it.

    Attributes:
        shares: of the classes among the pictures that it was trained on, (classes,).
    """

    shares: Tensor

    def __init__(self, classes: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.classes = classes
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def know(self, labels: Tensor) -> None:
        """The classes' shares among all pictures that are trained on, from their labels (N,)."""
        super().know(labels)
        self.shares.copy_(torch.bincount(labels.flatten(), minlength=self.classes) / len(labels))

    def spread(self, n: int) -> Tensor:
        """Labels (n,), the first few as well as all of them as often each as it was trained on."""
        at = (torch.arange(1, n + 1, dtype=torch.float64) * 0.6180339887498949) % 1
        ends = self.shares.cpu().double().cumsum(0)  # on the processor: Apple's GPUs have no float64
        return torch.searchsorted(ends, at).clamp(max=self.classes - 1).to(self.device())

    def wanted(self, labels: Tensor | int | None, n: int) -> Tensor:
        """Labels (n,) as they are asked for; where none are, those of `spread`.

        Raises:
            ValueError: a class that it has not.
        """
        asked = self.labels_of(labels, n)
        return self.spread(n) if asked is None else asked


class LabelledGAN(Labelled, GAN):
    """A GAN of pictures with labels.

    Args:
        classes: how many labels there are.
        size, channels, z_dim, width, d_width, max_width, norm, options: see `gan.GAN`.
    """

    def __init__(
        self, classes: int, size: Size = 16, channels: int = 1, z_dim: int = 32, width: int = 24, d_width: int = 24,
        max_width: int = 96, norm: str = "batch", **options: Any,
    ) -> None:  # fmt: skip
        generator = LabelledGenerator(classes, size, channels, z_dim, width=width, max_width=max_width, norm=norm)
        discriminator = LabelledDiscriminator(classes, size, channels, d_width, 2 * max_width)
        super().__init__(classes, size, channels, z_dim, generator=generator, discriminator=discriminator, **options)

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
        return self.drawn(z, self.wanted(labels, len(z)), averaged=averaged)


class LabelledEncoder(Encoder):
    """Picture (N, channels, height, width), labels (N,) or (1,) -> mean and log-variance of q(z | x, y), (N, z_dim).

    A class adds a number to each channel of the first maps, as channels that are the same everywhere would do.

    Args:
        classes: how many labels there are.
        options: see `vae.Encoder`.
    """

    def __init__(self, classes: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.label = nn.Embedding(classes, self.first.out_channels)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return self.from_first(self.first(x) + self.label(labels)[:, :, None, None])  # (N, C, s, s) + (N, C, 1, 1)


class LabelledDecoder(BesideNoise, Decoder):  # type: ignore[misc]
    """z (N, z_dim), labels (N,) or (1,) -> mean of p(x | z, y) before it is squashed, (N, channels, height, width)."""


class LabelledVAE(Labelled, VAE):
    """A VAE of pictures with labels.

    Args:
        classes: how many labels there are.
        size, channels, z_dim, width, max_width, options: see `vae.VAE`.
    """

    def __init__(
        self, classes: int, size: Size = 16, channels: int = 1, z_dim: int = 16, width: int = 32, max_width: int = 128,
        **options: Any,
    ) -> None:  # fmt: skip
        encoder = LabelledEncoder(classes, size, channels, z_dim, width, max_width)
        decoder = LabelledDecoder(classes, size, channels, z_dim, width=width, max_width=max_width)
        super().__init__(classes, size, channels, z_dim, encoder=encoder, decoder=decoder, **options)

    def told(self, labels: Tensor | int | None, n: int) -> tuple[Tensor, ...]:
        """The labels (n,) that both networks need.

        Raises:
            ValueError: there are none, or of classes that it has not.
        """
        if labels is None:
            raise ValueError("this VAE has classes: encode and decode need labels=, a class for each or one for all")
        return super().told(labels, n)

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, averaged: bool = True,
        labels: Tensor | int | None = None,
    ) -> Tensor:  # fmt: skip
        """Decoder means (n, C, H, W) in [-1, 1], see `VAE.sample`; for labels see `LabelledGAN.sample`."""
        z = self.noise_for(n, seed) if z is None else z
        return self.decode(z, averaged, self.wanted(labels, len(z)))

    @torch.no_grad()
    def log_weights(
        self, x: Tensor, k: int = 1, generator: torch.Generator | None = None, averaged: bool = True,
        labels: Tensor | int | None = None,
    ) -> Tensor:  # fmt: skip
        """See `VAE.log_weights`: of p(x | y) where labels are given, else of p(x) = sum over classes of p(y) p(x | y),
        with p(y) their shares, for which each class takes a pass: (k, N) nats."""
        of = super().log_weights
        if labels is not None:
            return of(x, k, generator, averaged, labels)
        weights = [of(x, k, generator, averaged, y) + share.log() for y, share in enumerate(self.shares)]
        return torch.stack(weights).logsumexp(0)  # (classes, k, N) -> (k, N)
