"""The table of features: faults that are faults, a verdict that right and wrong candidates get, nothing lost."""

import json

import pytest
import torch
from PIL import Image

from genimg.book import feature_candidates as candidates
from genimg.book import feature_faults as faults
from genimg.book import feature_table as table
from genimg.book import records
from genimg.data.images import to_bytes, to_floats
from genimg.data.sources import load_images
from genimg.measure import features, metrics
from genimg.system.errors import RunError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("features") / "pictures"
    out.mkdir()
    for i, pixels in enumerate(load_images("shapes", 16, 480, seed=5).pixels.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(pixels).save(out / f"{i}.png")
    return out


@pytest.fixture(scope="module")
def tried(folder):
    return faults.pictures(str(folder), 16)


@pytest.mark.parametrize("source", faults.SOURCES)
def test_no_picture_is_used_twice(tried, source):
    of = tried[source]
    everything = torch.cat([of.learn.pixels, of.pool.pixels, of.unseen.pixels])
    assert len(everything.flatten(1).unique(dim=0)) == len(everything) == 215 + 215 + 43
    assert len(of.pool) == faults.DRAWS * len(of.unseen) and len(of.kinds) == len(of.pool)
    assert set(of.kinds.tolist()) == set(range(faults.KINDS))


def test_kinds_of_a_folder_are_kinds_of_colour(tried):
    of = tried[faults.FOLDER]
    assert of.kinds.bincount().max() - of.kinds.bincount().min() <= 1
    colours = of.pool.floats().mean((2, 3))
    across = torch.stack([colours[of.kinds == kind].mean(0) for kind in range(faults.KINDS)])
    assert (across[0] - across[-1]).norm() > 3 * (across[2] - across[3]).norm()


def test_each_fault_is_one_and_grows(tried):
    of = tried[faults.SHAPES]
    x, faulty = of.draw(0), faults.spoilt(of, 0)
    assert set(faulty) == set(faults.FAULTS) and all(len(sets) == 3 for sets in faulty.values())
    assert all(one.shape == x.shape and one.dtype == torch.uint8 for sets in faulty.values() for one in sets)
    found = {fault: [to_floats(one) for one in sets] for fault, sets in faulty.items()}
    steep = [x.diff(dim=3).abs().mean(), *(one.diff(dim=3).abs().mean() for one in found["blur"])]
    assert sorted(steep, reverse=True) == steep and steep[-1] < 0.8 * steep[0]
    away = [(one - x).square().mean().sqrt().item() for one in found["noise"]]
    assert away == pytest.approx([0.06, 0.12, 0.24], rel=0.15)
    warmer = [(one - x).mean((0, 2, 3)) for one in found["tint"]]
    assert all(a[0] > 0.02 and abs(a[1]) < 1e-3 and a[2] < -0.02 for a in warmer) and warmer[2][0] > 2 * warmer[0][0]
    assert [len(one.flatten(1).unique(dim=0)) for one in faulty["copies"]] == [11, 4, 2]
    whole = {tuple(one.flatten().tolist()): kind for one, kind in zip(of.pool.pixels, of.kinds.tolist(), strict=True)}
    for missing, one in zip((1, 2, 3), faulty["dropped"], strict=True):
        assert {whole[tuple(each.flatten().tolist())] for each in one} == set(range(missing, 6))


def measured_by(points):
    return candidates.Measure(points, metrics.frechet_distance)


def test_right_needs_a_rise_and_room_above_the_floor():
    assert table.right(1.0, 0.1, [1.3, 2.0, 3.0])
    assert not table.right(1.0, 0.1, [1.1, 2.0, 3.0])
    assert not table.right(1.0, 0.1, [1.3, 3.0, 2.0])


def test_a_good_candidate_is_called_right_and_planted_ones_wrong():
    drawn = load_images("shapes", 16, 2440, seed=0)
    of = faults.Tried(drawn[:40], drawn[40:2040], drawn.factors["kind"][40:2040], drawn[2040:])

    def constant(pixels):
        return torch.ones(len(pixels), 8)

    def shuffled(pixels):
        return torch.randn(len(pixels), 8, generator=torch.Generator().manual_seed(int(pixels.sum()) % 2**31))

    def colours(pixels):
        return to_floats(pixels).mean((2, 3))

    assert table.judged(measured_by(constant), of)["right"] == 0
    assert table.judged(measured_by(shuffled), of)["right"] <= 2
    plain = table.judged(measured_by(colours), of)
    assert plain["tint, right"] == 1 and plain["blur, right"] == 0
    bank = table.judged(measured_by(features.load(features.ANY)), of)
    assert bank["blur, right"] == bank["noise, right"] == bank["tint, right"] == 1
    assert bank["controls, distances"][0] > 10 > 1 + 5 * bank["spread"]
    assert bank["blur, excess"] == pytest.approx((bank["blur, distances"][0] - 1) / bank["spread"])


def test_agreement_is_of_ranks(tried):
    of = tried[faults.SHAPES]
    measure = measured_by(features.load(features.ANY))
    x, random = of.draw(0), torch.randn(of.draw(0).shape, generator=torch.Generator().manual_seed(0))
    models = [(to_bytes(x + much * random), much) for much in (0.1, 0.3, 0.9)]
    assert table.agreement(measure, of, models) == pytest.approx(1)
    assert table.agreement(measure, of, [(x, -error) for x, error in models]) == pytest.approx(-1)
    assert table.agreement(measured_by(lambda x: torch.ones(len(x), 2)), of, models) == 0


def test_the_oracle_is_not_taken_in_by_an_empty_picture(tried):
    x = tried[faults.SHAPES].draw(0)[:12]
    soft = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(x, 4), 16, mode="bilinear")
    empty = x[:, :, :, :1].expand_as(x)  # of the ground alone
    found = [table.misdrawn(to_bytes(each)) for each in (x, soft, empty)]
    assert sorted(found) == found and found[0] < 0.02 < found[1]


