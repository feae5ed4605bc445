"""The film strip: how far back the gradient reaches, at every look at a network that learns."""

from typing import Any

import numpy as np

from rnnviz.experiments.history import Course
from rnnviz.figures.chart import Drawing
from rnnviz.figures.learners import LearningSubject, badge, colour, fate, short, steps_text, update_axis
from rnnviz.figures.theme import SEQUENTIAL, Theme, axis, blank, colour_bar, note

HEIGHTS = {1: 250, 2: 330, 3: 400, 4: 480}  # pixels, by the number of strips
TITLE, LEGEND = 24, 22  # pixels above each strip, and above all of them
DEEPEST, HIGHEST = -6.0, 2.0  # decades that the colours tell apart, at most
MOST_COLUMNS, MOST_ROWS = 160, 64  # of a strip: there are few more pixels to draw them on
ROOM = 0.45  # of the axis behind a strip that has ended, for words to stand there
# A line that can be seen on every colour of the scale: white, on black or on a shade.
CASING, SHADE, INNER = "#000000", "rgba(0, 0, 0, 0.4)", "#FFFFFF"


def film_strip(subject: LearningSubject, theme: Theme) -> Drawing:
    """How far back does the gradient reach while it learns?

    One strip a variant, from left to right as it learns; each column is a look at one moment. The loss stands at the
    last step T, at the top, and the gradient travels down from it, into the past: the colour at step t is the share of
    the signal at step T that arrives at step t, ‖∂L_T/∂(h_t, c_t)‖ as a power of ten, over a fixed batch of held-out
    sequences and for the loss at the last step alone. Bright is much, dark is little; all below a millionth has the
    darkest colour, and exactly nothing has none. Above the solid line more than 1 % of the signal is left: it is the
    memory horizon, and it sinks as the network learns to remember. The dashed line is the step that the task asks for.

    Args:
        subject: a training's history, and how to show it.
        theme: the page's colours.
    """
    if not subject.begun:
        return Drawing(
            {}, "Press Train: how far back the gradient reaches will be drawn here, as it changes while they learn."
        )
    courses = subject.history.courses
    figure = blank(theme, HEIGHTS[len(courses)])
    layout = figure["layout"]
    inner = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    layout["xaxis"] = update_axis(subject, theme, showgrid=False, anchor=_y(len(courses)), showline=False)
    layout["coloraxis"] = _colours(courses, theme)
    each = (inner - LEGEND * theme.scale) / len(courses)
    for place, course in enumerate(courses, start=1):
        top = inner - LEGEND * theme.scale - (place - 1) * each
        domain = [(top - each) / inner, (top - TITLE * theme.scale) / inner]
        _strip(figure, course, subject, place, domain, theme)
    layout["annotations"].append(note(
        theme, "solid: 1 % is left · dashed: what the task asks for", xref="paper", yref="paper", x=0, y=1,
        xanchor="left", yanchor="top", borderpad=0, font={"color": theme.faint, "size": round(12 * theme.scale)},
    ))  # fmt: skip
    told = tuple(badge(course, _badge_text(course, subject), theme) for course in courses)
    return Drawing(figure, _answer(subject), _notes(subject), told)


def _y(place: int) -> str:
    return "y" if place == 1 else f"y{place}"


def _colours(courses: tuple[Course, ...], theme: Theme) -> dict[str, Any]:
    """One scale for all strips; only a signal that grows on its way moves its upper end."""
    known = np.concatenate([course.share.ravel() for course in courses])
    high = float(np.ceil(np.clip(known[np.isfinite(known)].max(initial=0.0) - 0.1, 0.0, HIGHEST)))
    places = list(range(int(DEEPEST), int(high) + 1, 2))
    words = ["1" if place == 0 else f"10<sup>{place}</sup>".replace("-", "−") for place in places]
    bar = colour_bar(theme, "share", tickvals=places, ticktext=words)
    return {"cmin": DEEPEST, "cmax": high, "colorscale": SEQUENTIAL, "colorbar": bar}


