"""A folder of pictures of any kind and in any state: one uint8 tensor or, too large for that, a stream."""

import logging
import os
import stat
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path

import torch

from genimg import data
from genimg.errors import DataError

#: File name endings taken for pictures; what is in a file is told from its content.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

#: Pillow's readers for them. It has many more, and one of those would hand a file to another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

FITS = ("crop", "pad")

#: Larger ones are refused: a small file can claim to be a picture that fills the memory.
MOST_PIXELS, MOST_BYTES = 150_000_000, 2_000_000_000

#: Files read at once before the next ones are begun, and pixels of a picture that is read with no other large one.
BLOCK, LARGE = 1024, 20_000_000

_one_large = threading.Lock()

#: EXIF orientation -> what puts the picture upright, by its name in Image.Transpose.
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip

# Without a handler of its own, what Pillow logs of a broken file would be printed.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def find(folder):
    """Picture files at any depth, sorted by their path within the folder. Hidden files and folders are left out.

    Links to folders are followed, but no folder is entered twice, so that loops end.

    Raises:
        DataError: no such folder, or one in it that cannot be read.
    """
    top = os.path.expanduser(folder)

    def stop(error):
        raise DataError(
            f"{_shown(error.filename or top)} cannot be read ({error.strerror}); change its permissions or move it away"
        ) from error

    if not os.path.isdir(top):
        what = "a file, neither a folder" if os.path.isfile(top) else "neither a folder"
        raise DataError(f"'{_shown(top, 200)}' is {what} nor one of {', '.join(data.SOURCES)}")
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
        raise DataError(f"no pictures in {_shown(top)}: looked for {', '.join(SUFFIXES)} at any depth")
    return sorted(found, key=lambda file: file.relative_to(top).as_posix())


def decode(file, size, background="white", fit="crop"):
    """One file as uint8 (3, size, size).

    Turned as its EXIF data say; transparency put on the background; 16 bits a channel scaled to 8; of several frames
    the first. Colour profiles are not applied.

    Args:
        background: a colour that Pillow knows by name, or #rrggbb.
        fit: "crop" takes the centre square; "pad" keeps all of the picture, with the background beside it.

    Raises:
        DataError: the file cannot be read as a picture; an unknown colour or fit.
    """
    import numpy as np

    colour = _colour(background)
    if fit not in FITS:
        raise DataError(f"fit {fit!r}; there are {', '.join(FITS)}")
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ValueError("not an ordinary file")
        if status.st_size > MOST_BYTES:
            raise ValueError(f"{status.st_size:,} bytes are too many")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities that change nothing here
            pixels = np.array(_square(file, size, colour, fit))
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error, ... for bad files
        raise DataError(
            f"{_shown(file)} cannot be read as a picture ({_reason(error, file)}); repair or remove it, or leave out "
            f"what cannot be read with skip_bad=True (--skip-bad)"
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()  # (3, S, S)


def _square(file, size, colour, fit):
    from PIL import Image

    with Image.open(file, formats=FORMATS) as picture:
        n = picture.width * picture.height
        if n > MOST_PIXELS:
            raise ValueError(f"{picture.width:,} x {picture.height:,} pixels are too many")
        with _one_large if n > LARGE else nullcontext():
            picture.draft(None, (2 * size, 2 * size))  # JPEG decodes large pictures at a fraction of the size
            _scale_clear_colour(picture)
            picture.load()
            return _fitted(_composited(_turned(picture), colour), size, colour, fit)


def _scale_clear_colour(picture):
    """A PNG names its clear colour in its own number of bits; Pillow scales the pixels alone to 8 (not yet loaded)."""
    stored = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
    clear = picture.info.get("transparency")
    if stored in ("L;2", "L;4") and isinstance(clear, int):
        picture.info["transparency"] = min(255, clear * (85 if stored == "L;2" else 17))
    elif stored == "RGB;16B" and isinstance(clear, tuple):
        picture.info["transparency"] = tuple(level >> 8 for level in clear)


def _turned(picture):
    from PIL import Image

    try:
        orientation = picture.getexif().get(0x0112)
    except Exception:  # broken EXIF data, while the pixels are fine
        return picture
    name = UPRIGHT.get(orientation)
    return picture.transpose(Image.Transpose[name]) if name else picture


def _composited(picture, colour):
    """RGB, with transparent parts on the colour."""
    from PIL import Image

    picture = _eight_bits(picture)
    if "transparency" not in picture.info and picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La"):
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, colour), picture).convert("RGB")


