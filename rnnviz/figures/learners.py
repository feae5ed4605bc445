"""What the charts of learning share: their subject, the looks of a variant, its state in words, the update axis."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rnnviz.core.readings import power_text
from rnnviz.experiments.history import Course, History
from rnnviz.experiments.knobs import Checked, knob
from rnnviz.experiments.tasks import Material, material
from rnnviz.experiments.training import Learner, Training
from rnnviz.figures.chart import Badge
from rnnviz.figures.theme import STYLES, Theme, axis

DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class LearningView(Checked):
    """How the charts of a training show what was found; nothing here changes a number.

    Raises:
        ConfigError: for a value that is not allowed; the sentence names the field, what is allowed and what came.
    """

    axis: str = knob(
        "log",
        "Scale",
        "Of losses and errors: powers of ten, on which one sees the last of them go; or equal steps.",
        choices={"log": "Powers of ten", "linear": "Equal steps"},
    )
    projector: bool = knob(
        False,
        "Projector",
        "Larger type and thicker lines, for the back row.",
    )


@dataclass(frozen=True, eq=False)
class LearningSubject:
    """What charts of learning are drawn from.

    Attributes:
        history: all that was found so far; None before the first training.
        view: how to show it.
        training: what the settings ask for at this moment, which need not be what was trained; None where nothing is.
    """

    history: History | None = None
    view: LearningView = field(default_factory=LearningView)
    training: Training | None = None

    @cached_property
    def material(self) -> Material | None:
        """The task that is asked for, made ready.

        Raises:
            RnnvizError: for a text or a series too short for the length that is asked, or a text that teaches nothing.
        """
        return self.training and material(self.training)

    @property
    def begun(self) -> bool:
        """Whether there is an update to show."""
        return bool(self.courses)

    @property
    def courses(self) -> tuple[Course, ...]:
        """Those that have made an update."""
        return tuple(course for course in self.history.courses if course.updates) if self.history else ()

    @property
    def last(self) -> int:
        """The end of the update axis: all that were asked for, or the last one when every course ended before."""
        return max(course.updates for course in self.courses) if self.history.done else self.history.training.updates

    def offers(self, name: str) -> list[tuple[str, str]] | None:
        """Every choice of a view makes sense for every history."""
        return None

    def shown(self, name: str, value: Any) -> Any:
        """A view shows what is chosen."""
        return value


def colour(learner: Learner, theme: Theme) -> str:
    """A variant has the colour of its cell."""
    return theme.colour(learner.cell)


def dash(learner: Learner, training: Training) -> str:
    """Variants of one cell are told apart by their dashes."""
    family = [other.name for other in training.learners if other.cell == learner.cell]
    return DASHES[family.index(learner.name)]


def marker(learner: Learner, training: Training) -> str:
    """The symbol of its cell, hollow for every second variant of it."""
    family = [other.name for other in training.learners if other.cell == learner.cell]
    return STYLES[learner.cell].marker + "-open" * (family.index(learner.name) % 2)


def short(learner: Learner) -> str:
    """Its label for inside a chart, without what stands in brackets."""
    return re.sub(r" \(.*?\)", "", learner.label)


def value_text(value: float, digits: int = 3) -> str:
    """A loss, a score or a norm for a reader: to so many digits, or as a power of ten.

    >>> value_text(1 / 6), value_text(3.2e22), value_text(99.6, 2)
    ('0.167', '3·10²²', '100')
    """
    if value == 0:
        return "0"
    if not np.isfinite(value):
        return "not a number"
    if 1e-3 <= value < 10**digits:
        return f"{float(f'{value:.{digits}g}'):g}"
    return power_text(float(np.log10(value))) if value > 0 else f"{value:.{digits}g}"


def subject_text(learner: Learner) -> str:
    """Its label as the subject of a sentence, closed by a comma where it holds one."""
    return learner.label + "," * ("," in short(learner))


def steps_text(count: int, word: str = "step") -> str:
    """A count with its word.

    >>> steps_text(1), steps_text(29), steps_text(1, "update")
    ('1 step', '29 steps', '1 update')
    """
    return f"{count} {word}{'s' * int(count != 1)}"


def at_goal(course: Course, history: History) -> bool:
    """Whether its last score reaches the goal, which ends a course only when it shall stop there."""
    return len(course.score) > 0 and bool(history.material.is_solved(course.score[-1]))


def fate(course: Course, history: History) -> str:
    """A course's state in a few words."""
    ended = "at its goal after" if at_goal(course, history) else "not solved in"
    return {
        "waiting": "waits for its turn",
        "training": "learning",
        "solved": f"solved at update {course.updates}",
        "stopped": f"stopped after {steps_text(course.updates, 'update')}"
        if course.updates
        else "stopped before it began",
        "finished": f"{ended} {steps_text(course.updates, 'update')}",
        "diverged": f"broke at update {course.updates}",
    }[course.state]


def badges(history: History, theme: Theme) -> tuple[Badge, ...]:
    """The state of every variant; of the kinds "solved", "diverged", and "steady" for all others."""
    return tuple(badge(course, fate(course, history), theme) for course in history.courses)


def badge(course: Course, text: str, theme: Theme) -> Badge:
    """A few words about a course, of the kind of its state."""
    kind = course.state if course.state in ("solved", "diverged") else "steady"
    return Badge(course.learner.label, text, kind, colour(course.learner, theme))


def update_axis(subject: LearningSubject, theme: Theme, **rest: Any) -> dict[str, Any]:
    """The axis that counts updates; its ends stay put while the training goes on."""
    last = subject.last
    few = {"dtick": 1} if last < 8 else {"nticks": 7}
    return axis(theme, title={"text": "update"}, range=[0, last], tickformat="d", **few, **rest)
