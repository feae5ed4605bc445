"""The film strip shows the share of the signal at every step and look, the horizon and what the task asks for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rnnviz.experiments.history import History
from rnnviz.figures.filmstrip import film_strip
from tests.figures.drawings import LIGHT, assert_drawn
from tests.figures.histories import EVERY_STATE, HISTORIES, history, shown

ALONE = {"cells": ("lstm",), "updates": 1000}


def maps(drawing):
    return [trace for trace in drawing.figure["data"] if trace["type"] == "heatmap"]


def level(drawing, name="LSTM"):
    return next(trace for trace in drawing.figure["data"] if trace["name"] == f"{name}, 1 % left")


def with_profile(profile, profiled, **changes):
    of = history((100,), ("training",), ALONE)
    course = replace(of.courses[0], profile=profile, profiled=np.array(profiled), **changes)
    return shown(History(of.training, (course,)))


def test_the_colours_are_the_shares_at_their_steps_and_updates():
    of = history((130,), ("training",), ALONE)
    course, drawing = of.courses[0], film_strip(shown(of), LIGHT)
    (strip,) = maps(drawing)
    assert strip["z"].shape == (30, 7)
    np.testing.assert_allclose(strip["z"], (course.profile - course.profile[:, -1:]).T, rtol=1e-5)
    np.testing.assert_array_equal(strip["x"], [0, 25, 50, 75, 100, 125, 130, 140])
    np.testing.assert_array_equal(strip["y"], np.arange(31) + 0.5)
    np.testing.assert_array_equal(strip["customdata"][0], course.profiled)
    scale = drawing.figure["layout"]["coloraxis"]
    assert (scale["cmin"], scale["cmax"]) == (-6.0, 0.0)


def test_the_last_step_is_at_the_top_and_the_first_at_the_bottom():
    axis = film_strip(shown(EVERY_STATE), LIGHT).figure["layout"]["yaxis"]
    assert axis["range"] == [0.5, 30.5]
    assert axis["tickvals"] == [1, 30]


def test_the_line_lies_under_the_last_step_above_one_percent():
    of = history((130,), ("training",), ALONE)
    course, line = of.courses[0], level(film_strip(shown(of), LIGHT))
    share = course.profile - course.profile[:, -1:]
    lowest = [min(t for t in range(30) if (row[t:] >= -2).all()) + 1 for row in share]
    np.testing.assert_array_equal(line["y"][:-1], np.array(lowest) - 0.5)
    np.testing.assert_array_equal(line["x"][:-1], course.profiled)
    assert line["line"]["shape"] == "hv"


def test_the_task_s_step_is_marked_on_every_strip():
    figure = film_strip(shown(HISTORIES["shares"]), LIGHT).figure
    lines = [shape for shape in figure["layout"]["shapes"] if shape.get("name") == "lag"]
    wanted = 30 - HISTORIES["shares"].material.lag
    assert {(line["y0"], line["y1"]) for line in lines} == {(wanted, wanted)}
    assert {line["yref"] for line in lines} == {"y", "y2", "y3", "y4"}


def test_strips_share_the_update_axis_and_do_not_touch():
    layout = film_strip(shown(EVERY_STATE), LIGHT).figure["layout"]
    assert layout["xaxis"]["anchor"] == "y4"
    domains = [layout[name]["domain"] for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert domains[3][0] == pytest.approx(0.0)
    for upper, lower in pairwise(domains):
        assert upper[0] > lower[1]


def test_a_broken_strip_ends_where_it_broke():
    drawing = film_strip(shown(EVERY_STATE), LIGHT)
    assert [float(strip["x"][-1]) for strip in maps(drawing)] == [160, 310, 60, 1000]
    (cross,) = [trace for trace in drawing.figure["data"] if trace["mode" if "mode" in trace else "type"] == "markers"]
    assert (cross["x"][0], cross["yaxis"], cross["name"]) == (60, "y3", "broke at update 60")
    texts = [note["text"] for note in drawing.figure["layout"]["annotations"]]
    assert {"solved at update 300", "broke at update 60"} < set(texts)


def test_one_that_has_not_begun_has_an_empty_strip():
    drawing = film_strip(shown(HISTORIES["one of four has begun"]), LIGHT)
    assert len(maps(drawing)) == 1
    texts = [note["text"] for note in drawing.figure["layout"]["annotations"]]
    assert "<b>GRU</b>   waits for its turn" in texts
    assert [badge.text for badge in drawing.badges][1:] == ["waits for its turn"] * 3


def test_a_single_profile_can_be_seen():
    drawing = film_strip(with_profile(np.linspace(-4.0, 0.0, 30)[None, :], [0]), LIGHT)
    assert_drawn(drawing)
    np.testing.assert_array_equal(maps(drawing)[0]["x"], [0, 100])
    assert drawing.answer == "LSTM: the signal stays above 1 % for 14 steps at the start; the task asks for 29."


def test_what_is_said_of_the_horizon():
    drawing = film_strip(shown(EVERY_STATE), LIGHT)
    horizons = [course.horizon()[[0, -1]] for course in EVERY_STATE.courses]
    assert drawing.answer == (
        f"LSTM: the signal stays above 1 % for {horizons[0][0]} steps at the start and {horizons[0][1]} after 150 "
        "updates; "
        f"GRU: {horizons[1][0]} steps at the start and {horizons[1][1]} after 300 updates; "
        f"IRNN (ReLU, identity): {horizons[2][0]} steps at the start and {horizons[2][1]} after 59 updates; "
        f"RNN tanh: {horizons[3][0]} steps at the start and {horizons[3][1]} after 1000 updates; the task asks for 29."
    )
    assert drawing.badges[0].text == (
        f"1 % of the signal reaches {horizons[0][0]} → {horizons[0][1]} steps back; learning"
    )
    assert drawing.notes == (EVERY_STATE.material.lag_text,)


def test_a_signal_that_grows_moves_the_upper_end_of_the_colours_but_not_far():
    for grown, high in ((0.05, 0.0), (0.7, 1.0), (1.8, 2.0), (40.0, 2.0)):
        drawing = film_strip(with_profile(np.linspace(grown, 0.0, 30)[None, :], [0]), LIGHT)
        assert drawing.figure["layout"]["coloraxis"]["cmax"] == high
        told = "A signal that has grown more than a hundredfold has the brightest colour." in drawing.notes
        assert told == (grown > 2)


def test_exactly_nothing_has_no_colour():
    profile = np.zeros((2, 30))
    profile[0, :10] = -np.inf
    profile[1, :] = -np.inf
    drawing = film_strip(with_profile(profile, [0, 25]), LIGHT)
    assert_drawn(drawing)
    (strip,) = maps(drawing)
    np.testing.assert_array_equal(np.isnan(strip["z"]), np.isinf(profile).T)
    line = level(drawing)
    assert line["y"][0] == 10.5
    assert np.isnan(line["y"][1])
    assert drawing.answer == (
        "LSTM: the signal stays above 1 % for 19 steps at the start and none after 25 updates; the task asks for 29."
    )


def test_no_profile_at_all_is_said():
    drawing = film_strip(with_profile(np.empty((0, 30)), np.empty(0, int)), LIGHT)
    assert drawing.answer == "No gradient could be measured: the weights are no numbers."
    assert_drawn(drawing)


def test_a_long_strip_is_thinned_and_keeps_both_ends():
    of = HISTORIES["long"]
    strip = maps(film_strip(shown(of), LIGHT))[0]
    assert strip["z"].shape == (30, len(strip["x"]) - 1)
    assert strip["z"].shape[1] <= 161
    assert strip["customdata"][0, 0] == 0
    assert strip["customdata"][0, -1] == 10_000
    share = of.courses[0].share
    np.testing.assert_allclose(
        strip["z"][:, 1], share[list(of.courses[0].profiled).index(strip["customdata"][0, 1])], rtol=1e-5
    )
