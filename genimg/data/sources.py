"""Pictures from anywhere, by the name of a source or of a folder, as one uint8 tensor."""

import dataclasses
import os
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, overload

import torch
from torch import Tensor

from genimg.data import folder, shapes
from genimg.data.account import Account
from genimg.data.images import DIGITS, DOWNLOADED, LARGEST, PHOTOS, SHAPES, SMALLEST, SOURCES, Images, Size, sides
from genimg.data.stream import Stream
from genimg.system.errors import DataError

#: What stands before the name of a built-in source that is meant whatever folders there are.
OWN = "genimg:"

#: Options of folders.
OPTIONS = (
    "background", "fit", "skip_bad", "memory", "channels", "white", "classes", "captions", "vocabulary",
)  # fmt: skip

#: The sources that have a name, and how they are asked for where a folder has it too.
Named = Literal[
    "digits", "photos", "shapes", "mnist", "fashion_mnist", "cifar10", "genimg:digits", "genimg:photos",
    "genimg:shapes", "genimg:mnist", "genimg:fashion_mnist", "genimg:cifar10",
]  # fmt: skip


@overload
def load_images(
    source: Named, size: Size | None = None, n: int | None = None, seed: int = 0, **options: Any
) -> Images: ...
@overload
def load_images(
    source: str | os.PathLike[str], size: Size | None = None, n: int | None = None, seed: int = 0, **options: Any
) -> Images | Stream: ...
def load_images(
    source: str | os.PathLike[str], size: Size | None = None, n: int | None = None, seed: int = 0, **options: Any
) -> Images | Stream:
    """Load or draw pictures.

    Args:
        source: "digits", "photos", "shapes", "mnist", "fashion_mnist", "cifar10", or a folder of pictures, see `meant`.
        size: width and height in pixels, 8 to 1024; of folders and photos also (height, width). None keeps what the
            source has (digits 8, photos 427x640, mnist 28, cifar10 32); shapes and folders then take 32 and 64.
        n: how many pictures at most, drawn by the seed (shapes: how many exactly, 10,000 by default; photos: how
            many random crops of these proportions, 1,000 by default, when a size is given).
        seed: of every choice made here.
        options: for shapes, those of `shapes.sample_factors`; for folders background, fit, skip_bad, memory, channels,
            white, classes, captions and vocabulary, see `folder.load`.

    Returns:
        Images; of a folder that does not fit in memory a `stream.Stream`.

    Raises:
        DataError: an unknown source, a missing, empty or corrupt one, or one of two meanings; a number out of range.
    """
    source = meant(source)
    if size is not None:
        size = _sized(size)
    if n is not None and not (isinstance(n, int) and n >= 1):
        raise DataError(f"n={n!r}: it has to be a whole number of at least 1")
    if not isinstance(seed, int):
        raise DataError(f"seed={seed!r}: it has to be a whole number")
    if source not in SOURCES:
        return _folder(source, size or 64, n, seed, options)
    if isinstance(size, tuple) and source != PHOTOS:
        raise DataError(f"size={size!r}: {source} are squares; folders and photos are also read as (height, width)")
    images = _built_in(source, size, n, seed, options)
    return dataclasses.replace(images, account=Account(source, images.shape))


def _sized(size: object) -> Size:
    """A size held to its bounds: of squares one number, else (height, width)."""
    both = tuple(size) if isinstance(size, tuple | list) and len(size) == 2 else (size, size)
    if not all(isinstance(side, int) and SMALLEST <= side <= LARGEST for side in both):
        whole = f"whole number from {SMALLEST} to {LARGEST}"
        raise DataError(f"size={size!r}: it has to be a {whole}, or two of them, (height, width)")
    return both[0] if both[0] == both[1] else both


