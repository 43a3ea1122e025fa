"""Right and plausible wrong answers to the exercises of the chapter on flow matching."""

import math

import torch
from scipy.optimize import linear_sum_assignment

SHARES = 0.92, 0.1, 0.02


def independent(n):
    return torch.randn(n, 2), torch.randn(n, 2) * 0.1 + 2


def matched(n):
    x_0, x_1 = independent(n)
    return x_0, x_1[linear_sum_assignment(torch.cdist(x_0, x_1).square().numpy())[1]]


def nearest(n):
    x_0, x_1 = independent(n)
    return x_0, x_1[torch.cdist(x_0, x_1).argmin(1)]


def not_squared(n):
    """The least sum of distances, which pairs otherwise."""
    x_0, x_1 = independent(n)
    return x_0, x_1[linear_sum_assignment(torch.cdist(x_0, x_1).sqrt().numpy())[1]]


ANSWERS = {
    "6.1": (
        (lambda t, sigma: math.hypot(1 - t, t * sigma), "no"),
        [
            (lambda t, sigma: math.hypot(1 - t, t * sigma), "yes"),
            (lambda t, sigma: 1 - t + t * sigma, "yes"),
            (lambda t, sigma: (1 - t) ** 2 + (t * sigma) ** 2, "no"),
            (lambda t, sigma: math.hypot(t, (1 - t) * sigma), "no"),
        ],
    ),
    "6.2": ((0.5,), [(0.0,), (1.0,), (-0.5,), (0.25,)]),
    "6.3": (
        (SHARES, lambda w: w**2),
        [
            (SHARES, lambda w: 2 * w),
            (SHARES, lambda w: 2 * w - 1),
            (SHARES, lambda w: w),
            ((0.1, 0.92, 0.02), lambda w: w**2),
            ((0.92, 0.9, 0.02), lambda w: w**2),
            ((92, 10, 2), lambda w: w**2),
        ],
    ),
    "6.4": (
        ("yes", 0.3, 0.002, 0.003),
        [("no", 0.3, 0.002, 0.003), ("yes", 0.0, 0.0, 0.0), ("yes", 0.3, 0.2, 0.003), ("yes", 0.3, 0.002, 0.3)],
    ),
    "6.5": ((matched,), [(independent,), (nearest,), (not_squared,), (lambda n: matched(n // 2),)]),
}
