"""A site with a broken claim in one chapter and an exception in another: whole, marked, told of, and not run twice."""

import json
import subprocess
import sys
from pathlib import Path

import claims
import pytest
from small_site import SmallSite

from genimg.book.chapter import STAMP

ROOT = Path(__file__).parents[2]
SETUP = """import genimg
open("../trace", "a").write("{name} ")
run = genimg.setup(minutes=1)
value = 5
genimg.claim("the value is small & <odd>", value, below=10, controls={{"a blank": 20}})"""
GOOD = ["# Good", SETUP.format(name="good"), "genimg.stamp()"]
BROKEN = [
    "# Broken", SETUP.format(name="broken").replace("value = 5", "value = 15"),
    'genimg.claim("noise fails", value, above=14, controls={"noise": 14.5}); print("after it")', "genimg.stamp()",
]  # fmt: skip
RAISES = ["# Raises", SETUP.format(name="raises"), 'print("before")\n1 / 0', 'print("never")', "genimg.stamp()"]


@pytest.fixture
def site(tmp_path, monkeypatch):
    chapters = {"good": GOOD, "broken": BROKEN, "raises": RAISES}
    return SmallSite(tmp_path, monkeypatch, chapters, claims="{claims}", ran="{ran} chapters")


def test_what_is_broken_is_marked_and_told_and_nothing_runs_twice(site):
    code, said = site.build()
    assert code == 1
    assert "3 broken; the site is whole" in said
    assert "broken: CLAIM BROKEN: the value is small & <odd>: 15, which is NOT below 10." in said
    assert "But noise is, so the measure proves nothing." in said and ", float32, seed 0]" in said.replace(
        "bfloat16", "float32"
    )
    assert "raises: cell 2 stopped the chapter: ZeroDivisionError: division by zero" in said

    good, broken, raises = (site.page(name) for name in ("good", "broken", "raises"))
    assert not good.select(".broken, .claim-broken")
    assert "Claim holds. the value is small & <odd>: 5, claimed below 10." in good.select_one("#claim-1").get_text()
    links = broken.select(".admonition.broken a")
    assert [link["href"] for link in links] == ["#claim-1", "#claim-2"]
    assert all(broken.select_one(link["href"] + ".claim-broken") for link in links)
    assert "after it" in broken.get_text(), "the chapter went on"
    assert raises.select_one(".admonition.broken a")["href"] == "#stopped"
    assert "ZeroDivisionError" in raises.select_one("#stopped").get_text()
    outputs = " ".join(output.get_text() for output in raises.select(".cell_output"))
    assert "before" in outputs and "never" not in outputs

    page = site.page("claims")
    assert [heading.get_text().strip("#¶") for heading in page.select("h2")] == ["Good", "Broken", "Raises"]
    assert "4 claims; all have controls" in page.get_text()
    assert {"good.html#claim-1", "broken.html#claim-2", "raises.html#claim-1"} <= {
        a["href"] for a in page.select(".claim a")
    }
    assert len([c for c in page.select(".claim") if "BROKEN." in c.get_text()]) == 2
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in site.page("ran").select("tbody tr")]
    assert [row[:2] for row in rows if row[0] == "Raises"] == [["Raises", "stopped"]]

    again, said = site.build()
    assert again == 1 and "3 broken" in said, "what is broken is told at every build"
    assert sorted((site.folder / "trace").read_text().split()) == ["broken", "good", "raises"]
    site.write("raises", [*RAISES[:2], 'print("before")', *RAISES[3:]])
    site.write("broken", [BROKEN[0], SETUP.format(name="broken"), BROKEN[-1]])
    code, said = site.build()
    assert (code, said) == (0, "")
    assert sorted((site.folder / "trace").read_text().split()) == ["broken", "broken", "good", "raises", "raises"]
    assert not site.page("broken").select(".broken, .claim-broken") and not site.page("raises").select("#stopped")


def test_a_killed_kernel_leaves_a_page_and_is_run_again(site):
    site.write("good", [GOOD[0], GOOD[1] + "\nimport os\nos.kill(os.getpid(), 9)", GOOD[2]])
    code, said = site.build()
    assert code == 1 and "good: cell 1 stopped the chapter: its kernel was killed" in said
    assert site.page("good").select_one("#stopped")
    site.build()
    assert (site.folder / "trace").read_text().split().count("good") == 2
    assert (site.folder / "trace").read_text().split().count("broken") == 1


def test_a_recorded_run_is_drawn_beside_the_page(site):
    from genimg.book import sweep, trials

    chapter = json.loads((site.book / "good.ipynb").read_text("utf-8"))
    runs = [
        {"seed": s, "precision": "float32", "values": [v], "controls": [{"a blank": 20.0}], "cpu_seconds": 1.0}
        for s, v in enumerate([4.0, 5.0, 6.0])
    ]
    kept = {"good": {"code": trials.code_hash(chapter), "runs": runs}}
    (site.book / "records" / "claims.json").write_text(sweep.as_json(kept, "c", {"seconds": 3}))
    site.write("broken", GOOD)
    site.write("raises", GOOD)
    code, said = site.build()
    assert code == 0, said
    page = site.page("claims")
    entry = next(c for c in page.select(".claim") if "3 runs" in c.get_text())
    assert "4 to 6 in 3 runs; room: 4.0 deviations." in entry.get_text()
    assert (len(entry.select(".run")), len(entry.select(".control")), len(entry.select(".bound"))) == (3, 1, 1)
    assert "The five with the least room" in page.get_text()


def test_over_budget_is_told():
    def notebook(**told):
        told = {"budget_minutes": 1, "scale": "cpu"} | told
        return {"cells": [{"cell_type": "code", "outputs": [{"data": {STAMP: told}}]}]}

    assert claims.over_budget(notebook(cpu_seconds=61.0)) == "61 s of a processor, budget 60 s"
    assert claims.over_budget(notebook(cpu_seconds=59.0)) is None
    assert claims.over_budget(notebook(cpu_seconds=99.0, scale="gpu")) is None
    assert claims.over_budget({"cells": []}) is None


def test_pytest_runs_a_chapter_to_its_end_and_names_all_that_is_broken(tmp_path):
    chapters = {"broken": BROKEN, "raises": RAISES, "good": GOOD}
    with pytest.MonkeyPatch.context() as patch:
        site = SmallSite(tmp_path, patch, chapters)
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text("utf-8"))
    (site.book / "_ext").symlink_to(ROOT / "book" / "_ext")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    command = [sys.executable, "-m", "pytest", "--nbmake", "-p", "no:cacheprovider", "book"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "2 failed, 1 passed" in done.stdout, done.stdout
    assert "2 broken claim(s)" in done.stdout and "ZeroDivisionError" in done.stdout
    assert "CLAIM BROKEN: the value is small & <odd>: 15, which is NOT below 10." in done.stdout
    assert "so the measure proves nothing" in done.stdout
