"""The charts of the wall draw the paths' own numbers, name them where they can be read, and keep what stays."""

import json
from itertools import product

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.core.wall import wall_bias
from rnnviz.experiments.descent import CLIPS, Descent, Wall
from rnnviz.experiments.windows import WINDOWS
from rnnviz.figures.theme import THEMES
from rnnviz.figures.wall import WallSubject
from rnnviz.figures.wall_curves import wall_curves
from rnnviz.figures.wall_map import wall_map
from rnnviz.figures.wall_surface import wall_surface
from rnnviz.ui.clipping import WALL
from rnnviz.ui.stage import encoded
from tests.figures.drawings import LIGHT, assert_drawn, assert_fits_themes, assert_no_long_lists, numbers

CHARTS = (wall_map, wall_surface, wall_curves)
STILL = {chart.draw: chart.still for chart in WALL.charts.values()}
PLACES = ((4.8, -2.2), (5.5, -2.5), (4.0, -3.6), (6.5, -1.6), (0.0, 0.0), (-20.0, 20.0))


def subject(**asked) -> WallSubject:
    return WallSubject(Wall(Descent(**{f"wall_{name}": value for name, value in asked.items()})))


def named(drawing, name):
    return next(trace for trace in drawing.figure["data"] if trace["name"] == name)


def labels(drawing):
    return [note["text"] for note in drawing.figure["layout"]["annotations"] if note["text"]]


def assert_good(drawing):
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    json.dumps(encoded(drawing.figure), allow_nan=False)
    assert all(array.dtype == np.float32 for array in numbers(drawing.figure))
    assert not any("nan" in text or "None" in text for text in labels(drawing))


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("start", PLACES)
@pytest.mark.parametrize("rate", [0.05, 0.3, 100.0])
def test_every_wall_is_drawn(draw, window, start, rate):
    w, b = start
    for clip, threshold in product(CLIPS, (1e-6, 1.0, 1e6)):
        assert_good(draw(subject(w=w, b=b, rate=rate, clip=clip, threshold=threshold, window=window), LIGHT))


@given(st.floats(3, 7), st.floats(-4, -1), st.floats(1e-3, 10), st.floats(1e-3, 1e3), st.integers(1, 40))
def test_whatever_is_asked_is_drawn(w, b, rate, threshold, updates):
    for draw in CHARTS:
        drawing = draw(subject(w=w, b=b, rate=rate, threshold=threshold, updates=updates), LIGHT)
        assert_good(drawing)


@pytest.mark.parametrize("draw", CHARTS)
def test_it_fits_the_themes(draw):
    assert_fits_themes(draw, subject())


def frozen(traces):
    return json.dumps(encoded(traces), sort_keys=True)


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_static_stays_and_nothing_else_does(draw, theme, window):
    still = STILL[draw]
    first = draw(subject(window=window), THEMES[theme]).figure["data"]
    other = {"w": 5.5, "b": -2.5, "rate": 0.05, "threshold": 0.3, "clip": "value", "updates": 30, "window": window}
    second = draw(subject(**other), THEMES[theme]).figure["data"]
    assert frozen(first[:still]) == frozen(second[:still])
    assert all(frozen(a) != frozen(b) for a, b in zip(first[still:], second[still:], strict=True))


def test_the_map_s_paths_are_the_walks():
    asked = subject()
    drawing = wall_map(asked, LIGHT)
    for walk in asked.wall.walks:
        line = named(drawing, walk.label)
        np.testing.assert_allclose(line["x"], walk.path.w, rtol=1e-6)
        np.testing.assert_allclose(line["y"], walk.path.b, rtol=1e-6)
        assert line["meta"] == {"walk": walk.name}
        end = named(drawing, f"{walk.label}: end")
        assert (end["x"][0], end["y"][0]) == (line["x"][-1], line["y"][-1])
    styles = {(named(drawing, w.label)["line"]["color"], named(drawing, w.label)["line"]["dash"])
              for w in asked.wall.walks}  # fmt: skip
    assert len(styles) == 2
    assert drawing.figure["layout"]["meta"]["walk"] == 300
    point = drawing.figure["layout"]["meta"]["point"]
    assert (point["x"], point["y"], point["names"]) == (4.8, -2.2, ["wall_w", "wall_b"])
    assert drawing.answer == asked.wall.answer
    assert drawing.notes == asked.wall.notes


