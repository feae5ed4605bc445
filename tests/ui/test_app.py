"""The app without a browser: a control moves what it should, the address is the state, nothing wrong breaks a page."""

import dataclasses
import json
from urllib.parse import parse_qsl

import pytest

from rnnviz import Config, run
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.theme import THEMES
from rnnviz.lessons.presets import PRESETS
from rnnviz.ui.exploring import SCENE
from rnnviz.ui.payload import payload
from rnnviz.ui.settings import EXPLORE
from rnnviz.ui.stage import Ask
from tests.ui.hostile import NASTY
from tests.ui.visiting import APP, ask, assert_clean, drawn, keys, opened, stage, unescaped

KNOBS, START = EXPLORE.knobs, EXPLORE.start

# Setting: (its kind of widget, another value); beside the weight scale and the threshold, which have their sliders on
# the stage, and what belongs to a chart.
MOVES = {
    "cells": ("multiselect", ("lstm", "gru")),
    "length": ("select_slider", 50),
    "loss": ("segmented_control", "every"),
    "clip": ("selectbox", "hidden_norm"),
    "hidden_size": ("select_slider", 8),
    "layers": ("select_slider", 2),
    "bidirectional": ("toggle", True),
    "nonlinearity": ("selectbox", "sigmoid"),
    "initialisation": ("selectbox", "identity"),
    "gate_bias": ("select_slider", 2.0),
    "chrono": ("select_slider", 100.0),
    "seed": ("number_input", 7),
    "signal": ("selectbox", "sunspots"),
    "input_scale": ("select_slider", 0.1),
    "input_size": ("select_slider", 2),
    "head": ("selectbox", "last_output"),
    "truncation": ("segmented_control", "chunked"),
    "projector": ("toggle", True),
}


def expected(pin=None, hidden=frozenset(), preset=None, **changed):
    """What the stage must be sent for some settings."""
    values = {**EXPLORE.base(preset), **changed}
    theme = THEMES["light"].projected if values["projector"] else THEMES["light"]
    return json.loads(json.dumps(payload(SCENE, values, Ask(), theme, pin, hidden)))


def assert_shows(app, **expectation):
    found, wanted = stage(app), expected(**expectation)
    assert {**wanted, "asked": found["asked"], "plotly": found["plotly"]} == found


def badges(app):
    return [badge["label"] for chart in stage(app)["charts"] for badge in chart.get("badges", [])]


def test_the_first_page_makes_its_point_without_a_click():
    app = opened()
    assert_shows(app)
    assert_clean(app)
    assert not app.warning
    assert app.query_params == {}
    assert badges(app) == [VARIANTS[name].label for name in START["cells"]]
    assert drawn(stage(app)) == {"norms", "states"}
    assert [chart["name"] for chart in stage(app)["charts"]] == list(CHARTS)
    assert keys(app) >= {"preset", "cells", "length", "loss", "clip", "reset", "dice", "pin_button"}


def test_every_setting_has_a_place_to_change_it():
    views = {name for chart in CHARTS.values() for name in chart.views} | {"focus", "stream"}
    sliders = {slider["name"] for slider in expected()["sliders"]}
    assert {*MOVES, *views, *sliders, "text", "truncation_steps"} == set(KNOBS)


@pytest.mark.parametrize("name", MOVES)
def test_a_control_moves_the_charts_and_the_address(name):
    kind, value = MOVES[name]
    app = opened("more")
    widget = getattr(app, kind)(key=name)
    widget.set_value(list(value) if isinstance(value, tuple) else value).run()
    assert_shows(app, **{name: value})
    assert_clean(app)
    assert not app.warning
    assert app.query_params == EXPLORE.to_query({**START, name: value}) != {}


@pytest.mark.parametrize("name", MOVES)
def test_an_address_opens_the_state_and_its_widget_shows_it(name):
    kind, value = MOVES[name]
    app = opened("more", **EXPLORE.to_query({**START, name: value}))
    assert_shows(app, **{name: value})
    shown = getattr(app, kind)(key=name).value
    assert (tuple(shown) if isinstance(value, tuple) else shown) == value
    assert app.query_params == EXPLORE.to_query({**START, name: value})


