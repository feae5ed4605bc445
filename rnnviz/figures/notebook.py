"""Results in a notebook: the charts of the app, and a few words."""

from collections.abc import Mapping
from html import escape
from textwrap import wrap

import numpy as np
from plotly.graph_objects import Figure

from rnnviz.core.results import GradientFlow
from rnnviz.errors import one_of
from rnnviz.experiments.own import flow_run
from rnnviz.figures.chart import Drawing, Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.theme import THEMES
from rnnviz.figures.watched import watched_strip

OF_A_FLOW = ("norms", "states", "units", "optimiser")  # what needs no second run
LINE = 110  # characters

TABLE = """<div>
<p><strong>{sentence}</strong></p>
<table>
<thead><tr><th>Layer and direction</th><th>Growth per step</th><th>Half-life</th><th>Memory horizon</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{findings}<p>T {steps}, B {batch}, H {units}. Charts: <code>.show({charts})</code></p>
</div>"""
ROW = "<tr><td>{}</td><td>{:.4g}</td><td>{:.3g}</td><td>{} of {}</td></tr>"


def figure_of(flow: GradientFlow, chart: str, theme: str) -> Figure:
    """See `GradientFlow.figure`."""
    one_of("chart", chart, OF_A_FLOW)
    one_of("theme", theme, THEMES)
    return _titled(CHARTS[chart].question, CHARTS[chart].draw(Subject((flow_run(flow),), View()), THEMES[theme]))


def strip_of(name: str, strip: Mapping[int, np.ndarray], theme: str) -> Figure:
    """See `rnnviz.learning.watching.Watch.figure`."""
    one_of("theme", theme, THEMES)
    drawing = watched_strip(name, list(strip), list(strip.values()), THEMES[theme])
    return _titled(watched_strip.__doc__.splitlines()[0], drawing)


def _titled(question: str, drawing: Drawing) -> Figure:
    """A figure with its question and its answer above it."""
    figure = Figure(drawing.figure)
    title = "<br>".join([f"<b>{question}</b>", *wrap(drawing.answer, LINE)])
    above = 30 + 20 * (1 + title.count("<br>"))
    margin = (figure.layout.margin.t or 0) + above
    height = (figure.layout.height or 450) + above
    return figure.update_layout(
        title={"text": title, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}},
        title_font_size=14, height=height, margin_t=margin,
    )  # fmt: skip


def html_of(flow: GradientFlow) -> str:
    """The verdict, a line for every layer and direction, and what must be known beside."""
    _, _, batch, units = flow.hidden.shape
    rows = [
        ROW.format(escape(stream.label), r.growth_per_step, r.half_life, r.memory_horizon, r.steps)
        for stream, r in zip(flow.streams, flow.readings, strict=True)
    ]
    return TABLE.format(
        sentence=escape(flow.verdict.sentence), rows="\n".join(rows), steps=flow.steps, batch=batch, units=units,
        findings="".join(f"<p>{escape(each)}</p>\n" for each in flow.findings),
        charts=", ".join(f'"{name}"' for name in OF_A_FLOW),
    )  # fmt: skip
