"""Runs that are stopped: by Ctrl-C, by SIGTERM to all their processes, by the clock; and other runs begun from them."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from genimg.__main__ import main
from genimg.data.sources import load_images
from genimg.runs import kept, run
from genimg.runs.estimate import expected, on_record
from genimg.runs.recipes import Recipe
from genimg.system import files
from genimg.system.progress import Progress
from genimg.training.loop import Training

DIGITS = ["--data", "digits", "--size", "8", "--n", "60", "--batch", "4", "--threads", "1"]
GAN = ["train", "gan", *DIGITS, "--width", "4"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate(load_images("photos", 16, 24).pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture
def slow(monkeypatch):
    """Makes a function take so many seconds, by a clock that stands still otherwise."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def make_slow(place, name, seconds):
        work = getattr(place, name)

        def slowly(*arguments):
            clock[0] += seconds
            return work(*arguments)

        monkeypatch.setattr(place, name, slowly)

    return make_slow


def start(arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "genimg", *arguments], env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options,
    )  # fmt: skip


def begun(process, out, name="samples/data.png"):
    while not (Path(out) / name).exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_signal_to_all_processes_of_a_run_that_streams_saves(number, pictures, tmp_path):
    """As a terminal and a job scheduler send it: to the processes that read ahead too."""
    out = tmp_path / "a"
    arguments = ["train", "vae", "--data", str(pictures), "--size", "16", "--width", "4", "--batch", "4"]
    arguments += ["--steps", "100000", "--memory", "0", "--workers", "2", "--threads", "1", "--out", str(out)]
    process = start(arguments)
    begun(process, out, "samples/step-0000050.png")
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    step = kept.read_checkpoint(out / "checkpoint.pt")["training"]["step"]
    assert step >= 50
    while_it_ran = (": step ", " a step: ", "for comparison, a run on record: vae")
    said = [line for line in errors.splitlines() if not any(words in line for words in while_it_ran)]
    assert [line.split(":")[0] for line in said] == [
        "stopping",
        f"saved at step {step:,}; now the samples are drawn",
        "genimg",
    ]
    assert said[2] == f"genimg: stopped and saved at step {step:,} of 100,000; the same command goes on"
    assert (out / "samples" / f"step-{step:07d}.png").exists()


def test_what_is_said_where_nothing_was_saved_speaks_of_no_checkpoint(tmp_path):
    process = start([*GAN, "--steps", "100000", "--save-every", "100000", "--out", str(tmp_path / "a")])
    begun(process, tmp_path / "a")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    if not kept.has_checkpoint(tmp_path / "a"):
        assert errors.splitlines()[-1] == "genimg: stopped"


def test_ctrl_c_while_it_looks_is_answered_by_what_it_waits_for_and_no_step_follows(tmp_path, monkeypatch, capfd):
    look = run._look

    def asked(training, *more):
        os.kill(os.getpid(), signal.SIGINT)
        look(training, *more)

    monkeypatch.setattr(run, "_look", asked)
    out = tmp_path / "a"
    assert main([*GAN, "--steps", "12", "--save-every", "6", "--out", str(out)]) == 130
    said = capfd.readouterr().err
    assert said.splitlines().count(run.HEARD_LOOKING) == 1 and run.HEARD not in said
    assert "stopped and saved at step 6 of 12" in said
    assert kept.read_checkpoint(out / "checkpoint.pt")["training"]["step"] == 6
    assert (out / "samples" / "step-0000006.png").exists()


