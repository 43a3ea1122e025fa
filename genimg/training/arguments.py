"""What `fit` and `diagnose` are given, and one line where that cannot be trained on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from genimg.data.images import Images, Streamed
from genimg.models.model import Model
from genimg.system.errors import DataError, shown

#: What can be passed.
PASS = "pass what genimg.load_images gives, or a uint8 tensor (N, C, H, W)"


def check_model(model: object) -> None:
    """Hold the model to its kind.

    Raises:
        TypeError: a class, a network, the pictures, ... in its place; it says what to pass.
    """
    if isinstance(model, Model):
        return
    if isinstance(model, type):
        raise TypeError(f"{model.__name__} is a class: pass a model that it builds, {model.__name__}(...)")
    raise TypeError(
        f"{type(model).__name__} is no model: the model comes first, then the pictures, and networks of your own go "
        f"into one, as genimg.gan.GAN(generator=..., discriminator=...)"
    )


def check_numbers(seed: object, **counts: object) -> None:
    """Hold the seed and what is counted to whole numbers.

    Raises:
        ValueError: one of them is none, or a count is below 1.
    """
    if not all(isinstance(number, Integral) and int(number) >= 1 for number in counts.values()):
        said = ", ".join(f"{name}={number!r}" for name, number in counts.items())
        raise ValueError(f"{said}: each has to be a whole number of at least 1")
    if not isinstance(seed, Integral):
        raise ValueError(f"seed={seed!r}: it has to be a whole number")


def check_pictures(images: object) -> None:
    """Hold the pictures to their kind.

    Raises:
        DataError: a path, a list, a DataLoader, an array, a tensor of other shape or numbers, ... in their place; it
            says what to pass.
    """
    if isinstance(images, Images | Streamed):
        return
    if isinstance(images, Tensor):
        _check_tensor(images)
        return
    if isinstance(images, str | os.PathLike):
        raise DataError(f"{shown(images, 200)!r} is no set of pictures; genimg.load_images reads a folder into one")
    if isinstance(images, DataLoader):
        raise DataError(f"a DataLoader makes batches, which fit does by itself; {PASS} and batch=")
    if isinstance(images, list | tuple):
        raise DataError(f"a {type(images).__name__} is no set of pictures; {PASS}: torch.stack makes one of many")
    if isinstance(images, np.ndarray):
        raise DataError(f"an array {images.shape} is no set of pictures; {PASS}: torch.from_numpy makes one of it")
    raise DataError(f"{type(images).__name__} is no set of pictures; {PASS}")


def _check_tensor(x: Tensor) -> None:
    shape, way = tuple(x.shape), ""
    if len(shape) == 4 and shape[1] > 4 >= shape[3]:
        way = "x.permute(0, 3, 1, 2) puts channels where they belong"
    elif len(shape) == 3:
        way = "x[None] is a set of one picture, x[:, None] one of grey pictures (N, H, W)"
    elif x.dtype != torch.uint8:
        way = "genimg.data.images.to_bytes turns floats in [-1, 1] into them"
        way += ", (255 * x).round().byte() those in [0, 1]" if x.is_floating_point() else ", x.byte() numbers to 255"
    elif len(shape) == 4 and len(x):
        return
    raise DataError(f"these need to be uint8 pictures (N, C, H, W), got {x.dtype} {shape}{way and '; '}{way}")


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
