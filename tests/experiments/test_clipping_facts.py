"""The four facts say what this very run shows, in whole sentences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnviz
from rnnviz.core.readings import power_text
from rnnviz.core.signal import SIGNAL_CLIPS
from rnnviz.experiments.clipping_facts import (
    angle_text,
    coefficient_text,
    curve_fact,
    direction_fact,
    signal_fact,
    size_fact,
)
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
        f"The gradient has not vanished at step 1, which gets {power_text(flow.verdict.decades)} times the signal; if "
        "it had, neither clipping by norm nor by value could enlarge it, for the coefficient of clipping by norm is "
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
    assert size_fact(found).startswith("Neither clipping by norm nor by value can enlarge what is exactly zero: ")
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


def test_the_way_back_of_a_backward_chain_begins_at_the_first_step():
    told = {size_fact(clippings("birnn", loss="every", seed=seed)).split("the total at ")[1] for seed in range(8)}
    ends = {text.split(" is ")[0]: text.split(" that at ")[1].split(";")[0] for text in told}
    assert ends == {
        "step 1 (layer 1, forward direction)": "step 30", "step 30 (layer 1, backward direction)": "step 1"
    }  # fmt: skip


def test_one_step_and_a_reverse_chain_have_their_own_far_ends():
    assert " the initial state gets " in size_fact(clippings(length=1))
    found = clippings("birnn", clip_threshold=1e-2)
    s, row, _ = found.bend()
    stream = found.none.flow.streams[s]
    step = row + 1 if stream.reverse else row
    assert f"at step {step} ({stream.label}), where" in signal_fact(found)


def one_size(size=1.0, other=-1.0, threshold=0.01) -> Clippings:
    """The unclipped gradient's entries are all ±`size`, some of them `other` times it, or zero."""
    found = clippings("linear", length=1, hidden_size=1, clip_threshold=threshold)
    flow = found.run.unclipped
    sizes = {"weight_ih_l0": other * size, "bias_ih_l0": size, "bias_hh_l0": size, "weight_hh_l0": 0.0}
    gradients = {name: np.full_like(flow.parameter_gradients[name], sizes[name]) for name in flow.parameter_gradients}
    found.run.__dict__["unclipped"] = replace(flow, parameter_gradients=gradients)
    return found


def vanished_share(found: Clippings) -> float:
    """What the first step gets of the last one's gradient, from the adjoints themselves."""
    first, last = (np.linalg.norm(found.none.flow.adjoint[0, row, 0]) for row in (1, -1))
    return first / last


@pytest.mark.parametrize(
    ("length", "scale", "what"),
    [(5, 0.9, "a gradient that shrinks"), (5, 0.4, "a gradient that shrinks"), (5, 0.3, "a vanished gradient")],
)
def test_vanished_is_said_only_of_what_is_below_one_percent(length, scale, what):
    """0.9⁴ = 0.66 shrinks, 0.4⁴ = 0.026 too; 0.3⁴ = 0.0081 has vanished: an orthogonal matrix scales every step."""
    found = clippings("linear", length=length, weight_scale=scale)
    share = scale ** (length - 1)
    assert vanished_share(found) == pytest.approx(share, rel=1e-12)
    assert found.none.flow.verdict.kind == "vanishing"
    assert (share < 0.01) == ("vanished" in size_fact(found))
    assert size_fact(found) == (
        f"Neither clipping by norm nor by value can enlarge {what}: the coefficient of clipping by norm is "
        f"{coefficient_text(found.norm.report.coefficient)}, never above 1, and step 1 gets "
        f"{power_text(np.log10(share))} of the signal before and after it."
    )


def test_a_gradient_that_holds_its_size_has_not_vanished():
    found = clippings("linear", weight_scale=1.0)
    assert vanished_share(found) == pytest.approx(1.0)
    assert size_fact(found).startswith("The gradient has not vanished at step 1, which gets as much as the signal; if ")


