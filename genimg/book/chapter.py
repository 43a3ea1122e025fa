"""A chapter's first call and its last: surroundings chosen and said (`setup`), source shown (`show`), and what produced
the page (`stamp`)."""

import inspect
import json
import math
import os
import platform
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch

from genimg.book.zh import figures
from genimg.system.device import cpu_seconds, device_name, peak_memory_gb, precision_name, seed_everything
from genimg.system.notebook import in_notebook, put_out

_T = TypeVar("_T")

#: A laptop's scale, and a GPU's.
SCALES = ("cpu", "gpu")
#: The media type of a stamp's data in a notebook's output.
STAMP = "application/vnd.genimg.stamp+json"


@dataclass(frozen=True)
class Run:
    """One chapter's or one command's surroundings; made by `setup`.

    Attributes:
        device: where tensors live.
        scale: "cpu" (a laptop, and what the tests run) or "gpu" (full scale).
        seed: the seed that everything random starts from.
        minutes, memory_gb: the budget at this scale, None where none was stated.
        started: `time.perf_counter()` at the start.
        cpu_started: `cpu_seconds()` at the start.
    """

    device: torch.device
    scale: str
    seed: int
    minutes: float | None = None
    memory_gb: float | None = None
    started: float = field(default_factory=time.perf_counter)
    cpu_started: float = field(default_factory=lambda: cpu_seconds())

    def pick(self, cpu: _T, gpu: _T) -> _T:
        """The value for this run's scale."""
        return {"cpu": cpu, "gpu": gpu}[self.scale]

    def generator(self, offset: int = 0) -> torch.Generator:
        """A `torch.Generator` on the run's device, seeded with seed + offset."""
        return torch.Generator(self.device).manual_seed(self.seed + offset)


_current: Run | None = None


