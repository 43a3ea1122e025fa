"""A page that borrows another chapter's model, on a small site really built: first that chapter fails, then it runs."""

import json

import live
import pytest
from small_site import SmallSite

pytest.importorskip("onnx")

FIRST = "# First\n\nFirst words.\n\n**Budget.** None.\n\nSee [the other](two.ipynb)."
BROKEN = 'raise RuntimeError("before its explorer")'
MAKE = """import torch, genimg
from matplotlib import pyplot as plt
from genimg.data import sentences
from genimg.models.model import start_averages
from genimg.models.words import Words
genimg.setup(minutes=1)
torch.manual_seed(0)
model = Words(len(sentences.VOCABULARY), sentences.LENGTH, width=8, flow_width=32, blocks=2)
start_averages(model)
plt.figure()
genimg.live.sentence(model, "a red square left of a blue ring", torch.randn(6, model.code), steps=2)"""
MORE = ("live", "lent", "editions", "chinese")


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("GENIMG_LIVE", "1")
    monkeypatch.setenv("GENIMG_ZH", "0")
    monkeypatch.setattr(live, "install", lambda tell: None)  # no browser comes here: the posters stay what they are
    made = SmallSite(tmp_path, monkeypatch, {"one": [FIRST, "1 + 1"], "two": ["# Two (二)\n\nWords.", BROKEN]})
    first = made.book / "one.ipynb"
    notebook = json.loads(first.read_text("utf-8"))
    notebook["cells"][0]["metadata"] = {"genimg": {"live": "sentence", "of": "two"}}
    first.write_text(json.dumps(notebook), "utf-8")
    return made


def models_of(page):
    return json.loads(page.select_one(".explorer script").string)["models"]


def test_a_page_has_the_model_of_another_chapter_or_a_line_that_says_why_not(site):
    code, said = site.build(*MORE)
    assert code == 1 and "before its explorer" in said
    for edition, line in (("", "A model that draws what you write belongs here."), ("zh/", "这里本该有一个模型")):
        page = site.page("one", edition)
        assert not page.select(".explorer") and page.get_text().count(line) == 1 and "Budget." in page.get_text()

    site.write("two", ["# Two (二)\n\nWords.", MAKE])
    assert site.build(*MORE) == (0, ""), "the first page is read again too"
    for edition in ("", "zh/"):
        one, two = site.page("one", edition), site.page("two", edition)
        assert models_of(one) == models_of(two) and all(name.startswith("two-") for name in models_of(one).values())
        (explorer,) = one.select(".explorer")
        assert explorer["data-kind"] == "sentence" and explorer.select_one("img")["alt"]
        assert "stage" in explorer.find()["class"], "the field does not stand above the poster"
        (link,) = (link for link in one.select("p em a") if "two.html" in link["href"])
        assert link.get_text() == "Two"
    text = site.page("one").get_text()
    places = [text.index(part) for part in ("First words.", "Six sentences become", "Budget.")]
    assert places == sorted(places)
    offered = site.offer("one")
    assert [cell["cell_type"] for cell in offered["cells"]] == ["markdown", "code"], "Jupyter shows nothing of it"
    assert "".join(offered["cells"][0]["source"]) == FIRST
