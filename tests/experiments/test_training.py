import dataclasses
from itertools import product
from numbers import Integral, Real

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz import BudgetError, ConfigError
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.experiments.knobs import knobs
from rnnviz.experiments.run import prepare
from rnnviz.experiments.tasks import TASKS, material
from rnnviz.experiments.training import (
    CLIPS,
    LABELS,
    LEARNERS,
    LONGEST_UPDATE,
    MOST_VARIANTS,
    OPTIMISERS,
    TRAINING_BUDGET,
    Training,
    check_training_budget,
    training_seconds,
    update_seconds,
)
from tests.support import NONSENSE, assert_clear, refusal

KNOBS = knobs(Training)
NUMBERS = [name for name, knob in KNOBS.items() if knob.kind in (int, float)]
SEVERAL = {name: knob for name, knob in KNOBS.items() if knob.many}


def is_allowed(name, value) -> bool:
    """By the declaration alone, written again; no nonsense is one of the choices."""
    knob = KNOBS[name]
    if name == "text":
        return isinstance(value, str) and len(value) <= knob.high
    if name == "stop":
        return isinstance(value, bool)
    family = Integral if knob.kind is int else Real
    number = isinstance(value, family) and not isinstance(value, bool)
    return name in NUMBERS and number and knob.low <= value <= knob.high


def labels(**fields):
    return [learner.label for learner in Training(**fields).learners]


def test_every_field_is_a_knob_with_all_that_a_control_needs():
    assert list(KNOBS) == [field.name for field in dataclasses.fields(Training)]
    for name, knob in KNOBS.items():
        assert knob.label, name
        assert knob.help.endswith("."), name
        assert list(knob.ladder) == sorted(knob.ladder), name
        if name in NUMBERS or name == "text":
            assert knob.low < knob.high, name


def test_choices_are_the_tables():
    assert list(KNOBS["task"].choices) == list(TASKS)
    assert list(KNOBS["task"].choices.values()) == [task.label for task in TASKS.values()]
    assert list(KNOBS["cells"].choices) == list(LEARNERS) == list(LABELS)
    assert KNOBS["clips"].choices == CLIPS
    assert list(KNOBS["initialisations"].choices) == list(INITIALISERS)
    assert KNOBS["optimiser"].choices == OPTIMISERS


