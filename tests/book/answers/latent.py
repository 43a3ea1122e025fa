"""Right and plausible wrong answers to the exercises of the chapter on a flow on codes."""

import math


def steps(first, pixels, codes):
    return math.floor(first / (pixels - codes)) + 1


def free_codes(first, pixels, codes):
    return math.floor(first / pixels) + 1


def not_whole(first, pixels, codes):
    return first / (pixels - codes)


def one_short(first, pixels, codes):
    return math.floor(first / (pixels - codes))


def summed(first, pixels, codes):
    return math.floor(first / (pixels + codes)) + 1


def paid(a, s):
    return 0.5 * (a**2 + s**2 - 1 - math.log(s**2))


def paid_in_bits(a, s):
    return paid(a, s) / math.log(2)


def without_means(a, s):
    return 0.5 * (s**2 - 1 - math.log(s**2))


def least(a, s):
    return 0.5 * math.log((a**2 + s**2) / s**2)


def saved(a, s):
    return paid(a, s) - least(a, s)


def of_means(a, s):
    return 0.5 * math.log(a**2 / s**2)


def time(s):
    return 1 / (1 + s)


def turned_round(s):
    return s / (1 + s)


def squared(s):
    return 1 / (1 + s**2)


def half(s):
    return 0.5


SHARES = {1: 0.0, 2: 0.3, 4: 0.8, 8: 0.92, 20: 0.93}

ANSWERS = {
    "15.1": ((steps,), [(f,) for f in (free_codes, not_whole, one_short, summed)]),
    "15.2": (
        (paid, least),
        [(paid_in_bits, least), (without_means, least), (paid, saved), (paid, of_means), (least, paid)],
    ),
    "15.3": ((time,), [(f,) for f in (turned_round, squared, half)]),
    "15.4": ((30.0, -20.0), [(-20.0, 30.0), (30.0, 29.0), (900.0, 30.0)]),
    "15.5": (
        (SHARES, 8),
        [
            *[(SHARES, fewest) for fewest in (1, 4, 20)],
            *[({1: 0.0, 20: 0.9}, 20), (SHARES | {1: 0.9}, 1), ({s: 100 * v for s, v in SHARES.items()}, 8)],
        ],
    ),
}
