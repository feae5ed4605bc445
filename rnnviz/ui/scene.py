"""A scene: what a stage shows of a page's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnviz.figures.chart import Chart
from rnnviz.ui.settings import Sheet


@dataclass(frozen=True)
class Track:
    """A slider on a stage.

    Attributes:
        low, high: both ends of its track; the number box beside it goes as far as the setting does.
        ticks: the values that it names.
        linear: equal steps instead of equal factors.
        idle: whether it would do nothing under some settings, and is left out.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    linear: bool = False
    idle: Callable[[Mapping[str, Any]], bool] = lambda values: False


@dataclass(frozen=True, eq=False)
class Scene:
    """What a stage shows.

    Attributes:
        key: the stage's word in the session.
        sheet: the page's settings.
        charts: in their order.
        subject: (settings, a pinned run's settings or None) -> what the charts are drawn from.
        tracks: {setting: its slider}.
        detail: settings with a switch for all charts below it.
        own: how many charts stand above that switch.
        live: names of the charts that follow the hand while a slider is dragged.
        first_seen: names of the charts that a visitor sees before the browser has said so.
        version: another value whenever the charts have something new to show under the same settings.
    """

    key: str
    sheet: Sheet
    charts: Mapping[str, Chart]
    subject: Callable[[Mapping[str, Any], Mapping[str, Any] | None], Any]
    tracks: Mapping[str, Track] = field(default_factory=dict)
    detail: tuple[str, ...] = ()
    own: int = 1
    live: frozenset[str] = frozenset()
    first_seen: frozenset[str] = frozenset()
    version: Callable[[], object] = lambda: None
