"""Right and plausible wrong answers to the exercises of the chapter on diffusion."""

import math

import torch


def s(t):
    return math.sin(math.pi * t / 2)


def c(t):
    return math.cos(math.pi * t / 2)


def time(t):
    return s(t) / (s(t) + c(t))


def factor(t):
    return s(t) + c(t)


def level(t):
    return s(t) ** 2


def same_time(t):
    return t


def turned_over(t):
    return 1 / factor(t)


def unchanged(t):
    return 1.0


def divergence(score, y):
    y = y.detach().requires_grad_()
    g = score(y)
    return sum(torch.autograd.grad(g[:, i].sum(), y, retain_graph=True)[0][:, i] for i in range(y.shape[1]))


def implicit(score, y):
    return (score(y).square().sum(1) + 2 * divergence(score, y)).mean()


def once(score, y):
    return (score(y).square().sum(1) + divergence(score, y)).mean()


def minus(score, y):
    return (score(y).square().sum(1) - 2 * divergence(score, y)).mean()


def square(score, y):
    return score(y).square().sum(1).mean()


def per_dimension(score, y):
    return implicit(score, y) / y.shape[1]


def posterior(y, x_1, t, u):
    ratio = s(t) * c(u) / (s(u) * c(t))
    return s(u) * x_1 + c(u) * ratio * (y - s(t) * x_1) / c(t), c(u) ** 2 * (1 - ratio**2)


def of_ddim(y, x_1, t, u):
    return s(u) * x_1 + c(u) * (y - s(t) * x_1) / c(t), posterior(y, x_1, t, u)[1]


def deviation(y, x_1, t, u):
    mean, variance = posterior(y, x_1, t, u)
    return mean, math.sqrt(variance)


def forwards(y, x_1, t, u):
    return posterior(y, x_1, t, u)[0], c(t) ** 2 - (s(t) / s(u)) ** 2 * c(u) ** 2


def without_y(y, x_1, t, u):
    return s(u) * x_1, c(u) ** 2


def ratios(times):
    return torch.tan(math.pi / 2 * times).square()


def weights(times):
    return (ratios(times)[1:] / ratios(times)[:-1] - 1) / 2


def of_picture(times):
    return ratios(times).diff() / 2


def not_halved(times):
    return 2 * weights(times)


def at_the_other_end(times):
    return (1 - ratios(times)[:-1] / ratios(times)[1:]) / 2


ANSWERS = {
    "14.1": ((time, factor), [(level, factor), (same_time, factor), (time, turned_over), (time, unchanged)]),
    "14.2": (
        (implicit, 2.0),
        [(f, 2.0) for f in (once, minus, square, per_dimension)] + [(implicit, -2.0), (implicit, 1.0)],
    ),
    "14.3": ((posterior,), [(f,) for f in (of_ddim, deviation, forwards, without_y)]),
    "14.4": (
        (1.41, 0.02, 1.42),
        [(1.41, 1.41, 1.42), (0.141, 0.02, 1.42), (1.41, 0.02, 0.3), (1.41, -0.02, 1.42)],
    ),
    "14.5": (
        (weights, "logarithm"),
        [(weights, "time"), *[(f, "logarithm") for f in (of_picture, not_halved, at_the_other_end, ratios)]],
    ),
}
