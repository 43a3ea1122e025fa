"""What stands in a run's folder, written so that it is always whole, and read with care.

config.json            the recipe
pictures.txt           what was read of the data and what was passed over
checkpoint.pt          all that the next step depends on; checkpoint.previous.pt is the one before
weights.safetensors    the averaged networks at the last save
best.safetensors       those of the save whose samples came nearest to the pictures held out, which `sample` takes
scores.json            how near they came at each save
captions.txt           of a run with captions, those of the rows of its grids
history.csv            means of the losses
history.png            losses and distances, drawn
samples/               data.png (what D or the encoder sees), then a grid each so often, always the same noise
"""

import csv
import dataclasses
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genimg import plots
from genimg.data.account import Account
from genimg.models.captioned import Captioned
from genimg.models.model import Model
from genimg.models.sizes import written
from genimg.runs.recipes import Recipe, told
from genimg.runs.scores import PART, Score, begins, best, read, sheet
from genimg.system import files
from genimg.system.errors import RunError
from genimg.training.history import History
from genimg.training.loop import Training

#: Names of files in a run's folder.
CONFIG, CHECKPOINT, PREVIOUS = "config.json", "checkpoint.pt", "checkpoint.previous.pt"
#: Names of files and of the folder of pictures in a run's folder.
WEIGHTS, HISTORY, SAMPLES, PICTURES = "weights.safetensors", "history.csv", "samples", "pictures.txt"
#: Names of files in a run's folder.
BEST, CURVES, CAPTIONS = "best.safetensors", "history.png", "captions.txt"
#: Pictures in a row of a grid, and the classes, or captions, of which a grid has a row.
COLUMNS, ROWS, OF_CAPTIONS = 8, 64, 8
#: What a checkpoint says that it is.
FORMAT = "genimg checkpoint 1"
#: What prints a line.
Echo = Callable[[str], object]


def read_config(out: Path) -> Recipe | None:
    """The recipe of a run, None where there is none.

    Raises:
        RunError: it is broken or of another version.
    """
    path = out / CONFIG
    if not path.exists():
        return None
    try:
        return Recipe.from_dict(files.read_json(path))
    except RunError as error:
        text = str(error)
        raise RunError(text if str(path) in text else f"{path}: {text}") from error


def refuse_other(stored: Recipe, recipe: Recipe, out: Path) -> None:
    """Hold a recipe to the one that a run was begun with.

    Raises:
        RunError: it differs in what may not differ, which is named.
    """
    differing, same = [], stored.fingerprint == recipe.fingerprint
    # A folder may have been moved: what counts is what is in it.
    free = {"steps", "fingerprint", "data", "skip_bad", "begun_from", "class_names", "words", "length", "labels"}
    free |= {"n", "background", "fit"} if same else {"held_out"}  # of other pictures other numbers are held out
    for option in ("classes", "captions"):  # a table may have been moved
        free |= {option} if getattr(stored, option) and getattr(recipe, option) else set()
    for field in dataclasses.fields(Recipe):
        before, now = getattr(stored, field.name), getattr(recipe, field.name)
        if before != now and field.name not in free:
            differing.append(f"--{field.name.replace('_', '-')} was {told(before)}, is {told(now)}")
    if differing:
        raise RunError(
            f"{out} was trained otherwise: {'; '.join(differing)}. Ask for the same again, or for "
            f"another --out, which begins with these weights by --from {shlex.quote(str(out))}"
        )
    if not same:
        raise RunError(
            f"the pictures in {recipe.data} are not those that {out} was trained on: some came, went or changed. Bring "
            f"them back, or go on with these in another --out by --from {shlex.quote(str(out))}"
        )
    if stored.labels != recipe.labels:
        of = f"captions of --captions {recipe.captions}" if recipe.captions else f"labels of --classes {recipe.classes}"
        raise RunError(f"the {of} are not those that {out} was trained on; choose another --out")
    if recipe.steps < stored.steps:
        raise RunError(
            f"{out} was planned for {stored.steps:,} steps, more than --steps {recipe.steps:,}; a shorter run is "
            f"another --out, which begins with these weights by --from {shlex.quote(str(out))}"
        )


def write_config(recipe: Recipe, out: Path) -> None:
    """The recipe as JSON, a size that is not of squares as text."""
    values = dataclasses.asdict(recipe)
    values["size"] = recipe.size if isinstance(recipe.size, int) else written(recipe.size)
    files.write_text(out / CONFIG, files.as_json(values, indent=2) + "\n")


def write_account(account: Account | None, out: Path) -> None:
    """What was read of the pictures, as text."""
    files.write_text(out / PICTURES, account.report() if account else "")


def has_checkpoint(out: Path) -> bool:
    """Whether there is something to go on from."""
    return (out / CHECKPOINT).exists() or (out / PREVIOUS).exists()


def restore(training: Training, out: Path, recipe: Recipe, echo: Echo) -> None:
    """Go on from the last checkpoint, where there is one.

    Raises:
        RunError: it is broken, or of another run; the message says what is left.
    """
    path = out / CHECKPOINT
    if not path.exists():
        path = out / PREVIOUS  # killed between the two renames of a save
        if not path.exists():
            return
    other = "" if path.name == PREVIOUS or not (out / PREVIOUS).exists() else f"; {PREVIOUS}, the one before, is kept"
    try:
        content = read_checkpoint(path)
        training.load_state_dict(content["training"])
    except RunError as error:
        way_out = f"rename it to {CHECKPOINT} to go on from it" if other else "choose another --out"
        raise RunError(f"{error}{other}; {way_out}") from error
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"{path} does not belong to this run ({reason}){other}; choose another --out") from error
    if training.step < recipe.steps:
        echo(f"going on from step {training.step:,}")


