"""What the stage is sent: the charts that are wanted and no others, in JSON, whatever the run has found."""

import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnviz.experiments.comparison import VARIANTS
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.theme import THEMES
from rnnviz.lessons.presets import PRESETS
from rnnviz.ui.exploring import SCENE, subject_of
from rnnviz.ui.payload import payload, theme_for
from rnnviz.ui.settings import EXPLORE, question
from rnnviz.ui.stage import Ask
from tests.ui.hostile import JSON

KNOBS, START = EXPLORE.knobs, EXPLORE.start
ALL = frozenset(CHARTS)
LIGHT = THEMES["light"]
HUGE = {"length": 10_000, "hidden_size": 256}
EXTREMES = {
    "overflow": {"cells": ("linear", "relu"), "weight_scale": 20.0, "length": 1000},
    "overflow, every": {"cells": ("linear",), "weight_scale": 20.0, "length": 600, "loss": "every"},
    "overflow at the end": {"cells": ("linear",), "weight_scale": 10.0, "length": 310, "hidden_size": 4},
    "underflow": {"cells": ("relu", "rnn"), "weight_scale": 0.1, "length": 600},
    "zero": {"weight_scale": 0.0, "length": 30, "cells": ("rnn", "relu", "linear", "lstm")},
    "zero, every": {"weight_scale": 0.0, "length": 30, "loss": "every"},
    "no input": {"input_scale": 0.0, "weight_scale": 0.0, "length": 30},
    "saturated": {"input_scale": 100.0, "weight_scale": 20.0, "length": 100, "nonlinearity": "sigmoid"},
    "one step": {"length": 1},
    "one unit": {"hidden_size": 1, "length": 5, "cells": ("rnn", "lstm", "gru", "birnn")},
    "deep": {"layers": 4, "length": 10, "cells": ("bilstm", "bigru"), "stream": 7},
    "tiny threshold": {"clip": "hidden_norm", "clip_threshold": 1e-12, "length": 20},
    "huge threshold": {"clip": "value", "clip_threshold": 1e12, "length": 20},
    "truncated": {"truncation": "sliding", "truncation_steps": 1, "loss": "every", "length": 20},
    "emoji": {"signal": "text", "text": "🙂", "cells": ("gru",)},
    "dead end": {"cells": ("birnn",), "head": "last_output", "length": 20},
}


def sent(ask=None, pin=None, hidden=frozenset(), theme=LIGHT, **changed):
    """What the stage gets, after its way through JSON."""
    made = payload(SCENE, {**START, **changed}, ask or Ask(visible=ALL), theme, pin, hidden)
    return json.loads(json.dumps(made, allow_nan=False))


def drawn(found):
    return {chart["name"] for chart in found["charts"] if chart["drawn"]}


def test_every_chart_is_named_and_the_visible_ones_are_drawn():
    found = sent(Ask(id=3, visible=frozenset({"norms", "units", "no such chart"})))
    assert [chart["name"] for chart in found["charts"]] == list(CHARTS)
    assert drawn(found) == {"norms", "units"}
    assert (found["asked"], found["live"], found["problem"]) == (3, False, "")
    for chart in found["charts"]:
        assert chart["question"] == CHARTS[chart["name"]].question
        assert ("figure" in chart) == chart["drawn"]


def test_before_the_browser_has_spoken_the_first_charts_are_drawn():
    assert drawn(sent(Ask())) == SCENE.first_seen


def test_while_a_control_is_dragged_only_the_live_charts_are_drawn():
    found = sent(Ask(live=True, visible=ALL))
    assert drawn(found) == SCENE.live
    assert found["live"] is True
    assert drawn(sent(Ask(live=True, visible=frozenset({"units", "norms"})))) == {"norms"}
    assert drawn(sent(Ask(live=True))) == {"norms"}


