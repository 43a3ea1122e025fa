"""Hostile arguments, recipes, checkpoints and weights: one line that tells a way out and exit code 2, nothing lost.

Hostile pictures are in test_folder.py.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load, save

from genimg.__main__ import main
from genimg.system import files
from genimg.training.step import Stepper

RUN = ["train", "gan", "--data", "digits", "--size", "8", "--width", "4", "--n", "100", "--batch", "8"]
MORE = [*RUN, "--steps", "20", "--out", "run", "--threads", "1"]
NEW = [*RUN, "--steps", "4", "--out", "new", "--threads", "1"]
VAE = ["train", "vae", *NEW[2:]]
SAMPLE = ["sample", "run", "--n", "4", "--out", "grid.png"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    assert main([*RUN, "--steps", "12", "--save-every", "6", "--out", str(out), "--threads", "1"]) == 0
    return out


@pytest.fixture
def here(finished, tmp_path, monkeypatch):
    """A working folder with a finished run in run/, a picture, a folder of one picture and an empty one."""
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (20, 20), "red").save(tmp_path / "one" / "red.png")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine.png").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder):
    """Every file's bytes, and every folder; an empty lock is no loss."""
    return {
        f.relative_to(folder).as_posix(): f.read_bytes() if f.is_file() else None
        for f in sorted(folder.rglob("*"))
        if f.name != ".lock"
    }


