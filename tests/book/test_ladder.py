"""The ladder: its rungs compute one thing, and differ in what they say."""

import pytest
import torch

from genimg.__main__ import main
from genimg.book import cost, experiments, ladder, records
from genimg.system.device import seed_everything
from genimg.training.step import Stepper


@pytest.fixture(scope="module")
def histories():
    images = experiments.pictures(32, n=64)
    runners = {
        name: ladder.Runner(ladder.Loop(**change), images, 32, 4, 8, 0, "cpu")
        for name, change in {
            "ordinary": {}, "bytes": {"loader": False}, "unread": {"read": False}, "thrifty": {"wasteful": False},
            "fused": {"fused": True}, "layout": {"channels_last": True}, "lazy": {"penalty_every": 4},
            "narrow": {"bfloat16": True},
        }.items()
    }  # fmt: skip
    for runner in runners.values():
        runner.timed(6)
    return {name: runner.history() for name, runner in runners.items()}


@pytest.mark.parametrize("name", ["bytes", "unread", "thrifty", "fused", "layout"])
def test_rungs_that_change_no_mathematics_change_no_loss(histories, name):
    assert histories[name].shape == (6, 2)
    assert torch.allclose(histories[name], histories["ordinary"], atol=2e-3)


def test_rungs_that_change_numbers_do(histories):
    """Otherwise the switch would not be connected to anything."""
    assert not torch.allclose(histories["lazy"], histories["ordinary"], atol=1e-3)
    assert not torch.equal(histories["narrow"], histories["ordinary"])
    assert torch.allclose(histories["narrow"][0], histories["ordinary"][0], atol=0.05)


def test_the_ladder_takes_the_steps_of_the_packages_gan():
    images = experiments.pictures(32, n=64)
    loop = ladder.Loop(loader=False, read=False, wasteful=False, penalty_every=8, fused=True, channels_last=True)
    runner, twin = (ladder.Runner(loop, images, 32, 4, 8, 0, "cpu") for _ in range(2))
    seed_everything(0)
    model = experiments.build_gan(32, 4, **ladder.IMPROVED_GAN)
    trainer = Stepper(model, "cpu", torch.float32)
    model.noise = lambda n, generator=None: twin.z()
    for _ in range(10):
        runner.step()
        losses = trainer.step(twin.batch_of_pictures())
        expected = torch.stack([losses["loss_d"], losses["loss_g"]])
        assert torch.allclose(runner.losses[-1], expected, atol=1e-3)


def test_what_is_called_wasted_is_computed_and_what_is_not_is_not():
    images = experiments.pictures(32, n=64)

    def operations(**change):
        runner = ladder.Runner(ladder.Loop(penalty_every=8, **change), images, 32, 4, 8, 0, "cpu")
        runner.step()  # the first has penalties
        return cost.step_operations(runner.step)

    runner = ladder.Runner(ladder.Loop(), images, 32, 4, 8, 0, "cpu")
    g, d = (sum(layer.operations for layer in cost.layers(*a)) for a in (
        (runner.g, runner.z()), (runner.d, runner.batch_of_pictures())))  # fmt: skip
    assert 0.9 * (4 * g + 9 * d) < operations(wasteful=False) <= 4 * g + 9 * d
    assert operations(wasteful=True) > operations(wasteful=False) + d


def test_climbing_measures_every_rung():
    images = experiments.pictures(32, n=64)
    found = ladder.climb(images, width=4, batch=8, rounds=2, steps=2)
    assert list(found) == list(ladder.rungs("cpu")) and found.keys() <= ladder.RUNGS.keys()
    for result in found.values():
        assert len(result["ms"]) == len(result["ratio"]) == 2 and result["losses"].shape == (6, 2)
    assert found["ordinary loop"]["ratio"] == [1, 1]
    two = {"b": ladder.Loop(loader=False), "a": ladder.Loop()}
    found = ladder.climb(images, width=4, batch=8, rounds=1, steps=1, loops=two)
    assert list(found) == ["b", "a"] and found["b"]["ratio"] == [1]


@pytest.mark.parametrize("last", [False, True])
def test_every_map_lies_as_the_loop_says(last):
    """The package's generators ask for channels last by themselves; an ordinary loop must not profit from that."""
    runner = ladder.Runner(ladder.Loop(channels_last=last), experiments.pictures(32, n=16), 32, 4, 8, 0, "cpu")
    seen = []

    def note(module, args, output):
        if output.dim() == 4 and min(output.shape[1:]) > 1:
            seen.append((output.is_contiguous(), output.is_contiguous(memory_format=torch.channels_last)))

    for module in [*runner.g.modules(), *runner.d.modules()]:
        if isinstance(module, torch.nn.Conv2d | torch.nn.LeakyReLU | torch.nn.BatchNorm2d):
            module.register_forward_hook(note)
    runner.step()
    assert len(seen) > 10 and set(seen) == {(not last, last)}


def test_one_change_can_be_taken_back():
    loops = ladder.without_one("cuda")
    first = loops.pop("all of them")
    assert loops.keys() == ladder.changes("cuda").keys() - {"ordinary loop"}
    for name, loop in loops.items():
        differs = {key for key in vars(first) if getattr(loop, key) != getattr(first, key)}
        assert differs == ladder.RUNGS[name].keys()
        assert all(getattr(loop, key) == getattr(ladder.Loop(), key) for key in differs)


def test_each_rung_keeps_the_changes_before_it():
    last = list(ladder.rungs("cuda").values())[-1]
    assert last.compiled and not last.loader and not last.read and not last.wasteful and last.penalty_every == 8


def test_the_record_of_costs_is_made_by_one_command(tmp_path, capsys):
    options = "--width 4 --batch 8 --seeds 2 --steps 1"
    assert main(["record", "cost", *options.split(), "--out", str(tmp_path)]) == 0
    record = records.show("cost", "", tmp_path)
    assert list(record.results)[0] == "ordinary loop" and record.results.keys() <= ladder.RUNGS.keys()
    for scores in record.results.values():
        assert len(scores) == 2 and scores[0].keys() == {"ms", "ratio", "loss_d", "loss_g"}
    assert record.picture is None and "made by" in capsys.readouterr().out
