"""Right and plausible wrong answers to the exercises of the chapter on the GAN in code."""

import torch
import torch.nn.functional as F


def kernel(*taps):
    taps = torch.tensor(taps)
    return torch.outer(taps, taps)


def together(d, s):
    return d / (s**2 + d**2 / 4) ** 0.5


def loss(logits):
    return logits.clamp(min=0) + torch.log1p(torch.exp(-logits.abs()))


ANSWERS = {
    "4.1": (
        ("no", kernel(1.0, 3.0, 3.0, 1.0)),
        [
            ("yes", kernel(1.0, 3.0, 3.0, 1.0)),
            ("no", kernel(1.0, 2.0, 3.0, 4.0)),
            ("no", kernel(1.0, 4.0, 6.0, 4.0)),
            ("no", torch.ones(4, 4)),
            ("no", torch.zeros(4, 4)),
            ("no", kernel(1.0, 2.0, 1.0)),
        ],
    ),
    "4.2": (
        (0.9556, 524_288),
        [
            (95.56, 524_288),
            (0.0444, 524_288),
            (0.5, 524_288),
            (0.9556, 512),
            (0.9556, 65_536),
            (0.9556, 33_554_432),
            (0.9556, 4_194_304),
        ],
    ),
    "4.3": (
        (together, "more"),
        [
            (lambda d, s: d / s, "more"),
            (lambda d, s: d / (s**2 + d**2) ** 0.5, "more"),
            (lambda d, s: d / (s**2 + d**2 / 4), "more"),
            (lambda d, s: 0.0, "more"),
            (lambda d, s: d, "more"),
            (together, "less"),
        ],
    ),
    "4.4": (
        (loss, 17),
        [
            (lambda logits: -torch.log(1 - logits.sigmoid()), 17),
            (lambda logits: torch.log(1 + logits.exp()), 17),
            (lambda logits: torch.log1p(logits.exp()), 17),
            (lambda logits: logits.clamp(min=0) + torch.log(1 + torch.exp(-logits.abs())), 17),
            (lambda logits: -torch.log(1 - logits.sigmoid() + 1e-8), 17),
            (lambda logits: F.softplus(-logits), 17),
            (lambda logits: -F.softplus(logits), 17),
            (lambda logits: F.softplus(logits).mean(), 17),
            (loss, 16),
            (loss, 30),
        ],
    ),
}
