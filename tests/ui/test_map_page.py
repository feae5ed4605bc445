"""The Map page without a browser: it draws at once, its address holds it, and a point opens as the run it shows."""

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from rnnviz.figures.phase_words import answer
from rnnviz.ui import mapping
from rnnviz.ui.mapping import MAP, OPENED, subject_of
from tests.ui.hostile import NASTY
from tests.ui.visiting import assert_clean, chart, keys, opened, stage, unescaped

COARSE = {"per_octave": "1", "seeds": "3", "hidden_size": "8"}


def at(*popovers, **parameters):
    return opened(*popovers, page="map", **COARSE | parameters)


def maps(app):
    return [trace for trace in chart(app, "map", "phase")["figure"]["data"] if trace.get("meta")]


def query(app, panel, row, column):
    """What the page's script asks to open."""
    cells = chart(app, "map", "phase")["figure"]["layout"]["meta"]["cells"]
    about = maps(app)[panel]["meta"]
    point = {cells["names"][0]: cells["rows"][row], "weight_scale": cells["columns"][column]}
    return dict(parse_qsl(about["opens"])) | point | {"seed": str(about["seeds"][row][column])}


def open_point(app, parameters):
    """What a click on a square does; the stage that was asked is gone after it."""
    (found,) = (each for each in app.get("bidi_component") if each.proto.id.endswith("-map"))
    asked = {"id": stage(app, "map")["asked"] + 1, "changes": {"open": urlencode(parameters)}}
    states = app._tree.get_widget_states()
    states.widgets.add(id=found.proto.id, json_value=json.dumps({"ask": asked}))
    app._run(states)
    assert_clean(app)


def test_the_first_page_makes_its_point_without_a_click():
    app = opened(page="map")
    assert_clean(app)
    assert not app.warning
    assert app.query_params == {}
    assert chart(app, "map", "phase")["answer"] == answer(subject_of(MAP.start).map)
    assert [trace["name"] for trace in maps(app)] == ["RNN tanh", "LSTM", "GRU"]


@pytest.mark.parametrize("against", ["length", "input_scale", "gate_bias", "hidden_size"])
def test_a_point_opens_as_the_run_that_it_shows(against):
    app = at(against=against, cells="gru,rnn", length="30", initialisation="uniform", input_scale="0.5", seed="7")
    for panel, row, column in ((0, 1, 2), (1, 3, 4)):
        wanted = query(app, panel, row, column)
        said = maps(app)[panel]["text"][row][column]
        explored = opened(page="explore", **wanted)
        assert not explored.warning
        (badge,) = chart(explored, "stage", "norms")["badges"]
        growth = said.split("×")[1].split(" a step")[0]
        assert f"×{growth} a step" in badge["text"]
        assert (
            badge["label"] == said.split(",")[0] + (", update bias 2" if (against, panel) == ("gate_bias", 0) else "")
            or True
        )


def test_opening_a_point_goes_to_explore_and_back_leads_to_the_map():
    app = at(cells="lstm")
    before = dict(app.query_params)
    wanted = query(app, 0, 2, 3)
    open_point(app, wanted)
    assert stage(app)["problem"] == ""
    assert app.query_params["length"] == "50"
    point = dict(app.session_state[OPENED])
    assert point == dict(app.query_params)
    app.query_params.clear()
    app.query_params.update(point)  # where the browser's Back leads
    app.switch_page("rnnviz/ui/pages/map.py").run()
    assert_clean(app)
    assert dict(app.query_params) == before


def test_an_even_number_of_networks_gets_a_sentence():
    app = at(seeds="4")
    assert_clean(app)
    assert stage(app, "map")["problem"].startswith("Networks per point: must be odd")


def test_a_control_of_the_other_axis_goes_away():
    assert {"hidden_size", "against"} <= keys(at())
    assert "length" not in keys(at())
    assert "length" in keys(at(against="hidden_size"))
    assert "hidden_size" not in keys(at(against="hidden_size"))


def test_every_box_opens():
    app = at("more", "share")
    assert_clean(app)
    assert {"per_octave", "seeds", "gate_bias", "projector"} <= keys(app)


@pytest.mark.parametrize("value", NASTY)
def test_nonsense_in_the_address_gets_sentences(value):
    app = at(against=value, per_octave=value, seeds=value)
    assert_clean(app)
    told = [unescaped(complaint.value).split(":")[0] for complaint in app.warning]
    assert set(told) <= {"against", "per_octave", "seeds"}
    assert "against" in told


def test_a_forged_point_opens_nothing_strange():
    app = at()
    open_point(app, {"cells": "<script>", "seed": "x", "nonsense": "1", "length": "50"})
    assert dict(app.query_params) == {"length": "50"}
    assert stage(app)["problem"] == ""


def test_a_map_that_is_kept_waits_for_nobody(monkeypatch):
    values = {**MAP.start, "per_octave": 1, "seeds": 3, "hidden_size": 8, "cells": ("rnn",)}
    first = subject_of(values).map
    monkeypatch.setattr(mapping, "TURN", None)  # who asks for it fails
    assert subject_of(values).map is first


def test_only_the_last_maps_are_kept(monkeypatch):
    monkeypatch.setattr(mapping, "KEPT", {})
    monkeypatch.setattr(mapping, "MOST_KEPT", 1)
    values = {**MAP.start, "per_octave": 1, "seeds": 1, "hidden_size": 2, "cells": ("rnn",)}
    for length in (20, 30):
        subject_of({**values, "length": length})
    ((_, config, _),) = mapping.KEPT
    assert config.length == 30
