"""Exercises of the chapter on the VAE in code."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

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
            return f"{where} it gives the sigma of (5.2), with the KL summed over latents"
        if close(found, math.sqrt(dims / latents), relative=0.01):
            return "the Gaussian's exponent has 2 sigma squared under the error"
        if close(found, math.sqrt(dims * latents / 2), relative=0.01):
            return "the mean over latents makes the KL weigh less, and so the sigma smaller"
        if not close(found, right, relative=0.01):
            return f"{where} it gives {found:.3g}: multiply (5.3) by d and compare with (5.1)"
    if number_of(kl) < 0:
        return "the function is right; a KL divergence is never negative"
    if number_of(kl) > 2:
        return f"the function is right; {number_of(kl):.1f} nats are not of this run: was the sigma passed on"
    if alive == "yes":
        return "the function is right; with so few nats a code says hardly anything about a picture"
    return None


@exercise("5.2", "distances: from the prior, from the mixture, of reconstructions; and the share that goes away")
def from_codes(prior: Number, mixture: Number, reconstructed: Number, share: Number) -> str | None:
    prior, mixture, reconstructed = (number_of(value) for value in (prior, mixture, reconstructed))
    if min(prior, mixture, reconstructed) <= 0:
        return "between different sets of pictures a Frechet distance is above 0"
    if prior <= reconstructed:
        return "samples from the prior are further away than reconstructions: are the two swapped"
    if mixture <= reconstructed:
        return "the mixture's samples are not that good: are they decoded from the codes themselves"
    if mixture >= prior:
        return "the mixture's samples are no better than the prior's: was it fitted to codes, and its draws decoded"
    right = (prior - mixture) / (prior - reconstructed)
    if close(share, 1 - right, absolute=0.005) and not close(right, 0.5, absolute=0.01):
        return "that is the share that stays"
    if close(share, (prior - mixture) / prior, absolute=0.005):
        return "of the distance of samples, what reconstructions have too is not theirs: subtract it below as well"
    if close(share, 100 * right, absolute=0.5):
        return "a share is a number from 0 to 1"
    if not close(share, right, absolute=0.005):
        return "the share is how far the mixture gets on the way from the prior's distance to that of reconstructions"
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


@exercise(
    "5.4", 'a function (x, mean) -> sigma, bits per dimension with "sum", mended, with "optimal sigma", and the share'
)
def only_sigma(
    sigma: Callable[[Tensor, Tensor], Number], summed: Number, mended: Number, optimal: Number, share: Number
) -> str | None:
    generator = torch.Generator().manual_seed(0)
    x, mean = torch.rand(2, 5, 3, 8, 8, generator=generator)
    mean = 0.5 * mean
    off = x - mean
    found, right = number_of(sigma(x.clone(), mean.clone())), off.square().mean().sqrt().item()
    if close(found, right**2, relative=1e-3):
        return "the function gives the mean squared error: its root is missing"
    if close(found, off.abs().mean().item(), relative=1e-3):
        return "the function gives the mean absolute error, which makes another density largest"
    if close(found, off.std().item(), relative=1e-4) or close(found, off.var().item(), relative=1e-4):
        return "the function takes the mean error away first, which a Gaussian around x_hat does not"
    if close(found, off.flatten(1).norm(dim=1).mean().item(), relative=0.01):
        return "the function sums over pixels: sigma is the error of one number"
    if not close(found, right, relative=1e-3):
        return "the function is not what makes (5.1) smallest: set its derivative by sigma to 0"
    summed, mended, optimal, share = (number_of(value) for value in (summed, mended, optimal, share))
    if not optimal < mended < summed:
        return "the function is right; the bits fall from summed by mended to optimal, and these do not"
    closed = (summed - mended) / (summed - optimal)
    if close(share, 1 - closed, absolute=0.005) and not close(closed, 0.5, absolute=0.01):
        return "the function is right; the share is of what stays open"
    if close(share, 100 * closed, absolute=0.5):
        return "the function is right; a share is a number from 0 to 1"
    if close(share, (summed - mended) / summed, absolute=0.005):
        return 'the function is right; the share is of the distance to "optimal sigma", not of all bits'
    if not close(share, closed, absolute=0.005):
        return "the function is right; the share is what mending gains over what the other model gains"
    return None
