"""The comparison of families: equal budgets, everything measured, deterministic by seed."""

import math

import pytest
import torch

from genimg.book import families, records
from genimg.book.experiments import WITHIN, pictures, trivial
from genimg.data.images import to_bytes
from genimg.measure import features, oracle
from genimg.measure.yardstick import nearest, yardstick
from genimg.models.likelihood import to_levels
from genimg.training.loop import fit


@pytest.fixture(scope="module")
def compared():
    return families.compare("digits", 2, steps={"GAN": 3, "VAE": 40, "flow": 3}, n=120, n_likelihood=8, tell=None)


@pytest.mark.parametrize("source", families.CONTENDERS)
def test_parameters_agree_to_a_tenth(source):
    counts = [families.parameters(families.build(source, family)) for family in families.CONTENDERS[source]]
    assert max(counts) < 1.1 * min(counts)


def test_the_data_are_always_the_same_and_apart():
    train, test = families.load("digits")
    again, _ = families.load("digits")
    assert torch.equal(train.pixels, again.pixels) and len(test) == 500
    assert nearest(test.floats(), train.floats()) > 0


def test_every_variant_is_measured_with_every_seed(compared):
    results, samples = compared
    assert list(results) == ["GAN", "VAE", "flow", families.FITTED, families.REAL]
    for name, scores in results.items():
        assert len(scores) == 2
        for score in scores:
            assert score["features"] == f"digits classifier {features.load('digits').digest}"
            assert score["n"] == 120 and score["fd"] >= 0 and math.isfinite(score["kd"])
        assert ("bits_per_dim" in scores[0]) == (name in ("VAE", "flow"))
        assert samples[name].shape == (16, 1, 16, 16)
    assert max(score["fd"] for score in results[families.REAL]) < min(score["fd"] for score in results["GAN"])
    assert results["GAN"][0]["fd"] != results["GAN"][1]["fd"]
    records.Record(results, (), None).table({"fd": "FD", "bits_per_dim": "bits"})


def test_with_steps_given_it_is_deterministic(compared):
    told = []
    again, samples = families.compare(
        "digits", [1], steps={"GAN": 3, "VAE": 40, "flow": 3}, n=120, n_likelihood=8,
        after=lambda family, seed, model: told.append((family, seed, families.parameters(model))),
    )  # fmt: skip
    assert told == [(name, 1, again[name][0]["parameters"]) for name in ("GAN", "VAE", "flow")]
    for name, scores in again.items():
        before = compared[0][name][1]
        for key in scores[0].keys() - {"seconds", "milliseconds_per_sample"}:
            assert scores[0][key] == before[key], (name, key)


def test_digits_at_their_own_resolution_are_measured_as_the_enlarged_ones_are():
    for small, large in zip(families.load(families.NATIVE), families.load("digits"), strict=True):
        assert torch.equal(families.finished(families.NATIVE, small.floats()), large.floats())
        assert torch.equal(small.labels, large.labels)
        off = families.finished(families.NATIVE, small.floats() + 0.05 * torch.randn(small.shape).clamp(-1, 1))
        assert torch.equal(off, large.floats())  # rounded to the 17 levels


def test_native_families_compared_at_length(monkeypatch):
    monkeypatch.setattr(families, "PASSES", (4, 8))
    monkeypatch.setattr(families, "RATES", (1e-3, 2e-3))
    results, samples = families.compare(families.NATIVE, [3], 0.2, n=100, n_likelihood=4, tell=None, at_length=True)
    assert all(x.shape == (16, 1, 16, 16) for x in samples.values())
    for family in ("GAN", "VAE", "flow"):
        (score,) = results[family]
        fds = {lr: score[f"FD at lr {lr:g}"] for lr in families.RATES}
        assert score["lr"] == min(fds, key=fds.get) and score["steps"] >= 25
    (flow,), (gan,), (real,) = (results[name] for name in ("flow", "GAN", families.REAL))
    assert {f"FD, {way}, {n}" for way in families.WAYS for n in (4, 8)} <= flow.keys()
    assert flow["bits_settled"] == pytest.approx(flow["bits_per_dim"], abs=0.2) and "bits_per_dim" not in gan
    assert real["bits_uniform"] == pytest.approx(math.log2(17))
    assert 1 < real["bits_independent"] < real["bits_uniform"]


