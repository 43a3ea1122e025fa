"""Right and plausible wrong answers to the exercises of the chapter on interpretability."""

import numpy as np


def _repeat(column):
    return lambda f: np.hstack([f, f[:, column : column + 1]])


def _noise(f):
    return np.hstack([f, np.random.default_rng(1).normal(size=(len(f), 1))])


def _mixed(f):
    return np.column_stack([f[:, 0] + f[:, 1], f[:, 0] - f[:, 1], f[:, 1:]])


def _circle(turn):
    return lambda hue: np.stack([np.cos(turn * hue), np.sin(turn * hue)], axis=1)


def _same(hue):
    return hue


def _kl(squared=True, variances=True, mean=np.mean, unit=1.0):
    def kl(mu, logvar, q):
        mu, variance = mu @ q, np.exp(logvar)
        if variances:
            variance = variance @ q**2 if squared else np.exp(logvar @ q)
        return mean(0.5 * (mu**2 + variance - 1 - np.log(variance)), 0) / unit

    return kl


ANSWERS = {
    "9.1": (
        (_repeat(0), "stays", "falls"),
        [
            (_repeat(0), "falls", "falls"), (_repeat(0), "stays", "stays"), (_repeat(1), "stays", "falls"),
            (_noise, "stays", "falls"), (_mixed, "stays", "falls"), (lambda f: f, "stays", "falls"),
        ],
    ),
    "9.2": (
        (_same, _circle(2 * np.pi), 0.0),
        [
            (_same, _circle(np.pi), 0.0), (_same, _circle(1.0), 0.0), (_same, _circle(2 * np.pi), 1.0),
            (lambda hue: np.cos(2 * np.pi * hue), _circle(2 * np.pi), 0.0),
            (_same, lambda hue: np.stack([hue, hue**2], axis=1), 0.0),
        ],
    ),
    "9.3": (
        (_kl(),),
        [
            (_kl(squared=False),), (_kl(variances=False),), (_kl(mean=np.sum),), (_kl(unit=np.log(2)),),
            (lambda mu, logvar, q: _kl()(mu, logvar, q.T),), (lambda mu, logvar, q: _kl()(mu, logvar, q).sum(),),
        ],
    ),
}  # fmt: skip
