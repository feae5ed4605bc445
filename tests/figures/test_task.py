"""The picture of a task shows the numbers of its first held-out example."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.errors import ConfigError
from rnnviz.experiments.tasks import TASKS, material
from rnnviz.experiments.training import Training
from rnnviz.figures.learners import LearningSubject
from rnnviz.figures.task import FOLD, MOST_LETTERS, MOST_WIDE, task_example
from rnnviz.figures.task_example import Example, folded
from rnnviz.figures.theme import THEMES
from rnnviz.ui.stage import encoded
from tests.figures.drawings import LIGHT, assert_drawn, assert_fits_themes, assert_no_long_lists

LENGTHS = (2, 3, 9, 29, 30, 31, 34, 100, 200)
MARKS = "<b>&amp;</b> '\"\n\t\r\x00\u202e\ud800\u0301é日🙂\u200d👍🏽ب"
SETTINGS = {f"{task}, {length}": {"task": task, "length": length} for task in TASKS for length in LENGTHS} | {
    "marks": {"task": "characters", "length": 30, "text": MARKS * 12},
    "marks, long": {"task": "characters", "length": 200, "text": MARKS * 40},
    "two letters": {"task": "characters", "length": 2, "text": "ababab"},
}


def asked(**settings) -> LearningSubject:
    return LearningSubject(training=Training(**settings))


def drawn(**settings):
    return task_example(asked(**settings), LIGHT)


def traced(drawing) -> dict:
    return {trace["name"]: trace for trace in drawing.figure["data"]}


def plain(trace) -> list[str]:
    """The words of a row as they are seen."""
    seen = [text.removeprefix("<b>").removesuffix("</b>") for text in trace["text"]]
    return [text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for text in seen]


def loud(trace) -> list[float]:
    """The steps that have the accent colour."""
    return [at for at, hue in zip(trace["customdata"], trace["textfont"]["color"], strict=True) if hue == LIGHT.accent]


def path(drawing) -> tuple[list[float], float, str]:
    """Where the lines to the answer begin, where they end, and the words beside them."""
    *taps, rail = drawing.figure["layout"]["shapes"]
    arrow, words = drawing.figure["layout"]["annotations"][-2:]
    assert {shape["name"] for shape in (*taps, rail)} == {"path"}
    assert all(tap["x0"] == tap["x1"] and tap["y1"] == rail["y0"] == rail["y1"] for tap in taps)
    assert rail["x0"] == taps[0]["x0"]
    assert arrow["x"] == arrow["ax"] == rail["x1"]
    assert arrow["ay"] == words["y"] == rail["y0"]
    return [tap["x0"] for tap in taps], rail["x1"], words["text"]


@pytest.mark.parametrize("theme", [LIGHT, THEMES["dark"].projected], ids=["light", "dark projector"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_task_is_drawn_at_every_length(settings, theme):
    drawing = task_example(asked(**settings), theme)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    assert len(json.dumps(encoded(drawing.figure), allow_nan=False)) < 30_000
    low, high = drawing.figure["layout"]["xaxis"]["range"]
    bottom, top = drawing.figure["layout"]["yaxis"]["range"]
    for trace in drawing.figure["data"]:
        known = trace["y"][np.isfinite(trace["y"])]
        assert low < trace["x"].min() <= trace["x"].max() < high
        assert bottom < known.min() <= known.max() < top


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_path_is_as_long_as_it_says_and_ends_where_the_loss_is(settings):
    ready, drawing = material(Training(**settings)), drawn(**settings)
    example, (begin, end, words) = Example(ready), path(drawing)
    axis = drawing.figure["layout"]["xaxis"]
    assert words == f"{example.lag} step{'s' * (example.lag != 1)}"
    assert 0 <= example.lag <= ready.lag
    assert ready.task.every or example.due == ready.steps - 1
    assert example.said[example.due]
    named = dict(zip(axis["tickvals"], axis["ticktext"], strict=True))
    assert named[max(named)] == str(ready.steps)
    assert np.diff(sorted(named)).min(initial=1e9) >= 0.12 * (axis["range"][1] - axis["range"][0])
    for place, step in ((begin[0], example.first), (end, example.due)):
        assert named.get(place, str(step + 1)) == str(step + 1)


@pytest.mark.parametrize("length", LENGTHS)
def test_adding_shows_all_numbers_the_two_marked_ones_and_their_sum(length):
    batch, drawing = material(Training(length=length)).held_out, drawn(task="adding", length=length)
    values, marks = batch.inputs[:, 0].T
    (kept,), rows = np.nonzero(marks), traced(drawing)
    shown = np.full(length, np.nan)
    for name in {"read", "remembered"} & set(rows):
        shown[rows[name]["x"][1::3].astype(int) - 1] = rows[name]["y"][1::3]
        np.testing.assert_array_equal(rows[name]["y"][::3], 0.0)
        assert np.isnan(rows[name]["y"][2::3]).all()
    np.testing.assert_array_equal(shown, values)
    np.testing.assert_array_equal(rows["remembered"]["x"][1::3] - 1, kept)
    assert rows["remembered"]["line"]["color"] == LIGHT.accent
    written = [note for note in drawing.figure["layout"]["annotations"] if "." in note["text"]]
    assert [(note["x"], note["text"]) for note in written] == [(at + 1, f"{values[at]:.2f}") for at in kept]
    assert (rows["say"]["x"], *plain(rows["say"])) == (length, f"{values[kept].sum():.2f}")
    assert path(drawing)[:2] == ([*(kept + 1.0)], length)
    assert drawing.notes[3:] == (
        "All numbers are rounded to two places.",
        "This is the first of 256 held-out examples.",
    )


def test_neighbours_have_their_numbers_side_by_side():
    for seed in range(200):
        drawing = drawn(length=30, seed=seed)
        first, second, *_ = drawing.figure["layout"]["annotations"]
        close = second["x"] - first["x"] < 0.12 * 30
        assert (first["xanchor"], second["xanchor"]) == (("right", "left") if close else ("center", "center"))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("task", "ahead", "needed"), [("sine", 5, 3), ("sunspots", 1, 9), ("co2", 1, 12)])
def test_a_forecast_shows_the_line_what_it_needs_and_the_answer_at_its_place(task, ahead, needed, length):
    ready, drawing = material(Training(task=task, length=length)), drawn(task=task, length=length)
    values, rows = ready.held_out.inputs[:, 0, 0], traced(drawing)
    needed = min(needed, length)
    np.testing.assert_array_equal(rows["read"]["x"], np.arange(1, length + 1))
    np.testing.assert_array_equal(rows["read"]["y"], values)
    np.testing.assert_array_equal(rows["remembered"]["x"], np.arange(length - needed + 1, length + 1))
    np.testing.assert_array_equal(rows["remembered"]["y"], values[-needed:])
    np.testing.assert_array_equal(rows["asked for"]["x"], [length, length + ahead])
    np.testing.assert_array_equal(rows["asked for"]["y"], [values[-1], ready.held_out.targets[0]])
    answer = f"{ready.held_out.targets[0]:.2f}".replace("-", "−")
    assert (rows["say"]["x"], *plain(rows["say"])) == (length, answer)
    assert path(drawing)[:2] == ([length - needed + 1], length)
    where = "the next value" if ahead == 1 else "the value 5 steps later"
    assert drawing.answer.startswith(f"At step {length} the network must say {where}, {answer}; ")


@pytest.mark.parametrize("length", LENGTHS)
def test_copy_shows_the_ten_symbols_the_marker_and_the_answers(length):
    batch, drawing = material(Training(task="copy", length=length)).held_out, drawn(task="copy", length=length)
    codes, targets, rows = batch.inputs[:, 0].argmax(axis=1), batch.targets[:, 0], traced(drawing)
    for name, whole in (("read", codes), ("say", targets)):
        at = rows[name]["customdata"].astype(int) - 1
        assert plain(rows[name]) == ["·12345678○"[code] for code in whole[at]]
    assert loud(rows["read"]) == [*range(1, 11)]
    assert loud(rows["say"]) == [*range(length + 11, length + 21)]
    assert length + 10 in rows["read"]["customdata"]
    digits = " ".join(map(str, codes[:10]))
    assert drawing.answer == (
        f"The network reads {digits} and must say it again {length + 10} steps later, from step {length + 11} on."
    )
    assert (FOLD in " ".join(drawing.notes)) == (length + 20 > MOST_LETTERS)


@pytest.mark.parametrize("length", LENGTHS)
def test_order_shows_the_two_symbols_and_their_order(length):
    batch, drawing = material(Training(task="order", length=length)).held_out, drawn(task="order", length=length)
    codes, rows = batch.inputs[:, 0].argmax(axis=1), traced(drawing)
    first, second = np.flatnonzero(codes < 2).tolist()
    at = rows["read"]["customdata"].astype(int) - 1
    assert plain(rows["read"]) == ["ABcdef"[code] for code in codes[at]]
    assert loud(rows["read"]) == [first + 1, second + 1]
    names = ["AB"[codes[place]] for place in (first, second)]
    assert plain(rows["say"]) == ["".join(names)] == [["AA", "AB", "BA", "BB"][batch.targets[0]]]
    begin, end, _ = path(drawing)
    columns = dict(zip(rows["read"]["customdata"], rows["read"]["x"], strict=True))
    assert begin == [columns[first + 1], columns[second + 1]]
    assert end == columns[length] == rows["say"]["x"]
    assert drawing.answer == (
        f"The network reads {names[0]} at step {first + 1} and {names[1]} at step {second + 1}, and must say "
        f"{''.join(names)} at step {length}, {length - 1 - first} step{'s' * (length - 1 - first > 1)} after the first."
    )


@pytest.mark.parametrize("length", [2, 6, 20, 30, 31, 200])
@pytest.mark.parametrize("text", ["the cat sat on the mat\nand a dog & <b>\t" * 20, "日本語テキスト。" * 100])
def test_a_text_is_shown_as_it_stands_with_the_next_characters_below(text, length):
    drawing = drawn(task="characters", length=length, text=text)
    held, rows = text[len(text) - max(len(text) // 5, length + 1) :], traced(drawing)
    seen = held.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
    for name, ahead in (("read", -1), ("say", 0)):
        assert plain(rows[name]) == [seen[int(at) + ahead] for at in rows[name]["customdata"]]
    lag = min(5, length - 1)
    assert loud(rows["read"]) == [*range(length - lag, length + 1)]
    assert loud(rows["say"]) == [length]
    assert drawing.answer == (
        f"At step {length}, after “{seen[length - 1 - lag : length]}”, the network must say “{seen[length]}”; what it "
        f"needs begins {lag} step{'s' * (lag != 1)} before."
    )
    most = MOST_LETTERS if text.isascii() else MOST_WIDE
    assert (FOLD in " ".join(drawing.notes)) == (length > most)


def test_what_is_left_out_is_said():
    drawing = drawn(task="copy", length=200)
    assert drawing.notes[3] == "Steps 15 to 206 are left out, at //."
    fold, read = traced(drawing)["left out"], traced(drawing)["read"]
    assert set(fold["text"]) == {FOLD}
    np.testing.assert_array_equal(fold["x"], [15, 15])
    np.testing.assert_array_equal(read["customdata"], [*range(1, 15), *range(207, 221)])


@given(st.integers(2, 220), st.lists(st.integers(0, 219), min_size=1, max_size=12), st.integers(25, 40))
def test_a_fold_keeps_what_is_wanted_and_hides_two_steps_or_more(steps, wanted, most):
    wanted = [at % steps for at in wanted]
    shown = folded(steps, wanted, most)
    kept = shown[shown >= 0]
    assert set(wanted) <= set(kept)
    assert len(shown) <= most
    assert (np.diff(kept) > 0).all()
    for place in np.flatnonzero(shown < 0):
        assert shown[place + 1] - shown[place - 1] > 2
    assert np.count_nonzero(shown < 0) == np.count_nonzero(np.diff(kept) > 1)
    if steps <= most and {0, steps - 1} <= set(wanted):
        np.testing.assert_array_equal(shown, np.arange(steps))


def test_characters_that_cannot_be_seen_have_a_sign():
    drawing = drawn(task="characters", length=20, text="a\x00\u202e\ud800\u200d\u0301 \r\n\u3000🙂" * 20)
    assert set(plain(traced(drawing)["read"])) <= {"a", "□", "◌\u0301", "␣", "␍", "↵", "🙂", FOLD}


def test_nothing_asked_for_is_a_sentence_and_a_text_that_is_too_short_an_error():
    drawing = task_example(LearningSubject(), LIGHT)
    assert (drawing.figure, drawing.answer) == ({}, "Choose a task: one example of it will be drawn here.")
    with pytest.raises(ConfigError, match=r"^text: must have at least 3 × length = 90 characters, got 2\."):
        drawn(task="characters", text="ab")


def test_the_only_example_is_called_so():
    drawing = drawn(task="characters", length=30, text="ab" * 45)
    assert drawing.notes[-1] == "This is the only held-out example."


def test_the_material_is_made_once():
    subject = asked(task="order")
    assert subject.material is subject.material
    assert LearningSubject().material is None


@pytest.mark.parametrize("task", TASKS)
def test_it_fits_the_themes(task):
    assert_fits_themes(task_example, asked(task=task))


def test_question_and_symbols_can_be_read_from_the_docstring():
    question, symbols = task_example.__doc__.splitlines()[0], task_example.__doc__.split("\n\n")[1]
    assert question == "What must be remembered?"
    assert symbols.strip().endswith(".")


@pytest.mark.parametrize("task", TASKS)
def test_it_says_what_is_asked_how_far_back_it_lies_and_what_chance_costs(task):
    found = material(Training(task=task))
    told = task_example(LearningSubject(training=Training(task=task)), LIGHT).notes
    assert told[:2] == (found.task.help, found.lag_text)
    assert told[2] == f"Chance: a loss of {found.chance:.3g}. {found.chance_text}"
