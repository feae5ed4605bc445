"""Why a gradient vanishes or explodes: the Jacobian of every step, and what the recurrent matrix alone foretells."""

from typing import Any

import numpy as np

from rnnviz.core.results import JacobianSpectrum
from rnnviz.errors import RnnvizError
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.labels import spaced
from rnnviz.figures.refusal import plain
from rnnviz.figures.steps import step_ticks
from rnnviz.figures.theme import Theme, blank, note

HEIGHT = 340
BAND = (1.0, 0.0, 0.75, 0.25, 0.5)  # quantiles in the order of their traces: two filled pairs and the middle
DEEPEST = (-3.0, -7.0)  # log10, how deep the axis follows the singular values, and anything at all
ALIKE = 0.005  # a factor a step that is closer to 1 than this keeps the size
WAY_BACK = "step t    ← the gradient travels this way"

# Name, width, whether in ink, dash, and opacity of the fill up to the line before, of each trace.
LINES = (
    ("largest σ(J)", 1.0, False, "solid", 0.0),
    ("smallest σ(J)", 0.0, False, "solid", 0.14),
    ("upper quarter of σ(J)", 0.0, False, "solid", 0.0),
    ("lower quarter of σ(J)", 0.0, False, "solid", 0.22),
    ("median σ(J)", 0.75, False, "solid", 0.0),
    ("ρ(J)", 1.5, True, "dot", 0.0),
    ("gradient", 3.5, False, "solid", 0.0),
)
# Label, which lines' middle it stands at, and how many pixels above.
NAMES = (
    ("largest σ(J)", (0,), 9),
    ("ρ(J)", (5,), 9),
    ("<b>gradient</b>", (6,), -12),
    ("singular values σ(J)", (1, 3), 0),
)
MARKS = {"ρ": ("dash", 0.0, 1.0), "σ": ("solid", 0.97, 2.0), "×": ("solid", 0.97, 3.0)}  # dash, begin, width


def step_jacobians(subject: Subject, theme: Theme) -> Drawing:
    """Why?

    On its way back across step t the gradient is multiplied by the step Jacobian J_t = ∂h_t/∂h_{t−1} (for an LSTM,
    of h and c together). The band shows J_t's singular values σ: no gradient can grow by more than the largest or
    shrink by more than the smallest; half of them lie in the darker part. The thick line is what the gradient
    really does at this step, the thin dotted one is the spectral radius ρ(J_t), the size of the largest eigenvalue.
    Above the line at 1 a factor makes things grow, below it they shrink. The numbers at the right: × is the
    gradient's own factor a step on average; ρ and σ belong to the recurrent matrix W_hh alone, its largest
    |eigenvalue| and singular value. The well-known rule "ρ below 1 vanishes, above 1 explodes" looks at this ρ
    only; compare the dashed line with the thick one.

    Args:
        subject: its focused run and stream.
        theme: the page's colours.
    """
    run, s = subject.focus, subject.stream
    try:
        spectrum = run.spectrum
    except RnnvizError as error:
        return Drawing({}, plain(error))
    if not np.isfinite(spectrum.singular_values[s]).any():
        return Drawing({}, "The step Jacobians are not numbers: the forward run left float64 at its first step.")
    figure, growth, marks = blank(theme, HEIGHT), _growth(run, s), _marks(run, s)
    lines = np.vstack([spectrum.quantiles(BAND, s), spectrum.radius_log10(s), _measured(run, s, growth)])
    ends = _ends(lines, [_log10(value) for value, _ in marks])
    figure["data"] = _traces(lines, ends, theme.colour(run.name), theme)
    layout = figure["layout"]
    layout["xaxis"].update(title={"text": _way(run, s)}, **step_ticks(run.flow))
    layout["yaxis"] = power_axis(theme, "factor a step", ends)
    layout["shapes"] = [_level(0.0, theme.ink, "solid", 2 * theme.scale)]
    _mark(layout, [*marks, (growth, "×")], ends, theme.colour(run.name), theme)
    layout["annotations"] += _names(lines, ends, _pixels(layout), theme.colour(run.name), theme)
    return Drawing(figure, _answer(run, s, growth), _notes(run, s, lines))


