"""Every exercise has a check; each accepts a right answer and rejects at least two plausible wrong ones.

The solutions of the book call their checks themselves and are executed with their chapters.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import genimg
from genimg.book import exercises

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
exercises._load()


def answers_of(chapter):
    """{number: (right answer, [wrong answers])} of a chapter, each answer a tuple; callables make theirs when asked."""
    path = Path(__file__).parent / "answers" / f"{chapter}.py"
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"answers_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ANSWERS


ANSWERS = {number: case for chapter in exercises.CHAPTERS for number, case in answers_of(chapter).items()}


def exercises_of(path):
    """[(number, text, code of the solution)] of a notebook."""
    found, open_ = [], None
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            if match := re.search(r"^\*\*(\d+\.\d+)\*\* ", text, re.MULTILINE):
                open_ = [match[1], text, ""]
                found.append(open_)
        elif open_:
            open_[2] += text + "\n"
    return found


IN_BOOK = [(path.stem, *one) for path in CHAPTERS for one in exercises_of(path)]


@pytest.mark.parametrize(("chapter", "number", "text", "solution"), IN_BOOK, ids=[one[1] for one in IN_BOOK])
def test_an_exercise_tells_of_its_check_and_its_solution_passes_it(chapter, number, text, solution):
    assert number in exercises.EXERCISES
    assert f'genimg.check("{number}"' in text, "the exercise does not tell how to check an answer"
    assert f'assert genimg.check("{number}", ' in solution, "the solution does not call the check"
    function = exercises.EXERCISES[number][0]
    assert function.__module__ == f"genimg.book.exercises.{chapter.replace('-', '_')}"


def test_every_chapter_has_three_to_six_exercises_and_every_check_its_exercise():
    numbers = [number for _, number, *_ in IN_BOOK]
    assert sorted(numbers) == sorted(exercises.EXERCISES) == sorted(ANSWERS)
    for path in CHAPTERS:
        if path.stem != "references":
            assert 3 <= len(exercises_of(path)) <= 6, path.stem


@pytest.mark.parametrize("number", list(ANSWERS))
def test_a_check_accepts_the_answer_and_rejects_plausible_others(number, capsys):
    right, wrong = ANSWERS[number]
    assert genimg.check(number, *right), capsys.readouterr().out
    assert capsys.readouterr().out == f"{number}: right.\n"
    assert len(wrong) >= 2
    for answer in wrong:
        assert not genimg.check(number, *answer), answer
        said = capsys.readouterr().out
        assert said.startswith(f"{number}: not yet: ") and "that gave" not in said, said


@pytest.mark.parametrize("number", list(ANSWERS))
def test_a_check_without_an_answer_tells_what_it_wants(number, capsys):
    assert not genimg.check(number)
    assert capsys.readouterr().out.startswith(f"{number} asks for ")


def test_an_answer_of_another_form_is_told_so(capsys):
    assert not genimg.check("1.1", "a half", 1.0)
    assert "is no number" in capsys.readouterr().out
    assert not genimg.check("1.1", 0.7)
    assert "The exercise asks for the best probability" in capsys.readouterr().out


def test_an_unknown_number_is_an_error_that_names_the_others():
    with pytest.raises(KeyError, match="there are 1.1"):
        genimg.check("1.99")
    with pytest.raises(KeyError, match="no exercise"):
        genimg.check(1.1)
