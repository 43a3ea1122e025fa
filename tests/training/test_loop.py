"""The loop: what it does each step, what it keeps, and how it stops."""

import copy
import itertools
import json
import math
import pickle
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from torch import nn

import genimg
from genimg import flow, gan, vae
from genimg.models import classic
from genimg.models.model import Model, Player
from genimg.system.errors import DataError
from genimg.training.diagnostics import expected
from genimg.training.loop import Diverged, Training, decay_after, fit, rate
from genimg.training.step import Stepper

PIXELS = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Mean(Model):
    """The smallest model: one number, pulled towards the pictures' mean."""

    averaged = ("level",)

    def __init__(self, lr=0.1, loss_at=lambda step, loss: loss):
        super().__init__()
        self.level = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.level.weight, 5.0)
        self.lr, self.loss_at, self.trace = lr, loss_at, []

    def players(self):
        return {"level": Player(("level",), self.loss, self.lr, (0.9, 0.999))}

    def training_noise(self, n):
        return ()

    def loss(self, x, labels=None):
        return {"loss": (self.level(torch.ones(1)) - x.flatten(1).mean(1)).square()}  # (N,)

    def after_update(self, parts):
        self.trace.append(self.level.weight.item())
        parts["loss"] = self.loss_at(len(self.trace), parts["loss"])


def test_the_average_is_the_exponential_average_of_the_weights():
    model = Mean()
    fit(model, PIXELS, steps=60, batch=10, half_life=50.0, schedule="constant")
    wanted, decay = 0.0, 0.5 ** (10 / 50)
    for step, weight in enumerate(model.trace, start=1):
        d = min(decay, 1 - 1 / step)
        wanted = d * wanted + (1 - d) * weight
    assert model.average["level"].weight.item() == pytest.approx(wanted, rel=1e-4)
    assert model.average["level"].weight.item() != model.level.weight.item()


def test_the_average_starts_as_a_plain_mean():
    model = Mean()
    fit(model, PIXELS, steps=5, batch=10, half_life=1e9, schedule="constant")
    assert model.average["level"].weight.item() == pytest.approx(np.mean(model.trace), rel=1e-5)


@settings(deadline=None)
@given(step=st.integers(1, 10_000), batch=st.integers(1, 512), half_life=st.floats(1, 1e7))
def test_decay_is_a_weight(step, batch, half_life):
    decay = decay_after(step, batch, half_life)
    assert 0 <= decay < 1
    assert decay_after(10**9, batch, half_life) == pytest.approx(0.5 ** (batch / half_life))


def test_averages_need_no_gradient_and_are_not_trained():
    trainer = Stepper(gan.GAN(size=8, z_dim=4, width=4, d_width=4), "cpu")
    trained = {id(p) for o in trainer.optimisers.values() for group in o.param_groups for p in group["params"]}
    assert trained == {
        id(p) for net in ("generator", "discriminator") for p in getattr(trainer.model, net).parameters()
    }
    assert not any(p.requires_grad or id(p) in trained for p in trainer.model.average.parameters())
    assert [name for name, _ in trainer.model.average.named_children()] == ["generator"]


BUILDS = (
    lambda: gan.GAN(size=8, z_dim=4, width=8, d_width=8),
    lambda: vae.VAE(8, z_dim=3),
    lambda: flow.Flow(8, width=8),
)


