"""Pictures of more than 8 bits a value: which value is white, in all pictures of a folder alike.

A file's container says little: cameras and microscopes write 12 bits into 16, and floats know no range. What counts is
what the files say of themselves and the largest value of all of them.
"""

import math
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from genimg.system.errors import DataError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

#: TIFF's tags.
BITS, PHOTOMETRIC, MOST, SAMPLES, MOST_OF_KIND = 258, 262, 281, 339, 341

#: Formats whose values Pillow has already scaled to all of the 16 bits.
SCALED = ("PPM", "JPEG2000")


@dataclass(frozen=True)
class Deep:
    """How far the values of one picture go.

    Attributes:
        top: the largest value, or a larger one that the file states.
        floating: floats, not whole numbers.
        file: the file's name, for errors.
    """

    top: float
    floating: bool
    file: str = ""


def is_deep(picture: "ImageFile.ImageFile") -> bool:
    """Whether an opened picture, not yet loaded, has more than 8 bits a value."""
    return picture.mode.startswith("I") or picture.mode == "F" or is_colour(picture)


def is_colour(picture: "ImageFile.ImageFile") -> bool:
    """Whether it has three channels of 16 bits, of which Pillow gives the upper halves."""
    return rawmode(picture)[:-1] in ("RGB;16", "RGBA;16", "RGBX;16")


def rawmode(picture: "ImageFile.ImageFile") -> str:
    """How the values lie in the file, as Pillow names it; "" where it does not tell."""
    args: Any = picture.tile[0].args if picture.tile else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def stated(picture: "ImageFile.ImageFile") -> float:
    """The largest value that a file says it may have, 0 where it does not."""
    if picture.format in SCALED:
        return 2**16 - 1
    tags: Any = getattr(picture, "tag_v2", {})
    bits = tags.get(BITS, (16,))
    most = [tags.get(MOST, 0), tags.get(MOST_OF_KIND, 0), 2 ** bits[0] - 1 if bits[0] < 16 else 0]
    return max(float(max(one)) if isinstance(one, tuple) else float(one) for one in most)


def lower_halves(picture: "ImageFile.ImageFile") -> None:
    """Have a picture of 16 bits, not yet loaded, give the lower halves of its values: it is read with bytes swapped."""
    swapped = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}[rawmode(picture)[-1]]

    def swap(args: Any) -> Any:
        return args[:-1] + swapped if isinstance(args, str) else (args[0][:-1] + swapped, *args[1:])

    picture.tile = [tile._replace(args=swap(tile.args)) for tile in picture.tile]


def values(picture: "Image.Image") -> np.ndarray:
    """The values of a loaded picture of one deep channel, float64 (H, W).

    Raises:
        ValueError: values below 0 or not finite, which have no place between black and white.
    """
    found = np.asarray(picture).astype(np.float64)
    if not np.isfinite(found).all():
        raise ValueError("values that are not finite")
    if found.min() < 0:
        raise ValueError(f"values from {found.min():g} to {found.max():g}")
    return found


def white_of(pictures: Collection[Deep]) -> float:
    """The value that is white in all of these pictures.

    Of whole numbers it is the largest one of 8, 10, 12, ... bits, as few as hold all. Of floats it is 1, where the
    largest is near it; if that is above 128, as of whole numbers; else the largest value itself.

    Raises:
        DataError: floats and whole numbers, which no one scale fits.
    """
    kinds = {one.floating: one for one in pictures}
    if len(kinds) > 1:
        raise DataError(
            f"{kinds[True].file} holds floats up to {kinds[True].top:g} and {kinds[False].file} whole numbers up to "
            f"{kinds[False].top:g}: no one scale fits both; put them in two folders, or say which value is white"
        )
    top = max(one.top for one in pictures)
    if kinds.get(True) and top < 128:
        return 1.0 if 0.1 < top <= 1.01 or top <= 0 else top
    bits = min(max(8, 2 * math.ceil(math.floor(top).bit_length() / 2)), 31)  # Pillow's whole numbers have a sign
    return float(2**bits - 1)


def scaled(found: np.ndarray, white: float) -> np.ndarray:
    """Values (H, W) or (H, W, C) as uint8, white and what is above it as 255."""
    return (found * (255 / white)).clip(0, 255).round().astype(np.uint8)


def is_negative(picture: "ImageFile.ImageFile") -> bool:
    """Whether 0 is white, as a TIFF may say; Pillow heeds it for 8 bits alone."""
    tags: Any = getattr(picture, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == 0


def unknown_tiff(stream: IO[bytes]) -> str:
    """What Pillow cannot read in a TIFF, from its first directory, and what it could."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    stream.seek(0)
    tags = ImageFileDirectory_v2(stream.read(8))
    stream.seek(tags.next)
    tags.load(stream)
    bits = tags.get(BITS, (1,))
    kind = {2: "signed", 3: "floats"}.get(tags.get(SAMPLES, (1,))[0], "whole numbers")
    return f"a TIFF of {len(bits)} x {bits[0]} bits, {kind}, which Pillow does not know; 3 x 8 or 16 it does"
