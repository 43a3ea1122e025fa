"""What the commands train and evaluate do; their words are `parsers`."""

import argparse
import dataclasses
import shlex

import torch

from genimg.measure.yardstick import MEANS
from genimg.runs import evaluation, run
from genimg.runs.recipes import Recipe
from genimg.system import distributed, files
from genimg.system.errors import RunError
from genimg.system.errors import shown as shown_name
from genimg.system.options import at_least_one, device, memory

#: Names of a list that are printed; --json has all.
SHOWN = 10

#: How the part of a table that was measured in features is to be read.
IN_FEATURES = "real ones: training pictures in the samples' place, as near to the unseen as samples can hope to come"
#: The same of distances between pictures.
OF_PICTURES = "to lie near to what was seen is no merit by itself: blurred pictures do, and copies"


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
    print(*([IN_FEATURES] if floor else []), OF_PICTURES, sep="\n")
    return 0
