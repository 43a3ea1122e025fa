"""Exercises of the chapter on variational autoencoders."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise("3.1", "the KL divergence of N(1, 1) from the prior, and that of N(0, 4), in nats")
def two_proposals(shifted: Number, wide: Number) -> str | None:
    right = 0.5, 1.5 - math.log(2)
    if close(shifted, right[1], absolute=0.005) and close(wide, right[0], absolute=0.005):
        return "these are the two values in the other order"
    for value, nats in zip((shifted, wide), right, strict=True):
        if close(value, nats / math.log(2), absolute=0.005):
            return f"{number_of(value):.3f} is in bits, and nats were asked for"
        if close(value, 2 * nats, absolute=0.005):
            return "the factor 1/2 in front of (3.8) is missing"
    if not close(shifted, right[0], absolute=0.005):
        return "for N(1, 1) only the mean differs from the prior's: put mu = 1 and sigma = 1 into (3.8)"
    if close(wide, 7.5 - math.log(4), absolute=0.005):
        return "N(0, 4) has the variance 4, and so the deviation 2"
    if close(wide, 0.5 * (math.log(4) - 0.75), absolute=0.005):
        return "the second is the divergence of the prior from N(0, 4): q comes first"
    if close(wide, 1.5 + math.log(2), absolute=0.005):
        return "the logarithm in (3.8) has a minus sign"
    if not close(wide, right[1], absolute=0.005):
        return "the first is right; for the second put mu = 0 and the variance 4 into (3.8)"
    return None


@exercise("3.2", "a function (f (N,), z (N, d)) -> estimates (N,), and how many times smaller the deviation becomes")
def baseline(estimates: Callable[[Tensor, Tensor], Tensor], times: Number) -> str | None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 8, generator=generator)
    f = (z - 1).square().sum(1)
    found = torch.as_tensor(estimates(f.clone(), z.clone()))
    right = (f - f.mean()) * z[:, 0]
    if found.shape != right.shape:
        return f"for 4,000 draws it returns the shape {tuple(found.shape)}: one estimate for each draw, (N,)"
    if same(found, f * z[:, 0], 1e-3):
        return "that is the estimate without a baseline"
    if same(found, (f + f.mean()) * z[:, 0], 1e-3):
        return "the mean is added; f(z) - b was asked for"
    if same(found, (f - f.mean()) / f.std() * z[:, 0], 1e-2):
        return "divided by its deviation, f has another gradient: only a constant may be taken away"
    if not same(found, right, 0.05):
        return "the estimate is (f - b) times the first component of z - mu, with mu = 0 and b the mean of all f"
    # E[f^2 z_1^2] = 34 + 8 m + m^2 + 6 (d - 1), with m = 2 (d - 1) the mean of what the other components add to f.
    others = 63
    second = 34 + 8 * 2 * others + (2 * others) ** 2 + 6 * others
    b = 2 * (others + 1)
    ratio = math.sqrt((second - 4) / (second - 2 * b * (4 + 2 * others) + b * b - 4))
    if close(times, ratio**2, relative=0.12):
        return "the function is right; the number is the ratio of the variances"
    if close(times, 1 / ratio, relative=0.08):
        return "the function is right; the number is the other way round, new over old"
    if not close(times, ratio, relative=0.08):
        return "the function is right; the number is the deviation without b over that with b, in 64 dimensions"
    return None


@exercise("3.3", "two dicts, beta -> error of redrawing and beta -> Frechet distance of samples, and a word")
def without_kl(redrawn: dict[float, float], away: dict[float, float], samples: str) -> str | None:
    samples = word(samples, "worse", "the same", "better")
    for name, table in {"errors": redrawn, "distances": away}.items():
        if sorted(map(float, table)) != [0.0, 1.0]:
            return f"the {name} are for beta 0 and beta 1, and these for {', '.join(map(str, table))}"
    error, distance = ({float(k): number_of(v) for k, v in table.items()} for table in (redrawn, away))
    if min(distance.values()) < 0:
        return "a Frechet distance is never negative"
    if error[0.0] > error[1.0] * 1.15:
        return "without the KL term nothing hinders the drawing, yet its error is the larger one: are the two swapped"
    if samples != "worse":
        return "the decoder has to draw from codes of a place where training never put one: what can it know there"
    if distance[0.0] < 1.2 * distance[1.0]:
        return "the word is right, but the distances do not say so: are they swapped, or drawn from codes of pictures"
    return None


@exercise(
    "3.4", "two dicts, components -> mean log-density (nats) of unseen and of training codes, and how many you take"
)
def how_many_components(unseen: dict[int, float], training: dict[int, float], taken: Number) -> str | None:
    wanted = {1, 5, 20, 80}
    if set(unseen) != wanted or set(training) != wanted:
        return "both dicts are for 1, 5, 20 and 80 components"
    unseen, training = ({k: number_of(table[k]) for k in sorted(table)} for table in (unseen, training))
    if max(map(abs, [*unseen.values(), *training.values()])) > 500:
        return "that is a sum over pictures, and a mean was asked for"
    if training[1] > training[80] and unseen[1] > unseen[20]:
        return "these fall where they should rise: is the sign turned"
    if training[80] < unseen[80]:
        return "eighty components give unseen codes more density than their own: are the two dicts swapped"
    if training[80] - unseen[80] <= 2:
        return (
            "with eighty components the two densities lie further apart: are the unseen codes among the training codes"
        )
    if unseen[1] >= unseen[20]:
        return "one component describes unseen codes as well as twenty: was the number passed on"
    if int(number_of(taken)) != max(unseen, key=unseen.__getitem__):
        return "what a model should be chosen by is the density of codes that it has not seen"
    return None


@exercise("3.5", "a function (mu_q, logvar_q, mu_p, logvar_p), each (N, d), -> KL(q || p) (N,) in nats")
def kl_between(divergence: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    mu_q, logvar_q, mu_p, logvar_p = torch.randn(4, 6, 3, generator=generator, dtype=torch.float64)
    q, p = (torch.distributions.Normal(m, (0.5 * v).exp()) for m, v in ((mu_q, logvar_q), (mu_p, logvar_p)))
    each = torch.distributions.kl_divergence(q, p)
    found = divergence(mu_q.clone(), logvar_q.clone(), mu_p.clone(), logvar_p.clone())
    if found.shape == each.shape:
        return "it returns a number for each latent: the divergence of a vector is their sum"
    if found.shape != (6,):
        return f"for 6 codes it returns the shape {tuple(found.shape)}: one number for each code, (N,)"
    if same(found, each.mean(1)):
        return "it takes the mean over latents, and the divergence is their sum"
    if same(found, torch.distributions.kl_divergence(p, q).sum(1)):
        return "it computes KL(p || q): the mean in the definition is under q, which comes first"
    if same(found, each.sum(1) / math.log(2)):
        return "it is in bits, and nats were asked for"
    if same(found, 0.5 * (mu_q**2 + logvar_q.exp() - 1 - logvar_q).sum(1)):
        return "it is the divergence from N(0, I) whatever p is"
    a, b = (torch.distributions.Normal(m, v.exp()) for m, v in ((mu_q, logvar_q), (mu_p, logvar_p)))
    if same(found, torch.distributions.kl_divergence(a, b).sum(1)):
        return "it takes exp(logvar) for the deviation, and that is the variance"
    if same(found, each.sum(1)):
        return None
    if not same(divergence(mu_q, logvar_q, mu_q, logvar_q), torch.zeros(6)):
        return "the divergence of a Gaussian from itself is 0, and the function gives something else"
    return "where p = q it is 0 as it should be, but for two different Gaussians it is not the mean of log q - log p"
