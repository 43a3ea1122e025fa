"""What was read of a source of pictures and what was passed over: a value, and one sentence of it."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genimg.data.captions import Told
from genimg.system.errors import shown

#: Kinds that the sentence names, most frequent first; of the others it gives the number.
NAMED = 12


@dataclass(frozen=True)
class Account:
    """What was read.

    Attributes:
        source: a folder, or the name of a built-in source.
        shape: of the pictures, (N, C, H, W).
        read: ending of the files -> how many pictures; empty for a built-in source.
        passed: what was passed over -> how many.
        skipped: file or folder that could not be read -> why.
        deep: how many pictures have more than 8 bits.
        white: the value that is white in these, None where there are none.
        classes: name of a class -> how many pictures are of it; empty where labels were not asked for.
        captions: what was read of captions; None where they were not asked for.
    """

    source: str
    shape: tuple[int, ...]
    read: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    deep: int = 0
    white: float | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    captions: Told | None = None

    def __str__(self) -> str:
        """One sentence, as "36 pictures, 64x64, colour, from 31 jfif and 5 png; passed over: 2 txt"."""
        n, channels, height, width = self.shape
        kind = {1: "grey", 3: "colour", 4: "colour and transparency"}.get(channels, f"{channels} channels")
        text = f"{n:,} picture{'s' * (n != 1)}, {width}x{height}, {kind}, from "
        text += _listed(self.read) + f" in {title(self.source)}" if self.read else shown(self.source)
        if self.deep:
            text += f"; {self.deep:,} of more than 8 bits, in which {self.white:,.6g} is white"
        if self.classes:
            text += f"; {len(self.classes):,} classes: {_listed(self.classes, self.classes)}"
        if self.captions:
            text += f"; {self.captions}"
        return text + self.left_out()

    def left_out(self) -> str:
        """The end of the sentence: what was not read."""
        text = f"; passed over: {_listed(self.passed)}" if self.passed else ""
        return text + (f"; cannot be read: {len(self.skipped):,}" if self.skipped else "")

    def report(self) -> str:
        """The sentence, and every file that could not be read on a line of its own."""
        lines = (f"cannot be read: {shown(name)} ({why})" for name, why in self.skipped.items())
        return "\n".join([str(self), *lines]) + "\n"


def title(source: str | os.PathLike[str]) -> str:
    """What a source is called in a line: the last part of a folder's path, also of "." and "..", or its name."""
    path = os.path.abspath(os.path.expanduser(source))
    return shown(Path(path).name or path, 80)


def _listed(kinds: Mapping[str, int], order: Iterable[str] | None = None) -> str:
    """As "31 jfif, 5 png and 2 txt", the most frequent first, or in an order of their own."""
    counted = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    counted = counted if order is None else [(name, kinds[name]) for name in order]
    parts = [f"{n:,} {shown(kind, 200)}" for kind, n in counted[:NAMED]]
    if rest := Counter(dict(counted[NAMED:])).total():
        parts.append(f"{rest:,} of other kinds")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
