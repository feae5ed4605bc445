import numpy as np
import pytest

import rnnviz
from rnnviz import Config, Status
from rnnviz.core.readings import horizon, power_text, read
from tests.support import at_last_step, scalar_rnn


def curve(factor, steps=20, weight_drive=0.0):
    """The reading of a linear network of one unit whose gradient changes by a factor each step."""
    inputs, gradient = np.zeros((steps, 1, 1)), at_last_step(np.ones((steps, 1, 1)))
    return rnnviz.bptt(scalar_rnn(factor, drive=weight_drive), inputs, gradient).verdict


def test_vanishing():
    reading = curve(0.7)
    assert reading.kind == "vanishing"
    assert reading.growth_per_step == pytest.approx(0.7)
    assert reading.half_life == pytest.approx(np.log(0.5) / np.log(0.7))
    assert reading.doubling_time == np.inf
    assert reading.memory_horizon == 12  # 0.7^12 = 0.0138 is above 1 %, 0.7^13 is not
    assert reading.sentence == "The gradient halves every 1.9 steps; step 1 gets 1·10⁻³ of the signal of step 20."


def test_exploding():
    reading = curve(1.5)
    assert reading.kind == "exploding"
    assert reading.growth_per_step == pytest.approx(1.5)
    assert reading.half_life == np.inf
    assert reading.doubling_time == pytest.approx(np.log(2.0) / np.log(1.5))
    assert reading.memory_horizon == 19
    assert reading.sentence == "The gradient doubles every 1.7 steps; step 1 gets 2,200 times the signal of step 20."


def test_steady():
    reading = curve(1.0)
    assert reading.kind == "steady"
    assert reading.growth_per_step == 1.0
    assert reading.half_life == reading.doubling_time == np.inf
    assert reading.sentence == "The gradient holds its size: step 1 gets 1 times the signal of step 20."


@pytest.mark.parametrize(
    ("decades", "kind"), [(-1.01, "vanishing"), (-0.99, "steady"), (0.99, "steady"), (1.01, "exploding")]
)
def test_steady_is_within_a_factor_of_ten_over_the_run(decades, kind):
    assert curve(10.0 ** (decades / 99), steps=100).kind == kind


@pytest.mark.parametrize(
    ("growth", "kind"), [(0.9, "vanishing"), (0.92, "steady"), (1.09, "steady"), (1.11, "exploding")]
)
def test_steady_is_within_a_tenth_a_step_even_on_a_short_sequence(growth, kind):
    assert curve(growth, steps=4).kind == kind


def test_vanishing_beyond_float64():
    reading = curve(0.001, steps=200)
    assert reading.growth_per_step == pytest.approx(0.001)
    assert reading.sentence == "The gradient shrinks 1,000-fold a step; step 1 gets 1·10⁻⁵⁹⁷ of the signal of step 200."


def test_a_dead_unit():
    """ReLU below zero: everything before the last step gets exactly nothing."""
    network = scalar_rnn(1.0, "relu", drive=-1.0)
    reading = rnnviz.bptt(network, np.ones((9, 1, 1)), at_last_step(np.ones((9, 1, 1)))).verdict
    assert reading.kind == "vanishing"
    assert reading.growth_per_step == 0.0
    assert reading.half_life == 0.0
    assert reading.memory_horizon == 0
    assert reading.sentence == "The gradient is exactly zero from step 8 back: no path leads further."


def test_no_gradient_at_all():
    reading = rnnviz.bptt(scalar_rnn(1.0), np.ones((9, 1, 1)), np.zeros((9, 1, 1))).verdict
    assert reading.kind == "vanishing"
    assert (
        reading.sentence
        == "No gradient arrives at step 9: the loss does not depend on it, or its slope there is exactly 0."
    )
    assert reading.memory_horizon == 0


def test_a_run_that_overflows_says_so_and_where():
    flow = rnnviz.run(Config(nonlinearity="linear", weight_scale=3.0, length=1000))
    assert flow.verdict.kind == "undefined"
    assert np.isnan(flow.verdict.growth_per_step)
    assert np.isnan(flow.verdict.half_life)
    assert flow.verdict.memory_horizon == 0
    assert (
        flow.verdict.sentence
        == "The gradient is not a number: the forward run left float64 before the loss, or the loss itself did."
    )
    assert flow.findings == (
        f"The forward run left float64 at step {flow.overflow_step}: its states grew beyond 1.8e308.",
        "∂L/∂h is not a number at 1001 rows.",
    )
    assert flow.overflow_step == int(np.flatnonzero(~np.isfinite(flow.hidden[0, 1:, 0]).all(axis=-1))[0]) + 1
    assert 640 < flow.overflow_step < 660  # 3^646 is float64's largest


