"""Norms beyond float64, against closed forms and 60 digits; the rescaling itself changes nothing."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz import Status
from rnnviz.core import backward
from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.cells import CELLS
from rnnviz.core.signal import SIGNAL_CLIPS, TRUNCATIONS
from rnnviz.learning.oracle import autograd_flow
from tests.reference import Reference
from tests.support import (
    KINDS,
    assert_close,
    assert_rows_close,
    at_last_step,
    random_network,
    random_question,
    scalar_rnn,
)


def orthogonal(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def plain_rnn(weight, nonlinearity="linear"):
    size = len(weight)
    return rnnviz.Network("rnn", {"weight_ih_l0": np.zeros((size, 1)), "weight_hh_l0": weight}, nonlinearity)


def last_step_gradient(steps, row):
    gradient = np.zeros((steps, 1, len(row)))
    gradient[-1, 0] = row
    return gradient


@pytest.mark.parametrize(
    ("scale", "nonlinearity"), [(0.3, "linear"), (0.9, "linear"), (1.25, "linear"), (1.25, "tanh")]
)
def test_a_scaled_orthogonal_network_gives_powers_of_its_scale(scale, nonlinearity):
    """Exactly s^(T-t), from 1e-5229 to 1e+969; a tanh at the origin is linear (forward all zeros, backward s^n)."""
    steps = 10_000
    gradient = last_step_gradient(steps, np.random.default_rng(1).normal(size=6))
    flow = rnnviz.bptt(plain_rnn(scale * orthogonal(6), nonlinearity), np.zeros((steps, 1, 1)), gradient)
    expected = np.log10(np.linalg.norm(gradient[-1])) + np.arange(steps, -1, -1) * np.log10(scale)
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], expected, atol=1e-9)
    assert abs(flow.log10_norm[0, 0, 0]) > (900 if scale > 1 else 5000 if scale == 0.3 else 400)
    assert flow.growth_per_step[0] == pytest.approx(scale, rel=1e-12)


@pytest.mark.parametrize("decades", [*np.arange(-13.0, 13.0, 1.3), -5.02, -4.9])
def test_any_factor_per_step_is_exact(decades):
    """Whatever the number of steps that go under one exponent, none of them may reach a subnormal number."""
    inputs, gradient = np.zeros((200, 1, 1)), at_last_step(np.ones((200, 1, 1)))
    flow = rnnviz.bptt(scalar_rnn(10.0**decades), inputs, gradient)
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], decades * np.arange(200.0, -1.0, -1.0), atol=1e-9)


def test_a_non_normal_network_grows_before_it_fades():
    """W = [[0.9, 2], [0, 0.9]], spectral radius 0.9: ‖(Wᵀ)ⁿ e₁‖ = 0.9ⁿ √(1 + (2n / 0.9)²), 7.76 at n = 9 and 10."""
    network, steps = plain_rnn(np.array([[0.9, 2.0], [0.0, 0.9]])), 60
    flow = rnnviz.bptt(network, np.zeros((steps, 1, 1)), last_step_gradient(steps, [1.0, 0.0]))
    n = np.arange(steps + 1)
    sizes = 10 ** flow.log10_norm[0, ::-1, 0]
    np.testing.assert_allclose(sizes, 0.9**n * np.sqrt(1.0 + (2.0 * n / 0.9) ** 2), rtol=1e-12)
    assert sizes.argmax() == 9
    np.testing.assert_allclose(sizes[[9, 10]], 7.757, atol=0.002)
    assert sizes[-1] < 1.0


@pytest.mark.parametrize(("bias", "steps"), [(-2.0, 3000), (0.0, 1000), (3.0, 500)])
def test_without_recurrent_weights_the_lstm_cell_carries_powers_of_its_forget_gate(bias, steps):
    """∂L/∂h_t is exactly zero while ∂L/∂c_t is f^n times what enters at the end."""
    parameters = {
        "weight_ih_l0": np.ones((8, 1)),
        "weight_hh_l0": np.zeros((8, 2)),
        "bias_ih_l0": np.repeat([0.0, bias, 1.0, 0.0], 2),
    }
    flow = rnnviz.bptt(
        rnnviz.Network("lstm", parameters), np.zeros((steps, 1, 1)), last_step_gradient(steps, [1.0, -2.0])
    )
    forget = -np.log1p(np.exp(-bias)) / np.log(10.0)
    enters = np.log10(np.linalg.norm(flow.cell_adjoint[0, -1, 0]))
    np.testing.assert_allclose(flow.cell_log10_norm[0, :, 0], enters + forget * np.arange(steps, -1, -1), atol=1e-9)
    np.testing.assert_array_equal(flow.log10_norm[0, :-1], -np.inf)
    np.testing.assert_array_equal(flow.status[0, :-1], Status.ZERO)
    np.testing.assert_allclose(flow.joint_log10_norm[0, :-1], flow.cell_log10_norm[0, :-1], atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "steps", "below"),
    [
        ({"cell": "rnn"}, 2000, -500),
        ({"cell": "rnn", "nonlinearity": "sigmoid"}, 700, -500),
        ({"cell": "rnn", "nonlinearity": "relu", "initialisation": "orthogonal", "weight_scale": 0.3}, 1500, -310),
        ({"cell": "lstm"}, 1500, -250),
        ({"cell": "gru"}, 1500, -200),
    ],
    ids=["tanh", "sigmoid", "relu", "lstm", "gru"],
)
def test_norms_agree_with_60_digits(fields, steps, below):
    """Both run forward on their own: these networks forget where they came from, so that the paths stay together."""
    config = rnnviz.Config(
        **({"initialisation": "uniform"} | fields), length=steps, hidden_size=3, input_size=2, loss="last"
    )
    experiment = rnnviz.prepare(config)
    flow = experiment.find(rnnviz.GradientFlow)
    reference = Reference(experiment.network, experiment.inputs, experiment.output_gradient)
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], reference.log10_norms(), atol=1e-9)
    np.testing.assert_allclose(flow.joint_log10_norm[0, :, 0], reference.log10_norms("joint"), atol=1e-9)
    if config.cell == "lstm":
        np.testing.assert_allclose(flow.cell_log10_norm[0, :, 0], reference.log10_norms("cell"), atol=1e-9)
    assert flow.log10_norm.min() < below


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bias", [5.0, 15.0])
def test_norms_of_saturated_gates_agree_with_60_digits(cell, bias):
    """An open memory gate saturates the cell; slopes taken from the outputs would be wrong in the eighth digit."""
    config = rnnviz.Config(cell=cell, gate_bias=bias, input_scale=3.0, length=200, hidden_size=3, input_size=2)
    experiment = rnnviz.prepare(config)
    flow = experiment.find(rnnviz.GradientFlow)
    reference = Reference(experiment.network, experiment.inputs, experiment.output_gradient)
    np.testing.assert_allclose(flow.joint_log10_norm[0, :, 0], reference.log10_norms("joint"), atol=1e-11)


@pytest.mark.parametrize("drive", [5.0, 19.0, 30.0, 100.0, 350.0])
def test_a_saturated_tanh_has_a_small_slope_and_not_none(drive):
    """Autograd gives exactly 0 from a = 19 on; the truth, 4 e^-2a per step, stays visible."""
    network = scalar_rnn(0.5, "tanh", drive=1.0)
    inputs, gradient = np.full((30, 1, 1), drive), at_last_step(np.ones((30, 1, 1)))
    flow = rnnviz.bptt(network, inputs, gradient)
    expected = Reference(network, inputs, gradient).log10_norms() if drive < 60 else None
    if expected is None:  # 1 - y² is too much even for 60 digits: 4 e^-2a of a = drive + 0.5 y, by hand
        slopes = np.log10(4.0) - 2.0 * (drive + 0.5 * (np.arange(30) > 0)) / np.log(10.0)
        expected = np.append(np.cumsum((slopes + np.log10(0.5))[::-1])[::-1], 0.0)
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], expected, atol=1e-9)


sizes = st.floats(-30.0, 30.0)
signs = st.sampled_from([-1.0, 1.0])


@st.composite
def extreme_questions(draw, positive=False, kinds=tuple(CELLS)):
    """Weights of 1e-30 to 1e30 and gradients of 1e-300 to 1e300, at every step or at a few."""
    cell = draw(st.sampled_from(kinds))
    nonlinearity = draw(st.sampled_from(sorted(ACTIVATIONS))) if cell == "rnn" else "tanh"
    size, steps, directions = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 40)),
        1 if positive else draw(st.integers(1, 2)),
    )
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    centre, spread = draw(sizes), draw(st.sampled_from([0.0, 1.0, 10.0]))

    def drawn(*shape):
        exponent = np.clip(centre + spread * generator.normal(size=shape), -30.0, 30.0)
        size = 10.0**exponent * generator.uniform(0.5, 1.0, size=shape)  # no two alike: nothing cancels to rounding
        return size * (1.0 if positive else generator.choice([-1.0, 1.0], size=shape))

    rows = len(CELLS[cell].blocks) * size
    parameters = {}
    for end in ("", "_reverse")[:directions]:
        parameters |= {f"weight_ih_l0{end}": drawn(rows, 2), f"weight_hh_l0{end}": drawn(rows, size)}
    gradient = 10.0 ** generator.uniform(-300.0, 300.0, size=(steps, 1, 1)) * generator.uniform(
        0.5, 1.0, size=(steps, 1, directions * size)
    )
    gradient[:-1] *= generator.uniform(size=(steps - 1, 1, 1)) < draw(st.sampled_from([0.0, 0.2, 1.0]))
    inputs = generator.normal(size=(steps, 1, 2)) * draw(st.sampled_from([0.0, 1e-30, 1.0, 100.0]))
    return rnnviz.Network(cell, parameters, nonlinearity), inputs, gradient


def same_logs(ours, theirs, atol=1e-10):
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=atol)


def same_rows(ours, theirs):
    """Rows of what float64 can hold, each beside its own largest entry."""
    held = np.isfinite(theirs).all(axis=-1) & (np.abs(theirs).max(axis=-1) > 1e-290)
    assert_rows_close(ours[held], theirs[held])


@contextmanager
def walked_in(stretch, block, stacked_block):
    """Rescale at other rows, and hand on other blocks."""
    with (
        mock.patch.object(backward, "LONGEST_STRETCH", stretch),
        mock.patch.object(backward, "BLOCK_STEPS", block),
        mock.patch.object(backward, "STACKED_BLOCK_STEPS", stacked_block),
    ):
        yield


WALKS = [(1, 256, 16), (64, 3, 2), (2, 1, 1)]


@pytest.mark.parametrize("walk", WALKS)
@given(question=extreme_questions())
def test_how_often_rows_are_rescaled_changes_nothing(walk, question):
    flow = rnnviz.bptt(*question)
    with walked_in(*walk):
        other = rnnviz.bptt(*question)
    same_logs(flow.joint_log10_norm, other.joint_log10_norm)
    floor = other.joint_log10_norm - 240.0  # one exponent for the whole state: what is smaller may be rounded to zero
    same_logs(np.maximum(flow.log10_norm, floor), np.maximum(other.log10_norm, floor))
    same_rows(flow.adjoint, other.adjoint)
    same_rows(flow.input_gradient, other.input_gradient)
    for name, norm in other.parameter_log10_norms.items():
        ours, theirs = (part.parameter_step_log10_norms[name] for part in (flow, other))
        floor = theirs.max() - 240.0  # a saturated unit's part may be rounded to zero beside another's
        same_logs(np.maximum(ours, floor), np.maximum(theirs, floor))
        if flow.parameter_step_log10_norms[name].max() < norm + 3:  # else the sum is what cancellation left
            same_logs(flow.parameter_log10_norms[name], norm)


@pytest.mark.parametrize("walk", WALKS)
@given(question=extreme_questions())
def test_how_often_rows_are_rescaled_changes_no_itemised_gradient(walk, question):
    flow = rnnviz.itemised(*question)
    with walked_in(*walk):
        same_logs(flow.log10_norm, rnnviz.itemised(*question).log10_norm)


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("option", ["plain", "chunked", "sliding", "hidden_norm", "preactivation_value"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_blocks_in_which_a_walk_goes_change_nothing(cell, option, walk):
    network = random_network(cell, layers=2, directions=2)
    question = random_question(network, steps=8, batch=2)
    options = {"signal_clip": rnnviz.SignalClip(option, 0.1)} if option in SIGNAL_CLIPS else {}
    options |= {"truncation": rnnviz.Truncation(option, 3)} if option in TRUNCATIONS else {}
    flow = rnnviz.bptt(network, *question, **options)
    with walked_in(*walk):
        other = rnnviz.bptt(network, *question, **options)
    np.testing.assert_allclose(flow.adjoint, other.adjoint, rtol=1e-12)
    np.testing.assert_allclose(flow.joint_log10_norm, other.joint_log10_norm, atol=1e-12)
    np.testing.assert_allclose(flow.input_gradient, other.input_gradient, rtol=1e-12)
    for name, gradient in other.parameter_gradients.items():
        np.testing.assert_allclose(flow.parameter_gradients[name], gradient, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(flow.parameter_step_norms[name], other.parameter_step_norms[name], rtol=1e-12)


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_a_walk_of_several_blocks_agrees_with_autograd(cell, nonlinearity):
    network = random_network(cell, nonlinearity, hidden_size=3, directions=2, scale=0.7)
    inputs, gradient, start = random_question(network, steps=backward.BLOCK_STEPS * 2 + 9)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    theirs = autograd_flow(network, inputs, gradient, start)
    assert_rows_close(flow.adjoint, theirs["adjoint"])
    assert_rows_close(flow.input_gradient, theirs["input_gradient"])
    for name, expected in theirs["parameter_gradients"].items():
        assert_close(flow.parameter_gradients[name], expected)


@given(extreme_questions(positive=True, kinds=("rnn",)))
def test_extreme_positive_weights_agree_with_60_digits(question):
    """Nothing cancels where everything is positive, so that float64 must keep every digit."""
    network, inputs, gradient = question
    linear = rnnviz.Network("rnn", network.parameters, "linear")
    flow = rnnviz.bptt(linear, 0.0 * inputs, gradient)
    same_logs(flow.log10_norm[0, :, 0], Reference(linear, 0.0 * inputs, gradient).log10_norms(), atol=1e-9)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("drive", [1e-60, 1.0, 1e60, 1e140])
def test_large_input_weights_do_not_overflow_what_is_still_unscaled(drive, layers):
    """w = 2^50 lets the signal grow far between two rescalings; the input's weights then multiply it once more."""
    weight, steps = 2.0**50, 16
    parameters = {"weight_ih_l0": [[drive]], "weight_hh_l0": [[weight if layers == 1 else 1e-3]]}
    if layers == 2:
        parameters |= {"weight_ih_l1": [[drive]], "weight_hh_l1": [[weight]]}
    gradient = at_last_step(np.full((steps, 1, 1), 1e-290))
    flow = rnnviz.bptt(rnnviz.Network("rnn", parameters, "linear"), np.zeros((steps, 1, 1)), gradient)
    if layers == 1:
        expected = -290 + np.log10(weight) * np.arange(steps - 1, -1, -1) + np.log10(drive)
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_allclose(flow.input_gradient[:, 0, 0], 10.0**expected, rtol=1e-10)
    else:
        top = [np.longdouble(10.0) ** -290 * np.longdouble(weight) ** n * np.longdouble(drive) for n in range(steps)]
        sums = [sum(np.longdouble(1e-3) ** (n - m) * top[m] for m in range(n + 1)) for n in range(steps)]
        np.testing.assert_allclose(flow.log10_norm[0, :0:-1, 0], np.log10(np.array(sums)).astype(float), atol=1e-9)


