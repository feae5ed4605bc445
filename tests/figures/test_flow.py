"""The first chart shows the norms of the results, and nothing else; its words are their readings."""

import re
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest

from rnnviz import JacobianSpectrum, run
from rnnviz.core.readings import power_text
from rnnviz.errors import RnnvizError
from rnnviz.experiments.comparison import VARIANTS, Comparison, Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.training import LEARNERS
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.flow import HEIGHT, LAYERS, LIMITS, _Line, gradient_norms
from rnnviz.figures.line_labels import LABEL_PIXELS, line_labels
from rnnviz.figures.theme import STYLES, THEMES
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
)

RNNS = [name for name, variant in VARIANTS.items() if variant.changes["cell"] == "rnn"]


def asked(*names, pinned=(), view=None, **settings):
    """A subject of several networks."""
    config = Config(**{"length": 30, "hidden_size": 8} | settings)
    under = Comparison(tuple(pinned)).runs(config) if pinned else ()
    return Subject(Comparison(names).runs(config), view or View(), under)


def measured(drawing):
    """The measured lines, without overlays and crosses."""
    lines = [trace for trace in drawing.figure["data"] if "lines" in trace["mode"]]
    return [trace for trace in lines if not trace["name"].endswith((": bound", ": Lyapunov"))]


def curves(drawing):
    """The same by name; of several ∂L/∂c the last."""
    return {trace["name"]: trace for trace in measured(drawing)}


def assert_told(drawing):
    """Plotly accepts it, and its words are sentences."""
    go.Figure(drawing.figure)
    for sentence in (drawing.answer, *drawing.notes):
        assert sentence.endswith("."), sentence
        assert not any(wrong in sentence for wrong in ("nan", "inf ", "None", "  ")), sentence


def overlay(drawing, name):
    return next(trace for trace in drawing.figure["data"] if trace["name"].endswith(f": {name}"))


def crosses(drawing):
    return {trace["name"]: trace["x"] for trace in drawing.figure["data"] if trace["mode"] == "markers"}


@pytest.mark.parametrize("subject", EVERY_SUBJECT)
def test_every_run_is_drawn(subject):
    try:
        drawing = gradient_norms(subject, LIGHT)
    except RnnvizError:
        assert subject.focus.config.signal_clip
        assert subject.focus.config.truncated
        return
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)


