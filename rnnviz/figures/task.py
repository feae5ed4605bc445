"""What a task asks for: one example of it, with what must be remembered and where it must be said."""

import html
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnviz.experiments.tasks import Material
from rnnviz.figures.chart import Drawing
from rnnviz.figures.learners import LearningSubject, steps_text
from rnnviz.figures.task_example import Example, folded, number_text
from rnnviz.figures.theme import Theme, axis, blank, note

HEIGHT = 176
MOST_LETTERS, MOST_WIDE = 30, 18  # side by side on a phone: letters, and what is as broad as two of them
FOLD = "//"
NEAR = 0.12  # of the step axis: closer words would stand on each other on a phone
ROOM = 0.28  # of the step axis: what the words at the line need on a phone


def task_example(subject: LearningSubject, theme: Theme) -> Drawing:
    """What must be remembered?

    One held-out example of the task over its steps t = 1…T, as the network reads it: numbers as stems or as a line,
    symbols one by one. What must be remembered has the accent colour, all else is pale. The line leads from there, over
    as many steps as it says, to the step at which the answer is due; below it, at "say", stands what must be said. A
    ring is an answer at its own place in the sequence, which the network never reads. In copy memory a dot is a blank
    and the hollow circle asks for the symbols; in temporal order c, d, e and f are distractors. In a text ␣ is a space
    and ↵ the end of a line. Where more symbols are asked for than a phone has room for, // stands for those left out.

    Args:
        subject: what the settings ask for, and how to show it.
        theme: the page's colours.

    Raises:
        RnnvizError: for a text or a series too short for the length that is asked, or a text that teaches nothing.
    """
    if subject.material is None:
        return Drawing({}, "Choose a task: one example of it will be drawn here.")
    example = Example(subject.material)
    scene = Letters(example, theme) if example.symbols else Numbers(example, theme)
    figure = blank(theme, HEIGHT)
    layout = figure["layout"]
    layout["margin"] |= {"t": 8, "r": round(24 * theme.scale), "b": round(42 * theme.scale)}
    layout["xaxis"] = _step_axis(example, scene, theme)
    quiet = {"showgrid": False, "showline": False, "fixedrange": True, "ticks": "", "ticklabelstandoff": 6}
    layout["yaxis"] = axis(theme, range=list(scene.heights), **quiet, **scene.rows)
    figure["data"] = scene.traces
    _path(layout, example, scene, theme)
    count = subject.material.held_out.inputs.shape[1]
    told = "This is the only held-out example." if count == 1 else f"This is the first of {count} held-out examples."
    return Drawing(figure, example.sentence, (*asked(subject.material), *scene.notes, told))


def asked(found: Material) -> tuple[str, ...]:
    """What a task asks and when it is solved, how far back that lies, and what chance costs."""
    return found.task.help, found.lag_text, f"Chance: a loss of {found.chance:.3g}. {found.chance_text}"


