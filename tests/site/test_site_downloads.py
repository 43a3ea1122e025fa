"""The notebooks that the built site offers for download: the chapters as committed, with the outputs of the pages.

Runs where BOOK_SITE names a built site, as .ci/run does:
BOOK_SITE=_build/html pytest -n 0 tests/site/test_site_downloads.py
"""

import json
import os
import re
from pathlib import Path

import claims
import lent
import nbformat
import pytest
import ran
from bs4 import BeautifulSoup
from test_conventions import CHAPTERS, FORBIDDEN, ROOT

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

SITE = Path(os.environ["BOOK_SITE"]).resolve()
BUTTON = re.compile(r'<a href="([^"]+)"[^>]*\bclass="[^"]*btn-download-source-button')
PATHS = (FORBIDDEN["a machine's path"], re.escape(str(ROOT)), re.escape(str(Path.home())) + r"\b")
RUN = [path for path in CHAPTERS if path.stem != "references"]


def load(path):
    return json.loads(path.read_text("utf-8"))


def offered(path):
    """The file that the button on a chapter's page leads to."""
    page = SITE / "book" / f"{path.stem}.html"
    links = BUTTON.findall(page.read_text("utf-8"))
    assert len(links) == 1
    return (page.parent / links[0]).resolve()


def cells_of(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def texts_of(output):
    """What a reader of the notebook can read in an output, pictures left out."""
    data = {mime: text for mime, text in output.get("data", {}).items() if not mime.startswith("image/")}
    return json.dumps([output.get("text", ""), output.get("traceback", ""), data])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_button_offers_the_chapter_as_committed(path):
    offer, chapter = load(offered(path)), load(path)
    nbformat.validate(offer)
    assert offer["nbformat"] == 4
    for kind in ("markdown", "code"):
        assert [cell["source"] for cell in cells_of(offer, kind)] == [
            cell["source"] for cell in cells_of(chapter, kind)
        ]
    assert [cell["id"] for cell in offer["cells"]] == [cell["id"] for cell in chapter["cells"]]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_it_carries_the_outputs(path):
    cells = cells_of(load(offered(path)), "code")
    counts = [cell["execution_count"] for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("commit" in text for text in map(texts_of, cells[-1]["outputs"])), "the stamp is missing"
    assert not any(output["output_type"] == "error" for output in outputs)
    page = (SITE / "book" / f"{path.stem}.html").read_text("utf-8")
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    borrowed = sum(lent.chapter_of(cell) is not None for cell in load(path)["cells"])  # the poster is the site's alone
    assert page.count('src="../_images/') == pictures + borrowed, "the page shows other pictures than the notebook"


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_it_is_light_and_holds_nothing_of_the_machine(path):
    file = offered(path)
    assert file.stat().st_size < 3e6
    assert "application/vnd.genimg.live" not in file.read_text("utf-8")
    texts = [texts_of(output) for cell in cells_of(load(file), "code") for output in cell["outputs"]]
    assert not [match[0] for text in texts for pattern in PATHS if (match := re.search(f".{{0,40}}{pattern}", text))]


def test_what_ran_has_a_row_for_each_chapter_with_the_numbers_of_its_notebook():
    page = BeautifulSoup((SITE / "book" / "ran.html").read_text("utf-8"), "html.parser")
    *rows, total = page.select("article tbody tr")
    shown = {row.a["href"].removesuffix(".html"): [cell.get_text() for cell in row.find_all("td")] for row in rows}
    notebooks = {path.stem: load(offered(path)) for path in RUN}
    stamps = {name: ran.stamp_of(notebook) for name, notebook in notebooks.items()}
    assert shown.keys() == stamps.keys() and len(rows) == len(RUN)
    for name, told in stamps.items():
        spent, clock = f"{told['cpu_seconds']:,.0f}", f"{told['seconds']:,.0f}"
        budget, memory = f"{told['budget_minutes'] * 60:,.0f}", f"{told['memory_gb']:.2f}"
        spent += ", over" if claims.over_budget(notebooks[name]) else ""
        assert shown[name][1:5] == [spent, budget, clock, memory], name
    spent = sum(int(cells[1].removesuffix(", over").replace(",", "")) for cells in shown.values())
    assert total.find_all("td")[1].get_text() == f"{spent:,}"