def test_losses_at_every_step_refill_the_gradient():
    flow = rnnviz.run(Config(loss="every", weight_scale=0.5, length=50))
    assert flow.verdict.kind == "steady"
    share = power_text(flow.profile[0, 1] - flow.profile[0, 50])
    assert flow.verdict.sentence == (
        f"What enters at other steps refills the gradient, so its total at step 1 is {share} times that at step 50; "
        "how far one loss reaches shows only in the itemised gradient."
    )


def test_losses_at_every_step_of_an_exploding_run_do_not_hide_it():
    flow = rnnviz.run(Config(loss="every", nonlinearity="linear", weight_scale=1.5, length=50))
    assert flow.verdict.kind == "exploding"
    assert "doubles every" in flow.verdict.sentence


def test_a_reverse_stream_is_read_from_its_own_loss_to_the_last_step():
    flow = rnnviz.run(Config(bidirectional=True, weight_scale=0.5, length=30))
    forward, backward = flow.readings
    assert (forward.stream, backward.stream) == ("layer 1, forward direction", "layer 1, backward direction")
    assert "step 1 gets" in forward.sentence
    assert forward.sentence.endswith("the signal of step 30.")
    assert "step 30 gets" in backward.sentence
    assert backward.sentence.endswith("the signal of step 1.")
    norms = flow.log10_norm[1, :, 0]
    assert np.log10(backward.growth_per_step) == pytest.approx((norms[29] - norms[1]) / 28)


def test_the_backward_chain_under_the_last_output_has_seen_one_input():
    """Its loss enters at its first step: there is nothing to travel over but the way to the initial state."""
    flow = rnnviz.run(Config(bidirectional=True, head="last_output", length=30))
    backward = flow.readings[1]
    assert np.isfinite(flow.log10_norm[1, 29:, 0]).all()
    assert (flow.log10_norm[1, :29, 0] == -np.inf).all()
    assert "the initial state gets" in backward.sentence
    assert backward.sentence.endswith("the signal of step 30.")


def test_the_verdict_is_the_stream_whose_gradient_travels_best():
    flow = rnnviz.run(Config(layers=2, bidirectional=True, weight_scale=0.7))
    assert flow.verdict.growth_per_step == max(flow.growth_per_step[2:])
    assert flow.verdict in flow.readings[2:]
    assert flow.verdict.sentence.startswith(("Layer 2, forward direction: ", "Layer 2, backward direction: "))


def test_a_layer_below_both_directions_is_refilled_by_them():
    """Gradient enters its stream at both ends, so that its total says nothing of how it fades."""
    flow = rnnviz.run(Config(cell="lstm", layers=2, bidirectional=True))
    assert flow.readings[0].sentence.startswith("Layer 1, forward direction: The layer above refills the gradient")
    assert flow.verdict.kind == "vanishing"


def test_arrays_of_readings_agree_with_the_readings():
    flow = rnnviz.run(Config(layers=2, bidirectional=True, length=40))
    for name in ("growth_per_step", "half_life", "doubling_time"):
        np.testing.assert_array_equal(getattr(flow, name), [getattr(reading, name) for reading in flow.readings])
    below, top = flow.readings[:2], flow.readings[2:]  # those below get gradient from both ends: from both directions
    np.testing.assert_array_equal(flow.memory_horizon, [np.nan, np.nan, *(each.memory_horizon for each in top)])
    assert [each.reach for each in flow.readings] == ["–", "–", *(f"{each.memory_horizon} of 39" for each in top)]
    assert all(each.refilled for each in below)


def test_steps_above_counts_without_a_break():
    flow = rnnviz.run(Config(weight_scale=0.8, length=60))
    norms = flow.log10_norm[0, 1:, 0]
    for fraction in (0.5, 0.1, 1e-3):
        below = np.flatnonzero(norms[::-1] < norms[-1] + np.log10(fraction))
        assert flow.steps_above(fraction)[0] == below[0] - 1
    assert flow.steps_above(0.01)[0] == flow.memory_horizon[0]
    assert flow.steps_above(1e-300)[0] == 59


def test_horizon():
    norms = np.array([0.0, -5.0, -1.0, -0.5, 0.0])
    assert horizon(norms, 0.01) == 2
    assert horizon(norms, 1e-6) == 4
    assert horizon(norms, 0.9) == 0


@pytest.mark.parametrize(
    ("log10", "text"),
    [
        (-2000.3, "5·10⁻²⁰⁰¹"),
        (954.64, "4·10⁹⁵⁴"),
        (-0.02, "0.95"),
        (0.0, "1"),
        (0.3, "2"),
        (1.7, "50"),
        (3.2, "1,600"),
        (-2.0, "0.01"),
        (-2.001, "1·10⁻²"),
        (4.0, "10,000"),
        (6.1, "1·10⁶"),
        (-np.inf, "exactly 0"),
        (np.inf, "infinitely"),
        (np.nan, "not a number"),
    ],
)
def test_a_size_as_text(log10, text):
    assert power_text(log10) == text


