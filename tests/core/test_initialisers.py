import numpy as np
import pytest
import torch

import rnnviz
from rnnviz import Config
from rnnviz.core.cells import CELLS
from rnnviz.core.initialisers import INITIALISERS, draw_network, generator_for

SIZES = (1, 2, 3, 16, 64)


def drawn(name, size, seed=0):
    return INITIALISERS[name].draw(np.random.default_rng(seed), size)


def network_of(cell="rnn", initialisation="orthogonal", scale=1.0, seed=0, sizes=(3, 8, 1, 1), **gate):
    return draw_network(cell, "tanh", sizes, initialisation, scale, gate.get("gate_bias"), gate.get("chrono"), seed)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_draws_a_finite_square_matrix_that_its_seed_decides(name, size):
    matrix = drawn(name, size)
    assert matrix.shape == (size, size)
    assert np.isfinite(matrix).all()
    np.testing.assert_array_equal(matrix, drawn(name, size))
    if name != "identity" and size > 1:
        assert not np.array_equal(matrix, drawn(name, size, seed=1))


@pytest.mark.parametrize("name", INITIALISERS)
def test_the_spectral_radius_is_about_one_so_that_a_scale_of_one_is_the_natural_centre(name):
    """But for torch's own default, which stays torch's: 1/√3."""
    radii = [np.abs(np.linalg.eigvals(drawn(name, 128, seed))).max() for seed in range(4)]
    assert np.mean(radii) == pytest.approx(1 / np.sqrt(3) if name == "uniform" else 1.0, rel=0.1)


@pytest.mark.parametrize(
    ("name", "largest"), [("orthogonal", 1.0), ("identity", 1.0), ("gaussian", 2.0), ("uniform", 1.155)]
)
def test_largest_singular_values(name, largest):
    assert np.linalg.norm(drawn(name, 256), 2) == pytest.approx(largest, rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_an_orthogonal_matrix_keeps_every_length(size):
    matrix = drawn("orthogonal", size)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-13)


def test_orthogonal_matrices_are_uniform_over_the_group():
    """Every entry has mean 0 and variance 1/H; without the sign of R's diagonal the mean of the first is negative."""
    draws = np.array([drawn("orthogonal", 4, seed) for seed in range(4000)])
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=0.035)
    np.testing.assert_allclose(draws.var(axis=0), 0.25, atol=0.02)


def test_a_gaussian_matrix_has_variance_one_over_its_size():
    matrix = drawn("gaussian", 256)
    assert matrix.std() * 16.0 == pytest.approx(1.0, rel=0.02)
    assert np.abs(matrix).max() * 16.0 > 3.5


@pytest.mark.parametrize(("size", "degree"), [(64, 15), (8, 8)])
def test_a_sparse_matrix_has_15_outgoing_connections_a_unit(size, degree):
    """h_t = W h_{t-1}: what a unit sends out stands in its column."""
    matrix = drawn("sparse", size)
    assert (np.count_nonzero(matrix, axis=0) == degree).all()
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(1.0, rel=1e-9)
    if degree < size:
        assert np.ptp(np.count_nonzero(matrix, axis=1)) > 0


@pytest.mark.parametrize("size", [2, 3, 16])
def test_a_non_normal_matrix_has_unit_eigenvalues_and_grows_first(size):
    matrix = drawn("nonnormal", size)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(matrix)), 1.0, atol=1e-6)
    assert np.linalg.norm(matrix, 2) == pytest.approx(1.0 + np.sqrt(2.0), rel=1e-12)
    assert np.linalg.norm(np.linalg.matrix_power(matrix, 20), 2) == pytest.approx(40.0, rel=0.01)


@pytest.mark.parametrize("cell", CELLS)
def test_torch_s_default_is_drawn_from_torch_s_distribution(cell):
    """U(-1/√H, 1/√H) for every weight and bias: bounds, mean, variance and quantiles against torch's own draws."""
    size, bound = 64, 1 / 8
    network = network_of(cell, "uniform", sizes=(32, size, 2, 2))
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = dict(kind(32, size, 2, bidirectional=True).named_parameters())
    assert network.parameters.keys() == theirs.keys()
    for name, value in network.parameters.items():
        expected = theirs[name].detach().numpy()
        assert value.shape == expected.shape
        assert 0.9 * bound < np.abs(value).max() <= bound
        quantiles = np.linspace(0.0, 1.0, 11)
        tolerance = bound * 5.0 / np.sqrt(value.size)
        np.testing.assert_allclose(np.quantile(value, quantiles), np.quantile(expected, quantiles), atol=tolerance)


