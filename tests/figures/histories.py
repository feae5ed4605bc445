"""Histories of learning made by hand, for the tests of the charts that show them."""

import numpy as np

from rnnviz.experiments.history import Course, History
from rnnviz.experiments.tasks import material
from rnnviz.experiments.training import Training
from rnnviz.figures.learners import LearningSubject, LearningView

EVERY = 25


def course(learner, steps, updates=100, state="training", seed=0, norm=1.0, falls=0.01, reach=0.1, limit=1.0) -> Course:
    """A course whose loss and score fall and whose norms scatter around one.

    Its gradient loses `reach` decades a step, and with every look a tenth less.
    """
    generator, made = np.random.default_rng(seed), np.arange(updates)
    loss = 0.5 * np.exp(-falls * made) * generator.uniform(0.7, 1.4, updates)
    before = norm * np.exp(generator.normal(0.0, 1.0, updates))
    after = np.minimum(before, limit) if learner.clip == "norm" else before.copy()
    if state == "diverged":
        loss[-1] = before[-1] = after[-1] = np.nan
    looks = np.unique([*range(0, updates + 1, EVERY), updates - (state == "diverged")])
    looks = looks if updates else looks[:0]
    paces = -reach * 0.9 ** np.arange(len(looks))
    profile = -0.3 + paces[:, None] * np.arange(steps - 1, -1, -1)[None, :]
    score = 0.7 * np.exp(-falls * looks / 2)
    return Course(learner, loss, before, after, looks, score**2, score, looks, profile, state, 0.01 * updates)


def history(updates=(100,), states=("training",), settings=None, **each) -> History:
    """One course for each learner; the settings of the training are those of `settings`."""
    training = Training(**{"updates": 1000, "length": 30} | (settings or {}))
    steps = material(training).steps
    made = [
        course(learner, steps, updates[i % len(updates)], states[i % len(states)], seed=i, **each)
        for i, learner in enumerate(training.learners)
    ]
    return History(training, tuple(made))


def shown(of: History | None, **view) -> LearningSubject:
    """A history as charts get it."""
    return LearningSubject(of, LearningView(**view))


EVERY_STATE = history((150, 300, 60, 1000), ("training", "solved", "diverged", "finished"))
# By their names, everything that a chart of learning may be asked to show.
HISTORIES = {
    "every state": EVERY_STATE,
    "one update": history((1,)),
    "one update, then none": history((1, 0), ("training", "waiting")),
    "one of four has begun": history((7, 0, 0, 0), ("training", "waiting", "waiting", "waiting")),
    "broken at once": history((1,), ("diverged",)),
    "broken at the second": history((2,), ("diverged",), norm=1e12),
    "all solved": history((75, 100, 325, 150), ("solved",)),
    "alone": history((400,), ("finished",), {"cells": ("lstm",), "updates": 400}),
    "clippings": history((80,), ("training",), {"cells": ("irnn",), "clips": ("off", "norm", "value")}),
    "initialisations": history(
        (80,), ("training",), {"cells": ("lstm",), "initialisations": ("uniform", "identity", "orthogonal")}
    ),
    "unclipped": history((80,), ("training",), {"clips": ("off",)}),
    "long": history((10_000,), ("finished",), {"updates": 10_000, "hidden_size": 8}, falls=0.0003),
    "shares": history((300,), ("solved",), {"task": "order"}),
    "copy": history((50,), ("training",), {"task": "copy", "cells": ("gru",)}),
    "two steps": history((50,), ("training",), {"length": 2}),
    "huge": history((30,), ("training",), norm=1e30, falls=-2.0),
    "nothing": history((30,), ("training",), {"clips": ("off",)}, norm=0.0),
}