@pytest.mark.parametrize("name", KNOBS)
def test_every_choice_bound_and_rung_is_allowed(name):
    knob = KNOBS[name]
    values = [(choice,) if knob.many else choice for choice in knob.choices] + list(knob.ladder)
    if name in NUMBERS:
        values += [knob.kind(knob.low), knob.kind(knob.high)]
    elif knob.kind is bool:
        values += [False, True]
    elif not knob.choices:
        values += ["x" * int(knob.low), "x" * int(knob.high)]
    for value in values:
        assert getattr(Training(**{name: value}), name) == value


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_gets_one_sentence(value, name):
    if is_allowed(name, value):
        assert getattr(Training(**{name: value}), name) == value
    else:
        message = refusal(Training, **{name: value})
        assert message.startswith(f"{name}: must be ")
        assert_clear(message, name)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"task": "chess"},
            "task: must be 'adding', 'copy', 'order', 'sine', 'sunspots', 'co2' or 'characters', got 'chess'.",
        ),
        ({"clip_threshold": 0.0}, "clip_threshold: must be a number from 1e-06 to 1000000, got 0.0."),
        ({"clip_threshold": -1.0}, "clip_threshold: must be a number from 1e-06 to 1000000, got -1.0."),
        ({"clip_threshold": float("nan")}, "clip_threshold: must be a number from 1e-06 to 1000000, got nan."),
        ({"length": 1}, "length: must be a whole number from 2 to 200, got 1."),
        ({"length": 201}, "length: must be a whole number from 2 to 200, got 201."),
        ({"updates": 0}, "updates: must be a whole number from 1 to 10000, got 0."),
        ({"batch_size": 2.5}, "batch_size: must be a whole number from 1 to 256, got 2.5."),
        ({"optimiser": "lbfgs"}, "optimiser: must be 'adam', 'sgd' or 'rmsprop', got 'lbfgs'."),
        ({"cells": ()}, "cells: must be 1 to 4 different ones, got ()."),
        ({"cells": ("lstm", "lstm")}, "cells: must be 1 to 4 different ones, got ('lstm', 'lstm')."),
        (
            {"cells": ("lstm", "cnn")},
            "cells: must be 'rnn', 'relu', 'irnn', 'lstm', 'lstm_1', 'lstm_3', 'gru' or 'gru_3', got 'cnn'.",
        ),
        ({"clips": ("none",)}, "clips: must be 'off', 'norm' or 'value', got 'none'."),
        ({"text": "x" * 20_001}, "text: must be a text of 0 to 20000 characters, got 20001 characters."),
        ({"stop": 1}, "stop: must be False or True, got 1."),
        (
            {"cells": ("lstm", "gru", "rnn"), "clips": ("off", "norm")},
            "cells, clips, initialisations: together they must make at most 4 variants, got 6.",
        ),
        (
            {
                "cells": ("irnn", "gru"),
                "initialisations": ("uniform", "orthogonal", "gaussian"),
                "clips": ("off", "norm"),
            },
            "cells, clips, initialisations: together they must make at most 4 variants, got 8.",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_refusals_word_for_word(fields, expected):
    assert refusal(Training, **fields) == expected
    assert_clear(expected, next(iter(fields)))


def test_a_training_is_a_frozen_value():
    assert Training() == Training()
    assert hash(Training(cells=["lstm"])) == hash(Training(cells=("lstm",)))
    assert Training(cells="lstm").cells == ("lstm",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Training().length = 5
    with pytest.raises(ConfigError):
        dataclasses.replace(Training(), length=-5)
    numbers = Training(length=np.int64(7), learning_rate=1, weight_scale=np.float32(0.5))
    assert [type(value) for value in (numbers.length, numbers.learning_rate, numbers.weight_scale)] == [
        int,
        float,
        float,
    ]


@st.composite
def allowed(draw):
    """Fields of every kind that a `Training` may have, variants over the limit among them."""
    choice = {
        name: tuple(draw(st.lists(st.sampled_from(list(knob.choices)), min_size=1, max_size=3, unique=True)))
        for name, knob in SEVERAL.items()
    }
    return choice | {"hidden_size": draw(st.integers(1, 128)), "seed": draw(st.integers(0, 2**31 - 1))}


@given(allowed())
def test_learners_are_every_cell_with_every_clipping_and_every_initialisation(fields):
    """Written again as three loops; a cell with an initialisation of its own has one variant for all of them."""
    expected = []
    for cell, clip in product(fields["cells"], fields["clips"]):
        drawn = ("identity",) if cell == "irnn" else fields["initialisations"]
        expected += [f"{cell}-{initialisation}-{clip}" for initialisation in drawn]
    if len(expected) > MOST_VARIANTS:
        assert_clear(refusal(Training, **fields), "cells, clips, initialisations")
        return
    learners = Training(**fields).learners
    assert [learner.name for learner in learners] == expected
    assert len({learner.label for learner in learners}) == len(learners)
    for learner in learners:
        assert (learner.config.hidden_size, learner.config.seed) == (fields["hidden_size"], fields["seed"])
        assert learner.name == f"{learner.cell}-{learner.config.initialisation}-{learner.clip}"
        assert (learner.config.layers, learner.config.bidirectional, learner.config.clip) == (1, False, "off")


@pytest.mark.parametrize("cell", LEARNERS)
def test_a_learner_s_network_is_the_one_that_the_comparison_draws(cell):
    learner = Training(cells=(cell,), hidden_size=8, seed=3, weight_scale=0.7).learners[0]
    if cell == "irnn":
        changes = {"cell": "rnn", "nonlinearity": "relu", "initialisation": "identity"}
    else:
        changes = dict(VARIANTS[cell].changes) | {"initialisation": "uniform"}
    same = rnnviz.Config(length=30, hidden_size=8, seed=3, weight_scale=0.7, **changes)
    assert learner.config == same
    ours, theirs = (prepare(config).network.parameters for config in (learner.config, same))
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])


def test_an_irnn_starts_from_the_identity_and_without_biases():
    for drawn in INITIALISERS:
        training = Training(cells=("irnn",), hidden_size=5, initialisations=(drawn,))
        parameters = prepare(training.learners[0].config).network.parameters
        np.testing.assert_array_equal(parameters["weight_hh_l0"], np.eye(5))
        np.testing.assert_array_equal(parameters["bias_hh_l0"] + parameters["bias_ih_l0"], 0.0)


