"""The Train page without a browser: it trains in slices, keeps what it found, and says what cannot be trained."""

import io
import json

import pytest

from rnnviz.experiments.history import History
from rnnviz.experiments.tasks import TASKS
from rnnviz.experiments.training import Training
from rnnviz.lessons.trainings import TRAININGS
from rnnviz.ui import training
from rnnviz.ui.training import SCENE, TRAIN
from tests.ui.hostile import NASTY
from tests.ui.visiting import ask, assert_clean, chart, drawn, keys, opened, stage, unescaped

SMALL = {"cells": "rnn,gru", "length": "10", "updates": "60", "hidden_size": "8"}
ALL = list(SCENE.charts)


def at(**parameters):
    return opened(page="train", **parameters)


def told(app):
    """What the progress bar says."""
    (bar,) = app.get("progress")
    return bar.proto.text


def begun(**parameters):
    app = at(**{**SMALL, **parameters})
    app.button(key="train").click().run()
    assert not app.exception
    return app


def go_on(app, slices=1, **question):
    """What the stage does while a training runs: it asks for the next slice when the last one is drawn."""
    for _ in range(slices):
        number = stage(app, "training")["asked"] + 1
        ask(app, "training", id=number, visible=ALL, tick=True, **question)


def to_the_end(app):
    for _ in range(200):
        if not stage(app, "training")["running"]:
            return
        go_on(app)
    raise AssertionError("the training does not end")


def course(app):
    return training_of(app).history.courses


def training_of(app):
    return app.session_state[training.KEY].trainer


def test_before_a_training_every_chart_says_what_will_be_there():
    app = at()
    assert_clean(app)
    found = stage(app, "training")
    assert not found["running"]
    assert [each["name"] for each in found["charts"]] == ALL
    assert chart(app, "training", "losses")["answer"].startswith("Press Train: ")
    assert chart(app, "training", "task")["figure"] != {}
    assert {"preset", "cells", "task", "length", "updates", "clips", "train"} <= keys(app)
    assert "pause" not in keys(app)


def test_a_training_goes_on_slice_by_slice_to_its_end(monkeypatch):
    monkeypatch.setattr(training, "SLICE", 0.0)
    app = begun()
    assert stage(app, "training")["running"]
    go_on(app, slices=3)  # a look, two updates
    assert [each.updates for each in course(app)] == [2, 0]
    assert drawn(stage(app, "training")) == set(ALL)
    assert told(app).startswith("2 updates")
    monkeypatch.setattr(training, "SLICE", 60.0)
    to_the_end(app)
    assert [each.updates for each in course(app)] == [60, 60]
    assert told(app) == "Done: 120 updates."
    assert {"pause", "resume", "stop"}.isdisjoint(keys(app))
    assert_clean(app)


def test_what_is_drawn_was_trained():
    app = begun()
    to_the_end(app)
    badges = chart(app, "training", "losses")["badges"]
    assert [badge["label"] for badge in badges] == ["RNN tanh", "GRU"]
    assert json.dumps(chart(app, "training", "film")["figure"]) != "{}"


def test_nothing_is_trained_that_no_browser_asks_for():
    app = begun()
    app.run()
    ask(app, "training", id=1, visible=ALL)
    assert [each.updates for each in course(app)] == [0, 0]


def test_pause_resume_and_stop(monkeypatch):
    monkeypatch.setattr(training, "SLICE", 0.0)
    app = begun(updates="2000")
    go_on(app, slices=3)
    app.button(key="pause").click().run()
    made = [each.updates for each in course(app)]
    assert not stage(app, "training")["running"]
    assert told(app) == f"Paused after {sum(made)} updates."
    go_on(app)  # an answer that was under way
    assert [each.updates for each in course(app)] == made
    app.button(key="resume").click().run()
    assert stage(app, "training")["running"]
    go_on(app)
    assert sum(each.updates for each in course(app)) > sum(made)
    app.button(key="stop").click().run()
    made = sum(each.updates for each in course(app))
    assert told(app) == f"Stopped after {made} updates; what was found stays."
    assert {"pause", "resume", "stop"}.isdisjoint(keys(app))
    go_on(app)
    assert sum(each.updates for each in course(app)) == made
    assert chart(app, "training", "losses")["figure"] != {}


def test_leaving_the_page_and_coming_back_finds_it_again(monkeypatch):
    monkeypatch.setattr(training, "SLICE", 0.0)
    app = begun(updates="2000")
    go_on(app, slices=3)
    made = sum(each.updates for each in course(app))
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/explore.py").run()
    assert not app.exception
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/train.py").run()
    assert not app.exception
    assert sum(each.updates for each in course(app)) == made
    assert stage(app, "training")["running"]
    assert app.query_params["updates"] == "2000"
    go_on(app)
    assert sum(each.updates for each in course(app)) > made


def test_other_visitors_have_their_turn(monkeypatch):
    monkeypatch.setattr(training, "PATIENCE", 0.01)
    app = begun()
    with training.TURN:
        go_on(app)
        assert told(app).endswith("waiting for other visitors' trainings.")
        assert [each.updates for each in course(app)] == [0, 0]
    go_on(app)
    assert sum(each.updates for each in course(app)) > 0


