"""The page "Your model" without a browser: the sample, files good and bad, what is chosen of them, the address."""

import io
from html import escape
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from rnnviz.experiments import own
from rnnviz.experiments.own_model import OwnModel, reach
from rnnviz.figures.charts import CHARTS
from rnnviz.ui import own_files
from rnnviz.ui.own_away import Taken
from rnnviz.ui.own_files import FILES
from rnnviz.ui.own_model import MOST_MB
from tests.ui.hostile import NASTY
from tests.ui.visiting import APP, ask, assert_clean, chart, drawn, opened, sentences, stage, unescaped

CSV = b"day,level,rain\n" + b"".join(b"d%d,%d.5,%d\n" % (i, i % 7, i % 3) for i in range(30))


def at(*popovers, **parameters):
    return opened(*popovers, page="your_model", **parameters)


def model():
    torch.manual_seed(0)
    parts = {"lstm": nn.LSTM(2, 4, num_layers=2, bidirectional=True), "gru": nn.GRU(1, 3), "rnn": nn.RNN(1, 3)}
    return save({f"net.{key}": value for key, value in nn.ModuleDict(parts).state_dict().items()})


def give(app, kind, data, name):
    """Open the box and give a file to its uploader."""
    app.session_state["open"] = True
    app.run()
    (uploader,) = (each for each in app.file_uploader if each.key.startswith(kind))
    uploader.upload(name, data, "application/octet-stream").run()
    assert not app.exception
    return app


def given_weights():
    return give(at(), "weights", model(), "mine.safetensors")


def said(app):
    return [unescaped(sentence) for sentence in sentences(app)]


def labels(app):
    return [badge["label"] for badge in chart(app, "own", "norms")["badges"]]


def test_the_first_page_shows_that_the_horizon_grew():
    app = at()
    assert_clean(app)
    assert not app.warning
    assert app.query_params == {}
    assert drawn(stage(app, "own")) == {"norms", "states"}
    assert labels(app) == ["Before training", "Midway", "Once solved"]
    assert f"**{reach(OwnModel().sample_runs())}**" in said(app)


def test_every_chart_of_explore_is_drawn():
    app = at()
    ask(app, "own", id=1, visible=list(CHARTS))
    for each in stage(app, "own")["charts"]:
        assert each["drawn"]
        assert each["answer"].endswith(".")
        assert "could not be drawn" not in each["answer"]


def test_a_file_is_opened_and_each_layer_and_direction_can_be_shown():
    app = given_weights()
    assert_clean(app)
    assert not app.warning
    assert labels(app) == ["net.gru"]
    assert any(each.startswith("No gradient of your loss is in this file") for each in said(app))
    assert app.session_state["open"] is False
    app.selectbox(key="module").set_value("net.lstm").run()
    assert app.query_params == {"module": "net.lstm"}
    assert any("mine.safetensors, net.lstm: LSTM 2 → 4, 2 layers, both directions." in each for each in said(app))
    (streams,) = (each for each in stage(app, "own")["detail"] if each["name"] == "stream")
    assert len(streams["options"]) == 4
    ask(app, "own", id=1, visible=list(CHARTS), changes={"stream": "3"})
    assert app.query_params == {"module": "net.lstm", "stream": "3"}
    assert all("could not be drawn" not in each["answer"] for each in stage(app, "own")["charts"])
    assert_clean(app)


def test_the_activation_is_asked_for_an_rnn_alone():
    app = given_weights()
    assert "nonlinearity" not in {each.key for each in app.get("button_group")}
    app.selectbox(key="module").set_value("net.rnn").run()
    before = chart(app, "own", "norms")["figure"]["data"]
    app.segmented_control(key="nonlinearity").set_value("relu").run()
    assert app.query_params == {"module": "net.rnn", "nonlinearity": "relu"}
    assert chart(app, "own", "norms")["figure"]["data"] != before


