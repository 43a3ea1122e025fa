"""Right and plausible wrong answers to the exercises of the chapter on the VAE in code."""

import math


def sigma(dims, latents):
    return math.sqrt(dims / (2 * latents))


def squared(dims, latents):
    return dims / (2 * latents)


def summed_kl(dims, latents):
    return math.sqrt(dims / 2)


def without_two(dims, latents):
    return math.sqrt(dims / latents)


def times_latents(dims, latents):
    return math.sqrt(dims * latents / 2)


def coin(p):
    return math.sqrt(p * (1 - p))


def coin_squared(p):
    return p * (1 - p)


def curvature(p):
    return 1 / (p * (1 - p))


def root_of_curvature(p):
    return 1 / math.sqrt(p * (1 - p))


def twice_as_wide(p):
    return 2 * math.sqrt(p * (1 - p))


def halved(p):
    return math.sqrt(p * (1 - p) / 2)


def constant(p):
    return 0.5


ANSWERS = {
    "5.1": (
        (sigma, "no", 0.1),
        [
            *[(f, "no", 0.1) for f in (squared, summed_kl, without_two, times_latents)],
            *[(sigma, "yes", 0.1), (sigma, "no", 90.0), (sigma, "yes", 90.0), (sigma, "no", -0.1)],
        ],
    ),
    "5.2": (
        (0.02, 0.2, 0.8, 0.2308),
        [
            *[(0.02, 0.2, 0.8, share) for share in (0.7692, 23.08, 0.18, 0.5)],
            *[(0.8, 0.2, 0.02, 0.7692), (0.02, 0.9, 0.8, 1.128), (2, 20, 80, 0.2308)],
        ],
    ),
    "5.3": (
        (8_388_864, 0.8437),
        [(4_194_432, 0.42), (8_388_608, 0.84), (131_328, 0.08), (8_388_864, 84.37), (8_388_864, 0.1563)]
        + [(8_388_864, 0.5)],
    ),
    "5.4": (
        (coin,),
        [(f,) for f in (coin_squared, curvature, root_of_curvature, twice_as_wide, halved, constant)],
    ),
}
