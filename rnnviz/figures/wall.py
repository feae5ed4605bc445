"""The wall, as a map and as a surface, and what gradient descent does at it without and with clipping."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnviz.core.wall import FIRST, Surface, wall_bias
from rnnviz.experiments.descent import Wall, Window
from rnnviz.experiments.walks import Walk, place, size
from rnnviz.figures.chart import Badge, Drawing
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.theme import Theme, axis, blank, colour_bar, note, threshold_line

HEIGHT, CURVES = 430, (130, 130, 34)  # pixels; two panels and the gap between them
# How many traces at the head of each figure depend on nothing but window and theme: the page keeps them.
STATIC = {"wall_map": 3, "wall_surface": 1, "wall_curves": 0}
SHADES = {"near": (-2.0, 1.0), "wide": (-10.0, 0.0)}  # log10 of the slope at both ends of the colours
# From flat to steep. Quieter than the other maps' colours, so that both paths stand out against the ground.
GROUND = {
    "light": [[0.0, "#F1F3EE"], [0.5, "#C3D5D1"], [0.8, "#4E8583"], [1.0, "#0B3335"]],
    "dark": [[0.0, "#1D2128"], [0.5, "#2A4145"], [0.8, "#5C9C9A"], [1.0, "#E9FFF8"]],
}
LEVELS = {"start": 0.05, "end": 0.45, "size": 0.1}  # of E, for the lines on the map
FAR = 1e6  # a place further out is drawn in its direction at this distance
CAMERA = {"eye": {"x": -0.95, "y": 1.42, "z": 1.1}, "center": {"x": 0.0, "y": 0.0, "z": -0.2}}  # over the valley
FLOOR = -40.0  # log10, how deep the curves' axes follow E and the slope
DASHES = {"off": "solid", "clipped": "dash"}
KINDS = {"home": "steady", "stuck": "vanishing", "lost": "undefined", "to and fro": "exploding", "under way": "steady"}
NAMES = {"off": "without clipping", "clipped": "clipped"}  # where there is little room
SHORT = {"home": "home", "stuck": "stuck", "lost": "out of float64", "to and fro": "to and fro over the wall",
         "under way": "not home yet"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class WallSubject:
    """What the charts of the wall are drawn from."""

    wall: Wall


def wall_map(subject: WallSubject, theme: Theme) -> Drawing:
    """What does clipping change at the wall?

    The network has one unit, x_t = w σ(x_{t−1}) + b, where σ is the logistic function, w its weight and b its bias; it
    starts at x_0 = 0.5, has no input, and after 50 steps its error is E = (σ(x_50) − 0.7)². Every place of the map is
    a pair (w, b). The colour is ‖∇E‖, the length of the gradient (∂E/∂w, ∂E/∂b) there, as a power of ten; the thin
    lines join places of the same E. The wall is the line where the slope is steepest: E jumps across it. It is dotted
    where it is thinner than the grid, so that the colours miss it. Both paths begin at the ring and take steps of the
    learning rate times the gradient; the solid one as it is, the dashed one after clipping. A dot is one update, a
    square is where a path ends.
    """
    wall, figure = subject.wall, blank(theme, HEIGHT)
    layout, window, walks = figure["layout"], wall.window, wall.walks
    layout["xaxis"].update(title={"text": "weight w"}, range=list(window.w), showgrid=False)
    layout["yaxis"].update(title={"text": "bias b"}, range=list(window.b), showgrid=False)
    lines, ends = [_line(walk, theme) for walk in walks], [_end(walk, theme) for walk in walks]
    figure["data"] = [*_ground(wall, theme), *lines, _ring(wall, theme), *ends]
    layout["annotations"] = [_wall_name(wall, theme), *_names(wall, theme)]
    asked = wall.descent
    point = {"x": asked.wall_w, "y": asked.wall_b, "names": ["wall_w", "wall_b"], "label": "Start of both paths"}
    layout["meta"] = {"walk": asked.wall_updates, "point": point}  # for the page's player, and what can be dragged
    return Drawing(figure, wall.answer, wall.notes, _badges(wall, theme))


def wall_surface(subject: WallSubject, theme: Theme) -> Drawing:
    """What does the wall look like?

    The height is the error E = (σ(x_50) − 0.7)² of the network x_t = w σ(x_{t−1}) + b with the weight w and the bias b,
    where σ is the logistic function and x_0 = 0.5; the colour is ‖∇E‖, the length of its gradient (∂E/∂w, ∂E/∂b), as a
    power of ten. On it lie the paths of gradient descent without (solid) and with clipping (dashed), each dot one
    update; what leaves the picture is left out. Turn it with the mouse or a finger.
    """
    wall, figure = subject.wall, blank(theme, HEIGHT)
    figure["data"] = [_relief(wall, theme), *(_climb(walk, wall.window, theme) for walk in wall.walks)]
    layout = figure["layout"]
    for name in ("xaxis", "yaxis"):
        layout.pop(name)
    layout["margin"] = {"l": 0, "r": round(48 * theme.scale), "t": 0, "b": 0}
    layout["scene"] = {
        "xaxis": _side(theme, "w", window=wall.window.w), "yaxis": _side(theme, "b", window=wall.window.b),
        "zaxis": _side(theme, "E", window=(0.0, 0.5)), "bgcolor": theme.paper,
        "aspectmode": "manual", "aspectratio": {"x": 1.2, "y": 1.2, "z": 0.7},
        "camera": CAMERA,
        "uirevision": "keep",
    }  # fmt: skip
    layout["meta"] = {"walk": wall.descent.wall_updates}
    return Drawing(figure, wall.verdict, tuple(wall.thin), _badges(wall, theme))


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
        note(theme, f"threshold {size(wall.descent.wall_threshold)}", xref="x2 domain", x=0.995, xanchor="right", yref="y2",
             y=threshold, yanchor="bottom", borderpad=0, font={"size": round(12 * theme.scale)}),
        *_curve_names(wall, theme),
    ]  # fmt: skip
    return Drawing(figure, wall.verdict, _zeros(wall), _badges(wall, theme))


def _ground(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """The map itself: slope as colour, error as lines."""
    w, b, slope, error = _thinned(wall.surface)
    beside = abs(b[:, None] - wall_bias(w)) > 2 * (b[1] - b[0])
    error = np.where(beside | (w <= wall.surface.thin_beyond), error, np.float32(np.nan))  # all lines would meet there
    low, high = SHADES[wall.descent.wall_window]
    bar = colour_bar(theme, "‖∇E‖", tickprefix="10<sup>", ticksuffix="</sup>", nticks=5)
    return [
        {
            "type": "heatmap", "name": "slope", "x": w, "y": b, "z": slope, "zmin": low, "zmax": high,
            "colorscale": GROUND[theme.name], "colorbar": bar,
            "hovertemplate": "w %{x:.3f}, b %{y:.3f}: ‖∇E‖ = 10<sup>%{z:.2f}</sup><extra></extra>",
        },
        {
            "type": "contour", "name": "error", "x": w, "y": b, "z": error, "showscale": False, "hoverinfo": "skip",
            "contours": {"coloring": "none", **LEVELS, "showlabels": True,
                         "labelfont": {"size": round(11 * theme.scale), "color": theme.ink}},
            "line": {"color": theme.faint, "width": 0.75 * theme.scale, "smoothing": 0},
        },
        _thin_wall(wall, theme),
    ]  # fmt: skip


def _thin_wall(wall: Wall, theme: Theme) -> dict[str, Any]:
    """The wall's own line, from where the grid cannot show it."""
    ends = np.array([max(wall.surface.thin_beyond, FIRST, wall.window.w[0]), wall.window.w[1]])
    return {
        "type": "scatter", "name": "wall", "x": ends.astype(np.float32), "y": wall_bias(ends).astype(np.float32),
        "mode": "lines", "hoverinfo": "skip", "line": {"color": theme.ink, "width": 2 * theme.scale, "dash": "dot"},
    }  # fmt: skip


