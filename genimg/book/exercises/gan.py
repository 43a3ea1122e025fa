"""Exercises of the chapter on generative adversarial networks."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise("2.1", "a function (steps, sampled) -> shift, with Adam from 8 at a rate of 0.1")
def rescue(walk: Callable[[int, bool], Number]) -> str | None:
    first, plain = number_of(walk(1, False)), 8 - 0.1 * _pull(8.0)
    if close(first, 8.1, absolute=1e-3):
        return "the first step goes up the loss, away from the data"
    if close(first, plain, absolute=1e-7) or close(first, 8, absolute=1e-4):
        return "the first step is as short as that of plain gradient descent; Adam's is not"
    if not close(first, 7.9, absolute=5e-3):
        return f"after one step the shift is {first:.3f}; by (1.12) Adam's first step has one length for any gradient"
    for sampled, name in ((False, "even samples"), (True, "random samples")):
        end = number_of(walk(400, sampled))
        if abs(end) >= 1:
            return (
                f"with {name} it stands at {end:.2f} after 400 steps; D has to be the best for the shift of the moment"
            )
    return None


def _pull(s: float) -> float:
    """The derivative of the mean of log(1 - D) in the shift s, for the best D."""
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return (density * torch.sigmoid(s**2 / 2 - s * (z + s)) * s).sum().item() * 24 / 4000


@exercise("2.2", "the largest entry of the gradient, a function logits -> derivatives, and the D where they are zero")
def without_detach(total: Number, slope: Callable[[Tensor], Tensor], d: Number) -> str | None:
    if abs(number_of(total)) > 1e-5:
        return f"a gradient of {number_of(total):g} is left; keep z and D for both losses, and clear nothing in between"
    logits = torch.linspace(-6, 6, 24)
    answer, chance = torch.as_tensor(slope(logits.clone())), logits.sigmoid()
    if same(answer, chance):
        return "the gradient is right; the slope is that of the discriminator's loss alone"
    if same(answer, chance - 1):
        return "the gradient is right; the slope is that of the generator's loss alone"
    if same(answer, 1 - 2 * chance):
        return (
            "the gradient is right; the slope has the wrong sign: D's loss on a generated sample rises with its logit"
        )
    if same(answer, 2 * logits - 1):
        return "the gradient is right; the slope takes the logit for the probability: the sigmoid is missing"
    if same(answer, torch.zeros_like(logits)):
        return "the gradient is right; with the non-saturating loss the two slopes do not cancel"
    if not same(answer, 2 * chance - 1):
        return "the gradient is right; the slope is not that of softplus(l) + softplus(-l)"
    if close(d, 0, absolute=1e-6):
        return "gradient and slope are right; the logit is zero there, and D was asked for"
    if not close(d, 0.5, absolute=0.01):
        return f"gradient and slope are right; put D = {number_of(d):g} into the slope"
    return None


@exercise("2.3", 'a function (w, b, x) -> penalties (N,), and "larger", "smaller" or "the same"')
def linear_penalty(penalty: Callable[[Tensor, Tensor, Tensor], Tensor], shifted: str) -> str | None:
    w, x = torch.tensor([1.0, -2.0, 0.5, 3.0]), torch.linspace(-1, 1, 28).view(7, 4)
    answer, right = torch.as_tensor(penalty(w.clone(), torch.tensor(1.5), x.clone())).detach(), w.square().sum()
    if answer.dim() == 0 and close(answer, right.item(), relative=1e-4):
        return "that is one number: every sample has its own penalty, if only all are equal here"
    if answer.shape != (7,):
        return f"for 7 samples the function returns {tuple(answer.shape)}"
    reasons = [
        (right.sqrt(), "that is the length of the slope, and its square was asked for"),
        (right / 4, "that is the mean over the coordinates, where the squared length is their sum"),
        (right / 2, "that has the factor 1/2 of the weight, which was to be left out"),
        (right + 1.5**2, "that counts the offset b, which has no part in a slope in x"),
        (right * 7, "that is the sum over the samples, given to each"),
    ]
    for value, reason in reasons:
        if same(answer, value.expand(7), absolute=1e-3):
            return reason
    if same(answer, (x @ w + 1.5).square(), absolute=1e-3):
        return "that is the square of the logit, not of its slope in x"
    if same(answer, x.square().sum(1), absolute=1e-3):
        return "that is the slope in the weights; R1 takes the slope in the picture"
    if not same(answer, right.expand(7), absolute=1e-3):
        return "the slope of w . x + b in x has another squared length"
    if word(shifted, "larger", "smaller", "the same") != "the same":
        return "the function is right; call it with b and with b + 5"
    return None


@exercise("2.4", 'a function (x, s) -> probabilities, and "towards the data" or "away from the data"')
def swapped(best: Callable[[Tensor, float], Tensor], direction: str) -> str | None:
    x = torch.linspace(-3, 5, 33)
    for s in (2.0, 0.5):
        answer, logit = torch.as_tensor(best(x.clone(), s)), s * x - s**2 / 2  # log of q / p
        if same(answer, torch.sigmoid(-logit), absolute=1e-4):
            return "that is (2.4), with the labels as they were before the swap"
        if same(answer, logit, absolute=1e-4):
            return "that is its logit: the sigmoid is missing"
        if same(answer, logit.exp(), absolute=1e-3):
            return "that is q / p, which is no probability"
        if s != 2 and same(answer, torch.sigmoid(2 * x - 2), absolute=1e-4):
            return "that is right for s = 2 only"
        if not same(answer, torch.sigmoid(logit), absolute=1e-3):
            return f"for s = {s:g} it differs from the best output by up to {_apart(answer, torch.sigmoid(logit))}"
    if word(direction, "towards the data", "away from the data") == "towards the data":
        return "the function is right; compare its values where the data lie with those where the samples lie"
    return None


@exercise("2.5", "a function (p, q, k) -> the best D")
def unequal(best: Callable[[Tensor, Tensor, int], Tensor]) -> str | None:
    p, q = torch.tensor([0.4, 0.1, 0.3, 0.02]), torch.tensor([0.4, 0.3, 0.05, 0.2])
    for k in (1, 3, 10):
        answer = torch.as_tensor(best(p.clone(), q.clone(), k))
        if same(answer, p / (p + k * q)):
            continue
        if same(answer, k * q / (p + k * q)):
            return "that is the probability of generated"
        if k > 1 and same(answer, p / (p + q)):
            return "that is (2.4) still: with one mean over all samples, the generated ones weigh more"
        if k > 1 and same(answer, k * p / (k * p + q)):
            return "that is for k real samples for each generated one"
        if k > 1 and same(answer, p / (p + q) / k):
            return "it does not suffice to divide by k: ask again which D makes the gain at one place largest"
        return f"for k = {k} it differs from the best D by up to {_apart(answer, p / (p + k * q))}"
    return None


@exercise("2.6", 'a function (theta, psi, rate) -> (theta, psi) after one step, and "grows", "shrinks" or "stays"')
def at_once(step: Callable[[float, float, float], Iterable[Number]], change: str) -> str | None:
    for theta, psi, rate in ((1.0, 0.0, 0.1), (0.5, -1.2, 0.2), (-0.7, -0.4, 0.05), (-1.0, 2.0, 0.3)):
        new = [number_of(value) for value in step(theta, psi, rate)]

        def is_step(
            psi_first: bool = False, theta_first: bool = False, sigma: bool = True, sign: int = 1,
            to: list[float] = new, place: tuple[float, float, float] = (theta, psi, rate),
        ) -> bool:  # fmt: skip
            t, p, eta = place

            def weight(t: float, p: float) -> float:
                return 1 / (1 + math.exp(-p * t)) if sigma else p * t

            if theta_first:
                t = t + eta * sign * p * weight(t, p)
                p = p - eta * sign * t * weight(t, p)
            elif psi_first:
                p = p - eta * sign * t * weight(t, p)
                t = t + eta * sign * p * weight(t, p)
            else:
                t, p = t + eta * sign * p * weight(t, p), p - eta * sign * t * weight(t, p)
            return close(to[0], t, absolute=1e-6) and close(to[1], p, absolute=1e-6)

        if is_step():
            continue
        if is_step(psi_first=True):
            return "theta moves with the new psi: that is taking turns, as in (2.13)"
        if is_step(theta_first=True):
            return "psi moves with the new theta: that is taking turns, the generator first"
        if is_step(sign=-1):
            return "both signs of (2.13) are turned round"
        if is_step(sigma=False):
            return "the sigmoid of (2.13) is missing"
        swapped_order = [new[1], new[0]]
        if is_step(to=swapped_order):
            return "the pair is returned as (psi, theta)"
        return (
            f"from ({theta}, {psi}) with a rate of {rate} it goes to ({new[0]:.4f}, {new[1]:.4f}), and (2.13) does not"
        )
    if word(change, "grows", "shrinks", "stays") != "grows":
        return "the step is right; add up the squares of the new theta and the new psi"
    return None


def _apart(a: Tensor, b: Tensor) -> str:
    if a.shape != b.shape:
        return f"its shape, {tuple(a.shape)} instead of {tuple(b.shape)}"
    return f"{(a - b).abs().max().item():.3f}"
