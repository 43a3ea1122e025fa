"""What stands in a run's folder, written so that it is always whole, and read with care.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from genimg import plots
from genimg.data.account import Account
from genimg.models.model import Model
from genimg.runs.recipes import Recipe
from genimg.system import files
from genimg.system.errors import RunError
from genimg.training.loop import Training

#: Names of files in a run's folder.
CONFIG, CHECKPOINT, PREVIOUS = "config.json", "checkpoint.pt", "checkpoint.previous.pt"
#: Names of files and of the folder of pictures in a run's folder.
WEIGHTS, HISTORY, SAMPLES, PICTURES = "weights.safetensors", "history.csv", "samples", "pictures.txt"
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


def write_config(recipe: Recipe, out: Path) -> None:
    """The recipe as JSON."""
    files.write_text(out / CONFIG, files.as_json(dataclasses.asdict(recipe), indent=2) + "\n")


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
            f"be those of {other / CONFIG}, and the pictures as many channels"
        ) from error


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


def draw(training: Training, out: Path) -> None:
    """The averaged weights, the table of losses, and last the grid."""
    write_results(training, out)
    files.write_picture(grid(training, out), plots.tile(training.model.sample(64, seed=0), 8))


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


def published(model: Model) -> dict[str, Tensor]:
    """The tensors that sampling and evaluating need: the averaged networks, and a VAE's sigma."""
    state = model.state_dict()
    return {name: value for name, value in state.items() if name.startswith("average.") or name == "log_sigma"}


def with_rest(model: Model, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A model's state with published weights in it; KeyError where names differ."""
    wanted = published(model).keys()
    if weights.keys() != wanted:
        odd = sorted(wanted ^ weights.keys())
        raise KeyError(f"{len(odd)} names differ, {odd[0]} among them")
    return model.state_dict() | weights