def test_an_untrained_flow_is_as_good_whatever_its_passes():
    """Its velocity is 0, so every way leaves the noise as it is."""
    _, test = families.load("digits")
    model, extractor = families.build(families.NATIVE, "flow"), features.load("digits")
    fds = {families.by_passes(model, way, 8, families.NATIVE, extractor, test[:100], 0) for way in families.WAYS}
    assert len(fds) == 1


def test_sigma_fitted_anew_is_no_worse():
    train, test = (to_levels(x.floats(), 17) for x in families.load(families.NATIVE))
    torch.manual_seed(0)
    model = families.build(families.NATIVE, "VAE")
    fit(model, families.load(families.NATIVE)[0], 60, 32, seed=0, device="cpu")
    curve = families.bits_by_sigma(model, test[:200], families.SIGMAS, 0)
    own = families.bits_by_sigma(model, test[:200], [model.scale().item()], 0)
    assert curve.shape == (len(families.SIGMAS), 200)
    assert curve.mean(1).min() - 0.01 < families.refitted(curve) < own.mean() + 0.01
    assert own.mean().item() == pytest.approx(model.bits_per_dim(test[:200]), abs=0.05)
    found = families.likelihoods(model, train[:50], test[:50], 0)
    assert found.keys() == {"bits_per_dim", "bits_seen", "sigma", "bits_refitted", "bits_seen_refitted"}


def test_bare_grounds_are_no_shapes():
    """Within the looser error most of them are."""
    x = pictures(32, 100, seed=5).floats()
    ground = x.flatten(2).median(2).values[:, :, None, None].expand_as(x)
    assert yardstick(ground, pictures(32, 100), pictures(32, 100, 1), None, ("square",), within=WITHIN)["invalid"] == 1
    assert (oracle.read_factors(ground).error < 0.06).float().mean() > 0.3
    assert oracle.report(trivial(x, x)["mean picture"], within=WITHIN).invalid == 1


def test_training_by_the_clock_keeps_to_the_seconds():
    train, _ = families.load(families.NATIVE)
    started = families.clock("cpu")
    steps = families.fit_within(2.0, families.build(families.NATIVE, "VAE"), train, 32, 0, "cpu")
    assert steps >= 25 and families.clock("cpu") - started == pytest.approx(2.0, rel=0.3)


def test_more_seconds_are_more_steps():
    train, _ = families.load("digits")
    few = families.steps_within(0.05, families.build("digits", "VAE"), train, 32, "cpu")
    many = families.steps_within(50.0, families.build("digits", "VAE"), train, 32, "cpu")
    assert 1 <= few < many


def test_fitted_codes_are_nearer_to_the_data_than_the_prior(compared):
    results, _ = compared
    assert all(a["fd"] < b["fd"] for a, b in zip(results[families.FITTED], results["VAE"], strict=True))


def test_samples_of_fitted_codes_come_in_no_order():
    """A mixture is sampled heap by heap: neighbours in the list would be alike."""
    train, _ = families.load("digits")
    torch.manual_seed(0)
    model = families.build("digits", "VAE")
    fit(model, train, 40, 32, seed=0, device="cpu")
    x = families.fitted_codes(model, train, seed=0)(400, seed=1).flatten(1)
    between_neighbours, between_any = ((x - x.roll(by, 0)).norm(dim=1).mean() for by in (1, 200))
    assert 0.95 < between_neighbours / between_any < 1.05


def test_copies_are_seen():
    """Training pictures passed off as samples: praised in features, and called copies; unseen ones are not."""
    train, test = families.load("digits")
    extractor = features.load("digits")
    copies = yardstick(train[:300].floats(), train, test, extractor)
    assert copies["copies"] == 1.0 and copies["rms"] == 0.0
    assert copies["fd"] < 1.5 * copies["floor"]["fd"]  # another 300 of the same pictures
    threes = train.floats()[train.labels == 3].repeat(3, 1, 1, 1)[:300]  # copies, but of one digit
    assert yardstick(threes, train, test, extractor)["fd"] > 3 * copies["floor"]["fd"]
    unseen = yardstick(test.floats(), train, test)
    assert unseen["copies"] <= 0.01 and "fd" not in unseen
    assert yardstick(test.floats(), train, test, extractor)["fd"] == pytest.approx(0, abs=1e-6)
    assert to_bytes(train[:1].floats()).equal(train.pixels[:1])
