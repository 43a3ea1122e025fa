"""A claim: a sentence of a page, the number that it rests on, and what trivial or broken models score on it."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any, SupportsFloat

from genimg.system.notebook import WIDTH, put_out

#: The media type of a claim's data in a notebook's output.
CLAIM = "application/vnd.genimg.claim+json"


def claim(
    sentence: str, value: SupportsFloat, *, below: SupportsFloat | None = None, above: SupportsFloat | None = None,
    controls: Mapping[str, SupportsFloat] | None = None, no_control: str | None = None,
) -> None:  # fmt: skip
    """State what a run showed, beside what would show that it means nothing; prints one line.

    A claim holds if its value is strictly within its bounds and every control is not. A broken one does not stop the
    chapter: the page is marked, and pytest fails the chapter at its end.

    Args:
        sentence: what is claimed, in words that say what the value measures, without a full stop.
        value: the measured number; a tensor or array with one element will do.
        below, above: the bounds; one of them or both.
        controls: name -> the same measure of a trivial or broken model, which has to lie outside the bounds.
        no_control: why there can be none, as a sentence without a full stop.

    Raises:
        ValueError: there is no bound, or no number between the two; the sentence is empty.
        TypeError: a value or bound is no single number.
    """
    if not isinstance(sentence, str) or not sentence.strip():
        raise ValueError(f"a claim starts with its sentence; {sentence!r} is none")
    below = None if below is None else _number("below", below)
    above = None if above is None else _number("above", above)
    if below is None and above is None:
        raise ValueError(f"the claim {sentence!r} needs below=..., above=... or both")
    if below is not None and above is not None and not above < below:
        raise ValueError(f"no number is above {above:g} and below {below:g}, as the claim {sentence!r} asks")
    value = _number("the value", value)
    others = {str(name): _number(f"the control {name!r}", v) for name, v in (controls or {}).items()}
    told = {
        "sentence": sentence, "value": value, "below": below, "above": above, "controls": others,
        "no_control": no_control, "held": is_held(value, others, below, above),
    }  # fmt: skip
    told = {name: _json(v) for name, v in told.items()}
    put_out(in_words(told), CLAIM, told)


def is_within(value: float | None, below: float | None, above: float | None) -> bool:
    """Whether a number is strictly within bounds, of which one may be None; NaN, infinity and None never are."""
    return (
        value is not None
        and math.isfinite(value)
        and (below is None or value < below)
        and (above is None or value > above)
    )


def is_held(
    value: float | None, controls: Mapping[str, float | None], below: float | None, above: float | None
) -> bool:
    """Whether the value is within the bounds and no control (name -> number) is."""
    return is_within(value, below, above) and not any(is_within(v, below, above) for v in controls.values())


def bounds_in_words(told: dict[str, Any]) -> str:
    """As "below 0.05", "above 3" or "between 1 and 2"."""
    below, above = told["below"], told["above"]
    if below is None or above is None:
        return f"below {short(below)}" if above is None else f"above {short(above)}"
    return f"between {short(above)} and {short(below)}"


def in_words(told: dict[str, Any]) -> str:
    """A claim's data as the line that a reader sees."""
    bounds = bounds_in_words(told)
    value_fails = not is_within(told["value"], told["below"], told["above"])
    passing = [name for name, v in told["controls"].items() if is_within(v, told["below"], told["above"])]
    said = f"{told['sentence']}: {short(told['value'])}, " + ("which is NOT " if value_fails else "") + bounds + "."
    if told["controls"]:
        said += " Controls, which must not be: " + ", ".join(f"{n} ({short(v)})" for n, v in told["controls"].items())
        said += "."
    if passing:
        said += f" But {' and '.join(passing)} {'is' if len(passing) == 1 else 'are'}, so the measure proves nothing."
    if told["no_control"]:
        said += f" No control: {told['no_control']}."
    head = "Claim holds: " if told["held"] else "CLAIM BROKEN: "
    return textwrap.fill(head + said, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def short(value: float | None) -> str:
    """A number in three digits, or in all that stand before the point; None, as JSON has NaN and infinity, in words."""
    if value is None:
        return "not a number"
    return f"{value + 0.0:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # + 0.0 takes the sign from -0.0


def _number(what: str, value: SupportsFloat | None) -> float:
    if value is None:
        raise TypeError(f"{what} of a claim is None; it has to be a number")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{what} of a claim has to be a single number, not {type(value).__name__}") from None


def _json(value: object) -> object:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _json(v) for name, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