@pytest.mark.parametrize("build", BUILDS)
def test_same_seed_same_weights_other_seed_others(build):
    def run(seed):
        torch.manual_seed(7)  # the same start: what differs below is what fit's own seed decides
        model = build()
        fit(model, PIXELS, steps=6, batch=8, seed=seed)
        return torch.cat([p.flatten() for p in model.parameters()])

    first, again, other = run(1), run(1), run(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("build", BUILDS)
def test_the_noise_obeys_the_seed_too(build):
    """All pictures are the same here, so their order cannot be what makes the runs differ."""

    def run(seed):
        torch.manual_seed(7)
        model = build()
        fit(model, torch.full((8, 1, 8, 8), 90, dtype=torch.uint8), steps=3, batch=8, seed=seed)
        return torch.cat([p.flatten() for p in model.parameters()])

    assert not torch.equal(run(1), run(2))


def test_history_holds_means_over_windows():
    model = Mean(loss_at=lambda step, loss: torch.tensor(float(step)))
    history = fit(model, PIXELS, steps=10, batch=4, every=4)
    assert history.steps == [4, 8, 10]
    assert history["loss"].tolist() == [2.5, 6.5, 9.5]
    assert history.images_seen == 40
    assert history.seconds > 0
    with pytest.raises(KeyError, match="there are loss"):
        history["accuracy"]


def test_history_of_a_loss_computed_now_and_then():
    history = fit(gan.GAN(size=8, z_dim=4, width=4, d_width=4, every=4), PIXELS, steps=6, batch=8, every=2)
    assert np.isfinite(history["r1"]).tolist() == [True, False, True]
    assert np.isfinite(history["loss_d"]).all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_it_stops_and_says_why(value):
    model = Mean(loss_at=lambda step, loss: torch.tensor(value) if step == 7 else loss)
    with pytest.raises(Diverged, match=r"loss stopped being finite between steps 6 and 10") as caught:
        fit(model, PIXELS, steps=100, batch=4, every=5)
    assert "learning rate" in str(caught.value)
    assert len(model.trace) == 10


def test_a_learning_rate_far_too_high_is_met_by_that_stop():
    """Adam's steps are as long as the rate, whatever the gradient: it takes much for a square to overflow."""
    with pytest.raises(Diverged, match=r"it is 1e\+20: try a third"):
        fit(Mean(lr=1e20), PIXELS, steps=400, batch=4)


def test_learning_rate_schedules():
    training, rates = Training(Mean(lr=0.1), PIXELS, 10, batch=4), []
    while training.step < 10:
        training.advance()
        rates.append(training.stepper.optimisers["level"].param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.1)
    assert len(set(rates)) == 10 and rates == sorted(rates, reverse=True)
    assert rate(10, 10, "linear") == pytest.approx(0.1)
    assert {rate(step, 10, "constant") for step in range(11)} == {1.0}


def test_transform_sees_every_batch():
    seen = []
    fit(Mean(), PIXELS, steps=3, batch=4, transform=lambda x: seen.append(x.shape) or x)
    assert seen == [(4, 1, 8, 8)] * 3


def test_looking_on_does_not_change_the_run():
    def run(callback):
        torch.manual_seed(7)
        model = gan.GAN(size=8, z_dim=4, width=4, d_width=4)
        fit(model, PIXELS, steps=9, batch=8, every=3, callback=callback)
        return torch.cat([p.flatten() for p in model.parameters()])

    looked = []

    def look(step, model):
        looked.append((step, model.sample(2, seed=0).shape))

    assert torch.equal(run(None), run(look))
    assert looked == [(step, (2, 1, 8, 8)) for step in (3, 6, 9)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 0}, "at least 1"), ({"batch": 0}, "at least 1"), ({"schedule": "cosine"}, "cosine"),
        ({"steps": 1.5}, "steps=1.5, .* a whole number"), ({"steps": "2"}, "steps='2', .* a whole number"),
        ({"batch": "4"}, "batch='4'"), ({"every": 0.5}, "every=0.5"), ({"seed": "a"}, "seed='a'"),
    ],
)  # fmt: skip
def test_bad_arguments(options, says):
    with pytest.raises(ValueError, match=says):
        fit(Mean(), PIXELS, **({"steps": 2} | options))


def test_one_line_where_output_is_kept(capsys):
    fit(Mean(), PIXELS, steps=100, batch=4, every=1, label="a run")
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("a run: 100 steps in")


