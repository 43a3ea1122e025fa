"""Trials of the book's claims: what each gave in the runs on record, and how much room its bound left.

The record, `claims.json`, keeps the values; the sentences and bounds that it shows are those of the chapter as it
stands. So a bound can be set from many runs without running them again, while any other change of a chapter's code
drops its runs.
"""

import ast
import hashlib
import json
import math
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from genimg.book import claims
from genimg.book.chapter import STAMP
from genimg.system import files
from genimg.system.errors import RunError

#: The record's name; `records.FOLDER` holds it.
NAME = "claims"
#: What the text of a claim may change without a new run.
WORDS = ("below", "above", "no_control")


@dataclass(frozen=True)
class Trial:
    """What the runs of one claim gave.

    Attributes:
        call: "sentence", "below", "above", "no_control" as the chapter states them now.
        values: one number a run, None for NaN.
        controls: name -> one number a run.
    """

    call: dict[str, Any]
    values: list[float | None]
    controls: dict[str, list[float | None]]

    def numbers(self) -> list[float]:
        """The values that are numbers."""
        return [v for v in self.values if v is not None]

    def held(self) -> int:
        """In how many runs the claim held."""
        rows = [dict(zip(self.controls, row, strict=True)) for row in zip(*self.controls.values(), strict=True)]
        pairs = zip(self.values, rows or [{}] * len(self.values), strict=True)
        return sum(claims.is_held(value, row, self.call["below"], self.call["above"]) for value, row in pairs)

    def worst(self) -> float | None:
        """The value nearest to a bound, or farthest beyond one; None without a run, and if a run gave no number."""
        below, above, numbers = self.call["below"], self.call["above"], self.numbers()
        return None if None in self.values or not numbers else min(numbers, key=lambda v: _gap(v, below, above))

    def room(self) -> float:
        """Between the worst value and its bound, in standard deviations over the runs; negative beyond the bound.

        Infinite where all runs agree, NaN with fewer than two runs.
        """
        if len(self.values) < 2:
            return math.nan
        worst = self.worst()
        if worst is None:
            return -math.inf
        return _in_deviations(_gap(worst, self.call["below"], self.call["above"]), self.numbers())

    def control_room(self) -> tuple[float, str | None]:
        """The least room of a control outside the bounds, in its own deviations, and that control's name.

        Returns:
            (room, name); infinite and None without controls.
        """
        rooms: list[tuple[float, str | None]] = []
        for name, values in self.controls.items():
            numbers = [v for v in values if v is not None]  # what is not a number is outside any bounds
            gaps = [-_gap(v, self.call["below"], self.call["above"]) for v in numbers]
            if len(values) < 2:
                rooms.append((math.nan, name))
            elif gaps:
                rooms.append((_in_deviations(min(gaps), numbers), name))
        return min(rooms, default=(math.inf, None), key=lambda pair: pair[0])


def _gap(value: float, below: float | None, above: float | None) -> float:
    """How far inside its bounds a value is; negative outside."""
    return min(math.inf if below is None else below - value, math.inf if above is None else value - above)


def _in_deviations(gap: float, values: list[float]) -> float:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return gap / deviation if deviation > 0 else math.copysign(math.inf, gap) if gap else 0.0


def code_of(notebook: dict[str, Any]) -> list[str]:
    """The sources of a notebook's code cells (a dict as nbformat writes it)."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def calls_of(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims that a chapter states, in order: dicts of "sentence", "below", "above", "no_control".

    Raises:
        RunError: a sentence or bound is not written out where it stands, or a claim stands in a loop or function.
    """
    found = []
    for source in code_of(notebook):
        tree = _parsed(source)
        if tree is None:
            continue
        calls = [node for node in ast.walk(tree) if _is_claim(node)]
        top = [node.value for node in tree.body if isinstance(node, ast.Expr) and _is_claim(node.value)]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            try:
                sentence = ast.literal_eval(call.args[0])
                words = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg in WORDS}
            except (ValueError, IndexError):
                raise RunError(f"a claim's sentence and bounds have to be written out: {ast.unparse(call)}") from None
            if call not in top:
                raise RunError(f"a claim stands by itself, not in a loop or function: {sentence!r}")
            found.append({"sentence": sentence} | {name: words.get(name) for name in WORDS})
    return found


