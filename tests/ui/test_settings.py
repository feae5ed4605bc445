"""An address says what the settings are, exactly; each wrong word in it gets a sentence, and nothing breaks."""

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz import Config, RnnvizError, knobs
from rnnviz.experiments.comparison import Comparison
from rnnviz.figures.chart import View
from rnnviz.lessons.presets import PRESETS
from rnnviz.ui.settings import EXPLORE, WORDS, question
from tests.ui.hostile import JSON, NASTY, TEXTS, assert_sentences

KNOBS, START, HIDEABLE = EXPLORE.knobs, EXPLORE.start, EXPLORE.hideable
NAMES = st.sampled_from([*KNOBS, *WORDS]) | TEXTS


def allowed(knob):
    """Every value that a setting may have."""
    if knob.many:
        return st.lists(st.sampled_from(list(knob.choices)), min_size=knob.low, max_size=knob.many, unique=True).map(
            tuple
        )
    if knob.choices:
        return st.sampled_from(list(knob.choices))
    if knob.kind is bool:
        return st.booleans()
    if knob.kind is str:
        return st.text(min_size=knob.low, max_size=60)
    numbers = st.integers if knob.kind is int else st.floats
    return numbers(knob.low, knob.high) | (st.none() if knob.optional else st.nothing())


SETTINGS = st.fixed_dictionaries({name: allowed(knob) for name, knob in KNOBS.items()})


def through_a_browser(query):
    """What comes back of an address after a browser has had it."""
    return {name: values[-1] for name, values in parse_qs(urlencode(query), keep_blank_values=True).items()}


def test_the_settings_are_the_fields_of_their_three_families():
    families = {name: declared for family in (Comparison, Config, View) for name, declared in knobs(family).items()}
    assert {name: families[name] for name in KNOBS} == KNOBS
    assert set(families) - set(KNOBS) == {"cell"}
    assert list(START) == list(KNOBS)


def test_the_page_starts_at_the_defaults_but_for_the_weight_scale():
    asked = question(START)
    assert (asked.comparison, asked.view) == (Comparison(), View())
    assert asked.config == Config(weight_scale=1.1)
    assert [run.label for run in asked.runs()] == ["RNN tanh", "LSTM, forget bias 3", "RNN linear"]
    assert EXPLORE.to_query(START) == {}


@given(SETTINGS)
def test_an_address_holds_every_setting(values):
    found, complaints = EXPLORE.from_query(through_a_browser(EXPLORE.to_query(values)))
    assert complaints == []
    assert {**START, **found} == values
    assert [type(value) for value in found.values()] == [type(values[name]) for name in found]


@given(SETTINGS, st.sampled_from(list(PRESETS)))
def test_an_address_with_a_preset_holds_what_differs_from_it(values, preset):
    base = EXPLORE.base(preset)
    query = EXPLORE.to_query(values, preset)
    assert set(query) == {name for name in KNOBS if values[name] != base[name]}
    assert {**base, **EXPLORE.from_query(through_a_browser(query))[0]} == values


@given(SETTINGS)
def test_a_pinned_run_is_one_word(values):
    found, complaints = EXPLORE.unpacked(EXPLORE.packed(values))
    if found is None:  # settings that do not go together, or are over the budget
        assert_sentences(complaints)
        assert complaints
    else:
        assert (found, complaints) == (values, [])


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🙂"])
def test_the_longest_text_can_be_pinned(letter):
    values = {**START, "signal": "text", "text": letter * 2000}
    found, complaints = EXPLORE.unpacked(EXPLORE.packed(values))
    if found is None:  # settings that do not go together, or are over the budget
        assert_sentences(complaints)
        assert complaints
    else:
        assert (found, complaints) == (values, [])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_allowed_word_for_word(preset):
    settings = dict(PRESETS[preset].settings)
    changed = {name: value for name, value in settings.items() if value != START[name]}
    assert EXPLORE.from_query(EXPLORE.to_query(EXPLORE.base(preset))) == (changed, [])
    question({**START, **settings}).runs()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"length": "50"}, {"length": 50}),
        ({"length": ["10", "50"]}, {"length": 50}),
        ({"cells": "rnn"}, {"cells": ("rnn",)}),
        ({"cells": "rnn,gru,"}, {"cells": ("rnn", "gru")}),
        ({"overlays": ""}, {"overlays": ()}),
        ({"weight_scale": "1e-1"}, {"weight_scale": 0.1}),
        ({"weight_scale": "2"}, {"weight_scale": 2.0}),
        ({"gate_bias": "None"}, {"gate_bias": None}),
        ({"chrono": ""}, {"chrono": None}),
        ({"bidirectional": "True"}, {"bidirectional": True}),
        ({"projector": "off"}, {"projector": False}),
        ({"preset": "gru", "hide": "more", "pin": "length=5"}, {}),
    ],
)
def test_words_of_an_address(query, expected):
    assert EXPLORE.from_query(query) == (expected, [])


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("length", "-5", "length: must be a whole number from 1 to 10000, got -5."),
        ("length", "5.0", "length: must be a whole number from 1 to 10000, got '5.0'."),
        ("weight_scale", "1e999", "weight_scale: must be a number from 0 to 20, got inf."),
        ("weight_scale", "nan", "weight_scale: must be a number from 0 to 20, got nan."),
        ("gate_bias", "x", "gate_bias: must be a number from -20 to 20, or None, got 'x'."),
        ("bidirectional", "maybe", "bidirectional: must be False or True, got 'maybe'."),
        ("loss", "<b>", "loss: must be 'last' or 'every', got '<b>'."),
        ("text", "", "text: must be a text of 1 to 2000 characters, got 0 characters."),
        ("text", "x" * 10_000_000, "text: must be a text of 1 to 2000 characters, got 10000000 characters."),
        ("cells", "", "cells: must be 1 to 4 different ones, got ()."),
        ("cells", "rnn,rnn", "cells: must be 1 to 4 different ones, got ('rnn', 'rnn')."),
        ("cell", "lstm", "cell: is no setting of this page, and was left out."),
        ("\u202ex<b>", "1", "\\u202ex<b>: is no setting of this page, and was left out."),
        ("seed", "9" * 5000, f"seed: must be a whole number from 0 to 2147483647, got '{'9' * 56}...."),
    ],
)
def test_a_wrong_word_gets_a_sentence(name, value, sentence):
    assert EXPLORE.from_query({name: value, "layers": "2"}) == ({"layers": 2}, [sentence])


