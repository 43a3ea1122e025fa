"""Pictures from anywhere as one uint8 tensor, and endless batches of them in [-1, 1] on the device."""

import hashlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genimg import shapes
from genimg.errors import DataError

#: Sources that need no network.
DIGITS, PHOTOS, SHAPES = "digits", "photos", "shapes"
#: Source that is downloaded once -> its name in torchvision.
DOWNLOADED = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
#: All sources but folders.
SOURCES = (DIGITS, PHOTOS, SHAPES, *DOWNLOADED)

#: Bounds of the width and height of pictures, in pixels.
SMALLEST, LARGEST = 8, 1024


@dataclass(frozen=True)
class Images:
    """Pictures in memory.

    Attributes:
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,), or None.
        factors: name -> (N,) where the truth behind the pictures is known (shapes), or None.
        classes: the labels' names.
        skipped: files of a folder that could not be read and were left out.
    """

    pixels: Tensor
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        """The pictures at `index`: an integer gives a set of one, otherwise a slice, list, mask or tensor."""
        if isinstance(index, int):
            index = [index]
        labels = None if self.labels is None else self.labels[index]
        factors = None if self.factors is None else {name: value[index] for name, value in self.factors.items()}
        return Images(self.pixels[index], labels, factors, self.classes)

    @property
    def shape(self):
        """(N, C, H, W)."""
        return tuple(self.pixels.shape)

    def floats(self, device=None):
        """All pictures as float32 (N, C, H, W) in [-1, 1]."""
        return to_floats(self.pixels.to(device))

    def split(self, test=0.2, seed=0):
        """(train, test): every picture in exactly one, drawn by the seed; `test` is a share or a number.

        Raises:
            DataError: one side would be empty.
        """
        n_test = round(test * len(self)) if isinstance(test, float) else test
        if not 0 < n_test < len(self):
            raise DataError(f"a test set of {n_test} out of {len(self)} pictures leaves one side empty")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[n_test:]], self[order[:n_test]]


def to_floats(pixels):
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def to_bytes(x):
    """Floats in [-1, 1] (clipped) -> uint8 0..255, to the nearest level."""
    return x.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def load_images(source, size=None, n=None, seed=0, **options):
    """Load or draw pictures.

    Args:
        source: "digits", "photos", "shapes", "mnist", "fashion_mnist", "cifar10", or a folder of pictures.
        size: width and height in pixels, 8 to 1024. None keeps what the source has (digits 8, photos 427x640,
            mnist 28, cifar10 32); shapes and folders then take 32 and 64.
        n: how many pictures at most, drawn by the seed (shapes: how many exactly, 10,000 by default; photos: how
            many random square crops, 1,000 by default, when a size is given).
        seed: of every choice made here.
        options: for shapes, those of `shapes.sample_factors`; for folders background, fit, skip_bad and memory, see
            `folder.load`.

    Returns:
        Images; of a folder that does not fit in memory a `folder.Stream`.

    Raises:
        DataError: an unknown source, a missing, empty or corrupt one, or a number out of range.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(f"source {source!r}: it has to be a folder or one of {', '.join(SOURCES)}")
    if size is not None and not (isinstance(size, int) and SMALLEST <= size <= LARGEST):
        raise DataError(f"size={size!r}: it has to be a whole number from {SMALLEST} to {LARGEST}")
    if n is not None and not (isinstance(n, int) and n >= 1):
        raise DataError(f"n={n!r}: it has to be a whole number of at least 1")
    if source == SHAPES:
        return _shapes(size or 32, 10_000 if n is None else n, seed, options)
    if source not in SOURCES:
        return _folder(source, size or 64, n, seed, options)
    if options:
        raise DataError(f"{', '.join(options)}: only shapes and folders take options, {str(source)!r} has none")
    if source == PHOTOS:
        return _photos(size, 1_000 if n is None else n, seed)
    images = _digits() if source == DIGITS else _downloaded(source)
    if n is not None and n < len(images):
        images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:n]]
    return images if size is None else Images(_resize(images.pixels, size), images.labels, None, images.classes)


def batches(images, batch, seed=0, device="cpu", start=0, part=(0, 1), workers=None, labelled=False):
    """Endless batches (B, C, H, W), float32 in [-1, 1], channels_last, on the device; or pairs of one and its labels.

    Every picture comes once before any comes again; the order depends on the seed and the epoch alone. The uint8
    pictures are put on the device once. A last short batch is filled from the next epoch.

    Args:
        images: Images, a `folder.Stream`, or a uint8 tensor (N, C, H, W).
        batch: pictures in a batch, over all processes.
        start: how many batches to leave out: those that were drawn before.
        part: (rank, processes): only this process's rows of each batch.
        workers: processes that decode a stream's files; None takes up to 4.
        labelled: give (batch, labels (B,)).

    Raises:
        DataError: not uint8 pictures, or none; or no labels where they are asked for.
        ValueError: the batch cannot be shared evenly.
    """
    order = _indices(len(images), batch, seed, start, part)
    labels = getattr(images, "labels", None)
    if labelled:
        if labels is None:
            raise DataError("these pictures have no labels, and the model was built with classes; build it without")
        order, again = itertools.tee(order)
        labels = labels.to(device)
    if hasattr(images, "pixels_of"):
        drawn = images.batches(order, workers)
    else:
        pixels = images.pixels if isinstance(images, Images) else images
        if pixels.dtype != torch.uint8 or pixels.dim() != 4 or len(pixels) == 0:
            raise DataError(
                f"batches need uint8 pictures (N, C, H, W), got {pixels.dtype} {tuple(pixels.shape)}; "
                f"genimg.data.to_bytes turns floats in [-1, 1] into them"
            )
        pixels = pixels.to(device)
        drawn = (pixels[_sent(index, device)] for index in order)
    for x in drawn:
        x = to_floats(_sent(x, device)).contiguous(memory_format=torch.channels_last)  # (B, C, H, W)
        yield (x, labels[_sent(next(again), device)]) if labelled else x


def _sent(tensor, device):
    """On the device, without waiting for a GPU."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _indices(n, batch, seed, start, part):
    """Endless batches of indices (B / processes,) into n pictures: one permutation an epoch, end to end."""
    rank, processes = part
    if batch < 1 or start < 0 or not 0 <= rank < processes:
        raise ValueError(f"batch={batch}, start={start}, part={part}: out of range")
    if batch % processes:
        raise ValueError(f"a batch of {batch} cannot be shared by {processes} processes evenly")
    own = batch // processes
    epoch, offset = divmod(start * batch, n)
    waiting = _permutation(n, seed, epoch)[offset:]
    while True:
        while len(waiting) < batch:
            epoch += 1
            waiting = torch.cat([waiting, _permutation(n, seed, epoch)])
        index, waiting = waiting[:batch], waiting[batch:]
        yield index[rank * own : (rank + 1) * own]


