"""A small book in two editions, really built: one execution, the same anchors, marks, and the way between the pages."""

import json

import editions
import pytest
from small_site import SmallSite

from genimg.book.zh import figures, notebooks

WORDS = """# Title

See [the claims](claims.md).

## The part

Words in `code` and $x$.

## Exercises

*Solution.* Two."""
CHINESE = """# 标题

见[断言](claims.md)。

## 那部分 `code`

`code` 和 $x$ 的话。

## 练习

*解答。* 二。"""
CODE = """import genimg
open("../trace", "a").write("one ")
run = genimg.setup(minutes=1)
from matplotlib import pyplot as plt
plt.subplots()[1].set_xlabel("step");"""
CLAIM = 'genimg.claim("it is small", 5, below=10, controls={"noise": 20})'
MORE = ("editions", "chinese")


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("GENIMG_ZH", "1")
    book = SmallSite(tmp_path, monkeypatch, {"one": [WORDS, CODE, CLAIM, "genimg.stamp()"]}, claims="{claims}")
    (book.book / "zh").mkdir()
    translate(book)
    return book


def translate(site, text=CHINESE):
    english = notebooks.english(json.loads((site.book / "one.ipynb").read_text("utf-8")))
    chinese = dict(zip(english, [text, "它很小"], strict=True))
    blocks = [f"<!-- {name} {notebooks.hash_of(english[name])} -->\n{chinese[name]}\n" for name in english]
    (site.book / "zh" / "one.md").write_text("\n".join(blocks), "utf-8")


def test_both_editions_come_of_one_execution(site):
    code, said = site.build(*MORE)
    assert (code, said) == (0, ""), said
    assert (site.folder / "trace").read_text() == "one "
    english, chinese = site.page("one"), site.page("one", "zh/")
    assert chinese.html["lang"] == "zh-CN" and english.html["lang"] == "en"
    ids = [[section["id"] for section in page.select("section[id]")] for page in (english, chinese)]
    assert ids == [["title", "the-part", "exercises"]] * 2
    titles = [heading.get_text().strip("#¶") for heading in chinese.select("section > :is(h1, h2)")]
    assert titles == ["标题", "那部分 code", "练习"] and chinese.select_one("section > h2 code").get_text() == "code"
    assert "解答：文字" in chinese.get_text() and "解答。" in chinese.select_one("details").get_text()
    assert "断言成立。 它很小：5，断言为小于 10。" in chinese.select_one("#claim-1").get_text()
    assert "对照，它们必须不满足：噪声（20）。" in chinese.select_one("#claim-1").get_text()
    assert "Claim holds. it is small: 5, claimed below 10." in english.select_one("#claim-1").get_text()
    assert "它很小" in site.page("claims", "zh/").get_text()
    assert notebooks.MARKS["none"].strip("> *").split("，")[0] in site.page("words", "zh/").get_text()
    pictures = [page.select_one(".cell_output img") for page in (english, chinese)]
    files = [
        (site.folder / "_build/html" / where / "book" / one["src"])
        for where, one in zip(("", "zh"), pictures, strict=True)
    ]
    assert files[0].resolve().read_bytes() != files[1].resolve().read_bytes()
    english, chinese = site.offer("one"), site.offer("one", "zh/")
    code = [[cell["source"] for cell in one["cells"] if cell["cell_type"] == "code"] for one in (english, chinese)]
    assert code[0] == code[1]
    assert "".join(chinese["cells"][0]["source"]) == CHINESE and chinese["metadata"]["language"] == "zh-CN"
    pictures = [one["cells"][1]["outputs"][-1]["data"] for one in (english, chinese)]
    assert pictures[0]["image/png"] != pictures[1]["image/png"]
    assert not any(figures.MIME in json.dumps(one) for one in (english, chinese))


def test_a_stale_text_is_marked_a_fault_breaks_the_build_and_the_site_is_whole(site):
    notebook = json.loads((site.book / "one.ipynb").read_text("utf-8"))
    notebook["cells"][0]["source"] = WORDS.replace("Two.", "Three.")
    (site.book / "one.ipynb").write_text(json.dumps(notebook))
    assert site.build(*MORE) == (0, "")
    page = site.page("one", "zh/").get_text()
    assert "译文已过期" in page and "Three." in page and "它很小" in page
    translate(site, CHINESE.replace("[断言](claims.md)", "[断言](nowhere.md)"))
    code, said = site.build(*MORE)
    assert code == 1 and "the Chinese site has problems" in said and "nowhere.md" in said
    page = site.page("one", "zh/").get_text()
    assert "译文已过期" not in page and "二。" in page
    assert (site.folder / "trace").read_text() == "one ", "prose executes nothing"


def test_terms_are_the_search_words(tmp_path):
    cells = [{"source": ["| English | Chinese | meaning |\n", "|---|---|---|\n", "| mode | 模式（mode） | 一 |\n"]}]
    (tmp_path / "references.ipynb").write_text(json.dumps({"cells": cells}))
    editions._write_terms(tmp_path / "references.ipynb", tmp_path / "terms.txt")
    assert (tmp_path / "terms.txt").read_text("utf-8") == "模式\n"
