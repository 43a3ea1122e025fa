"""The oracle of scenes reads every word back from held-out renders, and says no to all that is no scene."""

import pytest
import torch
import torch.nn.functional as F

from genimg import shapes
from genimg.data import scenes
from genimg.measure import scene_oracle

HELD_OUT = scenes.rows(scenes.all_words(), scenes.is_held_out(scenes.all_words()))


@pytest.mark.parametrize(("size", "n"), [(32, 600), (64, 100)])
def test_it_reads_every_factor_of_held_out_renders(size, n):
    drawn = scenes.sample_scenes(n, 11, HELD_OUT)
    reading = scene_oracle.read_scenes(scenes.render(drawn, size))
    asked, upright = scenes.layout(drawn)
    right = [reading.valid, reading.upright == upright]
    right += [(reading.factors["kind"] * 4 + reading.colour == asked)[:, i] for i in (0, 1)]
    assert torch.stack(right).float().mean() >= 0.995
    assert reading.error.max() < scene_oracle.REDRAWN_WITHIN / 2
    assert scene_oracle.obeyed(reading, drawn)["all"].float().mean() >= 0.995
    swapped = (drawn["relation"] == 1) | (drawn["relation"] == 3)
    for name, within in {"x": 0.01, "y": 0.01, "radius": 0.015}.items():
        true = torch.where(swapped[:, None], drawn[name].flip(1), drawn[name])
        assert (reading.factors[name] - true).abs().quantile(0.99) < within, name


def no_scenes():
    g, n = torch.Generator().manual_seed(0), 60
    pictures = scenes.render(scenes.sample_scenes(n, 5)).float()
    return {
        "blank": torch.full_like(pictures, 200.0),
        "noise": torch.randint(0, 256, pictures.shape, generator=g).float(),
        "mean": pictures.mean(0, keepdim=True).expand_as(pictures),
        "blurred": F.avg_pool2d(pictures, 5, 1, 2),
        "grey grounds": scenes.render_floats(scenes.sample_scenes(n, 5), 32)
        .sub(shapes.behind(scenes.sample_scenes(n, 5)["ground"], torch.zeros(n, 32, 32), scenes.TINT))
        .add(shapes.behind(torch.zeros(n), torch.zeros(n, 32, 32), 0.0))
        .clamp(0, 1)
        .mul(255),
        "one shape": shapes.render(shapes.sample_factors(n, 3, scenes.KINDS, radius=(0.14, 0.19))).float(),
        "not a number": torch.full_like(pictures, float("nan")),
    }


@pytest.mark.parametrize("name", no_scenes())
def test_it_says_no_to_what_is_no_scene(name):
    x = no_scenes()[name] / 127.5 - 1
    assert not scene_oracle.read_scenes(x).valid.any()
    assert scene_oracle.obedience(x, scenes.sample_scenes(len(x), 5)) == dict.fromkeys(
        ("valid", "kinds", "colours", "bound", "axis", "all"), 0.0
    )


def test_each_disobedience_is_told_apart():
    words = {"kind": torch.tensor([[0, 2]]), "colour": torch.tensor([[0, 3]]), "relation": torch.tensor([0])}

    def told(kind=(0, 2), colour=(0, 3), relation=0):
        shown = {"kind": torch.tensor([kind]), "colour": torch.tensor([colour]), "relation": torch.tensor([relation])}
        found = scene_oracle.obedience(scenes.render(scenes.sample_scenes(1, 0, shown)), words)
        return {name for name, value in found.items() if value}

    everything = {"valid", "kinds", "colours", "bound", "axis", "all"}
    assert told() == told((2, 0), (3, 0), 1) == everything
    assert told(relation=1) == everything - {"all"}
    assert told(relation=2) == everything - {"all", "axis"}
    assert told(colour=(3, 0)) == everything - {"all", "bound"}
    assert told(kind=(0, 0)) == everything - {"all", "bound", "kinds"}
    assert told(colour=(0, 1)) == everything - {"all", "bound", "colours"}


def test_a_hue_that_no_word_names_is_no_colour():
    drawn = scenes.sample_scenes(20, 1)
    reading = scene_oracle.read_scenes(scenes.render(drawn | {"hue": torch.full((20, 2), 0.5)}))
    assert reading.valid.all() and (reading.colour == -1).all()
    assert not scene_oracle.obeyed(reading, drawn)["all"].any()
