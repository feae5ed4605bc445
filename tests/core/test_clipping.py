"""Parameter clipping against torch.nn.utils itself, corner cases included."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz import clip_by_norm, clip_by_value
from rnnviz.core.clipping import compare_gradients
from tests.support import refusal

CASES = {
    "ordinary": [[3.0, -4.0], [[0.5, 1.5], [-2.0, 0.1]]],
    "one": [[0.3]],
    "at the threshold": [[0.6, 0.8]],
    "below the threshold": [[0.01, -0.02]],
    "tiny": [[1e-7, -1e-7]],
    "smaller than torch's epsilon": [[1e-12, 2e-12]],
    "zero": [[0.0, 0.0]],
    "infinite entry": [[np.inf, 1.0], [2.0]],
    "negative infinite entry": [[-np.inf, 1.0], [2.0]],
    "NaN entry": [[np.nan, 1.0], [2.0]],
    "NaN and infinite entries": [[np.nan, np.inf], [2.0]],
    "overflow": [[1e200, 1.0], [-2.0]],
    "underflow": [[1e-200, 1e-210]],
    "float32 overflow": [[1e20, 1.0], [-2.0]],
    "float32 underflow": [[1e-30, 1e-32]],
}
THRESHOLDS = (1.0, 1e-8, 0.5, 100.0, 0.0, -1.0, np.inf, -np.inf)


def gradients_of(case, dtype):
    with np.errstate(over="ignore", under="ignore"):
        return {f"p{i}": np.array(value).astype(dtype) for i, value in enumerate(CASES[case])}


def by_torch(gradients, clip, threshold):
    parameters = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.tensor(g).dtype)) for g in gradients.values()]
    for parameter, gradient in zip(parameters, gradients.values(), strict=True):
        parameter.grad = torch.tensor(gradient)
    returned = clip(parameters, threshold)
    return returned, {name: p.grad.numpy() for name, p in zip(gradients, parameters, strict=True)}


def rtol_of(dtype):
    return 1e-14 if dtype == np.float64 else 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("max_norm", THRESHOLDS)
@pytest.mark.parametrize("case", CASES)
def test_clipping_by_norm_is_torch_s(case, max_norm, dtype):
    gradients = gradients_of(case, dtype)
    norm, expected = by_torch(gradients, torch.nn.utils.clip_grad_norm_, max_norm)
    report = clip_by_norm(gradients, max_norm)
    np.testing.assert_allclose(report.norm_before, float(norm), rtol=rtol_of(dtype))
    for name, clipped in expected.items():
        np.testing.assert_allclose(report.clipped[name], clipped, rtol=2 * rtol_of(dtype))
        assert report.clipped[name].dtype == dtype


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("limit", THRESHOLDS)
@pytest.mark.parametrize("case", CASES)
def test_clipping_by_value_is_torch_s(case, limit, dtype):
    gradients = gradients_of(case, dtype)
    _, expected = by_torch(gradients, torch.nn.utils.clip_grad_value_, limit)
    report = clip_by_value(gradients, limit)
    assert report.coefficient is None
    for name, clipped in expected.items():
        np.testing.assert_array_equal(report.clipped[name], clipped)
        assert report.clipped[name].dtype == dtype


def test_a_limit_beyond_float32_clips_no_float32():
    """torch itself stops here with an error of its own."""
    gradients = gradients_of("float32 overflow", np.float32)
    for report in (clip_by_value(gradients, 1e300), clip_by_norm(gradients_of("ordinary", np.float32), 1e300)):
        assert report.norm_after == report.norm_before
        assert all(clipped.dtype == np.float32 for clipped in report.clipped.values())


def test_float32_beside_float64_stays_float32():
    gradients = {"narrow": np.array([3.0], np.float32), "wide": np.array([4.0])}
    for report in (clip_by_norm(gradients, 1.0), clip_by_value(gradients, 1.0)):
        assert [report.clipped[name].dtype for name in gradients] == [np.float32, np.float64]
    assert clip_by_norm(gradients, 1.0).clipped["narrow"][0] == pytest.approx(0.6, rel=1e-6)


POISON_NAN = "A gradient has a NaN entry: clipping by norm makes every gradient NaN."
POISON_INF = "A gradient has an infinite entry: clipping by norm turns it into NaN and every other entry into 0."
ZEROED = "The norm's squares overflow: clipping by norm silently sets every gradient to 0."
UNSEEN = "The norm's squares underflow to 0: torch sees no gradient, and no threshold would clip it."
FLIPPED = "A negative max_norm flips the sign of every gradient: torch does not refuse it."


@pytest.mark.parametrize(
    ("case", "max_norm", "expected"),
    [
        ("ordinary", 1.0, ""),
        ("ordinary", np.inf, ""),
        ("at the threshold", 1.0, ""),
        ("tiny", 1e-8, ""),
        ("zero", 1.0, ""),
        ("NaN entry", 1.0, POISON_NAN),
        ("NaN and infinite entries", 1.0, POISON_NAN),
        ("infinite entry", 1.0, POISON_INF),
        ("negative infinite entry", 1.0, POISON_INF),
        ("overflow", 1.0, ZEROED),
        ("underflow", 1.0, UNSEEN),
        ("ordinary", -1.0, FLIPPED),
    ],
)
def test_the_warning_of_clipping_by_norm_is_the_whole_sentence(case, max_norm, expected):
    assert clip_by_norm(gradients_of(case, np.float64), max_norm).warning == expected


@pytest.mark.parametrize(
    ("case", "limit", "expected"),
    [
        ("ordinary", 1.0, ""),
        ("infinite entry", 1.0, ""),
        ("overflow", 1.0, ""),
        ("NaN entry", 1.0, "The gradient has NaN entries: clipping by value leaves them NaN."),
        ("ordinary", -1.0, "A negative limit sets every entry to it, whatever its sign: torch does not refuse it."),
    ],
)
def test_the_warning_of_clipping_by_value_is_the_whole_sentence(case, limit, expected):
    assert clip_by_value(gradients_of(case, np.float64), limit).warning == expected


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("max_norm", [1.0, 100.0, np.inf, -1.0, -np.inf])
@pytest.mark.parametrize("case", CASES)
def test_there_is_a_warning_exactly_when_torch_destroys_what_was_there(case, max_norm, dtype):
    """Destroyed: what was not zero is zero, NaN or of the other sign; or what should be clipped is not seen at all."""
    gradients = gradients_of(case, dtype)
    norm, after = by_torch(gradients, torch.nn.utils.clip_grad_norm_, max_norm)
    destroyed = any((np.sign(gradients[name]) != np.sign(after[name])).any() for name in gradients)
    if not any(np.abs(gradient).max() > 0 for gradient in gradients.values()):  # nothing was there
        return
    unseen = float(norm) == 0 and any(g.any() for g in gradients.values())
    assert bool(clip_by_norm(gradients, max_norm).warning) == (destroyed or unseen)


def test_an_infinite_threshold_is_no_clipping_whatever_the_warning_says():
    """torch poisons an overflowing norm even so (∞ / ∞): the sentence must say NaN, not zero."""
    for case in ("overflow", "infinite entry"):
        report = clip_by_norm(gradients_of(case, np.float64), np.inf)
        assert all(np.isnan(clipped).all() for clipped in report.clipped.values())
        assert "NaN" in report.warning
        assert "into 0" not in report.warning


def test_sizes_before_and_after_are_exact_at_any_size():
    report = clip_by_norm({"a": np.array([3e200, 4e200])}, 1.0)
    assert report.norm_before == np.inf
    assert report.log10_norm_before == pytest.approx(200 + np.log10(5.0), abs=1e-12)
    assert report.parameter_norms_before == {"a": np.inf}
    assert report.norm_after == 0.0
    assert report.log10_norm_after == -np.inf


def test_norms_of_every_parameter():
    gradients = gradients_of("ordinary", np.float64)
    report = clip_by_norm(gradients, 1.0)
    total = np.sqrt(25.0 + 0.25 + 2.25 + 4.0 + 0.01)
    coefficient = 1.0 / (total + 1e-6)
    assert report.norm_before == pytest.approx(total, rel=1e-14)
    assert report.coefficient == pytest.approx(coefficient, rel=1e-14)
    assert report.norm_after == pytest.approx(total * coefficient, rel=1e-13)
    assert report.log10_norm_after == pytest.approx(np.log10(total * coefficient), abs=1e-13)
    assert report.parameter_norms_before == pytest.approx({"p0": 5.0, "p1": np.sqrt(6.51)}, rel=1e-13)
    assert report.parameter_norms_after == pytest.approx({"p0": 5 * coefficient, "p1": np.sqrt(6.51) * coefficient})


def test_clipping_never_enlarges():
    gradients = gradients_of("below the threshold", np.float64)
    assert clip_by_norm(gradients, 1.0).coefficient == 1.0
    np.testing.assert_array_equal(clip_by_norm(gradients, 1.0).clipped["p0"], gradients["p0"])


def test_the_norm_keeps_the_direction_and_the_value_turns_it():
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert clip_by_norm(gradients, 1.0).angle == pytest.approx(0.0, abs=1e-6)
    assert clip_by_norm(gradients, -1.0).angle == pytest.approx(180.0)
    assert clip_by_value(gradients, 1.0).angle == pytest.approx(
        np.degrees(np.arccos(7.0 / (5.0 * np.sqrt(2.0)))), rel=1e-12
    )


def test_a_small_angle_keeps_its_digits():
    """(1, 1 + 2e-9) held at 1 turns by 1e-9 radians, where an arccosine would see nothing."""
    assert clip_by_value({"a": np.array([1.0, 1.0 + 2e-9])}, 1.0).angle == pytest.approx(np.degrees(1e-9), rel=1e-6)


@pytest.mark.parametrize("case", ["zero", "NaN entry", "infinite entry"])
def test_there_is_no_angle_of_nothing(case):
    assert np.isnan(clip_by_norm(gradients_of(case, np.float64), 1.0).angle)


def test_the_angle_is_exact_beyond_float64_s_squares():
    report = clip_by_value({"a": np.array([3e200, 4e-200])}, 4e-200)
    assert report.angle == pytest.approx(45.0)


entries = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(entries, entries, st.floats(1e-3, 1e3))
def test_a_clipped_gradient_obeys_its_threshold_and_still_descends(left, right, threshold):
    gradients = {"a": np.array(left), "b": np.array(right)}
    flat = np.concatenate((left, right))
    for report in (clip_by_norm(gradients, threshold), clip_by_value(gradients, threshold)):
        after = np.concatenate(list(report.clipped.values()))
        assert (flat * after >= 0).all()
        assert (np.abs(after) <= np.abs(flat)).all()
        if report.coefficient is None:
            assert np.abs(after).max() <= threshold
        else:
            assert np.linalg.norm(after) <= threshold * (1 + 1e-12)
            assert 0 < report.coefficient <= 1


def test_the_given_gradients_are_left_alone():
    gradients = gradients_of("ordinary", np.float64)
    copies = {name: value.copy() for name, value in gradients.items()}
    clip_by_norm(gradients, 0.1)
    clip_by_value(gradients, 0.1)
    for name, copy in copies.items():
        np.testing.assert_array_equal(gradients[name], copy)


def test_a_run_without_clipping_reports_an_untouched_gradient():
    """Whatever its size: the overflowing gradient of an exploding run too."""
    for scale in (1.0, 3.0, 4.0):
        config = rnnviz.Config(nonlinearity="relu", weight_scale=scale, length=500, hidden_size=8, input_scale=1e-3)
        gradients = rnnviz.run(config).parameter_gradients
        report = rnnviz.run(config, rnnviz.ClipReport)
        for name, gradient in gradients.items():
            np.testing.assert_array_equal(report.clipped[name], gradient)


def test_a_comparison_of_two_gradients_is_the_report_of_the_clipping_between_them():
    gradients = gradients_of("ordinary", np.float64)
    for report in (clip_by_norm(gradients, 1.0), clip_by_value(gradients, 1.0)):
        found = compare_gradients(gradients, report.clipped)
        assert (found.coefficient, found.warning) == (None, "")
        for name in ("norm_before", "norm_after", "log10_norm_before", "log10_norm_after", "angle"):
            assert getattr(found, name) == getattr(report, name)
        assert found.parameter_norms_before == report.parameter_norms_before
        assert found.parameter_norms_after == report.parameter_norms_after


def test_a_comparison_s_angle_is_torch_s_cosine():
    generator = np.random.default_rng(0)
    before, after = ({"a": generator.normal(size=(3, 4)), "b": generator.normal(size=5)} for _ in range(2))
    flat = [torch.tensor(np.concatenate([part.ravel() for part in side.values()])) for side in (before, after)]
    found = compare_gradients(before, dict(reversed(after.items())))
    assert found.cosine == pytest.approx(float(torch.nn.functional.cosine_similarity(*flat, dim=0)), rel=1e-12)
    assert found.norm_after == pytest.approx(float(flat[1].norm()), rel=1e-13)


def test_gradients_that_cannot_be_compared_word_for_word():
    before = {"a": np.zeros(2), "b": np.zeros(3)}
    assert refusal(compare_gradients, before, {"a": np.zeros(2)}) == (
        "after: must hold the same parameters as before, ['a', 'b'], got ['a']."
    )
    assert refusal(compare_gradients, before, {"a": np.zeros(2), "b": np.zeros((3, 1))}) == (
        "after: 'b' must have the shape (3,), got (3, 1)."
    )
    assert refusal(compare_gradients, before, {}) == (
        "gradients: must map at least one parameter name to an array, got {}."
    )