def test_a_digit_that_rounds_up_to_ten_moves_the_exponent():
    assert power_text(np.log10(9.7) - 100) == "1·10⁻⁹⁹"


def test_a_curve_that_begins_with_nothing():
    reading = read(np.array([-np.inf, -np.inf]), "layer 1", ["step 1", "step 2"])
    assert (reading.kind, reading.stream) == ("vanishing", "layer 1")


@pytest.mark.parametrize(
    ("factor", "status"), [(0.9, Status.ORDINARY), (1e-3, Status.UNDERFLOW), (1e3, Status.OVERFLOW)]
)
def test_status_of_large_and_small_norms(factor, status):
    steps = 120
    flow = rnnviz.bptt(scalar_rnn(factor), np.zeros((steps, 1, 1)), at_last_step(np.ones((steps, 1, 1))))
    assert flow.status[0, 0, 0] == status
    assert flow.status[0, -1, 0] == Status.ORDINARY
    assert np.isfinite(flow.log10_norm).all()
    if status == Status.UNDERFLOW:
        assert flow.adjoint[0, 0, 0, 0] == 0.0
        assert flow.findings == (
            "∂L/∂h is smaller than float64 can hold (2.2e-308) at 18 rows; its log10 norm is exact.",
        )
    if status == Status.OVERFLOW:
        assert flow.adjoint[0, 0, 0, 0] == np.inf
        assert flow.findings == (
            "∂L/∂h is larger than float64 can hold (1.8e308) at 18 rows; its log10 norm is exact.",
        )


def test_status_of_exact_zeros():
    network = scalar_rnn(1.0, "relu", drive=-1.0)
    flow = rnnviz.bptt(network, np.ones((5, 1, 1)), at_last_step(np.ones((5, 1, 1))))
    assert flow.status.ravel().tolist() == [Status.ZERO] * 5 + [Status.ORDINARY]
    assert flow.findings == (
        "∂L/∂h is exactly zero at 5 rows: no path leads there from the loss, or the units are dead.",
    )


@pytest.mark.parametrize("drive", [360.0, 371.0, 400.0, 1e6])
@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid"])
def test_status_of_zeros_that_rounding_made(nonlinearity, drive):
    """The slope of a saturated unit is never zero: where it leaves float64, rounding made the zero, no dead unit."""
    drive = 2.0 * drive if nonlinearity == "sigmoid" else drive
    network = scalar_rnn(0.5, nonlinearity, drive=1.0)
    flow = rnnviz.bptt(network, np.full((40, 1, 1), drive), at_last_step(np.ones((40, 1, 1))))
    zeros = flow.log10_norm[0, :, 0] == -np.inf
    assert zeros.any()
    assert (flow.status[0, zeros, 0] == Status.SATURATED).all()
    assert flow.findings[-1] == (
        f"∂L/∂h is rounded to zero at {zeros.sum()} rows: the slope of a saturated unit leaves float64."
    )


def test_the_verdict_of_a_saturated_run_does_not_claim_a_dead_path():
    flow = rnnviz.bptt(scalar_rnn(0.5, "tanh", drive=400.0), np.ones((9, 1, 1)), at_last_step(np.ones((9, 1, 1))))
    assert flow.status[0, -2, 0] == Status.SATURATED
    assert flow.verdict.sentence == (
        "The gradient is rounded to zero from step 8 back: a saturated unit's slope leaves float64."
    )


def test_status_of_a_saturated_cell():
    """After 400 steps of adding 1 the cell holds 400: tanh'(c) leaves float64, and only that stops the gradient."""
    parameters = {
        "weight_ih_l0": np.zeros((4, 1)),
        "weight_hh_l0": np.array([[1.0], [1.0], [1.0], [0.0]]),
        "bias_ih_l0": np.array([50.0, 50.0, 50.0, 0.0]),
    }
    steps = 500
    flow = rnnviz.bptt(
        rnnviz.Network("lstm", parameters), np.zeros((steps, 1, 1)), at_last_step(np.ones((steps, 1, 1)))
    )
    assert flow.cell[0, -1, 0, 0] == pytest.approx(500.0, rel=1e-6)
    assert flow.log10_norm[0, -2, 0] == -np.inf
    assert flow.status[0, -2, 0] == Status.SATURATED