@pytest.mark.parametrize("measure", ["absolute", "relative"])
@pytest.mark.parametrize("name", VARIANTS)
def test_lines_are_the_norms(name, measure):
    subject = asked(name, view=View(measure=measure))
    flow, found = subject.focus.flow, measured(gradient_norms(subject, LIGHT))
    expected = []
    for s, stream in enumerate(flow.streams):
        at_loss = flow.log10_norm[s, 0 if stream.reverse else -1, 0]
        for norms in filter(lambda norms: norms is not None, (flow.log10_norm, flow.cell_log10_norm)):
            expected.append((norms[s, :, 0] - (at_loss if measure == "relative" else 0.0), stream.reverse))
    assert len(found) == len(expected)
    for trace, (norms, reverse) in zip(found, expected, strict=True):
        np.testing.assert_allclose(trace["y"], np.where(np.isfinite(norms), norms, np.nan), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(trace["x"], np.arange(31) + reverse)
        assert trace["line"]["color"] == LIGHT.colour(name)


def test_a_norm_is_that_of_the_adjoint():
    subject = asked("rnn", "lstm", "gru", view=View(measure="absolute"))
    found = curves(gradient_norms(subject, LIGHT))
    for run_ in subject.runs:
        by_hand = np.log10(np.linalg.norm(run_.flow.adjoint[0, :, 0], axis=1))
        np.testing.assert_allclose(found[run_.label]["y"], by_hand, rtol=1e-5, atol=1e-6)


def test_a_measure_against_the_loss_begins_at_one():
    found = curves(gradient_norms(asked("rnn", "lstm", "gru"), LIGHT))
    assert [found[name]["y"][-1] for name in ("RNN tanh", "LSTM", "GRU")] == [0.0] * 3


@pytest.mark.parametrize(("settings", "overlays"), [({"clip": "hidden_norm"}, ()), ({}, ("limits",))])
def test_what_has_a_size_of_its_own_is_never_relative(settings, overlays):
    subject = asked("rnn", view=View(overlays=overlays), **settings)
    drawing = gradient_norms(subject, LIGHT)
    np.testing.assert_allclose(curves(drawing)["RNN tanh"]["y"], subject.focus.flow.log10_norm[0, :, 0], rtol=1e-5)
    assert drawing.figure["layout"]["yaxis"]["title"]["text"] == "gradient norm"


def test_both_directions_stand_on_one_time_axis():
    drawing = gradient_norms(asked("birnn", "rnn", length=20), LIGHT)
    forward, backward, plain = curves(drawing).values()
    assert (forward["name"], backward["name"], plain["name"]) == (
        "RNN tanh, both directions, forward", "RNN tanh, both directions, backward", "RNN tanh"
    )  # fmt: skip
    np.testing.assert_array_equal(forward["x"], np.arange(21))
    np.testing.assert_array_equal(plain["x"], np.arange(21))
    np.testing.assert_array_equal(backward["x"], np.arange(1, 22))
    assert (forward["y"][-1], backward["y"][0]) == (0.0, 0.0)
    assert drawing.figure["layout"]["xaxis"]["range"] == [-0.5, 21.5]


def test_a_deep_network_alone_shows_its_layers_and_beside_others_its_top():
    assert list(curves(gradient_norms(asked("rnn", layers=2), LIGHT))) == [
        "RNN tanh, layer 1, forward direction", "RNN tanh, layer 2, forward direction"
    ]  # fmt: skip
    subject = asked("rnn", "gru", layers=2, view=View(measure="absolute"))
    found = curves(gradient_norms(subject, LIGHT))
    assert list(found) == ["RNN tanh", "GRU"]
    np.testing.assert_allclose(found["GRU"]["y"], subject.runs[1].flow.log10_norm[1, :, 0], rtol=1e-5)


def test_pinned_runs_lie_under_the_new_ones():
    subject = asked("rnn", pinned=("rnn", "gru"), weight_scale=0.5)
    found = curves(gradient_norms(subject, LIGHT))
    assert list(found) == ["RNN tanh", "RNN tanh, pinned", "GRU, pinned"]
    for run_, name in zip(subject.pinned, ["RNN tanh, pinned", "GRU, pinned"], strict=True):
        norms = run_.flow.log10_norm[0, :, 0]
        np.testing.assert_allclose(found[name]["y"], norms - norms[-1], rtol=1e-5, atol=1e-6)
        assert (found[name]["opacity"], found[name]["line"]["dash"]) == (0.6, "dot")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", RNNS)
def test_no_curve_crosses_the_bound(name, seed):
    for scale, initialisation in ((0.7, "gaussian"), (1.5, "nonnormal")):
        settings = {"seed": seed, "weight_scale": scale, "initialisation": initialisation}
        subject = asked(name, view=View(overlays=("bound",)), **settings)
        drawing, flow = gradient_norms(subject, LIGHT), subject.focus.flow
        line = overlay(drawing, "bound")
        curve, order = measured(drawing)[-1], np.argsort(line["x"])
        bound = np.interp(curve["x"], line["x"][order], line["y"][order])
        assert np.nanmin(bound - curve["y"]) > -1e-5
        slope = (line["y"][1] - line["y"][0]) / abs(line["x"][1] - line["x"][0])
        assert slope == pytest.approx(np.log10(np.linalg.norm(flow.streams[-1].weight_hh, 2)))


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "birnn"])
def test_the_lyapunov_line_has_the_slope_of_the_step_jacobians(name):
    subject = asked(name, view=View(overlays=("lyapunov",)))
    line = overlay(gradient_norms(subject, LIGHT), "Lyapunov")
    exponent = run(subject.focus.config, JacobianSpectrum).lyapunov_growth(len(subject.focus.flow.streams) - 1)
    assert (line["y"][1] - line["y"][0]) / 30 == pytest.approx(np.log10(exponent))
    assert line["y"][0] == pytest.approx(0.0)
    assert list(line["x"]) == ([1, 31] if name == "birnn" else [30, 0])


