"""The wall as a map, and on it what gradient descent does at it without and with clipping."""

from typing import Any

import numpy as np

from rnnviz.core.wall import FIRST, wall_bias
from rnnviz.experiments.descent import Wall
from rnnviz.experiments.walks import Walk
from rnnviz.figures.chart import Drawing
from rnnviz.figures.theme import Theme, blank, colour_bar, note
from rnnviz.figures.wall import DASHES, GROUND, HEIGHT, SHADES, WallSubject, badges, colour_of, drawn, thinned
from rnnviz.figures.wall_names import names

LEVELS = {"start": 0.05, "end": 0.45, "size": 0.1}  # of E, for the lines on the map


def wall_map(subject: WallSubject, theme: Theme) -> Drawing:
    """What does clipping change at the wall?

    The network has one unit, x_t = w σ(x_{t−1}) + b, where σ is the logistic function, w its weight and b its bias; it
    starts at x_0 = 0.5, has no input, and after 50 steps its error is E = (σ(x_50) − 0.7)². Every place of the map is
    a pair (w, b). The colour is ‖∇E‖, the length of the gradient (∂E/∂w, ∂E/∂b) there, as a power of ten; the thin
    lines join places of the same E: 0.05, 0.15 and so on to 0.45. The wall is the line where the slope is steepest: E
    jumps across it. It is dotted where it is thinner than the grid, so that the colours miss it. Both paths begin at
    the ring and take steps of the learning rate times the gradient; the solid one as it is, the dashed one after
    clipping. A dot is one update, a square is where a path ends.
    """
    wall, figure = subject.wall, blank(theme, HEIGHT)
    layout, window, walks = figure["layout"], wall.window, wall.walks
    layout["xaxis"].update(title={"text": "weight w"}, range=list(window.w), showgrid=False)
    layout["yaxis"].update(title={"text": "bias b"}, range=list(window.b), showgrid=False)
    lines, ends = [_line(walk, theme) for walk in walks], [_end(walk, theme) for walk in walks]
    figure["data"] = [*_ground(wall, theme), *lines, _ring(wall, theme), *ends]
    layout["annotations"] = [_wall_name(wall, theme), *names(wall, theme)]
    asked = wall.descent
    point = {"x": asked.wall_w, "y": asked.wall_b, "names": ["wall_w", "wall_b"], "label": "Start of both paths"}
    layout["meta"] = {"walk": asked.wall_updates, "point": point}  # for the page's player, and what can be dragged
    return Drawing(figure, wall.answer, wall.notes, badges(wall, theme))


def _ground(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
    """The map itself: slope as colour, error as lines."""
    w, b, slope, error = thinned(wall.surface)
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
            "contours": {"coloring": "none", **LEVELS, "showlabels": False},
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


def _line(walk: Walk, theme: Theme) -> dict[str, Any]:
    w, b = drawn(walk)
    colour = colour_of(walk, theme)
    return {
        "type": "scatter", "name": walk.label, "x": w, "y": b, "mode": "lines+markers", "meta": {"walk": walk.name},
        "opacity": 0.35,  # the page draws over it how far it has been walked
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
    w, b = drawn(walk)
    return {
        "type": "scatter", "name": f"{walk.label}: end", "mode": "markers", "x": w[-1:], "y": b[-1:],
        "hoverinfo": "skip", "meta": {"walk_end": walk.name},
        "marker": {"symbol": "square", "size": 10 * theme.scale, "color": colour_of(walk, theme),
                   "line": {"color": theme.paper, "width": 1.5 * theme.scale}},
    }  # fmt: skip


def _wall_name(wall: Wall, theme: Theme) -> dict[str, Any]:
    """Named in the right half of the picture, below the wall's line."""
    w = wall.window.w[0] + 0.72 * (wall.window.w[1] - wall.window.w[0])
    font = {"color": theme.ink, "size": round(13 * theme.scale)}
    return note(theme, "the wall", x=w, y=wall_bias(w), yanchor="top", yshift=-14, borderpad=2, font=font)