def test_a_value_off_the_ladder_stays():
    app = opened("more", length="37", gate_bias="-2.5", weight_scale="0.77")
    assert app.select_slider(key="length").value == 37
    assert app.select_slider(key="gate_bias").value == -2.5
    assert_shows(app, length=37, gate_bias=-2.5, weight_scale=0.77)
    app.toggle(key="bidirectional").set_value(True).run()
    assert_shows(app, length=37, gate_bias=-2.5, weight_scale=0.77, bidirectional=True)


def test_settings_of_others_show_up_when_they_do_something():
    app = opened("more")
    assert {"text", "truncation_steps"}.isdisjoint(keys(app))
    app = opened("more", signal="text", truncation="chunked")
    assert {"text", "truncation_steps"} <= keys(app)
    app.select_slider(key="truncation_steps").set_value(5).run()
    assert_shows(app, signal="text", truncation="chunked", truncation_steps=5)


@pytest.mark.parametrize("text", ["a", "🙂" * 7, "<b>漢字 é\u202e</b>", "x" * 2000])
def test_any_text_is_read(text):
    app = opened("more", signal="text")
    app.text_input(key="text").set_value(text).run()
    assert_shows(app, signal="text", text=text)
    assert_clean(app)
    assert_shows(opened(**app.query_params), signal="text", text=text)


def test_no_text_at_all_is_a_sentence():
    app = opened("more", signal="text")
    app.text_input(key="text").set_value("").run()
    assert [unescaped(warning.value) for warning in app.warning] == [
        "text: must be a text of 1 to 2000 characters, got 0 characters."
    ]
    assert_shows(app, signal="text")


def test_no_cell_at_all_is_a_sentence_and_the_last_ones_stay():
    app = opened()
    app.multiselect(key="cells").set_value([]).run()
    assert [unescaped(warning.value) for warning in app.warning] == ["cells: must be 1 to 4 different ones, got ()."]
    assert_shows(app)
    assert tuple(app.multiselect(key="cells").value) == START["cells"]
    app.multiselect(key="cells").set_value(["gru"]).run()
    assert not app.warning
    assert badges(app) == ["GRU"]


def test_a_dragged_slider_moves_the_live_chart_and_not_yet_the_address():
    app = opened()
    found = ask(app, id=1, live=True, visible=["norms", "states"], changes={"weight_scale": 0.5})
    assert (found["asked"], found["live"], drawn(found)) == (1, True, {"norms"})
    assert app.query_params == {}
    found = ask(app, id=2, visible=["norms", "units"], changes={"weight_scale": 0.5}, theme="dark")
    assert (found["asked"], found["live"], drawn(found)) == (2, False, {"norms", "units"})
    assert found["theme"]["name"] == "dark"
    assert app.query_params == {"weight_scale": "0.5"}


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("measure", "absolute", "absolute"),
        ("overlays", ["bound", "limits"], ("bound", "limits")),
        ("overlays", [], ()),
        ("stream", "1", 1),
        ("focus", "lstm_3", "lstm_3"),
        ("clip_threshold", 0.5, 0.5),
        ("states", "cell", "cell"),
        ("shade", "log", "log"),
    ],
)
def test_a_switch_on_the_stage_is_a_setting(name, sent, value):
    app = opened()
    ask(app, id=1, changes={name: sent})
    assert app.query_params == EXPLORE.to_query({**START, name: value})
    assert not app.warning
    assert stage(app)["stamp"] == expected(**{name: value})["stamp"] == stage(opened(**app.query_params))["stamp"]


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_scale": "<script>alert(1)</script>"},
        {"weight_scale": None},
        {"weight_scale": -1e9},
        {"weight_scale": True},
        {"cells": [["rnn"]]},
        {"cells": [None, {"a": 1}]},
        {"cells": []},
        {"text": "\ud800", "signal": "text"},
        {"text": {"a": 1}},
        {"stream": "1" * 5000},
        {"no such setting": 1, "preset": "gru", "pin": "x"},
        {str(i): i for i in range(30)},
        "x",
        [1],
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_a_forged_change_leaves_a_working_page(changes):
    app = opened()
    ask(app, id=1, changes=changes)
    app.run()
    assert_clean(app)
    assert len(app.warning) <= 1
    assert app.query_params in ({}, {"signal": "text", "text": "?"})  # half a character becomes a whole one
    assert drawn(stage(app)) == {"norms", "states"}


