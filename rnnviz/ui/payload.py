"""From a visitor's question to what a stage is sent."""

import hashlib
from collections.abc import Mapping
from typing import Any

from rnnviz import Knob, RnnvizError
from rnnviz.figures.chart import Chart
from rnnviz.figures.refusal import drawn, plain
from rnnviz.figures.theme import THEMES, Theme
from rnnviz.ui.scene import Scene
from rnnviz.ui.stage import Ask, dressed, encoded


def payload(
    scene: Scene, values: Mapping[str, Any], ask: Ask, theme: Theme, pin=None, hidden=frozenset()
) -> dict[str, Any]:
    """What `stage.js` reads.

    Args:
        scene: what the stage shows.
        values: the settings.
        ask: what the browser asked for.
        theme: the page's colours.
        pin: the settings of an earlier run that lies under this one, or None.
        hidden: names of the controls that the address hides.
    """
    sent = {
        "asked": ask.id, "live": ask.live, "stamp": stamp(values, theme, pin, scene.version()), "problem": "",
        "theme": dressed(theme), "sliders": [_slider(scene, name, values, hidden) for name in scene.tracks],
        "detail": [], "own": scene.own,
    }  # fmt: skip
    try:
        subject = scene.subject(values, pin)
        sent["detail"] = [_view(scene, name, values, subject) for name in scene.detail if name not in hidden]
        visible = ask.visible if ask.visible is not None else scene.first_seen
        wanted = visible & scene.live if ask.live else visible
        wanted = {name for name in wanted if ask.drawn.get(name) != sent["stamp"]}
        charts = [
            _chart(scene, chart, subject, theme, values, hidden, ask) if chart.name in wanted else _named(chart)
            for chart in scene.charts.values()
        ]
    except RnnvizError as problem:
        sent["problem"] = plain(problem, scene.sheet.knobs)
        charts = [_named(chart) for chart in scene.charts.values()]
    return {**sent, "charts": charts}


def theme_for(name: str | None, projector: bool) -> Theme:
    """The colours for a light or a dark page, larger for a projector."""
    theme = THEMES.get(name, THEMES["light"])
    return theme.projected if projector else theme


def stamp(*parts: object) -> str:
    """A word that is another one for other parts."""
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()[:12]


def _named(chart: Chart) -> dict[str, Any]:
    return {
        "name": chart.name,
        "question": chart.question,
        "symbols": chart.symbols,
        "steps": chart.steps,
        "drawn": False,
    }


def _chart(scene: Scene, chart: Chart, subject: Any, theme: Theme, values, hidden, ask: Ask) -> dict[str, Any]:
    """A chart with its drawing."""
    drawing = drawn(chart, subject, theme, scene.sheet.knobs)
    views = [_view(scene, name, values, subject) for name in chart.views if name not in hidden]
    badges = [dict(zip(("label", "text", "kind", "colour"), badge, strict=True)) for badge in drawing.badges]
    return _named(chart) | {
        "drawn": True, "answer": drawing.answer, "notes": drawing.notes, "views": views, "badges": badges,
        "figure": _figure(drawing.figure, chart, ask),
    }  # fmt: skip


def _figure(figure: dict[str, Any], chart: Chart, ask: Ask) -> dict[str, Any]:
    """A figure for the browser, without the traces that stay and that it holds already."""
    sent = encoded(figure)
    if not chart.still or not sent:
        return sent
    traces = sent["data"]
    mark = stamp(traces[: chart.still])
    gone = traces[chart.still :] if ask.held.get(chart.name) == mark else traces
    return sent | {"data": gone, "still": {"count": chart.still, "mark": mark}, "moving": len(traces) - chart.still}


def _slider(scene: Scene, name: str, values: Mapping[str, Any], hidden) -> dict[str, Any]:
    declared, track = scene.sheet.knobs[name], scene.tracks[name]
    return {
        "name": name, "label": declared.label, "help": declared.help, "value": values[name], "low": declared.low,
        "high": declared.high, "track": {"low": track.low, "high": track.high, "linear": track.linear},
        "ticks": track.ticks, "hidden": track.idle(values) or name in hidden,
    }  # fmt: skip


def _view(scene: Scene, name: str, values: Mapping[str, Any], subject: Any) -> dict[str, Any]:
    """A chart's own switch, with the choices that make sense for what is shown."""
    declared = scene.sheet.knobs[name]
    options = _options(name, declared, subject)
    value = subject.shown(name, values[name])
    if not declared.many and value not in dict(options):
        value = options[0][0]
    return {
        "name": name,
        "label": declared.label,
        "help": declared.help,
        "options": options,
        "value": value,
        "many": declared.many,
    }


def _options(name: str, declared: Knob, subject: Any) -> list[tuple[str, str]]:
    offered = subject.offers(name)
    return list(declared.choices.items()) if offered is None else offered
