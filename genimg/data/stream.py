"""Pictures of a folder that are decoded when they are drawn."""

import dataclasses
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from genimg.data.account import Account
from genimg.data.decode import decode
from genimg.system.errors import DataError, reason


class Stream(torch.utils.data.Dataset[Tensor]):
    """Pictures that are decoded when they are drawn: `stream[i]` is uint8 (C, H, W).

    Attributes:
        files: their paths; all could be read when the stream was made.
        account: what was read and what was passed over.
        shape: (N, C, H, W).
        fingerprint: what `images.fingerprint` gives for the same pictures in memory.
        labels: int64 (N,), or None.
        workers: processes that decode ahead, where `batches` is not told; None takes a processor each, up to 4.
    """

    shape: tuple[int, ...]
    workers: int | None = None

    def __init__(
        self, files: Sequence[str], account: Account, background: str, fit: str, white: float | None, fingerprint: str,
        labels: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.files, self.account, self.background, self.fit, self.white = files, account, background, fit, white
        self.shape, self.fingerprint, self.labels = account.shape, fingerprint, labels

    def __repr__(self) -> str:
        return f"Stream({self.account})"

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor:
        _, channels, height, width = self.shape
        return decode(self.files[i], (height, width), self.background, self.fit, channels, self.white)

    def part(self, indices: Sequence[int]) -> "Stream":
        """A stream of some of the pictures; its fingerprint is that of all of them."""
        account = dataclasses.replace(self.account, shape=(len(indices), *self.shape[1:]))
        files = [self.files[i] for i in indices]
        labels = None if self.labels is None else self.labels[list(indices)]
        part = Stream(files, account, self.background, self.fit, self.white, self.fingerprint, labels)
        part.workers = self.workers
        return part

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files and folders that could not be read."""
        return tuple(self.account.skipped)

    def pixels_of(self, indices: Iterable[int]) -> Tensor:
        """Pictures at some indices: uint8 (B, C, H, W)."""
        return torch.stack([self[i] for i in indices])

    def batches(self, indices: Iterable[Tensor], workers: int | None = None) -> Iterator[Tensor]:
        """uint8 (B, C, H, W) for each tensor of indices (B,), decoded ahead by worker processes.

        Args:
            workers: how many; 0 decodes here; None takes the stream's own.

        Raises:
            DataError: a file has become unreadable since the stream was made.
        """
        workers = self.workers if workers is None else workers
        loader = torch.utils.data.DataLoader(
            _Caught(self),
            batch_sampler=(index.tolist() for index in indices),
            num_workers=min(4, processors()) if workers is None else workers,
            collate_fn=_stacked,  # in the worker: a tensor of its own for each picture would take a file handle each
            generator=torch.Generator(),  # the global one is the training's
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more workers than processors: as asked for
            ahead = iter(loader)
        try:
            while True:
                try:
                    pixels = next(ahead, None)
                except (RuntimeError, EOFError, OSError) as error:  # a worker was killed, or no memory is left to it
                    raise DataError(
                        f"reading ahead failed ({reason(error, '')}); workers = 0 of these pictures (--workers 0) does "
                        f"without, and a script that starts processes needs `if __name__ == '__main__':` above its work"
                    ) from error
                if pixels is None:
                    return
                if isinstance(pixels, str):
                    raise DataError(pixels)
                yield pixels
        finally:
            del ahead  # ends the workers


class _Caught(torch.utils.data.Dataset[Tensor | str]):
    """A stream whose errors come as values: raised in a worker, they would reach the reader as a traceback in text."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __getitem__(self, i: int) -> Tensor | str:
        try:
            return self.stream[i]
        except DataError as error:
            return str(error)


def _stacked(pictures: list[Tensor | str]) -> Tensor | str:
    error = next((one for one in pictures if isinstance(one, str)), None)
    return error or torch.stack([one for one in pictures if isinstance(one, Tensor)])


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
