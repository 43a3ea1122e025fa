"""Records: what is too long for a page is run once by a command that anyone can repeat, and shown with its stamp.

A record is NAME.json (results, command, stamp) and small PNGs beside it. Nothing else writes them; `show` alone
shows them.
"""

import json
import platform
import sys
import time
from pathlib import Path

import torch

from genimg import files, plots, runtime
from genimg.errors import RunError

FOLDER = Path("book") / "records"


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


def show(name, command, folder="records"):
    """Print a record's stamp and return the record, or say that there is none yet, and how to make it.

    Args:
        command: what makes it; a record made otherwise is told apart by its own.
        folder: beside the page.

    Returns:
        dict with `results`, `rows` and, where there is a picture, `picture` (its path); None without a record.
    """
    path = Path(folder) / f"{name}.json"
    if not path.exists():
        print(f"No record of {name} yet. This command makes it:\n  {command}")
        return None
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
    return record | ({"picture": picture} if picture.exists() else {})


def command_line():
    """The command that this process was started with, as a reader would type it."""
    return "python -m genimg " + " ".join(sys.argv[1:])
