"""Where the lines of learning end: a mark, and words that stand beside it and not on each other."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rnnviz.experiments.training import LABELS, Learner, Training
from rnnviz.figures.labels import spaced
from rnnviz.figures.learners import colour, dash, short
from rnnviz.figures.theme import Theme, note

LABEL_PIXELS, LONG_LABEL = 17, 36  # between lines of text; characters beyond which a label has two of them
NARROWEST, LETTER = 270, 6.5  # pixels: the axis on a phone, a letter of a label
SAMPLES = {"solid": "—", "dash": "– –", "dot": "···", "dashdot": "– ·"}


class End(NamedTuple):
    """Where a line ends.

    Attributes:
        x, y: its place on the axes.
        above: the highest place of the line over the quarter of the axis before it, where its name may have to stand.
        learner: whose line.
        state: what became of it.
    """

    x: float
    y: float
    above: float
    learner: Learner
    state: str


def end_marks(ends: Sequence[End], theme: Theme) -> list[dict[str, Any]]:
    """A disc where a variant solved its task, a cross where it broke."""
    looks = {"solved": ("circle", 10, 1.5), "diverged": ("x", 11, 0.0)}
    return [
        {
            "type": "scatter", "mode": "markers", "name": f"{short(end.learner)}: {end.state}",
            "x": np.array([end.x], np.float32), "y": np.array([end.y], np.float32), "cliponaxis": False,
            "marker": {
                "symbol": symbol, "size": size * theme.scale, "color": colour(end.learner, theme),
                "line": {"color": theme.paper, "width": edge},
            },
            "hovertemplate": f"{end.state} at update %{{x}}<extra>{short(end.learner)}</extra>",
        }
        for end in ends if end.state in looks for symbol, size, edge in [looks[end.state]]
    ]  # fmt: skip


def end_labels(
    figure: dict[str, Any], ends: Sequence[End], training: Training, states: bool, theme: Theme
) -> list[dict[str, Any]]:
    """Each line's name, and what became of it, behind its end or beside it; as near as the names below allow."""
    layout = figure["layout"]
    (low, high), last = layout["yaxis"]["range"], layout["xaxis"]["range"][1]
    height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    per_unit = height / (high - low)
    names, lines = _names([end.learner for end in ends], training), []
    for end in ends:
        words = _words(end, names[end.learner.name]) if states else [names[end.learner.name]]
        behind = _fits(end.x / last, max(map(len, words)), theme)
        natural = (end.y - low) * per_unit + (0.0 if behind else _aside(end, per_unit) * theme.scale)
        lines += [(natural + 1e-6 * row, end, behind, text) for row, text in enumerate(reversed(words))]
    lines.sort(key=lambda line: line[0])
    places = spaced([line[0] for line in lines], LABEL_PIXELS * theme.scale, height)
    return [
        note(
            theme, text, x=end.x, y=end.y, yshift=place - (end.y - low) * per_unit, yanchor="middle", borderpad=0,
            font={"color": colour(end.learner, theme), "size": round(13 * theme.scale)},
            xanchor="left" if behind else "right", xshift=(9 if behind else -6) * theme.scale,
        ) | {"bgcolor": _veil(theme), "opacity": 1.0}
        for place, (_, end, behind, text) in zip(places, lines, strict=True)
    ]  # fmt: skip


def _fits(share: float, letters: int, theme: Theme) -> bool:
    """Whether words fit behind a line that ends at a share of the axis, on the narrowest page."""
    return NARROWEST * (1 - share) >= (LETTER * letters + 9) * theme.scale


def _aside(end: End, per_unit: float) -> float:
    """Pixels from a line's end to its name where none fits behind it: below a line that fell, else above the line."""
    fell = (end.above - end.y) * per_unit
    return -15.0 if fell > 30 else fell + 14


def _names(learners: Sequence[Learner], training: Training) -> dict[str, str]:
    """{name: words on the chart}; a cell that all of them share gives its place to a sample of the line."""
    words = {learner.name: short(learner) for learner in learners}
    cell = re.sub(r" \(.*?\)", "", LABELS[learners[0].cell]) if learners else ""
    if len(words) > 1 and all(text.startswith(f"{cell}, ") for text in words.values()):
        samples = [SAMPLES[dash(learner, training)] for learner in learners]
        rest = {name: text.removeprefix(f"{cell}, ") for name, text in words.items()}
        return {name: f"{sample} {text}" for sample, (name, text) in zip(samples, rest.items(), strict=True)}
    return words


def _words(end: End, name: str) -> list[str]:
    told = {"solved": f"solved at {end.x:g}", "diverged": f"broke at update {end.x:g}"}.get(end.state, "")
    if told and len(name) + len(told) > LONG_LABEL:
        return [name, told]
    return [f"{name}, {told}" if told else name]


def _veil(theme: Theme) -> str:
    """The paper, through which lines are still seen."""
    red, green, blue = (int(theme.paper[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.7)"
