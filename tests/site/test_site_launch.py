"""The built site's buttons: a chapter opens its own notebook on Colab, every page its repository and its issues.

Runs where BOOK_SITE names a built site, as .ci/run does:
BOOK_SITE=_build/html pytest -n 0 tests/site/test_site_launch.py
"""

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import address  # of book/_ext, as conftest.py arranges
import pytest

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ["BOOK_SITE"]).resolve()
PAGES = sorted(SITE.glob("book/*.html"))
NOTEBOOKS = [page for page in PAGES if (ROOT / "book" / f"{page.stem}.ipynb").exists()]


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.buttons, self.words = {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a" and "dropdown-item" in attributes.get("class", ""):
            self.buttons[attributes["title"]] = attributes["href"]

    def handle_data(self, data):
        self.words += data


def each(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


def test_every_source_has_its_page():
    assert {page.stem for page in PAGES} == {path.stem for path in ROOT.glob("book/*.*")}
    assert {page.stem for page in NOTEBOOKS} == {path.stem for path in ROOT.glob("book/*.ipynb")}


@each(PAGES)
def test_every_page_leads_to_its_repository(page):
    buttons = Links(page.read_text("utf-8")).buttons
    assert buttons["Source repository"] == address.REPOSITORY
    assert buttons["Open an issue"].startswith(f"{address.REPOSITORY}/issues/new?")
    launches = [title for title in buttons if title.startswith("Launch")]
    assert launches == (["Launch on Colab"] if page in NOTEBOOKS else [])


@each(NOTEBOOKS)
def test_a_chapter_opens_on_colab(page):
    buttons = Links(page.read_text("utf-8")).buttons
    notebook = f"book/{page.stem}.ipynb"
    on_colab = f"https://colab.research.google.com/github/{address.OWNER_AND_NAME}/blob/main/{notebook}"
    assert buttons["Launch on Colab"] == on_colab


@each(NOTEBOOKS)
def test_the_installing_cell_is_in_the_download_but_not_on_the_page(page):
    download = page.parent / Links(page.read_text("utf-8")).buttons["Download source file"]
    sources = ["".join(cell["source"]) for cell in json.loads(download.read_text("utf-8"))["cells"]]
    assert sources.count(address.INSTALL) == (page.stem != "references")
    assert 'util.find_spec("genimg")' not in Links(page.read_text("utf-8")).words
