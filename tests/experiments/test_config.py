import dataclasses
from fractions import Fraction
from numbers import Integral, Real

import numpy as np
import pytest

import rnnviz
from rnnviz import Config, ConfigError, SignalClip, Truncation
from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.cells import CELLS
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.core.signal import SIGNAL_CLIPS, TRUNCATIONS
from rnnviz.experiments.config import CLIPS
from rnnviz.experiments.inputs import SIGNALS
from tests.support import NONSENSE, RaisingRepr, assert_clear, refusal

KNOBS = rnnviz.knobs(Config)
NUMBERS = [name for name, knob in KNOBS.items() if knob.kind in (int, float) and not knob.choices]


def is_allowed(knob, value) -> bool:
    """By the declaration alone, written again."""
    if value is None:
        return knob.optional
    if knob.choices:
        return isinstance(value, str) and value in knob.choices
    if knob.kind is bool:
        return isinstance(value, bool)
    if knob.kind is str:
        return isinstance(value, str) and knob.low <= len(value) <= knob.high
    family = Integral if knob.kind is int else Real
    return isinstance(value, family) and not isinstance(value, bool) and knob.low <= value <= knob.high


def test_every_field_is_a_knob_with_all_that_a_control_needs():
    assert list(KNOBS) == [field.name for field in dataclasses.fields(Config)]
    for name, knob in KNOBS.items():
        assert knob.label, name
        assert knob.help.endswith("."), name
        assert knob.kind in (int, float, str, bool), name
        if knob.kind is not bool and not knob.choices:
            assert knob.low < knob.high, name
        assert list(knob.ladder) == sorted(knob.ladder), name


def test_choices_are_the_tables():
    assert list(KNOBS["cell"].choices) == list(CELLS)
    assert list(KNOBS["nonlinearity"].choices) == list(ACTIVATIONS)
    assert list(KNOBS["initialisation"].choices) == list(INITIALISERS)
    assert list(KNOBS["signal"].choices) == list(SIGNALS)
    assert list(KNOBS["clip"].choices) == list(CLIPS)
    assert set(KNOBS["truncation"].choices) == {"off", *TRUNCATIONS}
    assert set(SIGNAL_CLIPS) < set(CLIPS)


@pytest.mark.parametrize("name", KNOBS)
def test_every_choice_bound_and_rung_is_allowed(name):
    knob = KNOBS[name]
    values = [*knob.choices, *knob.ladder, *([None] if knob.optional else [])]
    if knob.kind is bool:
        values += [False, True]
    elif name in NUMBERS:
        values += [knob.kind(knob.low), knob.kind(knob.high)]
    elif not knob.choices:
        values += ["x" * int(knob.low), "x" * int(knob.high)]
    for value in values:
        assert getattr(Config(**{name: value}), name) == value


@pytest.mark.parametrize("name", NUMBERS)
def test_just_beyond_a_bound_is_refused(name):
    knob = KNOBS[name]
    step = 1 if knob.kind is int else 1e-9 * max(1.0, abs(knob.high))
    for value in (knob.low - step, knob.high + step):
        with pytest.raises(ConfigError):
            Config(**{name: value})


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_gets_one_sentence(value, name):
    if is_allowed(KNOBS[name], value):
        assert getattr(Config(**{name: value}), name) == value
    else:
        message = refusal(Config, **{name: value})
        assert message.startswith(f"{name}: must be ")
        assert_clear(message, name)


def test_a_value_that_cannot_be_shown_is_refused_all_the_same():
    with pytest.raises(ConfigError):
        Config(cell=RaisingRepr())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cell": "transformer"}, "cell: must be 'rnn', 'lstm' or 'gru', got 'transformer'."),
        ({"cell": None}, "cell: must be 'rnn', 'lstm' or 'gru', got None."),
        ({"length": 0}, "length: must be a whole number from 1 to 10000, got 0."),
        ({"length": 10.0}, "length: must be a whole number from 1 to 10000, got 10.0."),
        ({"length": True}, "length: must be a whole number from 1 to 10000, got True."),
        ({"hidden_size": 257}, "hidden_size: must be a whole number from 1 to 256, got 257."),
        ({"weight_scale": float("nan")}, "weight_scale: must be a number from 0 to 20, got nan."),
        ({"weight_scale": "1"}, "weight_scale: must be a number from 0 to 20, got '1'."),
        ({"gate_bias": 21}, "gate_bias: must be a number from -20 to 20, or None, got 21."),
        ({"bidirectional": 1}, "bidirectional: must be False or True, got 1."),
        ({"text": ""}, "text: must be a text of 1 to 2000 characters, got 0 characters."),
        ({"text": b"abc"}, "text: must be a text of 1 to 2000 characters, got b'abc'."),
        ({"loss": "first"}, "loss: must be 'last' or 'every', got 'first'."),
        ({"truncation": "on"}, "truncation: must be 'off', 'chunked' or 'sliding', got 'on'."),
        (
            {"gate_bias": 1.0, "chrono": 20.0},
            "chrono: takes the place of gate_bias, so that one of the two must be None, got 20.0 and 1.0.",
        ),
    ],
)
def test_refusals_word_for_word(fields, expected):
    assert refusal(Config, **fields) == expected


