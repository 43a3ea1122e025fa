"""Records: what is too long for a page is run once by a command that anyone can repeat, and shown with its stamp.

A record is NAME.json (results, command, stamp) and small PNGs beside it. Nothing else writes them; `show` alone
shows them.
"""

import json
import math
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from genimg import files, plots, runtime
from genimg.errors import RunError

#: Where records are kept in a checkout.
FOLDER = Path("book") / "records"
#: A copy of that folder, where the package is not run from a checkout.
INSTALLED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Record:
    """What a command kept.

    Attributes:
        results: variant -> list of scores, one a seed; a score is a dict of numbers.
        rows: variants in the order of the picture's rows.
        picture: path of the samples' PNG, or None.
    """

    results: dict
    rows: tuple[str, ...]
    picture: Path | None

    def __bool__(self):
        return bool(self.results)

    def values(self, variant, key):
        """One number of every seed that has it; not a number counts as none (of no valid picture there is no KL)."""
        return [score[key] for score in self.results[variant] if not math.isnan(score.get(key, math.nan))]

    def mean(self, variant, key):
        """The mean over seeds."""
        values = self.values(variant, key)
        return sum(values) / len(values)

    def below(self, a, b, key, by=0.0):
        """Whether every seed of variant a is below every seed of b, by more than that."""
        return max(self.values(a, key)) < min(self.values(b, key)) - by

    def table(self, columns):
        """Print mean (lowest to highest) over seeds of {key: title} for every variant; a * where seeds lack it."""
        if not self:
            return
        space = max(map(len, self.results)) + 2
        print("mean over seeds (lowest to highest)")
        print(" " * space + "".join(f"{title:>28s}" for title in columns.values()))
        for variant in self.results:
            texts = []
            for key in columns:
                values = self.values(variant, key)
                shown = values and f"{self.mean(variant, key):.3g} ({min(values):.3g} to {max(values):.3g})"
                texts.append(shown + "*" * (len(values) < len(self.results[variant])) if shown else "-")
            print(f"{variant:{space}s}" + "".join(f"{text:>28s}" for text in texts))

    def dots(self, labels):
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

    def samples(self):
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


def write(name, command, results, samples, started, device=None, folder=FOLDER):
    """Write a record.

    Args:
        command: what makes it again.
        results: plain containers and numbers.
        samples: name -> pictures (N, C, H, W) in [-1, 1]; each becomes a row of one PNG, in order.
        started: `time.perf_counter()` at the start.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    stamp = {
        "commit": runtime.commit(),
        "device": runtime.device_name(device),
        "precision": str(runtime.fast_dtype(device)).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds": round(time.perf_counter() - started),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    rows = list(samples)
    record = {"name": name, "command": command, "stamp": stamp, "rows": rows, "results": results}
    if rows:
        sheet = plots.tile(torch.cat([samples[row] for row in rows]), len(samples[rows[0]]))
        files.write_picture(Path(folder) / f"{name}.png", sheet)
    files.write_text(Path(folder) / f"{name}.json", json.dumps(record, indent=1) + "\n")


def show(name, command, folder=None):
    """Print a record's stamp and return the record, or say that there is none yet, and how to make it.

    Args:
        command: what makes it; a record made otherwise is told apart by its own.
        folder: of the records; None: `records` beside the page, or else what was installed with the package.

    Returns:
        Record; without one an empty Record, which is false.

    Raises:
        RunError: the file is not a record.
    """
    folders = [Path("records"), INSTALLED] if folder is None else [Path(folder)]
    path = next((path for path in (place / f"{name}.json" for place in folders) if path.exists()), None)
    if path is None:
        print(f"No record of {name} yet. This command makes it:\n  {command}")
        return Record({}, (), None)
    record = files.read_json(path)
    if not isinstance(record, dict) or not {"results", "stamp", "command", "rows"} <= record.keys():
        raise RunError(f"{path} is not a record")
    stamp = record["stamp"]
    print(
        f"Record {name}, made by\n  {record['command']}\n"
        f"on {stamp['device']} ({stamp['precision']}, {stamp['threads']} thread(s)) in {stamp['seconds']:,} s, "
        f"{stamp['date']}; commit {stamp['commit']}, torch {stamp['torch']}, Python {stamp['python']}"
    )
    picture = path.with_suffix(".png")
    return Record(record["results"], tuple(record["rows"]), picture if picture.exists() else None)


def command_line():
    """The command that this process was started with, as a reader would type it."""
    return "python -m genimg " + " ".join(sys.argv[1:])
