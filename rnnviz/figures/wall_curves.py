"""Error and gradient at the wall, update by update, without and with clipping."""

from typing import Any

import numpy as np

from rnnviz.experiments.descent import Wall
from rnnviz.experiments.walks import Walk, size
from rnnviz.figures.chart import Drawing
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.theme import Theme, axis, blank, note, threshold_line
from rnnviz.figures.wall import DASHES, NAMES, WallSubject, badges, colour_of, lettering

CURVES = (130, 130, 34)  # pixels; two panels and the gap between them
FLOOR = -40.0  # log10, how deep the curves' axes follow E and the slope


def wall_curves(subject: WallSubject, theme: Theme) -> Drawing:
    """What happens update by update?

    Above, the error E = (σ(x_50) − 0.7)² after each update, as a power of ten. Below, what clipping looks at: the
    length ‖∇E‖ of the gradient before clipping or, with clipping by value, the larger of its two entries |∂E/∂w| and
    |∂E/∂b|.
    Solid is without, dashed is with clipping; the dashed line across is the threshold. A line that breaks off has
    reached exactly zero, or has left what float64 can hold.
    """
    wall, figure = subject.wall, blank(theme, sum(CURVES) + 60)
    layout, (_, lower, gap) = figure["layout"], CURVES
    layout["margin"]["t"] = round(28 * theme.scale)  # for the names
    cut = lower / sum(CURVES), (lower + gap) / sum(CURVES)
    by_norm = wall.descent.wall_clip == "norm"
    threshold = float(np.log10(wall.descent.wall_threshold))
    errors = [_log10(walk.path.error) for walk in wall.walks]
    sizes = [_log10(walk.path.norm if by_norm else walk.path.largest) for walk in wall.walks]
    ends = [0.0, float(max(wall.descent.wall_updates, 1))]
    layout["xaxis"] = axis(theme, range=ends, anchor="y", showticklabels=False, matches="x2")
    layout["xaxis2"] = axis(theme, range=ends, anchor="y2", title={"text": "update"})
    layout["yaxis"] = power_axis(theme, "error E", _ends(errors, []), domain=[cut[1], 1.0])
    what = "gradient norm" if by_norm else "largest entry"
    layout["yaxis2"] = power_axis(theme, what, _ends(sizes, [threshold]), domain=[0.0, cut[0]], anchor="x2")
    line = threshold_line("y", threshold, theme) | {"name": "wall_threshold", "xref": "x2 domain", "yref": "y2"}
    layout["shapes"] = [line]
    figure["data"] = [
        _curve(walk, values, place, theme)
        for place, panel in (("", errors), ("2", sizes))
        for walk, values in zip(wall.walks, panel, strict=True)
    ]
    layout["annotations"] = [
        note(theme, f"threshold {size(wall.descent.wall_threshold)}", xref="x2 domain", x=0.995, xanchor="right",
             yref="y2", y=threshold, yanchor="bottom", borderpad=0, font={"size": round(12 * theme.scale)}),
        *_curve_names(wall, theme),
    ]  # fmt: skip
    return Drawing(figure, wall.verdict, _zeros(wall), badges(wall, theme))


def _log10(values: np.ndarray) -> np.ndarray:
    """NaN for zero and for what is not finite."""
    with np.errstate(all="ignore"):
        powers = np.log10(values)
    return np.where(np.isfinite(powers), powers, np.nan)


def _ends(panel: list[np.ndarray], also: list[float]) -> list[float]:
    values = np.concatenate([*panel, also])
    values = values[np.isfinite(values)]
    return span(max(float(values.min(initial=0.0)), FLOOR), float(values.max(initial=FLOOR)) + 0.1, 2.5)


def _curve(walk: Walk, values: np.ndarray, panel: str, theme: Theme) -> dict[str, Any]:
    what = "size" if panel else "E"
    return {
        "type": "scatter", "name": walk.label, "x": np.arange(len(values), dtype=np.float32),
        "y": values.astype(np.float32), "mode": "lines", "xaxis": f"x{panel}", "yaxis": f"y{panel}",
        "meta": {"walk": walk.name},
        "line": {"color": colour_of(walk, theme), "width": 2.2 * theme.scale, "dash": DASHES[walk.name]},
        "hovertemplate": f"{walk.label}, update %{{x}}: {what} 10<sup>%{{y:.2f}}</sup><extra></extra>",
    }  # fmt: skip


def _curve_names(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """Which line is which, above the upper panel."""
    named = zip(wall.walks[: 1 if wall.same else 2], (0.0, 1.0), ("left", "right"), strict=False)
    return [
        note(theme, "both paths" if wall.same else NAMES[walk.name], xref="x domain", x=x, xanchor=side, yref="paper",
             y=1.0, yanchor="bottom", borderpad=1, font=lettering(walk, theme))
        for walk, x, side in named
    ]  # fmt: skip


def _zeros(wall: Wall) -> tuple[str, ...]:
    """Where a curve breaks off."""
    told = []
    for walk in wall.walks[: 1 if wall.same else 2]:
        zero = np.flatnonzero(walk.path.norm == 0)
        if len(zero):
            told.append(f"{walk.label.capitalize()}, the gradient is exactly 0 in float64 from update {zero[0]} on.")
        if walk.path.lost is not None:
            told.append(f"{walk.label.capitalize()}, the parameters leave float64 at update {walk.path.lost}.")
    return tuple(told)
