"""The phase map: over weight scale and one more setting, where gradients vanish and where they explode."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnviz.experiments.knobs import Checked, knob
from rnnviz.experiments.phase import label_of_rows
from rnnviz.experiments.phase_map import Panel, PhaseMap
from rnnviz.figures.chart import Drawing
from rnnviz.figures.phase_words import (
    alone,
    answer,
    factor,
    lined,
    lower,
    notes,
    row_in_short,
    shown,
    turn,
    words,
)
from rnnviz.figures.theme import Theme, axis, blank, note, signed_scale

HEIGHT = 400
STEEPEST = float(np.log10(2.0))  # |log10 growth per step| of the strongest colour
GAP = 0.035  # between two panels, as a share of the width
TICKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
PACES = (0.5, 0.7, 1.0, 1.4, 2.0)
NEUTRAL = {"light": "#ECE9E2", "dark": "#363A43"}  # apart from the paper, far enough from the lines on it


@dataclass(frozen=True)
class PhaseView(Checked):
    """How the map shows what was found; nothing here changes a number."""

    projector: bool = knob(
        False,
        "Projector",
        "Larger type and thicker lines, for the back row.",
    )


@dataclass(frozen=True, eq=False)
class PhaseSubject:
    """What a phase map is drawn from.

    Attributes:
        map: what was found.
        opens: {network: the settings of an address that opens it in Explore, without those that a point adds}; empty
            where there is no page to open.
    """

    map: PhaseMap
    opens: Mapping[str, str] = field(default_factory=dict)


def phase_map(subject: PhaseSubject, theme: Theme) -> Drawing:
    """At which weight scale do gradients neither vanish nor explode?

    Each square is a real back-propagation through time; its colour is the growth per step, the factor by which the
    gradient's norm changes with each step further back: blue below 1, where it vanishes, orange above 1, where it
    explodes, and pale where it is close to 1. Columns are weight scales, the factor on the recurrent matrix, in equal
    factors; rows are the other setting, or how far from the loss the growth of one and the same run is read. On the
    solid line the measured growth is exactly 1. The dashed line is where mean-field theory expects that for a wide
    network: χ = σ_w² E φ'(√q z)² = 1, with q the variance of a pre-activation, φ' the slope of the activation,
    σ_w² / H the variance of the matrix's entries, and z ~ N(0, 1).
    There is no such line for LSTM and GRU, whose formulas are others. Several networks are drawn for each square, and
    the one in the middle is shown.

    Args:
        subject: the map, and what its points open.
        theme: the page's colours.
    """
    found, figure = subject.map, blank(theme, HEIGHT)
    layout, count = figure["layout"], len(found.panels)
    layout["margin"] |= {"l": round(72 * theme.scale), "r": round(72 * theme.scale), "t": round(52 * theme.scale)}
    layout["meta"] = {"panels": count, "cells": _cells(found)}
    width = (1 - GAP * (count - 1)) / count
    for i, panel in enumerate(found.panels):
        own = str(i + 1) if i else ""
        begin = i * (width + GAP)
        layout[f"xaxis{own}"] = _scale_axis(found, theme) | {"domain": [begin, begin + width], "anchor": f"y{own}"}
        layout[f"yaxis{own}"] = _row_axis(found, theme) | {"anchor": f"x{own}", "showticklabels": i == 0}
        if i:
            layout[f"yaxis{own}"]["title"] = {"text": ""}
        axes = {"xaxis": f"x{own}", "yaxis": f"y{own}"}
        figure["data"] += [trace | axes for trace in _traces(subject, panel, theme, last=i == count - 1)]
        layout["annotations"].append(_heading(found, panel, own, theme))
    return Drawing(figure, answer(found), tuple(notes(found)))


def _traces(subject: PhaseSubject, panel: Panel, theme: Theme, last: bool) -> list[dict[str, Any]]:
    """No numbers in grey, the map, and both lines on it."""
    found, z = subject.map, panel.log10_growth
    x, y = np.log10(found.scales).astype(np.float32), np.arange(len(found.rows), dtype=np.float32)
    place = {"x": x, "y": y, "showscale": False, "hoverongaps": False}
    ends = {"zmin": -STEEPEST, "zmax": STEEPEST}
    drawn = np.clip(z, -9.0, 9.0).astype(np.float32)
    squares = {
        "type": "heatmap", "name": panel.label, **place, **ends, "z": drawn, "colorscale": _paces(theme),
        "text": words(found, panel), "hoverinfo": "text", "xgap": 0.5, "ygap": 0.5,
        "meta": {"opens": subject.opens.get(panel.name, ""), "seeds": panel.seed.tolist()},
    }  # fmt: skip
    if last:
        squares |= {"showscale": True, "colorbar": _bar(theme)}
    traces = [squares]
    if np.isnan(z).any():
        grey = {"type": "heatmap", "name": "no number", **place, "z": np.where(np.isnan(z), 1.0, np.nan),
                "colorscale": [[0, theme.faint], [1, theme.faint]], "opacity": 0.45, "hoverinfo": "skip"}  # fmt: skip
        traces.insert(0, grey)
    if lined(found):
        traces.append({
            "type": "contour", "name": "measured", **place, "z": np.where(np.isfinite(z), drawn, np.nan),
            "contours": {"coloring": "none", "start": 0.0, "end": 0.0, "size": 1.0}, "hoverinfo": "skip",
            "line": {"color": theme.ink, "width": 2.5 * theme.scale, "smoothing": 0}, "connectgaps": False,
        })  # fmt: skip
    if np.isfinite(panel.critical).any():
        traces.append(_theory(found, panel, theme))
    return traces


def _theory(found: PhaseMap, panel: Panel, theme: Theme) -> dict[str, Any]:
    """Theory's critical line, from the lower edge of the map to the upper one."""
    inside = (panel.critical >= found.scales[0]) & (panel.critical <= found.scales[-1])
    critical = np.log10(np.where(inside, panel.critical, np.nan))
    y = np.arange(len(found.rows), dtype=float)
    y[0], y[-1] = y[0] - 0.5, y[-1] + 0.5
    if len(y) == 1:
        y, critical = np.array([-0.5, 0.5]), np.repeat(critical, 2)
    return {
        "type": "scatter", "name": "theory", "mode": "lines", "x": critical.astype(np.float32),
        "y": y.astype(np.float32), "hoverinfo": "skip",
        "line": {"color": theme.accent, "width": 2.5 * theme.scale, "dash": "dash"},
    }  # fmt: skip