def _permutation(n, seed, epoch):
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def fingerprint(images):
    """A short hash of the pictures, so that a run can tell whether they are the same as before.

    It is the same for a folder in memory and streamed.
    """
    if hasattr(images, "pixels_of"):
        return images.fingerprint
    return combined((digest(picture) for picture in images.pixels), images.shape[1:])


def digest(picture):
    """SHA-256 of one picture's bytes; uint8 (C, H, W)."""
    return hashlib.sha256(picture.contiguous().numpy().data).digest()


def combined(digests, shape):
    """The fingerprint of pictures (C, H, W) with these digests."""
    whole = hashlib.sha256(repr(tuple(shape)).encode())
    for one in digests:
        whole.update(one)
    return whole.hexdigest()[:16]


def data_folder():
    """Where downloads are kept: `GENIMG_DATA`, or genimg/ in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GENIMG_DATA") or Path(cache) / "genimg")


def import_torchvision():
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


def _sklearn_datasets():
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError("digits and photos come with scikit-learn: pip install scikit-learn") from error
    return datasets


def _folder(source, size, n, seed, options):
    from genimg import folder

    unknown = options.keys() - {"background", "fit", "skip_bad", "memory"}
    if unknown:
        raise DataError(f"{', '.join(sorted(unknown))}: folders take background, fit, skip_bad and memory")
    return folder.load(source, size, n=n, seed=seed, **options)


def _shapes(size, n, seed, options):
    try:
        factors = shapes.sample_factors(n, seed, **options)
        pixels = shapes.render(factors, size)
    except (TypeError, ValueError) as error:
        raise DataError(f"shapes: {error}") from error
    return Images(pixels, factors["kind"], factors, shapes.KINDS)


def _digits():
    loaded = _sklearn_datasets().load_digits()
    pixels = torch.from_numpy(loaded.images).unsqueeze(1) * (255 / 16)  # 16 is white: (1797, 1, 8, 8)
    return Images(
        pixels.round().to(torch.uint8), torch.from_numpy(loaded.target).long(), None, tuple(map(str, range(10)))
    )


def _photos(size, n, seed):
    loaded = _sklearn_datasets().load_sample_images()
    photos = torch.stack([torch.from_numpy(i.copy()) for i in loaded.images]).permute(0, 3, 1, 2)  # (2, 3, 427, 640)
    names = tuple(Path(name).stem for name in loaded.filenames)
    if size is None:
        return Images(photos.contiguous(), torch.arange(2), None, names)
    generator = torch.Generator().manual_seed(seed)
    height, width = photos.shape[-2:]
    labels = torch.randint(2, (n,), generator=generator)
    smallest = min(max(size, height // 4), height)
    sides = torch.randint(smallest, height + 1, (n,), generator=generator)
    crops = []
    for label, side in zip(labels.tolist(), sides.tolist(), strict=True):
        top = int(torch.randint(height - side + 1, (1,), generator=generator))
        left = int(torch.randint(width - side + 1, (1,), generator=generator))
        crops.append(_resize(photos[label : label + 1, :, top : top + side, left : left + side], size))
    return Images(torch.cat(crops), labels, None, names)


def _downloaded(source):
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


def _resize(pixels, size):
    """(N, C, H, W) uint8 to (N, C, size, size), bicubic, anti-aliased when it shrinks."""
    if tuple(pixels.shape[-2:]) == (size, size):
        return pixels
    parts = [
        torch.nn.functional.interpolate(part.float(), (size, size), mode="bicubic", antialias=True)
        for part in pixels.split(4096)
    ]
    return torch.cat(parts).round().clamp(0, 255).to(torch.uint8)
