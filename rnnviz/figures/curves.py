"""The lines of learning: a value of every update or of every look at held-out data, and the axes under them."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnviz.experiments.history import Course, History
from rnnviz.experiments.training import Training
from rnnviz.figures.decades import power_axis
from rnnviz.figures.endings import End, end_labels, end_marks
from rnnviz.figures.learners import LearningSubject, colour, dash, marker, short, update_axis
from rnnviz.figures.theme import Theme, axis, blank, note

WINDOW = 25  # updates of which the strong lines are the median
MOST_BINS = 300  # of the pale lines, each with its smallest and its largest value
MARKERS = 8  # along a line
ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
FLOAT32 = 3e38  # the largest number that the browser is sent


class Series:
    """The values of one course as they stand on the axis.

    Args:
        course: whose.
        values: (U,) of every update, or (E,) of every look.
        log: on an axis of powers of ten.
        looks: (E,) after how many updates the looks were; None for a value of every update.
    """

    def __init__(self, course: Course, values: np.ndarray, log: bool, looks: np.ndarray | None = None):
        self.course, self.learner, self.every_update = course, course.learner, looks is None
        self.finite = np.isfinite(values)
        self.x = (np.arange(1, len(values) + 1) if looks is None else looks)[self.finite]
        self.own = np.asarray(values, dtype=float)[self.finite]
        self.middle = running_median(self.own) if self.every_update else self.own
        self.y, self.smooth = placed(self.own, log), placed(self.middle, log)

    def traces(self, history: History, theme: Theme, ends: Sequence[float]) -> list[dict[str, Any]]:
        """The pale line of every update, if it is one, and the strong one over it."""
        strong = self.strong(history, theme, ends)
        return [self._pale(history, theme, ends), strong] if self.every_update else [strong]

    def strong(self, history: History, theme: Theme, ends: Sequence[float]) -> dict[str, Any]:
        """The line that one reads, with the markers of its cell."""
        training, hue = history.training, colour(self.learner, theme)
        at = every(len(self.x), bin_width(training)) if self.every_update else np.arange(len(self.x))
        sizes = 8 * _marked(self.x[at], training.updates) if self.every_update else np.full(len(at), 5)
        what = f"median of {WINDOW}" if self.every_update else "held out"
        return self._line(at, self.smooth, ends) | {
            "mode": "lines+markers", "name": short(self.learner),
            "customdata": np.minimum(self.middle[at], FLOAT32).astype(np.float32),
            "line": {"color": hue, "width": 2.4 * theme.scale, "dash": dash(self.learner, training)},
            "marker": {
                "symbol": marker(self.learner, training), "color": hue, "opacity": 1.0,
                "size": (sizes * theme.scale).astype(np.float32),
            },
            "hovertemplate": f"update %{{x}}, {what}: %{{customdata:.3g}}",
        }  # fmt: skip

    def after_clipping(self, history: History, theme: Theme, ends: Sequence[float]) -> dict[str, Any]:
        """The same as thin dots, for what clipping left of the norms."""
        return self.strong(history, theme, ends) | {
            "mode": "lines", "name": f"{short(self.learner)}, after clipping",
            "line": {"color": colour(self.learner, theme), "width": 1.6 * theme.scale, "dash": "dot"},
            "hovertemplate": f"update %{{x}}, after clipping, median of {WINDOW}: %{{customdata:.3g}}",
        }  # fmt: skip

    def _pale(self, history: History, theme: Theme, ends: Sequence[float]) -> dict[str, Any]:
        return self._line(extremes(self.y, bin_width(history.training)), self.y, ends) | {
            "mode": "lines", "name": f"{short(self.learner)}, every update", "opacity": 0.28, "hoverinfo": "skip",
            "line": {"color": colour(self.learner, theme), "width": theme.scale},
        }  # fmt: skip

    def _line(self, at: np.ndarray, values: np.ndarray, ends: Sequence[float]) -> dict[str, Any]:
        """A line through some of the values; what is below the axis lies at its foot."""
        y = np.clip(values[at], ends[0], FLOAT32)
        return {"type": "scatter", "x": self.x[at].astype(np.float32), "y": y.astype(np.float32)}

    def end(self, ends: Sequence[float], last: int) -> End | None:
        """Its last place on the axes; a broken one ends at the update at which it broke, above every number."""
        course = self.course
        if self.every_update and course.state == "diverged" and not self.finite[-1]:
            return End(course.updates, ends[1], ends[1], self.learner, course.state)
        if not len(self.x):
            return None
        x = course.broke_at or course.solved_at or int(self.x[-1])
        places = np.clip([self.smooth[-1], *self.smooth[self.x >= x - last / 4]], *ends)
        return End(x, float(places[0]), float(places.max()), self.learner, course.state)


def draw(figure: dict[str, Any], series: Sequence[Series], history: History, theme: Theme, states: bool = True) -> None:
    """Every pale line behind every strong one, the marks at their ends and their names."""
    ends = figure["layout"]["yaxis"]["range"]
    traces = [line.traces(history, theme, ends) for line in series if len(line.x)]
    figure["data"] += [trace for each in traces for trace in each[:-1]] + [each[-1] for each in traces]
    found = [end for line in series if (end := line.end(ends, figure["layout"]["xaxis"]["range"][1]))]
    figure["data"] += end_marks(found, theme)
    figure["layout"]["annotations"] += end_labels(figure, found, history.training, states, theme)


def frame(subject: LearningSubject, theme: Theme, height: int) -> dict[str, Any]:
    """An empty figure over all updates."""
    figure = blank(theme, height)
    figure["layout"]["xaxis"] = update_axis(subject, theme)
    return figure


def value_axis(theme: Theme, title: str, ends: list[float], log: bool) -> dict[str, Any]:
    """An axis of values: powers of ten, or equal steps; a long title has two lines."""
    words = "<br>".join(textwrap.wrap(title, 34))
    return power_axis(theme, words, ends) if log else axis(theme, title={"text": words}, range=ends, nticks=6)


def across(figure: dict[str, Any], at: float, name: str, words: str, theme: Theme) -> None:
    """A dashed line across the chart with its words in the right margin, which nothing else uses."""
    layout = figure["layout"]
    line = {"color": theme.ink, "width": 1.3 * theme.scale, "dash": "dash"}
    layout["shapes"].append(
        {"type": "line", "name": name, "xref": "x domain", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": line}
    )
    layout["annotations"].append(note(
        theme, words, xref="x domain", x=1, xanchor="left", xshift=5, y=at, yanchor="middle", align="left", borderpad=0,
        font={"color": theme.ink, "size": round(11 * theme.scale)},
    ))  # fmt: skip


def placed(values: np.ndarray | float, log: bool) -> Any:
    """Where values stand on an axis; exactly zero stands below every power of ten."""
    if not log:
        return values
    with np.errstate(divide="ignore"):
        return np.log10(values)


def bounds(values: Sequence[np.ndarray], *more: float) -> tuple[float, float]:
    """The smallest and the largest of all finite values; 0 and 0 where there is none."""
    known = np.concatenate([*values, more])
    known = known[np.isfinite(known)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def round_up(value: float) -> float:
    """A round number above a positive one, so that an axis keeps it for a while.

    >>> round_up(0.37), round_up(0.96), round_up(0.0)
    (0.4, 1.2, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return next(float(f"{step * power:.1e}") for step in ROUND if step * power >= 1.05 * value)


def running_median(values: np.ndarray) -> np.ndarray:
    """(U,) the median of the WINDOW values around each one, of fewer at both ends.

    >>> running_median(np.array([1.0, 9.0, 2.0]))
    array([2., 2., 2.])
    """
    half, made = WINDOW // 2, np.array(values, dtype=float)
    if len(values) >= WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW)
        made[half : len(values) - half] = np.median(windows, axis=1)
    for at in {*range(min(half, len(values))), *range(max(len(values) - half, 0), len(values))}:
        made[at] = np.median(values[max(at - half, 0) : at + half + 1])
    return made