@pytest.mark.parametrize("window", WINDOWS)
def test_the_ground_is_the_surface(window):
    asked = subject(window=window)
    found, drawing = asked.wall.surface, wall_map(asked, LIGHT)
    slope = named(drawing, "slope")
    np.testing.assert_allclose(slope["x"], found.w[::2], rtol=1e-6)
    np.testing.assert_allclose(slope["y"], found.b[::2], rtol=1e-6, atol=1e-6)
    for i, j in ((0, 0), (10, 3), (77, 150), (199, 199)):
        block = found.log10_slope[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        assert slope["z"][i, j] == pytest.approx(block.max(), rel=1e-6)
    assert slope["z"].max() == pytest.approx(found.log10_slope.max(), rel=1e-6)  # the wall is not lost
    relief = named(wall_surface(asked, LIGHT), "error")
    np.testing.assert_allclose(relief["z"], found.error[::2, ::2], rtol=1e-6)
    lines = named(drawing, "error")["z"]
    kept = np.isfinite(lines)
    np.testing.assert_array_equal(lines[kept], relief["z"][kept])
    w, b = np.meshgrid(found.w[::2], found.b[::2])
    assert (abs(b - wall_bias(w))[~kept] <= 2.01 * (b[1, 0] - b[0, 0])).all()  # only at the wall
    assert (w[~kept] > found.thin_beyond).all()


def test_the_wall_s_line_begins_where_the_grid_misses_it():
    asked = subject()
    line = named(wall_map(asked, LIGHT), "wall")
    np.testing.assert_allclose(line["x"], [asked.wall.surface.thin_beyond, asked.wall.window.w[1]], rtol=1e-6)
    np.testing.assert_allclose(line["y"], 0.5 - 0.622459 * line["x"], rtol=1e-6)


def on_the_map(drawing, note):
    (left, right), (low, high) = (drawing.figure["layout"][name]["range"] for name in ("xaxis", "yaxis"))
    return left <= note["x"] <= right and low <= note["y"] <= high


def test_an_arrow_points_along_the_step_that_leaves_the_picture():
    asked = subject()
    drawing, path = wall_map(asked, LIGHT), asked.wall.unclipped.path
    (arrow,) = (note for note in drawing.figure["layout"]["annotations"] if note.get("axref") == "x")
    assert (arrow["ax"], arrow["ay"]) == (pytest.approx(path.w[29]), pytest.approx(path.b[29]))
    assert (arrow["y"] - arrow["ay"]) / (arrow["x"] - arrow["ax"]) == pytest.approx(
        (path.b[30] - path.b[29]) / (path.w[30] - path.w[29]), rel=1e-5
    )
    assert arrow["y"] == pytest.approx(asked.wall.window.b[1], abs=2e-3)
    assert on_the_map(drawing, arrow)
    assert labels(drawing) == ["the wall", "without clipping,<br>to (11.4, 9.57)", "clipped"]


def test_one_name_for_paths_that_are_one():
    drawing = wall_map(subject(threshold=1e5), LIGHT)
    assert labels(drawing) == ["the wall", "both paths,<br>to (11.4, 9.57)"]
    assert len(drawing.badges) == 1
    assert labels(wall_curves(subject(threshold=1e5), LIGHT)) == ["threshold 100,000", "both paths"]


def test_a_start_outside_of_the_picture_has_no_name():
    assert labels(wall_map(subject(w=-20.0, b=20.0), LIGHT)) == ["the wall"]


@given(st.floats(4, 6.5), st.floats(-3.6, -1.6), st.floats(1e-2, 10), st.floats(1e-3, 1e3))
def test_names_stand_on_the_map(w, b, rate, threshold):
    drawing = wall_map(subject(w=w, b=b, rate=rate, threshold=threshold, updates=60), LIGHT)
    for note in drawing.figure["layout"]["annotations"]:
        assert on_the_map(drawing, note)


def test_on_the_surface_a_path_is_as_high_as_its_error():
    asked = subject()
    drawing = wall_surface(asked, LIGHT)
    for walk in asked.wall.walks:
        line, inside = named(drawing, walk.label), WINDOWS["near"].holds(walk.path.w, walk.path.b)
        np.testing.assert_array_equal(np.isfinite(line["z"]), inside)
        np.testing.assert_allclose(line["z"][inside], walk.path.error[inside] + 0.006, rtol=1e-5)
    error, b = asked.wall.surface.error, asked.wall.surface.b
    jump = max(abs(error[i + 1, j] - error[i, j]) for i in range(len(b) - 1) for j in range(error.shape[1]))
    told = f"Where it is steepest, E jumps by {jump:.2f} while b changes by {b[1] - b[0]:.2g}, one step of the grid."
    assert drawing.answer == told


@pytest.mark.parametrize("clip", CLIPS)
def test_the_curves_are_the_paths(clip):
    asked = subject(clip=clip)
    drawing = wall_curves(asked, LIGHT)
    upper, lower = drawing.figure["data"][:2], drawing.figure["data"][2:]
    for walk, error, norm in zip(asked.wall.walks, upper, lower, strict=True):
        np.testing.assert_allclose(10.0 ** error["y"], walk.path.error, rtol=1e-4)
        looked_at = walk.path.norm if clip == "norm" else walk.path.largest
        np.testing.assert_allclose(10.0 ** norm["y"], looked_at, rtol=1e-4)
        assert (error["yaxis"], norm["yaxis"]) == ("y", "y2")
    (line,) = drawing.figure["layout"]["shapes"]
    assert (line["name"], line["yref"], line["y0"], line["y1"]) == ("wall_threshold", "y2", 0.0, 0.0)
    assert labels(drawing) == ["threshold 1", "without clipping", "clipped"]
    go.Figure(drawing.figure)


def test_where_a_curve_breaks_off_is_said():
    drawing = wall_curves(subject(w=5.5, b=-2.5, rate=0.05), LIGHT)
    (note,) = drawing.notes
    assert note == "Without clipping, the gradient is exactly 0 in float64 from update 109 on."
    assert np.isnan(drawing.figure["data"][2]["y"][109:]).all()


def test_badges_say_how_both_end():
    assert [(badge.label, badge.text, badge.kind) for badge in wall_map(subject(), LIGHT).badges] == [
        ("Without clipping", "stuck", "diverged"),
        ("Clipped by norm at 1", "home", "solved"),
    ]