def _thinned(surface: Surface) -> tuple[np.ndarray, ...]:
    """Every second w and b, the slope and the error there, in single precision, to send a quarter of the grid.

    Of each 2 × 2 block the steepest slope is kept and not the first: the wall is a cell wide, and would have gaps.
    """
    padded = np.pad(surface.log10_slope, ((0, len(surface.b) % 2), (0, len(surface.w) % 2)), mode="edge")
    steepest = padded.reshape(len(padded) // 2, 2, -1, 2).max(axis=(1, 3))
    slope = np.where(np.isfinite(steepest), steepest, np.nan)
    parts = surface.w[::2], surface.b[::2], slope, surface.error[::2, ::2]
    return tuple(part.astype(np.float32) for part in parts)


def _relief(wall: Wall, theme: Theme) -> dict[str, Any]:
    w, b, slope, error = _thinned(wall.surface)
    low, high = SHADES[wall.descent.wall_window]
    bar = colour_bar(theme, "‖∇E‖", tickprefix="10<sup>", ticksuffix="</sup>", nticks=5, len=0.7)
    return {
        "type": "surface", "name": "error", "x": w, "y": b, "z": error, "surfacecolor": slope, "cmin": low,
        "cmax": high, "colorscale": GROUND[theme.name], "colorbar": bar,
        "lighting": {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05, "roughness": 0.9},
        "hovertemplate": "w %{x:.3f}, b %{y:.3f}: E = %{z:.3f}<extra></extra>",
    }  # fmt: skip


def _colour(walk: Walk, theme: Theme) -> str:
    return theme.exploding if walk.name == "off" else theme.accent


def _drawn(walk: Walk) -> tuple[np.ndarray, np.ndarray]:
    """(U+1,) w and b, brought back to where single precision and the browser can draw them; NaN where lost."""
    w, b = walk.path.w, walk.path.b
    with np.errstate(all="ignore"):
        factor = np.minimum(1.0, FAR / np.maximum(np.maximum(abs(w), abs(b)), 1.0))
        known = np.isfinite(w) & np.isfinite(b)
        return tuple(np.where(known, value * factor, np.nan).astype(np.float32) for value in (w, b))


def _line(walk: Walk, theme: Theme) -> dict[str, Any]:
    w, b = _drawn(walk)
    colour = _colour(walk, theme)
    return {
        "type": "scatter", "name": walk.label, "x": w, "y": b, "mode": "lines+markers", "meta": {"walk": walk.name},
        "line": {"color": colour, "width": 2.5 * theme.scale, "dash": DASHES[walk.name]},
        "marker": {"color": colour, "size": 5 * theme.scale, "line": {"color": theme.paper, "width": 0.75}},
        "hovertemplate": f"{walk.label}: w %{{x:.4g}}, b %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def _ring(wall: Wall, theme: Theme) -> dict[str, Any]:
    """The start."""
    return {
        "type": "scatter", "name": "start", "mode": "markers", "hoverinfo": "skip",
        "x": np.array([wall.descent.wall_w], np.float32), "y": np.array([wall.descent.wall_b], np.float32),
        "marker": {"symbol": "circle-open", "size": 14 * theme.scale, "color": theme.ink,
                   "line": {"width": 2.5 * theme.scale}},
    }  # fmt: skip


def _end(walk: Walk, theme: Theme) -> dict[str, Any]:
    w, b = _drawn(walk)
    return {
        "type": "scatter", "name": f"{walk.label}: end", "mode": "markers", "x": w[-1:], "y": b[-1:],
        "hoverinfo": "skip", "meta": {"walk_end": walk.name},
        "marker": {"symbol": "square", "size": 10 * theme.scale, "color": _colour(walk, theme),
                   "line": {"color": theme.paper, "width": 1.5 * theme.scale}},
    }  # fmt: skip


def _wall_name(wall: Wall, theme: Theme) -> dict[str, Any]:
    """Named in the right half of the picture, below the wall's line."""
    w = wall.window.w[0] + 0.72 * (wall.window.w[1] - wall.window.w[0])
    font = {"color": theme.ink, "size": round(13 * theme.scale)}
    return note(theme, "the wall", x=w, y=wall_bias(w), yanchor="top", yshift=-14, borderpad=2, font=font)


def _names(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """Each path's name, at its end or where it leaves the picture for good."""
    walks = wall.walks[: 1 if wall.same else 2]
    walks = [walk for walk in walks if wall.window.holds(*_start(walk))]
    return [part for walk in walks for part in _name(walk, wall, theme)]


def _start(walk: Walk) -> tuple[float, float]:
    return float(walk.path.w[0]), float(walk.path.b[0])


def _name(walk: Walk, wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """At the end with a pointer; or at the edge with an arrow along the step that leaves the picture."""
    path, window = walk.path, wall.window
    inside = window.holds(path.w, path.b)
    said = "both paths" if wall.same else NAMES[walk.name]
    if inside[-1]:
        return [_pointer(said, walk, wall, theme)]
    last = int(np.flatnonzero(inside)[-1])
    here, there = (float(path.w[last]), float(path.b[last])), _exit(walk, last, window)
    where = f"to {place(path.w[-1], path.b[-1])}" if walk.path.lost is None else "out of float64"
    right, up = there[0] < window.w[0] + 0.6 * np.ptp(window.w), there[1] > np.mean(window.b)
    side, away = ("left", 14) if right else ("right", -14)
    text = note(
        theme, f"{said},<br>{where}", x=there[0], y=there[1], font=_type(walk, theme), align=side, xanchor=side,
        xshift=away, yanchor="top" if up else "bottom", yshift=-4 if up else 4,
    )  # fmt: skip
    return [_arrow(walk, here, there, theme), text] if here != there else [text]


def _arrow(walk: Walk, tail: tuple[float, float], head: tuple[float, float], theme: Theme) -> dict[str, Any]:
    return {
        "text": "", "showarrow": True, "x": head[0], "y": head[1], "ax": tail[0], "ay": tail[1], "axref": "x",
        "ayref": "y", "arrowhead": 2, "arrowsize": 1.2, "arrowwidth": 2.5 * theme.scale,
        "arrowcolor": _colour(walk, theme),
    }  # fmt: skip


def _pointer(text: str, walk: Walk, wall: Wall, theme: Theme) -> dict[str, Any]:
    """A name away from the end of a path, on the side where the paths have left more room."""
    w, b = float(walk.path.w[-1]), float(walk.path.b[-1])
    right, down = w < np.mean(wall.window.w), _room_below(wall, w, b)
    return note(
        theme, text, x=w, y=b, font=_type(walk, theme), showarrow=True, arrowhead=0, arrowcolor=_colour(walk, theme),
        arrowwidth=1.5 * theme.scale, standoff=7 * theme.scale, ax=16 if right else -16, ay=88 if down else -88,
        xanchor="left" if right else "right",
    )  # fmt: skip


def _room_below(wall: Wall, w: float, b: float) -> bool:
    """Whether fewer places of the paths lie close below a place than close above, and the picture goes on there."""
    width, height = np.ptp(wall.window.w), np.ptp(wall.window.b)
    share = (b - wall.window.b[0]) / height
    if not 0.25 < share < 0.75:
        return share > 0.5
    up = np.concatenate([(walk.path.b - b)[abs(walk.path.w - w) < 0.3 * width] for walk in wall.walks]) / height
    return bool(((up > -0.25) & (up < -0.08)).sum() <= ((up > 0.08) & (up < 0.25)).sum())


def _type(walk: Walk, theme: Theme) -> dict[str, Any]:
    return {"color": _colour(walk, theme), "size": round(13 * theme.scale)}


def _exit(walk: Walk, last: int, window: Window) -> tuple[float, float]:
    """Where the step after the last place inside crosses the picture's edge; that place where it cannot be told."""
    w, b = (values.astype(float) for values in _drawn(walk))
    here, step = np.array([w[last], b[last]]), np.array([w[last + 1] - w[last], b[last + 1] - b[last]])
    if not np.isfinite(step).all():
        return float(here[0]), float(here[1])
    edges = np.array([window.w, window.b])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (edges - here[:, None]) / step[:, None]
    share = min((value for value in shares.ravel() if 0 < value <= 1), default=0.0)
    w, b = here + 0.998 * share * step  # what stands a hair outside is not drawn
    return float(w), float(b)


def _climb(walk: Walk, window: Window, theme: Theme) -> dict[str, Any]:
    """The path on the surface; NaN outside of the window."""
    w, b = _drawn(walk)
    inside = window.holds(walk.path.w, walk.path.b)
    lift = 0.006  # so that the surface does not hide half of the line
    x, y, z = (np.where(inside, part, np.nan).astype(np.float32) for part in (w, b, walk.path.error + lift))
    colour = _colour(walk, theme)
    return {
        "type": "scatter3d", "name": walk.label, "x": x, "y": y, "z": z, "mode": "lines+markers",
        "meta": {"walk": walk.name}, "line": {"color": colour, "width": 5 * theme.scale, "dash": DASHES[walk.name]},
        "marker": {"color": colour, "size": 3 * theme.scale},
        "hovertemplate": f"{walk.label}: w %{{x:.4g}}, b %{{y:.4g}}, E %{{z:.3f}}<extra></extra>",
    }  # fmt: skip


def _side(theme: Theme, title: str, window: tuple[float, float]) -> dict[str, Any]:
    """An axis of the scene."""
    return {"title": {"text": title, "font": {"color": theme.ink, "size": round(15 * theme.scale)}},
            "range": list(window), "gridcolor": theme.grid, "linecolor": theme.faint, "zeroline": False,
            "showbackground": False, "nticks": 5, "showspikes": False,
            "tickfont": {"color": theme.faint, "size": round(11 * theme.scale)}}  # fmt: skip


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
        "line": {"color": _colour(walk, theme), "width": 2.2 * theme.scale, "dash": DASHES[walk.name]},
        "hovertemplate": f"{walk.label}, update %{{x}}: {what} 10<sup>%{{y:.2f}}</sup><extra></extra>",
    }  # fmt: skip


def _curve_names(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """Which line is which, above the upper panel."""
    named = zip(wall.walks[: 1 if wall.same else 2], (0.0, 1.0), ("left", "right"), strict=False)
    return [
        note(theme, "both paths" if wall.same else NAMES[walk.name], xref="x domain", x=x, xanchor=side, yref="paper",
             y=1.0, yanchor="bottom", borderpad=1, font=_type(walk, theme))
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


def _badges(wall: Wall, theme: Theme) -> tuple[Badge, ...]:
    return tuple(
        Badge(walk.label.capitalize(), SHORT[walk.fate], KINDS[walk.fate], _colour(walk, theme))
        for walk in wall.walks[: 1 if wall.same else 2]
    )
