"""The command sample: new pictures from a run, as a grid, as rows between two, as a walk, or one by one."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genimg import plots
from genimg.data.images import Images, to_bytes
from genimg.data.sources import meant
from genimg.measure import features, metrics
from genimg.models.captioned import GUIDANCE, Captioned
from genimg.models.model import Model
from genimg.runs import kept, run, scores, walk
from genimg.runs.kept import SAMPLES
from genimg.runs.pictures import load_pictures, parted, some
from genimg.runs.recipes import Recipe
from genimg.system import files
from genimg.system.errors import RunError, shown
from genimg.system.options import at_least_one, command, device, path
from genimg.system.progress import Progress

#: Pictures that are drawn before they are written.
AT_ONCE = 64
#: As many of a model that takes many passes a picture, so that it can be seen how far it is.
AT_ONCE_SLOWLY = 8

#: Guidance at most.
MOST_GUIDANCE = 100.0

#: What is drawn -> how many, if --n does not say.
MANY = {"samples": 64, "interpolation": 8, "walk": 8}


def add_sample(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command sample and its options."""
    p = command(commands, "sample", "draw new pictures from a run", sample)
    p.add_argument("folder", metavar="run", type=path, help="the run's folder")
    p.add_argument(
        "--n", type=int,
        help=f"how many, if not given {MANY['samples']}; of --interpolate rows, if not given {MANY['interpolation']}; "
        f"of --walk pictures that it comes through, if not given {MANY['walk']}",
    )  # fmt: skip
    p.add_argument("--seed", type=int, default=0, help="of the noise")
    p.add_argument(
        "--out", type=path, help="a .png, .jpg or .webp, or with --each a folder; if not given beside the run's grids"
    )
    p.add_argument("--columns", type=int, default=8, help="pictures in a row, of --interpolate from one to the other")
    p.add_argument("--scale", type=int, default=1, help="enlarge each pixel to a square of so many")
    p.add_argument("--solver-steps", type=int, default=20, help="of flow and latent: fewer are quicker and coarser")
    p.add_argument(
        "--class", dest="named", metavar="NAME",
        help="of a run with --classes: draw this class; if not given, a row of each, of --interpolate by turns",
    )  # fmt: skip
    p.add_argument(
        "--caption", metavar="TEXT",
        help='of a run with --captions: draw this; if not given, rows of captions of training pictures; "" is none',
    )  # fmt: skip
    p.add_argument(
        "--guidance", type=float,
        help=f"of a run with --captions: how far to go in what they say, 1 is as learned; if not given {GUIDANCE:g}",
    )  # fmt: skip
    what = p.add_mutually_exclusive_group()
    what.add_argument("--interpolate", action="store_true", help="rows from one noise vector to another")
    what.add_argument(
        "--walk", metavar="FILE", type=path,
        help="a .gif, .webp or .mp4 that walks through several pictures and back; with --each a folder of its frames",
    )  # fmt: skip
    what.add_argument(
        "--best",
        metavar="N",
        type=int,
        help="of --n samples the N nearest to pictures held out: picked, and told so",
    )
    p.add_argument("--seconds", type=float, default=1.5, help="of --walk, from one picture to the next")
    p.add_argument("--each", action="store_true", help="single files in a folder, written as they are drawn")
    p.add_argument("--overwrite", action="store_true", help="replace what is there")
    p.add_argument("--last", action="store_true", help="of the last save, instead of the best")
    p.add_argument("--device", help="cpu, cuda, ...")


