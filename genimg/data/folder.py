"""A folder of pictures of any kind and in any state: one uint8 tensor or, too large for that, a stream."""

import os
import sys
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from genimg.data.decode import FITS, decode, rgb
from genimg.data.images import SOURCES, Images, combined, digest
from genimg.system.errors import DataError, reason, shown

#: File name endings taken for pictures; what is in a file is told from its content.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

#: Files read at once before the next ones are begun.
BLOCK = 1024


def find(folder: str | os.PathLike[str]) -> list[Path]:
    """Picture files at any depth, sorted by their path within the folder. Hidden files and folders are left out.

    Links to folders are followed, but no folder is entered twice, so that loops end.

    Raises:
        DataError: no such folder, or one in it that cannot be read.
    """
    top = os.path.expanduser(folder)

    def stop(error: OSError) -> NoReturn:
        raise DataError(
            f"{shown(error.filename or top)} cannot be read ({error.strerror}); change its permissions or move it away"
        ) from error

    if not os.path.isdir(top):
        what = "a file, neither a folder" if os.path.isfile(top) else "neither a folder"
        raise DataError(f"'{shown(top, 200)}' is {what} nor one of {', '.join(SOURCES)}")
    found, seen = [], set()
    try:
        for here, folders, names in os.walk(top, onerror=stop, followlinks=True):
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
            found += [Path(here, name) for name in names if name[0] != "." and name.lower().endswith(SUFFIXES)]
    except OSError as error:
        stop(error)
    if not found:
        raise DataError(f"no pictures in {shown(top)}: looked for {', '.join(SUFFIXES)} at any depth")
    return sorted(found, key=lambda file: file.relative_to(top).as_posix())


def load(
    folder: str | os.PathLike[str], size: int, background: str = "white", fit: str = "crop", skip_bad: bool = False,
    memory: float | None = None, n: int | None = None, seed: int = 0,
) -> "Images | Stream":  # fmt: skip
    """A folder's pictures, each file decoded once.

    Args:
        folder, size, background, fit: see `find` and `decode`.
        skip_bad: leave out files that cannot be read; their names are told and kept in `skipped`.
        memory: bytes that the pictures may take; None takes half of what the machine has free. More are not kept but
            streamed: every file is decoded once to check it, then again whenever it is drawn.
        n, seed: at most n pictures, drawn by the seed.

    Returns:
        Images, or a Stream.

    Raises:
        DataError: an unknown colour or fit; a file that cannot be read; no picture left.
    """
    from tqdm import tqdm

    rgb(background)
    if fit not in FITS:
        raise DataError(f"fit {fit!r}; there are {', '.join(FITS)}")
    if memory is not None and not memory >= 0:
        raise DataError(f"memory={memory!r}: it has to be a number of bytes")
    files = find(folder)
    if n is not None and n < len(files):
        drawn = torch.randperm(len(files), generator=torch.Generator().manual_seed(seed))[:n]
        files = [files[i] for i in sorted(drawn.tolist())]
    streams = len(files) * 3 * size * size > (free_memory() // 2 if memory is None else memory)
    pixels = None if streams else torch.empty(len(files), 3, size, size, dtype=torch.uint8)
    good: list[Path] = []
    skipped: list[str] = []
    digests: list[bytes] = []

    def read(i: int) -> bytes | DataError:
        try:
            picture = decode(files[i], size, background, fit)
        except DataError as error:
            return error
        if pixels is None:
            return digest(picture)
        pixels[i] = picture
        return b""

    def read_all() -> Generator[bytes | DataError, None, None]:
        # block after block: a million waiting calls would fill the memory
        with ThreadPoolExecutor(min(8, _processors())) as pool:
            try:
                for block in range(0, len(files), BLOCK):
                    yield from pool.map(read, range(block, min(block + BLOCK, len(files))))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    label = f"reading {shown(Path(folder).name)}"
    with warnings.catch_warnings(), closing(read_all()) as results:
        warnings.simplefilter("ignore")  # here as well: threads that do this by turns would undo each other's
        for i, result in enumerate(tqdm(results, label, len(files), leave=False, disable=None)):
            if not isinstance(result, DataError):
                if pixels is not None:
                    pixels[len(good)] = pixels[i]  # close the gaps
                good.append(files[i])
                digests.append(result)
            elif skip_bad:
                skipped.append(str(files[i]))
            else:
                raise result
    if not good:
        raise DataError(f"none of the {len(files)} pictures in {folder} can be read; the first is {shown(files[0])}")
    if skipped:
        names = ", ".join(shown(name) for name in skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        print(f"left out {len(skipped)} of {len(files)} files that cannot be read: {names}", file=sys.stderr)
    if pixels is None:
        return Stream(good, size, background, fit, tuple(skipped), combined(digests, (3, size, size)))
    return Images(pixels[: len(good)], skipped=tuple(skipped))


class Stream(torch.utils.data.Dataset[Tensor]):
    """Pictures that are decoded when they are drawn: `stream[i]` is uint8 (3, size, size).

    Attributes:
        files: their paths; all could be read when the stream was made.
        skipped: those that could not.
        shape: (N, 3, size, size).
        fingerprint: what `data.fingerprint` gives for the same pictures in memory.
        workers: processes that decode ahead, where `batches` is not told; None takes a processor each, up to 4.
    """

    shape: tuple[int, ...]
    workers: int | None = None

    def __init__(
        self, files: Sequence[Path], size: int, background: str = "white", fit: str = "crop",
        skipped: tuple[str, ...] = (), fingerprint: str = "",
    ) -> None:  # fmt: skip
        self.files, self.size, self.background, self.fit, self.skipped = files, size, background, fit, skipped
        self.shape, self.fingerprint = (len(files), 3, size, size), fingerprint

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor:
        return decode(self.files[i], self.size, self.background, self.fit)

    def pixels_of(self, indices: Iterable[int]) -> Tensor:
        """Pictures at some indices: uint8 (B, 3, size, size)."""
        return torch.stack([self[i] for i in indices])

    def batches(self, indices: Iterable[Tensor], workers: int | None = None) -> Iterator[Tensor]:
        """uint8 (B, 3, size, size) for each tensor of indices (B,), decoded ahead by worker processes.

        Args:
            workers: how many; 0 decodes here; None takes the stream's own.

        Raises:
            DataError: a file has become unreadable since the stream was made.
        """
        workers = self.workers if workers is None else workers
        loader = torch.utils.data.DataLoader(
            _Caught(self),
            batch_sampler=(index.tolist() for index in indices),
            num_workers=min(4, _processors()) if workers is None else workers,
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
                        f"reading ahead failed ({reason(error, '')}); workers=0 (--workers 0) does without"
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


def free_memory() -> int:
    """Bytes of memory that programs can have now; 4 GB where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return 4 * 10**9


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
