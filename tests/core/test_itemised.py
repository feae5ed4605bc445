import numpy as np
import pytest

import rnnviz
from rnnviz.core import stacked
from rnnviz.core.itemised import MOST_STEPS, SAMPLED_SOURCES
from rnnviz.learning.oracle import autograd_itemised
from tests.support import KINDS, at_step, log10_norm, random_network, random_question

STACKS = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2)]


def single_losses(network, inputs, gradient, start, sources):
    """log10 ‖∂L_t/∂h_k‖ by one backward pass a source, (S, n, T+1)."""
    flows = [rnnviz.bptt(network, inputs, at_step(gradient, step), start) for step in sources]
    squares = np.array([np.sum(10.0 ** (2.0 * flow.log10_norm), axis=-1) for flow in flows])
    with np.errstate(divide="ignore"):
        return np.moveaxis(0.5 * np.log10(squares), 1, 0)


@pytest.mark.parametrize(("layers", "directions"), STACKS)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_autograd_finds_the_same_for_every_loss(cell, nonlinearity, batch, layers, directions):
    network = random_network(cell, nonlinearity, layers=layers, directions=directions)
    inputs, gradient, start = random_question(network, steps=6, batch=batch)
    flow = rnnviz.itemised(network, inputs, gradient, start)
    assert flow.sources.tolist() == [1, 2, 3, 4, 5, 6]
    with np.errstate(divide="ignore"):
        expected = np.log10(autograd_itemised(network, inputs, gradient, start))
    np.testing.assert_allclose(flow.log10_norm, expected, atol=1e-9)


