"""Where the gradient goes: the norms at every step, of every compared run."""

from dataclasses import replace
from typing import Any

import numpy as np

from rnnviz.core.results import FLOAT64_LARGEST, FLOAT64_SMALLEST, GradientFlow, Status
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.decades import span
from rnnviz.figures.line_labels import line_labels
from rnnviz.figures.steps import positions, step_range
from rnnviz.figures.theme import STYLES, Theme, blank, note, powers, threshold_line
from rnnviz.figures.theory import theory
from rnnviz.figures.verdicts import answer, badge, notes

HEIGHT = 320
LAYERS = ("own_2", "gru", "own_4", "lstm", "rnn", "own_3", "own")  # colours of the layers below the top one
FLOAT32_SMALLEST, FLOAT32_LARGEST = (
    float(np.log10(end)) for end in (np.finfo(np.float32).tiny, np.finfo(np.float32).max)
)
LIMITS = (
    (FLOAT32_SMALLEST, "float32 ends here"),
    (FLOAT32_LARGEST, "float32 ends here"),
    (FLOAT64_SMALLEST, "float64 ends here"),
    (FLOAT64_LARGEST, "float64 ends here"),
)


def gradient_norms(subject: Subject, theme: Theme) -> Drawing:
    """Where does the gradient go?

    Each line is ‖∂L/∂h_t‖, the length of the gradient of the loss L with respect to the hidden state h of step t,
    as a power of ten; measured against the loss, it is the share of the signal that arrives at step t. Read it from
    the loss at the right to the left, the way the gradient travels: a line that falls is vanishing, a line that
    rises is exploding; steady means within a factor of ten over the whole way and 10 % a step. The thin dotted line
    of an LSTM is ‖∂L/∂c_t‖, for its cell state c; its verdict is about h and c together. A cross marks a gradient
    that is exactly zero. Overlays: the bound (γ σ_max)ᵏ says how much k steps can pass at most, where γ is the
    largest slope of the activation and σ_max the most by which the recurrent matrix can stretch; the Lyapunov slope
    is the growth that the step Jacobians have in the long run; the limits are the sizes beyond which float32 and
    float64 hold no number. Faint dotted lines are a pinned run, or this one without clipping. The dashed line
    across is the clipping threshold: drag it.
    """
    relative = subject.relative
    lines = [line for run in subject.runs for line in _lines(run, subject)]
    pinned = [_Line(run, -1, run.flow.log10_norm, f"{run.label}, pinned", "pinned", relative) for run in subject.pinned]
    plain = [
        _Line(run, -1, run.unclipped.log10_norm, "without clipping", "pinned", relative)
        for run in subject.runs
        if not np.allclose(run.flow.log10_norm, run.unclipped.log10_norm, atol=1e-9, equal_nan=True)
    ]
    lines += plain + pinned
    figure = blank(theme, HEIGHT)
    layout, ends = figure["layout"], _ends(lines, subject)
    layout["xaxis"].update(title={"text": way(subject)}, range=_steps(subject))
    layout["yaxis"] = powers(theme, "share of the signal" if relative else "gradient norm", range=ends, nticks=7)
    figure["data"] = [trace for line in lines for trace in line.traces(theme, ends[0])]
    figure["data"] += [_overlay(run, *line, theme, relative) for run in subject.runs for line in theory(run, subject)]
    layout["annotations"] = line_labels(lines, ends, HEIGHT - 60, theme)
    if "limits" in subject.view.overlays:
        _mark_limits(layout, ends, theme)
    if any(run.config.signal_clip for run in subject.runs):
        layout["shapes"].append(threshold_line("y", np.log10(subject.runs[0].config.clip_threshold), theme))
    return Drawing(figure, answer(subject), notes(subject), tuple(badge(run, subject, theme) for run in subject.runs))


def way(subject: Subject) -> str:
    """The title of the step axis: each direction's gradient travels against its reading."""
    sides = {stream.reverse for run in subject.runs for stream in run.flow.streams}
    if len(sides) > 1:
        return "step t    gradient: ← forward · backward →"
    return "step t    the gradient travels this way →" if True in sides else "step t    ← the gradient travels this way"