def test_what_cannot_be_seen_is_not_computed(monkeypatch):
    for name in ("itemise", "spectrum"):
        monkeypatch.setattr(sys.modules["rnnviz.experiments.run"], name, None)
    assert drawn(sent(Ask(visible=frozenset({"norms", "states", "units", "unrolled"})))) == {
        "norms", "states", "units", "unrolled"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "beginning"),
    [
        (HUGE, "Sequence length, Hidden size, Layers: this run would take about "),
        ({"gate_bias": 1.0, "chrono": 20.0}, "Chrono initialisation: takes the place of Forget/update-gate bias, "),
        (
            {"clip": "hidden_norm", "truncation": "sliding"},
            "Clipping: cannot clip the signal under a sliding truncation",
        ),
    ],
)
def test_what_cannot_be_run_is_one_sentence_and_every_chart_is_still_named(changed, beginning):
    found = sent(**changed)
    assert found["problem"].startswith(beginning)
    assert found["problem"].endswith(".")
    assert [chart["name"] for chart in found["charts"]] == list(CHARTS)
    assert drawn(found) == set()
    assert [slider["name"] for slider in found["sliders"]] == list(SCENE.tracks)


def test_a_pinned_run_over_the_budget_is_a_sentence_too():
    assert sent(pin={**START, **HUGE})["problem"].startswith("Sequence length, Hidden size, Layers: ")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_drawn_whole(preset):
    settings = EXPLORE.base(preset)
    small = settings | {"hidden_size": min(settings["hidden_size"], 32)}  # the Jacobians of 128 units take seconds
    found = sent(Ask(visible=ALL - {"jacobians"}), theme=THEMES["dark"].projected, **settings)
    assert drawn(found) == ALL - {"jacobians"}
    jacobians = sent(Ask(visible=frozenset({"jacobians"})), **small)
    assert drawn(jacobians) == {"jacobians"}
    for chart in found["charts"] + jacobians["charts"]:
        refused = chart["name"] == "itemised" and settings["clip"] != "off"
        assert not chart["drawn"] or refused == (chart["figure"] == {})
        assert not chart["drawn"] or chart["answer"].endswith(".")


