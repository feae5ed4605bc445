"""Results in a notebook: the charts of the app, and a few words."""

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from textwrap import wrap

import numpy as np
from plotly.graph_objects import Figure

from rnnviz.core.drawn import Drawn
from rnnviz.core.results import GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.errors import RnnvizError, one_of
from rnnviz.experiments.comparison import VARIANTS, label_of
from rnnviz.experiments.own import flow_run
from rnnviz.experiments.phase_map import PhaseMap
from rnnviz.experiments.sweep_result import SweepResult
from rnnviz.figures.alone import itemised_alone, spectrum_alone
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.phase_map import PhaseSubject, phase_map
from rnnviz.figures.theme import THEMES
from rnnviz.figures.watched import watched_strip

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
ROW = "<tr><td>{}</td><td>{:.4g}</td><td>{:.3g}</td><td>{}</td></tr>"


SWEEP_TABLE = """<table>
<thead><tr><th>Network</th><th>Runs</th><th>Growth per step</th><th>Median</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def figure_of(result: Drawn, chart: str, theme: str) -> Figure:
    """See `Drawn.figure`."""
    one_of("chart", chart, result.charts)
    one_of("theme", theme, THEMES)
    if isinstance(result, SweepResult):
        drawing = phase_map(PhaseSubject(PhaseMap.of(result)), THEMES[theme])
        return _titled(phase_map.__doc__.splitlines()[0], drawing)
    return _titled(CHARTS[chart].question, CHARTS[chart].draw(_subject(result), THEMES[theme]))


def bundle_of(result: Drawn) -> dict[str, object]:
    """What a notebook may show, the best first: plotly's own JSON, a table above plotly's own HTML, words."""
    drawn = {}
    with suppress(RnnvizError):  # what has no such chart has its table
        drawn = figure_of(result, result.charts[0], "light")._repr_mimebundle_() or {}
    html = "\n".join(filter(None, (html_of(result), drawn.get("text/html"))))
    return {**drawn, **({"text/html": html} if html else {}), "text/plain": repr(result)}


def _subject(result: GradientFlow | ItemisedFlow | JacobianSpectrum) -> Subject:
    if isinstance(result, GradientFlow):
        return Subject((flow_run(result),))
    return itemised_alone(result) if isinstance(result, ItemisedFlow) else spectrum_alone(result)


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


def html_of(result: Drawn) -> str:
    """A result as a table; "" where there is none but the chart."""
    if isinstance(result, GradientFlow):
        return _flow_html(result)
    return _sweep_html(result) if isinstance(result, SweepResult) else ""


def _sweep_html(result: SweepResult) -> str:
    """A line for every network."""
    growth, rows = result.columns["growth_per_step"], []
    names = result.columns.get("cells", np.full(len(result), result.base.cell))
    for name in result.axes.get("cells", (result.base.cell,)):
        label = VARIANTS[name].label if "cells" in result.axes else label_of(result.base)
        held = growth[(names == name) & np.isfinite(growth)]
        told = f"{held.min():.3g} to {held.max():.3g}</td><td>{np.median(held):.3g}" if len(held) else "none</td><td>"
        rows.append(f"<tr><td>{escape(label)}</td><td>{(names == name).sum()}</td><td>{told}</td></tr>")
    return SWEEP_TABLE.format(rows="\n".join(rows))


def _flow_html(flow: GradientFlow) -> str:
    """The verdict, a line for every layer and direction, and what must be known beside."""
    _, _, batch, units = flow.hidden.shape
    rows = [
        ROW.format(escape(stream.label), r.growth_per_step, r.half_life, r.reach)
        for stream, r in zip(flow.streams, flow.readings, strict=True)
    ]
    return TABLE.format(
        sentence=escape(flow.verdict.sentence), rows="\n".join(rows), steps=flow.steps, batch=batch, units=units,
        findings="".join(f"<p>{escape(each)}</p>\n" for each in flow.findings),
        charts=", ".join(f'"{name}"' for name in flow.charts),
    )  # fmt: skip
