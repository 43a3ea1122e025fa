"""A walk through several pictures that ends where it began, as one moving picture."""

import io
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from genimg.system import files
from genimg.system.errors import RunError, reason

#: Frames a second, a number whose time (40 ms) a GIF can hold.
RATE = 25
#: Ending -> what Pillow calls it.
FORMATS = {".gif": "GIF", ".webp": "WEBP", ".mp4": "MP4"}


def check(file: Path) -> None:
    """Hold a name to what can be written.

    Raises:
        RunError: no such ending; a video, and no ffmpeg.
    """
    if file.suffix.lower() not in FORMATS:
        raise RunError(f"--walk {file}: a walk is written as {', '.join(FORMATS)}, or with --each into a folder")
    if file.suffix.lower() == ".mp4" and not ffmpeg():
        raise RunError(
            f"--walk {file}: a video needs ffmpeg, which pip install imageio-ffmpeg brings; .gif and .webp need nothing"
        )


def ffmpeg() -> str | None:
    """The program ffmpeg: that of the package imageio-ffmpeg, or one of the system; None where there is neither."""
    try:
        import imageio_ffmpeg

        program: str = imageio_ffmpeg.get_ffmpeg_exe()
        return program
    except (ImportError, RuntimeError):  # the second: the package without a program for this machine
        return shutil.which("ffmpeg")


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
    """Frames, uint8 (H, W, 3), as a moving picture that begins again where it ends (of a video, players have to be
    told), without loss but for the 256 colours of a GIF's frame and for what a video saves.

    Raises:
        RunError: it cannot be written.
    """
    from PIL import Image

    kind, stream = FORMATS[Path(file).suffix.lower()], io.BytesIO()
    if kind == "MP4":
        files.write(file, _video(frames))
        return
    pictures = (Image.fromarray(frame.numpy()) for frame in frames)
    mark = {"comment": files.MARK} if kind == "GIF" else {"xmp": files.MARK, "lossless": True, "method": 2}
    first = next(pictures)
    first.save(stream, kind, save_all=True, append_images=pictures, duration=1000 // RATE, loop=0, **mark)
    files.write(file, stream.getvalue())


def _video(frames: Iterable[Tensor]) -> bytes:
    """Frames, uint8 (H, W, 3), as H.264 in MP4, which every browser and phone plays: a side of an odd number of pixels
    gets one more.

    Raises:
        RunError: ffmpeg cannot be had, or fails.
    """
    frames = iter(frames)
    first = next(frames)
    height, width, _ = first.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(RATE), "-i", "-"]
    coded = ["-an", "-c:v", "libx264", "-crf", "15", "-pix_fmt", "yuv420p", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]
    more = ["-movflags", "+faststart", "-metadata", "comment=genimg"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        out = Path(folder) / "walk.mp4"
        try:
            with subprocess.Popen(
                [ffmpeg() or "ffmpeg", "-v", "error", "-y", *raw, *coded, *more, os.fspath(out)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
            ) as program:  # fmt: skip
                assert program.stdin is not None
                for frame in itertools.chain([first], frames):
                    program.stdin.write(frame.numpy().tobytes())
                program.stdin.close()
        except OSError as error:  # no such program, or one that ended before its input did
            raise RunError(f"ffmpeg could not make the video ({_said(errors) or reason(error, '')})") from error
        if program.returncode or not out.exists():
            raise RunError(f"ffmpeg could not make the video ({_said(errors) or f'exit code {program.returncode}'})")
        return out.read_bytes()


def _said(errors: IO[bytes]) -> str:
    """The last line that a program wrote."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
