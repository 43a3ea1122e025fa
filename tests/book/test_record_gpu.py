"""One command for the hour when there is a GPU: on a CPU it goes through every part, and loses none that is done."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from genimg.book import gpu, records
from genimg.book.gpu import paths
from genimg.data.sources import load_images
from genimg.system.errors import RunError

COMMAND = [sys.executable, "-m", "genimg", "record", "gpu", "--scale", "tiny", "--device", "cpu", "--threads", "1"]


def whole(folder):
    """The record's parts, each with its picture where it has rows."""
    parts = json.loads((folder / "gpu.json").read_text("utf-8"))["parts"]
    for name, part in parts.items():
        assert bool(part["rows"]) == (folder / f"gpu-{name}.png").exists(), name
        assert part["results"] and part["stamp"]["device"]
    return parts


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "pictures").mkdir()
    photos = load_images("photos", 32, n=120, seed=0).pixels.permute(0, 2, 3, 1)
    for i, pixels in enumerate(photos.numpy()):
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    options = ["--minutes", "0.5", "--data", str(folder / "pictures"), "--out", str(folder / "records")]
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "records"


def test_every_part_is_on_record_in_few_small_files(recorded):
    parts = whole(recorded)
    assert list(parts) == list(gpu.PARTS)
    assert all("record gpu --scale tiny" in part["command"] for part in parts.values())
    assert not any("failed" in part["results"] for part in parts.values())
    files = list(recorded.iterdir())
    assert len(files) <= 8 and sum(file.stat().st_size for file in files) < 12e6


def test_a_page_shows_a_part(recorded, capsys):
    record = records.show(gpu.NAME, None, recorded, part="gan")
    assert "Record gpu, gan, made by" in capsys.readouterr().out
    record.table({"invalid": "invalid", "images_per_second": "images/s"})
    shown = capsys.readouterr().out
    assert "source text's, 6 hues" in shown and "flat grey" in shown
    assert len(record.rows) == 4 and record.picture.exists()
    assert record.mean("unseen shapes", "invalid") < 0.2 < record.mean("flat grey", "invalid")


def test_of_a_part_that_is_missing_nothing_is_said(recorded, tmp_path, capsys):
    assert not records.show(gpu.NAME, None, recorded, part="words")
    assert not records.show(gpu.NAME, None, tmp_path, part="gan")
    assert capsys.readouterr().out == ""


def test_what_only_cuda_has_is_listed_as_not_tried(recorded):
    results = whole(recorded)["tests"]["results"]
    assert "passed" in results["tests"][0]["summary"] and "failed" not in results["tests"][0]["summary"]
    assert all(results[name][0]["summary"] == "not tried" for name in paths.PATHS)


def test_a_part_made_again_replaces_its_own_alone(recorded, tmp_path):
    before = whole(recorded)
    gpu.record(0.01, "tiny", device="cpu", out=recorded, only=["vae"], tell=lambda line: None)
    after = whole(recorded)
    assert {name for name in before if before[name] != after[name]} == {"vae"}


def test_a_command_that_is_killed_leaves_the_parts_that_were_done_whole(tmp_path):
    process = subprocess.Popen([*COMMAND, "--minutes", "0.1", "--parts", "vae", "flow", "gan", "--out", str(tmp_path)])
    while not (tmp_path / "gpu.json").exists() and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(whole(tmp_path))[0] == "vae"
    assert not list(tmp_path.glob("*.tmp*"))


def test_a_part_that_raises_does_not_take_the_next_with_it(tmp_path, monkeypatch):
    def raises(job):
        raise ValueError("no such thing")

    monkeypatch.setitem(gpu.PARTS, "flow", (0.1, raises))
    failed = gpu.record(0.01, "tiny", device="cpu", out=tmp_path, only=["flow", "vae"], tell=lambda line: None)
    assert failed == ["flow"]
    assert whole(tmp_path)["flow"]["results"]["failed"][0]["summary"] == "ValueError: no such thing"
    assert "failed" not in whole(tmp_path)["vae"]["results"]


@pytest.mark.parametrize("options, says", [
    ({"only": ["words"]}, "no part is called words"), ({"only": ["folder"]}, "needs --data"),
])  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(options, says, tmp_path):
    with pytest.raises(RunError, match=says):
        gpu.record(scale="tiny", out=tmp_path, **options)
