"""What the pictures of a folder show, in words: sentences from the files' names, or from a table.

A sentence becomes numbers of words, (L,) int64, in their order; 0 fills up. Which words there are, the captions say.
Words that are too rare to be learned, or too many, are left out.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genimg.data import table
from genimg.data.sentences import UnknownWord, nearest
from genimg.system.errors import DataError, shown

#: What asks for the names of files.
NAMES = "names"
#: Captions that a word stands in at least. In one alone, it would be the name of a single picture.
LEAST = 2
#: Words that are kept at most, the most frequent, and words of a sentence.
MOST, LONGEST = 1000, 32
#: Words that the account has an example of.
TOLD = 5


@dataclass(frozen=True)
class Vocabulary:
    """Words that have numbers: that of `words[i]` is i + 1.

    Attributes:
        words: most frequent first.
        length: numbers of a sentence.
    """

    words: tuple[str, ...]
    length: int

    def encode(self, text: str) -> Tensor:
        """A sentence, (length,) int64; of an empty text it is no sentence in particular.

        Raises:
            UnknownWord: words that are not in the vocabulary; the message has the nearest that are.
            ValueError: more words than a sentence has.
        """
        words = split(text)
        if unknown := [word for word in dict.fromkeys(words) if word not in self.words]:
            near = ", ".join(f"{word!r} (the nearest is {nearest(word, self.words)!r})" for word in unknown)
            raise UnknownWord(f"no word {near} in its captions' vocabulary")
        if len(words) > self.length:
            raise ValueError(f"{len(words)} words; its longest caption has {self.length}")
        return padded([[self.words.index(word) + 1 for word in words]], self.length)[0]

    def decode(self, sentence: Tensor) -> str:
        """The words of a sentence (L,)."""
        return " ".join(self.words[i - 1] for i in sentence.tolist() if i)


@dataclass(frozen=True)
class Told:
    """What was read of captions.

    Attributes:
        words: the vocabulary's words -> how many captions each stands in.
        captions, different: how many there are, and how many different words in them.
        silent: captions without a known word, which are no sentence.
        cut: captions with more known words than a sentence has, of which the rest is left out.
    """

    words: Mapping[str, int]
    captions: int
    different: int
    silent: int
    cut: int

    def __str__(self) -> str:
        often = sorted(self.words, key=lambda word: -self.words[word])[:TOLD]
        text = f"{self.captions:,} captions, {self.different:,} different words, "
        text += f"{sum(map(bool, self.words.values())):,} kept: "
        text += ", ".join(f"{self.words[word]:,} {shown(word, 40)}" for word in often)
        text += ", ..." if len(self.words) > TOLD else ""
        text += f"; {self.silent:,} have none of them" if self.silent else ""
        return text + (f"; {self.cut:,} are cut after {LONGEST} words" if self.cut else "")


def captions_of(files: Sequence[str], folder: str | os.PathLike[str], captions: str | os.PathLike[str]) -> list[str]:
    """The caption of each file.

    Args:
        files: paths that begin with the folder's.
        captions: "names" takes the files' names without their endings; anything else is the path of a table with rows
            of a file, within the folder, and its sentence, as CSV.

    Raises:
        DataError: a file without a sentence; no such table.
    """
    names, top = table.names_in(files, folder), shown(os.path.expanduser(folder))
    if os.fspath(captions) == NAMES:
        return [os.path.splitext(name.rpartition("/")[2])[0] for name in names]
    found = table.read(captions, names, "captions", NAMES, "sentence", whole=True)
    lacking = f"have no row in {shown(captions)}, whose rows are a file's path within {top} and its sentence"
    table.refuse_gaps(names, found, lacking)
    return [found[name] for name in names]


def split(text: str) -> list[str]:
    """The words of a text, lower case: runs of letters, digits and their marks; each Chinese character is one."""
    text = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(map(_spaced, text)).split()
    return [word for word in words if any(map(str.isalnum, word))]


def _spaced(c: str) -> str:
    if unicodedata.category(c)[0] not in "LMN":
        return " "
    return f" {c} " if unicodedata.name(c, "").startswith("CJK UNIFIED") else c


def vocabulary_of(captions: Sequence[str], most: int = MOST) -> Vocabulary:
    """The words that stand in `LEAST` captions or more, at most so many, and of equally frequent ones the first in the
    alphabet.

    Raises:
        DataError: there are none.
    """
    counts = Counter(word for text in captions for word in set(split(text)))
    kept = sorted((word for word in counts if counts[word] >= LEAST), key=lambda word: (-counts[word], word))[:most]
    if not kept:
        raise DataError(
            f"no word stands in {LEAST} of the {len(captions):,} captions, as {shown(captions[0], 80)!r} is one: "
            f"sentences that have no word in common teach none"
        )
    known = set(kept)
    longest = max(sum(word in known for word in split(text)) for text in captions)
    return Vocabulary(tuple(kept), min(longest, LONGEST))


def numbered(captions: Sequence[str], words: Vocabulary | int = MOST) -> tuple[Tensor, Told]:
    """Captions as sentences (N, L) int64, and what was read of them.

    Args:
        words: a vocabulary; or how many words of the captions are kept at most.

    Raises:
        DataError: no word stands in two captions; all captions say the same.
    """
    vocabulary = vocabulary_of(captions, words) if isinstance(words, int) else words
    place = {word: i + 1 for i, word in enumerate(vocabulary.words)}
    texts = [split(text) for text in captions]
    numbers = [[place[word] for word in text if word in place] for text in texts]
    sentences = padded(numbers, vocabulary.length)
    if len(sentences) > 1 and bool((sentences == sentences[0]).all()):
        said = vocabulary.decode(sentences[0])
        raise DataError(f"all {len(captions):,} captions say the same, {shown(said, 80)!r}: that teaches no word")
    counts = Counter(word for text in texts for word in set(text))
    told = Told(
        {word: counts[word] for word in vocabulary.words}, len(captions), len(counts),
        sum(not any(one) for one in numbers), sum(len(one) > vocabulary.length for one in numbers),
    )  # fmt: skip
    return sentences, told


def padded(numbers: Sequence[Sequence[int]], length: int) -> Tensor:
    """Numbers of the words of sentences, each cut or filled up by 0: (N, length) int64."""
    sentences = torch.zeros(len(numbers), length, dtype=torch.long)
    for row, one in zip(sentences, numbers, strict=True):
        row[: len(one)] = torch.tensor(one[:length], dtype=torch.long)
    return sentences