def _fitted(picture, size, colour, fit):
    from PIL import Image

    width, height = picture.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        return square.resize((size, size), Image.Resampling.LANCZOS)
    scale = size / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    square = Image.new("RGB", (size, size), colour)
    whole = picture.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(whole, ((size - width) // 2, (size - height) // 2))
    return square


def load(folder, size, background="white", fit="crop", skip_bad=False, memory=None, n=None, seed=0):
    """A folder's pictures, each file decoded once.

    Args:
        folder, size, background, fit: see `find` and `decode`.
        skip_bad: leave out files that cannot be read; their names are told and kept in `skipped`.
        memory: bytes that the pictures may take; None takes half of what the machine has free. More are not kept but
            streamed: every file is decoded once to check it, then again whenever it is drawn.
        n, seed: at most n pictures, drawn by the seed.

    Returns:
        data.Images, or a Stream.

    Raises:
        DataError: an unknown colour or fit; a file that cannot be read; no picture left.
    """
    from tqdm import tqdm

    _colour(background)
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
    good, skipped, digests = [], [], []

    def read(i):
        try:
            picture = decode(files[i], size, background, fit)
        except DataError as error:
            return error
        if pixels is None:
            return data.digest(picture)
        pixels[i] = picture
        return None

    def read_all():  # block after block: a million waiting calls would fill the memory
        with ThreadPoolExecutor(min(8, _processors())) as pool:
            try:
                for block in range(0, len(files), BLOCK):
                    yield from pool.map(read, range(block, min(block + BLOCK, len(files))))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    label = f"reading {_shown(Path(folder).name)}"
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
        raise DataError(f"none of the {len(files)} pictures in {folder} can be read; the first is {_shown(files[0])}")
    if skipped:
        names = ", ".join(_shown(name) for name in skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        print(f"left out {len(skipped)} of {len(files)} files that cannot be read: {names}", file=sys.stderr)
    if streams:
        return Stream(good, size, background, fit, tuple(skipped), data.combined(digests, (3, size, size)))
    return data.Images(pixels[: len(good)], skipped=tuple(skipped))


class Stream(torch.utils.data.Dataset):
    """Pictures that are decoded when they are drawn: `stream[i]` is uint8 (3, size, size).

    Attributes:
        files: their paths; all could be read when the stream was made.
        skipped: those that could not.
        shape: (N, 3, size, size).
        fingerprint: what `data.fingerprint` gives for the same pictures in memory.
        workers: processes that decode ahead, where `batches` is not told; None takes a processor each, up to 4.
    """

    workers = None

    def __init__(self, files, size, background="white", fit="crop", skipped=(), fingerprint=""):
        self.files, self.size, self.background, self.fit, self.skipped = files, size, background, fit, skipped
        self.shape, self.fingerprint = (len(files), 3, size, size), fingerprint

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return decode(self.files[i], self.size, self.background, self.fit)

    def pixels_of(self, indices):
        """Pictures at some indices: uint8 (B, 3, size, size)."""
        return torch.stack([self[i] for i in indices])

    def batches(self, indices, workers=None):
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
                    reason = _reason(error, "")
                    raise DataError(f"reading ahead failed ({reason}); workers=0 (--workers 0) does without") from error
                if pixels is None:
                    return
                if isinstance(pixels, str):
                    raise DataError(pixels)
                yield pixels
        finally:
            del ahead  # ends the workers


class _Caught(torch.utils.data.Dataset):
    """A stream whose errors come as values: raised in a worker, they would reach the reader as a traceback in text."""

    def __init__(self, stream):
        self.stream = stream

    def __getitem__(self, i):
        try:
            return self.stream[i]
        except DataError as error:
            return str(error)


def _stacked(pictures):
    return next((error for error in pictures if isinstance(error, str)), None) or torch.stack(pictures)


def free_memory():
    """Bytes of memory that programs can have now; 4 GB where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return 4 * 10**9


def _processors():
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _eight_bits(picture):
    """Modes of more than 8 bits scaled to 8, where Pillow would clip them.

    Modes I and F know no range: it is the smallest of 1 (F only), 2^8-1, 2^16-1 and 2^31-1 that holds all values.
    """
    import numpy as np
    from PIL import Image

    clear = picture.info.get("transparency")
    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return picture
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    low, high = values.min(), values.max()
    ranges = {"F": (1, 2**8 - 1, 2**16 - 1), "I": (2**8 - 1, 2**16 - 1, 2**31 - 1)}.get(picture.mode, (2**16 - 1,))
    if low < 0 or high > ranges[-1]:
        raise ValueError(f"values from {low:g} to {high:g}")
    full = next(most for most in ranges if high <= most)
    grey = Image.fromarray((values * (255 / full)).round().astype(np.uint8))
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _colour(background):
    """(r, g, b) of a colour's name."""
    from PIL import ImageColor

    try:
        colour = ImageColor.getrgb(background)
    except (ValueError, AttributeError, TypeError):
        colour = ()
    if len(colour) != 3:
        raise DataError(f"background {background!r} is no colour; white or grey would be, or #rrggbb")
    return colour


def _reason(error, file):
    """What an error says, short and on one line."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
    for name in (repr(str(file)), str(file)):
        text = text.replace(name, "it") if str(file) else text
    return _shown(" ".join(text.split()), 160)


def _shown(name, most=4096):
    """A path or text on one line."""
    name = str(name)
    name = name if name.isprintable() else repr(name)
    return name if len(name) <= most else name[:most] + "..."