def test_a_change_of_the_stage_stays_when_a_widget_is_moved():
    app = opened()
    ask(app, id=1, changes={"weight_scale": 2.0})
    app.select_slider(key="length").set_value(20).run()
    assert_shows(app, weight_scale=2.0, length=20)
    assert app.query_params == {"weight_scale": "2", "length": "20"}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_opens_by_its_address_with_its_story(preset):
    app = opened(preset=preset)
    wanted = payload(SCENE, EXPLORE.base(preset), Ask(visible=frozenset()), THEMES["light"])
    assert stage(app)["stamp"] == wanted["stamp"]
    assert drawn(stage(app)) == {"norms", "states"}
    assert_clean(app)
    assert not app.warning
    assert app.query_params == {"preset": preset}
    assert app.selectbox(key="preset").value == preset
    end = "" if PRESETS[preset].label.endswith("?") else "."
    assert [told.value for told in app.markdown] == [f"**{PRESETS[preset].label}{end}** {PRESETS[preset].story}"]


def test_a_preset_takes_the_place_of_all_settings_but_the_seed_and_the_projector():
    app = opened(length="20", seed="7", projector="true")
    app.selectbox(key="preset").set_value("gru").run()
    assert_shows(app, preset="gru", seed=7, projector=True)
    assert app.query_params == {"preset": "gru", "seed": "7", "projector": "true"}


def test_what_differs_from_a_preset_stands_in_the_address():
    app = opened(preset="the-eigenvalue-rule-fails")
    ask(app, id=1, changes={"overlays": [], "weight_scale": 1.1})
    assert app.query_params == {"preset": "the-eigenvalue-rule-fails", "overlays": "", "weight_scale": "1.1"}
    again = opened(**app.query_params)
    assert_shows(again, preset="the-eigenvalue-rule-fails", overlays=(), weight_scale=1.1)
    assert again.query_params == app.query_params


def test_reset_keeps_the_seed():
    app = opened(preset="gru", seed="7", length="20")
    app.button(key="reset").click().run()
    assert_shows(app, preset="gru", seed=7)
    assert app.query_params == {"preset": "gru", "seed": "7"}
    app.button(key="reset").click().run()
    assert_shows(app, seed=7)
    assert app.query_params == {"seed": "7"}
    assert app.selectbox(key="preset").value is None
    assert len(app.markdown) == 1


def test_dice_draws_another_seed_and_nothing_else():
    app = opened(length="20")
    app.button(key="dice").click().run()
    first = app.query_params["seed"]
    assert_shows(app, length=20, seed=int(first))
    app.button(key="dice").click().run()
    assert app.query_params["seed"] != first
    assert set(app.query_params) == {"length", "seed"}


def lines(app):
    (norms,) = (chart for chart in stage(app)["charts"] if chart["name"] == "norms")
    return [trace["name"] for trace in norms["figure"]["data"] if "lines" in trace["mode"]]


def test_a_pinned_run_lies_under_the_next_one_and_in_the_address():
    app = opened(cells="rnn", length="20")
    app.button(key="pin_button").click().run()
    assert app.button(key="pin_button").label == "Unpin"
    assert app.query_params == {"cells": "rnn", "length": "20", "pin": "cells=rnn&length=20"}
    assert lines(app) == ["RNN tanh"]
    ask(app, id=1, changes={"weight_scale": 0.5})
    assert lines(app) == ["RNN tanh", "RNN tanh, pinned"]
    pin = {**START, "cells": ("rnn",), "length": 20}
    again = opened(**app.query_params)
    assert lines(again) == lines(app)
    assert_shows(again, cells=("rnn",), length=20, weight_scale=0.5, pin=pin)
    again.button(key="pin_button").click().run()
    assert_shows(again, cells=("rnn",), length=20, weight_scale=0.5)
    assert "pin" not in again.query_params


