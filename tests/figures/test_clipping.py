"""The charts of one backward pass draw what the ways of clipping found, and say each of the four facts once."""

from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest

from rnnviz.core.readings import power_text
from rnnviz.experiments.clipping_facts import curve_fact, direction_fact, signal_fact, size_fact
from rnnviz.experiments.clippings import SLIDING, Clippings
from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import Config
from rnnviz.figures.chart import Chart, Subject, View
from rnnviz.figures.clipped_curves import CURVES, LABEL_PIXELS, curves_before_after
from rnnviz.figures.clipped_directions import directions
from rnnviz.figures.clipped_gradient import gradient_before_after
from rnnviz.figures.clipping import ClippingSubject
from rnnviz.figures.theme import THEMES
from tests.experiments.clipped import facts
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
)

CHARTS = (curves_before_after, gradient_before_after, directions)
EXPLODING = {"weight_scale": 1.1, "length": 40, "clip_threshold": 1.0}


def asked(name="rnn", stream=0, kind="preactivation_value", **settings) -> ClippingSubject:
    run = Run(name, VARIANTS[name].config(Config(**{"length": 30} | settings)))
    return ClippingSubject(Clippings(run, kind), View(stream=stream))


def traces(drawing):
    return {trace["name"]: trace for trace in drawing.figure["data"] if trace.get("name")}


def words(drawing):
    return [note["text"] for note in drawing.figure["layout"]["annotations"] if note["text"]]


def threshold(drawing):
    (shape,) = (shape for shape in drawing.figure["layout"]["shapes"] if shape.get("name") == "threshold")
    return shape


@pytest.mark.parametrize("subject", EVERY_SUBJECT)
def test_every_run_is_drawn(subject):
    for draw in CHARTS:
        drawing = draw(ClippingSubject(Clippings(subject.focus), subject.view), LIGHT)
        assert_drawn(drawing)
        assert_no_long_lists(drawing.figure)
        assert all("nan" not in text and "None" not in text for text in words(drawing))


@pytest.mark.parametrize("name", ["linear", "bilstm"])
@pytest.mark.parametrize(
    "settings",
    [OVERFLOW, {"weight_scale": 3.0, "length": 200}, {"weight_scale": 3.0, "length": 400}, {"length": 1500},
     {"truncation": "sliding", "loss": "every"}, {"clip_threshold": 1e-12}, {"clip_threshold": 1e12}],
)  # fmt: skip
def test_runs_beyond_float64_and_long_ones_are_drawn(name, settings):
    for draw in CHARTS:
        drawing = draw(asked(name, hidden_size=8, **settings), LIGHT)
        assert_drawn(drawing)
        assert_no_long_lists(drawing.figure)


def test_each_fact_is_said_exactly_once():
    subject = asked("linear", **EXPLODING)
    told = [
        sentence
        for draw in CHARTS
        for drawing in [draw(subject, LIGHT)]
        for sentence in (drawing.answer, *drawing.notes)
    ]
    assert [told.count(fact) for fact in facts(subject.clippings)] == [1, 1, 1, 1]
    clippings = subject.clippings
    norms = [power_text(way.log10_norm) for way in clippings.ways]
    made = "A gradient of norm {} becomes {} by norm, {} by value, {} by clipping of the signal.".format(*norms)
    assert [draw(subject, LIGHT).answer for draw in CHARTS] == [
        curve_fact(clippings), made, direction_fact(clippings)
    ]  # fmt: skip
    assert gradient_before_after(subject, LIGHT).notes[0] == size_fact(clippings)
    assert curves_before_after(subject, LIGHT).notes[0] == signal_fact(subject.clippings)