def test_a_pyramid_is_the_picture_and_its_distance_a_distance():
    x = load_images("shapes", 32, 40, seed=0).floats()
    *details, rest = candidates.levels(x)
    assert [level.shape[-1] for level in (*details, rest)] == [32, 16, 8]
    again = rest
    for detail in reversed(details):
        again = detail + torch.nn.functional.interpolate(again, detail.shape[-2:], mode="bilinear")
    assert torch.allclose(again, x, atol=1e-5)
    measure = candidates.pyramid(load_images("shapes", 32, 60, seed=1), 0.0, 0, torch.device("cpu"))
    points = measure.points(to_bytes(x))
    assert points.shape == (3, candidates.DIRECTIONS, 40 * candidates.PATCHES) and (points.diff(dim=2) >= 0).all()
    assert measure.distance(points, points) == 0 and measure.distance(points + 0.5, points) == pytest.approx(0.5)


def test_rotations_are_learnt(tried):
    measure = candidates.rotations(tried[faults.SHAPES].learn, 2.0, 0, torch.device("cpu"))
    assert measure.about["told"] > 0.4  # a quarter by chance
    found = measure.points(tried[faults.SHAPES].unseen.pixels)
    assert found.shape == (len(tried[faults.SHAPES].unseen), 320) and found.isfinite().all()
    assert metrics.frechet_distance(found, found) == 0


def test_a_record_goes_on_with_what_is_missing(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "COST_SIZE", 32)  # larger than the pictures, as the command has it
    monkeypatch.setattr(table, "COSTED", 20)
    said = []
    options = dict(minutes=0.001, size=16, seeds=2, device="cpu", out=tmp_path, looks=(1, 2, 3), tell=said.append)
    table.record(str(folder), only=["rotations", "Gabor bank"], **options)
    done = ("rotations, seed 0", "Gabor bank, seed 0", "rotations, seed 1")
    assert records.parts(table.NAME, tmp_path) == done
    before = json.loads((tmp_path / "features.json").read_text())["parts"]
    said.clear()
    table.record(str(folder), **options)
    assert [line.split(" is on")[0] for line in said if line.endswith("is on record")] == sorted(done)
    parts = json.loads((tmp_path / "features.json").read_text())["parts"]
    assert {name: parts[name] for name in done} == before
    assert {name.rsplit(", seed ", 1)[0] for name in parts} == set(candidates.CANDIDATES)
    assert len(parts) == 2 * len(candidates.CANDIDATES) - 1
    assert all(str(folder) not in json.dumps(part) for part in parts.values())
    with pytest.raises(RunError, match="no candidate is called inception"):
        table.record(str(folder), only=["inception"], **options)
    shown = records.show_parts(table.NAME, folder=tmp_path)
    for source in faults.SOURCES:
        scores = table.of_source(shown, source).results
        assert {name: len(each) for name, each in scores.items()}["rotations"] == 2
        assert all(0 <= score["right"] <= 5 for each in scores.values() for score in each)
        once = {"agreement", "ms for 1,000", "share"}
        kept = once if source == faults.SHAPES else set()
        assert all(once & score.keys() == kept for each in scores.values() for score in each)


def test_too_few_pictures_are_told(tmp_path):
    for i, pixels in enumerate(load_images("shapes", 16, 30, seed=0).pixels.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    with pytest.raises(RunError, match="30 pictures; to try features on them it takes some 500"):
        faults.pictures(str(tmp_path), 16)