def test_a_column_of_inputs_is_chosen():
    app = give(given_weights(), "inputs", CSV, "rain.csv")
    told = (
        "It reads rain.csv, which ends after 30 steps. "
        "Columns left out, because not every row has a finite number there: day."
    )
    assert any(told in each for each in said(app))
    before = chart(app, "own", "states")["figure"]["data"]
    app.selectbox(key="columns").set_value("2").run()
    assert app.query_params == {"columns": "2"}
    assert chart(app, "own", "states")["figure"]["data"] != before
    app.toggle(key="standardise").set_value(True).run()
    assert app.query_params == {"columns": "2", "standardise": "true"}
    app.selectbox(key="module").set_value("net.lstm").run()
    assert_clean(app)


def test_several_columns_are_chosen_where_the_module_reads_several():
    wide = io.BytesIO()
    np.save(wide, np.random.default_rng(0).normal(size=(20, 4)))
    app = give(at(), "inputs", wide.getvalue(), "wide.npy")
    app.multiselect(key="columns").set_value(["3", "1"]).run()
    assert app.query_params == {"columns": "3,1"}
    assert drawn(stage(app, "own")) == {"norms", "states"}
    app.multiselect(key="columns").set_value(["3"]).run()
    assert stage(app, "own")["problem"].startswith("Input columns: must be 2 different ones of the 4 columns")
    assert_clean(app)


@pytest.mark.parametrize(
    ("kind", "data", "sentence"),
    [
        ("weights", b"\x80\x02}q\x00.", "because a torch pickle can run code when it is opened"),
        ("weights", model()[:-1], "it was cut or changed."),
        ("weights", b"PK\x03\x04", "which is a damaged archive."),
        ("weights", save(nn.Linear(2, 3).state_dict()), "weights: must hold weight_ih_l0 and weight_hh_l0"),
        ("weights", save(nn.LSTM(2, 4, proj_size=3).state_dict()), "a projection (proj_size) cannot be replayed"),
        ("inputs", b"1,2\n3,4\n", "the first line of the file must be a header"),
        ("inputs", b"\x93NUMPY", "whose header is damaged."),
    ],
)
def test_a_bad_file_is_a_sentence_and_the_former_model_stays(kind, data, sentence):
    app = given_weights()
    give(app, kind, data, "bad.npz" if kind == "weights" else "bad.csv")
    (warning,) = app.warning
    assert sentence in unescaped(warning.value)
    assert_clean(app)
    assert labels(app) == ["net.gru"]
    app.select_slider(key="length").set_value(20).run()
    assert not app.warning
    assert drawn(stage(app, "own")) == {"norms", "states"}


@pytest.mark.parametrize("name", ["script", "link", "markdown", "null", "right to left"])
def test_names_in_a_file_are_shown_and_not_run(name):
    state = {f"{NASTY[name]}.{key}": value for key, value in nn.GRU(1, 3).state_dict().items()}
    app = give(at(), "weights", save(state), "<b>x</b>.safetensors")
    assert_clean(app)
    assert drawn(stage(app, "own")) == {"norms", "states"}
    assert "<" not in labels(app)[0]


def test_the_files_survive_another_page_and_are_given_back():
    app = given_weights()
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/explore.py").run()
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/your_model.py").run()
    assert labels(app) == ["net.gru"]
    app.session_state["open"] = True
    app.run()
    app.button(key="drop").click().run()
    assert labels(app) == ["Before training", "Midway", "Once solved"]
    assert_clean(app)


def test_a_read_file_is_not_kept_a_second_time():
    app = given_weights()
    app.session_state["open"] = True
    app.run()
    assert all(each.value is None for each in app.file_uploader)


