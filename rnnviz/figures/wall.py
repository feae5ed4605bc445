"""What the charts of the wall share: what they are drawn from, how its ground is coloured, how a path looks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnviz.core.wall import Surface
from rnnviz.experiments.descent import Wall
from rnnviz.experiments.walks import Walk
from rnnviz.figures.chart import Badge
from rnnviz.figures.theme import Theme

HEIGHT = 430  # pixels, of the map and of the surface
# log10 of the slope at both ends of the colours; no end is a tick, which would crowd the colour bar's title.
SHADES = {"close": (-2.3, 0.7), "near": (-2.3, 0.7), "wide": (-10.5, 1.5)}
# From flat to steep. Quieter than the other maps' colours, so that both paths stand out against the ground.
GROUND = {
    "light": [[0.0, "#F1F3EE"], [0.5, "#C3D5D1"], [0.8, "#4E8583"], [1.0, "#0B3335"]],
    "dark": [[0.0, "#1D2128"], [0.5, "#2A4145"], [0.8, "#5C9C9A"], [1.0, "#E9FFF8"]],
}
FAR = 1e6  # a place further out is drawn in its direction at this distance
DASHES = {"off": "solid", "clipped": "dash"}
KINDS = {"home": "solved", "stuck": "diverged", "lost": "diverged", "to and fro": "diverged", "under way": "steady"}
NAMES = {"off": "without clipping", "clipped": "clipped"}  # where there is little room
SHORT = {"home": "home", "stuck": "stuck", "lost": "out of float64", "to and fro": "to and fro over the wall",
         "under way": "not home yet"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class WallSubject:
    """What the charts of the wall are drawn from."""

    wall: Wall


def thinned(surface: Surface) -> tuple[np.ndarray, ...]:
    """Every second w and b, the slope and the error there, in single precision, to send a quarter of the grid.

    Of each 2 × 2 block the steepest slope is kept and not the first: the wall is a cell wide, and would have gaps.
    """
    padded = np.pad(surface.log10_slope, ((0, len(surface.b) % 2), (0, len(surface.w) % 2)), mode="edge")
    steepest = padded.reshape(len(padded) // 2, 2, -1, 2).max(axis=(1, 3))
    slope = np.where(np.isfinite(steepest), steepest, np.nan)
    parts = surface.w[::2], surface.b[::2], slope, surface.error[::2, ::2]
    return tuple(part.astype(np.float32) for part in parts)


def colour_of(walk: Walk, theme: Theme) -> str:
    """Of all that belongs to a path."""
    return theme.exploding if walk.name == "off" else theme.accent


def drawn(walk: Walk) -> tuple[np.ndarray, np.ndarray]:
    """(U+1,) w and b, brought back to where single precision and the browser can draw them; NaN where lost."""
    w, b = walk.path.w, walk.path.b
    with np.errstate(all="ignore"):
        factor = np.minimum(1.0, FAR / np.maximum(np.maximum(abs(w), abs(b)), 1.0))
        known = np.isfinite(w) & np.isfinite(b)
        return tuple(np.where(known, value * factor, np.nan).astype(np.float32) for value in (w, b))


def lettering(walk: Walk, theme: Theme) -> dict[str, Any]:
    """The font of a path's name."""
    return {"color": colour_of(walk, theme), "size": round(13 * theme.scale)}


def badges(wall: Wall, theme: Theme) -> tuple[Badge, ...]:
    """How each path ends; one badge where both are one."""
    return tuple(
        Badge(walk.label.capitalize(), SHORT[walk.fate], KINDS[walk.fate], colour_of(walk, theme))
        for walk in wall.walks[: 1 if wall.same else 2]
    )
