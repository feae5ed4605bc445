"""Every preset: its settings are allowed, its claim holds under many seeds, and each number of its story is true."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rnnviz import Config, knobs
from rnnviz.core.readings import power_text
from rnnviz.experiments.comparison import Comparison
from rnnviz.experiments.inputs import assets
from rnnviz.figures.chart import View
from rnnviz.lessons.presets import PRESETS, START, SUNSPOT_CYCLE, preset_runs

FAMILIES = (Comparison, Config, View)
KNOBS = {name: declared for family in FAMILIES for name, declared in knobs(family).items()}
DEFAULTS = {field.name: field.default for family in FAMILIES for field in fields(family)} | START
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
SEEDS = range(1, 21)

# For how many of the 20 other seeds the claim holds.
KEPT = dict.fromkeys(PRESETS, 20)

every = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@cache
def runs_of(name, then=False):
    return preset_runs(PRESETS[name], **(PRESETS[name].then if then else {}))


def share(run):
    """What the furthest step gets of the signal at the loss."""
    return 10.0**run.flow.verdict.decades


def pace(run):
    return run.flow.verdict.growth_per_step


def horizon(run):
    return run.flow.verdict.memory_horizon


def gate(run, name):
    return run.flow.gates[name].mean()


def reach(run, steps):
    return 10.0 ** run.itemised.reach()[steps]


def at(name, **changes):
    """The runs of a preset with other settings."""
    return preset_runs(PRESETS[name], **changes)


def units_on_all_the_way(run):
    on = (run.flow.hidden[0, 2:, 0] > 0).all(axis=0)
    np.testing.assert_array_equal(run.flow.adjoint[0, 1, 0] != 0, on)
    return on.sum()


def rise(run):
    profile = run.flow.profile[0, 1:]
    return 10.0 ** (profile.max() - profile[-1])


def first_year():
    return int((assets() / "series" / "sunspots.csv").read_text(encoding="utf-8").split("\n")[1].split(",")[0])


def below_the_bound(run):
    """Whether the curve stays at or below (γ σ_max)ᵏ times its start, the bound's own rounding allowed."""
    profile = run.flow.profile[0, 1:]
    bound = profile[-1] + np.log10(run.bound_per_step) * np.arange(len(profile))[::-1]
    return (profile <= bound + 1e-9).all()


