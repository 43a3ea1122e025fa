"""A recipe's pictures."""

import dataclasses
import os
from typing import Any

from genimg.data.images import SOURCES, Images, fingerprint
from genimg.data.sources import load_images, unmistakable
from genimg.data.stream import Stream
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError


def load_pictures(
    recipe: Recipe, workers: int | None = None, memory: float | None = None
) -> tuple[Images | Stream, Recipe]:
    """The recipe's pictures, and the recipe with their channels, their white and their fingerprint.

    Raises:
        RunError: options of folders for a built-in source.
        DataError: see `load_images`.
    """
    options: dict[str, Any] = {}
    if os.path.isdir(os.path.expanduser(recipe.data)) and recipe.data not in SOURCES:
        options = dict(background=recipe.background, fit=recipe.fit, skip_bad=recipe.skip_bad, memory=memory)
        options |= dict(channels=recipe.channels, white=recipe.white)
    elif (recipe.background, recipe.fit, recipe.skip_bad, recipe.white) != ("white", "crop", False, None):
        raise RunError(f"--background, --fit, --skip-bad and --white are for folders; {recipe.data!r} is none")
    images = load_images(unmistakable(recipe.data), recipe.size, recipe.n, seed=recipe.seed, **options)
    if isinstance(images, Stream):
        images.workers = workers
    channels, account = images.shape[1], images.account
    if recipe.channels not in (None, channels):
        raise RunError(
            f"--channels {recipe.channels}: {recipe.data} has {channels}; only folders can be read otherwise"
        )
    white = account.white if account else None
    return images, dataclasses.replace(recipe, channels=channels, white=white, fingerprint=fingerprint(images))
