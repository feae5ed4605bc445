"""The direction of the gradient, before and after each way of clipping."""

from typing import Any

import numpy as np

from rnnviz.experiments.clipping_facts import angle_text, direction_fact
from rnnviz.experiments.clippings import SAME, Clippings, Way
from rnnviz.figures.chart import Drawing
from rnnviz.figures.clipping import ClippingSubject, colour_of
from rnnviz.figures.theme import Theme, blank, note

RADIUS_OF_ARC, DIAL_PITCH = 0.42, 2.3  # of a dial's own radius; from dial to dial
DIALS, WORDS, LINE = 170, 60, 19  # pixels: the chart; below a dial, for its name and two short lines; its name


def directions(subject: ClippingSubject, theme: Theme) -> Drawing:
    """Does the direction stay?

    The wide pale arrow is the direction of the parameters' gradient without clipping, laid along the horizontal; the
    coloured one is that of the gradient with clipping, turned by the angle between the two. All entries of all
    parameters together are one long vector; the angle is taken in the plane that the two vectors span, and the
    lengths are left out. At 0° the optimiser is sent the same way as before, at 90° a way that has nothing to do
    with it, and beyond that it is sent back.

    Args:
        subject: its ways of clipping.
        theme: the page's colours.
    """
    clippings, figure = subject.clippings, blank(theme, DIALS)
    layout = figure["layout"]
    layout["margin"] |= {"l": 16, "r": 16, "b": round(WORDS * theme.scale)}
    layout["xaxis"] = {"visible": False, "range": [-1.12, 2 * DIAL_PITCH + 1.12], "constrain": "domain"}
    layout["yaxis"] = {"visible": False, "range": [-0.04, 1.08], "scaleanchor": "x", "constrain": "domain"}
    for place, way in enumerate(clippings.ways[1:]):
        _dial(figure, place * DIAL_PITCH, clippings, way, theme)
    return Drawing(figure, direction_fact(clippings), _turned(clippings))


def _dial(figure: dict[str, Any], centre: float, clippings: Clippings, way: Way, theme: Theme) -> None:
    """Half a disc with the direction before and after."""
    turn = np.radians(np.linspace(0.0, 180.0, 61))
    outline = {"color": theme.grid, "width": 1.5 * theme.scale}
    figure["data"].append(_path(centre + np.cos(turn), np.sin(turn), line=outline))
    layout, colour = figure["layout"], colour_of(way, theme)
    layout["shapes"] += [_mark(centre, angle, theme) for angle in range(0, 181, 30)]
    layout["annotations"].append(_degree(centre, theme))
    angle = np.nan if way.report is None else way.report.angle
    if np.isfinite(clippings.none.report.angle):
        layout["annotations"].append(_arrow(centre, 0.0, theme.faint, 9.0, theme) | {"opacity": 0.4})
    if np.isfinite(angle):
        if angle > 0.5:
            figure["data"].append(_wedge(centre, angle, colour))
        layout["annotations"].append(_arrow(centre, angle, colour, 3.0, theme))
    told = f"<b>{angle_text(angle)}</b>" if np.isfinite(angle) else _why(clippings, way)
    size = round((15 if np.isfinite(angle) else 12) * theme.scale)
    layout["annotations"] += [
        note(theme, way.label, x=centre, y=0, yshift=-8 * theme.scale, yanchor="top", borderpad=0,
             font={"color": colour, "size": round(14 * theme.scale)}),
        note(theme, told, x=centre, y=0, yshift=-(8 + LINE) * theme.scale, yanchor="top", borderpad=0,
             font={"color": theme.ink, "size": size}),
    ]  # fmt: skip


def _path(x: np.ndarray, y: np.ndarray, **rest) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "x": x.astype(np.float32), "y": y.astype(np.float32),
            "hoverinfo": "skip", **rest}  # fmt: skip


def _wedge(centre: float, angle: float, colour: str) -> dict[str, Any]:
    """The angle between the two arrows."""
    turn = np.radians(np.linspace(0.0, angle, 41))
    x, y = (np.concatenate([[0.0], RADIUS_OF_ARC * way(turn), [0.0]]) for way in (np.cos, np.sin))
    return _path(centre + x, y, line={"color": colour, "width": 1}, fill="toself", fillcolor=colour, opacity=0.28)


def _mark(centre: float, angle: int, theme: Theme) -> dict[str, Any]:
    """A tick on the dial's rim."""
    x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    inner = 0.9 if angle % 90 == 0 else 0.95
    return {"type": "line", "x0": centre + inner * x, "y0": inner * y, "x1": centre + x, "y1": y,
            "line": {"color": theme.faint, "width": theme.scale}, "layer": "below"}  # fmt: skip


def _degree(centre: float, theme: Theme) -> dict[str, Any]:
    font = {"color": theme.faint, "size": round(10 * theme.scale)}
    return note(theme, "90°", x=centre, y=0.76, borderpad=0, font=font)


def _arrow(centre: float, angle: float, colour: str, width: float, theme: Theme) -> dict[str, Any]:
    """An arrow of unit length from the centre of a dial."""
    x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return {
        "text": "", "showarrow": True, "x": float(centre + x), "y": float(y), "ax": centre, "ay": 0.0, "axref": "x",
        "ayref": "y", "arrowhead": 2, "arrowsize": 0.6 if width > 5 else 1.0, "arrowwidth": width * theme.scale,
        "arrowcolor": colour, "standoff": 0, "startstandoff": 0,
    }  # fmt: skip


def _why(clippings: Clippings, way: Way) -> str:
    """Why a dial has no angle, in two short lines."""
    if way.report is None:
        return "refused:<br>a sliding truncation"
    norm = clippings.none.log10_norm
    if np.isnan(norm):
        return "the gradient is<br>not a number"
    if norm == -np.inf:
        return "the gradient is<br>exactly zero"
    if np.isnan(clippings.none.report.angle):
        return "the gradient is<br>beyond float64"
    return "nothing is left<br>that has a direction"


def _turned(clippings: Clippings) -> tuple[str, ...]:
    """What clipping of the signal does to the direction."""
    way = clippings.signal
    if way.report is None or np.isnan(way.report.angle):
        return ()
    if not way.changed and not clippings.bend()[2]:
        return ("The signal was not clipped anywhere, so that the parameters' gradient is the same.",)
    if not way.changed:
        return ("The signal was clipped where no parameter sees it, so that the parameters' gradient is the same.",)
    if way.report.angle <= SAME:
        return ("Clipping the signal changes the size of the parameters' gradient and not its direction.",)
    return (
        "Clipping the signal makes the parameters' gradient of other parts, and turns it by "
        f"{angle_text(way.report.angle)}.",
    )
