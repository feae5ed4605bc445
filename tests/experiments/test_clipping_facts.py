"""The four facts say what this very run shows, in whole sentences."""

import numpy as np
import pytest

import rnnviz
from rnnviz.core.readings import power_text
from rnnviz.experiments.clipping_facts import angle_text, curve_fact, direction_fact, signal_fact, size_fact
from rnnviz.experiments.clippings import Clippings
from rnnviz.experiments.comparison import VARIANTS
from tests.experiments.clipped import clippings, facts


def dead() -> Clippings:
    """A network whose parameters get exactly nothing: a ReLU at rest under large negative biases."""
    found = clippings("relu", length=6)
    network = found.run.experiment.network
    parameters = {
        name: np.full_like(value, -50.0) if "bias" in name else value for name, value in network.parameters.items()
    }
    found.run.experiment.__dict__["network"] = rnnviz.Network("rnn", parameters, "relu")
    return found


@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("threshold", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_facts_of_every_variant_are_sentences(name, threshold, loss):
    found = clippings(name, clip_threshold=threshold, loss=loss, layers=2)
    assert len(facts(found)) == 4
    for fact in facts(found):
        assert fact.endswith("."), fact
        assert fact[0].isupper(), fact
        for wrong in ("nan", "inf", "None", "  ", " 1 decades"):
            assert wrong not in fact, fact


def test_the_facts_of_an_exploding_run():
    found = clippings("linear", clip_threshold=1.0, weight_scale=1.1, length=40)
    flow, norm, value = found.run.flow, found.norm.report, found.value.report
    after = found.signal.flow.log10_norm[0, 1, 0]
    decades = flow.log10_norm[0, 1, 0] - after
    assert flow.verdict.kind == "exploding"
    assert found.bend() == (0, 1, pytest.approx(-decades))
    assert curve_fact(found) == (
        "Clipping the parameters' gradient, by norm or by value, leaves ∂L/∂h_t untouched: the largest difference at "
        "any step is exactly 0."
    )
    assert signal_fact(found) == (
        f"Clipping the signal bends the curve: by {decades:.2g} decades at most, at step 1, where ‖∂L/∂h_t‖ goes from "
        f"{power_text(flow.log10_norm[0, 1, 0])} to {power_text(after)}."
    )
    assert direction_fact(found) == (
        "Clipping by norm keeps the direction of the parameters' gradient (angle 0.0°); clipping by value does not: it "
        f"turns it by {value.angle:.0f}°."
    )
    assert size_fact(found) == (
        f"Here nothing has vanished: step 1 gets {power_text(flow.verdict.decades)} times the signal; neither clipping "
        "by norm nor by value could enlarge it if it had, for the coefficient of clipping by norm is "
        f"{power_text(np.log10(norm.coefficient))}, never above 1."
    )
    assert decades > 1
    assert value.angle > 10


def test_the_facts_of_a_vanishing_run_below_the_threshold():
    found = clippings(clip_threshold=1000.0)
    flow = found.run.flow
    assert flow.verdict.kind == "vanishing"
    assert facts(found) == (
        "Clipping the parameters' gradient, by norm or by value, leaves ∂L/∂h_t untouched: the largest difference at "
        "any step is exactly 0; at this threshold it has nothing to clip either.",
        "Clipping the signal bends the curve only where it clips, and here no entry of ∂L/∂a_t was above the threshold "
        "of 1,000.",
        "Neither by norm nor by value does clipping turn the parameters' gradient here (angle 0.0°): its norm of "
        f"{power_text(flow.parameters_log10_norm())} is not above the threshold of 1,000.",
        "Neither clipping by norm nor by value can enlarge a vanished gradient: the coefficient of clipping by norm is "
        f"1, never above 1, and step 1 gets {power_text(flow.verdict.decades)} of the signal before and after it.",
    )


@pytest.mark.parametrize(
    ("kind", "held"),
    [("hidden_value", "no entry of ∂L/∂h_t"), ("hidden_norm", "no norm of ∂L/∂h_t")],
)
def test_what_was_held_by_other_ways_of_clipping_the_signal(kind, held):
    assert f"and here {held} was above the threshold of 1,000." in signal_fact(
        clippings("gru", kind, clip_threshold=1e3)
    )


def test_a_norm_above_the_threshold_of_entries_that_are_not():
    found = clippings(clip_threshold=1.0)
    gradients = found.run.flow.parameter_gradients
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    found = clippings(clip_threshold=float(1.01 * largest))
    assert found.norm.changed
    assert not found.value.changed
    assert direction_fact(found) == (
        "Clipping by norm keeps the direction of the parameters' gradient (angle 0.0°); by value it would not, but no "
        f"entry was above the threshold of {power_text(np.log10(found.threshold))}."
    )


def test_a_signal_that_is_clipped_and_leads_nowhere():
    found = clippings(weight_scale=0.0, clip_threshold=1e-3)
    assert found.signal.changed
    assert found.bend()[2] == 0
    assert signal_fact(found) == (
        "Clipping the signal changes the parameters' gradient but bends no curve here: what it clips is handed on to "
        "no other state."
    )
    assert size_fact(found).endswith("step 1 gets exactly nothing of the signal before and after it.")


def test_a_gradient_of_exactly_zero():
    found = dead()
    assert all(not gradient.any() for gradient in found.run.flow.parameter_gradients.values())
    assert [way.changed for way in found.ways] == [False] * 4
    assert direction_fact(found) == (
        "The parameters' gradient is exactly zero, and has no direction that clipping could keep or turn."
    )
    assert size_fact(found) == (
        "Neither clipping by norm nor by value can enlarge a gradient of exactly zero: the coefficient of clipping by "
        "norm is 1, never above 1."
    )
    assert all(np.isnan(share) for share in found.norm.shares_after.values())
    assert all(np.isnan(way.report.angle) for way in found.ways)


def test_a_run_that_is_not_a_number():
    found = clippings("linear", weight_scale=20.0, length=1000)
    assert facts(found) == (
        "The gradient ∂L/∂h_t is not a number; clipping the parameters' gradient comes after the sweep and leaves it "
        "so.",
        "There is no curve for clipping of the signal to bend: ∂L/∂h_t is not a number.",
        "The parameters' gradient is not a number, and has no direction that clipping could keep or turn.",
        "No clipping makes a number of what is none: the coefficient of clipping by norm is not a number.",
    )
    assert "makes every gradient NaN" in found.norm.report.warning
    assert "leaves them NaN" in found.value.report.warning


def test_squares_that_overflow():
    found = clippings("linear", weight_scale=3.0, length=200)
    assert (found.norm.log10_norm, found.norm.report.coefficient) == (-np.inf, 0.0)
    assert direction_fact(found) == (
        "Clipping by norm leaves no direction at all, for the norm's squares overflow and torch sets every entry to 0; "
        f"clipping by value turns the gradient by {angle_text(found.value.report.angle)}."
    )
    assert "by norm is exactly 0, never above 1." in size_fact(found)


def test_a_gradient_beyond_float64():
    found = clippings("linear", weight_scale=3.0, length=400)
    assert found.none.log10_norm > 308
    assert direction_fact(found) == (
        "The parameters' gradient is beyond what float64 can hold, and has no direction that clipping could keep or "
        "turn."
    )


def test_one_step_and_a_reverse_chain_have_their_own_far_ends():
    assert " the initial state gets " in size_fact(clippings(length=1))
    found = clippings("birnn", clip_threshold=1e-2)
    s, row, _ = found.bend()
    stream = found.none.flow.streams[s]
    step = row + 1 if stream.reverse else row
    assert f"at step {step} of {stream.label}, where" in signal_fact(found)
