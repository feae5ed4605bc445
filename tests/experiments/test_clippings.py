"""Each way of clipping is torch's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnviz
from rnnviz.core.signal import SIGNAL_CLIPS
from rnnviz.experiments.clipping_facts import curve_fact, direction_fact, signal_fact
from rnnviz.experiments.clippings import SLIDING, Clippings, SignalChoice
from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import CLIPS
from rnnviz.experiments.knobs import knobs
from rnnviz.learning.oracle import TorchNetwork, autograd_flow
from tests.experiments.clipped import clippings, facts
from tests.support import NONSENSE, assert_clear, assert_close, assert_rows_close, refusal

DOCS = " ".join((Path(__file__).parents[2] / "docs" / "clipping.md").read_text(encoding="utf-8").split())


def clipped_by_torch(found: Clippings, clip) -> tuple[float, dict[str, np.ndarray]]:
    """What a torch function makes of the parameters' gradient, and what it returns."""
    gradients = found.run.unclipped.parameter_gradients
    parameters = {name: torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for name, g in gradients.items()}
    for name, parameter in parameters.items():
        parameter.grad = torch.tensor(gradients[name])
    returned = clip(list(parameters.values()), found.threshold)
    return returned, {name: parameter.grad.numpy() for name, parameter in parameters.items()}


def flat(gradients) -> np.ndarray:
    return np.concatenate([gradients[name].ravel() for name in sorted(gradients)])


def degrees(before, after) -> float:
    left, right = flat(before), flat(after)
    return float(np.degrees(np.arccos(np.clip(left @ right / np.linalg.norm(left) / np.linalg.norm(right), -1, 1))))


def shares_of(gradients) -> dict[str, float]:
    total = np.linalg.norm(flat(gradients)) ** 2
    return {name: np.linalg.norm(gradient) ** 2 / total for name, gradient in gradients.items()}


