"""An executed chapter's outputs as each edition shows them: pictures, and sentences of claims, in its language."""

from collections.abc import Callable
from typing import Any

from genimg.book import trials
from genimg.book.claims import CLAIM
from genimg.book.zh import notebooks
from genimg.book.zh.figures import BOXES, MIME, MISSING


def in_english(executed: notebooks.Notebook) -> notebooks.Notebook:
    """Takes the Chinese pictures out of an executed notebook, which it changes and returns."""
    for _, output in trials.outputs_of(executed):
        output.get("data", {}).pop(MIME, None)
        output.get("metadata", {}).pop(MIME, None)
    return executed


def in_chinese(
    executed: notebooks.Notebook, chapter: notebooks.Notebook, blocks: notebooks.Blocks, say: Callable[[str], str]
) -> notebooks.Notebook:
    """Puts Chinese pictures and claims in the place of the English ones of an executed notebook.

    Args:
        executed: which is changed.
        chapter: the chapter as it stands, whose code cells are those that were executed.
        blocks: its translation.
        say: gives the Chinese of the names of controls.

    Returns:
        executed.
    """
    cells = [[cell for cell in one["cells"] if cell["cell_type"] == "code"] for one in (chapter, executed)]
    for cell, done in zip(*cells, strict=True):
        number = 0
        for output in done["outputs"]:
            data, metadata = output.get("data", {}), output.get("metadata", {})
            if picture := data.pop(MIME, None):
                size = metadata.pop(MIME)
                data["image/png"] = picture
                metadata["image/png"] = {name: size[name] for name in ("width", "height")}
            if claim := data.get(CLAIM):
                number += 1
                claim["sentence"] = notebooks.fresh(f"{cell['id']} claim {number}", claim["sentence"], blocks)
                claim["controls"] = {say(name): value for name, value in claim["controls"].items()}
                claim["no_control"] = claim["no_control"] and say(claim["no_control"])
    return executed


def lacked(executed: notebooks.Notebook) -> list[str]:
    """What the Chinese figures of an executed notebook lacked: texts without translation, letters without a shape."""
    told: list[dict[str, Any]] = [o.get("metadata", {}).get(MIME, {}) for _, o in trials.outputs_of(executed)]
    return list(dict.fromkeys(text for one in told for name in (MISSING, BOXES) for text in one.get(name, ())))
