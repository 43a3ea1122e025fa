"""What `fit` is given, and one line where that cannot be trained on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.utils.data import DataLoader

from genimg.data.images import Images, Streamed
from genimg.models.model import Model
from genimg.system.errors import DataError, shown

#: What can be passed.
PASS = "pass what genimg.load_images gives, or a uint8 tensor (N, C, H, W)"


def check_pictures(images: object) -> None:
    """Hold the pictures to their kind.

    Raises:
        DataError: a path, a list, a DataLoader, ... in their place; it says what to pass.
    """
    if isinstance(images, Images | Streamed | Tensor):
        return
    if isinstance(images, str | os.PathLike):
        raise DataError(f"{shown(images, 200)!r} is no set of pictures; genimg.load_images reads a folder into one")
    if isinstance(images, DataLoader):
        raise DataError(f"a DataLoader makes batches, which fit does by itself; {PASS} and batch=")
    if isinstance(images, list | tuple):
        raise DataError(f"a {type(images).__name__} is no set of pictures; {PASS}: torch.stack makes one of many")
    raise DataError(f"{type(images).__name__} is no set of pictures; {PASS}")


@contextmanager
def explained(model: Model, x: Tensor) -> Iterator[None]:
    """What torch says of a batch (N, C, H, W) of other shape than the model's is said in words.

    Raises:
        DataError: the shapes differ.
    """
    try:
        yield
    except RuntimeError as error:
        made = _made(model)
        if made is None or made == tuple(x.shape[1:]):
            raise
        (channels, *sides), (height, width) = made, x.shape[-2:]
        size, own = (a if a == b else (a, b) for a, b in (sides, (height, width)))
        raise DataError(
            f"the pictures are {tuple(x.shape[1:])}, channels x height x width, and the model makes {made}: build it "
            f"with size={own}, channels={x.shape[1]}, or load pictures with size={size}"
            + (f" and of {channels} channel{'s' * (channels > 1)}" if channels != x.shape[1] else "")
        ) from error


def _made(model: Model) -> tuple[int, ...] | None:
    """Channels, height and width of what a model draws, None where it does not tell."""
    try:
        return tuple((model.sample(2, seed=0) if model.quick else model.noise(2)).shape[1:])
    except (NotImplementedError, RuntimeError):
        return None