def code_hash(notebook: dict[str, Any]) -> str:
    """Hash of what a chapter computes: its code without comments, layout, the words and bounds of its claims, and what
    it imports from the package, which says only where a name lies."""
    digest = hashlib.sha256()
    for source in code_of(notebook):
        tree = _parsed(source)
        if tree:
            tree.body = [node for node in tree.body if not _imports_from_here(node)]
        for node in ast.walk(tree) if tree else ():
            if _is_claim(node):
                node.args = node.args[1:]
                node.keywords = [k for k in node.keywords if k.arg not in WORDS]
        digest.update((ast.unparse(tree) if tree else source).encode() + b"\0")
    return digest.hexdigest()[:16]


def _imports_from_here(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "genimg"


def _is_claim(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("genimg.claim", "claim")


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except SyntaxError:  # a line that only a notebook understands
        return None


def outputs_of(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """(number of the cell, output) of all outputs of an executed notebook's code cells."""
    cells = enumerate(notebook["cells"])
    return [(n, output) for n, cell in cells if cell["cell_type"] == "code" for output in cell.get("outputs", ())]


def told_by(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of the claims that an executed notebook holds, in order, each with its "number" and its "cell"."""
    outputs = [pair for pair in outputs_of(notebook) if claims.CLAIM in pair[1].get("data", {})]
    return [o["data"][claims.CLAIM] | {"number": number, "cell": n} for number, (n, o) in enumerate(outputs, 1)]


def read(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The runs on record: chapter -> {"code": hash, "runs": [...]}; empty without a record.

    A run holds "seed", "precision", "processor", "commit", "cpu_seconds", "values" (one a claim) and "controls" (a
    dict a claim).

    Raises:
        RunError: the file is not this record.
    """
    path = Path(folder) / f"{NAME}.json"
    if not path.exists():
        return {}
    record = files.read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("results"), dict):
        raise RunError(f"{path} is not a record of claims")
    return record["results"]


def trials_of(notebook: dict[str, Any], kept: dict[str, Any] | None) -> list[Trial]:
    """What the record's runs gave for each claim of a chapter as it stands.

    Args:
        kept: the chapter's entry of `read`, or None.

    Returns:
        a list of Trial, in the order of the chapter's claims; without runs if its code has changed since.
    """
    calls = calls_of(notebook)
    runs = kept["runs"] if kept and kept["code"] == code_hash(notebook) else []
    trials = []
    for number, call in enumerate(calls):
        values = [run["values"][number] for run in runs]
        names = runs[0]["controls"][number] if runs else {}
        controls = {name: [run["controls"][number].get(name) for run in runs] for name in names}
        trials.append(Trial(call, values, controls))
    return trials


def least_room(trial: Trial) -> float:
    """The smaller of the rooms of a trial's value and of its nearest control; minus infinity with too few runs."""
    room = min(trial.room(), trial.control_room()[0])
    return -math.inf if math.isnan(room) else room


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A notebook as a dict."""
    return json.loads(Path(path).read_text("utf-8"))


def by_room(book: str | os.PathLike[str] = Path("book")) -> list[str]:
    """The chapters with claims, the one whose claim has the least room on record first."""
    kept = read(Path(book) / "records")
    chapters = {path.stem: load(path) for path in sorted(Path(book).glob("*.ipynb"))}
    trials = {name: trials_of(chapter, kept.get(name)) for name, chapter in chapters.items()}
    rooms = {name: min(map(least_room, own)) for name, own in trials.items() if own}
    return sorted(rooms, key=rooms.__getitem__)


def stamp_of(notebook: dict[str, Any]) -> dict[str, Any] | None:
    """What the last `genimg.stamp()` of an executed chapter told; None without one."""
    outputs = [output.get("data", {}) for _, output in outputs_of(notebook)]
    return next((data[STAMP] for data in reversed(outputs) if STAMP in data), None)


def trial_in_words(trial: Trial) -> str:
    """A trial as a line: the sentence, the range over the runs, bounds and rooms."""
    if not trial.values:
        return f"{trial.call['sentence']}: no run on record"
    numbers = trial.numbers() or [math.nan]
    line = f"{trial.call['sentence']}: {claims.short(min(numbers))} to {claims.short(max(numbers))} in "
    line += f"{len(trial.values)} runs, {claims.bounds_in_words(trial.call)}, room {trial.room():.1f}"
    room, name = trial.control_room()
    return line + (f"; nearest control {name}, room {room:.1f}" if name else "")
