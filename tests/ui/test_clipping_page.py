"""The Clipping page without a browser: the threshold moves what it should, the wall follows its start."""

from html import unescape

import pytest

from rnnviz.core.signal import SIGNAL_CLIPS
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.learning.corner_cases import corner_cases
from rnnviz.ui.clipping import CLIPPING, WALL, WAYS, wall_of, ways_of
from tests.experiments.clipped import facts
from tests.ui.hostile import NASTY
from tests.ui.visiting import ask, assert_clean, chart, drawn, keys, opened, stage, unescaped


def at(*popovers, **parameters):
    return opened(*popovers, page="clipping", **parameters)


def answers(app, key, *names):
    """What the charts of a stage say."""
    ask(app, key, id=stage(app, key)["asked"] + 1, visible=list(names))
    return [chart(app, key, name)["answer"] for name in names]


def test_the_first_page_makes_its_point_without_a_click():
    app = at()
    assert_clean(app)
    assert not app.warning
    assert app.query_params == {}
    assert drawn(stage(app, "ways")) == {"curves"}
    assert [each["name"] for each in stage(app, "ways")["charts"]] == list(WAYS.charts)
    assert [each["name"] for each in stage(app, "wall")["charts"]] == list(WALL.charts)


def test_the_four_facts_are_said_once_each():
    app = at()
    answers(app, "ways", *WAYS.charts)
    said = [
        sentence
        for name in WAYS.charts
        for sentence in (chart(app, "ways", name)["answer"], *chart(app, "ways", name)["notes"])
    ]
    clippings = ways_of(CLIPPING.start).clippings
    assert [said.count(fact) for fact in facts(clippings)] == [1, 1, 1, 1]


def signal_line(app):
    (line,) = (t for t in chart(app, "ways", "curves")["figure"]["data"] if t["name"] == "signal")
    return line["y"]


def test_the_threshold_moves_the_clipped_curve_and_the_address():
    app = at()
    before = signal_line(app)
    ask(app, "ways", id=1, visible=["curves"], changes={"clip_threshold": 10.0})
    assert signal_line(app) != before
    assert app.query_params == {"clip_threshold": "10"}


@pytest.mark.parametrize("kind", SIGNAL_CLIPS)
def test_every_kind_of_signal_clipping_is_shown(kind):
    app = at(clip_signal=kind, length="20")
    assert_clean(app)
    assert drawn(stage(app, "ways")) == {"curves"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_network_is_clipped(variant):
    app = at(cells=variant, length="20", loss="every", layers="2")
    for answer in answers(app, "ways", *WAYS.charts):
        assert answer.endswith(".")
        assert "could not be drawn" not in answer
    assert_clean(app)


def test_the_network_of_explore_comes_along_once_it_was_changed():
    app = opened(length="20", cells="gru")
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/clipping.py").run()
    assert not app.exception
    assert app.query_params["cells"] == "gru"
    assert app.query_params["length"] == "20"


def test_a_page_that_was_not_touched_brings_nothing_along():
    app = opened()
    app.switch_page("rnnviz/ui/pages/clipping.py").run()
    assert app.query_params == {}
    assert tuple(app.multiselect(key="cells").value) == CLIPPING.start["cells"]


def test_the_start_of_the_paths_is_dragged_on_the_map():
    app = at()
    ask(app, "wall", id=1, visible=["map"], live=True, changes={"wall_w": 5.0, "wall_b": -3.0})
    assert chart(app, "wall", "map")["figure"]["layout"]["meta"]["point"]["x"] == 5.0
    ask(app, "wall", id=2, visible=["map", "descent"], changes={"wall_w": 5.0, "wall_b": -3.0})
    assert app.query_params == {"wall_w": "5", "wall_b": "-3"}
    wall = wall_of({**CLIPPING.start, "wall_w": 5.0, "wall_b": -3.0}).wall
    assert chart(app, "wall", "map")["answer"] == wall.answer != wall_of(CLIPPING.start).wall.answer


def test_what_the_browser_holds_of_the_map_is_not_sent_again():
    app = at()
    ask(app, "wall", id=1, visible=["map"])
    first = chart(app, "wall", "map")["figure"]
    assert len(first["data"]) == first["still"]["count"] + first["moving"]
    ask(app, "wall", id=2, visible=["map"], held={"map": first["still"]["mark"]}, changes={"wall_rate": 0.1})
    second = chart(app, "wall", "map")["figure"]
    assert second["still"] == first["still"]
    assert len(second["data"]) == second["moving"] == first["moving"]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"clip_threshold": "0"}, "clip_threshold: must be a number from 1e-12 to 1e+12, got 0.0."),
        ({"clip_threshold": "-1"}, "clip_threshold: must be a number from 1e-12 to 1e+12, got -1.0."),
        ({"wall_threshold": "0"}, "wall_threshold: must be a number from 1e-06 to 1000000, got 0.0."),
        ({"wall_w": "inf"}, "wall_w: must be a number from -20 to 20, got inf."),
        ({"pin": "length=5"}, "pin: there is nothing to pin on this page, and it was left out."),
        ({"preset": "gru"}, "preset: there is none on this page, got 'gru'."),
    ],
)
def test_a_wrong_address_gets_a_sentence_and_a_working_page(parameters, sentence):
    app = at(**parameters)
    assert [unescaped(warning.value) for warning in app.warning] == [sentence]
    assert_clean(app)
    assert drawn(stage(app, "ways")) == {"curves"}


@pytest.mark.parametrize("nasty", ["empty", "script", "link", "null", "emoji", "right to left", "huge integer"])
def test_what_is_nasty_in_every_field_leaves_a_working_page(nasty):
    app = at(**dict.fromkeys(sorted({*CLIPPING.knobs, "hide"} - {"chrono"}), NASTY[nasty]))
    assert_clean(app)
    assert drawn(stage(app, "ways")) == {"curves"}


def test_every_setting_has_a_place_to_change_it():
    app = at("more", signal="text", truncation="chunked")
    switches = {view["name"] for view in stage(app, "ways")["detail"]}
    sliders = {slider["name"] for key in ("ways", "wall") for slider in stage(app, key)["sliders"]}
    views = {"clip", "measure", "overlays", "states", "shade"}  # of charts that stand on the Explore page alone
    assert set(CLIPPING.knobs) - views == (keys(app) | switches | sliders) & set(CLIPPING.knobs)
    assert_clean(app)


def test_the_corner_cases_are_computed_when_they_are_opened():
    app = at("corners")
    table = unescape("".join(each.proto.body for each in app.get("html")))
    for case in corner_cases():
        for word in (case.label, case.before, case.norm, case.by_norm, case.by_value, case.sentence):
            assert f">{word}</td>" in table
    assert_clean(app)
