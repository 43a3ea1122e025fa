"""Transparency in, transparency out: with four channels nothing is put on a background."""

import numpy as np
import pytest
import torch
from PIL import Image

from genimg import plots
from genimg.__main__ import main
from genimg.data.decode import decode
from genimg.data.images import Images, to_floats
from genimg.data.sources import load_images
from genimg.measure import features
from genimg.runs import kept, run
from genimg.system.errors import DataError


def disc(colour, hidden=(0, 255, 0), size=32):
    """A disc of a colour on nothing, whose clear pixels hide another colour."""
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    inside = (x**2 + y**2 < (size / 3) ** 2)[..., None]
    return np.where(inside, (*colour, 255), (*hidden, 0)).astype("uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("discs")
    for i in range(60):
        Image.fromarray(disc((255, 4 * i, 0))).save(top / f"{i}.png")
    return top


def test_colours_are_multiplied_by_opacity(tmp_path):
    colours = [(200, 100, 50, 255), (200, 100, 50, 128), (200, 100, 50, 0)]
    for i, colour in enumerate(colours):
        Image.new("RGBA", (16, 16), colour).save(tmp_path / f"{i}.png")
        found = decode(tmp_path / f"{i}.png", 8, channels=4).float().mean((1, 2))
        opacity = colour[3]
        expected = [level * opacity / 255 for level in colour[:3]] + [opacity]
        assert found.tolist() == pytest.approx(expected, abs=1)
    Image.new("RGB", (16, 16), (200, 100, 50)).save(tmp_path / "opaque.png")
    assert decode(tmp_path / "opaque.png", 8, channels=4).float().mean((1, 2)).tolist() == [200, 100, 50, 255]


def test_what_is_hidden_does_not_bleed_into_what_is_seen(tmp_path):
    Image.fromarray(disc((255, 0, 0), hidden=(0, 255, 0))).save(tmp_path / "a.png")
    found = decode(tmp_path / "a.png", 8, channels=4).float()
    assert found[1].max() <= 1 < found[0].max()  # no green anywhere, also not where the disc ends
    naive = Image.open(tmp_path / "a.png").convert("RGB").resize((8, 8), Image.Resampling.LANCZOS)
    assert np.asarray(naive)[..., 1].max() > 200  # the control


def test_padding_is_clear(tmp_path):
    Image.new("RGBA", (32, 8), (255, 255, 255, 255)).save(tmp_path / "a.png")
    found = decode(tmp_path / "a.png", 16, fit="pad", channels=4)
    assert found[:, 0].max() == 0 and found[:, 8].min() == 255


@pytest.mark.parametrize("memory", [None, 0])
def test_a_folder_keeps_transparency_where_it_is_asked_to(memory, folder):
    images = load_images(folder, 16, channels=4, memory=memory)
    assert images.shape == (60, 4, 16, 16) and "colour and transparency" in str(images.account)
    assert load_images(folder, 16).shape == (60, 3, 16, 16)
    with pytest.raises(DataError, match="4 with transparency"):
        load_images(folder, 16, channels=2)


def test_grids_show_it_on_a_checkerboard_and_files_as_it_is(folder):
    images = load_images(folder, 16, channels=4)
    seen, cut = plots.as_array(images), plots.as_cut_out(images.pixels)
    assert seen.shape == (60, 16, 16, 3) and cut.shape == (60, 16, 16, 4)
    board = np.unique(seen[:, 0, :4].round(3))  # far from the disc
    assert board.tolist() == pytest.approx([0.8, 1.0])
    assert np.allclose(seen[:, 8, 8], cut[:, 8, 8, :3], atol=1e-6) and (cut[:, 8, 8, 3] == 1).all()
    assert (cut[:, 0, :4] == 0).all()
    whole = to_floats(images.pixels)
    assert np.allclose(plots.as_cut_out(whole), cut, atol=1e-4) and np.allclose(plots.as_array(whole), seen, atol=1e-4)
    half = torch.tensor([0.5, 0.25, 0.0, 0.5]).view(1, 4, 1, 1).expand(1, 4, 8, 8)
    assert np.allclose(plots.as_cut_out(2 * half - 1)[0, 0, 0], [1, 0.5, 0, 0.5], atol=1e-6)


def test_features_see_what_is_clear(folder):
    extractor = features.load(features.ANY)
    images = load_images(folder, 32, channels=4)
    opaque = images.pixels.clone()
    opaque[:, 3] = 255
    clear, solid = extractor(images), extractor(Images(opaque))
    assert torch.allclose(clear, extractor(images.floats()), atol=1e-5)
    assert (clear - solid).norm(dim=1).min() > 0.1


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_run_draws_transparent_pictures(family, folder, tmp_path, capsys):
    out = tmp_path / family
    arguments = ["--size", "16", "--width", "4", "--batch", "8", "--threads", "1", "--channels", "4"]
    steps = {"gan": "4", "vae": "120"}[family]
    arguments += ["--diff-augment", "colour"] if family == "gan" else []
    assert main(["train", family, "--data", str(folder), *arguments, "--steps", steps, "--out", str(out)]) == 0
    assert run.config(out).channels == 4
    assert Image.open(out / kept.SAMPLES / "data.png").mode == "RGB"
    assert main(["sample", str(out), "--n", "6", "--each", "--scale", "2", "--out", str(tmp_path / "each")]) == 0
    drawn = [Image.open(file) for file in sorted((tmp_path / "each").iterdir())]
    assert [one.mode for one in drawn] == ["RGBA"] * 6 and drawn[0].size == (32, 32)
    if family == "vae":  # it has learned where its discs end
        opacity = np.mean([np.asarray(one)[..., 3] for one in drawn], 0)
        assert opacity[16, 16] > opacity[:3, :3].max() + 60
    assert main(["sample", str(out), "--walk", str(tmp_path / "a.gif"), "--n", "2", "--seconds", "0.2"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out), "--n", "20", "--json"]) == 0
    assert '"n": ' in capsys.readouterr().out
