"""The wall: the error of a recurrent network of one unit over its two parameters, and where it is steepest.

x_t = w σ(x_{t-1}) + b without any input, x_0 = 0.5, and after 50 steps E = (σ(x_50) - 0.7)². Where x_0 lies on a fixed
point that pushes away, a hair's breadth in b decides at which of two other fixed points the unit ends, and E is a wall.

Source: Pascanu, Mikolov and Bengio (2013), equation 8 and figure 6.
"""

import math
from dataclasses import dataclass

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.errors import ShapeError, shown

X_0, STEPS, TARGET = 0.5, 50, 0.7
VALUE = 1 / (1 + math.exp(-X_0))  # σ(x_0), 0.622459
SLOPE = VALUE * (1 - VALUE)  # σ'(x_0), 0.235004
FIRST = 1 / SLOPE  # 4.2553, the w beyond which the fixed point at x_0 pushes away
BLOCK = 32  # rows of the grid at a time, so that what is worked on stays in the processor's cache
LOWEST = -700.0  # below it e^-x leaves float64, and σ(x) is below 1e-304 anyway


@dataclass(frozen=True, eq=False)
class Surface:
    """The error over a grid.

    Attributes:
        w: (M,) rising.
        b: (N,) rising.
        error: (N, M), E.
        log10_slope: (N, M), log10 ‖(∂E/∂w, ∂E/∂b)‖, also where the slope itself is smaller than float64 can hold; -inf
            where σ(x_50) is exactly 0.7 or the two derivatives of x_50 are exactly zero, NaN where float64 cannot hold
            them.
    """

    w: np.ndarray
    b: np.ndarray
    error: np.ndarray
    log10_slope: np.ndarray

    @property
    def spacing(self) -> float:
        """Between two neighbouring b of the grid."""
        return float((self.b[-1] - self.b[0]) / (len(self.b) - 1))

    @property
    def thin_beyond(self) -> float:
        """The w beyond which the wall is thinner than the grid's spacing: what a picture shows of it there is chance.

        A column can meet the wall by chance, and then shows its height, or miss it by ever so little.
        """
        return thinner_than(self.spacing)


def wall_bias(w: float | np.ndarray) -> float | np.ndarray:
    """The b at which x_0 is a fixed point: 0.5 - 0.622459 w. The wall stands there for w > 4.2553."""
    return X_0 - VALUE * w


def wall_stretch(w: float) -> float:
    """|∂x_50/∂b| on the wall: 1 + m + ... + m^49 with the multiplier m = w σ'(0.5), for w from 0 to 1e6.

    >>> round(wall_stretch(5.0), 1)
    18155.8
    """
    return math.fsum((w * SLOPE) ** step for step in range(STEPS))


def wall_slope(w: float) -> float:
    """The gradient's norm on the wall's line, where σ(x_50) = σ(x_0); a hair beside it there is some 9 times more."""
    return 2 * abs(VALUE - TARGET) * SLOPE * math.hypot(VALUE, 1.0) * wall_stretch(w)


def wall_width(w: float) -> float:
    """The change of b that moves x_50 by 1, to first order."""
    return 1 / wall_stretch(w)


def thinner_than(width: float) -> float:
    """The w beyond which the wall is thinner than a width; never below 4.2553, where it begins.

    >>> round(thinner_than(0.005), 3)
    4.462
    """
    low, high = FIRST, 1e6
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if wall_width(middle) > width else (low, middle)
    return low


def surface(w: np.ndarray, b: np.ndarray) -> Surface:
    """Error and slope over a grid, the derivatives carried forward through the 50 steps.

    Args:
        w: (M,) values of the weight, rising, at least two.
        b: (N,) values of the bias, the same.

    Raises:
        ShapeError: for what is no rising, finite sequence.

    >>> surface([4.0, 5.0], [-3.0, -2.0]).error.round(3).tolist()
    [[0.41, 0.404], [0.017, 0.056]]
    """
    w, b = _axis("w", w), _axis("b", b)
    error, slope = np.empty((len(b), len(w))), np.empty((len(b), len(w)))
    with np.errstate(all="ignore"):
        for top in range(0, len(b), BLOCK):
            rows = slice(top, top + BLOCK)
            _fill(w, b[rows, None], error[rows], slope[rows])
    error.setflags(write=False)
    slope.setflags(write=False)
    return Surface(w, b, error, slope)


def _axis(name: str, values: object) -> np.ndarray:
    array = finite_array(name, values)
    if array.ndim != 1 or len(array) < 2 or not (np.diff(array) > 0).all():
        raise ShapeError(f"{name}: must be at least two rising numbers, got {shown(values)}.")
    return array


def _fill(w: np.ndarray, b: np.ndarray, error: np.ndarray, log10_slope: np.ndarray) -> None:
    """Write error and slope of a block of rows, in place: w (M,), b (rows, 1)."""
    x = np.full(error.shape, X_0)
    value, gain = np.empty_like(x), np.empty_like(x)
    along_w, along_b = np.zeros_like(x), np.zeros_like(x)
    for _ in range(STEPS):
        _logistic(x, value, gain)
        gain *= w
        along_w *= gain
        along_w += value
        along_b *= gain
        along_b += 1.0
        np.multiply(value, w, out=x)
        x += b
    _logistic(x, value, gain)
    value -= TARGET
    np.square(value, out=error)
    size = np.abs(x)  # the last slope can be too small for float64 and is added as a logarithm
    np.log10(np.hypot(along_w, along_b), out=log10_slope)
    log10_slope += np.log10(2.0 * np.abs(value))
    log10_slope -= size / math.log(10) + 2.0 * np.log10(1.0 + np.exp(-size))


def _logistic(x: np.ndarray, value: np.ndarray, slope: np.ndarray) -> None:
    """σ(x) and σ'(x) = e^-x σ(x)², which stays accurate where σ rounds to 1."""
    np.maximum(x, LOWEST, out=slope)
    np.negative(slope, out=slope)
    np.exp(slope, out=slope)
    np.add(slope, 1.0, out=value)
    np.divide(1.0, value, out=value)
    slope *= value
    slope *= value
