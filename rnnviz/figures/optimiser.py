"""What the optimiser is handed: every parameter's gradient, before and after clipping, and which steps made it."""

from typing import Any

import numpy as np

from rnnviz.core.readings import power_text
from rnnviz.core.results import ClipReport
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.labels import spaced
from rnnviz.figures.steps import step_ticks
from rnnviz.figures.theme import Theme, axis, blank, note, threshold_line

ROW, GAP, STEPS = 22, 58, 130  # pixels: a bar, between the two plots, the lower plot
DEEPEST = 40.0  # decades of steps' parts below the largest that are drawn
SYMBOLS = {"weight_hh": "W_hh", "weight_ih": "W_ih", "bias_hh": "b_hh", "bias_ih": "b_ih"}


def parameter_gradients(subject: Subject, theme: Theme) -> Drawing:
    """What would the optimiser get?

    Above, the length (norm) of each parameter's gradient as a power of ten: W_hh, W_ih, b_hh and b_ih are the weights
    and biases of the recurrent and of the input product, other layers and directions have one bar each, and all
    together make the total. With Clipping by norm or value, pale is before and full is after it; the upright line is
    the threshold, for the total norm or, by value, for the size of each single entry. Below, the gradient of W_hh step
    by step: it is the sum of one part a step, and the line is each part's length. The dotted line counts, from the
    loss on, which share of all those lengths the steps so far have made. Parts can cancel: the length of their sum is
    smaller than the sum of their lengths.

    Args:
        subject: its focused run and stream.
        theme: the page's colours.
    """
    run, s = subject.focus, subject.stream
    report = run.clip_report if run.config.clip in ("norm", "value") else None
    rows = _rows(run, s, report)
    figure = blank(theme, 60 + ROW * len(rows) + GAP + STEPS)
    layout = figure["layout"]
    inner = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    bars = (inner - GAP * theme.scale) * ROW * len(rows) / (ROW * len(rows) + STEPS)
    domains = [1 - bars / inner, 1.0], [0.0, 1 - (bars + GAP * theme.scale) / inner]
    figure["data"] = [*_bars(layout, run, rows, domains[0], theme), *_steps(layout, run, s, domains[1], inner, theme)]
    return Drawing(figure, _answer(run, s, report), _notes(run, s, report))


def _rows(run: Run, s: int, report: ClipReport | None) -> list[tuple[str, str, float, float]]:
    """(label, name on hover, log10 norm before, after) of the total, the chosen stream's parameters, other streams."""
    flow, own = run.flow, run.flow.streams[s].suffix
    rows = [("total", "all parameters", flow.parameters_log10_norm(), _after(report, ""))]
    for kind, symbol in SYMBOLS.items():
        name = f"{kind}_{own}"
        if name in flow.parameter_log10_norms:
            rows.append((symbol, name, flow.parameter_log10_norms[name], _after(report, name)))
    for other, stream in enumerate(flow.streams):
        if other != s:
            arrow = (" ←" if stream.reverse else " →") * stream.bidirectional
            rows.append((
                f"layer {stream.layer + 1}{arrow}", f"all of {stream.label}", flow.parameters_log10_norm(other),
                _after(report, f"_{stream.suffix}"),
            ))  # fmt: skip
    return rows


def _after(report: ClipReport | None, ending: str) -> float:
    return np.nan if report is None else report.log10_after(ending)


