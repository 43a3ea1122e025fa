"""Sentences about scenes, in English and in Chinese, and the numbers of their words.

A sentence becomes at most `LENGTH` numbers, one for each word that says something, in order; 0 fills up. Words that
say nothing here, such as "a" and "is", are left out.
"""

import difflib
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from genimg.data import scenes

#: Language -> what it calls the kinds, the colours and the relations of `scenes`, in their order.
WORDS = {
    "en": (("square", "triangle", "ring"), ("red", "yellow", "green", "blue"), ("left", "right", "above", "below")),
    "zh": (("方块", "三角", "圆环"), ("红色", "黄色", "绿色", "蓝色"), ("左边", "右边", "上面", "下面")),
}

#: Language -> its phrasings; where {r} is left, {o} is right, and so on.
PHRASINGS = {
    "en": ("a {a} {b} {r} a {c} {d}",),
    "zh": ("{a}{b}在{c}{d}的{r}", "{r}是{a}{b}，{o}是{c}{d}"),
}

#: Language -> words that are left out.
SILENT = {
    "en": {"a", "an", "the", "is", "of", "to", "and", ",", "."},
    "zh": {"在", "的", "是", "有", "个", "一", "形", ",", "，", "。", " "},
}

#: All words that say something; a word's number is its place here and one more.
VOCABULARY = tuple(word for parts in WORDS.values() for part in parts for word in part)

#: Words of the longest sentence.
LENGTH = 6

_OPPOSITE = (1, 0, 3, 2)


class UnknownWord(ValueError):
    """A word that is not in the vocabulary; the message names it and the nearest that is."""


def relations(language: str) -> list[str]:
    """What a sentence calls the relations, in their order."""
    told = WORDS[language][2]
    return [f"{word} of" if language == "en" and i < 2 else word for i, word in enumerate(told)]


def say(kind: list[int], colour: list[int], relation: int, language: str = "en", phrasing: int = 0) -> str:
    """The sentence for two kinds, two colours and a relation."""
    kinds, colours, _ = WORDS[language]
    told = relations(language)
    return PHRASINGS[language][phrasing].format(
        a=colours[colour[0]], b=kinds[kind[0]], r=told[relation], o=told[_OPPOSITE[relation]], c=colours[colour[1]],
        d=kinds[kind[1]],
    )  # fmt: skip


def say_all(words: dict[str, Tensor], language: str = "en", phrasing: int = 0) -> list[str]:
    """The sentences of `scenes`' words."""
    told = zip(*(words[name].tolist() for name in ("kind", "colour", "relation")), strict=True)
    return [say(kind, colour, relation, language, phrasing) for kind, colour, relation in told]


def split(text: str) -> list[str]:
    """The words of a sentence, silent ones too; Chinese is cut by the longest word that is known."""
    if not re.search(r"[\u4e00-\u9fff]", text):
        return re.findall(r"\w+|[^\w\s]", text.lower())
    known = sorted([*(word for part in WORDS["zh"] for word in part), *SILENT["zh"]], key=len, reverse=True)
    return re.findall("|".join(map(re.escape, known)) + r"|..?", text)


def nearest(word: str, known: Sequence[str]) -> str:
    """Of the known words the one that is most like a word."""
    return difflib.get_close_matches(word, known, 1, cutoff=0.0)[0]


def encode(text: str) -> Tensor:
    """The numbers of a sentence's words, (LENGTH,) int64.

    Raises:
        UnknownWord: a word that is not in the vocabulary.
        ValueError: more words than `LENGTH`.
    """
    numbers = []
    for word in split(text):
        if word in VOCABULARY:
            numbers.append(VOCABULARY.index(word) + 1)
        elif not any(word in silent for silent in SILENT.values()):
            raise UnknownWord(f"no word {word!r} in this vocabulary; the nearest is {nearest(word, VOCABULARY)!r}")
    if len(numbers) > LENGTH:
        raise ValueError(f"{len(numbers)} words that say something; a sentence has at most {LENGTH}")
    return torch.tensor(numbers + [0] * (LENGTH - len(numbers)))


def encode_all(words: dict[str, Tensor], language: str = "en", phrasing: int = 0) -> Tensor:
    """Numbers of the sentences of `scenes`' words, (N, LENGTH) int64."""
    return torch.stack([encode(text) for text in say_all(words, language, phrasing)])


def mixed(words: dict[str, Tensor], seed: int = 0) -> Tensor:
    """The same, every other sentence in English, the rest in Chinese, with phrasings drawn evenly: (N, LENGTH)."""
    n = len(words["relation"])
    generator, out = torch.Generator().manual_seed(seed), torch.zeros(n, LENGTH, dtype=torch.long)
    for i, (language, told) in enumerate(PHRASINGS.items()):
        own = torch.arange(i, n, len(PHRASINGS))
        ways = torch.stack([encode_all(scenes.rows(words, own), language, j) for j in range(len(told))])
        out[own] = ways[torch.randint(len(told), (len(own),), generator=generator), torch.arange(len(own))]
    return out


def training_words() -> dict[str, Tensor]:
    """The sentences that training may show."""
    words = scenes.all_words()
    return scenes.rows(words, ~scenes.is_held_out(words))
