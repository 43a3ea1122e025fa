"""One picture file of any kind and in any state, as uint8 (1, 3 or 4, height, width)."""

import functools
import logging
import os
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from genimg.data import depth, fitting
from genimg.data.depth import Deep
from genimg.data.images import Size, sides
from genimg.system.errors import DataError, reason, shown

if TYPE_CHECKING:
    from PIL import Image, ImageFile

#: Pillow's readers that know a file by its content. One of its many others would hand a file to another program.
FORMATS = (
    "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF", "QOI", "PSD", "ICO", "DDS"
)  # fmt: skip

#: How a picture of other proportions comes to those that are asked for; see `decode`.
FITS = ("crop", "pad")

#: Larger ones are refused, since a small file can claim to be a picture that fills the memory.
MOST_PIXELS, MOST_BYTES = 150_000_000, 2_000_000_000

#: As large may a JPEG be that decodes to no more than `MOST_PIXELS`, since it can be read at a fraction of its size,
#: and any picture of 8 bits a value whose file has a byte for each so many pixels: no file of noughts has as many.
MOST_ENORMOUS, PIXELS_A_BYTE = 250_000_000, 100

#: A picture of more pixels is read with no other large one beside it.
LARGE = 20_000_000

_one_large = threading.Lock()

# Without a handler of its own, what Pillow logs of a broken file would be printed.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that Pillow reads here; HEIF (an iPhone's .heic) with the package pillow-heif."""
    from PIL import Image

    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@functools.cache
def endings() -> frozenset[str]:
    """Endings of the files of these formats, in lower case."""
    from PIL import Image

    known = formats()
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in known)


