"""The picture files in a folder, and what lies there beside them. What a file is, its content tells."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genimg.data.decode import endings, is_picture
from genimg.data.images import SOURCES
from genimg.system import files
from genimg.system.errors import DataError, RunError, reason, shown

#: Folders that other programs keep beside pictures, with previews, copies, what was deleted.
FOREIGN = (
    "@eaDir", "@Recycle", "#recycle", "#snapshot", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information"
)  # fmt: skip

#: Endings of the raw files of cameras, a TIFF by content, of which Pillow reads a preview.
RAW = (".arw", ".cr2", ".dng", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".srw")

#: Ending -> what reads such files.
READERS = dict.fromkeys((".heic", ".heif", ".hif"), "pip install pillow-heif reads them")
READERS |= dict.fromkeys((".avif", ".avifs"), "Pillow 11.3 or newer reads them")

#: Endings of what this package draws.
DRAWN = (".gif", *files.PICTURES)

#: The file of settings in a run's folder, and names that stand in it.
CONFIG, SETTINGS = "config.json", {"family", "fingerprint"}


@dataclass
class Found:
    """What is in a folder.

    Attributes:
        files: paths of pictures, sorted by their path within the folder.
        passed: what was passed over -> how many.
        skipped: folder that could not be read -> why.
    """

    files: list[str] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)


def find(folder: str | os.PathLike[str], skip_bad: bool = False) -> Found:
    """Picture files at any depth.

    Taken are files with the ending of a picture, so that a broken one is told, and all others that Pillow knows by
    their content. Passed over and counted are hidden pictures, what this package drew, folders of its runs in this one,
    folders of other programs (`FOREIGN`) and files of other kinds. Hidden folders are not entered; links to folders
    are, but no folder twice, so that loops end.

    Args:
        skip_bad: go on where a folder in it cannot be read.

    Raises:
        DataError: no such folder, or one in it that cannot be read.
    """
    top = os.path.expanduser(folder)
    if not os.path.isdir(top):
        what = "a file, neither a folder" if os.path.isfile(top) else "neither a folder"
        near = _nearest(top)
        raise DataError(
            f"'{shown(top, 200)}' is {what} nor one of {', '.join(SOURCES)}"
            + (f"; the nearest is '{near}'" if near else "")
        )
    found = Found()
    for here, names in _walk(top, found, skip_bad):
        for name in names:
            path, ending = os.path.join(here, name), Path(name).suffix.lower()
            if name.startswith("."):
                found.passed["hidden"] += ending in endings()
            elif other := _other(path, ending):
                found.passed[other] += 1
            else:
                found.files.append(path)
    found.passed = +found.passed
    found.files.sort(key=lambda path: path.replace(os.sep, "/"))
    return found


def _nearest(top: str) -> str | None:
    """What is called most like a folder that is not there: another beside it, or a built-in source."""
    beside, name = os.path.split(top.rstrip("/" + os.sep))
    try:
        there = {one.name: shown(os.path.join(beside, one.name)) for one in os.scandir(beside or ".") if one.is_dir()}
    except (OSError, ValueError):
        there = {}
    if not beside:
        there |= {source: source for source in SOURCES}
    return next((there[one] for one in difflib.get_close_matches(name[:200], there, 1)), None)


def _walk(top: str, found: Found, skip_bad: bool) -> Iterator[tuple[str, list[str]]]:
    """(folder, names of its files) of all folders that are entered."""

    def stop(error: OSError) -> None:
        name = os.fspath(error.filename or top)
        if not skip_bad or name == top:
            raise DataError(
                f"{shown(name)} cannot be read ({error.strerror}); change its permissions or move it away, or leave "
                f"it out with skip_bad=True (--skip-bad)"
            ) from error
        found.skipped[name] = reason(error, name)

    seen = set()
    for here, folders, names in os.walk(top, onerror=stop, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
        elif here != top and is_run(here, names):
            found.passed[f"run of genimg ({os.path.relpath(here, top)})"] += 1
            folders.clear()
        else:
            seen.add((status.st_dev, status.st_ino))
            found.passed.update(f"folder {name}" for name in folders if name in FOREIGN)
            folders[:] = sorted(name for name in folders if name[0] != "." and name not in FOREIGN)
            yield here, names


def is_run(folder: str | os.PathLike[str], names: list[str]) -> bool:
    """Whether this package trains in the folder, whose files have these names: by the settings that it keeps there."""
    path = os.path.join(folder, CONFIG)
    try:
        if CONFIG not in names or os.path.getsize(path) > 100_000:
            return False
        settings = files.read_json(path)
    except (OSError, RunError):
        return False
    return isinstance(settings, dict) and settings.keys() >= SETTINGS


def _other(path: str, ending: str) -> str:
    """What a file is that is not taken, "" for one that is."""
    if ending in RAW:
        return ending[1:]
    if ending in DRAWN and _drawn(path):
        return "drawn by genimg"
    if ending in endings() or is_picture(path):
        return ""
    name = ending[1:] or "without an ending"
    return f"{name} ({READERS[ending]})" if ending in READERS else name


def _drawn(path: str) -> bool:
    """Whether this package drew it."""
    try:
        return os.path.isfile(path) and files.is_own_picture(path)
    except OSError:  # to be told when it is read
        return False
