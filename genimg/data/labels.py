"""What the pictures of a folder show: labels from its subfolders, or from a table."""

import hashlib
import os
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from genimg.data import table
from genimg.system.errors import DataError, shown

#: What asks for the names of subfolders.
FOLDER = "folder"


def labels_of(files: Sequence[str], folder: str | os.PathLike[str], classes: str | os.PathLike[str]) -> list[str]:
    """The label of each file.

    Args:
        files: paths that begin with the folder's.
        classes: "folder" takes the name of the subfolder, of the first level, that a file lies in; anything else is
            the path of a table with rows of a file, within the folder, and its label, as CSV.

    Raises:
        DataError: a file without a label; all have the same; no such table.
    """
    names, top = table.names_in(files, folder), shown(os.path.expanduser(folder))
    if os.fspath(classes) == FOLDER:
        found = {name: name.partition("/")[0] for name in names if "/" in name}
        lacking = f"lie in no subfolder of {top}, whose name would be their label"
    else:
        found = table.read(classes, names, "classes", FOLDER, "label")
        lacking = f"have no row in {shown(classes)}, whose rows are a file's path within {top} and its label"
    table.refuse_gaps(names, found, lacking)
    labels = [found[name] for name in names]
    if len(set(labels)) < 2:
        raise DataError(f"all {len(labels):,} pictures have the label {shown(labels[0])}: classes are two or more")
    return labels


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