def setup(seed: int = 0, minutes: float | None = None, memory_gb: float | None = None) -> Run:
    """Start a run: seed everything, choose device and scale, set the figures' style, print one line.

    The environment overrides: `GENIMG_SCALE` (cpu or gpu) the scale, `GENIMG_SEED` the seed, `GENIMG_PRECISION`
    (float32 or bfloat16) the number format of convolutions and dense layers.

    Args:
        seed: start of all randomness.
        minutes: budget in minutes of one idle core without bfloat16 at cpu scale (of the GPU at gpu scale); `stamp`
            says when processor time went over it.
        memory_gb: budget of the process's peak memory in GB; `stamp` raises when it was passed at cpu scale.

    Raises:
        ValueError: an environment variable holds something else than it may.
    """
    global _current
    seed = _seed_from_environment(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scale = os.environ.get("GENIMG_SCALE") or ("gpu" if device.type == "cuda" else "cpu")
    if scale not in SCALES:
        raise ValueError(f"GENIMG_SCALE is {scale!r}; it may be cpu or gpu, or unset to let the device decide")
    precision = precision_name(device)
    seed_everything(seed)
    # torch.func.jvp, the first time: torch's own use of what it deprecates, and nothing that a chapter could change.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    _current = Run(device, scale, seed, minutes, memory_gb)
    if "matplotlib" in sys.modules or in_notebook():
        from genimg import plots

        plots.use_style()
    if figures.wanted() and in_notebook():
        figures.register()
    stated = {"min": minutes, "GB of memory": memory_gb}
    budget = ", ".join(f"{value:g} {unit}" for unit, value in stated.items() if value)
    threads = "" if device.type == "cuda" else f", {torch.get_num_threads()} thread(s)"
    where = f"{device_name(device)}{threads}, {precision} | scale {scale} | seed {seed}"
    print(where + (f" | budget {budget}" if budget else ""))
    return _current


def show(*objects: Callable[..., object] | ModuleType) -> None:
    """Print the library's own source of functions, classes or modules into the page, so that text and code agree."""
    text = "\n\n".join(textwrap.dedent(inspect.getsource(o)).rstrip() for o in objects)
    if in_notebook():
        from IPython.display import Markdown, display

        display(Markdown(f"```python\n{text}\n```"))
    else:
        print(text)


def stamp() -> None:
    """Print what produced the page: commit, versions, device, seed, scale, seconds, peak memory and date.

    In a notebook the output carries the same as data (media type `STAMP`), which the site's page "What ran" gathers.

    Raises:
        RuntimeError: called before `setup`.
        MemoryError: at cpu scale, the process used more memory than the budget stated in `setup`.
    """
    if _current is None:
        raise RuntimeError("stamp() tells about a run: call genimg.setup() first")
    told = _told(_current)
    text = _in_words(told)
    put_out(text, STAMP, told)
    budget, peak = told["budget_memory_gb"], told["memory_gb"]
    if budget and peak and told["scale"] == "cpu" and peak > budget:
        raise MemoryError(f"this run peaked at {peak:.2f} GB; its budget says {budget:g} GB")


def _told(run: Run) -> dict[str, Any]:
    """What `stamp` tells of a run, as JSON knows it; None for what was not stated or cannot be known."""
    peak = peak_memory_gb()
    return {
        "genimg": _version(),
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": device_name(run.device),
        "precision": precision_name(run.device),
        "scale": run.scale,
        "seed": run.seed,
        "threads": torch.get_num_threads(),
        "seconds": time.perf_counter() - run.started,
        "cpu_seconds": cpu_seconds() - run.cpu_started,
        "budget_minutes": run.minutes,
        "memory_gb": None if math.isnan(peak) else peak,
        "budget_memory_gb": run.memory_gb,
        "gpu_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if run.device.type == "cuda" else None,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _in_words(told: dict[str, Any]) -> str:
    """The stamp as lines of text."""
    budget = told["budget_minutes"] and 60 * told["budget_minutes"]
    over = is_over(told)
    of_minutes = f" ({'over the budget of' if over else 'budget'} {budget:g} s)" if budget else ""
    of_memory = f" (budget {told['budget_memory_gb']:g} GB)" if told["budget_memory_gb"] else ""
    peak = "unknown" if told["memory_gb"] is None else f"{told['memory_gb']:.2f} GB at its peak"
    on_gpu = "" if told["gpu_memory_gb"] is None else f", {told['gpu_memory_gb']:.2f} GB on the GPU"
    lines = {
        "genimg": f"{told['genimg']}, commit {told['commit']}",
        "versions": f"Python {told['python']}, torch {told['torch']}, NumPy {told['numpy']}",
        "device": f"{told['device']}, {told['precision']}",
        "run": f"scale {told['scale']}, seed {told['seed']}, {told['threads']} thread(s)",
        "time": f"{told['cpu_seconds']:.0f} s of a processor{of_minutes}, {told['seconds']:.0f} s by the clock",
        "date": told["date"],
        "memory": f"{peak}{of_memory}{on_gpu}",
    }
    return "\n".join(f"{name:9s}{value}" for name, value in lines.items())


def is_over(told: dict[str, Any]) -> bool:
    """Whether a run at cpu scale took more processor time than its budget, by what its stamp tells."""
    return told["scale"] == "cpu" and told["cpu_seconds"] > 60 * (told["budget_minutes"] or math.inf)


def commit() -> str:
    """Short commit of the checkout that genimg runs from, "+" if it has changes, or of the repository that pip took.

    "unknown" where neither is known.
    """
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():  # asked there, git would tell of a repository around the environment
        return _installed_commit() or "unknown"

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _seed_from_environment(seed: int) -> int:
    text = os.environ.get("GENIMG_SEED")
    if not text:
        return seed
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed <= 2**31:
        raise ValueError(f"GENIMG_SEED is {text[:40]!r}; it has to be a whole number from 0 to 2,147,483,648")
    return seed


def _installed_commit() -> str | None:
    """What pip noted of an installation from a repository, None of any other (PEP 610)."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        installed = distribution("genimg")
    except PackageNotFoundError:
        return None
    if Path(str(installed.locate_file("genimg"))) != Path(__file__).parents[1]:
        return None
    note = json.loads(installed.read_text("direct_url.json") or "{}")
    return note.get("vcs_info", {}).get("commit_id", "")[:7]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("genimg")
    except PackageNotFoundError:
        return "not installed"