def start_from(training: Training, other: Path) -> None:
    """The weights of another run, as its checkpoint has them: for a run with other pictures or settings.

    Raises:
        RunError: no such run, or one of other networks.
    """
    path = other / (CHECKPOINT if (other / CHECKPOINT).exists() or not (other / PREVIOUS).exists() else PREVIOUS)
    content = read_checkpoint(path)
    try:
        training.model.load_state_dict(content["training"]["model"])
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise RunError(
            f"--from {other} has other networks than this run; family, --size, --networks, --width and --z-dim have to "
            f"be those of {other / CONFIG}, and the pictures of as many channels and classes, or with captions as there"
        ) from error
    if (labels := getattr(training.images, "labels", None)) is not None and training.model.classes:
        training.model.know(labels)  # those of its own pictures, in place of the other run's


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `save` wrote.

    Raises:
        RunError: it is none of this version, is broken, or holds numbers that are not finite.
    """
    content = files.read_tensors(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(f"{path} is not a checkpoint of this version of genimg")
    files.check_finite(content["training"]["model"], path)
    return content


def save(training: Training, out: Path) -> None:
    """The checkpoint: whatever a kill then leaves undone is done again from it."""
    files.write_tensors(out / CHECKPOINT, {"format": FORMAT, "training": training.state_dict()}, keep=PREVIOUS)


def grid(training: Training, out: Path) -> Path:
    """Where the samples of this step are drawn."""
    return out / SAMPLES / f"step-{training.step:07d}.png"


def draw(training: Training, out: Path, scores: Sequence[Score], x: Tensor | None = None) -> None:
    """The averaged weights, the table of losses and its figure, and last the grid.

    Args:
        scores: of the saves so far.
        x: samples of which the first are the grid's, where they are drawn already.
    """
    write_results(training, out)
    files.write_picture(out / CURVES, sheet(training.history, scores))
    if training.model.classes:
        rows = rows_of(training.model.kinds())
        x = training.model.sample(len(rows), seed=0, labels=rows)
        if isinstance(training.model, Captioned):
            said = map(training.model.vocabulary.decode, rows[::COLUMNS])
            files.write_text(out / CAPTIONS, "".join(f"{one}\n" for one in said))
    else:
        x = (training.model.sample(PART, seed=0) if x is None else x)[:PART]
    files.write_picture(grid(training, out), plots.tile(x, COLUMNS))


def rows_of(kinds: Tensor, columns: int = COLUMNS, n: int | None = None) -> Tensor:
    """Labels of a grid in which each row is of one class (kinds,) or of one caption (kinds, length), by turns.

    Args:
        n: pictures in the grid; None takes all classes or the first `ROWS`, of captions the first `OF_CAPTIONS`; at
            least 8 rows.
    """
    if n is None:
        n = columns * max(8, min(len(kinds), ROWS if kinds.dim() == 1 else OF_CAPTIONS))
    return kinds[torch.arange(n) // columns % len(kinds)]


def write_results(training: Training, out: Path) -> None:
    """The averaged weights and the table of losses."""
    training.finish()
    files.write_weights(out / WEIGHTS, published(training.model))
    history = training.history
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["step", *history.values])
    table.writerows(zip(history.steps, *history.values.values(), strict=True))
    files.write_text(out / HISTORY, text.getvalue())


def read_history(out: Path) -> History:
    """The table of losses.

    Raises:
        RunError: it is none.
    """
    path = out / HISTORY
    try:
        names, *rows = csv.reader(io.StringIO(path.read_text("utf-8"))) if path.exists() else [["step"]]
        steps = [int(row[0]) for row in rows]
        return History({name: [float(row[i]) for row in rows] for i, name in enumerate(names) if i}, steps)
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise RunError(f"{path} is no table of losses ({error})") from error


def too_early(model: Model, recipe: Recipe, out: Path, last: bool = False) -> str:
    """What there is to say of pictures that are drawn before all networks of a model have begun to learn, as those of a
    latent flow in the first half of its run; empty after that.

    Args:
        last: with the weights of the last save, instead of those of the best.
    """
    rows, steps = [] if last else read(out), read_history(out).steps
    step, begin = best(rows).step if rows else max(steps, default=0), begins(model, recipe.steps)
    if not begin or step > begin:
        return ""
    return (
        f"what makes codes of noise in {out} begins to learn at step {begin:,} of {recipe.steps:,}, and has not yet: "
        "these are no pictures; train it further"
    )


def write_best(training: Training, out: Path) -> None:
    """The averaged weights, as the best so far."""
    training.finish()
    files.write_weights(out / BEST, published(training.model))


def published(model: Model) -> dict[str, Tensor]:
    """The tensors that sampling and evaluating need: the averaged networks, and what belongs to none, as sigma."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if name.startswith("average.") or "." not in name}


def with_rest(model: Model, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A model's state with published weights in it; KeyError where names differ."""
    wanted = published(model).keys()
    if weights.keys() != wanted:
        odd = sorted(wanted ^ weights.keys())
        raise KeyError(f"{len(odd)} names differ, {odd[0]} among them")
    return model.state_dict() | weights
