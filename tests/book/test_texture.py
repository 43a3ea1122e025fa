import pytest
import torch

from genimg.book import texture


@pytest.fixture(scope="module")
def statistics():
    return texture.Statistics(filters=6, taps=3, scales=2, seed=1)


def stripes(size=16):
    """Vertical stripes of period 4 with a colour: they tile."""
    x = torch.sin(torch.arange(size) * torch.pi / 2).expand(1, 1, size, size)
    return torch.cat([0.5 * x, 0.3 * x, -0.2 * x], 1)


def noise(size=16, seed=0):
    return 0.5 * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


def test_filters_are_of_length_1_and_mean_0_and_of_the_seed(statistics):
    weight = statistics.weight.flatten(1)
    assert torch.allclose(weight.norm(dim=1), torch.ones(6)) and weight.mean(1).abs().max() < 1e-6
    assert torch.equal(texture.Statistics(6, 3, 2, seed=1).weight, statistics.weight)
    assert not torch.equal(texture.Statistics(6, 3, 2, seed=2).weight, statistics.weight)


def test_statistics_by_hand():
    """One filter of one tap: features are relu(w . x) and the colours plus 1, here at a single scale."""
    one = texture.Statistics(filters=2, taps=1, scales=1)
    one.weight = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]).view(2, 3, 1, 1)
    x = torch.tensor([[0.5, 0.0, 0.0], [-0.5, -1.0, 1.0]]).T.reshape(1, 3, 1, 2)  # two pixels
    features = torch.tensor([[0.5, 0.0, 1.5, 1.0, 1.0], [0.0, 1.0, 0.5, 0.0, 2.0]])
    (found,) = one(x)
    assert torch.allclose(found[0], features.T @ features / 2)


def test_a_flat_grey_has_no_filter_answers(statistics):
    for part in statistics(torch.full((1, 3, 8, 8), 0.3)):
        assert part[0, :6, :6].abs().max() < 1e-10
        assert torch.allclose(part[0, 6:, 6:], torch.full((3, 3), 1.3**2))


def test_where_a_picture_tiles_statistics_do_not_depend_on_the_place(statistics):
    x = noise()
    rolled = x.roll((4, 6), (2, 3))
    for a, b in zip(statistics(x, "tile"), statistics(rolled, "tile"), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert any(not torch.allclose(a, b, atol=1e-4) for a, b in zip(statistics(x), statistics(rolled), strict=True))


def test_means_make_sizes_comparable(statistics):
    small, large = stripes(16), stripes(32)
    found = statistics.distance(statistics(small, "tile"), statistics(large, "tile"))
    assert found.shape == (1,) and found.item() < 1e-10


def test_distance_by_hand_and_order(statistics):
    a, b = [torch.ones(1, 2, 2), torch.zeros(1, 1, 1)], [2 * torch.ones(1, 2, 2), torch.ones(1, 1, 1)]
    assert statistics.distance(a, b).item() == pytest.approx((4 / 16 + 1) / 2)
    assert statistics.distance(b, b).item() == 0


def test_an_even_number_of_taps_is_refused():
    with pytest.raises(ValueError, match="odd"):
        texture.Statistics(taps=4)


def test_synthesis_comes_close_and_tiles(statistics):
    example = noise(seed=3)
    example = (example + example.roll(1, 3)) / 2
    x, distances = texture.synthesise(statistics, example, 0.2 * noise(seed=4), steps=60)
    assert x.shape == example.shape and x.abs().max() < 1 and torch.isfinite(x).all()
    assert distances[-1] < 0.02 * distances[0]
    wanted = statistics(example)
    assert statistics.distance(statistics(x, "tile"), wanted).item() < 1.5 * distances[-1] + 1e-6


def test_what_is_kept_keeps_the_coarse_grey(statistics):
    kept = stripes().cumsum(2).div(4).clamp(-0.9, 0.9)
    free, held = (
        texture.synthesise(statistics, noise(seed=5), 0.1 * noise(seed=6), "reflect", 30, keep, kept)[0]
        for keep in (0.0, 100.0)
    )
    off = [(texture._coarse(x) - texture._coarse(kept)).square().mean().item() for x in (free, held)]
    assert off[1] < 0.2 * off[0]


def test_coarse_is_the_mean_of_4x4_pixels_and_3_colours():
    x = torch.arange(3 * 8 * 8.0).view(1, 3, 8, 8)
    assert torch.allclose(texture._coarse(x)[0, 0, 1, 0], x[0, :, 4:, :4].mean())
    assert texture._coarse(x).shape == (1, 1, 2, 2)


@pytest.mark.parametrize("edges", texture.EDGES)
def test_halving_keeps_what_is_flat_and_blurs_what_alternates(edges):
    flat = torch.full((1, 3, 8, 8), 0.7)
    assert torch.allclose(texture.halved(flat, edges), flat[..., :4, :4])
    alternating = flat * (-1.0) ** torch.arange(8)
    assert texture.halved(alternating, edges)[..., 1:-1].abs().max() < 1e-6
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 3, 4] = 64  # seen by rows 1 and 2 of the half, with taps 3 and 1, and by columns 1 and 2, with 1 and 3
    assert texture.halved(x, edges)[0, 0, 1:3, 1:3].tolist() == [[3, 9], [1, 3]]


def test_seam():
    assert texture.seam(stripes()).item() == pytest.approx(1, abs=0.1)  # its period divides its width
    ramp = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
    assert texture.seam(ramp).item() == pytest.approx(15)  # 15 steps from the last column to the first
    assert texture.seam(ramp.transpose(2, 3)).item() == pytest.approx(15)
    both = texture.seam(torch.cat([stripes(), ramp]))
    assert both.shape == (2,) and both[1] > 10 * both[0]
