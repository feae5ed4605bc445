"""The wall: the error of a recurrent network of one unit over its two parameters, and gradient descent on it.

x_t = w σ(x_{t-1}) + b without any input, x_0 = 0.5, and after 50 steps E = (σ(x_50) - 0.7)². Where x_0 lies on a fixed
point that pushes away, a hair's breadth in b decides at which of two other fixed points the unit ends, and E is a wall.

Source: Pascanu, Mikolov and Bengio (2013), equation 8 and figure 6.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.signal import real
from rnnviz.errors import ConfigError, ShapeError, one_of, shown

X_0, STEPS, TARGET = 0.5, 50, 0.7
VALUE = 1 / (1 + math.exp(-X_0))  # σ(x_0), 0.622459
SLOPE = VALUE * (1 - VALUE)  # σ'(x_0), 0.235004
FIRST = 1 / SLOPE  # 4.2553, the w beyond which the fixed point at x_0 pushes away
CLIPS = ("off", "norm", "value")
MOST_UPDATES = 100_000
BLOCK = 32  # rows of the grid at a time, so that what is worked on stays in the processor's cache
LOWEST = -700.0  # below it e^-x leaves float64, and σ(x) is below 1e-304 anyway


class Point(NamedTuple):
    """The error at one (w, b) and its gradient; infinite or NaN where float64 cannot hold them."""

    error: float
    gradient_w: float
    gradient_b: float


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


def point(w: float, b: float) -> Point:
    """The error and its gradient at one place, in plain floats, some 20 times faster than a grid of one.

    >>> round(point(4.8, -2.2).error, 4), round(point(4.8, -2.7).error, 4)
    (0.0348, 0.3642)
    """
    x, along_w, along_b = X_0, 0.0, 0.0
    for _ in range(STEPS):
        value, slope = _logistic_of(x)
        gain = w * slope
        along_w, along_b = value + gain * along_w, 1.0 + gain * along_b
        x = w * value + b
    value, slope = _logistic_of(x)
    outer = 2.0 * (value - TARGET) * slope
    return Point((value - TARGET) ** 2, outer * along_w, outer * along_b)


def _logistic_of(x: float) -> tuple[float, float]:
    decay = math.exp(-abs(x))
    upper = 1.0 / (1.0 + decay)
    return (upper if x >= 0 else decay * upper), decay * upper * upper


@dataclass(frozen=True, eq=False)
class Path:
    """Gradient descent from one start; U updates lead through U + 1 places.

    Where float64 cannot hold a place, or the slope there, that and all that follows is infinite or NaN.

    Attributes:
        w, b: (U+1,), the places.
        error: (U+1,), E at each.
        norm: (U+1,), the gradient's norm at each, before clipping; the last one moves nothing any more.
        largest: (U+1,), the larger of |∂E/∂w| and |∂E/∂b|, which clipping by value looks at.
        norm_after: (U,), the norm after clipping, of each update.
    """

    w: np.ndarray
    b: np.ndarray
    error: np.ndarray
    norm: np.ndarray
    largest: np.ndarray
    norm_after: np.ndarray

    @property
    def norm_before(self) -> np.ndarray:
        """(U,), the norm before clipping, of each update."""
        return self.norm[:-1]

    @property
    def lengths(self) -> np.ndarray:
        """(U,), how far each update moves the parameters; NaN or infinite beyond float64."""
        with np.errstate(all="ignore"):
            return np.hypot(np.diff(self.w), np.diff(self.b))

    @property
    def lost(self) -> int | None:
        """The first update that leaves float64, counted from 1; None where none does."""
        gone = np.flatnonzero(~(np.isfinite(self.w) & np.isfinite(self.b)))
        return int(gone[0]) if len(gone) else None

    @property
    def crossed(self) -> np.ndarray:
        """(U,), which updates step from one side of the wall to the other, both at a w where it stands."""
        with np.errstate(all="ignore"):
            side = np.where(self.w > FIRST, np.sign(self.b - wall_bias(self.w)), 0.0)
            return side[1:] * side[:-1] < 0

    @property
    def crossings(self) -> int:
        """How many updates step over the wall."""
        return int(self.crossed.sum())


def descend(
    start: tuple[float, float], rate: float, clip: str = "off", threshold: float = 1.0, updates: int = 300
) -> Path:
    """Walk down the gradient; a step thrown far away, or out of float64, is part of what the path shows.

    Args:
        start: (w, b).
        rate: the learning rate.
        clip: "off", "norm" or "value", as torch's clip_grad_norm_ and clip_grad_value_ do it.
        threshold: the largest norm, or the largest entry, that clipping lets through.
        updates: U, from 1 to 100,000, which takes a second or two.

    Raises:
        ConfigError: for an unknown clip, or what is no number.

    Source: Pascanu, Mikolov and Bengio (2013), algorithm 1; torch.nn.utils.clip_grad for the 1e-6.

    >>> paths = [descend((4.8, -2.2), rate=0.3, clip=clip) for clip in ("off", "norm")]
    >>> [round(float(path.lengths.max()), 1) for path in paths]
    [13.7, 0.3]
    """
    one_of("clip", clip, CLIPS)
    w, b = _finite("start w", start[0]), _finite("start b", start[1])
    rate, threshold = _finite("rate", rate), _finite("threshold", threshold)
    if isinstance(updates, bool) or not isinstance(updates, int) or not 1 <= updates <= MOST_UPDATES:
        raise ConfigError(f"updates: must be a whole number from 1 to {MOST_UPDATES}, got {shown(updates)}.")
    places, after = [(w, b, *point(w, b))], []
    for _ in range(updates):
        after.append(clipped(*places[-1][3:], clip, threshold))
        w, b = w - rate * after[-1][0], b - rate * after[-1][1]
        places.append((w, b, *point(w, b)))
    w, b, error, along_w, along_b = np.array(places).T
    with np.errstate(all="ignore"):
        norm, largest = np.hypot(along_w, along_b), np.maximum(abs(along_w), abs(along_b))
        return Path(w, b, error, norm, largest, np.hypot(*np.array(after).T))


def _finite(name: str, value: object) -> float:
    if not math.isfinite(real(value)):
        raise ConfigError(f"{name}: must be a finite number, got {shown(value)}.")
    return float(value)


def clipped(along_w: float, along_b: float, clip: str, threshold: float) -> tuple[float, float]:
    """A gradient of two numbers after clipping, in torch's own arithmetic.

    >>> clipped(3.0, 4.0, "value", 3.5)
    (3.0, 3.5)
    """
    if clip == "off":
        return along_w, along_b
    if clip == "value":
        return _held(along_w, threshold), _held(along_b, threshold)
    norm = math.sqrt(along_w * along_w + along_b * along_b)  # torch squares, and so overflows where it does
    coefficient = threshold / (norm + 1e-6)
    coefficient = 1.0 if coefficient > 1.0 else coefficient  # NaN stays NaN
    return along_w * coefficient, along_b * coefficient


def _held(entry: float, limit: float) -> float:
    return -limit if entry < -limit else limit if entry > limit else entry