def test_an_orthogonal_linear_network_lies_on_its_bound_and_on_its_lyapunov_line():
    drawing = gradient_norms(asked("linear", weight_scale=0.9, view=View(overlays=("bound", "lyapunov"))), LIGHT)
    for name in ("bound", "Lyapunov"):
        np.testing.assert_allclose(overlay(drawing, name)["y"], [0.0, 30 * np.log10(0.9)], atol=1e-9)


def test_a_network_without_a_bound_says_so():
    names = ("rnn", "lstm", "gru")
    drawing = gradient_norms(asked(*names, view=View(overlays=("bound",))), LIGHT)
    known = "the bound (γ σ_max)ᵏ is known for an RNN with a loss at the last step alone."
    assert drawing.notes[:2] == (f"LSTM: {known}", f"GRU: {known}")
    every = gradient_norms(asked("rnn", loss="every", view=View(overlays=("bound",))), LIGHT)
    assert every.notes[0].startswith("RNN tanh: the bound")
    assert list(curves(every)) == [trace["name"] for trace in every.figure["data"] if "lines" in trace["mode"]]


def test_a_line_of_zero_weights_has_no_slope_to_draw():
    drawing = gradient_norms(asked("rnn", "lstm", weight_scale=0.0, view=View(overlays=("bound", "lyapunov"))), LIGHT)
    assert_told(drawing)
    overlays = [trace["name"] for trace in drawing.figure["data"] if trace["name"].endswith((": bound", ": Lyapunov"))]
    assert overlays == ["LSTM: Lyapunov"]


def test_the_ends_of_number_types_are_drawn_where_they_are():
    layout = gradient_norms(asked("rnn", view=View(overlays=("limits",))), LIGHT).figure["layout"]
    shown = [shape["y0"] for shape in layout["shapes"]]
    np.testing.assert_allclose(shown, [np.log10(np.finfo(np.float32).tiny), np.log10(np.finfo(np.float32).max)])
    low, high = layout["yaxis"]["range"]
    assert low < shown[0]
    assert high > shown[1]
    deep = asked("linear", weight_scale=0.1, length=600, view=View(overlays=("limits",)))
    layout = gradient_norms(deep, LIGHT).figure["layout"]
    assert [shape["y0"] for shape in layout["shapes"]] == [limit for limit, _ in LIMITS[:3]]
    assert LIMITS[2][0] == pytest.approx(np.log10(2.2250738585072014e-308))


def test_what_float64_cannot_hold_is_drawn_where_it_is():
    trace = curves(gradient_norms(asked("linear", weight_scale=0.1, length=600), LIGHT))["RNN linear"]
    np.testing.assert_allclose(trace["y"], np.arange(-600.0, 1.0), rtol=1e-6, atol=1e-4)
    rising = gradient_norms(asked("linear", weight_scale=16.0, length=250, view=View(measure="absolute")), LIGHT)
    assert np.nanmax(rising.figure["data"][0]["y"]) > 309
    assert rising.figure["layout"]["yaxis"]["range"][1] > 309
    assert rising.notes[0].startswith("RNN linear: ∂L/∂h is larger than float64 can hold (1.8e308) at ")


