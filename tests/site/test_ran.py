"""The page "What ran" and the downloads: from stamps and executed copies, and on a small site that is really built."""

import copy
import json
import re
from types import SimpleNamespace

import downloads
import executed
import nbformat
import pytest
import ran
from small_site import SmallSite

STAMP = {
    "genimg": "0.1.0", "commit": "abc1234", "python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6", "device": "A core",
    "precision": "float32", "scale": "cpu", "seed": 0, "threads": 1, "seconds": 71.4, "cpu_seconds": 61.4,
    "budget_minutes": 2, "memory_gb": 0.987, "budget_memory_gb": 1.6, "gpu_memory_gb": None, "date": "2026-11-24",
}  # fmt: skip


def rows_of(markdown):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:2] == "| "]


def test_chapters_have_a_row_each_and_a_sum():
    other = STAMP | {"cpu_seconds": 1000.6, "memory_gb": None, "budget_minutes": None, "commit": "def5678+"}
    text = ran.chapters_in_words([("One", "one.ipynb", STAMP), ("Two", "two.ipynb", other), ("3", "3.ipynb", STAMP)])
    assert rows_of(text)[1:] == [
        ["[One](one.ipynb)", "61", "120", "71", "0.99", "1.6", "A"],
        ["[Two](two.ipynb)", "1,001", "–", "71", "–", "1.6", "B"],
        ["[3](3.ipynb)", "61", "120", "71", "0.99", "1.6", "A"],
        ["**All**", "**1,123**", "**240**", "**213**", "at most 0.99", "", ""],
    ]
    a, b = re.findall(r"^\*\*([AB])\*\*: (.*)$", text, re.MULTILINE)
    assert a == ("A", "2026-11-24, A core, float32, 1 thread; scale cpu, seed 0; genimg 0.1.0, commit abc1234; "
                 "Python 3.11.7, torch 2.15.0, NumPy 2.4.6.")  # fmt: skip
    assert "commit def5678+;" in b[1]


def test_letters_do_not_end_at_z():
    assert [ran._letter(number) for number in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_records_have_their_command():
    stamp = {"seconds": 1015, "device": "A core", "precision": "bfloat16", "threads": 2, "date": "2026-11-23"}
    record = {"name": "r", "command": "python -m genimg record r", "stamp": stamp | {"commit": "a", "torch": "t"}}
    record["stamp"]["python"] = "p"
    assert ran.records_in_words([record]) == (
        "**r**: 1,015 s on A core (bfloat16, 2 threads), 2026-11-23; commit a, torch t, Python p.\n\n"
        "```sh\npython -m genimg record r\n```"
    )
    assert ran.records_in_words([]) == "No record has been made yet."


def test_a_title_goes_without_the_chinese():
    assert ran.title_of({"cells": [{"source": ["# The GAN in code (GAN 实例)\n", "\n", "Text"]}]}) == "The GAN in code"


def test_a_download_has_outputs_and_no_models():
    code = nbformat.v4.new_code_cell("draw()")
    chapter = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), code])
    done = copy.deepcopy(chapter)
    picture = {"image/png": "AAAA", "text/plain": "Live", downloads.MODELS: {"kind": "sliders", "models": {"a": "b"}}}
    done.cells[1].outputs = [nbformat.v4.new_output("display_data", picture, metadata={"image/png": {"width": 3}})]
    done.cells[1].execution_count = 1
    offered = downloads.download(copy.deepcopy(chapter), done)
    nbformat.validate(offered)
    assert offered.cells[1].outputs[0].data == {"image/png": "AAAA", "text/plain": "Live"}
    assert offered.cells[1].execution_count == 1 and offered.cells[1].source == "draw()"


CODE = ["import genimg\n\nrun = genimg.setup(seed=3, minutes=2, memory_gb=2)", "genimg.stamp()"]
WORDS = "# One (一)\n\n## Exercises\n\n*Solution.* Folded on the page."


