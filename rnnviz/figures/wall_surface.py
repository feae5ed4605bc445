"""The wall as a surface, to be turned, with both paths on it."""

from typing import Any

import numpy as np

from rnnviz.experiments.descent import Wall
from rnnviz.experiments.walks import Walk
from rnnviz.experiments.windows import Window
from rnnviz.figures.chart import Drawing
from rnnviz.figures.theme import Theme, blank, colour_bar
from rnnviz.figures.wall import DASHES, GROUND, HEIGHT, SHADES, WallSubject, badges, colour_of, drawn, thinned

CAMERA = {"eye": {"x": -0.95, "y": 1.42, "z": 1.1}, "center": {"x": 0.0, "y": 0.0, "z": -0.2}}  # over the valley


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
    return Drawing(figure, _height(wall), badges=badges(wall, theme))


def _height(wall: Wall) -> str:
    """How high it is, between two neighbouring places of the grid."""
    found = wall.surface
    jump, gap = np.abs(np.diff(found.error, axis=0)).max(), found.b[1] - found.b[0]
    return f"Where it is steepest, E jumps by {jump:.2f} while b changes by {gap:.2g}, one step of the grid."


def _relief(wall: Wall, theme: Theme) -> dict[str, Any]:
    w, b, slope, error = thinned(wall.surface)
    low, high = SHADES[wall.descent.wall_window]
    bar = colour_bar(theme, "‖∇E‖", tickprefix="10<sup>", ticksuffix="</sup>", nticks=5, len=0.7)
    return {
        "type": "surface", "name": "error", "x": w, "y": b, "z": error, "surfacecolor": slope, "cmin": low,
        "cmax": high, "colorscale": GROUND[theme.name], "colorbar": bar,
        "lighting": {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05, "roughness": 0.9},
        "hovertemplate": "w %{x:.3f}, b %{y:.3f}: E = %{z:.3f}<extra></extra>",
    }  # fmt: skip


def _climb(walk: Walk, window: Window, theme: Theme) -> dict[str, Any]:
    """The path on the surface; NaN outside of the window."""
    w, b = drawn(walk)
    inside = window.holds(walk.path.w, walk.path.b)
    lift = 0.006  # so that the surface does not hide half of the line
    x, y, z = (np.where(inside, part, np.nan).astype(np.float32) for part in (w, b, walk.path.error + lift))
    colour = colour_of(walk, theme)
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
