"""Several processes as torchrun starts them: who am I, my part of a batch, means over all.

Every process draws the randomness of the whole batch from the same seed and keeps its own rows, so that any number of
processes computes what one would. The gradients are averaged by PyTorch's DistributedDataParallel (`training/step.py`).
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Drawn = TypeVar("Drawn", Tensor, tuple[Tensor, ...])


def rank() -> int:
    """This process's number, 0 when there is only one."""
    return dist.get_rank() if _joined() else 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _joined() else 1


def rows(draw: Callable[[int], Drawn], n: int) -> Drawn:
    """This process's n rows of draw(n * size()), a tensor or several: the numbers that one process would have drawn."""
    drawn, own = draw(n * size()), slice(rank() * n, (rank() + 1) * n)
    return tuple(one[own] for one in drawn) if isinstance(drawn, tuple) else drawn[own]


def mean(value: Tensor) -> Tensor:
    """The mean of a tensor over all processes; gradients do not pass through it."""
    if size() == 1:
        return value
    value = value.detach().clone()
    dist.all_reduce(value)
    return value / size()


class Together:
    """What a model asks of those that train with it; see `models.model.Alone`."""

    @staticmethod
    def rows(draw: Callable[[int], Drawn], n: int) -> Drawn:
        """This process's n rows of what is drawn for the whole batch."""
        return rows(draw, n)

    @staticmethod
    def mean(value: Tensor) -> Tensor:
        """The mean over processes."""
        return mean(value)


def any_true(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    if size() == 1:
        return bool(flag)
    value = torch.tensor(float(bool(flag)), device=_device())
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return value.item() > 0


@contextmanager
def joined() -> Iterator[torch.device | None]:
    """Join the processes that torchrun started, if it did; leave them at the end. Yields the device or None."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    device = _device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")  # channels_last costs a copy
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def _device() -> torch.device:
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