def test_large_inputs_do_not_overflow_a_parameter_gradient_that_float64_can_hold():
    """The input 1e300 meets a signal that has grown to 2^750 since its last rescaling; the true product is 1e236."""
    steps, weight = 16, 2.0**50
    gradient = at_last_step(np.full((steps, 1, 1), 1e-290))
    inputs = np.zeros((steps, 1, 1))
    inputs[0] = 1e300
    flow = rnnviz.bptt(scalar_rnn(weight), inputs, gradient)
    expected = 300 - 290 + 15 * np.log10(weight)
    assert flow.parameter_step_log10_norms["weight_ih_l0"][0] == pytest.approx(expected, abs=1e-9)
    assert flow.parameter_log10_norms["weight_ih_l0"] == pytest.approx(expected, abs=1e-9)
    assert flow.parameter_gradients["weight_ih_l0"][0, 0] == pytest.approx(10.0**expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["hidden_value", "hidden_norm"])
def test_a_clipped_signal_keeps_its_exact_size_further_back(kind):
    """Where clipping takes 230 decades at once, the mantissa must be rescaled before small weights meet it."""
    weights = {"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.full((1, 1), 1e-200)}
    network, inputs = rnnviz.Network("rnn", weights, "linear"), np.zeros((3, 1, 1))
    flow = rnnviz.bptt(network, inputs, np.full((3, 1, 1), 1e30), signal_clip=rnnviz.SignalClip(kind, 1e-200))
    np.testing.assert_allclose(flow.log10_norm.ravel(), [-400.0, -200.0, -200.0, -200.0], atol=1e-9)


@pytest.mark.parametrize("exponent", [-307, -305, 305, 307])
def test_weights_at_the_ends_of_float64_are_exact_at_every_step(exponent):
    """One step takes more than 2^±1000: what one rescaling leaves over must not pile up."""
    inputs, gradient = np.zeros((40, 1, 1)), at_last_step(np.ones((40, 1, 1)))
    flow = rnnviz.bptt(scalar_rnn(10.0**exponent), inputs, gradient)
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], exponent * np.arange(40.0, -1.0, -1.0), atol=1e-9)


