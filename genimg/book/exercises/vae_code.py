"""Exercises of the chapter on the VAE in code."""

import math
from collections.abc import Callable

import torch

from genimg.book.exercises import Number, close, exercise, number_of, word


@exercise("5.1", 'a function (D, d) -> sigma, "yes" or "no", and the measured KL term in nats per picture')
def both_means(sigma: Callable[[int, int], Number], alive: str, kl: Number) -> str | None:
    alive = word(alive, "yes", "no")
    for dims, latents in ((3 * 32 * 32, 64), (3 * 128 * 128, 128), (16 * 16, 8)):
        found, right = number_of(sigma(dims, latents)), math.sqrt(dims / (2 * latents))
        where = f"for D = {dims:,} and d = {latents}"
        if close(found, right**2, relative=0.01):
            return f"{where} it gives sigma squared"
        if close(found, math.sqrt(dims / 2), relative=0.01):
            return f"{where} it gives the sigma of (5.4), with the KL summed over latents"
        if close(found, math.sqrt(dims / latents), relative=0.01):
            return "the Gaussian's exponent has 2 sigma squared under the error"
        if close(found, math.sqrt(dims * latents / 2), relative=0.01):
            return "the mean over latents makes the KL weigh less, and so the sigma smaller"
        if not close(found, right, relative=0.01):
            return f"{where} it gives {found:.3g}: multiply the loss by d and compare with (5.1)"
    if number_of(kl) < 0:
        return "the function is right; a KL divergence is never negative"
    if number_of(kl) > 2:
        return f"the function is right; {number_of(kl):.1f} nats are not of this run: was the sigma passed on"
    if alive == "yes":
        return "the function is right; with so few nats a code says hardly anything about a picture"
    return None


@exercise(
    "5.2", "shares of valid pictures: prior, one Gaussian, mixture; and the part of the way that one Gaussian goes"
)
def one_gaussian(prior: Number, one: Number, mixture: Number, share: Number) -> str | None:
    prior, one, mixture = (number_of(value) for value in (prior, one, mixture))
    if max(prior, one, mixture) > 1:
        return "shares are numbers from 0 to 1"
    if not 0 <= prior <= mixture or mixture < 0.3:
        return "the mixture's samples are mostly shapes, the prior's hardly any: are the two swapped"
    if one >= mixture:
        return "one Gaussian is no better than the mixture: does it have one component"
    right = (one - prior) / (mixture - prior)
    if close(share, 1 - right, absolute=0.005) and not close(right, 0.5, absolute=0.01):
        return "that is the part that is left"
    if close(share, 100 * right, absolute=0.5) and not close(right, 0.0, absolute=0.005):
        return "a part is a number from 0 to 1"
    if close(share, one - prior, absolute=0.005) and not close(right, one - prior, absolute=0.005):
        return "divide by what the mixture gains"
    if not close(share, right, absolute=0.005):
        return "it is what one Gaussian gains over the prior, as a part of what the mixture gains over it"
    return None


@exercise("5.3", "how many parameters the two heads have, and their share of the encoder's, 0 to 1")
def heads(count: Number, share: Number) -> str | None:
    from genimg.models import classic

    with torch.device("meta"):
        encoder = classic.Encoder(size=128, z_dim=128, width=64)
    flat, latents = encoder.down.features, 128
    both = 2 * latents * (flat + 1)
    right = both / sum(p.numel() for p in encoder.parameters())
    count = number_of(count)
    if count == both / 2:
        return "that is one head, and there are two"
    if count == 2 * latents * flat:
        return "each latent also has a bias in each head"
    if count == 2 * latents * (512 + 1):
        return "the map that is flattened has 8 x 8 places, with 512 numbers each"
    if count != both:
        return "a head is a dense layer from all numbers of the last map to 128 latents, with biases"
    if close(share, 100 * right, absolute=1):
        return "the number is right; a share is from 0 to 1"
    if close(share, 1 - right, absolute=0.005):
        return "the number is right; the share is that of the other layers"
    if not close(share, right, absolute=0.01):
        return "the number is right; divide it by the number of all parameters of the encoder"
    return None


@exercise("5.4", "a function p -> sigma, for p between 0 and 1")
def cross_entropy(sigma: Callable[[float], Number]) -> str | None:
    for p in (0.5, 0.2, 0.9, 0.03):
        found, right = number_of(sigma(p)), math.sqrt(p * (1 - p))
        where = f"for p = {p}"
        if p == 0.5:
            if close(found, 1.0, relative=1e-3):
                return f"{where} it gives {found:.3g}, as on a scale from -1 to 1, which is twice as wide"
            continue
        if close(found, right**2, relative=1e-3):
            return f"{where} it gives sigma squared"
        if close(found, 1 / right**2, relative=1e-3):
            return f"{where} it gives the second derivative, which is 1 / sigma^2"
        if close(found, 1 / right, relative=1e-3):
            return f"{where} it gives 1 / sigma"
        if close(found, math.sqrt(right**2 / 2), relative=1e-3):
            return "the second derivative of (p_hat - p)^2 / (2 sigma^2) is 1 / sigma^2: the 2 cancels"
        if not close(found, right, relative=1e-3):
            return f"{where} it gives {found:.3g}: take the second derivative by p_hat at p_hat = p; it is 1 / sigma^2"
    return None
