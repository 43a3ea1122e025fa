"""The comparison of families: equal budgets, everything measured, deterministic by seed."""

import math

import pytest
import torch

from genimg.book import families, records
from genimg.data.images import to_bytes
from genimg.measure import features
from genimg.measure.yardstick import nearest, yardstick
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