@pytest.mark.parametrize("initialisation", INITIALISERS)
@pytest.mark.parametrize("cell", CELLS)
def test_weight_scale_multiplies_the_recurrent_matrices_alone(cell, initialisation):
    plain, scaled = (network_of(cell, initialisation, scale, sizes=(3, 8, 2, 2)) for scale in (1.0, 2.5))
    for name, value in plain.parameters.items():
        factor = 2.5 if name.startswith("weight_hh") else 1.0
        np.testing.assert_array_equal(scaled.parameters[name], factor * value)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", INITIALISERS)
def test_every_gate_has_a_block_of_its_own(name, cell):
    blocks = network_of(cell, name).parameters["weight_hh_l0"].reshape(-1, 8, 8)
    for block in blocks:
        if name in ("orthogonal", "identity"):
            np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-13)
    if name != "identity":
        assert len({block.tobytes() for block in blocks}) == len(blocks)


@pytest.mark.parametrize("name", INITIALISERS)
def test_biases_are_drawn_or_zero_as_declared(name):
    network = network_of("gru", name)
    for bias in ("bias_ih_l0", "bias_hh_l0"):
        assert network.parameters[bias].any() == INITIALISERS[name].noisy_biases


@pytest.mark.parametrize("initialisation", INITIALISERS)
@pytest.mark.parametrize("cell", CELLS)
def test_cells_under_one_seed_share_their_input_and_the_candidate_s_draw(cell, initialisation):
    rnn = rnnviz.prepare(Config(cell="rnn", initialisation=initialisation, layers=2, bidirectional=True, hidden_size=5))
    other = rnnviz.prepare(
        Config(cell=cell, initialisation=initialisation, layers=2, bidirectional=True, hidden_size=5)
    )
    np.testing.assert_array_equal(rnn.inputs, other.inputs)
    np.testing.assert_array_equal(rnn.readout, other.readout)
    np.testing.assert_array_equal(rnn.target, other.target)
    place = CELLS[cell].blocks.index("candidate")
    for name, value in rnn.network.parameters.items():
        np.testing.assert_array_equal(other.network.parameters[name][5 * place : 5 * place + 5], value)


@pytest.mark.parametrize("cell", CELLS)
def test_streams_and_seeds_have_draws_of_their_own(cell):
    network = network_of(cell, "gaussian", sizes=(8, 8, 2, 1))
    assert not np.array_equal(network.parameters["weight_hh_l0"], network.parameters["weight_hh_l1"])
    assert not np.array_equal(network.parameters["weight_ih_l0"], network.parameters["weight_ih_l1"])
    assert not np.array_equal(network.parameters["bias_ih_l0"], network.parameters["bias_hh_l0"])
    other = network_of(cell, "gaussian", sizes=(8, 8, 2, 1), seed=1)
    assert all((other.parameters[name] != value).any() for name, value in network.parameters.items())


def test_generators_are_keyed_by_every_word_and_the_seed():
    keys = [(0, "a", "b"), (0, "b", "a"), (0, "a"), (1, "a", "b"), (0, "ab")]
    assert len({generator_for(*key).random() for key in keys}) == len(keys)


@pytest.mark.parametrize("cell", CELLS)
def test_the_gate_bias_is_the_total_bias_of_the_keeping_gate(cell):
    before, after = (
        network.parameters["bias_ih_l0"] + network.parameters["bias_hh_l0"]
        for network in (network_of(cell), network_of(cell, gate_bias=2.0))
    )
    expected = before.copy()
    if CELLS[cell].keep_gate is not None:
        place = CELLS[cell].blocks.index(CELLS[cell].keep_gate)
        expected[8 * place : 8 * place + 8] = 2.0
    np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_chrono_biases_are_log_uniform_and_the_input_gate_s_are_their_negative(cell):
    """Source: Tallec and Ollivier (2018), equation 16: b_f = log U(1, T_max - 1) and b_i = -b_f."""
    longest, size = 100.0, 256
    network = network_of(cell, "uniform", chrono=longest, sizes=(3, size, 1, 1))
    total = (network.parameters["bias_ih_l0"] + network.parameters["bias_hh_l0"]).reshape(-1, size)
    plain = network_of(cell, "uniform", sizes=(3, size, 1, 1))
    before = (plain.parameters["bias_ih_l0"] + plain.parameters["bias_hh_l0"]).reshape(-1, size)
    blocks = dict(zip(CELLS[cell].blocks, zip(total, before, strict=True), strict=True))
    keep, write = CELLS[cell].keep_gate, CELLS[cell].write_gate
    for role, (after, untouched) in blocks.items():
        if role == keep:
            dependencies = np.exp(after)
            assert 1.0 <= dependencies.min() < 3.0
            assert longest - 5.0 < dependencies.max() <= longest - 1.0
            assert dependencies.mean() == pytest.approx(longest / 2, rel=0.1)
        elif role == write:
            np.testing.assert_array_equal(after, -blocks[keep][0])
        else:
            np.testing.assert_array_equal(after, untouched)


