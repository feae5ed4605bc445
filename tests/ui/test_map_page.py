"""The Map page without a browser: it draws at once, its address holds it, and a point opens as the run it shows."""

from urllib.parse import parse_qsl

import pytest

from rnnviz.figures.phase_words import answer
from rnnviz.ui import mapping
from rnnviz.ui.mapping import MAP, subject_of
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


def test_the_first_page_makes_its_point_without_a_click():
    app = opened(page="map")
    assert_clean(app)
    assert not app.warning
    assert dict(app.query_params) == {"cells": "rnn,lstm,gru"}
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


def test_a_point_of_a_map_over_distance_opens_the_run_of_its_column():
    app = at(against="distance", cells="lstm", length="30")
    cells = chart(app, "map", "phase")["figure"]["layout"]["meta"]["cells"]
    assert (cells["names"], cells["rows"]) == (["length", "weight_scale"], ["30"] * 5)
    said = maps(app)[0]["text"]
    assert said[1][2].startswith("LSTM, weight scale 1, up to 5 steps before the loss:")
    assert query(app, 0, 1, 2) == query(app, 0, 4, 2)
    (badge,) = chart(opened(page="explore", **query(app, 0, 1, 2)), "stage", "norms")["badges"]
    assert f"×{said[4][2].split('×')[1].split(' a step')[0]} a step" in badge["text"]


def test_the_address_is_never_so_short_that_back_would_bring_another_map():
    app = opened(page="map", cells="lstm,gru")
    app.switch_page("rnnviz/ui/pages/explore.py").run()
    app.query_params.clear()
    app.query_params.update({"cells": "rnn,lstm,gru"})  # where Back leads
    app.switch_page("rnnviz/ui/pages/map.py").run()
    assert_clean(app)
    assert [trace["name"] for trace in maps(app)] == ["RNN tanh", "LSTM", "GRU"]


def test_an_even_number_of_networks_gets_a_sentence():
    app = at(seeds="4")
    assert_clean(app)
    assert stage(app, "map")["problem"].startswith("Networks per point: must be odd")


def test_a_control_of_the_other_axis_goes_away():
    assert {"hidden_size", "against"} <= keys(at())
    assert "length" not in keys(at())
    assert "length" in keys(at(against="hidden_size"))
    assert {"length", "hidden_size"} <= keys(at(against="distance"))
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
