"""Runs of networks and flows that are already there: every chart draws them, and their numbers are those of `bptt`."""

import numpy as np
import plotly.graph_objects as go
import pytest

import rnnviz
from rnnviz.core.cells import CELLS
from rnnviz.experiments.own import flow_run, own_run
from rnnviz.figures.chart import Subject
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.equations import equations
from rnnviz.figures.refusal import drawn
from rnnviz.figures.theme import THEMES
from rnnviz.figures.verdicts import notes

NEEDS_NO_INPUTS = ("norms", "states", "units", "optimiser")


def network(cell, **settings):
    return rnnviz.prepare(rnnviz.Config(cell=cell, hidden_size=5, **settings)).network


def inputs(batch=1, steps=12):
    return np.random.default_rng(3).normal(size=(steps, batch, 4))


def runs(cell):
    asked = network(cell, bidirectional=True, layers=2)
    gradient = np.random.default_rng(4).normal(size=(12, 2, 10))
    own = own_run(asked, inputs(2), gradient)
    return {"last": own_run(network(cell), inputs()), "every": own_run(asked, inputs(2), loss="every"), "given": own,
            "start": own_run(network(cell), inputs(2), initial_state=start(cell))}  # fmt: skip


def start(cell):
    part = np.full((1, 2, 5), 0.3)
    return (part, 0.5 * part) if CELLS[cell].has_cell_state else part


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_chart_draws_every_own_run(cell, chart):
    for run in runs(cell).values():
        drawing = chart.draw(Subject((run,)), THEMES["light"])
        assert drawing.answer.endswith(".")
        assert drawing.figure
        if chart.steps != "own":
            assert go.Figure(drawing.figure).data


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_finished_flow_draws_what_needs_no_inputs_and_refuses_the_rest(cell, name):
    run = flow_run(runs(cell)["last"].flow)
    drawing = drawn(CHARTS[name], Subject((run,)), THEMES["light"])
    assert bool(drawing.figure) == (name in NEEDS_NO_INPUTS)
    assert drawing.figure or drawing.answer.endswith(
        "this one needs a run with its inputs (own_run), got a finished flow."
    )


def test_a_finished_flow_says_nothing_about_slopes_that_it_does_not_hold():
    run = runs("rnn")["last"]
    assert any("slopes" in note for note in notes(Subject((run,))))
    assert not any("slopes" in note for note in notes(Subject((flow_run(run.flow),))))
    assert flow_run(run.flow).bound_per_step == run.bound_per_step


@pytest.mark.parametrize("cell", CELLS)
def test_the_numbers_are_those_of_bptt(cell):
    asked, read, gradient = network(cell), inputs(2), np.random.default_rng(5).normal(size=(12, 2, 5))
    run, direct = own_run(asked, read, gradient), rnnviz.bptt(asked, read, gradient)
    np.testing.assert_array_equal(run.flow.adjoint, direct.adjoint)
    assert run.config.loss == "every"
    gradient[:-1] = 0.0
    assert own_run(asked, read, gradient).config.loss == "last"


@pytest.mark.parametrize("cell", CELLS)
def test_without_a_loss_each_batch_row_has_the_readout_of_an_experiment(cell):
    config = rnnviz.Config(cell=cell, hidden_size=5, length=12, bidirectional=True)
    read = inputs(2)
    own = own_run(network(cell, bidirectional=True), read).flow
    for row in range(2):
        alone = rnnviz.run(config, inputs=read[:, [row]])
        np.testing.assert_allclose(own.adjoint[:, :, row], alone.adjoint[:, :, 0], rtol=1e-9, atol=1e-15)


def test_a_network_beyond_the_bounds_of_a_control_runs():
    size, layers = 300, 5
    wide = {"weight_ih_l0": np.zeros((size, 1)), "weight_hh_l0": np.eye(size)}
    deep = {f"weight_{k}_l{n}": np.ones((1, 1)) for k in ("ih", "hh") for n in range(layers)}
    assert own_run(rnnviz.Network("rnn", wide), np.ones((3, 1, 1))).flow.hidden.shape[-1] == size
    assert len(own_run(rnnviz.Network("rnn", deep), np.ones((3, 1, 1))).flow.streams) == layers


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"inputs": np.ones((3, 4))}, r"inputs: must have the shape \(T, B, 4\), got \(3, 4\)\."),
        ({"inputs": inputs(), "output_gradient": np.ones((1, 1, 5))}, r"output_gradient: must have the shape"),
        ({"inputs": np.full((3, 1, 4), np.nan)}, "inputs: must be finite"),
        ({"inputs": inputs(), "loss": "first"}, "loss: must be 'last' or 'every', got 'first'"),
    ],
)
def test_a_wrong_question_is_a_sentence(wrong, words):
    with pytest.raises(rnnviz.RnnvizError, match=words):
        own_run(network("rnn"), **wrong)


@pytest.mark.parametrize("cell", CELLS)
def test_the_formulas_of_a_given_network_tell_of_no_draw(cell):
    for run in runs(cell).values():
        told = " ".join(f"{part.latex} {part.meaning}" for part in equations(run))
        assert "as it was given" in told
        assert not any(word in told for word in ("W_0", "W_{0", "weight scale", "drawn"))


def test_one_sequence_is_run_forward_once(monkeypatch):
    forward, ran = rnnviz.experiments.own.unroll, []
    monkeypatch.setattr("rnnviz.experiments.own.unroll", lambda *given: ran.append(1) or forward(*given))
    assert own_run(network("lstm"), inputs()).flow.steps == 12
    assert len(ran) == 1
