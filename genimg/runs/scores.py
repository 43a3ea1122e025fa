"""How near a run's samples come to pictures that were held out, save by save: which was best, and when to stop."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genimg import plots
from genimg.data.images import Images
from genimg.data.stream import Stream
from genimg.measure import features, metrics
from genimg.measure.yardstick import LEAST_FOR_COPIES, NEIGHBOURS
from genimg.models.model import Model
from genimg.runs.pictures import some
from genimg.system import files
from genimg.system.errors import RunError
from genimg.training.history import History

#: Name of the table in a run's folder.
SCORES = "scores.json"
#: Samples measured at a save, of a model that takes one pass a sample, and of one that takes many.
DRAWN, DRAWN_SLOWLY = 512, 128
#: Samples that are drawn at once; the first of them are the grid's.
PART = 64
#: Training pictures among which copies are looked for, drawn at random; larger ones are compared at this side.
COMPARED, SIDE = 2000, 32
#: After so many saves without a better one it is said.
QUIET = 5


@dataclass(frozen=True)
class Score:
    """What was measured at a save.

    Attributes:
        step: of the save.
        distance: Frechet distance of the samples from the pictures held out, in `features.ANY`.
        floor: the same of as many training pictures.
        coverage: share of the pictures held out that have a sample near them.
        coverage_floor: the same of training pictures.
        copies: share of samples nearer to a training picture than nearly all pictures held out are; None where too few
            are held out, or too many of them are copies themselves.
    """

    step: int
    distance: float
    floor: float
    coverage: float
    coverage_floor: float
    copies: float | None

    def __str__(self) -> str:
        copies = "" if self.copies is None else f", copies {self.copies:.2f}"
        return (
            f"step {self.step:,}: distance {self.distance:.3g} (training pictures {self.floor:.3g}), "
            f"coverage {self.coverage:.2f} ({self.coverage_floor:.2f}){copies}"
        )


class Scores:
    """The scores of a run so far, and what measures the next one.

    Args:
        train, held_out: pictures that are trained on, and those that are not.
        out: the run's folder, whose table is gone on with.
        step: where the run is taken up; what comes later in the table is left out.
        patience: saves without a better one after which the run is to end; None for never.
        begins: the step up to which nothing is measured: see the function.

    Attributes:
        rows: the scores, in the order of their steps.

    Raises:
        RunError: the table is none.
    """

    def __init__(
        self, train: Images | Stream, held_out: Images | Stream, out: Path, step: int, patience: int | None,
        begins: int = 0,
    ) -> None:  # fmt: skip
        self.train, self.held_out, self.out, self.patience, self.begins = train, held_out, out, patience, begins
        self.rows = [row for row in read(out) if begins < row.step <= step]
        self.judge: _Judge | None = None

    def since_best(self) -> int:
        """Saves since the best one."""
        return sum(row.step > best(self.rows).step for row in self.rows)

    def wanted(self, step: int, steps: int, save_every: int) -> bool:
        """Whether the samples of a step are measured: at saves, and not where Ctrl-C happens to fall, nor before all
        networks have begun to learn."""
        return len(self.held_out) > 0 and step > self.begins and (step % save_every == 0 or step == steps)

    def over(self) -> bool:
        """Whether patience has come to its end."""
        return self.patience is not None and self.since_best() >= self.patience

    def add(self, step: int, x_fake: Tensor) -> Score:
        """Measure the samples (N, C, H, W) of a save and write the table; a row of the same step is replaced."""
        self.judge = self.judge or _Judge(self.train, self.held_out, len(x_fake))
        score = self.judge(step, x_fake)
        self.rows = [row for row in self.rows if row.step < step] + [score]
        files.write_text(self.out / SCORES, files.as_json([dataclasses.asdict(row) for row in self.rows], 1) + "\n")
        return score

    def told(self, score: Score) -> str:
        """A score in words, and how long nothing has been better."""
        since = self.since_best()
        text = f"{score}; {f'the best was step {best(self.rows).step:,}' if since else 'the best so far'}"
        if since and since % QUIET == 0:
            text += f", nothing better for {since} saves"
        return text


class _Judge:
    """Measures samples against pictures held out; what does not change from save to save is computed once."""

    def __init__(self, train: Images | Stream, held_out: Images | Stream, n: int) -> None:
        self.extractor = features.load(features.ANY)
        held = some(held_out, len(held_out))
        self.reference = self.extractor(held)
        self.floor = self._near(self.extractor(some(train, n)))
        self.seen = _small(some(train, COMPARED).floats())
        self.away = self._away(held.floats())

    def __call__(self, step: int, x_fake: Tensor) -> Score:
        distance, coverage = self._near(self.extractor(x_fake))
        return Score(step, distance, self.floor[0], coverage, self.floor[1], self._copies(x_fake))

    def _near(self, found: Tensor) -> tuple[float, float]:
        """Distance and coverage of features (N, D)."""
        _, coverage = metrics.density_coverage(self.reference, found, NEIGHBOURS)
        return metrics.frechet_distance(found, self.reference), coverage

    def _away(self, x: Tensor) -> Tensor:
        return metrics.nearest_neighbours(_small(x), self.seen)[0][:, 0]

    def _copies(self, x_fake: Tensor) -> float | None:
        if len(self.away) < LEAST_FOR_COPIES:
            return None
        try:
            return metrics.share_nearer(self._away(x_fake), self.away)
        except ValueError:  # a hundredth of those held out are copies themselves
            return None


def begins(model: Model, steps: int) -> int:
    """The step of a run at which the last of a model's networks begins to learn: 0, but of a latent flow."""
    return max(round(steps * player.part[0]) for player in model.players().values())