def test_exact_zeros_are_crosses_and_not_joined():
    drawing = gradient_norms(asked("rnn", "lstm", weight_scale=0.0, length=10), LIGHT)
    marks, found = crosses(drawing), curves(drawing)
    np.testing.assert_array_equal(marks["RNN tanh: exactly 0"], np.arange(10))
    assert np.isnan(found["RNN tanh"]["y"][:10]).all()
    assert found["RNN tanh"]["y"][10] == 0.0
    assert "∂L/∂c: exactly 0" not in marks
    low, high = drawing.figure["layout"]["yaxis"]["range"]
    foot = next(trace for trace in drawing.figure["data"] if trace["name"] == "RNN tanh: exactly 0")["y"]
    assert ((low < foot) & (foot < low + 0.1 * (high - low))).all()


def test_a_zero_by_rounding_is_called_saturated():
    drawing = gradient_norms(asked("rnn", weight_scale=20.0, input_scale=100.0, hidden_size=2, length=30), LIGHT)
    zeros = {name: len(x) for name, x in crosses(drawing).items() if len(x)}
    assert set(zeros) <= {"RNN tanh: saturated"}


def test_a_run_that_overflows_is_drawn_and_says_so():
    drawing = gradient_norms(asked("linear", "rnn", **OVERFLOW), LIGHT)
    assert_told(drawing)
    assert np.isnan(curves(drawing)["RNN linear"]["y"]).all()
    assert "RNN linear is not a number" in drawing.answer
    assert drawing.notes[0].startswith("RNN linear: The forward run left float64 at step ")


@pytest.mark.parametrize("threshold", [1e-12, 0.3, 1.0, 1e12])
def test_the_threshold_lies_at_its_logarithm(threshold):
    drawing = gradient_norms(asked("rnn", clip="hidden_norm", clip_threshold=threshold, weight_scale=3.0), LIGHT)
    (shape,) = [shape for shape in drawing.figure["layout"]["shapes"] if shape.get("name") == "threshold"]
    assert shape["y0"] == shape["y1"] == pytest.approx(np.log10(threshold))
    assert np.nanmax(curves(drawing)["RNN tanh"]["y"]) <= np.log10(threshold) + 1e-6 or threshold == 1e12


@pytest.mark.parametrize("clip", ["off", "norm", "value"])
def test_without_a_clip_of_the_signal_there_is_no_threshold_and_no_second_line(clip):
    drawing = gradient_norms(asked("rnn", clip=clip), LIGHT)
    assert not [shape for shape in drawing.figure["layout"]["shapes"] if shape.get("name") == "threshold"]
    assert list(curves(drawing)) == ["RNN tanh"]


def test_a_clipped_curve_stands_beside_the_unclipped_one():
    subject = asked("rnn", clip="hidden_norm", weight_scale=3.0, length=60)
    found = curves(gradient_norms(subject, LIGHT))
    plain = run(Config(weight_scale=3.0, length=60, hidden_size=8)).log10_norm[0, :, 0]
    np.testing.assert_allclose(found["without clipping"]["y"], plain, rtol=1e-5, atol=1e-6)
    assert list(curves(gradient_norms(asked("rnn", clip="hidden_norm", clip_threshold=1e12), LIGHT))) == ["RNN tanh"]


CROWDED = [
    asked("rnn", "lstm", "lstm_1", "lstm_3"),
    asked("rnn", "relu", "linear", "gru", length=1),
    asked("birnn", "bilstm", "bigru", "lstm", pinned=("rnn", "gru")),
    asked("rnn", "lstm", "gru", weight_scale=0.0, length=20),
    asked("bilstm", layers=2),
]


@pytest.mark.parametrize("theme", [LIGHT, LIGHT.projected], ids=["page", "projected"])
@pytest.mark.parametrize("subject", CROWDED, ids=range(len(CROWDED)))
def test_labels_never_lie_on_each_other(subject, theme):
    figure = gradient_norms(subject, theme).figure
    layout, (low, high) = figure["layout"], figure["layout"]["yaxis"]["range"]
    height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    labels = layout["annotations"]
    assert len(labels) >= len(subject.runs)
    for side in ("left", "right"):  # of what stands at the same end of the chart
        at = sorted(
            (each["y"] - low) / (high - low) * height + each["yshift"] for each in labels if each["xanchor"] == side
        )
        assert (np.diff(at) >= LABEL_PIXELS * theme.scale - 1e-6).all()
    assert max(label["font"]["size"] for label in labels) < LABEL_PIXELS * theme.scale


