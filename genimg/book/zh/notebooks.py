"""The Chinese edition's notebooks: the English ones, their prose replaced by that of `book/zh/CHAPTER.md`.

A translation is plain Markdown in blocks, each under a comment with the id of the cell and the first 12 digits of the
SHA-256 of the English text that was translated: `<!-- gan-004 3f2a9c1d0b7e -->`. Of a code cell, `gan-007 alt` is the
alternative text of its figure, and `gan-007 claim 2` the sentence of its second claim. Code is never copied. What is
not translated, or was translated from a text that has changed since, is shown in English under a mark.
"""

import copy
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genimg.book import trials
from genimg.book.zh import FOLDER
from genimg.system.errors import RunError

#: The language as HTML and notebooks name it.
LANGUAGE = "zh-CN"
#: What the page says of a block, and of a whole chapter, that is not translated as it stands.
MARKS = {
    "missing": "> **此段尚未翻译，** 以下为英文原文。",
    "stale": "> **译文已过期，** 以下为英文原文。",
    "none": "> **本页尚未翻译，** 以下为英文原文。",
}
_HEAD = re.compile(r"^<!-- (\S+(?: alt| claim \d+)?)(?: ([0-9a-f]{12}))? -->$", re.MULTILINE)

#: Block's name -> (hash of the English text, None where the head has none; the translation).
Blocks = dict[str, tuple[str | None, str]]
#: A notebook as nbformat writes it.
Notebook = dict[str, Any]


def hash_of(english: str) -> str:
    """What the head of a block holds of the English text that it translates."""
    return hashlib.sha256(english.strip().encode()).hexdigest()[:12]


def english(notebook: Notebook) -> dict[str, str]:
    """All that is to be translated of a chapter: block's name -> English text, in order."""
    found = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found[cell["id"]] = "".join(cell["source"])
            continue
        if alt := _image(cell).get("alt"):
            found[f"{cell['id']} alt"] = alt
        for number, call in enumerate(trials.calls_of({"cells": [cell]}), 1):
            found[f"{cell['id']} claim {number}"] = call["sentence"]
    return found


def blocks_in(text: str) -> Blocks:
    """The blocks of a translation.

    Raises:
        RunError: two blocks have one name.
    """
    parts = _HEAD.split(text)[1:]
    names = parts[::3]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RunError(f"two blocks of a translation are called {', '.join(twice)}")
    return {name: (stamp, body.strip()) for name, stamp, body in zip(names, parts[1::3], parts[2::3], strict=True)}


def read(name: str, folder: str | os.PathLike[str] = FOLDER) -> Blocks:
    """The translation of a chapter; empty where there is none.

    Raises:
        RunError: as `blocks_in`.
    """
    path = Path(folder) / f"{name}.md"
    return blocks_in(path.read_text("utf-8")) if path.exists() else {}


def state(text: str, block: tuple[str | None, str] | None) -> str:
    """Of an English text and its block: "fresh", "stale" or "missing"."""
    if block is None or not block[1]:
        return "missing"
    return "fresh" if block[0] == hash_of(text) else "stale"


def problems(notebook: Notebook, blocks: Blocks) -> list[str]:
    """What a translation lacks, as "gan-004: stale, now <hash of the English>"; also blocks that translate nothing."""
    texts = english(notebook)
    states = {name: state(text, blocks.get(name)) for name, text in texts.items()}
    found = [f"{name}: {said}, now {hash_of(texts[name])}" for name, said in states.items() if said != "fresh"]
    return found + [f"{name}: no such text" for name in blocks if name not in texts]


def translated(notebook: Notebook, blocks: Blocks) -> Notebook:
    """The Chinese notebook of a chapter: the code cells as they are, whether executed or not."""
    made = copy.deepcopy(notebook)
    made["metadata"]["language"] = LANGUAGE
    first = True
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            how = state(text, blocks.get(cell["id"]))
            if how == "fresh":
                cell["source"] = _lines(blocks[cell["id"]][1])
            elif blocks or first:
                cell["source"] = _lines(_marked(text, MARKS[how if blocks else "none"]))
            first = False
        elif alt := _image(cell).get("alt"):
            cell["metadata"]["mystnb"]["image"]["alt"] = fresh(f"{cell['id']} alt", alt, blocks)
    return made


def fresh(name: str, text: str, blocks: Blocks) -> str:
    """The translation of a text if it is fresh, else the text itself."""
    block = blocks.get(name)
    return block[1] if block and state(text, block) == "fresh" else text


def chapters(folder: str | os.PathLike[str] = FOLDER) -> Iterable[tuple[str, Notebook, Blocks]]:
    """(name, notebook, translation) of every chapter beside the folder of translations.

    Raises:
        RunError: there is none: the package does not run from a checkout.
    """
    paths = sorted(Path(folder).parent.glob("*.ipynb"))
    if not paths:
        raise RunError(f"no chapters in {Path(folder).parent}: the Chinese edition is made in a checkout of the book")
    for path in paths:
        yield path.stem, json.loads(path.read_text("utf-8")), read(path.stem, folder)


def write(notebook: Notebook, path: str | os.PathLike[str]) -> None:
    """Write a notebook as the chapters are written, unless it stands there already."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path = Path(path)
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _image(cell: dict[str, Any]) -> dict[str, Any]:
    return cell["metadata"].get("mystnb", {}).get("image", {})


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _marked(text: str, mark: str) -> str:
    """A text under a mark, which a heading that opens it keeps above."""
    heading, _, rest = text.partition("\n") if re.match("#+ ", text) else ("", "", text)
    return "\n\n".join(part for part in (heading, mark, rest.strip()) if part)
