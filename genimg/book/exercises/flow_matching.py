"""Exercises of the chapter on flow matching."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genimg.book.exercises import Number, exercise, number_of, same, word


def _noise(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@exercise(
    "6.1", 'a function (x_0 (N, D), t, m (D,), sigma) -> where the paths stand at time t, (N, D), and "yes" or "no"'
)
def one_gaussian(path: Callable[[Tensor, float, Tensor, float], Tensor], straight: str) -> str | None:
    straight = word(straight, "yes", "no")
    x_0, m, sigma, t = _noise(50, 2), torch.tensor([3.0, -1.0], dtype=torch.float64), 0.5, 0.4
    found = torch.as_tensor(path(x_0.clone(), t, m.clone(), sigma))
    variance = (1 - t) ** 2 + (t * sigma) ** 2
    if found.shape != x_0.shape:
        return f"for 50 points of the plane it returns the shape {tuple(found.shape)}"
    if same(found, t * m + variance * x_0):
        return "it multiplies x_0 by a variance, and s_t is a deviation"
    if same(found, t * m + ((1 - t) + t * sigma) * x_0):
        return "deviations of independent parts do not add up: their squares do"
    if same(found, m + math.sqrt(variance) * x_0):
        return "at t = 0 it is not at x_0: the mean m comes in little by little"
    if not same(found, t * m + math.sqrt(variance) * x_0):
        return "at t = 0 the path is at x_0, at t = 1 at m + sigma x_0; in between see what (6.7) gives for one mode"
    if straight == "yes":
        return "the function is right; where is it half-way, and where is the middle of its two ends"
    return None


@exercise("6.2", "a function (x_0 (N, D), m (D,)) -> where one Heun step from x_0 ends, (N, D), for data with mean m")
def one_heun_step(end: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    from genimg.book import toys
    from genimg.models import ode

    mixture = toys.Mixture([[2.0, 1.0], [-1.0, 0.5], [0.5, -3.0]], 0.2, [0.5, 0.3, 0.2])
    x_0, m = _noise(20, 2), mixture.weights @ mixture.means
    found = torch.as_tensor(end(x_0.clone(), m.clone()))
    right = ode.integrate(mixture.velocity, x_0, steps=1, solver="heun")
    if same(found.expand_as(x_0), m.expand_as(x_0)):
        return "that is where an Euler step ends"
    if same(found, x_0 / 2):
        return "that is right on the ring, whose mean is 0; here it is (0.8, 0.05)"
    if same(found, m - x_0 / 2):
        return "that is the mean of the two velocities; the step starts at x_0"
    if found.shape != right.shape or not same(found, right, 1e-4):
        return "take the mean of two velocities: at t = 0 in x_0, and at t = 1 in the place that Euler's step reaches"
    return None


@exercise("6.3", "high quality as it should be, with time reversed, with the sign reversed, and a function w -> scale")
def three_slips(
    right: Number, time_reversed: Number, sign_reversed: Number, scale: Callable[[float], Number]
) -> str | None:
    from genimg.models import flow

    shares = {"time reversed": number_of(time_reversed), "the sign reversed": number_of(sign_reversed)}
    right = number_of(right)
    if not all(0 <= share <= 1 for share in (right, *shares.values())):
        return "high quality is a share of the points, from 0 to 1"
    for name, share in shares.items():
        if share >= 0.5 * right:
            return f"with {name} {share:.3f} of the points cannot be good where {right:.3f} are: is the slip in it"
    conditional, unconditional = _noise(2, 6)
    for w in (2.0, 0.5, 3.0):
        twice = flow.guided(flow.guided(conditional, unconditional, w), unconditional, w)
        found = number_of(scale(w))
        if not same(flow.guided(conditional, unconditional, found), twice):
            return f"the shares are right; guided twice with w = {w:g} is not guided once with {found:g}"
    return None


@exercise(
    "6.4", "a function (velocity, x (N, D), t (N,), e (N, D)) -> (N,), estimates (P, N) and exact values (N,) in nats"
)
def one_derivative(estimate: Callable[..., Tensor], guesses: Tensor, exact: Tensor) -> str | None:
    from genimg.book import toys

    x, t, mixture = _noise(30, 3), torch.full((30,), 0.6, dtype=torch.float64), toys.Mixture([[1.0, 0, 0]], 0.5)
    turn = torch.tensor([[0.3, 2.0, -1.0], [0.5, -0.2, 0.7], [1.5, 0.4, 0.9]], dtype=torch.float64)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(x @ turn.T) + mixture.velocity(x, t)

    e = _noise(30, 3, seed=1).sign()
    jacobian = torch.stack(
        [torch.autograd.functional.jacobian(lambda p: velocity(p[None], t[:1])[0], p) for p in x]
    )  # (N, D, D), the row is the velocity's component
    right = torch.einsum("ni,nij,nj->n", e, jacobian, e)
    found = torch.as_tensor(estimate(velocity, x.clone(), t.clone(), e.clone())).detach()
    if found.shape != right.shape:
        return f"for 30 points it returns the shape {tuple(found.shape)}: one estimate for each point, (N,)"
    if same(found, jacobian.sum((1, 2))):
        return "it adds up all entries of J: the signs are missing"
    if same(found, jacobian.diagonal(dim1=1, dim2=2).sum(1)):
        return "that is the exact sum, and takes D derivatives; one was asked for"
    if same(found, torch.einsum("ni,nij->n", e, jacobian)) or same(found, torch.einsum("nij,nj->n", jacobian, e)):
        return "e stands on both sides of J, and here on one only"
    if same(found, right / 3):
        return "it is a mean over dimensions, and the divergence is a sum"
    if same(found, -right):
        return "the sign is turned"
    if not same(found, right):
        return "it is not the product of e, the derivatives J and e again"
    guesses, exact = torch.as_tensor(guesses).detach().double(), torch.as_tensor(exact).detach().double()
    if guesses.dim() != 2 or guesses.shape[1:] != exact.shape or len(guesses) < 2:
        return "the function is right; the estimates are of the shape (P, N) with P at least 2, the exact values (N,)"
    off = guesses - exact
    if off.abs().max() < 1e-6:
        return "the function is right; these estimates are all exact: was probes=1 passed on"
    if (guesses[0] - guesses[1]).abs().max() < 1e-6:
        return "the function is right; the estimates are all drawn with the same signs"
    error = off.mean(0).std().item() / math.sqrt(off.shape[1])
    if abs(off.mean().item()) > 5 * error:
        return "the function is right; the estimates are off in the mean: are they of the same points and steps"
    return None


@exercise(
    "6.5", "a function (x_0 (N, D), x_1 (N, D)) -> pairs (x_0, x_1), and S with matched and with independent pairs"
)
def matched_pairs(
    match: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], s_matched: Number, s_independent: Number
) -> str | None:
    from scipy.optimize import linear_sum_assignment

    x_0, x_1 = _noise(80, 2), 2 * _noise(80, 2, seed=1) + 1
    found_0, found_1 = match(x_0.float(), x_1.float())
    if found_0.shape != x_0.shape or found_1.shape != x_1.shape:
        return f"of 80 and 80 points it makes {len(found_0)} and {len(found_1)}"
    for name, found, given in (("noise", found_0, x_0), ("data", found_1, x_1)):
        used = torch.cdist(found.double(), given).argmin(1).bincount(minlength=80)
        if used.max() > 1:
            return f"one point of the {name} stands in {int(used.max())} pairs: then it has another distribution"
        if (torch.cdist(found.double(), given).min(1).values > 1e-4).any():
            return f"the {name} is changed; it may only be put in another order"

    def cost(a: Tensor, b: Tensor) -> float:
        return (a - b).square().sum().item()

    squared = torch.cdist(x_0, x_1).square()
    best = squared.numpy()[linear_sum_assignment(squared.numpy())].sum()
    reached = cost(found_0.double(), found_1.double())
    if reached > cost(x_0, x_1) * (1 - 1e-4):
        return "the pairs lie as far apart as they were given: is the order put on the right one of the two"
    if reached > best * (1 + 1e-5):
        return f"the sum of squared distances is {reached:.2f}, and {best:.2f} can be reached"
    s_matched, s_independent = number_of(s_matched), number_of(s_independent)
    if min(s_matched, s_independent) < 0:
        return "the function is right; S is a mean of squares and not negative"
    if s_matched >= s_independent:
        return "the function is right; with matched pairs fewer lines cross, so the larger S cannot be theirs"
    if s_matched >= 0.3 * s_independent:
        return "the function is right; S falls further than that: was the network trained on the matched pairs"
    return None


@exercise("6.6", "a function (x (N, D), t, r, m (D,), sigma) -> average velocities from t to r, (N, D)")
def over_a_span(average: Callable[..., Tensor]) -> str | None:
    x, m, sigma = _noise(20, 3), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), 0.4
    for t, r in ((0.2, 0.7), (0.0, 1.0)):
        s, s_r = (math.hypot(1 - at, at * sigma) for at in (t, r))
        end = r * m + s_r / s * (x - t * m)
        found = torch.as_tensor(average(x.clone(), t, r, m.clone(), sigma)).double()
        if found.shape != x.shape:
            return f"for 20 points in 3 dimensions it returns the shape {tuple(found.shape)}"
        if same(found, end):
            return "that is where the path stands at r; the average velocity is how far it came, over the time it took"
        if same(found, end - x) and r - t < 1:
            return f"that is how far the path came from t = {t:g} to r = {r:g}, and not yet divided by the time"
        if same(found, m + (t * sigma**2 - (1 - t)) / s**2 * (x - t * m)):
            return "that is the velocity (6.7) at the time t, and the path bends"
        if same(found, (r * m + s_r * x - x) / (r - t)) and t > 0:
            return "x is where the path stands at t, and not its noise, which is (x - t m) / s_t"
        if not same(found, (end - x) / (r - t)):
            return f"from t = {t:g} to r = {r:g} it does not lead to where the path stands at r"
    return None
