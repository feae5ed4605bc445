"""The gradient of every single loss: which loss taught which step."""

from typing import Any

import numpy as np

from rnnviz.core.readings import power_text
from rnnviz.core.results import ItemisedFlow
from rnnviz.errors import RnnvizError
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.refusal import plain
from rnnviz.figures.steps import positions, step_ticks
from rnnviz.figures.theme import SEQUENTIAL, Theme, axis, blank, colour_bar, note

HEIGHT = 340
MOST_BARS = 25  # steps up to which the parts are stacked; beyond, the triangle is a map
DECADES_SHOWN = (2.0, 16.0)  # by the colours, at least and at most
MOST_ROWS, MOST_COLUMNS = 256, 512  # of the map: there are no more pixels to draw them on
LEVEL = -2.0  # log10 of 1 %
FEW_LOSSES = "Only the last step has a loss: set Loss to “Every step” to fill the whole triangle."


def itemised_map(subject: Subject, theme: Theme) -> Drawing:
    """Which loss taught which step?

    Each step t may have its own loss L_t, and each loss sends its own gradient back. The map shows ‖∂L_t/∂h_k‖, what
    the loss of step t (its row) sends to the hidden state h of step k (its column), as a power of ten: bright is much,
    dark is little, empty is nothing. Follow a row from its bright end on the diagonal to see how far one loss reaches;
    on the line, 1 % of it is left. Up to 25 steps there are bars instead: the column over step k is cut into bands by
    the loss that they come from, its own at the bottom. The line over them is the total ‖∂L/∂h_k‖: the lengths of
    parts do not add up to the length of their sum, because parts may point in different directions.

    Args:
        subject: its focused run and stream.
        theme: the page's colours.
    """
    run, s = subject.focus, subject.stream
    try:
        flow = run.itemised
    except RnnvizError as error:
        return Drawing({}, _refused(run, error))
    if not flow.has_loss(s).any():
        return Drawing({}, "No loss reaches this chain: the gradient that it receives is exactly zero at every step.")
    if not np.isfinite(flow.log10_norm[s]).any():
        return Drawing({}, "The gradient of every loss is not a number: the forward run left float64 before it.")
    every = run.config.loss == "every"
    few = flow.steps <= MOST_BARS and run.flow is not flow  # without a total there is nothing to stack the parts under
    draw = _curves if not every else _bars if few else _map
    figure = blank(theme, HEIGHT)
    figure["layout"]["xaxis"].update(title={"text": "state of step k"}, **step_ticks(run.flow))
    draw(figure, run, s, theme)
    return Drawing(figure, _answer(flow, s, every), () if every or flow.steps == 1 else (FEW_LOSSES,))


def _map(figure: dict[str, Any], run: Run, s: int, theme: Theme) -> None:
    """Rows of losses over columns of states, and the line on which 1 % of each is left."""
    flow, layout = run.itemised, figure["layout"]
    rows, columns = _spread(len(flow.sources), MOST_ROWS), _spread(flow.steps + 1, MOST_COLUMNS)
    sources, x, reach = flow.sources[rows], positions(flow, s), flow.reach_of_each(s)[rows]
    z = flow.log10_norm[s][np.ix_(rows, columns)]
    finite = np.isfinite(z)
    top = float(z[finite].max())
    low = min(max(float(z[finite].min()), top - DECADES_SHOWN[1]), top - DECADES_SHOWN[0])
    few = {"dtick": 1} if top - low < 6 else {"nticks": 5}
    bar = colour_bar(theme, "norm", tickprefix="10<sup>", ticksuffix="</sup>", tickformat="~g", **few)
    back = -1 if flow.streams[s].reverse else 1
    left = {
        "type": "heatmap", "x": x[columns].astype(np.float32), "y": sources.astype(np.float32),
        "z": np.where(finite, z, np.nan).astype(np.float32), "zmin": low, "zmax": top, "colorscale": SEQUENTIAL,
        "colorbar": bar, "customdata": np.broadcast_to(reach[:, None], z.shape).astype(np.float32),
        "hovertemplate": "the loss of step %{y} sends step %{x} 10<sup>%{z:.2f}</sup>;<br>"
        "it stays above 1 % for %{customdata} steps<extra></extra>",
    }  # fmt: skip
    # White on the dark end of the colours, black on the bright one.
    ink = "#000000" if top + LEVEL > (low + top) / 2 else "#FFFFFF"
    whole = reach >= (flow.steps - sources if back < 0 else sources - 1)
    edge = {
        "type": "scatter", "mode": "lines",
        "x": np.where(whole, np.nan, sources - back * (reach + 0.5)).astype(np.float32),
        "y": sources.astype(np.float32),
        "line": {"color": ink, "width": 1.5 * theme.scale, "dash": "dot"}, "hovertemplate": "1 % left<extra></extra>",
    }  # fmt: skip
    figure["data"] = [left, edge]
    layout["yaxis"] = axis(theme, title={"text": "loss of step t"}, range=[flow.steps + 0.5, 0.5])
    text = "no loss reaches<br>a later step" if back > 0 else "no loss reaches<br>an earlier step"
    told = [text] * (not finite[:, 1:-1].all()) + ["dotted: 1 % left"] * (not whole.all())
    x_end, y_end = (("left", 0.02), ("bottom", 0.03)) if back < 0 else (("right", 0.98), ("top", 0.97))
    layout["annotations"] = [note(
        theme, "<br>".join(told), xref="x domain", x=x_end[1], xanchor=x_end[0], align=x_end[0],
        yref="y domain", y=y_end[1], yanchor=y_end[0], font={"color": theme.faint, "size": round(12 * theme.scale)},
    )] * bool(told)  # fmt: skip


