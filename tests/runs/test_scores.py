"""Pictures held out, what is measured against them at each save, the best one kept, and patience."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from genimg.__main__ import main
from genimg.data.images import fingerprint
from genimg.data.sources import load_images
from genimg.runs import scores as scoring
from genimg.runs.evaluation import evaluate
from genimg.runs.kept import BEST, CURVES, WEIGHTS, published, read_config
from genimg.runs.pictures import load_pictures, parted, to_hold_out
from genimg.runs.recipes import Recipe
from genimg.runs.run import load
from genimg.runs.scores import SCORES, Score, Scores
from genimg.system import files
from genimg.system.device import seed_everything
from genimg.training.loop import Training

DIGITS = ["--data", "digits", "--size", "8", "--n", "60", "--batch", "4", "--threads", "1"]
VAE = ["train", "vae", *DIGITS, "--width", "4"]


@pytest.mark.parametrize(
    ("n", "held_out"),
    [(2, 0), (23, 0), (24, 8), (60, 20), (149, 49), (150, 50), (499, 50), (501, 50), (3225, 322), (10**6, 2000)],
)
def test_every_tenth_is_held_out_and_never_more_than_a_third(n, held_out):
    assert to_hold_out(n) == held_out


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(load_images("photos", 16, 60, seed=1).pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "pictures" / f"{i:02d}.png")
    return tmp_path / "pictures"


def test_held_out_pictures_are_others_and_the_same_where_a_folder_streams(folder):
    recipe = Recipe("vae", str(folder), size=16, seed=3).complete()
    found = []
    for memory in (None, 0):
        images, whole = load_pictures(recipe, 0, memory)
        train, held_out = parted(images, whole)
        assert (len(train), len(held_out), whole.held_out) == (40, 20, 20)
        found.append(
            [part.pixels if memory is None else part.pixels_of(range(len(part))) for part in (train, held_out)]
        )
        assert whole.fingerprint == fingerprint(images)
    for in_memory, streamed in zip(*found, strict=True):
        assert torch.equal(in_memory, streamed)
    train, held_out = ({picture.numpy().tobytes() for picture in part} for part in found[0])
    assert len(train | held_out) == 60 and not train & held_out
    other = parted(*load_pictures(Recipe("vae", str(folder), size=16, seed=4).complete()))[1]
    assert not torch.equal(other.pixels, found[0][1])


def test_what_is_held_out_is_not_trained_on(folder, tmp_path, capsys):
    """The sheet of what the encoder sees shows all forty that are trained on, and none of the others."""
    out = tmp_path / "a"
    arguments = ["train", "vae", "--data", str(folder), "--size", "16", "--width", "4", "--batch", "4", "--steps", "2"]
    assert main([*arguments, "--threads", "1", "--out", str(out)]) == 0
    assert "each of 40 pictures 0.2 times, 20 others are held out" in capsys.readouterr().out
    sheet = torch.from_numpy(np.array(Image.open(out / "samples" / "data.png"))).permute(2, 0, 1)
    cut = [sheet[:, y * 17 : y * 17 + 16, x * 17 : x * 17 + 16] for y in range(5) for x in range(8)]
    train, held_out = parted(*load_pictures(read_config(out)))
    shown = {picture.numpy().tobytes() for picture in cut}
    assert shown == {picture.numpy().tobytes() for picture in train.pixels}
    assert not shown & {picture.numpy().tobytes() for picture in held_out.pixels}


def test_the_sheet_of_the_data_shows_some_of_all_and_not_the_first_by_name(tmp_path):
    for i in range(130):
        Image.new("RGB", (8, 8), "red" if i < 65 else "blue").save(tmp_path / f"{i:03d}.png")
    arguments = ["train", "vae", "--data", str(tmp_path), "--size", "8", "--width", "4", "--batch", "4", "--steps", "1"]
    assert main([*arguments, "--held-out", "0", "--threads", "1", "--out", str(tmp_path / "a")]) == 0
    sheet = np.array(Image.open(tmp_path / "a" / "samples" / "data.png"))
    red = (sheet[4::9, 4::9, 0] > 128).sum()
    assert sheet[4::9, 4::9].shape[:2] == (8, 8) and 16 < red < 48


@pytest.fixture(scope="module")
def shapes():
    images = load_images("shapes", 16, 900, seed=5)
    return images[:600], images[600:]


def test_the_best_is_the_one_whose_samples_come_nearest(shapes, tmp_path):
    train, held_out = shapes
    new = load_images("shapes", 16, 128, seed=6).floats()
    noise = torch.rand(new.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    scores = Scores(train, held_out, tmp_path, 0, patience=2)
    rows = [scores.add(1, noise), scores.add(2, new), scores.add(3, new.flip(-1).mul(0.3))]
    assert scoring.best(rows) is rows[1] and rows[1].distance < 2 * rows[1].floor < rows[2].distance < rows[0].distance
    assert rows[1].coverage > 0.8 > 0.2 > rows[0].coverage and rows[1].copies < 0.1
    assert "; the best was step 2" in scores.told(rows[2]) and not scores.over()
    copied = scores.add(4, train.floats()[:128])
    assert copied.copies > 0.9
    assert scores.over() is (copied.distance >= rows[1].distance)
    again = Scores(train, held_out, tmp_path, 3, None)
    assert again.rows == rows and again.since_best() == 1 and not again.over()
    assert again.add(3, noise).distance == rows[0].distance and len(again.rows) == 3
    assert [row.step for row in scoring.read(tmp_path)] == [1, 2, 3]


def test_after_some_saves_without_a_better_one_it_is_said(shapes, tmp_path):
    scores = Scores(*shapes, tmp_path, 0, None)
    scores.rows = [Score(step, 1.0 + step, 0.1, 0.5, 0.9, None) for step in range(1, 6)]
    assert "nothing better" not in scores.told(scores.rows[-1])
    scores.rows.append(Score(6, 3.0, 0.1, 0.5, 0.9, None))
    assert scores.told(scores.rows[-1]).endswith("; the best was step 1, nothing better for 5 saves")


def test_a_run_keeps_the_weights_of_its_best_save(tmp_path, capsys):
    out = tmp_path / "a"
    assert main([*VAE, "--steps", "60", "--save-every", "20", "--out", str(out)]) == 0
    rows = scoring.read(out)
    assert [row.step for row in rows] == [20, 40, 60] and all(row.copies is None for row in rows)  # 20 are too few
    said = [line for line in capsys.readouterr().err.splitlines() if "distance" in line]
    assert len(said) == 3 and said[0].startswith("vae on digits: step 20: distance ") and "the best so far" in said[0]
    recipe = read_config(out)
    train, _ = parted(*load_pictures(recipe))
    seed_everything(recipe.seed)
    training = Training(recipe.build(), train, recipe.steps, recipe.batch, recipe.seed, "cpu")
    while training.step < scoring.best(rows).step:
        training.advance()
    training.finish()
    best = files.read_weights(out / BEST)
    assert all(torch.equal(best[name], tensor) for name, tensor in published(training.model).items())
    assert scoring.samples(training.model)[:64].equal(training.model.sample(64, seed=0))


def test_the_best_is_sampled_and_the_last_on_request(tmp_path, capsys):
    out = tmp_path / "a"
    assert main([*VAE, "--steps", "4", "--save-every", "2", "--out", str(out)]) == 0
    rows = [vars(row) | {"distance": float(row.step)} for row in scoring.read(out)]
    (out / SCORES).write_text(json.dumps(rows))
    weights = files.read_weights(out / WEIGHTS)
    files.write_weights(out / BEST, {name: 2 * tensor for name, tensor in weights.items()})
    capsys.readouterr()
    drawn = {}
    for more in ([], ["--last"]):
        arguments = ["sample", str(out), "--n", "4", "--out", str(tmp_path / f"{len(more)}.png"), *more]
        assert main(arguments) == 0
        drawn[len(more)] = capsys.readouterr().err, (tmp_path / f"{len(more)}.png").read_bytes()
    assert drawn[0][0] == "of step 2, the best of 2 saves; --last takes the last\n" and drawn[1][0] == ""
    assert drawn[0][1] != drawn[1][1]
    for last in (False, True):
        state = load(out, last=last)[0].state_dict()
        kept = files.read_weights(out / (WEIGHTS if last else BEST))
        assert all(torch.equal(state[name], tensor) for name, tensor in kept.items())
    bits = [evaluate(out, n=20, last=last)["bits_per_dim"] for last in (False, True)]
    assert bits[0] > bits[1]


def test_nothing_is_measured_before_the_network_that_learns_last_has_begun(tmp_path):
    recipe = Recipe("latent", "shapes", size=8, channels=3, width=4).complete()
    assert scoring.begins(recipe.build(), 1000) == 500
    assert scoring.begins(Recipe("vae", "shapes", size=8, channels=3, width=4).complete().build(), 1000) == 0
    train, held_out = load_images("shapes", 8, 60, seed=0).split(20, seed=0)
    scores = Scores(train, held_out, tmp_path, 0, 2, begins=500)
    assert [step for step in range(0, 1001, 50) if scores.wanted(step, 1000, 100)] == [600, 700, 800, 900, 1000]
    assert not any(Scores(train, held_out[:0], tmp_path, 0, None).wanted(step, 10, 2) for step in range(11))
    found = []
    for step, distance in [(600, 2.0), (700, 2.5), (800, 2.5)]:
        scores.rows.append(Score(step, distance, 0.5, 0.5, 1.0, None))
        found.append((scores.since_best(), scores.over()))
    assert found == [(0, False), (1, False), (2, True)]
    rows = [dataclasses.asdict(Score(step, 1.0, 0.5, 0.5, 1.0, None)) for step in (400, 500, 600)]
    (tmp_path / scoring.SCORES).write_text(json.dumps(rows))  # as an earlier version kept them
    assert [row.step for row in Scores(train, held_out, tmp_path, 600, 2, begins=500).rows] == [600]


def test_patience_stops_a_run_that_gets_no_better(tmp_path, capsys):
    out = tmp_path / "a"
    arguments = [*VAE, "--lr", "1e-9", "--steps", "5000", "--save-every", "5", "--out", str(out)]
    assert main([*arguments, "--patience", "2"]) == 0
    told = capsys.readouterr()
    rows = scoring.read(out)
    assert rows[-1].step < 5000 and len(rows) - 1 - rows.index(scoring.best(rows)) == 2
    said = (
        f"stopped at step {rows[-1].step:,} of 5,000: nothing better than step {scoring.best(rows).step:,} for 2 saves"
    )
    assert said in told.err and "steps done" not in told.out
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert main([*arguments, "--patience", "2"]) == 0
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert main([*arguments, "--patience", "3"]) == 0
    assert scoring.read(out)[-1].step > rows[-1].step


def test_nothing_held_out_nothing_measured(tmp_path, capsys):
    out = tmp_path / "a"
    assert main([*VAE, "--steps", "4", "--held-out", "0", "--out", str(out)]) == 0
    assert not (out / SCORES).exists() and not (out / BEST).exists() and (out / CURVES).exists()
    assert main(["sample", str(out), "--n", "4"]) == 0
    assert "held out" not in capsys.readouterr().out


def test_a_run_that_was_stopped_in_between_has_the_scores_of_one_that_was_not(tmp_path):
    arguments = [*VAE, "--steps", "30", "--save-every", "10", "--out"]
    assert main([*arguments, str(tmp_path / "a"), "--minutes", "1e-9"]) == 0
    assert not (tmp_path / "a" / SCORES).exists()
    for name in "ab":
        assert main([*arguments, str(tmp_path / name)]) == 0
    for name in (SCORES, BEST, WEIGHTS, CURVES):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


BROKEN = {
    "no JSON": "step",
    "no list": "{}",
    "a list of numbers": "[1]",
    "a key too few": '[{"step": 1}]',
    "a word": '[{"step": 1, "distance": "x", "floor": 1, "coverage": 1, "coverage_floor": 1, "copies": null}]',
    "not finite": '[{"step": 1, "distance": NaN, "floor": 1, "coverage": 1, "coverage_floor": 1, "copies": null}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_one_line(name, tmp_path, capsys):
    out = tmp_path / "a"
    assert main([*VAE, "--steps", "2", "--out", str(out)]) == 0
    (out / SCORES).write_text(BROKEN[name])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main([*VAE, "--steps", "4", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("genimg: ") and SCORES in line
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (out / SCORES).unlink()
    assert main([*VAE, "--steps", "4", "--out", str(out)]) == 0