def is_picture(file: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a picture does, whatever its name."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with opened(file):
                return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # as many kinds as there are kinds of files
        return False


def decode(
    file: str | os.PathLike[str], size: Size, background: str = "white", fit: str = "crop", channels: int = 3,
    white: float | None = None,
) -> Tensor:  # fmt: skip
    """One file as uint8 (channels, height, width).

    Turned as its EXIF data say; transparency put on the background, or kept; more than 8 bits a value scaled to 8; of
    several frames the first. Colour profiles are not applied.

    Args:
        size: width and height in pixels, or (height, width).
        background: a colour that Pillow knows by name, or #rrggbb.
        fit: "crop" takes the centre of these proportions; "pad" keeps all of a picture, the background beside it.
        channels: 3, or 1 for its lightness; 4 keeps what is transparent: the fourth is opacity, by which the three
            colours have been multiplied, so that what cannot be seen is black and mixes with nothing.
        white: the value that is white, of pictures of more than 8 bits; None takes what `depth.white_of` does.

    Raises:
        DataError: the file cannot be read as a picture; an unknown colour or fit.
    """
    found = read(file, size, background, fit, channels, white)
    if isinstance(found, Deep):
        found = read(file, size, background, fit, channels, depth.white_of([found]))
    assert isinstance(found, Tensor)
    return found


def read(
    file: str | os.PathLike[str], size: Size, background: str, fit: str, channels: int, white: float | None
) -> Tensor | Deep:
    """`decode`; without `white`, of a picture of more than 8 bits a value only how far its values go."""
    colour = rgb(background)
    if fit not in FITS:
        raise DataError(f"fit {fit!r}; there are {', '.join(FITS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities that change nothing here
            found = _opened_and_fitted(file, sides(size), None if channels == 4 else colour, fit, white)
            if isinstance(found, Deep):
                return found
            pixels = np.array(found.convert("L") if channels == 1 else found)
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error, ... for bad files
        raise DataError(
            f"{shown(file)} cannot be read as a picture ({reason(error, file)}); repair or remove it, or leave out "
            f"what cannot be read with skip_bad=True (--skip-bad)"
        ) from error
    return torch.from_numpy(pixels).view(*sides(size), channels).permute(2, 0, 1).contiguous()  # (C, H, W)


@contextmanager
def opened(file: str | os.PathLike[str]) -> Iterator["ImageFile.ImageFile"]:
    """A picture whose head has been read.

    Raises:
        ValueError, OSError, SyntaxError, ...: it is none.
    """
    from PIL import JpegImagePlugin, UnidentifiedImageError

    status = os.stat(file)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise ValueError("not an ordinary file")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"{status.st_size:,} bytes are too many")
    with open(file, "rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        if head.startswith(b"\xff\xd8\xff"):  # Image.open would refuse what can still be read at a fraction of its size
            yield JpegImagePlugin.jpeg_factory(stream, os.fspath(file))
            return
        try:
            picture = _head(stream, file)
        except UnidentifiedImageError:
            tiff = head in (b"II*\0", b"MM\0*")
            raise ValueError(depth.unknown_tiff(stream) if tiff else "cannot identify what it is") from None
        yield picture


def _opened_and_fitted(
    file: str | os.PathLike[str], size: tuple[int, int], colour: tuple[int, ...] | None, fit: str, white: float | None
) -> "Image.Image | Deep":
    with opened(file) as picture:
        n = picture.width * picture.height
        with _one_large if n > LARGE else nullcontext():
            if n <= (MOST_ENORMOUS if picture.format in ("JPEG", "MPO") else MOST_PIXELS):
                picture.draft(None, (2 * max(size),) * 2)  # JPEG decodes large pictures at a fraction of the size
            enormous = picture.width * picture.height > MOST_PIXELS
            if enormous and (n > _most(file) or depth.is_deep(picture)):
                raise ValueError(f"{picture.width:,} x {picture.height:,} pixels are too many")
            _scale_clearrgb(picture)
            image: Image.Image | Deep = picture
            if depth.is_deep(picture):
                image = _depth(picture, file) if white is None else _eight_bits(picture, file, white)
            if isinstance(image, Deep):
                return image
            image.load()
            image = fitting.reduced(image, size) if enormous else image
            image = fitting.turned(image, fitting.orientation(picture))
            if colour is None:  # Pillow's RGBa has its colours multiplied by its opacity
                return fitting.fitted(image.convert("RGBA").convert("RGBa"), size, (0, 0, 0, 0), fit)
            return fitting.fitted(fitting.composited(image, colour), size, colour, fit)


def _head(stream: IO[bytes], file: str | os.PathLike[str]) -> "ImageFile.ImageFile":
    """What `Image.open` gives, also of pictures larger than it opens: nothing is decoded here."""
    from PIL import Image

    try:
        return Image.open(stream, formats=formats())
    except Image.DecompressionBombError:
        for name in formats():
            stream.seek(0)
            factory, accepts = Image.OPEN[name]
            said = accepts is None or accepts(stream.read(16))
            if said and not isinstance(said, str):  # which would be why it cannot read it
                stream.seek(0)
                with suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Image.open takes a refusal
                    return factory(stream, os.fspath(file))
        raise


def _most(file: str | os.PathLike[str]) -> int:
    """As many pixels may it have."""
    return min(MOST_ENORMOUS, max(MOST_PIXELS, PIXELS_A_BYTE * os.path.getsize(file)))


def _scale_clearrgb(picture: "ImageFile.ImageFile") -> None:
    """A PNG names its clear colour in its own number of bits; Pillow scales the pixels alone to 8 (not yet loaded)."""
    stored = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
    clear = picture.info.get("transparency")
    if stored in ("L;2", "L;4") and isinstance(clear, int):
        picture.info["transparency"] = min(255, clear * (85 if stored == "L;2" else 17))
    elif stored == "RGB;16B" and isinstance(clear, tuple):
        picture.info["transparency"] = tuple(level >> 8 for level in clear)


def _depth(picture: "ImageFile.ImageFile", file: str | os.PathLike[str]) -> Deep:
    most = depth.stated(picture)
    if depth.is_colour(picture):
        top = 256 * float(np.asarray(picture)[..., :3].max()) + 255
    else:
        top = float(depth.values(picture).max())
    return Deep(max(top, most), picture.mode == "F", shown(file))


def _eight_bits(picture: "ImageFile.ImageFile", file: str | os.PathLike[str], white: float) -> "Image.Image":
    """A picture of more than 8 bits a value, not yet loaded, as one of 8; what is clear in it stays so."""
    from PIL import Image

    clear = picture.info.get("transparency")
    if depth.is_colour(picture):
        if white == 2**16 - 1:
            return picture  # Pillow takes the upper halves of the values
        with opened(file) as again:
            depth.lower_halves(again)
            lower = np.asarray(again)[..., :3].astype(np.float32)
        upper = np.asarray(picture)[..., :3].astype(np.float32)
        image = Image.fromarray(depth.scaled(256 * upper + lower, white))
        if clear is not None or picture.mode == "RGBA":
            image.putalpha(picture.convert("RGBA").getchannel("A"))
        return image
    found = depth.values(picture)
    image = Image.fromarray(depth.scaled(white - found if depth.is_negative(picture) else found, white))
    if isinstance(clear, int):
        image.putalpha(Image.fromarray(np.where(found == clear, 0, 255).astype(np.uint8)))
    return image


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
