"""What is told of a run in its page, as HTML: its grids, its numbers beside what real pictures score, its recipe."""

import base64
import csv
import dataclasses
import html
import io
import math
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genimg.data.account import title
from genimg.data.images import SOURCES
from genimg.measure.yardstick import MEANS
from genimg.models import sizes
from genimg.runs import scores
from genimg.runs.kept import HISTORY, PICTURES, SAMPLES
from genimg.runs.parsers import OF_FAMILY
from genimg.runs.recipes import FOUND, Recipe, told
from genimg.system import files
from genimg.system.errors import RunError

#: Grids of which the first row is shown, as a figure of the training.
ROWS = 8
#: Settings that are no options of theirs, and those of folders alone.
NOT_ASKED, OF_FOLDERS = ("family", "data", *FOUND), ("channels", "background", "fit", "skip_bad", "white")


def lead(out: Path, recipe: Recipe, parameters: int) -> str:
    """One sentence on what this is, and what was read of the pictures."""
    rows = _history(out)
    saves = scores.read(out)
    step = scores.best(saves).step if saves else _float(rows[-1]["step"]) if rows else None
    after = f"{step:,.0f} of {recipe.steps:,}" if step is not None and math.isfinite(step) else f"{recipe.steps:,}"
    height, width = sizes.sides(recipe.size)
    text = f"A {width}x{height} generator of {parameters:,} weights after {after} steps."
    account = out / PICTURES
    read = account.read_text("utf-8").partition("\n")[0] if account.is_file() else ""
    apart = f"; {recipe.held_out:,} of them were held out to measure by" if recipe.held_out else ""
    return html.escape(f"{text} Its pictures: {read}{apart}." if read else text)


def grids(out: Path, height: int) -> str:
    """Of pictures of a height, the grid of data, the last grid of samples, and the first row of some on the way."""
    steps = sorted((out / SAMPLES).glob("step-*.png"))
    figures = []
    data = out / SAMPLES / "data.png"
    if data.is_file():
        figures.append(_figure(_read(data), "Pictures that it was trained on."))
    if steps:
        figures.append(_figure(_read(steps[-1]), f"Its samples at step {_step(steps[-1])}."))
    if len(steps) > 1:
        some = [steps[round(i * (len(steps) - 1) / (ROWS - 1))] for i in range(ROWS)] if len(steps) > ROWS else steps
        rows = [_read(one)[:height] for one in some]
        gap = np.full_like(rows[0][:1], 255)
        sheet = np.concatenate([part for row in rows for part in (row, gap)][:-1])
        figures.append(_figure(sheet, f"The same noise at steps {', '.join(map(_step, some))}: a row each."))
    return "".join(figures) or "<p>None are kept.</p>"


def _step(grid: Path) -> str:
    return f"{int(grid.stem.removeprefix('step-')):,}"


def _read(grid: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(grid) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError) as error:
        raise RunError(f"{grid} cannot be read ({error})") from error


def _figure(sheet: np.ndarray, caption: str) -> str:
    """A picture (H, W, 3) of bytes, kept without loss, with words for those who do not see it."""
    from PIL import Image

    stream, text = io.BytesIO(), html.escape(caption)
    Image.fromarray(sheet).save(stream, "WEBP", lossless=True, quality=90)
    source = f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
    height, width = sheet.shape[:2]
    return (
        f'<figure><img src="{source}" width="{width}" height="{height}" alt="{text}"><figcaption>{text}</figcaption>'
        "</figure>"
    )


