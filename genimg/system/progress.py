"""How far a run is, told where the reader looks: terminal, live notebook, built page, log."""

import re
import sys
import textwrap
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from genimg.system.notebook import in_notebook

#: Characters of a line in a notebook, fewer than `notebook.WIDTH`: live notebooks have narrower pages.
WIDTH = 88


class Progress:
    """A bar on a terminal; a line that is replaced in a notebook; one final line where the output is kept (a built
    page, a log), and before it, in a log, one each ten seconds, later each fiftieth of the time, and for each `log`.

    Args:
        total: steps of the whole run.
        label: what the run is called.
        visible: False shows nothing, as in all but one of several processes.
        hidden: names of means that are not shown.
        unit: what is counted.
        patient: but on a terminal, nothing is said of what ends before a first line of a log is due.
    """

    def __init__(
        self, total: int, label: str, visible: bool = True, hidden: Collection[str] = (), unit: str = "step",
        patient: bool = False,
    ) -> None:  # fmt: skip
        self.total, self.label, self.visible, self.unit, self.patient = total, label, visible, unit, patient
        self.first = self.step = 0
        self.means: dict[str, float] = {}
        self.hidden = hidden

    def __enter__(self) -> "Progress":
        from tqdm import tqdm

        self.started = self.shown = time.perf_counter()
        self.bar = self.handle = None
        if not self.visible:
            return self
        if in_notebook() and not self.patient:
            from IPython.display import Pretty, display

            self.pretty = Pretty
            self.handle = display(Pretty(self._wrapped()), display_id=True)
        elif sys.stderr.isatty():
            self.bar = tqdm(total=self.total, desc=self.label, unit=self.unit, leave=False)
        return self

    def begin(self, step: int) -> None:
        """The run goes on from this step: speed is counted from here."""
        self.first = self.step = step
        if self.bar:
            self.bar.n = self.bar.initial = step

    def update(self, step: int, means: Mapping[str, float] | None = None) -> None:
        """So many steps are done; `means` are the losses to show, name -> float, None those shown before."""
        self.means = self.means if means is None else dict(means)
        if self.bar:
            self.bar.set_postfix_str(self._losses(), refresh=False)
            self.bar.update(step - self.bar.n)
        self.step = step
        now = time.perf_counter()
        if self.handle and now - self.shown > 0.5:
            self.shown = now
            self.handle.update(self.pretty(self._wrapped()))
        elif now - self.shown > pause(now - self.started):
            self.log(step)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done in here is no part of the steps, whose duration is told."""
        began = time.perf_counter()
        yield
        self.started += time.perf_counter() - began

    def seconds(self) -> float:
        """What the steps took so far, without what was done aside."""
        return time.perf_counter() - self.started

    def log(self, step: int) -> None:
        """A line in a log, where neither bar nor notebook shows the state."""
        self.step, self.shown = max(step, self.step), time.perf_counter()
        if self.visible and not self.bar and not self.handle and self.step < self.total:
            print(self._line(), file=sys.stderr, flush=True)
            self.patient = False

    def say(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        if self.visible and self.bar:
            self.bar.write(text, file=sys.stderr)
        elif self.visible:  # a notebook paints what goes to stderr as a warning
            print(text, file=sys.stdout if self.handle else sys.stderr, flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.bar:
            self.bar.close()
        if self.handle:
            self.handle.update(self.pretty(self._wrapped()))
        elif kind is None and self.visible and self.step > self.first and not self.patient:
            print(self._line(), file=sys.stderr)

    def _line(self) -> str:
        seconds, done = self.seconds(), self.step - self.first
        if self.step < self.total:
            left = f", {duration(seconds / done * (self.total - self.step))} to go" if done else ""
            state = f"{self.unit} {self.step:,} of {self.total:,}, {duration(seconds)}{left}"
        else:
            state = f"{done:,} {self.unit}s in {duration(seconds)} ({1000 * seconds / max(done, 1):.1f} ms each)"
        return f"{self.label}: {state}" + (f" | {self._losses()}" if self.means else "")

    def _wrapped(self) -> str:
        together = re.sub(" (?=[^ ]+(,|$))", "\N{NO-BREAK SPACE}", self._line())  # a loss and its value
        lines = textwrap.fill(together, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
        return lines.replace("\N{NO-BREAK SPACE}", " ")

    def _losses(self) -> str:
        return ", ".join(f"{name} {value:.3g}" for name, value in self.means.items() if name not in self.hidden)


def duration(seconds: float) -> str:
    """A time as people say it: 45 s, 12 min, 7.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def pause(seconds: float) -> float:
    """Seconds between two lines of a log, so many after its beginning."""
    return max(10.0, 0.02 * seconds)
