"""The translation itself: whole, fresh, and true to the English in all that does not depend on the language.

Each rule is a function that returns what it finds in a pair of texts; the tests run it on the book, and on bad pairs.
"""

import ast
import re
from collections import Counter

import pytest
from markdown_it import MarkdownIt
from test_conventions import CHAPTERS, CODE, MATHS, SITE_PAGES, load

from genimg.book import trials
from genimg.book.zh import notebooks, words

TRANSLATED = [path for path in CHAPTERS if (notebooks.FOLDER / f"{path.stem}.md").exists()]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAPER = re.compile(r"[^\[\]]*\]\(https?:[^)]*\)(?:，[\x20-\x7e]+)?")  # whose title stays as it is
# A term in the list of terms, whose first column is English.
TERM = re.compile(r"^\|[^|\u4e00-\u9fff]+(?=\|[^|]*[\u4e00-\u9fff])", re.MULTILINE)
NUMBER = re.compile(r"(?<![A-Za-z\d.])\d[\d,]*(?:\.\d+)?")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
CHINESE = r"[\u4e00-\u9fff]"
PATTERNS = {
    "half-width punctuation": rf"{CHINESE}[,;:?!](?!\d)|{CHINESE}\.(?=\s|$)",
    "an English sentence": r"(?:\b[a-z]{3,}\b[ ,]+){4,}",
}
MARKDOWN = MarkdownIt()


def bare(text):
    """A text without code, formulas and addresses."""
    return re.sub(r"\]\([^)]*\)|https?://\S+", "] ", MATHS.sub(" ", CODE.sub(" ", text)))


def formulas(text):
    """The formulas, words in them aside."""
    found = [one[0] for one in MATHS.finditer(CODE.sub(" ", text))]
    return [re.sub(r"\\(?:text|mathrm|textrm)\{[^}]*\}", "", re.sub(r"\s+", " ", one)) for one in found]


#: What -> the list of it in a text; of a text and its translation these lists have the same members.
SAME = {
    "code": lambda text: [one[0] for one in CODE.finditer(text)],
    "formulas": formulas,
    "links": lambda text: LINK.findall(CODE.sub(" ", text)),
    "numbers": lambda text: [one.replace(",", "") for one in NUMBER.findall(bare(text))],
    "headings": lambda text: HEADING.findall(CODE.sub(" ", text)),
    "columns": lambda text: [line.count("|") for line in bare(text).splitlines() if line.startswith("|")],
}


def differences(english, chinese):
    """Where a translation differs from its text in what both should have, and what it has of English."""
    found = []
    for what, listed in SAME.items():
        a, b = Counter(listed(english)), Counter(listed(chinese))
        if a != b:
            found.append(f"{what}: {list((a - b).elements())} became {list((b - a).elements())}")
    for what, pattern in PATTERNS.items():
        if match := re.search(pattern, bare(TERM.sub("", PAPER.sub("]", chinese)))):
            found.append(f"{what}: {match[0]!r}")
    if left := stars(chinese):
        found.append(f"emphasis that Markdown does not see: {left}")
    return found


def stars(text):
    """Pieces of a text in which stars stay stars. CommonMark ends no emphasis between `。` and a letter."""
    tokens = [inner for token in MARKDOWN.parse(MATHS.sub("x", text)) for inner in token.children or ()]
    return [token.content[:30] for token in tokens if token.type == "text" and "*" in token.content]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_every_page_has_a_translation():
    missing = [path.stem for path in [*CHAPTERS, *SITE_PAGES] if not (notebooks.FOLDER / f"{path.stem}.md").exists()]
    assert not missing


@each(TRANSLATED)
def test_the_translation_of_a_chapter_is_whole_and_fresh(path):
    found = notebooks.problems(load(path), notebooks.read(path.stem))
    assert not found, "to be translated anew, as README tells:\n" + "\n".join(found)


@each(TRANSLATED)
def test_a_chapter_says_the_same_in_both_languages(path):
    blocks = notebooks.read(path.stem)
    texts = notebooks.english(load(path))
    fresh = [name for name, text in texts.items() if notebooks.state(text, blocks.get(name)) == "fresh"]
    found = {name: f for name in fresh if (f := differences(texts[name], blocks[name][1]))}
    assert not found


@each([path for path in SITE_PAGES if path.stem != "api" and (notebooks.FOLDER / path.name).exists()])
def test_a_page_says_the_same_in_both_languages(path):
    assert not differences(path.read_text("utf-8"), (notebooks.FOLDER / path.name).read_text("utf-8"))


def names_of_controls(notebook):
    """Those that are written out; the others show when a chapter has run."""
    for source in trials.code_of(notebook):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.keyword) and node.arg == "controls" and isinstance(node.value, ast.Dict):
                yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant))


@each(CHAPTERS)
def test_names_of_controls_and_reasons_for_none_are_in_the_table(path):
    say = words.load()
    for name in names_of_controls(load(path)):
        say(name)
    for call in trials.calls_of(load(path)):
        say(call["no_control"] or "")
    assert not say.missing


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("It has 10 parts.", "它有 11 个部分。"),
        ("By `fit` it learns.", "它用 `run` 学习。"),
        ("As $x^2$ says.", "如 $x^3$ 所说。"),
        ("See [this](a.ipynb#b).", "见[此](a.ipynb)。"),
        ("## Part", "### 部分"),
        ("Good.", "好."),
        ("Good.", "好，these four words were left."),
        ("**Budget.** One core.", "**预算。**一个核心。"),
        ("| a | b |", "| 甲 |"),
        ("| a | b |", "| 甲 | these four words were left |"),
    ],
)
def test_a_difference_is_found(english, chinese):
    assert differences(english, chinese)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("*Figure 1.2. A [line](a.ipynb) of 1,000 `x`*, $\\text{loss} = 1$.",
         "*图 1.2. 一条 1,000 个 `x` 的[线](a.ipynb)*，$\\text{损失} = 1$。"),
        ("| kept for the pass | b |", "| kept for the pass | 乙 |"),
        ("**Budget.** The generator G.", "**预算。** 生成器（generator）G。"),
    ],
)  # fmt: skip
def test_a_good_translation_passes(english, chinese):
    assert not differences(english, chinese)