def test_numbers_of_other_families_become_python_s_own():
    config = Config(length=np.int64(7), weight_scale=np.float32(0.5), gate_bias=Fraction(3, 2), input_scale=2)
    values = (config.length, config.weight_scale, config.gate_bias, config.input_scale)
    assert values == (7, 0.5, 1.5, 2.0)
    assert [type(value) for value in values] == [int, float, float, float]


def test_a_config_is_a_frozen_value():
    assert Config() == Config()
    assert hash(Config(seed=1)) == hash(Config(seed=1))
    assert Config(seed=1) != Config(seed=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().length = 5
    assert dataclasses.replace(Config(), length=5).length == 5
    with pytest.raises(ConfigError):
        dataclasses.replace(Config(), length=-5)


def test_knobs_of_a_value_and_of_its_class_are_the_same():
    assert rnnviz.knobs(Config()) == KNOBS


@pytest.mark.parametrize("clip", CLIPS)
def test_what_clips_the_signal(clip):
    config = Config(clip=clip, clip_threshold=0.5)
    assert config.signal_clip == (SignalClip(clip, 0.5) if clip in SIGNAL_CLIPS else None)


def test_what_truncates():
    assert Config(truncation_steps=7).truncated is None
    for kind in TRUNCATIONS:
        assert Config(truncation=kind, truncation_steps=7).truncated == Truncation(kind, 7)


def test_a_clip_of_the_signal_and_a_sliding_window_are_refused_before_anything_runs():
    """Each loss has a signal of its own there: the sentence must name the fields of the Config that asked for it."""
    for clip in SIGNAL_CLIPS:
        message = refusal(lambda clip=clip: rnnviz.run(Config(clip=clip, truncation="sliding")))
        assert_clear(message, "clip")
        assert "truncation" in message


SEVERAL = rnnviz.Knob("Several", "Two or three.", str, choices={"a": "A", "b": "B", "c": "C", "d": "D"}, low=2, many=3)


@pytest.mark.parametrize("value", [("a", "b"), ["b", "a"], ("d", "c", "a")])
def test_several_choices_become_a_tuple_in_their_order(value):
    assert SEVERAL.checked("several", value) == tuple(value)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("a", "several: must be 2 to 3 different ones, got 'a'."),
        ((), "several: must be 2 to 3 different ones, got ()."),
        (("a", "b", "c", "d"), "several: must be 2 to 3 different ones, got ('a', 'b', 'c', 'd')."),
        (("a", "b", "a"), "several: must be 2 to 3 different ones, got ('a', 'b', 'a')."),
        (("a", "x"), "several: must be 'a', 'b', 'c' or 'd', got 'x'."),
        ("ab", "several: must be 'a', 'b', 'c' or 'd', got 'ab'."),
        (None, "several: must be 'a', 'b', 'c' or 'd', got None."),
        pytest.param({"a", "b"}, None, id="a set"),
        ({"a": 1}, "several: must be 'a', 'b', 'c' or 'd', got {'a': 1}."),
        ((["a"], "b"), "several: must be 'a', 'b', 'c' or 'd', got ['a']."),
    ],
    ids=str,
)
def test_several_choices_word_for_word(value, sentence):
    message = refusal(SEVERAL.checked, "several", value)
    assert message == sentence or sentence is None
    assert_clear(message, "several")


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_no_choice_among_several(value):
    for given in (value, ("a", value)):
        assert refusal(SEVERAL.checked, "several", given).startswith("several: must be ")
