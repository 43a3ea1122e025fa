"""What the reader draws, without the page: strokes become dots, dots become data, and what was kept is read again."""

import json

import numpy as np
import pytest
from in_node import in_node


def test_a_stroke_is_a_row_of_dots_in_equal_distances():
    dots = np.array(in_node("const dots = []; core.stroke(dots, [1, 0.5], [0, 0.5]); return dots"))
    assert len(dots) == 13  # 1 / 0.08 is 12.5
    assert np.allclose(np.diff(dots[:, 0]), 1 / 13, atol=2e-3) and np.allclose(dots[:, 1], 0.5)
    assert dots[-1].tolist() == [1, 0.5]


def test_a_place_is_one_dot_and_a_drawing_stays_on_the_map():
    assert in_node("const dots = []; core.stroke(dots, [7, -0.25]); return dots") == [[3, -0.25]]


def test_a_drawing_has_an_end():
    body = "const dots = []; for (let i = 0; i < 20; i += 1) core.stroke(dots, [3, 3], [-3, -3]); return dots.length"
    assert in_node(body) == 800


@pytest.mark.parametrize(
    "text", [None, "", "no JSON", "{}", "[[1]]", "[[1, null, 2]]", '[["a", 1]]', "[[9, 0]]", "[null]"]
)
def test_what_is_no_drawing_is_read_as_none(text):
    assert in_node("return core.read(given.text)", text=text) == []


def test_a_drawing_is_read_as_it_was_kept():
    dots = [[0.5, -1.25], [3, -3]]
    assert in_node("return core.read(given.text)", text=json.dumps(dots)) == dots


def test_the_data_lie_around_the_dots_as_often_around_each():
    body = """const data = core.sketch([[-1, 2], [1.5, 0], [0, -2]]);
              return { x: data.draw(6000, core.randomness(1)), centres: data.centres }"""
    given = in_node(body)
    x, centres = np.reshape(given["x"], (-1, 2)), np.array(given["centres"])
    nearest = np.linalg.norm(x[:, None] - centres, axis=-1).argmin(1)
    assert np.bincount(nearest).min() > 1850
    assert (x - centres[nearest]).std() == pytest.approx(0.06, rel=0.05)


def test_a_drawing_is_reached_dot_by_dot():
    body = """const data = core.sketch([[-1, 2], [1.5, 0], [0, -2]]);
              const points = Float64Array.from([-1.1, 2.1, 0, -1.5, 2.5, 2.5, -1, 2]);
              return [data.reached(points, 4), core.arrived(points, 4, data)]"""
    assert in_node(body) == [[True, False, False], 0.5]
