"""The charts show the numbers of the result, and nothing else."""

import numpy as np
import pytest

from rnnviz import Config, run
from rnnviz.core.cells import CELLS
from rnnviz.figures.flow import gradient_norms, hidden_states
from rnnviz.figures.theme import CELL_STYLES, THEMES


def lines(figure):
    return {trace.name: trace for trace in figure.data if trace.mode == "lines"}


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_its_curves(cell, theme):
    flow = run(Config(cell=cell, length=30))
    drawn = lines(gradient_norms(flow, theme))
    np.testing.assert_array_equal(drawn["‖∂L/∂h‖"].y, flow.log10_norm[0, :, 0])
    assert drawn["‖∂L/∂h‖"].line.color == theme.cell(cell)
    assert ("‖∂L/∂c‖" in drawn) == (cell == "lstm")
    if cell == "lstm":
        np.testing.assert_array_equal(drawn["‖∂L/∂c‖"].y, flow.cell_log10_norm[0, :, 0])


def test_both_directions_stand_on_one_time_axis():
    flow = run(Config(bidirectional=True, length=20))
    forward, backward = lines(gradient_norms(flow, THEMES["light"])).values()
    assert (forward.x[0], forward.x[-1]) == (0, 20)
    assert (backward.x[0], backward.x[-1]) == (1, 21)
    assert forward.y[0] < forward.y[-1]
    assert backward.y[0] > backward.y[-1]


def test_what_float64_cannot_hold_is_drawn_where_it_is():
    flow = run(Config(nonlinearity="relu", weight_scale=0.1, length=600))
    figure = gradient_norms(flow, THEMES["light"])
    assert min(lines(figure)["‖∂L/∂h‖"].y) < -600
    assert figure.layout.shapes[0].y0 == pytest.approx(-307.65, abs=0.01)


def test_exact_zeros_are_marked_and_not_joined():
    flow = run(Config(cell="rnn", weight_scale=0.0, length=10))
    figure = gradient_norms(flow, THEMES["light"])
    marks = next(trace for trace in figure.data if trace.mode == "markers")
    assert marks.name == "‖∂L/∂h‖ exactly 0"
    np.testing.assert_array_equal(marks.x, np.arange(10))
    assert np.isnan(lines(figure)["‖∂L/∂h‖"].y[:10]).all()


def test_an_overflowed_run_still_has_a_figure():
    flow = run(Config(nonlinearity="linear", weight_scale=3.0, length=1000))
    assert np.isnan(lines(gradient_norms(flow, THEMES["light"]))["‖∂L/∂h‖"].y).all()
    assert np.isfinite(hidden_states(flow, THEMES["light"]).data[0].zmax)


def test_steps_stand_under_steps():
    flow = run(Config(bidirectional=True, length=20))
    charts = [gradient_norms(flow, THEMES["light"]), hidden_states(flow, THEMES["light"])]
    assert {chart.layout.xaxis.range for chart in charts} == {(-0.5, 21.5)}
    assert len({(chart.layout.margin.l, chart.layout.margin.r) for chart in charts}) == 1


def test_hidden_states_are_the_map():
    flow = run(Config(length=20, hidden_size=8))
    drawn = hidden_states(flow, THEMES["dark"]).data[0]
    np.testing.assert_allclose(drawn.z, flow.hidden[0, :, 0].T, rtol=1e-6, atol=1e-7)
    assert drawn.zmax == -drawn.zmin == pytest.approx(np.abs(flow.hidden).max())


def test_every_cell_has_a_style_of_its_own():
    assert set(CELL_STYLES) == set(CELLS)
    assert len({style.dash for style in CELL_STYLES.values()}) == len(CELLS)


def luminance(colour):
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_of_text_reach_wcag_aa(theme):
    texts = [theme.ink, theme.faint, *(theme.cell(cell) for cell in CELLS)]
    for colour in texts:
        high, low = sorted((luminance(colour), luminance(theme.paper)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, colour
