"""A run in a folder: started, stopped, continued. What stands in the folder is `kept`."""

import dataclasses
import os
import time
from pathlib import Path

import torch

from genimg import plots
from genimg.data.account import title
from genimg.data.images import SOURCES
from genimg.data.sentences import nearest
from genimg.data.sources import meant
from genimg.models.model import Model, has_batch_norm, start_averages
from genimg.runs import advice, estimate, kept
from genimg.runs.kept import BEST, CHECKPOINT, CONFIG, HISTORY, PREVIOUS, SAMPLES, WEIGHTS, Echo
from genimg.runs.pictures import load_pictures, parted, some
from genimg.runs.recipes import SAVE_EVERY, Recipe
from genimg.runs.scores import Scores, begins, best, samples
from genimg.system import distributed, files
from genimg.system.device import seed_everything
from genimg.system.errors import RunError, shown
from genimg.system.progress import Progress
from genimg.system.signals import Stop
from genimg.training.loop import Training
from genimg.training.measures import MEASURES

#: Steps at which the first grids of samples are drawn, before those at each save.
EARLY = (50, 100, 200)
#: Seconds after which a checkpoint is written between two saves.
OFTEN = 120.0
#: What Ctrl-C is answered.
HEARD = "stopping: the step under way ends, then the checkpoint is written; once more stops at once, without it"
#: The same while a checkpoint is written already and its samples are measured and drawn.
HEARD_LOOKING = (
    "stopping: the checkpoint is written; the samples of this step are being measured and drawn; once more stops at "
    "once, without them"
)


class Stopped(Exception):
    """Ctrl-C, a request to end, or time that is over: the run is saved, and the message says how to go on.

    Attributes:
        code: the exit code.
    """

    def __init__(self, text: str, code: int = 130) -> None:
        super().__init__(text)
        self.code = code


def train(
    recipe: Recipe, out: str | os.PathLike[str], device: torch.device | str | None = None, save_every: int = SAVE_EVERY,
    dtype: torch.dtype | None = None, compiled: bool = False, workers: int | None = None, memory: float | None = None,
    echo: Echo = print, start: str | os.PathLike[str] | None = None, minutes: float | None = None,
    patience: int | None = None,
) -> Model:  # fmt: skip
    """Train a recipe in a folder, or go on with it.

    Args:
        recipe: a `Recipe`, not yet completed.
        out: the folder.
        save_every: steps between two saves, each with a grid of samples and a `scores.Score`, the best of which is
            kept. It changes nothing in the weights.
        dtype: of the networks' computations; None takes the one that the device is fast at.
        compiled: run the networks through torch.compile where that works.
        workers, memory: of a folder that streams, see `images.batches` and `folder.load`.
        echo: function that prints a line.
        start: folder of another run, from whose weights this one starts.
        minutes: stop after so many, as on Ctrl-C.
        patience: stop after so many saves none of which was better than one before.

    Returns:
        the trained model, as it is after the last step.

    Raises:
        RunError, DataError: see there.
        Diverged: the losses stopped being finite; the last good checkpoint is there.
        Stopped: on Ctrl-C or SIGTERM, after `minutes` or without `patience`, after saving.
    """
    out, started = Path(out), time.perf_counter()
    first = distributed.rank() == 0
    recipe = recipe.complete()
    if recipe.batch % distributed.size():
        raise RunError(f"--batch {recipe.batch} cannot be shared by {distributed.size()} processes evenly")
    stored = kept.read_config(out)
    before = stored.begun_from if stored and kept.has_checkpoint(out) else None
    if before is not None and start is not None and before != str(start):
        raise RunError(f"{out} was begun from {before or 'nothing'}, not from {start}; choose another --out")
    recipe = dataclasses.replace(recipe, data=str(meant(recipe.data)))
    known = stored or (kept.read_config(Path(start)) if start is not None else None)
    if known and known.captions and recipe.captions:
        recipe = dataclasses.replace(recipe, words=known.words, length=known.length)
    images, recipe = load_pictures(recipe, workers, memory)
    if first:
        echo(str(images.account))
    recipe = dataclasses.replace(recipe, begun_from=str(start or "") if before is None else before)
    account, (images, held_out) = images.account, parted(images, recipe)
    if patience is not None and (patience < 1 or not recipe.held_out):
        why = "no pictures are held out to measure by" if patience >= 1 else "it has to be at least 1"
        raise RunError(f"--patience {patience}: {why}")
    if len(images) < 2:
        raise RunError(f"{recipe.data} has one picture: a generator needs more to learn from")
    if stored:
        kept.refuse_other(stored, recipe, out)
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
    kept.restore(training, out, recipe, echo)
    if start is not None and before is None:
        kept.start_from(training, Path(start))
    if first:
        echo(estimate.planned(model, recipe, len(images)))
    until = None if minutes is None else started + 60 * minutes
    scores = Scores(images, held_out, out, training.step, patience, begins(model, recipe.steps))
    if first:
        _make(out)
        with files.locked(out):
            kept.write_config(recipe, out)
            kept.write_account(account, out)
            _run(training, scores, recipe, out, save_every, until, echo)
    else:
        _run(training, scores, recipe, out, save_every, until, lambda line: None)
    return model