@pytest.mark.parametrize("stream", [0, 1])
@pytest.mark.parametrize("name", ["rnn", "lstm", "bigru"])
def test_the_curves_are_those_of_the_flows(name, stream):
    subject = asked(name, stream, clip_threshold=1e-3)
    found, s = traces(curves_before_after(subject, LIGHT)), subject.stream
    clippings = subject.clippings
    for way in clippings.ways:
        np.testing.assert_allclose(found[way.label]["y"], way.flow.log10_norm[s, :, 0], rtol=1e-6)
        np.testing.assert_array_equal(found[way.label]["x"], np.arange(31) + way.flow.streams[s].reverse)
    for label in ("by norm", "by value"):
        np.testing.assert_array_equal(found[label]["y"], found["no clipping"]["y"])
    assert np.abs(found["signal"]["y"] - found["no clipping"]["y"]).max() > 0.3
    assert ("no clipping, ∂L/∂c" in found) == (name == "lstm")
    if name == "lstm":
        np.testing.assert_allclose(
            found["signal, ∂L/∂c"]["y"], clippings.signal.flow.cell_log10_norm[s, :, 0], rtol=1e-5, atol=1e-6
        )
    assert len({(line["line"]["color"], line["line"]["dash"]) for line in found.values()}) == len(found)


def test_lines_on_each_other_can_all_be_seen():
    """What is drawn first is wider, and the last one has gaps."""
    lines = curves_before_after(asked(clip_threshold=1e3), LIGHT).figure["data"]
    assert [line["name"] for line in lines] == ["no clipping", "signal", "by norm", "by value"]
    widths = [line["line"]["width"] for line in lines]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[1] > widths[2]
    assert lines[-1]["line"]["dash"] not in ("solid", lines[-2]["line"]["dash"])


@pytest.mark.parametrize(("limit", "same"), [(1e-3, False), (1e3, True)])
def test_the_names_say_which_are_the_same_curve(limit, same):
    told = " ".join(words(curves_before_after(asked(clip_threshold=limit), LIGHT)))
    assert "by norm" in told
    assert ": the same curve" in told
    assert (">signal</span>: the same curve" in told) == same


def test_the_names_stand_on_no_line_and_not_on_each_other():
    for name in ("rnn", "lstm", "linear", "bilstm"):
        for limit in (1e-3, 1e-2, 1.0):
            for stream in (0, 1):
                drawing = curves_before_after(asked(name, stream, length=100, clip_threshold=limit), LIGHT)
                low, high = drawing.figure["layout"]["yaxis"]["range"]
                pixel = (high - low) / (CURVES - 60)
                notes = drawing.figure["layout"]["annotations"]
                boxes = sorted(
                    (note["y"] - rows * LABEL_PIXELS / 2 * pixel, note["y"] + rows * LABEL_PIXELS / 2 * pixel)
                    for note in notes
                    for rows in [1 + note["text"].count("<br>")]
                )
                assert boxes[0][0] >= low - pixel
                assert boxes[-1][1] <= high + pixel
                assert all(above[0] >= below[1] - pixel for below, above in pairwise(boxes))
                far = -1 if notes[0]["xanchor"] == "right" else 0
                for line in drawing.figure["data"]:
                    if np.isfinite(line["y"][far]):
                        assert not any(below < line["y"][far] < above for below, above in boxes)


def test_the_threshold_can_be_dragged_on_both_charts():
    subject = asked("linear", **{**EXPLODING, "clip_threshold": 30.0})
    across, upright = threshold(curves_before_after(subject, LIGHT)), threshold(gradient_before_after(subject, LIGHT))
    assert across["y0"] == across["y1"] == upright["x0"] == upright["x1"] == pytest.approx(np.log10(30.0))
    assert (across["xref"], upright["yref"]) == ("x domain", "y domain")
    for drawing, axis in ((curves_before_after, "yaxis"), (gradient_before_after, "xaxis")):
        low, high = drawing(subject, LIGHT).figure["layout"][axis]["range"]
        assert low < np.log10(30.0) < high


def test_the_axes_stay_put_while_the_threshold_moves_a_little():
    for draw, axis in ((curves_before_after, "yaxis"), (gradient_before_after, "xaxis")):
        ranges = {
            tuple(draw(asked(clip_threshold=at), LIGHT).figure["layout"][axis]["range"]) for at in (0.5, 0.55, 0.6)
        }
        assert len(ranges) == 1