def told(arguments, capsys):
    """Exit code and the lines on stderr of a command run in this process."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    return code, [line for line in capsys.readouterr().err.splitlines() if line.strip()]


def assert_refused(arguments, words, folder, capsys):
    before = snapshot(folder)
    code, errors = told(arguments, capsys)
    assert code == 2, errors
    assert len(errors) == 1, errors
    assert errors[0].startswith("genimg")
    missing = [word for word in words if word not in errors[0]]
    assert not missing, errors[0]
    assert snapshot(folder) == before


def with_(arguments, *changes):
    """The last of two equal options counts."""
    return [*arguments, *changes]


ARGUMENTS = {
    "size 0": (with_(NEW, "--size", "0"), ["--size 0", "a multiple of 8 from 8 to 512"]),
    "size -1": (with_(NEW, "--size", "-1"), ["--size -1", "a multiple of 8 from 8 to 512"]),
    "size 7": (with_(NEW, "--size", "7"), ["--size 7", "a multiple of 8 from 8 to 512"]),
    "size 33": (with_(NEW, "--size", "33"), ["--size 33", "a multiple of 8 from 8 to 512"]),
    "size huge": (with_(NEW, "--size", str(10**9)), ["a multiple of 8 from 8 to 512"]),
    "size nan": (with_(NEW, "--size", "nan"), ["'nan' is no size", "a multiple of 8 from 8 to 512", "--help"]),
    "size of one side": (with_(NEW, "--size", "96x"), ["'96x' is no size", "--help"]),
    "sizes that are none": (with_(NEW, "--size", "100x60"), ["--size 100x60", "the nearest: 96x56 or 104x64"]),
    "sizes of squares": (with_(NEW, "--size", "16x8"), ["size=(8, 16)", "digits are squares"]),
    "sizes of text's networks": (
        with_(NEW, "--networks", "text", "--size", "64x32"),
        ["--size 64x32", "one of 32, 64"],
    ),
    "size of text's networks": (with_(NEW, "--networks", "text", "--size", "16"), ["--size 16", "one of 32, 64"]),
    "steps 0": (with_(NEW, "--steps", "0"), ["--steps 0", "from 1"]),
    "steps -5": (with_(NEW, "--steps", "-5"), ["--steps -5", "from 1"]),
    "steps 1e3": (with_(NEW, "--steps", "1e3"), ["invalid int value", "--help"]),
    "steps huge": (with_(NEW, "--steps", str(10**12)), ["1,000,000,000"]),
    "batch 0": (with_(NEW, "--batch", "0"), ["--batch 0", "from 2"]),
    "batch 1": (with_(NEW, "--batch", "1"), ["--batch 1", "from 2"]),
    "batch -1": (with_(NEW, "--batch", "-1"), ["--batch -1", "from 2"]),
    "batch huge": (with_(NEW, "--batch", str(10**9)), ["65,536"]),
    "lr 0": (with_(NEW, "--lr", "0"), ["above 0"]),
    "lr -1": (with_(NEW, "--lr=-1"), ["above 0"]),
    "lr nan": (with_(NEW, "--lr", "nan"), ["above 0"]),
    "lr inf": (with_(NEW, "--lr", "inf"), ["above 0"]),
    "lr text": (with_(NEW, "--lr", "fast"), ["invalid float value", "--help"]),
    "r1 -1": (with_(NEW, "--r1=-1"), ["from 0"]),
    "r1 nan": (with_(NEW, "--r1", "nan"), ["from 0"]),
    "sigma 0": (with_(VAE, "--sigma", "0"), ["optimal or a number above 0"]),
    "sigma nan": (with_(VAE, "--sigma", "nan"), ["optimal or a number above 0"]),
    "sigma text": (with_(VAE, "--sigma", "learned"), ["--sigma", "--help"]),
    "beta -1": (with_(VAE, "--beta=-1"), ["from 0"]),
    "held-out -1": (with_(NEW, "--held-out=-1"), ["--held-out -1", "0 for none"]),
    "held-out too many": (with_(NEW, "--held-out", "34"), ["--held-out 34", "a third at most, 33"]),
    "patience 0": (with_(NEW, "--patience", "0"), ["--patience 0", "at least 1"]),
    "patience, none held out": (with_(NEW, "--patience", "2", "--held-out", "0"), ["--patience 2", "held out"]),
    "held-out otherwise": (with_(MORE, "--held-out", "5"), ["--held-out was 33, is 5"]),
    "seed -1": (with_(NEW, "--seed=-1"), ["from 0"]),
    "seed huge": (with_(NEW, "--seed", str(10**30)), ["2,147,483,648"]),
    "width 0": (with_(NEW, "--width", "0"), ["from 4"]),
    "width huge": (with_(NEW, "--width", str(10**9)), ["1,024"]),
    "z-dim 0": (with_(NEW, "--z-dim", "0"), ["from 1"]),
    "z-dim of a flow": (
        ["train", "flow", *with_(NEW, "--z-dim", "8")[2:]],
        ["--z-dim is an option of train gan and"],
    ),
    "text's flow": (
        ["train", "flow", *with_(NEW, "--networks", "text")[2:]],
        ["an option of train gan and train vae"],
    ),
    "minutes 0": (with_(NEW, "--minutes", "0"), ["--minutes 0", "above 0"]),
    "minutes nan": (with_(NEW, "--minutes", "nan"), ["--minutes nan", "above 0"]),
    "from nowhere": (with_(NEW, "--from", "nowhere"), ["nowhere/checkpoint.pt is not there"]),
    "from other networks": (with_(NEW, "--from", "run", "--width", "8"), ["--from run", "--width"]),
    "from another family": (with_(VAE, "--from", "run"), ["--from run", "family"]),
    "from another than before": (with_(MORE, "--from", "one"), ["run was begun from nothing, not from one"]),
    "words of others": (with_(NEW, "--epochs", "3"), ["--steps counts batches"]),
    "option of sample": (with_(SAMPLE, "--batch", "3"), ["unrecognized arguments of sample", "genimg sample --help"]),
    "typing error": (with_(NEW, "--stpes", "3"), ["--stpes 3; the nearest is --steps", "genimg train gan --help"]),
    "size half": (with_(NEW, "--size", "64x"), ["(python -m genimg train gan --help tells more)"]),
    "norm of text's networks": (
        with_(NEW, "--networks", "text", "--size", "32", "--norm", "group"),
        ["text gan has no"],
    ),
    "n 0": (with_(NEW, "--n", "0"), ["at least 1"]),
    "n -1": (with_(NEW, "--n=-1"), ["at least 1"]),
    "n 1": (with_(NEW, "--n", "1"), ["one picture", "needs more"]),
    "family": (["train", "diffusion", *NEW[2:]], ["choose from", "gan", "vae", "--help"]),
    "no family": (["train"], ["family", "--help"]),
    "no command": ([], ["command", "--help"]),
    "loss": (with_(NEW, "--loss", "best"), ["one of minimax", "relativistic"]),
    "networks": (with_(NEW, "--networks", "mine"), ["one of book, text"]),
    "norm": (with_(NEW, "--norm", "layer"), ["one of batch, group"]),
    "precision": (with_(NEW, "--precision", "float8"), ["choose from", "--help"]),
    "augment": (with_(NEW, "--diff-augment", "cutout", "shear"), ["some of", "translation"]),
    "augment empty": (with_(NEW, "--diff-augment", ""), ["some of", "translation"]),
    "background": (with_(NEW, "--data", "one", "--background", "whitish"), ["is no colour", "#rrggbb"]),
    "fit": (with_(NEW, "--data", "one", "--fit", "squeeze"), ["there are crop, pad"]),
    "background of no folder": (with_(NEW, "--background", "red"), ["are for folders"]),
    "device": (with_(NEW, "--device", "toaster"), ["--device toaster", "is not to be had here"]),
    "device without storage": (with_(NEW, "--device", "meta"), ["--device meta", "is not to be had here"]),
    "device empty": (with_(NEW, "--device", ""), ["--device", "is not to be had here"]),
    "device far": (with_(NEW, "--device", "cuda:99"), ["--device cuda:99", "is not to be had here"]),
    "threads 0": (with_(NEW, "--threads", "0"), ["at least 1"]),
    "save-every 0": (with_(NEW, "--save-every", "0"), ["at least 1"]),
    "workers -1": (with_(NEW, "--workers=-1"), ["at least 0"]),
    "memory nan": (with_(NEW, "--memory", "nan"), ["--memory nan", "at least 0"]),
    "memory inf": (with_(NEW, "--memory", "inf"), ["--memory inf", "at least 0"]),
    "memory -1": (with_(NEW, "--memory=-1"), ["--memory -1", "at least 0"]),
    "data unknown": (with_(NEW, "--data", "nowhere"), ["neither a folder nor one of digits"]),
    "data empty": (with_(NEW, "--data", ""), ["a folder or the name of a source"]),
    "data a file": (with_(NEW, "--data", "mine.png"), ["neither a folder nor one of digits"]),
    "data far too long": (with_(NEW, "--data", "x" * 5000), ["neither a folder nor one of digits"]),
    "data an empty folder": (with_(NEW, "--data", "empty"), ["no pictures in empty", "looked for .png"]),
    "data of two meanings": (
        with_(NEW, "--data", "photos"),
        ["'./photos' is the folder", "'genimg:photos' the source"],
    ),
    "evaluate, two meanings": (["evaluate", "run", "--data", "photos"], ["'./photos' is the folder"]),
    "channels 2": (with_(NEW, "--channels", "2"), ["--channels 2", "1, 3 or 4"]),
    "channels of digits": (with_(NEW, "--channels", "3"), ["--channels 3", "only folders"]),
    "white 0": (with_(NEW, "--white", "0"), ["--white 0", "above 0"]),
    "white of digits": (with_(NEW, "--white", "4095"), ["--white are for folders"]),
    "data one picture": (with_(NEW, "--data", "one"), ["one picture", "needs more"]),
    "data missing": (["train", "gan", "--out", "new"], ["--data", "--help"]),
    "out missing": (["train", "gan", "--data", "digits"], ["--out", "--help"]),
    "out empty": (with_(NEW, "--out", ""), ["--out"]),
    "out a file": (with_(NEW, "--out", "file"), ["--out file"]),
    "out below a file": (with_(NEW, "--out", "file/a/b"), ["--out file/a/b"]),
    "out far too long": (with_(NEW, "--out", "x" * 5000), ["name too long", "choose another"]),
    "unknown option": (with_(NEW, "--learning-rate", "1"), ["--learning-rate", "--help"]),
    "abbreviated option": (with_(NEW, "--see", "1"), ["--see", "--help"]),
    "newlines": (with_(NEW, "--loss", "a\nb\n"), ["one of minimax"]),
    "sample of nothing": (["sample", "nowhere"], ["is no run of genimg", "config.json"]),
    "sample of a file": (["sample", "file"], ["is no run of genimg", "config.json"]),
    "sample, far too long": (["sample", "x" * 5000], ["name too long"]),
    "sample 0": (with_(SAMPLE, "--n", "0"), ["from 1 to 100,000"]),
    "sample -3": (with_(SAMPLE, "--n=-3"), ["from 1 to 100,000"]),
    "sample 10^9": (with_(SAMPLE, "--n", str(10**9)), ["from 1 to 100,000"]),
    "sample, columns 0": (with_(SAMPLE, "--columns", "0"), ["from 1 to 100,000"]),
    "sample, seed huge": (with_(SAMPLE, "--seed", str(10**30)), ["--seed", "from 0"]),
    "sample, seed -1": (with_(SAMPLE, "--seed=-1"), ["--seed", "from 0"]),
    "sample to a .txt": (with_(SAMPLE, "--out", "grid.txt"), ["written as .png", "--each"]),
    "sample onto a file": (with_(SAMPLE, "--out", "mine.png"), ["--overwrite", "--out names another"]),
    "sample, a file as folder": (with_(SAMPLE, "--each", "--out", "file", "--overwrite"), ["cannot be written"]),
    "sample onto a folder": (with_(SAMPLE, "--out", "run", "--overwrite"), ["--out run"]),
    "sample below a file": (with_(SAMPLE, "--out", "file/grid.png"), ["cannot be written"]),
    "sample, both": (with_(SAMPLE, "--walk", "a.gif", "--interpolate"), ["not allowed with", "--help"]),
    "sample, scale 0": (with_(SAMPLE, "--scale", "0"), ["--scale 0", "from 1 to 64"]),
    "evaluate nothing": (["evaluate", "nowhere"], ["is no run of genimg"]),
    "evaluate 0": (["evaluate", "run", "--n", "0"], ["from 1 to 100,000"]),
    "evaluate, other data": (["evaluate", "run", "--data", "nowhere"], ["neither a folder nor one of digits"]),
    "evaluate, colour": (["evaluate", "run", "--data", "shapes"], ["3 channels, the run 1"]),
    "evaluate, few": (["evaluate", "run", "--n", "5"], ["5 pictures are too few", "--features none"]),
    "evaluate, features": (["evaluate", "run", "--features", "mine"], ["no features for 'mine'", "inception"]),
    "evaluate, others' features": (["evaluate", "run", "--features", "shapes"], ["C = 3"]),
    "sample, solver 0": (with_(SAMPLE, "--solver-steps", "0"), ["--solver-steps", "from 1 to 100,000"]),
    "record, seconds": (["record", "families", "--seconds", "0"], ["--seconds 0", "above 0"]),
    "evaluate, seed -1": (["evaluate", "run", "--seed=-1"], ["--seed", "from 0"]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_hostile_arguments(name, here, capsys):
    arguments, words = ARGUMENTS[name]
    assert_refused(arguments, words, here, capsys)


def changed(**values):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | values))


def without(key):
    return lambda path: path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != key}))


CONFIGS = {
    "empty": (lambda p: p.write_text(""), ["config.json is not a JSON file"]),
    "not JSON": (lambda p: p.write_text("size: 8"), ["config.json is not a JSON file"]),
    "not text": (lambda p: p.write_bytes(os.urandom(500)), ["config.json is not a JSON file"]),
    "cut": (lambda p: p.write_text(p.read_text()[:50]), ["config.json is not a JSON file"]),
    "list": (lambda p: p.write_text("[]"), ["config.json", "no run's recipe"]),
    "number": (lambda p: p.write_text("3"), ["config.json", "no run's recipe"]),
    "nested deeply": (lambda p: p.write_text("[" * 200_000), ["config.json is not a JSON file"]),
    "long number": (lambda p: p.write_text("9" * 10_000), ["config.json"]),
    "no keys": (lambda p: p.write_text("{}"), ["config.json", "no run's recipe"]),
    "unknown key": (changed(command="rm"), ["it has command, which this genimg does not know", "update it"]),
    "missing key": (without("width"), ["config.json: --width None"]),
    "no family": (without("family"), ["config.json", "names no family"]),
    "width a word": (changed(width="wide"), ["config.json: --width wide"]),
    "width none": (changed(width=None), ["config.json: --width None"]),
    "size a list": (changed(size=[8]), ["config.json: --size [8]"]),
    "size true": (changed(size=True), ["config.json: --size True"]),
    "family a list": (changed(family=["gan"]), ["config.json"]),
    "loss a map": (changed(loss={}), ["config.json", "wrong kind"]),
    "augment a word": (changed(diff_augment="cutout"), ["config.json: --diff-augment cutout"]),
    "augment of lists": (changed(diff_augment=[[]]), ["config.json", "wrong kind"]),
    "lr NaN": (changed(lr=float("nan")), ["config.json: --lr nan"]),
    "background a number": (changed(background=3), ["config.json"]),
    "fingerprint a number": (changed(fingerprint=3), ["config.json"]),
    "data a number": (changed(data=3), ["config.json: --data 3"]),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), ["config.json cannot be read (Is a directory)"]),
}


@pytest.mark.parametrize("command", ["train", "sample"])
@pytest.mark.parametrize("name", CONFIGS)
def test_hostile_configs(name, command, here, capsys):
    change, words = CONFIGS[name]
    change(here / "run" / "config.json")
    assert_refused(MORE if command == "train" else SAMPLE, words, here, capsys)


YOUNG = (
    "white",
    "classes",
    "class_names",
    "captions",
    "vocabulary",
    "words",
    "length",
    "labels",
    "begun_from",
    "mirror",
)


def test_a_run_of_before_there_was_a_setting_goes_on(here, capsys):
    config = here / "run" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({name: value for name, value in values.items() if name not in YOUNG}))
    assert main(SAMPLE) == 0 and main(["evaluate", "run", "--n", "8"]) == 0 and main(MORE) == 0
    assert json.loads(config.read_text()) == values | {"steps": 20}


def test_a_run_with_other_settings_is_told_how_its_weights_serve(here, capsys):
    without("held_out")(here / "run" / "config.json")
    assert_refused(MORE, ["--held-out was None", "--from run"], here, capsys)
    assert main([*NEW, "--from", "run"]) == 0


class Evil:
    """Unpickled, it makes a folder."""

    def __reduce__(self):
        return (os.mkdir, ("the-code-ran",))


def cut(share):
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def flip(path):
    """One bit in the middle of the largest tensor: between the tensors are bytes that nobody reads."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 16
    path.write_bytes(content)


