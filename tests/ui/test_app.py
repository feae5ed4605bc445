"""The app without a browser: a control moves what it should, and a wrong URL leaves a working page."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rnnviz import Config, knobs, run

APP = Path(__file__).parents[2] / "app.py"


def opened(**parameters):
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def sentence(app):
    return app.markdown[1].value


def curve(app):
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    return spec["data"][0]


def test_the_first_page_shows_the_run_that_its_controls_say():
    app = opened()
    flow = run(Config(signal="sunspots"))
    assert sentence(app) == flow.verdict.sentence
    assert curve(app)["name"] == "‖∂L/∂h‖"
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("cell", "lstm"), ("signal", "noise"), ("initialisation", "identity"), ("loss", "every")],
)
def test_a_choice_moves_the_run(name, value):
    app = opened()
    app.selectbox(key=name).set_value(value).run()
    assert sentence(app) == run(Config(**{"signal": "sunspots", name: value})).verdict.sentence


@pytest.mark.parametrize(("name", "value"), [("length", 50), ("weight_scale", 0.5)])
def test_a_slider_moves_the_run(name, value):
    app = opened()
    before = curve(app)
    app.select_slider(key=name).set_value(value).run()
    assert sentence(app) == run(Config(signal="sunspots", **{name: value})).verdict.sentence
    assert curve(app) != before


@pytest.mark.parametrize("value", ["3", "3.0"])
def test_the_url_holds_the_state(value):
    assert "doubles" in sentence(opened(weight_scale=value))


@pytest.mark.parametrize("value", ["lstm", "LSTM"])
def test_a_link_may_name_a_choice_by_its_label_or_as_python_does(value):
    assert sentence(opened(cell=value)) == run(Config(cell="lstm", signal="sunspots")).verdict.sentence


def test_a_visitor_s_own_text_is_read():
    app = opened(signal="text")
    app.text_input(key="text").set_value("abcabcabc").run()
    assert sentence(app) == run(Config(signal="text", text="abcabcabc")).verdict.sentence


@pytest.mark.parametrize("text", ["<b>x</b>" * 200, "🙂" * 7, "a", "\x00\n\t"])
def test_any_text_leaves_a_working_page(text):
    app = opened(signal="text")
    app.text_input(key="text").set_value(text).run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "<script>alert(1)</script>", "length": "-5"},
        {"weight_scale": "1e309", "loss": "../../etc/passwd"},
        {"length": "1000000000", "unknown": "x" * 5000},
    ],
)
def test_a_wrong_url_leaves_a_working_page(parameters):
    app = opened(**parameters)
    assert sentence(app) == run(Config(signal="sunspots")).verdict.sentence


def test_the_check_against_autograd_is_real():
    app = opened()
    app.button[0].click().run()
    text = app.success[0].value
    assert text.startswith("Checked against torch autograd: largest relative difference ")
    assert float(text.split("difference ")[1].rstrip(".")) < 1e-10


def test_a_record_shorter_than_the_length_is_said():
    app = opened()
    app.select_slider(key="length").set_value(500).run()
    assert app.caption[0].value == "500 steps asked for; the input ends at 309."


@pytest.mark.parametrize("name", knobs(Config))
def test_every_setting_has_a_widget_of_its_own(name):
    def page(name):
        import streamlit as st

        from rnnviz.ui.controls import control

        st.write(repr(control(name)))

    app = AppTest.from_function(page, kwargs={"name": name}, default_timeout=30).run()
    assert not app.exception
    assert app.markdown[0].value.strip("`") == repr(getattr(Config(), name))
