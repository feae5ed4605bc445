"""The numbers of the formulas, computed once more from the parameters and the states."""

import numpy as np
import pytest

from rnnviz import Config
from rnnviz.experiments.anatomy import anatomy
from rnnviz.experiments.comparison import Run


def run(**changes):
    return Run("run", Config(**({"length": 20, "hidden_size": 6} | changes)))


@pytest.mark.parametrize(("cell", "block"), [("rnn", 0), ("lstm", 2), ("gru", 2)])
def test_the_recurrent_matrix(cell, block):
    asked = run(cell=cell, initialisation="gaussian", weight_scale=1.7, layers=2, bidirectional=True)
    for s, suffix in enumerate(("l0", "l0_reverse", "l1", "l1_reverse")):
        found = anatomy(asked, s)
        matrix = asked.experiment.network.parameters[f"weight_hh_{suffix}"][6 * block : 6 * block + 6]
        assert found.spectral_radius == pytest.approx(max(abs(np.roots(np.poly(matrix)))), rel=1e-6)
        assert found.stretch == pytest.approx(np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1]))
        assert found.stream.suffix == suffix
        assert found.units == 6


@pytest.mark.parametrize(("activation", "slope", "largest"), [
    ("tanh", lambda h: 1.0 - h**2, 1.0),
    ("sigmoid", lambda h: h * (1.0 - h), 0.25),
    ("relu", lambda h: h > 0, 1.0),
    ("linear", np.ones_like, 1.0),
])  # fmt: skip
def test_the_slope_of_an_rnn(activation, slope, largest):
    asked = run(nonlinearity=activation, weight_scale=0.9)
    found = anatomy(asked)
    assert found.mean_slope == pytest.approx(slope(asked.flow.hidden[0, 1:]).mean())
    assert found.largest_slope == largest
    assert found.bound == pytest.approx(0.9 * largest)
    assert found.bound == pytest.approx(asked.bound_per_step)
    assert found.mean_gates == {}


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "f"), ("gru", "z")])
def test_the_gates(cell, gate):
    asked = run(cell=cell, gate_bias=2.0)
    found = anatomy(asked)
    assert found.mean_slope is None
    assert found.mean_gates.keys() == asked.flow.gates.keys()
    assert found.mean_gates[gate] == pytest.approx(asked.flow.gates[gate].mean())
    assert 10 ** found.gate_power(gate) == pytest.approx(asked.flow.gates[gate].mean() ** 19)


@pytest.mark.parametrize(("changes", "s", "ends"), [
    ({}, None, (1, 20)),
    ({"bidirectional": True}, 0, (1, 20)),
    ({"bidirectional": True}, 1, (20, 1)),
    ({"bidirectional": True, "head": "last_output"}, 1, (21, 20)),
    ({"bidirectional": True, "head": "last_output", "layers": 2}, 1, (20, 1)),
    ({"length": 1}, None, (0, 1)),
    ({"length": 2}, None, (1, 2)),
    ({"length": 2, "bidirectional": True}, 1, (2, 1)),
    ({"truncation": "chunked", "truncation_steps": 1, "length": 2}, None, (1, 2)),
    ({"loss": "every", "layers": 2}, 0, (1, 20)),
])  # fmt: skip
def test_the_ends_of_the_way(changes, s, ends):
    found = anatomy(run(**changes), s)
    assert (found.begin, found.end) == ends
    assert found.reading.steps == abs(found.end - found.begin)


@pytest.mark.parametrize("reverse", [False, True])
def test_one_factor_a_step_leads_from_the_end_to_the_beginning(reverse):
    """The product that the formula shows, multiplied out."""
    asked = run(bidirectional=reverse, initialisation="gaussian", weight_scale=1.2)
    s = int(reverse)
    found, flow = anatomy(asked, s), asked.flow
    row = (lambda step: step - 1) if reverse else (lambda step: step)
    steps = range(found.begin - 1, found.end - 1, -1) if reverse else range(found.begin + 1, found.end + 1)
    product = np.eye(6)
    for step in steps:
        product = product @ found.stream.weight_hh.T @ np.diag(1.0 - flow.hidden[s, row(step), 0] ** 2)
    expected = product @ flow.adjoint[s, row(found.end), 0]
    np.testing.assert_allclose(flow.adjoint[s, row(found.begin), 0], expected, rtol=1e-9)
    ratio = np.linalg.norm(expected) / np.linalg.norm(flow.adjoint[s, row(found.end), 0])
    others = found.reading.steps - 1
    assert 10**found.reading.first_step * found.reading.growth_per_step**others == pytest.approx(ratio)


def test_after_an_overflow_there_are_no_numbers_but_no_error():
    found = anatomy(run(nonlinearity="linear", weight_scale=20.0, length=400))
    assert found.reading.kind == "undefined"
    assert np.isnan(found.reading.first_step)
    assert np.isnan(anatomy(run(nonlinearity="relu", weight_scale=20.0, length=400)).reading.decades)


def test_a_closed_gate_passes_nothing():
    found = anatomy(run(cell="lstm", gate_bias=-20.0, weight_scale=0.0, input_scale=0.0))
    assert found.gate_power("f") == pytest.approx(-19 * 20.0 / np.log(10.0), rel=0.05)
