"""Exercises of the chapter on a flow on codes."""

import math
from collections.abc import Callable, Mapping

from genimg.book.exercises import Number, close, exercise, number_of


@exercise("15.1", "a function (first, pixels, codes) -> steps")
def pays(steps: Callable[[float, float, float], Number]) -> str | None:
    for first, pixels, codes in ((1000.0, 9.0, 2.0), (100.0, 7.0, 5.0), (30.0, 100.0, 1.0)):
        found, ratio = number_of(steps(first, pixels, codes)), first / (pixels - codes)
        right = math.floor(ratio) + 1
        where = f"for first = {first:g}, pixels = {pixels:g} and codes = {codes:g}"
        if found != right and close(found, math.floor(first / pixels) + 1, absolute=0.01):
            return f"{where} it leaves out what a step on codes costs"
        if close(found, ratio, absolute=1e-6) and not close(ratio, right, absolute=1e-6):
            return f"{where} it gives {found:.3g}; steps are whole"
        if close(found, right - 1, absolute=0.01):
            return f"{where} it gives {found:.0f}, with which the two stages do not cost less yet"
        if not close(found, right, absolute=0.01):
            return f"{where} it gives {found:.4g}: what does each step save, and what has to be saved"
    return None


@exercise("15.2", "functions (a, s) -> nats: paid to N(0, 1), and paid to the best r")
def one_number(paid: Callable[[float, float], Number], least: Callable[[float, float], Number]) -> str | None:
    for a, s in ((2.0, 0.1), (0.5, 0.3), (1.0, 1.0)):
        total = a**2 + s**2
        right, right_least = 0.5 * (total - 1 - math.log(s**2)), 0.5 * math.log(total / s**2)
        found, found_least = number_of(paid(a, s)), number_of(least(a, s))
        where = f"for a = {a:g} and s = {s:g}"
        if close(found, right / math.log(2), relative=1e-3) or close(found, 2 * right, relative=1e-3):
            return f"{where} the first is {found:.3g}: nats, and a half stands before (3.8)"
        if close(found, 0.5 * (s**2 - 1 - math.log(s**2)), absolute=1e-3):
            return f"{where} the first leaves out the mean of the squared means, a^2"
        if not close(found, right, relative=1e-3):
            return f"{where} the first is {found:.3g}: take the mean of (3.8) over the means"
        if close(found_least, 0.5 * (total - 1 - math.log(total)), absolute=1e-3):
            return f"{where} the second is what the best r saves; asked for is what is still paid"
        if close(found_least, 0.5 * math.log(a**2 / s**2), absolute=1e-3):
            return f"{where} the second takes a for the deviation of a code, which has the deviation s on top of it"
        if not close(found_least, right_least, relative=1e-3):
            return f"{where} the second is {found_least:.3g}: which Gaussian do all codes together follow"
    return None


@exercise("15.3", "a function s -> t")
def same_noise(time: Callable[[float], Number]) -> str | None:
    for s in (0.1, 3.0, 100.0, 1.0):
        found, right = number_of(time(s)), 1 / (1 + s)
        where = f"for s = {s:g}"
        if close(found, s / (1 + s), relative=1e-3) and not close(found, right, relative=1e-3):
            return f"{where} it gives {found:.3g}: larger codes stand out of the noise earlier"
        if close(found, 1 / (1 + s**2), relative=1e-3) and not close(found, right, relative=1e-3):
            return f"{where} it takes the square of s"
        if not close(found, right, relative=1e-3):
            return f"{where} it gives {found:.3g}: at t the code has the deviation t s and the noise 1 - t"
    return None


@exercise("15.4", "mean log-density of unseen draws, in nats: of a Gaussian fitted to draws, of one fitted to means")
def draws_or_means(draws: Number, means: Number) -> str | None:
    of_draws, of_means = number_of(draws), number_of(means)
    if of_means > of_draws:
        return "the one fitted to means gives the larger density: are the two swapped, or both measured on means"
    if of_draws - of_means < 5:
        return "the two hardly differ: is the second fitted to the means of q(z | x), and measured on draws from it"
    if of_draws > 400:
        return "that is more than q(z | x) itself gives its draws"
    return None


@exercise("15.5", "a dict from steps (1, 2, 4, 8, 20) to the share valid, and the fewest steps that are enough")
def few_steps(shares: Mapping[int, Number], fewest: Number) -> str | None:
    valid = {int(steps): number_of(share) for steps, share in shares.items()}
    if set(valid) != {1, 2, 4, 8, 20}:
        return f"steps are {sorted(valid)}; asked for are 1, 2, 4, 8 and 20"
    if not 0 <= min(valid.values()) <= max(valid.values()) <= 1:
        return "shares are numbers from 0 to 1"
    if valid[1] > valid[20] - 0.2:
        return "a single step does nearly as well as twenty: one Euler step ends at the mean of the codes"
    right = min(s for s in valid if all(share >= valid[20] - 0.05 for more, share in valid.items() if more >= s))
    if number_of(fewest) != right:
        return (
            f"by these shares it is not {number_of(fewest):g}: from it on every share is at least that of 20 less 0.05"
        )
    return None
