import mpmath
import numpy as np
import pytest
import torch

from rnnviz.core.activations import ACTIVATIONS, sigmoid
from rnnviz.learning.oracle import NONLINEARITIES

ORDINARY = np.linspace(-6.0, 6.0, 41)  # 0 among them: torch's slope of relu there is 0
EXACT = {  # the slope in as many digits as the pre-activation asks for
    "tanh": lambda a: 1 / mpmath.cosh(a) ** 2,
    "sigmoid": lambda a: mpmath.exp(-abs(a)) / (1 + mpmath.exp(-abs(a))) ** 2,
    "relu": lambda a: mpmath.mpf(a > 0),
    "linear": lambda a: mpmath.mpf(1),
}


def test_the_oracle_knows_every_activation():
    assert NONLINEARITIES.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_function_and_slope_agree_with_torch(name):
    a = torch.tensor(ORDINARY, requires_grad=True)
    y = NONLINEARITIES[name](a)
    y.sum().backward()
    np.testing.assert_allclose(ACTIVATIONS[name].function(ORDINARY), y.detach().numpy(), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(ACTIVATIONS[name].slope(ORDINARY), a.grad.numpy(), rtol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_keep_every_digit_when_saturated(name):
    """At a = 19 torch's 1 - y² is exactly zero; here the digits last until float64 itself ends, at 1e-308."""
    for a in (0.0, 0.3, 3.0, 19.0, 37.0, 100.0, 350.0):
        expected = [float(EXACT[name](mpmath.mpf(signed))) for signed in (a, -a)]
        np.testing.assert_allclose(ACTIVATIONS[name].slope(np.array([a, -a])), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_largest_slope_is_the_largest(name):
    slopes = ACTIVATIONS[name].slope(np.linspace(-30.0, 30.0, 60_001))
    assert slopes.max() == ACTIVATIONS[name].largest_slope
    assert slopes.min() >= 0.0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_that_saturates_has_a_slope_that_is_small_and_not_zero(name):
    slope = ACTIVATIONS[name].slope(np.array([-300.0, 300.0]))
    assert ((slope > 0) & (slope < 1e-100)).all() == np.isfinite(ACTIVATIONS[name].saturation)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_beyond_its_saturation_a_slope_leaves_float64(name):
    """Just below it, all digits are there; a few steps beyond it they are not."""
    saturation = min(ACTIVATIONS[name].saturation, 1e6)
    tiny = np.finfo(np.float64).tiny
    assert ACTIVATIONS[name].slope(np.array([0.99 * saturation]))[0] > tiny
    assert (ACTIVATIONS[name].slope(np.array([1.01 * saturation]))[0] < tiny) == np.isfinite(
        ACTIVATIONS[name].saturation
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_infinity_and_nan_pass_without_a_warning(name):
    ends = ACTIVATIONS[name].function(np.array([-np.inf, np.inf, np.nan]))
    expected = {"tanh": [-1, 1], "sigmoid": [0, 1], "relu": [0, np.inf], "linear": [-np.inf, np.inf]}
    np.testing.assert_array_equal(ends, [*expected[name], np.nan])
    slopes = ACTIVATIONS[name].slope(np.array([-np.inf, np.inf]))
    np.testing.assert_array_equal(slopes, {"relu": [0, 1], "linear": [1, 1]}.get(name, [0, 0]))


def test_the_logistic_function_is_accurate_on_both_sides():
    for a in (-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0):
        with mpmath.workdps(350):
            expected = float(1 / (1 + mpmath.exp(-mpmath.mpf(a))))
        np.testing.assert_allclose(sigmoid(np.array([a])), [expected], rtol=1e-15)