def _untouched(run: Run, s: int) -> bool:
    """The gradient of this stream is carried by its step Jacobians alone, from the loss to the far end."""
    top = run.flow.streams[s].layer == run.flow.streams[-1].layer
    return top and run.config.loss == "last" and not run.config.signal_clip and not run.config.truncated


def _growth(run: Run, s: int) -> float:
    """The factor a step: measured where nothing else acts on the gradient, else that of the Jacobians' product."""
    return float(run.flow.readings[s].growth_per_step) if _untouched(run, s) else run.spectrum.lyapunov_growth(s)


def _marks(run: Run, s: int) -> list[tuple[float, str]]:
    """(value, symbol) of the recurrent matrix."""
    stream = run.flow.streams[s]
    if stream.spectral_radius is None:
        return []
    return [(stream.largest_singular_value, "σ"), (stream.spectral_radius, "ρ")]


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else -np.inf if value == 0 else np.nan


def _way(run: Run, s: int) -> str:
    return "step t    the gradient travels this way →" if run.flow.streams[s].reverse else WAY_BACK


def _pixels(layout: dict[str, Any]) -> float:
    """Height of the plot itself."""
    return layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]


def _measured(run: Run, s: int, growth: float) -> np.ndarray:
    """(T,) log10 of what the gradient does at each step, where the Jacobians alone carry it; else their growth."""
    return run.flow.step_growth_log10[s] if _untouched(run, s) else np.full(run.flow.steps, _log10(growth))


def _ends(lines: np.ndarray, levels: list[float]) -> list[float]:
    """Ends of the axis around 1, deep enough for the middle half of the singular values; the rest runs off the foot."""
    finite = np.where(np.isfinite(lines), lines, 0.0)
    levels = [level for level in levels if np.isfinite(level)]
    low = min(0.0, max(finite[3].min(), DEEPEST[0]), max(finite[5:].min(), DEEPEST[1]), *levels)
    high = max(0.0, finite[0].max(), finite[6].max(), *levels)
    return span(1.05 * low - 0.05, 1.05 * high + 0.05, 0.5)


def _traces(lines: np.ndarray, ends: list[float], colour: str, theme: Theme) -> list[dict[str, Any]]:
    """The band of singular values in two shades, their median, the spectral radius, and the gradient."""
    x, mode = np.arange(1, lines.shape[1] + 1, dtype=np.float32), "lines" if lines.shape[1] > 1 else "markers"
    below = np.where(np.isnan(lines), np.nan, np.maximum(lines, ends[0] - 1))
    traces = []
    for (name, width, ink, dash, fill), values, y in zip(LINES, lines, below, strict=True):
        line = {"color": theme.ink if ink else colour, "width": width * theme.scale, "dash": dash}
        filled = {"fill": "tonexty", "fillcolor": _faded(colour, fill)} if fill and mode == "lines" else {}
        traces.append({
            "type": "scatter", "mode": mode, "name": name, "x": x, "y": y.astype(np.float32), "line": line,
            "marker": {"color": line["color"]}, "customdata": (10.0**values).astype(np.float32),
            "hovertemplate": f"{name}, step %{{x}}: %{{customdata:.3g}}<extra></extra>", **filled,
        })  # fmt: skip
    return traces


