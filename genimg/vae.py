"""Variational autoencoders: likelihoods, the evidence lower bound and its tighter cousin, encoder and decoder.

Kingma and Welling 2013, https://arxiv.org/abs/1312.6114. Everything is in nats and per sample: sums over pixels and
latents, no mean over the batch. Pictures x are in [-1, 1]; a picture has D = C * H * W dimensions.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from genimg import diagnostics, distributed
from genimg.data import to_bytes, to_floats
from genimg.gan import level_widths
from genimg.model import Model, group_norm, reset_statistics

#: Width of one of 256 grey levels in [-1, 1].
BIN = 2 / 255

#: Bounds of log sigma, so that a perfectly reconstructed batch does not make the density infinite.
LOG_SIGMA_RANGE = (-6.0, 3.0)


def kl_to_standard_normal(mu, logvar):
    """KL(N(mu, e^logvar) || N(0, 1)) of each latent, in nats: (N, d) -> (N, d). Kingma and Welling, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def reparameterise(mu, logvar, eps=None):
    """z = mu + sigma * eps with eps ~ N(0, 1): a sample that gradients pass through. (N, d) -> (N, d)."""
    eps = torch.randn_like(mu) if eps is None else eps
    return mu + (0.5 * logvar).exp() * eps


def log_gaussian(x, mean, sigma):
    """log N(x; mean, sigma^2), summed over all but the first axis: (N, ...) -> (N,) nats.

    sigma is a positive number or a tensor that broadcasts against x.
    """
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    per_dim = -0.5 * ((x - mean) / sigma).square() - sigma.log() - 0.5 * math.log(2 * math.pi)
    return per_dim.expand_as(x).flatten(1).sum(1)


