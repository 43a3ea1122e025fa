"""The renderer draws what the factors say; `measure/test_oracle.py` reads it back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genimg import shapes


def test_same_seed_same_pictures_other_seed_others():
    first, again, other = (shapes.render(shapes.sample_factors(8, seed=s), 32) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_picture_does_not_depend_on_its_neighbours():
    factors = shapes.sample_factors(300, seed=0)
    together = shapes.render(factors, 32)
    alone = shapes.render({name: value[120:121] for name, value in factors.items()}, 32)
    assert torch.equal(together[120:121], alone)


def test_sizes_agree_after_averaging_pixels():
    factors = shapes.sample_factors(60, seed=2)
    small = shapes.render(factors, 32).float()
    large = torch.nn.functional.avg_pool2d(shapes.render(factors, 128).float(), 4)
    assert (small - large).abs().mean() < 2.0  # grey levels out of 255


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(8, 128),
    n=st.integers(1, 5),
    seed=st.integers(0, 2**31),
    kinds=st.sets(st.sampled_from(shapes.KINDS), min_size=1),
    hues=st.none() | st.integers(1, 12),
)
def test_any_factors_render(size, n, seed, kinds, hues):
    factors = shapes.sample_factors(n, seed, kinds=sorted(kinds), hues=hues)
    pixels = shapes.render(factors, size)
    assert pixels.shape == (n, 3, size, size)
    assert pixels.dtype == torch.uint8
    assert {shapes.KINDS[k] for k in factors["kind"].tolist()} <= kinds
    if hues:
        assert torch.allclose((factors["hue"] * hues).round() / hues, factors["hue"], atol=1e-6)
    assert pixels.float().std() > 5  # never an empty sheet


def test_factors_are_uniform_and_independent():
    factors = shapes.sample_factors(20_000, seed=0)
    counts = torch.bincount(factors["kind"], minlength=len(shapes.KINDS)) / 20_000
    assert (counts - 1 / len(shapes.KINDS)).abs().max() < 0.02
    table = torch.stack([factors[name].float() for name in factors])
    correlation = torch.corrcoef(table) - torch.eye(len(table))
    assert correlation.abs().max() < 0.03


def test_position_up_is_up_and_right_is_right():
    where = dict(hue=0.0, radius=0.1, angle=0.0, ground=0.5, kinds=("disc",))
    top_right = shapes.render(shapes.sample_factors(1, x=0.3, y=0.3, **where), 32)[0].float()
    redness = top_right[0] - top_right[1]
    row, column = divmod(int(redness.argmax()), 32)
    assert row < 12 < 20 < column


def test_hue_inverts():
    hue, phase = torch.linspace(0, 0.99, 50), 2 * torch.pi * torch.arange(3) / 3
    rgb = shapes.hue_to_rgb(hue, 0.5, 0.4)
    turned = torch.atan2((rgb * phase.sin()).sum(-1), (rgb * phase.cos()).sum(-1)) / (2 * torch.pi) - hue
    assert ((turned + 0.5) % 1.0 - 0.5).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ("hexagon",)}, "hexagon"),
        ({"kinds": ()}, "none given"),
        ({"colour": 1.0}, "colour"),
        ({"radius": (0.4, 0.1)}, "radius"),
    ],
)
def test_bad_factors_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        shapes.sample_factors(4, **options)


@pytest.mark.parametrize("size", [0, 7, 1025])
def test_size_out_of_range(size):
    with pytest.raises(ValueError, match="8 to 1024"):
        shapes.render(shapes.sample_factors(1), size)
