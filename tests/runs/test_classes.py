"""A run that learns classes: what is kept, what is drawn, what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from cuts import cut_at
from PIL import Image

import genimg
from genimg.__main__ import main
from genimg.runs import kept, pictures, run, sections, shown
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError

#: Name of a class -> grey level of its pictures; as many dark ones as all others together.
LEVELS = {"dark": 30, "light": 220, "middle": 128}
MANY = {"dark": 60, "light": 30, "middle": 30}
#: Options of a short run.
SHORT = ["--size", "8", "--width", "8", "--batch", "8", "--threads", "1", "--save-every", "100"]
STEPS = {"gan": 400, "vae": 300, "flow": 200}


def write(folder, name, level, i):
    noise = np.random.default_rng(i).integers(-20, 20, (8, 8))
    (folder / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray((level + noise).clip(0, 255).astype("uint8")).save(folder / name / f"{i}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("data") / "pictures"
    for name, level in LEVELS.items():
        for i in range(MANY[name]):
            write(top, name, level, i)
    return top


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """Family -> folder of a run, made when it is asked for."""
    made = {}

    def of(family):
        if family not in made:
            made[family] = tmp_path_factory.mktemp("runs") / family
            arguments = [*SHORT, "--steps", str(STEPS[family]), "--classes", "folder", "--out", str(made[family])]
            assert main(["train", family, "--data", str(folder), *arguments]) == 0
        return made[family]

    return of


def refusal(capsys, arguments):
    capsys.readouterr()  # what was printed by a training before
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def levels(path, columns=8):
    """Mean level of each row of a grid."""
    sheet = np.asarray(Image.open(path).convert("L")).astype(float)
    return [sheet[top : top + 8].reshape(8, -1)[:, : 9 * columns - 1].mean() for top in range(0, len(sheet), 9)]


@pytest.mark.parametrize("family", STEPS)
def test_a_class_that_is_asked_for_is_drawn(family, trained, tmp_path, capsys):
    out = trained(family)
    recipe = run.config(out)
    assert recipe.classes == "folder" and recipe.class_names == tuple(LEVELS) and recipe.labels
    assert "3 classes: 60 dark, 30 light and 30 middle" in (out / kept.PICTURES).read_text()
    for i, (name, level) in enumerate(LEVELS.items()):
        file = tmp_path / f"{name}.png"
        assert main(["sample", str(out), "--class", name, "--n", "16", "--out", str(file), "--last"]) == 0
        away = [abs(np.mean(levels(file)) - other) for other in LEVELS.values()]
        assert np.argmin(away) == i, (level, away)
    capsys.readouterr()
    assert main(["sample", str(out), "--class", "dark", "--n", "2"]) == 0
    assert capsys.readouterr().out.strip().endswith("samples-dark-seed-0.png")


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_grids_have_a_row_of_each_class(family, trained, tmp_path, capsys):
    out, file = trained(family), tmp_path / "grid.png"
    assert main(["sample", str(out), "--out", str(file), "--last"]) == 0
    found = levels(file)
    assert len(found) == 8
    for row, level in enumerate(found):
        assert np.argmin([abs(level - other) for other in LEVELS.values()]) == row % 3
    (last,) = sorted((out / kept.SAMPLES).glob("step-*.png"))[-1:]
    assert np.array_equal(np.asarray(Image.open(last)), np.asarray(Image.open(file)))
    assert main(["sample", str(out), "--interpolate", "--n", "3", "--out", str(tmp_path / "rows.png"), "--last"]) == 0
    assert [np.argmin([abs(row - other) for other in LEVELS.values()]) for row in levels(tmp_path / "rows.png")] == [
        0, 1, 2,
    ]  # fmt: skip
    assert kept.rows_of(torch.arange(100)).unique().tolist() == list(range(64))
    assert len(kept.rows_of(torch.arange(3), 5)) == 40
    assert kept.rows_of(torch.arange(3), 2, 7).tolist() == [0, 0, 1, 1, 2, 2, 0]


def test_what_cannot_be_drawn_is_said(trained, tmp_path, capsys):
    out = str(trained("gan"))
    said = "no such class; the nearest is light; it has dark, light, middle"
    assert said in refusal(capsys, ["sample", out, "--class", "lihgt"])
    walk = ["sample", out, "--walk", str(tmp_path / "a.gif")]
    assert "goes through one: --class names it" in refusal(capsys, walk)
    assert main([*walk, "--class", "light", "--n", "2", "--seconds", "0.2"]) == 0
    frames = Image.open(tmp_path / "a.gif")
    for i in range(frames.n_frames):
        frames.seek(i)
        assert abs(np.asarray(frames.convert("L")).mean() - LEVELS["light"]) < 45
    plain = tmp_path / "plain"
    assert main(["train", "vae", "--data", "digits", *SHORT, "--steps", "2", "--n", "40", "--out", str(plain)]) == 0
    capsys.readouterr()
    assert "was trained without classes; train --classes folder" in refusal(
        capsys, ["sample", str(plain), "--class", "1"]
    )


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_what_a_page_draws_is_of_the_class_asked_for(family, trained):
    model, recipe = run.load(trained(family))
    z = model.noise_for(4, 0)
    every = shown.network_of(model, recipe)
    assert every.classes == ("dark", "light", "middle")
    for label in range(3):
        drawn = shown.network_of(model, recipe, label).parts["picture"][0](z)
        assert torch.allclose(drawn, model.sample(z=z, labels=label), atol=1e-5)
        assert torch.allclose(drawn, every.parts["picture"][0](z, torch.full((4,), float(label))), atol=1e-5)
        assert not torch.allclose(drawn, model.sample(z=z, labels=(label + 1) % 3), atol=0.1)


def test_the_same_command_goes_on_and_other_labels_do_not(trained, folder, tmp_path, capsys):
    out, data = tmp_path / "a", tmp_path / "pictures"
    shutil.copytree(trained("gan"), out)
    shutil.copytree(folder, data)
    arguments = ["train", "gan", "--data", str(data), *SHORT, "--steps", "402", "--out", str(out)]
    assert main([*arguments, "--classes", "folder"]) == 0
    capsys.readouterr()
    assert "--classes was folder, is None" in refusal(capsys, arguments)
    rows = {f"{name}/{i}.png": name for name in LEVELS for i in range(MANY[name])}
    table = tmp_path / "labels.csv"
    table.write_text("".join(f"{file},{label}\n" for file, label in rows.items()))
    assert main([*arguments, "--classes", str(table)]) == 0  # the same labels from elsewhere
    capsys.readouterr()
    rows["dark/0.png"] = "light"
    table.write_text("".join(f"{file},{label}\n" for file, label in rows.items()))
    assert "are not those that" in refusal(capsys, [*arguments, "--classes", str(table)])


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_run_cut_in_two_ends_as_one_that_was_not(family, folder, tmp_path, monkeypatch):
    arguments = ["train", family, "--data", str(folder), *SHORT, "--steps", "6", "--classes", "folder", "--out"]
    assert main([*arguments, str(tmp_path / "whole")]) == 0
    cut_at(4, [*arguments, str(tmp_path / "cut")], monkeypatch)
    assert main([*arguments, str(tmp_path / "cut")]) == 0
    assert (tmp_path / "whole" / kept.WEIGHTS).read_bytes() == (tmp_path / "cut" / kept.WEIGHTS).read_bytes()


def test_labels_go_with_their_pictures_into_both_parts(folder):
    recipe = Recipe("gan", str(folder), size=8, classes="folder").complete()
    for memory in (None, 0):
        images, found = pictures.load_pictures(recipe, memory=memory)
        assert found.class_names == tuple(LEVELS)
        for part in pictures.parted(images, found):
            pixels = part.pixels_of(range(len(part))) if memory == 0 else part.pixels
            away = (pixels.float().mean((1, 2, 3))[:, None] - torch.tensor([*LEVELS.values()])).abs()
            assert torch.equal(away.argmin(1), part.labels)


def test_built_in_sources_have_labels_of_their_own(tmp_path):
    recipe = Recipe("flow", "digits", size=16, n=100, classes="folder").complete()
    _, found = pictures.load_pictures(recipe)
    assert found.class_names == tuple("0123456789") and found.build().classes == 10
    assert (
        Recipe("latent", "digits", size=16, classes="folder", class_names=("a", "b"), channels=1)
        .complete()
        .build()
        .classes
        == 2
    )
    for family in ("gan", "vae"):
        with pytest.raises(RunError, match=f"--classes folder: text {family} has no such setting"):
            Recipe(family, "digits", size=16, classes="folder", networks="text").complete()


def test_a_folder_without_subfolders_is_one_line(folder, tmp_path, capsys):
    arguments = ["train", "gan", "--data", str(folder / "dark"), *SHORT, "--classes", "folder"]
    line = refusal(capsys, [*arguments, "--out", str(tmp_path / "a")])
    assert "60 of 60 pictures lie in no subfolder of " in line and not (tmp_path / "a").exists()


@pytest.mark.parametrize("family", ["vae", "flow"])
def test_it_is_evaluated_as_any_other(family, trained, capsys):
    out = str(trained(family))
    capsys.readouterr()
    assert main(["evaluate", out, "--n", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] and found["bits_per_dim"] is not None and found["seen"] == []


def test_from_python_and_in_words(trained, folder, tmp_path):
    short = dict(size=8, width=8, batch=8, steps=2, echo=lambda line: None)
    model = genimg.train(folder, "vae", tmp_path / "a", classes="folder", **short)
    assert model.classes == 3 and model.sample(2, seed=0, labels=1).shape == (2, 1, 8, 8)
    model = genimg.load(trained("flow"))
    assert model.classes == 3 and model.sample(2, seed=0, labels=1).shape == (2, 1, 8, 8)
    recipe = run.config(trained("gan"))
    assert sections.train_line(recipe)[-2:] != [] and "--classes" in sections.train_line(recipe)
    assert not {"--class-names", "--labels"} & set(sections.train_line(recipe))
