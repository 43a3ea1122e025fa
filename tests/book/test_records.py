"""Experiments and their records: what is measured, and that a page shows nothing but what a command wrote."""

import json
import math
import time

import pytest
import torch
import torch.nn.functional as F

from genimg import gan, load_images, vae
from genimg.book import experiments, ladder, records, vae_experiments
from genimg.system.errors import RunError
from genimg.system.notebook import WIDTH


def test_a_record_is_shown_as_it_was_written(tmp_path, capsys):
    results = {"text": [{"error": 0.25}], "other": [{"error": 0.125}]}
    samples = {name: torch.zeros(3, 3, 8, 8) for name in results}
    records.write("some", "python -m genimg record some", results, samples, time.perf_counter(), "cpu", tmp_path)
    record = records.show("some", "another command", tmp_path)
    shown = capsys.readouterr().out
    assert record
    assert record.results == results
    assert record.rows == ("text", "other")
    assert record.picture.exists()
    assert record.mean("text", "error") == 0.25
    assert record.below("other", "text", "error", by=0.1)
    assert not record.below("other", "text", "error", by=0.125)
    assert not record.below("text", "other", "error")
    record.table({"error": "error"})
    assert capsys.readouterr().out.splitlines()[2].split() == ["text", "0.25"]
    assert "python -m genimg record some" in shown
    for key in ("commit", "device", "torch", "date"):
        assert str(json.loads((tmp_path / "some.json").read_text())["stamp"][key]) in shown


def test_seeds_without_a_number_are_left_out_and_marked(capsys):
    scores = {"a": [{"kl": math.nan}, {"kl": 0.5}, {}], "b": [{"kl": math.nan}], "c": [{"kl": 1.0}]}
    record = records.Record(scores, (), None)
    assert record.values("a", "kl") == [0.5] and record.values("b", "kl") == []
    record.table({"kl": "KL"})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["a", "0.5*"], ["b", "-"], ["c", "1"]]


def test_a_table_is_no_wider_than_a_page(capsys):
    scores = {f"variant {i}": [{f"key {k}": 10.0**k + seed for k in range(9)} for seed in range(3)] for i in range(2)}
    records.Record(scores, (), None).table({f"key {k}": f"title {k}" for k in range(9)}, over="splits")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "mean over splits (lowest to highest)"
    lines = list(filter(None, lines))  # blocks are apart
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) % 3 == 0 and len(lines) > 3  # blocks of a heading and two variants
    titles = [word for line in lines[::3] for word in line.split("title ")[1:]]
    assert [int(title) for title in titles] == list(range(9)), "a column is lost"
    text = "\n".join(lines)
    assert "2 (1 to 3)" in text and "1,001 (1,000 to 1,002)" in text and "100,000,001" in text
    assert all(line.startswith(("  ", "variant")) for line in lines)


def test_without_a_record_the_page_says_so(tmp_path, capsys):
    record = records.show("some", "python -m genimg record some", tmp_path)
    assert not record
    record.table({"error": "error"})
    record.dots({"error": "error"})
    record.samples()
    shown = capsys.readouterr().out
    assert "No record of some yet" in shown
    assert "python -m genimg record some" in shown


def test_parts_that_were_made_alike_have_one_stamp(tmp_path, capsys):
    for part in "abc":
        results = {f"of {part}": [{"fd": 1.0}]}
        samples = {part: torch.zeros(2, 3, 8, 8)} if part != "b" else {}
        command = "another" if part == "c" else "a command"
        records.write("some", command, results, samples, time.perf_counter(), "cpu", tmp_path, part=part)
    found = records.show_parts("some", "a command", tmp_path)
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("Record")] == [
        "Record some, a, b, made by", "Record some, c, made by",
    ]  # fmt: skip
    assert list(found) == ["a", "b", "c"] and found["b"].results == {"of b": [{"fd": 1.0}]}
    assert found["a"].picture.exists() and found["b"].picture is None
    assert records.show_parts("other", "a command", tmp_path) == {}
    assert "No record of other yet" in capsys.readouterr().out


def test_a_page_alone_in_a_folder_shows_the_installed_records(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "INSTALLED", records.Path(__file__).parents[2] / "book" / "records")
    record = records.show("families-digits", "a command")
    assert record and record.picture.exists()
    assert "Record families-digits, made by" in capsys.readouterr().out
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "families-digits.json").write_text("[]")
    with pytest.raises(RunError, match="not a record"):  # the one beside the page comes first
        records.show("families-digits", "a command")


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"results": {}})])
def test_what_is_no_record_is_refused(content, tmp_path):
    (tmp_path / "some.json").write_text(content)
    with pytest.raises(RunError, match=r"some\.json"):
        records.show("some", "a command", tmp_path)


def test_the_committed_records_are_of_the_experiments_as_they_are():
    folder = records.Path(__file__).parents[2] / "book" / "records"
    of_gans = {"gan-factors": experiments.GAN_FACTORS, "gan-few": experiments.GAN_FEW}
    experiment_of = of_gans | {"vae-factors": vae_experiments.VAE_FACTORS}
    made = {name: path for name in experiment_of if (path := folder / f"{name}.json").exists()}
    assert made
    for name, path in made.items():
        record = json.loads(path.read_text())
        factors = list(experiment_of[name])
        assert record["rows"] == factors == list(record["results"])[: len(factors)]  # then pictures without training
        assert all(len(scores) >= 3 for scores in record["results"].values())
        assert "+" not in record["stamp"]["commit"]


