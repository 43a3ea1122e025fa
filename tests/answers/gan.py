"""Right and plausible wrong answers to the exercises of the chapter on GANs."""

import torch


def logit(x):
    return 2 * x - 2


ANSWERS = {
    "2.1": (("yes", 0.1, -0.3), [("no", 0.1, -0.3), ("yes", 8.0, 0.2), ("yes", 0.1, 7.0), ("yes", 2.0, 3.0)]),
    "2.2": ((0.02, 1e-9), [(0.0, 0.0), (0.02, 0.04), (0.02, 0.02), (0.02, 0.005)]),
    "2.3": (
        (lambda w, b, x: w.square().sum().expand(len(x)), "no"),
        [
            (lambda w, b, x: w.square().sum().expand(len(x)), "yes"),
            (lambda w, b, x: w.norm().expand(len(x)), "no"),
            (lambda w, b, x: 0.5 * w.square().sum().expand(len(x)), "no"),
            (lambda w, b, x: w.square().mean().expand(len(x)), "no"),
            (lambda w, b, x: len(x) * w.square().sum(), "no"),
            (lambda w, b, x: (w.square().sum() + b**2).expand(len(x)), "yes"),
        ],
    ),
    "2.4": (
        (lambda x: logit(x).sigmoid(), "away"),
        [
            (lambda x: logit(x).sigmoid(), "towards"),
            (lambda x: (-logit(x)).sigmoid(), "away"),
            (logit, "away"),
            (lambda x: torch.full_like(x, 0.5), "away"),
        ],
    ),
}