@pytest.mark.parametrize("subject", CROWDED, ids=range(len(CROWDED)))
def test_a_label_stands_where_the_gradient_of_its_line_ends_in_its_colour(subject):
    drawing = gradient_norms(subject, LIGHT)
    places = {(float(t["x"][i]), round(float(t["y"][i]), 4)) for t in measured(drawing)
              for i in np.flatnonzero(np.isfinite(t["y"]))[[0, -1]]}  # fmt: skip
    for label in drawing.figure["layout"]["annotations"]:
        assert any(label["x"] == x and label["y"] == pytest.approx(y, abs=2e-4) for x, y in places)
        assert label["font"]["color"] in {LIGHT.colour(name) for name in STYLES}
    assert drawing.figure["layout"]["height"] == HEIGHT


@pytest.mark.parametrize("name", ["rnn", "lstm", "bigru"])
def test_one_network_is_told_in_the_sentence_of_its_verdict(name):
    subject = asked(name)
    assert gradient_norms(subject, LIGHT).answer == subject.focus.flow.verdict.sentence


def test_the_sentence_over_several_networks():
    exact = asked("linear", "rnn", weight_scale=0.9, length=101)
    share = power_text(exact.runs[1].flow.verdict.decades)
    assert gradient_norms(exact, LIGHT).answer == (
        f"100 steps back from the loss, RNN linear has {power_text(100 * np.log10(0.9))} of the signal left; "
        f"RNN tanh has {share} of the signal left."
    )
    grown = gradient_norms(
        asked("linear", "relu", weight_scale=2.0, length=11, initialisation="identity"), LIGHT
    ).answer
    assert grown.startswith("10 steps back from the loss, RNN linear has grown it 1,000-fold; RNN ReLU has ")
    level = gradient_norms(asked("rnn", "linear", weight_scale=1.0, input_scale=0.0), LIGHT).answer
    assert level.endswith("; RNN linear holds the signal (×\N{NO-BREAK SPACE}1).")
    nothing = gradient_norms(asked("rnn", "linear", weight_scale=0.0), LIGHT).answer
    assert nothing == "29 steps back from the loss, RNN tanh has nothing left; RNN linear has nothing left."


@pytest.mark.parametrize("length", [1, 2])
def test_one_step_is_one_step(length):
    for answer in (
        gradient_norms(asked("rnn", "gru", length=length), LIGHT).answer,
        gradient_norms(asked("rnn", length=length), LIGHT).answer,
        gradient_norms(asked("linear", weight_scale=0.5), LIGHT).answer,
        gradient_norms(asked("linear", weight_scale=2.0), LIGHT).badges[0][1],
    ):
        assert not re.search(r"\b1 steps", answer), answer


def test_a_loss_at_every_step_warns_of_its_own_total():
    drawing = gradient_norms(asked("rnn", "lstm", loss="every"), LIGHT)
    assert "adds to" in drawing.answer
    assert {badge.text for badge in drawing.badges} == {"each step's own loss adds to it"}


