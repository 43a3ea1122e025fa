"""Records: what is too long for a page is run once by a command that anyone can repeat, and shown with its stamp.

A record is NAME.json (results, command, stamp) and small PNGs beside it. Nothing else writes them; `show` alone
shows them. A command of several parts keeps them in one NAME.json, each a record of its own under its part's name, so
that what is done is kept when a later part is cut.
"""

import math
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genimg import plots
from genimg.book.chapter import commit
from genimg.system import files
from genimg.system.device import device_name, precision_name
from genimg.system.errors import RunError
from genimg.system.notebook import WIDTH, folded

#: Variant -> list of scores, one a seed; a score is a dict of numbers, or of what else JSON knows.
Results = dict[str, list[dict[str, Any]]]
#: Where records are kept in a checkout.
FOLDER = Path("book") / "records"
#: A copy of that folder, where the package is not run from a checkout.
INSTALLED = Path(__file__).parents[1] / "recorded"


@dataclass(frozen=True)
class Record:
    """What a command kept.

    Attributes:
        results: variant -> list of scores, one a seed; a score is a dict of numbers.
        rows: variants in the order of the picture's rows.
        picture: path of the samples' PNG, or None.
    """

    results: Results
    rows: tuple[str, ...]
    picture: Path | None

    def __bool__(self) -> bool:
        return bool(self.results)

    def values(self, variant: str, key: str) -> list[float]:
        """One number of every seed that has it; null counts as none (of no valid picture there is no KL)."""
        scores = [score.get(key) for score in self.results[variant]]
        return [score for score in scores if score is not None and math.isfinite(score)]

    def mean(self, variant: str, key: str) -> float:
        """The mean over seeds."""
        values = self.values(variant, key)
        return sum(values) / len(values)

    def below(self, a: str, b: str, key: str, by: float = 0.0) -> bool:
        """Whether every seed of variant a is below every seed of b, by more than that."""
        return max(self.values(a, key)) < min(self.values(b, key)) - by

    def table(self, columns: dict[str, str], over: str = "seeds") -> None:
        """Print the mean over seeds of {key: title} for every variant, and the range in brackets; a * where seeds lack
        the number. Columns that a page has no room for stand below, in a block of their own.

        Args:
            over: what the list of scores runs over, as the table calls it.
        """
        if not self:
            return
        names = ["", *self.results]
        cells = [[title, *(self._cell(variant, key) for variant in self.results)] for key, title in columns.items()]
        print(f"mean over {over} (lowest to highest)")
        for number, block in enumerate(_blocks(cells, WIDTH - _width(names))):
            print("\n" * (number > 0), end="")
            for name, *row in zip(names, *block, strict=True):
                texts = (f"{text:>{_width(column)}s}" for text, column in zip(row, block, strict=True))
                print(f"{name:{_width(names)}s}" + "".join(texts))

    def _cell(self, variant: str, key: str) -> str:
        values = self.values(variant, key)
        if not values:
            return "-"
        low, mean, high = map(_short, (min(values), self.mean(variant, key), max(values)))
        spread = f" ({low} to {high})" if low != high else ""
        return mean + spread + "*" * (len(values) < len(self.results[variant]))

    def dots(self, labels: dict[str, str]) -> None:
        """A panel for each {key: axis label}, a line for each variant, a dot for each seed. Nothing without results."""
        if not self:
            return
        from matplotlib import pyplot as plt

        _, axes = plt.subplots(1, len(labels), figsize=(7, 0.9 + 0.3 * len(self.results)), sharey=True, squeeze=False)
        for ax, (key, label) in zip(axes[0], labels.items(), strict=True):
            for place, variant in enumerate(self.results):
                values = self.values(variant, key)
                ax.plot(values, [place] * len(values), "o", ms=5, alpha=0.7, color=plots.COLOURS[0])
            ax.set(xlabel=label, yticks=range(len(self.results)), yticklabels=list(self.results))
            ax.locator_params(axis="x", nbins=5 if len(labels) < 3 else 3)
        axes[0, 0].invert_yaxis()

    def samples(self) -> None:
        """The picture, each row with its variant's name. Nothing without one."""
        if not self.picture:
            return
        from matplotlib import pyplot as plt

        sheet = plt.imread(self.picture)
        height, width = sheet.shape[:2]
        _, ax = plt.subplots(figsize=(7, 0.2 + 5.6 * height / width))
        ax.imshow(sheet)
        ax.set_yticks([(i + 0.5) * height / len(self.rows) for i in range(len(self.rows))], self.rows)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)