def stored(change):
    """Change the parsed checkpoint."""

    def call(path):
        content = files.read_tensors(path)
        new = change(content)
        torch.save(content if new is None else new, path)

    return call


def poison(content):
    next(iter(content["training"]["model"].values())).flatten()[0] = float("nan")


def drop(key):
    return stored(lambda content: content["training"].__delitem__(key))


def swap(key, value):
    return stored(lambda content: content["training"].update({key: value}))


def other_model(path):
    main([*RUN, "--width", "8", "--steps", "2", "--out", "other", "--threads", "1"])
    shutil.copy("other/checkpoint.pt", path)


KEPT = ["checkpoint.previous.pt, the one before, is kept", "rename it to checkpoint.pt"]
FOREIGN = ["does not belong to this run"]
CHECKPOINTS = {
    "cut at 1 %": (cut(0.01), KEPT),
    "cut at half": (cut(0.5), KEPT),
    "cut by a byte": (lambda p: p.write_bytes(p.read_bytes()[:-1]), KEPT),
    "empty": (lambda p: p.write_bytes(b""), KEPT),
    "zeros": (lambda p: p.write_bytes(bytes(p.stat().st_size)), KEPT),
    "random bytes": (lambda p: p.write_bytes(os.urandom(3000)), KEPT),
    "a picture": (lambda p: Image.new("RGB", (9, 9)).save(p, "PNG"), KEPT),
    "one bit flipped": (flip, ["checksum", *KEPT]),
    "a zip of something else": (lambda p: shutil.move(shutil.make_archive("z", "zip", "one"), p), KEPT),
    "another format": (stored(lambda c: c | {"format": "genimg checkpoint 0"}), ["of this version", *KEPT]),
    "a tensor": (stored(lambda c: torch.zeros(3)), ["of this version", *KEPT]),
    "a list": (stored(lambda c: [c]), ["of this version", *KEPT]),
    "no training in it": (stored(lambda c: {"format": c["format"]}), FOREIGN),
    "another model": (other_model, FOREIGN),
    "NaN weights": (stored(poison), ["not finite", *KEPT]),
    "no optimisers": (drop("optimisers"), FOREIGN),
    "no generator": (drop("random"), FOREIGN),
    "no window": (drop("window"), FOREIGN),
    "a generator of zeros": (swap("random", torch.zeros(3, dtype=torch.uint8)), FOREIGN),
    "a step of text": (swap("step", "12"), FOREIGN),
    "a step below 0": (swap("step", -1), FOREIGN),
    "a step beyond": (swap("step", 10**6), FOREIGN),
    "model a list": (swap("model", [1]), FOREIGN),
    "history of text": (swap("history", {"values": "x", "steps": 3}), FOREIGN),
    "optimisers of none": (swap("optimisers", None), FOREIGN),
    "a pickle": (lambda p: p.write_bytes(pickle.dumps(Evil(), 2)), KEPT),
    "a zip with a pickle": (lambda p: torch.save(Evil(), p), ["nothing in it was run", *KEPT]),
    "old torch format": (lambda p: torch.save(Evil(), p, _use_new_zipfile_serialization=False), KEPT),
    "code among tensors": (stored(lambda c: c | {"note": Evil()}), ["nothing in it was run", *KEPT]),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), KEPT),
    "a device": (lambda p: (p.unlink(), p.symlink_to("/dev/zero")), KEPT),
    "a pipe": (lambda p: (p.unlink(), os.mkfifo(p)), KEPT),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_hostile_checkpoints(name, here, capsys):
    change, words = CHECKPOINTS[name]
    change(here / "run" / "checkpoint.pt")
    assert_refused(MORE, ["checkpoint.pt", *words], here, capsys)
    assert not (here / "the-code-ran").exists()


