"""Axes of powers of ten whose ends stay put while a control is dragged: the lines shall move, not the axis."""

from typing import Any

import numpy as np

from rnnviz.core.readings import power_text
from rnnviz.figures.theme import Theme, powers

STEPS = np.array([0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000])
FACTORS = np.log10([1.0, 2.0, 5.0]).tolist()


def span(low: float, high: float, least: float = 1.0) -> list[float]:
    """The ends of an axis around two values: round numbers, at least so many decades apart.

    >>> span(-6.9, 0.2), span(8.9, 9.0)
    ([-8.0, 2.0], [8.75, 9.75])
    """
    wanted = max(high - low, least) / 5
    step = float(STEPS[min(np.searchsorted(STEPS, wanted), len(STEPS) - 1)])
    bottom = step * np.floor(low / step)
    return [float(bottom), float(max(step * np.ceil(high / step), bottom + least))]


def power_axis(theme: Theme, title: str, ends: list[float], **rest: Any) -> dict[str, Any]:
    """An axis of log10 values between two ends: powers of ten, or 1, 2, 5 where it spans less than two decades."""
    whole = {"dtick": 1} if ends[1] - ends[0] <= 7 else {"nticks": 6}
    made = powers(theme, title, range=ends, **whole, **rest)
    if ends[1] - ends[0] > 2:
        return made
    first, last = (int(np.floor(end)) for end in ends)
    places = [power + step for power in range(first, last + 1) for step in FACTORS]
    places = [place for place in places if ends[0] <= place <= ends[1]]
    for name in ("tickprefix", "ticksuffix", "tickformat", "dtick"):
        made.pop(name)
    return made | {"tickvals": places, "ticktext": [power_text(place) for place in places]}
