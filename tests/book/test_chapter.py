"""A chapter's surroundings: device, scale, seeds, precision, source shown, stamp."""

import os
import random
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

import genimg
from genimg.book import chapter
from genimg.book.chapter import STAMP, commit, is_over
from genimg.system.device import fast_dtype, peak_memory_gb
from genimg.training.step import Stepper


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("GENIMG_SCALE", raising=False)
    monkeypatch.delenv("GENIMG_SEED", raising=False)
    monkeypatch.delenv("GENIMG_PRECISION", raising=False)


def test_setup_seeds_every_generator():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    genimg.setup(seed=3)
    first = draw()
    genimg.setup(seed=3)
    assert draw() == first
    genimg.setup(seed=4)
    assert draw() != first


def test_the_environment_overrides(monkeypatch, capsys):
    monkeypatch.setenv("GENIMG_SEED", "11")
    monkeypatch.setenv("GENIMG_SCALE", "gpu")
    run = genimg.setup(seed=3, minutes=4, memory_gb=2)
    assert (run.seed, run.scale, run.pick(cpu=1, gpu=2)) == (11, "gpu", 2)
    assert run.generator(2).initial_seed() == 13
    line = capsys.readouterr().out
    assert "scale gpu | seed 11 | budget 4 min, 2 GB of memory" in line


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_environment_sets_the_precision_everywhere(monkeypatch, capsys, precision):
    monkeypatch.setenv("GENIMG_PRECISION", precision)
    genimg.setup(minutes=1)
    genimg.stamp()
    assert capsys.readouterr().out.count(f", {precision}") == 2  # of the first line and of the stamp
    assert fast_dtype("cpu") == getattr(torch, precision)
    trainer, seen = Stepper(genimg.vae.VAE(size=16, channels=1, width=8), "cpu"), []
    trainer.model.encoder.last.register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    trainer.step(torch.zeros(2, 1, 16, 16))
    assert seen == [getattr(torch, precision)]


def test_the_stamp_counts_processor_time_of_this_process_and_its_children_and_says_when_it_is_over(capsys, monkeypatch):
    monkeypatch.setenv("GENIMG_SCALE", "cpu")
    run = genimg.setup(minutes=1e-6)
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    told = chapter._told(run)
    assert told["cpu_seconds"] > 0.1 and is_over(told)
    genimg.stamp()
    assert "over the budget of" in capsys.readouterr().out
    genimg.setup(minutes=100)
    genimg.stamp()
    assert "over the budget" not in capsys.readouterr().out
    assert not is_over(told | {"scale": "gpu"}) and not is_over(told | {"budget_minutes": None})


OUT_OF_RANGE = ("-1", "2147483649", "4294967296", "1" + 26 * "0", "0.5", "nan")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GENIMG_SCALE", "huge"),
        ("GENIMG_SEED", "one"),
        *(("GENIMG_SEED", seed) for seed in OUT_OF_RANGE),
        ("GENIMG_PRECISION", "fp8"),
    ],
)
def test_a_wrong_environment_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}'"):
        genimg.setup()


def test_scale_follows_the_device():
    assert genimg.setup().scale == ("gpu" if torch.cuda.is_available() else "cpu")


def test_stamp_tells_what_ran(capsys, monkeypatch):
    monkeypatch.setenv("GENIMG_SCALE", "cpu")
    genimg.setup(seed=5, minutes=3, memory_gb=1000)
    capsys.readouterr()
    genimg.stamp()
    text = capsys.readouterr().out
    for part in (commit(), torch.__version__, "seed 5", "budget 180 s", "budget 1000 GB", "scale cpu"):
        assert part in text
    assert 0.05 < peak_memory_gb() < 100


def test_stamp_in_a_notebook_carries_its_data():
    cells = ["import genimg; genimg.setup(seed=5, minutes=3, memory_gb=1000)", "genimg.stamp()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=600).execute()
    (output,) = notebook.cells[1].outputs
    told = output.data[STAMP]
    assert told["seed"] == 5 and told["budget_minutes"] == 3 and told["budget_memory_gb"] == 1000
    assert told["torch"] == torch.__version__ and told["commit"] == commit()
    assert told["seconds"] > 0 and 0.05 < told["memory_gb"] < 100
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["date"])
    for part in (told["commit"], told["torch"], told["device"], "seed 5", f"{told['seconds']:.0f} s by the clock"):
        assert part in output.data["text/plain"]


def test_stamp_enforces_the_memory_budget(monkeypatch):
    monkeypatch.setenv("GENIMG_SCALE", "cpu")
    genimg.setup(memory_gb=0.001)
    with pytest.raises(MemoryError, match=r"budget says 0\.001 GB"):
        genimg.stamp()


def test_stamp_before_setup_says_what_to_do():
    done = subprocess.run([sys.executable, "-c", "import genimg; genimg.stamp()"], capture_output=True, text=True)
    assert "call genimg.setup() first" in done.stderr.splitlines()[-1]


def test_commit_of_a_checkout_and_outside_one(tmp_path):
    assert commit()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "lib")}
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)  # a repository around the package, which is not its own
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "another"], check=True)
    source = os.path.dirname(genimg.__file__)
    (tmp_path / "lib").mkdir()
    subprocess.run(["cp", "-r", source, str(tmp_path / "lib" / "genimg")], check=True)
    code = "from genimg.book import chapter; print(chapter.__file__); print(chapter.commit())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path, check=True
    )
    file, told = done.stdout.split()
    assert file.startswith(str(tmp_path))
    assert told == "unknown"


def test_show_prints_the_library_itself(capsys):
    genimg.show(genimg.gan.gradient_penalty_at)
    assert "torch.autograd.grad(logits.sum(), x, create_graph=True)" in capsys.readouterr().out
