"""What `fit` says of a run: each diagnosis on what it is for, none on what is healthy."""

import copy
import json
import warnings

import pytest
import torch

import genimg
from genimg import gan, vae
from genimg.__main__ import main
from genimg.book import experiments
from genimg.runs.kept import CHECKPOINT
from genimg.system.device import seed_everything
from genimg.training import checkup, diagnostics, measures
from genimg.training.diagnostics import Diagnosis, TrainingWarning, Watch
from genimg.training.history import History
from genimg.training.loop import Training
from genimg.training.step import Stepper

TINY = dict(size=8, channels=1, width=8, d_width=8, z_dim=4)
CODER = dict(size=8, channels=1, z_dim=4, width=8, max_width=8)


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# What a step measures.


def test_batches_of_one_distribution_have_spread_one_and_no_shift():
    for seed in range(5):
        compared = measures.compare_batches(rand(64, 1, 8, 8, seed=seed), rand(64, 1, 8, 8, seed=seed + 100))
        assert compared["spread"].item() == pytest.approx(1, abs=0.1)
        assert compared["shift"].item() < 0.1


def test_spread_and_shift_are_in_deviations_of_the_real_pictures():
    x = 3 * rand(2000, 1, 4, 4)
    compared = measures.compare_batches(x, 0.5 * x + 6)  # half as wide, two deviations away
    assert compared["spread"].item() == pytest.approx(0.5, rel=1e-3)
    assert compared["shift"].item() == pytest.approx(2, rel=0.01)
    assert measures.compare_batches(x, torch.zeros_like(x))["spread"].item() == pytest.approx(0, abs=1e-6)


def test_equal_real_pictures_are_nothing_to_compare_with():
    x = torch.full((8, 1, 8, 8), -1.0)
    assert measures.compare_batches(x, rand(8, 1, 8, 8)) == {"spread": 1.0, "shift": 0.0}


def test_shift_allows_for_the_noise_of_small_batches():
    raw, net = [], []
    for seed in range(40):
        real, fake = rand(8, 1, 8, 8, seed=seed), rand(8, 1, 8, 8, seed=seed + 1000)
        raw.append((real.mean(0) - fake.mean(0)).square().mean().sqrt().item())
        net.append(measures.compare_batches(real, fake)["shift"].item())
    assert torch.tensor(raw).mean() > 0.4
    assert torch.tensor(net).mean() < 0.15


def test_told_apart_counts_pairs_in_which_the_real_one_is_ahead():
    real, fake = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 3.0, 2.0, 1.0])
    assert measures.told_apart(real, fake) == 0.75
    assert measures.told_apart(fake, real) == 0.25
    assert measures.told_apart(real + 10, fake) == 1.0


def test_code_size_is_that_of_drawn_codes():
    mu, logvar = 0.5 * rand(4000, 3), rand(4000, 3, seed=1)
    z = vae.reparameterise(mu, logvar, rand(4000, 3, seed=2))
    assert measures.code_size(mu, logvar).item() == pytest.approx(z.square().mean().sqrt().item(), rel=0.05)
    assert measures.code_size(torch.zeros(5, 2), torch.zeros(5, 2)) == 1


def test_steps_measure_without_a_gradient_and_not_each_time():
    trainer = Stepper(gan.GAN(**TINY), "cpu")
    x = rand(8, 1, 8, 8).tanh()
    steps = [trainer.step(x) for _ in range(9)]
    measured = ["spread" in losses and "shift" in losses and "told_apart" in losses for losses in steps]
    assert measured == [step % measures.EVERY == 0 for step in range(9)]
    assert not any(value.requires_grad for losses in steps for value in losses.values())
    assert not Stepper(vae.VAE(**CODER), "cpu").step(x)["code"].requires_grad


# Rules on made-up histories.

HEALTHY_GAN = {"told_apart": [0.55, 0.5, 0.52], "spread": [0.95, 1.0, 0.97], "shift": [0.2, 0.1, 0.15]}
HEALTHY_VAE = {"kl": [10.0, 12.0, 13.0], "distortion": [20.0, 15.0, 12.0], "code": [1.0, 1.01, 1.0]}


def history(readings, repeat=4, every=50):
    """A History whose numbers run through the given three readings again and again."""
    made = History()
    for i in range(repeat * 3):
        made.add((i + 1) * every, {name: values[i % 3] for name, values in readings.items()})
    return made


