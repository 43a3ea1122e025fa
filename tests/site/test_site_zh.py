"""The built Chinese site: a page for each English one, the same places on it, in Chinese, and the way between the two.

Runs where BOOK_SITE names a built site, as .ci/run does: BOOK_SITE=_build/html pytest -n 0 tests/site/test_site_zh.py
What else holds for pages (links, widths, axe) the other tests of the site check for both editions.
"""

import json
import os
import re
from pathlib import Path

import address as repository
import executed
import pytest
from bs4 import BeautifulSoup
from test_conventions import CHAPTERS, ROOT
from test_site import SITE, WIDTHS, address, browser, visit  # noqa: F401

from genimg.book.zh import notebooks, outputs

NAMES = sorted(path.stem for path in SITE.glob("book/*.html"))
RUN = [path.stem for path in CHAPTERS if path.stem != "references"]
SENTENCE = re.compile(r"(?:\b[A-Za-z]*[a-z]{2,}\b[ ,]+){5,}")


def page(name, edition=""):
    return BeautifulSoup((SITE / edition / "book" / f"{name}.html").read_text("utf-8"), "html.parser")


def each(names):
    return pytest.mark.parametrize("name", names)


def test_every_page_has_its_pair():
    assert NAMES == sorted(path.stem for path in SITE.glob("zh/book/*.html"))
    assert (SITE / "zh" / "index.html").exists() and (SITE / "zh" / "search.html").exists()


@each(NAMES)
def test_pages_say_their_language_and_lead_to_each_other(name):
    for edition, lang, other, other_lang in (("", "en", "zh", "zh-CN"), ("zh", "zh-CN", "", "en")):
        here = page(name, edition)
        assert here.html["lang"] == lang
        link = here.select_one("a.language")
        assert link["lang"] == link["hreflang"] == other_lang
        place = os.path.normpath(SITE / edition / "book" / link["href"])
        assert Path(place) == SITE / other / "book" / f"{name}.html"
        links = {one["hreflang"]: one["href"] for one in here.select('link[rel="alternate"][hreflang]')}
        site = repository.SITE
        assert links == {
            "en": f"{site}book/{name}.html", "x-default": f"{site}book/{name}.html",
            "zh-CN": f"{site}zh/book/{name}.html",
        }  # fmt: skip


@each([name for name in NAMES if name != "api"])
def test_places_on_a_page_are_the_same(name):
    places = "article :is(section, .claim, .explorer)[id]"
    english, chinese = ([one["id"] for one in page(name, edition).select(places)] for edition in ("", "zh"))
    assert english == chinese and english


@each(NAMES)
def test_nothing_is_left_to_translate(name):
    here = page(name, "zh")
    text = here.select_one("article").get_text()
    assert not [mark for mark in ("尚未翻译", "译文已过期") if mark in text]
    for part in here.select("pre, code, script, style, .math, a[href^=http], .copyright, [lang=en]"):
        part.extract()
    whole = here.get_text(" ") + " ".join(image.get("alt", "") for image in here.select("article img"))
    assert not SENTENCE.findall(whole)


@each(RUN)
def test_figures_lack_no_word_and_no_letter(name):
    path = ROOT / "book" / f"{name}.ipynb"
    copy = executed.copy_of(path, executed.key(path))
    if not copy.exists():
        pytest.skip("the site was not built here")
    done = json.loads(copy.read_text("utf-8"))
    assert not outputs.lacked(done)
    pictures = [page(name, where).select("article .cell_output img") for where in ("", "zh")]
    assert len(pictures[0]) == len(pictures[1]) > 0


@each([path.stem for path in CHAPTERS])
def test_the_buttons_of_a_chapter_lead_to_its_chinese_notebook(name):
    here, chapter = page(name, "zh"), json.loads((ROOT / "book" / f"{name}.ipynb").read_text("utf-8"))
    links = {link["href"] for link in here.select("a.dropdown-item")}
    assert f"https://colab.research.google.com/github/{repository.OWNER_AND_NAME}/blob/zh/book/{name}.ipynb" in links
    download = next(link for link in links if link.endswith(".ipynb") and "_sources" in link)
    offered = json.loads((SITE / "zh" / "book" / download).resolve().read_text("utf-8"))
    made = notebooks.translated(chapter, notebooks.read(name))
    assert offered["metadata"]["language"] == notebooks.LANGUAGE
    for cell, as_made in zip(offered["cells"], made["cells"], strict=True):
        assert (cell["id"], cell["source"]) == (as_made["id"], as_made["source"])


@pytest.mark.parametrize(
    ("words", "found"),
    [("模式坍缩", "gan.html"), ("生成器的损失", "gan.html"), ("重参数化", "vae.html"), ("LeakyReLU", "gan")],
)  # fmt: skip
def test_the_search_knows_chinese_words(visit, words, found):  # noqa: F811
    opened = visit(f"zh/search.html?q={words}")
    opened.wait_for_selector("#search-results li a")
    opened.wait_for_function("!document.querySelector('#search-progress')?.textContent")
    targets = opened.locator("#search-results li a").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert any(found in target for target in targets[:8])
    assert not visit.problems


@pytest.mark.parametrize("width", WIDTHS)
def test_the_switch_keeps_the_place(visit, address, width):  # noqa: F811
    opened = visit("book/index.html", WIDTHS[width])

    def switch():  # where it is; Playwright would scroll to what sticks to the window's edge
        box = opened.locator("a.language").bounding_box()
        opened.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    there = "Math.abs(document.querySelector('#how-to-read').getBoundingClientRect().top) < 200"
    opened.evaluate("document.querySelector('#how-to-read').scrollIntoView({ behavior: 'instant' })")
    opened.wait_for_function(there)
    switch()
    opened.wait_for_url("**/zh/book/index.html#how-to-read")
    opened.wait_for_function(there)
    switch()
    opened.wait_for_url(f"{address}book/index.html#how-to-read")
    assert not visit.problems


def test_explorers_speak_chinese(visit):  # noqa: F811
    opened = visit("zh/book/index.html")
    explorer = opened.locator(".explorer").first
    if not opened.evaluate("!!document.querySelector('script[src*=\"live/mount\"]')"):
        pytest.skip("the site has no live models")
    assert explorer.get_by_role("textbox", name="句子").input_value() == "红色方块在蓝色圆环的左边"
    explorer.get_by_role("button", name="画出这个句子").click()
    opened.wait_for_function("document.querySelector('.explorer').dataset.state === 'live'", timeout=120_000)
    assert "绿色" in explorer.get_by_label("第一个颜色").inner_text()
    assert not SENTENCE.findall(explorer.inner_text()) and not visit.problems
