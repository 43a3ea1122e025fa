"""A walk through several pictures that ends where it began, as one moving picture."""

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from genimg.system import files
from genimg.system.errors import RunError

#: Frames a second, a number whose time (40 ms) a GIF can hold.
RATE = 25
#: Ending -> what Pillow calls it.
FORMATS = {".gif": "GIF", ".webp": "WEBP"}


def check(file: Path) -> None:
    """Hold a name to what can be written.

    Raises:
        RunError: no such ending.
    """
    if file.suffix.lower() not in FORMATS:
        raise RunError(
            f"--walk {file}: a walk is written as .gif or .webp; videos need a program like ffmpeg, which makes one of "
            f"what --each writes into a folder"
        )


def through(z: Tensor, each: int) -> Iterator[Tensor]:
    """A smooth closed way through points of N(0, I): (n, *noise), n of at least 2, -> `each` points (each, *noise) from
    each one on towards the next.

    A point is a sum of the z, their weights a periodic cubic spline scaled to length 1. So at every moment it is spread
    as N(0, I) is, like the arc between two (White 2016, https://arxiv.org/abs/1609.04468), and it neither stops nor
    turns a corner, unless there are two z, between which it goes there and back.
    """
    from scipy.interpolate import CubicSpline

    n = len(z)
    spline = CubicSpline(range(n + 1), torch.eye(n)[[*range(n), 0]].numpy(), bc_type="periodic")
    for start in range(n):
        weights = torch.as_tensor(spline(start + torch.arange(each).numpy() / each), dtype=z.dtype, device=z.device)
        yield torch.tensordot(torch.nn.functional.normalize(weights, dim=1), z, 1)  # (each, n) x (n, *noise)


def write(file: str | os.PathLike[str], frames: Iterable[Tensor]) -> None:
    """Frames, uint8 (H, W, 3), as a moving picture that begins again where it ends, without loss but for the 256
    colours of a GIF's frame.

    Raises:
        RunError: it cannot be written.
    """
    from PIL import Image

    kind, stream = FORMATS[Path(file).suffix.lower()], io.BytesIO()
    pictures = (Image.fromarray(frame.numpy()) for frame in frames)
    mark = {"comment": files.MARK} if kind == "GIF" else {"xmp": files.MARK, "lossless": True, "method": 2}
    first = next(pictures)
    first.save(stream, kind, save_all=True, append_images=pictures, duration=1000 // RATE, loop=0, **mark)
    files.write(file, stream.getvalue())