def found(model, readings, steps=600, **options):
    return [one.name for one in Watch(model, steps, **options).look(history(readings))]


def settings_of(kind, **options):
    return gan.GAN(**(TINY | options)) if kind == "gan" else vae.VAE(**(CODER | options))


FAILURES = {
    "mode collapse": ("gan", {}, {"spread": [0.1, 0.2, 0.1]}),
    "discriminator has won": ("gan", {}, {"told_apart": [0.99, 1.0, 1.0], "shift": [0.6, 0.7, 0.8]}),
    "discriminator too weak": ("gan", {}, {"told_apart": [0.0, 0.1, 0.0], "shift": [2.0, 2.0, 2.0]}),
    "gradient penalty too large": (
        "gan", {"r1": 1e3}, {"told_apart": [0.1, 0.2, 0.1], "shift": [1.0, 1.0, 1.0]},
    ),
    "the players chase each other": ("gan", {}, {"told_apart": [0.2, 0.8, 0.4], "shift": [0.9, 0.6, 0.8]}),
    "reconstruction averaged over pixels": ("vae", {"sigma": experiments.mean_sigma(64)}, {"kl": [0.1, 0.1, 0.1]}),
    "posterior collapse": ("vae", {"beta": 100.0}, {"kl": [0.1, 0.01, 0.02]}),
    # D/2 log(2 pi) + squared error / 2 with 64 numbers and an error of 0.3
    "sigma ignored": ("vae", {"sigma": 1.0}, {"distortion": [61.69, 61.69, 61.69]}),
    "prior mismatch": ("vae", {"beta": 0.0}, {"code": [1.5, 1.6, 1.7]}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_rule_names_its_failure(name):
    kind, options, readings = FAILURES[name]
    healthy = HEALTHY_GAN if kind == "gan" else HEALTHY_VAE
    assert found(settings_of(kind, **options), healthy | readings) == [name]


def test_what_is_told_are_numbers_that_were_read():
    """A setting alone tells this failure; it is told with its number, so not before there are readings of it."""
    averaged = settings_of("vae", sigma=experiments.mean_sigma(64))
    watch, made, said = Watch(averaged, 600), History(), []
    for step in range(50, 650, 50):
        made.add(step, {"loss": 1.0} | ({"kl": 0.1} if step > 400 else {}))
        said += watch.look(made)
    assert [one.name for one in said] == ["reconstruction averaged over pixels"]
    assert "a KL of 0.10 nats" in said[0].seen


@pytest.mark.parametrize(("kind", "readings"), [("gan", HEALTHY_GAN), ("vae", HEALTHY_VAE)])
def test_healthy_numbers_say_nothing(kind, readings):
    assert found(settings_of(kind), readings) == []


@pytest.mark.parametrize("name", ["mode collapse", "discriminator has won", "discriminator too weak"])
def test_one_reading_on_the_right_side_is_enough_not_to_name_it(name):
    _, options, readings = FAILURES[name]
    mended = {key: [*values[:2], HEALTHY_GAN[key][2]] for key, values in readings.items()}
    assert name not in found(settings_of("gan", **options), HEALTHY_GAN | mended)


@pytest.mark.parametrize(
    ("kind", "options", "readings"),
    [
        # a discriminator that is right nearly always, and in one reading less so
        ("gan", {}, {"told_apart": [0.99, 0.95, 1.0], "shift": [0.6, 0.7, 0.8]}),
        ("gan", {}, {"told_apart": [0.99, 1.0, 1.0]}),  # right always, while the pictures are where they should be
        ("gan", {}, {"told_apart": [0.3, 0.2, 0.3]}),  # behind, the same
        ("gan", {}, {"told_apart": [0.2, 0.8, 0.4]}),  # swinging, the same
        ("vae", {"sigma": 0.3}, {"distortion": [13.9, 13.9, 13.9]}),  # an error of 0.3
    ],
)
def test_what_is_no_failure_by_itself(kind, options, readings):
    healthy = HEALTHY_GAN if kind == "gan" else HEALTHY_VAE
    assert found(settings_of(kind, **options), healthy | readings) == []


def test_few_pairs_swing_by_chance():
    readings = HEALTHY_GAN | {"told_apart": [0.6, 0.7, 0.5], "shift": [0.6, 0.7, 0.6]}
    assert found(settings_of("gan"), readings, pairs=400) == ["the players chase each other"]
    assert found(settings_of("gan"), readings, pairs=40) == []
    generator = torch.Generator().manual_seed(0)
    shares = (torch.rand(4000, 40, generator=generator) < 0.5).float().mean(1)
    wanted = shares.diff().abs().mean().item()
    assert diagnostics._Series({}, 40).noise == pytest.approx(wanted, rel=0.05)


def test_codes_wider_than_the_prior_are_told_only_where_beta_was_lowered():
    wide = HEALTHY_VAE | {"code": [1.5, 1.6, 1.7]}
    assert found(settings_of("vae", beta=1.0), wide) == []
    assert found(settings_of("vae", beta=0.1), wide) == ["prior mismatch"]


def test_a_critic_that_is_right_in_each_pair_is_no_failure_of_the_wasserstein_loss():
    _, _, readings = FAILURES["discriminator has won"]
    critic = settings_of("gan", loss="wasserstein", wgan=10.0, r1=0.0, norm="group")
    assert found(critic, HEALTHY_GAN | readings) == []


def test_the_first_fifth_of_a_run_is_not_judged():
    readings = HEALTHY_GAN | FAILURES["mode collapse"][2]
    model = settings_of("gan")
    assert found(model, readings, steps=600) == ["mode collapse"]
    assert found(model, readings, steps=3000) == []  # its 600 steps are a fifth
    short = history(readings, every=4)
    assert Watch(model, 48).look(short) == []  # nor are the first fifty steps


def test_it_takes_three_readings():
    model, made = settings_of("gan"), History()
    watch = Watch(model, 300)
    said = []
    for step in (90, 180, 270):
        made.add(step, {name: values[0] for name, values in (HEALTHY_GAN | FAILURES["mode collapse"][2]).items()})
        said.append(len(watch.look(made)))
    assert said == [0, 0, 1]


def test_a_diagnosis_is_told_once_and_another_later():
    model = settings_of("gan")
    collapsed = history(HEALTHY_GAN | FAILURES["mode collapse"][2])
    watch = Watch(model, 600)
    assert [one.name for one in watch.look(collapsed)] == ["mode collapse"]
    assert watch.look(collapsed) == []
    beaten = history(HEALTHY_GAN | FAILURES["discriminator has won"][2])
    assert [one.name for one in watch.look(beaten)] == ["discriminator has won"]
    assert found(model, HEALTHY_GAN | FAILURES["mode collapse"][2], told=["mode collapse"]) == []


def test_a_model_that_measures_nothing_is_not_judged():
    assert found(settings_of("gan"), {"loss": [1.0, 2.0, 3.0]}) == []


@pytest.mark.parametrize("x", [torch.rand(8, 1, 8, 8), 255 * torch.rand(8, 1, 8, 8)])
def test_a_first_batch_out_of_range_is_told(x):
    (one,) = diagnostics.check_range(x, 2 * x - 1)
    assert one.name == "wrong data range" and "/ 127.5 - 1" in one.cure


def test_a_first_batch_in_range_is_not():
    for x in (2 * torch.rand(8, 1, 8, 8) - 1, genimg.load_images("digits", 8)[:16].floats()):
        assert diagnostics.check_range(x, x) == []


def test_light_pictures_are_no_wrong_range():
    pastel = torch.randint(140, 256, (40, 3, 8, 8), dtype=torch.uint8)
    training = Training(gan.GAN(size=8, channels=3, z_dim=4, width=4, d_width=4), pastel, 4, batch=8, device="cpu")
    training.advance()
    assert training.history.warned == []
    half = Training(training.model, pastel // 2, 4, batch=8, device="cpu", transform=lambda x: (x + 1) / 2)
    with diagnostics.expected("wrong data range"):
        half.advance()


# How it is said.


def test_a_diagnosis_reads_as_name_number_and_cure():
    assert str(Diagnosis("mode collapse", "they vary 0.1 times as much", "Try this")) == (
        "mode collapse: they vary 0.1 times as much. Try this."
    )


def test_expected_keeps_back_what_it_is_told_of_and_nothing_else():
    with pytest.warns(DeprecationWarning, match="something else"):
        with diagnostics.expected("a") as said:
            diagnostics.warn(Diagnosis("a", "b", "c"))
            warnings.warn("something else", DeprecationWarning, stacklevel=1)
    assert said == ["a: b. c."]


def test_expected_demands_what_it_names():
    with pytest.raises(AssertionError, match="z: expected, and not diagnosed"):
        with diagnostics.expected("a", "z"):
            diagnostics.warn(Diagnosis("a", "b", "c"))
    with diagnostics.expected() as said:
        pass
    assert said == []


def test_codes_far_beyond_the_prior():
    """As of a learning rate of 1: 25,400 nats in 64 numbers, and samples that have nothing to do with the data."""
    model = settings_of("vae")
    far = 20 * model.z_dim
    assert "codes far beyond the prior" in found(model, {"kl": (1.2 * far, 1.1 * far, 1.3 * far)})
    assert found(model, {"kl": (5.0 * model.z_dim,) * 3}) == []


# Real runs. The chapter on failures has all of them; here the loop is held to saying what it sees.


def digits(n=300):
    return genimg.load_images("digits", 8)[:n]


@pytest.mark.parametrize("seed", range(2))
def test_fit_warns_by_name_of_a_real_collapse(seed):
    seed_everything(seed)
    model = gan.GAN(
        size=8, channels=1, width=16, d_width=16, z_dim=16, loss="hinge", norm="group", r1=0.0, r2=0.0,
        betas=(0.9, 0.99), lr=1e-2,
    )  # fmt: skip
    with pytest.warns(TrainingWarning, match="mode collapse: ") as caught:
        trained = genimg.fit(model, digits(1000), steps=200, batch=32, seed=seed, every=20, device="cpu")
    # such a run may be in more than one trouble; each is told once
    told = [text.split(":")[0] for text in trained.warned]
    assert told.count("mode collapse") == 1 and len(set(told)) == len(told) == len(caught)


def test_fit_warns_of_the_first_batch_at_once():
    model = vae.VAE(**CODER)
    with pytest.warns(TrainingWarning, match="wrong data range"):
        genimg.fit(model, digits(), steps=1, batch=16, device="cpu", transform=lambda x: (x + 1) / 2)


@pytest.mark.parametrize(("kind", "steps"), [("gan", 200), ("vae", 100)])
@pytest.mark.parametrize("seed", range(2))
def test_fit_is_silent_on_healthy_runs(kind, steps, seed):
    seed_everything(seed)
    model = settings_of(kind, **({"width": 16, "d_width": 16, "z_dim": 16} if kind == "gan" else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        trained = genimg.fit(model, digits(1000), steps=steps, batch=32, seed=seed, every=20, device="cpu")
    assert trained.warned == []


def test_looking_at_a_run_does_not_change_it(monkeypatch):
    weights = []
    for looked_at in (True, False):
        if not looked_at:
            monkeypatch.setattr(Watch, "look", lambda self, history: [])
            monkeypatch.setattr(checkup, "diagnose", lambda *a, **k: [])
        seed_everything(0)
        model = gan.GAN(**TINY)
        with diagnostics.expected():
            genimg.fit(model, digits(), steps=90, batch=8, every=10, device="cpu")
        weights.append(copy.deepcopy(model.state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))


def test_a_run_in_a_folder_says_it_on_the_error_stream_and_keeps_it(tmp_path, capsys):
    command = [
        "train", "vae", "--data", "digits", "--size", "8", "--n", "200", "--width", "4", "--batch", "8", "--steps",
        "400", "--beta", "100", "--threads", "1", "--out", str(tmp_path / "a"), "--save-every", "400",
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr().err
    assert said.count("warning: posterior collapse: the code carries") == 1
    content = torch.load(tmp_path / "a" / CHECKPOINT, weights_only=True)
    kept = content["training"]["history"]["warned"]
    assert [text.split(":")[0] for text in kept] == ["posterior collapse"]
    longer = [word if word != "400" or i != command.index("400") else "600" for i, word in enumerate(command)]
    assert main(longer) == 0  # a run that goes on does not say it again
    assert "posterior collapse" not in capsys.readouterr().err
    assert json.loads((tmp_path / "a" / "config.json").read_text())["steps"] == 600
