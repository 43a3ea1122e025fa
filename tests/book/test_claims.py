"""A claim: when it holds, what it says, what it refuses; trials of it over runs; the record; the book's own claims."""

import ast
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

import genimg
from genimg.book import claims, records, sweep, trials
from genimg.system.errors import RunError

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
RECORD = ROOT / records.FOLDER
LEAST_RUNS, LEAST_ROOM = 5, 4

numbers = st.floats(-1e6, 1e6)


def notebook_of(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


# When a claim holds.


@given(numbers, numbers, st.lists(numbers, max_size=3))
def test_a_claim_holds_if_its_value_is_within_and_no_control_is(value, bound, controls):
    assert claims.is_held(value, dict(enumerate(controls)), bound, None) == (
        value < bound and all(v >= bound for v in controls)
    )
    assert claims.is_held(value, dict(enumerate(controls)), None, bound) == (
        value > bound and all(v <= bound for v in controls)
    )


def test_a_bound_itself_is_outside_and_so_is_what_is_no_number():
    assert not claims.is_within(0.5, 0.5, None) and not claims.is_within(0.5, None, 0.5)
    assert not claims.is_within(math.nan, 1.0, None) and not claims.is_within(None, None, 0.0)
    assert claims.is_within(1.0, 2.0, 0.5) and not claims.is_within(0.4, 2.0, 0.5)


def test_a_broken_claim_says_what_broke_it_and_does_not_raise(capsys):
    genimg.claim("blur", torch.tensor([0.03]), below=0.05, controls={"blank": 0.1})
    genimg.claim("blur", 0.07, below=0.05, controls={"blank": 0.1})
    genimg.claim("blur", 0.03, below=0.05, controls={"blank": 0.01, "noise": 0.2})
    genimg.claim("blur", math.nan, above=1, below=2, no_control="it is a sum")
    held, value, control, missing = (" ".join(text.split()) for text in capsys.readouterr().out.split("\nC", 3))
    assert held == "Claim holds: blur: 0.03, below 0.05. Controls, which must not be: blank (0.1)."
    assert value == "LAIM BROKEN: blur: 0.07, which is NOT below 0.05. Controls, which must not be: blank (0.1)."
    assert control.endswith("blank (0.01), noise (0.2). But blank is, so the measure proves nothing.")
    assert missing == "LAIM BROKEN: blur: not a number, which is NOT between 1 and 2. No control: it is a sum."


@pytest.mark.parametrize(
    ("arguments", "bounds", "says"),
    [
        (("", 1.0), {"below": 2}, "starts with its sentence"),
        ((0.5, 1.0), {"below": 2}, "starts with its sentence"),
        (("s", 1.0), {}, "needs below"),
        (("s", 1.0), {"below": 1, "above": 1}, "no number is above 1 and below 1"),
        (("s", [1.0, 2.0]), {"below": 1}, "the value of a claim has to be a single number, not list"),
        (("s", torch.zeros(2)), {"below": 1}, "not Tensor"),
        (("s", None), {"below": 1}, "is None"),
        (("s", 1.0), {"below": "low"}, "below of a claim has to be a single number"),
        (("s", 1.0), {"below": 1, "controls": {"blank": [1, 2]}}, "control 'blank'"),
    ],
)
def test_what_is_no_claim_is_refused(arguments, bounds, says):
    with pytest.raises((ValueError, TypeError), match=says):
        genimg.claim(*arguments, **bounds)


def test_in_a_notebook_the_line_carries_its_data_as_json():
    notebook = notebook_of('import genimg; genimg.claim("s", float("inf"), above=1, controls={"a": float("nan")});')
    NotebookClient(notebook, timeout=600).execute()
    (output,) = [o for o in notebook.cells[0].outputs if o.output_type == "display_data"]
    (told,) = trials.told_by(json.loads(nbformat.writes(notebook)))
    assert output.data["text/plain"].startswith("CLAIM BROKEN: s: not a number, which is NOT above 1.")
    assert told == {"sentence": "s", "value": None, "below": None, "above": 1.0, "controls": {"a": None},
                    "no_control": None, "held": False, "number": 1, "cell": 0}  # fmt: skip


# Trials over runs.


def trial(values, below=None, above=None, **controls):
    return trials.Trial({"sentence": "s", "below": below, "above": above, "no_control": None}, values, controls)


def test_room_is_from_the_worst_run_to_the_bound_in_deviations():
    one = trial([1.0, 2.0, 3.0], below=7.0, blank=[10.0, 9.0, 8.0], noise=[70.0, 70.0, 70.0])
    assert (one.worst(), one.room(), one.held()) == (3.0, 4.0, 3)
    assert one.control_room() == (1.0, "blank")
    two = trial([1.0, 2.0, 3.0], below=7.0, above=1.5)
    assert (two.worst(), two.room(), two.held()) == (1.0, -0.5, 2)
    assert trial([2.0, 2.0], above=1).room() == math.inf and trial([1.0, 1.0], above=1).room() == 0.0
    assert trial([2.0, None], above=1).room() == -math.inf and math.isnan(trial([2.0], above=1).room())
    assert trial([2.0, 3.0], above=1, blank=[None, None]).control_room() == (math.inf, None)
    assert trial([2.0, 3.0], above=1, blank=[1.5, 0.0]).control_room()[0] < 0


CHAPTER = """run = genimg.setup(seed=0)
x = 2  # a comment
genimg.claim("two is less than three", x, below=3, controls={"four": x + 2})"""


def test_claims_are_read_from_the_code():
    (call,) = trials.calls_of(notebook_of("%matplotlib inline", CHAPTER))
    assert call == {"sentence": "two is less than three", "below": 3, "above": None, "no_control": None}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('for i in range(2):\n    genimg.claim("s", i, below=3)', "not in a loop or function"),
        ('def f():\n    genimg.claim("s", 1, below=3)', "not in a loop or function"),
        ('genimg.claim(f"s {x}", x, below=3)', "written out"),
        ('genimg.claim("s", x, below=bound)', "written out"),
    ],
)
def test_a_claim_is_written_out_where_it_stands(source, says):
    with pytest.raises(RunError, match=says):
        trials.calls_of(notebook_of(source))


