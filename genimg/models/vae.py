"""Variational autoencoders: encoder and decoder, the evidence lower bound and its tighter cousin.

Kingma and Welling 2013, https://arxiv.org/abs/1312.6114. Everything is in nats and per sample: sums over pixels and
latents, no mean over the batch. Pictures x are in [-1, 1]; a picture has D = C * H * W dimensions.
"""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.models.likelihood import (
    LEVELS,
    bits_per_dim,
    importance_bound,
    log_bernoulli,
    log_discretised_gaussian,
    log_discretised_logistic,
    log_gaussian,
)
from genimg.models.model import Alone, Model, Player, group_norm, reset_statistics
from genimg.models.sizes import Size, level_sides, level_widths, sides

#: Bounds of log sigma, so that a perfectly reconstructed batch does not make the density infinite.
LOG_SIGMA_RANGE = (-6.0, 3.0)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, e^logvar) || N(0, 1)) of each latent, in nats: (N, d) -> (N, d). Kingma and Welling, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def reparameterise(mu: Tensor, logvar: Tensor, eps: Tensor | None = None) -> Tensor:
    """z = mu + sigma * eps with eps ~ N(0, 1): a sample that gradients pass through. (N, d) -> (N, d)."""
    eps = torch.randn_like(mu) if eps is None else eps
    return mu + (0.5 * logvar).exp() * eps


def optimal_sigma(x: Tensor, mean: Tensor, over: Callable[[Tensor], Tensor] = Alone.mean) -> Tensor:
    """The one sigma that makes log N(x; mean, sigma^2) largest: the root mean squared error. A 0-d tensor.

    Rybkin et al. 2020, https://arxiv.org/abs/2006.13202. `over` takes the mean over all processes; no gradient has to
    pass through sigma, as at the optimum there is none.
    """
    return over((x - mean).square().mean()).sqrt().clamp(*map(math.exp, LOG_SIGMA_RANGE))


def encoded(encoder: nn.Module, x: Tensor, *y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance that an encoder gives of pictures (N, C, H, W), and of their labels if it is told these,
    256 at a time: two (N, *code)."""
    parts = [encoder(*part) for part in zip(*(one.split(256) for one in (x, *y)), strict=True)]
    return torch.cat([mu for mu, _ in parts]), torch.cat([logvar for _, logvar in parts])


class Encoder(nn.Module):
    """Picture (N, channels, height, width) -> mean and log-variance of q(z | x), each (N, z_dim).

    Norms are over groups of a sample, not of the batch: a bound on log p(x) must not depend on which other pictures
    are there.
    """

    def __init__(
        self, size: Size = 16, channels: int = 1, z_dim: int = 16, width: int = 32, max_width: int = 128
    ) -> None:
        super().__init__()
        widths = [channels, *level_widths(size, width, max_width)]
        self.first = nn.Conv2d(channels, widths[1], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, stride=2, padding=1), group_norm(b), nn.SiLU())
            for a, b in pairwise(widths[1:])
        )
        self.last = nn.Linear(widths[-1] * math.prod(level_sides(size)[-1]), 2 * z_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.from_first(self.first(x))

    def from_first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What follows the first convolution, (N, width, height, width of the picture)."""
        x = F.silu(x)
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, 2 C, s / 2, s / 2)
        mu, logvar = self.last(x.flatten(1)).float().chunk(2, dim=1)  # (N, C * 16) -> (N, z_dim) twice
        return mu, logvar.clamp(-12, 8)


class Decoder(nn.Module):
    """z (N, z_dim) -> mean of p(x | z) before it is squashed, (N, channels, height, width)."""

    def __init__(
        self, size: Size = 16, channels: int = 1, z_dim: int = 16, width: int = 32, max_width: int = 128
    ) -> None:
        super().__init__()
        widths, maps = level_widths(size, width, max_width)[::-1], level_sides(size)[::-1]  # coarse to fine
        self.z_dim, self.coarse = z_dim, maps[0]
        self.dense = nn.Linear(z_dim, widths[0] * math.prod(maps[0]))
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, output_padding=(h % 2, w % 2)),
                group_norm(b),
                nn.SiLU(),
            )
            for (a, b), (h, w) in zip(pairwise(widths), maps[1:], strict=True)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.silu(self.dense(z)).unflatten(1, (-1, *self.coarse))  # (N, z_dim) -> (N, C, 4, 4)
        x = x.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, C / 2, 2 s, 2 s)
        return self.last(x).float()


#: What p(x | z) can be.
LIKELIHOODS = ("gaussian", "logistic", "bernoulli")
#: How the Gaussian's sigma can be found; a number fixes it.
SIGMAS = ("optimal", "learned")