def _bars(figure: dict[str, Any], run: Run, s: int, theme: Theme) -> None:
    """A column a step, cut by the loss that its parts come from, and the length of their sum."""
    flow, layout = run.itemised, figure["layout"]
    norms, x = flow.log10_norm[s], positions(flow, s)
    unit, power = _unit(norms)
    heights = np.where(np.isfinite(norms), 10.0 ** (norms - power), 0.0)
    order = slice(None, None, -1 if flow.streams[s].reverse else 1)  # each step's own loss at the bottom
    below = np.zeros_like(heights)
    below[order] = np.cumsum(heights[order], axis=0) - heights[order]
    source, step = np.nonzero(heights)
    told = np.stack([flow.sources[source], norms[source, step], flow.reach_of_each(s)[source]], axis=1)
    figure["data"] = [
        {
            "type": "bar", "x": x[step].astype(np.float32), "y": heights[source, step].astype(np.float32),
            "base": below[source, step].astype(np.float32), "customdata": told.astype(np.float32),
            "marker": {
                "color": told[:, 0].astype(np.float32), "colorscale": SEQUENTIAL, "cmin": 1, "cmax": max(flow.steps, 2),
                "colorbar": colour_bar(theme, "loss t", tickformat="d", dtick=max(1, flow.steps // 5)),
                "line": {"color": theme.paper, "width": 0.5},
            },
            "hovertemplate": "the loss of step %{customdata[0]} sends step %{x} 10<sup>%{customdata[1]:.2f}</sup>;<br>"
            "it stays above 1 % for %{customdata[2]} steps<extra></extra>",
        },
        _total(run, s, power, theme),
    ]  # fmt: skip
    layout |= {"barmode": "overlay", "bargap": 0.15}
    layout["yaxis"] = axis(theme, title={"text": f"‖∂L<sub>t</sub>/∂h<sub>k</sub>‖{unit}"}, nticks=6,
                           range=[0, 1.15 * float(heights.sum(axis=0).max())])  # fmt: skip
    layout["annotations"] = [note(
        theme, "the line is the total ‖∂L/∂h<sub>k</sub>‖", xref="x domain", yref="y domain", x=0.01, y=0.99,
        xanchor="left", yanchor="top", font={"size": round(12 * theme.scale)},
    )]  # fmt: skip


def _total(run: Run, s: int, power: float, theme: Theme) -> dict[str, Any]:
    """The length of the sum of all parts."""
    norms = run.flow.log10_norm[s, :, 0]
    return {
        "type": "scatter", "mode": "lines+markers", "x": positions(run.flow, s).astype(np.float32),
        "y": np.where(np.isnan(norms), np.nan, 10.0 ** (norms - power)).astype(np.float32),
        "line": {"color": theme.ink, "width": 1.5 * theme.scale},
        "marker": {"color": theme.ink, "size": 5 * theme.scale},
        "hovertemplate": "total at step %{x}: %{y:.3g}<extra></extra>",
    }  # fmt: skip


def _curves(figure: dict[str, Any], run: Run, s: int, theme: Theme) -> None:
    """One line, for the one loss; two below a top layer whose directions it enters at both ends."""
    flow, layout = run.itemised, figure["layout"]
    x, rows, small = positions(flow, s), np.flatnonzero(flow.has_loss(s)), {"size": round(12 * theme.scale)}
    norms = np.where(np.isfinite(flow.log10_norm[s][rows]), flow.log10_norm[s][rows], np.nan)
    low, high = float(np.nanmin(norms)), float(np.nanmax(norms))
    ends = span(low, high + 0.08 * (high - low))
    figure["data"] = [
        {
            "type": "scatter", "mode": "lines" if np.isfinite(row).sum() > 2 else "lines+markers",
            "x": x.astype(np.float32), "y": row.astype(np.float32),
            "line": {"color": theme.colour(run.name), "width": 3 * theme.scale},
            "hovertemplate": f"what enters at step {source} sends step %{{x}} 10<sup>%{{y:.2f}}</sup><extra></extra>",
        } for source, row in zip(flow.sources[rows], norms, strict=True)
    ]  # fmt: skip
    layout["yaxis"] = power_axis(theme, "‖∂L<sub>t</sub>/∂h<sub>k</sub>‖", ends)
    entries = norms[np.arange(len(rows)), flow.sources[rows] - (1 if flow.streams[s].reverse else 0)]
    if len(rows) > 1:
        found = zip(flow.sources[rows], entries, ("left", "right"), strict=True)
        layout["annotations"] = [note(
            theme, f"entered at step {source}", x=source, y=entry, yanchor="top",
            yshift=-8 if side == "left" else -8 - 16 * theme.scale, xanchor=side,
            font=small | {"color": theme.colour(run.name)},
        ) for source, entry, side in found if np.isfinite(entry)]  # fmt: skip
    elif ends[0] < (level := float(entries[0]) + LEVEL) < ends[1]:
        line, side = {"color": theme.faint, "width": theme.scale, "dash": "dot"}, float(flow.streams[s].reverse)
        layout["shapes"] = [
            {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": level, "y1": level, "line": line}
        ]
        layout["annotations"] = [note(
            theme, "1 % of it", xref="x domain", x=side, xanchor="right" if side else "left", y=level, yanchor="bottom",
            font=small | {"color": theme.faint},
        )]  # fmt: skip


def _spread(count: int, most: int) -> np.ndarray:
    """Indices of all, or of `most` of them from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _unit(norms: np.ndarray) -> tuple[str, float]:
    """A power of ten to divide by, and its text, where the browser's float32 could not hold the heights."""
    top = float(norms[np.isfinite(norms)].max())
    power = 0.0 if abs(top) < 30 else float(np.floor(top))
    return (f" / 10<sup>{power:g}</sup>".replace("-", "−") if power else ""), power


def _refused(run: Run, error: RnnvizError) -> str:
    """Why there is no such chart, and which control to turn."""
    if run.config.signal_clip:
        return (
            "Clipping acts on the sum of all losses' gradients at every step, so that no loss can be followed alone: "
            "set Clipping to Off, or to act after the sweep."
        )
    if run.config.truncated:
        return "Truncation cuts the paths that this chart follows: set Truncation to Off to see how far a loss reaches."
    return plain(error)


def _answer(flow: ItemisedFlow, s: int, every: bool) -> str:
    """How far a loss reaches, and what is left of the last one at the far end."""
    if flow.steps == 1:
        return "There is a single step, and its loss sends it everything."
    curve, reach = flow.reach(s), flow.mean_reach(s)
    reverse = flow.streams[s].reverse
    way = "steps ahead" if reverse else "steps back"
    who = "On average a loss" if every else "The one loss"
    if np.isnan(reach):
        return "What reaches this chain is zero or not a number at the losses' own steps."
    far = int(np.flatnonzero(~np.isnan(curve))[-1])
    if far == 0:
        return f"{who} enters at the end of this chain, where no step lies before it."
    if np.isinf(reach):
        left = power_text(float(curve[far]))
        end = f"{far} {way if far > 1 else way.replace('steps', 'step')}"
        if curve[far] > 0:
            return f"{who} does not fade: {end} it has grown {left}-fold."
        return f"{who} never falls below 1 %: {end}, {left} of it is left."
    before = int(np.floor(reach))
    if curve[before + 1] == -np.inf:
        return _ends_in_zero(flow, s, who, f"{before} {way if before != 1 else way.replace('steps', 'step')}", before)
    last = f"; of the last one, {power_text(float(curve[-1]))} is left at step {flow.steps if reverse else 1}"
    last = last if np.isfinite(curve[-1]) else ""
    if every:
        return f"{who} reaches {_told(reach)} {way} before it falls below 1 %{last}."
    stretch = f"{before} {way if before != 1 else way.replace('steps', 'step')}"
    return f"{who} stays above 1 % for {stretch}{last.replace('of the last one, ', '')}."


def _ends_in_zero(flow: ItemisedFlow, s: int, who: str, stretch: str, steps: int) -> str:
    """What to say when the mean of the logarithms is that of a zero."""
    own = np.isfinite(flow.log10_norm[s]).any(axis=1).sum()
    if np.isfinite(flow.log10_norm[s]).sum() == own:
        return "No loss sends anything to any step but its own: what it would send further is exactly zero."
    nothing = "exactly nothing arrives" if own == 1 else "at least one loss sends exactly nothing"
    if not steps:
        return f"One step away from its own, {nothing}."
    return f"{who} stays above 1 % for {stretch}; one step further, {nothing}."


def _told(count: float) -> str:
    return f"{count:.1f}" if count < 10 else f"{count:.0f}"
