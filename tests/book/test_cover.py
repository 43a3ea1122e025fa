"""The cover: what README shows was drawn by a model that heard its sentences, and is drawn from a chapter's bundle."""

import io
import json
import re

import cover
import executed
import lent
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from test_conventions import ROOT
from test_live import small_words

from genimg import live
from genimg.book.zh import words
from genimg.data import scenes, sentences
from genimg.measure import scene_oracle

pytest.importorskip("onnx")
EVERY = scenes.all_words(same=True)
#: What the cover's sentences say, as `scenes` has it.
SAID = scenes.rows(EVERY, torch.tensor([sentences.say_all(EVERY).index(text) for text in cover.SENTENCES]))


def cells_of(png):
    """The pictures of a cover, out of their squares: uint8 (rows, columns, 3, 32, 32)."""
    sheet = np.asarray(Image.open(png))
    small = sheet[:: cover.ZOOM, :: cover.ZOOM]
    assert np.array_equal(small.repeat(cover.ZOOM, 0).repeat(cover.ZOOM, 1), sheet), "its pixels are no squares"
    pitch, (height, width) = 32 + cover.GAP, small.shape[:2]
    assert (height + cover.GAP, width + cover.GAP) == (len(cover.SHARES) * pitch, len(cover.SENTENCES) * pitch)
    padded = np.pad(small, ((0, cover.GAP), (0, cover.GAP), (0, 0)))
    cells = padded.reshape(len(cover.SHARES), pitch, len(cover.SENTENCES), pitch, 4).transpose(0, 2, 4, 1, 3)
    opaque = cells[:, :, 3] == 255
    assert opaque[..., :32, :32].all() and not opaque[..., 32:, :].any() and not opaque[..., 32:].any()
    return torch.from_numpy(cells[:, :, :3, :32, :32].copy())


@pytest.fixture
def bundle(monkeypatch):
    monkeypatch.setenv("GENIMG_LIVE", "1")
    plt.figure()
    z = torch.randn(6, small_words().code, generator=torch.Generator().manual_seed(1))
    made = live.sentence(small_words(), cover.SENTENCES[0], z, steps=5, guidance=1.5)
    plt.close("all")
    return made._repr_mimebundle_()[0][live.MIME]


def test_the_cover_of_readme_obeys_its_sentences():
    """Every word of all six, by the oracle; of other sentences, and half-way, it does not hold."""
    rows = cells_of(cover.FILE)
    assert scene_oracle.obedience(rows[-1], SAID)["all"] == 1
    assert scene_oracle.obedience(rows[-1].roll(1, 0), SAID)["all"] == 0
    assert scene_oracle.obedience(rows[0], SAID)["all"] == 0


def test_it_was_drawn_for_the_sentences_that_stand_here_and_under_it():
    assert Image.open(cover.FILE).text["sentences"].splitlines() == list(cover.SENTENCES)
    table = words.load()
    told = {"README.md": cover.SENTENCES, "README.zh.md": [table(text) for text in cover.SENTENCES]}
    assert told["README.zh.md"] == sentences.say_all(SAID, "zh")
    for name, texts in told.items():
        readme = (ROOT / name).read_text("utf-8")
        caption = re.search(r"!\[[^]]+\]\(book/figures/cover\.png\)\n\n\*(.+)\*\n", readme)[1]
        places = [caption.index(text) for text in texts]
        assert places == sorted(places)


def test_the_sentences_use_every_word_and_some_were_never_shown():
    """Nothing of the vocabulary is left out, so that the cover promises nothing that it does not show."""
    assert {int(n) for n in sentences.encode_all(SAID).unique()} == set(range(12))  # 0 fills up
    unseen = scenes.is_held_out(SAID)
    assert unseen.sum() == 4 and len(unseen) == 6


def test_its_pictures_are_those_that_the_chapters_model_comes_to(bundle):
    drawn = cover.pictures(bundle)
    assert drawn.shape == (len(cover.SHARES), 6, 32, 32, 3)
    (example,) = (one for one in bundle["examples"] if one["model"] == "decoder")
    expected = (np.asarray(example["output"][0]).transpose(1, 2, 0) + 1) * 127.5
    assert np.abs(drawn[-1, 0] - expected.clip(0, 255)).max() < 1.5
    shown = cells_of(io.BytesIO(cover.sheet(bundle)))
    assert np.array_equal(shown.numpy(), drawn.transpose(0, 1, 4, 2, 3))
    assert len({picture.tobytes() for picture in drawn.reshape(-1, 32, 32, 3)}) == drawn.shape[0] * 6


def test_the_command_says_what_to_run_first(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(executed, "COPIES", tmp_path)
    monkeypatch.setattr(cover, "FILE", tmp_path / "cover.png")
    assert cover.main() == 1 and not cover.FILE.exists()
    assert "build the site" in capsys.readouterr().out


def notebook(source, **about):
    cell = {"cell_type": "markdown", "id": "a-0", "metadata": {"genimg": about} if about else {}, "source": source}
    return {"cells": [cell]}


OPENING = "# Title\n\nFirst words.\n\n**Budget.** None.\n\nMore."


def test_a_borrowed_explorer_stands_under_the_first_paragraph(bundle):
    made = notebook(OPENING, live="sentence", of="two")
    lent.put_in(made, "Two", bundle, b"PNG", words.filled)
    before, figure, line, rest = made["cells"]
    assert before["source"] == "# Title\n\nFirst words." and rest["source"] == "**Budget.** None.\n\nMore."
    given = figure["outputs"][0]["data"][live.MIME]
    assert given["of"] == "two" and given["models"] == bundle["models"] and given["examples"] == []
    assert given["settings"]["text"] == cover.SENTENCES[0] and len(figure["metadata"]["mystnb"]["image"]["alt"]) > 100
    assert "[Two](two.ipynb)" in line["source"] and all(text in line["source"] for text in cover.SENTENCES)
    assert "examples" in bundle and bundle["examples"], "the chapter's own is as it was"


def test_a_heading_that_waits_for_its_chinese_is_no_paragraph(bundle):
    made = notebook("# Title\n\n\ue000标题\n\n\n第一段。\n\n第二段。", live="sentence", of="two")
    lent.put_in(made, "二", bundle, b"PNG", words.load())
    assert made["cells"][0]["source"].endswith("第一段。") and made["cells"][-1]["source"] == "第二段。"
    line = made["cells"][2]["source"]
    assert not re.search("[A-Za-z]{2,}", line.replace("two.ipynb", "")) and "[二](two.ipynb)" in line


def test_without_the_chapters_model_there_is_one_line():
    made = notebook(OPENING, live="sentence", of="two")
    lent.put_in(made, "Two", None, None, words.filled)
    assert [cell["cell_type"] for cell in made["cells"]] == ["markdown"] * 3
    assert "[Two](two.ipynb) trains it" in made["cells"][1]["source"]


def test_the_first_page_borrows_from_a_chapter_that_has_it():
    cells = {path.stem: json.loads(path.read_text("utf-8"))["cells"] for path in (ROOT / "book").glob("*.ipynb")}
    borrowed = {name: [of for of in map(lent.chapter_of, own) if of] for name, own in cells.items()}
    assert {name: of for name, of in borrowed.items() if of} == {"index": [cover.CHAPTER]}
    code = "".join("".join(cell["source"]) for cell in cells[cover.CHAPTER] if cell["cell_type"] == "code")
    assert "genimg.live.sentence(" in code
