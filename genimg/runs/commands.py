"""What the commands train, sample and evaluate do; their words are `parsers`."""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path

import torch

from genimg import plots
from genimg.data.images import to_bytes
from genimg.measure.yardstick import MEANS
from genimg.models.model import Model
from genimg.runs import evaluation, run, scores
from genimg.runs.kept import SAMPLES
from genimg.runs.recipes import Recipe
from genimg.system import distributed, files
from genimg.system.errors import RunError
from genimg.system.errors import shown as shown_name
from genimg.system.options import at_least_one, device, memory
from genimg.system.progress import Progress

#: Names of a list that are printed; --json has all.
SHOWN = 10

#: Pictures that `sample --each` draws before it writes them.
AT_ONCE = 64


def train(options: argparse.Namespace) -> int:
    """Train, or go on."""
    own_device = device(options)
    if options.minutes is not None and not 0 < options.minutes <= 1e6:
        raise RunError(f"--minutes {options.minutes:g}: it has to be above 0, up to 1,000,000")
    settings = {field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)}
    recipe = Recipe(**settings | {"diff_augment": tuple(options.diff_augment)})
    with distributed.joined() as own:
        run.train(
            recipe, options.out, own or own_device, options.save_every,
            options.precision and getattr(torch, options.precision), options.compile, options.workers,
            memory(options), start=options.start, minutes=options.minutes, patience=options.patience,
        )  # fmt: skip
        if distributed.rank() == 0:
            folder = shlex.quote(str(options.out))
            print(f"{options.out}: {recipe.steps:,} steps done; python -m genimg sample {folder} draws from it")
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw pictures from a run into a grid or into files."""
    at_least_one(options, "n", "columns", "solver_steps")
    model, recipe = run.load(options.folder, device(options), options.last)
    solver = {"steps": options.solver_steps} if recipe.family == "flow" else {}
    kind = "interpolation" if options.interpolate else "samples"
    out = options.out or options.folder / SAMPLES / (f"{kind}-seed-{options.seed}" + ("" if options.each else ".png"))
    if out.exists() and not options.overwrite and (out.is_file() or any(out.iterdir())):
        raise RunError(f"{out} is there already; --overwrite replaces it, --out names another")
    if not options.each and out.suffix.lower() != ".png":
        raise RunError(f"--out {out}: a grid is written as .png; --each writes single files into a folder")
    if options.interpolate:
        ends = run.noise(model, 2 * options.n, options.seed).unflatten(0, (options.n, 2))
        x = plots.interpolated(lambda z: model.sample(z=z, **solver), ends, options.columns)
        files.write_picture(out, plots.tile(x, options.columns))
    elif options.each:
        write_each(model, options.n, options.seed, out, solver)
    else:
        x = model.sample(options.n, seed=options.seed, **solver)
        files.write_picture(out, plots.tile(x, options.columns))
    rows = [] if options.last else scores.read(options.folder)
    if rows and (best := scores.best(rows)) is not rows[-1]:
        print(f"of step {best.step:,}, the best of {len(rows)} saves; --last takes the last", file=sys.stderr)
    print(out)
    return 0


def write_each(model: Model, n: int, seed: int, out: Path, solver: dict[str, int]) -> None:
    """n samples as files 0.png, 1.png, ... of a folder, written as they come: memory does not grow with n."""
    generator = torch.Generator(model.device()).manual_seed(seed)
    with Progress(n, "pictures") as progress:
        for first in range(0, n, AT_ONCE):
            z = model.noise(min(AT_ONCE, n - first), generator)
            for i, picture in enumerate(to_bytes(model.sample(z=z, **solver)), first):
                files.write_picture(out / f"{i:0{len(str(n))}d}.png", plots.tile(picture.unsqueeze(0), 1))
            progress.update(min(first + AT_ONCE, n))


def evaluate(options: argparse.Namespace) -> int:
    """Measure a run, as a table or as JSON."""
    at_least_one(options, "n")
    result = evaluation.evaluate(
        options.folder, options.data, options.n, options.seed, device(options), options.features, options.trained_on,
        options.workers, memory(options), options.last,
    )  # fmt: skip
    if options.json:
        print(files.as_json(result, indent=2))
        return 0

    def shown(value: object) -> str:
        return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)

    floor, seen = result.pop("floor", {}), result.pop("seen")
    if seen:
        named = ", ".join(shown_name(name) for name in seen[:SHOWN]) + (", ..." if len(seen) > SHOWN else "")
        print(f"left out {len(seen):,} of the pictures to compare with, which were trained on: {named}")
    if floor:
        print(f"{'':28s}{'samples':>12s}{'real ones':>12s}")
    for name, value in result.items():
        if value is not None:
            print(f"{MEANS.get(name, name):28s}{shown(value):>12s}{shown(floor.get(name)):>12s}".rstrip())
    return 0