@pytest.fixture
def small_site(tmp_path, monkeypatch):
    """A book of one chapter; `build()` builds it again, as far as needed."""
    site = SmallSite(tmp_path, monkeypatch, {"one": [WORDS, *CODE]}, ran="{ran} chapters|{ran} records")

    def build():
        code, _ = site.build()
        assert code == 0
        return SimpleNamespace(
            one=site.page("one"), ran=site.page("ran"), offer=site.offer("one"), copy=site.copy("one"), book=site.book
        )

    return build


def table_of(page):
    return [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in page.select("tbody tr")]


def test_a_changed_copy_changes_the_pages_and_the_download(small_site):
    site = small_site()
    told = ran.stamp_of(json.loads(site.copy.read_text("utf-8")))
    assert told["seed"] == 3 and told["budget_minutes"] == 2
    assert table_of(site.ran)[0] == [
        "One", f"{told['cpu_seconds']:.0f}", "120", f"{told['seconds']:.0f}", f"{told['memory_gb']:.2f}", "2", "A",
    ]  # fmt: skip
    assert len(table_of(site.ran)) == 2  # the page without code has no row; the last is the sum
    assert f"commit {told['commit']}; Python {told['python']}, torch {told['torch']}" in site.ran.get_text()
    assert "No record has been made yet." in site.ran.get_text()
    assert f"commit {told['commit']}" in site.one.get_text()
    nbformat.validate(site.offer)
    assert "".join(site.offer["cells"][0]["source"]).endswith("*Solution.* Folded on the page.")
    assert ran.stamp_of(site.offer) == told

    copy_ = json.loads(site.copy.read_text("utf-8"))
    data = copy_["cells"][-1]["outputs"][0]["data"]
    data[ran.STAMP]["cpu_seconds"], data["text/plain"] = 4321.0, "made anew"
    site.copy.write_text(json.dumps(copy_), "utf-8")
    record = {"name": "long", "command": "python -m genimg record long", "results": {}, "rows": [], "stamp": STAMP}
    (site.book / "records" / "long.json").write_text(json.dumps(record), "utf-8")
    # A record is a file beside the chapters, on which their outputs may depend: the key changes with it.
    site.copy.rename(executed.copy_of(site.book / "one.ipynb", executed.key(site.book / "one.ipynb")))
    again = small_site()
    assert table_of(again.ran)[0][1] == "4,321, over" and table_of(again.ran)[1][1] == "4,321"
    assert "python -m genimg record long" in again.ran.get_text()
    assert "made anew" in again.one.get_text()
    assert ran.stamp_of(again.offer)["cpu_seconds"] == 4321


def test_a_copy_made_anew_under_the_same_name_is_shown(small_site):
    site = small_site()
    text = site.copy.read_text("utf-8")
    site.copy.write_text(text.replace("scale cpu", "scale new"), "utf-8")
    again = small_site()
    assert "scale new" in again.one.get_text() and "scale new" in json.dumps(again.offer)


def test_a_chapter_without_a_stamp_stops_the_build(small_site):
    site = small_site()
    chapter = nbformat.read(site.book / "one.ipynb", as_version=4)
    chapter.cells[-1].source = "1 + 1"
    nbformat.write(chapter, site.book / "one.ipynb")
    with pytest.raises(ran.SphinxError, match=r"one\.ipynb: no cell of it left a stamp"):
        small_site()


def test_a_chapter_that_stopped_and_one_over_its_budget_are_marked():
    slow = STAMP | {"cpu_seconds": 121.0}
    text = ran.chapters_in_words([("One", "one.ipynb", None), ("Two", "two.ipynb", slow)])
    assert rows_of(text)[1][:2] == ["[One](one.ipynb)", "stopped"]
    assert rows_of(text)[2][1] == "**121**, over"
    assert rows_of(text)[3][1] == "**121**"
