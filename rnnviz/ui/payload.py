"""From a visitor's question to what the stage is sent."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from rnnviz import BUDGET, BudgetError, Knob, RnnvizError
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.comparison import Run, total_cost
from rnnviz.experiments.cost import check_budget
from rnnviz.figures.chart import Chart, Drawing, Subject
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.refusal import plain
from rnnviz.figures.theme import THEMES, Theme
from rnnviz.ui.settings import KNOBS, Question, question
from rnnviz.ui.stage import Ask, dressed, encoded

LOG = logging.getLogger(__name__)
FIRST_SEEN = frozenset({"norms", "states"})  # what a visitor sees before the browser has said so
LIVE = frozenset({"norms", "optimiser"})  # what follows the hand while a control is dragged
DETAIL = ("focus", "stream")
# Both ends of a slider's track, and the values that it names.
TRACKS = {
    "weight_scale": (0.1, 10.0, ((0.1, "0.1"), (0.2, "0.2"), (0.5, "0.5"), (1, "1"), (2, "2"), (5, "5"), (10, "10"))),
    "clip_threshold": (1e-4, 1e4, ((1e-4, "10⁻⁴"), (1e-2, "10⁻²"), (1, "1"), (1e2, "10²"), (1e4, "10⁴"))),
}


def payload(values: Mapping[str, Any], ask: Ask, theme: Theme, pin=None, hidden=frozenset()) -> dict[str, Any]:
    """What `stage.js` reads.

    Args:
        values: the settings.
        ask: what the browser asked for.
        theme: the page's colours.
        pin: the settings of an earlier run that lies under this one, or None.
        hidden: names of the controls that the address hides.
    """
    sent = {
        "asked": ask.id, "live": ask.live, "stamp": _stamp(values, theme, pin), "problem": "", "detail": [],
        "theme": dressed(theme), "sliders": [_slider(name, values, hidden) for name in TRACKS],
    }  # fmt: skip
    try:
        subject = subject_of(question(values), pin)
        sent["detail"] = [_view(name, values, subject) for name in DETAIL if name not in hidden]
        visible = ask.visible if ask.visible is not None else FIRST_SEEN
        wanted = visible & LIVE if ask.live else visible
        wanted = {name for name in wanted if ask.drawn.get(name) != sent["stamp"]}
        charts = [_chart(chart, subject, theme, values, hidden, chart.name in wanted) for chart in CHARTS.values()]
    except RnnvizError as problem:
        sent["problem"] = plain(problem)
        charts = [_named(chart) for chart in CHARTS.values()]
    return {**sent, "charts": charts}


def subject_of(asked: Question, pin: Mapping[str, Any] | None = None) -> Subject:
    """The runs that a question compares, above those of a pinned question.

    Raises:
        RnnvizError: for settings that do not go together, or over the budget.
    """
    runs = asked.runs()
    pinned = question(pin).runs() if pin else ()
    same = {(run.name, run.config) for run in runs}
    other = tuple(run for run in pinned if (run.name, run.config) not in same)
    try:
        check_budget(total_cost(runs + other, GradientFlow), BUDGET)
    except BudgetError as problem:
        raise BudgetError(f"With the pinned run, {problem}") from None
    return Subject(runs, asked.view, other)


def theme_for(name: str | None, projector: bool) -> Theme:
    """The colours for a light or a dark page, larger for a projector."""
    theme = THEMES.get(name, THEMES["light"])
    return theme.projected if projector else theme


def _stamp(*parts: object) -> str:
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()[:12]


def _named(chart: Chart) -> dict[str, Any]:
    return {
        "name": chart.name,
        "question": chart.question,
        "symbols": chart.symbols,
        "steps": chart.steps,
        "drawn": False,
    }


def _chart(chart: Chart, subject: Subject, theme: Theme, values, hidden, wanted: bool) -> dict[str, Any]:
    """A chart with its drawing when it is wanted, else by its name alone."""
    if not wanted:
        return _named(chart)
    drawing = drawn(chart, subject, theme)
    views = [_view(name, values, subject) for name in chart.views if name not in hidden]
    return _named(chart) | {
        "drawn": True, "answer": drawing.answer, "notes": drawing.notes, "views": views,
        "badges": [_badge(badge, subject.runs, theme) for badge in drawing.badges], "figure": encoded(drawing.figure),
    }  # fmt: skip


def drawn(chart: Chart, subject: Subject, theme: Theme) -> Drawing:
    """The chart, or the sentence that says why there is none."""
    try:
        return chart.draw(subject, theme)
    except RnnvizError as problem:
        return Drawing({}, plain(problem))
    except Exception:  # one chart must not take the page with it; the log has the trace
        LOG.exception("chart %s", chart.name)
        return Drawing({}, "This chart could not be drawn for these settings; the others stand.")


def _badge(badge: tuple[str, str, str], runs: tuple[Run, ...], theme: Theme) -> dict[str, str]:
    name, text, kind = badge
    label = next(run.label for run in runs if run.name == name)
    return {"label": label, "text": text, "kind": kind, "colour": theme.colour(name)}


def _slider(name: str, values: Mapping[str, Any], hidden) -> dict[str, Any]:
    declared, (low, high, ticks) = KNOBS[name], TRACKS[name]
    idle = name == "clip_threshold" and values["clip"] == "off"
    return {
        "name": name, "label": declared.label, "help": declared.help, "value": values[name], "low": declared.low,
        "high": declared.high, "track": {"low": low, "high": high}, "ticks": ticks, "hidden": idle or name in hidden,
    }  # fmt: skip


def _view(name: str, values: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """A chart's own switch, with the choices that make sense for what is shown."""
    declared = KNOBS[name]
    options = _options(name, declared, subject)
    measured = "relative" if subject.relative else "absolute"  # a threshold or a limit may decide it
    shown = {"focus": subject.focus.name, "stream": str(subject.stream), "measure": measured}
    value = shown.get(name, values[name])
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


def _options(name: str, declared: Knob, subject: Subject) -> list[tuple[str, str]]:
    flow = subject.focus.flow if name in ("stream", "states") else None
    if name == "focus":
        return [(run.name, run.label) for run in subject.runs]
    if name == "stream":
        return [(str(s), stream.label) for s, stream in enumerate(flow.streams)]
    if name == "states":
        known = {"hidden", *(["cell"] if flow.cell is not None else []), *flow.gates}
        return [(value, label) for value, label in declared.choices.items() if value in known]
    return list(declared.choices.items())
