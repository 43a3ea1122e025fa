"""The built site's buttons: each page opens its own notebook on Colab, its repository and its issues.

Runs where BOOK_SITE names a built site, as .ci/run does: BOOK_SITE=_build/html pytest -n 0 tests/test_site_launch.py
"""

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import address  # of book/_ext, as conftest.py arranges
import pytest

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

ROOT = Path(__file__).parents[1]
SITE = Path(os.environ["BOOK_SITE"]).resolve()
PAGES = sorted(SITE.glob("book/*.html"))


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


def each_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)(test)


def test_every_chapter_has_its_page():
    assert {page.stem for page in PAGES} == {path.stem for path in ROOT.glob("book/*.ipynb")}


@each_page
def test_the_buttons_lead_to_the_notebook_and_its_repository(page):
    buttons = Links(page.read_text("utf-8")).buttons
    notebook = f"book/{page.stem}.ipynb"
    on_colab = f"https://colab.research.google.com/github/{address.OWNER_AND_NAME}/blob/main/{notebook}"
    assert buttons["Launch on Colab"] == on_colab
    assert (ROOT / notebook).exists()
    assert buttons["Source repository"] == address.REPOSITORY
    assert buttons["Open an issue"].startswith(f"{address.REPOSITORY}/issues/new?")
    assert [title for title in buttons if title.startswith("Launch")] == ["Launch on Colab"]


@each_page
def test_the_installing_cell_is_in_the_download_but_not_on_the_page(page):
    download = page.parent / Links(page.read_text("utf-8")).buttons["Download source file"]
    sources = ["".join(cell["source"]) for cell in json.loads(download.read_text("utf-8"))["cells"]]
    assert sources.count(address.INSTALL) == (page.stem != "references")
    assert 'util.find_spec("genimg")' not in Links(page.read_text("utf-8")).words
