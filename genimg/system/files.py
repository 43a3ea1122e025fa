"""Files that are either whole or not there, locks, and reading what may be broken, foreign or malicious."""

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genimg.system.errors import RunError

#: What stands in every picture that this package draws.
MARK = b"Software\0genimg"

#: Ending -> what a picture is written as.
PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def write(path: str | os.PathLike[str], content: bytes, keep: str | None = None) -> None:
    """Write bytes to a new file beside `path`, then rename it: at any moment the old or the new content is there.

    Args:
        keep: a name for what was at `path` before; a kill between the two renames leaves the old content under it.

    Raises:
        RunError: a full disk, a missing permission, ...; what was at `path` is still there.
    """
    path = Path(path)
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(new, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep and path.exists():
            os.replace(path, path.with_name(keep))
        os.replace(new, path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise RunError(f"{path} cannot be written ({error.strerror or error})") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`write` of text."""
    write(path, text.encode())


def as_json(content: object, indent: int | None = None) -> str:
    """Plain containers as JSON that every parser takes: what is not finite, which JSON has no word for, as null."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: object) -> object:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_picture(path: str | os.PathLike[str], sheet: np.ndarray) -> None:
    """`write` of an array (H, W, 3), or (H, W, 4) with opacity, in [0, 1] as PNG, or as what the path ends with out of
    `PICTURES`, with the `MARK`."""
    from PIL import Image, PngImagePlugin

    kind = PICTURES.get(Path(path).suffix.lower(), "PNG")
    buffer, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_text("Software", "genimg")
    options: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": info},
        "JPEG": {"comment": MARK, "quality": 95, "subsampling": 0},
        "WEBP": {"xmp": MARK, "lossless": True},
    }
    Image.fromarray((sheet * 255).round().astype("uint8")).save(buffer, kind, **options[kind])
    write(path, buffer.getvalue())


def is_own_picture(path: str | os.PathLike[str]) -> bool:
    """Whether it has the `MARK` at its beginning or its end, so that what was drawn is not taken for data.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(2000)
        file.seek(max(0, os.path.getsize(path) - 2000))
        return MARK in start + file.read()


def write_tensors(path: str | os.PathLike[str], content: object, keep: str | None = None) -> None:
    """`write` of nested plain containers and tensors, for `read_tensors`."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write(path, buffer.getvalue(), keep)


def write_weights(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """`write` of named tensors as safetensors. The same tensors give the same bytes."""
    from safetensors.torch import save

    write(path, save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, {"format": "pt"}))


def read_json(path: str | os.PathLike[str]) -> Any:
    """The parsed file.

    Raises:
        RunError: unreadable or not JSON.
    """
    _refuse_special(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not a JSON file ({_line(error)})") from error


def read_tensors(path: str | os.PathLike[str]) -> Any:
    """What `write_tensors` wrote. Nothing in the file is run, whatever it holds.

    Raises:
        RunError: truncated, damaged, not such a file, or with objects other than tensors and plain containers.
    """
    _refuse_special(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise RunError(f"{path} is damaged: the checksum of {damaged} does not match")
        return torch.load(path, map_location="cpu", weights_only=True)
    except RunError:
        raise
    except FileNotFoundError as error:
        raise RunError(f"{path} is not there") from error
    except zipfile.BadZipFile as error:
        raise RunError(f"{path} is half-written or not a checkpoint ({_line(error)})") from error
    except Exception as error:  # UnpicklingError for code, RuntimeError, KeyError, EOFError, ... for what is broken
        raise RunError(f"{path} is not a checkpoint of genimg; nothing in it was run ({_line(error)})") from error


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Named tensors of a safetensors file.

    Raises:
        RunError: truncated, damaged, or not such a file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    _refuse_special(path)
    try:
        return load(Path(path).read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is half-written or not a safetensors file ({_line(error)})") from error


def check_finite(tensors: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Raise RunError if a tensor holds NaN or infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise RunError(f"{path} holds numbers that are not finite, in {name}")


@contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the folder against a second process that would train in it; freed when the process ends, however it does.

    Raises:
        RunError: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    try:
        file = open(Path(folder) / ".lock", "w")
    except OSError as error:
        raise RunError(f"{folder} cannot be written to ({error.strerror or error})") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"another process is training in {folder}; wait for it or choose another --out") from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        file.close()


def _refuse_special(path: str | os.PathLike[str]) -> None:
    """Reading a pipe waits for ever, reading a device may never end."""
    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise RunError(f"{path} cannot be read (it is not an ordinary file)")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
