"""The Chinese edition's machinery: blocks and their hashes, the table of words, figures drawn a second time."""

import base64
import copy
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest

from genimg import plots
from genimg.__main__ import main
from genimg.book.claims import CLAIM
from genimg.book.zh import figures, notebooks, outputs, words
from genimg.system.errors import RunError

ROOT = Path(__file__).parents[2]
CHAPTER = {
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    "cells": [
        {"cell_type": "markdown", "id": "a-0", "metadata": {}, "source": ["# Title\n", "\n", "Two words."]},
        {"cell_type": "code", "id": "a-1", "metadata": {"mystnb": {"image": {"alt": "A line that falls."}}},
         "source": 'genimg.claim("it falls", 1, below=2)\ngenimg.claim("it rises", 1, above=0)',
         "outputs": [], "execution_count": None},
        {"cell_type": "markdown", "id": "a-2", "metadata": {}, "source": "## Part\n\nMore."},
    ],
}  # fmt: skip


def translation(**texts):
    """Fresh blocks with these translations; `a_0` is the cell a-0, `a_1_alt` its alternative text."""
    english = notebooks.english(CHAPTER)
    names = {name: name.replace("_", "-", 1).replace("_", " ") for name in texts}
    heads = {name: f"<!-- {names[name]} {notebooks.hash_of(english[names[name]])} -->" for name in texts}
    return notebooks.blocks_in("\n".join(f"{heads[name]}\n{text}\n" for name, text in texts.items()))


WHOLE = translation(
    a_0="# 标题\n\n两个词。",
    a_1_alt="一条下降的线。",
    a_1_claim_1="它下降",
    a_1_claim_2="它上升",
    a_2="## 部分\n\n更多。",
)


def test_a_whole_translation_has_no_problem_and_makes_the_notebook():
    assert notebooks.problems(CHAPTER, WHOLE) == []
    made = notebooks.translated(CHAPTER, WHOLE)
    nbformat.validate(nbformat.from_dict(made))
    assert made["metadata"]["language"] == "zh-CN"
    assert ["".join(cell["source"]) for cell in made["cells"][::2]] == ["# 标题\n\n两个词。", "## 部分\n\n更多。"]
    assert made["cells"][1]["metadata"]["mystnb"]["image"]["alt"] == "一条下降的线。"
    assert made["cells"][1]["source"] == CHAPTER["cells"][1]["source"]
    assert [cell["id"] for cell in made["cells"]] == ["a-0", "a-1", "a-2"]


def test_a_changed_text_is_named_and_shown_in_english_under_a_mark():
    changed = copy.deepcopy(CHAPTER)
    changed["cells"][2]["source"] = "## Part\n\nMuch more."
    changed["cells"][1]["source"] = changed["cells"][1]["source"].replace("it falls", "it sinks")
    now = notebooks.hash_of("## Part\n\nMuch more."), notebooks.hash_of("it sinks")
    assert notebooks.problems(changed, WHOLE) == [f"a-1 claim 1: stale, now {now[1]}", f"a-2: stale, now {now[0]}"]
    shown = "".join(notebooks.translated(changed, WHOLE)["cells"][2]["source"])
    assert shown == f"## Part\n\n{notebooks.MARKS['stale']}\n\nMuch more."


def test_what_is_missing_is_named_and_marked_and_an_untranslated_chapter_marked_once():
    some = {name: block for name, block in WHOLE.items() if name not in ("a-2", "a-1 alt")}
    assert [said.split(",")[0] for said in notebooks.problems(CHAPTER, some)] == ["a-1 alt: missing", "a-2: missing"]
    made = notebooks.translated(CHAPTER, some)
    assert notebooks.MARKS["missing"] in "".join(made["cells"][2]["source"])
    assert made["cells"][1]["metadata"]["mystnb"]["image"]["alt"] == "A line that falls."
    none = json.dumps(notebooks.translated(CHAPTER, {}), ensure_ascii=False)
    assert none.count("尚未翻译") == 1 and notebooks.MARKS["none"].split()[1] in none


