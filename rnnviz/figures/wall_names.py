"""The names of the paths on the map of the wall, each where there is room for it."""

from typing import Any

import numpy as np

from rnnviz.experiments.descent import Wall
from rnnviz.experiments.walks import Walk, place
from rnnviz.experiments.windows import Window
from rnnviz.figures.theme import Theme, note
from rnnviz.figures.wall import NAMES, colour_of, drawn, lettering


def names(wall: Wall, theme: Theme) -> list[dict[str, Any]]:
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
        theme, f"{said},<br>{where}", x=there[0], y=there[1], font=lettering(walk, theme), align=side, xanchor=side,
        xshift=away, yanchor="top" if up else "bottom", yshift=-4 if up else 4,
    )  # fmt: skip
    return [_arrow(walk, here, there, theme), text] if here != there else [text]


def _arrow(walk: Walk, tail: tuple[float, float], head: tuple[float, float], theme: Theme) -> dict[str, Any]:
    return {
        "text": "", "showarrow": True, "x": head[0], "y": head[1], "ax": tail[0], "ay": tail[1], "axref": "x",
        "ayref": "y", "arrowhead": 2, "arrowsize": 1.2, "arrowwidth": 2.5 * theme.scale,
        "arrowcolor": colour_of(walk, theme),
    }  # fmt: skip


def _pointer(text: str, walk: Walk, wall: Wall, theme: Theme) -> dict[str, Any]:
    """A name away from the end of a path, on the side where the paths have left more room."""
    w, b = float(walk.path.w[-1]), float(walk.path.b[-1])
    right, down = w < np.mean(wall.window.w), _room_below(wall, w, b)
    return note(
        theme, text, x=w, y=b, font=lettering(walk, theme), xanchor="left" if right else "right", showarrow=True,
        arrowhead=0, arrowcolor=colour_of(walk, theme), arrowwidth=1.5 * theme.scale, standoff=7 * theme.scale,
        ax=16 if right else -16, ay=88 if down else -88,
    )  # fmt: skip


def _room_below(wall: Wall, w: float, b: float) -> bool:
    """Whether fewer places of the paths lie close below a place than close above, and the picture goes on there."""
    width, height = np.ptp(wall.window.w), np.ptp(wall.window.b)
    share = (b - wall.window.b[0]) / height
    if not 0.25 < share < 0.75:
        return share > 0.5
    up = np.concatenate([(walk.path.b - b)[abs(walk.path.w - w) < 0.3 * width] for walk in wall.walks]) / height
    return bool(((up > -0.25) & (up < -0.08)).sum() <= ((up > 0.08) & (up < 0.25)).sum())


def _exit(walk: Walk, last: int, window: Window) -> tuple[float, float]:
    """Where the step after the last place inside crosses the picture's edge; that place where it cannot be told."""
    w, b = (values.astype(float) for values in drawn(walk))
    here, step = np.array([w[last], b[last]]), np.array([w[last + 1] - w[last], b[last + 1] - b[last]])
    if not np.isfinite(step).all():
        return float(here[0]), float(here[1])
    edges = np.array([window.w, window.b])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (edges - here[:, None]) / step[:, None]
    share = min((value for value in shares.ravel() if 0 < value <= 1), default=0.0)
    w, b = here + 0.998 * share * step  # what stands a hair outside is not drawn
    return float(w), float(b)