def _run(
    training: Training, scores: Scores, recipe: Recipe, out: Path, save_every: int, until: float | None, echo: Echo
) -> None:
    first = distributed.rank() == 0
    begun = training.step
    if first and begun == 0:
        files.write_picture(out / SAMPLES / "data.png", plots.tile(some(scores.train, 64, recipe.seed), 8))
    if begun >= recipe.steps:
        echo(f"{out} has done its {recipe.steps:,} steps; a larger --steps goes on from there")
        if first:
            kept.write_results(training, out)
    label = f"{recipe.family} on {title(recipe.data)}"
    with Stop(HEARD if first else None) as stop, Progress(recipe.steps, label, first, MEASURES) as progress:
        progress.begin(begun)
        if first and begun and _draws(begun, recipe.steps, save_every) and not kept.grid(training, out).exists():
            measured = scores.wanted(begun, recipe.steps, save_every)
            _look(training, scores, out, measured, progress)  # killed after its checkpoint
        if begun < recipe.steps:
            _stop_if_over(scores, training)
        training.tell = lambda diagnosis: progress.say(f"warning: {advice.on_command_line(diagnosis)}")
        saved = time.perf_counter()
        while training.step < recipe.steps:
            if training.step == begun + 2:
                warm = progress.seconds()
            means = training.advance()
            progress.update(training.step, means)
            if training.step == begun + 10:
                _tell_time(progress, training, recipe, save_every, (progress.seconds() - warm) / 8)
            last, over = training.step == recipe.steps, until is not None and time.perf_counter() > until
            # Several processes have to agree on stopping, and meet only where they read their losses.
            meet = distributed.size() == 1 or means is not None
            stopping = not last and meet and distributed.any_true(stop.asked or over)
            draws = _draws(training.step, recipe.steps, save_every) or stopping
            if draws or time.perf_counter() - saved > OFTEN:
                training.check_finite()
                if first:
                    kept.save(training, out)
                saved = time.perf_counter()
            scored = scores.wanted(training.step, recipe.steps, save_every)
            if draws and first:
                if stopping or stop.asked:  # the second: while it was being saved
                    done = "measured and drawn" if scored else "drawn"
                    progress.say(f"saved at step {training.step:,}; now the samples are {done}")
                with progress.aside(), stop.answering(HEARD_LOOKING):
                    _look(training, scores, out, scored, progress)
                progress.log(training.step)
                saved = time.perf_counter()
                if distributed.size() == 1 and stop.asked and not last:  # while it looked: this step is whole
                    stopping = True
            if stopping:
                why = "" if stop.asked else "the minutes are over: "
                raise Stopped(
                    f"{why}stopped and saved at step {training.step:,} of {recipe.steps:,}; the same command goes on",
                    130 if stop.asked else 0,
                )
            if last:  # after saving: whatever goes wrong in looking, the run is kept
                training.diagnose()
            elif scored:
                _stop_if_over(scores, training)