@pytest.fixture(scope="module")
def all_keys():
    return keys(opened("more"))


@pytest.mark.parametrize("name", [*EXPLORE.hideable, "cells", "length", "loss", "clip", "hidden_size", "bidirectional"])
def test_an_address_hides_a_control(name, all_keys):
    app, gone = opened("more", hide=name), {{"pin": "pin_button"}.get(name, name)}
    assert gone <= all_keys - keys(app)
    assert gone == all_keys - keys(app) or name == "more"
    assert app.query_params == {"hide": name}


def test_a_hidden_slider_is_hidden_on_the_stage():
    app = opened(hide="weight_scale,measure")
    assert stage(app)["sliders"][0]["hidden"]
    assert_shows(app, hidden=frozenset({"weight_scale", "measure"}))


@pytest.mark.parametrize(
    ("parameters", "beginnings"),
    [
        ({"length": "-5"}, ["length: must be a whole number from 1 to 10000, got -5."]),
        ({"cells": "rnn,transformer"}, ["cells: must be 'rnn', 'relu', "]),
        ({"loss": "<script>alert(1)</script>"}, ["loss: must be 'last' or 'every', got '<script>alert(1)</script>'."]),
        ({"preset": "x"}, [f"preset: must be one of {', '.join(PRESETS)}, got 'x'."]),
        ({"hide": "x"}, ["hide: must name controls ("]),
        ({"pin": "length=0"}, ["pin, length: must be a whole number from 1 to 10000, got 0."]),
        ({"unknown": "1"}, ["unknown: is no setting of this page, and was left out."]),
        (
            {"weight_scale": "1e309", "seed": "x", "length": "20"},
            ["weight_scale: must be a number from 0 to 20, got inf.", "seed: must be a whole number from 0 to "],
        ),
    ],
)
def test_a_wrong_address_gets_a_sentence_each_and_a_working_page(parameters, beginnings):
    app = opened(**parameters)
    found = [unescaped(warning.value) for warning in app.warning]
    assert len(found) == len(beginnings)
    for sentence, beginning in zip(found, beginnings, strict=True):
        assert sentence.startswith(beginning)
    assert_clean(app)
    assert drawn(stage(app)) == {"norms", "states"}


WORST = ["empty", "script", "link", "markdown", "null", "lines", "emoji", "long", "right to left", "huge integer"]


@pytest.mark.parametrize("nasty", WORST)
def test_what_is_nasty_in_every_field_leaves_a_working_page(nasty):
    value = NASTY[nasty][:1000]
    names = {*KNOBS, "preset", "hide", "pin", f"<script>{value[:20]}"} - {"chrono"}  # its value may clash with another
    app = opened(**dict.fromkeys(sorted(names), value))
    assert_clean(app)
    assert drawn(stage(app)) == {"norms", "states"}
    assert 5 <= len(app.warning) <= 20
    app.button(key="reset").click().run()
    assert_clean(app)
    assert not app.warning


def test_a_thousand_wrong_names_do_not_bury_the_page():
    app = opened(**{f"x{i}": "1" for i in range(1000)})
    assert_clean(app)
    assert 1 <= len(app.warning) <= 20


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"length": "10000", "hidden_size": "256"}, "Sequence length, Hidden size, Layers: this run would take about "),
        ({"gate_bias": "1", "chrono": "20"}, "Chrono initialisation: takes the place of Forget/update-gate bias, "),
    ],
)
def test_settings_that_cannot_be_run_together_are_a_sentence_on_the_stage(parameters, problem):
    app = opened("more", "equations", "downloads", "share", **parameters)
    assert_clean(app)
    found = stage(app)
    assert found["problem"].startswith(problem)
    assert [chart["name"] for chart in found["charts"]] == list(CHARTS)
    assert drawn(found) == set()
    app.button(key="reset").click().run()
    app.query_params.clear()
    app.run()
    assert drawn(stage(app)) == {"norms", "states"}


