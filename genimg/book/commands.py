"""The commands record, claims and zh."""

import argparse
import time
from pathlib import Path

from genimg.book import experiments, families, feature_table, gpu, ladder, race, records, sweep, vae_experiments
from genimg.book.zh import notebooks
from genimg.system.errors import RunError
from genimg.system.options import at_least_one, command, device, path


def add_record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command record and its options."""
    p = command(commands, "record", "run an experiment of the book that is too long for a page, and keep it", record)
    p.add_argument(
        "experiment", choices=("gan-factors", "gan-few", "vae-factors", "families", "cost", "race", "features", "gpu"),
        help="which one",
    )  # fmt: skip
    p.add_argument("--name", help="of the record; if not given that of the experiment")
    p.add_argument("--size", type=int, help="of the pictures (32); of race (64)")
    p.add_argument("--width", type=int, default=16, help="filters of the first level; the source text has 64")
    p.add_argument("--steps", type=int, help="batches a run (2,000); of cost, of each rung in each of 5 rounds (40)")
    p.add_argument("--batch", type=int, default=32, help="pictures a step")
    p.add_argument("--seeds", type=int, default=3, help="runs a variant")
    p.add_argument(
        "--seconds", type=float,
        help="of families: training time of each, in place of size, width, steps and batch (digits 35, shapes 60)",
    )  # fmt: skip
    p.add_argument("--source", choices=("digits", "shapes"), help="of families: only these pictures")
    p.add_argument(
        "--minutes", type=float,
        help="of gpu: for all its parts (9); of race: for each (15); of features: for each that is trained (1)",
    )  # fmt: skip
    p.add_argument(
        "--scale", choices=("full", "tiny"), default="full", help="of gpu: tiny is what a CPU does in a minute"
    )
    p.add_argument("--data", help="of race and features, and of gpu for its last part: a folder of pictures")
    p.add_argument(
        "--parts", nargs="+", default=[], help="of gpu, race and features: only these; what else is on record stays"
    )
    p.add_argument("--overwrite", action="store_true", help="of race and features: also those that are on record")
    p.add_argument("--device", help="cpu, cuda, ...")
    p.add_argument("--threads", type=int, help="of torch on a CPU")
    p.add_argument("--out", type=path, default=Path("book/records"), help="folder of the records")


def add_claims(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command claims and its options."""
    p = command(
        commands, "claims", "run chapters over seeds and number formats, and record what their claims give", claims
    )
    p.add_argument("chapters", nargs="*", help="by name, as gan or vae-code; all if none is given")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="the runs of each chapter")
    p.add_argument(
        "--precisions", nargs="+", choices=("float32", "bfloat16"), default=["float32"], help="number formats"
    )
    p.add_argument("--at-once", type=int, default=2, help="chapters side by side, each with one thread and up to 2 GB")
    p.add_argument("--out", type=path, default=Path("book/records"), help="folder of the record")


def add_zh(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command zh and its options."""
    p = command(commands, "zh", "write the Chinese notebooks, and tell what of them is not translated", chinese)
    p.add_argument("--out", type=path, help="folder of the notebooks; if not given, nothing is written")


def record(options: argparse.Namespace) -> int:
    """Run an experiment and keep its record."""
    options.steps = options.steps if options.steps is not None else 40 if options.experiment == "cost" else 2000
    at_least_one(options, "steps", "batch", "seeds", "width")
    if options.seconds is not None and not 0 < options.seconds <= 1e6:
        raise RunError(f"--seconds {options.seconds:g}: it has to be above 0, up to 1,000,000")
    of_race = options.experiment == "race"
    options.size = options.size if options.size is not None else 64 if of_race else 32
    minutes = {"race": 15.0, "features": 1.0}.get(options.experiment, 9.0)
    options.minutes = options.minutes if options.minutes is not None else minutes
    if not 0 < options.minutes <= 1e5:
        raise RunError(f"--minutes {options.minutes:g}: it has to be above 0, up to 100,000")
    where, started = device(options), time.perf_counter()
    if options.experiment == "gpu":
        failed = gpu.record(options.minutes, options.scale, options.data, where, options.out, options.parts)
        print(options.out / f"{gpu.NAME}.json")
        return 1 if failed else 0
    if options.experiment in ("race", "features") and not options.data:
        raise RunError(f"{options.experiment} needs --data, a folder of pictures")
    if options.experiment == "features":
        feature_table.record(
            options.data, options.minutes, options.size, options.seeds, where, options.out, options.parts,
            options.overwrite,
        )  # fmt: skip
        print(options.out / f"{feature_table.NAME}.json")
        return 0
    if of_race:
        race.record(options.data, options.minutes, options.size, where, options.out, options.parts, options.overwrite)
        print(options.out / f"{race.NAME}.json")
        return 0
    if options.experiment == "families":
        for source in [options.source] if options.source else families.RECORDED:
            seconds = options.seconds or families.SECONDS[source]
            results, samples = families.compare(
                families.RECORDED[source], options.seeds, seconds, device=where, at_length=True
            )
            name = f"{options.name or options.experiment}-{source}"
            records.write(name, records.command_line(), results, samples, started, where, options.out)
            print(options.out / f"{name}.json")
            started = time.perf_counter()
        return 0
    name = options.name or options.experiment
    if options.experiment == "cost":
        results = ladder.record(options.size, options.width, options.batch, options.seeds, options.steps, where)
        records.write(name, records.command_line(), results, {}, started, where, options.out)
        print(options.out / f"{name}.json")
        return 0
    run = {
        "gan-factors": experiments.gan_factors, "gan-few": experiments.gan_few,
        "vae-factors": vae_experiments.vae_factors,
    }[options.experiment]  # fmt: skip
    results, samples = run(options.size, options.width, options.steps, options.batch, options.seeds, where)
    records.write(name, records.command_line(), results, samples, started, where, options.out)
    print(options.out / f"{name}.json")
    return 0


def claims(options: argparse.Namespace) -> int:
    """Run chapters and record their claims; the exit code is 1 where one is broken."""
    at_least_one(options, "at_once")
    bad = sweep.run(options.chapters, options.seeds, options.precisions, options.at_once, options.out)
    print("\n".join(["", f"{len(bad)} broken:", *bad] if bad else ["", "No claim is broken."]))
    return 1 if bad else 0


def chinese(options: argparse.Namespace) -> int:
    """Write the Chinese notebooks; the exit code is 1 where a translation is missing or stale."""
    told = 0
    for name, notebook, blocks in notebooks.chapters():
        found = notebooks.problems(notebook, blocks) if blocks else [f"{name}: no translation"]
        told += len(found)
        print("\n".join(found), end="\n" * bool(found))
        if options.out:
            notebooks.write(notebooks.translated(notebook, blocks), options.out / f"{name}.ipynb")
    print(f"{told} to translate" if told else "The translation is whole.")
    return 1 if told else 0
