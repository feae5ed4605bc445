"""The phase map draws the runs' own numbers, theory's line where there is one, and what is no number apart."""

from dataclasses import replace

import numpy as np
import pytest

from rnnviz.experiments.comparison import VARIANTS, Comparison
from rnnviz.experiments.config import Config
from rnnviz.experiments.phase import ROWS, Phase
from rnnviz.experiments.phase_map import PhaseMap, draw_map
from rnnviz.experiments.sweep import sweep
from rnnviz.figures.phase_map import STEEPEST, PhaseSubject, phase_map
from rnnviz.figures.theme import THEMES
from tests.figures.drawings import LIGHT, assert_drawn, assert_fits_themes

COARSE = {"per_octave": 1, "seeds": 1}


def subject(*cells, phase=None, **settings) -> PhaseSubject:
    config = Config(**{"hidden_size": 6, "length": 20} | settings)
    return PhaseSubject(draw_map(Comparison(cells), config, Phase(**COARSE | (phase or {}))))


def traces(drawing, kind):
    return [trace for trace in drawing.figure["data"] if trace["type"] == kind]


def shows_growth(trace, panel):
    np.testing.assert_allclose(trace["z"], np.clip(panel.log10_growth, -9.0, 9.0), rtol=1e-6)


@pytest.mark.parametrize("against", ROWS)
@pytest.mark.parametrize("cells", [("rnn",), ("linear", "relu"), ("lstm", "gru", "bilstm", "rnn")], ids=len)
def test_every_network_has_a_panel_with_its_own_numbers(cells, against):
    asked = subject(*cells, phase={"against": against})
    drawing = phase_map(asked, LIGHT)
    assert_drawn(drawing)
    maps = [trace for trace in traces(drawing, "heatmap") if "meta" in trace]
    assert [trace["name"] for trace in maps] == [VARIANTS[name].label for name in cells]
    assert drawing.figure["layout"]["meta"]["panels"] == len(cells)
    for trace, panel in zip(maps, asked.map.panels, strict=True):
        shows_growth(trace, panel)
        assert (trace["zmin"], trace["zmax"]) == (-STEEPEST, STEEPEST)
    assert [trace["showscale"] for trace in maps] == [False] * (len(cells) - 1) + [True]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_sentence_about_every_network(name):
    drawing = phase_map(subject(name), LIGHT)
    assert_drawn(drawing)
    assert VARIANTS[name].label in drawing.answer


def test_the_linear_network_turns_at_one():
    drawing = phase_map(subject("linear"), LIGHT)
    assert drawing.answer == (
        "At sequence length 200, vanishing turns into exploding in RNN linear at weight scale 1 (theory: 1)."
    )
    (note,) = drawing.figure["layout"]["annotations"]
    assert "measured 1" in note["text"]
    assert "theory 1<" in note["text"]
    (line,) = traces(drawing, "scatter")
    np.testing.assert_allclose(line["x"], 0.0, atol=1e-6)
    assert (line["y"][0], line["y"][-1]) == (-0.5, 4.5)


def test_distance_is_told_in_steps_before_the_loss():
    drawing = phase_map(subject("linear", phase={"against": "distance"}), LIGHT)
    told = "vanishing turns into exploding in RNN linear at weight scale 1 (theory: 1)."
    assert drawing.answer == f"Up to 19 steps before the loss, {told}"
    (trace,) = traces(drawing, "heatmap")
    assert trace["text"][1][1].startswith("RNN linear, weight scale 0.5, up to 5 steps before the loss:<br>×0.5 a step")
    assert drawing.figure["layout"]["yaxis"]["ticktext"] == ["2", "5", "10", "19"]


def test_every_square_says_its_numbers():
    asked = subject("linear")
    (trace,) = traces(phase_map(asked, LIGHT), "heatmap")
    assert trace["text"][1][1] == (
        "RNN linear, weight scale 0.5, sequence length 20:<br>×0.5 a step;<br>more than 1 % is left for 6 steps"
    )
    assert "doubles" not in trace["text"][1][1]
    assert trace["text"][1][2].endswith("more than 1 % is left for 19 steps")


def test_no_number_is_grey_and_named():
    drawing = phase_map(subject("linear", phase={"against": "input_scale"}, length=500), LIGHT)
    grey, squares = traces(drawing, "heatmap")
    assert (np.isnan(grey["z"]) != np.isnan(squares["z"])).all()
    assert "Grey is no number: the forward run left float64 before the loss." in drawing.notes
    assert "not a number" in squares["text"][0][-1]


