"""Results in a notebook: the charts of the app, for every cell."""

import html
import json

import numpy as np
import plotly.io
import pytest
from IPython.core.formatters import DisplayFormatter
from plotly.graph_objects import Figure

import rnnviz
from rnnviz.core.cells import CELLS
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.theme import THEMES


@pytest.mark.parametrize("chart", rnnviz.GradientFlow.charts)
@pytest.mark.parametrize("cell", CELLS)
def test_a_flow_draws_the_chart_of_the_app(cell, chart):
    config = rnnviz.Config(cell=cell, length=20, hidden_size=8)
    figure = rnnviz.run(config).figure(chart, "dark")
    drawing = CHARTS[chart].draw(Subject((Run(cell, config),), View()), THEMES["dark"])
    assert CHARTS[chart].question in figure.layout.title.text
    for ours, theirs in zip(figure.data, Figure(drawing.figure).data, strict=True):
        for axis in "xyz":
            if axis in theirs:
                np.testing.assert_array_equal(ours[axis], theirs[axis])


def test_show_draws_each_where_plotly_draws(monkeypatch):
    shown = []
    monkeypatch.setattr("plotly.graph_objects.Figure.show", lambda figure: shown.append(figure.layout.title.text))
    rnnviz.run(rnnviz.Config(length=5)).show("norms", "states")
    assert [CHARTS[name].question in text for name, text in zip(("norms", "states"), shown, strict=True)] == [True] * 2


def test_the_words_are_those_of_the_flow():
    flow = rnnviz.run(rnnviz.Config(layers=2, weight_scale=0.0, length=10))
    text = html.unescape(flow._repr_html_())
    assert flow.verdict.sentence in text
    assert all(sentence in text for sentence in flow.findings)
    assert all(stream.label in text for stream in flow.streams)


@pytest.mark.parametrize(("chart", "theme"), [("jacobians", "light"), ("norms", "pink")])
def test_a_chart_that_a_flow_has_not_is_a_sentence(chart, theme):
    with pytest.raises(rnnviz.RnnvizError, match="must be"):
        rnnviz.run(rnnviz.Config(length=5)).figure(chart, theme)


SWEEP = {"cells": ("rnn", "gru"), "weight_scale": (0.5, 2.0, 1.0), "length": (5, 10), "seed": (0, 1, 2)}


@pytest.fixture(scope="module")
def swept():
    return rnnviz.sweep(SWEEP, rnnviz.Config(hidden_size=4))


def results():
    """One of each kind that draws itself, from a loss at every step."""
    experiment = rnnviz.prepare(rnnviz.Config(length=8, hidden_size=4, loss="every"))
    kinds = (rnnviz.GradientFlow, rnnviz.ItemisedFlow, rnnviz.JacobianSpectrum)
    return [*map(experiment.find, kinds), rnnviz.sweep(SWEEP, rnnviz.Config(hidden_size=4))]


RESULTS = results()


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_the_last_line_of_a_cell_is_a_chart_where_the_notebook_can_draw_it(result, monkeypatch):
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    shown, _ = DisplayFormatter().format(result)
    drawn = shown["application/vnd.plotly.v1+json"]
    assert {name: drawn[name] for name in ("data", "layout")} == json.loads(result.figure().to_json())
    assert shown["text/plain"] == repr(result)
    if isinstance(result, rnnviz.GradientFlow | rnnviz.SweepResult):
        assert "<table>" in shown["text/html"]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_notebook_that_only_takes_html_has_the_chart_in_it(result, monkeypatch):
    monkeypatch.setattr(plotly.io.renderers, "default", "colab")
    text = DisplayFormatter().format(result)[0]["text/html"]
    assert "Plotly.newPlot" in text
    assert "Plotly.newPlot" in result._repr_html_()


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_without_plotly_there_are_words(result, monkeypatch):
    def missing():
        raise ModuleNotFoundError(name="plotly")

    monkeypatch.setattr("rnnviz.core.drawn.drawer", missing)
    assert DisplayFormatter().format(result)[0] == {"text/plain": repr(result)}
    with pytest.raises(rnnviz.RnnvizError, match="figure: must have plotly at hand, got none"):
        result.show()


