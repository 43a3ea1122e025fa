"""Flow matching along straight paths: the loss, the solvers, the likelihood, and its relatives by change of variable.

Lipman et al. 2022, https://arxiv.org/abs/2210.02747; Liu et al. 2022, https://arxiv.org/abs/2209.03003; and, for other
paths too, Albergo and Vanden-Eijnden 2022, https://arxiv.org/abs/2209.15571. Time runs from noise (t = 0, with x_0
drawn from N(0, I)) to data (t = 1):

    x_t = (1 - t) x_0 + t x_1,    velocity = x_1 - x_0.

Throughout, x is (N, ...) and t is (N,) or a number. Losses are per sample.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from genimg.models.likelihood import LEVELS, bin_width, bits_per_dim
from genimg.models.model import Model, Player
from genimg.models.ode import carry, log_likelihood
from genimg.models.sizes import Size, sides
from genimg.models.unet import UNet


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor | float) -> Tensor:
    """The straight path: (1 - t) x_0 + t x_1, (N, ...)."""
    t = per_sample(t, x_1)
    return (1 - t) * x_0 + t * x_1


def velocity_loss(v: Tensor, x_0: Tensor, x_1: Tensor) -> Tensor:
    """Mean over dimensions of (v - (x_1 - x_0))^2, per sample: (N, ...) -> (N,). Lipman et al. 2022, equation 23, with
    paths that end in the data themselves (their sigma_min is 0).

    Its minimum over functions v(x_t, t) is the mean of x_1 - x_0 over all pairs whose path passes x_t at time t.
    """
    return (v - (x_1 - x_0)).square().flatten(1).mean(1)


def uniform_times(n: int, generator: torch.Generator | None = None, device: torch.device | str | None = None) -> Tensor:
    """t ~ U(0, 1), (n,)."""
    return torch.rand(n, generator=generator, device=device)


def logit_normal_times(
    n: int, generator: torch.Generator | None = None, device: torch.device | str | None = None, mean: float = 0.0,
    std: float = 1.0,
) -> Tensor:  # fmt: skip
    """t = sigmoid(mean + std * N(0, 1)), (n,): more often from the middle of the path, where the mean velocity is hard
    to tell, than from its ends (Esser et al. 2024, https://arxiv.org/abs/2403.03206, section 3.1)."""
    return torch.sigmoid(mean + std * torch.randn(n, generator=generator, device=device))


#: Name -> function from n to n times that a batch is trained at, each in [0, 1].
TIMES: dict[str, Callable[..., Tensor]] = {"uniform": uniform_times, "logit_normal": logit_normal_times}


# The same network can be read as a velocity, as a predicted noise or as a denoised picture: each is a linear function
# of another, of x_t and of t.


def denoised(x_t: Tensor, v: Tensor, t: Tensor | float) -> Tensor:
    """The mean of x_1 given x_t: x_t + (1 - t) v."""
    return x_t + (1 - per_sample(t, x_t)) * v


def noise(x_t: Tensor, v: Tensor, t: Tensor | float) -> Tensor:
    """The mean of x_0 given x_t: x_t - t v."""
    return x_t - per_sample(t, x_t) * v


def from_denoised(x_t: Tensor, x_1: Tensor, t: Tensor | float) -> Tensor:
    """The velocity of a denoiser's answer x_1 at x_t; t < 1."""
    return (x_1 - x_t) / (1 - per_sample(t, x_t))


def from_noise(x_t: Tensor, x_0: Tensor, t: Tensor | float) -> Tensor:
    """The velocity of a predicted noise x_0 at x_t; t > 0."""
    return (x_t - x_0) / per_sample(t, x_t)


def edm_view(x_t: Tensor, t: Tensor | float) -> tuple[Tensor, Tensor]:
    """(x_1 + sigma x_0, sigma) with sigma = (1 - t) / t, as EDM sees a noisy picture; t > 0.

    Karras et al. 2022, https://arxiv.org/abs/2206.00364.
    """
    t = per_sample(t, x_t)
    return x_t / t, (1 - t) / t


def ddpm_view(x_t: Tensor, t: Tensor | float) -> tuple[Tensor, Tensor]:
    """(sqrt(a) x_1 + sqrt(1 - a) x_0, a) with a = t^2 / (t^2 + (1 - t)^2), as DDPM sees it (a is its alpha-bar).

    Ho et al. 2020, https://arxiv.org/abs/2006.11239, equation 4.
    """
    t = per_sample(t, x_t)
    squared = t.square() + (1 - t).square()
    return x_t / squared.sqrt(), t.square() / squared


def guided(conditional: Tensor, unconditional: Tensor, scale: float | Tensor) -> Tensor:
    """unconditional + scale * (conditional - unconditional): 1 is the conditional velocity itself, more exaggerates
    what the class adds (Ho and Salimans 2022, https://arxiv.org/abs/2207.12598; their w is scale - 1)."""
    return unconditional + scale * (conditional - unconditional)


def of_class(
    net: nn.Module, labels: Tensor | None = None, guidance: float = 1.0, none: int = 0
) -> Callable[[Tensor, Tensor], Tensor]:
    """A velocity network as a function (x, t) -> (N, ...) of one class for each sample, (N,), or of no class.

    Args:
        guidance: see `guided`.
        none: the label that stands for no class.
    """

    def of(x: Tensor, t: Tensor) -> Tensor:
        if labels is None or guidance == 1.0:
            return net(x, t, labels)
        # Both in one pass: class and no class.
        both = torch.cat([labels, torch.full_like(labels, none)])
        given, free = net(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return guided(given, free, guidance)

    return of


def per_sample(t: Tensor | float, x: Tensor) -> Tensor:
    """t (N,), or a number, in a shape that broadcasts against x (N, ...)."""
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    return t.reshape(-1, *[1] * (x.dim() - 1)) if t.dim() else t


#: What a flow's network gives, the velocity, or the picture at the end of the path.
PREDICTS = ("velocity", "denoised")

#: From 1 - t = `NEAR` on, the weight of an error in the denoised picture grows no more (see `Flow.loss`).
NEAR = 0.05


class Denoiser(nn.Module):
    """The velocity that belongs to a network which answers with the mean of x_1: (net(x_t, t) - x_t) / (1 - t).

    So the last step of sampling ends at the network's answer. At t = 1 itself, where likelihoods start, it is divided
    by `NEAR` instead.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        return from_denoised(x, self.net(x, t, labels), torch.where(t < 1, t, 1 - NEAR))


class Flow(Model):
    """A velocity network and the step that trains it.

    Args:
        size, channels, width, max_width, patch: of the U-Net.
        classes: 0, or how many labels the pictures have: then its loss takes labels, and `sample` can be asked for a
            class.
        drop: share of training labels that are hidden, so that the network also learns the velocity without a class,
            which guidance needs.
        times: a name out of `TIMES`.
        predicts: what the U-Net's output is read as: "velocity", or "denoised", the mean of x_1, from which the
            velocity follows. A small network with large patches is better at the second: pictures need fewer numbers
            than noise (Li and He 2025, https://arxiv.org/abs/2511.13720).
        lr, betas: Adam's.
        velocity: a network of your own, (x, t, labels) -> (N, C, H, W), in place of the U-Net.
        levels: grey levels of the pictures, equally spaced with both ends; 256 of 8-bit ones. In training each is
            spread evenly over its bin, so samples of a few levels carry that grain: `likelihood.to_levels` takes it.

    Raises:
        ValueError: unknown times or prediction, or a size that the network is not built for.
    """

    averaged = ("velocity",)

    def __init__(
        self, size: Size = 16, channels: int = 1, width: int = 32, max_width: int = 128, patch: int | None = None,
        classes: int = 0, drop: float = 0.1, times: str = "logit_normal", predicts: str = "velocity", lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99), velocity: nn.Module | None = None, levels: int = LEVELS,
    ) -> None:  # fmt: skip
        super().__init__()
        if times not in TIMES:
            raise ValueError(f"times {times!r}; there are {', '.join(TIMES)}")
        if predicts not in PREDICTS:
            raise ValueError(f"predicts {predicts!r}; there are {', '.join(PREDICTS)}")
        net = velocity or UNet(size, channels, width, max_width, patch, classes)
        self.velocity: nn.Module = Denoiser(net) if predicts == "denoised" else net
        self.shape = (channels, *sides(size))
        self.dims = math.prod(self.shape)
        self.classes, self.drop, self.times, self.predicts = classes, drop, TIMES[times], predicts
        self.lr, self.betas, self.levels = lr, betas, levels

    def players(self) -> dict[str, Player]:
        """One: the velocity network."""
        return {"flow": Player(("velocity",), self.loss, self.lr, self.betas)}

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """x_0 ~ N(0, I), (n, C, H, W): what GANs and VAEs call z, as large as the picture."""
        return torch.randn(n, *self.shape, generator=generator, device=self.device())

    def training_noise(self, n: int) -> tuple[Tensor, ...]:
        """Where in their bins grey levels lie, x_0, t, and what decides whose label is hidden."""
        device = self.device()
        spread = torch.rand(n, *self.shape, device=device) - 0.5
        x_0, t = self.noise(n), self.times(n, device=device)
        return (spread, x_0, t, torch.rand(n, device=device)) if self.classes else (spread, x_0, t)

    def loss(
        self, x: Tensor, spread: Tensor, x_0: Tensor, t: Tensor, hide: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The mean squared error of the velocity per sample, on the way from x_0 to x at times t."""
        x_1 = x + bin_width(self.levels) * spread  # a grey level over its bin: a density, which the likelihood needs
        if labels is not None:
            assert hide is not None
            labels = torch.where(hide < self.drop, self.classes, labels)
        v = self.velocity(interpolate(x_0, x_1, t), t, labels)
        return {"loss": velocity_loss(v, x_0, x_1) * self.weight(t)}

    def weight(self, t: Tensor) -> Tensor | float:
        """1; but near the end (1 - t)^2 over the square of `NEAR`, (N,), if the network gives the denoised picture,
        whose error the velocity divides by (1 - t)^2."""
        return ((1 - t) / NEAR).clamp(max=1).square() if self.predicts == "denoised" else 1.0

    def velocity_of(
        self, labels: Tensor | None = None, guidance: float = 1.0, averaged: bool = True
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The trained velocity as a function (x, t) -> (N, C, H, W) of one class for each sample, or of none."""
        return of_class(self.network("velocity", averaged), labels, guidance, self.classes)

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, steps: int = 20,
        solver: str = "heun", labels: Tensor | int | None = None, guidance: float = 1.0, averaged: bool = True,
    ) -> Tensor:  # fmt: skip
        """Pictures (n, C, H, W) in [-1, 1], float32.

        Args:
            n: how many; or give the noise `z` (n, C, H, W) yourself.
            seed: the noise's seed; None goes on with torch's global one.
            steps, solver: see `carry`.
            labels: the class of each sample, (n,), or one number for all.
            guidance: see `guided`.
            averaged: the averaged network, or the one in training.

        Raises:
            ValueError: a class asked of a flow trained without, or one that it has not.
        """
        z = self.noise_for(n, seed) if z is None else z
        labels = self.labels_of(labels, len(z))
        parts = []
        for i, x in enumerate(z.split(256)):
            part = None if labels is None else labels[256 * i : 256 * i + len(x)]
            parts.append(carry(self.velocity_of(part, guidance, averaged), x, steps, solver))
        return torch.cat(parts).float().clamp(-1, 1)

    def log_likelihood(
        self, x: Tensor, labels: Tensor | int | None = None, steps: int = 20, probes: int | None = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:  # fmt: skip
        """log-density of x (N, C, H, W) in [-1, 1], (N,) nats: see the function of that name."""
        labels = self.labels_of(labels, len(x))
        parts = []
        for i, part in enumerate(x.split(256)):
            own = None if labels is None else labels[256 * i : 256 * i + len(part)]
            parts.append(log_likelihood(self.velocity_of(own), part, steps, probes, generator))
        return torch.cat(parts)

    def bits_per_dim(
        self, x: Tensor, steps: int = 20, probes: int | None = 1, generator: torch.Generator | None = None
    ) -> float:
        """Estimate of a mean upper bound on the bits per dimension of pictures (N, C, H, W) in [-1, 1]: a float.

        Each grey level is spread evenly over its bin: the mean log-density there is at most the log of the mean, which
        is the level's probability (Theis et al. 2016, https://arxiv.org/abs/1511.01844, section 3.1). The solver's
        error can go either way: more steps show it.
        """
        spread = torch.rand(x.shape, generator=generator, device=x.device) - 0.5
        width = bin_width(self.levels)
        log_p = self.log_likelihood(x + width * spread, None, steps, probes, generator) + self.dims * math.log(width)
        return bits_per_dim(log_p, self.dims).mean().item()
