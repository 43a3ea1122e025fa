"""python -m genimg train | sample | evaluate: a generator for a folder of pictures, from the command line.

Errors that have a way out are one line on stderr and exit code 2; Ctrl-C saves and ends with 130.
"""

import argparse
import json
import os
import sys
from pathlib import Path

EXAMPLES = """
examples:
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     train on a folder; Ctrl-C saves
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     the same again goes on from there
  python -m genimg sample runs/a --n 64 --seed 1 --out grid.png           64 new pictures
  python -m genimg evaluate runs/a                                        what can be measured of it
"""


TEACHES = """
what to change first:
  pictures look like noise after some thousand steps   --lr a third of it; look at history.csv
  all pictures look alike                              a larger --r1, or --diff-augment colour translation
  copies of the folder's pictures                      more pictures, --diff-augment, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --size, then --width, then --batch
  blurred (vae)                                        that is its likelihood speaking; try train gan
"""


LOSSES = ("relativistic", "non_saturating", "hinge", "wasserstein", "minimax", "sigmoid_bce")


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Says the default where there is one to say."""

    def _get_help_string(self, action):
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.stderr.write(f"genimg: {' '.join(message.split())} ({self.prog} --help tells more)\n")
        raise SystemExit(2)


def parser():
    """The command line's parser: its defaults and its help are the reference."""
    p = _Parser(
        prog="python -m genimg",
        description="Train a generator on pictures, sample from it, measure it. A part of the book Images from Noise.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="command")
    _add_train(commands)
    _add_sample(commands)
    _add_evaluate(commands)
    _add_record(commands)
    _add_claims(commands)
    return p


def _command(commands, name, text, **options):
    return commands.add_parser(name, help=text, description=text, formatter_class=_Help, allow_abbrev=False, **options)


def _add_train(commands):
    p = _command(
        commands, "train", "train a GAN, a VAE or a flow in a folder, or go on with what was begun there",
        usage="python -m genimg train {gan,vae,flow} --data DATA --out FOLDER [options]", epilog=TEACHES,
    )  # fmt: skip
    p.add_argument(
        "family", choices=("gan", "vae", "flow"),
        help="gan: sharp soon, one pass a sample; vae: steadiest, blurred, bounds the likelihood; flow: steady and "
        "sharp, some forty passes a sample",
    )  # fmt: skip
    where = p.add_argument_group("what and where")
    where.add_argument("--data", required=True, help="a folder of pictures, or shapes, digits, photos, cifar10, mnist")
    where.add_argument("--out", required=True, type=_path, help="folder of the run; made if absent")
    where.add_argument("--size", type=int, default=64, help="width and height in pixels: 16, 32, 64, 128, 256")
    where.add_argument(
        "--n", "--pictures", type=int, help="at most so many, drawn by the seed (torchrun has a --n too)"
    )
    where.add_argument("--background", default="white", help="colour behind transparent pictures: a name or #rrggbb")
    where.add_argument("--fit", default="crop", help="crop: the centre square; pad: all of it on the background")
    where.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read, and list them")
    where.add_argument("--mirror", action="store_true", help="also show pictures mirrored: right for faces, not text")
    how = p.add_argument_group("training")
    how.add_argument("--steps", type=int, default=5000, help="batches; a larger number extends a finished run")
    how.add_argument("--batch", type=int, default=32, help="pictures a step, over all processes; memory grows with it")
    how.add_argument("--seed", type=int, default=0, help="of everything random")
    how.add_argument("--lr", type=float, help="Adam's learning rate; if not given 1e-3 (book) or 2e-4 (text)")
    how.add_argument("--networks", default="book", help="book: the improved ones; text: the source text's")
    how.add_argument("--width", type=int, help="channels at full resolution; if not given 32 (book) or 64 (text)")
    how.add_argument("--z-dim", type=int, help="length of the noise vector of gan and vae; if not given 128 or 64")
    how.add_argument("--save-every", type=int, default=500, help="steps between checkpoints, each with a grid")
    a_gan = p.add_argument_group("gan only")
    a_gan.add_argument("--norm", default="batch", help="batch, or group: the same in any number of processes")
    a_gan.add_argument("--loss", help=f"one of {', '.join(LOSSES)}; if not given the first, of text the last")
    a_gan.add_argument(
        "--r1", type=float, help="weight of the gradient penalties, larger is calmer; if not given 0.1, of text 0"
    )
    a_gan.add_argument(
        "--diff-augment", nargs="+", default=[], metavar="NAME",
        help="colour, translation, cutout: what D is shown; for folders under about 10,000 pictures",
    )  # fmt: skip
    a_vae = p.add_argument_group("vae only")
    a_vae.add_argument("--beta", type=float, default=1.0, help="weight of the KL; 1 is the bound on the likelihood")
    a_vae.add_argument("--sigma", type=_sigma, default="optimal", help="optimal, or a fixed number above 0")
    machine = p.add_argument_group("machine")
    machine.add_argument("--device", help="cpu, cuda, cuda:1, ...; if not given a GPU where there is one")
    machine.add_argument("--threads", type=int, help="of torch on a CPU, if not given one a core; results depend on it")
    machine.add_argument(
        "--precision", choices=("float32", "bfloat16"), help="if not given the one the device is fast at"
    )
    machine.add_argument("--workers", type=int, help="processes that read a folder too large for memory; 0: none")
    machine.add_argument("--memory", type=float, help="GB that pictures may take before they are streamed from disk")
    machine.add_argument(
        "--compile",
        action="store_true",
        help="run through torch.compile: it costs a start-up and gained nothing on the processors it was tried on",
    )


def _add_sample(commands):
    p = _command(commands, "sample", "draw new pictures from a run")
    p.add_argument("run", type=_path, help="the run's folder")
    p.add_argument("--n", type=int, default=64, help="how many; of --interpolate, how many rows")
    p.add_argument("--seed", type=int, default=0, help="of the noise")
    p.add_argument("--out", type=_path, help="a .png, or with --each a folder; if not given beside the run's grids")
    p.add_argument("--columns", type=int, default=8, help="pictures in a row")
    p.add_argument("--solver-steps", type=int, default=20, help="of a flow: fewer are quicker and coarser")
    what = p.add_mutually_exclusive_group()
    what.add_argument("--interpolate", action="store_true", help="rows from one noise vector to another")
    what.add_argument("--each", action="store_true", help="single files in a folder, at full size")
    p.add_argument("--overwrite", action="store_true", help="replace what is there")
    p.add_argument("--device", help="cpu, cuda, ...")


def _add_evaluate(commands):
    p = _command(commands, "evaluate", "measure a run")
    p.add_argument("run", type=_path, help="the run's folder")
    p.add_argument("--data", help="pictures it has not seen, to compare with; if not given its own (shapes: new ones)")
    p.add_argument(
        "--features", metavar="NAME",
        help="digits, shapes; inception, dinov2 (these fetch weights); none. If not given digits or shapes for a run "
        "trained on them, else none",
    )  # fmt: skip
    p.add_argument("--n", type=int, default=500, help="samples drawn, and pictures compared with, at most")
    p.add_argument("--seed", type=int, default=1, help="of samples and pictures")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.add_argument("--device", help="cpu, cuda, ...")


def _add_record(commands):
    p = _command(commands, "record", "run an experiment of the book that is too long for a page, and keep it")
    p.add_argument("experiment", choices=("gan-factors", "vae-factors", "families", "cost", "gpu"), help="which one")
    p.add_argument("--name", help="of the record; if not given that of the experiment")
    p.add_argument("--size", type=int, default=32, help="of the pictures")
    p.add_argument("--width", type=int, default=16, help="filters of the first level; the source text has 64")
    p.add_argument("--steps", type=int, help="batches a run (2,000); of cost, of each rung in each of 5 rounds (40)")
    p.add_argument("--batch", type=int, default=32, help="pictures a step")
    p.add_argument("--seeds", type=int, default=3, help="runs a variant")
    p.add_argument(
        "--seconds", type=float,
        help="of families: training time of each, in place of size, width, steps and batch (digits 90, shapes 120)",
    )  # fmt: skip
    p.add_argument("--source", choices=("digits", "shapes"), help="of families: only these pictures")
    p.add_argument("--minutes", type=float, default=9.0, help="of gpu: for all its parts")
    p.add_argument(
        "--scale", choices=("full", "tiny"), default="full", help="of gpu: tiny is what a CPU does in a minute"
    )
    p.add_argument("--data", help="of gpu: a folder of pictures, for its last part")
    p.add_argument("--parts", nargs="+", default=[], help="of gpu: only these; what else is on record stays")
    p.add_argument("--device", help="cpu, cuda, ...")
    p.add_argument("--threads", type=int, help="of torch on a CPU")
    p.add_argument("--out", type=_path, default=Path("book/records"), help="folder of the records")


def _add_claims(commands):
    p = _command(commands, "claims", "run chapters over seeds and number formats, and record what their claims give")
    p.add_argument("chapters", nargs="*", help="by name, as gan or vae-code; all if none is given")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="the runs of each chapter")
    p.add_argument(
        "--precisions", nargs="+", choices=("float32", "bfloat16"), default=["float32"], help="number formats"
    )
    p.add_argument("--at-once", type=int, default=2, help="chapters side by side, each with one thread and up to 2 GB")
    p.add_argument("--out", type=_path, default=Path("book/records"), help="folder of the record")


