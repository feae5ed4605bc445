import dataclasses

import numpy as np
import pytest

import rnnviz
from rnnviz import ClipReport, Config, GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.core.cells import CELLS
from rnnviz.experiments.run import WANTS


@pytest.mark.parametrize("want", WANTS)
def test_results_are_frozen(want):
    result = rnnviz.run(Config(length=5, hidden_size=2), want)
    assert isinstance(result, want)
    name = dataclasses.fields(result)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, name, None)


@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (3, True)])
@pytest.mark.parametrize("cell", CELLS)
def test_shapes_are_the_contract_s(cell, layers, bidirectional):
    config = Config(cell=cell, layers=layers, bidirectional=bidirectional, length=7, hidden_size=5, input_size=3)
    streams, steps, batch, units, channels = layers * config.directions, 7, 1, 5, 3
    flow = rnnviz.run(config)
    rows = (streams, steps + 1, batch)
    assert flow.hidden.shape == flow.adjoint.shape == (*rows, units)
    assert flow.log10_norm.shape == flow.joint_log10_norm.shape == flow.status.shape == flow.saturated.shape == rows
    assert flow.input_gradient.shape == (steps, batch, channels)
    assert flow.output.shape == (steps, batch, config.directions * units)
    assert flow.loss_log10_norm.shape == (streams, steps, batch)
    assert flow.profile.shape == rows[:2]
    assert {name: gate.shape for name, gate in flow.gates.items()} == dict.fromkeys(
        {"rnn": "", "lstm": "ifgo", "gru": "rzn"}[cell], (streams, steps, batch, units)
    )
    if cell == "lstm":
        assert flow.cell.shape == flow.cell_adjoint.shape == (*rows, units)
        assert flow.cell_log10_norm.shape == rows
    else:
        assert flow.cell is flow.cell_adjoint is flow.cell_log10_norm is None
    names = rnnviz.prepare(config).network.parameters
    for gradients in (flow.parameter_gradients, flow.parameter_log10_norms, flow.parameter_step_norms):
        assert gradients.keys() == names.keys()
    assert all(flow.parameter_gradients[name].shape == value.shape for name, value in names.items())
    assert all(norms.shape == (steps,) for norms in flow.parameter_step_norms.values())
    assert rnnviz.run(config, ItemisedFlow).log10_norm.shape == (streams, steps, steps + 1)
    state = units * (2 if cell == "lstm" else 1)
    spectrum = rnnviz.run(config, JacobianSpectrum)
    assert spectrum.singular_values.shape == (streams, steps, batch, state)
    assert spectrum.spectral_radius.shape == (streams, steps, batch)
    assert spectrum.transport_log10.shape == (streams, steps + 1, batch, state)
    assert spectrum.lyapunov_exponents.shape == (streams, batch, state)
    assert rnnviz.run(config, ClipReport).clipped.keys() == names.keys()


def test_a_profile_runs_over_the_batch():
    network = rnnviz.prepare(Config(cell="lstm", hidden_size=3)).network
    generator = np.random.default_rng(0)
    inputs, gradient = generator.normal(size=(6, 4, 4)), generator.normal(size=(6, 4, 3))
    flow = rnnviz.bptt(network, inputs, gradient)
    expected = 0.5 * np.log10(np.sum(10.0 ** (2.0 * flow.joint_log10_norm), axis=-1))
    np.testing.assert_allclose(flow.profile, expected, atol=1e-12)


def test_step_norms_are_the_powers_of_their_logarithms():
    flow = rnnviz.run(Config(length=20, hidden_size=4))
    for name, norms in flow.parameter_step_norms.items():
        np.testing.assert_allclose(norms, 10.0 ** flow.parameter_step_log10_norms[name], rtol=1e-14)


def test_where_the_loss_enters():
    flow = rnnviz.run(Config(length=6, hidden_size=3, bidirectional=True))
    assert np.flatnonzero(flow.loss_log10_norm[0, :, 0] > -np.inf).tolist() == [5]
    assert np.flatnonzero(flow.loss_log10_norm[1, :, 0] > -np.inf).tolist() == [0]
    every = rnnviz.run(Config(length=6, hidden_size=3, loss="every"))
    assert np.isfinite(every.loss_log10_norm).all()
    gradient = rnnviz.prepare(Config(length=6, hidden_size=3, loss="every")).output_gradient
    np.testing.assert_allclose(every.loss_log10_norm[0], np.log10(np.linalg.norm(gradient, axis=-1)), atol=1e-12)


def test_flows_of_a_run_hold_no_view_of_each_other():
    config = Config(length=5, hidden_size=2)
    first, second = rnnviz.run(config), rnnviz.run(config)
    assert isinstance(first, GradientFlow)
    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert not np.shares_memory(one, other)
            np.testing.assert_array_equal(one, other)
