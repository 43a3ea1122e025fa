"""Scenes are what their words say, in every order of the two shapes; those held out are balanced and whole."""

import pytest
import torch

from genimg import shapes
from genimg.data import scenes


def test_a_scene_lies_as_its_relation_says():
    drawn = scenes.sample_scenes(2000, seed=1)
    dx, dy = (drawn[name][:, 0] - drawn[name][:, 1] for name in ("x", "y"))
    along = torch.stack([-dx, dx, dy, -dy], 1).gather(1, drawn["relation"][:, None]).squeeze(1)
    across = torch.where(drawn["relation"] >= 2, dx, dy)
    assert along.min() >= 2 * scenes.APART - 0.04 and along.max() <= 2 * scenes.APART + 0.04
    assert across.abs().max() <= 0.1
    hues = torch.tensor(list(scenes.COLOURS.values()))[drawn["colour"]]
    assert ((drawn["hue"] - hues + 0.5) % 1.0 - 0.5).abs().max() <= 0.03


def test_the_same_seed_the_same_scenes_at_any_size():
    a, b, c = (scenes.sample_scenes(20, seed) for seed in (4, 4, 5))
    assert all(torch.equal(a[name], b[name]) for name in a) and not torch.equal(a["x"], c["x"])
    small, large = scenes.render(a, 32).float(), scenes.render(a, 128).float()
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 4
    with pytest.raises(ValueError, match="size 4"):
        scenes.render(a, 4)


def test_one_order_of_many_kinds_is_kept_in_the_picture():
    drawn = scenes.sample_scenes(60, seed=2)
    one_by_one = [scenes.render(scenes.rows(drawn, torch.tensor([i])), 32) for i in range(60)]
    assert torch.equal(scenes.render(drawn, 32), torch.cat(one_by_one))


def test_far_from_the_shapes_there_is_the_ground_alone():
    drawn = scenes.sample_scenes(50, seed=3) | {"ground": torch.full((50,), 0.4)}
    ground = shapes.behind(torch.tensor([0.4]), torch.zeros(1, 32, 32), scenes.TINT).clamp(max=1)
    corner = scenes.render(drawn, 32)[:, :, 0, 0].float() / 255
    assert torch.allclose(corner, ground[:, :, 0, 0], atol=0.003)


def test_the_layout_is_the_same_from_both_sides():
    words = scenes.all_words()
    other = {name: words[name].flip(1) for name in ("kind", "colour")}
    other["relation"] = torch.tensor([1, 0, 3, 2])[words["relation"]]
    both, upright = scenes.layout(words)
    assert torch.equal(scenes.layout(other)[0], both) and torch.equal(scenes.layout(other)[1], upright)
    assert len({(*pair, up) for pair, up in zip(map(tuple, both.tolist()), upright.tolist(), strict=True)}) == 264


def test_held_out_sentences_are_balanced_and_whole():
    words = scenes.all_words()
    assert len(words["relation"]) == 12 * 11 * 4
    held = scenes.is_held_out(words)
    assert 0.12 < held.float().mean() < 0.18
    both, _ = scenes.layout(scenes.rows(words, held))
    assert both[:, 0].bincount().unique().numel() == both[:, 1].bincount(minlength=12).unique().numel() == 1
    kept = scenes.layout(scenes.rows(words, ~held))
    out = scenes.layout(scenes.rows(words, held))
    as_sets = [{(*p, u) for p, u in zip(map(tuple, b.tolist()), up.tolist(), strict=True)} for b, up in (kept, out)]
    assert not as_sets[0] & as_sets[1]