@pytest.mark.parametrize(("layers", "directions"), STACKS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_single_passes_find_the_same_and_add_up_to_the_total(cell, layers, directions):
    network = random_network(cell, layers=layers, directions=directions)
    inputs, gradient, start = random_question(network, steps=6, batch=2)
    flow = rnnviz.itemised(network, inputs, gradient, start)
    expected = single_losses(network, inputs, gradient, start, range(1, 7))
    np.testing.assert_allclose(flow.log10_norm, expected, atol=1e-9)
    total = sum(rnnviz.bptt(network, inputs, at_step(gradient, step), start).adjoint for step in range(1, 7))
    np.testing.assert_allclose(rnnviz.bptt(network, inputs, gradient, start).adjoint, total, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_no_path_leads_into_the_future(cell, layers):
    network, steps = random_network(cell, layers=layers), 6
    flow = rnnviz.itemised(network, *random_question(network, steps))
    future = np.arange(steps + 1)[None, :] > np.arange(1, steps + 1)[:, None]
    for triangle in flow.log10_norm:
        np.testing.assert_array_equal(triangle == -np.inf, future)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_reverse_stream_has_no_path_from_a_loss_to_its_past(cell):
    """Row j holds the state at position j + 1, which the output at t sees when j + 1 ≥ t."""
    network, steps = random_network(cell, directions=2), 6
    flow = rnnviz.itemised(network, *random_question(network, steps))
    positions, sources = np.arange(1, steps + 2), np.arange(1, steps + 1)[:, None]
    np.testing.assert_array_equal(flow.log10_norm[1] == -np.inf, positions < sources)


def test_below_a_bidirectional_layer_every_state_is_reached():
    network = random_network("gru", layers=2, directions=2)
    flow = rnnviz.itemised(network, *random_question(network, steps=6))
    assert np.isfinite(flow.log10_norm[:2]).all()


def test_a_step_without_a_loss_sends_nothing():
    network = random_network("lstm", layers=2, directions=2)
    inputs, gradient, start = random_question(network, steps=5)
    flow = rnnviz.itemised(network, inputs, at_step(gradient, 3), start)
    np.testing.assert_array_equal(flow.log10_norm[:, [0, 1, 3, 4]], -np.inf)
    assert np.isfinite(flow.log10_norm[:2, 2]).all()


@pytest.mark.parametrize(("cell", "layers", "directions"), [("rnn", 1, 2), ("lstm", 1, 1), ("gru", 2, 2)])
def test_beyond_a_thousand_steps_sources_are_sampled_evenly_and_stay_right(cell, layers, directions):
    network = random_network(cell, hidden_size=2, input_size=1, layers=layers, directions=directions, scale=1.2)
    steps = MOST_STEPS + 100
    inputs, gradient, start = random_question(network, steps)
    flow = rnnviz.itemised(network, inputs, gradient, start)
    assert len(flow.sources) == SAMPLED_SOURCES
    assert flow.sources[[0, -1]].tolist() == [1, steps]
    assert np.ptp(np.diff(flow.sources)) <= 1
    for place in (0, 77, SAMPLED_SOURCES - 1):
        single = rnnviz.bptt(network, inputs, at_step(gradient, flow.sources[place]), start)
        np.testing.assert_allclose(flow.log10_norm[:, place], single.log10_norm[..., 0], atol=1e-9)


def test_at_a_thousand_steps_every_source_is_followed():
    network = random_network(hidden_size=1, input_size=1)
    flow = rnnviz.itemised(network, *random_question(network, MOST_STEPS))
    np.testing.assert_array_equal(flow.sources, np.arange(1, MOST_STEPS + 1))


@pytest.mark.parametrize("room", [1, 100])
@pytest.mark.parametrize("truncated", [False, True])
def test_following_the_sources_in_chunks_changes_nothing(monkeypatch, room, truncated):
    network = random_network("lstm", layers=2, directions=2)
    question = random_question(network, steps=9, batch=2)

    def answer():
        if truncated:
            return rnnviz.bptt(network, *question, truncation=rnnviz.Truncation("sliding", 3)).log10_norm
        return rnnviz.itemised(network, *question).log10_norm

    whole = answer()
    monkeypatch.setattr(stacked, "MOST_NUMBERS", room)
    np.testing.assert_allclose(answer(), whole, atol=1e-12)


def test_norms_run_over_the_whole_batch():
    network = random_network("gru")
    inputs, gradient, start = random_question(network, steps=4, batch=3)
    rows = [
        rnnviz.itemised(network, inputs[:, [b]], gradient[:, [b]], tuple(part[:, [b]] for part in start)).log10_norm
        for b in range(3)
    ]
    with np.errstate(divide="ignore"):
        expected = 0.5 * np.log10(np.sum(10.0 ** (2.0 * np.array(rows)), axis=0))
    np.testing.assert_allclose(rnnviz.itemised(network, inputs, gradient, start).log10_norm, expected, atol=1e-10)


@pytest.mark.parametrize("reverse", [False, True])
def test_reach_is_the_mean_curve_against_the_distance(reverse):
    network, steps = random_network("rnn", directions=2), 6
    flow = rnnviz.itemised(network, *random_question(network, steps))
    s = int(reverse)
    norms = flow.log10_norm[s][::-1, ::-1] if reverse else flow.log10_norm[s]
    expected = [
        np.mean([norms[t - 1, t - far] - norms[t - 1, t] for t in range(far + 1, steps + 1)]) for far in range(steps)
    ]
    np.testing.assert_allclose(flow.reach(s), expected, atol=1e-12)


@pytest.mark.parametrize(
    "fields", [{"loss": "last"}, {"loss": "last", "bidirectional": True, "layers": 2}, {"loss": "every"}]
)
def test_reach_asks_only_the_steps_that_have_a_loss(fields):
    config = rnnviz.Config(length=12, hidden_size=3, **fields)
    flow = rnnviz.run(config, rnnviz.ItemisedFlow)
    curve = flow.reach(0)
    assert curve[0] == 0.0
    assert np.isfinite(curve).all()


def test_no_path_leads_into_the_future_of_a_run_that_overflows():
    """The states are not numbers there, but the loss of an earlier step knows nothing of them."""
    weights = {"weight_ih_l0": np.zeros((2, 1)), "weight_hh_l0": [[3.0, 1.0], [3.0, -1.0]]}
    network, steps = rnnviz.Network("rnn", weights, "relu"), 700
    flow = rnnviz.itemised(network, np.zeros((steps, 1, 1)), np.ones((steps, 1, 2)), np.ones((1, 1, 2)))
    rows, sources = np.arange(steps + 1)[None, :], np.arange(1, steps + 1)[:, None]
    np.testing.assert_array_equal(flow.log10_norm[0][rows > sources], -np.inf)
    assert np.isfinite(flow.log10_norm[0, 99, :101]).all()
    assert np.isnan(flow.log10_norm[0, -1, 0])


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_losses_before_an_overflow_are_what_they_are_without_it(cell, nonlinearity, layers):
    """At step 20 of 30 the pre-activation becomes ∞ - ∞; nothing before knows of it."""
    network = random_network(cell, nonlinearity, layers=layers)
    parameters = dict(network.parameters)
    parameters["weight_ih_l0"] = np.tile([1e200, -1e200, 0.1], (len(parameters["weight_ih_l0"]), 1))
    network = rnnviz.Network(cell, parameters, nonlinearity)
    inputs, gradient, start = random_question(network, steps=30)
    inputs[:, :, :2] = 0.0
    inputs[19, :, :2] = 1e200
    whole = rnnviz.itemised(network, inputs, gradient, start)
    before = rnnviz.itemised(network, inputs[:19], gradient[:19], start)
    assert np.isfinite(before.log10_norm[:, -1]).all() or nonlinearity == "relu"
    np.testing.assert_allclose(whole.log10_norm[:, :19, :20], before.log10_norm, atol=1e-12)
    np.testing.assert_array_equal(whole.log10_norm[:, :19, 20:], -np.inf)


def test_norms_beyond_float64_are_exact():
    network, steps = rnnviz.Network("rnn", {"weight_ih_l0": [[0.0]], "weight_hh_l0": [[10.0]]}, "linear"), 1000
    flow = rnnviz.itemised(network, np.zeros((steps, 1, 1)), np.ones((steps, 1, 1)))
    distance = np.arange(1, steps + 1)[:, None] - np.arange(steps + 1)[None, :]
    np.testing.assert_allclose(flow.log10_norm[0][distance >= 0], distance[distance >= 0], atol=1e-9)


def test_a_total_of_opposite_losses_is_smaller_than_its_items():
    """Norms of single losses do not add up to the norm of the total: they may cancel."""
    network = rnnviz.Network("rnn", {"weight_ih_l0": [[0.0]], "weight_hh_l0": [[1.0]]}, "linear")
    inputs, gradient = np.zeros((2, 1, 1)), np.array([[[1.0]], [[-1.0]]])
    assert rnnviz.bptt(network, inputs, gradient).log10_norm.ravel().tolist() == [-np.inf, -np.inf, 0.0]
    assert rnnviz.itemised(network, inputs, gradient).log10_norm[0].tolist() == [[0.0, 0.0, -np.inf], [0.0, 0.0, 0.0]]
    assert log10_norm(rnnviz.bptt(network, inputs, gradient).adjoint[0, 1]).tolist() == [-np.inf]
