"""Right and plausible wrong answers to the exercises of the errata."""

import torch

GENERATOR = torch.Generator().manual_seed(0)
X = (torch.rand(301, 64, generator=GENERATOR) ** 4) * 2 - 1  # mean and median lie apart
NOISE = 0.01 * torch.randn(50, 64, generator=GENERATOR)

ANSWERS = {
    "11.1": (
        (X.median(0).values + NOISE, X),
        [(X.mean(0) + NOISE, X), (X[:50], X), (torch.zeros(50, 64) + 1, X), (NOISE[:, :32], X)],
    ),
    "11.2": (
        (lambda d: d.log(),),
        [(lambda d: -d.log(),), (lambda d: (1 - d).log(),), (lambda d: d * 0,), (lambda d: (d - 0.5).square(),)],
    ),
    "11.3": (("no", "yes", "no"), [("yes", "yes", "no"), ("no", "no", "no"), ("no", "yes", "yes")]),
}