# What each number in a story is, beside those that are settings of the preset or of its next step.
FACTS = {
    "it-fades": {
        "0.8": lambda tanh, lstm, linear: pace(linear),
        "99": lambda *runs: runs[0].flow.steps - 1,
        "3e-10": lambda tanh, lstm, linear: share(linear),
        "1": lambda *runs: 1,
        "1e-14": lambda tanh, lstm, linear: share(tanh),
        "3": lambda tanh, lstm, linear: lstm.config.gate_bias,
        "0.95": lambda tanh, lstm, linear: gate(lstm, "f"),
    },
    "it-explodes": {
        "1": lambda *runs: np.ceil(max(np.abs(run.flow.hidden).max() for run in runs)),
        "1.7": lambda tanh, lstm, gru: pace(tanh),
        "2e22": lambda tanh, lstm, gru: share(tanh),
    },
    "edge-of-chaos": {
        "99": lambda tanh: tanh.flow.steps - 1,
        "1": lambda tanh: 1,
        "2e-4": lambda tanh: share(*at("edge-of-chaos", weight_scale=1.0)),
        "1.5": lambda tanh: 1.5,
        "330": lambda tanh: share(*at("edge-of-chaos", weight_scale=1.5)),
    },
    "is-the-lstm-immune": {
        "8e-19": lambda tanh, lstm, lstm_1, lstm_3: share(lstm),
        "1e-24": lambda tanh, lstm, lstm_1, lstm_3: share(tanh),
        "0.5": lambda tanh, lstm, lstm_1, lstm_3: gate(lstm, "f"),
        "0.73": lambda tanh, lstm, lstm_1, lstm_3: gate(lstm_1, "f"),
        "8e-9": lambda tanh, lstm, lstm_1, lstm_3: share(lstm_1),
        "3": lambda tanh, lstm, lstm_1, lstm_3: lstm_3.config.gate_bias,
        "0.95": lambda tanh, lstm, lstm_1, lstm_3: gate(lstm_3, "f"),
        "0.26": lambda tanh, lstm, lstm_1, lstm_3: share(lstm_3),
    },
    "gru": {
        "1": lambda *runs: 1,
        "0.5": lambda tanh, gru, gru_3: gate(gru, "z"),
        "0.75": lambda tanh, gru, gru_3: pace(gru),
        "0.91": lambda tanh, gru, gru_3: pace(tanh),
        "3": lambda tanh, gru, gru_3: gru_3.config.gate_bias,
        "0.95": lambda tanh, gru, gru_3: gate(gru_3, "z"),
        "0.97": lambda tanh, gru, gru_3: pace(gru_3),
    },
    "relu-with-identity": {
        "2015": lambda *runs: 2015,
        "0": lambda relu, linear, tanh: relu.flow.hidden.min(),
        "12": lambda relu, linear, tanh: units_on_all_the_way(relu),
        "0.89": lambda relu, linear, tanh: pace(tanh),
    },
    "orthogonal-is-not-enough": {
        "0": lambda *runs: 0,
        "0.86": lambda linear, tanh, relu: pace(tanh),
        "3e-7": lambda linear, tanh, relu: share(tanh),
        "99": lambda *runs: runs[0].flow.steps - 1,
    },
    "two-directions": {
        "1": lambda run: 1,
        "0.72": lambda run: pace(run),
        "49": lambda run: (runs_of("two-directions", then=True)[0].flow.profile[1] == -np.inf).sum(),
    },
    "loss-at-every-step": {
        "10": lambda *runs: 10,
        "5e-4": lambda tanh, lstm: reach(tanh, 10),
        "50": lambda *runs: 50,
        "3e-17": lambda tanh, lstm: reach(tanh, 50),
        "0.03": lambda tanh, lstm: reach(lstm, 50),
    },
    "a-sunspot-record": {
        "1700": lambda *runs: first_year(),
        "1899": lambda *runs: first_year() + runs[0].flow.steps - 1,
        "11": lambda *runs: SUNSPOT_CYCLE,
        "1": lambda *runs: 1,
        "6": lambda tanh, gru, lstm, lstm_3: horizon(tanh),
        "9": lambda tanh, gru, lstm, lstm_3: horizon(gru),
        "7": lambda tanh, gru, lstm, lstm_3: horizon(lstm),
        "3": lambda tanh, gru, lstm, lstm_3: lstm_3.config.gate_bias,
        "0.11": lambda tanh, gru, lstm, lstm_3: share(lstm_3),
        "199": lambda tanh, gru, lstm, lstm_3: horizon(lstm_3),
        "18": lambda tanh, gru, lstm, lstm_3: horizon(lstm_3) // SUNSPOT_CYCLE,
        "16": lambda *runs: horizon(runs_of("a-sunspot-record", then=True)[0]),
    },
    "your-own-words": {
        "40": lambda *runs: runs[0].flow.steps,
        "0.72": lambda tanh, lstm, gru, lstm_3: pace(lstm),
        "0.75": lambda tanh, lstm, gru, lstm_3: pace(gru),
        "2e-6": lambda tanh, lstm, gru, lstm_3: share(lstm),
        "1e-5": lambda tanh, lstm, gru, lstm_3: share(gru),
        "3": lambda tanh, lstm, gru, lstm_3: lstm_3.config.gate_bias,
        "0.2": lambda tanh, lstm, gru, lstm_3: share(tanh),
        "0.55": lambda tanh, lstm, gru, lstm_3: share(lstm_3),
        "5": lambda *runs: runs_of("your-own-words", then=True)[0].flow.steps,
    },
    "the-eigenvalue-rule-fails": {
        "0.8": lambda *runs: np.abs(np.linalg.eigvals(runs[0].experiment.network.streams[0].weight_hh)).min(),
        "2.6": lambda linear, tanh, relu: rise(linear),
        "440,000": lambda linear, tanh, relu: share(relu),
        "1.93": lambda *runs: np.linalg.norm(runs[0].experiment.network.streams[0].weight_hh, 2),
    },
    "what-clipping-changes": {
        "1": lambda run: run.config.clip_threshold,
        "1e11": lambda run: 10.0 ** run.unclipped.profile[0, 1],
    },
}