def test_exact_zeros_are_crosses():
    found = traces(curves_before_after(asked(weight_scale=0.0), LIGHT))
    np.testing.assert_array_equal(found["exactly 0"]["x"], np.arange(30))
    assert found["no clipping"]["mode"] == "markers"  # one point makes no line


def test_the_bars_are_the_norms_before_and_after():
    subject = asked("linear", **EXPLODING)
    found, ways = traces(gradient_before_after(subject, LIGHT)), subject.clippings.ways
    before, after = found["before"], found["after"]
    np.testing.assert_allclose(before["customdata"], subject.clippings.none.log10_norm, rtol=1e-6)
    flat = [np.concatenate([part.ravel() for part in way.report.clipped.values()]) for way in ways]
    expected = np.log10([np.linalg.norm(part) for part in flat])
    np.testing.assert_allclose(after["customdata"], expected, atol=1e-6)
    np.testing.assert_allclose(after["base"] + after["x"], expected, atol=1e-5)


def test_the_words_at_the_bars():
    subject = asked("linear", **EXPLODING)
    norm, value, signal = (way.report for way in subject.clippings.ways[1:])
    told = words(gradient_before_after(subject, LIGHT))
    size = power_text(norm.log10_norm_before)
    assert told[0].endswith(f"no clipping</b>  {size}")
    assert told[1].endswith(f"by norm</b>  {size} → 1,  × {power_text(np.log10(norm.coefficient))},  ∠ 0.0°")
    assert told[2].endswith(f"by value</b>  {size} → {power_text(value.log10_norm_after)},  ∠ {value.angle:.0f}°")
    assert told[3].endswith(f"signal</b>  {size} → {power_text(signal.log10_norm_after)},  ∠ {signal.angle:.0f}°")


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("rnn", {"clip_threshold": 1e3}, ["2", "2, nothing to clip", "2, nothing to clip", "2, nothing to clip"]),
        ("linear", OVERFLOW, ["not a number"] * 4),
        ("linear", {"weight_scale": 3.0, "length": 200}, ["", " → exactly 0,  × exactly 0"]),
        ("linear", {"weight_scale": 3.0, "length": 400}, ["", " → NaN,  × exactly 0"]),
        ("rnn", {"truncation": "sliding"}, ["", "", "", "refused: a sliding truncation"]),
    ],
)
def test_the_words_at_the_bars_of_other_runs(name, settings, told):
    found = words(gradient_before_after(asked(name, **{"length": 100} | settings), LIGHT))
    for text, ending in zip(found, told, strict=False):
        assert text.endswith(ending), text


@pytest.mark.parametrize(("name", "layers"), [("rnn", 1), ("bilstm", 2)])
def test_the_parts_of_a_bar_are_the_parameters_shares(name, layers):
    subject = asked(name, layers=layers, clip_threshold=1e-2)
    found, clippings = traces(gradient_before_after(subject, LIGHT)), subject.clippings
    end = np.zeros(4)
    for parameter in found:
        if parameter in clippings.none.log10_before:
            shares = [way.shares_after[parameter] for way in clippings.ways]
            np.testing.assert_allclose(found[parameter]["x"], shares, atol=1e-6)
            np.testing.assert_allclose(found[parameter]["base"], end, atol=1e-6)
            end += shares
    np.testing.assert_allclose(end, 1.0, atol=1e-9)
    assert set(clippings.none.log10_before) <= set(found)
    np.testing.assert_allclose(found["weight_hh_l0"]["x"][0], found["weight_hh_l0"]["x"][1], rtol=1e-6)
    assert abs(found["weight_hh_l0"]["x"][0] - found["weight_hh_l0"]["x"][2]) > 0.01


