"""How networks learn: their losses, their gradients' norms and their scores on held-out data, update by update."""

from collections.abc import Sequence

import numpy as np

from rnnviz.experiments.history import Course, History
from rnnviz.figures.chart import Drawing
from rnnviz.figures.curves import WINDOW, Series, across, bounds, draw, frame, placed, round_up, value_axis
from rnnviz.figures.decades import span
from rnnviz.figures.learners import (
    LearningSubject,
    at_goal,
    badge,
    badges,
    steps_text,
    subject_text,
    value_text,
)
from rnnviz.figures.theme import Theme

HEIGHT = 330
MOST_ABOVE = 3.0  # decades above chance that a loss may take the axis with it
HIGHEST, DEEPEST = 6.0, 8.0  # decades above and below clipping's limit that a norm may take the axis with it
WORST = 2.0  # decades by which an error may rise above its first value, and take the axis with it


def losses(subject: LearningSubject, theme: Theme) -> Drawing:
    """Do they learn?

    Each strong line is the training loss of one variant, the median of the 25 updates around each; pale behind it is
    the loss of every single batch, before its update. Beyond 600 updates the pale line joins the smallest and the
    largest loss of each 300th part of the training. The dashed line is chance: the loss of whoever has understood
    nothing of the task and always says the same. A disc ends the line of a variant that has solved the task on held-out
    data, a cross that of one that broke: its loss or its gradient was no number any more.

    Args:
        subject: a training's history, and how to show it.
        theme: the page's colours.
    """
    if not subject.begun:
        return Drawing({}, "Press Train: the loss of every variant will be drawn here, beside that of chance.")
    history, log = subject.history, subject.view.axis == "log"
    chance = history.material.chance
    series = [Series(course, course.loss, log) for course in subject.courses]
    figure = frame(subject, theme, HEIGHT)
    ends = _loss_ends(series, chance, log)
    figure["layout"]["yaxis"] = value_axis(theme, "training loss", ends, log)
    across(figure, placed(chance, log), "chance", f"chance<br>{value_text(chance)}", theme)
    draw(figure, series, history, theme)
    answer = "; ".join(_learnt(course, history) for course in history.courses)
    notes = [history.material.chance_text, *_beyond(series, ends)]
    return Drawing(figure, f"{answer}.", tuple(notes), badges(history, theme))


def norms_per_update(subject: LearningSubject, theme: Theme) -> Drawing:
    """How large are the gradients, and how many are clipped?

    Each strong line is the length (norm) of the gradient of all parameters together before clipping, as a power of ten,
    the median of the 25 updates around each; pale behind it is every single one. Beyond 600 updates the pale line joins
    the smallest and the largest of each 300th part of the training. The dotted line is the norm after clipping, where a
    variant's gradients were clipped. The dashed line is the limit that clipping sets. A cross at the upper edge is a
    norm that is infinite or not a number.

    Args:
        subject: a training's history, and how to show it.
        theme: the page's colours.
    """
    if not subject.begun:
        return Drawing(
            {}, "Press Train: the gradient's norm at every update will be drawn here, with clipping's limit."
        )
    history, limit = subject.history, subject.history.training.clip_threshold
    clips = {course.learner.clip for course in history.courses} - {"off"}
    before = [Series(course, course.norm_before, True) for course in subject.courses]
    after = [Series(course, course.norm_after, True) for course in subject.courses if course.clipped.any()]
    figure = frame(subject, theme, HEIGHT)
    ends = _norm_ends(before, np.log10(limit) if clips else None)
    figure["layout"]["yaxis"] = value_axis(theme, "gradient norm", ends, True)
    if clips:
        across(figure, float(np.log10(limit)), "limit", f"limit<br>{value_text(limit)}", theme)
    draw(figure, before, history, theme, states=False)
    figure["data"] += [line.after_clipping(history, theme, ends) for line in after]
    answer = "; ".join(_sizes(course) for course in subject.courses)
    told = tuple(badge(course, _clipped(course), theme) for course in subject.courses)
    return Drawing(figure, f"Norms before clipping: {answer}.", _norm_notes(subject.courses), told)


