"""The one training loop: `fit(model, images, steps=...)`, and what a model has to offer it.

The loop knows no architecture and no loss. It draws batches, sets the learning rate, calls `model.step`, averages
weights, keeps the history on the device and reads it back once in a while.
"""

import copy
import math
import sys
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from genimg import data, runtime


class Model(nn.Module):
    """What GAN, VAE and Flow have in common.

    A subclass names in `averaged` the submodules whose weights are averaged, and has:
        optimisers() -> dict name -> torch optimiser, made once the parameters are on their device;
        step(x) -> dict name -> 0-d detached tensor, after updating the weights on the batch (N, C, H, W);
        sample(n) -> (n, C, H, W) in [-1, 1].
    """

    averaged: tuple[str, ...] = ()

    def __init__(self):
        super().__init__()
        self.average = nn.ModuleDict()
        self.optimiser = {}
        self.dtype = torch.float32

    def prepare(self, device):
        """Move to the device in channels_last, start the averages, make the optimisers."""
        self.to(device, memory_format=torch.channels_last)
        self.dtype = runtime.fast_dtype(device)
        for name in self.averaged:
            self.average[name] = copy.deepcopy(self.get_submodule(name)).requires_grad_(False).eval()
        self.optimiser = self.optimisers()
        self.train()
        self.average.eval()

    def autocast(self):
        """Convolutions and dense layers in bfloat16 where the hardware is fast at it; otherwise nothing."""
        device = next(self.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def update(self, name, loss):
        """One step of optimiser `name` down the gradient of `loss`."""
        self.optimiser[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser[name].step()

    def calibrate(self):
        """Called when the averages are final: a model with batch norm re-estimates its statistics here."""

    def optimisers(self):
        raise NotImplementedError

    def step(self, x):
        raise NotImplementedError

    def sample(self, n=None, seed=None):
        raise NotImplementedError


class Diverged(FloatingPointError):
    """Training met a loss that is not a number; the message says which, when and what usually helps."""


@dataclass
class History:
    """What a run left behind: means of every named loss over windows of steps.

    Attributes:
        values: name -> list of means, one a window; NaN where a window did not compute it.
        steps: the last step of each window.
        seconds: duration of the training.
        images_seen: pictures drawn, repeats counted.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    seconds: float = 0.0
    images_seen: int = 0

    def __getitem__(self, name):
        if name not in self.values:
            raise KeyError(f"no {name!r} in this history; there are {', '.join(self.values)}")
        return np.array(self.values[name])

    def add(self, step, means):
        for name in [name for name in means if name not in self.values]:
            self.values[name] = [math.nan] * len(self.steps)
        self.steps.append(step)
        for name, series in self.values.items():
            series.append(means.get(name, math.nan))


class Window:
    """Sums of the losses since the last reading, kept on the device: reading them is the only wait for it."""

    def __init__(self):
        self.sums, self.counts = {}, {}

    def add(self, losses):
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self):
        values = torch.stack([s.float() for s in self.sums.values()]).tolist() if self.sums else []
        means = {name: value / self.counts[name] for name, value in zip(self.sums, values, strict=True)}
        self.sums, self.counts = {}, {}
        return means


def fit(
    model, images, steps, batch=64, seed=0, device=None, every=50, half_life=None, schedule="linear", transform=None,
    callback=None, label="training",
):  # fmt: skip
    """Train a model on pictures; the model's averaged weights are ready for `sample` when it returns.

    Args:
        model: a GAN, VAE or Flow.
        images: `data.Images`, or a uint8 tensor (N, C, H, W).
        steps: how many batches.
        batch: pictures in a batch.
        seed: of the batches' order and of the noise the model draws.
        device: None takes the GPU where there is one.
        every: how often, in steps, the losses are read back.
        half_life: of the weight average, in pictures; None takes a twentieth of the run.
        schedule: "linear" lowers the learning rate to a tenth over the run, "constant" leaves it.
        transform: applied to every batch (N, C, H, W) in [-1, 1], for augmentation.
        callback: function (step, model), called after each reading of the losses; it must not train the model.
        label: what the progress line calls the run.

    Returns:
        History of the means of every named loss.

    Raises:
        Diverged: a loss is NaN or infinite.
        ValueError: an argument out of range.
    """
    if steps < 1 or batch < 1 or every < 1:
        raise ValueError(f"steps={steps}, batch={batch}, every={every}: each has to be at least 1")
    if schedule not in ("linear", "constant"):
        raise ValueError(f"schedule {schedule!r}; there are linear and constant")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    runtime.seed_everything(seed)
    model.prepare(device)
    base_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in model.optimiser.items()}
    half_life = half_life or steps * batch / 20
    history, window, started = History(), Window(), time.perf_counter()
    with Progress(steps, label) as progress:
        stream = data.batches(images, batch, seed=seed, device=device)
        for step in range(1, steps + 1):
            for name, optimiser in model.optimiser.items():
                optimiser.param_groups[0]["lr"] = base_rates[name] * rate(step - 1, steps, schedule)
            x = next(stream)
            window.add(model.step(transform(x) if transform else x))
            update_average(model, decay_after(step, batch, half_life))
            if step % every == 0 or step == steps:
                means = window.read()
                history.add(step, means)
                _stop_if_diverged(means, step, every, base_rates)
                progress.update(step, means)
                if callback:
                    callback(step, model)
        if device.type == "cuda":
            torch.cuda.synchronize()
    history.seconds, history.images_seen = time.perf_counter() - started, steps * batch
    model.calibrate()
    return history


def rate(step, steps, schedule):
    """The learning rate's factor: 1 at the start; "linear" falls to 0.1 at the end."""
    return 1.0 if schedule == "constant" else 1.0 - 0.9 * step / steps


def decay_after(step, batch, half_life):
    """Weight of the old average after `step` batches, for a half-life in pictures.

    Early on it is a plain mean of what was seen so far, so that the random start does not linger.
    """
    return min(0.5 ** (batch / half_life), 1 - 1 / step)


@torch.no_grad()
def update_average(model, decay):
    """average <- decay * average + (1 - decay) * weights. Buffers are left alone: `Model.calibrate` makes them."""
    for name, average in model.average.items():
        olds, news = list(average.parameters()), list(model.get_submodule(name).parameters())
        torch._foreach_lerp_(olds, news, 1 - decay)


def _stop_if_diverged(means, step, every, rates):
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        raise Diverged(
            f"{' and '.join(bad)} stopped being finite between steps {max(step - every, 0) + 1} and {step} ({shown}). "
            f"Usual causes: pictures outside [-1, 1], a learning rate too high (it is {max(rates.values()):g}: try a "
            f"third), a penalty's weight too large. The model holds the weights it diverged with: build it anew."
        )


class Progress:
    """One line that tells how far a run is: a bar on a terminal, a line that is replaced in a notebook, and one
    final line where the output is kept (a built page, a log)."""

    def __init__(self, total, label):
        self.total, self.label, self.step, self.means = total, label, 0, {}

    def __enter__(self):
        from tqdm import tqdm

        self.started = self.shown = time.perf_counter()
        self.bar = self.handle = None
        if runtime._in_notebook():
            from IPython.display import Pretty, display

            self.pretty = Pretty
            self.handle = display(Pretty(self._line()), display_id=True)
        elif sys.stderr.isatty():
            self.bar = tqdm(total=self.total, desc=self.label, leave=False)
        return self

    def update(self, step, means=()):
        self.means = dict(means)
        if self.bar:
            self.bar.set_postfix_str(self._losses(), refresh=False)
            self.bar.update(step - self.step)
        self.step = step
        if self.handle and time.perf_counter() - self.shown > 0.5:
            self.shown = time.perf_counter()
            self.handle.update(self.pretty(self._line()))

    def __exit__(self, kind, *_):
        if self.bar:
            self.bar.close()
        if self.handle:
            self.handle.update(self.pretty(self._line()))
        elif kind is None:
            print(self._line(), file=sys.stderr)

    def _line(self):
        seconds = time.perf_counter() - self.started
        if self.step < self.total:
            left = f", {seconds / self.step * (self.total - self.step):.0f} s to go" if self.step else ""
            state = f"step {self.step:,} of {self.total:,}, {seconds:.0f} s{left}"
        else:
            state = f"{self.total:,} steps in {seconds:.0f} s ({1000 * seconds / self.total:.1f} ms each)"
        return f"{self.label}: {state}" + (f" | {self._losses()}" if self.means else "")

    def _losses(self):
        return ", ".join(f"{name} {value:.3g}" for name, value in self.means.items())
