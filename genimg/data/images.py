"""Pictures in memory as one uint8 tensor, endless batches of them in [-1, 1] on the device, and their fingerprint."""

import hashlib
import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from genimg.data.account import Account
from genimg.system.errors import DataError

#: Sources that need no network.
DIGITS, PHOTOS, SHAPES = "digits", "photos", "shapes"
#: Source that is downloaded once -> its name in torchvision.
DOWNLOADED = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
#: All sources but folders.
SOURCES = (DIGITS, PHOTOS, SHAPES, *DOWNLOADED)

#: Bounds of the width and height of pictures, in pixels.
SMALLEST, LARGEST = 8, 1024
#: Of squares a number of pixels, else (height, width).
Size = int | tuple[int, int]


def sides(size: Size) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, repr=False)
class Images:
    """Pictures in memory.

    Attributes:
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,), or None.
        factors: name -> (N,) where the truth behind the pictures is known (shapes), or None.
        classes: the labels' names.
        account: what was read and what was passed over; None for a part of what was read.
    """

    pixels: Tensor
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None
    classes: tuple[str, ...] = ()
    account: Account | None = None

    def __repr__(self) -> str:
        n, c, h, w = self.shape
        plain = f"{n:,} picture{'s' * (n != 1)}, {w}x{h}, {c} channel{'s' * (c != 1)}"
        return f"Images({self.account or plain})"

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> "Images":
        """The pictures at `index`: an integer gives a set of one, otherwise a slice, list, mask or tensor."""
        if isinstance(index, int):
            index = [index]
        labels = None if self.labels is None else self.labels[index]
        factors = None if self.factors is None else {name: value[index] for name, value in self.factors.items()}
        return Images(self.pixels[index], labels, factors, self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return tuple(self.pixels.shape)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files and folders that could not be read and were left out."""
        return tuple(self.account.skipped) if self.account else ()

    def floats(self, device: torch.device | str | None = None) -> Tensor:
        """All pictures as float32 (N, C, H, W) in [-1, 1]."""
        return to_floats(self.pixels.to(device))

    def split(self, test: float = 0.2, seed: int = 0) -> tuple["Images", "Images"]:
        """(train, test): every picture in exactly one, drawn by the seed; `test` is a share or a number.

        Raises:
            DataError: one side would be empty.
        """
        n_test = round(test * len(self)) if isinstance(test, float) else test
        if not 0 < n_test < len(self):
            raise DataError(f"a test set of {n_test} out of {len(self)} pictures leaves one side empty")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[n_test:]], self[order[:n_test]]


@runtime_checkable
class Streamed(Protocol):
    """Pictures that are read when they are drawn, as those of a `stream.Stream` are."""

    shape: tuple[int, ...]
    account: Account
    fingerprint: str
    workers: int | None
    labels: Tensor | None

    def __len__(self) -> int:
        """How many there are."""

    def pixels_of(self, indices: Iterable[int]) -> Tensor:
        """uint8 (B, C, H, W) at some indices."""

    def batches(self, indices: Iterable[Tensor], workers: int | None = None) -> Iterator[Tensor]:
        """uint8 (B, C, H, W) for each tensor of indices (B,)."""


def to_floats(pixels: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def to_bytes(x: Tensor) -> Tensor:
    """Floats in [-1, 1] (clipped) -> uint8 0..255, to the nearest level."""
    return x.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def batches(
    images: Images | Streamed | Tensor, batch: int, seed: int = 0, device: torch.device | str = "cpu", start: int = 0,
    part: tuple[int, int] = (0, 1), workers: int | None = None, labelled: bool = False,
) -> Generator[Tensor | tuple[Tensor, Tensor], None, None]:  # fmt: skip
    """Endless batches (B, C, H, W), float32 in [-1, 1], channels_last, on the device; or pairs of one and its labels.

    Every picture comes once before any comes again; the order depends on the seed and the epoch alone. The uint8
    pictures are put on the device once. A last short batch is filled from the next epoch.

    Args:
        images: Images, a `stream.Stream`, or a uint8 tensor (N, C, H, W).
        batch: pictures in a batch, over all processes.
        start: how many batches to leave out: those that were drawn before.
        part: (rank, processes): only this process's rows of each batch.
        workers: processes that decode a stream's files; None takes up to 4.
        labelled: give (batch, labels (B,)).

    Raises:
        DataError: not uint8 pictures, or none; or no labels where they are asked for.
        ValueError: the batch cannot be shared evenly.
    """
    order = _indices(len(images), batch, seed, start, part)
    labels = getattr(images, "labels", None) if labelled else None
    if labelled:
        if labels is None:
            raise DataError("these pictures have no labels, and the model was built with classes; build it without")
        order, again = itertools.tee(order)
        labels = labels.to(device)
    if isinstance(images, Streamed):
        drawn = images.batches(order, workers)
    else:
        pixels = images.pixels if isinstance(images, Images) else images
        if pixels.dtype != torch.uint8 or pixels.dim() != 4 or len(pixels) == 0:
            raise DataError(
                f"batches need uint8 pictures (N, C, H, W), got {pixels.dtype} {tuple(pixels.shape)}; "
                f"genimg.data.images.to_bytes turns floats in [-1, 1] into them"
            )
        pixels = pixels.to(device)
        drawn = (pixels[_sent(index, device)] for index in order)
    for x in drawn:
        x = to_floats(_sent(x, device)).contiguous(memory_format=torch.channels_last)  # (B, C, H, W)
        yield x if labels is None else (x, labels[_sent(next(again), device)])


def _sent(tensor: Tensor, device: torch.device | str) -> Tensor:
    """On the device, without waiting for a GPU."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _indices(n: int, batch: int, seed: int, start: int, part: tuple[int, int]) -> Iterator[Tensor]:
    """Endless batches of indices (B / processes,) into n pictures: one permutation an epoch, end to end."""
    rank, processes = part
    if batch < 1 or start < 0 or not 0 <= rank < processes:
        raise ValueError(f"batch={batch}, start={start}, part={part}: out of range")
    if batch % processes:
        raise ValueError(f"a batch of {batch} cannot be shared by {processes} processes evenly")
    own = batch // processes
    epoch, offset = divmod(start * batch, n)
    waiting = _permutation(n, seed, epoch)[offset:]
    while True:
        while len(waiting) < batch:
            epoch += 1
            waiting = torch.cat([waiting, _permutation(n, seed, epoch)])
        index, waiting = waiting[:batch], waiting[batch:]
        yield index[rank * own : (rank + 1) * own]


def _permutation(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def fingerprint(images: Images | Streamed) -> str:
    """A short hash of the pictures, so that a run can tell whether they are the same as before.

    It is the same for a folder in memory and streamed.
    """
    if isinstance(images, Streamed):
        return images.fingerprint
    return combined((digest(picture) for picture in images.pixels), images.shape[1:])


def digest(picture: Tensor) -> bytes:
    """SHA-256 of one picture's bytes; uint8 (C, H, W)."""
    return hashlib.sha256(picture.contiguous().numpy().data).digest()


def combined(digests: Iterable[bytes], shape: Iterable[int]) -> str:
    """The fingerprint of pictures (C, H, W) with these digests."""
    whole = hashlib.sha256(repr(tuple(shape)).encode())
    for one in digests:
        whole.update(one)
    return whole.hexdigest()[:16]