def numbers(out: Path, evaluated: str | os.PathLike[str] | None) -> str:
    """What was measured, beside what real pictures score, and the losses at the beginning and at the end."""
    parts = []
    if saves := scores.read(out):
        best = scores.best(saves)
        rows = [
            ("distance to pictures held out", _number(best.distance), _number(best.floor)),
            ("share of these that samples cover", _number(best.coverage), _number(best.coverage_floor)),
            ("share of copies", _number(best.copies), ""),
        ]
        among = f"which came nearest of {len(saves)} saves" if len(saves) > 1 else "the one save that was measured"
        caption = f"At step {best.step:,}, {among}; training pictures are the floor."
        rows = [row for row in rows if row[1]]
        parts.append(_table(("Measure", "samples", "training pictures"), rows, caption))
    if evaluated is not None:
        found = files.read_json(evaluated)
        if not isinstance(found, dict) or not isinstance(found.get("floor", {}), dict):
            raise RunError(f"--numbers {evaluated}: it is not what evaluate --json prints")
        floor = found.get("floor", {})
        rows = [
            (meaning.strip(), _number(found[name]), _number(floor.get(name)))
            for name, meaning in MEANS.items()
            if _is_number(found.get(name))
        ]
        on = f"{_number(found.get('n'))} samples beside as many real pictures"
        parts.append(_table(("Measure", "samples", "real pictures"), rows, f"By <code>evaluate</code>, on {on}."))
    rows = []
    history = _history(out)
    for name in list(history[0])[1:] if history else ():
        values = [value for row in history if math.isfinite(value := _float(row[name]))]
        if values:
            rows.append((name, _number(values[0]), _number(values[-1])))
    if rows:
        caption = "Means of what was recorded while it was trained, over its first steps and its last."
        parts.append(_table(("Recorded", "first", "last"), rows, caption))
    return "".join(parts) or "<p>None are kept.</p>"


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]], caption: str) -> str:
    """Rows of a name and numbers."""

    def cells(tag: str, values: Iterable[str], more: str = "") -> str:
        first, *others = (html.escape(value) for value in values)
        numbers = "".join(f'<{tag}{more} class="number">{value}</{tag}>' for value in others)
        return f'<tr><th scope="{"col" if more else "row"}">{first}</th>{numbers}</tr>'

    body = "".join(cells("td", row) for row in rows)
    head = cells("th", head, ' scope="col"')
    return f'<p class="muted">{caption}</p><div class="wide" tabindex="0"><table>{head}{body}</table></div>'


def _history(out: Path) -> list[dict[str, str]]:
    """Rows of the table of losses."""
    table = out / HISTORY
    if not table.is_file():
        return []
    return [row for row in csv.DictReader(io.StringIO(table.read_text("utf-8"))) if None not in row.values()]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if _is_number(value) else ""


def recipe_of(recipe: Recipe) -> str:
    """The settings, and the command that trains with them."""
    rows = [(name.replace("_", "-"), _setting(value)) for name, value in asked(recipe).items()]
    words = ["python -m genimg train", *map(shlex.quote, train_line(recipe)[1:])]
    line = " ".join(f"<span>{html.escape(word)}</span>" for word in words)  # a line breaks between them alone
    again = "The same again, but for the weights of another run, with which this one began:"
    again = again if recipe.begun_from else "The same again:"
    return _table(("Setting", "value"), rows, "The settings that it was trained with.") + (
        f'<p class="muted">{again}</p><pre tabindex="0">{line}</pre>'
    )


def _setting(value: Any) -> str:
    return "yes" if value is True else " ".join(_words(value))


def asked(recipe: Recipe) -> Mapping[str, Any]:
    """The settings of a recipe that were made or filled in, name -> value, without those of other families."""
    others = {option for family, options in OF_FAMILY.items() if family != recipe.family for option in options}
    own = others & set(OF_FAMILY.get(recipe.family, ()))
    absent = {option.removeprefix("--").replace("-", "_") for option in others - own}
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    absent |= {*NOT_ASKED, *(OF_FOLDERS if recipe.data in SOURCES else ())}
    return {
        name: value
        for name, value in values.items()
        if name not in absent and not (value is None or value is False or value == ())
    }


def train_line(recipe: Recipe) -> list[str]:
    """What trains with the same settings, as `python -m genimg` takes it; of a folder it has the name alone."""
    data = recipe.data if recipe.data in SOURCES else f"./{title(recipe.data)}"
    line = ["train", recipe.family, "--data", data, "--out", "runs/again"]
    for name, value in asked(recipe).items():
        line.append(f"--{name.replace('_', '-')}")
        line += [] if value is True else _words(value)
    return line


def _words(value: Any) -> list[str]:
    """A setting as the command line has it; what is a tuple of numbers is a size."""
    return list(value) if isinstance(value, tuple) and isinstance(value[0], str) else [told(value)]
