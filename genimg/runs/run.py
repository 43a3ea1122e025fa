"""A run in a folder: started, interrupted, continued, sampled from. What stands in the folder is always whole.

config.json            the recipe
pictures.txt           what was read of the data and what was passed over
checkpoint.pt          all that the next step depends on; checkpoint.previous.pt is the one before
weights.safetensors    the averaged networks, for `sample`
history.csv            means of the losses
samples/               data.png (what D or the encoder sees), then a grid each so often, always the same noise
"""

import csv
import dataclasses
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genimg import plots
from genimg.data.account import title
from genimg.data.images import Images
from genimg.data.sources import meant
from genimg.data.stream import Stream
from genimg.models.model import Model, has_batch_norm, start_averages
from genimg.runs.pictures import load_pictures
from genimg.runs.recipes import Recipe
from genimg.system import distributed, files
from genimg.system.device import seed_everything
from genimg.system.errors import RunError
from genimg.system.progress import Progress
from genimg.training import diagnostics
from genimg.training.loop import Training

#: Names of files in a run's folder.
CONFIG, CHECKPOINT, PREVIOUS = "config.json", "checkpoint.pt", "checkpoint.previous.pt"
#: Names of files and of the folder of pictures in a run's folder.
WEIGHTS, HISTORY, SAMPLES, PICTURES = "weights.safetensors", "history.csv", "samples", "pictures.txt"
#: What a checkpoint says that it is.
FORMAT = "genimg checkpoint 1"
#: What prints a line.
Echo = Callable[[str], object]


class Stopped(Exception):
    """Ctrl-C or a request to end: the run is saved, and the message says how to go on."""


