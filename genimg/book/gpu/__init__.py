"""All that wants a GPU, in one command for the minutes when there is one: `python -m genimg record gpu`.

Parts go in order of worth. Each takes its share of the time that is left and is on record as soon as it is done, so
that whoever cuts the command loses the part it was in. On a CPU the scale "tiny" goes the same way in about a minute.
"""

import os
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from genimg.book import records
from genimg.book.gpu.parts import SCALES, Job, flows, folders, gans, speeds, three, vaes
from genimg.book.gpu.paths import checks
from genimg.system.errors import RunError

#: The record's name.
NAME = "gpu"

#: Part -> (share of the time, function of a Job that gives results and samples), in order of worth.
PARTS: dict[str, tuple[float, Callable[[Job], tuple[records.Results, dict[str, Tensor]]]]] = {
    "tests": (0.08, checks),
    "gan": (0.32, gans),
    "vae": (0.12, vaes),
    "flow": (0.14, flows),
    "speed": (0.16, speeds),
    "families": (0.18, three),
    "folder": (0.12, folders),
}


def record(
    minutes: float = 9.0, scale: str = "full", folder: str | None = None, device: torch.device | str | None = None,
    out: str | os.PathLike[str] = records.FOLDER, only: Sequence[str] = (), tell: Callable[[str], object] = print,
) -> list[str]:  # fmt: skip
    """Go through the parts, each written as soon as it is done.

    Args:
        minutes: for all of them.
        scale: a name out of `SCALES`.
        folder: of real pictures, for the last part, which is left out without one.
        out: folder of the record.
        only: names of parts; none are all.

    Returns:
        names of the parts that failed; what they raised is on record too.
    """
    if unknown := sorted(set(only) - set(PARTS)):
        raise RunError(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if "folder" in only and not folder:
        raise RunError("the part folder needs --data, a folder of pictures")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    names = [name for name in only or PARTS if name != "folder" or folder]
    ends, failed = time.perf_counter() + 60 * minutes, []
    for i, name in enumerate(names):
        left = sum(PARTS[other][0] for other in names[i:])
        seconds = max(1.0, (ends - time.perf_counter()) * PARTS[name][0] / left)
        started = time.perf_counter()
        try:
            results, samples = PARTS[name][1](Job(SCALES[scale], device, seconds, folder))
        except Exception as error:  # the next part may do better, and minutes are dear
            failed.append(name)
            results, samples = {"failed": [{"summary": f"{type(error).__name__}: {error}"[:2000]}]}, {}
        records.write(NAME, records.command_line(), results, samples, started, device, out, part=name)
        tell(f"{name}: {time.perf_counter() - started:.0f} s of {seconds:.0f}" + ", FAILED" * (name in failed))
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return failed
