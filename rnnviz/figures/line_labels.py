"""The names of norms' lines, each where the gradient of its line ends."""

from collections.abc import Sequence
from typing import Any

from rnnviz.figures.labels import spaced
from rnnviz.figures.theme import Theme, note

LABEL_PIXELS = 19
HALO = "1px 1px 1px {0}, -1px -1px 1px {0}, 1px -1px 1px {0}, -1px 1px 1px {0}, 0 0 3px {0}"  # of paper, over lines


def line_labels(lines: Sequence[Any], ends: list[float], height: float, theme: Theme) -> list[dict[str, Any]]:
    """Each line's name where its gradient ends, above it, or as near as the names below it allow.

    Args:
        lines: with an end, a name, a kind and a colour each, as `rnnviz.figures.flow` makes them.
        ends: of the norm axis, in powers of ten.
        height: of the chart, in pixels.
        theme: the page's colours.
    """
    cells = [line for line in lines if line.kind == "c" and line.label]
    named = [line for line in lines if line.end and line.label and line not in cells[1:]]  # one ∂L/∂c tells of all dots
    sides = ([line for line in named if _inside(line) == side] for side in (False, True))
    return [label for side in sides for label in _stacked(side, ends, height, theme)]


def _inside(line: Any) -> bool:
    """Whether a line ends so far to the right that its name stands on its left."""
    return line.end[0] > 0.6 * line.x.max()


def _stacked(lines: list[Any], ends: list[float], height: float, theme: Theme) -> list[dict[str, Any]]:
    """The names on one side."""
    per_decade = height / (ends[1] - ends[0])
    gap = LABEL_PIXELS * theme.scale
    wanted = []
    for line in lines:
        own = (line.end[1] - ends[0]) * per_decade
        wanted.append((own - 14 if line.rises and line.kind == "h" and own > 14 + gap else own + 14, own, line))
    wanted.sort(key=lambda each: each[:2])
    placed = []
    for (_, own, line), place in zip(wanted, spaced([each[0] for each in wanted], gap, height), strict=True):
        size = round((14 if line.kind == "h" else 12) * theme.scale)
        font = {"color": theme.colour(line.hue), "size": size, "shadow": HALO.format(theme.paper)}
        x, y = line.end
        side = "right" if _inside(line) else "left"
        at = {"x": x, "y": y, "yshift": place - own, "xanchor": side, "yanchor": "middle", "borderpad": 0}
        placed.append(note(theme, line.label, **at, font=font) | {"bgcolor": "rgba(0, 0, 0, 0)"})
    return placed