def meant(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The plain name of a built-in source where one is meant, else the folder as it is given.

    "genimg:photos" is always the built-in source; "./photos" and Path("photos") are always a folder; "photos" is
    refused where there is a folder of that name too.

    Raises:
        DataError: both are there; or it is no text and no path at all.
    """
    if not isinstance(source, str | os.PathLike):
        raise DataError(
            f"{type(source).__name__} is no source of pictures: pass a folder or one of {', '.join(SOURCES)}; what is "
            f"in memory already needs none, genimg.fit(model, images) trains on a uint8 tensor (N, C, H, W)"
        )
    if isinstance(source, str) and source.removeprefix(OWN) in SOURCES:
        name = source.removeprefix(OWN)
        if source == name and os.path.isdir(name):
            raise DataError(
                f"{name!r} is a folder here and a built-in source: './{name}' is the folder, '{OWN}{name}' the source"
            )
        return name
    return source


def unmistakable(source: str) -> str:
    """A source that `meant` has given, as text that stays what it is whatever folders come."""
    return OWN + source if source in SOURCES else source


def _built_in(source: str, size: Size | None, n: int | None, seed: int, options: dict[str, Any]) -> Images:
    if source == SHAPES:
        assert not isinstance(size, tuple)
        return _shapes(size or 32, 10_000 if n is None else n, seed, options)
    if options:
        raise DataError(f"{', '.join(options)}: only shapes and folders take options, {source!r} has none")
    if source == PHOTOS:
        return _photos(size, 1_000 if n is None else n, seed)
    images = _digits() if source == DIGITS else _downloaded(source)
    if n is not None and n < len(images):
        images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:n]]
    return images if size is None else Images(_resize(images.pixels, size), images.labels, None, images.classes)


def data_folder() -> Path:
    """Where downloads are kept: `GENIMG_DATA`, or genimg/ in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GENIMG_DATA") or Path(cache) / "genimg")


def import_torchvision() -> ModuleType:
    """torchvision, or one clear error where it is absent or was built for another torch.

    Raises:
        ImportError: naming both versions and what to install.
    """
    try:
        import torchvision
    except Exception as error:  # a wheel for another torch dies with RuntimeError or OSError, not ImportError
        raise ImportError(
            f"this needs torchvision in the version that belongs to torch {torch.__version__}, and importing it failed "
            f"with: {str(error).splitlines()[0] if str(error) else type(error).__name__}. Install the two together, "
            f"from the same place: pip install --upgrade torch torchvision"
        ) from error
    return torchvision


def _sklearn_datasets() -> ModuleType:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError("digits and photos come with scikit-learn: pip install scikit-learn") from error
    return datasets


def _folder(
    source: str | os.PathLike[str], size: Size, n: int | None, seed: int, options: dict[str, Any]
) -> Images | Stream:
    if unknown := options.keys() - set(OPTIONS):
        raise DataError(f"{', '.join(sorted(unknown))}: folders take {', '.join(OPTIONS)}")
    return folder.load(source, size, n=n, seed=seed, **options)


def _shapes(size: int, n: int, seed: int, options: dict[str, Any]) -> Images:
    try:
        factors = shapes.sample_factors(n, seed, **options)
        pixels = shapes.render(factors, size)
    except (TypeError, ValueError) as error:
        raise DataError(f"shapes: {error}") from error
    return Images(pixels, factors["kind"], factors, shapes.KINDS)


def _digits() -> Images:
    loaded = _sklearn_datasets().load_digits()
    pixels = torch.from_numpy(loaded.images).unsqueeze(1) * (255 / 16)  # 16 is white: (1797, 1, 8, 8)
    return Images(
        pixels.round().to(torch.uint8), torch.from_numpy(loaded.target).long(), None, tuple(map(str, range(10)))
    )


def _photos(size: Size | None, n: int, seed: int) -> Images:
    loaded = _sklearn_datasets().load_sample_images()
    photos = torch.stack([torch.from_numpy(i.copy()) for i in loaded.images]).permute(0, 3, 1, 2)  # (2, 3, 427, 640)
    names = tuple(Path(name).stem for name in loaded.filenames)
    if size is None:
        return Images(photos.contiguous(), torch.arange(2), None, names)
    generator = torch.Generator().manual_seed(seed)
    height, width = photos.shape[-2:]
    labels = torch.randint(2, (n,), generator=generator)
    tall, wide = sides(size)
    highest = min(height, width * tall // wide)
    lowest = min(max(tall, height // 4), highest)
    heights = torch.randint(lowest, highest + 1, (n,), generator=generator)
    crops = []
    for label, h in zip(labels.tolist(), heights.tolist(), strict=True):
        w = min(max(1, round(h * wide / tall)), width)
        top = int(torch.randint(height - h + 1, (1,), generator=generator))
        left = int(torch.randint(width - w + 1, (1,), generator=generator))
        crops.append(_resize(photos[label : label + 1, :, top : top + h, left : left + w], size))
    return Images(torch.cat(crops), labels, None, names)


def _downloaded(source: str) -> Images:
    torchvision = import_torchvision()
    folder = data_folder()
    loader = getattr(torchvision.datasets, DOWNLOADED[source])
    try:
        loaded = loader(root=str(folder), train=True, download=True)
    except Exception as error:  # torchvision raises RuntimeError, URLError, OSError, ... for a missing network
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{source} is not in {folder} and could not be downloaded ({why}). Connect once "
            f"and run again, or copy torchvision's {DOWNLOADED[source]} files there, or set GENIMG_DATA to the folder "
            f"that has them. digits, photos and shapes need no download."
        ) from error
    pixels = torch.as_tensor(loaded.data)
    pixels = pixels.unsqueeze(1) if pixels.dim() == 3 else pixels.permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.as_tensor(loaded.targets).long(), None, tuple(loaded.classes))


def _resize(pixels: Tensor, size: Size) -> Tensor:
    """(N, C, H, W) uint8 to a size, bicubic, anti-aliased when it shrinks."""
    if tuple(pixels.shape[-2:]) == sides(size):
        return pixels
    parts = [
        torch.nn.functional.interpolate(part.float(), sides(size), mode="bicubic", antialias=True)
        for part in pixels.split(4096)
    ]
    return torch.cat(parts).round().clamp(0, 255).to(torch.uint8)