@given(st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, max_size=3), max_size=6))
def test_no_address_breaks_anything(query):
    values, complaints = EXPLORE.from_query(query)
    assert_sentences(complaints)
    assert len(values) + len(complaints) == len(set(query) - set(WORDS))
    for name, value in values.items():
        assert KNOBS[name].checked(name, value) == value
    EXPLORE.to_query({**START, **values})
    EXPLORE.packed({**START, **values})


@pytest.mark.parametrize("name", [*KNOBS, "<script>", "\ud800", "x" * 100_000])
@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_every_setting_survives_what_is_nasty(name, value):
    values, complaints = EXPLORE.from_query({name: value})
    assert_sentences(complaints)
    assert len(values) + len(complaints) == 1
    EXPLORE.packed({**START, **values})


@pytest.mark.parametrize("name", [*KNOBS, "x" * 10_000_000])
def test_ten_megabytes_get_one_short_sentence(name):
    values, complaints = EXPLORE.from_query({name: "1" * 10_000_000})
    assert values == {}
    assert len(complaints) == 1
    assert_sentences(complaints)


@given(TEXTS)
def test_no_pin_breaks_anything(word):
    values, complaints = EXPLORE.unpacked(word)
    assert values is None or set(values) == set(START)
    assert_sentences(complaints)


@pytest.mark.parametrize(
    ("word", "complaints"),
    [
        ("length=0", ["pin, length: must be a whole number from 1 to 10000, got 0."]),
        ("pin=x&hide=y&preset=z", []),
        ("x" * 10_000_000, []),
    ],
)
def test_a_wrong_pin_is_the_start_and_a_sentence(word, complaints):
    assert EXPLORE.unpacked(word) == (START, complaints)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("&" * 200, "pin: must be the settings of a run, as a copied link has them; it was left out."),
        ("gate_bias=1&chrono=20", "pin, chrono: takes the place of gate_bias, so that one of the two must "),
        ("length=10000&hidden_size=256", "pin, length, hidden_size, layers: this run would take about "),
    ],
)
def test_what_cannot_be_run_cannot_be_pinned(word, complaint):
    found, complaints = EXPLORE.unpacked(word)
    assert found is None
    assert complaints[0].startswith(complaint)


def test_names_of_controls_can_be_hidden():
    assert EXPLORE.hidden("more,seed,,cells") == ({"more", "seed", "cells"}, [])
    assert EXPLORE.hidden("") == (frozenset(), [])
    everything = {*KNOBS, *HIDEABLE}
    assert EXPLORE.hidden(",".join(everything)) == (everything, [])
    shown, complaints = EXPLORE.hidden("pin,<script>")
    assert shown == {"pin"}
    assert complaints == [f"hide: must name controls ({', '.join(sorted(everything))}), got '<script>'."]
    assert len(EXPLORE.hidden(",".join("abcdefgh"))[1]) == 3


@given(TEXTS)
def test_no_hidden_name_breaks_anything(word):
    names, complaints = EXPLORE.hidden(word)
    assert names <= {*KNOBS, *HIDEABLE}
    assert_sentences(complaints)


@given(st.sampled_from(list(KNOBS)), JSON)
def test_whatever_a_browser_sends_is_a_value_or_a_sentence(name, sent):
    try:
        value = KNOBS[name].checked(name, EXPLORE.from_text(name, sent))
    except RnnvizError as problem:
        assert_sentences([str(problem)])
    else:
        EXPLORE.packed({**START, name: value})


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("stream", "1", 1),
        ("weight_scale", 2, 2),
        ("weight_scale", "0.5", 0.5),
        ("overlays", ["bound"], ("bound",)),
        ("overlays", "bound,limits", ("bound", "limits")),
        ("focus", "rnn", "rnn"),
        ("projector", True, True),
        ("length", None, None),
    ],
)
def test_what_the_stage_sends_becomes_a_value(name, sent, value):
    assert EXPLORE.from_text(name, sent) == value
