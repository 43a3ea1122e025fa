"""Right and plausible wrong answers to the exercises of the chapter on generative adversarial networks."""

import math

import torch
import torch.nn.functional as F


def walk(steps, sampled, optimiser=torch.optim.Adam, sign=1, rate=0.1, frozen=False):
    place = torch.tensor(8.0, requires_grad=True)
    adam = optimiser([place], lr=rate)
    generator = torch.Generator().manual_seed(0)
    even = torch.special.ndtri((torch.arange(512) + 0.5) / 512)
    for _ in range(steps):
        s = torch.tensor(8.0) if frozen else place.detach()
        x_fake = place + (torch.randn(64, generator=generator) if sampled else even)
        adam.zero_grad()
        (-sign * F.softplus(s**2 / 2 - s * x_fake).mean()).backward()
        adam.step()
    return place.item()


def changed(**options):
    return lambda steps, sampled: walk(steps, sampled, **options)


def slope(logits):
    return 2 * logits.sigmoid() - 1


def penalty(w, b, x):
    return w.square().sum().expand(len(x))


def by_gradient(w, b, x):
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad((x @ w + b).sum(), x)
    return gradient.square().sum(1)


def best(x, s):
    return torch.sigmoid(s * x - s**2 / 2)


def step(theta, psi, rate):
    sigma = 1 / (1 + math.exp(-psi * theta))
    return theta + rate * psi * sigma, psi - rate * theta * sigma


def in_turns(theta, psi, rate):
    psi = psi - rate * theta / (1 + math.exp(-psi * theta))
    return theta + rate * psi / (1 + math.exp(-psi * theta)), psi


ANSWERS = {
    "2.1": (
        (walk,),
        [
            (changed(optimiser=torch.optim.SGD),),
            (changed(sign=-1),),
            (changed(rate=0.01),),
            (changed(frozen=True),),
        ],
    ),
    "2.2": (
        (3e-9, slope, 0.5),
        [
            (0.04, slope, 0.5),
            (0.0, torch.sigmoid, 0.5),
            (0.0, lambda logits: logits.sigmoid() - 1, 0.5),
            (0.0, lambda logits: 1 - 2 * logits.sigmoid(), 0.5),
            (0.0, lambda logits: 2 * logits - 1, 0.5),
            (0.0, torch.zeros_like, 0.5),
            (0.0, slope, 0.0),
            (0.0, slope, 1.0),
        ],
    ),
    "2.3": (
        (by_gradient, "the same"),
        [
            (lambda w, b, x: w.norm().expand(len(x)), "the same"),
            (lambda w, b, x: w.square().sum(), "the same"),
            (lambda w, b, x: w.square().mean().expand(len(x)), "the same"),
            (lambda w, b, x: (x @ w + b).square(), "the same"),
            (lambda w, b, x: x.square().sum(1), "the same"),
            (lambda w, b, x: penalty(w, b, x) + b**2, "larger"),
            (penalty, "larger"),
        ],
    ),
    "2.4": (
        (best, "away from the data"),
        [
            (lambda x, s: 1 - best(x, s), "towards the data"),
            (lambda x, s: s * x - s**2 / 2, "away from the data"),
            (lambda x, s: torch.exp(s * x - s**2 / 2), "away from the data"),
            (lambda x, s: torch.sigmoid(2 * x - 2), "away from the data"),
            (best, "towards the data"),
        ],
    ),
    "2.5": (
        (lambda p, q, k: p / (p + k * q),),
        [
            (lambda p, q, k: p / (p + q),),
            (lambda p, q, k: k * p / (k * p + q),),
            (lambda p, q, k: k * q / (p + k * q),),
            (lambda p, q, k: p / (p + q) / k,),
        ],
    ),
    "2.6": (
        (step, "grows"),
        [
            (in_turns, "stays"),
            (lambda theta, psi, rate: step(theta, psi, -rate), "grows"),
            (lambda theta, psi, rate: (theta + rate * psi * psi * theta, psi - rate * theta * psi * theta), "grows"),
            (lambda *place: step(*place)[::-1], "grows"),
            (step, "stays"),
            (step, "shrinks"),
        ],
    ),
}
