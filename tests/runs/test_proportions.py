"""Runs of pictures that are not squares, or whose sides are no powers of two: from the folder to the page."""

import json

import numpy as np
import pytest
import torch
from cuts import cut_at
from PIL import Image

import genimg
from genimg.__main__ import main
from genimg.data.images import fingerprint
from genimg.runs import kept, sections, shown
from genimg.runs import page as pages
from genimg.runs import run as runs
from genimg.system.errors import DataError, RunError

#: Name -> family, what is asked for, and what it is in tensors.
RUNS = {
    "gan": ("gan", "24x16", (16, 24)), "vae": ("vae", "16x40", (40, 16)), "flow": ("flow", "24x16", (16, 24)),
    "latent": ("latent", "32x16", (16, 32)), "gan-40": ("gan", "40", (40, 40)),
}  # fmt: skip


def arguments(name, folder, out, steps):
    family, size, _ = RUNS[name]
    small = ["--width", "8", "--batch", "8", "--held-out", "10", "--save-every", "9", "--threads", "1"]
    return ["train", family, "--data", str(folder), "--size", size, "--steps", str(steps), "--out", str(out), *small]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for i in range(40):
        width, height = random.integers(20, 90, 2)
        Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """Folder of runs of four steps, by name."""
    place = tmp_path_factory.mktemp("runs")
    for name in RUNS:
        assert main(arguments(name, pictures, place / name, 4)) == 0
    return place


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_from_the_folder_to_samples_walk_and_numbers(name, trained, tmp_path, capsys):
    out, (height, width) = trained / name, RUNS[name][2]
    assert json.loads((out / kept.CONFIG).read_text())["size"] == (40 if name == "gan-40" else RUNS[name][1])
    assert f"{width}x{height}" in (out / kept.PICTURES).read_text()
    assert Image.open(out / "samples" / "data.png").size[0] == 8 * (width + 1) - 1
    few = ["--solver-steps", "3"]
    assert main(["sample", str(out), "--n", "6", "--columns", "3", "--out", str(tmp_path / "a.png"), *few]) == 0
    assert Image.open(tmp_path / "a.png").size == (3 * (width + 1) - 1, 2 * (height + 1) - 1)
    assert main(["sample", str(out), "--n", "2", "--walk", str(tmp_path / "a.gif"), "--seconds", "0.1", *few]) == 0
    assert Image.open(tmp_path / "a.gif").size == (width, height)
    capsys.readouterr()
    assert main(["evaluate", str(out), "--n", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 10 and found["features"].startswith("Gabor")


@pytest.mark.parametrize("name", ["gan", "latent"])
def test_a_run_that_is_taken_up_again_ends_in_the_same_bytes(name, trained, pictures, tmp_path, monkeypatch):
    out = tmp_path / "cut"
    cut_at(3, arguments(name, pictures, out, 4), monkeypatch)
    assert main(arguments(name, pictures, out, 4)) == 0
    assert (out / kept.WEIGHTS).read_bytes() == (trained / name / kept.WEIGHTS).read_bytes()


def test_another_ratio_is_another_run(trained, pictures, capsys):
    again = arguments("gan", pictures, trained / "gan", 9)
    again[again.index("24x16")] = "16x24"
    assert main(again) == 2
    assert "--size was 24x16, is 16x24" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["gan", "vae", "flow", "latent"])
def test_the_page_knows_both_sides(name, trained):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model, recipe = runs.load(trained / name)
    height, width = RUNS[name][2]
    network = shown.network_of(model, recipe)
    assert f"3, {height}, {width})" in str(network)
    graphs = network.graphs()
    for part, (module, inputs) in network.parts.items():
        run = ReferenceEvaluator(onnx.load_model_from_string(pages.halved(graphs[part])))
        given = {key: value[:1].numpy() for key, value in inputs.items()}
        with torch.no_grad():
            wanted = module(*(value[:1] for value in inputs.values()))
        assert wanted.shape[1:] == ((3, height, width) if part == "picture" else network.places)
        np.testing.assert_allclose(run.run(None, given)[0], wanted.numpy(), atol=2e-3)  # its weights are halved
    assert f"A {width}x{height} generator" in sections.lead(trained / name, recipe, 1)
    assert RUNS[name][1] in sections.train_line(recipe)
    assert f'width="{8 * (width + 1) - 1}"' in sections.grids(trained / name, height)


def test_from_python_it_is_height_and_width(pictures, tmp_path):
    options = dict(steps=2, batch=4, width=4, held_out=0, echo=lambda line: None)
    model = genimg.train(pictures, "vae", tmp_path / "a", size=(16, 24), **options)
    assert model.sample(2).shape == (2, 3, 16, 24)
    square = genimg.train(pictures, "vae", tmp_path / "b", size=[16, 16], **options)
    assert runs.config(square.run).size == 16
    with pytest.raises(RunError, match=r"--size 30x16: .*the nearest: 24x16 or 32x16"):
        genimg.train(pictures, "vae", tmp_path / "c", size=(16, 30))
    with pytest.raises(RunError, match=r"--size 24x16: it has to be one of 32, 64, 128"):
        genimg.train(pictures, "vae", tmp_path / "c", size=(16, 24), networks="text")
    with pytest.raises(RunError, match="--size 64.5: it has to be a multiple of 8"):
        genimg.train(pictures, "vae", tmp_path / "c", size=64.5)
    with pytest.raises(DataError, match="digits are squares"):
        genimg.train("digits", "vae", tmp_path / "c", size=(16, 24))
    images = genimg.load_images(pictures, (16, 24))
    with pytest.raises(DataError, match=r"build it with size=\(16, 24\).* or load pictures with size=16$"):
        genimg.fit(genimg.vae.VAE(16, 3), images, steps=1)


def test_a_folder_is_cropped_to_the_ratio_and_streams_the_same(tmp_path):
    picture = Image.new("RGB", (90, 60), "red")
    picture.paste("blue", (0, 10, 90, 50))
    picture.save(tmp_path / "a.png")  # 2:1 keeps rows 7.5 to 52.5, 1:3 keeps columns 35 to 55
    wide, tall = (genimg.load_images(tmp_path, size) for size in ((16, 32), (48, 16)))
    assert wide.shape == (1, 3, 16, 32) and tall.shape == (1, 3, 48, 16)
    assert wide.pixels[0, 2, 1:-1].min() > 200 and wide.pixels[0, 0, 0].min() > 100
    assert tall.pixels[0, 2, 9:39].min() > 200 and tall.pixels[0, 0, :7].min() > 200
    padded = genimg.load_images(tmp_path, (48, 16), fit="pad", background="lime")
    assert padded.pixels[0, 1, :18].min() > 200 and padded.pixels[0, 1, 20:28].max() < 80
    stream = genimg.load_images(tmp_path, (16, 32), memory=0)
    assert torch.equal(stream[0], wide.pixels[0]) and stream.fingerprint == fingerprint(wide)


def test_a_turned_photograph_is_read_sharp(tmp_path):
    random = np.random.default_rng(0).integers(0, 2, (48, 64, 1), dtype=np.uint8) * 255
    large = Image.fromarray(random.repeat(3, 2)).resize((64 * 16, 48 * 16), Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, to be stood up
    large.save(tmp_path / "a.jpg", quality=95, exif=exif)
    large.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "b.png")
    found = genimg.load_images(tmp_path, (64, 48)).pixels.float()
    assert found.shape == (2, 1, 64, 48) and found[1].std() > 80
    assert (found[0] - found[1]).abs().mean() < 8


@pytest.mark.parametrize("size", [7, 1025, (16, 7), (16, 2000), (16,), (16, 16, 3), (16.0, 16), "16x24", None])
def test_what_is_no_size_of_pictures_is_refused(size, pictures):
    if size is None:
        assert genimg.load_images(pictures).shape[2:] == (64, 64)
        return
    with pytest.raises(DataError, match=r"size=.*: it has to be a whole number from 8 to 1024, or two of them"):
        genimg.load_images(pictures, size)


def test_photos_are_cropped_and_squares_are_refused():
    found = genimg.load_images("photos", (16, 48), 20, seed=1)
    assert found.shape == (20, 3, 16, 48)
    assert torch.equal(found.pixels, genimg.load_images("photos", (16, 48), 20, seed=1).pixels)
    with pytest.raises(DataError, match=r"size=\(16, 24\): shapes are squares; folders and photos"):
        genimg.load_images("shapes", (16, 24), 5)
