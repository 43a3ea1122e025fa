"""Checks that readers call on their answers to the chapters' exercises: `genimg.check("1.1", 0.5, 0.69)`.

Each module holds the exercises of one chapter. A check takes the answer and returns nothing if it is right, or one
sentence that says what is off. It computes what is right; where that would take a training run, it asks for what has
to hold in every run.
"""

import math
from collections.abc import Callable
from typing import SupportsFloat

import torch
from torch import Tensor

#: Modules with a chapter's exercises each.
CHAPTERS = (
    "index", "concepts", "gan", "vae", "gan_code", "vae_code", "flow_matching", "quality", "cost", "interpretability",
    "faq", "errata", "failures", "your_pictures", "diffusion", "latent", "words",
)  # fmt: skip
#: A number as an answer gives it, which is a plain one, NumPy's, or a tensor with one element.
Number = SupportsFloat
#: Takes an answer; returns what is off, or None.
Check = Callable[..., str | None]
#: Number -> (check, what the answer consists of).
EXERCISES: dict[str, tuple[Check, str]] = {}


def exercise(number: str, wants: str) -> Callable[[Check], Check]:
    """Register a check under the number of its exercise; `wants` says what the answer consists of, in order."""

    def register(function: Check) -> Check:
        if number in EXERCISES:
            raise ValueError(f"exercise {number} has a check already")
        EXERCISES[number] = function, wants
        return function

    return register


def check(number: str, *answer: object) -> bool:
    """Is this the answer to an exercise? Prints "right", or what is off.

    Args:
        number: of the exercise, as the chapter prints it: "1.1".
        answer: what the exercise asks for, in its order; numbers, words, tensors or functions. Without an answer,
            what is asked for is printed.

    Returns:
        True if it is right.

    Raises:
        KeyError: there is no such exercise.
    """
    _load()
    if number not in EXERCISES:
        chapter = str(number).split(".")[0]
        there = [n for n in EXERCISES if n.split(".")[0] == chapter] or list(EXERCISES)
        raise KeyError(f"no exercise {number!r} has a check; there are {', '.join(there)}")
    function, wants = EXERCISES[number]
    if not answer:
        print(f"{number} asks for {wants}.")
        return False
    try:
        off = function(*answer)
    except Exception as error:  # the reader's own function, or an answer of another form: to be told, not to stop at
        off = f"that gave {type(error).__name__}: {error}. The exercise asks for {wants}"
    print(f"{number}: not yet: {off}." if off else f"{number}: right.")
    return not off


def number_of(value: Number) -> float:
    """A plain float from a number, a NumPy number or a tensor with one element.

    Raises:
        TypeError, ValueError: it is no single finite number.
    """
    if isinstance(value, str | bool):
        raise TypeError(f"{value!r} is no number")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


def close(value: Number, right: float, relative: float = 0.0, absolute: float = 0.0) -> bool:
    """Whether a number is right within a tolerance."""
    return math.isclose(number_of(value), right, rel_tol=relative, abs_tol=absolute)


def same(a: Tensor, b: Tensor, absolute: float = 1e-5) -> bool:
    """Whether two tensors have one shape, and equal values within a tolerance."""
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=0, atol=absolute)


def word(value: str, *allowed: str) -> str:
    """One of the allowed words, in small letters.

    Raises:
        ValueError: it is another.
    """
    said = str(value).strip().lower()
    if said not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, allowed))}")
    return said


def _load() -> None:
    """Import the chapters' checks, in the chapters' order; they import what `genimg` itself does without."""
    import importlib

    for chapter in CHAPTERS:
        importlib.import_module(f"{__name__}.{chapter}")
