import numpy as np
import pytest
import torch

import rnnviz
from rnnviz.core.cells import CELLS
from rnnviz.core.jacobians import step_jacobians
from rnnviz.core.unroll import unroll
from rnnviz.learning.oracle import NONLINEARITIES
from tests.support import KINDS, assert_close, random_network, random_question


def torch_step(network, stream, x):
    """The map from one state to the next, (B=1), by torch's own cell; for an LSTM the state is (h, c)."""
    p = {
        kind: torch.tensor(network.parameters[f"{kind}_{stream.suffix}"])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    x = torch.tensor(np.array(x))
    if network.cell == "rnn":
        act = NONLINEARITIES[network.nonlinearity]
        return lambda state: act(p["weight_ih"] @ x + p["bias_ih"] + p["weight_hh"] @ state + p["bias_hh"])
    kind = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[network.cell]
    module = kind(len(x), network.hidden_size).double()
    module.load_state_dict(p)
    if network.cell == "gru":
        return lambda state: module(x[None], state[None])[0]

    def joint(state):
        h, c = state.chunk(2)
        return torch.cat(module(x[None], (h[None], c[None])), dim=-1)[0]

    return joint


def torch_jacobians(network, inputs, start):
    """{stream number: (T, B, N, N)} in the stream's own order, by torch.autograd."""
    flow = rnnviz.bptt(
        network, inputs, np.zeros((len(inputs), inputs.shape[1], network.directions * network.hidden_size)), start
    )
    states = flow.hidden if flow.cell is None else np.concatenate((flow.hidden, flow.cell), axis=-1)
    below, found = inputs, []
    for s, stream in enumerate(flow.streams):
        if stream.layer and not stream.reverse:
            layer = range(s - network.directions, s)
            below = np.concatenate(
                [flow.hidden[i][:-1] if flow.streams[i].reverse else flow.hidden[i][1:] for i in layer], axis=-1
            )
        own, xs = stream.in_order(states[s]), stream.in_order(below)
        found.append(
            [
                [
                    torch.autograd.functional.jacobian(
                        torch_step(network, stream, xs[t, b]), torch.tensor(own[t, b].copy())
                    ).numpy()
                    for b in range(inputs.shape[1])
                ]
                for t in range(len(inputs))
            ]
        )
    return np.array(found)


@pytest.mark.parametrize(("layers", "directions", "batch"), [(1, 1, 2), (2, 2, 1)])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_step_jacobians_agree_with_torch(cell, nonlinearity, layers, directions, batch):
    network = random_network(cell, nonlinearity, hidden_size=3, layers=layers, directions=directions)
    inputs, _, start = random_question(network, steps=4, batch=batch)
    expected = torch_jacobians(network, inputs, start)
    walks = unroll(network, inputs, start).walks
    assert_close(np.array([step_jacobians(walk) for walk in walks]), expected)

    found = rnnviz.jacobians(network, inputs, start)
    for s, stream in enumerate(found.streams):
        matrices = stream.in_order(expected[s])
        assert_close(found.singular_values[s], np.linalg.svd(matrices, compute_uv=False), rtol=1e-9)
        assert_close(found.spectral_radius[s], np.abs(np.linalg.eigvals(matrices)).max(axis=-1), rtol=1e-7)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_transport_is_the_product_of_the_steps(cell, nonlinearity, directions):
    network, steps = random_network(cell, nonlinearity, hidden_size=3, directions=directions, scale=1.5), 5
    inputs, _, start = random_question(network, steps, batch=2)
    matrices = torch_jacobians(network, inputs, start)
    found = rnnviz.jacobians(network, inputs, start)
    for s, stream in enumerate(found.streams):
        transport = stream.in_order(found.transport_log10[s])
        for b in range(2):
            product = np.eye(matrices.shape[-1])
            np.testing.assert_array_equal(transport[steps, b], 0.0)
            for row in range(steps - 1, -1, -1):
                product = product @ matrices[s, row, b]
                values = np.linalg.svd(product, compute_uv=False)
                told = (values > 1e-11 * values[0]) & (values > 0)
                np.testing.assert_allclose(transport[row, b][told], np.log10(values[told]), atol=1e-4)
                assert 10 ** transport[row, b][0] == pytest.approx(values[0], rel=1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_transport_carries_the_total_gradient_of_a_last_step_loss(cell):
    """‖∂L/∂s_row‖ ≤ σ_max(transport) ‖∂L/∂s_T‖, with equality for the loss along the leading direction."""
    network, steps = random_network(cell, hidden_size=3), 12
    inputs, gradient, start = random_question(network, steps)
    gradient[:-1] = 0.0
    flow, found = rnnviz.bptt(network, inputs, gradient, start), rnnviz.jacobians(network, inputs, start)
    bound = found.transport_log10[0, :, :, 0] + flow.joint_log10_norm[0, -1]
    assert (flow.joint_log10_norm[0] <= bound + 1e-9).all()


def test_transient_growth_of_a_non_normal_network():
    """Spectral radius 0.9 at every step, yet the product's norm rises to 7.77 at n = 9 before it fades."""
    network = rnnviz.Network(
        "rnn", {"weight_ih_l0": np.zeros((2, 1)), "weight_hh_l0": [[0.9, 2.0], [0.0, 0.9]]}, "linear"
    )
    found = rnnviz.jacobians(network, np.zeros((60, 1, 1)))
    sizes = 10 ** found.transport_log10[0, ::-1, 0, 0]
    np.testing.assert_allclose(found.spectral_radius, 0.9, rtol=1e-7)
    np.testing.assert_allclose(found.singular_values[0, :, 0, 0], 2.345, atol=5e-4)
    assert sizes.argmax() == 9
    assert sizes.max() == pytest.approx(7.77, abs=0.005)
    assert sizes[-1] < 0.3


@pytest.mark.parametrize("scale", [0.3, 1.25])
def test_transport_of_a_scaled_orthogonal_network_is_exact_beyond_float64(scale):
    weight, steps = scale * np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0], 3000
    network = rnnviz.Network("rnn", {"weight_ih_l0": np.zeros((4, 1)), "weight_hh_l0": weight}, "linear")
    found = rnnviz.jacobians(network, np.zeros((steps, 1, 1)))
    expected = np.log10(scale) * np.arange(steps, -1, -1)[:, None]
    np.testing.assert_allclose(found.transport_log10[0, :, 0], np.broadcast_to(expected, (steps + 1, 4)), atol=1e-9)
    np.testing.assert_allclose(found.lyapunov_exponents, np.log(scale), atol=1e-12)


def test_what_rounding_hides_in_a_product_is_not_a_number_and_not_a_wrong_one():
    network = rnnviz.Network("rnn", {"weight_ih_l0": np.zeros((2, 1)), "weight_hh_l0": np.diag([1.0, 0.1])}, "linear")
    transport = rnnviz.jacobians(network, np.zeros((30, 1, 1))).transport_log10[0, ::-1, 0]
    np.testing.assert_allclose(transport[:13, 1], -np.arange(13.0), atol=1e-3)
    assert np.isnan(transport[14:, 1]).all()
    np.testing.assert_allclose(transport[:, 0], 0.0, atol=1e-12)


def test_lyapunov_exponents_of_a_linear_network_are_its_eigenvalues():
    """log |eigenvalues|, not log singular values. Source: THEORY 1.5."""
    generator = np.random.default_rng(4)
    basis = generator.normal(size=(3, 3))
    weight = basis @ np.diag([1.1, 0.7, -0.3]) @ np.linalg.inv(basis)
    network = rnnviz.Network("rnn", {"weight_ih_l0": np.zeros((3, 1)), "weight_hh_l0": weight}, "linear")
    found = rnnviz.jacobians(network, np.zeros((3000, 1, 1))).lyapunov_exponents[0, 0]
    np.testing.assert_allclose(found, np.log([1.1, 0.7, 0.3]), atol=2e-3)
    assert abs(found[0] - np.log(np.linalg.norm(weight, 2))) > 0.05


@pytest.mark.parametrize("cell", CELLS)
def test_lyapunov_exponents_add_up_to_the_mean_log_determinant(cell):
    network = random_network(cell, hidden_size=3, directions=2)
    inputs, _, start = random_question(network, steps=40, batch=2)
    found = rnnviz.jacobians(network, inputs, start).lyapunov_exponents
    for s, walk in enumerate(unroll(network, inputs, start).walks):
        mean = np.linalg.slogdet(step_jacobians(walk))[1].mean(axis=0)
        np.testing.assert_allclose(found[s].sum(axis=-1), mean, rtol=1e-10)
    assert (np.diff(found, axis=-1) <= 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_largest_lyapunov_exponent_is_the_slope_of_the_gradient(cell):
    """Forward QR and backward adjoint are two roads to one number."""
    config = rnnviz.Config(cell=cell, initialisation="uniform", length=2000, hidden_size=6)
    largest = rnnviz.run(config, rnnviz.JacobianSpectrum).lyapunov_exponents[0, 0, 0]
    norms = rnnviz.run(config).joint_log10_norm[0, :, 0] * np.log(10.0)
    assert (norms[1900] - norms[100]) / 1800 == pytest.approx(-largest, abs=0.01)


def overflowing_network():
    """Units that grow 3.65-fold a step, and one of which becomes ∞ - ∞."""
    return rnnviz.Network("rnn", {"weight_ih_l0": np.zeros((2, 1)), "weight_hh_l0": [[3.0, 1.0], [3.0, -1.0]]}, "relu")


def test_a_run_that_overflows_is_a_finding():
    """The steps before stay what they are; from the overflow on everything is NaN."""
    found = rnnviz.jacobians(overflowing_network(), np.zeros((700, 1, 1)), np.ones((1, 1, 2)))
    lost = np.isnan(found.singular_values[0, :, 0]).all(axis=-1)
    first = int(lost.argmax())
    assert first == pytest.approx(308 / np.log10(3.65), abs=5)
    np.testing.assert_array_equal(lost, np.arange(700) >= first)
    np.testing.assert_array_equal(np.isnan(found.spectral_radius[0, :, 0]), lost)
    expected = np.linalg.svd([[3.0, 1.0], [3.0, -1.0]], compute_uv=False)
    np.testing.assert_allclose(found.singular_values[0, :first, 0], np.tile(expected, (first, 1)), rtol=1e-12)
    np.testing.assert_allclose(found.spectral_radius[0, :first], 1.0 + np.sqrt(7.0), rtol=1e-12)
    assert np.isnan(found.transport_log10[0, :-1]).all()
    assert np.isnan(found.lyapunov_exponents).all()


def test_a_healthy_batch_row_is_not_lost_beside_one_that_overflows():
    start, inputs = np.array([[[1.0, 1.0], [1e-300, 1e-300]]]), np.zeros((700, 2, 1))
    both = rnnviz.jacobians(overflowing_network(), inputs, start)
    alone = rnnviz.jacobians(overflowing_network(), inputs[:, 1:], start[:, 1:])
    assert np.isfinite(alone.lyapunov_exponents).all()
    assert np.isnan(both.transport_log10[0, 0, 0]).all()
    np.testing.assert_array_equal(both.singular_values[:, :, 1], alone.singular_values[:, :, 0])
    np.testing.assert_array_equal(both.transport_log10[:, :, 1], alone.transport_log10[:, :, 0])
    np.testing.assert_array_equal(both.lyapunov_exponents[:, 1], alone.lyapunov_exponents[:, 0])


def test_dead_units_give_minus_infinity():
    network = rnnviz.Network("rnn", {"weight_ih_l0": [[-1.0]], "weight_hh_l0": [[1.0]]}, "relu")
    found = rnnviz.jacobians(network, np.ones((3, 1, 1)))
    assert found.singular_values.ravel().tolist() == [0.0, 0.0, 0.0]
    assert found.transport_log10.ravel().tolist() == [-np.inf, -np.inf, -np.inf, 0.0]
    assert found.lyapunov_exponents.ravel().tolist() == [-np.inf]
