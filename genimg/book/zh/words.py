"""One table of short texts in English and Chinese, `book/zh/words.json`: words in figures, of claims, of the site.

{"step": "步数", "after {} steps": "{} 步之后"}: braces stand for whatever a figure has there, and may change places if
they are numbered, {0} and {1}. What a brace stands for is looked up too.
"""

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from genimg.book.zh import FOLDER

#: The table's file.
TABLE = FOLDER / "words.json"
# Formulas, addresses, names in code, numbers with what is written onto them: the same in both languages.
_PLAIN = re.compile(r"\$[^$]*\$|https?://\S+|`[^`]*`|\w*\d[\w.]*|\b\w+[_.]\w[\w.]*")
_WORD = re.compile(r"[A-Za-z]*[a-z]{2}[A-Za-z]*")  # GAN, KL and D are the same in both languages
_BRACE = re.compile(r"(?<![_^])\{(\d*)\}")  # none of a formula


def needs(text: str) -> bool:
    """Whether a text holds an English word."""
    return bool(_WORD.search(_PLAIN.sub(" ", text)))


@dataclass
class Words:
    """The table, and what was looked up in it in vain.

    Attributes:
        table: English -> Chinese.
        missing: texts without a translation, in the order in which they were asked for.
    """

    table: dict[str, str]
    missing: dict[str, None] = field(default_factory=dict)

    def __call__(self, text: str, *parts: object) -> str:
        """The Chinese of a text; the text itself, noted as missing, where the table has none.

        Args:
            parts: what then stands where the text has {0}, {1}, ..., as it is.
        """
        found = self._found(text)
        if found is None:
            self.missing[text] = None
        return filled(text if found is None else found, *parts)

    def _found(self, text: str) -> str | None:
        if (known := self.table.get(text)) is not None:
            return known
        bare = text.strip()
        if bare != text:
            inside = self._found(bare)
            return inside if inside is None else text.replace(bare, inside, 1)
        if not needs(text):
            return text
        for pattern, chinese in _patterns(tuple(self.table.items())):
            if match := pattern.fullmatch(text):
                parts = [part for part in map(self._found, match.groups()) if part is not None]
                if len(parts) == len(match.groups()):
                    return filled(chinese, *parts)
        if "\n" in text:
            lines = [line for line in map(self._found, text.split("\n")) if line is not None]
            return "\n".join(lines) if len(lines) == text.count("\n") + 1 else None
        return None


@functools.cache
def _patterns(items: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    """The entries with braces as (regular expression, Chinese), those with the most letters first."""
    found = [(english.split("{}"), chinese) for english, chinese in items if "{}" in english]
    found.sort(key=lambda entry: -sum(map(len, entry[0])))
    return [(re.compile("(.+?)".join(map(re.escape, parts)), re.DOTALL), chinese) for parts, chinese in found]


def filled(text: str, *parts: object) -> str:
    """A text with its braces filled: {} in order, {0} and {1} by number; as it is where there is nothing to fill in."""
    rest = iter(parts)
    return _BRACE.sub(lambda brace: str(parts[int(brace[1])] if brace[1] else next(rest)), text) if parts else text


def load(path: Path = TABLE) -> Words:
    """The table as it stands; empty where there is none, as in an installed package."""
    return Words(json.loads(path.read_text("utf-8")) if path.exists() else {})
