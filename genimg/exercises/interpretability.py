"""Exercises of the chapter on interpretability."""

import numpy as np

from genimg.exercises import exercise, number_of, word


@exercise(
    "9.1", 'a function that widens a code (n, d), then "falls" or "stays" for MIG, disentanglement and completeness'
)
def repeated_latent(widen, gap, disentangled, complete):
    said = [word(one, "falls", "stays", "rises") for one in (gap, disentangled, complete)]
    code = np.random.default_rng(0).normal(size=(50, 8))
    wide = np.asarray(widen(code.copy()))
    if wide.shape != (50, 9):
        return f"a code of (50, 8) has to become (50, 9), and became {wide.shape}"
    if not np.allclose(wide[:, :8], code):
        return "the first eight latents have to stay as they are"
    if not np.allclose(wide[:, 8], code[:, 0]):
        return "the ninth latent does not repeat the first"
    if said == ["falls", "falls", "falls"]:
        return "not all of them: does the ninth latent serve more than one factor"
    if said[0] != "falls":
        return "MIG compares the best latent of a factor with the second best: what is the second best now"
    if said[1] != "stays":
        return "disentanglement asks each latent how many factors it serves"
    if said[2] != "falls":
        return "completeness asks each factor how many latents serve it"


@exercise("9.2", "a function from turns (n,), 1 for a whole circle, to a code (n, d)")
def circle(code_of):
    turns = np.random.default_rng(0).uniform(size=400)
    code = np.asarray(code_of(turns.copy()), dtype=float)
    code = code.reshape(400, -1)
    if code.shape[1] > 2:
        return f"two numbers are enough, and these are {code.shape[1]}"
    wanted = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)
    r2 = _linear_r2(code, wanted)
    if min(r2) > 0.99:
        return None
    if code.shape[1] == 1:
        return f"a linear probe finds R^2 of {r2[0]:.2f} and {r2[1]:.2f}: one number cannot be linear in both"
    if max(r2) > 0.99:
        return (
            f"a linear probe finds R^2 of {r2[0]:.2f} and {r2[1]:.2f}: only one of the two coordinates is in the code"
        )
    return f"a linear probe finds R^2 of {r2[0]:.2f} and {r2[1]:.2f}: is a turn of 1 a whole circle in this code"


def _linear_r2(code, wanted):
    x = np.concatenate([code, np.ones((len(code), 1))], axis=1)
    left = wanted - x @ np.linalg.lstsq(x, wanted, rcond=None)[0]
    return 1 - left.var(0) / wanted.var(0)


@exercise(
    "9.3", 'a function (mu, variance, rotation) -> the KL of the turned code, and "smaller", "larger" or "the same"'
)
def turned(kl_of, change):
    change = word(change, "smaller", "larger", "the same")
    rng = np.random.default_rng(0)
    mu, variance = rng.normal(size=(60, 4)), rng.uniform(0.05, 1, size=(60, 4))
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))

    def kl(mean, var):
        return 0.5 * (mean**2 + var - 1 - np.log(var)).sum(1).mean()

    answer = number_of(np.sum(kl_of(mu.copy(), variance.copy(), rotation.copy())))
    right = kl(mu @ rotation, variance @ rotation**2)
    if abs(answer - kl(mu, variance)) < 1e-6:
        return "that is the KL before turning, or of the turned posterior with all its covariances, which is the same"
    if abs(answer - kl(mu @ rotation, variance)) < 1e-6:
        return "the means are turned and the variances are not"
    if abs(answer - 60 * right) < 1e-6:
        return "that is the sum over pictures; take the mean"
    if abs(answer - right) > 1e-6:
        return "the variance of a turned latent is the sum of the old ones, each times a squared entry of the rotation"
    if change != "smaller":
        return "the function is right: compare the KL before and after for the model of the page"
