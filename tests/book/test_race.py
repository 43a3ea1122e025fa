"""The race: equal time for all, the recipe of the tutorial as it is, and nothing lost that is on record."""

import json

import pytest
import torch
from PIL import Image

from genimg.book import race, records
from genimg.data.sources import load_images
from genimg.runs.recipes import DEFAULT, FAMILIES, Recipe
from genimg.system.errors import RunError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("race") / "pictures"
    out.mkdir()
    for i, pixels in enumerate(load_images("shapes", 16, 150, seed=0).pixels.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(pixels).save(out / f"{i}.png")
    return out


def test_the_networks_are_those_of_the_tutorial():
    torch.manual_seed(0)
    g, d = race.dcgan_networks(64, 3)
    assert sum(p.numel() for p in g.parameters()) == 3_576_704
    assert sum(p.numel() for p in d.parameters()) == 2_765_568
    x = g(torch.randn(2, 100, 1, 1))
    assert x.shape == (2, 3, 64, 64) and x.abs().max() <= 1 and d(x).shape == (2, 1, 1, 1)
    weights = torch.cat([p.flatten() for p in (*g.parameters(), *d.parameters()) if p.dim() == 4])
    assert abs(weights.std().item() - 0.02) < 1e-4 and not any(
        "bias" in n for n, p in d.named_parameters() if p.dim() > 1
    )


def test_a_race_goes_on_with_what_is_missing(folder, tmp_path):
    said = []
    options = dict(minutes=0.002, size=16, device="cpu", out=tmp_path, tell=said.append)
    race.record(str(folder), only=["controls", "vae"], **options)
    assert records.parts(race.NAME, tmp_path) == ("controls", "vae")
    said.clear()
    race.record(str(folder), **options)
    assert [line for line in said if line.endswith("is on record")] == ["controls is on record", "vae is on record"]
    parts = json.loads((tmp_path / "race.json").read_text())["parts"]
    assert set(parts) == set(race.PARTS)
    for name, part in parts.items():
        assert str(folder) not in json.dumps(part) and "--data FOLDER" in part["command"]
        assert (tmp_path / f"race-{name}.png").exists()
    scores = [score for part in parts.values() for scores in part["results"].values() for score in scores]
    assert len({score["fingerprint"] for score in scores}) == len({score["fd_floor"] for score in scores}) == 1
    assert all(score["n"] == 50 and score["pictures"] == 100 for score in scores)
    before = (tmp_path / "race.json").read_bytes()
    race.record(str(folder), **options)
    assert (tmp_path / "race.json").read_bytes() == before
    with pytest.raises(RunError, match="no part is called diffusion"):
        race.record(str(folder), only=["diffusion"], **options)


def test_the_controls_stand_in_their_order():
    images = load_images("shapes", 16, 600, seed=0)
    train, unseen = images[:450], images[450:]
    found = {name: race.judged(x, train, unseen) for name, x in race.controls(train, unseen).items()}
    copies = found["training pictures"]
    assert copies["copies"] == 1 and copies["fd"] < 2 * copies["fd_floor"]
    assert all(score["fd"] > 5 * copies["fd"] for name, score in found.items() if name != "training pictures")
    assert all(score["copies"] < 0.1 for name, score in found.items() if "training" not in name)


@pytest.mark.parametrize("family", ["latent", "gan"])
def test_each_part_of_a_run_is_timed(family):
    train = load_images("shapes", 16, 64, seed=0)
    costs = race.seconds_a_step(
        Recipe(family, "x", size=16, channels=3, width=4).complete(), train, torch.device("cpu")
    )
    assert [share for share, _ in costs] == ([0.5, 0.5] if family == "latent" else [1.0])
    assert all(cost > 0 for _, cost in costs)


def test_the_committed_race_was_fair_and_its_winner_is_the_default():
    folder = records.Path(__file__).parents[2] / "book" / "records"
    parts = json.loads((folder / "race.json").read_text())["parts"]
    trained = {name: part["results"][name][0] for name, part in parts.items() if name != race.CONTROLS}
    assert {"latent", "gan", "flow"} <= trained.keys() <= set(race.PARTS)
    (command,) = {part["command"] for part in parts.values()}
    assert command.startswith("python -m genimg record race --data FOLDER")
    minutes = float(command.split("--minutes ")[1].split()[0])
    assert all(abs(score["minutes"] / minutes - 1) < 0.05 for score in trained.values())
    scores = [*trained.values(), *(scores[0] for scores in parts[race.CONTROLS]["results"].values())]
    assert len({(score["fingerprint"], score["fd_floor"], score["features"], score["n"]) for score in scores}) == 1
    assert not any("+" in part["stamp"]["commit"] for part in parts.values())
    assert {part["stamp"]["threads"] for part in parts.values()} == {1}
    families = {name: score["fd"] for name, score in trained.items() if name in FAMILIES}
    first, second, *_ = sorted(families, key=families.__getitem__)
    assert first == DEFAULT and families[second] > 1.25 * families[first]
    assert sum((folder / f"race-{name}.png").stat().st_size for name in parts) < 1.2e6