UNIFORM = {"initialisation": "uniform"}
# THEORY 1.7: factor per step at H = 64, D = 4, x ~ N(0, 1), the loss at the last step, 5 seeds. The last number is
# the tolerance: networks at the edge of explosion differ by 10 % from seed to seed.
EXPECTED = [
    ({"nonlinearity": "tanh", **UNIFORM}, 0.587, 0.05),
    ({"nonlinearity": "tanh", "weight_scale": 0.9}, 0.832, 0.05),
    ({"nonlinearity": "tanh", "weight_scale": 1.0}, 0.895, 0.05),
    ({"nonlinearity": "tanh", "weight_scale": 1.5}, 1.043, 0.05),
    ({"nonlinearity": "tanh", "weight_scale": 2.0}, 1.146, 0.05),
    ({"nonlinearity": "tanh", "weight_scale": 3.0}, 1.328, 0.05),
    ({"nonlinearity": "sigmoid", **UNIFORM}, 0.150, 0.05),
    ({"nonlinearity": "sigmoid", "weight_scale": 1.0}, 0.236, 0.05),
    ({"nonlinearity": "sigmoid", "weight_scale": 4.0}, 0.643, 0.10),
    ({"nonlinearity": "sigmoid", "weight_scale": 8.0}, 0.849, 0.10),
    ({"nonlinearity": "relu", **UNIFORM}, 0.411, 0.05),
    ({"nonlinearity": "relu", "initialisation": "identity"}, 0.999, 0.05),
    ({"nonlinearity": "relu", "weight_scale": 1.0}, 0.731, 0.05),
    ({"nonlinearity": "relu", "weight_scale": 2.0**0.5}, 1.075, 0.10),
    ({"nonlinearity": "relu", "initialisation": "gaussian", "weight_scale": 2.0**0.5}, 1.127, 0.10),
    ({"nonlinearity": "linear", "weight_scale": 1.0}, 1.000, 1e-9),
    ({"nonlinearity": "linear", **UNIFORM}, 0.618, 0.05),
    ({"cell": "lstm", **UNIFORM}, 0.642, 0.05),
    ({"cell": "lstm", "gate_bias": 0.0, **UNIFORM}, 0.634, 0.05),
    ({"cell": "lstm", "gate_bias": 1.0, **UNIFORM}, 0.859, 0.05),
    ({"cell": "lstm", "gate_bias": 2.0, **UNIFORM}, 0.980, 0.05),
    ({"cell": "lstm", "gate_bias": 3.0, **UNIFORM}, 0.999, 0.05),
    ({"cell": "lstm", "gate_bias": 5.0, **UNIFORM}, 1.004, 0.05),
    ({"cell": "lstm", "chrono": 20.0, **UNIFORM}, 0.951, 0.02),
    ({"cell": "lstm", "chrono": 100.0, **UNIFORM}, 0.988, 0.02),
    ({"cell": "lstm", "chrono": 1000.0, **UNIFORM}, 0.998, 0.02),
    ({"cell": "lstm", "weight_scale": 3.0, **UNIFORM}, 0.893, 0.05),
    ({"cell": "lstm", "weight_scale": 6.0, **UNIFORM}, 1.025, 0.05),
    ({"cell": "lstm", "weight_scale": 10.0, **UNIFORM}, 1.169, 0.05),
    ({"cell": "gru", **UNIFORM}, 0.635, 0.05),
    ({"cell": "gru", "gate_bias": 1.0, **UNIFORM}, 0.801, 0.05),
    ({"cell": "gru", "gate_bias": 2.0, **UNIFORM}, 0.911, 0.05),
    ({"cell": "gru", "gate_bias": 5.0, **UNIFORM}, 0.994, 0.05),
    ({"cell": "gru", "chrono": 20.0, **UNIFORM}, 0.951, 0.02),
    ({"cell": "gru", "chrono": 100.0, **UNIFORM}, 0.989, 0.02),
    ({"cell": "gru", "chrono": 1000.0, **UNIFORM}, 0.998, 0.02),
    ({"cell": "gru", "weight_scale": 3.0, **UNIFORM}, 0.904, 0.05),
    ({"cell": "gru", "weight_scale": 6.0, **UNIFORM}, 1.030, 0.05),
    ({"cell": "gru", "weight_scale": 10.0, **UNIFORM}, 1.154, 0.05),
]


@pytest.mark.parametrize(("fields", "factor", "tolerance"), EXPECTED, ids=lambda value: str(value))
def test_growth_per_step_at_initialisation(fields, factor, tolerance):
    slopes = []
    for seed in range(5):
        flow = rnnviz.run(Config(hidden_size=64, length=100, seed=seed, **fields))
        slopes.append(np.polyfit(np.arange(10, 91), flow.joint_log10_norm[0, 10:91, 0], 1)[0])
    assert 10.0 ** -np.mean(slopes) == pytest.approx(factor, rel=tolerance)
