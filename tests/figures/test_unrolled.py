"""The unrolled network is drawn by the page; what it is sent are the run's own numbers."""

import numpy as np
import pytest

from rnnviz.experiments.comparison import VARIANTS
from rnnviz.figures.unrolled import MOST_UNITS, unrolled_network
from rnnviz.ui.stage import encoded
from tests.figures.drawings import EVERY_SUBJECT, LIGHT, OVERFLOW, assert_no_long_lists, subject


@pytest.mark.parametrize("shown", EVERY_SUBJECT)
def test_every_run_is_sent_and_told(shown):
    drawing = unrolled_network(shown, LIGHT)
    assert drawing.answer.endswith(".")
    assert " 1 steps" not in drawing.answer
    encoded(drawing.figure)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_numbers_are_the_run_s(name):
    shown = subject(name, length=12, layers=2, loss="every")
    figure, flow, experiment = unrolled_network(shown, LIGHT).figure, shown.focus.flow, shown.focus.experiment
    streams = len(flow.streams)
    assert (figure["label"], figure["steps"], figure["units"]) == (shown.focus.label, 12, MOST_UNITS)
    assert figure["colour"] == LIGHT.colour(name)
    assert [stream["reverse"] for stream in figure["streams"]] == [False, True] * 2 if "bi" in name else [False] * 2
    assert [stream["layer"] for stream in figure["streams"]] == sorted([0, 1] * (streams // 2))
    np.testing.assert_allclose(figure["shown"].reshape(streams, 13, 8), flow.hidden[:, :, 0, :8], rtol=1e-6)
    np.testing.assert_allclose(figure["norms"].reshape(streams, 13), flow.log10_norm[:, :, 0], rtol=1e-6)
    assert (figure["cellNorms"] is None) == ("lstm" not in name)
    if "lstm" in name:
        np.testing.assert_allclose(figure["cellNorms"].reshape(streams, 13), flow.cell_log10_norm[:, :, 0], rtol=1e-6)
    readout = [experiment.readout @ flow.output[t, 0] for t in range(12)]
    np.testing.assert_allclose(figure["outputs"], readout, rtol=1e-5, atol=1e-6)
    assert [float(text.replace("−", "-")) for text in figure["inputs"]] == experiment.inputs[:, 0, 0].round(2).tolist()


def test_a_small_network_shows_all_of_its_units():
    assert unrolled_network(subject(hidden_size=3, length=5), LIGHT).figure["shown"].shape == (6 * 3,)


@pytest.mark.parametrize(("loss", "expected"), [("last", [0, 0, 0, 0, 1]), ("every", [1] * 5)])
def test_where_a_loss_reads(loss, expected):
    losses = unrolled_network(subject(loss=loss, length=5), LIGHT).figure["losses"]
    assert losses.dtype == np.uint8
    assert losses.tolist() == expected


@pytest.mark.parametrize("head", ["final_states", "last_output"])
def test_what_the_head_reads(head):
    assert unrolled_network(subject("birnn", head=head, length=5), LIGHT).figure["headReads"] == head


@pytest.mark.parametrize("text", ["to be", "🙂é漢", "a"])
def test_a_text_is_sent_character_by_character(text):
    figure = unrolled_network(subject(signal="text", text=text, length=100), LIGHT).figure
    assert figure["inputs"] == list(text)
    assert figure["steps"] == len(text)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_sentence_is_that_of_the_verdict(name):
    shown = subject(name, length=11)
    assert unrolled_network(shown, LIGHT).answer == shown.focus.flow.verdict.sentence


def test_a_run_beyond_float64_is_sent_and_told():
    drawing = unrolled_network(subject("linear", **OVERFLOW), LIGHT)
    assert (
        drawing.answer
        == "The gradient is not a number: the forward run left float64 before the loss, or the loss itself did."
    )
    assert_no_long_lists({name: part for name, part in drawing.figure.items() if name != "inputs"})
