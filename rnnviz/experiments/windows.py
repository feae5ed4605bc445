"""The parts of the plane of w and b that are shown, and the surface over each."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rnnviz.core.wall import Surface, surface

GRID = 401


@dataclass(frozen=True)
class Window:
    """A part of the plane: its label, and the ends of w and b."""

    label: str
    w: tuple[float, float]
    b: tuple[float, float]

    def holds(self, w: float | np.ndarray, b: float | np.ndarray) -> bool | np.ndarray:
        """Whether places lie in it."""
        with np.errstate(invalid="ignore"):
            return (self.w[0] <= w) & (w <= self.w[1]) & (self.b[0] <= b) & (b <= self.b[1])


WINDOWS = {  # from the smallest to the largest
    "close": Window("Close up", (3.9, 5.2), (-2.8, -1.7)),
    "near": Window("At the wall", (4.0, 6.5), (-3.6, -1.6)),
    "wide": Window("From afar", (0.0, 14.0), (-8.0, 12.0)),
}


@lru_cache(maxsize=8)
def surface_of(window: str, grid: int = GRID) -> Surface:
    """The surface over a window, a grid × grid of places; found once."""
    shown = WINDOWS[window]
    return surface(np.linspace(*shown.w, grid), np.linspace(*shown.b, grid))
