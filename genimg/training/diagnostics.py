"""Is a run healthy? Numbers that training leaves behind, the lines that they should not cross, and what to do then.

While a model trains, `Watch` reads its History; `checkup.py` looks at the samples of a trained one. `fit` does both and
warns by name with a `TrainingWarning`. The chapter on failures shows each of them happen.
"""

import contextlib
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from genimg.models.model import Model
from genimg.training.history import History

#: Readings of the losses that have to agree before something is said of a run.
WINDOWS = 3


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a run.

    Attributes:
        name: "discriminator has won", "mode collapse", ...
        seen: the number that says so.
        cure: what usually helps.
    """

    name: str
    seen: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name}: {self.seen}. {self.cure}."


class TrainingWarning(UserWarning):
    """A diagnosis, as Python warns of it."""


def warn(diagnosis: Diagnosis) -> None:
    """Say it where a terminal, a notebook and a log show it."""
    warnings.warn(TrainingWarning(str(diagnosis)), stacklevel=3)


@contextlib.contextmanager
def expected(*names: str) -> Iterator[list[str]]:
    """A run that is meant to go wrong: its diagnoses are kept back, and those of these names have to come.

    Yields:
        list that holds the texts of all diagnoses at the end.

    Raises:
        AssertionError: one of the names was not diagnosed.
    """
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    for one in caught:
        if issubclass(one.category, TrainingWarning):
            said.append(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    missing = set(names) - {text.split(":")[0] for text in said}
    if missing:
        raise AssertionError(f"{', '.join(sorted(missing))}: expected, and not diagnosed (but: {said})")


# While it trains.


def judged(history: History, steps: int) -> int:
    """How many readings of a run of so many steps count.

    Not those of its first fifth, nor those of the first fifty steps: early on, many numbers are far off in any run.
    """
    return sum(step > steps / 5 and step >= 50 for step in history.steps)


class Watch:
    """Reads the history of a run each time its losses are read back, and tells each diagnosis once.

    Args:
        model: the one that trains; asked for its settings only.
        steps: of the whole run. Its beginning is not judged (see `judged`).
        pairs: of a real and a generated picture in one reading of `told_apart`; few make it noisy.
        told: names that need not be told again, as in a run that goes on.
    """

    def __init__(self, model: Model, steps: int, pairs: int = 400, told: Iterable[str] = ()) -> None:
        self.model, self.steps, self.pairs, self.told = model, steps, pairs, set(told)

    def look(self, history: History) -> list[Diagnosis]:
        """New diagnoses, a list, empty in a healthy run."""
        read = judged(history, self.steps)
        if not read:
            return []
        series = {
            name: known[-max(WINDOWS, read // 2) :]
            for name, values in history.values.items()
            if len(known := [value for value in values[-read:] if math.isfinite(value)]) >= WINDOWS
        }
        found = next(filter(None, (rule(self.model, _Series(series, self.pairs)) for rule in RULES)), None)
        if found is None or found.name in self.told:
            return []
        self.told.add(found.name)
        return [found]


class _Series:
    """The readings that a rule judges; a number that a model does not measure is NaN, and beyond no line."""

    def __init__(self, values: Mapping[str, Sequence[float]], pairs: int) -> None:
        self.values = {name: np.array(series) for name, series in values.items()}
        # what two shares of so many pairs differ by, on average, if D guesses: 2 / sqrt(pi) deviations of a share
        self.noise = 1 / math.sqrt(math.pi * pairs)

    def mean(self, name: str) -> float:
        return self.values[name].mean() if name in self.values else math.nan

    def least(self, name: str) -> float:
        return self.values[name].min() if name in self.values else math.nan

    def most(self, name: str) -> float:
        return self.values[name].max() if name in self.values else math.nan

    def swing(self, name: str) -> float:
        """Mean step from one reading to the next, either way."""
        return np.abs(np.diff(self.values[name])).mean() if name in self.values else math.nan


# Lines stand where the failures of the chapter lie beyond them for every seed and the healthy runs of the book do not
# come near. Rules look at all recent readings, so that one bad window says nothing, and at what settings a model has.


def _behind(model: Any, recent: _Series) -> Diagnosis | None:
    if getattr(model, "wgan", 0) or not (recent.most("told_apart") < 0.4 and recent.least("shift") > 0.6):
        return None
    seen = f"real pictures get the larger logit in {recent.mean('told_apart'):.0%} of pairs, and the means of both "
    seen += f"kinds lie {recent.mean('shift'):.1f} deviations apart"
    weight = max(model.r1, model.r2)
    if weight > 20:
        return Diagnosis(
            "gradient penalty too large", f"{seen}; its weight is {weight:g}", "Try 0.1 to 10, the smaller first"
        )
    return Diagnosis("discriminator too weak", seen, "Give it a learning rate and a width no smaller than G's")


def _collapse(model: Any, recent: _Series) -> Diagnosis | None:
    if recent.most("spread") < 0.5:
        return Diagnosis(
            "mode collapse",
            f"generated pictures vary {recent.mean('spread'):.2f} times as much as real ones",
            "Train without momentum (betas=(0.0, 0.99)), and G no faster than D",
        )
    return None


def _won(model: Any, recent: _Series) -> Diagnosis | None:
    if recent.least("told_apart") > 0.98 and recent.least("shift") > 0.4 and not getattr(model, "wgan", 0):
        return Diagnosis(
            "discriminator has won",
            f"it is right in {recent.mean('told_apart'):.1%} of pairs, and the means of both kinds stay "
            f"{recent.mean('shift'):.1f} deviations apart",
            "Leave the minimax loss, give both players one learning rate, or charge D for steepness (r1, r2)",
        )
    return None


def _chase(model: Any, recent: _Series) -> Diagnosis | None:
    if recent.swing("told_apart") > 0.09 + recent.noise and recent.mean("shift") > 0.5:
        return Diagnosis(
            "the players chase each other",
            f"D's share of right pairs changes by {recent.swing('told_apart'):.2f} from one reading to the next",
            "Train without momentum (betas=(0.0, 0.99)), at a lower learning rate, with penalties (r1, r2)",
        )
    return None


def _averaged(model: Any, recent: _Series) -> Diagnosis | None:
    fixed = isinstance(getattr(model, "sigma", None), int | float) and model.likelihood == "gaussian"
    kl = recent.mean("kl")  # NaN while there are too few readings
    if fixed and model.sigma**2 >= 0.9 * model.dims / 2 and not math.isnan(kl):
        return Diagnosis(
            "reconstruction averaged over pixels",
            f"sigma {model.sigma:.3g} is what a mean over {model.dims} dimensions amounts to, and leaves a KL of "
            f"{kl:.2f} nats",
            "Sum over the dimensions of a picture, or take sigma='optimal'",
        )
    return None


def _collapsed_posterior(model: Any, recent: _Series) -> Diagnosis | None:
    if recent.most("kl") < 0.5:
        return Diagnosis(
            "posterior collapse",
            f"the code carries {recent.mean('kl'):.2f} nats about its picture",
            "Lower beta, raise it slowly from 0, or take sigma='optimal'",
        )
    return None


def _sigma_ignored(model: Any, recent: _Series) -> Diagnosis | None:
    if not (isinstance(getattr(model, "sigma", None), int | float) and model.likelihood == "gaussian"):
        return None
    # -log p = D/2 log(2 pi sigma^2) + squared error / (2 sigma^2), solved for the error
    per_dim = 2 * recent.mean("distortion") / model.dims - math.log(2 * math.pi * model.sigma**2)
    rms = model.sigma * math.sqrt(max(per_dim, 0.0))
    if model.sigma > 2 * rms:
        return Diagnosis(
            "sigma ignored",
            f"the likelihood allows errors of {model.sigma:g}, reconstructions are off by {rms:.2f}",
            "Take sigma='optimal': what the error does not need, the KL has been taking from the code",
        )
    return None


def _far_codes(model: Any, recent: _Series) -> Diagnosis | None:
    kl = recent.mean("kl")
    if kl > 20 * getattr(model, "z_dim", math.inf):  # a code that is read has 1 to 5 nats a dimension
        return Diagnosis(
            "codes far beyond the prior",
            f"codes take {kl:,.0f} nats, {kl / model.z_dim:,.0f} a dimension; samples have others",
            "Lower the learning rate: a tenth first",
        )
    return None


def _mismatch(model: Any, recent: _Series) -> Diagnosis | None:
    # At beta = 1 codes wider than the prior are a matter of degree, which samples have to show.
    if getattr(model, "beta", 1.0) < 0.5 and recent.least("code") > 1.2:
        return Diagnosis(
            "prior mismatch",
            f"codes have a root mean square of {recent.mean('code'):.2f}, the prior that is sampled from of 1",
            "Raise beta to 1, or sample from a density fitted to the codes",
        )
    return None


#: From the more particular to the more general, of which the first that fits is told.
RULES = (_behind, _collapse, _won, _chase, _averaged, _collapsed_posterior, _sigma_ignored, _far_codes, _mismatch)


def check_range(x: Tensor, drawn: Tensor) -> list[Diagnosis]:
    """What is wrong with the range of a first batch x (N, C, H, W), which models take for [-1, 1]: a list.

    Pictures may all be light. So a batch above 0 is wrong only where it was made of a darker one, `drawn` in [-1, 1].
    """
    low, high = x.amin().item(), x.amax().item()
    wrong = low < -1.05 or high > 1.05 or low >= 0 > drawn.amin().item()
    seen = f"the first batch lies in [{low:.3g}, {high:.3g}], the models' outputs in [-1, 1]"
    return [Diagnosis("wrong data range", seen, "Bytes become floats by x / 127.5 - 1")] if wrong else []
