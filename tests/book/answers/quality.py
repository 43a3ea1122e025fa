"""Right and plausible wrong answers to the exercises of the chapter on quality."""

import math

import torch

GENERATOR = torch.Generator().manual_seed(1)


def with_covariance(real, whiten):
    noise = torch.randn(real.shape, generator=GENERATOR, dtype=torch.float64)
    noise = noise - noise.mean(0)
    if whiten:
        noise = torch.linalg.solve_triangular(torch.linalg.cholesky(noise.T.cov()), noise.T, upper=False).T
    return noise @ torch.linalg.cholesky(real.T.cov()).T + real.mean(0)


def disguised(real):
    return with_covariance(real, whiten=True)


def nearly(real):
    return with_covariance(real, whiten=False)


def shuffled(real):
    return real[torch.randperm(len(real), generator=GENERATOR)]


def only_variances(real):
    noise = torch.randn(real.shape, generator=GENERATOR, dtype=torch.float64)
    return (noise - noise.mean(0)) / noise.std(0) * real.std(0) + real.mean(0)


def without_mean(real):
    return disguised(real) - real.mean(0)


def moved(features_of, own, first, second):
    a, b = (features_of(torch.cat([own, others]))[: len(own)] for others in (first, second))
    return ((a - b).norm(dim=1) / a.norm(dim=1)).mean()


def not_relative(features_of, own, first, second):
    a, b = (features_of(torch.cat([own, others]))[: len(own)] for others in (first, second))
    return (a - b).norm(dim=1).mean()


def from_alone(features_of, own, first, second):
    a, b = features_of(torch.cat([own, first]))[: len(own)], features_of(own)
    return ((a - b).norm(dim=1) / a.norm(dim=1)).mean()


def neighbours_too(features_of, own, first, second):
    a, b = (features_of(torch.cat([own, others])) for others in (first, second))
    return ((a - b).norm(dim=1) / a.norm(dim=1)).mean()


def strength(tau, dims):
    return tau / math.sqrt(dims)


def by_dims(tau, dims):
    return tau / dims


def tau_itself(tau, dims):
    return tau


def squared(tau, dims):
    return tau**2 / dims


AGAIN, RETRAINED = [9.8, 10.2, 10.0, 9.9, 10.1, 10.3, 9.7, 10.0, 10.1, 9.9], [20.0, 21.0, 22.0]
RATIO = 1.0 / 0.182574
FLAGGED = {0.0: 1.0, 0.05: 1.0, 0.1: 0.6, 0.2: 0.004, 0.4: 0.0}

ANSWERS = {
    "7.1": ((1.0, 0.01), [(0.01, 1.0), (0.002, 0.002), (1.0, 1.0), (1.0, 0.0), (100, 1)]),
    "7.2": (
        (disguised, 0.3),
        [(f, 0.3) for f in (nearly, shuffled, only_variances, without_mean)] + [(disguised, 0.97), (disguised, 30)],
    ),
    "7.3": (
        (AGAIN, RETRAINED, RATIO),
        [
            *[(AGAIN, RETRAINED, r) for r in (1 / RATIO, RATIO**2, 0.8165 / 0.1732051, 2.1, 1.0)],
            *[([10.0] * 10, RETRAINED, 1.0), (AGAIN[:2], RETRAINED, 1.0), ([3, 9, 20, 1, 7], RETRAINED, 0.1)],
        ],
    ),
    "7.4": (
        (moved, 0.2, 1e-7),
        [(f, 0.2, 1e-7) for f in (not_relative, from_alone, neighbours_too)]
        + [(moved, 1e-7, 0.2), (moved, 0.2, 0.2), (moved, 1e-7, 1e-7)],
    ),
    "7.5": (
        (strength, FLAGGED, 0.2),
        [
            *[(f, FLAGGED, 0.2) for f in (by_dims, tau_itself, squared)],
            *[(strength, FLAGGED, 0.1), (strength, FLAGGED, 0.4), (strength, FLAGGED | {0.0: 0.01}, 0.2)],
            (strength, dict.fromkeys(FLAGGED, 1.0), 0.4),
        ],
    ),
}