class Numbers:
    """An example in numbers: a line where they follow from each other, else stems.

    Attributes:
        x: (T,) where each step stands.
        heights: the ends of the other axis.
        ends: those of the step axis.
        rows: what stands beside the other one.
        read, rail, say: the heights at which what is read ends, the line to the answer lies, the answer stands.
        names: what is written beside single values.
        notes: what a reader must know.
    """

    def __init__(self, example: Example, theme: Theme):
        self.example, self.theme, self.values = example, theme, example.inputs[:, 0]
        self.x = np.arange(1, len(self.values) + 1)
        self.ahead = example.material.legend.ahead
        known = [*self.values, example.targets[-1]] if self.ahead else self.values
        low, high = min(0.0, float(min(known))), max(1.0, float(max(known)))
        low = min(low, -1.0) if low < 0 else low
        self.read, self.top, each = low, high, (high - low) / 3
        self.rail, self.say = low - 0.75 * each, low - 1.75 * each
        self.heights = [low - 2.3 * each, high + (0.3 if self.ahead else 0.9) * each]

    @property
    def ends(self) -> list[float]:
        """Of the step axis: with a ring behind the last step it reaches to that."""
        return [0.5, len(self.values) + self.ahead + 0.5]

    @property
    def rows(self) -> dict[str, Any]:
        """What stands beside the rows: 0, and the outermost whole numbers that have room beside it."""
        ends = np.array([np.ceil(self.read), 0.0, np.floor(self.top)])
        whole = np.unique(ends[(np.abs(ends) >= 0.22 * self.theme.scale * (self.top - self.read)) | (ends == 0)])
        return {
            "tickvals": [self.say, *whole.tolist()],
            "ticktext": ["say", *(f"{value:g}".replace("-", "−") for value in whole)],
        }

    def starts(self) -> list[tuple[float, float]]:
        """Where the lines from what must be remembered begin."""
        example = self.example
        if example.joined:
            return [(self.x[at], float(self.values[at])) for at in example.remembered[:1]]
        return [(self.x[at], 0.0) for at in example.remembered]

    @property
    def traces(self) -> list[dict[str, Any]]:
        """What is read and what must be said."""
        shape = self._line() if self.ahead else self._stems()
        return [*shape, _words(self.example, self, self.x, self.say, np.arange(len(self.x)), self.theme)]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sums of rounded numbers need not be the rounded sum."""
        return () if self.ahead else ("All numbers are rounded to two places.",)

    def _line(self) -> list[dict[str, Any]]:
        theme, last, kept = self.theme, len(self.x), self.example.remembered
        dot = {"color": theme.faint, "size": _dot(last) * theme.scale}
        whole = _trace(self.x, self.values, "read", theme.faint, 1.3 * theme.scale) | {"marker": dot}
        strong = _trace(self.x[kept], self.values[kept], "remembered", theme.accent, 2.2 * theme.scale)
        strong["marker"] = {"color": theme.accent, "size": (_dot(last) + 2) * theme.scale}
        place = np.array([last, last + self.ahead]), np.array([self.values[-1], self.example.targets[-1]])
        asked = _trace(*place, "asked for", theme.ink, 1.2 * theme.scale, "dot")
        asked["marker"] = {"color": theme.ink, "symbol": "circle-open", "size": np.array([0.0, 9.0]) * theme.scale,
                           "line": {"width": 2 * theme.scale}}  # fmt: skip
        return [whole, asked, strong]

    def _stems(self) -> list[dict[str, Any]]:
        theme, kept = self.theme, self.example.remembered
        pale = np.setdiff1d(np.arange(len(self.x)), kept)
        traces = [self._stem(pale, "read", theme.faint, 0)] if len(pale) else []
        return [*traces, self._stem(kept, "remembered", theme.accent, 2)]

    def _stem(self, at: np.ndarray, name: str, hue: str, more: int) -> dict[str, Any]:
        """Thin bars would be blurred; a line that goes up and down again, with a dot at its upper end, is not."""
        x, y = np.repeat(self.x[at], 3), np.zeros(3 * len(at))
        y[1::3], y[2::3] = self.values[at], np.nan
        sizes = np.tile([0.0, _dot(len(self.x)) + more, 0.0], len(at)) * self.theme.scale
        width = 1.8 if more else min(1.0, 80 / len(self.x))
        stem = _trace(x, y, name, hue, width * self.theme.scale)
        return stem | {"marker": {"color": hue, "size": sizes.astype(np.float32), "opacity": 1.0, "line": {"width": 0}}}

    @property
    def names(self) -> list[dict[str, Any]]:
        """The values of the marked steps above these, beside each other where they are neighbours."""
        at, theme = self.example.remembered, self.theme
        if self.ahead:
            return []
        close = len(at) == 2 and (at[1] - at[0]) / len(self.x) < NEAR
        anchors = ["right", "left"] if close else ["center"] * len(at)
        return [
            note(
                theme, number_text(self.values[step]), x=float(self.x[step]), xanchor=anchor,
                y=float(self.values[step]), yanchor="bottom", yshift=4 * theme.scale, borderpad=0,
                font={"color": theme.accent, "size": round(13 * theme.scale)},
            )
            for step, anchor in zip(at, anchors, strict=True)
        ]  # fmt: skip


class Letters:
    """An example in symbols, side by side; where there are too many, what lies between is folded away.

    Attributes: as of `Numbers`, and
        shown: (C,) the steps that have a place, counted from 0; -1 for a fold.
    """

    read, rail, say = 1.0, 0.42, -0.2
    heights = (-0.55, 1.35)
    names: tuple[dict[str, Any], ...] = ()

    def __init__(self, example: Example, theme: Theme):
        self.example, self.theme = example, theme
        steps = np.arange(len(example.symbols))
        drawn = [*example.symbols, *filter(None, example.said)]
        most = MOST_WIDE if any(unicodedata.east_asian_width(word[-1]) in "WF" for word in drawn) else MOST_LETTERS
        self.shown = folded(len(steps), [*example.remembered, *example.dues, 0, len(steps) - 1], most)
        kept = self.shown >= 0
        self.columns = np.arange(1, len(self.shown) + 1)
        self.x = np.full(len(steps), np.nan)
        self.x[self.shown[kept]] = self.columns[kept]

    @property
    def ends(self) -> list[float]:
        """Of the step axis, in columns."""
        return [0.5, len(self.shown) + 0.5]

    @property
    def rows(self) -> dict[str, Any]:
        """What stands beside the rows."""
        return {"tickvals": [self.say, self.read], "ticktext": ["say", "read"]}

    def starts(self) -> list[tuple[float, float]]:
        """Below the symbols; where each has an answer of its own, below the first alone."""
        kept = self.example.remembered[:1] if self.example.material.task.every else self.example.remembered
        return [(self.x[at], self.read - 0.2) for at in kept]

    @property
    def traces(self) -> list[dict[str, Any]]:
        """What is read, what must be said, and the folds."""
        example, places = self.example, self.columns[self.shown >= 0]
        kept = self.shown[self.shown >= 0]
        read = _letters([example.symbols[at] for at in kept], np.isin(kept, example.remembered), self.theme)
        row = _trace(places, np.full(len(kept), self.read), "read", self.theme.ink, 0.0) | read
        row |= {"customdata": kept.astype(np.float32) + 1, "hovertemplate": "step %{customdata}: read %{text}"}
        return [row, _words(example, self, places, self.say, kept, self.theme), *self._folds()]

    def _folds(self) -> list[dict[str, Any]]:
        at = self.columns[self.shown < 0]
        rows = [self.read, *([self.say] if self.example.material.task.every else [])]
        fold = _letters([FOLD] * len(at) * len(rows), np.zeros(len(at) * len(rows), bool), self.theme)
        places = np.tile(at, len(rows)), np.repeat(rows, len(at))
        return [_trace(*places, "left out", self.theme.faint, 0.0) | fold | {"hoverinfo": "skip"}] if len(at) else []

    @property
    def notes(self) -> tuple[str, ...]:
        """Which steps are left out, if any are."""
        at = np.flatnonzero(self.shown < 0)
        left = [f"{self.shown[place - 1] + 2} to {self.shown[place + 1]}" for place in at]
        return (f"Steps {', '.join(left)} are left out, at {FOLD}.",) if left else ()


def _dot(steps: int) -> float:
    """The size of a dot among so many, in pixels."""
    return float(np.clip(240 / steps, 2.0, 5.0))


def _trace(x: np.ndarray, y: np.ndarray, name: str, hue: str, width: float, dash: str = "solid") -> dict[str, Any]:
    """A line with dots through some places."""
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": np.asarray(x, np.float32),
        "y": np.asarray(y, np.float32), "line": {"color": hue, "width": width, "dash": dash}, "cliponaxis": False,
        "hovertemplate": f"step %{{x}}: %{{y:.3g}}<extra>{name}</extra>",
    }  # fmt: skip


def _letters(words: Sequence[str], strong: np.ndarray, theme: Theme) -> dict[str, Any]:
    """Words instead of a line, the strong ones in the accent colour and bold."""
    escaped = [html.escape(word, quote=False) for word in words]
    shown = [f"<b>{word}</b>" if loud else word for word, loud in zip(escaped, strong, strict=True)]
    colours = [theme.accent if loud else theme.faint for loud in strong]
    return {"mode": "text", "text": shown, "textfont": {"color": colours, "size": round(14 * theme.scale)}}


def _words(example: Example, scene: Any, x: np.ndarray, y: float, steps: np.ndarray, theme: Theme) -> dict[str, Any]:
    """What must be said, under the steps at which it is due."""
    here = np.array([bool(example.said[at]) for at in steps])
    kept = steps[here]
    letters = _letters([example.said[at] for at in kept], np.isin(kept, example.dues), theme)
    row = _trace(x[here], np.full(len(kept), y), "say", theme.ink, 0.0) | letters
    return row | {"customdata": kept.astype(np.float32) + 1, "hovertemplate": "step %{customdata}: say %{text}"}


def _step_axis(example: Example, scene: Any, theme: Theme) -> dict[str, Any]:
    """The steps that matter are named, as far as their names have room; the last one always is."""
    low, high = scene.ends
    named: list[int] = []
    for at in example.named:
        if all(abs(scene.x[at] - scene.x[other]) >= NEAR * (high - low) for other in named):
            named.append(int(at))
    return axis(
        theme, title={"text": "step t"}, range=[low, high], showgrid=False, fixedrange=True,
        tickvals=[float(scene.x[at]) for at in named], ticktext=[str(at + 1) for at in named],
    )  # fmt: skip


def _path(layout: dict[str, Any], example: Example, scene: Any, theme: Theme) -> None:
    """The line from what must be remembered to the answer, with the number of steps between."""
    line, starts = {"color": theme.accent, "width": 1.5 * theme.scale}, scene.starts()
    first, due = float(starts[0][0]), float(scene.x[example.due])
    pieces = [(x, x, y, scene.rail) for x, y in starts] + [(first, due, scene.rail, scene.rail)]
    layout["shapes"] += [
        {"type": "line", "name": "path", "x0": float(x0), "x1": float(x1), "y0": float(y0), "y1": float(y1),
         "line": line}
        for x0, x1, y0, y1 in pieces
    ]  # fmt: skip
    below = {"yanchor": "top", "yshift": -1} if len(starts) > 1 else {"yanchor": "middle"}
    layout["annotations"] += [
        *scene.names,
        {"text": "", "showarrow": True, "x": due, "y": scene.say, "standoff": 9 * theme.scale, "ax": due,
         "ay": scene.rail, "axref": "x", "ayref": "y", "arrowhead": 2, "arrowcolor": theme.accent,
         "arrowwidth": 1.5 * theme.scale},
        note(theme, steps_text(example.lag), y=scene.rail, borderpad=2, opacity=1.0, **below,
             font={"color": theme.accent, "size": round(13 * theme.scale)}, **_beside(first, due, scene.ends)),
    ]  # fmt: skip


def _beside(first: float, due: float, ends: Sequence[float]) -> dict[str, Any]:
    """Where the words of a line stand: upon its middle, or, when it is short, before or behind it."""
    span = ends[1] - ends[0]
    if due - first >= ROOM * span:
        return {"x": (first + due) / 2, "xanchor": "center"}
    if first - ends[0] >= ROOM * span:
        return {"x": first, "xanchor": "right", "xshift": -4}
    return {"x": due, "xanchor": "left", "xshift": 4}