def test_what_stands_in_the_share_box_opens_the_same_picture():
    app = opened("share", length="20", cells="gru", signal="text", text="a b&c=d+é")
    (link,) = app.code
    query = link.value.split("?")[1]
    assert dict(parse_qsl(query)) == app.query_params
    assert stage(opened(**dict(parse_qsl(query))))["stamp"] == stage(app)["stamp"]


def test_a_link_too_long_for_a_code_is_still_a_link():
    app = opened("share", signal="text", text="é" * 2000)
    assert "signal=text" in app.code[0].value
    assert "The link is too long for a QR code; a shorter text makes it fit." in [c.value for c in app.caption]


def test_there_are_four_files_to_take_away():
    app = opened("downloads")
    labels = [button.label for button in app.download_button]
    assert labels == ["Numbers (CSV)", "Arrays (npz)", "Report (HTML)", "PyTorch script"]
    assert_clean(app)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "bilstm"])
def test_the_equations_of_the_shown_network_open(cell):
    app = opened("equations", cells=cell, length="10")
    assert len(app.get("latex")) >= 2
    assert_clean(app)


@pytest.mark.parametrize("parameters", [{}, {"cells": "bilstm,gru", "layers": "2", "loss": "every", "length": "20"}])
def test_the_check_against_autograd_is_real(parameters):
    app = opened(**parameters)
    app.button(key="check").click().run()
    names = parameters.get("cells", ",".join(START["cells"])).split(",")
    assert len(app.success) == len(names)
    for told, name in zip(app.success, names, strict=True):
        assert told.value.startswith(f"{VARIANTS[name].label}: Checked against torch autograd: largest relative ")
        assert float(told.value.split("difference ")[1].rstrip(".")) < 1e-10


def test_one_network_alone_is_told_in_the_sentence_of_its_verdict():
    app = opened(cells="rnn", length="50")
    answer = next(chart["answer"] for chart in stage(app)["charts"] if chart["name"] == "norms")
    assert answer == run(Config(weight_scale=1.1, length=50)).verdict.sentence


def test_a_record_shorter_than_the_length_is_said():
    app = opened(signal="sunspots", length="500")
    notes = next(chart["notes"] for chart in stage(app)["charts"] if chart["name"] == "norms")
    assert "500 steps were asked for; the input ends after 309." in notes


def test_what_the_page_asks_for_is_what_a_visitor_changed_last():
    """Back in the browser: another address takes the place of everything."""
    app = opened(length="20", seed="3")
    app.query_params.clear()
    app.query_params["length"] = "10"
    app.run()
    assert_shows(app, length=10)


def test_a_control_that_goes_and_comes_back_is_drawn_again():
    """What the browser said it shows holds for its own question alone."""
    app = opened()
    shown = stage(app)["stamp"]
    ask(app, id=1, visible=["norms"], drawn={"norms": shown}, changes={})
    assert drawn(stage(app)) == set()
    app.segmented_control(key="loss").set_value("every").run()
    app.segmented_control(key="loss").set_value("last").run()
    assert stage(app)["stamp"] == shown
    assert drawn(stage(app)) == {"norms"}


def test_one_chart_that_fails_leaves_the_others(monkeypatch):
    def fails(subject, theme):
        """Why?

        Nothing.
        """
        raise ZeroDivisionError(str(APP))

    monkeypatch.setitem(CHARTS, "states", dataclasses.replace(CHARTS["states"], draw=fails))
    app = opened()
    assert drawn(stage(app)) == {"norms", "states"}
    answers = {chart["name"]: chart.get("answer") for chart in stage(app)["charts"]}
    assert answers["states"] == "This chart could not be drawn for these settings; the others stand."
    assert_clean(app)
