"""Exercises of the chapter on VAEs."""

import math

import torch

from genimg.exercises import close, exercise, number_of, word


@exercise("3.1", "the KL of N(1, 1) and of N(0, 4) from the prior, in nats")
def two_kls(shifted, wide):
    right = 0.5, (4 - 1 - math.log(4)) / 2
    said = number_of(shifted), number_of(wide)
    if all(close(a, b / math.log(2), absolute=0.003) for a, b in zip(said, right, strict=True)):
        return "both are right in bits; nats were asked for"
    if all(close(a, 2 * b, absolute=0.003) for a, b in zip(said, right, strict=True)):
        return "both are twice too large: (3.8) has a factor of one half"
    if not close(said[0], right[0], absolute=0.003):
        return f"of N(1, 1), with mu = 1 and log sigma^2 = 0, (3.8) does not give {said[0]:g}"
    if close(said[1], (16 - 1 - math.log(16)) / 2, absolute=0.003):
        return "the first is right; in N(0, 4) the 4 is the variance, not the deviation"
    if close(said[1], 1.5 + math.log(2), absolute=0.003):
        return "the first is right; in the second the logarithm has the wrong sign"
    if not close(said[1], right[1], absolute=0.003):
        return f"the first is right; of N(0, 4), with mu = 0 and sigma^2 = 4, (3.8) does not give {said[1]:g}"


@exercise("3.2", 'the deviation of one draw, plain and with the baseline; "yes" or "no": does it reach that of (3.10)')
def baseline(plain, improved, reaches):
    plain, improved, reaches = number_of(plain), number_of(improved), word(reaches, "yes", "no")
    z = torch.randn(100_000, 64, generator=torch.Generator().manual_seed(0))
    f = (z - 1).square().sum(1)
    right = (f * z[:, 0]).std().item(), ((f - f.mean()) * z[:, 0]).std().item()
    if close(plain, right[0] ** 2, relative=0.1) or close(improved, right[1] ** 2, relative=0.1):
        return "a variance is among these; its root was asked for"
    if plain < improved:
        return "the baseline makes the deviation smaller: swapped"
    if not close(plain, right[0], relative=0.1):
        return f"the plain deviation is not {plain:.1f}, in 64 dimensions with all a = 1"
    if not close(improved, right[1], relative=0.1):
        return f"the plain one is right; with the mean of f as b the deviation of (f - b) z is not {improved:.1f}"
    if reaches == "yes":
        return f"{improved:.1f} is larger than that of (3.10), 2"


@exercise(
    "3.3", 'samples "better" or "worse" with beta = 0; errors of redrawing and shares recognised, beta 0 then beta 1'
)
def without_kl(samples, errors, recognised):
    samples = word(samples, "better", "worse")
    errors, recognised = ([number_of(v) for v in pair] for pair in (errors, recognised))
    if max(recognised) > 1:
        return "a share lies between 0 and 1"
    if recognised[0] >= recognised[1] and errors[0] >= errors[1]:
        return "are the numbers of beta = 1 the first? Those of beta = 0 were asked for first"
    if recognised[0] >= recognised[1]:
        return "with beta = 0 no code need lie where the prior is: are these samples from the prior, z of N(0, I)"
    if errors[0] > errors[1] + 0.03:
        return "with beta = 0 the error of redrawing ought to be no larger: was each x decoded from its own code"
    if samples == "better":
        return f"recognised are {recognised[0]:.0%} with beta = 0 and {recognised[1]:.0%} with beta = 1"


@exercise(
    "3.4", "a dict from components to the density of unseen codes, that of the prior, and the best number of components"
)
def components(density, prior, best):
    density = {int(number_of(n)): number_of(value) for n, value in density.items()}
    if 1 not in density or len(density) < 3:
        return "try 1 and at least two other numbers"
    if number_of(prior) > density[1]:
        return (
            "a Gaussian fitted to the codes cannot be so much worse than the prior: codes of the same pictures for both"
        )
    if max(density.values()) == density[1]:
        return (
            "one component came out best: were the densities those of unseen codes, and nats, with larger ones better"
        )
    if not close(best, max(density, key=density.get)):
        return f"{number_of(best):g} components do not give the largest of these densities; larger is better"