def held_out(subject: LearningSubject, theme: Theme) -> Drawing:
    """Have they understood, or memorised?

    Each line is the task's own score of one variant on held-out data; every dot is one look at them. The dashed line is
    the goal: a variant that reaches it at two looks in a row has solved the task, and its line ends in a disc; a cross
    ends that of one that broke. A network whose loss is much larger on held-out data than in training has memorised
    instead of understood.

    Args:
        subject: a training's history, and how to show it.
        theme: the page's colours.
    """
    if not subject.begun:
        return Drawing(
            {}, "Press Train: the score on data that no variant is trained on will be drawn here, with the goal."
        )
    history, task = subject.history, subject.history.material.task
    log = subject.view.axis == "log" and not task.higher
    series = [Series(course, course.score, log, course.evaluated) for course in subject.courses]
    figure = frame(subject, theme, HEIGHT)
    goal = history.material.goal
    ends = _score_ends(series, goal, log, task.higher)
    figure["layout"]["yaxis"] = value_axis(theme, task.measure.split(" (")[0].split(", ")[0], ends, log)
    sign = "≥" if task.higher else "≤"
    if not log or goal > 0:
        across(figure, placed(goal, log), "goal", f"goal<br>{sign} {value_text(goal)}", theme)
    draw(figure, series, history, theme)
    apart = history.material.held_out_text
    notes = (*_gaps(subject.courses), *((apart,) if apart else ()))
    return Drawing(figure, _scores(subject), notes, badges(history, theme))


def _loss_ends(series: Sequence[Series], chance: float, log: bool) -> list[float]:
    """From below the lowest line to above the highest, but no higher than a thousand times chance."""
    level = float(placed(chance, log))
    smooth = bounds([line.smooth for line in series], level)
    if log:
        return span(min(smooth[0], level) - 0.5, min(max(smooth[1], level) + 0.3, level + MOST_ABOVE))
    return [0.0, round_up(min(max(smooth[1], 1.2 * chance), 10 * chance))]


def _norm_ends(series: Sequence[Series], limit: float | None) -> list[float]:
    """Around the limit and most of the norms; what has exploded may leave it."""
    smooth, single = (bounds(values) for values in ([line.smooth for line in series], [line.y for line in series]))
    level = smooth[0] if limit is None else limit
    low = max(min(single[0], level), min(smooth[0], level) - 1.0, level - DEEPEST)
    return span(low, min(max(single[1], level), level + HIGHEST) + 0.1, least=2.0)


def _score_ends(series: Sequence[Series], goal: float, log: bool, higher: bool) -> list[float]:
    """Around all scores and the goal; shares have one axis, and an error that has exploded may leave its own."""
    line = [float(placed(goal, log))] if goal > 0 or not log else []
    low, high = bounds([each.y for each in series], *line)
    first = bounds([each.y[:1] for each in series], *line)[1]
    if log:
        return span(low - 0.1, min(high, first + WORST) + 0.1)
    if higher and low >= 0 and high <= 1:
        return [0.0, 1.05]
    return [min(0.0, 1.1 * low), round_up(high if higher else min(high, 3 * first))]


def _learnt(course: Course, history: History) -> str:
    """What became of one course, and how its loss stands beside chance."""
    who, made = subject_text(course.learner), course.updates
    if not made:
        return f"{who} was stopped before it began" if course.state == "stopped" else f"{who} waits for its turn"
    if course.state == "diverged":
        return f"{who} broke at update {made}, {_broken(course)}"
    now = _now(course)
    if course.state == "solved":
        return f"{who} solved the task at update {made} (loss {value_text(now, 2)})"
    verbs = {"training": "has made", "stopped": "was stopped after"}
    verb = verbs.get(course.state, "has not solved it in")
    verb = "is at its goal after" if at_goal(course, history) else verb
    beside = _beside(now, history.material.chance)
    return f"{who} {verb} {steps_text(made, 'update')} (loss {value_text(now, 2)}, {beside})"