def test_a_total_that_every_loss_adds_to_says_nothing_of_what_has_vanished():
    """One loss alone fades to 1e-9 over these steps while the total stays."""
    found = clippings("linear", weight_scale=0.5, loss="every")
    share = vanished_share(found)
    assert 0.01 < share < 100
    assert vanished_share(clippings("linear", weight_scale=0.5)) == pytest.approx(0.5**29)
    said = power_text(np.log10(share))
    assert size_fact(found) == (
        "Each step's own loss adds to the gradient, so that its total tells nothing of what has vanished: the total at "
        f"step 1 is {said} {'of' if share < 1 else 'times'} that at step 30; neither clipping by norm nor by "
        "value could enlarge it, for the coefficient of clipping by norm is "
        f"{coefficient_text(found.norm.report.coefficient)}, never above 1."
    )


@settings(max_examples=60)
@given(
    st.sampled_from(list(VARIANTS)),
    st.sampled_from([1, 2, 5, 30]),
    st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.1, 2.0]),
    st.sampled_from([1e-12, 1e-3, 0.3, 30.0]),
    st.sampled_from(list(SIGNAL_CLIPS)),
    st.sampled_from(["last", "every"]),
    st.sampled_from([1, 2]),
)
def test_whatever_the_settings_the_sentences_are_true(name, length, scale, threshold, kind, loss, layers):
    found = clippings(
        name, kind, length=length, weight_scale=scale, clip_threshold=threshold, loss=loss, layers=layers, hidden_size=2
    )
    curve, signal, direction, size = facts(found)
    arrived = 10.0**found.none.flow.verdict.decades
    assert curve.startswith("Clipping the parameters' gradient, by norm or by value, leaves ∂L/∂h_t untouched: ")
    if "a vanished gradient" in size:
        assert 0 < arrived < 0.01
    if "that shrinks" in size:
        assert 0.01 <= arrived < 1
    if "has not vanished" in size:
        assert arrived >= 0.01
        assert loss == "last" or length == 1
    if "it turns it by" in direction:
        assert found.value.report.angle > 0
        assert "0.0°" not in direction.split("it turns it by")[1]
    if ": by less than" in signal:
        assert 0 < abs(found.bend()[2]) < 0.01
    if " goes from " in signal:
        before, after = signal.split(" goes from ")[1].removesuffix(".").split(" to ")
        assert before != after


def test_clipping_by_value_that_turns_nothing():
    found = one_size()
    entries = np.concatenate([g.ravel() for g in found.none.flow.parameter_gradients.values()])
    assert set(entries) == {-1.0, 0.0, 1.0}
    assert found.value.changed
    assert found.value.report.angle == pytest.approx(0.0, abs=1e-9)
    assert direction_fact(found) == (
        "Clipping by norm keeps the direction of the parameters' gradient (angle 0.0°); here clipping by value keeps "
        "it too, for all entries but zeros are of one size."
    )
    assert direction_fact(one_size(other=1.0 + 1e-15)) == direction_fact(found)
    found = one_size(size=1e200)
    assert found.norm.report.coefficient == 0
    assert direction_fact(found) == (
        "Clipping by norm leaves no direction at all, for the norm's squares overflow and torch sets every entry to 0; "
        "clipping by value keeps it (angle 0.0°)."
    )


def test_clipping_by_value_that_turns_by_less_than_can_be_written():
    """Entries that differ by a part in 1e9: no tenth of a degree, yet it is turned."""
    found = one_size(other=-1.0 - 1e-9, threshold=1.0)
    assert found.value.changed
    assert direction_fact(found).endswith("clipping by value does not: it turns it by less than 0.1°.")


def test_a_bend_too_small_for_its_numbers():
    plain = clippings("linear", kind="hidden_norm", weight_scale=1.0)
    largest = 10.0 ** plain.none.flow.log10_norm.max()
    found = clippings("linear", kind="hidden_norm", weight_scale=1.0, clip_threshold=float(largest * 0.99))
    assert found.bend()[2] == pytest.approx(np.log10(0.99), rel=1e-6)
    assert signal_fact(found) == "Clipping the signal bends the curve: by less than 0.01 decades everywhere."