def test_one_line_in_an_executed_notebook():
    source = (
        "import torch, genimg\n"
        "model = genimg.gan.GAN(size=8, z_dim=4, width=4, d_width=4)\n"
        "pixels = torch.zeros(20, 1, 8, 8, dtype=torch.uint8)\n"
        "history = genimg.fit(model, pixels, steps=400, batch=4, every=1)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=300).execute()
    (output,) = notebook.cells[0].outputs
    text = output["data"]["text/plain"]
    assert text.startswith("training: 400 steps in"), json.dumps(output)
    assert "logit_fake" in text and max(map(len, text.splitlines())) <= 88, "a page would cut it off"
    assert len(text.splitlines()) > 1
    assert all(line.rstrip(",")[-1].isdigit() for line in text.splitlines()), "a loss is parted from its value"


def test_weights_go_to_the_fast_layout():
    model = gan.GAN(size=16, channels=3, z_dim=4, width=8, d_width=8)
    genimg.fit(model, torch.zeros(8, 3, 16, 16, dtype=torch.uint8), steps=1, batch=4)
    weight = model.discriminator.features[2].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def text_vae():
    return vae.VAE(
        size=32, channels=1, encoder=classic.Encoder(32, 1, 3, 4), decoder=classic.Decoder(32, 1, 3, 4), lr=1e-3
    )


LARGER = torch.randint(0, 256, (40, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
NORMED = {"gan": (lambda: gan.GAN(size=8, z_dim=4, width=4, d_width=4), PIXELS), "vae": (text_vae, LARGER)}


@pytest.mark.parametrize("family", NORMED)
def test_samples_are_right_at_any_moment(family):
    """In a callback, of a copy, and where the run was stopped: as a calibration by hand makes them."""
    build, pixels = NORMED[family]
    torch.manual_seed(7)
    model, looked, stopped = build(), [], 7

    def look(step, model):
        x = model.sample(8, seed=0)
        assert torch.equal(copy.deepcopy(model).sample(8, seed=0), x)
        looked.append(x)
        if step == stopped:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, pixels, steps=20, batch=8, every=1, callback=look, device="cpu")
    assert len(looked) == stopped and all(not torch.equal(a, b) for a, b in itertools.pairwise(looked))
    assert torch.equal(model.sample(8, seed=0), looked[-1])
    torch.manual_seed(7)
    again = Training(build(), pixels, 20, 8, every=1, device="cpu")
    while again.step < stopped:
        again.advance()
    again.finish()
    assert torch.equal(again.model.sample(8, seed=0), looked[-1])
    with torch.no_grad():  # and these statistics are those of what passes through
        name = "generator" if family == "gan" else "decoder"
        net = copy.deepcopy(model.average[name])
        z = torch.randn(2000, net.z_dim, generator=torch.Generator().manual_seed(3))
        if family == "gan":
            assert (net.eval()(z) - net.train()(z)).abs().mean() < 0.05
    pickle.loads(pickle.dumps(model))


def test_statistics_are_made_once_and_only_when_they_are_needed():
    model, made = gan.GAN(size=8, z_dim=4, width=4, d_width=4), []
    calibrate = model.calibrate
    model.calibrate = lambda batches=(): made.append(1) or calibrate(batches)
    fit(
        model,
        PIXELS,
        steps=6,
        batch=8,
        every=2,
        callback=lambda step, m: (m.sample(2), m.sample(3)) if step == 4 else 0,
    )
    assert len(made) == 2  # after step 4, and at the end
    model.sample(2)
    assert len(made) == 2


def test_a_run_that_is_stopped_keeps_its_history(capsys):
    def stop(step, model):
        if step == 6:
            raise KeyboardInterrupt

    model = Mean()
    with pytest.raises(KeyboardInterrupt):
        fit(model, PIXELS, steps=100, batch=4, every=2, callback=stop)
    assert model.history.steps == [2, 4, 6] and np.isfinite(model.history["loss"]).all()
    assert "stopped at step 6 of 100; the model samples, model.history is kept" in capsys.readouterr().err
    assert fit(model, PIXELS, steps=4, batch=4) is model.history


@pytest.mark.parametrize("n", [2, 5, 7, 8])
def test_a_handful_of_pictures_ends_as_any_run_does(n):
    model = gan.GAN(size=8, z_dim=4, width=4, d_width=4)
    history = fit(model, PIXELS[:n], steps=200, batch=4, every=10)
    assert history.steps[-1] == 200


def test_a_closing_look_that_fails_is_told_and_costs_nothing():
    class Blind(gan.GAN):
        def noise(self, n, generator=None):
            if n > 100:
                raise RuntimeError("no such noise")
            return super().noise(n, generator)

    model = Blind(size=8, z_dim=4, width=4, d_width=4)
    with expected("samples not looked at") as said:
        history = fit(model, PIXELS, steps=200, batch=4, every=10)
    assert "no such noise" in said[-1]
    assert history.steps[-1] == 200 and model.sample(3, seed=0).isfinite().all()


@pytest.mark.parametrize("build", BUILDS)
def test_weights_that_torch_keeps_make_the_same_model_again(build, tmp_path):
    model = build()
    fit(model, PIXELS, steps=2, batch=4)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    again = build()
    again.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.allclose(again.sample(3, seed=0), model.sample(3, seed=0), atol=1e-4)  # in another memory layout


NOT_PICTURES = {
    "path": ("photos/of/mine", "genimg.load_images reads a folder"),
    "pathlib": (Path("photos"), "genimg.load_images reads a folder"),
    "list": ([PIXELS[0], PIXELS[1]], "torch.stack"),
    "loader": (torch.utils.data.DataLoader(PIXELS), "makes batches, which fit does by itself"),
    "data set": (torch.utils.data.TensorDataset(PIXELS), "TensorDataset is no set of pictures; pass what"),
    "array": (PIXELS.numpy(), r"an array \(40, 1, 8, 8\) .* torch.from_numpy"),
    "nothing": (None, "NoneType is no set of pictures; pass what"),
    "floats": (PIXELS / 255, r"need to be uint8 pictures .* in \[-1, 1\] .* those in \[0, 1\]"),
    "integers": (PIXELS.long(), r"need to be uint8 pictures .* x.byte\(\)"),
    "one picture": (PIXELS[0], r"x\[None\] is a set of one picture"),
    "grey pictures": (PIXELS[:, 0], r"x\[:, None\] one of grey pictures"),
    "channels last": (PIXELS.permute(0, 2, 3, 1), r"x.permute\(0, 3, 1, 2\)"),
    "none": (PIXELS[:0], r"need to be uint8 pictures .* \(0, 1, 8, 8\)"),
}


@pytest.mark.parametrize(
    "asked",
    [lambda images: fit(vae.VAE(8), images, steps=2, batch=2), lambda images: genimg.diagnose(vae.VAE(8), images)],
    ids=["fit", "diagnose"],
)
@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_set_of_pictures_is_refused_with_what_to_pass(name, asked):
    images, says = NOT_PICTURES[name]
    with pytest.raises(DataError, match=says) as caught:
        asked(images)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "model", [None, PIXELS, "gan", nn.Linear(2, 2), vae.VAE], ids=lambda model: type(model).__name__
)
def test_what_is_no_model_is_refused_with_what_to_pass(model):
    with pytest.raises(TypeError, match=r"is no model: the model comes first|is a class: pass a model") as caught:
        fit(model, PIXELS, steps=2, batch=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 16, 16), (3, 16, 16)])
def test_pictures_of_another_shape_than_the_models(build, shape):
    with pytest.raises(DataError, match=r"the model makes \(1, 8, 8\)") as caught:
        fit(build(), torch.zeros(6, *shape, dtype=torch.uint8), steps=2, batch=2)
    assert f"size={shape[-1]}, channels={shape[0]}" in str(caught.value)


def test_an_error_of_the_model_itself_stays_what_it_is():
    def broken(step, loss):
        raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        fit(Mean(loss_at=broken), PIXELS, steps=2, batch=2)
