"""Many networks at once against one at a time."""

import numpy as np
import pytest

from rnnviz import bptt
from rnnviz.core.arrays import product
from rnnviz.core.many import MANY, ManyNetworks
from rnnviz.core.unroll import unroll
from tests.support import KINDS, random_network

KINDS = [(cell, name) for cell, name in KINDS if cell in MANY]  # the others are run one by one


def together(networks, inputs):
    """The same networks and inputs (T, 1, D), one a network, as `ManyNetworks` wants them, and their walk."""
    streams = [network.streams[0] for network in networks]
    many = ManyNetworks(
        streams[0],
        *(np.stack([getattr(s, name) for s in streams]) for name in ("recurrent", "weight_back", "recurrent_bias")),
    )
    arriving = [product(x, s.weight_ih.T) + s.input_bias for x, s in zip(inputs, streams, strict=True)]
    return many.forward(np.concatenate(arriving, axis=1))


def question(cell, nonlinearity, scales, steps, size=5):
    networks = [
        random_network(cell, nonlinearity, hidden_size=size, scale=scale, seed=seed)
        for seed, scale in enumerate(scales)
    ]
    generator = np.random.default_rng(7)
    return networks, generator.normal(size=(len(scales), steps, 1, 3)), generator.normal(size=(len(scales), size))


def one_by_one(network, inputs, source, gradient):
    """log10 of the norm of the joint adjoint up to the loss, by the engine."""
    into = np.zeros((source, 1, len(gradient)))
    into[-1, 0] = gradient
    return bptt(network, inputs[:source], into).joint_log10_norm[0, :, 0]


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_the_forward_run_is_the_engines_to_the_last_digit(cell, nonlinearity):
    networks, inputs, _ = question(cell, nonlinearity, (0.3, 1.0, 2.0, 8.0), 80, size=16)
    walks = together(networks, inputs)
    for n, network in enumerate(networks):
        alone = unroll(network, inputs[n]).walks[0]
        for ours, theirs in zip((*walks.states, *walks.kept), (*alone.states, *alone.kept), strict=True):
            np.testing.assert_array_equal(ours[:, n], theirs[:, 0])


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
@pytest.mark.parametrize("steps", [1, 2, 17, 150])
def test_norms_are_the_engines_for_every_loss(cell, nonlinearity, steps):
    scales = (0.0, 1e-80, 1e-9, 0.2, 1.0, 3.0, 30.0, 1e4)  # dead, far below float64, saturated, far above it
    networks, inputs, gradient = question(cell, nonlinearity, scales, steps)
    sources = sorted({steps, (steps + 1) // 2, 1}, reverse=True)
    gradients = [gradient * 10.0**k for k in range(len(sources))]
    norms = together(networks, inputs).log10_norms(sources, gradients)
    for k, source in enumerate(sources):
        for n, network in enumerate(networks):
            theirs = one_by_one(network, inputs[n], source, gradients[k][n])
            np.testing.assert_allclose(norms[: source + 1, n, k], theirs, rtol=1e-10, atol=1e-10)


def test_far_beyond_float64_a_linear_chain_is_exact():
    scales, steps = (1e-3, 1e3), 300
    networks, inputs, gradient = question("rnn", "linear", scales, steps, size=1)
    norms = together(networks, 0.0 * inputs).log10_norms([steps], [gradient])[..., 0]
    for n, network in enumerate(networks):
        per_step = np.log10(abs(network.parameters["weight_hh_l0"][0, 0]))
        exact = np.log10(abs(gradient[n, 0])) + per_step * np.arange(steps, -1, -1)
        np.testing.assert_allclose(norms[:, n], exact, rtol=1e-12)
    assert norms.min() < -800
    assert norms.max() > 800


def test_a_broken_network_leaves_its_neighbours_alone():
    networks, inputs, gradient = question("rnn", "linear", (1.0, 1e200), 20)
    alone = together(networks[:1], inputs[:1]).log10_norms([20], [gradient[:1]])
    gradient[1] = np.nan
    both = together(networks, inputs).log10_norms([20], [gradient])
    np.testing.assert_allclose(both[:, :1], alone, rtol=1e-13, atol=1e-13)
    assert np.isnan(both[:, 1]).all()
