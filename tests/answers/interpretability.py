"""Right and plausible wrong answers to the exercises of the chapter on interpretability."""

import numpy as np


def widen(code):
    return np.hstack([code, code[:, :1]])


def other(code):
    return np.hstack([code, code[:, 1:2]])


def around(turns):
    return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)


def kl(mu, variance):
    return 0.5 * (mu**2 + variance - 1 - np.log(variance)).mean(0).sum()


def turned(mu, variance, rotation):
    return kl(mu @ rotation, variance @ rotation**2)


ANSWERS = {
    "9.1": (
        (widen, "falls", "stays", "falls"),
        [
            (widen, "falls", "falls", "falls"),
            (widen, "stays", "stays", "falls"),
            (widen, "falls", "stays", "stays"),
            (other, "falls", "stays", "falls"),
            (lambda code: code, "falls", "stays", "falls"),
        ],
    ),
    "9.2": (
        (around,),
        [
            (lambda turns: turns,),
            (lambda turns: np.cos(2 * np.pi * turns),),
            (lambda turns: np.stack([np.cos(turns), np.sin(turns)], axis=1),),
            (lambda turns: np.stack([np.cos(2 * np.pi * turns), turns], axis=1),),
        ],
    ),
    "9.3": (
        (turned, "smaller"),
        [
            (turned, "the same"),
            (turned, "larger"),
            (lambda mu, variance, rotation: kl(mu @ rotation, variance), "smaller"),
            (lambda mu, variance, rotation: kl(mu @ rotation, variance @ np.abs(rotation)), "smaller"),
            (lambda mu, variance, rotation: kl(mu, variance), "the same"),
        ],
    ),
}
