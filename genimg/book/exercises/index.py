"""Exercises of the first page."""

from collections.abc import Callable

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise("0.1", '"jump" or "slow", and a function (draw, a, b) -> largest root mean squared change of neighbours')
def walk(guess: str, largest: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Number]) -> str | None:
    from genimg import plots

    generator = torch.Generator().manual_seed(0)
    a, b, weights = (torch.randn(shape, generator=generator) for shape in ((6,), (6,), (6, 48)))

    def draw(z: Tensor) -> Tensor:
        return torch.tanh(2 * z @ weights).reshape(len(z), 3, 4, 4)

    change = draw(plots.between(a, b, steps=200)).diff(dim=0)
    each = change.square().mean((1, 2, 3)).sqrt()
    answer = number_of(largest(draw, a.clone(), b.clone()))
    reasons = [
        (each.mean(), "that is the mean change along the walk, and the largest was asked for"),
        (each.median(), "that is the typical change along the walk, and the largest was asked for"),
        (each.max().square(), "the root is missing"),
        (change.square().sum((1, 2, 3)).sqrt().max(), "that is the root of the sum over a picture, not of its mean"),
        (
            change.abs().mean((1, 2, 3)).max(),
            "that is the mean absolute change, and the root mean squared one was asked for",
        ),
        (change.abs().max(), "that is the largest change of a single pixel"),
    ]
    for value, reason in reasons:
        if close(answer, value.item(), relative=1e-3):
            return reason
    if not close(answer, each.max().item(), relative=1e-3):
        return f"on a generator of the check's own it finds {answer:.4f}, where the largest change is {each.max():.4f}"
    if word(guess, "jump", "slow") == "jump":
        return "the function is right; halve the steps along the walk, and the largest change halves: no jump does that"
    return None


@exercise("0.2", "a function from pictures (N, C, H, W) to the distance of each from its nearest other, (N,)")
def apart(function: Callable[[Tensor], Tensor]) -> str | None:
    x = torch.rand(9, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x[4] = x[7] + 0.01
    difference = (x.unsqueeze(1) - x.unsqueeze(0)).flatten(2)  # (N, N, D)
    others = ~torch.eye(9, dtype=torch.bool)

    def nearest(distance: Tensor) -> Tensor:
        return torch.where(others, distance, torch.inf).amin(1)

    answer, right = torch.as_tensor(function(x.clone())), nearest(difference.square().mean(2).sqrt())
    if answer.shape != (9,):
        return f"from 9 pictures it makes {tuple(answer.shape)}, not one number for each"
    if answer.abs().max() < 1e-3:
        return "every distance is 0: each picture is its own nearest, and must be left out"
    reasons = [
        (nearest(difference.square().sum(2).sqrt()), "that is the root of the sum of squares, not of their mean"),
        (nearest(difference.square().mean(2)), "the root is missing"),
        (nearest(difference.abs().mean(2)), "that is the mean absolute difference, not the root mean squared one"),
        (difference.square().mean(2).sqrt().sum(1) / 8, "that is the mean distance from all others, not the least"),
        (difference.square().mean(2).sqrt().mean(1), "that is a mean distance, with the picture itself in it"),
        (difference.square().mean(2).sqrt().amax(1), "that is the farthest of the others"),
    ]
    for value, reason in reasons:
        if same(answer, value, absolute=1e-3):
            return reason
    if not same(answer, right, absolute=1e-3):
        return f"two pictures of the check's own are 0.01 apart; it says {answer[4]:.3f} and {answer[7]:.3f}"
    return None


@exercise("0.3", '"about half" or "nearly all", and a function scale -> spread')
def shorter(guess: str, spread: Callable[[float], Number]) -> str | None:
    at = {scale: number_of(spread(scale)) for scale in (0, 0.5, 1)}
    if not close(spread(1), at[1], relative=1e-4):
        return "it draws new noise in every call; take the same vectors each time"
    if at[1] <= 1e-4:
        return "at scale 1 the spread is 0: take the deviation over the pictures, not within each"
    if at[0] > 1e-2 * at[1]:
        if close(at[0], at[1], relative=1e-3):
            return "the scale makes no difference; multiply the vectors by it"
        return f"at scale 0 all are one picture, yet the spread is {at[0]:.3f}: take it over the pictures, not in each"
    if close(at[0.5], 0.5 * at[1], relative=1e-4):
        return "at 0.5 the spread is exactly half: it is the pictures that are multiplied, not the vectors"
    if at[0.5] >= 1.05 * at[1]:
        return f"the spread at 0.5 is {at[0.5]:.3f}, and {at[1]:.3f} at 1: shorter vectors should not make more of it"
    left = at[0.5] / at[1]
    if word(guess, "about half", "nearly all") != ("nearly all" if left > 0.75 else "about half"):
        return f"your function says that {left:.0%} of the spread are left at 0.5"
    return None