# What the words of a story say, beside its numbers: of its own runs, and of those after its last sentence.
WORDS = {
    "it-fades": lambda now, then: (
        now[1].flow.verdict.kind == "steady"
        and then[2].flow.verdict.decades > then[0].flow.verdict.decades > 0
    ),
    "it-explodes": lambda now, then: (
        (np.abs(now[0].flow.hidden[0, 1:]) > 0.9).mean() > 0.6
        and share(then[0]) > 1e6 and max(map(share, then[1:])) < 1
    ),
    "edge-of-chaos": lambda now, then: share(then[0]) < 1e-3,
    "is-the-lstm-immune": lambda now, then: then[1].flow.verdict.kind == "steady",
    "gru": lambda now, then: then[1].flow.verdict.kind == "steady",
    "relu-with-identity": lambda now, then: then[0].flow.verdict.kind == "exploding",
    "orthogonal-is-not-enough": lambda now, then: (
        now[1].bound_per_step == pytest.approx(1.0)
        and 0.4 < (now[2].flow.hidden[0, 1:] > 0).mean() < 0.6
        and (then[0].flow.verdict.kind, then[1].flow.verdict.kind) == ("exploding", "vanishing")
    ),
    "two-directions": lambda now, then: [f"{g:.2f}" for g in now[0].flow.growth_per_step] == ["0.72", "0.72"],
    "loss-at-every-step": lambda now, then: share(now[0]) > 1 and share(now[1]) > 1 and share(then[0]) < 1e-30,
    "a-sunspot-record": lambda now, then: SUNSPOT_CYCLE < horizon(then[0]) < 2 * SUNSPOT_CYCLE,
    "your-own-words": lambda now, then: (
        [round(gate(now[i], name), 1) for i, name in ((1, "f"), (2, "z"))] == [0.5, 0.5]
        and min(map(share, then)) > 0.05
    ),
    "the-eigenvalue-rule-fails": lambda now, then: (
        all(map(below_the_bound, now))
        and all(run.flow.verdict.kind == "vanishing" for run in then)
        and np.abs(np.linalg.eigvals(then[0].experiment.network.streams[0].weight_hh)) == pytest.approx(0.8)
    ),
    "what-clipping-changes": lambda now, then: (
        np.array_equal(then[0].flow.profile, now[0].unclipped.profile)
        and then[0].clip_report.norm_before > 1e9 and then[0].clip_report.norm_after == pytest.approx(1.0)
    ),
}  # fmt: skip


def sentences(text):
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def numbers(story):
    """The numbers of a story, its 3·10⁻¹⁰ as 3e-10 and its 0.8⁹⁹ as 0.8 and 99."""
    plain = re.sub(r"·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda power: "e" + power[1].translate(LOWERED), story)
    plain = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: " " + power[0].translate(LOWERED), plain)
    return set(NUMBER.findall(plain))


def same_digits(text, value):
    """Whether a number rounds to a text at the digits that the text has."""
    shown = text.rstrip("0,") if "," in text else text
    digits = len(shown.split("e")[0].replace(".", "").replace(",", "").lstrip("0")) or 1
    return float(f"{value:.{digits}g}") == pytest.approx(float(text.replace(",", "")), rel=1e-12)


def test_the_order_of_the_table():
    assert list(PRESETS)[:4] == ["it-fades", "it-explodes", "edge-of-chaos", "is-the-lstm-immune"]
    assert list(PRESETS) == list(FACTS) == list(WORDS) == list(KEPT)