def _level(y: float, colour: str, dash: str, width: float) -> dict[str, Any]:
    """A level right across the chart."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": colour, "width": width, "dash": dash}}  # fmt: skip


def _faded(colour: str, opacity: float) -> str:
    """A hex colour, see-through."""
    return f"rgba({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))}, {opacity})"


def _mark(layout: dict[str, Any], marks, ends: list[float], colour: str, theme: Theme) -> None:
    """What does not depend on the step: a mark at the right, and its number in the margin."""
    known = [(value, symbol) for value, symbol in marks if not np.isnan(value)]
    shown = sorted((float(np.clip(_log10(value), *ends)), symbol, value) for value, symbol in known)
    pixels = [(at - ends[0]) / (ends[1] - ends[0]) * _pixels(layout) for at, _, _ in shown]
    places = spaced(pixels, 15 * theme.scale, _pixels(layout))
    for (at, symbol, value), own, place in zip(shown, pixels, places, strict=True):
        dash, first, width = MARKS[symbol]
        ink = colour if symbol == "×" else theme.ink
        layout["shapes"].append(_level(at, ink, dash, width * theme.scale) | {"x0": first})
        layout["annotations"].append({
            "text": f"{symbol} {_short(value)}", "showarrow": False, "xref": "x domain", "x": 1, "xshift": 1,
            "xanchor": "left", "y": at, "yshift": place - own, "yanchor": "middle",
            "font": {"color": ink, "size": round(12 * theme.scale)},
        })  # fmt: skip


def _names(lines: np.ndarray, ends: list[float], height: float, colour: str, theme: Theme) -> list[dict[str, Any]]:
    """What each line is, at the left, as high as it usually is: its first step is often unlike the others."""
    begin = []
    for name, which, above in NAMES:
        usual = [float(np.median(line[np.isfinite(line)])) for line in lines[list(which)] if np.isfinite(line).any()]
        if usual and max(usual) > ends[0]:
            at = float(np.mean(np.clip(usual, *ends)))
            begin.append(((at - ends[0]) / (ends[1] - ends[0]) * height + above, name))
    begin.sort()
    places = spaced([place for place, _ in begin], 15 * theme.scale, height)
    return [
        note(
            theme, name, xref="x domain", x=0.01, xanchor="left", yref="y domain", y=place / height, yanchor="middle",
            borderpad=0, font={"color": theme.ink if name == "ρ(J)" else colour, "size": round(12 * theme.scale)},
        ) for place, (_, name) in zip(places, begin, strict=True)
    ]  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.2f}" if 0.095 < value < 9.995 else f"{value:.2g}"


def _side(factor: float) -> int:
    """-1 below 1, +1 above, 0 where it is as good as 1."""
    return 0 if abs(factor - 1) < ALIKE else int(np.sign(factor - 1))


def _answer(run: Run, s: int, growth: float) -> str:
    """What the eigenvalue rule foretells, what happens, and why they differ where they do."""
    stream, who = run.flow.streams[s], "the gradient" if _untouched(run, s) else "what one loss sends back"
    if np.isnan(growth):
        where = "" if run.flow.overflow_step is None else f" at step {run.flow.overflow_step}"
        return f"Nothing can be measured: the gradient is not a number, because the forward run left float64{where}."
    happens = f"{who} {_fate(growth)}"
    if stream.spectral_radius is None:
        return f"{happens[0].upper()}{happens[1:]}{_gated(run.spectrum, s)}."
    if not stream.weight_hh.any():
        return "The recurrent matrix W_hh is zero, so that nothing passes from one step to the next."
    radius = _short(stream.spectral_radius)
    rule = (f"ρ(W_hh) = {radius} is below 1", "ρ(W_hh) is 1", f"ρ(W_hh) = {radius} is above 1")[
        1 + _side(stream.spectral_radius)
    ]
    alike = growth > 0 and abs(np.log(growth / stream.spectral_radius)) < ALIKE
    if alike or _side(stream.spectral_radius) == _side(growth):
        return f"The eigenvalue rule is right here: {rule}, and {happens}{_certainty(run, s, growth)}."
    return f"The eigenvalue rule is wrong here: {rule}, and yet {happens}, because {_because(run, s, growth)}."


def _fate(growth: float) -> str:
    if growth == 0:
        return "ends in zero"
    if _side(growth) == 0:
        return f"keeps its size, {_short(growth)} of it a step"
    return f"shrinks to {_short(growth)} of itself a step" if growth < 1 else f"grows {_short(growth)}-fold a step"


def _gated(spectrum: JacobianSpectrum, s: int) -> str:
    """What the step Jacobians of a cell with gates are like."""
    radius, largest = spectrum.radius_log10(s), spectrum.quantiles((1.0,), s)[0]
    if not (np.isfinite(radius).any() and np.isfinite(largest).any()):
        return ""
    radius, largest = (float(10.0 ** line[np.isfinite(line)].mean()) for line in (radius, largest))
    return (
        f": a step's Jacobian has the spectral radius {_short(radius)} and stretches no direction more than "
        f"{_short(largest)}-fold, on average over the steps"
    )


def _certainty(run: Run, s: int, growth: float) -> str:
    """Whether the singular values prove what the eigenvalues only suggest, or how far off the rule is."""
    stream = run.flow.streams[s]
    bound = stream.activation.largest_slope * stream.largest_singular_value
    if growth > 1 and growth < 0.9 * stream.spectral_radius:
        return f", though far less than {_short(stream.spectral_radius)}-fold, because {_because(run, s, growth)}"
    if growth > 1 - ALIKE:
        return ""
    if bound < 1:
        return f"; the largest slope times σ_max(W_hh) is {_short(bound)}, and below 1 that is certain"
    return f"; it need not have, for the largest slope times σ_max(W_hh) is {_short(bound)}, not below 1"


def _because(run: Run, s: int, growth: float) -> str:
    stream = run.flow.streams[s]
    name = stream.activation.name.replace("relu", "ReLU")
    if growth > stream.spectral_radius:
        sigma = _short(stream.largest_singular_value)
        return f"W_hh is not normal: a single step can stretch up to σ_max(W_hh) = {sigma} times"
    if growth == 0 and run.flow.saturated[s].any():
        return f"the slope of a saturated {name} is too small for float64"
    if growth == 0 and name == "ReLU":
        return "units that are switched off have the slope 0, and no path is left"
    slope = run.spectrum.mean_slope(s)
    if slope < 1 - ALIKE:
        small = "0 or 1" if name == "ReLU" else "below 1"
        alone = slope * stream.spectral_radius <= 1.05 * growth
        more = "" if alone else ", and W_hh stretches few directions as far as that"
        return f"the slopes of {name} are {small} (root mean square {_short(slope)}){more}"
    few = "1 step is" if run.flow.steps == 1 else f"{run.flow.steps} steps are"
    return f"{few} too few for it to turn to the direction of the largest eigenvalue"


def _notes(run: Run, s: int, lines: np.ndarray) -> tuple[str, ...]:
    notes, stream = [], run.flow.streams[s]
    if not _untouched(run, s):
        notes.append(
            f"{_mixed(run, s)}, so the thick line is not measured at every step: it is e^λ₁, the growth in the long "
            "run of what the step Jacobians alone carry (λ₁ is their largest Lyapunov exponent)."
        )
    if stream.spectral_radius is None:
        article = "a" if stream.cell.label[0] in "GU" else "an"
        memory = " and c passes through f ⊙ c too" if stream.cell.has_cell_state else " and z lets h pass too"
        notes.append(
            f"No mark for W_hh: that of {article} {stream.cell.label} is {len(stream.cell.blocks)} matrices, one a "
            f"gate,{memory}, so that no eigenvalue of W_hh foretells the gradient."
        )
    nothing = int((lines[0] == -np.inf).sum())
    if nothing:
        notes.append(f"At {nothing} {'step' if nothing == 1 else 'steps'} the Jacobian is exactly zero.")
    return tuple(notes)


def _mixed(run: Run, s: int) -> str:
    """What else acts on this stream's gradient."""
    if run.config.signal_clip:
        return "Clipping acts on the signal at every step"
    if run.config.truncated:
        return "Truncation cuts the signal"
    return "Each step's own loss adds gradient" if run.config.loss == "every" else "The layer above adds gradient"