def test_words_bounds_comments_and_prose_keep_the_runs_and_other_code_drops_them():
    of = trials.code_hash(notebook_of(CHAPTER))
    for old, new in [
        ("two is less", "2 is less"),
        ("below=3", "below=2.5"),
        ("a comment", "another"),
        ("x = 2  ", "x=2 "),
    ]:
        changed = notebook_of(CHAPTER.replace(old, new))
        changed.cells.append(nbformat.v4.new_markdown_cell("Prose."))
        assert trials.code_hash(changed) == of, old
    for old, new in [
        ("x = 2", "x = 1"),
        ("seed=0", "seed=1"),
        ('"four": x + 2', '"four": x + 3'),
        ("genimg.claim", "f"),
    ]:
        assert trials.code_hash(notebook_of(CHAPTER.replace(old, new))) != of, old


def test_a_record_keeps_values_and_takes_words_and_bounds_from_the_chapter(tmp_path):
    told = [{"value": 1.23456789, "controls": {"four": 4.0}}]
    kept = {
        "code": trials.code_hash(notebook_of(CHAPTER)),
        "runs": [sweep.entry_of(told, 3, "float32", "A", "c", 9.87)],
    }
    stamp = {"commit": "c", "seconds": 10}
    (tmp_path / "claims.json").write_text(sweep.as_json({"one": kept, "two": kept}, "command", stamp))
    assert trials.read(tmp_path) == {"one": kept, "two": kept}
    assert json.loads((tmp_path / "claims.json").read_text())["stamp"] == stamp
    (one,) = trials.trials_of(notebook_of(CHAPTER.replace("below=3", "below=1")), kept)
    assert (one.values, one.controls, one.call["below"], one.held()) == ([1.2346], {"four": [4.0]}, 1, 0)
    (none,) = trials.trials_of(notebook_of(CHAPTER.replace("x = 2", "x = 1")), kept)
    assert none.values == []
    assert trials.read(tmp_path / "nowhere") == {}


def test_a_foreign_file_is_no_record(tmp_path):
    (tmp_path / "claims.json").write_text("[]")
    with pytest.raises(RunError, match="not a record of claims"):
        trials.read(tmp_path)


# The command, on chapters made for it.


