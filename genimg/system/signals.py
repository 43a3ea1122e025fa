"""Ctrl-C and requests to end: asked once, answered at once, and kept from the processes that only help."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

#: What asks a program to end.
NAMES = ("SIGINT", "SIGTERM")


@contextmanager
def shielded() -> Iterator[None]:
    """Processes that are started in here never see Ctrl-C or SIGTERM, which go to all processes of a terminal or a
    job: they live until the one that started them lets them go, so that it can still save."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {getattr(signal, name) for name in NAMES})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def leaving(text: str) -> Iterator[None]:
    """In here Ctrl-C ends the program with one line: where nothing is begun, as while its parts are imported."""

    def leave(*_: object) -> None:
        os.write(2, f"{text}\n".encode())
        os._exit(130)

    with _handled({"SIGINT": leave}):
        yield


class Stop:
    """While active, Ctrl-C and SIGTERM ask for a stop and are told that they were heard, at once, whatever the program
    is computing; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        answer: what is said at once, on stderr; None says nothing, as in all but one of several processes.

    Attributes:
        asked: whether a stop was asked for.
    """

    def __init__(self, answer: str | None) -> None:
        self.answer, self.asked, self.told = answer, False, False

    def __enter__(self) -> "Stop":
        self.active = ExitStack()
        self.active.enter_context(_heard(self._tell))
        self.active.enter_context(_handled(dict.fromkeys(NAMES, self._ask)))
        return self

    def __exit__(self, *error: Any) -> None:
        self.active.close()

    @contextmanager
    def answering(self, answer: str) -> Iterator[None]:
        """In here something else is said, of what has to be waited for."""
        before, self.answer = self.answer, answer
        try:
            yield
        finally:
            self.answer = before

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def _tell(self) -> None:
        if self.answer and not self.told:
            self.told = True
            os.write(2, f"\n{self.answer}\n".encode() if sys.stderr.isatty() else f"{self.answer}\n".encode())


@contextmanager
def _heard(tell: Callable[[], None]) -> Iterator[None]:
    """In here `tell` is called for each of `NAMES` that comes, in a thread of its own: Python calls its handlers only
    between two steps of its own, and one of them may be a whole backward pass."""
    numbers = {getattr(signal, name) for name in NAMES}
    reading, writing = os.pipe()

    def listen() -> None:
        while number := os.read(reading, 1)[0]:
            if number in numbers:
                tell()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    before = None
    try:
        if os.name == "posix":
            os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    except ValueError:  # not in the main thread: no signal is heard
        pass
    try:
        yield
    finally:
        if before is not None:
            signal.set_wakeup_fd(before)
        os.write(writing, b"\0")  # no signal: all that came before has been told
        thread.join()
        os.close(reading)
        os.close(writing)


@contextmanager
def _handled(handlers: dict[str, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    before: dict[str, Any] = {}
    try:
        for name, handler in handlers.items():
            before[name] = signal.signal(getattr(signal, name), handler)
    except ValueError:  # not in the main thread, as in some notebooks: Ctrl-C stays as it is
        pass
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
