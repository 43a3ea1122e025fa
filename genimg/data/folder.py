"""A folder of pictures of any kind and in any state: one uint8 tensor or, too large for that, a stream."""

import math
import os
import sys
import warnings
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from genimg.data.account import Account, title
from genimg.data.captions import MOST, Vocabulary, captions_of
from genimg.data.captions import numbered as in_numbers
from genimg.data.decode import FITS, read, rgb
from genimg.data.depth import Deep, white_of
from genimg.data.find import Found, find
from genimg.data.images import Images, Size, combined, digest, sides
from genimg.data.labels import counted, labels_of, numbered
from genimg.data.stream import Stream, processors
from genimg.system.errors import DataError, reason, shown
from genimg.system.progress import Progress

#: Files read at once before the next ones are begun.
BLOCK = 1024

#: Bytes of a digest.
DIGEST = 32


def load(
    folder: str | os.PathLike[str], size: Size, background: str = "white", fit: str = "crop", skip_bad: bool = False,
    memory: float | None = None, n: int | None = None, seed: int = 0, channels: int | None = None,
    white: float | None = None, classes: str | os.PathLike[str] | None = None,
    captions: str | os.PathLike[str] | None = None, vocabulary: Vocabulary | int = MOST,
) -> Images | Stream:  # fmt: skip
    """A folder's pictures, each file decoded once, those of more than 8 bits a value twice.

    Args:
        folder, size, background, fit: see `find.find` and `decode.decode`.
        skip_bad: leave out files and folders that cannot be read; they are told and kept in `account.skipped`.
        memory: bytes that the pictures may take; None takes half of what the machine has free. More are not kept but
            streamed: every file is decoded to check it, then again whenever it is drawn.
        n, seed: at most n pictures, drawn by the seed.
        channels: 3, or 1 for their lightness, or 4 with transparency, see `decode.decode`; None takes 1 where every
            picture is grey, else 3.
        white: the value that is white in pictures of more than 8 bits; None takes one for all, see `depth.white_of`.
        classes: what gives the pictures labels, see `labels.labels_of`; None gives them none.
        captions: what gives them sentences as labels, (N, L), see `captions.captions_of`; None gives them none.
        vocabulary: of the sentences; or how many words of the captions are kept at most.

    Returns:
        Images, or a Stream.

    Raises:
        DataError: an option out of range; a file that cannot be read; no picture left; classes and captions at once.
    """
    if classes is not None and captions is not None:
        raise DataError("classes and captions at once: a picture is told either its class or its sentence")
    _check(background, fit, memory, channels, white, classes)
    found = find(folder, skip_bad)
    files = _chosen(found, folder, n, seed)
    named = None if classes is None else labels_of(files, folder, classes)
    told = None if captions is None else captions_of(files, folder, captions)
    streams = len(files) * (channels or 3) * math.prod(sides(size)) > (free_memory() // 2 if memory is None else memory)
    reading = _Reading(files, size, background, fit, channels, streams)
    errors = reading.read_all(f"reading {title(folder)}", white, skip_bad)
    good, skipped = reading.good(), found.skipped | errors
    if not good:
        raise DataError(f"none of the {len(files)} pictures in {folder} can be read; the first is {shown(files[0])}")
    if skipped:
        names = ", ".join(shown(name, 200) for name in list(skipped)[:5]) + (", ..." if len(skipped) > 5 else "")
        total = len(files) + len(found.skipped)
        print(f"left out {len(skipped)} of {total} files that cannot be read: {names}", file=sys.stderr)
    labels, kinds = numbered([named[i] for i in good]) if named else (None, ())
    read_of = None
    if told:
        labels, read_of = in_numbers([told[i] for i in good], vocabulary)
    account = Account(
        os.fspath(folder), (len(good), reading.channels(), *sides(size)),
        Counter(Path(files[i]).suffix.lower()[1:] or "without an ending" for i in good),
        found.passed, skipped, len(reading.deep), reading.white, counted(labels, kinds) if kinds else {},
        read_of,
    )  # fmt: skip
    if reading.pixels is None:
        return Stream([files[i] for i in good], account, background, fit, reading.white, reading.fingerprint(), labels)
    for place, i in enumerate(good):
        reading.pixels[place] = reading.pixels[i]  # close the gaps
    return Images(reading.pixels[: len(good), : account.shape[1]].contiguous(), labels, None, kinds, account)


def _check(
    background: str, fit: str, memory: float | None, channels: int | None, white: float | None, classes: object
) -> None:  # fmt: skip
    rgb(background)
    if fit not in FITS:
        raise DataError(f"fit {fit!r}; there are {', '.join(FITS)}")
    if memory is not None and not (isinstance(memory, int | float) and memory >= 0):
        raise DataError(f"memory={memory!r}: it has to be a number of bytes")
    if channels not in (None, 1, 3, 4):
        raise DataError(f"channels={channels!r}: 3 is colour, 1 grey, 4 with transparency, None what the pictures are")
    if white is not None and not (isinstance(white, int | float) and 0 < white < float("inf")):
        raise DataError(f"white={white!r}: it has to be a number above 0")
    if not isinstance(classes, str | os.PathLike | None):
        raise DataError(f"classes={classes!r}: 'folder' takes subfolders' names, else it is the path of a table")


def _chosen(found: Found, folder: str | os.PathLike[str], n: int | None, seed: int) -> list[str]:
    """At most n of the files, drawn by the seed."""
    if not found.files:
        left_out = Account("", (), passed=found.passed, skipped=found.skipped).left_out()
        raise DataError(
            f"no pictures in {shown(os.path.expanduser(folder))}: looked for .png, .jpg and all else that Pillow knows "
            f"by its content, at any depth{left_out}"
        )
    if n is None or n >= len(found.files):
        return found.files
    drawn = torch.randperm(len(found.files), generator=torch.Generator().manual_seed(seed))[:n]
    return [found.files[i] for i in sorted(drawn.tolist())]


class _Reading:
    """Files being read into memory or, for a stream, to check them and to take their fingerprint.

    Attributes:
        pixels: uint8 (N, C, H, W), None for a stream.
        deep: index -> how far its values go, of pictures of more than 8 bits a value.
        white: what is white in these, None where there are none.
    """

    def __init__(
        self, files: Sequence[str], size: Size, background: str, fit: str, channels: int | None, streams: bool
    ) -> None:
        self.files, self.size, self.background, self.fit = files, sides(size), background, fit
        self.most, self.grey = channels or 3, channels is None  # channels to read; all of them grey so far
        self.pixels = None if streams else torch.empty(len(files), self.most, *self.size, dtype=torch.uint8)
        self.digests, self.grey_digests = (bytearray(DIGEST * len(files) if streams else 0) for _ in range(2))
        self.seen = bytearray(len(files))
        self.deep: dict[int, Deep] = {}
        self.white: float | None = None

    def read_all(self, label: str, white: float | None, skip_bad: bool) -> dict[str, str]:
        """Read every file. Returns file -> reason of those that cannot be read."""
        skipped = self._pass(label, range(len(self.files)), skip_bad)
        if self.deep:
            self.white = white or white_of(self.deep.values())
            skipped |= self._pass(label, sorted(self.deep), skip_bad)
        return skipped

    def good(self) -> list[int]:
        """Indices of the files that could be read."""
        return [i for i, seen in enumerate(self.seen) if seen]

    def channels(self) -> int:
        """Of the pictures: 1 where all are grey and nothing else was asked for."""
        return 1 if self.grey else self.most

    def fingerprint(self) -> str:
        """Of a stream, see `images.fingerprint`."""
        digests = self.grey_digests if self.grey else self.digests
        of_good = (bytes(digests[i * DIGEST : (i + 1) * DIGEST]) for i in self.good())
        return combined(of_good, (self.channels(), *self.size))

    def _pass(self, label: str, indices: Sequence[int], skip_bad: bool) -> dict[str, str]:
        skipped = {}
        progress = Progress(len(indices), label, unit="file", patient=True)
        with warnings.catch_warnings(), closing(self._results(indices)) as results, progress:
            warnings.simplefilter("ignore")  # here as well: threads that do this by turns would undo each other's
            for done, (i, error) in enumerate(zip(indices, results, strict=True), 1):
                progress.update(done)
                if error is None:
                    continue
                if not skip_bad:
                    raise error
                skipped[self.files[i]] = reason(error.__cause__ or error, self.files[i])
        return skipped

    def _results(self, indices: Sequence[int]) -> Generator[DataError | None, None, None]:
        # block after block: a million waiting calls would fill the memory
        with ThreadPoolExecutor(min(8, processors())) as pool:
            try:
                for block in range(0, len(indices), BLOCK):
                    yield from pool.map(self._read, indices[block : block + BLOCK])
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, i: int) -> DataError | None:
        try:
            picture = read(self.files[i], self.size, self.background, self.fit, self.most, self.white)
        except DataError as error:
            return error
        if isinstance(picture, Deep):
            self.deep[i] = picture
        else:
            self._keep(i, picture)
        return None

    def _keep(self, i: int, picture: Tensor) -> None:
        if not bool((picture == picture[:1]).all()):
            self.grey = False  # it only ever falls: `self.grey and ...` could restore what another thread has cleared
        if self.pixels is not None:
            self.pixels[i] = picture
        else:
            place = slice(i * DIGEST, (i + 1) * DIGEST)
            self.digests[place] = digest(picture)
            if self.grey:
                self.grey_digests[place] = digest(picture[:1])
        self.seen[i] = 1


def free_memory() -> int:
    """Bytes of memory that programs can have now; 4 GB where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return 4 * 10**9