def _look(training: Training, scores: Scores, out: Path, scored: bool, progress: Progress) -> None:
    """Measure the samples of a save, keep its weights where it is the best, and draw it."""
    x = None
    if scored:
        training.finish()
        x = samples(training.model)
        score = scores.add(training.step, x)
        if score is best(scores.rows):
            kept.write_best(training, out)
        progress.say(f"{progress.label}: {scores.told(score)}")
    kept.draw(training, out, scores.rows, x)


def _stop_if_over(scores: Scores, training: Training) -> None:
    """All processes stop where the first one, which measures, has lost its patience."""
    if scores.patience is not None and distributed.any_true(scores.over()):
        rows = scores.rows
        found = f": nothing better than step {best(rows).step:,} for {scores.since_best()} saves" if rows else ""
        raise Stopped(
            f"stopped at step {training.step:,} of {training.steps:,}{found}; a larger --patience, or none, goes on", 0
        )


def _draws(step: int, steps: int, save_every: int) -> bool:
    """Whether samples are drawn at a step."""
    return step % save_every == 0 or step == steps or step in EARLY


def _tell_time(progress: Progress, training: Training, recipe: Recipe, save_every: int, seconds: float) -> None:
    """After steps of so many seconds: what all will take; of a folder also what a run on record came to."""
    left = training.steps - training.step
    if left * seconds > 30:
        grid = next(n for n in range(training.step, training.steps + 1) if _draws(n, training.steps, save_every))
        memory = estimate.memory_gb(training.device)
        progress.say(estimate.expected(seconds, training.steps, left, grid - training.step, memory))
        if recipe.held_out and recipe.data not in SOURCES and (line := estimate.on_record(recipe)):
            progress.say(line)


def load(
    out: str | os.PathLike[str], device: torch.device | str | None = None, last: bool = False
) -> tuple[Model, Recipe]:
    """The model of a run, from its weights alone, ready for `sample`, and its recipe.

    Args:
        last: the weights of the last save, instead of those of the best.

    Raises:
        RunError: no run there, or files that are broken, foreign or not finite.
    """
    recipe, out = config(out), Path(out)
    path = out / (WEIGHTS if last or not (out / BEST).exists() else BEST)
    if not path.exists():
        raise RunError(f"{out} has no {WEIGHTS} yet; train it further")
    weights = files.read_weights(path)
    files.check_finite(weights, path)
    model = recipe.build()
    model.to(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    start_averages(model)
    try:
        model.load_state_dict(kept.with_rest(model, weights))
    except (RuntimeError, KeyError) as error:
        raise RunError(f"{path} does not belong to {out / CONFIG}: {str(error).splitlines()[-1].strip()}") from error
    model.run = str(out)
    return model, recipe


def config(out: str | os.PathLike[str]) -> Recipe:
    """The recipe of a run.

    Raises:
        RunError: no run there, or one that cannot be read.
    """
    if not isinstance(out, str | os.PathLike):
        raise RunError(f"{type(out).__name__} is no run; pass its folder, or to evaluate the model that came of it")
    recipe = kept.read_config(Path(out))
    if recipe is None:
        raise RunError(f"{out} is no run of genimg: there is no {CONFIG} in it")
    return recipe


def class_of(recipe: Recipe, name: str | None, out: str | os.PathLike[str]) -> int | None:
    """The label of a class by its name, None for none.

    Raises:
        RunError: the run has no such class; the message names those that it has.
    """
    if name is None or name in recipe.class_names:
        return None if name is None else recipe.class_names.index(name)
    if not recipe.class_names:
        raise RunError(f"--class {name}: {out} was trained without classes; train --classes folder learns them")
    near = shown(nearest(name, recipe.class_names))
    known = ", ".join(map(shown, recipe.class_names[:20])) + (", ..." if len(recipe.class_names) > 20 else "")
    raise RunError(f"--class {shown(name)}: {out} has no such class; the nearest is {near}; it has {known}")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--out {out} cannot be made ({error.strerror or error})") from error