def test_a_second_training_takes_the_place_of_the_first():
    app = begun()
    to_the_end(app)
    app.multiselect(key="cells").set_value(["lstm"]).run()
    assert [each.learner.cell for each in course(app)] == ["rnn", "gru"]
    app.button(key="train").click().run()
    assert [each.learner.cell for each in course(app)] == ["lstm"]
    assert stage(app, "training")["running"]


def test_a_pause_during_a_slice_holds():
    """Two runs of a page can overlap: the one that pauses, and the one that still trains."""

    class Trainer:
        done = False

        def advance(self, seconds):
            present.running = False

    present = training.Lesson(Trainer())
    present.go_on()
    assert not present.running


def test_a_training_that_was_replaced_gives_its_memory_back():
    app = begun(updates="2000")
    go_on(app)
    first = training_of(app)
    app.button(key="train").click().run()
    assert first.done
    assert training_of(app) is not first
    assert {each.state for each in course(app)} == {"waiting"}


def test_charts_of_other_settings_say_whose_they_are():
    app = begun()
    to_the_end(app)
    assert not app.caption
    app.selectbox(key="task").set_value("order").run()
    (caption,) = (unescaped(each.value) for each in app.caption)
    told = "The curves are of a training with other settings: Task Adding problem. Train again for those above."
    assert caption == told
    app.multiselect(key="clips").set_value(["off"]).run()
    (caption,) = (unescaped(each.value) for each in app.caption)
    assert "Task Adding problem; Clipping By norm. " in caption


def test_a_text_too_long_for_an_address_stays_in_the_session():
    app = opened("share", page="train", task="characters")
    text = "the é cat sat on the mat. " * 760
    app.text_area(key="text").set_value(text[:19_000] + "漢" * 900).run()
    assert_clean(app)
    assert not app.warning
    assert "text" not in app.query_params
    assert "Too long for an address, and not in this link: Your text." in [c.value for c in app.caption]
    app.button(key="train").click().run()
    assert training_of(app).training.text.endswith("漢")


@pytest.mark.parametrize(
    ("parameters", "beginning"),
    [
        ({"task": "characters", "text": "short"}, "Your text: "),
        ({"task": "characters", "text": "a" * 500}, "Your text: "),
        ({"cells": "rnn,gru,lstm", "clips": "off,norm"}, "Cells, Clipping, Initialisation: together they must "),
        ({"length": "200", "hidden_size": "128", "batch_size": "256"}, "Length, Hidden size, Batch: one update "),
        ({"updates": "10000", "length": "200", "hidden_size": "128"}, "Updates, Length, Hidden size, Batch: "),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_and_what_was_found_stays(parameters, beginning):
    app = begun()
    to_the_end(app)
    before = training_of(app)
    app.query_params |= parameters
    app.run()
    app.button(key="train").click().run()
    assert_clean(app)
    assert unescaped(app.warning[-1].value).startswith(beginning)
    assert training_of(app) is before
    assert not stage(app, "training")["running"]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_says_what_it_asks_for(task):
    app = at(task=task)
    assert_clean(app)
    example = chart(app, "training", "task")
    words = " ".join((example["answer"], *example["notes"]))
    for part in (TASKS[task].help, "Chance: a loss of "):
        assert part in words
    app = begun(task=task, updates="2")
    to_the_end(app)
    assert [each.updates for each in course(app)] == [2, 2]


@pytest.mark.parametrize("preset", TRAININGS)
def test_a_preset_opens_with_its_story(preset):
    app = at(preset=preset)
    assert app.query_params == {"preset": preset}
    assert any(TRAININGS[preset].story in told.value for told in app.markdown)
    assert_clean(app)
    assert not app.warning
    Training(**{name: value for name, value in TRAIN.base(preset).items() if name in Training.__dataclass_fields__})


@pytest.mark.parametrize("nasty", ["empty", "script", "link", "null", "emoji", "right to left", "huge integer"])
def test_what_is_nasty_in_every_field_leaves_a_working_page(nasty):
    app = at(**dict.fromkeys([*TRAIN.knobs, "preset", "hide", "pin"], NASTY[nasty]))
    assert_clean(app)
    app.button(key="train").click().run()
    assert_clean(app)


def test_every_setting_has_a_place_to_change_it():
    app = opened("more", page="train", task="characters")
    assert {*TRAIN.knobs} - {"axis"} <= keys(app)
    assert_clean(app)


def test_a_text_of_ones_own_is_learnt():
    app = at(task="characters", **{name: SMALL[name] for name in ("cells", "length", "hidden_size")}, updates="5")
    app.text_area(key="text").set_value("the cat sat on the mat. " * 5).run()
    assert_clean(app)
    app.button(key="train").click().run()
    to_the_end(app)
    assert training_of(app).training.text.startswith("the cat")
    assert [each.updates for each in course(app)] == [5, 5]


def test_the_file_to_take_away_is_the_history():
    app = begun()
    to_the_end(app)
    file = io.BytesIO()
    training_of(app).history.save(file)
    file.seek(0)
    read = History.load(file)
    assert read.training == training_of(app).training
    assert [each.updates for each in read.courses] == [60, 60]
