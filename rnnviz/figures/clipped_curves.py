"""The curve through time, before and after each way of clipping."""

from typing import Any, NamedTuple

import numpy as np

from rnnviz.experiments.clipping_facts import curve_fact, signal_fact
from rnnviz.experiments.clippings import Clippings, Way
from rnnviz.figures.chart import Drawing
from rnnviz.figures.clipping import ClippingSubject, colour_of
from rnnviz.figures.decades import span
from rnnviz.figures.steps import positions, step_ticks
from rnnviz.figures.theme import Theme, blank, note, powers, threshold_line

CURVES, LABEL_PIXELS = 320, 19  # pixels: the chart, a row of a name
ROOM_BESIDE = 18 + 3 * LABEL_PIXELS  # pixels: beside the lowest or highest line, for the names of all


# What the threshold holds, where that is not the norm which is drawn.
HOLDS = {
    "preactivation_value": "What is held below the threshold is each entry of ∂L/∂a_t, not the norm of ∂L/∂h_t that is "
    "drawn: the curve can stay above it. Where the loss enters, nothing has been clipped yet.",
    "hidden_value": "What is held below the threshold is each entry of ∂L/∂h_t: the norm of all of them, which is "
    "drawn, can stay above it.",
    "hidden_norm": "",
}


def curves_before_after(subject: ClippingSubject, theme: Theme) -> Drawing:
    """What does clipping do to the curve through time?

    Each line is ‖∂L/∂h_t‖, the length of the gradient of the loss L with respect to the hidden state h of step t, as
    a power of ten; read it from the loss backwards, the way the gradient travels. The wide pale line is the gradient
    without clipping. Clipping the parameters' gradient, by norm or by value, comes after the sweep: both lines lie on
    the pale one. Clipping the signal happens at every step of the sweep, and all that lies further back is made of
    what it let through. The thin dotted lines of an LSTM are ‖∂L/∂c_t‖, for its cell state c. A cross marks a gradient
    that is exactly zero. The dashed line across is the clipping threshold: drag it.

    Args:
        subject: its ways of clipping and its stream.
        theme: the page's colours.
    """
    clippings, s = subject.clippings, subject.stream
    flow, figure = clippings.none.flow, blank(theme, CURVES)
    lines = _lines(clippings, s, theme)
    at, layout = float(np.log10(clippings.threshold)), figure["layout"]
    labels = _labels(clippings, s, lines, theme)
    ends = _ends(lines, labels, at, theme)
    figure["data"] = [*lines, *_crosses(clippings, s, ends, theme)]
    way = "the gradient travels this way →" if flow.streams[s].reverse else "← the gradient travels this way"
    layout["xaxis"].update(title={"text": f"step t    {way}"}, **step_ticks(flow))
    layout["yaxis"] = powers(theme, "gradient norm", range=ends, nticks=7)
    layout["shapes"] = [threshold_line("y", at, theme)]
    layout["annotations"] = _names(labels, ends, theme)
    found = (f"{subject.focus.label}: {finding}" for finding in flow.findings)
    held = HOLDS[clippings.signal_kind] if clippings.signal.changed else ""
    return Drawing(figure, curve_fact(clippings), (signal_fact(clippings), *filter(None, [held]), *found))


def _bends(clippings: Clippings, s: int) -> bool:
    """Whether clipping of the signal is there, and changes the curve of stream `s`."""
    way, before = clippings.signal, clippings.none.flow.log10_norm[s, :, 0]
    return way.flow is not None and not np.allclose(way.flow.log10_norm[s, :, 0], before, atol=1e-9, equal_nan=True)


def _lines(clippings: Clippings, s: int, theme: Theme) -> list[dict[str, Any]]:
    """The curves, those below first: the wide ones can be seen under the narrow ones."""
    bends = _bends(clippings, s)
    looks = {"none": (11.0, "solid", 0.4), "signal": (3.0 if bends else 6.5, "solid", 1.0 if bends else 0.55),
             "norm": (2.6, "solid", 1.0), "value": (2.6, "6px,7px", 1.0)}  # fmt: skip
    order = [clippings.none, clippings.signal, clippings.norm, clippings.value]
    ways = [way for way in order if way.flow is not None]
    found = [_line(way, way.flow.log10_norm[s, :, 0], *looks[way.name], s, theme) for way in ways]
    if clippings.none.flow.cell_log10_norm is not None:
        for way in ways[: 1 + bends]:
            line = _line(way, way.flow.cell_log10_norm[s, :, 0], 1.6, "2px,4px", 1.0, s, theme)
            found.append(line | {"name": f"{way.label}, ∂L/∂c"})
    return found


def _line(way: Way, norms: np.ndarray, width: float, dash: str, opacity: float, s: int, theme: Theme) -> dict[str, Any]:
    alone = np.isfinite(norms).sum() < 2
    return {
        "type": "scatter", "name": way.label, "x": positions(way.flow, s).astype(np.float32),
        "y": np.where(np.isfinite(norms), norms, np.nan).astype(np.float32), "mode": "markers" if alone else "lines",
        "line": {"color": colour_of(way, theme), "width": width * theme.scale, "dash": dash}, "opacity": opacity,
        "marker": {"color": colour_of(way, theme), "size": (width + 4) * theme.scale},
        "hovertemplate": "step %{x}: 10<sup>%{y:.2f}</sup>",
    }  # fmt: skip


