"""Exercises of the chapter on words that become pictures."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.book.exercises import Number, exercise, number_of, same, word


@exercise(
    "16.1", "a function n -> the largest share that a bag of words allows, for n shapes unlike in kind and colour"
)
def bag_of_shapes(share: Callable[[int], Number]) -> str | None:
    found = {n: number_of(share(n)) for n in (1, 2, 3, 4)}
    if math.isclose(found[1], 1) and math.isclose(found[2], 0.5):
        return "the order of the shapes is lost, and something else too: which colour belongs to which kind"
    if not math.isclose(found[1], 1):
        return "of a single shape nothing is lost: its kind and its colour say all"
    for n in (2, 3, 4):
        right = 1 / math.factorial(n) ** 2
        if math.isclose(found[n], right, rel_tol=1e-6):
            continue
        if math.isclose(found[n], 1 / math.factorial(n), rel_tol=1e-6):
            return "the kinds can stand in n! orders; and the colours, given the kinds"
        return f"for {n} shapes it gives {found[n]:.4g}; count the orders of the kinds, then those of the colours"
    return None


@exercise("16.2", "a function (q (T, d), k (T, d), v (T, d), there (T,) bool) -> (T, d)")
def attention_with_gaps(attend: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> str | None:
    q, k, v = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    there = torch.tensor([True, True, False, True, False, True, True])
    found = torch.as_tensor(attend(q.clone(), k.clone(), v.clone(), there.clone()))
    if found.shape != v.shape:
        return f"for 7 vectors of 5 numbers it returns the shape {tuple(found.shape)}"
    if same(found, F.scaled_dot_product_attention(q, k, v)):
        return "it looks at all vectors, those that are not there too"
    weight = torch.softmax(q @ k.T / math.sqrt(5), 1)
    if same(found, (weight * there) @ v):
        return "the weights of those that are there do not sum to 1: leave the others out before the softmax"
    if same(found, torch.softmax((q @ k.T).masked_fill(~there, -math.inf), 1) @ v):
        return "the root of the width is missing"
    if same(found, torch.softmax((q @ k.T / math.sqrt(5)) * there, 1) @ v):
        return "an exponent of 0 still has the weight exp(0) = 1"
    if not same(found, F.scaled_dot_product_attention(q, k, v, there.expand(7, 7))):
        return "it is not (16.2) over those that are there; is the softmax over the keys"
    return None


@exercise("16.3", 'a function (m_0, m, g) -> the mean of guided samples, and "same" or "smaller" for their deviation')
def guided_gaussians(mean: Callable[[float, float, float], Number], deviation: str) -> str | None:
    deviation = word(deviation, "same", "smaller")
    for m_0, m, g in ((0.0, 1.0, 2.0), (-1.0, 0.5, 3.0), (2.0, 2.0, 5.0), (1.0, 3.0, 0.0), (1.0, -2.0, 1.0)):
        found = number_of(mean(m_0, m, g))
        if math.isclose(found, m_0 + g * (m - m_0), abs_tol=1e-6):
            continue
        if math.isclose(found, g * m, abs_tol=1e-6):
            return "that is right where the mean without a sentence is 0"
        if math.isclose(found, m + g * (m - m_0), abs_tol=1e-6):
            return "g = 1 is the sentence's own velocity, and ends at its own mean"
        return f"for means {m_0:g} and {m:g} and g = {g:g} it gives {found:.3g}; put both velocities into (16.4)"
    if deviation != "same":
        return "the mean is right; of which single Gaussian is the guided velocity the exact one"
    return None


@exercise("16.4", "a function (velocity, x (N, D), steps) -> the noise that the flow carries to x, (N, D)")
def backwards(noise_of: Callable[..., Tensor]) -> str | None:
    from genimg.book import toys
    from genimg.models import ode

    mixture = toys.Mixture([[1.0, 0.5], [-1.0, 0.0]], 0.4)
    x_0 = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_1 = ode.integrate(mixture.velocity, x_0, steps=400)

    def off(x: Tensor) -> float:
        return (torch.as_tensor(x) - x_0).abs().max().item()

    found = torch.as_tensor(noise_of(mixture.velocity, x_1.clone(), 200))
    if found.shape != x_0.shape:
        return f"for 60 points it returns the shape {tuple(found.shape)}"
    few = off(noise_of(mixture.velocity, x_1.clone(), 10))
    if off(found) < 0.12 and few > off(found):
        return None
    if same(found, x_1):
        return "nothing has moved"
    if same(found, ode.integrate(mixture.velocity, x_1, 200, "euler"), 1e-3):
        return "it goes on forwards, from the picture"
    if off(found) < 0.12:
        return "it should get nearer with more steps"
    return f"it is off by {off(found):.2g}: time runs from 1 to 0, and each step goes against the velocity there"
