"""From Python as from the command line: the same settings, defaults, weights and numbers."""

import inspect
import json

import pytest
import torch

import genimg
from genimg.__main__ import main, parser
from genimg.runs import calls, run
from genimg.runs.kept import HISTORY, WEIGHTS
from genimg.runs.recipes import FAMILIES, Recipe
from genimg.system.errors import DataError, RunError
from genimg.training.loop import Training

TINY = {"size": 8, "n": 60, "batch": 4, "width": 4, "steps": 6}


def typed(**settings):
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_command_line_has_the_defaults_of_a_recipe_and_of_the_call(family):
    options = vars(parser().parse_args(["train", family, "--data", "x", "--out", "y"]))
    recipe = Recipe(family, "x")
    assert {name: options[name] for name in vars(recipe)} == vars(recipe)
    for name, parameter in inspect.signature(calls.train).parameters.items():
        if name in options and name not in ("data", "family", "out", "settings"):
            assert options[name] == parameter.default, name


def test_a_call_trains_what_the_command_line_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = genimg.train("digits", "vae", **TINY)
    said = capsys.readouterr().out
    assert main(["train", "vae", "--data", "digits", *typed(**TINY), "--out", "typed"]) == 0
    assert capsys.readouterr().out.startswith(said)
    for name in (WEIGHTS, HISTORY):
        assert (tmp_path / "runs" / "digits-vae" / name).read_bytes() == (tmp_path / "typed" / name).read_bytes()
    assert torch.equal(model.sample(3, seed=1), genimg.load("typed").sample(3, seed=1))
    assert model.history.steps == [6] and model.history["loss"].shape == (1,)
    assert genimg.train("digits", "vae", echo=lambda line: None, **TINY | {"steps": 8}).history.steps == [6, 8]


def test_a_model_and_its_run_have_the_same_numbers(tmp_path, capsys):
    out = tmp_path / "a"
    model = genimg.train("digits", "vae", out, **TINY)
    assert main(["evaluate", str(out), "--n", "20", "--json"]) == 0
    found = [genimg.evaluate(one, n=20) for one in (out, str(out), model, genimg.load(out))]
    found.append(json.loads(capsys.readouterr().out.partition("{")[2].join("{ ")))
    for one in found:
        one.pop("milliseconds_per_sample")
    assert all(one == found[0] for one in found)


def test_what_cannot_be_is_said_in_one_line(tmp_path):
    with pytest.raises(RunError, match=r"no setting stepz; there are .*steps"):
        genimg.train("digits", "vae", tmp_path / "a", stepz=3)
    with pytest.raises(RunError, match="family 'diffusion'.*gan, vae, flow"):
        genimg.train("digits", "diffusion", tmp_path / "a")
    with pytest.raises(RunError, match="precision 'float8'"):
        genimg.train("digits", "vae", tmp_path / "a", precision="float8")
    with pytest.raises(RunError, match=r"of no run; genimg\.diagnose"):
        genimg.evaluate(genimg.vae.VAE(size=8, z_dim=2, width=4))
    assert not (tmp_path / "a").exists()
    genimg.train("digits", "vae", tmp_path / "a", echo=lambda line: None, **TINY)
    (tmp_path / "a" / HISTORY).write_text("step,loss\n1,x\n")
    with pytest.raises(RunError, match=r"history\.csv is no table of losses"):
        genimg.load(tmp_path / "a")


@pytest.mark.parametrize("given", [None, ["a", "b"], torch.zeros(4, 3, 8, 8)], ids=lambda given: type(given).__name__)
def test_what_is_no_folder_is_refused_with_what_to_pass(given):
    with pytest.raises(DataError, match=r"is no source of pictures: pass a folder .* genimg.fit"):
        genimg.train(given, "vae")
    for call in (genimg.load, genimg.evaluate):
        with pytest.raises(RunError, match="is no run; pass its folder"):
            call(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("save_every", 0), ("save_every", "a"), ("workers", -1), ("workers", "2"), ("patience", 1.5),
        ("minutes", "a"), ("minutes", -1), ("memory", "a"), ("memory", float("nan")), ("steps", "4"), ("batch", 1.5),
    ],
)  # fmt: skip
def test_numbers_of_a_call_are_held_to_their_rules(name, value, tmp_path):
    with pytest.raises(RunError, match=f"{name}.*{value}.*: it has to be a (whole )?number"):
        genimg.train("digits", "vae", tmp_path / "a", **TINY | {name: value})
    assert not (tmp_path / "a").exists()


def test_minutes_end_a_call_and_ctrl_c_interrupts_it(tmp_path, monkeypatch):
    said = []
    model = genimg.train("digits", "vae", tmp_path / "a", minutes=1e-9, echo=said.append, **TINY)
    assert "saved at step 1 of 6" in said[-1] and model.sample(2).shape == (2, 1, 8, 8)

    def stopped(*_):
        raise run.Stopped("stopped and saved")

    monkeypatch.setattr(run, "_run", stopped)
    with pytest.raises(KeyboardInterrupt, match="stopped and saved"):
        genimg.train("digits", "vae", tmp_path / "b", **TINY)


def test_models_images_and_trainings_describe_themselves_in_a_line():
    images = genimg.load_images("digits", n=20)
    assert repr(images) == "Images(20 pictures, 8x8, grey, from digits)"
    for build in (lambda: genimg.gan.GAN(size=8, width=4, d_width=4), lambda: genimg.vae.VAE(size=8, width=4),
                  lambda: genimg.flow.Flow(8, width=8)):  # fmt: skip
        model = build()
        said = repr(model)
        assert said.startswith(f"{type(model).__name__}(weights: ") and len(said) < 100 and "averaged" not in said
        training = Training(model, images, 5, 4, device="cpu")
        assert repr(training) == f"Training({model!r}, 20 pictures, step 0 of 5, batch 4)"
        assert repr(model) == said[:-1] + "; averaged)"