class VAE(Model):
    """Encoder, decoder and a likelihood, trained on the negative ELBO.

    Args:
        size, channels, z_dim, width, max_width: of the networks; see `gan.Generator`.
        encoder, decoder: networks of your own in their place; the decoder has an attribute `z_dim`.
        likelihood: "gaussian"; "logistic" (discretised, learned scale); "bernoulli" (for black and white pictures).
        levels: grey levels of the pictures, equally spaced with both ends; 256 of 8-bit ones.
        sigma: of the Gaussian: "optimal" (that of each batch; a running mean of it is what the trained model reports),
            "learned" (one parameter), or a positive number.
        beta: weight of the KL; 1 is the ELBO (Higgins et al. 2017 take more).
        lr, betas: Adam's.

    Raises:
        ValueError: an unknown likelihood or sigma.
    """

    averaged = ("encoder", "decoder")
    quick = True

    def __init__(
        self, size: Size = 16, channels: int = 1, z_dim: int = 16, width: int = 32, max_width: int = 128,
        likelihood: str = "gaussian", sigma: str | float = "optimal", beta: float = 1.0, lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999), encoder: nn.Module | None = None, decoder: nn.Module | None = None,
        levels: int = LEVELS,
    ) -> None:  # fmt: skip
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood {likelihood!r}; there are {', '.join(LIKELIHOODS)}")
        if sigma not in SIGMAS and not (isinstance(sigma, int | float) and sigma > 0):
            raise ValueError(f"sigma {sigma!r}: it is one of {', '.join(SIGMAS)} or a positive number")
        self.encoder = encoder or Encoder(size, channels, z_dim, width, max_width)
        self.decoder = decoder or Decoder(size, channels, z_dim, width, max_width)
        self.z_dim, self.dims = cast(int, self.decoder.z_dim), channels * math.prod(sides(size))
        self.likelihood, self.sigma, self.beta, self.lr, self.betas = likelihood, sigma, beta, lr, betas
        self.levels = levels
        start = math.log(sigma) if isinstance(sigma, int | float) else -1.0
        learned = likelihood == "logistic" or sigma == "learned"
        self.log_sigma = nn.Parameter(torch.tensor(start), requires_grad=learned)

    def players(self) -> dict[str, Player]:
        """One: encoder, decoder and sigma lower one and the same bound."""
        return {"vae": Player(("encoder", "decoder", "log_sigma"), self.loss, self.lr, self.betas)}

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I), (n, z_dim)."""
        return torch.randn(n, self.z_dim, generator=generator, device=self.device())

    def loss(self, x: Tensor, eps: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The negative ELBO per sample, in nats, with the KL weighed by beta; and its parts."""
        y = () if labels is None else (labels,)  # networks are told the labels if the VAE was built with classes
        mu, logvar = self.encoder(x, *y)  # (N, C, H, W) -> (N, z_dim) twice
        decoded = self.decoder(reparameterise(mu, logvar, eps), *y)  # (N, z_dim) -> (N, C, H, W)
        sigma = self.sigma_of(x, decoded)
        log_p = self.log_likelihood(x, decoded, sigma)  # (N,)
        kl = kl_to_standard_normal(mu, logvar).sum(1)  # (N,)
        parts = {"loss": self.beta * kl - log_p, "distortion": -log_p, "kl": kl, "sigma": sigma}
        return parts | {"mu": mu, "logvar": logvar}

    def log_likelihood(self, x: Tensor, decoded: Tensor, scale: Tensor | float) -> Tensor:
        """log p(x | z), (N,) nats, for training: a density for the Gaussian, a probability for the others."""
        if self.likelihood == "bernoulli":
            return log_bernoulli((x + 1) / 2, decoded)
        if self.likelihood == "logistic":
            return log_discretised_logistic(x, torch.tanh(decoded), scale, self.levels)
        return log_gaussian(x, torch.tanh(decoded), scale)

    def scale(self) -> Tensor:
        """sigma of the Gaussian, or scale of the logistic, as it stands: a 0-d tensor."""
        return self.log_sigma.clamp(*LOG_SIGMA_RANGE).exp()

    def sigma_of(self, x: Tensor, decoded: Tensor) -> Tensor:
        """What a batch is scored with: its own optimum, or the scale as it stands."""
        if self.uses_optimal_sigma():
            return optimal_sigma(x, torch.tanh(decoded), self.world.mean)
        return self.scale()

    @torch.no_grad()
    def after_update(self, parts: dict[str, Tensor]) -> None:
        """What the bound is reported with: a running mean over batches, so that test data never set it."""
        if self.uses_optimal_sigma():
            self.log_sigma.lerp_(parts["sigma"].log(), 0.02)
        parts["sigma"] = self.scale()

    def uses_optimal_sigma(self) -> bool:
        """Whether sigma is that of each batch."""
        return self.likelihood == "gaussian" and self.sigma == "optimal"

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor] = ()) -> None:
        """Run the averaged networks' batch-norm statistics anew, on pictures; without batch norm nothing happens."""
        encoder, decoder = self.average["encoder"], self.average["decoder"]
        found = [reset_statistics(encoder), reset_statistics(decoder)]
        if any(found):
            generator = torch.Generator(self.device()).manual_seed(0)
            for x in batches:
                mu, logvar = encoder(x)
                decoder(reparameterise(mu, logvar, torch.randn(mu.shape, generator=generator, device=mu.device)))
        self.average.eval()

    def told(self, labels: Tensor | int | None, n: int) -> tuple[Tensor, ...]:
        """What networks get beside n pictures or codes: nothing, or the labels (n,) of a VAE with classes.

        Raises:
            ValueError: see `labels_of`.
        """
        wanted = self.labels_of(labels, n)
        return () if wanted is None else (wanted,)

    @torch.no_grad()
    def encode(self, x: Tensor, averaged: bool = True, labels: Tensor | int | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), where there are classes of q(z | x, label): two (N, z_dim)."""
        return encoded(self.network("encoder", averaged), x, *self.told(labels, len(x)))

    @torch.no_grad()
    def decode(self, z: Tensor, averaged: bool = True, labels: Tensor | int | None = None) -> Tensor:
        """Mean of p(x | z), where there are classes of p(x | z, label), (N, C, H, W) in [-1, 1]."""
        net, inputs = self.network("decoder", averaged), (z, *self.told(labels, len(z)))
        decoded = torch.cat([net(*part) for part in zip(*(one.split(256) for one in inputs), strict=True)])
        return 2 * torch.sigmoid(decoded) - 1 if self.likelihood == "bernoulli" else torch.tanh(decoded)

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, averaged: bool = True
    ) -> Tensor:
        """Decoder means (n, C, H, W) in [-1, 1] at z ~ N(0, I), or at a z (n, z_dim) of your own."""
        return self.decode(self.noise_for(n, seed) if z is None else z, averaged)

    @torch.no_grad()
    def log_weights(
        self, x: Tensor, k: int = 1, generator: torch.Generator | None = None, averaged: bool = True,
        labels: Tensor | int | None = None,
    ) -> Tensor:  # fmt: skip
        """k importance weights log p(x | z) + log p(z) - log q(z | x), z ~ q(z | x), of pictures: (k, N) nats.

        The likelihood is a probability of grey levels: the discretised Gaussian or logistic, or the Bernoulli.

        Args:
            x: (N, C, H, W) in [-1, 1], of as many levels as the model's (`Images.floats` has 256).
        """
        mu, logvar = self.encode(x, averaged, labels)
        log_w = []
        for _ in range(k):
            eps = torch.randn(mu.shape, generator=generator, device=mu.device)
            z = reparameterise(mu, logvar, eps)
            log_prior = log_gaussian(z, 0.0, 1.0)
            log_q = log_gaussian(z, mu, (0.5 * logvar).exp())
            log_w.append(self.log_probability(x, self.decode(z, averaged, labels)) + log_prior - log_q)
        return torch.stack(log_w)  # (k, N)

    def log_probability(self, x: Tensor, mean: Tensor, scale: Tensor | float | None = None) -> Tensor:
        """log of the probability of pictures given the mean of p(x | z), and another scale if wanted: (N,) nats."""
        if self.likelihood == "bernoulli":
            return log_bernoulli((x + 1) / 2, torch.logit((mean + 1) / 2, 1e-6))
        of_levels = {"gaussian": log_discretised_gaussian, "logistic": log_discretised_logistic}[self.likelihood]
        return of_levels(x, mean, self.scale() if scale is None else scale, self.levels)

    def elbo(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One-sample estimate of the ELBO of pictures (N, C, H, W) in [-1, 1]: (N,) nats."""
        return self.log_weights(x, 1, generator)[0]

    def log_likelihood_bound(self, x: Tensor, k: int = 64, generator: torch.Generator | None = None) -> Tensor:
        """The importance-weighted bound with k samples: (N,) nats."""
        return importance_bound(self.log_weights(x, k, generator))

    def bits_per_dim(self, x: Tensor, k: int = 1, generator: torch.Generator | None = None) -> float:
        """Mean upper bound on the bits per dimension of pictures (N, C, H, W) in [-1, 1]: a float. k = 1 uses the
        ELBO."""
        return bits_per_dim(self.log_likelihood_bound(x, k, generator), self.dims).mean().item()