@pytest.mark.parametrize("changed", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("overlays", [(), ("bound", "lyapunov", "limits")], ids=["plain", "overlays"])
def test_an_extreme_run_is_json_all_the_same(changed, overlays):
    found = sent(**{"overlays": overlays} | changed)
    assert found["problem"] == ""
    assert drawn(found) == ALL
    for chart in found["charts"]:
        for sentence in (chart["answer"], *chart["notes"]):
            assert sentence.endswith("."), sentence
            for wrong in ("nan", "inf", " 1 steps", " 1 arrows", "not a number of", "None"):
                assert wrong not in sentence, sentence


@pytest.mark.parametrize("changed", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("shade", ["global", "log"])
def test_the_units_of_an_extreme_run_are_json_in_all_shades(changed, shade):
    assert drawn(sent(Ask(visible=frozenset({"units"})), **{"shade": shade} | changed)) == {"units"}


@pytest.mark.parametrize("shown", ["hidden", "cell", "f", "z"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_view_that_a_network_has_not_is_shown_as_the_first(variant, shown):
    (states,) = (c for c in sent(cells=(variant,), states=shown, length=10)["charts"] if c["name"] == "states")
    (view,) = states["views"]
    options = [value for value, _ in view["options"]]
    assert options[0] == "hidden"
    assert view["value"] == (shown if shown in options else "hidden")
    assert ("cell" in options) == ("lstm" in variant)
    assert ("z" in options) == ("gru" in variant)


def test_the_switches_of_all_charts():
    found = sent(cells=("birnn", "gru"), focus="gru", stream=7, layers=2, length=10)
    focus, stream = found["detail"]
    assert focus["options"] == [["birnn", "RNN tanh, both directions"], ["gru", "GRU"]]
    assert focus["value"] == "gru"
    assert [label for _, label in stream["options"]] == ["layer 1, forward direction", "layer 2, forward direction"]
    assert stream["value"] == "1"
    assert sent(focus="bigru")["detail"][0]["value"] == "rnn"


def test_hidden_controls_are_not_sent():
    found = sent(hidden=frozenset({"focus", "stream", "weight_scale", "measure", "shade"}), clip="norm")
    assert found["detail"] == []
    assert [slider["hidden"] for slider in found["sliders"]] == [True, False]
    views = {chart["name"]: [view["name"] for view in chart["views"]] for chart in found["charts"]}
    assert views["norms"] == ["overlays"]
    assert views["units"] == []


def test_the_threshold_has_a_slider_when_something_is_clipped():
    assert [slider["hidden"] for slider in sent()["sliders"]] == [False, True]
    assert [slider["hidden"] for slider in sent(clip="value")["sliders"]] == [False, False]


@pytest.mark.parametrize("name", SCENE.tracks)
def test_a_track_lies_within_what_is_allowed_and_holds_the_start(name):
    low, high = SCENE.tracks[name].low, SCENE.tracks[name].high
    places = [place for place, _ in SCENE.tracks[name].ticks]
    assert places == sorted(places)
    assert KNOBS[name].low <= low == places[0] < START[name] < places[-1] == high <= KNOBS[name].high


def test_a_badge_a_run_with_the_words_of_its_verdict():
    (norms,) = (chart for chart in sent()["charts"] if chart["name"] == "norms")
    runs = question(START).runs()
    assert [badge["label"] for badge in norms["badges"]] == [run.label for run in runs]
    assert [badge["kind"] for badge in norms["badges"]] == [run.flow.verdict.kind for run in runs]
    assert [badge["colour"] for badge in norms["badges"]] == [LIGHT.colour(run.name) for run in runs]


def other(knob, value):
    """Another value of a setting."""
    if knob.many:
        return tuple(name for name in knob.choices if name not in value)[: knob.many]
    if knob.choices:
        return next(name for name in knob.choices if name != value)
    if knob.kind is bool:
        return not value
    if knob.kind is str:
        return f"{value}x"
    return knob.kind(knob.low) if value != knob.low else knob.kind(knob.high)


def test_another_setting_is_another_stamp():
    ask = Ask(visible=frozenset())
    stamps = [sent(ask)["stamp"], sent(ask, pin=START)["stamp"], sent(ask, theme=THEMES["dark"])["stamp"]]
    stamps += [sent(ask, **{name: other(knob, START[name])})["stamp"] for name, knob in KNOBS.items()]
    assert len(set(stamps)) == 3 + len(KNOBS)
    assert sent(ask)["stamp"] == sent(Ask(id=9, live=True))["stamp"] == stamps[0]


def test_a_pinned_run_is_drawn_where_it_differs():
    asked = {**START, "weight_scale": 0.5}
    assert [run.label for run in subject_of(asked, START).pinned] == [run.label for run in question(START).runs()]
    assert subject_of(asked, {**START, "weight_scale": 0.5}).pinned == ()
    assert subject_of(asked).pinned == ()


@given(JSON)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_a_forged_question_is_answered(given):
    found = sent(Ask.of({"visible": given, "id": given, "theme": given, "live": given}), length=5, hidden_size=2)
    assert found["problem"] == ""
    assert drawn(found) <= ALL


@given(st.sampled_from(["light", "dark", "other", None]), st.booleans())
def test_the_theme_of_the_page(name, projector):
    theme = theme_for(name, projector)
    assert theme.name == ("dark" if name == "dark" else "light")
    assert (theme.scale > 1.0) == projector


def test_what_is_up_to_date_is_not_sent_again():
    theme = theme_for("light", False)
    first = payload(SCENE, START, Ask(visible=frozenset({"norms", "states"})), theme)
    drawn = {"norms": first["stamp"], "states": "another"}
    again = payload(SCENE, START, Ask(visible=frozenset({"norms", "states"}), drawn=drawn), theme)
    assert {chart["name"] for chart in again["charts"] if chart["drawn"]} == {"states"}


def test_a_threshold_decides_how_norms_are_measured_and_the_switch_says_so():
    theme = theme_for("light", False)
    for clip, measured in (("off", "relative"), ("hidden_norm", "absolute")):
        charts = payload(SCENE, {**START, "clip": clip}, Ask(), theme)["charts"]
        switch = next(view for view in charts[0]["views"] if view["name"] == "measure")
        assert switch["value"] == measured
