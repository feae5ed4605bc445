"""Results in a notebook: the charts of the app, for every cell."""

import html

import numpy as np
import pytest
from plotly.graph_objects import Figure

import rnnviz
from rnnviz.core.cells import CELLS
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.notebook import OF_A_FLOW
from rnnviz.figures.theme import THEMES


@pytest.mark.parametrize("chart", OF_A_FLOW)
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
