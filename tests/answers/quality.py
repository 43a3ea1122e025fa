"""Right and plausible wrong answers to the exercises of the chapter on quality."""

import statistics

import torch

GENERATOR = torch.Generator().manual_seed(0)
MIX = torch.randn(6, 6, generator=GENERATOR, dtype=torch.float64)
REAL = torch.randn(400, 6, generator=GENERATOR, dtype=torch.float64).exp() @ MIX


def disguise(real):
    noise = torch.randn(500, real.shape[1], generator=GENERATOR, dtype=torch.float64)
    noise = noise - noise.mean(0)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(noise.T.cov()), noise.T, upper=False).T
    return whitened @ torch.linalg.cholesky(real.T.cov()).T + real.mean(0)


def only_variances(real):
    noise = torch.randn(500, real.shape[1], generator=GENERATOR, dtype=torch.float64)
    noise = (noise - noise.mean(0)) / noise.std(0)
    return noise * real.std(0) + real.mean(0)


DISTANCES = [1.1, 1.3, 0.9, 1.25, 1.05, 1.15, 0.95, 1.2, 1.0, 1.4]
SPREAD = statistics.stdev(DISTANCES)
FLAGGED = {0.0: 1.0, 0.05: 1.0, 0.1: 0.9, 0.2: 0.2, 0.4: 0.0}

ANSWERS = {
    "7.1": ((1.0, 0.01), [(1.0, 1.0), (1.0, 0.0), (0.002, 0.01), (1.0, 0.5), (100, 1)]),
    "7.2": (
        (disguise(REAL), REAL),
        [
            (REAL[:300], REAL),
            (disguise(REAL) - REAL.mean(0), REAL),
            (only_variances(REAL), REAL),
            (torch.randn(500, 6, generator=GENERATOR), REAL),
        ],
    ),
    "7.3": (
        (DISTANCES, SPREAD),
        [
            (DISTANCES, SPREAD**2),
            (DISTANCES, statistics.pstdev(DISTANCES)),
            (DISTANCES, SPREAD / 10**0.5),
            ([1.1] * 10, 0.0),
            (DISTANCES[:3], statistics.stdev(DISTANCES[:3])),
        ],
    ),
    "7.4": (("yes", 0.08, 0.0), [("no", 0.08, 0.0), ("yes", 0.0, 0.0), ("yes", 0.08, 0.08), ("yes", 0.0, 0.08)]),
    "7.5": ((FLAGGED, 0.2), [(FLAGGED, 0.1), (FLAGGED, 0.4), ({0.0: 0.0, 0.4: 0.0}, 0.0), ({0.0: 1.0, 0.1: 1.0}, 0.1)]),
}
