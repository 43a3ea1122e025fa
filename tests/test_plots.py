"""Figures: pictures land where they belong, untouched."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

import genimg
from genimg import plots
from genimg.training.history import History

mpl.use("Agg")


def test_tile_places_pictures_in_reading_order():
    x = torch.arange(5, dtype=torch.uint8).mul(50).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    sheet = plots.tile(x, columns=3)
    assert sheet.shape == (9, 14, 3)
    assert np.allclose(sheet[0, [0, 5, 10], 0], np.array([0, 50, 100]) / 255)
    assert np.allclose(sheet[5, [0, 5], 0], np.array([150, 200]) / 255)
    assert (sheet[5:, 10:] == 1).all()
    assert (sheet[4] == 1).all()


def test_floats_and_bytes_look_the_same():
    pixels = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    assert np.allclose(plots.as_array(pixels), plots.as_array(pixels.float() / 127.5 - 1), atol=1e-6)


def test_every_figure_draws():
    history = History({"a": [1.0, float("nan"), 3.0]}, [1, 2, 3])
    x = torch.zeros(6, 1, 8, 8)
    assert plots.grid(x, columns=3).images
    assert len(plots.rows({"one": x, "two": x}, columns=4)) == 2
    (line,) = plots.curves(history, ["a"]).lines
    assert line.get_xdata().tolist() == [1, 3]
    history = History({"loss_d": [1.0], "r1": [2.0], "loss_g": [3.0]}, [50])
    assert [line.get_label() for line in plots.curves(history).lines] == ["loss_d", "loss_g"]
    assert not plots.curves(History()).lines
    assert plots.scatter2d(torch.randn(20, 2), torch.arange(20) % 2).collections
    assert plots.interpolation(lambda z: z.view(-1, 1, 2, 2), torch.randn(3, 2, 4), steps=5).images


def test_interpolation_keeps_the_length_of_noise():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 64, generator=generator)
    path = plots.between(a, b, 9)
    assert torch.allclose(path[0], a, atol=1e-5)
    assert torch.allclose(path[-1], b, atol=1e-5)
    assert path.norm(dim=1).min() > 0.9 * min(a.norm(), b.norm())
    assert torch.lerp(a, b, 0.5).norm() < path[4].norm()


def test_between_a_point_and_itself():
    z = torch.ones(3)
    assert torch.allclose(plots.between(z, z, 4), z.expand(4, 3))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ("photos", "str is no set of pictures in memory; pass"),
        (None, "NoneType is no set of pictures"),
        ([torch.zeros(1, 8, 8)] * 2, "list is no set of pictures in memory: torch.stack"),
        (torch.zeros(3, 8, 8), r"these are \(3, 8, 8\)$"),
        (np.zeros((2, 8, 8, 3)), r"these are \(2, 8, 8, 3\); permute\(0, 3, 1, 2\)"),
        (torch.zeros(0, 3, 8, 8), r"these are \(0, 3, 8, 8\)"),
    ],
)
def test_what_is_no_set_of_pictures_is_refused_with_what_to_pass(x, says):
    with pytest.raises(ValueError, match=says):
        plots.grid(x)


def test_a_grid_of_a_folder_that_streams_is_told_how_to_get_some(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    images = genimg.load_images(tmp_path, 8, memory=0)
    with pytest.raises(ValueError, match=r"Stream is no .*: pixels_of\(range\(64\)\)"):
        plots.grid(images)
    assert plots.grid(images.pixels_of(range(1))).images


def test_a_grid_takes_images_as_they_are_loaded():
    images = genimg.load_images("digits", n=6)
    assert np.array_equal(plots.tile(images, 3), plots.tile(images.pixels, 3))
    assert plots.grid(images[:4]).images[0].get_array().shape[2] == 3
