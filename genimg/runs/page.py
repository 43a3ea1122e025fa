"""A run as one HTML file that needs nothing else: its model live, its grids, its numbers, its recipe."""

import argparse
import base64
import gzip
import html
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from genimg.data.account import title
from genimg.data.sources import data_folder
from genimg.models.export import halved
from genimg.models.sizes import sides
from genimg.runs import kept, sections, shown
from genimg.runs.run import class_of, load
from genimg.system import browser, files
from genimg.system.errors import RunError
from genimg.system.options import command, path

#: Bytes that a page may have; with more, browsers are slow to open it.
MOST = 50_000_000


def make(
    out: str | os.PathLike[str], page: str | os.PathLike[str] | None = None, onnx: str | os.PathLike[str] | None = None,
    numbers: str | os.PathLike[str] | None = None, named: str | None = None,
) -> list[str]:  # fmt: skip
    """Write the page of a run, its model in ONNX, or both.

    Args:
        out: the run's folder.
        page: where the page goes; its model has its weights as float16, and computes in float32.
        onnx: where the model goes, with all of its weights' bits.
        numbers: what `evaluate --json` printed of the run, to be shown.
        named: the one class that it draws, of a run that has classes; else the page has a button for each. With
            captions it has a field to write one.

    Returns:
        a line on each file.

    Raises:
        RunError: no run there, or one without weights; a class that it has not; a page that would be too large; no
            onnxruntime-web to be had.
        ImportError: packages that export a model are missing.
    """
    out = Path(out)
    model, recipe = load(out, "cpu")
    label = class_of(recipe, named, out)
    network = shown.network_of(model, recipe, label)
    graphs = network.graphs()
    lines = [line] if (line := kept.too_early(model, recipe, out)) else []
    if onnx is not None:
        alone = network.onnx(recipe, graphs)
        files.write(onnx, alone)
        lines.append(f"{onnx}: {len(alone) / 1e6:.1f} MB. {network}")
    if page is None:
        return lines
    packed = {name: gzip.compress(halved(graph), 9, mtime=0) for name, graph in graphs.items()}
    if (size := sum(map(len, packed.values()))) > MOST * 0.6:
        raise RunError(
            f"{out} has a model of {size / 1e6:.0f} MB, too large for a page that browsers open well; --onnx "
            f"writes it alone, and a run with a smaller --width has a smaller one"
        )
    try:
        source, wasm = browser.runtime(browser.install(data_folder()))
    except RunError as error:
        raise RunError(f"a page needs onnxruntime-web, and {error}; --onnx writes the model alone") from error
    z, picture = shown.example(model, network, label)
    family = {"flow": "Flow", "latent": "Latent flow"}.get(recipe.family, recipe.family.upper())
    settings = {
        "networks": list(graphs), "shape": picture.shape[1:], "noise": z.shape[1:], "places": network.places,
        "steps": shown.STEPS, "classes": network.classes, "free": network.free,
        "told": network.told and asdict(network.told),
        "directions": _floats(shown.directions(model, network)),
        "example": {"z": _floats(z), "picture": _base64(picture.numpy().tobytes())},
    }  # fmt: skip
    parts = {
        "title": html.escape(f"{family} on {title(recipe.data)}" + (f": {named}" if named else "")),
        "lead": sections.lead(out, recipe, network.weights()),
        "grids": sections.grids(out, sides(recipe.size)[0]), "numbers": sections.numbers(out, numbers),
        "recipe": sections.recipe_of(recipe),
        "foot": html.escape(
            "Made by genimg, the package of the book Images from Noise. The page holds all that it needs, fetches "
            "nothing and sends nothing. It runs its model, whose weights it holds as float16, by ONNX Runtime Web, "
            "© Microsoft Corporation, under the MIT licence."
        ),
        "settings": json.dumps(settings).replace("<", "\\u003c"),  # so that no name of a class can end the script
        "models": "".join(
            f'<script type="text/plain" id="model-{name}">{_base64(one)}</script>\n' for name, one in packed.items()
        ),
        "wasm": _base64(wasm),
        "ort": browser.as_script(source, "ort"),
        "kit": browser.as_script((browser.SOURCES / "kit.mjs").read_text("utf-8"), "kit"),
        "script": Path(__file__).with_suffix(".mjs").read_text("utf-8"),
    }  # fmt: skip
    template = Path(__file__).with_suffix(".html").read_text("utf-8")
    content = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode()
    files.write(page, content)
    return [*lines, f"{page}: {len(content) / 1e6:.1f} MB, opens by a double click and needs no network"]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _floats(x: Tensor) -> str:
    return _base64(x.numpy().astype("<f4").tobytes())


def add_page(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command page and its options."""
    p = command(commands, "page", "show a run: one HTML file with its model live, or the model alone", write)
    p.add_argument("folder", metavar="run", type=path, help="the run's folder")
    p.add_argument("--out", type=path, help="an .html; if not given page.html in the run's folder, unless --onnx is")
    p.add_argument("--onnx", type=path, help="also, or only, the model in ONNX, its inputs described")
    p.add_argument("--class", dest="named", metavar="NAME", help="the one class that it draws, of a run with --classes")
    p.add_argument("--numbers", type=path, help="a file with what evaluate --json printed of the run, to be shown")
    p.add_argument("--overwrite", action="store_true", help="replace what is there")


def write(options: argparse.Namespace) -> int:
    """Write the page of a run, its model, or both."""
    page = options.out or (None if options.onnx else options.folder / "page.html")
    for name, file, ending in (("--out", page, ".html"), ("--onnx", options.onnx, ".onnx")):
        if file is None:
            continue
        if file.suffix.lower() != ending:
            raise RunError(f"{name} {file}: it is written as {ending}")
        if file.exists() and not options.overwrite:
            raise RunError(f"{file} is there already; --overwrite replaces it, {name} names another")
    for line in make(options.folder, page, options.onnx, options.numbers, options.named):
        print(line)
    return 0
