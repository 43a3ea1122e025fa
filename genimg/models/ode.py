"""Ordinary differential equations: following a velocity, and the density of where it leads.

Throughout, x is (N, ...) and t is (N,) or a number.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genimg.models.likelihood import log_gaussian

#: Name -> evaluations of the velocity a step.
SOLVERS = {"euler": 1, "heun": 2}


def integrate(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, steps: int = 20, solver: str = "heun", start: float = 0.0,
    end: float = 1.0,
) -> Tensor:  # fmt: skip
    """Follow dx/dt = velocity(x, t) from `start` to `end` in equal steps.

    Args:
        velocity: function (x (N, ...), t (N,)) -> (N, ...).
        x: where to start, (N, ...).
        steps: how many; the error falls like steps^-1 with "euler", like steps^-2 with "heun".
        solver: "euler" evaluates the velocity once a step; "heun" twice, and goes by the mean of both.
        start, end: times; start > end goes backwards.

    Returns:
        x at time `end`, (N, ...).

    Raises:
        ValueError: an unknown solver or fewer than one step.
    """
    _check(steps, solver)
    dt = (end - start) / steps
    for i in range(steps):
        t = torch.full((len(x),), start + i * dt, device=x.device, dtype=x.dtype)
        v = velocity(x, t)
        if solver == "heun":
            v = (v + velocity(x + dt * v, t + dt)) / 2
        x = x + dt * v
    return x


def carry(
    velocity: Callable[[Tensor, Tensor], Tensor], x_0: Tensor, steps: int = 20, solver: str = "heun"
) -> Tensor:  # fmt: skip
    """Follow a flow from noise x_0, (N, ...), to pictures, the last step by Euler's method, whatever the solver.

    That step ends at the mean of all pictures that fit (Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm
    1). Heun's would ask for the velocity at t = 1, where no noise can be seen any more, and leave half of what there
    was. It costs `evaluations(steps, solver)` of the velocity.

    Raises:
        ValueError: as `integrate`.
    """
    _check(steps, solver)
    last = 1 - 1 / steps
    x = integrate(velocity, x_0, steps - 1, solver, end=last) if steps > 1 else x_0
    return integrate(velocity, x, 1, "euler", start=last)


def evaluations(steps: int, solver: str) -> int:
    """How often `carry` asks for the velocity."""
    return SOLVERS[solver] * (steps - 1) + 1


def log_likelihood(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, steps: int = 50, probes: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """log-density of x under the flow, by following it back to the noise: (N,) nats.

    log p_1(x) = log N(x_0; 0, I) - integral of div v(x_t, t) over t (Chen et al. 2018,
    https://arxiv.org/abs/1806.07366, theorem 1). Exact up to the solver's error (Heun) when `probes` is None.

    Args:
        velocity: differentiable function (x (N, ...), t (N,)) -> (N, ...), each sample on its own.
        x: (N, ...) points at t = 1.
        steps: of the solver.
        probes: None computes the divergence dimension by dimension; a number averages as many random estimates, each
            with one fixed sign vector for the whole path (Hutchinson; Grathwohl et al. 2018,
            https://arxiv.org/abs/1810.01367), which leaves the mean right.
        generator: of the probes.
    """
    shape, dims = x.shape, x[0].numel()
    if probes is None:
        directions = torch.eye(dims, device=x.device, dtype=x.dtype).unsqueeze(1)  # (D, 1, D)
    else:
        bits = torch.randint(2, (probes, len(x), dims), generator=generator, device=x.device)
        directions = (2 * bits - 1).to(x.dtype) / math.sqrt(probes)  # (P, N, D)

    def augmented(state: Tensor, t: Tensor) -> Tensor:
        # state (N, D + 1): the point, and minus the divergence collected so far
        point = state[:, :-1].detach().requires_grad_()
        with torch.enable_grad():
            v = velocity(point.unflatten(1, shape[1:]), t).flatten(1)  # (N, D)
            divergence = point.new_zeros(len(point))
            for direction in directions:
                # the gradient of direction . v is direction^T J; its product with the direction again is e^T J e
                (row,) = torch.autograd.grad((v * direction).sum(), point, retain_graph=True)
                divergence = divergence + (row * direction).sum(1)
        return torch.cat([v.detach(), -divergence.unsqueeze(1)], 1)

    state = torch.cat([x.flatten(1), torch.zeros(len(x), 1, device=x.device, dtype=x.dtype)], 1)
    state = integrate(augmented, state, steps, "heun", start=1.0, end=0.0)
    return log_gaussian(state[:, :-1], 0.0, 1.0) - state[:, -1]


def _check(steps: int, solver: str) -> None:
    if solver not in SOLVERS:
        raise ValueError(f"solver {solver!r}; there are {', '.join(SOLVERS)}")
    if steps < 1:
        raise ValueError(f"steps={steps}: it has to be at least 1")
