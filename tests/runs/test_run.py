"""Runs in a folder: killed, stopped, out of room, continued; they end in the bytes of a run that was left alone.

`GENIMG_KILLS` asks for more kills than the default, `GENIMG_KILLS_FOLDER` for pictures of your own:
    GENIMG_KILLS=24 GENIMG_KILLS_FOLDER=~/pictures python -m pytest -s tests/runs/test_run.py -k sigkill
"""

import csv
import io
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genimg import flow, gan, latent, plots, vae
from genimg.__main__ import main
from genimg.data.images import to_bytes
from genimg.data.sources import load_images
from genimg.runs import commands
from genimg.runs.kept import CHECKPOINT, HISTORY, SAMPLES, WEIGHTS, read_config
from genimg.runs.pictures import load_pictures, parted
from genimg.runs.run import load
from genimg.system import files
from genimg.system.device import seed_everything
from genimg.training.loop import Training

KILLS = int(os.environ.get("GENIMG_KILLS", "4"))
GAN = ["gan", "--size", "16", "--width", "4", "--batch", "8", "--steps", "60"]
VAE = ["vae", "--size", "16", "--width", "8", "--batch", "8", "--steps", "60"]
LATENT = ["latent", "--size", "16", "--width", "8", "--batch", "8", "--steps", "20"]
FLOW = ["flow", "--size", "16", "--width", "8", "--batch", "8", "--steps", "20"]
TEXT = ["gan", "--networks", "text", "--size", "32", "--width", "8", "--batch", "4", "--steps", "12"]
DIGITS = ["gan", "--data", "digits", "--size", "8", "--width", "4", "--n", "100", "--batch", "8", "--threads", "1"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Crops of scikit-learn's two photographs, as files of three kinds in folders."""
    if os.environ.get("GENIMG_KILLS_FOLDER"):
        return Path(os.environ["GENIMG_KILLS_FOLDER"]).expanduser()
    folder = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate(load_images("photos", 48, 24).pixels):
        file = folder / f"part-{i % 3}" / f"{i:02d}.{('png', 'jpg', 'webp')[i % 3]}"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    return folder


def command(arguments, out, pictures=None, save_every=5):
    source = ["--data", str(pictures)] if pictures else []
    return ["train", *arguments, *source, "--out", str(out), "--save-every", str(save_every), "--threads", "1"]


def start(arguments, environment=None, **options):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} | (environment or {})
    return subprocess.Popen(
        [sys.executable, "-m", "genimg", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def results(out):
    """All that a finished run left but its checkpoints, which hold the time it took."""
    kept = [f for f in Path(out).rglob("*") if f.is_file() and "checkpoint" not in f.name and f.name != ".lock"]
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in kept}


def snapshot(out):
    return {f.relative_to(out).as_posix(): f.read_bytes() for f in Path(out).rglob("*") if f.is_file()}


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def refusal(capsys, arguments):
    """The one line on stderr of a command that ends with 2."""
    capsys.readouterr()
    assert main(arguments) == 2
    errors = lines(capsys.readouterr().err)
    *progress, line = errors
    assert all(" on " in shown and ": step " in shown for shown in progress), errors
    assert line.startswith("genimg: ")
    return line


def kill_during(process, out, moment):
    """SIGKILL at a moment: "saving" while a checkpoint is being written, else seconds after the loop began.

    Returns:
        whether it was killed; False if it had ended before.
    """
    new, deadline = out / ".checkpoint.pt.new", time.monotonic() + 300
    old = (out / WEIGHTS).stat().st_mtime_ns if (out / WEIGHTS).exists() else None

    def working():
        weights = out / WEIGHTS
        return weights.exists() and weights.stat().st_mtime_ns != old

    while process.poll() is None and time.monotonic() < deadline:
        if moment == "saving":
            if new.exists() and process.poll() is None:
                break
        elif working():
            time.sleep(moment)
            break
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive and process.returncode == -signal.SIGKILL


def killed_run(arguments, pictures, out, kills, rng):
    """Run a command with so many kills in between, at moments out of rng. Returns what was struck."""
    struck = {"saving": 0, "else": 0, "half-written left": 0}
    while struck["saving"] + struck["else"] < kills:
        moment = "saving" if rng.random() < 0.5 else rng.random() * 0.3
        if not kill_during(start(command(arguments, out, pictures)), out, moment):
            break
        struck["saving" if moment == "saving" else "else"] += 1
        struck["half-written left"] += (out / ".checkpoint.pt.new").exists()
    last = start(command(arguments, out, pictures))
    _, errors = last.communicate(timeout=600)
    assert last.returncode == 0, errors
    return struck


@pytest.mark.parametrize(
    ("arguments", "share"),
    [(GAN, 0.5), (VAE, 0.25), (FLOW, 0.25), (LATENT, 0.5), (TEXT, 0.25)],
    ids=["gan", "vae", "flow", "latent", "text"],
)
def test_sigkill_then_the_same_command_ends_in_the_same_bytes(arguments, share, pictures, tmp_path):
    total, rng, tally, rounds = max(1, round(KILLS * share)), random.Random(1), {}, 0
    assert main(command(arguments, tmp_path / "whole", pictures)) == 0
    wanted = results(tmp_path / "whole")
    assert {"config.json", "weights.safetensors", "history.csv", "samples/data.png"} <= wanted.keys()
    while (left := total - tally.get("saving", 0) - tally.get("else", 0)) > 0:
        rounds += 1
        out = tmp_path / f"killed-{rounds}"
        for name, count in killed_run(arguments, pictures, out, min(left, 6), rng).items():
            tally[name] = tally.get(name, 0) + count
        assert results(out) == wanted
        assert rounds <= 4 * total
    print(f"{arguments[0]} {'text' if 'text' in arguments else 'book'}: {tally} in {rounds} runs, all bytes the same")


class Interrupted(BaseException):
    """Stands for a kill between two operations."""


@pytest.mark.parametrize("at", range(33))
def test_a_run_cut_before_every_operation_on_a_file(at, finished, tmp_path, monkeypatch):
    """Exhaustive where the random kills are not: two saves take 33 fsyncs and renames."""
    arguments, count = command([*DIGITS, "--steps", "12"], tmp_path / "a", save_every=6), 0

    def counted(operation):
        def call(*arguments):
            nonlocal count
            if count == at:
                raise Interrupted
            count += 1
            return operation(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    monkeypatch.setattr(os, "replace", counted(os.replace))
    with pytest.raises(Interrupted):
        main(arguments)
    monkeypatch.undo()
    assert main(arguments) == 0
    assert results(tmp_path / "a") == results(finished)


@pytest.mark.parametrize(("number", "arguments"), [(signal.SIGINT, GAN), (signal.SIGTERM, VAE)], ids=["INT", "TERM"])
def test_a_stop_saves_and_the_same_command_goes_on(number, arguments, pictures, tmp_path, capsys):
    many = [*arguments[:-1], "2000"]
    out = tmp_path / "stopped"
    process = start(command(many, out, pictures, save_every=2000))
    while not (out / SAMPLES / "data.png").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    assert "another process is training in" in refusal(capsys, command(many, out, pictures))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    step = files.read_tensors(out / CHECKPOINT)["training"]["step"]
    assert f"stopped and saved at step {step:,} of 2,000" in errors
    assert 0 < step < 2000
    # The rest of 2,000 steps takes long: the runs are compared a little further on.
    training, recipe = open_run(out)
    while training.step < step + 7:
        training.advance()
    alone = fresh(recipe, load_pictures(recipe)[0])
    while alone.step < step + 7:
        alone.advance()
    assert_same(training, alone)


def fresh(recipe, images):
    seed_everything(recipe.seed)
    return Training(
        recipe.build(),
        parted(images, recipe)[0],
        recipe.steps,
        recipe.batch,
        recipe.seed,
        "cpu",
        transform=recipe.transform(),
    )


def open_run(out):
    """A run's training as its checkpoint has it."""
    recipe = read_config(out)
    training = fresh(recipe, load_pictures(recipe)[0])
    training.load_state_dict(files.read_tensors(out / CHECKPOINT)["training"])
    return training, recipe


def differences(a, b):
    """Names of what differs between the states of two runs, made ready for use, time aside."""
    a.finish(), b.finish()
    a, b = a.state_dict(), b.state_dict()
    a["history"].pop("seconds"), b["history"].pop("seconds")

    def walk(x, y, path):
        if isinstance(x, torch.Tensor):
            return [] if torch.equal(x, y) else [path]
        if isinstance(x, dict):
            assert x.keys() == y.keys(), path
            return [name for key in x for name in walk(x[key], y[key], f"{path}.{key}")]
        if isinstance(x, list | tuple):
            if len(x) != len(y):
                return [path]
            return [name for i, (u, v) in enumerate(zip(x, y, strict=True)) for name in walk(u, v, f"{path}.{i}")]
        return [] if x == y or (x != x and y != y) else [path]

    return walk(a, b, "")


def assert_same(a, b):
    assert differences(a, b) == []


PIXELS = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
BUILD = {
    "gan": lambda: gan.GAN(size=8, z_dim=4, width=4, d_width=4, every=3),
    "vae": lambda: vae.VAE(size=8, z_dim=3, width=4),
    "flow": lambda: flow.Flow(size=8, width=8),
    "latent": lambda: latent.Latent(8, 1, z_dim=2, width=4, flow_width=8),
}


def begin(family, steps, every):
    torch.manual_seed(7)
    return Training(BUILD[family](), PIXELS, steps, batch=8, seed=3, device="cpu", every=every)


def continued(family, at, every, steps, tmp_path, change=lambda state: None):
    """Saved at a step, looked at, and gone on with from the file in a new object."""
    training = begin(family, steps, every)
    while training.step < at:
        training.advance()
    training.finish()
    files.write_tensors(tmp_path / "state", training.state_dict())
    state = files.read_tensors(tmp_path / "state")
    torch.manual_seed(99)
    again = begin(family, steps, every)
    torch.manual_seed(98)  # what an engine that forgot the generator would go on with
    change(state, again)
    again.load_state_dict(state)
    while again.step < steps:
        again.advance()
    return again


def whole(family, every, steps):
    training = begin(family, steps, every)
    while training.step < steps:
        training.advance()
    return training


@settings(max_examples=12, deadline=None)
@given(family=st.sampled_from(list(BUILD)), at=st.integers(1, 13), every=st.integers(1, 9))
def test_saved_at_any_step_it_goes_on_as_if_nothing_had_happened(tmp_path_factory, family, at, every):
    again = continued(family, at, every, 14, tmp_path_factory.mktemp("state"), lambda state, again: None)
    assert_same(again, whole(family, every, 14))


def forget_random(state, again):
    state["random"] = torch.get_rng_state()


def forget_optimisers(state, again):
    state["optimisers"] = {name: o.state_dict() for name, o in again.stepper.optimisers.items()}


def forget_window(state, again):
    state["window"] = {"sums": {}, "counts": {}}


def forget_step(state, again):
    state["step"] = 0


def forget_model(state, again):
    state["model"] = again.model.state_dict()


def forget_average(state, again):
    drawn = again.model.state_dict()
    state["model"] = {k: drawn[k].clone() if k.startswith("average.") else v for k, v in state["model"].items()}


FORGET = [forget_random, forget_optimisers, forget_window, forget_step, forget_model, forget_average]


@pytest.mark.parametrize("forget", FORGET, ids=lambda f: f.__name__[7:])
def test_whatever_is_left_out_of_a_checkpoint_shows(forget, tmp_path):
    again = continued("gan", 5, 4, 10, tmp_path, forget)
    assert differences(again, whole("gan", 4, 10))


def test_looking_at_a_run_and_saving_it_changes_nothing():
    training = begin("gan", 12, 4)
    while training.step < 12:
        training.advance()
        training.finish()
        training.model.sample(3, seed=0)
        training.state_dict()
    assert_same(training, whole("gan", 4, 12))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "a"
    assert main(command([*DIGITS, "--steps", "12"], out, save_every=6)) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run of 12 steps."""
    return Path(shutil.copytree(finished, tmp_path / "a"))


def test_what_a_run_leaves(finished):
    assert {f.name for f in finished.iterdir()} == {
        ".lock", "config.json", "checkpoint.pt", "checkpoint.previous.pt", "weights.safetensors", "history.csv",
        "samples", "pictures.txt", "best.safetensors", "scores.json", "history.png",
    }  # fmt: skip
    assert sorted(f.name for f in (finished / "samples").iterdir()) == [
        "data.png", "step-0000006.png", "step-0000012.png",
    ]  # fmt: skip
    (row,) = csv.DictReader(io.StringIO((finished / "history.csv").read_text()))
    assert row["step"] == "12"
    assert {"loss_d", "loss_g", "r1"} <= row.keys()
    assert json.loads((finished / "config.json").read_text())["width"] == 4
    assert set(files.read_weights(finished / "weights.safetensors")) == {
        name for name in load(finished)[0].state_dict() if name.startswith("average.generator.")
    }


def test_the_same_command_again_says_so_and_changes_nothing(run, capsys):
    before = results(run)
    assert main(command([*DIGITS, "--steps", "12"], run)) == 0
    assert "has done its 12 steps; a larger --steps goes on" in capsys.readouterr().out
    assert results(run) == before


def test_a_larger_steps_extends(run, capsys):
    assert main(command([*DIGITS, "--steps", "20"], run, save_every=10)) == 0
    assert "going on from step 12" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["steps"] == 20
    assert (run / "samples" / "step-0000020.png").exists()


def test_how_often_is_saved_changes_no_weight(run, tmp_path):
    assert main(command([*DIGITS, "--steps", "12"], tmp_path / "b", save_every=5)) == 0
    assert (tmp_path / "b" / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()
    assert (tmp_path / "b" / HISTORY).read_bytes() == (run / HISTORY).read_bytes()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (["--steps", "11"], ["planned for 12 steps", "--steps 11", "by --from"]),
        (["--lr", "0.002", "--seed", "4"], ["--lr was 0.001, is 0.002", "--seed was 0, is 4", "another --out"]),
        (["--n", "99"], ["--n was 100, is 99"]),
        (["--loss", "hinge"], ["--loss was relativistic, is hinge"]),
        (["--mirror"], ["--mirror was False, is True"]),
    ],
)
def test_other_arguments_are_refused_by_name(change, names, run, capsys):
    before = snapshot(run)
    line = refusal(capsys, command([*DIGITS, "--steps", "12", *change], run))
    assert all(name in line for name in names), line
    assert snapshot(run) == before


def test_other_pictures_in_the_folder_are_refused(pictures, tmp_path, capsys):
    folder, out = Path(shutil.copytree(pictures, tmp_path / "pictures")), tmp_path / "a"
    arguments = command([*VAE[:-1], "4"], out, folder)
    assert main(arguments) == 0
    before = snapshot(out)
    Image.new("RGB", (20, 20), "red").save(folder / "one-more.png")
    assert "are not those that" in (line := refusal(capsys, arguments)) and "another --out" in line
    assert snapshot(out) == before
    (folder / "one-more.png").unlink()
    assert main(arguments) == 0
    moved = folder.rename(tmp_path / "elsewhere")  # the same pictures in another place are the same pictures
    assert main(command([*VAE[:-1], "6"], out, moved)) == 0


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "weights.safetensors").write_bytes(b"somebody's work")
    assert "choose another --out" in refusal(capsys, command([*DIGITS, "--steps", "4"], tmp_path))
    assert snapshot(tmp_path) == {"weights.safetensors": b"somebody's work"}


@pytest.fixture
def tiny_disk(tmp_path):
    """Mounts a file system of so many KB, and gives it more room when called again."""
    where = tmp_path / "disk"
    where.mkdir()

    def mount(kilobytes, *options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join([f"size={kilobytes}k", *options]), "none", str(where)],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
        return where

    yield mount
    subprocess.run(["umount", str(where)], capture_output=True)


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("mount"), reason="needs mount")
@pytest.mark.parametrize("more", [20, 200, 370])
def test_a_full_disk(more, tiny_disk, tmp_path, capsys):
    """The second save finds too little room, for one file or another; the run goes on once there is some."""
    arguments = [*DIGITS, "--steps", "30"]
    assert main(command(arguments, tmp_path / "whole", save_every=10)) == 0
    room = sum(f.stat().st_size for f in (tmp_path / "whole").rglob("*") if "previous" not in f.name) // 1024
    disk = tiny_disk(room + more)
    line = refusal(capsys, command(arguments, disk / "a", save_every=10))
    assert "No space left on device" in line
    checkpoint = files.read_tensors(disk / "a" / CHECKPOINT)
    assert checkpoint["training"]["step"] == (20 if more > 300 else 10)
    assert not list(disk.rglob("*.new"))
    line = refusal(capsys, command(arguments, disk / "a", save_every=10))
    assert "No space left on device" in line
    tiny_disk(10_000, "remount")
    assert main(command(arguments, disk / "a", save_every=10)) == 0
    assert results(disk / "a") == results(tmp_path / "whole")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_limit_on_the_size_of_files(finished, tmp_path):
    out = tmp_path / "a"
    process = start(command([*DIGITS, "--steps", "12"], out, save_every=6))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "cannot be written (File too large)" in lines(errors)[-1]
    assert "Traceback" not in errors
    assert not (out / CHECKPOINT).exists() and not list(out.rglob("*.new"))
    assert main(command([*DIGITS, "--steps", "12"], out, save_every=6)) == 0
    assert results(out) == results(finished)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs users")
@pytest.mark.parametrize("begun", [False, True])
def test_a_folder_that_cannot_be_written(begun, finished, capsys):
    """As somebody without rights: root may write everywhere."""
    folder = Path(tempfile.mkdtemp())
    try:
        out = folder / "a"
        if begun:
            shutil.copytree(finished, out)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = snapshot(folder)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            line = refusal(capsys, command([*DIGITS, "--steps", "20"], out))
        finally:
            if root:
                os.seteuid(0)
        assert "Permission denied" in line
        assert snapshot(folder) == before
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IRWXU)
        assert main(command([*DIGITS, "--steps", "20"], out)) == 0
    finally:
        shutil.rmtree(folder)


def test_out_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert "--out" in refusal(capsys, command([*DIGITS, "--steps", "4"], tmp_path / "file" / "a"))


def grid(path):
    with Image.open(path) as picture:
        return picture.size


def test_samples_obey_the_seed(run, tmp_path, capsys):
    def sample(name, *options):
        assert main(["sample", str(run), "--n", "6", "--columns", "3", "--out", str(tmp_path / name), *options]) == 0
        return (tmp_path / name).read_bytes()

    first = sample("1.png", "--seed", "1")
    assert sample("2.png", "--seed", "1") == first
    assert sample("3.png", "--seed", "2") != first
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "1.png")
    assert sample("4.png", "--seed", "1", "--interpolate") != first
    assert grid(tmp_path / "4.png")[1] > grid(tmp_path / "1.png")[1]


def test_samples_as_single_files(run, tmp_path):
    out = tmp_path / "many"
    assert main(["sample", str(run), "--n", "11", "--each", "--out", str(out)]) == 0
    assert sorted(f.name for f in out.iterdir()) == [f"{i:02d}.png" for i in range(11)]
    assert {grid(f) for f in out.iterdir()} == {(8, 8)}


def test_samples_never_replace_unasked(run, tmp_path, capsys):
    out = tmp_path / "grid.png"
    out.write_bytes(b"mine")
    arguments = ["sample", str(run), "--n", "4", "--out", str(out)]
    assert "--overwrite replaces it" in refusal(capsys, arguments)
    assert out.read_bytes() == b"mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert grid(out)
    many = tmp_path / "many"
    many.mkdir()
    (many / "notes.txt").write_text("mine")
    assert "--overwrite" in refusal(capsys, ["sample", str(run), "--n", "4", "--each", "--out", str(many)])
    assert [f.name for f in many.iterdir()] == ["notes.txt"]


def test_sampling_needs_the_recipe_and_the_weights_only(run, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("config.json", "weights.safetensors"):
        shutil.copy(run / name, alone)
    for folder in (run, alone):
        assert main(["sample", str(folder), "--n", "4", "--last", "--out", str(folder / "x.png")]) == 0
    assert (run / "x.png").read_bytes() == (alone / "x.png").read_bytes()


def test_samples_are_the_ones_of_the_run(run):
    """The grid made in training and the one made from the published weights."""
    assert main(["sample", str(run), "--n", "64", "--seed", "0", "--last", "--out", str(run / "x.png")]) == 0
    assert (run / "x.png").read_bytes() == (run / "samples" / "step-0000012.png").read_bytes()


def test_evaluate(run, tmp_path, capsys):
    assert main(["evaluate", str(run), "--n", "40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["family"] == "gan" and found["data"] == "digits" and found["n"] == 33
    assert found["features"].startswith("digits classifier ")
    assert 0 < found["floor"]["fd"] < found["fd"] and found["kd"] > found["floor"]["kd"]
    assert 0 < found["rms"] < 1
    assert found["copies"] is None and found["rms_real"] > 0  # of 33 pictures held out
    assert found["milliseconds_per_sample"] > 0
    assert found["bits_per_dim"] is None
    shapes = ["vae", "--data", "shapes", "--size", "16", "--width", "4", "--n", "50", "--batch", "8", "--steps", "4"]
    assert main(command(shapes, tmp_path / "v")) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "v"), "--n", "40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["bits_per_dim"] < 20 and 0 <= found["invalid"] <= 1
    assert 0 < found["rms_real"] < 1
    assert main(["evaluate", str(tmp_path / "v"), "--n", "40"]) == 0
    table = lines(capsys.readouterr().out)
    assert any(line.startswith("Frechet distance") and len(line.split()) == 4 for line in table)
    assert any(line.startswith("bits per dimension") for line in table)
    assert table[-2:] == [commands.IN_FEATURES, commands.OF_PICTURES]
    assert main(["evaluate", str(tmp_path / "v"), "--n", "40", "--features", "none"]) == 0
    assert commands.IN_FEATURES not in (table := lines(capsys.readouterr().out)) and table[-1] == commands.OF_PICTURES


def test_evaluate_against_unseen_pictures(pictures, tmp_path, capsys):
    """A folder, and another one of what the run has not seen; training pictures given as unseen are refused."""
    seen, unseen = tmp_path / "seen", tmp_path / "unseen"
    for folder, seed in ((seen, 1), (unseen, 2)):
        folder.mkdir()
        for i, picture in enumerate(load_images("photos", 16, 120, seed=seed).pixels):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    small = ["flow", "--size", "16", "--width", "8", "--batch", "8", "--steps", "4"]
    assert main(command(small, tmp_path / "a", seen)) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "a"), "--data", str(unseen), "--n", "120", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 80 and found["copies"] == 0.0 and 0 < found["rms_real"] < found["rms"]
    assert found["features"].startswith("Gabor bank ") and 0 < found["bits_per_dim"] < 30
    assert main(["evaluate", str(tmp_path / "a"), "--data", str(unseen), "--n", "20", "--features", "shapes"]) == 0
    assert "shapes classifier" in capsys.readouterr().out
    copied = tmp_path / "copied"
    shutil.copytree(seen, copied)
    arguments = ["--data", str(copied), "--n", "120"]
    assert main(["evaluate", str(tmp_path / "a"), *arguments]) == 0  # those that it held out are left to compare with
    told = capsys.readouterr()
    assert "left out 80 of the pictures to compare with" in told.out + told.err
    assert main(command([*small, "--held-out", "0"], tmp_path / "b", seen)) == 0
    assert "copies of training pictures" in refusal(capsys, ["evaluate", str(tmp_path / "b"), *arguments])


def test_a_flow_is_sampled_with_as_many_steps_as_asked(tmp_path, capsys):
    out = tmp_path / "f"
    small = ["flow", "--data", "digits", "--size", "8", "--width", "8", "--batch", "8", "--steps", "60"]
    assert main(command(small, out, save_every=60)) == 0  # untrained, it goes straight in one step as in twenty
    for name, more in (("a", []), ("b", ["--solver-steps", "20"]), ("c", ["--solver-steps", "1"])):
        assert main(["sample", str(out), "--n", "4", "--seed", "2", "--out", str(out / f"{name}.png"), *more]) == 0
    a, b, c = ((out / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c
    capsys.readouterr()
    assert main(["sample", str(out), "--n", "20", "--seed", "2", "--out", str(out / "many.png")]) == 0
    assert "samples: 20 pictures in " in capsys.readouterr().err  # eight at a time
    model, _ = load(out)
    expected = plots.tile(to_bytes(model.sample(20, seed=2)), 8)
    assert np.abs(np.asarray(Image.open(out / "many.png")) / 255 - expected).max() < 0.01
    assert main(["sample", str(out), "--n", "2", "--interpolate", "--out", str(out / "d.png")]) == 0
    assert grid(out / "d.png")


def test_without_a_compiler_it_trains_all_the_same(tmp_path):
    """Where torch.compile finds no C++ compiler, the plain networks run, and nothing is said about it."""
    arguments = ["train", "vae", "--data", "digits", "--size", "8", "--width", "4", "--batch", "8", "--steps", "3"]
    environment = {"CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    texts = []
    for name, extra in (("plain", []), ("compiled", ["--compile"])):
        process = start([*arguments, "--threads", "1", "--out", str(tmp_path / name), *extra], environment)
        texts.append(process.communicate(timeout=300)[1])
        assert process.returncode == 0, texts
    assert "Traceback" not in texts[1]
    # On the way there may be lines on how far it is; nothing else is said than of the plain run.
    plain, compiled = ([line for line in lines(text) if ": step " not in line] for text in texts)
    assert len(plain) == len(compiled) == 1
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("plain", "compiled")]
    assert weights[0] == weights[1]
