"""Activations, each with its slope taken from the pre-activation.

A slope computed from the output, as 1 - y², cancels to zero once tanh rounds to 1 (at a = 19); computed from the
pre-activation it stays accurate to the last digit until it leaves float64 altogether (beyond a = 354).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
ONE, MINUS_ONE = np.array(1.0), np.array(-1.0)  # a Python 1.0 would be converted at every call


def sigmoid(a: Array, out: Array | None = None) -> Array:
    """Logistic function 1 / (1 + e^-a), accurate on both sides; any shape but that of a plain number.

    For a < -709 e^-a overflows on its way to the right answer: callers keep `np.errstate(over="ignore")` around their
    loops, where it costs nothing.
    """
    value = np.multiply(a, MINUS_ONE, out)  # np.negative can mistake strides of 64 bytes
    np.exp(value, value)
    np.add(value, ONE, value)
    return np.divide(ONE, value, value)


def sigmoid_slope(a: Array) -> Array:
    """Derivative of the logistic function, e^-|a| / (1 + e^-|a|)², at most 1/4."""
    decay = np.exp(-np.abs(a))
    return decay / np.square(ONE + decay)


def tanh_slope(a: Array) -> Array:
    """Derivative of tanh, 4 e^-2|a| / (1 + e^-2|a|)², at most 1."""
    return 4.0 * sigmoid_slope(2.0 * a)


def relu(a: Array, out: Array | None = None) -> Array:
    """max(a, 0); NaN stays NaN."""
    return np.maximum(a, 0.0, out=out)


def relu_slope(a: Array) -> Array:
    """Derivative of relu: 1 above zero and 0 elsewhere, 0 included as in torch; NaN stays NaN."""
    return np.heaviside(a, 0.0)


@dataclass(frozen=True)
class Activation:
    """An elementwise function with its slope.

    Attributes:
        name: torch's word for it.
        function: (a, out) -> φ(a), any shape, into `out` when it is given.
        slope: a -> φ'(a), same shape, from the pre-activation.
        largest_slope: γ = max |φ'|, as in the bound ‖∂h_t/∂h_k‖ ≤ (γ σ_max(W))^(t-k).
            Source: Pascanu, Mikolov and Bengio (2013), section 2.1.
        saturation: the |a| beyond which the slope is not zero, but smaller than float64 can hold; inf for none.
    """

    name: str
    function: Callable[..., Array]
    slope: Callable[[Array], Array]
    largest_slope: float
    saturation: float


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", np.tanh, tanh_slope, 1.0, 354.0),
        Activation("relu", relu, relu_slope, 1.0, np.inf),
        Activation("sigmoid", sigmoid, sigmoid_slope, 0.25, 708.0),
        Activation("linear", np.positive, np.ones_like, 1.0, np.inf),
    )
}