@pytest.mark.parametrize("threshold", [1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("name", VARIANTS)
def test_parameter_clipping_is_torch_s(name, threshold):
    found = clippings(name, clip_threshold=threshold)
    gradients = found.run.flow.parameter_gradients
    for way, clip in (
        (found.norm, torch.nn.utils.clip_grad_norm_), (found.value, torch.nn.utils.clip_grad_value_)
    ):  # fmt: skip
        returned, expected = clipped_by_torch(found, clip)
        for parameter, gradient in expected.items():
            np.testing.assert_allclose(way.report.clipped[parameter], gradient, rtol=1e-13)
        if returned is not None:
            assert way.report.norm_before == pytest.approx(float(returned), rel=1e-13)
        assert way.log10_norm == pytest.approx(np.log10(np.linalg.norm(flat(expected))), abs=1e-12)
        assert way.report.angle == pytest.approx(degrees(gradients, expected), abs=1e-5)
        assert way.shares_after == pytest.approx(shares_of(expected), rel=1e-9, abs=1e-15)
        assert way.shares_before == pytest.approx(shares_of(gradients), rel=1e-9, abs=1e-15)
        assert way.changed == (not np.array_equal(flat(expected), flat(gradients)))
    scaled = found.norm.report.coefficient * flat(gradients)
    np.testing.assert_allclose(flat(found.norm.report.clipped), scaled, rtol=1e-14)
    assert found.value.report.coefficient is None


@pytest.mark.parametrize("kind", SIGNAL_CLIPS)
@pytest.mark.parametrize("name", VARIANTS)
def test_signal_clipping_is_that_of_autograd_s_hooks(name, kind):
    found = clippings(name, kind, weight_scale=1.3, clip_threshold=1e-3, length=15)
    run, way = found.run, found.signal
    question = run.experiment.network, run.experiment.inputs, run.experiment.output_gradient
    theirs = autograd_flow(*question, signal_clip=rnnviz.SignalClip(kind, 1e-3))
    assert_rows_close(way.flow.adjoint, theirs["adjoint"])
    for parameter, gradient in theirs["parameter_gradients"].items():
        assert_close(way.report.clipped[parameter], gradient)
    before = run.flow.parameter_gradients
    assert way.report.angle == pytest.approx(degrees(before, theirs["parameter_gradients"]), abs=1e-5)
    assert way.shares_after == pytest.approx(shares_of(theirs["parameter_gradients"]), rel=1e-8)
    assert way.log10_norm == pytest.approx(np.log10(np.linalg.norm(flat(theirs["parameter_gradients"]))), abs=1e-10)
    assert way.report.coefficient is None
    assert way.changed


@pytest.mark.parametrize("way", ["norm", "value"])
@pytest.mark.parametrize("name", ["rnn", "relu", "lstm", "gru", "bigru"])
def test_clipping_of_parameters_leaves_autograd_s_curve_too(name, way):
    """The first fact in torch itself: ∂L/∂h_t of every step is there before the clip, the same after it, and ours."""
    found = clippings(name, clip_threshold=1e-3)
    unrolled = TorchNetwork(found.run.experiment.network, found.run.experiment.inputs)
    before = unrolled.flow(found.run.experiment.output_gradient)
    curve = before["adjoint"].copy()
    unclipped = flat(before["parameter_gradients"]).copy()
    clip = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}[way]
    clip(list(unrolled.parameters.values()), 1e-3)
    clipped = flat({parameter: leaf.grad.numpy() for parameter, leaf in unrolled.parameters.items()})
    assert np.abs(clipped).max() <= 1e-3 < np.abs(unclipped).max()
    after = np.array([[state.grad.numpy() for state in stream.states["adjoint"]] for stream in unrolled.streams])
    np.testing.assert_array_equal(after, curve)
    ours = getattr(found, way)
    np.testing.assert_allclose(flat(ours.report.clipped), clipped, rtol=1e-9, atol=1e-15)
    with np.errstate(divide="ignore"):
        theirs = np.log10(np.linalg.norm(after, axis=-1))
    np.testing.assert_allclose(ours.flow.log10_norm, theirs, atol=1e-9)
    assert np.isfinite(theirs).any()
    assert "the largest difference at any step is exactly 0." in curve_fact(found)


@pytest.mark.parametrize(("threshold", "part"), [(1.0, 1e-6), (0.1, 1e-5), (100.0, 1e-8)])
def test_a_norm_exactly_at_the_threshold_shrinks_by_a_millionth_of_1(threshold, part):
    """docs/clipping.md: one part in a million is what it is at a threshold of 1 alone."""
    found = rnnviz.clip_by_norm({"weight": np.array([0.6, 0.8]) * threshold}, threshold)
    leaf = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    leaf.grad = torch.tensor([0.6, 0.8], dtype=torch.float64) * threshold
    torch.nn.utils.clip_grad_norm_([leaf], threshold)
    assert 1 - float(leaf.grad.norm()) / threshold == pytest.approx(part, rel=1e-4)
    assert 1 - found.coefficient == pytest.approx(part, rel=1e-4)
    assert "at a threshold of 1 by one part in a million" in DOCS


@pytest.mark.parametrize("entries", [(np.inf, 3.0), (np.nan, 3.0), (3e199, 4e199)])
def test_error_if_nonfinite_refuses_the_first_three_pitfalls_of_the_docs(entries):
    leaf = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    leaf.grad = torch.tensor(entries, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="non-finite"):
        torch.nn.utils.clip_grad_norm_([leaf], 1.0, error_if_nonfinite=True)
    assert "turns the first three into an error" in DOCS


@pytest.mark.parametrize("w", [4.5, 5.0, 6.0])
def test_the_wall_of_the_docs_is_never_higher_than_049_and_grows_steep(w):
    """From side to side E jumps by less than 0.49; on the wall |∂x_50/∂b| is 1 + m + ... + m^49, m = w σ′(0.5)."""
    sigma = 1 / (1 + np.exp(-0.5))
    errors = []
    for beside in (-0.1, 0.0, 0.1):
        b = torch.tensor(0.5 - w * sigma + beside, dtype=torch.float64, requires_grad=True)
        x = torch.tensor(0.5, dtype=torch.float64)
        for _ in range(50):
            x = w * (torch.sigmoid(x) if beside else sigma + sigma * (1 - sigma) * (x - 0.5)) + b
        errors.append(float((torch.sigmoid(x) - 0.7).detach() ** 2))
        if not beside:  # x stays at 0.5: along the tangent, so that rounding does not push it off
            multiplier = w * sigma * (1 - sigma)
            (stretch,) = torch.autograd.grad(x, b)
            assert float(stretch) == pytest.approx((multiplier**50 - 1) / (multiplier - 1), rel=1e-9)
            assert float(stretch) > multiplier**49
    assert 0.1 < abs(errors[2] - errors[0]) < 0.49
    assert max(errors) < 0.49
    assert "It is never higher than 0.49" in DOCS
    assert "height grows" not in DOCS


@pytest.mark.parametrize("clip", CLIPS)
def test_it_does_not_matter_what_the_run_itself_clips(clip):
    plain = clippings("lstm", clip_threshold=0.01)
    found = clippings("lstm", clip=clip, clip_threshold=0.01)
    for way, other in zip(found.ways, plain.ways, strict=True):
        np.testing.assert_allclose(way.flow.log10_norm, other.flow.log10_norm, rtol=1e-12)
        assert way.shares_after == pytest.approx(other.shares_after)
    assert facts(found) == facts(plain)
    assert (found.signal.flow is found.run.flow) == (clip == "preactivation_value")


@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("threshold", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", VARIANTS)
def test_shares_are_of_the_whole(name, threshold, loss):
    found = clippings(name, clip_threshold=threshold, loss=loss, layers=2)
    for way in found.ways:
        assert sum(way.shares_before.values()) == pytest.approx(1.0, abs=1e-12)
        assert sum(way.shares_after.values()) == pytest.approx(1.0, abs=1e-12)
    assert found.norm.shares_after == pytest.approx(found.none.shares_after, rel=1e-9)


@pytest.mark.parametrize("length", [200, 400])
def test_shares_and_norms_of_gradients_whose_squares_overflow(length):
    """At 200 steps float64 holds the gradient but not its square, and at 400 not even the gradient."""
    none = clippings("linear", weight_scale=3.0, length=length).none
    assert none.log10_norm == pytest.approx(none.flow.parameters_log10_norm())
    assert none.log10_norm > (308 if length == 400 else 154)
    assert none.shares_after == pytest.approx(none.shares_before)
    assert sum(none.shares_after.values()) == pytest.approx(1.0)


def test_a_sliding_truncation_refuses_the_signal_s_way_alone():
    for clip in ("off", "preactivation_value"):
        found = clippings(truncation="sliding", loss="every", clip=clip, clip_threshold=0.1)
        assert found.signal.refusal == signal_fact(found) == SLIDING
        assert (found.signal.flow, found.signal.report, found.signal.shares_after) == (None, None, {})
        assert np.isnan(found.signal.log10_norm)
        assert curve_fact(found).endswith("the largest difference at any step is exactly 0.")
        assert found.norm.changed
    chunked = clippings(truncation="chunked", truncation_steps=7, loss="every", clip_threshold=0.01)
    assert not chunked.signal.refusal
    assert chunked.bend()[2] != 0


def test_no_threshold_is_too_far_from_any_signal():
    """The engine refuses a limit below 1e-500 times the signal; a forward run ends before its loss is so large."""
    for kind in SIGNAL_CLIPS:
        found = clippings("linear", kind, weight_scale=20.0, length=235, clip_threshold=1e-12)
        assert found.none.log10_norm > 300
        assert found.bend()[2] < -300


@pytest.mark.parametrize("value", NONSENSE)
def test_an_unknown_kind_of_signal_clipping_is_one_sentence(value):
    assert_clear(refusal(Clippings, clippings().run, value), "signal_kind")


def test_the_choice_of_signal_clipping_offers_every_kind():
    (declared,) = knobs(SignalChoice).values()
    assert declared.choices == {
        "preactivation_value": "Pre-activations", "hidden_value": "States by value", "hidden_norm": "States by norm"
    }  # fmt: skip
    assert set(declared.choices) == set(SIGNAL_CLIPS)
    assert Clippings(clippings().run).signal_kind == SignalChoice().clip_signal
    assert refusal(SignalChoice, "norm") == (
        "clip_signal: must be 'preactivation_value', 'hidden_value' or 'hidden_norm', got 'norm'."
    )


def test_a_way_is_found_once():
    found = clippings()
    for name in ("none", "norm", "value", "signal"):
        assert getattr(found, name) is getattr(found, name)
    assert [way.name for way in found.ways] == ["none", "norm", "value", "signal"]


@settings(max_examples=40)
@given(
    st.sampled_from(list(VARIANTS)),
    st.floats(-8.0, 6.0).map(lambda power: 10.0**power),
    st.sampled_from(list(SIGNAL_CLIPS)),
    st.sampled_from([0.5, 1.0, 1.5]),
)
def test_whatever_the_threshold(name, threshold, kind, scale):
    found = clippings(name, kind, length=12, clip_threshold=threshold, weight_scale=scale)
    for way in found.ways:
        assert sum(way.shares_after.values()) == pytest.approx(1.0, abs=1e-9)
        assert way.log10_norm <= found.none.log10_norm + 1e-9 or way.name == "signal"
    assert 0 < found.norm.report.coefficient <= 1
    assert found.norm.log10_norm <= np.log10(threshold) + 1e-9
    assert found.norm.report.angle < 1e-5
    assert found.value.report.angle < 90
    bends = found.bend()[2] != 0
    assert bends == signal_fact(found).startswith("Clipping the signal bends the curve: by ")
    if kind == "hidden_norm":
        norms = found.signal.flow.log10_norm
        assert (norms[np.isfinite(norms)] <= np.log10(threshold) + 1e-9).all()
    turned = found.value.report.angle >= 0.05
    assert ("it turns it by" in direction_fact(found)) == found.value.changed
    assert turned <= found.value.changed


def test_the_threshold_of_the_config_is_that_of_every_way():
    run = clippings().run
    other = Run(run.name, replace(run.config, clip_threshold=0.25))
    assert Clippings(other).threshold == 0.25
    assert max(np.abs(gradient).max() for gradient in Clippings(other).value.report.clipped.values()) <= 0.25
