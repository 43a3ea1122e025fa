"""Exercises of the chapter on quality."""

import math
import statistics

import torch

from genimg import metrics
from genimg.exercises import close, exercise, number_of, word


@exercise("7.1", "precision and coverage of five hundred times one real picture")
def one_picture(precision, coverage):
    precision, coverage = number_of(precision), number_of(coverage)
    if precision == coverage == 1:
        return "coverage counts the real pictures that have a sample nearby: how many have this one nearby"
    if precision < 1:
        return "precision asks of each sample whether it lies within reach of a real picture: each of them is one"
    if precision > 1 or not 0 <= coverage <= 1:
        return "both are shares, from 0 to 1"
    if coverage == 0:
        return "the picture itself is a real one, and has a sample nearby: coverage is small, and not 0"
    if coverage > 0.1:
        return "one picture is near to few others: of the real pictures, how many have it within their reach"


@exercise("7.2", "two tensors of features, (n, d): the disguised noise, and the real ones")
def disguised(noise, real):
    noise, real = noise.detach().double(), real.detach().double()
    if noise.shape[1:] != real.shape[1:]:
        return f"the noise has {noise.shape[1]} features and the real pictures {real.shape[1]}"
    if (torch.cdist(noise[:200], real).amin(1) < 1e-6).any():
        return "these are the real features again, or hold some of them"
    distance, scale = metrics.frechet_distance(noise, real), real.var(0).sum().item()
    if (noise.mean(0) - real.mean(0)).square().sum().item() > 1e-4 * scale:
        return f"the mean differs from that of the real features; FD is {distance:.3g}"
    if distance > 1e-4 * scale:
        variances = (noise.var(0) - real.var(0)).abs().max() < 0.3 * real.var(0).max()
        what = "the variances are about right, the covariances are not" if variances else "the covariance differs"
        return f"the mean is right; {what}; FD is {distance:.3g}"


@exercise("7.3", "the ten distances, and their standard deviation")
def drawn_again(distances, deviation):
    distances = [number_of(d) for d in distances]
    if len(distances) < 10:
        return f"{len(distances)} distances are too few for a deviation: take ten"
    if len(set(distances)) < len(distances):
        return "some distances are equal: was the same 500 drawn again"
    spread = statistics.stdev(distances)
    if close(deviation, spread**2, relative=1e-3):
        return "that is the variance, in squared units of the distance"
    if close(deviation, statistics.pstdev(distances), relative=1e-3):
        return "that divides by n: of so few draws it comes out too small; divide by n - 1 (ddof=1)"
    if close(deviation, spread / math.sqrt(len(distances)), relative=1e-3):
        return "that is the error of the mean, not the deviation of one draw"
    if not close(deviation, spread, relative=1e-3):
        return f"the deviation of these distances is not {number_of(deviation):g}"


@exercise(
    "7.4", '"yes" or "no": do features depend on the neighbours; then by how much, in training and in evaluation mode'
)
def neighbours(depends, training, evaluation):
    depends, training, evaluation = word(depends, "yes", "no"), number_of(training), number_of(evaluation)
    if training < 1e-3:
        return "in training mode nothing changed: did the twenty have other neighbours, and was net.train() called"
    if evaluation > 1e-3:
        return f"in evaluation mode features may not depend on the batch, and these change by {evaluation:.1%}"
    if depends == "no":
        return f"in training mode they change by {training:.1%} of their length: that is not no"


@exercise(
    "7.5", "a dict from strength to the rate of copies, and the least strength at which fewer than half are called so"
)
def hidden_copies(flagged, least):
    rates = {number_of(strength): number_of(rate) for strength, rate in flagged.items()}
    if rates.get(0.0) != 1.0:
        return "without noise (strength 0.0) every sample is a copy, and the rate has to be 1"
    hidden = [strength for strength, rate in sorted(rates.items()) if rate < 0.5]
    if not hidden:
        return "with none of these strengths are copies hidden: try stronger noise"
    if close(least, max(s for s, rate in rates.items() if rate >= 0.5)):
        return "that is the largest strength at which they are still called copies"
    if not close(least, hidden[0]):
        return f"of your strengths, {number_of(least):g} is not the first with a rate below one half"
