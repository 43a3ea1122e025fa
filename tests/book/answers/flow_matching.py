"""Right and plausible wrong answers to the exercises of the chapter on flow matching."""

import math

import torch
from scipy.optimize import linear_sum_assignment


def path(x_0, t, m, sigma):
    return t * m + math.hypot(1 - t, t * sigma) * x_0


def by_variance(x_0, t, m, sigma):
    return t * m + ((1 - t) ** 2 + (t * sigma) ** 2) * x_0


def linear(x_0, t, m, sigma):
    return t * m + (1 - t + t * sigma) * x_0


def whole_mean(x_0, t, m, sigma):
    return m + math.hypot(1 - t, t * sigma) * x_0


def end(x_0, m):
    return m + x_0 / 2


def of_euler(x_0, m):
    return m


def of_ring(x_0, m):
    return x_0 / 2


def mean_velocity(x_0, m):
    return m - x_0 / 2


def half_way(x_0, m):
    return (m + x_0) / 2


def square(w):
    return w * w


def double(w):
    return 2 * w


def excess(w):
    return 1 + 2 * (w - 1)


def estimate(velocity, x, t, e):
    x = x.detach().requires_grad_()
    (row,) = torch.autograd.grad((velocity(x, t) * e).sum(), x)
    return (row * e).sum(1)


def without_signs(velocity, x, t, e):
    return estimate(velocity, x, t, torch.ones_like(e))


def one_side(velocity, x, t, e):
    x = x.detach().requires_grad_()
    (row,) = torch.autograd.grad((velocity(x, t) * e).sum(), x)
    return row.sum(1)


def mean_of_dims(velocity, x, t, e):
    return estimate(velocity, x, t, e) / x.shape[1]


def all_rows(velocity, x, t, e):
    return sum(estimate(velocity, x, t, unit.expand_as(x)) for unit in torch.eye(x.shape[1], dtype=x.dtype))


def match(x_0, x_1):
    rows, columns = linear_sum_assignment(torch.cdist(x_0, x_1).square().numpy())
    return x_0[rows], x_1[columns]


def not_squared(x_0, x_1):
    _, columns = linear_sum_assignment(torch.cdist(x_0, x_1).numpy())
    return x_0, x_1[columns]


def nearest(x_0, x_1):
    return x_0, x_1[torch.cdist(x_0, x_1).argmin(1)]


def other_order(x_0, x_1):
    _, columns = linear_sum_assignment(torch.cdist(x_0, x_1).square().numpy())
    return x_0[columns], x_1


def as_given(x_0, x_1):
    return x_0, x_1


def _over_a_span(x, t, r, m, sigma):
    """Where the path from x stands at r."""
    at_t, at_r = math.hypot(1 - t, t * sigma), math.hypot(1 - r, r * sigma)
    return r * m + at_r / at_t * (x - t * m)


def average(x, t, r, m, sigma):
    return (_over_a_span(x, t, r, m, sigma) - x) / (r - t)


def moved(x, t, r, m, sigma):
    return _over_a_span(x, t, r, m, sigma) - x


def at_once(x, t, r, m, sigma):
    return m + (t * sigma**2 - (1 - t)) / ((1 - t) ** 2 + (t * sigma) ** 2) * (x - t * m)


def from_noise(x, t, r, m, sigma):
    return (r * m + math.hypot(1 - r, r * sigma) * x - x) / (r - t)


def backwards(x, t, r, m, sigma):
    return -average(x, t, r, m, sigma)


GENERATOR = torch.Generator().manual_seed(0)
EXACT = torch.randn(400, generator=GENERATOR)
GUESSES = EXACT + torch.randn(8, 400, generator=GENERATOR)

ANSWERS = {
    "6.1": ((path, "no"), [(path, "yes"), (by_variance, "no"), (linear, "yes"), (whole_mean, "no")]),
    "6.2": ((end,), [(of_euler,), (of_ring,), (mean_velocity,), (half_way,)]),
    "6.3": (
        (0.95, 0.05, 0.01, square),
        [(0.95, 0.05, 0.01, double), (0.95, 0.05, 0.01, excess), (0.05, 0.95, 0.01, square), (95, 5, 1, square)]
        + [(0.95, 0.05, 0.94, square)],
    ),
    "6.4": (
        (estimate, GUESSES, EXACT),
        [
            *[(f, GUESSES, EXACT) for f in (without_signs, one_side, mean_of_dims, all_rows)],
            (estimate, EXACT.expand(8, -1), EXACT),
            (estimate, GUESSES[:1].expand(8, -1), EXACT),
            (estimate, GUESSES + 1, EXACT),
            (estimate, GUESSES.mean(0), EXACT),
        ],
    ),
    "6.5": (
        (match, 0.1, 1.0),
        [(f, 0.1, 1.0) for f in (not_squared, nearest, other_order, as_given)] + [(match, 1.0, 0.1), (match, 0.9, 1.0)],
    ),
    "6.6": ((average,), [(f,) for f in (_over_a_span, moved, at_once, from_noise, backwards)]),
}