def test_badges_are_the_verdicts():
    subject = asked("linear", "rnn", weight_scale=0.7, initialisation="orthogonal")
    badges = gradient_norms(subject, LIGHT).badges
    colour = LIGHT.colour("linear")
    told = "vanishing, ×0.7 a step, halves every 1.9 steps"
    assert badges[0] == ("RNN linear", told, "vanishing", colour)
    for (label, text, kind, own), run_ in zip(badges, subject.runs, strict=True):
        assert (label, kind, own) == (run_.label, run_.flow.verdict.kind, LIGHT.colour(run_.name))
        assert text.startswith(f"{kind}, ×{run_.flow.verdict.growth_per_step:.4g} a step")
    grown = gradient_norms(asked("linear", weight_scale=1.5), LIGHT).badges
    assert grown == (("RNN linear", "exploding, ×1.5 a step, doubles every 1.7 steps", "exploding", colour),)
    steady = gradient_norms(asked("linear", weight_scale=1.0), LIGHT).badges
    assert steady == (("RNN linear", "steady, ×1 a step", "steady", colour),)


def test_a_record_shorter_than_the_length_is_said():
    notes = gradient_norms(asked("rnn", signal="sunspots", length=500), LIGHT).notes
    assert "500 steps were asked for; the input ends after 309." in notes
    notes = gradient_norms(asked("rnn", signal="sunspots", length=309), LIGHT).notes
    assert not any("asked for" in note for note in notes)


def test_the_pace_of_an_rnn_has_its_reason():
    run = Run("rnn", Config(weight_scale=1.3, length=40))
    (why,) = gradient_norms(Subject((run,)), LIGHT).notes
    walk = run.experiment.unrolled.walks[0]
    slope = (1.0 - np.tanh(walk.kept[0]) ** 2).mean()
    assert why == (
        "Why: each step back through RNN tanh stretches the gradient by W_hhᵀ, ×1.3 at most, and multiplies by the "
        f"slopes of tanh, {slope:.2f} on average: measured, ×{run.flow.verdict.growth_per_step:.4g} a step."
    )


def test_the_step_at_the_loss_of_an_lstm_is_told_apart():
    shown = asked("lstm_3")
    joint = shown.runs[0].flow.joint_log10_norm[0, 1:, 0]
    growth = shown.runs[0].flow.verdict.growth_per_step
    first = joint[0] - joint[-1] - (len(joint) - 2) * np.log10(growth)
    note = f"LSTM, forget bias 3, h and c together: ×{power_text(first)} at the step next to the loss, then "
    assert gradient_norms(shown, LIGHT).notes == (f"{note}×{growth:.4g} at each.",)


def test_clipping_after_the_sweep_is_said_to_leave_the_curves_alone():
    shown = asked("rnn", clip="norm", clip_threshold=0.5)
    report = shown.runs[0].clip_report
    told = f"{power_text(report.log10_norm_before)} → 0.5."
    assert gradient_norms(shown, LIGHT).notes[-1].endswith(f"The gradient of the parameters: RNN tanh {told}")


def test_the_chain_that_has_seen_one_input_is_measured_against_its_own_loss():
    drawing = gradient_norms(asked("birnn", head="last_output", view=View(overlays=("bound",))), LIGHT)
    backward = next(line for name, line in curves(drawing).items() if "backward" in name)
    assert np.nanmax(backward["y"]) == 0.0
    bound = next(trace for trace in drawing.figure["data"] if trace["name"].endswith(": bound"))
    assert np.isfinite(bound["y"]).all()


def test_a_spectrum_that_costs_too_much_leaves_the_curves_and_says_so():
    drawing = gradient_norms(asked("lstm", hidden_size=128, length=1000, view=View(overlays=("lyapunov",))), LIGHT)
    assert "LSTM" in curves(drawing)
    assert "LSTM: the Lyapunov slope of so large a run would take too long." in drawing.notes


def test_both_pages_and_the_projector():
    assert_fits_themes(gradient_norms, asked("rnn", "lstm"))
    widths = [gradient_norms(asked("rnn"), t).figure["data"][0]["line"]["width"] for t in (LIGHT, LIGHT.projected)]
    assert widths[1] > widths[0]
    assert set(STYLES) == {*VARIANTS, *LEARNERS, "own", "own_2", "own_3", "own_4"}
    assert set(THEMES) == {"light", "dark"}


DEEP = {"layers": 2, "length": 20}