def sample(options: argparse.Namespace) -> int:
    """Draw pictures from a run into a grid, a moving picture or files."""
    kind = "interpolation" if options.interpolate else "walk" if options.walk else "samples"
    at_least_one(options, "columns", "solver_steps")
    if not 1 <= options.scale <= 64:
        raise RunError(f"--scale {options.scale}: it has to be from 1 to 64")
    model, recipe = run.load(options.folder, device(options), options.last)
    label = _asked(model, recipe, options)
    if options.n is None:
        in_rows = model.classes and kind == "samples" and label is None
        options.n = len(kept.rows_of(model.kinds(), options.columns)) if in_rows else MANY[kind]
    at_least_one(options, "n")
    if model.classes and kind == "walk" and label is None:
        has, option = ("captions", "--caption") if recipe.captions else ("classes", "--class")
        raise RunError(f"--walk of {options.folder}, which has {has}, goes through one: {option} names it")
    solver: dict[str, Any] = {} if model.quick else {"steps": options.solver_steps}
    solver |= {} if options.guidance is None else {"guidance": options.guidance}
    out = _place(options, kind)
    if kind == "walk":
        count, noise = _walk(model, options)
    elif kind == "interpolation":
        count, noise = _rows(model, options)
    else:
        count, noise = options.n, _fresh(model, options)
    labels = None
    if model.classes:
        kinds = model.kinds() if label is None else label[None]
        labels = kept.rows_of(kinds, options.columns, count)
        if isinstance(model, Captioned) and label is None:
            said = map(model.vocabulary.decode, labels[:: options.columns][: min(len(kinds), kept.ROWS)])
            print(f"rows: {'; '.join(said)}", file=sys.stderr)
    pictures = _drawn(model, noise, count, solver, labels)
    if options.best is not None:
        pictures, count = _nearest(torch.stack(list(pictures)), recipe, options), options.best
    if options.each:
        for i, picture in enumerate(pictures):
            files.write_picture(out / f"{i:0{len(str(count))}d}.png", _single(picture, options.scale))
    elif kind == "walk":
        walk.write(out, (_frame(picture, options.scale) for picture in pictures))
    else:
        files.write_picture(out, _sheet(torch.stack(list(pictures)), options.columns, options.scale))
    rows = [] if options.last else scores.read(options.folder)
    if rows and (best := scores.best(rows)) is not rows[-1]:
        print(f"of step {best.step:,}, the best of {len(rows)} saves; --last takes the last", file=sys.stderr)
    if line := kept.too_early(model, recipe, options.folder, options.last):
        print(line, file=sys.stderr)
    print(out)
    return 0


def _asked(model: Model, recipe: Recipe, options: argparse.Namespace) -> Tensor | None:
    """The label of what is asked for, () of a class, (length,) of a caption; None where nothing is.

    Raises:
        RunError: the run has no such class, or not these words, or is told nothing.
    """
    if not isinstance(model, Captioned):
        for name in ("caption", "guidance"):
            if (value := getattr(options, name)) is not None:
                raise RunError(
                    f"--{name} {value}: {options.folder} was trained without captions; train latent --captions names "
                    f"learns them"
                )
        number = run.class_of(recipe, options.named, options.folder)
        return None if number is None else torch.tensor(number)
    if options.named:
        raise RunError(f"--class {options.named}: {options.folder} was trained with captions; --caption asks for one")
    if options.guidance is not None and not 0 <= options.guidance <= MOST_GUIDANCE:
        raise RunError(f"--guidance {options.guidance:g}: it has to be from 0 to {MOST_GUIDANCE:g}")
    if options.caption is None:
        return None
    try:
        return model.vocabulary.encode(options.caption)
    except ValueError as error:
        raise RunError(f"--caption {shown(options.caption)} of {options.folder}: {error}") from error


def _place(options: argparse.Namespace, kind: str) -> Path:
    """Where it goes.

    Raises:
        RunError: what is asked for cannot be written there, or something is there already.
    """
    if options.walk and options.out:
        raise RunError("--walk names what it writes itself; leave out --out")
    if options.walk and not options.each:
        walk.check(options.walk)
    asked = options.named or options.caption
    of = "-" + re.sub(r"[^\w.-]", "_", asked)[:80] if asked else ""
    name = f"{kind}{of}-seed-{options.seed}" + ("" if options.each else ".png")
    out: Path = options.walk or options.out or options.folder / SAMPLES / name
    option = "--walk" if options.walk else "--out"
    if options.walk and options.each and out.suffix.lower() in walk.FORMATS:
        raise RunError(f"--walk {out}: with --each it names a folder, for the single frames")
    if out.exists() and not options.overwrite and (out.is_file() or any(out.iterdir())):
        raise RunError(f"{out} is there already; --overwrite replaces it, {option} names another")
    if not options.walk and not options.each and out.suffix.lower() not in files.PICTURES:
        endings = ", ".join(files.PICTURES)
        raise RunError(f"--out {out}: a grid is written as {endings}; --each writes single files into a folder")
    return out