def _heading(found: PhaseMap, panel: Panel, own: str, theme: Theme) -> dict[str, Any]:
    """The network's name and, under it, where the lines drawn on its map pass the row that is told."""
    measured, theory = turn(found, panel), panel.critical[found.told]
    told = [f"— measured {factor(measured)}"] if lined(found) and np.isfinite(measured) else []
    if found.scales[0] <= theory <= found.scales[-1]:
        told.append(f"<span style='color:{theme.accent}'>- - theory {factor(theory)}</span>")
    told += [f"<span style='color:{theme.faint}'>at {row_in_short(found)}</span>"] if told else []
    small = round(12 * theme.scale)
    lines = "  ".join(told) or ("" if np.isfinite(measured) or not alone(found) else "never turns into exploding")
    text = f"<b>{panel.label}</b><br><span style='font-size:{small}px'>{lines}</span>"
    return note(
        theme, text, xref=f"x{own} domain", yref=f"y{own} domain", x=0, y=1, xanchor="left", yanchor="bottom",
        align="left", yshift=2, font={"size": round(14 * theme.scale), "color": theme.ink},
    )  # fmt: skip


def _scale_axis(found: PhaseMap, theme: Theme) -> dict[str, Any]:
    x = np.log10(found.scales)
    half = float(np.diff(x).mean()) / 2
    ticks = [tick for tick in TICKS if found.scales[0] <= tick <= found.scales[-1]] or [float(found.scales[0])]
    return axis(
        theme, title={"text": "weight scale"}, range=[float(x[0]) - half, float(x[-1]) + half], showgrid=False,
        tickvals=np.log10(ticks).tolist(), ticktext=[{0.25: "¼", 0.5: "½"}.get(tick, f"{tick:g}") for tick in ticks],
    )  # fmt: skip


def _row_axis(found: PhaseMap, theme: Theme) -> dict[str, Any]:
    count = len(found.rows)
    step = max(1, count // 12)
    places = list(range(0, count, step))
    return axis(
        theme, title={"text": lower(label_of_rows(found.against))}, range=[-0.5, count - 0.5], showgrid=False,
        tickvals=places, ticktext=[shown(found.rows[place]) for place in places],
    )  # fmt: skip


def _paces(theme: Theme) -> list[list]:
    """The colours of growth; on a dark page its centre is lighter than the paper, where it would look like no data."""
    low, middle, high = (colour for _, colour in signed_scale(theme))
    return [[0.0, low], [0.5, NEUTRAL.get(theme.name, middle)], [1.0, high]]


def _bar(theme: Theme) -> dict[str, Any]:
    """The colours, in factors a step."""
    ends = {PACES[0]: f"≤ {PACES[0]:g}", PACES[-1]: f"≥ {PACES[-1]:g}"}
    return {
        "title": {"text": "growth<br>per step", "side": "top"}, "thickness": round(10 * theme.scale), "x": 1.0,
        "xpad": 8, "outlinewidth": 0, "tickvals": np.log10(PACES).tolist(),
        "ticktext": [ends.get(pace, f"{pace:g}") for pace in PACES],
        "tickfont": {"color": theme.faint, "size": round(12 * theme.scale)},
    }  # fmt: skip


def _cells(found: PhaseMap) -> dict[str, Any]:
    """What the page needs to open a point: the names of its two settings and their values; where to begin."""
    near = int(np.argmin(abs(np.log(found.scales / max(found.result.base.weight_scale, 1e-3)))))
    rows = ["none" if value is None else f"{value}" for value in found.values]
    columns = [f"{scale:g}" for scale in found.scales]
    return {"names": [found.field, "weight_scale"], "rows": rows, "columns": columns, "start": [found.told, near]}
