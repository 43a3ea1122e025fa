"""Exercises of the chapter on concepts."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise("1.1", "the best probability of heads, and the mean cross-entropy there in nats")
def coin(p: Number, nats: Number) -> str | None:
    heads = 7 / 10
    entropy = -heads * math.log(heads) - (1 - heads) * math.log(1 - heads)
    if close(p, 1 - heads, absolute=0.01):
        return "that is the probability of tails"
    if not close(p, heads, absolute=0.01):
        return f"with p = {number_of(p):g} the seven heads and three tails are less probable than they could be"
    if close(nats, entropy / math.log(2), absolute=0.002):
        return "the probability is right; the value is in bits, and nats were asked for"
    if close(nats, 10 * entropy, absolute=0.02):
        return "the probability is right; the value is the sum over ten throws, and the mean was asked for"
    if not close(nats, entropy, absolute=0.002):
        return "the probability is right; put it into (1.6) once more for the value"
    return None


@exercise("1.2", 'a function from pictures (N, C, H, W) to the best one (C, H, W), and "fewer" or "more"')
def absolute_error(best: Callable[[Tensor], Tensor], tones: str) -> str | None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(21, 2, 5, 5, generator=generator) ** 4  # skewed: mean, median and middle differ
    answer = torch.as_tensor(best(pictures.clone()))
    if answer.shape != pictures.shape[1:]:
        return f"from pictures {tuple(pictures.shape)} the function makes {tuple(answer.shape)}, not one picture"
    if same(answer, pictures.mean(0)):
        return "that is the mean, the best answer to the squared error"
    if same(answer, (pictures.amin(0) + pictures.amax(0)) / 2):
        return "the middle between the extremes is the best answer to the largest error, not to the mean one"
    if any(torch.equal(answer, picture) for picture in pictures):
        return "that is one of the pictures; the best answer need not be one of them, and each pixel has its own"

    def error(c: Tensor) -> float:
        return (pictures - c).abs().mean().item()

    least = error(pictures.median(0).values)
    if error(answer) > least * (1 + 1e-5):
        return f"on skewed random pictures its mean absolute error is {error(answer):.4f}, and {least:.4f} is possible"
    if word(tones, "fewer", "more") == "more":
        return "the picture is right; look at a pixel that is white in 60 of 100 pictures and black in the others"
    return None


@exercise("1.3", 'a function (x_t, t, data) -> best answers (N, D), and "new" or "copies"')
def best_answer(best: Callable[[Tensor, float, Tensor], Tensor], drawn: str) -> str | None:
    generator = torch.Generator().manual_seed(0)
    data = torch.tensor([[2.0, 1.0], [0.0, 1.0], [1.0, -1.5], [1.5, 0.5]])
    noise = torch.randn(6, 2, generator=generator)
    for t in (0.3, 0.6, 0.0):
        x_t = (1 - t) * noise + t * data[torch.tensor([0, 1, 2, 3, 0, 1])]
        answer = torch.as_tensor(best(x_t.clone(), t, data.clone()))
        if answer.shape != x_t.shape:
            return f"from mixtures {tuple(x_t.shape)} the function makes {tuple(answer.shape)}, not one answer for each"
        squared = torch.cdist(x_t, t * data).square()

        def mean(cost: Tensor) -> Tensor:
            return (-cost).softmax(1) @ data

        if same(answer, mean(squared / (2 * (1 - t) ** 2)), absolute=1e-4):
            continue
        if same(answer, data.mean(0).expand_as(x_t), absolute=1e-4):
            return "that is the mean of all data, which is the best answer at t = 0 only"
        if same(answer, data[squared.argmin(1)], absolute=1e-4):
            return "that is the most probable training point; the best answer in squared error is a mean over all"
        if same(answer, mean(torch.cdist(x_t, data).square() / (2 * (1 - t) ** 2)), absolute=1e-4):
            return "in x_t a training point x is shrunk to t x, and the noise is what is left of x_t - t x"
        if same(answer, mean(squared / 2), absolute=1e-4) or same(answer, mean(squared / (2 * (1 - t))), absolute=1e-4):
            return "the noise in x_t has the deviation 1 - t, and what counts is the square of distance over deviation"
        if same(answer, mean(squared / (1 - t) ** 2), absolute=1e-4):
            return "the logarithm of a Gaussian's density falls with half of the square"
        return f"at t = {t} an answer is {[round(v, 2) for v in answer[0].tolist()]}, not the mean of x given x_t"
    if word(drawn, "new", "copies") == "new":
        return "the function is right; look at its answers when t is nearly 1, and at where the last step ends"
    return None


@exercise("1.4", "a function (shares seen, p) -> shares before, and the p at which it is impossible")
def turned(undo: Callable[[Tensor, float], Tensor], p: Number) -> str | None:
    before = torch.tensor([0.7, 0.2, 0.1, 0.0])
    for chance in (0.5, 0.2, 0.9):
        seen = (1 - chance) * before + chance / 4
        answer = torch.as_tensor(undo(seen.clone(), chance))
        if same(answer, seen / (1 - chance)) or same(answer, (seen - chance) / (1 - chance)):
            return "a turned point lies on each of the four sides with probability 1/4, which adds to each share"
        if same(answer, (seen - chance / 3) / (1 - chance)) or same(answer, (seen - chance / 3) / (1 - 4 * chance / 3)):
            return "a turn by 0 degrees is one of the four, so a turned point may stay where it was"
        if same(answer, (1 - chance) * seen + chance / 4):
            return "that turns the points once more, where the turn was to be undone"
        if not same(answer, before, absolute=1e-4):
            return f"with p = {chance} it returns {[round(v, 3) for v in answer.tolist()]}, and not the shares before"
    if close(p, 0.75, absolute=1e-6):
        return "the function is right; at three quarters it can still be undone"
    if not close(p, 1, absolute=1e-6):
        return f"the function is right; it can be undone at p = {number_of(p):g} as well"
    return None


@exercise("1.5", "a function k -> expected squared error of a mean of k pictures, over that of the mean of all")
def mean_of_k(factor: Callable[[int], Number]) -> str | None:
    for k in (1, 2, 4, 10, 100):
        answer, right = number_of(factor(k)), 1 + 1 / k
        if close(answer, right, relative=1e-3):
            continue
        if k > 1 and close(answer, 2 / k, relative=1e-3):
            return f"that is {answer:g} for k = {k} and below 1 for more, but nothing beats the mean of all"
        if close(answer, 1 / k, relative=1e-3):
            return "that is the second term of (1.7) alone, over the first"
        if close(answer, 1 + 1 / math.sqrt(k), relative=1e-3):
            return "the deviation of a mean falls with the root of k; the error is squared"
        return f"for k = {k} the function gives {answer:g}, which (1.7) does not"
    return None


@exercise(
    "1.6", "a function (gradients, eta, beta1, beta2) -> values after each step, and the first step's length / eta"
)
def adam(walk: Callable[[list[float], float, float, float], Iterable[Number]], first: Number) -> str | None:
    gradients, eta, betas = [3.0, -1.0, 0.5, 0.5, -0.002, 4.0, 1e-4, 2.0], 0.05, (0.8, 0.95)
    answer = [number_of(value) for value in walk(list(gradients), eta, *betas)]
    if len(answer) == len(gradients) + 1:
        return "there is one value more than there are steps: leave out the start"
    if len(answer) != len(gradients):
        return f"for {len(gradients)} gradients there are {len(answer)} values"

    def path(unbias: bool = True, root: bool = True, squared: bool = True, down: bool = True) -> list[float]:
        theta, m, s, values = 0.0, 0.0, 0.0, []
        for k, g in enumerate(gradients, 1):
            m = betas[0] * m + (1 - betas[0]) * g
            s = betas[1] * s + (1 - betas[1]) * (g * g if squared else abs(g))
            m_hat, s_hat = (m / (1 - betas[0] ** k), s / (1 - betas[1] ** k)) if unbias else (m, s)
            theta += (-1 if down else 1) * eta * m_hat / ((math.sqrt(s_hat) if root else s_hat) + 1e-8)
            values.append(theta)
        return values

    def is_path(**options: bool) -> bool:
        return all(close(a, b, relative=1e-4, absolute=1e-7) for a, b in zip(answer, path(**options), strict=True))

    if is_path(unbias=False):
        return "m and s start at zero, and nothing undoes that: divide by 1 - beta^k, with k = 1 in the first step"
    if is_path(root=False):
        return "the root of s is missing"
    if is_path(squared=False) or is_path(squared=False, root=False):
        return "s is the running mean of the squared gradient"
    if is_path(down=False):
        return "the steps go up the gradient"
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([parameter], eta, betas, eps=1e-8)
    for k, (g, value) in enumerate(zip(gradients, answer, strict=True), 1):
        parameter.grad = torch.tensor([g], dtype=torch.float64)
        optimiser.step()
        if not close(value, parameter.item(), relative=1e-5, absolute=1e-8):
            return f"after step {k} the value is {value:.6f}, and torch.optim.Adam is at {parameter.item():.6f}"
    if close(first, eta, absolute=1e-6) or close(first, 0.1, absolute=1e-6):
        return "the function is right; the length is asked for in units of the learning rate"
    if not close(first, 1, absolute=1e-4):
        return "the function is right; call it with the single gradient 1000 and divide the step by the learning rate"
    return None