def samples(model: Model) -> Tensor:
    """What is measured at a save, on the CPU, (N, C, H, W) in [-1, 1]: first those of `model.sample(PART, seed=0)`."""
    n = DRAWN if model.quick else DRAWN_SLOWLY
    return torch.cat([model.sample(PART, seed=i).cpu() for i in range(n // PART)])


def best(rows: Sequence[Score]) -> Score:
    """The one with the least distance, the first of several."""
    return min(rows, key=lambda row: row.distance)


def sheet(history: History, rows: Sequence[Score]) -> np.ndarray:
    """A figure of the losses, each kind in units of its own, and beside them of the distances with their floor:
    (H, W, 3) in [0, 1], the same whatever matplotlib is set to."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    nats = [name for name in history.values if name.startswith("loss")]
    velocity = ["velocity"] if "velocity" in history.values else []  # of a latent flow, beside its VAE's
    with style.context("default"):
        count = max(1, bool(nats) + bool(velocity) + bool(rows))
        figure = Figure(figsize=(5.0 * count, 3.6), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        panels = iter(figure.subplots(1, count, squeeze=False, sharex=True)[0])
        if nats:
            plots.curves(history, nats, next(panels))
        if velocity:
            plots.curves(history, velocity, next(panels), "squared error of the velocity")
        if rows:
            ax = next(panels)
            steps = [row.step for row in rows]
            ax.plot(steps, [row.distance for row in rows], "o-", label="samples")
            ax.plot(steps, [row.floor for row in rows], "--", label="training pictures")
            ax.plot(best(rows).step, best(rows).distance, "*", ms=14, label="the best")
            ax.set(xlabel="step", ylabel="distance to pictures held out", yscale="log")
            for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
                axis("{x:g}")
            ax.legend()
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def read(out: Path) -> list[Score]:
    """The scores of a run, in the order of their steps; none where nothing was held out.

    Raises:
        RunError: the table is broken or foreign.
    """
    path = out / SCORES
    if not path.exists():
        return []
    rows = files.read_json(path)
    if not isinstance(rows, list) or not all(map(_is_score, rows)):
        raise RunError(f"{path} is no table of scores of this version; without it the run measures anew from here on")
    return sorted((Score(**row) for row in rows), key=lambda row: row.step)


def _is_score(row: Any) -> bool:
    names = [field.name for field in dataclasses.fields(Score)]
    if not isinstance(row, dict) or list(row) != names or not isinstance(row["step"], int):
        return False
    numbers = [row[name] for name in names if row[name] is not None or name != "copies"]
    return all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)


def _small(x: Tensor) -> Tensor:
    """Pictures (N, C, H, W), larger ones averaged down."""
    return F.adaptive_avg_pool2d(x, SIDE) if max(x.shape[-2:]) > SIDE else x
