"""What networks cost: operations and bytes of every layer, what a training step keeps in memory, how costs grow.

Operations are floating-point multiplications and additions, counted one each, of convolutions and dense layers. All
else in the book's networks (norms, activations, upsampling) puts out less than one number for each hundred of them,
but moves bytes. Products with the zeros of a padding count, as they do for torch's counter, though a library may leave
them out.
"""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

#: Layers whose multiplications are counted.
COUNTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class Layer:
    """One convolution or dense layer on one input.

    Attributes:
        name: where it stands in its network.
        kind: its class.
        operations: of the forward pass.
        inner: those of them with numbers of the map; the rest are products with the zeros of a padding.
        parameters: how many numbers it learns.
        bytes: input, weights and output, each once: the least that has to be moved.
        output: shape of what it puts out.
        seconds: of the forward pass, None where it was not timed.
    """

    name: str
    kind: str
    operations: int
    inner: int
    parameters: int
    bytes: int
    output: tuple[int, ...]
    seconds: float | None = None

    @property
    def intensity(self) -> float:
        """Operations per byte, the abscissa of a roofline (Williams et al. 2009)."""
        return self.operations / self.bytes


def operations(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, x: Tensor, y: Tensor) -> int:
    """Operations of one layer's forward pass from x to y: twice its multiplications.

    A dense layer multiplies each input with each output. A convolution multiplies, for each number it puts out, the
    k x k x (channels / groups) numbers under its window; a transposed one, for each number it reads, those that it
    writes to. Biases are left out, as torch's counter leaves them out.
    """
    if isinstance(layer, nn.Linear):
        return 2 * y.numel() * layer.in_features
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        return 2 * x.numel() * taps * layer.out_channels // layer.groups
    return 2 * y.numel() * taps * layer.in_channels // layer.groups


def inner_operations(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, x: Tensor, y: Tensor) -> int:
    """`operations` without those that a library need not carry out: of a convolution the products with the zeros around
    its map, of a transposed one those whose sums are cut off."""
    if isinstance(layer, nn.Linear):
        return operations(layer, x, y)
    places, inside = 1, 1
    for axis in range(2):
        moves, span = y.shape[2 + axis], x.shape[2 + axis]
        if isinstance(layer, nn.ConvTranspose2d):
            moves, span = span, moves
        kernel, stride, dilation = layer.kernel_size[axis], layer.stride[axis], layer.dilation[axis]
        starts = range(-int(layer.padding[axis]), moves * stride - int(layer.padding[axis]), stride)
        places *= moves * kernel
        inside *= sum(0 <= start + tap * dilation < span for start in starts for tap in range(kernel))
    return operations(layer, x, y) * inside // places


def layers(network: nn.Module, *inputs: Tensor, rounds: int = 0) -> list[Layer]:
    """Every counted layer that a forward pass runs through, in order.

    Args:
        network: a module; its mode and its buffers stay as they are.
        inputs: what it is called with.
        rounds: each layer is also timed so many times on its own, and the median kept; 0 times nothing.

    Returns:
        list of Layer.
    """
    found, hooks = [], []

    def hook(name: str) -> Callable[..., None]:
        def note(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, args: tuple[Tensor], y: Tensor) -> None:
            (x,) = args
            weights = sum(p.numel() for p in layer.parameters())
            moved = x.numel() * x.element_size() + y.numel() * y.element_size()
            moved += sum(p.numel() * p.element_size() for p in layer.parameters())
            kind = type(layer).__name__
            took = seconds(lambda: layer.forward(x), rounds, x.device) if rounds else None
            work = operations(layer, x, y), inner_operations(layer, x, y)
            found.append(Layer(name, kind, *work, weights, moved, tuple(y.shape), took))

        return note

    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    for name, layer in network.named_modules():
        if isinstance(layer, COUNTED):
            hooks.append(layer.register_forward_hook(hook(name)))
    try:
        with torch.no_grad():
            network(*inputs)
            for name, buffer in network.named_buffers():
                buffer.copy_(kept[name])
    finally:
        for handle in hooks:
            handle.remove()
    return found


def step_operations(function: Callable[[], object]) -> int:
    """Operations of all that `function()` runs, backward passes included, by torch's own counter."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = cast(ModuleTracker, _Anywhere())
    with counter:
        function()
    return counter.get_total_flops()


class _Anywhere(contextlib.nullcontext):
    """Stands for torch's note of which module runs, whose hooks forbid gradients by a picture, as penalties take."""

    parents = ("Global",)


def saved_bytes(function: Callable[[], Tensor], weights: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass of what `function()` returns. Each storage counts once.

    Args:
        function: runs a forward pass and returns the loss; what it returns is held until the count is done, so that
            no memory is used twice.
        weights: tensors that are there anyway and not counted.
    """
    known = {w.untyped_storage().data_ptr() for w in weights}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = function()
    total = sum(storages.values())
    del held
    return total


def exponent(x: Tensor | Sequence[float], y: Tensor | Sequence[float]) -> float:
    """The b of y ~ a x^b: slope of the least-squares line through the logarithms."""
    x, y = (torch.as_tensor(v, dtype=torch.float64).log() for v in (x, y))
    return (((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()).item()


def seconds(function: Callable[[], object], rounds: int = 5, device: torch.device | str = "cpu") -> float:
    """Median time of one call, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        function()
        synchronise(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def synchronise(device: torch.device | str) -> None:
    """Wait until a GPU has done what it was given; on a CPU there is nothing to wait for."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def peaks(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, scale: float | None = None
) -> tuple[float, float]:
    """What this machine reaches at its best: (operations a second, bytes a second).

    Operations: the best of products of two matrices and of convolutions without padding, large ones and ones that fit
    into a cache, for libraries are tuned to one or another. Bytes: copying a large array, each byte read and written.
    Each is the best of several tries.

    Args:
        scale: how large; None takes 1, on a GPU 8.
    """
    scale = scale or (8 if torch.device(device).type == "cuda" else 1)
    rates = []
    with torch.no_grad():
        for n in (int(1024 * scale), int(512 * scale)):
            a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
            rates.append(2 * n**3 / _best(partial(torch.matmul, a, b), device))
        for pictures, channels, side in ((8, 64, 66), (32, 128, 18), (32, 128, 10)):
            conv = nn.Conv2d(channels, channels, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
            x = torch.randn(max(1, int(pictures * scale)), channels, side, side, device=device)
            x = x.to(dtype, memory_format=torch.channels_last)
            rates.append(operations(conv, x, conv(x)) / _best(partial(conv, x), device))
    source = torch.zeros(int((1 << 27) * scale), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return max(rates), 2 * source.numel() / _best(lambda: target.copy_(source), device)


def _best(function: Callable[[], object], device: torch.device | str, rounds: int = 8) -> float:
    times = []
    for _ in range(rounds):
        synchronise(device)
        started = time.perf_counter()
        function()
        synchronise(device)
        times.append(time.perf_counter() - started)
    return min(times)
