"""The loop: what it does each step, what it keeps, and how it stops."""

import json
import math

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
from genimg.models.model import Model, Player
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
        model.calibrate()
        looked.append((step, model.sample(2, seed=0).shape))

    assert torch.equal(run(None), run(look))
    assert looked == [(step, (2, 1, 8, 8)) for step in (3, 6, 9)]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"steps": 0}, "at least 1"), ({"batch": 0}, "at least 1"), ({"schedule": "cosine"}, "cosine")],
)
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
