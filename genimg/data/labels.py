"""What the pictures of a folder show: labels from its subfolders, or from a table."""

import csv
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genimg.system.errors import DataError, reason, shown

#: What asks for the names of subfolders.
FOLDER = "folder"
#: How the first row of a table begins that only says what its columns are.
HEADS = ("file", "filename", "file_name", "image", "name", "path", "picture")


def labels_of(files: Sequence[str], folder: str | os.PathLike[str], classes: str | os.PathLike[str]) -> list[str]:
    """The label of each file.

    Args:
        files: paths that begin with the folder's.
        classes: "folder" takes the name of the subfolder, of the first level, that a file lies in; anything else is
            the path of a table with rows of a file, within the folder, and its label, as CSV.

    Raises:
        DataError: a file without a label; all have the same; no such table.
    """
    top = os.path.expanduser(folder)
    names = [os.path.relpath(file, top).replace(os.sep, "/") for file in files]
    if os.fspath(classes) == FOLDER:
        found = {name: name.partition("/")[0] for name in names if "/" in name}
        lacking = f"lie in no subfolder of {shown(top)}, whose name would be their label"
    else:
        found = _table(Path(classes).expanduser(), names)
        lacking = f"have no row in {shown(classes)}, whose rows are a file's path within {shown(top)} and its label"
    without = [name for name in names if name not in found]
    if without:
        raise DataError(
            f"{len(without):,} of {len(names):,} pictures {lacking}: {', '.join(map(shown, without[:3]))}"
            + (", ..." if len(without) > 3 else "")
        )
    labels = [found[name] for name in names]
    if len(set(labels)) < 2:
        raise DataError(f"all {len(labels):,} pictures have the label {shown(labels[0])}: classes are two or more")
    return labels


def _table(file: Path, names: Sequence[str]) -> dict[str, str]:
    """Name of a picture -> its label. Where a table leaves endings away, names without them are what it means."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"classes {shown(file)}: neither the word {FOLDER} nor a table that can be read ({reason(error, file)})"
        ) from error
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    if rows and rows[0] and rows[0][0].strip().casefold() in HEADS:
        rows = rows[1:]
    table: dict[str, str] = {}
    for number, row in enumerate(filter(any, rows), 1):
        if len(row) < 2 or not row[1].strip():
            raise DataError(f"{shown(file)}: row {number} has no label: {shown(','.join(row))}")
        name, label = row[0].strip().replace("\\", "/").removeprefix("./"), row[1].strip()
        if table.setdefault(name, label) != label:
            raise DataError(f"{shown(file)}: {shown(name)} has two labels, {shown(table[name])} and {shown(label)}")
    stems = Counter(os.path.splitext(name)[0] for name in names)
    found = {}
    for name in names:
        stem = os.path.splitext(name)[0]
        if name in table or (stem in table and stems[stem] == 1):
            found[name] = table[name if name in table else stem]
    return found


def numbered(labels: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as numbers (N,) int64, and the names that these stand for, sorted, numbers in them by their value."""
    names = tuple(sorted(set(labels), key=_by_value))
    place = {name: i for i, name in enumerate(names)}
    return torch.tensor([place[label] for label in labels]), names


def _by_value(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts] + [(2, 0, name)]


def counted(labels: Tensor | None, names: Sequence[str]) -> dict[str, int]:
    """Name of a class -> how many pictures are of it."""
    if labels is None:
        return {}
    return dict(zip(names, torch.bincount(labels, minlength=len(names)).tolist(), strict=True))


def fingerprint(labels: Tensor, names: Sequence[str]) -> str:
    """A short hash of labels (N,) and of what they stand for."""
    whole = hashlib.sha256("\0".join(names).encode(errors="surrogateescape"))
    whole.update(labels.to(torch.int64).contiguous().numpy().tobytes())
    return whole.hexdigest()[:16]