class _Strip:
    """The columns of one course: every profile stands from its own update to the next one's."""

    def __init__(self, course: Course, last: int):
        share, looks = course.share, len(course.profiled)
        self.steps = share.shape[1]
        self.columns = np.unique([*range(0, looks, -(-looks // MOST_COLUMNS)), looks - 1])
        self.rows = np.unique(np.linspace(0, self.steps - 1, min(self.steps, MOST_ROWS)).round().astype(int))
        self.starts, self.share = course.profiled[self.columns], share[np.ix_(self.columns, self.rows)].T
        self.horizon = _horizon(course)[self.columns]
        least = course.profiled[-1] + last / 100  # what was seen last shall be seen
        self.end = float(course.broke_at or min(max(course.updates, least), last))

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """(C+1,) and (R+1,) the edges of columns and rows."""
        steps = self.rows + 1.0
        between = (steps[1:] + steps[:-1]) / 2
        return np.append(self.starts, self.end), np.concatenate([[0.5], between, [self.steps + 0.5]])

    @property
    def level(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower edge of what is above 1 %, up to the end of the strip."""
        lower = self.steps - self.horizon - 0.5
        return np.append(self.starts, self.end), np.append(lower, lower[-1:])


def _strip(
    figure: dict[str, Any], course: Course, subject: LearningSubject, place: int, domain: list[float], theme: Theme
) -> None:
    """One variant's axis, title, map, horizon and lag."""
    layout, material, name = figure["layout"], subject.history.material, _y(place)
    wanted = max(material.steps - material.lag, 1)
    ticks = sorted({1, material.steps} | ({wanted} if 0.2 < wanted / material.steps < 0.8 else set()))
    layout[f"yaxis{name[1:]}"] = axis(
        theme, domain=domain, range=[0.5, material.steps + 0.5], tickvals=ticks, showgrid=False, anchor="x",
        title={"text": "step t", "standoff": 4},
    )  # fmt: skip
    layout["shapes"].append({
        "type": "rect", "xref": "x domain", "yref": f"{name} domain", "x0": 0, "x1": 1, "y0": 0, "y1": 1,
        "line": {"color": theme.grid, "width": 1}, "layer": "below",
    })  # fmt: skip
    title = f"<b>{short(course.learner)}</b>"
    if len(course.profiled):
        strip = _Strip(course, subject.last)
        figure["data"] += [_map(strip, course, name), *_level(strip, course, name, theme)]
        title += f"   {_from_to(_horizon(course))}"
        _ended(figure, course, strip, name, subject, theme)
    else:
        title += f"   {fate(course, subject.history)}"
        figure["data"].append(_nothing(material.steps, name))
    for width, hue, dash in ((3.0, SHADE, "solid"), (1.5, INNER, "5px 4px")):
        line = {"color": hue, "width": width * theme.scale, "dash": dash}
        end = strip.end if len(course.profiled) else subject.last
        layout["shapes"].append({
            "type": "line", "name": "lag", "xref": "x", "yref": name, "x0": 0, "x1": end, "y0": wanted, "y1": wanted,
            "line": line,
        })  # fmt: skip
    layout["annotations"].append(note(
        theme, title, xref="paper", yref=f"{name} domain", x=0, y=1, xanchor="left", yanchor="bottom", borderpad=2,
        font={"color": colour(course.learner, theme), "size": round(13 * theme.scale)},
    ))  # fmt: skip


def _nothing(steps: int, name: str) -> dict[str, Any]:
    """An invisible point: plotly draws no axis without a trace, and stumbles over one that comes later."""
    return {"type": "scatter", "mode": "markers", "x": [0], "y": [steps], "yaxis": name, "marker": {"opacity": 0},
            "hoverinfo": "skip", "name": "nothing yet"}  # fmt: skip


def _map(strip: _Strip, course: Course, name: str) -> dict[str, Any]:
    """The colours; what is below the scale has its darkest one, exactly nothing has none."""
    x, y = strip.edges
    told = np.broadcast_to(strip.starts, strip.share.shape)
    return {
        "type": "heatmap", "name": short(course.learner), "x": x.astype(np.float32), "y": y.astype(np.float32),
        "z": np.where(np.isfinite(strip.share), strip.share, np.nan).astype(np.float32), "coloraxis": "coloraxis",
        "yaxis": name, "customdata": told.astype(np.float32),
        "hovertemplate": "update %{customdata}: 10<sup>%{z:.2f}</sup> of the signal<br>arrives at step %{y:.0f}",
    }  # fmt: skip


def _level(strip: _Strip, course: Course, name: str, theme: Theme) -> list[dict[str, Any]]:
    """The line above which 1 % is left."""
    x, y = strip.level
    common = {
        "type": "scatter", "mode": "lines", "yaxis": name, "x": x.astype(np.float32), "y": y.astype(np.float32),
        "hoverinfo": "skip", "name": f"{short(course.learner)}, 1 % left",
    }  # fmt: skip
    return [
        common | {"line": {"color": hue, "width": width * theme.scale, "shape": "hv"}}
        for width, hue in ((3.6, CASING), (1.8, INNER))
    ]


def _ended(
    figure: dict[str, Any], course: Course, strip: _Strip, name: str, subject: LearningSubject, theme: Theme
) -> None:
    """A cross where a strip broke, and in the empty room behind a strip that has ended, why."""
    hue = colour(course.learner, theme)
    if course.broke_at:
        figure["data"].append({
            "type": "scatter", "mode": "markers", "yaxis": name, "name": fate(course, subject.history),
            "x": np.array([strip.end], np.float32), "y": np.array([(strip.steps + 1) / 2], np.float32),
            "marker": {"symbol": "x", "size": 11 * theme.scale, "color": hue}, "cliponaxis": False,
            "hoverinfo": "x+name",
        })  # fmt: skip
    if course.state in ("solved", "diverged") and strip.end <= (1 - ROOM) * subject.last:
        figure["layout"]["annotations"].append(note(
            theme, fate(course, subject.history), x=strip.end, yref=name, y=(strip.steps + 1) / 2, xanchor="left",
            yanchor="middle", xshift=12 * theme.scale, font={"color": hue, "size": round(12 * theme.scale)},
        ))  # fmt: skip


def _horizon(course: Course) -> np.ndarray:
    """(P,) steps; not a number where there is no signal at the last step."""
    return np.where(np.isfinite(course.share[:, -1]), course.horizon(), np.nan)


def _from_to(horizon: np.ndarray) -> str:
    """The horizon at the first and at the last look."""
    now = f"{_steps(horizon[-1])} back"
    return now if len(horizon) == 1 else f"{_count(horizon[0])} → {now}"


def _count(horizon: float) -> str:
    return "none" if np.isnan(horizon) else f"{horizon:.0f}"


def _steps(horizon: float) -> str:
    return "no step" if np.isnan(horizon) else steps_text(int(horizon))


def _badge_text(course: Course, subject: LearningSubject) -> str:
    state = fate(course, subject.history)
    if not len(course.profiled):
        return state
    return f"1 % of the signal reaches {_from_to(_horizon(course))}; {state}"


def _answer(subject: LearningSubject) -> str:
    """The horizon at the first and at the last look of every variant, and what the task asks for."""
    told = []
    for course in subject.courses:
        if not len(course.profiled):
            continue
        horizon, last = _horizon(course), int(course.profiled[-1])
        verb = "the signal stays above 1 % for " if not told else ""
        start = f"{course.learner.label}: {verb}{_steps(horizon[0])} at the start"
        told.append(start if not last else f"{start} and {_count(horizon[-1])} after {steps_text(last, 'update')}")
    if not told:
        return "No gradient could be measured: the weights are no numbers."
    return f"{'; '.join(told)}; the task asks for {subject.history.material.lag}."


def _notes(subject: LearningSubject) -> tuple[str, ...]:
    notes = [subject.history.material.lag_text]
    known = np.concatenate([course.share.ravel() for course in subject.courses])
    if (known[np.isfinite(known)] > HIGHEST).any():
        notes.append("A signal that has grown more than a hundredfold has the brightest colour.")
    return tuple(notes)