def test_the_way_out_of_a_broken_checkpoint_works(here, finished, tmp_path):
    (here / "run" / "checkpoint.pt").write_bytes(b"broken")
    shutil.move("run/checkpoint.previous.pt", "run/checkpoint.pt")
    assert main(MORE[:-2]) == 0
    assert main([*RUN, "--steps", "12", "--out", "alone"]) == 0
    assert main([*RUN, "--steps", "20", "--out", "alone"]) == 0


def test_only_the_checkpoint_before_is_there(here, finished, capsys):
    """As after a kill between the two renames of a save: handled."""
    (here / "run" / "checkpoint.pt").unlink()
    assert main([*RUN, "--steps", "12", "--out", "run", "--threads", "1"]) == 0
    assert "going on from step 6" in capsys.readouterr().out
    for name in ("weights.safetensors", "history.csv"):
        assert (here / "run" / name).read_bytes() == (finished / name).read_bytes()


def test_only_a_broken_checkpoint_before_is_there(here, capsys):
    (here / "run" / "checkpoint.pt").unlink()
    (here / "run" / "checkpoint.previous.pt").write_bytes(b"x")
    assert_refused(MORE, ["checkpoint.previous.pt", "choose another --out"], here, capsys)


def tensors(change):
    def call(path):
        content = {name: t.clone() for name, t in load(path.read_bytes()).items()}
        change(content)
        path.write_bytes(save(content))

    return call


