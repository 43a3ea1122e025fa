"""A table of files and of what each shows, as CSV."""

import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from genimg.system.errors import DataError, reason, shown

#: How the first row of a table begins that only says what its columns are.
HEADS = ("file", "filename", "file_name", "image", "name", "path", "picture")
#: What may stand between the cells of a row.
DELIMITERS = ",;\t"
#: Names that a message has at most.
NAMED = 3


def names_in(files: Sequence[str], folder: str | os.PathLike[str]) -> list[str]:
    """Paths of files as tables have them: within the folder, with slashes."""
    top = os.path.expanduser(folder)
    return [os.path.relpath(file, top).replace(os.sep, "/") for file in files]


def read(
    path: str | os.PathLike[str], names: Sequence[str], option: str, word: str, what: str, whole: bool = False
) -> dict[str, str]:
    """Name of a picture -> what its row says. Where a table leaves endings away, names without them are what it means.
    Rows of other files are left out, and named on stderr.

    Args:
        path: of the table, whose rows are a name and what is said of it.
        names: of all pictures, see `names_in`.
        option, word: what asks for a table, and the word that it takes in place of one: for messages.
        what: what a row says of its file: for messages.
        whole: nothing may follow that, since it may be a sentence with commas.

    Raises:
        DataError: no such table; a row that says nothing, or too much; two that contradict each other.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text("utf-8-sig")
        tables = [list(csv.reader(io.StringIO(text), delimiter=delimiter)) for delimiter in DELIMITERS]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{option} {shown(file)}: neither the word {word} nor a table that can be read ({reason(error, file)})"
        ) from error
    known = {*names, *(os.path.splitext(name)[0] for name in names)}
    rows = max(tables, key=lambda rows: sum(bool(row) and _name(row) in known for row in rows))
    if rows and rows[0] and rows[0][0].strip().casefold() in HEADS:
        rows = rows[1:]
    table: dict[str, str] = {}
    for number, row in enumerate(filter(any, rows), 1):
        if len(row) < 2 or not row[1].strip():
            raise DataError(f"{shown(file)}: row {number} has no {what}: {shown(','.join(row))}")
        if whole and any(row[2:]):
            raise DataError(
                f"{shown(file)}: row {number} goes on after its {what}: {shown(','.join(row), 200)}; one with commas "
                f"stands in quotes"
            )
        name, said = _name(row), row[1].strip()
        if table.setdefault(name, said) != said:
            raise DataError(f"{shown(file)}: {shown(name)} has two {what}s, {shown(table[name])} and {shown(said)}")
    if others := [name for name in table if name not in known]:
        print(f"{shown(file)}: {len(others):,} rows are of no picture that is read: {listed(others)}", file=sys.stderr)
    stems = Counter(os.path.splitext(name)[0] for name in names)
    found = {}
    for name in names:
        stem = os.path.splitext(name)[0]
        if name in table or (stem in table and stems[stem] == 1):
            found[name] = table[name if name in table else stem]
    return found


def _name(row: Sequence[str]) -> str:
    return row[0].strip().replace("\\", "/").removeprefix("./")


def listed(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(map(shown, names[:NAMED])) + (", ..." if len(names) > NAMED else "")


def refuse_gaps(names: Sequence[str], found: dict[str, str], lacking: str) -> None:
    """Hold every picture to having something said of it.

    Raises:
        DataError: some have not; the message says what they are `lacking`, and names them.
    """
    without = [name for name in names if name not in found]
    if without:
        raise DataError(
            f"{len(without):,} of {len(names):,} pictures {lacking}: {listed(without)}. Mend that, or move them away"
        )
