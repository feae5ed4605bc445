"""Gradient descent on the error of `rnnviz.core.wall`, place by place, without and with clipping."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnviz.core.signal import real
from rnnviz.core.wall import FIRST, STEPS, TARGET, X_0, wall_bias
from rnnviz.errors import ConfigError, one_of, shown

CLIPS = ("off", "norm", "value")
MOST_UPDATES = 100_000


class Point(NamedTuple):
    """The error at one (w, b) and its gradient; infinite or NaN where float64 cannot hold them."""

    error: float
    gradient_w: float
    gradient_b: float


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