def test_the_streams_of_one_network_are_told_apart_by_a_colour_a_layer_and_a_dash_a_direction():
    found = measured(gradient_norms(asked("bigru", **DEEP), LIGHT))
    assert len(found) == 4
    looks = [(trace["line"]["color"], trace["line"]["dash"]) for trace in found]
    assert len(set(looks)) == 4
    assert looks[0][0] == looks[1][0] != looks[2][0] == looks[3][0] == LIGHT.colour("bigru")
    assert [dash for _, dash in looks] == ["solid", "dash", "solid", "dash"]
    assert len({LIGHT.colour(hue) for hue in ("own", *LAYERS[:-1])}) == 7


@pytest.mark.parametrize("s", range(4))
def test_the_sentence_the_badge_and_the_strong_line_are_about_the_chosen_stream(s):
    subject = asked("bigru", view=View(stream=s), **DEEP)
    drawing, reading = gradient_norms(subject, LIGHT), subject.focus.flow.readings[s]
    assert drawing.answer == reading.sentence
    assert f"×{reading.growth_per_step:.4g} a step" in drawing.badges[0].text
    widths = [trace["line"]["width"] for trace in measured(drawing)]
    assert int(np.argmax(widths)) == s
    assert sorted(widths)[-2] < widths[s]


def test_one_name_tells_of_every_dotted_line_and_each_has_a_halo_of_paper():
    labels = gradient_norms(asked("lstm", "lstm_1", "lstm_3"), LIGHT).figure["layout"]["annotations"]
    assert [label["text"] for label in labels].count("∂L/∂c") == 1
    assert len(labels) == 4
    assert all(label["font"]["shadow"].count(LIGHT.paper) == 5 for label in labels)


@pytest.mark.parametrize(("norms", "rises"), [([-6.0, -5.0, -4.0, 0.0], True), ([0.0, -1.0, -2.0, -3.0], False)])
def test_a_name_stands_below_a_line_that_rises_from_its_end(norms, rises):
    flow = SimpleNamespace(streams=[SimpleNamespace(reverse=False)])
    x, y = np.arange(40.0), np.interp(np.linspace(0, 3, 40), range(4), norms)
    line = SimpleNamespace(
        kind="h", label="it", hue="rnn", x=x, end=(0.0, y[0]), rises=None, run=SimpleNamespace(flow=flow)
    )
    line.norms, line.finite, line.s = y, np.isfinite(y), 0
    line.rises = _Line.rises.fget(line)
    assert line.rises is rises
    (label,) = line_labels([line], [-10.0, 2.0], 260, LIGHT)
    assert label["yshift"] == pytest.approx(-14 if rises else 14)


def test_without_a_choice_the_stream_of_the_verdict_is_shown():
    subject = asked("bigru", **DEEP)
    assert subject.focus.flow.readings[subject.stream] is subject.focus.flow.verdict
    assert subject.shown("stream", -1) == str(subject.stream)
    assert gradient_norms(subject, LIGHT).answer == subject.focus.flow.verdict.sentence


def test_the_name_of_a_backward_stream_stands_where_its_gradient_ends_and_the_axis_says_so():
    drawing = gradient_norms(asked("bigru", loss="every", **DEEP), LIGHT)
    sides = {label["text"]: label["xanchor"] for label in drawing.figure["layout"]["annotations"]}
    assert sides == {
        "layer 1, forward": "left", "layer 1, backward": "right",
        "layer 2, forward": "left", "layer 2, backward": "right",
    }  # fmt: skip
    title = drawing.figure["layout"]["xaxis"]["title"]["text"]
    assert title == "step t    gradient: ← forward · backward →"
    plain = gradient_norms(asked("gru", **DEEP), LIGHT).figure["layout"]
    assert plain["xaxis"]["title"]["text"] == "step t    ← the gradient travels this way"
    assert {label["text"] for label in plain["annotations"]} == {"layer 1", "layer 2"}