class _Line:
    """The norms of one stream of one run.

    Attributes:
        label: its words on the chart; "" for none.
        hue, style: its colour, in `figures.theme.STYLES`, and its dash and marker.
        strong: whether it is what the sentence is about.
    """

    def __init__(self, run: Run, s: int, norms: np.ndarray, name: str, kind: str, relative: bool):
        self.run, self.s, self.name, self.label, self.kind = run, s, name, name, kind
        self.hue, self.style, self.strong = run.name, STYLES[run.name], True
        self.x, self.norms = positions(run.flow, s).astype(np.float32), norms[s, :, 0] - _base(run.flow, s, relative)
        self.finite = np.isfinite(self.norms)

    def traces(self, theme: Theme, foot: float) -> list[dict[str, Any]]:
        """The line, and crosses at the foot where it is exactly zero."""
        style, colour = self.style, theme.colour(self.hue)
        width, dash = {"h": (3.0, style.dash), "c": (1.8, "dot"), "pinned": (1.5, "dot")}[self.kind]
        width *= 1.0 if self.strong else 0.6
        zero = self.norms == -np.inf
        line = {
            "type": "scatter", "name": self.name, "x": self.x,
            "y": np.where(self.finite, self.norms, np.nan).astype(np.float32), "mode": "lines",
            "line": {"color": colour, "dash": dash, "width": width * theme.scale},
            "opacity": 0.6 if self.kind == "pinned" else 1.0,
            "hovertemplate": "step %{x}: 10<sup>%{y:.2f}</sup>",
        }  # fmt: skip
        if self.kind == "h":
            marker = {
                "symbol": style.marker,
                "size": (8 if self.strong else 6) * theme.scale,
                "color": colour,
                "maxdisplayed": 9,
            }
            line |= {"mode": "lines+markers", "marker": marker}
        cross = {
            "type": "scatter", "name": f"{self.name}: {self._why(zero)}", "x": self.x[zero],
            "y": np.full(zero.sum(), foot + 0.04 * abs(foot), np.float32), "mode": "markers",
            "marker": {"symbol": "x-thin-open", "color": colour, "size": 7 * theme.scale}, "hoverinfo": "x+name",
        }  # fmt: skip
        return [line, cross] if zero.any() else [line]

    def _why(self, zero: np.ndarray) -> str:
        rounded = (self.run.flow.status[self.s, zero, 0] == Status.SATURATED).all() and self.kind == "h"
        return "saturated" if rounded else "exactly 0"

    @property
    def end(self) -> tuple[float, float] | None:
        """Where its label stands: the end of the gradient's way, if it has one."""
        if not self.finite.any():
            return None
        reverse = self.run.flow.streams[self.s].reverse
        at = len(self.finite) - 1 - int(np.argmax(self.finite[::-1])) if reverse else int(np.argmax(self.finite))
        return float(self.x[at]), float(self.norms[at])

    @property
    def rises(self) -> bool:
        """Whether it goes up from its end, so that its name has more room below."""
        reverse = self.run.flow.streams[self.s].reverse
        known = self.norms[self.finite][:: -1 if reverse else 1]
        return bool(known[len(known) // 5] > known[0] + 0.1)


def _base(flow: GradientFlow, s: int, relative: bool) -> float:
    """log10 ‖∂L/∂h‖ of a stream where its loss enters, if that is what its norms are measured against."""
    norms = flow.streams[s].in_order(flow.log10_norm[s, :, 0])
    return float(norms[_entry(norms)]) if relative and np.isfinite(norms).any() else 0.0


def _entry(norms: np.ndarray) -> int:
    """The last row that has a gradient, in the order of the walk: no loss enters behind it."""
    return len(norms) - 1 - int(np.argmax(np.isfinite(norms[::-1])))


def _lines(run: Run, subject: Subject) -> list[_Line]:
    """Of every stream when a run stands alone, of the top layer else; the cell state's beside it."""
    flow, alone, relative, found = run.flow, len(subject.runs) == 1, subject.relative, []
    for s, stream in enumerate(flow.streams):
        if not alone and stream.layer < flow.streams[-1].layer:
            continue
        where = f", {stream.label}" if alone else ", backward" if stream.reverse else ", forward"
        where = where if len(flow.streams) > 1 and (alone or stream.bidirectional) else ""
        lines = [_Line(run, s, flow.log10_norm, f"{run.label}{where}", "h", relative)]
        if flow.cell_log10_norm is not None:
            lines.append(_Line(run, s, flow.cell_log10_norm, "∂L/∂c", "c", relative))
        if alone and len(flow.streams) > 1:
            _tell_apart(lines, s == subject.stream)
        found += lines
    return found


def _tell_apart(lines: list[_Line], strong: bool) -> None:
    """A stream of a run that stands alone: its layer has a colour, its direction a dash, the chosen one is strong."""
    run, stream = lines[0].run, lines[0].run.flow.streams[lines[0].s]
    depth = run.flow.streams[-1].layer - stream.layer
    hues = [run.name, *(hue for hue in LAYERS if hue not in (run.name, run.config.cell))]
    hue = hues[depth % len(hues)]
    style = replace(STYLES[hue], dash="dash" if stream.reverse else "solid")
    for line in lines:
        line.hue, line.style, line.strong = hue, style, strong
        line.label = line.label if strong else ""
    side = (", backward" if stream.reverse else ", forward") * stream.bidirectional
    lines[0].label = f"layer {stream.layer + 1}{side}"


def _steps(subject: Subject) -> list[float]:
    """The widest step axis of the runs."""
    ends = np.array([step_range(run.flow) for run in (*subject.runs, *subject.pinned)])
    return [float(ends[:, 0].min()), float(ends[:, 1].max())]


def _ends(lines: list[_Line], subject: Subject) -> list[float]:
    """The ends of the norm axis."""
    finite = np.concatenate([line.norms[line.finite] for line in lines])
    low, high = finite.min(initial=0.0), finite.max(initial=0.0)
    if "limits" in subject.view.overlays:
        low, high = min(low, FLOAT32_SMALLEST - 2), max(high, FLOAT32_LARGEST + 2)
    return span(low, high, least=5.0)


def _overlay(run: Run, name: str, slope: float, theme: Theme, relative: bool) -> dict[str, Any]:
    """A straight line from the loss back to the first step."""
    s = len(run.flow.streams) - 1
    x, norms = positions(run.flow, s).astype(float), run.flow.log10_norm[s, :, 0] - _base(run.flow, s, relative)
    if run.flow.streams[s].reverse:
        x, norms = x[::-1], norms[::-1]
    x, norms = x[: _entry(norms) + 1], norms[: _entry(norms) + 1]
    back = np.array([0.0, abs(x[-1] - x[0])])
    dash = "dash" if name == "bound" else "longdash"
    return {
        "type": "scatter",
        "name": f"{run.label}: {name}",
        "mode": "lines",
        "x": x[[-1, 0]],
        "y": norms[-1] + back * slope,
        "line": {"color": theme.colour(run.name), "width": theme.scale, "dash": dash},
        "hovertemplate": "10<sup>%{y:.2f}</sup>",
    }


def _mark_limits(layout: dict[str, Any], ends: list[float], theme: Theme) -> None:
    """Bands where a number type ends."""
    for limit, name in LIMITS:
        if not ends[0] < limit < ends[1]:
            continue
        beyond = ends[0] if limit < 0 else ends[1]
        band = {"type": "rect", "xref": "x domain", "x0": 0, "x1": 1, "y0": limit, "y1": beyond}
        fill = {"fillcolor": theme.faint, "opacity": 0.1, "line": {"width": 0}, "layer": "below"}
        layout["shapes"].append(band | fill)
        layout["annotations"].append(note(
            theme, name, xref="x domain", x=1, y=limit, xanchor="right", yanchor="top" if limit < 0 else "bottom",
            font={"color": theme.faint, "size": round(12 * theme.scale)},
        ))  # fmt: skip
