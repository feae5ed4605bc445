"""Charts of one run: where its gradient goes, and what its network remembers."""

import numpy as np
import plotly.graph_objects as go

from rnnviz.core.results import FLOAT64_LARGEST, FLOAT64_SMALLEST, GradientFlow, Status
from rnnviz.figures.theme import CELL_STYLES, Theme, blank_figure, power


def gradient_norms(flow: GradientFlow, theme: Theme) -> go.Figure:
    """Where does the gradient go?

    log10 ‖∂L/∂h_t‖ over the steps, and ‖∂L/∂c_t‖ beside it for a cell that has one; read from the loss to the left. A
    step where the norm is exactly zero has no height on a log axis: it is marked at the foot of the chart.

    Args:
        flow: the run; every stream gets a line, batch row 0.
        theme: the page's colours.
    """
    figure = blank_figure(theme, height=340)
    lowest = _lowest(flow)
    for s, stream in enumerate(flow.streams):
        name = f", {stream.label}" if len(flow.streams) > 1 else ""
        hidden, cell = flow.log10_norm[s, :, 0], None if flow.cell_log10_norm is None else flow.cell_log10_norm[s, :, 0]
        above = cell is None or not hidden[0] < cell[0]
        _add_norm(figure, flow, s, hidden, f"‖∂L/∂h‖{name}", theme, lowest, above)
        if cell is not None:
            _add_norm(figure, flow, s, cell, f"‖∂L/∂c‖{name}", theme, lowest, not above, thin=True)
    for limit, beyond in ((FLOAT64_SMALLEST, Status.UNDERFLOW), (FLOAT64_LARGEST, Status.OVERFLOW)):
        if (flow.status == beyond).any():
            line = {"color": theme.faint, "width": 1, "dash": "dot"}
            figure.add_hline(limit, line=line, annotation_text="float64 ends here")
    figure.update_xaxes(title="step t   ← gradients flow", range=_step_range(flow))
    figure.update_yaxes(tickprefix="10<sup>", ticksuffix="</sup>", tickformat="~g", title="gradient norm")
    if _height(flow) < 6:
        figure.update_yaxes(dtick=1)
    return figure


def hidden_states(flow: GradientFlow, theme: Theme, s: int = 0) -> go.Figure:
    """What does the network remember?

    h_t as a map, one row a unit and one column a step; the colours meet at zero.

    Args:
        flow: the run; batch row 0 of stream `s`.
        theme: the page's colours.
        s: which stream.
    """
    values = flow.hidden[s, :, 0].T
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0) or 1.0
    figure = blank_figure(theme, height=300)
    figure.add_heatmap(
        x=_positions(flow, s),
        y=np.arange(1, len(values) + 1),
        z=np.where(np.isfinite(values), values, np.nan),
        zmin=-largest,
        zmax=largest,
        colorscale=[[0.0, theme.diverging[0]], [0.5, theme.diverging[1]], [1.0, theme.diverging[2]]],
        colorbar={"title": {"text": "h", "side": "top"}, "thickness": 8, "outlinewidth": 0, "x": 1.0, "xpad": 4},
        hovertemplate="step %{x}, unit %{y}: %{z:.3g}<extra></extra>",
    )
    figure.update_xaxes(title="step t", range=_step_range(flow))
    figure.update_yaxes(title="unit", autorange="reversed")
    return figure


def _positions(flow: GradientFlow, s: int) -> np.ndarray:
    """The step at which each row of a stream stands; its initial state stands at 0 or at T+1."""
    return np.arange(flow.steps + 1) + (1 if flow.streams[s].reverse else 0)


def _step_range(flow: GradientFlow) -> list[float]:
    """The ends of the step axis, the same on every chart of a run, so that steps stand under steps."""
    positions = np.concatenate([_positions(flow, s) for s in range(len(flow.streams))])
    return [float(positions.min()) - 0.5, float(positions.max()) + 0.5]


def _finite_norms(flow: GradientFlow) -> np.ndarray:
    """Every norm on the chart that has a height."""
    norms = [flow.log10_norm] if flow.cell_log10_norm is None else [flow.log10_norm, flow.cell_log10_norm]
    return np.concatenate([norm[np.isfinite(norm)] for norm in norms])


def _height(flow: GradientFlow) -> float:
    """How many decades the chart spans."""
    finite = _finite_norms(flow)
    return float(np.ptp(finite)) if finite.size else 0.0


def _lowest(flow: GradientFlow) -> float:
    """The foot of the chart: below the smallest norm that is not zero."""
    return float(_finite_norms(flow).min(initial=0.0) - 0.08 * _height(flow) - 0.5)


def _add_norm(
    figure, flow: GradientFlow, s: int, norms, name: str, theme: Theme, lowest: float, above: bool, thin=False
):
    """One line with its name at its left end, above or below it, and crosses where it is exactly zero."""
    cell, x = flow.streams[s].cell.name, _positions(flow, s)
    line = {"color": theme.cell(cell), "dash": CELL_STYLES[cell].dash if thin else "solid", "width": 1.8 if thin else 3}
    finite, zero = np.isfinite(norms), norms == -np.inf
    hover = [f"step {step}: {power(round(float(norm), 2))}" for step, norm in zip(x, norms, strict=True)]
    figure.add_scatter(
        x=x, y=np.where(finite, norms, np.nan), name=name, line=line, mode="lines", text=hover, hoverinfo="text+name"
    )
    if finite.any():
        first = int(np.flatnonzero(finite)[0])
        figure.add_annotation(
            x=x[first], y=norms[first], text=f"{name} (dashed)" if thin else name, showarrow=False,
            font={"color": line["color"]}, bgcolor=theme.paper, opacity=0.9,
            xanchor="left", yanchor="bottom" if above else "top", yshift=8 if above else -8,
        )  # fmt: skip
    if zero.any():
        why = "saturated" if (flow.status[s, zero, 0] == Status.SATURATED).all() and not thin else "exactly 0"
        figure.add_scatter(
            x=x[zero], y=np.full(zero.sum(), lowest), mode="markers", name=f"{name} {why}", hoverinfo="x+name",
            marker={"symbol": "x-thin-open", "color": line["color"], "size": 7},
        )  # fmt: skip