def _crosses(clippings: Clippings, s: int, ends: list[float], theme: Theme) -> list[dict[str, Any]]:
    """Where the gradient is exactly zero, without clipping and with it."""
    flow = clippings.none.flow
    zero = flow.log10_norm[s, :, 0] == -np.inf
    return [{
        "type": "scatter", "name": "exactly 0", "x": positions(flow, s)[zero].astype(np.float32), "mode": "markers",
        "y": np.full(zero.sum(), ends[0] + 0.03 * (ends[1] - ends[0]), np.float32), "hoverinfo": "x+name",
        "marker": {"symbol": "x-thin-open", "color": theme.faint, "size": 7 * theme.scale},
    }] if zero.any() else []  # fmt: skip


class _Label(NamedTuple):
    """A name at the far end of a line.

    Attributes:
        place: where it stands along the steps, as plotly has it.
        anchor: which side of the text stands there.
        y: the lowest or highest of the half of the line that it stands beside.
        below: it stands under the line, which rises from its end on, instead of over it.
        text: in one or two rows.
        colour: of the text.
    """

    place: dict[str, Any]
    anchor: str
    y: float
    below: bool
    text: str
    colour: str

    @property
    def rows(self) -> int:
        """How many rows of text it has."""
        return 1 + self.text.count("<br>")


def _labels(clippings: Clippings, s: int, lines: list[dict[str, Any]], theme: Theme) -> list[_Label]:
    """The lines' names at their far end from the loss; those that lie on each other share one."""
    bends, signal = _bends(clippings, s), clippings.signal
    same = [clippings.norm, clippings.value, *([signal] if signal.flow is not None and not bends else [])]
    told = ", ".join(f'<span style="color:{colour_of(way, theme)}">{way.label}</span>' for way in same)
    named = {"no clipping": f"no clipping<br>{told}: the same curve", "no clipping, ∂L/∂c": "dotted: ∂L/∂c_t"}
    if bends:
        named["signal"] = "signal"
    reverse = clippings.none.flow.streams[s].reverse
    found = [_label(line, named[line["name"]], reverse) for line in lines if line["name"] in named]
    return [label for label in found if label is not None]


def _label(line: dict[str, Any], text: str, reverse: bool) -> _Label | None:
    known = np.flatnonzero(np.isfinite(line["y"]))
    if not len(known):
        return None
    known = known[::-1] if reverse else known
    far, further, x = known[0], known[len(known) // 4], line["x"]
    left = x[far] < x.mean()
    if far in (0, len(x) - 1) and left != reverse and len(known) > 1:  # its line goes through: at the edge of the chart
        place = {"x": 0.01 if left else 0.99, "xref": "x domain"}
    else:
        place = {"x": float(x[far])}
    below = bool(line["y"][further] > line["y"][far] + 0.3)
    near = line["y"][known[: len(known) // 2 + 1]]  # what the name could lie on
    y = float(near.min() if below else near.max())
    return _Label(place, "left" if left else "right", y, below, text, line["line"]["color"])


def _ends(lines: list[dict[str, Any]], labels: list[_Label], at: float, theme: Theme) -> list[float]:
    """The ends of the norm axis: around the lines, the threshold and the names, whose height depends on the ends."""
    known = np.concatenate([[at], *(line["y"][np.isfinite(line["y"])] for line in lines)])
    low, high = float(known.min()), float(known.max())
    ends = span(low, high, least=5.0)
    for _ in range(3):
        pixel = _pixel(ends, theme)
        edges = [edge for _, begin, end in _beside(labels, pixel) for edge in (begin, end)]
        # Room for the signal's name whether it has one now or not: the axis stays put while the threshold is dragged.
        edges += [one.y + (-1 if one.below else 1) * ROOM_BESIDE * pixel for one in labels if one.rows > 1]
        ends = span(min([low - 10 * pixel, *edges]), max([high + 10 * pixel, *edges]), least=5.0)
    return ends


def _pixel(ends: list[float], theme: Theme) -> float:
    """The decades that a pixel of the chart is high, between its margins; as many more as type is larger."""
    return theme.scale * (ends[1] - ends[0]) / (CURVES - 60)


def _beside(labels: list[_Label], pixel: float) -> list[tuple[_Label, float, float]]:
    """(label, its edge at the line, its other edge): upwards from the lowest, downwards from the highest."""
    placed = []
    for sign in (-1, 1):
        free = -np.inf
        for label in sorted((label for label in labels if label.below == (sign < 0)), key=lambda one: sign * one.y):
            begin, height = max(sign * label.y + 9 * pixel, free), LABEL_PIXELS * label.rows * pixel
            for line in sorted(sign * other.y for other in labels):
                if begin - 9 * pixel < line < begin + height:  # another line's end would run through the name
                    begin = line + 9 * pixel
            free = begin + height
            placed.append((label, sign * begin, sign * free))
    return placed


def _names(labels: list[_Label], ends: list[float], theme: Theme) -> list[dict[str, Any]]:
    """The names beside their lines, and not on each other."""
    pixel = _pixel(ends, theme)
    return [
        note(
            theme, label.text, **label.place, y=(begin + end) / 2, xanchor=label.anchor, yanchor="middle", borderpad=0,
            align=label.anchor, font={"color": label.colour, "size": round(12 * theme.scale)},
        ) for label, begin, end in _beside(labels, pixel)
    ]  # fmt: skip
