"""A run that is told captions: it draws what is asked for, keeps its words, and refuses what it cannot do."""

import json
import shutil

import numpy as np
import pytest
from cuts import cut_at
from PIL import Image

import genimg
from genimg.__main__ import main
from genimg.runs import kept, run
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError

#: What the pictures' names say of their paper.
WORDS = ("dark", "grey", "light")
MANY = 120
#: Options of a run, and of one that is so short that nothing is measured.
SMALL = [
    "--size",
    "8",
    "--width",
    "4",
    "--z-dim",
    "2",
    "--batch",
    "8",
    "--lr",
    "3e-3",
    "--beta",
    "0.1",
    "--threads",
    "1",
]
SHORT = [*SMALL, "--steps", "4", "--held-out", "0", "--captions"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("data") / "papers"
    top.mkdir()
    for i in range(MANY):
        noise = np.random.default_rng(i).integers(-4, 5, (8, 8))
        Image.fromarray((40 + 85 * (i % 3) + noise).astype("uint8")).save(top / f"{WORDS[i % 3]}_Paper-{i}.png")
    return top


def table(folder, path, shift=0):
    """The captions as a table, each picture's own or that of one `shift` pictures further."""
    files = sorted(file.name for file in folder.iterdir())
    said = [file.split("-")[0].replace("_", " ") for file in files]
    path.write_text("".join(f'{file},"{said[(i + shift) % MANY]}"\n' for i, file in enumerate(files)))
    return path


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A run of a few steps."""
    out = tmp_path_factory.mktemp("runs") / "a"
    arguments = ["--steps", "4", "--held-out", "8", "--captions", "names", "--out", str(out)]
    assert main(["train", "latent", "--data", str(folder), *SMALL, *arguments]) == 0
    return out


def refusal(capsys, arguments):
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_was_read_is_kept_and_said(trained, tmp_path, capsys):
    recipe = run.config(trained)
    assert recipe.captions == "names" and recipe.words == ("paper", "dark", "grey", "light") and recipe.length == 2
    account = (trained / kept.PICTURES).read_text()
    assert "120 captions, 124 different words, 4 kept: 120 paper, 40 dark, 40 grey, 40 light" in account
    rows = (trained / kept.CAPTIONS).read_text().splitlines()
    assert len(rows) == 8 and set(rows) == {f"{word} paper" for word in WORDS}
    file = tmp_path / "grid.png"
    capsys.readouterr()
    assert main(["sample", str(trained), "--out", str(file), "--last"]) == 0
    assert f"rows: {'; '.join(rows[:3])}\n" in capsys.readouterr().err
    (last,) = sorted((trained / kept.SAMPLES).glob("step-*.png"))[-1:]
    assert np.array_equal(np.asarray(Image.open(last)), np.asarray(Image.open(file)))


def test_what_cannot_be_drawn_is_said(trained, tmp_path, capsys):
    out = str(trained)
    line = refusal(capsys, ["sample", out, "--caption", "drak papr"])
    assert "no word 'drak' (the nearest is 'dark'), 'papr' (the nearest is 'paper')" in line
    assert "3 words; its longest caption has 2" in refusal(capsys, ["sample", out, "--caption", "dark dark paper"])
    assert "--guidance nan" in refusal(capsys, ["sample", out, "--guidance", "nan"])
    assert "trained with captions; --caption" in refusal(capsys, ["sample", out, "--class", "dark"])
    walk = ["sample", out, "--walk", str(tmp_path / "a.gif")]
    assert "which has captions, goes through one: --caption names it" in refusal(capsys, walk)
    plain = tmp_path / "plain"
    assert main(["train", "vae", "--data", "digits", *SMALL, "--steps", "2", "--n", "40", "--out", str(plain)]) == 0
    for option in (["--caption", "dark"], ["--guidance", "2"]):
        assert f"{' '.join(option)}" in refusal(capsys, ["sample", str(plain), *option])
    assert main(["sample", out, "--caption", "", "--n", "2"]) == 0  # no sentence in particular
    assert main(["sample", out, "--caption", "dark", "--n", "2", "--guidance", "1"]) == 0
    assert capsys.readouterr().out.strip().endswith("samples-dark-seed-0.png")


def test_what_cannot_be_trained_is_said(folder, tmp_path, capsys):
    arguments = ["--data", str(folder), "--captions", "names", "--out", str(tmp_path / "a")]
    latent = ["train", "latent", *arguments]
    assert "--captions and --classes at once" in refusal(capsys, [*latent, "--classes", "folder"])
    assert "its caption says left" in refusal(capsys, [*latent, "--mirror"])
    assert "captions are of a folder's files" in refusal(capsys, [*latent, "--data", "digits"])
    assert "--vocabulary 0: it has to be a whole number from 1" in refusal(capsys, [*latent, "--vocabulary", "0"])
    with pytest.raises(SystemExit):
        main(["train", "gan", *arguments])
    assert "--captions is an option of train latent, train gan has none" in capsys.readouterr().err
    with pytest.raises(RunError, match="--captions names: book gan has no such setting"):
        genimg.train(folder, "gan", tmp_path / "a", captions="names")
    with pytest.raises(RunError, match="--vocabulary 5: it has to be left out: there are no captions"):
        Recipe("latent", "x", vocabulary=5).complete()
    assert not (tmp_path / "a").exists()


def test_a_run_cut_in_two_ends_as_one_that_was_not_and_as_one_from_python(folder, tmp_path, monkeypatch):
    arguments = ["train", "latent", "--data", str(folder), *SHORT, "names", "--out"]
    assert main([*arguments, str(tmp_path / "whole")]) == 0
    cut_at(3, [*arguments, str(tmp_path / "cut")], monkeypatch)
    assert main([*arguments, str(tmp_path / "cut")]) == 0
    settings = dict(size=8, width=4, z_dim=2, batch=8, lr=3e-3, beta=0.1, steps=4, held_out=0, captions="names")
    model = genimg.train(folder, out=tmp_path / "python", echo=lambda line: None, **settings)
    weights = {name: (tmp_path / name / kept.WEIGHTS).read_bytes() for name in ("whole", "cut", "python")}
    assert weights["whole"] == weights["cut"] == weights["python"]
    assert model.sample(2, seed=0, labels="light paper").shape == (2, 1, 8, 8)


def test_other_captions_are_refused_and_a_new_run_goes_on_with_the_words(folder, tmp_path, capsys):
    data, told = tmp_path / "papers", tmp_path / "told.csv"
    shutil.copytree(folder, data)
    arguments = ["train", "latent", "--data", str(data), *SHORT]
    assert main([*arguments, str(table(data, told)), "--out", str(tmp_path / "a")]) == 0
    moved = told.rename(tmp_path / "moved.csv")
    assert main([*arguments, str(moved), "--out", str(tmp_path / "a")]) == 0  # the same captions from elsewhere
    table(data, moved, shift=1)
    line = refusal(capsys, [*arguments, str(moved), "--out", str(tmp_path / "a")])
    assert f"the captions of --captions {moved} are not those that" in line
    for file in list(data.glob("light*"))[5:]:
        file.unlink()
    begun = [*arguments, "names", "--out", str(tmp_path / "b"), "--from", str(tmp_path / "a")]
    assert main(begun) == 0 and main(begun) == 0
    recipe = run.config(tmp_path / "b")
    assert recipe.words == run.config(tmp_path / "a").words == ("paper", "dark", "grey", "light")
    model, _ = run.load(tmp_path / "b", last=True)
    said = [model.vocabulary.decode(row) for row in model.known]
    assert said.count("light paper") < len(said) / 8  # its own captions, of which few say light


def test_it_is_evaluated_as_any_other(trained, capsys):
    capsys.readouterr()
    assert main(["evaluate", str(trained), "--n", "16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("words", ["paper", "dark", 3, "light"], "words"), ("words", ["paper"], "does not belong to"),
        ("length", 10**9, "length"), ("words", "__import__('os')", "words"),
    ],
)  # fmt: skip
def test_a_changed_vocabulary_is_one_line(key, value, says, trained, tmp_path, capsys):
    out = tmp_path / "a"
    shutil.copytree(trained, out)
    recipe = json.loads((out / kept.CONFIG).read_text())
    (out / kept.CONFIG).write_text(json.dumps(recipe | {key: value}))
    assert says in refusal(capsys, ["sample", str(out), "--caption", "paper"])
