"""Exercises of the chapter on interpretability."""

from collections.abc import Callable

import numpy as np

from genimg.book.exercises import Number, exercise, number_of, word


@exercise(
    "9.1", 'a function (factors (N, 4)) -> code (N, 5), and "stays" or "falls" for disentanglement, for completeness'
)
def repeated(code_of: Callable[[np.ndarray], np.ndarray], disentanglement: str, completeness: str) -> str | None:
    from genimg.book.disentanglement import dci, mig

    words = word(disentanglement, "stays", "falls"), word(completeness, "stays", "falls")
    factors = np.random.default_rng(0).uniform(-1, 1, (600, 4))
    code = np.asarray(code_of(factors.copy()), dtype=np.float64)
    if code.shape != (600, 5):
        return f"of 600 rows of four factors the function makes {code.shape}; five numbers for each were asked for"
    linked = np.abs(np.corrcoef(code.T, factors.T, dtype=np.float64)[:5, 5:])
    if not (np.ptp(code, axis=0) > 0).all() or (linked.max(1) < 0.2).any():
        return "one of the five numbers knows no factor"
    if (np.sort(linked, axis=1)[:, -2] > 0.3).any():
        return "one of the five numbers mixes factors; each is to know one only"
    gap = mig(code, factors)
    if gap[0] > 0.1 and gap.min() < 0.1:
        return f"the gap of factor number {gap.argmin() + 1} is gone; that of the first was asked for"
    if gap[0] > 0.1:
        return f"the gap of the first factor is {gap[0]:.2f}; which latent would know as much about it as the best one"
    if gap[1:].min() < 0.5:
        return "the gap of the first factor is gone, and that of another too"
    found = dci(code, factors, trees=5)
    for name, said, value in zip(
        ("disentanglement", "completeness"), words, (found.disentanglement, found.completeness), strict=True
    ):
        if said != ("stays" if value > 0.95 else "falls"):
            return f"the code is right; {name} does not do that: ask how many serve whom, in both directions"
    return None


@exercise("9.2", "two functions of the hues (N,), to one number (N,) and to two (N, 2), and the MIG of the second code")
def whole_circle(
    one: Callable[[np.ndarray], np.ndarray], two: Callable[[np.ndarray], np.ndarray], gap: Number
) -> str | None:
    hue = np.arange(1000) / 1000
    first, second = (np.asarray(code(hue.copy()), dtype=np.float64) for code in (one, two))
    if first.reshape(len(hue), -1).shape[1] != 1:
        return "the first code is to be one number for each hue"
    if second.shape != (1000, 2):
        return f"of 1,000 hues the second function makes {second.shape}; two numbers for each were asked for"
    ordered = np.sort(first.ravel())
    if np.diff(ordered).min() < 1e-9 * np.ptp(ordered):
        return "the first code gives one number to several hues, so that it does not know which one it was"
    goal = np.stack([np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)], axis=1)
    inputs = np.column_stack([second, np.ones(1000)])
    missed = (goal - inputs @ np.linalg.lstsq(inputs, goal, rcond=None)[0]).var(0) / goal.var(0)
    if np.abs(second[0] - 2 * second[-1] + second[-2]).max() > 0.05 * np.ptp(second):
        return "the second code jumps where the hue returns to its start; does a hue of 1 make one whole turn"
    if missed.max() > 0.01:
        return f"from the second code a linear probe finds cosine and sine with an R^2 of {1 - missed.max():.2f} only"
    from genimg.book.disentanglement import mig

    right, gap = mig(second, hue[:, None])[0], number_of(gap)
    if not 0 <= gap <= 1:
        return "the codes are right; a gap lies between 0 and 1"
    if abs(gap - right) > 0.1:
        return "the codes are right; the gap is that between what two latents know, and here both know as much"
    return None


@exercise("9.3", "a function (mu (N, d), logvar (N, d), Q (d, d)) -> the mean KL of each turned latent (d,), in nats")
def turned_kl(kl: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> str | None:
    dice = np.random.default_rng(0)
    mu, logvar = dice.normal(size=(500, 3)), dice.normal(-1, 1, (500, 3))
    q = np.linalg.qr(dice.normal(size=(3, 3)))[0]

    def of(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return 0.5 * (mean**2 + variance - 1 - np.log(variance)).mean(0)

    def alike(value: np.ndarray) -> bool:
        return found.shape == value.shape and np.allclose(found, value, atol=1e-3)

    found = np.asarray(kl(mu.copy(), logvar.copy(), q.copy()), dtype=np.float64)
    variance = np.exp(logvar)
    right = of(mu @ q, variance @ q**2)
    if found.shape == (500, 3):
        return "that is a KL for each picture; the mean over pictures was asked for"
    if found.shape == ():
        return "that is one number; one for each latent was asked for"
    if alike(500 * right):
        return "that is the sum over pictures; the mean was asked for"
    if alike(right / np.log(2)):
        return "that is in bits, and nats were asked for"
    if alike(of(mu, variance)):
        return "that is the KL before the turn"
    if alike(of(mu @ q, variance)):
        return "the means are turned and the variances are not"
    if alike(of(mu @ q.T, variance @ q.T**2)):
        return "that turns the other way: a row mu becomes mu @ Q"
    if alike(of(mu @ q, np.exp(logvar @ q**2))):
        return "the logarithm of a variance does not turn like the variance"
    if alike(of(mu @ q, np.exp(logvar @ q))):
        return "the means are right; each turned latent is a sum of independent ones, and what is its variance"
    if not alike(right):
        return (
            "of three random latents and a random rotation the function gives another KL than the turned diagonal has"
        )
    return None
