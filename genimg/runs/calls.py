"""The command line's train and load from Python: the same settings, the same defaults, the same folder."""

import dataclasses
import os
from pathlib import Path

import torch

from genimg.data.account import title
from genimg.data.sources import meant
from genimg.models.model import Model
from genimg.runs import kept, run
from genimg.runs.kept import Echo
from genimg.runs.recipes import DEFAULT, FAMILIES, FOUND, SAVE_EVERY, Recipe
from genimg.system.device import PRECISIONS
from genimg.system.errors import RunError


def train(
    data: str | os.PathLike[str], family: str = DEFAULT, out: str | os.PathLike[str] | None = None, *,
    device: torch.device | str | None = None, precision: str | None = None, compiled: bool = False,
    save_every: int = SAVE_EVERY, minutes: float | None = None, patience: int | None = None,
    start: str | os.PathLike[str] | None = None, workers: int | None = None, memory: float | None = None,
    echo: Echo = print, **settings: object,
) -> Model:  # fmt: skip
    """Train a generator on a folder of pictures, or go on with what was begun, as `python -m genimg train` does.

    Args:
        data: a folder, or a source of `load_images`.
        family: "gan", "vae", "flow" or "latent", which came nearest to unseen pictures in equal time on a processor.
        out: the run's folder; None takes runs/NAME-FAMILY in the working folder.
        device, compiled, save_every, minutes, patience, start, workers, memory, echo: see `run.train`.
        precision: "float32" or "bfloat16"; None takes the one that the device is fast at.
        settings: of a `recipes.Recipe`, by name: size, steps, batch, seed, lr, width, ...

    Returns:
        the model of the best save, see `load`.

    Raises:
        RunError, DataError, Diverged: see `run.train`; a setting that there is none of.
        KeyboardInterrupt: on Ctrl-C, after saving; the same call goes on.
    """
    known = {field.name for field in dataclasses.fields(Recipe)} - {*FOUND, "family", "data"}
    if unknown := settings.keys() - known:
        raise RunError(f"train has no setting {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    _hold(save_every, "save_every", 1)
    for name, value, least in (("workers", workers, 0), ("patience", patience, 1)):
        if value is not None:
            _hold(value, name, least)
    for name, number in (("minutes", minutes), ("memory", memory)):
        if number is not None and not (isinstance(number, int | float) and number >= 0):
            raise RunError(f"{name}={number!r}: it has to be a number of at least 0")
    if precision not in (None, *PRECISIONS):
        raise RunError(f"precision {precision!r}: it has to be one of {', '.join(PRECISIONS)}")
    if family not in FAMILIES:
        raise RunError(f"family {family!r}: it has to be one of {', '.join(FAMILIES)}")
    out = Path(out or Path("runs", f"{title(meant(data))}-{family}"))
    recipe = Recipe(family, os.fspath(data), **settings)  # type: ignore[arg-type]
    try:
        run.train(
            recipe, out, device, save_every, PRECISIONS[precision] if precision else None, compiled, workers, memory,
            echo, start, minutes, patience,
        )  # fmt: skip
    except run.Stopped as stopped:
        if stopped.code:
            raise KeyboardInterrupt(str(stopped)) from None
        echo(str(stopped))
    return load(out, device)


def _hold(value: object, name: str, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise RunError(f"{name}={value!r}: it has to be a whole number of at least {least}")


def load(folder: str | os.PathLike[str], device: torch.device | str | None = None, last: bool = False) -> Model:
    """The model of a run, ready for `sample` and `genimg.evaluate`, its `history` that of the training.

    Args:
        folder: of the run.
        device: None takes the GPU where there is one.
        last: as it was at the last save, instead of the best.

    Raises:
        RunError: see `run.load`.
    """
    model, _ = run.load(folder, device, last)
    model.history = kept.read_history(Path(folder))
    return model
