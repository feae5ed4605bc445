"""The charts of learning show a history's own numbers, in every state that it may be in."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.errors import ConfigError
from rnnviz.experiments.history import History
from rnnviz.experiments.training import LEARNERS, Training
from rnnviz.figures.curves import running_median
from rnnviz.figures.filmstrip import film_strip
from rnnviz.figures.learners import LearningSubject, LearningView, colour, dash, marker
from rnnviz.figures.theme import THEMES
from rnnviz.figures.training import held_out, losses, norms_per_update
from rnnviz.ui.stage import encoded
from tests.figures.drawings import LIGHT, assert_drawn, assert_fits_themes, assert_no_long_lists
from tests.figures.histories import EVERY_STATE, HISTORIES, history, shown

CHARTS = (losses, norms_per_update, held_out, film_strip)
NARROW = {"cells": ("lstm",), "updates": 100}


def named(drawing, name):
    return next(trace for trace in drawing.figure["data"] if trace["name"] == name)


def labels(drawing):
    return [note["text"] for note in drawing.figure["layout"]["annotations"]]


def changed(of: History, place: int, **changes) -> History:
    courses = list(of.courses)
    courses[place] = replace(courses[place], **changes)
    return History(of.training, tuple(courses))


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize("name", HISTORIES)
def test_every_history_is_drawn(draw, scale, name):
    drawing = draw(shown(HISTORIES[name], axis=scale), LIGHT)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    json.dumps(encoded(drawing.figure), allow_nan=False)
    x = drawing.figure["layout"]["xaxis"]["range"]
    for trace in drawing.figure["data"]:
        assert x[0] <= min(trace["x"], default=0) <= max(trace["x"], default=0) <= x[1]


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("of", [None, history((0,), ("waiting",))], ids=["none", "no update"])
def test_before_the_first_update_there_is_a_promise(draw, of):
    drawing = draw(shown(of), LIGHT)
    assert drawing.figure == {}
    assert drawing.answer.startswith("Press Train: ")
    assert_drawn(drawing)


@pytest.mark.parametrize("draw", CHARTS)
def test_ten_thousand_updates_stay_light(draw):
    figure = draw(shown(HISTORIES["long"]), LIGHT).figure
    assert max(len(trace["x"]) for trace in figure["data"]) <= 602
    assert len(json.dumps(encoded(figure))) < 400_000


def test_the_lines_are_every_loss_and_the_median_around_each():
    of = history((100,), ("training",), NARROW)
    loss = of.courses[0].loss
    drawing = losses(shown(of), LIGHT)
    pale, strong = named(drawing, "LSTM, every update"), named(drawing, "LSTM")
    np.testing.assert_array_equal(pale["x"], np.arange(1, 101))
    np.testing.assert_allclose(pale["y"], np.log10(loss), rtol=1e-5)
    around = [np.median(loss[max(at - 12, 0) : at + 13]) for at in range(100)]
    np.testing.assert_allclose(strong["customdata"], around, rtol=1e-5)
    np.testing.assert_allclose(strong["y"], np.log10(around), rtol=1e-5)
    linear = named(losses(shown(of, axis="linear"), LIGHT), "LSTM")
    np.testing.assert_allclose(linear["y"], around, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 24, 25, 26, 60])
def test_the_running_median(count):
    values = np.random.default_rng(count).normal(size=count)
    expected = [np.median(values[max(at - 12, 0) : at + 13]) for at in range(count)]
    np.testing.assert_array_equal(running_median(values), expected)


def test_bins_keep_the_smallest_and_the_largest_where_they_stand():
    of = HISTORIES["long"]
    loss, drawing = of.courses[0].loss, losses(shown(of), LIGHT)
    pale, strong = named(drawing, "LSTM, every update"), named(drawing, "LSTM")
    np.testing.assert_allclose(pale["y"], np.log10(loss[pale["x"].astype(int) - 1]), rtol=1e-5)
    for first in range(0, 10_000, 34):
        here = (pale["x"] > first) & (pale["x"] <= first + 34)
        part = np.log10(loss[first : first + 34])
        np.testing.assert_allclose([pale["y"][here].min(), pale["y"][here].max()], [part.min(), part.max()], rtol=1e-5)
    np.testing.assert_array_equal(strong["x"], [*range(1, 10_000, 17), 10_000])
    np.testing.assert_allclose(strong["customdata"], running_median(loss)[strong["x"].astype(int) - 1], rtol=1e-5)


def test_what_is_drawn_stays_while_more_updates_come():
    of = HISTORIES["long"]
    before = changed(of, 0, loss=of.courses[0].loss[:6800], state="training")
    early, late = (named(losses(shown(each), LIGHT), "LSTM, every update") for each in (before, of))
    np.testing.assert_array_equal(early["x"], late["x"][: len(early["x"])])


def test_the_ends_of_the_update_axis():
    assert losses(shown(HISTORIES["one update"]), LIGHT).figure["layout"]["xaxis"]["range"] == [0, 1000]
    assert losses(shown(EVERY_STATE), LIGHT).figure["layout"]["xaxis"]["range"] == [0, 1000]
    for draw in CHARTS:
        assert draw(shown(HISTORIES["all solved"]), LIGHT).figure["layout"]["xaxis"]["range"] == [0, 325]


def test_the_loss_axis_seldom_moves_while_a_network_learns():
    asked = NARROW | {"updates": 300}
    drawings = [losses(shown(history((made,), ("training",), asked)), LIGHT) for made in range(10, 301, 10)]
    assert len({tuple(drawing.figure["layout"]["yaxis"]["range"]) for drawing in drawings}) <= 4


def test_chance_and_states_are_written_on_the_chart():
    drawing = losses(shown(EVERY_STATE), LIGHT)
    (line,) = drawing.figure["layout"]["shapes"]
    assert line["name"] == "chance"
    assert line["y0"] == line["y1"] == pytest.approx(np.log10(1 / 6))
    assert "chance<br>0.167" in labels(drawing)
    assert {"LSTM", "GRU, solved at 300", "IRNN, broke at update 60", "RNN tanh"} < set(labels(drawing))
    disc, cross = named(drawing, "GRU: solved"), named(drawing, "IRNN: diverged")
    assert (disc["x"][0], disc["marker"]["symbol"]) == (300, "circle")
    assert (cross["x"][0], cross["marker"]["symbol"]) == (60, "x")
    assert cross["y"][0] == pytest.approx(drawing.figure["layout"]["yaxis"]["range"][1])


def test_what_the_losses_say():
    drawing = losses(shown(changed(EVERY_STATE, 3, score=EVERY_STATE.courses[3].score + 0.3)), LIGHT)
    assert drawing.answer == (
        "LSTM has made 150 updates (loss 0.14, 82 % of chance); GRU solved the task at update 300 (loss 0.031); "
        "IRNN (ReLU, identity) broke at update 60, where its loss was no number any more; RNN tanh has not solved it "
        "in 1000 updates (loss 3·10⁻⁵, 0.016 % of chance)."
    )
    assert [badge.text for badge in drawing.badges] == [
        "learning", "solved at update 300", "broke at update 60", "not solved in 1000 updates",
    ]  # fmt: skip
    assert [badge.kind for badge in drawing.badges] == ["steady", "solved", "diverged", "steady"]
    assert [badge.colour for badge in drawing.badges] == [LIGHT.colour(name) for name in ("lstm", "gru", "irnn", "rnn")]
    assert [badge.label for badge in drawing.badges] == [course.learner.label for course in EVERY_STATE.courses]


def test_one_that_goes_on_at_its_goal_is_not_called_unsolved():
    drawing = losses(shown(HISTORIES["alone"]), LIGHT)
    assert drawing.answer == "LSTM is at its goal after 400 updates (loss 0.012, 7 % of chance)."
    assert drawing.badges[0].text == "at its goal after 400 updates"


def test_a_gradient_can_break_before_the_loss_does():
    of = HISTORIES["broken at the second"]
    drawing = losses(shown(changed(of, 0, loss=np.array([1.0, 2.0]))), LIGHT)
    assert drawing.answer.startswith("LSTM broke at update 2, where its gradient was no number any more; GRU broke")


def test_what_has_exploded_leaves_the_axis_to_the_others():
    of = history((100,), ("training",), {"cells": ("lstm", "rnn")})
    of = changed(of, 1, loss=np.geomspace(1.0, 1e25, 100), norm_before=np.geomspace(1.0, 1e25, 100))
    for scale, most in (("log", np.log10(1000 / 6) + 2), ("linear", 10 / 6 * 1.3)):
        drawing = losses(shown(of, axis=scale), LIGHT)
        assert drawing.figure["layout"]["yaxis"]["range"][1] <= most
        assert "The losses of RNN tanh leave the chart at its upper edge." in drawing.notes
    assert norms_per_update(shown(of), LIGHT).figure["layout"]["yaxis"]["range"][1] <= 8


def test_the_norms_before_and_after_clipping():
    of = history((100,), ("training",), NARROW | {"clip_threshold": 0.5}, limit=0.5)
    course, drawing = of.courses[0], norms_per_update(shown(of), LIGHT)
    np.testing.assert_allclose(named(drawing, "LSTM, every update")["y"], np.log10(course.norm_before), atol=1e-6)
    np.testing.assert_allclose(named(drawing, "LSTM")["customdata"], running_median(course.norm_before), rtol=1e-5)
    after = named(drawing, "LSTM, after clipping")
    np.testing.assert_allclose(after["customdata"], running_median(course.norm_after), rtol=1e-5)
    (line,) = drawing.figure["layout"]["shapes"]
    assert line["name"] == "limit"
    assert line["y0"] == pytest.approx(np.log10(0.5))
    assert "limit<br>0.5" in labels(drawing)
    share = 100 * np.mean(course.norm_before > 0.5)
    middle, most = np.median(course.norm_before), course.norm_before.max()
    at = course.norm_before.argmax() + 1
    assert drawing.answer == (
        f"Norms before clipping: LSTM: {middle:.2g} in the median and {most:.2g} at most (update {at}), "
        f"clipped at {share:.2g} % of the updates."
    )
    assert drawing.badges[0].text == f"clipped at {share:.2g} % of the updates"


def test_without_clipping_there_is_no_limit():
    drawing = norms_per_update(shown(HISTORIES["unclipped"]), LIGHT)
    assert drawing.figure["layout"]["shapes"] == []
    assert {badge.text for badge in drawing.badges} == {"no clipping"}
    assert not [trace for trace in drawing.figure["data"] if "after" in trace["name"]]


def test_clipping_by_value_has_another_limit():
    note = "By value the limit holds for every single entry, so that the norm of all may stay above it."
    assert note in norms_per_update(shown(HISTORIES["clippings"]), LIGHT).notes
    assert note not in norms_per_update(shown(EVERY_STATE), LIGHT).notes


def test_a_norm_that_is_not_a_number_is_a_cross_at_the_upper_edge():
    drawing = norms_per_update(shown(HISTORIES["broken at once"]), LIGHT)
    top = drawing.figure["layout"]["yaxis"]["range"][1]
    crosses = [trace for trace in drawing.figure["data"] if trace["name"].endswith("diverged")]
    assert [(float(cross["x"][0]), float(cross["y"][0])) for cross in crosses] == [(1.0, top)] * 4
    assert "LSTM: the norm at update 1 is not a number; clipping cannot mend that." in drawing.notes


def test_a_norm_beyond_float32_does_not_end_a_course_that_lives_on():
    before = EVERY_STATE.courses[0].norm_before.copy()
    before[41] = np.inf
    drawing = norms_per_update(shown(changed(EVERY_STATE, 0, norm_before=before)), LIGHT)
    said = "LSTM: the norm at update 42 is beyond float32. clip_grad_norm_ makes such a gradient zero."
    assert said in drawing.notes
    assert not any(said.startswith("LSTM: the norm at update 150") for said in drawing.notes)


def test_a_stopped_course_is_called_stopped():
    stopped = history((120, 0), ("stopped",), {"cells": ("lstm", "rnn")})
    drawing = losses(shown(stopped), LIGHT)
    assert [badge.text for badge in drawing.badges] == ["stopped after 120 updates", "stopped before it began"]
    assert drawing.answer.startswith("LSTM was stopped after 120 updates (loss ")


def test_a_norm_of_zero_lies_at_the_foot():
    drawing = norms_per_update(shown(HISTORIES["nothing"]), LIGHT)
    assert set(named(drawing, "LSTM")["y"]) == {np.float32(drawing.figure["layout"]["yaxis"]["range"][0])}
    assert "LSTM: 0 in the median and 0 at most (update 1), no clipping;" in drawing.answer


def test_the_scores_and_the_goal():
    of = history((100,), ("solved",), NARROW)
    course, drawing = of.courses[0], held_out(shown(of), LIGHT)
    line = named(drawing, "LSTM")
    np.testing.assert_array_equal(line["x"], [0, 25, 50, 75, 100])
    np.testing.assert_allclose(line["y"], np.log10(course.score), rtol=1e-5)
    np.testing.assert_allclose(line["customdata"], course.score, rtol=1e-5)
    (goal,) = drawing.figure["layout"]["shapes"]
    assert goal["y0"] == pytest.approx(np.log10(of.material.goal))
    assert f"goal<br>≤ {of.material.goal:g}" in labels(drawing)
    assert "LSTM, solved at 100" in labels(drawing)
    assert drawing.figure["layout"]["yaxis"]["title"]["text"] == "typical error"
    assert drawing.answer == (
        f"Typical error (root mean square) on held-out data: LSTM: {course.score[-1]:.2g} after 100 updates; "
        f"the goal is at most {of.material.goal:g}."
    )
    middle = np.median(course.loss[-25:])
    assert drawing.notes[-1] == EVERY_STATE.material.held_out_text != ""
    assert drawing.notes[:-1] == (
        f"Loss on held-out data and in training: LSTM: {course.held_out[-1]:.2g} and {middle:.2g}.",
    )


def test_shares_have_an_axis_of_their_own():
    drawing = held_out(shown(HISTORIES["shares"]), LIGHT)
    assert drawing.figure["layout"]["yaxis"]["range"] == [0.0, 1.05]
    assert drawing.figure["layout"]["shapes"][0]["y0"] == HISTORIES["shares"].material.goal
    assert any(text.startswith("goal<br>≥ ") for text in labels(drawing))


def test_a_score_that_is_not_a_number_is_said_and_not_drawn():
    of = HISTORIES["broken at the second"]
    of = changed(of, 0, score=np.array([0.5, np.nan]), held_out=np.array([0.3, np.inf]))
    drawing = held_out(shown(of), LIGHT)
    assert_drawn(drawing)
    assert "LSTM: not a number after 1 update;" in drawing.answer
    assert list(named(drawing, "LSTM")["x"]) == [0]


def test_variants_of_one_cell_share_its_colour_and_are_told_apart_by_their_dash():
    training = HISTORIES["clippings"].training
    looks = [(colour(one, LIGHT), dash(one, training), marker(one, training)) for one in training.learners]
    assert [look[0] for look in looks] == [LIGHT.colour("irnn")] * 3
    assert [look[1] for look in looks] == ["solid", "dash", "dot"]
    assert [look[2] for look in looks] == ["pentagon", "pentagon-open", "pentagon"]
    drawing = losses(shown(HISTORIES["clippings"]), LIGHT)
    assert {"— no clipping", "– – clipped by norm", "··· clipped by value"} < set(labels(drawing))
    strong = [trace for trace in drawing.figure["data"] if trace["mode"] == "lines+markers"]
    assert [trace["line"]["dash"] for trace in strong] == ["solid", "dash", "dot"]


def test_every_learner_has_a_colour():
    for theme in THEMES.values():
        used = [theme.colour(name) for name in LEARNERS]
        assert len(set(used)) == len(used)


def test_labels_stand_beside_and_not_on_each_other():
    layout = losses(shown(HISTORIES["shares"]), LIGHT).figure["layout"]
    low, high = layout["yaxis"]["range"]
    height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    places = sorted(
        (note["y"] - low) / (high - low) * height + note["yshift"]
        for note in layout["annotations"]
        if "solved" in note["text"]
    )
    assert len(places) == 4
    assert np.diff(places).min() >= 17 - 1e-9


@pytest.mark.parametrize("draw", CHARTS)
def test_it_fits_the_themes(draw):
    assert_fits_themes(draw, shown(EVERY_STATE))


@pytest.mark.parametrize("draw", CHARTS)
def test_question_and_symbols_can_be_read_from_the_docstring(draw):
    question, symbols = draw.__doc__.splitlines()[0], draw.__doc__.split("\n\n")[1]
    assert question.endswith("?")
    assert symbols.strip().endswith(".")


def test_a_view_refuses_what_it_does_not_know():
    with pytest.raises(ConfigError, match=r"^axis: "):
        LearningView(axis="loglog")
    assert LearningSubject().view == LearningView("log", False)
    assert LearningSubject().offers("axis") is None
    assert LearningSubject().shown("axis", "log") == "log"


def test_the_subject_knows_where_its_axis_ends():
    assert shown(EVERY_STATE).last == 1000
    assert shown(HISTORIES["all solved"]).last == 325
    assert not shown(None).begun
    assert not shown(History(Training(), history((0,), ("waiting",)).courses)).begun