def test_a_share_is_written_where_there_is_room():
    subject = asked(clip_threshold=1e-2)
    found = traces(gradient_before_after(subject, LIGHT))["W_hh"]
    shares = [way.shares_after["weight_hh_l0"] for way in subject.clippings.ways]
    assert list(found["text"]) == [f"{share:.0%}" for share in shares if share >= 0.12]


def arrows(drawing):
    """(angle in degrees, colour) of every arrow."""
    return [
        (np.degrees(np.arctan2(note["y"] - note["ay"], note["x"] - note["ax"])), note["arrowcolor"])
        for note in drawing.figure["layout"]["annotations"] if note["showarrow"]
    ]  # fmt: skip


def test_the_arrows_are_turned_by_the_angles():
    subject = asked("linear", **EXPLODING)
    found, ways = arrows(directions(subject, LIGHT)), subject.clippings.ways[1:]
    assert [colour for _, colour in found[::2]] == [LIGHT.faint] * 3
    assert [colour for _, colour in found[1::2]] == [LIGHT.accent, LIGHT.exploding, LIGHT.vanishing]
    np.testing.assert_allclose([angle for angle, _ in found[::2]], 0.0)
    np.testing.assert_allclose([angle for angle, _ in found[1::2]], [way.report.angle for way in ways], atol=1e-9)
    layout = directions(subject, LIGHT).figure["layout"]
    for note in layout["annotations"]:
        if note["showarrow"]:
            assert np.hypot(note["x"] - note["ax"], note["y"] - note["ay"]) == pytest.approx(1.0)
    assert layout["yaxis"]["scaleanchor"] == "x"
    assert go.Figure(directions(subject, LIGHT).figure).layout.yaxis.scaleratio in (None, 1)


def test_the_angle_is_written_under_its_dial_and_filled_in_it():
    subject = asked("linear", **EXPLODING)
    drawing, angle = directions(subject, LIGHT), subject.clippings.value.report.angle
    assert words(drawing)[-2:] == ["signal", f"<b>{subject.clippings.signal.report.angle:.0f}°</b>"]
    assert f"<b>{angle:.0f}°</b>" in words(drawing)
    (wedge,) = (trace for trace in drawing.figure["data"] if trace.get("fillcolor") == LIGHT.exploding)
    x, y = wedge["x"][-2] - wedge["x"][0], wedge["y"][-2]
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(angle, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "settings", "dials"),
    [
        ("linear", OVERFLOW, ["the gradient is<br>not a number"] * 3),
        ("linear", {"weight_scale": 3.0, "length": 400}, ["the gradient is<br>beyond float64"] * 3),
        ("linear", {"weight_scale": 3.0, "length": 200}, ["nothing is left<br>that has a direction", None, None]),
        ("rnn", {"truncation": "sliding"}, [None, None, "refused:<br>a sliding truncation"]),
    ],
)
def test_a_dial_without_an_angle_says_why(name, settings, dials):
    drawing = directions(asked(name, **settings), LIGHT)
    told = [text for text in words(drawing) if text not in ("90°", "by norm", "by value", "signal")]
    for text, why in zip(told, dials, strict=True):
        assert text == why if why else text.startswith("<b>")


def test_a_signal_clipped_in_every_part_alike_turns_nothing():
    """Scaling the only arrival by norm scales all that is made of it: the size changes and the direction does not."""
    subject = asked("linear", kind="hidden_norm", length=1, clip_threshold=1e-3)
    before, after = (way.flow.parameter_gradients for way in (subject.clippings.none, subject.clippings.signal))
    left, right = (np.concatenate([part[name].ravel() for name in before]) for part in (before, after))
    assert left @ right == pytest.approx(np.linalg.norm(left) * np.linalg.norm(right), rel=1e-14)
    assert np.linalg.norm(right) < 0.1 * np.linalg.norm(left)
    assert directions(subject, LIGHT).notes == (
        "Clipping the signal changes the size of the parameters' gradient and not its direction.",
    )


