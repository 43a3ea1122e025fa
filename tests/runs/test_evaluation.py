"""Runs measured: against the right pictures, whatever their order and number."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from genimg.__main__ import main
from genimg.data import folder as folders
from genimg.data.images import Images
from genimg.data.sources import load_images
from genimg.measure import features
from genimg.measure.yardstick import distances_to, yardstick
from genimg.runs.evaluation import evaluate
from genimg.system.errors import RunError

VAE = ["train", "vae", "--size", "16", "--width", "4", "--batch", "8", "--steps", "4", "--threads", "1"]


def write(folder, pixels, first=0):
    folder.mkdir(exist_ok=True)
    for i, picture in enumerate(pixels, first):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on 120 crops, and the folder of them."""
    place = tmp_path_factory.mktemp("evaluated")
    write(place / "seen", load_images("photos", 16, 120, seed=1).pixels)
    assert main([*VAE, "--data", str(place / "seen"), "--out", str(place / "a")]) == 0
    return place


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_the_floor_is_drawn_at_random_from_the_training_pictures():
    """Sorted as a folder is, the first pictures are of one kind; the floor has to be that of them all."""
    images = load_images("shapes", 32, 1200, seed=0)
    train, test = images[:1000], images[1000:]
    order = train.pixels.float().mean((1, 2, 3)).argsort()
    extractor = features.load("shapes")
    grey = torch.zeros(200, 3, 32, 32)
    floor, sorted_floor = (yardstick(grey, x, test, extractor)["floor"]["fd"] for x in (train, train[order]))
    first = yardstick(grey, train[order][:200], test, extractor)["floor"]["fd"]
    assert sorted_floor < 2 * floor < first


def test_distances_are_the_same_in_parts():
    images = load_images("photos", 16, 600, seed=3)
    x = load_images("photos", 16, 20, seed=4).floats()
    whole = distances_to(images, x)
    assert torch.equal(distances_to(images[torch.arange(599, -1, -1)], x), whole)
    assert (distances_to(images, images[5:9].floats()) == 0).all()
    direct = (images.floats().flatten(1).double()[:, None] - x.flatten(1).double()).norm(dim=2).amin(0)
    assert torch.allclose(whole, direct)


def test_no_more_than_a_part_of_the_training_pictures_is_held():
    """However many there are: the largest request for pictures is what it is."""
    asked = []

    class Counted:
        def __len__(self):
            return 1000

        def batches(self, indices):
            for index in indices:
                asked.append(len(index))
                yield torch.zeros(len(index), 1, 8, 8, dtype=torch.uint8)

    test = Images(torch.full((120, 1, 8, 8), 90, dtype=torch.uint8))
    found = yardstick(torch.zeros(50, 1, 8, 8), Counted(), test)
    assert sum(asked) == 1000 and max(asked) <= 256
    assert found["rms"] == pytest.approx(0.5) and found["copies"] == 0


@pytest.mark.parametrize("own", [False, True], ids=["unseen", "own"])
def test_a_folder_that_streams_gives_the_numbers_of_one_in_memory(own, run, tmp_path):
    source = None if own else str(write(tmp_path / "unseen", load_images("photos", 16, 110, seed=2).pixels))
    found = [
        evaluate(run / "a", source, n=110, named_features="shapes", memory=memory, workers=1) for memory in (None, 0)
    ]
    for one in found:
        one.pop("milliseconds_per_sample")
    assert found[0] == found[1]
    assert found[0]["n"] == (40 if own else 80) and found[0]["floor"]["fd"] > 0


@pytest.mark.parametrize("change", ["removed", "added", "changed"])
def test_other_pictures_than_it_was_trained_on_are_refused(change, copy, monkeypatch):
    config = json.loads((copy / "a" / "config.json").read_text())
    (copy / "a" / "config.json").write_text(json.dumps(config | {"data": "seen"}))
    monkeypatch.chdir(copy)
    assert evaluate("a", n=20)["data"] == "seen"
    if change == "removed":
        (copy / "seen" / "007.png").unlink()
    else:
        Image.new("RGB", (16, 16), "red").save(copy / "seen" / ("900.png" if change == "added" else "007.png"))
    with pytest.raises(RunError, match=r"the pictures in seen are not those that a was trained on.* --trained-on"):
        evaluate("a", n=20)


def test_another_working_folder_with_a_folder_of_that_name(copy, run, monkeypatch, tmp_path, capsys):
    config = json.loads((copy / "a" / "config.json").read_text())
    (copy / "a" / "config.json").write_text(json.dumps(config | {"data": "seen"}))
    write(tmp_path / "seen", load_images("photos", 16, 30, seed=9).pixels)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(copy / "a"), "--n", "20"]) == 2
    assert "--trained-on names the folder that has them" in capsys.readouterr().err
    (tmp_path / "seen").rename(tmp_path / "moved")
    assert main(["evaluate", str(copy / "a"), "--n", "20"]) == 2
    assert "--trained-on names the folder where the pictures of" in capsys.readouterr().err
    assert main(["evaluate", str(copy / "a"), "--n", "20", "--trained-on", str(run / "seen")]) == 0


def test_seen_pictures_among_unseen_ones_are_named_and_left_out(run, tmp_path, capsys):
    unseen = write(tmp_path / "unseen", load_images("photos", 16, 110, seed=2).pixels)
    alone = evaluate(run / "a", str(unseen), n=200)
    assert alone["seen"] == []
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0)).tolist()
    held_out, seen = order[:3], order[-3:]
    for i in held_out + seen:
        shutil.copy(run / "seen" / f"{i:03d}.png", unseen / f"seen-{i}.png")
    found = evaluate(run / "a", str(unseen), n=200)
    assert sorted(found["seen"]) == sorted(str(unseen / f"seen-{i}.png") for i in seen)
    for i in held_out:
        (unseen / f"seen-{i}.png").unlink()
    found = evaluate(run / "a", str(unseen), n=200)
    assert {key: found[key] for key in ("n", "copies", "rms_real")} == {
        k: alone[k] for k in ("n", "copies", "rms_real")
    }
    assert main(["evaluate", str(run / "a"), "--data", str(unseen), "--n", "200"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("left out 3 of the pictures") and f"seen-{seen[0]}.png" in first


def test_a_folder_that_holds_pictures_twice_is_measured(tmp_path):
    pixels = load_images("photos", 16, 60, seed=1).pixels
    both = write(write(tmp_path / "twice", pixels), pixels, 60)
    assert main([*VAE, "--data", str(both), "--out", str(tmp_path / "a")]) == 0
    found = evaluate(tmp_path / "a", n=30)
    assert found["seen"] == [] and found["copies"] is None and 0 < found["n"] <= 30


def test_json_has_no_word_that_json_has_not(run, capsys):
    assert main(["evaluate", str(run / "a"), "--n", "20", "--json"]) == 0

    def refuse(word):
        raise AssertionError(word)

    json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert isinstance(load_images(str(run / "seen"), 16, memory=0), folders.Stream)