def train(
    recipe: Recipe, out: str | os.PathLike[str], device: torch.device | str | None = None, save_every: int = 500,
    dtype: torch.dtype | None = None, compiled: bool = False, workers: int | None = None, memory: float | None = None,
    echo: Echo = print,
) -> Model:  # fmt: skip
    """Train a recipe in a folder, or go on with it.

    Args:
        recipe: a `Recipe`, not yet completed.
        out: the folder.
        save_every: steps between two checkpoints, each with a grid of samples. It changes nothing in the result.
        dtype: of the networks' computations; None takes the one that the device is fast at.
        compiled: run the networks through torch.compile where that works.
        workers, memory: of a folder that streams, see `images.batches` and `folder.load`.
        echo: function that prints a line.

    Returns:
        the trained model.

    Raises:
        RunError, DataError: see there.
        Diverged: the losses stopped being finite; the last good checkpoint is there.
        Stopped: on Ctrl-C or SIGTERM, after saving.
    """
    out = Path(out)
    first = distributed.rank() == 0
    if recipe.batch % distributed.size():
        raise RunError(f"--batch {recipe.batch} cannot be shared by {distributed.size()} processes evenly")
    stored = _read_config(out)
    recipe = dataclasses.replace(recipe.complete(), data=str(meant(recipe.data)))
    images, recipe = load_pictures(recipe, workers, memory)
    if first:
        echo(str(images.account))
    if len(images) < 2:
        raise RunError(f"{recipe.data} has one picture: a generator needs more to learn from")
    if stored:
        _refuse_other(stored, recipe, out)
    elif any((out / name).exists() for name in (CHECKPOINT, PREVIOUS, WEIGHTS, HISTORY, SAMPLES)):
        raise RunError(f"{out} holds files of something else and no {CONFIG}; choose another --out")
    seed_everything(recipe.seed)
    model = recipe.build()
    if first and distributed.size() > 1 and not torch.cuda.is_available() and has_batch_norm(model):
        echo("on CPUs batch norm sees each process's part of the batch; --norm group computes what one process would")
    # Losses are read back every 50 steps; the windows of a continued run have to fall on the same steps.
    training = Training(
        model, images, recipe.steps, recipe.batch, recipe.seed, device, transform=recipe.transform(), dtype=dtype,
        compiled=compiled,
    )  # fmt: skip
    _restore(training, out, recipe, echo)
    if first:
        _make(out)
        with files.locked(out):
            files.write_text(out / CONFIG, json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")
            files.write_text(out / PICTURES, images.account.report() if images.account else "")
            _run(training, images, recipe, out, save_every, echo)
    else:
        _run(training, images, recipe, out, save_every, lambda line: None)
    return model


def _run(training: Training, images: Images | Stream, recipe: Recipe, out: Path, save_every: int, echo: Echo) -> None:
    first = distributed.rank() == 0
    if first and training.step == 0:
        real = images.pixels_of(range(min(64, len(images)))) if isinstance(images, Stream) else images.pixels[:64]
        files.write_picture(out / SAMPLES / "data.png", plots.tile(real, 8))
    elif training.step >= recipe.steps:
        echo(f"{out} has done its {recipe.steps:,} steps; a larger --steps goes on from there")
        training.finish()
        if first:
            _write_results(training, out)
    stop = _Stop()
    label = f"{recipe.family} on {title(recipe.data)}"
    with stop, Progress(recipe.steps, label, visible=first, hidden=diagnostics.MEASURES) as progress:
        progress.begin(training.step)
        training.tell = lambda diagnosis: progress.say(f"warning: {diagnosis}")
        while training.step < recipe.steps:
            means = training.advance()
            if means is not None:
                progress.update(training.step, means)
            last = training.step == recipe.steps
            # Several processes have to agree on stopping, and meet only where they read their losses.
            stopping = distributed.any_true(stop.asked) if distributed.size() == 1 or means is not None else False
            if last or stopping or training.step % save_every == 0:
                training.check_finite()
                training.finish()
                if first:
                    _save(training, out)
                    progress.log(training.step)
            if stopping and not last:
                raise Stopped(
                    f"stopped and saved at step {training.step:,} of {recipe.steps:,}; the same command goes on"
                )
            if last:  # after saving: whatever goes wrong in looking, the run is kept
                training.diagnose()


def load(out: str | os.PathLike[str], device: torch.device | str | None = None) -> tuple[Model, Recipe]:
    """The model of a run, from its weights alone, ready for `sample`, and its recipe.

    Raises:
        RunError: no run there, or files that are broken, foreign or not finite.
    """
    out = Path(out)
    recipe = _read_config(out)
    if recipe is None:
        raise RunError(f"{out} is no run of genimg: there is no {CONFIG} in it")
    path = out / WEIGHTS
    if not path.exists():
        raise RunError(f"{out} has no {WEIGHTS} yet; train it further")
    weights = files.read_weights(path)
    files.check_finite(weights, path)
    model = recipe.build()
    model.to(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    start_averages(model)
    try:
        model.load_state_dict(_with_rest(model, weights))
    except (RuntimeError, KeyError) as error:
        raise RunError(f"{path} does not belong to {out / CONFIG}: {str(error).splitlines()[-1].strip()}") from error
    return model, recipe


def noise(model: Model, n: int, seed: int) -> Tensor:
    """What `model.sample(z=...)` makes n pictures of."""
    return model.noise(n, torch.Generator(model.device()).manual_seed(seed))


def published(model: Model) -> dict[str, Tensor]:
    """The tensors that sampling and evaluating need: the averaged networks, and a VAE's sigma."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if name.startswith("average.") or name == "log_sigma"}


def _with_rest(model: Model, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = published(model).keys()
    if weights.keys() != wanted:
        odd = sorted(wanted ^ weights.keys())
        raise KeyError(f"{len(odd)} names differ, {odd[0]} among them")
    return model.state_dict() | weights


def _read_config(out: Path) -> Recipe | None:
    path = out / CONFIG
    if not path.exists():
        return None
    try:
        return Recipe.from_dict(files.read_json(path))
    except RunError as error:
        text = str(error)
        raise RunError(text if str(path) in text else f"{path}: {text}") from error


def _refuse_other(stored: Recipe, recipe: Recipe, out: Path) -> None:
    differing = []
    # A folder may have been moved: what counts is what is in it.
    free = {"steps", "fingerprint"} | ({"data"} if stored.fingerprint == recipe.fingerprint else set())
    for field in dataclasses.fields(Recipe):
        before, now = getattr(stored, field.name), getattr(recipe, field.name)
        if before != now and field.name not in free:
            differing.append(f"--{field.name.replace('_', '-')} was {before}, is {now}")
    if differing:
        raise RunError(f"{out} was trained otherwise: {'; '.join(differing)}. Choose another --out, or the same again")
    if stored.fingerprint != recipe.fingerprint:
        raise RunError(f"the pictures in {recipe.data} are not those that {out} was trained on; choose another --out")
    if recipe.steps < stored.steps:
        raise RunError(f"{out} was planned for {stored.steps:,} steps, more than --steps {recipe.steps:,}")


def _restore(training: Training, out: Path, recipe: Recipe, echo: Echo) -> None:
    path = out / CHECKPOINT
    if not path.exists():
        path = out / PREVIOUS  # killed between the two renames of a save
        if not path.exists():
            return
    other = "" if path.name == PREVIOUS or not (out / PREVIOUS).exists() else f"; {PREVIOUS}, the one before, is kept"
    try:
        content = files.read_tensors(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise RunError(f"{path} is not a checkpoint of this version of genimg")
        files.check_finite(content["training"]["model"], path)
        training.load_state_dict(content["training"])
    except RunError as error:
        way_out = f"rename it to {CHECKPOINT} to go on from it" if other else "choose another --out"
        raise RunError(f"{error}{other}; {way_out}") from error
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"{path} does not belong to this run ({reason}){other}; choose another --out") from error
    if training.step < recipe.steps:
        echo(f"going on from step {training.step:,}")


def _save(training: Training, out: Path) -> None:
    """The grid and the results first: whatever a kill leaves undone is done again from the checkpoint."""
    _write_results(training, out)
    name = f"step-{training.step:07d}.png"
    files.write_picture(out / SAMPLES / name, plots.tile(training.model.sample(64, seed=0), 8))
    files.write_tensors(out / CHECKPOINT, {"format": FORMAT, "training": training.state_dict()}, keep=PREVIOUS)


def _write_results(training: Training, out: Path) -> None:
    files.write_weights(out / WEIGHTS, published(training.model))
    history = training.history
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["step", *history.values])
    table.writerows(zip(history.steps, *history.values.values(), strict=True))
    files.write_text(out / HISTORY, text.getvalue())


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--out {out} cannot be made ({error.strerror or error})") from error


class _Stop:
    """While active, Ctrl-C and SIGTERM ask for a stop after the step under way; a second Ctrl-C stops at once."""

    asked = False

    def __enter__(self) -> "_Stop":
        self.before: dict[str, Any] = {}
        for name in ("SIGINT", "SIGTERM"):
            try:
                self.before[name] = signal.signal(getattr(signal, name), self._ask)
            except ValueError:  # not in the main thread, as in some notebooks: Ctrl-C stays as it is
                return self
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self.before.items():
            signal.signal(getattr(signal, name), handler)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("stopping after this step; once more stops at once, without saving", file=sys.stderr)