NAME = "average.generator.last.bias"
WEIGHTS = {
    "empty": (lambda p: p.write_bytes(b""), ["half-written or not a safetensors file"]),
    "cut": (cut(0.5), ["half-written or not a safetensors file"]),
    "header cut": (cut(0.002), ["half-written or not a safetensors file"]),
    "header of 2^64": (
        lambda p: p.write_bytes(b"\xff" * 8 + p.read_bytes()[8:]),
        ["half-written or not a safetensors file"],
    ),
    "random bytes": (lambda p: p.write_bytes(os.urandom(3000)), ["half-written or not a safetensors file"]),
    "a pickle": (lambda p: p.write_bytes(pickle.dumps(Evil(), 2)), ["half-written or not a safetensors file"]),
    "a checkpoint": (lambda p: shutil.copy("run/checkpoint.pt", p), ["half-written or not a safetensors file"]),
    "NaN": (tensors(lambda t: t[NAME].fill_(float("nan"))), ["not finite", NAME]),
    "infinity": (tensors(lambda t: t[NAME].fill_(float("inf"))), ["not finite", NAME]),
    "missing": (tensors(lambda t: t.pop(NAME)), ["does not belong to", NAME]),
    "more": (tensors(lambda t: t.update(other=torch.zeros(2))), ["does not belong to", "other"]),
    "none": (tensors(lambda t: t.clear()), ["does not belong to"]),
    "a shape": (tensors(lambda t: t.update({NAME: torch.zeros(7)})), ["does not belong to", NAME]),
    "gone": (lambda p: p.unlink(), ["has no weights.safetensors yet", "train it further"]),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), ["cannot be read (Is a directory)"]),
}