def log_bernoulli(x, logits):
    """log of prod p^x (1-p)^(1-x) with p = sigmoid(logits): (N, ...) -> (N,) nats. x in [0, 1], binary to be exact.

    For grey x this is no density: it does not integrate to 1 (Loaiza-Ganem and Cunningham 2019, https://arxiv.org/abs/1907.06845).
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def log_discretised(pixels, mean, scale, log_cdf_pair):
    """log of the probability that a density around `mean` gives to each pixel's grey level: (N, C, H, W) -> (N,).

    The density's mass below -1 belongs to level 0 and that above 1 to level 255, so that the 256 levels sum to 1
    (Salimans et al. 2017, https://arxiv.org/abs/1701.05517, section 2.1).

    Args:
        pixels: uint8 (N, C, H, W).
        mean: (N, C, H, W) in [-1, 1].
        scale: a positive number or tensor that broadcasts.
        log_cdf_pair: u -> (log CDF(u), log(1 - CDF(u))) of the standard density.
    """
    x = to_floats(pixels)
    scale = torch.as_tensor(scale, dtype=x.dtype, device=x.device)
    upper, lower = (x + BIN / 2 - mean) / scale, (x - BIN / 2 - mean) / scale
    # Work in the tail where the difference of two CDFs does not cancel: mirror when the bin lies right of the mean.
    mirrored = lower + upper > 0
    a, b = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)  # a < b, both mostly <= 0
    log_a, log_b = log_cdf_pair(a)[0], log_cdf_pair(b)[0]
    inside = log_b + torch.log(-torch.expm1((log_a - log_b).clamp(max=-1e-7)))
    per_dim = torch.where(pixels == 0, log_cdf_pair(upper)[0], inside)
    per_dim = torch.where(pixels == 255, log_cdf_pair(lower)[1], per_dim)
    return per_dim.flatten(1).sum(1)


def log_discretised_logistic(pixels, mean, scale):
    """`log_discretised` with the logistic density of the given scale (its deviation is scale * pi / sqrt(3))."""
    return log_discretised(pixels, mean, scale, lambda u: (F.logsigmoid(u), F.logsigmoid(-u)))


def log_discretised_gaussian(pixels, mean, sigma):
    """`log_discretised` with the normal density of deviation sigma."""
    return log_discretised(pixels, mean, sigma, lambda u: (torch.special.log_ndtr(u), torch.special.log_ndtr(-u)))


def optimal_sigma(x, mean):
    """The one sigma that makes log N(x; mean, sigma^2) largest: the root mean squared error. A 0-d tensor.

    Rybkin et al. 2020, https://arxiv.org/abs/2006.13202.
    """
    squared = (x - mean).square().mean()
    if distributed.size() > 1:  # of the whole batch; at the optimum no gradient passes through sigma
        squared = distributed.mean(squared)
    return squared.sqrt().clamp(*map(math.exp, LOG_SIGMA_RANGE))


def importance_bound(log_w):
    """log of the mean of k importance weights: (k, N) log p(x, z_k) - log q(z_k | x) -> (N,) nats.

    k = 1 is the ELBO; in expectation it rises with k towards log p(x) (Burda et al. 2015,
    https://arxiv.org/abs/1509.00519).
    """
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def bits_per_dim(log_p, dims):
    """log-probability of 8-bit data in nats -> bits per dimension: -log_p / (dims * ln 2). Uniform noise costs 8."""
    return -log_p / (dims * math.log(2))


class Encoder(nn.Module):
    """Picture (N, channels, size, size) -> mean and log-variance of q(z | x), each (N, z_dim).

    Norms are over groups of a sample, not of the batch: a bound on log p(x) must not depend on which other pictures
    are there.
    """

    def __init__(self, size=16, channels=1, z_dim=16, width=32, max_width=128):
        super().__init__()
        widths = [channels, *level_widths(size, width, max_width)]
        self.first = nn.Conv2d(channels, widths[1], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, stride=2, padding=1), group_norm(b), nn.SiLU())
            for a, b in pairwise(widths[1:])
        )
        self.last = nn.Linear(widths[-1] * 16, 2 * z_dim)

    def forward(self, x):
        x = F.silu(self.first(x))
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, 2 C, s / 2, s / 2)
        mu, logvar = self.last(x.flatten(1)).float().chunk(2, dim=1)  # (N, C * 16) -> (N, z_dim) twice
        return mu, logvar.clamp(-12, 8)


class Decoder(nn.Module):
    """z (N, z_dim) -> mean of p(x | z) before it is squashed, (N, channels, size, size)."""

    def __init__(self, size=16, channels=1, z_dim=16, width=32, max_width=128):
        super().__init__()
        widths = level_widths(size, width, max_width)[::-1]
        self.z_dim = z_dim
        self.dense = nn.Linear(z_dim, widths[0] * 16)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1), group_norm(b), nn.SiLU())
            for a, b in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z):
        x = F.silu(self.dense(z)).unflatten(1, (-1, 4, 4))  # (N, z_dim) -> (N, C, 4, 4)
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
        size, channels, z_dim, width, max_width: of the networks.
        encoder, decoder: networks of your own in their place; the decoder has an attribute `z_dim`.
        likelihood: "gaussian"; "logistic" (discretised, learned scale); "bernoulli" (for black and white pictures).
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
        self, size=16, channels=1, z_dim=16, width=32, max_width=128, likelihood="gaussian", sigma="optimal", beta=1.0,
        lr=1e-3, betas=(0.9, 0.999), encoder=None, decoder=None,
    ):  # fmt: skip
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood {likelihood!r}; there are {', '.join(LIKELIHOODS)}")
        if sigma not in SIGMAS and not (isinstance(sigma, int | float) and sigma > 0):
            raise ValueError(f"sigma {sigma!r}: it is one of {', '.join(SIGMAS)} or a positive number")
        self.encoder = encoder or Encoder(size, channels, z_dim, width, max_width)
        self.decoder = decoder or Decoder(size, channels, z_dim, width, max_width)
        self.z_dim, self.dims = self.decoder.z_dim, channels * size * size
        self.likelihood, self.sigma, self.beta, self.lr, self.betas = likelihood, sigma, beta, lr, betas
        start = math.log(sigma) if isinstance(sigma, int | float) else -1.0
        learned = likelihood == "logistic" or sigma == "learned"
        self.log_sigma = nn.Parameter(torch.tensor(start), requires_grad=learned)
        self.alone = learned  # a parameter outside the networks, whose gradient no process would share

    def optimisers(self):
        """One Adam over encoder, decoder and sigma: they minimise one and the same bound."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return {"vae": torch.optim.Adam(trained, self.lr, self.betas, fused=True)}

    def noise(self, n, generator=None):
        """z ~ N(0, I), (n, z_dim)."""
        return torch.randn(n, self.z_dim, generator=generator, device=self.device())

    def scale(self):
        """sigma of the Gaussian, or scale of the logistic, as it stands: a 0-d tensor."""
        return self.log_sigma.clamp(*LOG_SIGMA_RANGE).exp()

    def log_likelihood(self, x, decoded, scale=None):
        """log p(x | z), (N,) nats, for training: a density for the Gaussian, a probability for the others."""
        scale = self.scale() if scale is None else scale
        if self.likelihood == "bernoulli":
            return log_bernoulli((x + 1) / 2, decoded)
        if self.likelihood == "logistic":
            return log_discretised_logistic(to_bytes(x), torch.tanh(decoded), scale)
        return log_gaussian(x, torch.tanh(decoded), scale)

    def step(self, x):
        """One step down the negative ELBO of a batch (N, C, H, W) in [-1, 1].

        Returns:
            dict of 0-d detached tensors: loss (nats per picture, with beta), distortion (-log p(x | z)), kl, sigma,
            and code, the root mean square of the codes z.
        """
        with self.autocast():
            mu, logvar = self.net("encoder", fast=True)(x)
            eps = distributed.rows(lambda n: torch.randn(n, self.z_dim, device=x.device), len(x))
            decoded = self.net("decoder", fast=True)(reparameterise(mu, logvar, eps))
        scale = optimal_sigma(x, torch.tanh(decoded)) if self.uses_optimal_sigma() else None
        log_p = self.log_likelihood(x, decoded, scale)  # (N,)
        kl = kl_to_standard_normal(mu, logvar).sum(1)  # (N,)
        loss = (self.beta * kl - log_p).mean()
        self.update("vae", loss)
        if scale is not None:
            # What the bound is reported with: a running mean over batches, so that test data never set it.
            with torch.no_grad():
                self.log_sigma.lerp_(scale.log(), 0.02)
        return {
            "loss": loss.detach(),
            "distortion": -log_p.mean().detach(),
            "kl": kl.mean().detach(),
            "sigma": self.scale().detach(),
            "code": diagnostics.code_size(mu, logvar),
        }

    def uses_optimal_sigma(self):
        """Whether sigma is that of each batch."""
        return self.likelihood == "gaussian" and self.sigma == "optimal"

    @torch.no_grad()
    def calibrate(self, batches=()):
        """Run the averaged networks' batch-norm statistics anew, on pictures; without batch norm nothing happens."""
        encoder, decoder = self.average["encoder"], self.average["decoder"]
        found = [reset_statistics(encoder), reset_statistics(decoder)]
        if any(found):
            generator = torch.Generator(self.log_sigma.device).manual_seed(0)
            for x in batches:
                mu, logvar = encoder(x)
                decoder(reparameterise(mu, logvar, torch.randn(mu.shape, generator=generator, device=mu.device)))
        self.average.eval()

    @torch.no_grad()
    def encode(self, x, averaged=True):
        """Mean and log-variance of q(z | x): two (N, z_dim)."""
        net = self._net("encoder", averaged)
        parts = [net(part) for part in x.split(256)]
        return torch.cat([mu for mu, _ in parts]), torch.cat([logvar for _, logvar in parts])

    @torch.no_grad()
    def decode(self, z, averaged=True):
        """Mean of p(x | z), (N, C, H, W) in [-1, 1]."""
        net = self._net("decoder", averaged)
        decoded = torch.cat([net(part) for part in z.split(256)])
        return 2 * torch.sigmoid(decoded) - 1 if self.likelihood == "bernoulli" else torch.tanh(decoded)

    @torch.no_grad()
    def sample(self, n=None, seed=None, z=None, averaged=True):
        """Decoder means (n, C, H, W) in [-1, 1] at z ~ N(0, I), or at a z (n, z_dim) of your own."""
        if z is None:
            z = self.noise(n, None if seed is None else torch.Generator(self.device()).manual_seed(seed))
        return self.decode(z, averaged)

    @torch.no_grad()
    def log_weights(self, pixels, k=1, generator=None, averaged=True):
        """k importance weights log p(x | z) + log p(z) - log q(z | x), z ~ q(z | x), of 8-bit pictures: (k, N) nats.

        The likelihood is a probability of grey levels: the discretised Gaussian or logistic, or the Bernoulli.
        """
        x = to_floats(pixels)
        mu, logvar = self.encode(x, averaged)
        log_w = []
        for _ in range(k):
            eps = torch.randn(mu.shape, generator=generator, device=mu.device)
            z = reparameterise(mu, logvar, eps)
            mean = self.decode(z, averaged)
            log_p = {
                "gaussian": lambda mean=mean: log_discretised_gaussian(pixels, mean, self.scale()),
                "logistic": lambda mean=mean: log_discretised_logistic(pixels, mean, self.scale()),
                "bernoulli": lambda mean=mean: log_bernoulli((x + 1) / 2, torch.logit((mean + 1) / 2, 1e-6)),
            }[self.likelihood]()
            log_prior = log_gaussian(z, 0.0, 1.0)
            log_q = log_gaussian(z, mu, (0.5 * logvar).exp())
            log_w.append(log_p + log_prior - log_q)
        return torch.stack(log_w)  # (k, N)

    def elbo(self, pixels, generator=None):
        """One-sample estimate of the ELBO of 8-bit pictures (N, C, H, W): (N,) nats."""
        return self.log_weights(pixels, 1, generator)[0]

    def log_likelihood_bound(self, pixels, k=64, generator=None):
        """The importance-weighted bound with k samples: (N,) nats."""
        return importance_bound(self.log_weights(pixels, k, generator))

    def bits_per_dim(self, pixels, k=1, generator=None):
        """Mean upper bound on the bits per dimension of 8-bit pictures: a float. k = 1 uses the ELBO."""
        return bits_per_dim(self.log_likelihood_bound(pixels, k, generator), self.dims).mean().item()

    def _net(self, name, averaged):
        return self.average[name] if averaged else self.get_submodule(name)