def test_ctrl_c_while_it_saves_says_when_that_is_done_and_what_is_next(tmp_path, monkeypatch, capfd):
    save = kept.save

    def asked(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        save(*arguments)

    monkeypatch.setattr(kept, "save", asked)
    assert main([*GAN, "--steps", "12", "--save-every", "6", "--out", str(tmp_path / "a")]) == 130
    said = capfd.readouterr().err.splitlines()
    assert said.count(run.HEARD) == said.count("saved at step 6; now the samples are measured and drawn") == 1
    assert said[-1].startswith("genimg: stopped and saved at step 6 of 12")


def test_the_checkpoint_comes_before_the_pictures_and_what_is_missing_is_drawn_later(tmp_path, monkeypatch):
    """A disk that takes no more pictures: the step is kept, and its grid is made when the run goes on."""
    arguments = [*GAN, "--steps", "12", "--save-every", "6", "--out", str(tmp_path / "a")]
    write = files.write_picture

    def full(path, sheet):
        if "step" in Path(path).name:
            raise OSError(28, "No space left on device", str(path))
        write(path, sheet)

    monkeypatch.setattr(files, "write_picture", full)
    assert main(arguments) == 2
    assert kept.read_checkpoint(tmp_path / "a" / "checkpoint.pt")["training"]["step"] == 6
    assert not list((tmp_path / "a").glob("samples/step*"))
    monkeypatch.undo()
    assert main(arguments) == 0
    assert main([*arguments[:-1], str(tmp_path / "b")]) == 0
    grids = [{f.name: f.read_bytes() for f in (tmp_path / run / "samples").iterdir()} for run in "ab"]
    assert grids[0] == grids[1] and len(grids[0]) == 3


def test_between_two_saves_a_checkpoint_is_written_each_so_often(tmp_path, monkeypatch):
    """Killed long before its first save, a run loses no more than that."""
    arguments = [*GAN, "--steps", "12", "--save-every", "12", "--out", str(tmp_path / "a")]
    advance = Training.advance

    def killed(training):
        if training.step == 7:
            raise MemoryError
        return advance(training)

    monkeypatch.setattr(Training, "advance", killed)
    assert main(arguments) == 2 and not kept.has_checkpoint(tmp_path / "a")  # two minutes are not over
    monkeypatch.setattr(run, "OFTEN", -1.0)
    assert main(arguments) == 2
    assert kept.read_checkpoint(tmp_path / "a" / "checkpoint.pt")["training"]["step"] == 7
    monkeypatch.undo()
    assert 60 <= run.OFTEN <= 300
    for out in "ab":
        assert main([*arguments[:-1], str(tmp_path / out)]) == 0
    weights = [(tmp_path / out / "weights.safetensors").read_bytes() for out in "ab"]
    assert weights[0] == weights[1]


def test_a_latent_flow_that_has_not_begun_says_so_until_it_has(tmp_path, capsys):
    out, page = str(tmp_path / "a"), tmp_path / "a.onnx"
    arguments = ["train", "latent", "--data", "digits", "--size", "8", "--n", "40", "--held-out", "0", "--width", "4"]
    arguments += ["--steps", "6", "--batch", "4", "--out", out]
    assert main([*arguments, "--minutes", "1e-9"]) == 0
    capsys.readouterr()
    assert main(["sample", out, "--n", "2", "--out", str(tmp_path / "early.png")]) == 0
    assert (
        "begins to learn at step 3 of 6, and has not yet: these are no pictures; train it further"
        in capsys.readouterr().err
    )
    assert main(["page", out, "--onnx", str(page)]) == 0
    assert "no pictures; train it further" in capsys.readouterr().out
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(["sample", out, "--n", "2", "--out", str(tmp_path / "late.png")]) == 0
    assert "no pictures" not in capsys.readouterr().err


def test_minutes_stop_a_run_that_goes_on_later(tmp_path, capsys):
    arguments = [*GAN, "--steps", "30", "--save-every", "30", "--out", str(tmp_path / "a")]
    assert main([*arguments, "--minutes", "1e-9"]) == 0
    told = capsys.readouterr()
    assert "the minutes are over: stopped and saved at step 1 of 30; the same command goes on" in told.err
    assert "steps done" not in told.out
    assert main(arguments) == 0 and "30 steps done" in capsys.readouterr().out
    assert main([*arguments[:-1], str(tmp_path / "b")]) == 0
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == (
        tmp_path / "b" / "weights.safetensors"
    ).read_bytes()


def test_the_bar_of_a_terminal_moves_with_each_step(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    seen, update = [], Progress.update

    def watched(progress, step, means=None):
        update(progress, step, means)
        seen.append(progress.bar.n)

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(Progress, "update", watched)
    assert (
        main(["train", "vae", *DIGITS, "--width", "4", "--steps", "5", "--held-out", "0", "--out", str(tmp_path)]) == 0
    )
    assert seen == [1, 2, 3, 4, 5]


def test_the_first_grids_come_early(tmp_path):
    assert main([*GAN, "--steps", "210", "--save-every", "150", "--out", str(tmp_path / "a")]) == 0
    steps = sorted(int(f.stem.split("-")[1]) for f in (tmp_path / "a" / "samples").glob("step-*"))
    assert steps == [50, 100, 150, 200, 210]


def test_what_the_steps_will_take_in_words():
    said = "1.3 s a step: 20,000 steps in about 7.2 h, the next samples in 52 s; 1.2 GB of memory"
    assert expected(1.3, 20_000, 19_990, 40, 1.21) == said
    assert expected(0.021, 5_000, 4_990, 490, 1.0).startswith("21 ms a step: 5,000 steps in about 2 min, ")


def test_what_a_run_of_the_same_family_came_to_is_read_from_the_record(tmp_path):
    score = {"minutes": 14.97, "pictures": 2903, "size": 64, "fd": 25.04, "fd_floor": 10.7, "coverage": 0.85,
             "coverage_floor": 0.98}  # fmt: skip
    parts = {
        "controls": {"results": {"training pictures, blurred": [{"fd": 241.9}]}},
        "latent": {"results": {"latent": [score]}},
    }
    assert on_record(Recipe("latent", "x"), [tmp_path]) is None
    (tmp_path / "race.json").write_text(files.as_json({"parts": parts}))
    assert on_record(Recipe("latent", "x"), [tmp_path / "none", tmp_path]) == (
        "for comparison, a run on record: latent, 15 minutes of one core, 2,903 pictures of 64 pixels: in "
        "evaluate, whose many samples come out nearer than the few of a save, distance 25 "
        "(training pictures 10.7, blurred ones 242), coverage 0.85 (0.98)"
    )
    assert on_record(Recipe("gan", "x"), [tmp_path]) is None


@pytest.mark.parametrize(
    ("data", "held_out", "says"), [("folder", "8", True), ("folder", "0", False), ("digits", "8", False)]
)
def test_a_long_run_on_a_folder_says_what_one_on_record_came_to(data, held_out, says, pictures, tmp_path, capsys, slow):
    """A built-in source, or a run that measures nothing, has nothing to compare."""
    slow(Training, "advance", 20.0)
    data = [str(pictures), "--size", "16"] if data == "folder" else ["digits", "--size", "8", "--n", "60"]
    arguments = ["train", "gan", "--data", *data, "--held-out", held_out, "--width", "4", "--batch", "4"]
    assert main([*arguments, "--steps", "12", "--threads", "1", "--out", str(tmp_path / "a")]) == 0
    told = capsys.readouterr().err
    assert "20.0 s a step: " in told
    assert ("for comparison, a run on record: gan, " in told) == says


def test_saves_are_no_part_of_the_time_that_a_step_is_said_to_take(tmp_path, capsys, slow):
    slow(Training, "advance", 1.0)
    slow(run, "samples", 500.0)
    arguments = ["train", "vae", *DIGITS, "--width", "4", "--steps", "50", "--save-every", "9"]
    assert main([*arguments, "--out", str(tmp_path / "a")]) == 0
    assert "1.0 s a step: 50 steps in about 40 s, " in capsys.readouterr().err


def test_another_run_starts_from_the_weights_of_one(tmp_path, capsys):
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert main([*GAN, "--steps", "40", "--out", a]) == 0
    other = [*GAN, "--n", "50", "--lr", "1e-6", "--steps", "2"]
    assert main([*other, "--from", a, "--out", b]) == 0
    assert main([*other, "--out", c]) == 0
    wanted, near, far = (
        torch.cat([t.flatten() for name, t in sorted(files.read_weights(Path(x) / "weights.safetensors").items())
                   if "running" not in name and t.is_floating_point()])
        for x in (a, b, c)
    )  # fmt: skip
    assert (near - wanted).abs().max() < 0.1 * (far - wanted).abs().max()
    assert json.loads((Path(b) / "config.json").read_text())["begun_from"] == a
    capsys.readouterr()
    assert main([*other[:-1], "4", "--from", a, "--out", b]) == 0  # the same command goes on
    assert "going on from step 2" in capsys.readouterr().out
    assert main([*other[:-1], "6", "--out", b]) == 0
    assert main([*other[:-1], "6", "--from", c, "--out", b]) == 2
    assert f"{b} was begun from {a}, not from {c}" in capsys.readouterr().err


def test_a_folder_that_changed_is_told_the_way_on_and_the_way_works(pictures, tmp_path, capsys):
    folder, out = tmp_path / "pics", tmp_path / "a"
    folder.mkdir()
    for file in pictures.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    arguments = ["train", "vae", "--size", "16", "--width", "4", "--batch", "4", "--steps", "3", "--threads", "1"]
    assert main([*arguments, "--data", str(folder), "--out", str(out)]) == 0
    assert (
        main(
            [
                *arguments[:-4],
                "--steps",
                "4",
                "--threads",
                "1",
                "--data",
                f"{folder}/.",
                "--skip-bad",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    (folder / "00.png").unlink()
    capsys.readouterr()
    for spelled in (str(folder), f"{folder}/."):
        for more in ([], ["--skip-bad"], ["--memory", "0", "--workers", "0"]):
            assert main([*arguments, "--data", spelled, "--out", str(out), *more]) == 2
            line = capsys.readouterr().err
            assert "are not those that" in line and f"--from {out}" in line and "--data was" not in line
    assert main([*arguments, "--data", str(folder), "--from", str(out), "--out", str(tmp_path / "b")]) == 0


def test_single_files_are_written_as_they_come(tmp_path):
    """Stopped between, the files so far are there; and the first ones are the same however many are asked for."""
    assert main([*GAN, "--steps", "2", "--out", str(tmp_path / "a")]) == 0
    sample = ["sample", str(tmp_path / "a"), "--each", "--seed", "3"]
    for n in (70, 200):
        assert main([*sample, "--n", str(n), "--out", str(tmp_path / str(n))]) == 0
        assert len(list((tmp_path / str(n)).iterdir())) == n
    assert (tmp_path / "70" / "05.png").read_bytes() == (tmp_path / "200" / "005.png").read_bytes()
    process = start([*sample, "--n", "100000", "--out", str(tmp_path / "many")])
    begun(process, tmp_path / "many", "000070.png")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and errors.splitlines()[-1] == "genimg: stopped"
    assert 70 < len(list((tmp_path / "many").glob("*.png"))) < 100_000


def test_a_folder_with_any_name_where_the_terminal_is_not_utf8(tmp_path):
    out = tmp_path / "图 é"
    process = start([*GAN, "--steps", "2", "--out", str(out)], errors=None)
    process.communicate(timeout=120)
    done = subprocess.run(
        [sys.executable, "-m", "genimg", "sample", str(out), "--n", "4", "--out", str(out / "x.png")],
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8").strip() == str(out / "x.png")