def _fresh(model: Model, options: argparse.Namespace) -> Iterator[Tensor]:
    """Noise of new pictures."""
    if not options.each:  # as `Model.sample` draws it, all at once
        yield from model.noise_for(options.n, options.seed).split(AT_ONCE)
        return
    generator = torch.Generator(model.device()).manual_seed(options.seed)
    for first in range(0, options.n, AT_ONCE):
        yield model.noise(min(AT_ONCE, options.n - first), generator)


def _rows(model: Model, options: argparse.Namespace) -> tuple[int, Iterator[Tensor]]:
    """How many pictures stand between pairs, and their noise."""
    ends = model.noise_for(2 * options.n, options.seed).unflatten(0, (options.n, 2))
    return options.n * options.columns, (plots.between(a, b, options.columns) for a, b in ends)


def _walk(model: Model, options: argparse.Namespace) -> tuple[int, Iterator[Tensor]]:
    """How many frames a walk has, and their noise."""
    if options.n < 2:
        raise RunError(f"--n {options.n}: a walk needs two pictures to come through, or more")
    if not 1 / walk.RATE <= options.seconds <= 60:
        raise RunError(f"--seconds {options.seconds:g}: it has to be from {1 / walk.RATE:g} to 60")
    each = round(options.seconds * walk.RATE)
    return options.n * each, walk.through(model.noise_for(options.n, options.seed), each)


def _drawn(
    model: Model, noise: Iterable[Tensor], count: int, solver: dict[str, int], labels: Tensor | None = None
) -> Iterator[Tensor]:
    """The pictures of the noise one by one, uint8 (C, H, W), of classes where labels (count,) are given: memory does
    not grow with their number."""
    done, part = 0, AT_ONCE if model.quick else AT_ONCE_SLOWLY
    with Progress(count, "samples", visible=count > part, unit="picture") as progress:
        for many in noise:
            for z in many.split(part):
                wanted: dict[str, Any] = {} if labels is None else {"labels": labels[done : done + len(z)]}
                yield from to_bytes(model.sample(z=z, **solver, **wanted)).cpu()
                done += len(z)
                progress.update(done)


def _nearest(pictures: Tensor, recipe: Recipe, options: argparse.Namespace) -> Iterator[Tensor]:
    """Those of the pictures (N, C, H, W) that lie nearest to one held out, in features made for any, nearest first.

    Raises:
        RunError: none are held out, or the pictures are not those that the run was trained on.
    """
    if not 1 <= options.best <= len(pictures):
        raise RunError(f"--best {options.best}: it has to be from 1 to --n, {len(pictures):,}")
    if not recipe.held_out:
        raise RunError(f"{options.folder} holds no pictures out that samples could be near to; leave out --best")
    images, found = load_pictures(dataclasses.replace(recipe, data=str(meant(recipe.data))))
    if found.fingerprint != recipe.fingerprint:
        raise RunError(f"the pictures in {recipe.data} are not those that {options.folder} was trained on")
    held_out = some(parted(images, recipe)[1], recipe.held_out)
    extractor = features.load(features.ANY)
    away = metrics.nearest_neighbours(extractor(Images(pictures)), extractor(held_out))[0][:, 0]
    print(
        f"picked: the {options.best} of {len(pictures):,} samples that lie nearest to one of the {len(held_out):,} "
        f"pictures held out; they show what the run can do, not what it does",
        file=sys.stderr,
    )
    return iter(pictures[away.argsort()[: options.best]])


def _single(picture: Tensor, scale: int) -> np.ndarray:
    """A picture (C, H, W) as a file of its own: floats (H', W', 3) in [0, 1], or with 4 where it is transparent."""
    if picture.shape[0] == 4:
        return plots.as_cut_out(picture[None])[0].repeat(scale, 0).repeat(scale, 1)
    return _sheet(picture[None], 1, scale)


def _sheet(pictures: Tensor, columns: int, scale: int) -> np.ndarray:
    """Pictures (N, C, H, W) in rows, each of their pixels a square: floats (H', W', 3) in [0, 1]."""
    return plots.tile(pictures, columns).repeat(scale, 0).repeat(scale, 1)


def _frame(picture: Tensor, scale: int) -> Tensor:
    """A picture (C, H, W), each of its pixels a square: (H * scale, W * scale, 3)."""
    if picture.shape[0] == 4:
        picture = torch.from_numpy(plots.as_array(picture[None])[0]).mul(255).round().to(torch.uint8).permute(2, 0, 1)
    large = picture.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    return large.expand(3, -1, -1).permute(1, 2, 0).contiguous()