def test_an_address_opens_what_it_names():
    app = at(length="20", loss="every", focus="own_3", seed="3", module="lstm")
    assert_clean(app)
    assert not app.warning
    assert stage(app, "own")["detail"][0]["value"] == "own_3"
    assert chart(app, "own", "norms")["answer"].startswith("Every step's own loss adds to these totals")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"length": "0"}, "length: must be a whole number from 1 to 10000, got 0."),
        ({"loss": "x"}, "loss: must be 'last' or 'every', got 'x'."),
        ({"focus": "rnn"}, "focus: must be 'first', 'own_3', 'own_2' or 'own', got 'rnn'."),
        ({"weights": "a"}, "weights: is no setting of this page, and was left out."),
    ],
)
def test_a_wrong_address_is_a_sentence(parameters, sentence):
    app = at(**parameters)
    assert sentence in [unescaped(each.value) for each in app.warning]
    assert_clean(app)


def test_a_module_that_the_file_does_not_have_is_a_sentence_in_place_of_the_charts():
    app = at(module="encoder")
    assert stage(app, "own")["problem"] == "Recurrent module: must be one of lstm, got 'encoder'."
    assert_clean(app)


def test_what_a_server_cannot_afford_is_a_sentence():
    large = nn.LSTM(1, 256, num_layers=2, bidirectional=True).half().state_dict()
    app = give(at(length="10000"), "weights", save(large), "large.safetensors")
    assert "so choose a shorter one." in stage(app, "own")["problem"]
    assert_clean(app)


@pytest.mark.parametrize("value", ["script", "link", "null", "huge integer", "commas"])
def test_nothing_in_an_address_breaks_the_page(value):
    assert_clean(at(module=NASTY[value], columns=NASTY[value], stream=NASTY[value]))


def test_every_box_opens():
    app = at("open", "share", "downloads")
    assert_clean(app)
    text = "\n".join(said(app))
    assert 'safetensors.torch.save_file(model.state_dict(), "weights.safetensors")' in text
    assert "No gradient of *your* loss is in this file" in text
    assert "rnnviz.watch" in text
    assert {each.key for each in app.get("download_button")} == {"get_rnnviz.csv", "get_rnnviz.npz", "get_rnnviz.html"}


def test_the_server_takes_no_more_than_the_page_says():
    assert f"maxUploadSize = {MOST_MB}\n" in (APP.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8")


def test_the_sentence_and_the_charts_share_one_forward_run(monkeypatch):
    app, forward, ran = given_weights(), own.unroll, []
    monkeypatch.setattr(own, "unroll", lambda *given: ran.append(1) or forward(*given))
    app.select_slider(key="length").set_value(20).run()
    assert drawn(stage(app, "own")) == {"norms", "states"}
    assert len(ran) == 1
    assert app.session_state[FILES].made is None


def test_inputs_that_do_not_fit_are_not_said_to_be_read_and_there_is_nothing_to_take_away():
    app = give(given_weights(), "inputs", b"level\n1\n2\n3\n", "one.csv")
    app.selectbox(key="module").set_value("net.lstm").run()
    app.session_state["downloads"] = True
    app.run()
    assert stage(app, "own")["problem"].startswith("inputs: must have 2 columns")
    assert not any("It reads" in sentence for sentence in said(app))
    assert not [each for each in app.get("download_button") if each.proto.label.startswith(("Numbers", "Arrays"))]
    assert any("nothing to take away" in each.value for each in app.caption)


def test_the_sentence_names_the_layer_of_a_deep_model():
    app = given_weights()
    app.selectbox(key="module").set_value("net.lstm").run()
    (run,) = app.session_state[FILES].runs(OwnModel(module="net.lstm"))
    assert f"**{reach((run,))}**" in said(app)
    assert reach((run,)).startswith(f"{run.flow.verdict.stream.capitalize()}: more than 1 % of the gradient")
    assert chart(app, "own", "norms")["answer"] == run.flow.verdict.sentence
    (switch,) = (each for each in stage(app, "own")["detail"] if each["name"] == "stream")
    assert dict(switch["options"])[switch["value"]] == run.flow.verdict.stream


@pytest.mark.parametrize("s", range(4))
def test_the_sentences_are_about_the_layer_and_direction_of_the_switch(s):
    app = given_weights()
    app.selectbox(key="module").set_value("net.lstm").run()
    ask(app, "own", id=1, visible=["norms"], changes={"stream": str(s)})
    (run,) = app.session_state[FILES].runs(OwnModel(module="net.lstm"))
    assert f"**{reach((run,), s)}**" in said(app)
    assert chart(app, "own", "norms")["answer"] == run.flow.readings[s].sentence


def test_a_new_file_shows_its_own_stream_again():
    app = given_weights()
    app.selectbox(key="module").set_value("net.lstm").run()
    ask(app, "own", id=1, visible=["norms"], changes={"stream": "0"})
    give(app, "weights", save(nn.GRU(1, 3, num_layers=2).state_dict()), "other.safetensors")
    assert "stream" not in app.query_params
    assert chart(app, "own", "norms")["answer"].startswith("Layer 2, forward direction: ")


def test_a_file_of_any_kind_is_answered_and_the_box_closes():
    app = give(given_weights(), "weights", b"\x80\x02}q\x00.", "model.pt")
    (warning,) = app.warning
    assert unescaped(warning.value).endswith("got 'model.pt'.")
    assert app.session_state["open"] is False


def test_what_was_said_of_the_last_file_goes_when_another_one_is_given():
    app = give(given_weights(), "weights", b"PK\x03\x04", "first.npz")
    give(app, "inputs", b"\x93NUMPY", "second.npy")
    (warning,) = app.warning
    assert "'second.npy'" in unescaped(warning.value)
    give(app, "weights", model(), "third.safetensors")
    assert not app.warning


def test_opening_the_box_takes_the_last_answer_away():
    app = give(given_weights(), "weights", b"PK\x03\x04", "first.npz")
    held, session = app.session_state[FILES], app.session_state["page your_model"]
    assert session.complaints
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_files.st, "session_state", {"open": False})
        held.opened(SimpleNamespace(kept=session))
        assert session.complaints
        patch.setattr(own_files.st, "session_state", {"open": True})
        held.opened(SimpleNamespace(kept=session))
    assert not session.complaints


