"""What single units carry, against the same counted by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz import Config
from rnnviz.core.cells import CELLS
from rnnviz.core.results import FLOAT64_SMALLEST
from tests.support import at_last_step, random_network, random_question, scalar_rnn

KINDS = [("rnn", False), ("lstm", False), ("gru", True), ("rnn", True)]


def flow_of(cell="rnn", both=False, **settings):
    return rnnviz.run(Config(**{"cell": cell, "bidirectional": both, "length": 25, "hidden_size": 7} | settings))


def carriers_by_hand(row):
    """The size of the smallest set of units whose squares make half of the sum: the largest ones, one by one."""
    squares, part = sorted((float(value) ** 2 for value in row), reverse=True), 0.0
    total = sum(squares)
    for count, square in enumerate(squares, 1):
        part += square
        if part >= 0.5 * total:
            return count if total else 0
    return 0


@pytest.mark.parametrize(("cell", "both"), KINDS)
def test_sizes_of_units_are_the_adjoint_s_logarithms(cell, both):
    flow = flow_of(cell, both, layers=2)
    for s in range(len(flow.streams)):
        held = np.isfinite(flow.log10_norm[s, :, 0])
        with np.errstate(divide="ignore"):
            expected = np.log10(np.abs(flow.adjoint[s, :, 0]))
        np.testing.assert_array_equal(flow.unit_log10(s)[held], expected[held])
        assert np.isnan(flow.unit_log10(s)[~held]).all()


@pytest.mark.parametrize(("cell", "both"), KINDS)
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_carriers_are_counted_one_by_one(cell, both, scale):
    flow = flow_of(cell, both, weight_scale=scale)
    for s in range(len(flow.streams)):
        assert flow.carriers(s).tolist() == [carriers_by_hand(row) for row in flow.adjoint[s, :, 0]]


@given(st.integers(0, 10_000), st.integers(1, 9), st.sampled_from([1e-200, 1.0, 1e200]))
def test_carriers_of_any_rows_at_any_size(seed, units, size):
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(4, units)) ** 3 * generator.integers(0, 2, size=(4, units))
    flow = rnnviz.run(Config(length=3, hidden_size=units))
    with np.errstate(divide="ignore"):
        norms = np.log10(np.linalg.norm(rows, axis=1)) + np.log10(size)
    made = dataclasses.replace(flow, adjoint=size * rows[None, :, None], log10_norm=norms[None, :, None])
    assert made.carriers().tolist() == [carriers_by_hand(row) for row in rows]


@pytest.mark.parametrize(("row", "count"), [([3.0, 4.0], 1), ([1.0, 1.0], 1), ([1.0] * 3, 2), ([0.0, 2.0, 0.0], 1)])
def test_carriers_of_a_few_numbers(row, count):
    flow = rnnviz.run(Config(length=1, hidden_size=len(row)))
    rows = np.array([row, row])[None, :, None]
    norms = np.log10(np.linalg.norm(rows, axis=-1))
    assert dataclasses.replace(flow, adjoint=rows, log10_norm=norms).carriers().tolist() == [count, count]


def test_what_float64_cannot_hold_has_no_sizes():
    flow = rnnviz.bptt(scalar_rnn(1e-3), np.zeros((150, 1, 1)), at_last_step(np.ones((150, 1, 1))))
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], 3.0 * (np.arange(151) - 150), atol=1e-9)
    below = flow.log10_norm[0, :, 0] < FLOAT64_SMALLEST
    assert below.sum() > 40
    assert np.isnan(flow.unit_log10()[below]).all()
    np.testing.assert_allclose(flow.unit_log10()[~below, 0], flow.log10_norm[0, ~below, 0], atol=1e-9)
    assert flow.carriers().tolist() == (~below).astype(int).tolist()


def test_what_is_zero_or_not_a_number_has_no_carriers():
    dead = rnnviz.run(Config(weight_scale=0.0, length=10))
    assert dead.carriers()[:-1].tolist() == [0] * 10
    assert dead.carriers()[-1] > 0
    assert np.isnan(dead.unit_log10()[:-1]).all()
    lost = rnnviz.run(Config(nonlinearity="linear", weight_scale=20.0, length=600))
    assert not lost.carriers().any()
    assert np.isnan(lost.unit_log10()).all()


def test_what_is_too_large_for_float64_has_no_carriers():
    flow = rnnviz.run(Config(nonlinearity="linear", weight_scale=16.0, length=250, hidden_size=4))
    beyond = ~np.isfinite(flow.adjoint[0, :, 0]).all(axis=1)
    assert beyond.any()
    assert np.isfinite(flow.log10_norm).all()
    assert not flow.carriers()[beyond].any()
    assert np.isnan(flow.unit_log10()[beyond]).all()
    assert (flow.carriers()[~beyond] > 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_means_over_all_states(cell):
    network = random_network(cell, layers=2, directions=2)
    inputs, gradient, start = random_question(network, 6, batch=3)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    for s in range(4):
        values = [abs(value) for value in flow.hidden[s].ravel().tolist()]
        assert len(values) == 7 * 3 * 4
        assert flow.mean_state(s) == pytest.approx(sum(values) / len(values), rel=1e-12)
        assert flow.share_near_ends(s) == pytest.approx(sum(value > 0.9 for value in values) / len(values))


def test_a_saturated_network_is_near_its_ends():
    assert flow_of(input_scale=100.0, weight_scale=20.0).share_near_ends() > 0.8
    assert flow_of(input_scale=0.01, weight_scale=0.1).share_near_ends() == 0.0


def test_the_mean_of_states_beyond_float64_is_no_number_and_no_warning():
    assert not np.isfinite(rnnviz.run(Config(nonlinearity="linear", weight_scale=20.0, length=600)).mean_state())
    largest = flow_of(nonlinearity="linear", weight_scale=18.0, length=245, hidden_size=32)
    assert np.isfinite(largest.hidden).all()
    assert largest.mean_state() > 1e290


@pytest.mark.parametrize(("cell", "both"), KINDS)
def test_decades_are_what_the_last_step_back_gets(cell, both):
    flow = flow_of(cell, both)
    for s, reading in enumerate(flow.readings):
        rows = flow.streams[s].in_order(flow.profile[s])
        assert reading.decades == pytest.approx(rows[1] - rows[-1], abs=1e-12)
        assert reading.decades == pytest.approx(
            np.log10(reading.growth_per_step) * (reading.steps - 1) + rows[-2] - rows[-1], abs=1e-9
        )


def test_decades_of_nothing_and_of_no_number():
    assert rnnviz.run(Config(weight_scale=0.0, length=10)).verdict.decades == -np.inf
    assert np.isnan(rnnviz.run(Config(nonlinearity="linear", weight_scale=20.0, length=600)).verdict.decades)
    exact = rnnviz.run(Config(nonlinearity="linear", weight_scale=0.01, length=501)).verdict
    assert exact.decades == pytest.approx(-1000.0, abs=1e-6)
