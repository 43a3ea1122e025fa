"""The words of the commands train and evaluate; their defaults are those of a `Recipe`."""

import argparse
import dataclasses
import difflib
import re
from collections.abc import Sequence

from genimg.data.captions import MOST
from genimg.models import sizes
from genimg.models.gan import LOSSES
from genimg.models.sizes import Size
from genimg.runs.commands import evaluate, train
from genimg.runs.recipes import DEFAULT, FAMILIES, NEWER, SAVE_EVERY, Recipe
from genimg.system.options import command, path

#: Setting of a recipe -> its default, of those that have one.
DEFAULTS = {f.name: f.default for f in dataclasses.fields(Recipe) if f.default is not dataclasses.MISSING}

#: Family -> what it is, and what its help ends with.
FAMILY = {
    "gan": ("sharp soon, one pass a sample", """
what to change first:
  pictures look like noise after some thousand steps   --lr a third of it; look at history.csv
  all pictures look alike                              a larger --r1, or --diff-augment colour translation
  copies of the folder's pictures                      more pictures, --diff-augment, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --size, then --width, then --batch
"""),
    "vae": ("steadiest, blurred, bounds the likelihood", """
what to change first:
  blurred                                              that is its likelihood speaking; try train gan
  all pictures look alike                              a lower --beta
  copies of the folder's pictures                      more pictures, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --size, then --width, then --batch
"""),
    "flow": ("steady and sharp, some forty passes a sample", """
what to change first:
  pictures look like noise after some thousand steps   more --steps, or --lr a third of it
  copies of the folder's pictures                      more pictures, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --width, then --batch, then --size
"""),
    "latent": ("a VAE for half of the steps, then a flow on its codes", """
what to change first:
  redrawn pictures are blurred                         more --steps, a larger --z-dim, or a lower --beta
  samples are lumps                                    more --steps
  captions make no difference                          more --steps: words are learned after outlines and colours
  copies of the folder's pictures                      more pictures, --mirror, fewer --steps
  too slow, or out of memory                           a smaller --width, then --batch, then --size
"""),
}  # fmt: skip

#: Family -> options that not every family has.
OF_FAMILY = {
    "gan": ("--networks", "--z-dim", "--norm", "--loss", "--r1", "--diff-augment"),
    "vae": ("--networks", "--z-dim", "--beta", "--sigma"),
    "latent": ("--z-dim", "--beta", "--captions", "--vocabulary"),
}

#: Why the default is what it is, and the way to another.
WHY = (
    "no family is named: {default}, which of all came nearest to unseen pictures in equal time on a processor (python "
    "-m genimg record race; on a GPU it was not measured); {others} take another"
)

#: What other programs call an option -> what it is here.
ELSEWHERE = {
    "--epochs": "--steps counts batches: an epoch is the number of pictures by --batch",
    "--iterations": "that is --steps", "--max-steps": "that is --steps", "--learning-rate": "that is --lr",
    "--batch-size": "that is --batch", "--resolution": "that is --size", "--image-size": "that is --size",
    "--dataset": "that is --data", "--output": "that is --out", "--outdir": "that is --out",
    "--latent-dim": "that is --z-dim", "--resume": "the same command goes on by itself",
    "--augment": "that is --diff-augment, or --mirror", "--gpu": "that is --device cuda",
    "--fp16": "that is --precision",
    "--early-stopping": "that is --patience", "--validation-split": "that is --held-out, a number",
    "--class": "--classes says what gives the pictures labels; --class is an option of sample",
    "--caption": "--captions says what gives the pictures sentences; --caption is an option of sample",
    "--labels": "that is --classes", "--cond": "that is --classes folder", "--conditional": "that is --classes folder",
}  # fmt: skip


