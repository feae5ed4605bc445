"""Gradient descent at the wall: what may be asked, both paths, and whether clipping helps."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from rnnviz.core.descent import Path, descend
from rnnviz.core.readings import RAISED
from rnnviz.core.wall import FIRST, STEPS, TARGET, VALUE, X_0, Surface, thinner_than, wall_slope, wall_width
from rnnviz.experiments.knobs import Checked, knob
from rnnviz.experiments.walks import HOME, Walk, place, size
from rnnviz.experiments.windows import GRID, WINDOWS, Window, surface_of

SELDOM = 0.1  # clipping that acts at a smaller share of the updates does so only now and then
CLIPS = {"norm": "By norm", "value": "By value"}


@dataclass(frozen=True)
class Descent(Checked):
    """One experiment at the wall. The names share an address with those of `Config`.

    Raises:
        ConfigError: for a value that is not allowed; the sentence names the field, what is allowed and what came.

    >>> Descent(wall_w=5.5).wall_rate
    0.3
    """

    wall_w: float = knob(
        4.8,
        "Start w",
        "The weight at which both paths begin. Above 4.26 there is a wall, and the larger w, the steeper it is.",
        low=-20.0,
        high=20.0,
        ladder=(4.0, 4.2, 4.5, 4.8, 5.0, 5.5, 6.0),
    )
    wall_b: float = knob(
        -2.2,
        "Start b",
        "The bias at which both paths begin. The wall stands at b = 0.5 − 0.622 w.",
        low=-20.0,
        high=20.0,
        ladder=(-3.4, -3.0, -2.8, -2.6, -2.5, -2.2, -2.0, -1.8),
    )
    wall_rate: float = knob(
        0.3,
        "Learning rate",
        "A step is this times the gradient, so that a steep place makes a long step.",
        low=1e-6,
        high=100.0,
        ladder=(0.01, 0.03, 0.05, 0.1, 0.3, 1.0),
    )
    wall_clip: str = knob(
        "norm",
        "Clipping",
        "By norm keeps the gradient's direction and makes it shorter; by value cuts each of its two entries.",
        choices=CLIPS,
    )
    wall_threshold: float = knob(
        1.0,
        "Clipping threshold",
        "The largest norm, or the largest entry, that clipping lets through.",
        low=1e-6,
        high=1e6,
        ladder=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    )
    wall_updates: int = knob(
        300,
        "Updates",
        "How many steps each path takes.",
        low=1,
        high=2000,
        ladder=(30, 100, 300, 1000, 2000),
    )
    wall_window: str = knob(
        "close",
        "Window",
        "Close up one sees the paths; at the wall, how far it goes on; from afar, where a path is thrown.",
        choices={name: window.label for name, window in WINDOWS.items()},
    )


@dataclass(frozen=True, eq=False)
class Wall:
    """What is found at the wall.

    Attributes:
        descent: what was asked.
    """

    descent: Descent

    @property
    def window(self) -> Window:
        """What part of the plane is shown."""
        return WINDOWS[self.descent.wall_window]

    @property
    def surface(self) -> Surface:
        """Error and slope over the window, found once."""
        return surface_of(self.descent.wall_window)

    @cached_property
    def unclipped(self) -> Walk:
        """The path without clipping."""
        return Walk("off", "without clipping", self._path("off", 1.0), self.descent.wall_rate)

    @cached_property
    def clipped(self) -> Walk:
        """The path with clipping."""
        asked = self.descent
        label = f"clipped by {asked.wall_clip} at {size(asked.wall_threshold)}"
        return Walk("clipped", label, self._path(asked.wall_clip, asked.wall_threshold), asked.wall_rate)

    def _path(self, clip: str, threshold: float) -> Path:
        asked = self.descent
        return path_of(asked.wall_w, asked.wall_b, asked.wall_rate, clip, threshold, asked.wall_updates)

    @property
    def walks(self) -> tuple[Walk, Walk]:
        """Without and with clipping."""
        return self.unclipped, self.clipped

    @property
    def touched(self) -> int:
        """How many updates of the clipped path clipping made shorter."""
        path = self.clipped.path
        with np.errstate(invalid="ignore"):
            return int((path.norm_after < path.norm_before).sum())

    @property
    def same(self) -> bool:
        """Both paths are one."""
        plain, held = self.unclipped.path, self.clipped.path
        return np.array_equal(plain.w, held.w, equal_nan=True) and np.array_equal(plain.b, held.b, equal_nan=True)

    @property
    def answer(self) -> str:
        """What clipping does here, in one sentence."""
        if not self.same:
            return _sentence(f"{self.unclipped.clause}; {self.clipped.clause}")
        what = "a norm" if self.descent.wall_clip == "norm" else "an entry"
        limit = size(self.descent.wall_threshold)
        changed = f"no gradient on the way has {what} above {limit}" if self.touched == 0 else "both paths are the same"
        return _sentence(f"clipping changes nothing here, for {changed}: {self.unclipped.course}")

    @property
    def verdict(self) -> str:
        """Whether clipping helps, said honestly."""
        before, after = (walk.fate == "home" for walk in self.walks)
        count = f"{self.touched} of {self.descent.wall_updates} updates"
        if self.same:
            return f"Both paths are the same, and {'get' if before else 'do not get'} home."
        if after and not before:
            only = " only" if self.touched < SELDOM * self.descent.wall_updates else ""
            return f"Clipping brings the path home, and it acts at {count}{only}."
        if before and after:
            return f"Both paths get home; clipping acts at {count}."
        if before:
            return f"Clipping does harm: without it the path gets home; with it, acting at {count}, it does not."
        if self.unclipped.thrown and not self.clipped.thrown:
            return f"Clipping, at {count}, keeps the path from being thrown away, but does not bring it home."
        return f"Clipping does not help here: neither path gets home. It acts at {count}."

    @property
    def notes(self) -> tuple[str, ...]:
        """The verdict, what home means, and where the picture cannot be trusted."""
        home = (
            f"Home means E ≤ {HOME:g} at the last ten updates: the output after {STEPS} steps is within 0.1 of its "
            f"target {TARGET:g}."
        )
        return (self.verdict, home, *self._outside(), *self.thin)

    def _outside(self) -> list[str]:
        """Which starts and ends the window does not show."""
        told, start = [], (self.descent.wall_w, self.descent.wall_b)
        if not self.window.holds(*start):
            told.append(f"The start {place(*start)} lies outside of this picture.")
        for walk in self.walks[: 1 if self.same else 2]:
            end = walk.path.w[-1], walk.path.b[-1]
            if np.isfinite(end).all() and not self.window.holds(*end):
                shows = next((window.label for window in WINDOWS.values() if window.holds(*end)), None)
                hint = f"; the window “{shows}” shows it" if shows else ""
                told.append(f"{walk.label.capitalize()}, the end {place(*end)} lies outside of this picture{hint}.")
        return told

    @property
    def thin(self) -> list[str]:
        """Where the wall stands, and where it is thinner than the grid, and than float64."""
        found, last = self.surface, self.window.w[1]
        steepest = 10 ** float(found.log10_slope[:, -1].max())
        told = [
            f"The wall stands at b = {X_0:g} − {VALUE:.4f} w, for w above {FIRST:.2f}; its slope grows like "
            f"(w σ′(0.5)){str(STEPS).translate(RAISED)}, and its width shrinks like the inverse.",
            f"Beyond w = {found.thin_beyond:.2f} the wall is thinner than the spacing of the grid of {GRID} × {GRID}, "
            f"so that what is drawn of it there is chance: at w = {last:g} the slope on it is {size(wall_slope(last))} "
            f"over a width of {size(wall_width(last))}, and the grid meets no slope above {size(steepest)}.",
        ]
        float64 = thinner_than(float(np.spacing(4.0)))
        if last > float64:
            told.append(
                f"Beyond w = {float64:.1f} the wall is thinner than the gap between two neighbouring float64 b."
            )
        return told


@lru_cache(maxsize=64)
def path_of(w: float, b: float, rate: float, clip: str, threshold: float, updates: int) -> Path:
    """A path; the one without clipping stays while the threshold is dragged."""
    return descend((w, b), rate, clip, threshold, updates)


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