def test_a_signal_clipped_at_the_initial_state_alone_was_clipped():
    """In an exploding run the initial state's gradient is the largest: a limit just below it clips nothing else."""
    norms = asked("linear", **EXPLODING).clippings.none.flow.log10_norm[0, :, 0]
    assert norms[0] > norms[1:].max()
    limit = float(10.0 ** ((norms[0] + norms[1:].max()) / 2))
    subject = asked("linear", kind="hidden_norm", **{**EXPLODING, "clip_threshold": limit})
    assert signal_fact(subject.clippings).startswith("Clipping the signal bends the curve: by ")
    assert ", at the initial state, where" in signal_fact(subject.clippings)
    assert directions(subject, LIGHT).notes == (
        "The signal was clipped where no parameter sees it, so that the parameters' gradient is the same.",
    )
    subject = asked("linear", kind="hidden_norm", **{**EXPLODING, "clip_threshold": 1e6})
    assert directions(subject, LIGHT).notes == (
        "The signal was not clipped anywhere, so that the parameters' gradient is the same.",
    )


@pytest.mark.parametrize("theme", [LIGHT, LIGHT.projected], ids=["plain", "projected"])
def test_the_words_under_a_dial_have_room_below_it(theme):
    layout = directions(asked("linear", weight_scale=3.0, length=200), theme).figure["layout"]
    below = [note for note in layout["annotations"] if note.get("yshift")]
    assert len(below) == 6
    for note in below:
        rows = 1 + note["text"].count("<br>")
        assert -note["yshift"] + 1.3 * rows * note["font"]["size"] <= layout["margin"]["b"]
    assert layout["height"] - layout["margin"]["t"] - layout["margin"]["b"] >= 90


def test_a_refused_signal_leaves_the_others():
    subject = asked(truncation="sliding", loss="every", clip_threshold=0.1)
    drawing = curves_before_after(subject, LIGHT)
    assert [trace["name"] for trace in drawing.figure["data"]] == ["no clipping", "by norm", "by value"]
    assert drawing.notes[0] == SLIDING


def test_torch_s_pitfalls_are_told():
    subject = asked("linear", weight_scale=3.0, length=200)
    assert gradient_before_after(subject, LIGHT).notes[1:] == (subject.clippings.norm.report.warning,)


def test_what_the_page_asks_of_a_subject():
    subject = asked("bilstm", 7, layers=2, truncation="sliding", clip="preactivation_value")
    plain = Subject((asked("bilstm", layers=2).focus,))
    assert subject.stream == 3
    assert subject.runs == (subject.focus,)
    assert subject.offers("stream") == plain.offers("stream")
    assert subject.offers("measure") is None
    assert subject.offers("focus") == plain.offers("focus")
    assert subject.shown("stream", 7) == "3"
    assert subject.shown("focus", "first") == "bilstm"
    assert subject.shown("projector", True) is True


def test_a_run_chosen_among_others():
    others = asked("rnn").runs + asked("lstm").runs
    subject = ClippingSubject(Clippings(others[1]), choice=others)
    assert (subject.runs, subject.focus) == (others, others[1])
    assert subject.offers("focus") == [("rnn", "RNN tanh"), ("lstm", "LSTM")]
    assert subject.shown("focus", "gru") == "lstm"


@pytest.mark.parametrize("draw", CHARTS)
def test_every_chart_has_its_question_and_its_symbols(draw):
    chart = Chart(draw.__name__, draw)
    assert chart.question.endswith("?")
    assert len(chart.symbols) > 100


@pytest.mark.parametrize("draw", CHARTS)
def test_they_fit_the_themes(draw):
    assert_fits_themes(draw, asked("lstm", clip_threshold=1e-2))


def test_the_ways_have_their_own_colours_in_both_themes():
    for theme in THEMES.values():
        found = traces(curves_before_after(asked(clip_threshold=1e-3), theme))
        colours = [found[name]["line"]["color"] for name in ("no clipping", "by norm", "by value", "signal")]
        assert colours == [theme.faint, theme.accent, theme.exploding, theme.vanishing]