def _sigma(text):
    return text if text == "optimal" else float(text)


def _path(text):
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def main(arguments=None):
    """Run a command line; returns the exit code."""
    options = parser().parse_args(arguments)
    import torch

    from genimg.errors import DataError, RunError
    from genimg.runs import Stopped
    from genimg.training import Diverged

    def tell(error, way_out=""):
        rank = f" (process {os.environ['RANK']})" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        print(f"genimg{rank}: {' '.join(str(error).split())}{way_out}", file=sys.stderr)
        return 2

    try:
        return {"train": _train, "sample": _sample, "evaluate": _evaluate, "record": _record, "claims": _claims}[
            options.command
        ](options)
    except (DataError, RunError, Diverged) as error:
        return tell(error)
    except Stopped as stopped:
        print(f"genimg: {stopped}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("genimg: stopped without saving; the last checkpoint is as it was", file=sys.stderr)
        return 130
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        return tell(str(error).split(". ")[0] or "out of memory", "; try a smaller --batch, --width or --size")
    except ImportError as error:
        return tell(error)
    except OSError as error:  # a path that cannot even be looked for
        return tell(f"{error.filename or ''}: {error.strerror or error}", "; choose another path")
    except RuntimeError as error:
        if "DataLoader worker" in str(error):  # torch raises it wherever the program happens to be
            way_out = "; the last checkpoint is whole, and the same command goes on from it (fewer --workers take less)"
            return tell("a process that reads pictures ahead was killed, as when memory runs out", way_out)
        if "DefaultCPUAllocator" in str(error):
            return tell("not enough memory", "; try a smaller --batch, --width or --size")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # gloo and nccl tell of a lost peer in errors of many kinds
            return tell(
                str(error)[:200], f"; another process may have died. The last checkpoint in {options.out} is whole"
            )
        raise


def _train(options):
    import torch

    from genimg import distributed, runs
    from genimg.recipes import Recipe

    device = _device(options)
    recipe = Recipe(
        family=options.family, data=options.data, size=options.size, n=options.n, steps=options.steps,
        batch=options.batch, seed=options.seed, networks=options.networks, norm=options.norm, z_dim=options.z_dim,
        width=options.width, lr=options.lr, loss=options.loss, r1=options.r1,
        diff_augment=tuple(options.diff_augment), beta=options.beta, sigma=options.sigma,
        mirror=options.mirror, background=options.background, fit=options.fit, skip_bad=options.skip_bad,
    )  # fmt: skip
    with distributed.joined() as own:
        runs.train(
            recipe, options.out, own or device, options.save_every,
            options.precision and getattr(torch, options.precision), options.compile, options.workers,
            None if options.memory is None else int(options.memory * 1e9),
        )  # fmt: skip
        if distributed.rank() == 0:
            print(f"{options.out}: {recipe.steps:,} steps done; python -m genimg sample {options.out} draws from it")
    return 0


def _sample(options):
    from genimg import data, files, plots, runs
    from genimg.errors import RunError

    _at_least_one(options, "n", "columns", "solver_steps")
    model, recipe = runs.load(options.run, _device(options))
    solver = {"steps": options.solver_steps} if recipe.family == "flow" else {}
    kind = "interpolation" if options.interpolate else "samples"
    out = options.out or options.run / runs.SAMPLES / (f"{kind}-seed-{options.seed}" + ("" if options.each else ".png"))
    if out.exists() and not options.overwrite and (out.is_file() or any(out.iterdir())):
        raise RunError(f"{out} is there already; --overwrite replaces it, --out names another")
    if not options.each and out.suffix.lower() != ".png":
        raise RunError(f"--out {out}: a grid is written as .png; --each writes single files into a folder")
    if options.interpolate:
        ends = runs.noise(model, 2 * options.n, options.seed).unflatten(0, (options.n, 2))
        x = plots.interpolated(lambda z: model.sample(z=z, **solver), ends, options.columns)
    else:
        x = model.sample(options.n, seed=options.seed, **solver)
    if options.each:
        for i, picture in enumerate(data.to_bytes(x)):
            files.write_picture(out / f"{i:0{len(str(options.n))}d}.png", plots.tile(picture.unsqueeze(0), 1))
    else:
        files.write_picture(out, plots.tile(x, options.columns))
    print(out)
    return 0


def _claims(options):
    from genimg import sweep

    _at_least_one(options, "at_once")
    bad = sweep.run(options.chapters, options.seeds, options.precisions, options.at_once, options.out)
    print("\n".join(["", f"{len(bad)} broken:", *bad] if bad else ["", "No claim is broken."]))
    return 1 if bad else 0


def _evaluate(options):
    from genimg import evaluation

    _at_least_one(options, "n")
    device = _device(options)
    result = evaluation.evaluate(options.run, options.data, options.n, options.seed, device, options.features)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0

    def shown(value):
        return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)

    floor = result.pop("floor", {})
    if floor:
        print(f"{'':28s}{'samples':>12s}{'real ones':>12s}")
    for name, value in result.items():
        if value is not None:
            print(f"{evaluation.MEANS.get(name, name):28s}{shown(value):>12s}{shown(floor.get(name)):>12s}".rstrip())
    return 0


