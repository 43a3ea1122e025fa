"""Toys whose density is known: mixtures of round Gaussians, and their exact flow from noise along straight paths.

What a model learns from samples of such a mixture can be held against closed forms: its density, the velocity that
carries noise to it (`Mixture.velocity`), the best denoiser, and how many of its heaps are found.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genimg.measure.modes import mode_statistics


class Mixture:
    """sum_k weights[k] N(means[k], sigma^2 I), in any number D of dimensions.

    Computes in the number format and on the device of what it is given; means and weights are kept in float64.

    Args:
        means: (K, D).
        sigma: deviation of every heap in every direction, a number above 0.
        weights: (K,) above 0, made to sum to 1; None means equal ones.

    Raises:
        ValueError: shapes that do not fit, or a sigma or a weight that is not above 0.
    """

    def __init__(
        self, means: Tensor | Sequence[Sequence[float]], sigma: float, weights: Tensor | Sequence[float] | None = None
    ) -> None:
        self.means = torch.as_tensor(means, dtype=torch.float64)
        if self.means.dim() != 2:
            raise ValueError(f"means have the shape (K, D), these {tuple(self.means.shape)}")
        k, self.dims = self.means.shape
        weights = torch.ones(k) if weights is None else torch.as_tensor(weights)
        if weights.shape != (k,) or not (weights > 0).all():
            raise ValueError(f"weights are {k} numbers above 0, these {weights.tolist()}")
        if not sigma > 0:
            raise ValueError(f"sigma={sigma}: it has to be above 0")
        self.sigma = float(sigma)
        self.weights = weights.double() / weights.double().sum()

    def __len__(self) -> int:
        return len(self.means)

    def sample(self, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """n points, (n, D), on the generator's device (the processor if None)."""
        device = None if generator is None else generator.device
        k = torch.multinomial(self.weights.float().to(device), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dims, generator=generator, device=device, dtype=dtype)
        return self.means.to(noise)[k] + self.sigma * noise

    def log_prob(self, x: Tensor, t: Tensor | float = 1.0) -> Tensor:
        """log-density of x_t = (1 - t) x_0 + t x_1 at x, where x_0 ~ N(0, I) and x_1 is of the mixture.

        At t = 1, the default, that is the mixture itself; at t = 0 it is the noise.

        Args:
            x: (N, D).
            t: (N,), or a number.

        Returns:
            (N,) nats.
        """
        return torch.logsumexp(self._log_heaps(x, _column(t, x)), 1)

    def denoised(self, x: Tensor, t: Tensor | float) -> Tensor:
        """The mean of x_1 over all straight paths that pass x at time t: (N, D). Arguments as for `log_prob`."""
        t = _column(t, x)
        share = self._log_heaps(x, t).softmax(1)  # (N, K): from which heap, as seen from x
        means = share @ self.means.to(x)  # (N, D)
        return means + t * self.sigma**2 / self._variance(t) * (x - t * means)

    def velocity(self, x: Tensor, t: Tensor | float) -> Tensor:
        """The mean of x_1 - x_0 over all straight paths that pass x at time t: (N, D). Arguments as for `log_prob`.

        Following it from t = 0 to t = 1 turns N(0, I) into the mixture (Lipman et al. 2022,
        https://arxiv.org/abs/2210.02747, theorem 1).
        """
        t = _column(t, x)
        means = self._log_heaps(x, t).softmax(1) @ self.means.to(x)
        # Given the heap, x_0, x_1 and x_t are jointly Gaussian: both means are linear in x - t * mean of the heap.
        return means + (t * self.sigma**2 - (1 - t)) / self._variance(t) * (x - t * means)

    def report(self, x: Tensor) -> dict[str, float]:
        """How good samples x (N, D) are, as a dict of numbers.

        Returns:
            high_quality: share of points within 3 sigma of the nearest mean (of the mixture's own points, in the plane,
                1 - exp(-4.5), which is 0.989).
            modes, kl: of such points, how many heaps have any, and the KL divergence of their histogram from the
                weights in nats (see `modes.mode_statistics`).
            mean_log_density: mean of `log_prob`, in nats; the mixture's own points have minus its entropy, and more
                means that samples crowd where it is dense.
        """
        distance, nearest = torch.cdist(x.double(), self.means.to(x.device)).min(1)
        good = distance < 3 * self.sigma
        modes = mode_statistics(torch.where(good, nearest, -1), self.weights)
        return {
            "high_quality": good.double().mean().item(),
            "modes": modes.covered,
            "kl": modes.kl,
            "mean_log_density": self.log_prob(x.double()).mean().item(),
        }

    def _variance(self, t: Tensor) -> Tensor:
        """Of x_t about its heap's mean, in every direction: (N, 1) -> (N, 1)."""
        return (1 - t).square() + (t * self.sigma).square()

    def _log_heaps(self, x: Tensor, t: Tensor) -> Tensor:
        """log of weight times density of each heap at time t: (N, D), (N, 1) -> (N, K)."""
        variance, means = self._variance(t), self.means.to(x)
        squared = (x.unsqueeze(1) - t.unsqueeze(1) * means).square().sum(2)  # (N, 1, D) - (N, 1, 1) (K, D) -> (N, K)
        log_scale = 0.5 * self.dims * torch.log(2 * math.pi * variance)
        return self.weights.to(x).log() - squared / (2 * variance) - log_scale


def ring(k: int = 8, radius: float = 2.0, sigma: float = 0.15) -> Mixture:
    """k equal heaps on a circle, the first on the right: a `Mixture` in the plane."""
    angles = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    return Mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), sigma)


def grid(side: int = 5, spacing: float = 1.0, sigma: float = 0.1) -> Mixture:
    """side x side equal heaps on a square lattice around 0: a `Mixture` in the plane."""
    places = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
    return Mixture(torch.cartesian_prod(places, places), sigma)


def _column(t: Tensor | float, x: Tensor) -> Tensor:
    """t (N,), or a number, as (N, 1) or (1, 1) in the format of x."""
    return torch.as_tensor(t, dtype=x.dtype, device=x.device).reshape(-1, 1)