@pytest.fixture
def small_book(tmp_path):
    """A checkout with the package and two short chapters; returns a function that runs `genimg claims` in it."""
    for folder in ("genimg", "book/_ext"):
        (tmp_path / folder).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / folder).symlink_to(ROOT / folder)
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    one = notebook_of(
        "import genimg\nrun = genimg.setup(minutes=1)\nopen('trace', 'a').write(f'{run.seed} ')\n"
        "genimg.claim('seed', run.seed, below=2, controls={'ten': 10})",
        "genimg.stamp()",
    )
    two = notebook_of("import genimg\ngenimg.setup(minutes=1)\ngenimg.claim('one', 1, below=2)", "1 / 0")
    for name, notebook in [("one", one), ("two", two)]:
        notebook.metadata.update(about)
        nbformat.write(notebook, tmp_path / "book" / f"{name}.ipynb")

    def command(*arguments):
        code = (  # the symlinked package would look for its checkout behind the link
            "import sys, pathlib, genimg.book.sweep as t; sys.path.insert(0, 'book/_ext'); import executed\n"
            "executed.ROOT = pathlib.Path.cwd(); from genimg.__main__ import main; sys.exit(main())"
        )
        return subprocess.run(
            [sys.executable, "-c", code, "claims", *arguments],
            cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip

    command.book = tmp_path / "book"
    return command


def test_runs_are_recorded_once_and_go_on_where_they_stopped(small_book):
    done = small_book("one", "--seeds", "0", "1")
    assert done.returncode == 0, done.stderr
    assert "one, seed 1, float32" in done.stdout and "0 to 1 in 2 runs, below 2, room 1.4" in done.stdout
    done = small_book("one", "--seeds", "0", "1", "2", "--precisions", "float32", "bfloat16")
    assert done.returncode == 1 and "2 broken:" in done.stdout, "seed 2 breaks the claim in both number formats"
    assert sorted((small_book.book / "trace").read_text().split()) == sorted("0 1 2 0 1 2".split())
    kept = trials.read(small_book.book / "records")["one"]
    assert [(run["precision"], run["seed"], run["values"]) for run in kept["runs"]] == [
        (precision, seed, [seed]) for precision in ("bfloat16", "float32") for seed in range(3)
    ]
    notebook = small_book.book / "one.ipynb"
    notebook.write_text(notebook.read_text().replace("minutes=1", "minutes=2"))
    done = small_book("one", "--seeds", "0")
    assert "its code has changed, 6 runs dropped" in done.stdout
    assert len(trials.read(small_book.book / "records")["one"]["runs"]) == 1


def test_two_calls_side_by_side_lose_no_run(small_book):
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(small_book, "one", "--seeds", *seeds) for seeds in (["0"], ["1"])]
        assert [call.result().returncode for call in calls] == [0, 0]
    kept = trials.read(small_book.book / "records")["one"]
    assert [run["seed"] for run in kept["runs"]] == [0, 1]
    assert len((small_book.book / "trace").read_text().split()) == 2


def test_a_chapter_that_raises_is_named_and_not_recorded(small_book):
    done = small_book("--seeds", "0")
    assert done.returncode == 1
    assert "two, seed 0, float32: ZeroDivisionError: division by zero" in done.stdout
    assert set(trials.read(small_book.book / "records")) == {"one"}
    done = small_book("three")
    assert done.returncode == 2 and "no chapter with claims is called three; there are one, two" in done.stderr


# The book's own claims.

CHAPTERS = [path for path in sorted(BOOK.glob("*.ipynb")) if trials.calls_of(json.loads(path.read_text("utf-8")))]


each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def names_controls(source):
    """Whether each claim of a cell is given controls, in order; an empty dict written out is none."""
    calls = [node for node in ast.walk(ast.parse(source)) if trials._is_claim(node)]
    given = [{k.arg: k.value for k in call.keywords}.get("controls") for call in sorted(calls, key=lambda c: c.lineno)]
    return [value is not None and not (isinstance(value, ast.Dict) and not value.keys) for value in given]


@each_chapter
def test_claims_of_the_book_have_a_sentence_and_controls_or_a_reason_for_none(path):
    chapter = json.loads(path.read_text("utf-8"))
    calls = trials.calls_of(chapter)
    controlled = [has for source in trials.code_of(chapter) if "claim(" in source for has in names_controls(source)]
    off = [
        call["sentence"]
        for call, has in zip(calls, controlled, strict=True)
        if has == bool(call["no_control"]) or call["sentence"].endswith(".") or len(call["sentence"].split()) < 3
    ]
    assert not off, "\n".join(off)


def test_a_claim_without_controls_is_seen():
    assert names_controls('claim("s", 1, below=2)\nclaim("s", 1, below=2, controls={})') == [False, False]
    assert names_controls('genimg.claim("s", 1, below=2, controls={"a": 3})\nclaim("s", 1, controls=c)') == [True, True]


@each_chapter
def test_claims_of_the_book_have_runs_and_room(path):
    chapter = json.loads(path.read_text("utf-8"))
    kept = trials.read(RECORD).get(path.stem)
    current = bool(kept) and kept["code"] == trials.code_hash(chapter)
    runs = [run for run in kept["runs"] if run["precision"] == "float32"] if current else []
    assert len(runs) >= LEAST_RUNS, f"run: python -m genimg claims {path.stem}"
    off = []
    for claim in trials.trials_of(chapter, kept):
        said = trials.trial_in_words(claim)
        if not min(claim.room(), claim.control_room()[0]) >= LEAST_ROOM:
            off.append(f"less than {LEAST_ROOM} deviations of room: {said}")
        if claim.held() < len(claim.values):
            off.append(f"broken in {len(claim.values) - claim.held()} runs: {said}")
    assert not off, "\n".join(off)
