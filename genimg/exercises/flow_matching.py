"""Exercises of the chapter on flow matching."""

import math

import torch

from genimg.exercises import close, exercise, number_of, word


@exercise("6.1", 'a function (t, sigma) -> s_t, and "yes" or "no": is the path straight')
def one_gaussian(s, straight):
    straight = word(straight, "yes", "no")
    for t, sigma in ((0.0, 0.5), (0.3, 0.5), (0.5, 2.0), (0.9, 0.1), (1.0, 0.7)):
        answer, right = number_of(s(t, sigma)), math.hypot(1 - t, t * sigma)
        if close(answer, right, absolute=1e-5):
            continue
        if close(answer, right**2, absolute=1e-5):
            return "that is the variance of x_t; s_t is its root"
        if close(answer, 1 - t + t * sigma, absolute=1e-5):
            return "deviations of independent parts do not add up; their squares do"
        return f"at t = {t} with sigma = {sigma} the deviation of x_t is not {answer:.4f}"
    if straight == "yes":
        return "s_t is right: is it linear in t, as a straight path needs"


@exercise("6.2", "the factor c for which one Heun step from x_0 ends at c x_0")
def one_heun_step(factor):
    if close(factor, 0, absolute=1e-3):
        return "that is where the Euler step ends; Heun looks at the velocity there, and takes the mean of the two"
    if close(factor, -0.5, absolute=1e-3):
        return "that is the mean velocity over x_0; the step starts at x_0"
    if close(factor, 1, absolute=1e-3):
        return "the velocity at the end is 0, that at the start is not: the step moves"
    if not close(factor, 0.5, absolute=1e-3):
        return "the first velocity is the data's mean less x_0; the second is taken at the place that Euler reaches"


@exercise(
    "6.3",
    "three shares of high quality: right, time reversed, sign reversed; and a function w -> the scale of two in a row",
)
def slips(shares, scale):
    right, time, sign = (number_of(share) for share in shares)
    if not 0 <= max(right, time, sign) <= 1:
        return "a share lies between 0 and 1"
    if right < max(time, sign):
        return "the first share ought to be the one without a slip"
    if max(time, sign) > 0.6 * right:
        return "one of the slips has hardly hurt: was the velocity really changed in every step"
    answers = [number_of(scale(w)) for w in (0.5, 2.0, 3.0)]
    if all(close(a, w, absolute=1e-4) for a, w in zip(answers, (1.0, 4.0, 6.0), strict=True)):
        return "the shares are right; scales do not add: put the guided velocity into the formula again"
    if all(close(a, w, absolute=1e-4) for a, w in zip(answers, (0.0, 3.0, 5.0), strict=True)):
        return "the shares are right; 2w - 1 comes from adding what w adds over 1: put the guided velocity in again"
    if not all(close(a, w**2, absolute=1e-4) for a, w in zip(answers, (0.5, 2.0, 3.0), strict=True)):
        return f"the shares are right; a scale of 2 in a row is one of {answers[1]:g}? Put numbers into the formula"


@exercise(
    "6.4",
    '"yes" or "no": is the mean right; deviation of one estimate, mean error, and the error of that mean, in nats',
)
def one_probe(right_mean, deviation, mean, error):
    right_mean, deviation, mean, error = word(right_mean, "yes", "no"), *map(number_of, (deviation, mean, error))
    if deviation <= 0:
        return "one estimate with a random vector does stray: was it the exact divergence"
    if error >= deviation:
        return "the error of a mean is smaller than the deviation of one: divide by the root of their number"
    if abs(mean) > 5 * error:
        return f"a mean error of {mean:.3f} with {error:.3f} of doubt is a bias: the same points and steps for both"
    if right_mean == "no":
        return f"the mean error is {mean:.3f} ± {error:.3f}: what speaks against zero"


@exercise("6.5", "your function n -> (x_0, x_1), n pairs of noise and data (n, 2) matched within the batch")
def matched_pairs(pairs):
    from scipy.optimize import linear_sum_assignment

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x_0, x_1 = (v.detach().double().cpu() for v in pairs(200))
    if x_0.shape != (200, 2) or x_1.shape != (200, 2):
        return f"200 pairs of points have to be (200, 2) twice, not {tuple(x_0.shape)} and {tuple(x_1.shape)}"
    if len(x_1.unique(dim=0)) < 200:
        return "some data are used twice and others not at all: then x_1 no longer has the distribution of the data"
    if len(x_0.unique(dim=0)) < 200:
        return "some noise is used twice: then x_0 is no longer normal"
    cost = torch.cdist(x_0, x_1).square()
    rows, columns = linear_sum_assignment(cost.numpy())
    least, own = cost[rows, columns].sum().item(), cost.diagonal().sum().item()
    if own > 1.001 * least:
        return f"the squared distances add up to {own:.0f}, those of other pairs of the same points to {least:.0f}"