def test_mean_squared_error_is_a_gaussian_of_that_sigma():
    x, mean = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64)
    sigma = experiments.mean_sigma(48)
    constant = 48 * math.log(sigma) + 24 * math.log(2 * math.pi)
    written = F.mse_loss(x, mean, reduction="none").flatten(1).mean(1)
    assert torch.allclose(written, -vae.log_gaussian(x, mean, sigma) - constant, atol=1e-9)


def test_an_experiment_repeats_and_its_seeds_differ():
    options = dict(steps=2, width=4, batch=4, device="cpu", names=("sum",), tell=lambda line: None, n=200, scored=16)
    first, samples = vae_experiments.vae_factors(seeds=2, **options)
    again, same = vae_experiments.vae_factors(seeds=1, **options)
    scores = [{key: value for key, value in score.items() if key != "seconds"} for score in first["sum"]]
    assert scores[0] == {key: value for key, value in again["sum"][0].items() if key != "seconds"}
    assert scores[0] != scores[1]
    assert samples["sum"].shape == (16, 3, 32, 32)
    assert torch.equal(samples["sum"], same["sum"])


def test_every_factor_changes_what_it_says():
    text, improved = experiments.build_gan(32, 4), experiments.build_gan(32, 4, **ladder.IMPROVED_GAN)
    assert (text.lr, text.betas, text.r1, text.mixes) == (2e-4, (0.5, 0.999), 0.0, True)
    assert (text.loss_of_d, text.loss_of_g) == (gan.d_sigmoid_bce, gan.g_sigmoid_bce)
    assert (improved.lr, improved.betas, improved.r2, improved.mixes) == (1e-3, (0.0, 0.99), 0.1, False)
    changes = {name: of for name, of in experiments.GAN_FACTORS.items() if name != "text"}
    small = {name: experiments.small_gan(32, 4, **of) for name, of in changes.items()}
    assert (small["recipe"].r1, small["recipe"].mixes, small["recipe"].betas) == (0.1, False, (0.0, 0.99))
    assert (small["no penalties"].r1, small["no penalties"].mixes) == (0.0, False)
    assert (small["no penalties, norm in D"].r1, small["no penalties, norm in D"].mixes) == (0.0, True)
    assert (small["lr 2e-4"].lr, small["beta1 0.5"].betas, small["beta1 0.9"].betas) == (2e-4, (0.5, 0.99), (0.9, 0.99))
    assert vae_experiments.build_vae(32, 4, **vae_experiments.VAE_FACTORS["mean"]).sigma == math.sqrt(3 * 32 * 32 / 2)


def test_a_judge_that_neither_empty_nor_blurred_nor_few_pictures_please():
    x = load_images("shapes", 32, 120, seed=1, **experiments.EASY).floats()
    blurred = F.interpolate(F.avg_pool2d(x, 8), scale_factor=8, mode="bilinear")
    flat = x.transpose(0, 1).flatten(1).median(1).values.view(1, 3, 1, 1).expand(20, 3, 32, 32)
    of_data = experiments.judge(x)
    assert of_data["valid"] == 1 and of_data["modes"] > 0.75 and of_data["places"] > 0.75 and of_data["beyond"] == 0
    for worthless in (blurred, flat, x.mean(0, keepdim=True), torch.zeros_like(x[:8]), torch.randn_like(x[:20])):
        assert experiments.judge(worthless)["valid"] == 0
    copies = experiments.judge(x[:3].repeat(40, 1, 1, 1))
    assert copies["valid"] == 1 and copies["modes"] <= 3 / 18 + 1e-6 and copies["places"] <= 3 / 9 + 1e-6
    outside = experiments.judge(load_images("shapes", 32, 8, **experiments.EASY | {"shift": None, "x": 0.15}).floats())
    assert outside["beyond"] == outside["valid"] == 1


@pytest.mark.parametrize("name", ["gan_factors", "gan_few"])
def test_a_gan_on_record_has_numbers_for_all_that_is_said_of_it(name):
    factors = {"gan_factors": "no penalties, norm in D", "gan_few": "64, DiffAugment"}
    options = dict(steps=8, width=4, batch=4, seeds=1, device="cpu", names=(factors[name],), tell=lambda line: None)
    results, samples = getattr(experiments, name)(**options)
    (score,) = results[factors[name]]
    numbers = {key: value for key, value in score.items() if key != "warned"}
    assert {"valid", "modes", "places", "beyond", "raw_valid", "known", "copied", "gap"} < numbers.keys()
    assert all(math.isfinite(value) for value in numbers.values())
    assert samples[factors[name]].shape == (16, 3, 32, 32)


def test_a_record_is_json_whatever_was_measured(tmp_path):
    """JSON knows no NaN and no Infinity: other programs would refuse the file."""
    scores = {"a": [{"kl": math.nan, "fd": math.inf, "all": [1.0, -math.inf]}, {"kl": 0.5, "fd": 2.0}]}
    records.write("some", "command", scores, {}, 0.0, "cpu", tmp_path)

    def refuse(word):
        raise AssertionError(word)

    json.loads((tmp_path / "some.json").read_text(), parse_constant=refuse)
    record = records.show("some", folder=tmp_path)
    assert record.values("a", "kl") == [0.5] and record.values("a", "fd") == [2.0]
