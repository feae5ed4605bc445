"""Trainings worth watching: settings with a short story and a claim that the finished history must keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rnnviz.experiments.history import Course, History
from rnnviz.experiments.training import Training

SEASON = 11  # steps from the last month of a window back to the month that is asked for, a year earlier
EXPLODED, TAME = 1e5, 100.0  # losses of a task whose chance level is 0.17


@dataclass(frozen=True)
class TrainingPreset:
    """A training worth watching; each ends in under 20 s on two cores.

    Attributes:
        name: the word in links.
        label: the words on the screen.
        settings: fields of `Training` that differ from their defaults.
        story: what to look at, why it is so, and in the last sentence one thing to try.
        then: the settings that the last sentence asks for, on top of `settings`.
        claim: what the finished training shows, in a sentence.
        holds: whether a history keeps the claim; one that is not finished does not.
    """

    name: str
    label: str
    settings: Mapping[str, Any]
    story: str
    then: Mapping[str, Any]
    claim: str
    holds: Callable[[History], bool]


def preset_training(preset: TrainingPreset, **changes: Any) -> Training:
    """What a preset trains.

    Args:
        preset: a value of `TRAININGS`.
        changes: settings that take the place of the preset's, such as a seed.

    >>> preset_training(TRAININGS["which-came-first"], seed=3).task
    'order'
    """
    return Training(**{**preset.settings, **changes})


def _solved(*courses: Course) -> bool:
    return all(course.state == "solved" for course in courses)


def _grew(course: Course, low: int, high: int) -> bool:
    """Whether the signal reached less than `low` steps back before the training, and `high` or more after it."""
    horizon = course.horizon()
    return bool(horizon[0] < low and horizon[-1] >= high)


def _thirty(history: History) -> bool:
    lstm, gru, irnn, tanh = history.courses
    return _solved(lstm, gru, irnn) and tanh.state == "finished" and all(_grew(c, 15, 29) for c in (lstm, gru))


def _saved(history: History) -> bool:
    unclipped, clipped = history.courses
    if not history.done:
        return False
    exploded = unclipped.state == "diverged" or unclipped.loss.max() > EXPLODED
    return bool(exploded and clipped.state == "finished" and clipped.loss.max() < TAME)


def _order(history: History) -> bool:
    lstm, gru, irnn, _ = history.courses
    return _solved(lstm, gru, irnn) and history.done and all(_grew(c, 15, 19) for c in (lstm, gru))


def _month(history: History) -> bool:
    return _solved(*history.courses) and all(_grew(course, SEASON, SEASON) for course in history.courses)


TABLE = (
    TrainingPreset(
        "who-remembers-thirty-steps",
        "Who remembers thirty steps?",
        {},
        "Two of 30 numbers are marked, and their sum is asked for after the last step. The GRU and the IRNN have it "
        "within 500 updates, the LSTM after some 650; the tanh network still guesses after 1000. In the film strip the "
        "signal of the GRU reaches 9 steps back at first and that of the LSTM 7, and all 29 once they have learnt. "
        "Then set Length to 50: all three still solve it, the LSTM last.",
        {"length": 50},
        "LSTM, GRU and IRNN solve the adding problem over 30 steps and the tanh network does not; the LSTM's and the "
        "GRU's memory horizon grows to the whole sequence.",
        _thirty,
    ),
    TrainingPreset(
        "clipping-keeps-the-irnn-alive",
        "Clipping keeps the IRNN alive",
        {
            "cells": ("irnn",),
            "clips": ("off", "norm"),
            "length": 50,
            "updates": 500,
            "optimiser": "sgd",
            "learning_rate": 0.01,
        },
        "The same network twice, with the same batches and plain gradient descent. Its first gradient has the norm 95: "
        "one step along it lifts the loss from 0.38 to 5·10¹⁴, and at update 4 there is no number left. Clipped to "
        "the norm 1, as nearly nine in ten of them are, it makes all 500 updates, and its loss never passes 0.66: "
        "alive, though it has not learnt more than chance yet. "
        "Then set Learning rate to 0.001: now both live, for the step was too long, not the gradient wrong.",
        {"learning_rate": 0.001},
        "Without clipping the loss of an IRNN explodes in its first updates; clipped by norm it trains to the end.",
        _saved,
    ),
    TrainingPreset(
        "which-came-first",
        "Which came first?",
        {"task": "order", "length": 20},
        "An A or a B stands early among 20 letters and another in the middle: which were they, and in which order? All "
        "four networks find out within 250 updates, and the LSTM's signal comes to reach all 19 steps back, from 7 at "
        "first. Then set Length to 50: the IRNN and the GRU still solve it, the LSTM and the tanh network only guess.",
        {"length": 50},
        "LSTM, GRU and IRNN solve the temporal order problem over 20 steps; the LSTM's and the GRU's memory horizon "
        "grows to the whole sequence.",
        _order,
    ),
    TrainingPreset(
        "the-same-month-last-year",
        "The same month last year",
        {"task": "co2", "cells": ("lstm", "gru", "rnn"), "updates": 500},
        "Real data: by how much will the CO₂ in the air change next month? It follows the seasons, and the same month "
        "of last year stands 11 steps back. The untrained networks' signal fades before it, after 6 to 8 steps; when "
        "they have solved the task, within 200 updates, it reaches 20 steps or more. "
        "Then set Length to 10: last year's month is out of sight, and yet ten months tell the season well enough.",
        {"length": 10},
        "All three networks learn to forecast the CO₂, and their memory horizon grows beyond the month of a year ago.",
        _month,
    ),
)
TRAININGS = {preset.name: preset for preset in TABLE}