def _bars(layout: dict[str, Any], run: Run, rows, domain: list[float], theme: Theme) -> list[dict[str, Any]]:
    """Two bars a row, the pale one before and the full one after clipping."""
    before, after = (np.array([row[place] for row in rows]) for place in (2, 3))
    clipped = run.config.clip in ("norm", "value")
    threshold = [np.log10(run.config.clip_threshold)] if clipped else []
    known = np.concatenate([before, after, threshold])
    known = known[np.isfinite(known)]
    low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
    ends = span(low - 0.1 * (high - low) - 0.2, high + (0.45 if clipped else 0.3) * (high - low) + 0.3, 2.5)
    layout["xaxis"] = power_axis(theme, "gradient norm", ends, anchor="y")
    layout["xaxis"]["title"] |= {"standoff": 2, "font": {"size": round(12 * theme.scale)}}
    layout["yaxis"] = axis(theme, domain=domain, range=[len(rows) - 0.5, -0.5], tickvals=list(range(len(rows))),
                           ticktext=[row[0] for row in rows], ticks="", gridcolor="rgba(0, 0, 0, 0)")  # fmt: skip
    layout["yaxis"]["tickfont"] = {"color": theme.ink, "size": round(12 * theme.scale)}
    layout |= {"barmode": "overlay", "bargap": 0}
    if clipped:
        layout["shapes"] = [threshold_line("x", threshold[0], theme)]
    told = [_told(*row[2:], clipped) for row in rows]
    common = {"type": "bar", "orientation": "h", "base": np.full(len(rows), ends[0], np.float32), "cliponaxis": False,
              "y": np.arange(len(rows), dtype=np.float32), "hovertext": [row[1] for row in rows]}  # fmt: skip
    place = {"textposition": "outside", "textfont": {"color": theme.ink, "size": round(12 * theme.scale)}}
    colour = theme.colour(run.name)
    return [
        common | place | _lengths(before, ends[0]) | {
            "name": "before", "text": told, "width": 0.74,
            "marker": {"color": colour, "opacity": 0.3 if clipped else 1.0},
            "hovertemplate": f"%{{hovertext}}{', before' * clipped}: 10<sup>%{{customdata:.2f}}</sup><extra></extra>",
        },
        common | _lengths(after, ends[0]) | {
            "name": "after", "width": 0.4, "marker": {"color": colour}, "visible": clipped,
            "hovertemplate": "%{hovertext}, after: 10<sup>%{customdata:.2f}</sup><extra></extra>",
        },
    ]  # fmt: skip


def _lengths(norms: np.ndarray, foot: float) -> dict[str, np.ndarray]:
    """Bars from the foot of the axis; none for a zero or for what is not a number."""
    lengths = np.where(np.isfinite(norms), norms - foot, 0.0)
    return {"x": lengths.astype(np.float32), "customdata": norms.astype(np.float32)}


def _told(before: float, after: float, clipped: bool) -> str:
    first = power_text(before)
    then = "NaN" if np.isnan(after) else power_text(after)
    return first if not clipped or np.isnan(before) or then == first else f"{first} → {then}"


def _steps(layout: dict[str, Any], run: Run, s: int, domain: list[float], inner: float, theme: Theme) -> list[dict]:
    """Each step's part of ∂L/∂W_hh, and the share of the sum of their lengths from the loss on."""
    flow, colour = run.flow, theme.colour(run.name)
    parts, shares = flow.recurrent_parts(s), flow.recurrent_shares(s)
    finite = parts[np.isfinite(parts)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 0.0)
    ends = span(max(low, high - DEEPEST), high + 0.08 * (high - low))
    layout["xaxis2"] = axis(theme, title={"text": "step t"}, anchor="y2", **step_ticks(flow))
    layout["yaxis2"] = power_axis(theme, "part of ∂L/∂W", ends, domain=domain, anchor="x2")
    layout["yaxis3"] = axis(
        theme, overlaying="y2", side="right", anchor="x2", range=[0, 1.06], showgrid=False, tickvals=[0, 0.5, 1],
        ticktext=["0", "50 %", "100 %"],
    )  # fmt: skip
    layout["yaxis3"]["tickfont"] = {"color": theme.faint, "size": round(11 * theme.scale)}
    layout["annotations"] = _names(run, s, parts, shares, ends, (domain[1] - domain[0]) * inner, theme)
    common = {"type": "scatter", "x": np.arange(1, flow.steps + 1, dtype=np.float32), "xaxis": "x2"}
    return [
        common | {
            "name": "part", "mode": "lines" if finite.size > 1 else "markers",
            "y": np.where(np.isfinite(parts), parts, np.nan).astype(np.float32), "yaxis": "y2",
            "line": {"color": colour, "width": 3 * theme.scale}, "marker": {"color": colour},
            "hovertemplate": "step %{x}: part of 10<sup>%{y:.2f}</sup><extra></extra>",
        },
        common | {
            "name": "share", "mode": "lines", "y": shares.astype(np.float32), "yaxis": "y3",
            "line": {"color": theme.ink, "width": 1.5 * theme.scale, "dash": "dot"},
            "hovertemplate": "from the loss to step %{x}: %{y:.0%} of all lengths<extra></extra>",
        },
    ]  # fmt: skip


def _names(run: Run, s: int, parts, shares, ends: list[float], height: float, theme: Theme) -> list[dict[str, Any]]:
    """Names of the two lines, at the far end from the loss, below each."""
    stream, begin = run.flow.streams[s], []
    for name, colour, values, (low, high) in (
        ("each step's part", theme.colour(run.name), parts, ends),
        ("share so far, from the loss on", theme.ink, shares, (0, 1.06)),
    ):
        known = stream.in_order(values)
        known = known[np.isfinite(known)]
        if len(known):
            begin.append(((float(np.clip(known[0], low, high)) - low) / (high - low) * height - 11, name, colour))
    begin.sort()
    places = spaced([place for place, _, _ in begin], 16 * theme.scale, height)
    end = {"x": 0.99, "xanchor": "right"} if stream.reverse else {"x": 0.01, "xanchor": "left"}
    return [
        note(
            theme, name, xref="x2 domain", yref="y2 domain", y=place / height, yanchor="middle", borderpad=0, **end,
            font={"color": colour, "size": round(12 * theme.scale)},
        ) for place, (_, name, colour) in zip(places, begin, strict=True)
    ]  # fmt: skip