def test_blocks_that_translate_nothing_or_stand_twice_are_found():
    assert notebooks.problems(CHAPTER, WHOLE | {"a-9": (None, "x")}) == ["a-9: no such text"]
    with pytest.raises(RunError, match="a-0"):
        notebooks.blocks_in("<!-- a-0 -->\n甲\n<!-- a-0 -->\n乙\n")


def test_a_block_without_a_hash_is_stale():
    assert notebooks.state("Text", ("", "文")) == notebooks.state("Text", (None, "文")) == "stale"


def test_the_command_writes_notebooks_and_fails_for_what_is_not_translated(tmp_path, monkeypatch, capsys):
    book = tmp_path / "book"
    (book / "zh").mkdir(parents=True)
    (book / "a.ipynb").write_text(json.dumps(CHAPTER))
    monkeypatch.setattr(notebooks.chapters, "__defaults__", (book / "zh",))
    assert main(["zh", "--out", str(tmp_path / "made")]) == 1
    assert "a: no translation" in capsys.readouterr().out
    heads = "".join(f"<!-- {name} {stamp} -->\n{text}\n" for name, (stamp, text) in WHOLE.items())
    (book / "zh" / "a.md").write_text(heads)
    assert main(["zh", "--out", str(tmp_path / "made")]) == 0
    assert json.loads((tmp_path / "made" / "a.ipynb").read_text("utf-8")) == notebooks.translated(CHAPTER, WHOLE)


TABLE = {
    "step": "步数", "after {} steps": "{} 步之后", "{} and {}": "{1} 与 {0}", "noise": "噪声", "data": "数据",
    "noise $z$": "噪声 $z_{0}$", "GAN {}": "GAN {}",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("step", "步数"),
        (" step", " 步数"),
        ("after 40 steps", "40 步之后"),
        ("noise and data", "数据 与 噪声"),
        ("noise\ndata", "噪声\n数据"),
        ("noise $z$", "噪声 $z_{0}$"),
        ("$x_{1}$", "$x_{1}$"),
        ("KL", "KL"),
        ("1e-05", "1e-05"),
        ("loss_d", "loss_d"),
        ("", ""),
    ],
)
def test_words_are_found(text, chinese):
    say = words.Words(TABLE)
    assert say(text) == chinese and not say.missing


@pytest.mark.parametrize("text", ["other", "after many steps", "noise and others", "noise\nother"])
def test_words_that_are_not_there_are_noted(text):
    say = words.Words(TABLE)
    assert say(text) == text and list(say.missing) == [text]


def test_parts_are_filled_in_as_they_are():
    assert words.Words({"{0}: {1}.": "{0}：{1}。"})("{0}: {1}.", "a {0}", 2) == "a {0}：2。"
    assert words.filled("{0}: {1}.", "a", 2) == "a: 2."


@pytest.fixture
def figure():
    """In the book's style, whatever another test has set."""
    with mpl.rc_context():
        plots.use_style()
        drawn, ax = plt.subplots(figsize=(3, 2))
        ax.plot([0, 1], label="data")
        ax.set_xlabel("noise $z$")
        ax.set_xticks([0, 1], ["step", "data"])
        ax.legend()
        png(drawn)
        yield drawn
        plt.close(drawn)


def png(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80)
    return stream.getvalue()


def test_a_figure_is_drawn_in_chinese_and_stays_as_it_was(figure, monkeypatch):
    monkeypatch.setattr(words, "load", lambda: words.Words(TABLE))
    before = png(figure)
    with figures.unmoved(figure):
        data, metadata = figures.bundle(lambda: png(figure))
    assert metadata == {figures.MIME: {"width": 120, "height": 80}}, "no word and no letter is missing"
    assert base64.b64decode(data[figures.MIME]) != before
    assert png(figure) == before
    assert figure.axes[0].get_xlabel() == "noise $z$"


