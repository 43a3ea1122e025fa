"""A decoded picture turned upright, put on a ground and brought to a size."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

#: EXIF orientation -> what puts the picture upright, by its name in Image.Transpose.
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip

#: Pixels that are copied at a time of a picture that is too large to be copied whole.
BAND = 4_000_000


def reduced(picture: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    """Means of squares of pixels, as small as leaves twice the size; in bands, since copies of all of it would take too
    much memory."""
    from PIL import Image

    (width, height), factor = picture.size, min(picture.size) // (2 * max(size))
    if factor < 2:
        return picture
    clear, band = _has_clear(picture), factor * max(1, BAND // (width * factor))
    found = Image.new("RGBa" if clear else "RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, band):
        part = picture.crop((0, top, width, min(top + band, height)))
        part = part.convert("RGBA").convert("RGBa") if clear else part.convert("RGB")
        found.paste(part.reduce(factor), (0, top // factor))
    return found.convert("RGBA") if clear else found


def orientation(picture: "Image.Image") -> int:
    """What its EXIF data say of how it lies; 0 where they say nothing."""
    try:
        return picture.getexif().get(0x0112, 0)
    except Exception:  # broken EXIF data, while the pixels are fine
        return 0


def turned(picture: "Image.Image", lies: int) -> "Image.Image":
    """Upright, by its orientation."""
    from PIL import Image

    name = UPRIGHT.get(lies)
    return picture.transpose(Image.Transpose[name]) if name else picture


def _has_clear(picture: "Image.Image") -> bool:
    return "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La")


def composited(picture: "Image.Image", colour: tuple[int, ...]) -> "Image.Image":
    """RGB, with transparent parts on the colour."""
    from PIL import Image

    if not _has_clear(picture):
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, colour), picture).convert("RGB")


def fitted(picture: "Image.Image", size: tuple[int, int], colour: tuple[int, ...], fit: str) -> "Image.Image":
    """A picture brought to (height, width)."""
    from PIL import Image

    (width, height), (tall, wide) = picture.size, size
    if fit == "crop":
        w, h = min(width, max(1, round(height * wide / tall))), min(height, max(1, round(width * tall / wide)))
        left, top = (width - w) // 2, (height - h) // 2
        return picture.crop((left, top, left + w, top + h)).resize((wide, tall), Image.Resampling.LANCZOS)
    scale = min(wide / width, tall / height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    padded = Image.new(picture.mode, (wide, tall), colour)
    whole = picture.resize((width, height), Image.Resampling.LANCZOS)
    padded.paste(whole, ((wide - width) // 2, (tall - height) // 2))
    return padded