def test_steps_of_zero_input_hide_no_gradient_of_later_steps():
    """Padding in front: the signal grows to 1e602 over steps whose inputs and states are zero and count for nothing."""
    inputs, gradient = np.zeros((2000, 1, 1)), at_last_step(np.ones((2000, 1, 1)))
    inputs[-3:] = 1.0
    flow = rnnviz.bptt(scalar_rnn(2.0, drive=1.0), inputs, gradient)
    assert flow.parameter_gradients["weight_ih_l0"].item() == 4.0 + 2.0 + 1.0
    assert flow.parameter_gradients["weight_hh_l0"].item() == 2.0 * 1.0 + 1.0 * 3.0
    assert flow.parameter_log10_norms["weight_hh_l0"] == pytest.approx(np.log10(5.0), abs=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-16])
@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_recurrent_weights_of_nothing_are_a_finding(nonlinearity, scale):
    """Dead units and no weights: no signal can grow at all."""
    network = scalar_rnn(scale, nonlinearity, drive=-1.0)
    flow = rnnviz.bptt(network, np.ones((5, 1, 1)), at_last_step(np.ones((5, 1, 1))))
    assert flow.log10_norm[0, -1, 0] == 0.0
    assert (flow.log10_norm[0, :-1, 0] == -np.inf).all() == (scale == 0.0 or nonlinearity == "relu")


