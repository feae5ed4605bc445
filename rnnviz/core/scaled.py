"""Numbers far beyond float64: rows of float64 mantissas with one integer exponent each.

A row stands for `mantissa * 2**exponent`. Only powers of two are ever multiplied in, which rounds nothing, so that
log10 of a norm is as exact at 1e-5000 as at 1. A norm is never taken of data whose squares could leave float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnviz.core.arrays import product

LOG10_2 = float(np.log10(2.0))
SAFE_SQUARE = (1e-250, 1e250)
SAFE_EXPONENT = 900
FARTHEST = 5000  # beyond it 2**k is 0 or inf whatever it multiplies, and ldexp wants a C int


def binary_exponent(peak: np.ndarray) -> np.ndarray:
    """The k with peak / 2**k in [½, 1), any shape; 0 for zero, infinity and NaN.

    Kept within ±1020, so that 2**k and 2**-k are float64 themselves.
    """
    return np.minimum(np.maximum(np.frexp(peak)[1], -1020), 1020)


def peak(rows: np.ndarray) -> np.ndarray:
    """The largest size in each row, (..., N) -> (..., 1); NaN where there is one."""
    return np.maximum.reduce(np.abs(rows), axis=-1, keepdims=True)


def _c_int(exponent: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(exponent, -FARTHEST), FARTHEST).astype(np.intc)


def times_power_of_two(value: float, exponent: np.ndarray) -> np.ndarray:
    """Give value * 2**exponent, rounded once."""
    return np.ldexp(value, _c_int(exponent))


def power_of_two(exponent: np.ndarray) -> np.ndarray:
    """2**exponent as float64: 0 or inf where float64 ends (call it under `np.errstate(over="ignore")`)."""
    return times_power_of_two(1.0, exponent)


def add(parts, exponent, others, other_exponent):
    """Add rows to rows, a tuple of arrays (..., N) to another under (..., 1) exponents each; the larger one stays.

    Rows that are zero take the other's exponent: their own says nothing.
    """
    zero, other_zero = (
        np.all([~part.any(axis=-1, keepdims=True) for part in rows], axis=0) for rows in (parts, others)
    )
    own = np.where(zero, other_exponent, exponent)
    common = np.where(other_zero, own, np.maximum(own, other_exponent))
    factor = power_of_two(np.minimum(own - common, 0))
    other_factor = power_of_two(np.minimum(other_exponent - common, 0))
    return tuple(part * factor + other * other_factor for part, other in zip(parts, others, strict=True)), common


@dataclass(frozen=True)
class Scaled:
    """An array of rows m * 2**e: `mantissa` (..., N) float64 with `exponent` (..., 1) int64."""

    mantissa: np.ndarray
    exponent: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Scaled":
        """Normalised rows of ordinary numbers (..., N)."""
        exponent = binary_exponent(peak(values))
        return cls(values * power_of_two(-exponent), exponent.astype(np.int64))

    @classmethod
    def plain(cls, values: np.ndarray) -> "Scaled":
        """Rows of ordinary numbers (..., N) as they are, under the exponent 0."""
        return cls(values, np.zeros((*values.shape[:-1], 1), dtype=np.int64))

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> "Scaled":
        """Rows of zeros, to be filled in."""
        return cls.plain(np.zeros(shape))

    @classmethod
    def sparse(cls, values: np.ndarray) -> "Scaled":
        """The same for values of which most are zero along the first axis; what is not finite becomes NaN."""
        rows = cls.zeros(values.shape)
        present = np.flatnonzero(values.any(axis=tuple(range(1, values.ndim))))
        rows[present] = cls.of(np.where(np.isfinite(values[present]), values[present], np.nan))
        return rows

    @cached_property
    def present(self) -> np.ndarray:
        """Where along the first axis there is anything but zero."""
        return np.flatnonzero(self.mantissa.any(axis=tuple(range(1, self.mantissa.ndim))))

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "Scaled":
        """The same change of the leading axes to mantissas and exponents."""
        mantissa = change(self.mantissa)
        return self if mantissa is self.mantissa else Scaled(mantissa, change(self.exponent))

    def map_mantissa(self, change: Callable[[np.ndarray], np.ndarray]) -> "Scaled":
        """A change of the last axis, under the same exponents."""
        return Scaled(change(self.mantissa), self.exponent)

    def __getitem__(self, index) -> "Scaled":
        """Rows by an index over the leading axes."""
        return Scaled(self.mantissa[index], self.exponent[index])

    def __setitem__(self, index, rows: "Scaled") -> None:
        self.mantissa[index], self.exponent[index] = rows.mantissa, rows.exponent

    def columns(self, part: slice) -> "Scaled":
        """Part of the last axis, under the same exponents."""
        if part == slice(0, self.mantissa.shape[-1]):
            return self
        return Scaled(self.mantissa[..., part], self.exponent)

    def __add__(self, other: "Scaled") -> "Scaled":
        (total,), exponent = add((self.mantissa,), self.exponent, (other.mantissa,), other.exponent)
        return Scaled(total, exponent)

    def times(self, matrix: np.ndarray) -> "Scaled":
        """Each row times a matrix (N, M)."""
        return Scaled(product(self.mantissa, matrix), self.exponent)

    def values(self) -> np.ndarray:
        """The rows as float64: 0 or subnormal where they underflow, ±inf where they overflow."""
        if np.maximum.reduce(np.abs(self.exponent), axis=None, initial=0) <= SAFE_EXPONENT:
            return self.mantissa * power_of_two(self.exponent)
        return np.ldexp(self.mantissa, _c_int(self.exponent))

    def aligned(self, axis: int | tuple[int, ...]) -> "Scaled":
        """The same rows with one exponent along `axis`, kept as an axis of length 1."""
        if self.exponent.max() == self.exponent.min():
            shape = list(self.exponent.shape)
            for one in (axis,) if isinstance(axis, int) else axis:
                shape[one] = 1
            return Scaled(self.mantissa, np.full(shape, self.exponent.flat[0]))
        live = np.where(self.mantissa.any(axis=-1, keepdims=True), self.exponent, np.iinfo(np.int64).min // 4)
        common = live.max(axis=axis, keepdims=True)
        half = (live - common) // 2  # twice, because 2**-1075 alone would be 0
        return Scaled(self.mantissa * power_of_two(half) * power_of_two(live - common - half), common)

    def sum(self, axis: int) -> "Scaled":
        """Rows added up along an axis before the last."""
        rows = self.aligned(axis)
        return Scaled(rows.mantissa.sum(axis=axis), rows.exponent.squeeze(axis))

    def log10_norm(self) -> np.ndarray:
        """log10 of the Euclidean norm of each row, (...); -inf for a row of exact zeros, NaN where a row has NaN."""
        with np.errstate(over="ignore", divide="ignore"):
            squares, exponent = np.vecdot(self.mantissa, self.mantissa), self.exponent[..., 0]
            low, high = SAFE_SQUARE
            smallest = np.minimum.reduce(squares, axis=None, initial=1.0)
            if not (smallest > low and np.maximum.reduce(squares, axis=None, initial=1.0) < high):
                unsafe = ~((squares > low) & (squares < high))
                shift = binary_exponent(peak(self.mantissa[unsafe]))
                rows = self.mantissa[unsafe] * power_of_two(-shift)
                squares[unsafe], exponent = np.vecdot(rows, rows), exponent.copy()
                exponent[unsafe] += shift[..., 0]
            return 0.5 * np.log10(squares) + LOG10_2 * exponent


def log10_sum_of_squares(log10_norms: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """log10 √Σ x² along axes, from log10 |x|, at any size."""
    largest = np.max(log10_norms, axis=axis, keepdims=True)
    anchor = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        root = 0.5 * np.log10(np.sum(10.0 ** (2.0 * (log10_norms - anchor)), axis=axis, keepdims=True))
    return np.squeeze(root + anchor, axis=axis)