def test_a_sweep_draws_its_map(swept):
    figure = swept.figure()
    panels = [trace for trace in figure.data if trace.type == "heatmap"]
    for cell, panel in zip(swept.axes["cells"], panels, strict=True):
        median = swept.grid("length", "weight_scale", cells=cell)[:, [0, 2, 1]]  # scales rise on the map
        np.testing.assert_allclose(panel.z, np.log10(median), rtol=1e-6)


def test_a_sweep_has_a_line_for_every_network(swept):
    lines = swept._repr_html_().splitlines()
    for cell, label in (("rnn", "RNN tanh"), ("gru", "GRU")):
        growth = swept.columns["growth_per_step"][swept.columns["cells"] == cell]
        line = next(line for line in lines if f"<td>{label}</td>" in line)
        told = f"<td>18</td><td>{growth.min():.3g} to {growth.max():.3g}</td><td>{np.median(growth):.3g}</td>"
        assert told in line


@pytest.mark.parametrize("base", [rnnviz.Config(cell="lstm"), rnnviz.Config(weight_scale=0.0)])
def test_a_sweep_that_has_no_map_has_its_table(base):
    found = rnnviz.sweep({"length": (5, 10)}, base)
    assert ("LSTM" if base.cell == "lstm" else "RNN tanh") in found._repr_html_()
    assert set(found._repr_mimebundle_()) == {"text/html", "text/plain"}
    with pytest.raises(rnnviz.RnnvizError, match="weight_scale: must have two or more values"):
        found.show()


@pytest.mark.parametrize("length", [8, 40])
def test_itemised_gradients_alone_are_a_map_without_a_total(length):
    flow = rnnviz.prepare(rnnviz.Config(length=length, hidden_size=4, loss="every")).find(rnnviz.ItemisedFlow)
    drawn = flow.figure().data[0]
    finite = np.isfinite(flow.log10_norm[0])
    assert drawn.type == "heatmap"
    np.testing.assert_allclose(np.asarray(drawn.z)[finite], flow.log10_norm[0][finite], rtol=1e-6)


def test_one_loss_alone_is_a_line():
    flow = rnnviz.prepare(rnnviz.Config(length=30, hidden_size=4)).find(rnnviz.ItemisedFlow)
    np.testing.assert_allclose(flow.figure().data[0].y, flow.log10_norm[0, -1], rtol=1e-6)


def test_a_spectrum_alone_is_drawn_with_its_own_growth():
    spectrum = rnnviz.prepare(rnnviz.Config(length=30, hidden_size=4)).find(rnnviz.JacobianSpectrum)
    drawn = {trace.name: trace for trace in spectrum.figure().data}
    largest = spectrum.singular_values[0, :, 0, 0]
    np.testing.assert_allclose(drawn["largest σ(J)"].customdata, largest, rtol=1e-6)
    np.testing.assert_allclose(drawn["gradient"].customdata, np.exp(spectrum.lyapunov_exponents[0, 0, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        rnnviz.Config(length=1),
        rnnviz.Config(length=1, loss="every", bidirectional=True),
        rnnviz.Config(length=30, weight_scale=0.0, loss="every"),
        rnnviz.Config(length=2000, nonlinearity="linear", weight_scale=20.0),
        rnnviz.Config(cell="lstm", layers=2, bidirectional=True, length=12),
    ],
    ids=lambda config: f"{config.cell}, T {config.length}",
)
def test_whatever_was_found_can_be_shown(config):
    experiment = rnnviz.prepare(config)
    for kind in (rnnviz.GradientFlow, rnnviz.ItemisedFlow, rnnviz.JacobianSpectrum):
        found = experiment.find(kind)
        assert found._repr_mimebundle_()["text/plain"] == repr(found)
        assert found.figure().layout.title.text