@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_scales_with_its_loss_at_any_size(cell):
    """Back-propagation is linear: powers of two move the exponents alone."""
    network = random_network(cell, layers=2, directions=2)
    inputs, gradient, start = random_question(network, steps=8, batch=2)
    plain = rnnviz.bptt(network, inputs, gradient, start)
    for power in (-1000, 900):
        flow = rnnviz.bptt(network, inputs, np.ldexp(gradient, power), start)
        np.testing.assert_allclose(flow.log10_norm, plain.log10_norm + power * np.log10(2.0), atol=1e-9)
        np.testing.assert_array_equal(flow.adjoint, np.ldexp(plain.adjoint, power))


def test_a_hidden_part_far_below_the_cell_s_is_not_lost_beside_it():
    """Recurrent weights of 1e-300: ∂L/∂h is 300 decades below ĉ at every step, and not zero."""
    flow = rnnviz.run(rnnviz.Config(cell="lstm", length=50))
    tiny = rnnviz.run(rnnviz.Config(cell="lstm", length=50, weight_scale=1e-300))
    assert np.isfinite(tiny.log10_norm).all()
    below = tiny.cell_log10_norm[0, 1:-1, 0] - tiny.log10_norm[0, 1:-1, 0]
    assert (abs(below - 300) < 3).all()
    assert np.isfinite(flow.log10_norm).all()
