"""What a run leaves behind, and the sums that it is read from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genimg.system import distributed


@dataclass
class History:
    """What a run left behind: means of every named loss over windows of steps.

    Attributes:
        values: name -> list of means, one a window; NaN where a window did not compute it.
        steps: the last step of each window.
        seconds: duration of the training.
        images_seen: pictures drawn, repeats counted.
        warned: what was diagnosed, as texts "name: ..." (see `diagnostics`).
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    seconds: float = 0.0
    images_seen: int = 0
    warned: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.values:
            raise KeyError(f"no {name!r} in this history; there are {', '.join(self.values)}")
        return np.array(self.values[name])

    def add(self, step: int, means: Mapping[str, float]) -> None:
        """A window that ended at a step: name -> mean of each loss that it computed."""
        for name in [name for name in means if name not in self.values]:
            self.values[name] = [math.nan] * len(self.steps)
        self.steps.append(step)
        for name, series in self.values.items():
            series.append(means.get(name, math.nan))


class Window:
    """Sums of the losses since the last reading, kept on the device: reading them is the only wait for it."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """The losses of one step: name -> 0-d tensor."""
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Name -> mean since the last reading, over all processes; starts anew."""
        sums = [s.float() for s in self.sums.values()]
        values = distributed.mean(torch.stack(sums)).tolist() if sums else []
        means = {name: value / self.counts[name] for name, value in zip(self.sums, values, strict=True)}
        self.sums, self.counts = {}, {}
        return means

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str) -> None:
        """Go on from what `state_dict` gave, on a device."""
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        self.counts = dict(state["counts"])