def test_the_default_is_four_cells_clipped_by_norm():
    assert [learner.name for learner in Training().learners] == [
        "lstm-uniform-norm",
        "gru-uniform-norm",
        "irnn-identity-norm",
        "rnn-uniform-norm",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["LSTM", "GRU", "IRNN (ReLU, identity)", "RNN tanh"]),
        ({"cells": ("lstm_1", "gru_3")}, None),
        ({"cells": ("gru",), "clips": ("off", "value")}, ["GRU, no clipping", "GRU, clipped by value"]),
        (
            {"cells": ("rnn",), "initialisations": ("orthogonal", "uniform")},
            ["RNN tanh, Orthogonal", "RNN tanh, PyTorch's default"],
        ),
        (
            {"cells": ("irnn", "rnn"), "initialisations": ("orthogonal", "sparse")},
            ["IRNN (ReLU, identity)", "RNN tanh, Orthogonal", "RNN tanh, Sparse"],
        ),
        (
            {"cells": ("rnn",), "initialisations": ("orthogonal", "sparse"), "clips": ("norm", "off")},
            [
                "RNN tanh, Orthogonal, clipped by norm",
                "RNN tanh, Sparse, clipped by norm",
                "RNN tanh, Orthogonal, no clipping",
                "RNN tanh, Sparse, no clipping",
            ],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_labels_say_what_the_variants_do_not_share(fields, expected):
    found = labels(**fields)
    assert found == (expected or [LABELS[cell] for cell in fields["cells"]])


MANY = "".join(chr(33 + k % 256) for k in range(5000))  # a text of 256 different characters


def asked(**fields):
    """A training and its material."""
    training = Training(**fields)
    return training, material(training)


def counted(learner, made, batch) -> float:
    """The estimate of one update written again, in µs and with plain loops over the steps."""
    step, gates = {"rnn": (40, 1), "lstm": (8, 4), "gru": (140, 3)}[learner.config.cell]
    units, seconds, numbers = max(8, learner.config.hidden_size), 1300.0, 0
    for t in range(made.steps):
        says = made.task.every or t == made.steps - 1
        seconds += step + batch * gates * units * (7e-3 + 8e-5 * (units + made.input_size))
        seconds += 8e-5 * batch * units * made.output_size * says
        numbers += batch * (made.input_size + made.output_size * says)
    return 1e-6 * (seconds + 9e-3 * max(0, numbers - 2e6))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"cells": ("relu",), "hidden_size": 128, "batch_size": 1, "length": 2},
        {"updates": 1, "hidden_size": 1},
        {"task": "copy", "updates": 60},
        {"task": "characters", "text": MANY, "cells": ("rnn", "gru"), "length": 100, "batch_size": 64},
    ],
)
def test_the_estimate_counts_the_operations(fields):
    training, made = asked(**fields)
    expected, tried = 0.0, made.held_out.inputs.shape[1] + 32
    for learner in training.learners:
        once = counted(learner, made, training.batch_size)
        np.testing.assert_allclose(update_seconds(learner, made, training.batch_size), once, rtol=1e-12)
        expected += training.updates * once + (2 + training.updates // 25) * counted(learner, made, tried) / 2
    np.testing.assert_allclose(training_seconds(training, made), expected, rtol=1e-12)


def test_the_estimate_grows_with_everything_that_makes_a_training_longer():
    small = {"cells": ("gru",), "updates": 100, "task": "characters", "batch_size": 64}
    less = training_seconds(*asked(**small))
    changes = ("updates", 200), ("hidden_size", 64), ("batch_size", 65), ("cells", ("gru", "rnn")), ("length", 31)
    for larger in (dict([change]) for change in (*changes, ("text", MANY))):
        assert training_seconds(*asked(**small | larger)) > less


def test_the_budget_refuses_word_for_word_what_would_take_too_long():
    for fields in ({}, {"updates": 5000, "length": 100}, {"hidden_size": 128, "updates": 2000}):
        check_training_budget(*asked(**fields))
    long = asked(updates=10_000, length=200)
    with pytest.raises(BudgetError):
        check_training_budget(*long)
    message = refusal(check_training_budget, *long)
    assert message == (
        "updates, length, hidden_size, batch_size: this training would take about "
        f"{training_seconds(*long):.0f} s; allowed are 300 s, so make one of them smaller."
    )
    assert (TRAINING_BUDGET, LONGEST_UPDATE) == (300.0, 0.3)


def test_an_update_that_would_make_others_wait_is_refused_word_for_word():
    huge = {"cells": ("lstm", "rnn"), "length": 200, "hidden_size": 128, "batch_size": 256, "updates": 1}
    message = refusal(check_training_budget, *asked(**huge))
    assert message == (
        "length, hidden_size, batch_size: one update would take about 0.46 s; allowed are 0.3 s, so make one of them "
        "smaller."
    )
    for smaller in ({"length": 100}, {"hidden_size": 64}, {"batch_size": 128}, {"cells": ("rnn",)}):
        check_training_budget(*asked(**huge | smaller))


def test_a_large_alphabet_does_not_evade_the_budget():
    fields = {"task": "characters", "text": MANY, "cells": ("rnn",), "length": 200, "batch_size": 256, "hidden_size": 1}
    training, made = asked(**fields, updates=10_000)
    assert (made.input_size, made.output_size) == (256, 256)
    assert training_seconds(training, made) > 1600  # what it was measured to take
    assert "this training would take about" in refusal(check_training_budget, training, made)
    check_training_budget(*asked(**fields | {"text": "ab" * 2500}, updates=10_000))


def test_the_budget_s_edge():
    made = asked(cells=("gru",), length=200)[1]
    low, high = 1, 10_000
    while high - low > 1:  # by halves, to the number of updates from which on it is too long
        middle = (low + high) // 2
        within = training_seconds(Training(cells=("gru",), length=200, updates=middle), made) <= TRAINING_BUDGET
        low, high = (middle, high) if within else (low, middle)
    check_training_budget(Training(cells=("gru",), length=200, updates=low), made)
    with pytest.raises(BudgetError):
        check_training_budget(Training(cells=("gru",), length=200, updates=high), made)
    assert 5000 < low < high < 10_000