def _short(value: float) -> str:
    """A number in three digits, or in all that stand before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _width(column: list[str]) -> int:
    return max(map(len, column)) + 2


def _blocks(columns: list[list[str]], room: int) -> list[list[list[str]]]:
    """Lists of neighbouring columns that together are at most so wide; one column may be wider by itself."""
    blocks: list[list[list[str]]] = [[]]
    for column in columns:
        if blocks[-1] and sum(map(_width, [*blocks[-1], column])) > room:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def write(
    name: str, command: str, results: Results, samples: dict[str, Tensor], started: float,
    device: torch.device | str | None = None, folder: str | os.PathLike[str] = FOLDER, part: str | None = None,
) -> None:  # fmt: skip
    """Write a record.

    Args:
        command: what makes it again.
        results: plain containers and numbers.
        samples: name -> pictures (N, C, H, W) in [-1, 1]; each becomes a row of one PNG, in order.
        started: `time.perf_counter()` at the start.
        part: of a command of several parts: this one's name. The other parts that are on record stay.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    stamp = {
        "commit": commit(),
        "device": device_name(device),
        "precision": precision_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds": round(time.perf_counter() - started),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    rows = list(samples)
    path = Path(folder) / f"{name}.json"
    record = {"name": name, "command": command, "stamp": stamp, "rows": rows, "results": results}
    if rows:
        sheet = plots.tile(torch.cat([samples[row] for row in rows]), len(samples[rows[0]]))
        files.write_picture(_picture_of(path, part), sheet)
    if part:
        parts = _read(path).get("parts", {}) if path.exists() else {}
        record = record | {"rows": [], "results": {}, "parts": parts | {part: record | {"name": f"{name}, {part}"}}}
    files.write_text(path, files.as_json(record, indent=1) + "\n")


def parts(name: str, folder: str | os.PathLike[str] = FOLDER) -> tuple[str, ...]:
    """Names of the parts that are on record."""
    path = Path(folder) / f"{name}.json"
    return tuple(_read(path).get("parts", {})) if path.exists() else ()


def _picture_of(path: Path, part: str | None) -> Path:
    return path.with_name(f"{path.stem}-{part}.png") if part else path.with_suffix(".png")


def _read(path: Path) -> dict[str, Any]:
    record = files.read_json(path)
    if not isinstance(record, dict) or not {"results", "stamp", "command", "rows"} <= record.keys():
        raise RunError(f"{path} is not a record")
    return record


def show(
    name: str, command: str | None = None, folder: str | os.PathLike[str] | None = None, part: str | None = None
) -> Record:
    """Print a record's stamp and return the record; where there is none, say how to make it.

    Args:
        command: what makes it; a record made otherwise is told apart by its own. Without it nothing is said of a
            record that is not there.
        folder: of the records; None: `records` beside the page, or else what was installed with the package.
        part: of a record of several parts: which one.

    Returns:
        Record; without one an empty Record, which is false.

    Raises:
        RunError: the file is not a record.
    """
    path = _path_of(name, folder)
    record = _read(path) if path else None
    if record and part:
        record = record.get("parts", {}).get(part)
    if path is None or record is None:
        _tell_command(name, command)
        return Record({}, (), None)
    _print_stamp(record["name"], record)
    picture = _picture_of(path, part)
    return Record(record["results"], tuple(record["rows"]), picture if picture.exists() else None)


def show_parts(
    name: str, command: str | None = None, folder: str | os.PathLike[str] | None = None
) -> dict[str, Record]:  # fmt: skip
    """All parts of a record as `show` shows one, {part: Record}; what agrees in all but the seconds has one stamp."""
    path = _path_of(name, folder)
    found = _read(path).get("parts", {}) if path else {}
    if path is None or not found:
        _tell_command(name, command)
        return {}
    alike: dict[str, list[str]] = {}
    for part, record in found.items():
        alike.setdefault(repr([record["command"], record["stamp"] | {"seconds": 0}]), []).append(part)
    for names in alike.values():
        record = found[names[0]]
        seconds = sum(found[part]["stamp"]["seconds"] for part in names)
        _print_stamp(f"{name}, {', '.join(names)}", record | {"stamp": record["stamp"] | {"seconds": seconds}})
    pictures = {part: _picture_of(path, part) for part in found}
    return {
        part: Record(record["results"], tuple(record["rows"]), pictures[part] if pictures[part].exists() else None)
        for part, record in found.items()
    }


def _path_of(name: str, folder: str | os.PathLike[str] | None) -> Path | None:
    folders = [Path("records"), INSTALLED] if folder is None else [Path(folder)]
    return next((path for path in (place / f"{name}.json" for place in folders) if path.exists()), None)


def _tell_command(name: str, command: str | None) -> None:
    if command:
        print(f"No record of {name} yet. This command makes it:\n  {command}")


def _print_stamp(title: str, record: dict[str, Any]) -> None:
    stamp = record["stamp"]
    print(
        f"{folded(f'Record {title}, made by')}\n  {record['command']}\n"
        f"on {stamp['device']} ({stamp['precision']}, {stamp['threads']} thread(s)) in {stamp['seconds']:,} s, "
        f"{stamp['date']},\nwith commit {stamp['commit']}, torch {stamp['torch']}, Python {stamp['python']}"
    )


def command_line() -> str:
    """The command that this process was started with, as a reader would type it."""
    return "python -m genimg " + " ".join(sys.argv[1:])
