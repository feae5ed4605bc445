"""Every training preset: allowed settings, a claim that holds by real training, and a true number in each place."""

import re
from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from rnnviz.core.readings import power_text
from rnnviz.experiments.knobs import knobs
from rnnviz.experiments.training import Training
from rnnviz.learning import train
from rnnviz.lessons.trainings import TRAININGS, preset_training
from tests.lessons.test_presets import numbers, same_digits, sentences

KNOBS = knobs(Training)
DEFAULTS = {field.name: field.default for field in fields(Training)}
SEEDS = (1, 2)  # beside the preset's own

every = pytest.mark.parametrize("preset", TRAININGS.values(), ids=TRAININGS)


def history_of(name, then=False, seed=0):
    return trained(name, then, seed)


@cache
def trained(name, then, seed):
    preset = TRAININGS[name]
    trainer = train(preset_training(preset, seed=seed, **(preset.then if then else {})))
    for _ in trainer:
        pass
    return trainer.history


def courses(name, then=False):
    """{cell, or clipping where that is what differs: course}."""
    found = history_of(name, then).courses
    return {c.learner.clip if len(found) == 2 else c.learner.cell: c for c in found}


def solved_at(name, cell, then=False):
    return courses(name, then)[cell].solved_at


def at_most(bound, values):
    """The bound itself when all of a history's values keep it, and the one that does not otherwise.

    Another processor rounds otherwise, which moves the end of a long training, so that a story gives round numbers.
    """
    return lambda: max(bound, *values())


def at_first(name, cell):
    return lambda: courses(name)[cell].horizon()[0]


def in_the_end(name, cell):
    return lambda: courses(name)[cell].horizon()[-1]


THIRTY, SAVED, ORDER, MONTH = TRAININGS

# What each number in a story is; settings of the preset or of its next step need no line.
FACTS = {
    THIRTY: {
        "30": lambda: history_of(THIRTY).material.steps,
        "500": at_most(500, lambda: [solved_at(THIRTY, cell) for cell in ("gru", "irnn")]),
        "650": lambda: 650 if abs(solved_at(THIRTY, "lstm") - 650) <= 50 else solved_at(THIRTY, "lstm"),
        "1000": lambda: courses(THIRTY)["rnn"].updates,
        "9": at_first(THIRTY, "gru"),
        "7": at_first(THIRTY, "lstm"),
        "29": in_the_end(THIRTY, "lstm"),
    },
    SAVED: {
        "95": lambda: courses(SAVED)["off"].norm_before[0],
        "0.38": lambda: courses(SAVED)["off"].loss[0],
        "5e14": lambda: courses(SAVED)["off"].loss[1],
        "4": lambda: courses(SAVED)["off"].broke_at,
        "1": lambda: history_of(SAVED).training.clip_threshold,
        "500": lambda: courses(SAVED)["norm"].updates,
        "0.66": at_most(0.66, lambda: courses(SAVED)["norm"].loss),
    },
    ORDER: {
        "20": lambda: history_of(ORDER).material.steps,
        "250": at_most(250, lambda: [course.solved_at for course in history_of(ORDER).courses]),
        "19": in_the_end(ORDER, "lstm"),
        "7": at_first(ORDER, "lstm"),
    },
    MONTH: {
        "11": lambda: history_of(MONTH).material.lag,
        "6": lambda: min(c.horizon()[0] for c in history_of(MONTH).courses),
        "8": lambda: max(c.horizon()[0] for c in history_of(MONTH).courses),
        "200": at_most(200, lambda: [c.solved_at for c in history_of(MONTH).courses]),
        "20": lambda: min(20, *(c.horizon()[-1] for c in history_of(MONTH).courses)),
    },
}


def states(name, then=False):
    return {cell: course.state for cell, course in courses(name, then).items()}


# What the words of a story say, beside its numbers.
WORDS = {
    THIRTY: lambda: (
        in_the_end(THIRTY, "gru")() == 29
        and courses(THIRTY)["rnn"].score[-1] > 0.35
        and all(solved_at(THIRTY, cell, True) < solved_at(THIRTY, "lstm", True) for cell in ("gru", "irnn"))
    ),
    SAVED: lambda: (
        0.85 < courses(SAVED)["norm"].clipped_share < 0.92
        and states(SAVED, True) == {"off": "finished", "norm": "finished"}
    ),
    ORDER: lambda: (
        set(states(ORDER).values()) == {"solved"}
        and states(ORDER, True) == {"lstm": "finished", "gru": "solved", "irnn": "solved", "rnn": "finished"}
        and max(courses(ORDER, True)[cell].score[-1] for cell in ("lstm", "rnn")) < 0.3
    ),
    MONTH: lambda: set(states(MONTH, True).values()) == {"solved"} and history_of(MONTH, True).material.lag < 11,
}
BREAKS = (SAVED, ORDER, MONTH)  # whose last sentence leaves the claim behind


def test_the_table():
    assert list(TRAININGS) == list(FACTS) == list(WORDS)


@every
def test_names_and_words(preset):
    assert TRAININGS[preset.name] is preset
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", preset.name)
    assert 0 < len(preset.label) <= 30
    assert preset.name == preset.label.lower().replace(" ", "-").rstrip("?")
    for text in (preset.story, preset.claim):
        assert text == " ".join(text.split())
        assert text.endswith(".")
    assert len(sentences(preset.claim)) == 1
    assert len(preset.story) < 620


@every
def test_settings_are_allowed_and_differ_from_the_defaults(preset):
    assert preset.then
    for settings in (preset.settings, preset.then):
        for name, value in settings.items():
            assert KNOBS[name].checked(name, value) == value
            assert not KNOBS[name].ladder or value in KNOBS[name].ladder
    for name, value in preset.settings.items():
        assert value != DEFAULTS[name], f"{name} is already {value}"
    for name, value in preset.then.items():
        assert value != preset.settings.get(name, DEFAULTS[name])


@every
def test_the_claim_holds_when_it_is_trained(preset):
    assert preset.holds(history_of(preset.name)) is True


@pytest.mark.parametrize("seed", SEEDS)
@every
def test_the_claim_holds_under_other_seeds(preset, seed):
    assert preset.holds(history_of(preset.name, seed=seed)) is True


@every
def test_the_claim_can_fail(preset):
    trainer = train(preset_training(preset))
    assert preset.holds(trainer.history) is False
    for _ in range(30):
        next(trainer)
    assert preset.holds(trainer.history) is False
    assert preset.holds(history_of(preset.name, then=True)) is (preset.name not in BREAKS)


@every
def test_every_number_in_a_story_is_true(preset):
    asked = {f"{value:g}" for value in preset.then.values()}
    told = numbers(preset.story)
    assert told - asked == set(FACTS[preset.name])
    for text, fact in FACTS[preset.name].items():
        value = fact()
        assert same_digits(text, value), f"{preset.name} says {text}, it is {value:.4g}"
        if "e" in text:
            assert power_text(np.log10(value)) in preset.story


@every
def test_the_words_of_a_story_are_true(preset):
    assert WORDS[preset.name]()


@every
def test_the_last_sentence_names_what_to_change(preset):
    last = sentences(preset.story)[-1].lower()
    for name, value in preset.then.items():
        assert f"{KNOBS[name].label.lower()} to {value:g}" in last