def test_what_stands_under_the_map():
    def said(*cells, **asked):
        return " ".join(phase_map(subject(*cells, **asked), LIGHT).notes)

    assert "one of 3 networks" in said("rnn", phase={"seeds": 3})
    solid = "On the solid line the measured growth per step is exactly 1"
    assert said("lstm") == f"{solid}. Theory has no formula for these networks, and so no line."
    dashed = f"{solid}; on the dashed one mean-field theory expects that of a network of very many units."
    assert said("rnn", "linear") == dashed
    assert said("rnn", "gru") == f"{dashed} It has no formula for the networks without a dashed line."
    bias = said("rnn", "gru", phase={"against": "gate_bias"})
    assert bias.endswith(
        "dashed line. RNN tanh: forget/update-gate bias changes nothing, so that all rows are the same."
    )
    every = phase_map(subject("rnn", loss="every"), LIGHT)
    assert every.answer.startswith("Every step's own loss adds")
    assert traces(every, "contour") == traces(every, "scatter") == []


def test_a_map_with_less_than_was_asked_says_what_and_why():
    asked = subject("rnn", loss="every", hidden_size=4, phase={"against": "input_scale", "per_octave": 4, "seeds": 15})
    assert phase_map(asked, LIGHT).notes[0] == (
        "The map has one network for each square instead of 15: all that was asked would take more than 2.5 seconds, "
        "because networks with a loss at every step can only be run one by one."
    )
    fewer = replace(asked.map, asked=Phase("input_scale", 8, 1))
    assert (
        phase_map(PhaseSubject(fewer), LIGHT)
        .notes[0]
        .startswith(f"The map has {len(fewer.scales)} weight scales instead of 49: all that was asked")
    )


@pytest.mark.parametrize(
    ("cells", "settings", "reason"),
    [
        (("rnn",), {"layers": 2}, "networks with 2 layers can only be run one by one."),
        (("rnn",), {"bidirectional": True}, "networks with both directions can only be run one by one."),
        (("rnn", "bilstm"), {}, "networks with both directions can only be run one by one."),
        (
            ("rnn",),
            {"layers": 2, "loss": "every"},
            "networks with a loss at every step and 2 layers can only be run one by one.",
        ),
        (("rnn",), {}, "there are that many runs of networks so large and sequences so long."),
    ],
)
def test_a_smaller_map_names_the_reason_that_holds(cells, settings, reason):
    found = replace(subject(*cells, hidden_size=2, **settings).map, asked=Phase("length", 4, 5))
    assert phase_map(PhaseSubject(found), LIGHT).notes[0].endswith(f"because {reason}")


@pytest.mark.parametrize("cells", [("rnn",), ("lstm", "gru", "linear")], ids=len)
@pytest.mark.parametrize("loss", ["last", "every"])
def test_a_label_stands_only_where_its_line_is_drawn(cells, loss):
    asked = subject(*cells, phase={"against": "hidden_size"}, loss=loss)
    drawing = phase_map(asked, LIGHT)
    assert bool(traces(drawing, "contour")) == (loss == "last")
    theory = {trace["xaxis"] for trace in traces(drawing, "scatter")}
    for note in drawing.figure["layout"]["annotations"]:
        assert ("measured" in note["text"]) <= (loss == "last")
        assert ("theory" in note["text"]) <= (note["xref"].split()[0] in theory)


def test_label_sentence_and_first_square_speak_of_one_row():
    for against, told, short in (
        ("gate_bias", "At forget/update-gate bias 0,", "at bias 0<"),
        ("hidden_size", "At hidden size 32,", "at size 32<"),
        ("length", "At sequence length 200,", "at length 200<"),
    ):
        asked = subject("lstm", phase={"against": against}, hidden_size=32)
        drawing = phase_map(asked, LIGHT)
        row, column = drawing.figure["layout"]["meta"]["cells"]["start"]
        (trace,) = [trace for trace in traces(drawing, "heatmap") if "meta" in trace]
        (note,) = drawing.figure["layout"]["annotations"]
        assert drawing.answer.startswith(told)
        assert short in note["text"]
        assert told[3:-1] in trace["text"][row][column]


def test_the_neutral_colour_is_not_the_papers():
    for theme in THEMES.values():
        (trace,) = [trace for trace in traces(phase_map(subject("rnn"), theme), "heatmap") if "meta" in trace]
        neutral = trace["colorscale"][1][1]
        assert contrast(neutral, theme.paper) > 1.1
        assert min(contrast(neutral, theme.ink), contrast(neutral, theme.accent)) > 3


def contrast(one, other):
    """Of two colours, after WCAG 2."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_sweep_of_one_row_is_a_map_too():
    found = sweep({"cells": ("rnn", "gru"), "weight_scale": np.linspace(0.0, 2.0, 9)}, Config(hidden_size=6, length=9))
    assert_drawn(phase_map(PhaseSubject(PhaseMap.of(found)), LIGHT))


def test_fits_both_themes_and_a_projector():
    assert_fits_themes(phase_map, subject("rnn", "lstm"))
