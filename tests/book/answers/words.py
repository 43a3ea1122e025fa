"""Right and plausible wrong answers to the exercises of the chapter on words that become pictures."""

import math

import torch

from genimg.models import ode


def attend(q, k, v, there):
    fits = (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~there, -math.inf)
    return torch.softmax(fits, 1) @ v


def everywhere(q, k, v, there):
    return torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1) @ v


def afterwards(q, k, v, there):
    return (torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1) * there) @ v


def rootless(q, k, v, there):
    return torch.softmax((q @ k.T).masked_fill(~there, -math.inf), 1) @ v


def back(velocity, x, steps):
    for i in range(steps, 0, -1):
        x = x - velocity(x, torch.full((len(x),), i / steps, dtype=x.dtype)) / steps
    return x


def by_heun(velocity, x, steps):
    return ode.integrate(velocity, x, steps, start=1.0, end=0.0)


def forwards(velocity, x, steps):
    return ode.integrate(velocity, x, steps, "euler")


def times_upside_down(velocity, x, steps):
    for i in range(steps):
        x = x - velocity(x, torch.full((len(x),), i / steps, dtype=x.dtype)) / steps
    return x


ANSWERS = {
    "16.1": (
        (lambda n: 1 / math.factorial(n) ** 2,),
        [(lambda n: 1 / math.factorial(n),), (lambda n: 1 / n**2,), (lambda n: 0.5,), (lambda n: 1 / (2 * n),)],
    ),
    "16.2": ((attend,), [(everywhere,), (afterwards,), (rootless,), (lambda q, k, v, there: v,)]),
    "16.3": (
        (lambda m_0, m, g: m_0 + g * (m - m_0), "same"),
        [
            (lambda m_0, m, g: m_0 + g * (m - m_0), "smaller"),
            (lambda m_0, m, g: g * m, "same"),
            (lambda m_0, m, g: m + g * (m - m_0), "same"),
        ],
    ),
    "16.4": (
        (back,),
        [(forwards,), (times_upside_down,), (lambda velocity, x, steps: x,)],
    ),
}