def test_a_word_and_a_letter_that_are_missing_are_told(figure, monkeypatch):
    monkeypatch.setattr(
        words, "load", lambda: words.Words(TABLE | {"data": "数据\ue000", "noise $z$": "噪声\ue001 $z$"})
    )
    figure.axes[0].set_title("something else")
    told = figures.bundle(lambda: png(figure))[1][figures.MIME]
    assert told[figures.MISSING] == ["something else"]
    assert any("57344" in line for line in told[figures.BOXES]), "in plain text"
    assert any("ue001" in line or "U+e001" in line for line in told[figures.BOXES]), "beside a formula"


def test_outputs_speak_the_language_of_their_edition():
    picture = {"image/png": "EN", figures.MIME: "ZH"}
    size = {"width": 3, "height": 2}
    told = {"sentence": "it falls", "controls": {"noise": 3.0, "odd": 4.0}, "no_control": None}
    done = copy.deepcopy(CHAPTER)
    done["cells"][1]["outputs"] = [
        {"output_type": "display_data", "data": {CLAIM: told}, "metadata": {}},
        {"output_type": "display_data", "data": picture, "metadata": {figures.MIME: size | {figures.MISSING: ["odd"]}}},
    ]
    assert outputs.lacked(done) == ["odd"]
    english = outputs.in_english(copy.deepcopy(done))["cells"][1]["outputs"]
    assert english[1] == {"output_type": "display_data", "data": {"image/png": "EN"}, "metadata": {}}
    assert english[0]["data"][CLAIM] == told
    say = words.Words(TABLE)
    claim, shown = outputs.in_chinese(copy.deepcopy(done), CHAPTER, WHOLE, say)["cells"][1]["outputs"]
    assert claim["data"][CLAIM] == told | {"sentence": "它下降", "controls": {"噪声": 3.0, "odd": 4.0}}
    assert shown["data"] == {"image/png": "ZH"} and shown["metadata"] == {"image/png": size}
    assert list(say.missing) == ["odd"]


KERNEL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.kernel = True
import genimg
genimg.setup()
print(sorted(shell.display_formatter.formatters))
"""


@pytest.mark.parametrize("wanted", [True, False])
def test_only_the_books_own_runs_draw_twice(wanted, monkeypatch):
    monkeypatch.setenv("GENIMG_ZH", "1" if wanted else "0")
    done = subprocess.run([sys.executable, "-c", KERNEL], capture_output=True, text=True, check=True)
    assert (figures.MIME in done.stdout) == wanted


def test_the_explorers_words_are_all_in_their_table():
    live = ROOT / "book" / "_live"
    table = (live / "words.mjs").read_text("utf-8")
    said = r"\bsay\((?:\w+ \? )?((?:\"[^\"]+\"(?: : )?)+)"
    used = {
        text
        for path in live.glob("*.mjs")
        if path.name != "words.mjs"
        for call in re.findall(said, path.read_text("utf-8"))
        for text in re.findall('"([^"]+)"', call)
    }
    known = {a or b for a, b in re.findall(r'^  (?:"([^"]+)"|(\w+)):', table, re.MULTILINE)}
    assert len(used) > 40 and not used - known
    assert not re.findall(
        r"label: \"[^\"]+\"|button\(\"", "".join(path.read_text("utf-8") for path in live.glob("*.mjs"))
    )


def test_the_sites_words_are_all_in_the_table():
    say, texts = words.load(), set()
    for path in (ROOT / "book" / "_ext").glob("*.py"):
        texts |= set(re.findall(r"""\bsay\(\s*f?["']([^"'{]*(?:\{\d\}[^"'{]*)*)["']""", path.read_text("utf-8")))
    import chinese
    import executed
    import live
    import ran

    texts |= {*chinese.THEME, *executed.SOLVED.values(), *live.NAMES.values(), ran.MADE}
    for text in texts - {"Claim "}:
        say(text)
    assert len(texts) > 60 and not say.missing
