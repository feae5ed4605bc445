"""Maps of units over steps: what the network remembers, and which units carry the gradient."""

import numpy as np

from rnnviz.core.results import GradientFlow
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.steps import positions, step_range
from rnnviz.figures.theme import SEQUENTIAL, Theme, axis, blank, colour_bar, signed_scale

HEIGHT = 300
DECADES_SHOWN = 12


def hidden_states(subject: Subject, theme: Theme) -> Drawing:
    """What does the network remember?

    One row a unit, one column a step. The colour is the unit's value h after that step: warm above zero, cool below,
    the page's own colour at zero. The switch shows the cell state c of an LSTM or one of its gates (i writes, f keeps,
    o shows, g is what may be written; a GRU's z keeps, r resets, n is what may be written) where the network has them.
    """
    flow, s = subject.focus.flow, subject.stream
    values, what, x = _states(flow, s, subject.view.states)
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    figure = _map(flow, theme, x, values, zmin=-largest, zmax=largest, colorscale=signed_scale(theme))
    figure["data"][0]["colorbar"] = colour_bar(theme, what, nticks=5)
    figure["data"][0]["hovertemplate"] = f"step %{{x}}, unit %{{y}}: {what} = %{{z:.3g}}<extra></extra>"
    return Drawing(figure, _remembered(flow, s, subject.view.states))


def unit_gradients(subject: Subject, theme: Theme) -> Drawing:
    """Which units carry it?

    One row a unit, one column a step; the colour is the size of the unit's own part of ∂L/∂h_t. Per step, each column
    is compared with its own largest entry, so that one sees who carries a gradient that has all but vanished; over the
    whole run, or as powers of ten, columns can be compared with each other.
    """
    flow, s = subject.focus.flow, subject.stream
    values, ends, title = _shaded(flow, s, subject.view.shade)
    figure = _map(flow, theme, positions(flow, s), values, zmin=ends[0], zmax=ends[1], colorscale=SEQUENTIAL)
    figure["data"][0]["colorbar"] = colour_bar(theme, title)
    figure["data"][0]["hovertemplate"] = "step %{x}, unit %{y}: %{z:.3g} of the largest<extra></extra>"
    if subject.view.shade == "log":
        figure["data"][0]["colorbar"] |= {"tickprefix": "10<sup>", "ticksuffix": "</sup>", "nticks": 5}
        figure["data"][0]["hovertemplate"] = "step %{x}, unit %{y}: 10<sup>%{z:.2f}</sup><extra></extra>"
    return Drawing(figure, _carried(flow, s))


def _states(flow: GradientFlow, s: int, wanted: str) -> tuple[np.ndarray, str, np.ndarray]:
    """(units, steps) of what is wanted, or of the hidden states where the network has no such thing; its symbol; x."""
    x = positions(flow, s)
    if wanted == "cell" and flow.cell is not None:
        return flow.cell[s, :, 0].T, "c", x
    if wanted in flow.gates:
        return flow.gates[wanted][s, :, 0].T, wanted, np.arange(1, flow.steps + 1)
    return flow.hidden[s, :, 0].T, "h", x


def _remembered(flow: GradientFlow, s: int, wanted: str) -> str:
    """One sentence on the states, and one on the gates' mean where a gate is shown."""
    if wanted in flow.gates:
        return f"Gate {wanted} is {flow.gates[wanted][s].mean():.2f} on average over all units and steps."
    if wanted == "cell" and flow.cell is not None:
        return f"A cell state is {np.abs(flow.cell[s]).mean():.2g} away from zero on average; it can grow by 1 a step."
    size, share = flow.mean_state(s), flow.share_near_ends(s)
    if not np.isfinite(size):
        return "The states grow beyond what float64 can hold, 1.8·10³⁰⁸."
    if flow.streams[s].cell.name == "rnn" and flow.streams[s].activation.name not in ("tanh", "sigmoid"):
        return f"A unit is {size:.2g} away from zero on average; nothing bounds it."
    if flow.streams[s].cell.name != "rnn":
        return f"A unit is {size:.2g} away from zero on average; {share:.0%} of all values are within 0.1 of ±1."
    logistic = flow.streams[s].activation.name == "sigmoid"
    flat = f"within 0.1 of {'0 or 1' if logistic else '±1'}, where the slope is small and little gradient passes"
    return f"A unit is {size:.2g} away from zero on average; {share:.0%} of all values are {flat}."


def _shaded(flow: GradientFlow, s: int, shade: str) -> tuple[np.ndarray, tuple[float, float], str]:
    """(units, steps) as the chosen colours want them, the ends of the scale, and its title."""
    sizes = flow.unit_log10(s).T
    if shade == "log":
        finite = sizes[np.isfinite(sizes)]
        top = float(finite.max(initial=-300.0)) if finite.size else 0.0
        low = max(float(finite.min(initial=0.0)) if finite.size else -1.0, top - DECADES_SHOWN)
        return np.where(np.isfinite(sizes), sizes, np.nan), (low, top), "|∂L/∂h|"
    whole = np.nanmax(np.where(np.isfinite(sizes), sizes, -np.inf), axis=0 if shade == "step" else None, initial=-400.0)
    return 10.0 ** (sizes - whole), (0.0, 1.0), "share"


def _carried(flow: GradientFlow, s: int) -> str:
    """How many units carry the gradient where it enters and where it ends."""
    carriers = flow.streams[s].in_order(flow.carriers(s))
    far, *_, near = flow.streams[s].in_order(flow.log10_norm[s, :, 0])
    units = flow.hidden.shape[-1]
    if not carriers[-1]:
        if near == -np.inf:
            return "No gradient enters this chain at its last step."
        if np.isnan(near):
            return "The gradient is not a number: the forward run left float64."
        return "At the loss, the gradient is beyond what float64 can hold unit by unit."
    if not carriers[0]:
        fate = "none of it reaches the far end" if far == -np.inf else "float64 cannot hold those at the far end"
        return f"At the loss, half of the squared gradient sits in {carriers[-1]} of {units} units; {fate}."
    return (
        f"Half of the squared gradient sits in {carriers[-1]} of {units} units at the loss, and in {carriers[0]} of "
        f"{units} at the far end."
    )


def _map(flow: GradientFlow, theme: Theme, x: np.ndarray, values: np.ndarray, **rest) -> dict:
    """A heatmap of units over the steps of the run."""
    figure = blank(theme, HEIGHT)
    figure["data"] = [{
        "type": "heatmap", "x": x.astype(np.float32), "y": np.arange(1, len(values) + 1, dtype=np.float32),
        "z": np.where(np.isfinite(values), values, np.nan), **rest,
    }]  # fmt: skip
    figure["layout"]["xaxis"].update(title={"text": "step t"}, range=step_range(flow))
    figure["layout"]["yaxis"] = axis(theme, title={"text": "unit"}, autorange="reversed")
    return figure
