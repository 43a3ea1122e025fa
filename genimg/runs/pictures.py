"""A recipe's pictures: those that are trained on, and those that are held out to measure by."""

import dataclasses
import os
from typing import Any

import torch
from torch import Tensor

from genimg.data import labels
from genimg.data.captions import Vocabulary
from genimg.data.images import SOURCES, Images, fingerprint
from genimg.data.sources import load_images, unmistakable
from genimg.data.stream import Stream
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError

#: Of how many pictures one is held out, and the least and the most that are, where nothing is said.
SHARE, LEAST, MOST = 10, 50, 2000
#: Fewer than this say nothing, and then none is held out.
TOO_FEW = 8


def load_pictures(
    recipe: Recipe, workers: int | None = None, memory: float | None = None
) -> tuple[Images | Stream, Recipe]:
    """The recipe's pictures, and the recipe with their channels, their white, their classes or the words of their
    captions (unless it has words), how many are held out, and their fingerprint.

    Raises:
        RunError: options of folders for a built-in source; classes of one without; more held out than a third.
        DataError: see `load_images`.
    """
    options: dict[str, Any] = {}
    if os.path.isdir(os.path.expanduser(recipe.data)) and recipe.data not in SOURCES:
        options = dict(background=recipe.background, fit=recipe.fit, skip_bad=recipe.skip_bad, memory=memory)
        options |= dict(channels=recipe.channels, white=recipe.white, classes=recipe.classes)
        known = Vocabulary(recipe.words, recipe.length) if recipe.words else recipe.vocabulary
        options |= dict(captions=recipe.captions, vocabulary=known) if recipe.captions else {}
    elif recipe.captions and recipe.data in SOURCES:
        raise RunError(f"--captions {recipe.captions}: captions are of a folder's files; {recipe.data!r} is none")
    elif (recipe.background, recipe.fit, recipe.skip_bad, recipe.white) != ("white", "crop", False, None):
        raise RunError(f"--background, --fit, --skip-bad and --white are for folders; {recipe.data!r} is none")
    images = load_images(unmistakable(recipe.data), recipe.size, recipe.n, seed=recipe.seed, **options)
    if isinstance(images, Stream):
        images.workers = workers
    recipe = _with_captions(_with_classes(recipe, images), images)
    channels, account = images.shape[1], images.account
    if recipe.channels not in (None, channels):
        raise RunError(
            f"--channels {recipe.channels}: {recipe.data} has {channels}; only folders can be read otherwise"
        )
    held_out = to_hold_out(len(images)) if recipe.held_out is None else recipe.held_out
    if held_out > len(images) // 3:
        raise RunError(f"--held-out {held_out}: of {len(images):,} pictures a third at most, {len(images) // 3:,}")
    white = account.white if account else None
    found = dataclasses.replace(recipe, channels=channels, white=white, held_out=held_out)
    return images, dataclasses.replace(found, fingerprint=fingerprint(images))


def _with_classes(recipe: Recipe, images: Images | Stream) -> Recipe:
    """The recipe with the names of the pictures' classes and their labels' fingerprint, where it asks for them."""
    if recipe.classes is None:
        return recipe
    names = tuple(images.account.classes) if images.account and images.account.classes else ()
    names = names or (images.classes if isinstance(images, Images) else ())
    if images.labels is None or not names:
        raise RunError(f"--classes {recipe.classes}: {recipe.data} has no labels")
    return dataclasses.replace(recipe, class_names=names, labels=labels.fingerprint(images.labels, names))


def _with_captions(recipe: Recipe, images: Images | Stream) -> Recipe:
    """The recipe with the words of the pictures' captions and their sentences' fingerprint, where it asks for them."""
    if recipe.captions is None:
        return recipe
    assert images.account and images.account.captions and images.labels is not None
    words = tuple(images.account.captions.words)
    found = labels.fingerprint(images.labels, words)
    return dataclasses.replace(recipe, words=words, length=images.labels.shape[1], labels=found)


def to_hold_out(n: int) -> int:
    """How many of n pictures are held out: every tenth, at least 50, at most 2,000; never more than a third."""
    held_out = min(max(n // SHARE, LEAST), MOST, n // 3)
    return held_out if held_out >= TOO_FEW else 0


def parted(images: Images | Stream, recipe: Recipe) -> tuple[Images | Stream, Images | Stream]:
    """(those that are trained on, those that are held out), drawn by the recipe's seed."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(recipe.seed))
    held_out, rest = order.split([recipe.held_out or 0, len(images) - (recipe.held_out or 0)])
    return part(images, rest) if recipe.held_out else images, part(images, held_out)


def part(images: Images | Stream, index: Tensor) -> Images | Stream:
    """The pictures at an index (M,), in the order in which they lie."""
    index = index.sort().values
    return images[index] if isinstance(images, Images) else images.part(index.tolist())


def some(images: Images | Stream, n: int, seed: int = 0) -> Images:
    """At most n of the pictures, drawn by the seed, in memory."""
    index = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:n]
    return images[index] if isinstance(images, Images) else Images(images.pixels_of(index.tolist()))
