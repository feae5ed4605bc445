"""What the Clipping page shows: one backward pass before and after, and the wall."""

from collections.abc import Mapping
from typing import Any

from rnnviz import Config
from rnnviz.experiments.clippings import Clippings, SignalChoice
from rnnviz.experiments.comparison import Comparison
from rnnviz.experiments.descent import Descent, Wall
from rnnviz.figures.chart import Chart, Subject, View
from rnnviz.figures.clipped_curves import curves_before_after
from rnnviz.figures.clipped_directions import directions
from rnnviz.figures.clipped_gradient import gradient_before_after
from rnnviz.figures.clipping import ClippingSubject
from rnnviz.figures.wall import WallSubject
from rnnviz.figures.wall_curves import wall_curves
from rnnviz.figures.wall_map import wall_map
from rnnviz.figures.wall_surface import wall_surface
from rnnviz.ui.exploring import SCALE, THRESHOLD
from rnnviz.ui.scene import Scene, Track
from rnnviz.ui.settings import NEEDS, Sheet, question

CLIPPING = Sheet(
    "clipping",
    (Comparison, Config, View, SignalChoice, Descent),
    {"cells": ("linear", "rnn", "lstm_3"), "weight_scale": 1.1},
    hideable=("more", "share", "reset", "dice"),
    needs=NEEDS,
)


def ways_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> ClippingSubject:
    """The ways of clipping the network that is shown in detail.

    Raises:
        RnnvizError: for settings that do not go together, or over the budget.
    """
    asked = question(values)
    shown = Subject(asked.runs(), asked.view)
    return ClippingSubject(Clippings(shown.focus, values["clip_signal"]), asked.view, shown.runs)


def wall_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> WallSubject:
    """Both paths at the wall."""
    return WallSubject(Wall(CLIPPING.part(Descent, values)))


WAYS = Scene(
    "ways",
    CLIPPING,
    {
        chart.name: chart
        for chart in (
            Chart("curves", curves_before_after),
            Chart("gradient", gradient_before_after, steps=""),
            Chart("directions", directions, steps=""),
        )
    },
    ways_of,
    {"weight_scale": SCALE, "clip_threshold": Track(THRESHOLD.low, THRESHOLD.high, THRESHOLD.ticks)},
    detail=("focus", "stream"),
    own=0,
    live=frozenset({"curves", "gradient", "directions"}),
    first_seen=frozenset({"curves"}),
)


def _ticks(*places: float) -> tuple[tuple[float, str], ...]:
    return tuple((place, f"{place:g}".replace("-", "−")) for place in places)


WALL = Scene(
    "wall",
    CLIPPING,
    {
        chart.name: chart
        for chart in (
            Chart("map", wall_map, steps="walk", still=3),
            Chart("surface", wall_surface, steps="walk", still=1),
            Chart("descent", wall_curves),
        )
    },
    wall_of,
    {
        "wall_w": Track(4.0, 6.5, _ticks(4, 4.5, 5, 5.5, 6, 6.5), linear=True),
        "wall_b": Track(-3.6, -1.6, _ticks(-3.5, -3, -2.5, -2), linear=True),
        "wall_rate": Track(0.001, 10.0, _ticks(0.001, 0.01, 0.1, 1, 10)),
        "wall_threshold": Track(0.001, 1000.0, _ticks(0.001, 0.01, 0.1, 1, 10, 100, 1000)),
    },
    live=frozenset({"map", "descent"}),
)