def _record(options):
    import time

    from genimg import experiments, families, gpu, ladder, records
    from genimg.errors import RunError

    options.steps = options.steps if options.steps is not None else 40 if options.experiment == "cost" else 2000
    _at_least_one(options, "steps", "batch", "seeds", "width")
    if options.seconds is not None and not 0 < options.seconds <= 1e6:
        raise RunError(f"--seconds {options.seconds:g}: it has to be above 0, up to 1,000,000")
    if not 0 < options.minutes <= 1e5:
        raise RunError(f"--minutes {options.minutes:g}: it has to be above 0, up to 100,000")
    device, started = _device(options), time.perf_counter()
    if options.experiment == "gpu":
        failed = gpu.record(options.minutes, options.scale, options.data, device, options.out, options.parts)
        print(options.out / f"{gpu.NAME}.json")
        return 1 if failed else 0
    if options.experiment == "families":
        for source in [options.source] if options.source else families.CONTENDERS:
            seconds = options.seconds or families.SECONDS[source]
            results, samples = families.compare(source, options.seeds, seconds, device=device)
            name = f"{options.name or options.experiment}-{source}"
            records.write(name, records.command_line(), results, samples, started, device, options.out)
            print(options.out / f"{name}.json")
            started = time.perf_counter()
        return 0
    name = options.name or options.experiment
    if options.experiment == "cost":
        results = ladder.record(options.size, options.width, options.batch, options.seeds, options.steps, device)
        records.write(name, records.command_line(), results, {}, started, device, options.out)
        print(options.out / f"{name}.json")
        return 0
    run = {"gan-factors": experiments.gan_factors, "vae-factors": experiments.vae_factors}[options.experiment]
    results, samples = run(options.size, options.width, options.steps, options.batch, options.seeds, device)
    records.write(name, records.command_line(), results, samples, started, device, options.out)
    print(options.out / f"{name}.json")
    return 0


