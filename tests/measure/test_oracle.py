"""The oracle reads back what the renderer drew, and says of what it did not draw that it is no shape."""

import math

import pytest
import torch

from genimg import oracle, shapes


def turn_difference(a, b):
    return ((a - b + 0.5) % 1.0 - 0.5).abs()


@pytest.mark.parametrize("size", [32, 64])
def test_oracle_recovers_every_factor(size):
    factors = shapes.sample_factors(150, seed=5)
    reading = oracle.read_factors(shapes.render(factors, size))
    assert torch.equal(reading.factors["kind"], factors["kind"])
    for name in ("x", "y", "radius"):
        assert (reading.factors[name] - factors[name]).abs().max() < 0.01, name
    for name in ("hue", "ground"):
        assert turn_difference(reading.factors[name], factors[name]).max() < 0.03, name
    for k, name in enumerate(shapes.KINDS):
        if oracle.PERIODS[name]:
            here = factors["kind"] == k
            turns = (reading.factors["angle"][here] - factors["angle"][here]) / oracle.PERIODS[name]
            assert turn_difference(turns, torch.zeros(1)).max() < 0.03, name
    assert reading.error.max() < 0.02


@pytest.mark.parametrize("kinds", [shapes.KINDS, ("square", "triangle", "ring")])
def test_oracle_reads_every_kind_of_what_was_drawn_and_redraws_it(kinds):
    for seed in range(100, 105):
        factors = shapes.sample_factors(100, seed, kinds=kinds, radius=(0.14, 0.4), shift=0.22)
        reading = oracle.read_factors(shapes.render(factors, 32), kinds)
        assert torch.equal(reading.factors["kind"], factors["kind"])
        assert reading.error.max() < oracle.REDRAWN_WITHIN / 2  # 0.015 at most in 2000


def test_report_counts_what_was_drawn():
    kinds, hues = ("ring", "disc"), 4  # not in the order of KINDS
    factors = shapes.sample_factors(200, seed=3, kinds=kinds, hues=hues)
    pixels = shapes.render(factors, 32)
    found = oracle.report(pixels, kinds, hues)
    counts = torch.tensor(
        [((factors["kind"] == k) & (factors["hue"] == h / hues)).sum() for k in (0, 5) for h in range(hues)]
    )
    shares = counts / 200
    assert (found.invalid, found.covered) == (0.0, 8)
    assert math.isclose(found.kl, (shares * (8 * shares).log()).sum().item(), abs_tol=1e-5)
    assert oracle.report(pixels.float() / 127.5 - 1, kinds, hues) == found


def test_report_tells_dropped_modes_and_what_is_no_shape():
    everything, generator = dict(kinds=("square", "triangle", "ring")), torch.Generator().manual_seed(0)
    some = shapes.render(shapes.sample_factors(200, seed=1, kinds=("square", "ring"), hue=(0.45, 0.7)), 32)
    found = oracle.report(some, **everything)
    assert (found.invalid, found.covered) == (0.0, 4)  # 2 of 3 kinds, around the hues 3/6 and 4/6
    assert math.log(18 / 6) < found.kl < math.log(18 / 2)
    x = some.float() / 127.5 - 1
    x[:50] = torch.rand(50, 3, 32, 32, generator=generator) * 2 - 1
    x[50:60] = float("nan")
    mixed = oracle.report(x, **everything)
    assert mixed.invalid == pytest.approx(0.3)
    assert mixed.covered == 4
    nothing = oracle.report(x[:60], **everything)
    assert (nothing.invalid, nothing.covered) == (1.0, 0)
    assert math.isnan(nothing.kl)


def test_report_draws_the_line_where_it_says():
    x = shapes.render(shapes.sample_factors(100, seed=2), 32).float() / 127.5 - 1
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    x = x + torch.linspace(0, 0.3, 100).view(-1, 1, 1, 1) * noise
    error = oracle.read_factors(x).error
    for within in (0.03, oracle.REDRAWN_WITHIN, 0.1):
        share = (error >= within).float().mean().item()
        assert 0.2 < share < 0.9
        assert oracle.report(x, within=within).invalid == pytest.approx(share)


def test_oracle_refuses_what_is_no_shape():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8, generator=generator)
    assert oracle.read_factors(noise).error.min() > 0.2
    two = shapes.sample_factors(40, seed=1, radius=0.2, shift=0.15)
    pictures = shapes.render(two, 32)
    cut_in_half = torch.cat([pictures[:20, :, :, :16], pictures[20:, :, :, 16:]], 3)
    whole = oracle.read_factors(pictures).error.max()
    assert (oracle.read_factors(cut_in_half).error > 2 * whole).float().mean() > 0.8


def test_outlines_have_similar_areas():
    areas = [oracle.unit_area(name) for name in shapes.KINDS]
    assert max(areas) / min(areas) < 2.2
    assert math.isclose(oracle.unit_area("disc"), math.pi * 0.95**2, rel_tol=0.01)
