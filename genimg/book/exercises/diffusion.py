"""Exercises of the chapter on diffusion."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genimg.book.exercises import Number, exercise, number_of, same, word


def _noise(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _scales(t: float) -> tuple[float, float]:
    """Of picture and noise at time t (14.3)."""
    return math.sin(math.pi * t / 2), math.cos(math.pi * t / 2)


@exercise("14.1", "two functions of t: the time of flow matching, and the factor that its noisy point is multiplied by")
def other_clock(time: Callable[[float], Number], factor: Callable[[float], Number]) -> str | None:
    for t in (0.2, 0.4, 0.9):
        s, c = _scales(t)
        found, by = number_of(time(t)), number_of(factor(t))
        if math.isclose(found, s**2, abs_tol=1e-6):
            return f"at t = {t:g} that is DDPM's level a; flow matching adds deviations t and 1 - t, not their squares"
        if math.isclose(by, 1 / (s + c), abs_tol=1e-6):
            return "the factor is turned over: y is the factor times x"
        if not math.isclose(found / (1 - found), s / c, rel_tol=1e-5):
            return (
                f"at t = {t:g} picture and noise stand as {s / c:.3f} to 1 in y, and as {found / (1 - found):.3f} in x"
            )
        if not math.isclose(by, s + c, rel_tol=1e-5):
            return f"the time is right; at t = {t:g} the factor {by:.3f} does not turn x into y"
    return None


@exercise(
    "14.2", "a function (score, y (N, D)) -> the mean of (14.6), and its distance from (14.5) for noise in the plane"
)
def without_knowing_it(
    implicit: Callable[[Callable[[Tensor], Tensor], Tensor], Number], constant: Number
) -> str | None:
    turn = torch.tensor([[0.3, 2.0, -1.0], [0.5, -0.2, 0.7], [1.5, 0.4, 0.9]], dtype=torch.float64)
    y = _noise(40, 3)

    def score(y: Tensor) -> Tensor:
        return torch.sin(y @ turn.T) - 0.5 * y

    slope = torch.stack([torch.autograd.functional.jacobian(lambda p: score(p[None])[0], p) for p in y])  # (N, D, D)
    square, divergence = score(y).square().sum(1).mean(), slope.diagonal(dim1=1, dim2=2).sum(1).mean()
    found = number_of(torch.as_tensor(implicit(score, y.clone())).detach())
    for value, off in (
        (square + divergence, "the divergence counts twice"),
        (square, "that is the square alone; the divergence is missing"),
        (square - 2 * divergence, "the divergence has the other sign"),
        (
            square + 2 * slope.sum((1, 2)).mean(),
            "the divergence adds the diagonal of the derivatives, and not all of them",
        ),
        (square / 3 + 2 * divergence / 3, "that is a mean over dimensions, and both are sums"),
    ):
        if math.isclose(found, value.item(), rel_tol=1e-4):
            return off
    if not math.isclose(found, (square + 2 * divergence).item(), rel_tol=1e-4):
        return f"for a score of three dimensions it gives {found:.4f}, and not {(square + 2 * divergence).item():.4f}"
    constant = number_of(constant)
    if math.isclose(constant, -2, abs_tol=1e-3):
        return "the function is right; the difference has the other sign: (14.5) is never negative"
    if not math.isclose(constant, 2, abs_tol=1e-3):
        return "the function is right; the difference is the mean square of the true score, which for noise is -y"
    return None


@exercise(
    "14.3", "a function (y (N, D), x_1 (N, D), t, u) -> mean (N, D) and variance of y at u > t, given y at t and x_1"
)
def on_the_way(posterior: Callable[[Tensor, Tensor, float, float], tuple[Tensor, Number]]) -> str | None:
    y, x_1, t, u = _noise(20, 3), _noise(20, 3, seed=1), 0.3, 0.55
    (s, c), (s_u, c_u) = _scales(t), _scales(u)
    mean, variance = posterior(y.clone(), x_1.clone(), t, u)
    mean, variance = torch.as_tensor(mean), number_of(variance)
    ratio = s * c_u / (s_u * c)
    right = c_u**2 * (1 - ratio**2)
    if math.isclose(variance, math.sqrt(right), rel_tol=1e-5):
        return "that is the deviation, and the variance was asked for"
    if math.isclose(variance, c**2 - (s / s_u) ** 2 * c_u**2, rel_tol=1e-5):
        return "that is the variance of y at t given y at u; here it is the other way round, and x_1 is known too"
    if math.isclose(variance, c_u**2, rel_tol=1e-5):
        return "that is the variance given x_1 alone; y at t tells more"
    if not math.isclose(variance, right, rel_tol=1e-5):
        return f"the variance from t = {t:g} to {u:g} is {right:.4f}, and not {variance:.4f}"
    if mean.shape != y.shape:
        return f"the variance is right; for 20 points of three dimensions the mean has the shape {tuple(mean.shape)}"
    x_0 = (y - s * x_1) / c
    if same(mean, s_u * x_1 + c_u * x_0):
        return "the variance is right; that mean is DDIM's, for steps without fresh noise"
    if not same(mean, s_u * x_1 + c_u * ratio * x_0):
        return "the variance is right; the mean is s_u x_1 and a part of the noise that y at t holds, see (14.9)"
    return None


@exercise("14.4", "root mean square distances from the middle of where three samplers end: DDPM, its means, the ODE")
def without_noise(ddpm: Number, means_alone: Number, by_ode: Number) -> str | None:
    ddpm, means_alone, by_ode = map(number_of, (ddpm, means_alone, by_ode))
    if min(ddpm, means_alone, by_ode) < 0:
        return "a distance is not negative"
    for name, found in (("DDPM's steps", ddpm), ("the ODE", by_ode)):
        if not 1.3 < found < 1.55:
            return f"the ring's own points have 1.416, and with the exact score {name} do not end at {found:.3f}"
    if means_alone > 0.5 * ddpm:
        return f"without fresh noise points end nearer to the middle than {means_alone:.3f}: is all of it left out"
    return None


@exercise(
    "14.5", 'a function times (K,), rising -> weights (K - 1,) of squared noise errors, and "time" or "logarithm"'
)
def weights_of_the_bound(weights: Callable[[Tensor], Tensor], even_in: str) -> str | None:
    even_in = word(even_in, "time", "logarithm")
    times = torch.tensor([0.1, 0.15, 0.4, 0.8, 0.95], dtype=torch.float64)
    snr = torch.tan(math.pi / 2 * times).square()
    right = (snr[1:] / snr[:-1] - 1) / 2
    found = torch.as_tensor(weights(times.clone()))
    if found.shape != right.shape:
        return f"five levels have four links, and it returns the shape {tuple(found.shape)}"
    for value, off in (
        ((snr[1:] - snr[:-1]) / 2, "these are the weights of squared errors of the picture; (14.15) turns them"),
        (2 * right, "a half is missing"),
        ((1 - snr[:-1] / snr[1:]) / 2, "the network is asked at the noisier end of a link, so its level divides"),
        ((snr[1:] - snr[:-1]).log(), "that is a logarithm of the weight"),
    ):
        if same(found, value, 1e-4):
            return off
    if not same(found, right, 1e-4):
        return "take (14.17) and put the error of the noise in place of the picture's: x_1 is (y - c x_0) / s"
    if even_in == "time":
        return "the weights are right; when are they all the same"
    return None