@pytest.mark.parametrize("file", ["weights.safetensors", "best.safetensors"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_hostile_weights(name, file, here, capsys):
    change, words = WEIGHTS[name]
    if name == "gone":
        (here / "run" / "best.safetensors").unlink()
        file = "weights.safetensors"
    change(here / "run" / file)
    assert_refused([*SAMPLE, *(["--last"] if file == "weights.safetensors" else [])], words, here, capsys)
    assert not (here / "the-code-ran").exists()


def test_divergence_never_overwrites_the_last_good_checkpoint(here, monkeypatch, capsys):
    """Losses are read back every 50 steps, saves may come sooner."""
    step = Stepper.step

    def poisoned(stepper, *batch, **players):
        if stepper.steps == 14:
            with torch.no_grad():
                stepper.model.generator.last.bias.fill_(float("nan"))
        return step(stepper, *batch, **players)

    monkeypatch.setattr(Stepper, "step", poisoned)
    before = (here / "run" / "weights.safetensors").read_bytes()
    code, errors = told([*MORE, "--save-every", "2"], capsys)
    assert code == 2
    assert "finite" in errors[-1] and "learning rate" in errors[-1]
    state = files.read_tensors(Path("run/checkpoint.pt"))["training"]
    assert state["step"] == 14
    files.check_finite(state["model"], "checkpoint.pt")
    assert (here / "run" / "weights.safetensors").read_bytes() != before
    files.check_finite(files.read_weights(Path("run/weights.safetensors")), "weights")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert main(MORE) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (with_(NEW, "--lr", "nan"), "above 0"),
        (["sample", "nowhere"], "is no run of genimg"),
        (["train"], "--help"),
    ],
)
def test_as_a_process_too(arguments, words, here):
    done = subprocess.run([sys.executable, "-m", "genimg", *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
    assert not done.stdout