def test_a_saturated_unit_does_not_excuse_a_dead_path():
    """No recurrent weight at all: the zero is exact, whatever the units' slopes are."""
    network = scalar_rnn(0.0, "tanh", drive=1.0)
    flow = rnnviz.bptt(network, np.full((4, 1, 1), 3.0), at_last_step(np.ones((4, 1, 1))))
    assert flow.status.ravel().tolist() == [Status.ZERO] * 4 + [Status.ORDINARY]


def test_status_of_what_is_not_a_number():
    flow = rnnviz.run(Config(nonlinearity="relu", weight_scale=5.0, length=600))
    undefined = np.isnan(flow.log10_norm)
    assert undefined.any()
    np.testing.assert_array_equal(flow.status == Status.UNDEFINED, undefined)


def test_findings_name_the_step_whatever_layer_overflowed():
    """q = W_hn h overflows while every state stays finite: the sentence must still have a step to name."""
    parameters = {"weight_ih_l0": np.ones((6, 1)), "weight_hh_l0": np.full((6, 2), 1.0)}
    parameters["weight_hh_l0"][4:] = 1.7e308
    network = rnnviz.Network("gru", parameters)
    flow = rnnviz.bptt(network, np.full((30, 1, 1), 2.0), np.ones((30, 1, 2)))
    assert all("None" not in finding for finding in flow.findings)


def test_a_forward_run_that_overflows_is_a_finding_even_if_the_gradient_is_finite():
    """A linear network's gradient does not know of its states; the reader of the states must."""
    flow = rnnviz.bptt(scalar_rnn(10.0, drive=1.0), np.ones((400, 1, 1)), at_last_step(np.ones((400, 1, 1))))
    assert np.isfinite(flow.log10_norm).all()
    assert flow.overflow_step == 310
    assert flow.findings[0] == "The forward run left float64 at step 310: its states grew beyond 1.8e308."


def test_an_overflow_of_the_backward_chain_is_told_by_its_position_in_time():
    """It walks from step 400 down: 10^n has left float64 after 310 of its steps, at step 91."""
    weights = {
        f"weight_{kind}_l0{end}": [[value]] for end in ("", "_reverse") for kind, value in (("ih", 1.0), ("hh", 0.5))
    }
    network = rnnviz.Network("rnn", weights | {"weight_hh_l0_reverse": [[10.0]]}, "linear")
    flow = rnnviz.bptt(network, np.ones((400, 1, 1)), at_last_step(np.ones((400, 1, 2))))
    assert flow.overflow_step == 91
    assert np.isfinite(flow.hidden[0]).all()
    assert np.flatnonzero(~np.isfinite(flow.hidden[1, :, 0, 0])).max() == 90


def test_a_gradient_that_leaves_float64_in_one_step_is_read_without_a_warning():
    weights = {"weight_ih_l0": [[0.0]], "weight_hh_l0": [[1.0]], "weight_ih_l1": [[5e-324]], "weight_hh_l1": [[5e-324]]}
    network = rnnviz.Network("rnn", weights, "linear")
    for initial in (np.zeros((2, 1, 1)), np.ones((2, 1, 1))):
        flow = rnnviz.bptt(network, np.ones((2, 1, 1)), np.full((2, 1, 1), 1e300), initial)
        assert np.isfinite(flow.log10_norm).all()
        assert all(reading.kind in ("vanishing", "steady", "exploding") for reading in flow.readings)


def test_one_batch_row_that_overflows_beside_one_that_explodes():
    network = rnnviz.Network(
        "rnn", {"weight_ih_l0": np.zeros((2, 1)), "weight_hh_l0": [[3.0, 1.0], [3.0, -1.0]]}, "relu"
    )
    start = np.array([[[1.0, 1.0], [1e-300, 1e-300]]])
    flow = rnnviz.bptt(network, np.zeros((700, 2, 1)), at_last_step(np.ones((700, 2, 2))), start)
    alone = rnnviz.bptt(network, np.zeros((700, 1, 1)), at_last_step(np.ones((700, 1, 2))), start[:, 1:])
    assert np.isnan(flow.log10_norm[0, 0, 0])
    np.testing.assert_allclose(flow.log10_norm[0, :, 1], alone.log10_norm[0, :, 0], atol=1e-9)
    assert flow.verdict.kind == "undefined"
    assert len(flow.findings) >= 1


def test_the_first_hop_at_the_loss_does_not_count_as_the_pace():
    """An LSTM's gradient pays once for the way from h into c, and then stays as it is."""
    flat = np.array([-1.0] * 20 + [0.0])
    reading = read(flat, "layer 1", [f"step {step}" for step in range(21)])
    assert (reading.growth_per_step, reading.decades, reading.kind) == (1.0, -1.0, "steady")
    falling = read(np.array([-2.0, -1.5, -1.0, 0.0]), "layer 1", list("abcd"))
    assert falling.half_life == pytest.approx(np.log10(2.0) / 0.5)
