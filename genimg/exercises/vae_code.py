"""Exercises of the chapter on the VAE in code."""

import math

import torch

from genimg import classic
from genimg.exercises import close, exercise, number_of, word


@exercise("5.1", 'sigma, "yes" or "no": is the code alive, and its KL in nats after training with it')
def mean_of_both(sigma, alive, kl):
    alive, kl = word(alive, "yes", "no"), number_of(kl)
    dims, latents = 3 * 32**2, 64
    right = math.sqrt(dims / (2 * latents))
    if close(sigma, math.sqrt(dims / 2), relative=0.01):
        return "that is the sigma of (5.2), where the KL is summed over latents"
    if close(sigma, right**2, relative=0.01):
        return "that is the square of sigma"
    if close(sigma, math.sqrt(dims / latents), relative=0.01):
        return "almost: the squared error is divided by 2 sigma^2, not by sigma^2"
    if not close(sigma, right, relative=0.01):
        return f"{number_of(sigma):g} does not follow from (5.3) with D = {dims} and d = {latents}"
    if kl < 0:
        return "a KL is not negative"
    if (kl < 5) != (alive == "no"):
        return f"the sigma is right; the code carries {kl:.2f} nats, and with the optimal sigma it carries dozens"


@exercise(
    "5.2", "three errors: from the prior, from the mixture, of reconstructions; and the share of the way that is closed"
)
def closed_by_mixture(prior, mixture, reconstructed, share):
    prior, mixture, reconstructed = number_of(prior), number_of(mixture), number_of(reconstructed)
    if not reconstructed < prior:
        return "reconstructions ought to be nearer to what the renderer can draw than samples from the prior: swapped"
    if mixture >= prior:
        return (
            "samples from the mixture are no better than from the prior: was the mixture fitted to the codes, not to x"
        )
    right = (prior - mixture) / (prior - reconstructed)
    if close(share, 1 - right, absolute=0.01) and not close(share, right, absolute=0.01):
        return "that is the share of the way that is left"
    if close(share, (prior - mixture) / prior, absolute=0.01):
        return "that is the share of the whole error; the way goes from the prior to the reconstructions"
    if not close(share, right, absolute=0.01):
        return f"of the way from {prior:.3f} to {reconstructed:.3f}, {mixture:.3f} has not done {number_of(share):.2f}"


@exercise("5.3", "the share of the encoder's parameters that stands in its two linear heads")
def heads_share(share):
    with torch.device("meta"):
        encoder = classic.Encoder(size=128, z_dim=128, width=64)
    total = sum(p.numel() for p in encoder.parameters())
    head = sum(p.numel() for p in encoder.mu.parameters())
    if number_of(share) > 1:
        return "a share lies between 0 and 1"
    if close(share, head / total, absolute=0.01) or close(share, head / (total - head), absolute=0.01):
        return "that is one head: there is one for mu and one for log sigma^2"
    if not close(share, 2 * head / total, absolute=0.01):
        return "each head reads the flattened map, 512 channels of 8 x 8, for each of 128 latents: how many weights"


@exercise(
    "5.4", 'bits per dimension of "sum", of it with the new sigma, of "optimal sigma"; and the share that is closed'
)
def closed_by_sigma(summed, mended, optimal, share):
    summed, mended, optimal = number_of(summed), number_of(mended), number_of(optimal)
    if not optimal < summed:
        return 'fewer bits are better, and "optimal sigma" has fewer than "sum": swapped'
    if mended >= summed:
        return "the root mean squared error cannot be a worse sigma than 1: was its logarithm put into log_sigma"
    right = (summed - mended) / (summed - optimal)
    if close(share, 1 - right, absolute=0.01) and not close(share, right, absolute=0.01):
        return "that is the share that is left"
    if close(share, (summed - mended) / summed, absolute=0.01):
        return "that is the share of all bits; the distance goes from the one model to the other"
    if not close(share, right, absolute=0.01):
        return (
            f"from {summed:.2f} to {optimal:.2f} bits, {mended:.2f} has not done {number_of(share):.2f} of the distance"
        )
