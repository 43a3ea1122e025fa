"""Sizes of pictures that networks are built for, and of the maps within them.

A size is a number of pixels, of squares, or (height, width), in the order of a tensor's axes. Written down it is width
by height, as everywhere: 96x64 is (64, 96).
"""

import re
from typing import TypeGuard

#: Of squares one number, else (height, width).
Size = int | tuple[int, int]

#: Both sides are multiples of `STEP`, from `SMALLEST` to `LARGEST`.
STEP, SMALLEST, LARGEST = 8, 8, 512
#: The same in words.
IN_WORDS = f"a multiple of {STEP} from {SMALLEST} to {LARGEST}, or two of them, width by height, as 96x64"


def sides(size: Size) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


def read(text: str) -> Size:
    """The size that is written as "64" or as "96x64", which is 96 wide and 64 high.

    Raises:
        ValueError: it is none.
    """
    if not (found := re.fullmatch(r"(-?\d{1,12})(?:[xX×](-?\d{1,12}))?", text.strip())):
        raise ValueError(f"{text[:40]!r} is no size, which is {IN_WORDS}")
    width, height = int(found[1]), int(found[2] or found[1])
    return width if width == height else (height, width)


def written(size: Size) -> str:
    """What `read` reads."""
    height, width = sides(size)
    return str(width) if width == height else f"{width}x{height}"


def is_size(size: object) -> bool:
    """Whether networks are built for pictures of this size."""
    return _whole(size) and all(SMALLEST <= side <= LARGEST and side % STEP == 0 for side in sides(size))


def rule(size: object) -> str:
    """What a size has to be, and, of one that is none, the sizes next to it: "48 or 56"."""
    if not _whole(size):
        return f"{IN_WORDS}; from Python (height, width)"

    def beside(side: int, up: bool) -> int:
        return min(max((side + up * (STEP - 1)) // STEP * STEP, SMALLEST), LARGEST)

    found = [
        written((beside(height, up), beside(width, up))) for height, width in [sides(size)] for up in (False, True)
    ]
    return f"{IN_WORDS}; the nearest: {' or '.join(dict.fromkeys(found))}"


def checked(size: Size) -> Size:
    """The size itself.

    Raises:
        ValueError: networks are not built for it; the message names the nearest.
    """
    if is_size(size):
        return size
    raise ValueError(f"size {written(size) if _whole(size) else repr(size)}: it has to be {rule(size)}")


def _whole(size: object) -> TypeGuard[Size]:
    both = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    return all(isinstance(side, int) and not isinstance(side, bool) for side in both)


def level_sides(size: Size) -> list[tuple[int, int]]:
    """(height, width) of the maps of a network, fine to coarse: each is half of the one before, rounded down, until a
    side is below 8. Sides of 64 are 64, 32, 16, 8, 4, of 96 they are 96, 48, 24, 12, 6.

    Raises:
        ValueError: see `checked`.
    """
    found = [sides(checked(size))]
    while min(found[-1]) >= 8:
        height, width = found[-1]
        found.append((height // 2, width // 2))
    return found


def level_widths(size: Size, width: int, max_width: int) -> list[int]:
    """Channels per level, fine to coarse, of maps as `level_sides` has them.

    Raises:
        ValueError: see `checked`.
    """
    return [min(width * 2**i, max_width) for i in range(len(level_sides(size)))]