@pytest.mark.parametrize(("value", "word"), [(np.nan, "nan"), (np.inf, "inf")])
def test_a_weight_that_is_not_finite_is_told_with_its_file_and_its_name(value, word):
    parts = nn.ModuleDict({"bad": nn.LSTM(1, 2), "good": nn.GRU(1, 3)}).state_dict()
    parts["bad.weight_hh_l0"][0, 0] = value
    app = give(at(), "weights", save(parts), "mine.safetensors")
    (warning,) = app.warning
    assert unescaped(warning.value) == f"mine.safetensors: bad.weight_hh_l0: must be finite, got {word}."
    assert labels(app) == ["good"]
    alone = {key: each for key, each in parts.items() if key.startswith("bad")}
    give(app, "weights", save(alone), "worse.safetensors")
    (warning,) = app.warning
    assert unescaped(warning.value) == f"worse.safetensors: bad.weight_hh_l0: must be finite, got {word}."
    assert labels(app) == ["good"]


def report(app):
    held, session = app.session_state[FILES], SimpleNamespace(values=app.session_state["page your_model"].values)
    session.link = lambda base: f"{base}?length=40"
    words = "mine.safetensors, net.gru: GRU 1 → 3" if held.weights else ""
    return Taken(held, session, "https://example.org/your_model", words).report()


def test_the_report_has_every_chart_the_files_and_no_link_that_would_not_open_them():
    page = report(give(given_weights(), "inputs", CSV, "<rain>.csv"))
    for each in CHARTS.values():
        assert each.steps == "own" or escape(each.question) in page
    for text in ("mine.safetensors, net.gru: GRU 1 → 3", "&lt;rain&gt;.csv", "net.gru", "Cells"):
        assert text in page
    assert "example.org" not in page
    assert "could not be drawn" not in page
    sample = report(at())
    assert "the sample of rnnviz" in sample
    assert "https://example.org/your_model?length=40" in sample
