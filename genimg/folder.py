"""A folder of pictures of any kind and in any state: one uint8 tensor or, too large for that, a stream."""

import hashlib
import os
import stat
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from genimg import data
from genimg.errors import DataError

#: File name endings taken for pictures; what is in a file is told from its content.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

FITS = ("crop", "pad")

#: Pictures of more pixels are refused: a small file can claim to be one that fills the memory.
MOST_PIXELS = 200_000_000


def find(folder):
    """Picture files at any depth, sorted by their path within the folder. Hidden files and folders are left out.

    Links to folders are followed, but no folder is entered twice, so that loops end.

    Raises:
        DataError: no such folder, or one in it that cannot be read.
    """
    folder = Path(folder).expanduser()

    def stop(error):
        raise DataError(f"{error.filename} cannot be read ({error.strerror}); change its permissions or move it away")

    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is neither a folder nor one of {', '.join(data.SOURCES)}")
    found, seen = [], set()
    for here, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        found += [Path(here) / name for name in names if not name.startswith(".") and name.lower().endswith(SUFFIXES)]
    if not found:
        raise DataError(f"no pictures in {folder}: looked for {', '.join(SUFFIXES)} at any depth")
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def decode(file, size, background="white", fit="crop"):
    """One file as uint8 (3, size, size).

    Turned as its EXIF data say; transparency put on the background; 16 bits a channel scaled to 8; of several frames
    the first.

    Args:
        background: a colour that Pillow knows by name, or #rrggbb.
        fit: "crop" takes the centre square; "pad" keeps all of the picture, with the background beside it.

    Raises:
        DataError: the file cannot be read as a picture.
    """
    import numpy as np
    from PIL import Image, ImageOps

    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # opening a pipe would wait for ever
            raise OSError("not an ordinary file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities that change nothing here
            with Image.open(file) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise OSError(f"{opened.width} x {opened.height} pixels are too many")
                if fit == "crop":
                    opened.draft("RGB", (2 * size, 2 * size))  # JPEG decodes large pictures at a fraction of the size
                picture = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGBA")
            if fit == "crop":
                side = min(picture.size)
                left, top = (picture.width - side) // 2, (picture.height - side) // 2
                picture = picture.crop((left, top, left + side, top + side))
            canvas = Image.new("RGBA", picture.size, background)
            picture = Image.alpha_composite(canvas, picture).convert("RGB")
            if fit == "crop":
                picture = picture.resize((size, size), Image.Resampling.LANCZOS)
            else:
                picture = ImageOps.pad(picture, (size, size), Image.Resampling.LANCZOS, color=background)
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error, ... for bad files
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        reason = reason.replace(str(file), "it").replace(repr(str(file)), "it")
        raise DataError(
            f"{_shown(file)} cannot be read as a picture ({reason}); repair or remove it, or leave out what cannot be "
            f"read with skip_bad=True (--skip-bad)"
        ) from error
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (3, S, S)


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
    from PIL import ImageColor
    from tqdm import tqdm

    if fit not in FITS:
        raise DataError(f"fit {fit!r}; there are {', '.join(FITS)}")
    try:
        ImageColor.getrgb(background)
    except (ValueError, AttributeError, TypeError):
        raise DataError(f"background {background!r} is no colour; white or grey would be, or #rrggbb") from None
    files = find(folder)
    if n is not None and n < len(files):
        files = [files[i] for i in sorted(torch.randperm(len(files), generator=_seeded(seed))[:n].tolist())]
    streams = len(files) * 3 * size * size > (free_memory() // 2 if memory is None else memory)
    pixels = None if streams else torch.empty(len(files), 3, size, size, dtype=torch.uint8)
    good, skipped = [], []

    def read(i):
        try:
            picture = decode(files[i], size, background, fit)
        except DataError as error:
            return error
        if pixels is not None:
            pixels[i] = picture
        return None

    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as pool:
        results = pool.map(read, range(len(files)))
        for i, error in enumerate(tqdm(results, f"reading {Path(folder).name}", len(files), False, disable=None)):
            if error is None:
                good.append(i)
            elif skip_bad:
                skipped.append(str(files[i]))
            else:
                pool.shutdown(wait=False, cancel_futures=True)
                raise error
    if not good:
        raise DataError(f"none of the {len(files)} pictures in {folder} can be read; the first is {_shown(files[0])}")
    if skipped:
        names = ", ".join(_shown(name) for name in skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        print(f"left out {len(skipped)} of {len(files)} files that cannot be read: {names}", file=sys.stderr)
    if streams:
        return Stream([files[i] for i in good], size, background, fit, tuple(skipped))
    return data.Images(pixels if len(good) == len(files) else pixels[good], skipped=tuple(skipped))


class Stream(torch.utils.data.Dataset):
    """Pictures that are decoded when they are drawn: `stream[i]` is uint8 (3, size, size).

    Attributes:
        files: their paths; all could be read when the stream was made.
        skipped: those that could not.
        shape: (N, 3, size, size).
    """

    def __init__(self, files, size, background, fit, skipped=()):
        self.files, self.size, self.background, self.fit, self.skipped = files, size, background, fit, skipped
        self.shape = (len(files), 3, size, size)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return decode(self.files[i], self.size, self.background, self.fit)

    def pixels_of(self, indices):
        """Pictures at some indices: uint8 (n, 3, size, size)."""
        return torch.stack([self[i] for i in indices])

    def fingerprint(self):
        """A hash of the files' names and sizes and of how they are read; see `data.fingerprint`."""
        digest = hashlib.sha256(repr((self.size, self.background, self.fit)).encode())
        for file in self.files:
            digest.update(repr((file.name, file.stat().st_size)).encode())
        return digest.hexdigest()[:16]

    def batches(self, indices, workers=None):
        """uint8 (B, 3, size, size) for each tensor of indices (B,), decoded ahead by worker processes.

        Raises:
            DataError: a file has become unreadable since the stream was made.
        """
        workers = min(4, os.cpu_count() or 1) if workers is None else workers
        loader = torch.utils.data.DataLoader(
            _Caught(self), batch_sampler=(index.tolist() for index in indices), num_workers=workers, collate_fn=list
        )
        for pictures in loader:
            for picture in pictures:
                if isinstance(picture, str):
                    raise DataError(picture)
            yield torch.stack(pictures)


class _Caught(torch.utils.data.Dataset):
    """A stream whose errors come as values: raised in a worker, they would reach the reader as a traceback in text."""

    def __init__(self, stream):
        self.stream = stream

    def __getitem__(self, i):
        try:
            return self.stream[i]
        except DataError as error:
            return str(error)


def free_memory():
    """Bytes of memory that are free now; 4 GB where the system does not tell."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, macOS
        return 4 * 10**9


def _eight_bits(picture):
    """Modes of more than 8 bits scaled to 8; Pillow would clip them."""
    import numpy as np
    from PIL import Image

    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return picture
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    if picture.mode == "F":  # no range is known: 0 to 1 if that holds all, otherwise 0 to 255
        values = values * 255 if values.size and 0 <= values.min() and values.max() <= 1 else values
    elif picture.mode != "I" or (values.size and values.max() > 255):  # "I" holds 8-bit values as well
        values = values / 257
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def _shown(file):
    """A path on one line."""
    return str(file) if str(file).isprintable() else repr(str(file))


def _seeded(seed):
    return torch.Generator().manual_seed(seed)
