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


def rms(x, mean):
    return (x - mean).square().mean().sqrt()


def mse(x, mean):
    return (x - mean).square().mean()


def absolute(x, mean):
    return (x - mean).abs().mean()


def deviation(x, mean):
    return (x - mean).std()


def of_picture(x, mean):
    return (x - mean).flatten(1).norm(dim=1).mean()


ANSWERS = {
    "5.1": (
        (sigma, "no", 0.1),
        [
            *[(f, "no", 0.1) for f in (squared, summed_kl, without_two, times_latents)],
            *[(sigma, "yes", 0.1), (sigma, "no", 90.0), (sigma, "yes", 90.0), (sigma, "no", -0.1)],
        ],
    ),
    "5.2": (
        (160.0, 100.0, 80.0, 0.75),
        [
            *[(160.0, 100.0, 80.0, share) for share in (0.25, 0.375, 75, 0.5)],
            *[(80.0, 100.0, 160.0, 0.25), (160.0, 70.0, 80.0, 1.125), (160.0, 170.0, 80.0, -0.125)],
            (160.0, -100.0, 80.0, 3.25),
        ],
    ),
    "5.3": (
        (8_388_864, 0.8437),
        [(4_194_432, 0.42), (8_388_608, 0.84), (131_328, 0.08), (8_388_864, 84.37), (8_388_864, 0.1563)]
        + [(8_388_864, 0.5)],
    ),
    "5.4": (
        (rms, 8.8, 7.1, 6.3, 0.68),
        [
            *[(f, 8.8, 7.1, 6.3, 0.68) for f in (mse, absolute, deviation, of_picture)],
            *[(rms, 8.8, 7.1, 6.3, share) for share in (0.32, 68, 0.193, 0.5)],
            (rms, 6.3, 7.1, 8.8, 0.32),
        ],
    ),
}
