"""One picture file of any kind and in any state, as uint8 (3, size, size)."""

import logging
import os
import stat
import threading
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genimg.system.errors import DataError, reason, shown

if TYPE_CHECKING:
    from PIL import Image, ImageFile

#: Pillow's readers for what `folder.find` takes. One of its many others would hand a file to another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

#: How a picture that is not square becomes one; see `decode`.
FITS = ("crop", "pad")

#: Larger ones are refused, since a small file can claim to be a picture that fills the memory.
MOST_PIXELS, MOST_BYTES = 150_000_000, 2_000_000_000

#: A picture of more pixels is read with no other large one beside it.
LARGE = 20_000_000

_one_large = threading.Lock()

#: EXIF orientation -> what puts the picture upright, by its name in Image.Transpose.
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip

# Without a handler of its own, what Pillow logs of a broken file would be printed.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(file: str | os.PathLike[str], size: int, background: str = "white", fit: str = "crop") -> Tensor:
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

    colour = rgb(background)
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
            f"{shown(file)} cannot be read as a picture ({reason(error, file)}); repair or remove it, or leave out "
            f"what cannot be read with skip_bad=True (--skip-bad)"
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()  # (3, S, S)


def _square(file: str | os.PathLike[str], size: int, colour: tuple[int, ...], fit: str) -> "Image.Image":
    from PIL import Image

    with Image.open(file, formats=FORMATS) as picture:
        n = picture.width * picture.height
        if n > MOST_PIXELS:
            raise ValueError(f"{picture.width:,} x {picture.height:,} pixels are too many")
        with _one_large if n > LARGE else nullcontext():
            picture.draft(None, (2 * size, 2 * size))  # JPEG decodes large pictures at a fraction of the size
            _scale_clearrgb(picture)
            picture.load()
            return _fitted(_composited(_turned(picture), colour), size, colour, fit)


def _scale_clearrgb(picture: "ImageFile.ImageFile") -> None:
    """A PNG names its clear colour in its own number of bits; Pillow scales the pixels alone to 8 (not yet loaded)."""
    stored = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
    clear = picture.info.get("transparency")
    if stored in ("L;2", "L;4") and isinstance(clear, int):
        picture.info["transparency"] = min(255, clear * (85 if stored == "L;2" else 17))
    elif stored == "RGB;16B" and isinstance(clear, tuple):
        picture.info["transparency"] = tuple(level >> 8 for level in clear)


def _turned(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    try:
        orientation = picture.getexif().get(0x0112, 0)
    except Exception:  # broken EXIF data, while the pixels are fine
        return picture
    name = UPRIGHT.get(orientation)
    return picture.transpose(Image.Transpose[name]) if name else picture


def _composited(picture: "Image.Image", colour: tuple[int, ...]) -> "Image.Image":
    """RGB, with transparent parts on the colour."""
    from PIL import Image

    picture = _eight_bits(picture)
    if "transparency" not in picture.info and picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La"):
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, colour), picture).convert("RGB")


def _fitted(picture: "Image.Image", size: int, colour: tuple[int, ...], fit: str) -> "Image.Image":
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


def _eight_bits(picture: "Image.Image") -> "Image.Image":
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


def rgb(background: str) -> tuple[int, ...]:
    """(r, g, b) of a colour's name."""
    from PIL import ImageColor

    try:
        colour: tuple[int, ...] = ImageColor.getrgb(background)
    except (ValueError, AttributeError, TypeError):
        colour = ()
    if len(colour) != 3:
        raise DataError(f"background {background!r} is no colour; white or grey would be, or #rrggbb")
    return colour