def _broken(course: Course) -> str:
    if not np.isfinite(course.loss[-1]):
        return "where its loss was no number any more"
    if not np.isfinite(course.norm_before[-1]):
        return "where its gradient was no number any more"
    return "its last: what it says of the held-out data is no number any more"


def _now(course: Course) -> float:
    """The median of the last losses that are numbers."""
    known = course.loss[np.isfinite(course.loss)]
    return float(np.median(known[-WINDOW:])) if known.size else np.nan


def _beside(loss: float, chance: float) -> str:
    """A loss in units of chance.

    >>> _beside(0.16, 1 / 6), _beside(0.002, 1 / 6), _beside(1.0, 1 / 6)
    ('no better than chance', '1.2 % of chance', 'worse than chance')
    """
    share = loss / chance
    if share > 1.05:
        return "worse than chance"
    return "no better than chance" if share > 0.95 else f"{value_text(100 * share, 2)} % of chance"


def _beyond(series: Sequence[Series], ends: Sequence[float]) -> list[str]:
    left = [line.learner.label for line in series if (line.smooth > ends[1]).any()]
    return [f"The losses of {' and '.join(left)} leave the chart at its upper edge."] if left else []


def _sizes(course: Course) -> str:
    known = np.where(np.isfinite(course.norm_before), course.norm_before, -1.0)
    if known.max() < 0:
        return f"{course.learner.label}: none that is a number"
    middle, most = value_text(np.median(known[known >= 0]), 2), value_text(known.max(), 2)
    return (
        f"{course.learner.label}: {middle} in the median and {most} at most (update {known.argmax() + 1}), "
        f"{_clipped(course)}"
    )


def _clipped(course: Course) -> str:
    """How many of a course's updates were clipped."""
    if course.learner.clip == "off":
        return "no clipping"
    share = 100 * course.clipped_share
    if share == 0:
        return "never clipped"
    return "clipped at every update" if share == 100 else f"clipped at {value_text(share, 2)} % of the updates"


def _norm_notes(courses: Sequence[Course]) -> tuple[str, ...]:
    notes = []
    if any(course.learner.clip == "value" for course in courses):
        notes.append("By value the limit holds for every single entry, so that the norm of all may stay above it.")
    for course in courses:
        broken = course.state == "diverged" and not np.isfinite(course.norm_before[-1])
        beyond = np.flatnonzero(np.isinf(course.norm_before[: course.updates - broken])) + 1
        if broken:
            told = f"the norm at update {course.updates} is not a number; clipping cannot mend that."
            notes.append(f"{course.learner.label}: {told}")
        if len(beyond):
            then = " clip_grad_norm_ makes such a gradient zero." if course.learner.clip == "norm" else ""
            notes.append(f"{course.learner.label}: the norm at update {beyond[0]} is beyond float32.{then}")
    return tuple(notes)


def _scores(subject: LearningSubject) -> str:
    """Every variant's last score, and the goal."""
    material = subject.history.material
    found = [
        f"{course.learner.label}: {value_text(course.score[-1], 2)} after {steps_text(course.evaluated[-1], 'update')}"
        for course in subject.courses
        if len(course.score)
    ]
    measure = material.task.measure
    bound = "at least" if material.task.higher else "at most"
    told = "; ".join(found) or "nothing yet"
    return (
        f"{measure[0].upper()}{measure[1:]} on held-out data: {told}; the goal is {bound} {value_text(material.goal)}."
    )


def _gaps(courses: Sequence[Course]) -> tuple[str, ...]:
    """The loss on held-out data beside that in training."""
    found = [
        f"{course.learner.label}: {value_text(course.held_out[-1], 2)} and {value_text(_now(course), 2)}"
        for course in courses
        if len(course.held_out)
    ]
    return (f"Loss on held-out data and in training: {'; '.join(found)}.",) if found else ()
