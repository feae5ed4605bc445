"""What torch does in its corners is what the table says, what rnnviz does too, and what the sentences claim."""

import numpy as np
import pytest
import torch

from rnnviz import clip_by_norm, clip_by_value
from rnnviz.learning.corner_cases import CornerCase, corner_cases, entries_text

CASES = {case.name: case for case in corner_cases()}

# (gradient, norm returned, after clip_grad_norm_, after clip_grad_value_), as the screen has it.
TEXTS = {
    "ordinary": ("3, 4", "5", "0.6, 0.8", "1, 1"),
    "infinite": ("∞, 3, 4", "∞", "NaN, 0, 0", "1, 1, 1"),
    "nan": ("NaN, 3, 4", "NaN", "NaN, NaN, NaN", "NaN, 1, 1"),
    "overflow32": ("3·10¹⁹, 4·10¹⁹", "∞", "0, 0", "1, 1"),
    "overflow64": ("3·10¹⁹⁹, 4·10¹⁹⁹", "∞", "0, 0", "1, 1"),
    "threshold": ("0.6, 0.8", "1", "0.599999, 0.799999", "0.6, 0.8"),
    "tiny": ("1·10⁻⁷, 0", "1·10⁻⁷", "9·10⁻¹⁰, 0", "1·10⁻⁸, 0"),
    "underflow": ("3·10⁻³⁰, 4·10⁻³⁰", "0", "3·10⁻³⁰, 4·10⁻³⁰", "3·10⁻³⁰, 4·10⁻³⁰"),
    "negative": ("3, 4", "5", "−0.6, −0.8", "−1, −1"),
}


def with_gradient(case: CornerCase) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(torch.zeros(len(case.gradient), dtype=torch.tensor(case.gradient).dtype))
    parameter.grad = torch.tensor(case.gradient)
    return parameter


def test_every_case_is_told():
    assert set(CASES) == set(TEXTS)
    assert len({case.label for case in CASES.values()}) == len(CASES)


@pytest.mark.parametrize("name", TEXTS)
def test_what_stands_in_the_table(name):
    case = CASES[name]
    assert (case.before, case.norm, case.by_norm, case.by_value) == TEXTS[name]
    assert case.sentence.endswith(".")
    assert case.sentence[0].isupper() or case.sentence.startswith("torch ")
    assert case.gradient.dtype == (np.float64 if name == "overflow64" else np.float32)


@pytest.mark.parametrize("name", TEXTS)
def test_rnnviz_and_torch_agree_on_every_case(name):
    case = CASES[name]
    norm, value = (clip({"p": case.gradient}, case.limit) for clip in (clip_by_norm, clip_by_value))
    np.testing.assert_allclose(norm.clipped["p"], case.after_norm, rtol=2e-6)
    np.testing.assert_array_equal(value.clipped["p"], case.after_value)
    np.testing.assert_allclose(norm.norm_before, case.returned, rtol=1e-6)
    assert norm.clipped["p"].dtype == case.after_norm.dtype


def test_an_ordinary_gradient_keeps_its_direction_by_norm_alone():
    case = CASES["ordinary"]
    unit = case.gradient / np.linalg.norm(case.gradient)
    assert unit @ case.after_norm / np.linalg.norm(case.after_norm) == pytest.approx(1.0, abs=1e-6)
    assert unit @ case.after_value / np.linalg.norm(case.after_value) < 0.99
    assert case.returned == np.linalg.norm(case.gradient)  # before the clip
    assert np.linalg.norm(case.after_norm) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["infinite", "nan", "overflow32", "overflow64"])
def test_error_if_nonfinite_stops_it(name):
    if name != "overflow64":
        assert "error_if_nonfinite=True" in CASES[name].sentence
    with pytest.raises(RuntimeError, match="non-finite"):
        torch.nn.utils.clip_grad_norm_([with_gradient(CASES[name])], 1.0, error_if_nonfinite=True)


def test_an_infinite_entry_ends_in_a_weight():
    parameter = with_gradient(CASES["infinite"])
    torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    torch.optim.SGD([parameter], lr=0.1).step()
    np.testing.assert_array_equal(np.isnan(parameter.detach().numpy()), [True, False, False])


@pytest.mark.parametrize("name", ["overflow32", "overflow64"])
def test_training_stands_still_where_squares_overflow(name):
    case, parameter = CASES[name], with_gradient(CASES[name])
    assert np.isfinite(case.gradient).all()
    torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    torch.optim.SGD([parameter], lr=0.1).step()
    assert (parameter.detach().numpy() == 0).all()


def test_a_loss_scaled_down_is_clipped_as_it_should():
    parameter = with_gradient(CASES["overflow32"])
    parameter.grad /= 1e10
    torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    np.testing.assert_allclose(parameter.grad.numpy(), [0.6, 0.8], rtol=1e-5)


def test_float64_squares_overflow_from_about_1e154():
    for entry, overflows in ((1e153, False), (1.4e154, True)):
        parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
        parameter.grad = torch.tensor([entry, entry], dtype=torch.float64)
        assert bool(torch.isinf(torch.nn.utils.clip_grad_norm_([parameter], 1.0))) == overflows


def test_at_the_threshold_a_millionth_is_lost():
    case = CASES["threshold"]
    assert 1 - case.after_norm[0] / case.gradient[0] == pytest.approx(1e-6, abs=1e-7)


def test_epsilon_takes_a_tiny_gradient_to_a_tenth():
    case = CASES["tiny"]
    assert np.linalg.norm(case.after_norm) == pytest.approx(case.limit / 11, rel=1e-3)


def test_an_underflown_norm_is_measured_in_float64():
    case, parameter = CASES["underflow"], with_gradient(CASES["underflow"])
    assert case.returned == 0
    assert float(parameter.grad.double().norm()) == pytest.approx(5e-30, rel=1e-6)
    np.testing.assert_array_equal(case.after_norm, case.gradient)


def test_a_negative_max_norm_climbs():
    case = CASES["negative"]
    assert (np.sign(case.after_norm) == -np.sign(case.gradient)).all()
    assert (case.after_value == case.limit).all()


def test_it_is_computed_anew_each_time():
    assert corner_cases()[0] is not corner_cases()[0]


@pytest.mark.parametrize(
    ("entries", "text"),
    [([-np.inf, np.nan], "−∞, NaN"), ([-0.0, 1e-2, 999.0], "0, 0.01, 999"), ([-1e3, 1.23456789], "−1,000, 1.23457")],
)
def test_short_texts(entries, text):
    assert entries_text(np.array(entries)) == text