def bin_width(training: Training) -> int:
    """Updates that share a bin; it follows from what was asked, so that the bins stay while more updates come.

    >>> bin_width(Training(updates=600)), bin_width(Training(updates=10_000))
    (1, 34)
    """
    return 1 if training.updates <= 2 * MOST_BINS else -(-training.updates // MOST_BINS)


def extremes(values: np.ndarray, width: int) -> np.ndarray:
    """Where the smallest and the largest of every `width` values stand, in order; all places for a width of 1.

    >>> extremes(np.array([3.0, 1.0, 2.0, 7.0, 8.0, 9.0]), 3)
    array([0, 1, 3, 5])
    """
    if width == 1:
        return np.arange(len(values))
    bins = range(0, len(values), width)
    return np.unique([at + find(values[at : at + width]) for at in bins for find in (np.argmin, np.argmax)])


def every(count: int, width: int) -> np.ndarray:
    """Places along a smooth line: two in a bin, and the last one.

    >>> every(8, 4)
    array([0, 2, 4, 6, 7])
    """
    return np.unique([*range(0, count, max(width // 2, 1)), count - 1])


def _marked(x: np.ndarray, updates: int) -> np.ndarray:
    """1 where a line passes one of the MARKERS places, which stay while it grows; 0 elsewhere."""
    part = np.floor(x * MARKERS / updates)
    return np.append(False, np.diff(part) > 0).astype(float)