def _answer(run: Run, s: int, report: ClipReport | None) -> str:
    """What arrives, and what clipping did to it."""
    norm = run.flow.parameters_log10_norm()
    if np.isnan(norm):
        return "The optimiser gets a gradient that is not a number; clipping cannot mend it."
    if norm == -np.inf:
        return "The gradient is exactly zero: the optimiser gets nothing, and there is nothing to clip."
    if report is None:
        return f"The optimiser gets a gradient of norm {power_text(norm)}; {_makers(run, s)}."
    threshold = power_text(float(np.log10(run.config.clip_threshold)))
    after = report.log10_after()
    if np.isnan(after):
        return f"The gradient's norm is {power_text(norm)}, and clipping turns it into something that is not a number."
    if after == -np.inf:
        return f"The gradient's norm is {power_text(norm)}, and clipping leaves exactly nothing of it."
    if report.coefficient is None:
        return _by_value(report, norm, after, threshold)
    if not report.changed:
        return (
            f"The norm is {power_text(norm)}, not above the threshold of {threshold}, so that clipping changes nothing "
            f"(coefficient 1, cosine {_cosine(report)})."
        )
    return (
        f"Clipping multiplies the whole gradient by {power_text(float(np.log10(report.coefficient)))}: its norm falls "
        f"from {power_text(norm)} to {power_text(after)}, and its direction stays the same (cosine {_cosine(report)})."
    )


def _by_value(report: ClipReport, norm: float, after: float, threshold: str) -> str:
    if not report.changed:
        return f"No entry is larger than {threshold}, so that clipping changes nothing (cosine {_cosine(report)})."
    return (
        f"Clipping holds every entry within ±{threshold}: the norm falls from {power_text(norm)} to "
        f"{power_text(after)}, and the direction turns by {_degrees(report.angle)} (cosine {_cosine(report)})."
    )


def _cosine(report: ClipReport) -> str:
    return f"{report.cosine:.2g}" if report.cosine < 0.995 else "1" if report.angle < 0.1 else f"{report.cosine:.3f}"


def _degrees(angle: float) -> str:
    return "less than 0.1°" if angle < 0.1 else f"{angle:.1f}°" if angle < 10 else f"{angle:.0f}°"


def _makers(run: Run, s: int) -> str:
    """Which steps make most of W_hh's gradient, by the sum of their parts' lengths."""
    flow, reverse = run.flow, run.flow.streams[s].reverse
    if np.isnan(flow.recurrent_shares(s)).any():
        return "W_hh gets exactly nothing" + ", for it meets only the initial state, which is zero" * (flow.steps == 1)
    near, far = flow.recurrent_steps_for(0.9, s)
    count, side = (near, "last") if near <= far else (far, "first")
    side = {"last": "first", "first": "last"}[side] if reverse else side
    if count > max(1, 0.75 * flow.steps):
        return (
            f"counted from either end, it takes at least {count} of {flow.steps} steps to make 90 % of what W_hh gets, "
            "by the lengths of the steps' parts"
        )
    which = f"{count} of {flow.steps} steps make" if count > 1 else f"of {flow.steps} steps alone makes"
    return f"the {side} {which} 90 % of what W_hh gets, counted by the lengths of the steps' parts"


def _notes(run: Run, s: int, report: ClipReport | None) -> tuple[str, ...]:
    notes, shares = [], run.flow.recurrent_shares(s)
    if report is not None and report.warning:
        notes.append(report.warning)
    if not np.isnan(shares).any() and run.flow.steps > 1:
        if report is not None:
            makers = _makers(run, s)
            notes.append(f"{makers[0].upper()}{makers[1:]}.")
        left = run.flow.recurrent_sum_left(s)
        if left < 0.995:
            notes.append(
                f"The steps' parts of ∂L/∂W_hh cancel in part: the length of their sum is {100 * left:.2g} % of the "
                "sum of their lengths."
            )
    if run.config.signal_clip:
        notes.append("Clipping acts on the signal at every step: this gradient is made of what it let through.")
    return tuple(notes)