def _at_least_one(options, *names):
    from genimg.errors import RunError

    for name in names:
        if not 1 <= getattr(options, name) <= 100_000:
            raise RunError(f"--{name.replace('_', '-')} {getattr(options, name)}: it has to be from 1 to 100,000")


def _device(options):
    import torch

    from genimg.errors import RunError

    for name in ("threads", "save_every", "workers"):
        value = getattr(options, name, None)
        least = 0 if name == "workers" else 1
        if value is not None and not least <= value <= 10**9:
            raise RunError(f"--{name.replace('_', '-')} {value}: it has to be a whole number of at least {least}")
    memory = getattr(options, "memory", None)
    if memory is not None and not 0 <= memory < 1e9:
        raise RunError(f"--memory {memory:g}: it has to be at least 0, in GB")
    if options.command != "train" and not 0 <= getattr(options, "seed", 0) <= 2**31:
        raise RunError(f"--seed {options.seed}: it has to be a whole number from 0 to 2,147,483,648")
    if getattr(options, "threads", None):
        torch.set_num_threads(min(options.threads, 1024))
    if options.device is None:
        return None
    try:
        device = torch.device(options.device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RunError(f"--device {options.device} is not to be had here ({str(error).splitlines()[0]})") from None
    return device


if __name__ == "__main__":
    sys.exit(main())
