"""How far a run is, in words."""

import time

import pytest

from genimg.system import progress
from genimg.system.progress import Progress, duration, pause


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (99, "99 s"), (100, "2 min"), (671, "11 min"), (26_640, "7.4 h")]
)
def test_times_as_people_say_them(seconds, said):
    assert duration(seconds) == said


def test_lines_of_a_log_come_each_ten_seconds_and_later_less_often():
    assert pause(0) == pause(500) == 10
    assert pause(3600) == 72


def test_a_log_says_how_far_it_is(capsys):
    with Progress(100, "a run") as progress:
        progress.shown = -1e9  # as if the last line were long ago
        progress.update(7, {"loss": 0.5})
        progress.update(8)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("a run: step 7 of 100, ") and first.endswith("| loss 0.5")
    assert last.startswith("a run: step 8 of 100, ")


def test_what_is_done_aside_is_not_told_as_time_of_the_steps(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    with Progress(10, "a run") as progress:
        clock[0] = 2.0
        with progress.aside():
            clock[0] = 500.0
        assert progress.seconds() == 2.0
        progress.update(10)
    assert capsys.readouterr().err.splitlines()[-1] == "a run: 10 steps in 2 s (200.0 ms each)"


def test_what_is_counted_is_called_by_its_name(capsys):
    with Progress(20, "samples", unit="picture") as bar:
        bar.update(8)
        bar.log(8)
        bar.update(20)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("samples: picture 8 of 20, ") and last.startswith("samples: 20 pictures in ")


def test_a_line_of_its_own_is_no_warning_in_a_notebook(monkeypatch, capsys):
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    with Progress(2, "run") as bar:
        bar.handle = bar.handle or type("Handle", (), {"update": lambda self, shown: None})()
        bar.say("the best so far")
    told = capsys.readouterr()
    assert "the best so far" in told.out and not told.err
