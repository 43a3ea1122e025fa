"""The one training loop: `fit(model, images, steps=...)`, and `Training`, the same run step by step.

The loop knows no architecture and no loss. It draws batches, sets the learning rate, lets every player move
(`step.py`), averages weights, keeps the history on the device and reads it back once in a while.
"""

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor

from genimg.data.images import Images, Streamed, batches
from genimg.models.model import CALIBRATED, Model
from genimg.system import distributed, signals
from genimg.system.device import seed_everything
from genimg.system.errors import reason
from genimg.system.progress import Progress
from genimg.training import checkup, diagnostics
from genimg.training.arguments import check_model, check_numbers, check_pictures, explained
from genimg.training.history import History, Window
from genimg.training.measures import EVERY, MEASURES
from genimg.training.step import Stepper

#: What helps where the closing look failed.
LOOK_AGAIN = "The run is whole all the same; genimg.diagnose(model, images) looks again"


class Diverged(FloatingPointError):
    """Training met a loss that is not a number; the message says which, when and what usually helps."""


class Training:
    """A run that can be advanced step by step, saved at any step, and continued as if nothing had happened.

    Args: as `fit` has them, and `dtype` and `compiled` as `Stepper` has them. The seed is set here.

    Attributes:
        step: batches done.
        history: History so far.

    What goes wrong is told as it is diagnosed, by `tell`, which takes a `diagnostics.Diagnosis`.
    """

    def __init__(
        self, model: Model, images: Images | Streamed | Tensor, steps: int, batch: int = 64, seed: int = 0,
        device: torch.device | str | None = None, every: int = 50, half_life: float | None = None,
        schedule: str = "linear", transform: Callable[[Tensor], Tensor] | None = None,
        dtype: torch.dtype | None = None, compiled: bool = False,
        tell: Callable[[diagnostics.Diagnosis], object] = diagnostics.warn,
    ) -> None:  # fmt: skip
        check_model(model)
        check_numbers(seed, steps=steps, batch=batch, every=every)
        if schedule not in ("linear", "constant"):
            raise ValueError(f"schedule {schedule!r}; there are linear and constant")
        self.model, self.images, self.steps, self.batch, self.seed = model, images, steps, batch, seed
        self.every, self.schedule, self.transform, self.tell = every, schedule, transform, tell
        self.half_life = half_life
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        check_pictures(images)
        if model.classes and (labels := getattr(images, "labels", None)) is not None:
            model.know(labels)
        seed_everything(seed)
        self.stepper = Stepper(model, self.device, dtype, compiled)
        self.step, self.history, self.window = 0, History(), Window()
        model.history = self.history
        self.stream: Generator[Tensor | tuple[Tensor, Tensor], None, None] | None = None
        self.watch = diagnostics.Watch(model, steps, pairs=batch * max(every // EVERY, 1))

    def __repr__(self) -> str:
        pictures = f"{len(self.images):,} pictures"
        return f"Training({self.model!r}, {pictures}, step {self.step:,} of {self.steps:,}, batch {self.batch})"

    def advance(self) -> dict[str, float] | None:
        """One batch. Returns the means of the losses where they are read back (each `every` steps), else None.

        Raises:
            Diverged: a loss is NaN or infinite.
        """
        started = time.perf_counter()
        if self.stream is None:
            part = (distributed.rank(), distributed.size())
            self.stream = batches(
                self.images, self.batch, seed=self.seed, device=self.device, start=self.step, part=part,
                labelled=self.model.classes > 0,
            )  # fmt: skip
            with signals.shielded():  # what reads ahead starts here, and has to outlive a stop until all is saved
                drawn = next(self.stream)
        else:
            drawn = next(self.stream)
        moving = self.moving()
        self.stepper.set_rates({name: rate(done, of, self.schedule) for name, (done, of) in moving.items()})
        x, *labels = drawn if isinstance(drawn, tuple) else (drawn,)
        before, x = x, self.transform(x) if self.transform else x
        if self.step == 0:
            self._tell(diagnostics.check_range(x, before))
        with explained(self.model, x):
            self.window.add(self.stepper.step(x, *labels, players=moving))
        self.step += 1
        for name, (done, of) in moving.items():
            decay = decay_after(done + 1, self.batch, self.half_life or of * self.batch / 20)
            update_average(self.model, self.stepper.players[name].networks, decay)
        self._averages_moved()
        means = None
        if self.step % self.every == 0 or self.step == self.steps:
            means = self.window.read()
            self.history.add(self.step, means)
            _stop_if_diverged(means, self.step, self.every, self.stepper.rates)
            self._tell(self.watch.look(self.history))
        self.history.seconds += time.perf_counter() - started
        self.history.images_seen = self.step * self.batch
        return means

    def moving(self) -> dict[str, tuple[int, int]]:
        """The players of the next step: name -> steps that it has made, and makes in all."""
        spans = {name: [round(self.steps * end) for end in p.part] for name, p in self.stepper.players.items()}
        return {name: (self.step - a, b - a) for name, (a, b) in spans.items() if a <= self.step < b}

    def _tell(self, diagnoses: Iterable[diagnostics.Diagnosis]) -> None:
        for diagnosis in diagnoses:
            self.history.warned.append(str(diagnosis))
            if distributed.rank() == 0:
                self.tell(diagnosis)

    def check_finite(self) -> None:
        """Called before saving: losses are read now and then only, and a save may come between.

        Raises:
            Diverged: a weight is NaN or infinite.
        """
        bad = [name for name, weight in self.model.named_parameters() if not weight.isfinite().all()]
        if bad:
            raise Diverged(
                f"weights stopped being finite by step {self.step}, {bad[0]} among them. What was saved before is "
                f"kept. Usual causes: a learning rate too high (it is {max(self.stepper.rates.values()):g}: try a "
                f"third), a penalty's weight too large."
            )

    def finish(self) -> None:
        """Make the averages ready for use: batch-norm statistics are estimated anew. Changes nothing in training."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        if self.model.behind:
            self.model.calibrate(self._some())
            self.model.behind, self.model.shown_pictures = False, tuple

    def _averages_moved(self) -> None:
        self.model.behind, self.model.shown_pictures = True, lambda: self._some()  # a copy of the model copies no run

    def _some(self) -> Iterator[Tensor]:
        """Batches of pictures (N, C, H, W), for statistics."""
        batch = min(self.batch, len(self.images))
        stream = batches(self.images, batch, seed=self.seed, device=self.device, workers=0)
        with contextlib.closing(stream):
            yield from cast(Iterable[Tensor], itertools.islice(stream, -(-CALIBRATED // batch)))

    def diagnose(self) -> None:
        """Look at the samples of a run that is done, and tell what is wrong with them. It never raises.

        Not where something was told before, of which bad samples would be a consequence; not those of a flow, which
        cost many passes; and not of a handful of pictures. `genimg.diagnose` does it on request.
        """
        judged = diagnostics.judged(self.history, self.steps)
        if judged < diagnostics.WINDOWS or not self.model.quick or self.history.warned:
            return
        if len(self.images) < checkup.LEAST:
            return
        try:
            self._tell(checkup.diagnose(self.model, self.images, transform=self.transform))
        except Exception as error:  # whatever it is: the run is done, and this look at it is no part of it
            self._tell([diagnostics.Diagnosis("samples not looked at", reason(error, ""), LOOK_AGAIN)])

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, in plain containers and tensors (`torch.load` with weights_only)."""
        gpu = torch.get_device_module(self.device)
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimisers": self.stepper.state_dict(),
            "window": self.window.state_dict(),
            "history": dataclasses.asdict(self.history),
            "random": torch.get_rng_state(),
            "random_gpu": None if self.device.type == "cpu" else gpu.get_rng_state(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`.

        Raises:
            KeyError, RuntimeError, ValueError: it belongs to another model.
        """
        if not (isinstance(state["step"], int) and 0 <= state["step"] <= self.steps):
            raise ValueError(f"step {state['step']} of {self.steps}")
        if any(len(series) != len(state["history"]["steps"]) for series in state["history"]["values"].values()):
            raise ValueError("a history of unequal lengths")
        self.model.load_state_dict(state["model"])
        self.stepper.load_state_dict(state["optimisers"], state["step"])
        self.window.load_state_dict(state["window"], self.device)
        self.history = History(**state["history"])
        self.watch.told = {text.split(":")[0] for text in self.history.warned}
        self.step, self.stream = state["step"], None
        self.model.history = self.history
        self._averages_moved()
        torch.set_rng_state(state["random"].cpu())
        if state["random_gpu"] is not None and self.device.type != "cpu":
            torch.get_device_module(self.device).set_rng_state(state["random_gpu"].cpu(), self.device)


def fit(
    model: Model, images: Images | Streamed | Tensor, steps: int, batch: int = 64, seed: int = 0,
    device: torch.device | str | None = None, every: int = 50, half_life: float | None = None,
    schedule: str = "linear", transform: Callable[[Tensor], Tensor] | None = None,
    callback: Callable[[int, Model], object] | None = None, label: str = "training",
) -> History:  # fmt: skip
    """Train a model on pictures. Its averaged weights are ready for `sample` at any moment: when it returns, in a
    callback, and where it was stopped; `model.history` is the History so far.

    Args:
        model: a GAN, VAE or Flow.
        images: what `load_images` gives, or a uint8 tensor (N, C, H, W).
        steps: how many batches.
        batch: pictures in a batch, over all processes together.
        seed: of the batches' order and of the noise the model draws.
        device: None takes the GPU where there is one.
        every: how often, in steps, the losses are read back.
        half_life: of the weight average, in pictures; None takes a twentieth of the steps in which the network learns.
        schedule: "linear" lowers the learning rate to a tenth over the run, "constant" leaves it.
        transform: applied to every batch (N, C, H, W) in [-1, 1], for augmentation.
        callback: function (step, model), called after each reading of the losses; it must not train the model.
        label: what the progress line calls the run.

    Returns:
        History of the means of every named loss.

    Raises:
        Diverged: a loss is NaN or infinite.
        ValueError: an argument out of range.
        TypeError: no model.
        DataError: no pictures, or of another size or other channels than the model's.
        KeyboardInterrupt: Ctrl-C, after saying what is kept.

    Warns:
        TrainingWarning: the run does not look healthy; the text names what is wrong, the number that says so, and what
            usually helps (see `diagnostics` and `checkup`).
    """
    training = Training(model, images, steps, batch, seed, device, every, half_life, schedule, transform)
    with Progress(steps, label, hidden=MEASURES) as progress:
        try:
            while training.step < steps:
                means = training.advance()
                progress.update(training.step, means)
                if means is not None and callback:
                    callback(training.step, model)
        except KeyboardInterrupt:
            progress.say(f"stopped at step {training.step:,} of {steps:,}; the model samples, model.history is kept")
            training.finish()
            raise
        training.finish()
    training.diagnose()
    return training.history


def rate(step: int, steps: int, schedule: str) -> float:
    """The learning rate's factor: 1 at the start; "linear" falls to 0.1 at the end."""
    return 1.0 if schedule == "constant" else 1.0 - 0.9 * step / steps


@torch.no_grad()
def update_average(model: Model, networks: Iterable[str], decay: float) -> None:
    """average <- decay * average + (1 - decay) * weights, of the networks that are averaged. Buffers are left alone:
    `Model.calibrate` makes them."""
    for name in [name for name in networks if name in model.average]:
        average = model.average[name]
        olds: list[Tensor] = list(average.parameters())
        news: list[Tensor] = list(model.get_submodule(name).parameters())
        torch._foreach_lerp_(olds, news, 1 - decay)


def decay_after(step: int, batch: int, half_life: float) -> float:
    """Weight of the old average after `step` batches, for a half-life in pictures.

    Early on it is a plain mean of what was seen so far, so that the random start does not linger.
    """
    return min(0.5 ** (batch / half_life), 1 - 1 / step)


def _stop_if_diverged(means: dict[str, float], step: int, every: int, rates: dict[str, float]) -> None:
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        raise Diverged(
            f"{' and '.join(bad)} stopped being finite between steps {max(step - every, 0) + 1} and {step} ({shown}). "
            f"Usual causes: pictures outside [-1, 1], a learning rate too high (it is {max(rates.values()):g}: try a "
            f"third), a penalty's weight too large. The model holds the weights it diverged with: build it anew."
        )
