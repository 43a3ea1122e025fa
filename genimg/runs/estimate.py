"""What a run is going to take, said before and soon after its first step."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from genimg.models.model import Model
from genimg.runs.recipes import Recipe
from genimg.runs.scores import begins
from genimg.system import files
from genimg.system.device import peak_memory_gb
from genimg.system.progress import duration

#: Folders that hold the record of the race on real pictures, of a checkout and of an installed package.
RECORDS = (Path(__file__).parents[2] / "book" / "records", Path(__file__).parents[1] / "recorded")


def planned(model: Model, recipe: Recipe, n: int) -> str:
    """What is going to be trained on n pictures: known before the first step."""
    weights = sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith("average."))
    held_out = f", {recipe.held_out:,} others are held out to measure by" if recipe.held_out else ""
    times = recipe.steps * recipe.batch / n
    shown = f"{times:,.0f} times" if times >= 10 else f"{times:.1f} times"
    begin = begins(model, recipe.steps)
    later = f"; what draws learns from step {begin:,} on, samples are noise until then" if begin else ""
    return (
        f"{recipe.family} of {weights:,} weights: {recipe.steps:,} steps show each of {n:,} pictures {shown}{held_out}"
        f"{later}"
    )


def on_record(recipe: Recipe, folders: Sequence[str | os.PathLike[str]] = RECORDS) -> str | None:
    """What became of the family's run in the race on real pictures, in the numbers of `evaluate`; None where it is not
    on record. `python -m genimg record race` made it."""
    found = [path for folder in folders if (path := Path(folder) / "race.json").exists()]
    parts = files.read_json(found[0])["parts"] if found else {}
    if recipe.family not in parts:
        return None
    (run,) = parts[recipe.family]["results"][recipe.family]
    blurred = parts["controls"]["results"]["training pictures, blurred"][0]["fd"]
    return (
        f"for comparison, a run on record: {recipe.family}, {run['minutes']:.0f} minutes of one core, "
        f"{run['pictures']:,} pictures of {run['size']} pixels: in evaluate, whose many samples come out nearer than "
        f"the few of a save, distance {run['fd']:.3g} "
        f"(training pictures {run['fd_floor']:.3g}, blurred ones {blurred:.3g}), "
        f"coverage {run['coverage']:.2f} ({run['coverage_floor']:.2f})"
    )


def expected(seconds: float, steps: int, left: int, to_grid: int, memory: float) -> str:
    """What steps of so many seconds each will take: all that are left, those to the next grid of samples, and the
    memory in GB that was needed so far."""
    each = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
    return (
        f"{each} a step: {steps:,} steps in about {duration(left * seconds)}, "
        f"the next samples in {duration(to_grid * seconds)}; {memory:.1f} GB of memory"
    )


def memory_gb(device: torch.device) -> float:
    """GB that were needed at most so far, of the GPU's memory where the run is on one."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else peak_memory_gb()