def add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command train, its families and their options."""
    p = command(
        commands, "train", "train a GAN, a VAE or a flow in a folder, or go on with what was begun there", train,
        usage="python -m genimg train [gan|vae|flow|latent] --data DATA --out FOLDER [options]",
        epilog=f"Without a family it is {DEFAULT}, with its options: train {DEFAULT} --help.",
    )  # fmt: skip
    families = p.add_subparsers(dest="family", required=True, metavar="family", prog="python -m genimg train")
    for family, (text, epilog) in FAMILY.items():
        usage = f"python -m genimg train {family} --data DATA --out FOLDER [options]"
        _add_options(command(families, family, text, train, usage=usage, epilog=epilog), family)


def with_family(arguments: Sequence[str]) -> list[str]:
    """A command line, with the default family where train is given none."""
    first, *rest = arguments or [""]
    bare = first == "train" and rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help")
    return [first, DEFAULT, *rest] if bare else list(arguments)


def why_default() -> str:
    """What is said where no family was named."""
    others = ", ".join(f"train {family}" for family in FAMILIES if family != DEFAULT)
    return WHY.format(default=DEFAULT, others=others)


def _add_options(p: argparse.ArgumentParser, family: str) -> None:
    where = p.add_argument_group("what and where")
    where.add_argument(
        "--data", required=True,
        help="a folder of pictures, or shapes, digits, photos, cifar10, mnist (genimg:photos beside a folder photos)",
    )  # fmt: skip
    where.add_argument("--out", required=True, type=path, help="folder of the run; made if absent")
    where.add_argument(
        "--from", dest="start", type=path, help="folder of another run, from whose weights this one starts"
    )
    where.add_argument(
        "--size", type=_size,
        help="pixels along width and height, a multiple of 8 up to 512; WIDTHxHEIGHT, as 96x64, where they differ",
    )  # fmt: skip
    where.add_argument(
        "--n", "--pictures", type=int, help="at most so many, drawn by the seed; torchrun passes on --pictures only"
    )
    where.add_argument(
        "--held-out", type=int,
        help="pictures to measure by, not trained on; if not given every tenth, at least 50, at most 2,000; 0: none",
    )  # fmt: skip
    where.add_argument("--background", help="colour behind transparent pictures: a name or #rrggbb")
    where.add_argument("--fit", help="crop: the centre square; pad: all of it on the background")
    where.add_argument(
        "--channels",
        type=int,
        help="3, 1 for grey, 4 to keep transparency; if not given 1 where all of a folder are grey, else 3",
    )
    where.add_argument("--white", type=float, help="the value that is white in pictures of more than 8 bits")
    where.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read, and list them")
    where.add_argument("--mirror", action="store_true", help="also show pictures mirrored: right for faces, not text")
    where.add_argument(
        "--classes", metavar="folder|FILE",
        help="learn to draw what is asked for: folder takes subfolders' names, else a CSV of file and label",
    )  # fmt: skip
    if family == "latent":
        where.add_argument(
            "--captions", metavar="names|FILE",
            help="learn to draw what a sentence says: names takes the files' names, else a CSV of file and sentence",
        )  # fmt: skip
        where.add_argument(
            "--vocabulary", type=int,
            help=f"words of --captions that are kept at most, the most frequent; if not given {MOST:,}",
        )  # fmt: skip
    of_text = "" if family in NEWER else ", of --networks text {}"
    how = p.add_argument_group("training")
    how.add_argument("--steps", type=int, help="batches; a larger number extends a finished run")
    how.add_argument("--minutes", type=float, help="stop after so many and save; the same command goes on")
    how.add_argument("--patience", type=int, help="stop after so many saves none of which was better than one before")
    how.add_argument("--batch", type=int, help="pictures a step, over all processes; memory grows with it")
    how.add_argument("--seed", type=int, help="of everything random")
    how.add_argument("--lr", type=float, help=f"Adam's learning rate; if not given 1e-3{of_text.format('2e-4')}")
    how.add_argument("--width", type=int, help=f"channels at full resolution; if not given 32{of_text.format('64')}")
    how.add_argument("--save-every", type=int, default=SAVE_EVERY, help="steps between checkpoints, each with a grid")
    own = p.add_argument_group("networks and losses")
    if family == "latent":
        own.add_argument("--z-dim", type=int, help="numbers in each place of the code; if not given 8")
    if family not in NEWER:
        own.add_argument("--networks", help="book: the improved ones; text: the source text's")
        z_dim = "128" if family == "gan" else "64" + of_text.format("128")
        own.add_argument("--z-dim", type=int, help=f"length of the noise vector; if not given {z_dim}")
    if family == "gan":
        own.add_argument("--norm", help="batch, or group: the same in any number of processes")
        own.add_argument("--loss", help=f"one of {', '.join(LOSSES)}; if not given relativistic, of text sigmoid_bce")
        own.add_argument(
            "--r1", type=float, help="weight of the gradient penalties, larger is calmer; if not given 0.1, of text 0"
        )
        own.add_argument(
            "--diff-augment", nargs="+", metavar="NAME", type=_policy,
            help="colour, translation, cutout: what D is shown; for folders under about 10,000 pictures",
        )  # fmt: skip
    if family in ("vae", "latent"):
        own.add_argument("--beta", type=float, help="weight of the KL; 1 is the bound on the likelihood")
    if family == "vae":
        own.add_argument("--sigma", type=_sigma, help="optimal, or a fixed number above 0")
    machine = p.add_argument_group("machine")
    machine.add_argument(
        "--device",
        help="cpu, cuda, cuda:1, mps, ...; if not given a GPU where there is one, but not Apple's (mps), as nobody has "
        "yet compared what it computes",
    )
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
    p.set_defaults(**DEFAULTS)


def add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command evaluate and its options."""
    p = command(commands, "evaluate", "measure a run", evaluate)
    p.add_argument("folder", metavar="run", type=path, help="the run's folder")
    p.add_argument("--last", action="store_true", help="the last save, instead of the best")
    p.add_argument(
        "--data", help="pictures it has not seen, to compare with; if not given those held out (of shapes: new ones)"
    )
    p.add_argument("--trained-on", help="where the pictures that it was trained on now are, if they were moved")
    p.add_argument(
        "--features", metavar="NAME",
        help="digits, shapes; gabor (any pictures); inception, dinov2 (these fetch weights); none. If not given digits "
        "or shapes for a run trained on them, else gabor",
    )  # fmt: skip
    p.add_argument("--n", type=int, default=500, help="samples drawn, and pictures compared with, at most")
    p.add_argument("--seed", type=int, default=1, help="of samples and pictures")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.add_argument("--workers", type=int, help="processes that read a folder too large for memory; 0: none")
    p.add_argument("--memory", type=float, help="GB that pictures may take before they are streamed from disk")
    p.add_argument("--device", help="cpu, cuda, ...")


def _sigma(text: str) -> str | float:
    return text if text == "optimal" else float(text)


def _size(text: str) -> Size:
    try:
        return sizes.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _policy(text: str) -> str:
    return "colour" if text == "color" else text


def unknown(left: Sequence[str], options: argparse.Namespace) -> str:
    """What is said of arguments that a command does not have.

    Args:
        left: those that its parser left over.
        options: the others.
    """
    name = left[0].split("=")[0]
    here = " ".join(filter(None, (options.command, getattr(options, "family", None))))
    own = [family for family, names in OF_FAMILY.items() if name in names]
    if options.command == "train" and own:
        return f"{name} is an option of train {' and train '.join(own)}, {here} has none"
    if options.command == "train" and name in ELSEWHERE:
        return f"{name} is no option of {here}: {ELSEWHERE[name]}"
    near = difflib.get_close_matches(name, re.findall(r"--[\w-]+", options.own.format_help()), 1, 0.7)
    return f"unrecognized arguments of {here}: {' '.join(left)}{f'; the nearest is {near[0]}' if near else ''}"