@every
def test_names_and_words(preset):
    assert PRESETS[preset.name] is preset
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", preset.name)
    assert 0 < len(preset.label) <= 30
    assert preset.name == preset.label.lower().replace(" ", "-").rstrip("?")
    for text in (preset.story, preset.claim):
        assert text == " ".join(text.split())
        assert text.endswith(".")
        assert text[0].isupper()
    assert 2 <= len(sentences(preset.story)) <= 4
    assert len(sentences(preset.claim)) == 1
    assert len(preset.story) < 620


@every
def test_settings_are_allowed_and_differ_from_where_the_page_starts(preset):
    assert preset.settings
    assert preset.then
    for settings in (preset.settings, preset.then):
        for name, value in settings.items():
            assert KNOBS[name].checked(name, value) == value
            assert not KNOBS[name].ladder or value in KNOBS[name].ladder
    for name, value in preset.settings.items():
        assert value != DEFAULTS[name], f"{name} is already {value}"
    for name, value in preset.then.items():
        assert value != preset.settings.get(name, DEFAULTS[name])
    for changes in ({}, preset.then):
        settings = DEFAULTS | dict(preset.settings) | dict(changes)
        for family in FAMILIES:
            family(**{name: settings[name] for name in knobs(family)})


@every
def test_the_claim_holds_and_can_fail(preset):
    assert preset.holds(runs_of(preset.name)) is True
    assert preset.holds(runs_of(preset.name, then=True)) is False


@every
def test_the_claim_holds_under_other_seeds(preset):
    kept = sum(preset.holds(preset_runs(preset, seed=seed)) for seed in SEEDS)
    assert kept == KEPT[preset.name]
    assert kept >= 18


@every
def test_every_number_in_a_story_is_true(preset):
    runs = runs_of(preset.name)
    asked = {
        f"{value:g}"
        for part in (preset.settings, preset.then)
        for value in part.values()
        if type(value) in (int, float)
    }
    told = numbers(preset.story)
    assert told - asked - set(FACTS[preset.name]) == set()
    assert set(FACTS[preset.name]) - told == set()
    for text, fact in FACTS[preset.name].items():
        value = fact(*runs)
        assert same_digits(text, value), f"{preset.name} says {text}, it is {value:.4g}"
        if "e" in text or "," in text:
            assert power_text(np.log10(value)) in preset.story  # written as the page writes it


@every
def test_the_words_of_a_story_are_true(preset):
    assert WORDS[preset.name](runs_of(preset.name), runs_of(preset.name, then=True))


@every
def test_the_last_sentence_names_what_to_change(preset):
    last = sentences(preset.story)[-1].lower()
    for name, value in preset.then.items():
        declared = KNOBS[name]
        if declared.choices:
            assert declared.choices[value].lower() in last
        else:
            assert declared.label.lower() in last
            assert (value if isinstance(value, str) else f"{value:g}") in last


def test_a_wrong_number_is_found():
    assert same_digits("0.95", 0.9464)
    assert not same_digits("0.95", 0.9446)
    assert same_digits("3e-10", 2.55e-10)
    assert not same_digits("3e-10", 3.6e-10)
    assert same_digits("440,000", 443_210.0)
    assert not same_digits("440,000", 452_000.0)
    assert same_digits("0", 0.0)


def test_numbers_of_a_story():
    assert numbers("It keeps 0.8⁹⁹ = 3·10⁻¹⁰, not 2·10⁵ or -1, of (γ σ)ᵏ.") == {"0.8", "99", "3e-10", "2e5", "1"}


def test_runs_of_a_preset_take_changes():
    run = preset_runs(PRESETS["edge-of-chaos"], seed=3, length=7)[0]
    assert (run.config.seed, run.config.length, run.config.weight_scale) == (3, 7, 1.2)
    assert preset_runs(PRESETS["gru"])[0].config.weight_scale == START["weight_scale"]


def test_the_docs_name_every_preset_with_its_claim():
    told = (Path(__file__).parents[2] / "docs" / "explore.md").read_text(encoding="utf-8")
    for name, preset in PRESETS.items():
        assert f"| {preset.label} (`{name}`) | {preset.claim} |" in told
