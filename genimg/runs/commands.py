"""The commands train, sample and evaluate."""

import argparse
import json

import torch

from genimg import plots
from genimg.data.images import to_bytes
from genimg.measure.yardstick import MEANS
from genimg.models.gan import LOSSES
from genimg.runs import evaluation, run
from genimg.runs.recipes import Recipe
from genimg.system import distributed, files
from genimg.system.errors import RunError
from genimg.system.options import at_least_one, command, device, path

#: What the help of train ends with.
TEACHES = """
what to change first:
  pictures look like noise after some thousand steps   --lr a third of it; look at history.csv
  all pictures look alike                              a larger --r1, or --diff-augment colour translation
  copies of the folder's pictures                      more pictures, --diff-augment, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --size, then --width, then --batch
  blurred (vae)                                        that is its likelihood speaking; try train gan
"""


def add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command train and its options."""
    p = command(
        commands, "train", "train a GAN, a VAE or a flow in a folder, or go on with what was begun there", train,
        usage="python -m genimg train {gan,vae,flow} --data DATA --out FOLDER [options]", epilog=TEACHES,
    )  # fmt: skip
    p.add_argument(
        "family", choices=("gan", "vae", "flow"),
        help="gan: sharp soon, one pass a sample; vae: steadiest, blurred, bounds the likelihood; flow: steady and "
        "sharp, some forty passes a sample",
    )  # fmt: skip
    where = p.add_argument_group("what and where")
    where.add_argument(
        "--data", required=True,
        help="a folder of pictures, or shapes, digits, photos, cifar10, mnist (genimg:photos beside a folder photos)",
    )  # fmt: skip
    where.add_argument("--out", required=True, type=path, help="folder of the run; made if absent")
    where.add_argument("--size", type=int, default=64, help="width and height in pixels: 16, 32, 64, 128, 256")
    where.add_argument(
        "--n", "--pictures", type=int, help="at most so many, drawn by the seed (torchrun has a --n too)"
    )
    where.add_argument("--background", default="white", help="colour behind transparent pictures: a name or #rrggbb")
    where.add_argument("--fit", default="crop", help="crop: the centre square; pad: all of it on the background")
    where.add_argument("--channels", type=int, help="3, or 1 for grey; if not given 1 where all of a folder are grey")
    where.add_argument("--white", type=float, help="the value that is white in pictures of more than 8 bits")
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
    a_gan.add_argument("--loss", help=f"one of {', '.join(LOSSES)}; if not given relativistic, of text sigmoid_bce")
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


def add_sample(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command sample and its options."""
    p = command(commands, "sample", "draw new pictures from a run", sample)
    p.add_argument("folder", metavar="run", type=path, help="the run's folder")
    p.add_argument("--n", type=int, default=64, help="how many; of --interpolate, how many rows")
    p.add_argument("--seed", type=int, default=0, help="of the noise")
    p.add_argument("--out", type=path, help="a .png, or with --each a folder; if not given beside the run's grids")
    p.add_argument("--columns", type=int, default=8, help="pictures in a row")
    p.add_argument("--solver-steps", type=int, default=20, help="of a flow: fewer are quicker and coarser")
    what = p.add_mutually_exclusive_group()
    what.add_argument("--interpolate", action="store_true", help="rows from one noise vector to another")
    what.add_argument("--each", action="store_true", help="single files in a folder, at full size")
    p.add_argument("--overwrite", action="store_true", help="replace what is there")
    p.add_argument("--device", help="cpu, cuda, ...")


def add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command evaluate and its options."""
    p = command(commands, "evaluate", "measure a run", evaluate)
    p.add_argument("folder", metavar="run", type=path, help="the run's folder")
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


def _sigma(text: str) -> str | float:
    return text if text == "optimal" else float(text)


def train(options: argparse.Namespace) -> int:
    """Train, or go on."""
    own_device = device(options)
    recipe = Recipe(
        family=options.family, data=options.data, size=options.size, n=options.n, steps=options.steps,
        batch=options.batch, seed=options.seed, networks=options.networks, norm=options.norm, z_dim=options.z_dim,
        width=options.width, lr=options.lr, loss=options.loss, r1=options.r1,
        diff_augment=tuple(options.diff_augment), beta=options.beta, sigma=options.sigma,
        mirror=options.mirror, background=options.background, fit=options.fit, skip_bad=options.skip_bad,
        channels=options.channels, white=options.white,
    )  # fmt: skip
    with distributed.joined() as own:
        run.train(
            recipe, options.out, own or own_device, options.save_every,
            options.precision and getattr(torch, options.precision), options.compile, options.workers,
            None if options.memory is None else int(options.memory * 1e9),
        )  # fmt: skip
        if distributed.rank() == 0:
            print(f"{options.out}: {recipe.steps:,} steps done; python -m genimg sample {options.out} draws from it")
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw pictures from a run into a grid or into files."""
    at_least_one(options, "n", "columns", "solver_steps")
    model, recipe = run.load(options.folder, device(options))
    solver = {"steps": options.solver_steps} if recipe.family == "flow" else {}
    kind = "interpolation" if options.interpolate else "samples"
    out = options.out or options.folder / run.SAMPLES / (
        f"{kind}-seed-{options.seed}" + ("" if options.each else ".png")
    )
    if out.exists() and not options.overwrite and (out.is_file() or any(out.iterdir())):
        raise RunError(f"{out} is there already; --overwrite replaces it, --out names another")
    if not options.each and out.suffix.lower() != ".png":
        raise RunError(f"--out {out}: a grid is written as .png; --each writes single files into a folder")
    if options.interpolate:
        ends = run.noise(model, 2 * options.n, options.seed).unflatten(0, (options.n, 2))
        x = plots.interpolated(lambda z: model.sample(z=z, **solver), ends, options.columns)
    else:
        x = model.sample(options.n, seed=options.seed, **solver)
    if options.each:
        for i, picture in enumerate(to_bytes(x)):
            files.write_picture(out / f"{i:0{len(str(options.n))}d}.png", plots.tile(picture.unsqueeze(0), 1))
    else:
        files.write_picture(out, plots.tile(x, options.columns))
    print(out)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Measure a run, as a table or as JSON."""
    at_least_one(options, "n")
    result = evaluation.evaluate(
        options.folder, options.data, options.n, options.seed, device(options), options.features
    )
    if options.json:
        print(json.dumps(result, indent=2))
        return 0

    def shown(value: object) -> str:
        return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)

    floor = result.pop("floor", {})
    if floor:
        print(f"{'':28s}{'samples':>12s}{'real ones':>12s}")
    for name, value in result.items():
        if value is not None:
            print(f"{MEANS.get(name, name):28s}{shown(value):>12s}{shown(floor.get(name)):>12s}".rstrip())
    return 0
