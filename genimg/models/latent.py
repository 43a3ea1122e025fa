"""A flow on the codes of a VAE: the VAE's prior, learned.

Rombach et al. 2021, https://arxiv.org/abs/2112.10752: a first stage that redraws pictures well and pays little for its
codes, then a generator of codes, which are far fewer numbers than pixels. Here the first stage is a VAE whose code is
a small map of places with some numbers each, and the second is flow matching (`flow.py`).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.models.flow import interpolate, logit_normal_times, of_class, velocity_loss
from genimg.models.likelihood import log_gaussian
from genimg.models.model import Model, Player, group_norm
from genimg.models.ode import carry
from genimg.models.sizes import Size, checked, sides
from genimg.models.unet import UNet
from genimg.models.vae import encoded, kl_to_standard_normal, optimal_sigma, reparameterise

#: A code has as many places along a side as a picture has squares of 8 pixels, or of 4, 2 or 1 where that makes fewer
#: than so many along its shorter side.
LEAST = 8


def places_of(size: Size, side: int | None = None) -> tuple[int, int]:
    """(height, width) of the map of places that a code is: so many along its shorter side, or, for None, one for each
    8 pixels, and at least `LEAST`.

    Raises:
        ValueError: a size that the networks are not built for.
    """
    height, wide = sides(checked(size))
    shortest = min(height, wide)
    halvings = (shortest // side).bit_length() - 1 if side else max(h for h in range(4) if shortest >> h >= LEAST)
    return height >> halvings, wide >> halvings


class Encoder(nn.Module):
    """Picture (N, channels, height, width) -> mean and log-variance of q(z | x), each (N, z_dim, *places)."""

    def __init__(self, channels: int, z_dim: int, widths: list[int], patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(Level(a, b, 2) for a, b in zip(widths, widths[1:], strict=False))
        self.last = nn.Conv2d(widths[-1], 2 * z_dim, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)  # (N, C p^2, S / p, S / p)
        x = F.silu(self.first(x))
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, C', s / 2, s / 2)
        mu, logvar = self.last(x).float().chunk(2, dim=1)  # (N, z_dim, *places) twice
        return mu, logvar.clamp(-12, 8)


class Decoder(nn.Module):
    """Code (N, z_dim, *places) -> mean of p(x | z) before it is squashed, (N, channels, height, width)."""

    def __init__(self, channels: int, z_dim: int, widths: list[int], patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.first = nn.Conv2d(z_dim, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), Level(a, b)) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.last = nn.Conv2d(widths[-1], channels * patch**2, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.silu(self.first(z)).contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, C', 2 s, 2 s)
        return F.pixel_shuffle(self.last(x), self.patch).float()


class Level(nn.Sequential):
    """Two convolutions, the first with a stride: (N, a, s, s) -> (N, b, s / stride, s / stride)."""

    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(a, b, 3, stride=stride, padding=1), group_norm(b), nn.SiLU(),
            nn.Conv2d(b, b, 3, padding=1), group_norm(b), nn.SiLU(),
        )  # fmt: skip


class Latent(Model):
    """First stage and flow, one after the other: of a run's steps the VAE takes the first part, the flow the rest.

    The noise is as long as the code: z (N, code), of which the flow makes a code and the decoder a picture.

    Args:
        size, channels: of the pictures; a size is one of squares, or (height, width), of multiples of 8 up to 512.
        z_dim: numbers in each place of the code.
        width: channels of the VAE at full size; each halving doubles them, up to `max_width`.
        flow_width: of the flow's U-Net.
        kl_weight: of the KL in the first stage. Below 1: the flow, not the prior, says how codes are distributed.
        first: share of the steps that is the VAE's.
        classes: 0, or how many labels the pictures have, of which the flow learns the codes; the VAE does without.
        drop: share of training labels that are hidden, so that the flow also learns the velocity without a class.
        lr, betas: Adam's, for both.
        side: places along the shorter side of the code; None takes one for each 8 pixels, and at least `LEAST`.
        velocity: a network of your own, (x, t, ...) -> (N, z_dim, side, side), in place of the U-Net.

    Attributes:
        shift, deviation: of the codes, (z_dim, 1, 1): the flow sees codes less the first, over the second. Running
            values of the first stage.

    Raises:
        ValueError: a size that the networks are not built for.
    """

    averaged = ("encoder", "decoder", "velocity")
    middle = 0.0  # of the times that the flow trains at, as a logit
    log_sigma: Tensor
    shift: Tensor
    deviation: Tensor

    def __init__(
        self, size: Size = 32, channels: int = 3, z_dim: int = 8, width: int = 32, max_width: int = 128,
        flow_width: int = 64, kl_weight: float = 0.3, first: float = 0.5, lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99), classes: int = 0, drop: float = 0.1, side: int | None = None,
        velocity: nn.Module | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        height, wide = sides(checked(size))
        places = places_of(size, side)
        halvings = (height // places[0]).bit_length() - 1
        patch = 2 if halvings > 1 else 1
        widths = [min(width * 2**i, max_width) for i in range(halvings - (patch == 2) + 1)]
        self.encoder = Encoder(channels, z_dim, widths, patch)
        self.decoder = Decoder(channels, z_dim, widths[::-1], patch)
        self.places = (z_dim, *places)
        self.velocity = velocity or UNet(self.places[1:], z_dim, flow_width, 2 * flow_width, classes=classes)
        self.classes, self.drop = classes, drop
        self.code, self.dims = math.prod(self.places), channels * height * wide
        self.kl_weight, self.first, self.lr, self.betas = kl_weight, first, lr, betas
        self.register_buffer("log_sigma", torch.tensor(-1.0))
        self.register_buffer("shift", torch.zeros(z_dim, 1, 1))
        self.register_buffer("deviation", torch.ones(z_dim, 1, 1))

    def players(self) -> dict[str, Player]:
        """Two, in turns that do not overlap: the VAE, then the flow."""
        vae = Player(("encoder", "decoder"), self.vae_loss, self.lr, self.betas, part=(0.0, self.first))
        return {"vae": vae, "flow": Player(("velocity",), self.flow_loss, self.lr, self.betas, part=(self.first, 1.0))}

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """What n pictures are made of, drawn from N(0, I): (n, code)."""
        return torch.randn(n, self.code, generator=generator, device=self.device())

    def training_noise(self, n: int) -> tuple[Tensor, ...]:
        """That of the encoder's draw and of the flow, each (n, *places), the times (n,), and, where there are classes,
        what decides whose label is hidden (n,)."""
        device = self.device()
        eps, x_0 = torch.randn(2, n, *self.places, device=device)
        drawn = eps, x_0, logit_normal_times(n, device=device, mean=self.middle)
        return (*drawn, torch.rand(n, device=device)) if self.classes else drawn

    def vae_loss(
        self, x: Tensor, eps: Tensor, x_0: Tensor, t: Tensor, hide: Tensor | None = None, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The negative ELBO per sample, in nats, with the KL weighed; and its parts."""
        mu, logvar = self.encoder(x)  # (N, C, H, W) -> (N, z_dim, *places) twice
        mean = torch.tanh(self.decoder(reparameterise(mu, logvar, eps)))
        sigma = optimal_sigma(x, mean, self.world.mean)
        log_p = log_gaussian(x, mean, sigma)  # (N,)
        kl = kl_to_standard_normal(mu, logvar).flatten(1).sum(1)  # (N,)
        parts = {"loss": self.kl_weight * kl - log_p, "distortion": -log_p, "kl": kl, "sigma": sigma}
        return parts | {"mu": mu, "logvar": logvar}

    def flow_loss(
        self, x: Tensor, eps: Tensor, x_0: Tensor, t: Tensor, hide: Tensor | None = None, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The squared error of the velocity per sample, on the way from x_0 to the code at times t."""
        with torch.no_grad():
            mu, logvar = self.network("encoder")(x)
            code = (reparameterise(mu, logvar, eps) - self.shift) / self.deviation
        if labels is not None:
            assert hide is not None
            labels = torch.where(hide < self.drop, self.classes, labels)
        return {"velocity": velocity_loss(self.velocity(interpolate(x_0, code, t), t, labels), x_0, code)}

    @torch.no_grad()
    def after_update(self, parts: dict[str, Tensor]) -> None:
        """Running values over batches: sigma, and what codes are divided by before the flow sees them."""
        if "mu" not in parts:
            return
        self.log_sigma.lerp_(parts["sigma"].log(), 0.02)
        parts["sigma"] = self.log_sigma.exp()
        mu, variance = parts["mu"], parts["logvar"].exp()
        mean = self.world.mean(mu.mean((0, 2, 3)))[:, None, None]
        spread = self.world.mean(((mu - mean).square() + variance).mean((0, 2, 3)))[:, None, None]
        self.shift.lerp_(mean, 0.02)
        self.deviation.lerp_(spread.sqrt(), 0.02)

    @torch.no_grad()
    def encode(self, x: Tensor, averaged: bool = True) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x): two (N, z_dim, *places)."""
        return encoded(self.network("encoder", averaged), x)

    @torch.no_grad()
    def decode(self, code: Tensor, averaged: bool = True) -> Tensor:
        """Mean of p(x | z) at codes (N, z_dim, *places): (N, C, H, W) in [-1, 1]."""
        net = self.network("decoder", averaged)
        return torch.cat([torch.tanh(net(part)) for part in code.split(256)])

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, steps: int = 20,
        solver: str = "heun", averaged: bool = True, labels: Tensor | int | None = None, guidance: float = 1.0,
    ) -> Tensor:  # fmt: skip
        """Pictures (n, C, H, W) in [-1, 1], float32.

        Args:
            n: how many; or give the noise `z` (n, code) yourself.
            seed: the noise's seed; None goes on with torch's global one.
            steps, solver: see `ode.carry`.
            averaged: the averaged networks, or those in training.
            labels: the class of each sample, (n,), or one number for all; None for no class.
            guidance: see `flow.guided`.

        Raises:
            ValueError: a class asked of a model trained without, or one that it has not.
        """
        z = self.noise_for(n, seed) if z is None else z
        labels = self.labels_of(labels, len(z))
        parts = z.split(256)
        own = [None] * len(parts) if labels is None else labels.split(256)
        made = zip(parts, own, strict=True)
        return torch.cat([self.picture(part, steps, solver, averaged, y, guidance) for part, y in made])

    def picture(
        self, z: Tensor, steps: int = 20, solver: str = "heun", averaged: bool = True, labels: Tensor | None = None,
        guidance: float = 1.0,
    ) -> Tensor:  # fmt: skip
        """Noise (N, code), to a code (N, z_dim, *places), to pictures (N, C, H, W) in [-1, 1]."""
        velocity = of_class(self.network("velocity", averaged), labels, guidance, self.classes)
        x = carry(velocity, z.unflatten(1, self.places), steps, solver)
        return torch.tanh(self.network("decoder", averaged)(x * self.deviation + self.shift))
