"""Numbers far beyond float64: rows of float64 mantissas with one integer exponent each.

A row stands for `mantissa * 2**exponent`. Only powers of two are ever multiplied in, which rounds nothing, so that
log10 of a norm is as exact at 1e-5000 as at 1. A norm is never taken of unscaled data: squares leave float64 at 1e±154.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnviz.core.arrays import product

LOG10_2 = float(np.log10(2.0))


def binary_exponent(rows: np.ndarray) -> np.ndarray:
    """The k with max|row| / 2**k in [½, 1), one for each row: (..., N) -> (..., 1); 0 for zero, infinity and NaN.

    Kept within ±1000, so that 2**k and 2**-k are float64 themselves.
    """
    return np.clip(np.frexp(np.maximum.reduce(np.abs(rows), axis=-1, keepdims=True))[1], -1000, 1000)


def power_of_two(exponent: np.ndarray) -> np.ndarray:
    """2**exponent as float64: 0 or inf where float64 ends."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(1.0, exponent)


def normalise(mantissa: np.ndarray, exponent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each row's size from its mantissa (..., N) into its exponent (..., 1), without rounding."""
    shift = binary_exponent(mantissa)
    return mantissa * power_of_two(-shift), exponent + shift


def add(mantissa, exponent, other, other_exponent) -> tuple[np.ndarray, np.ndarray]:
    """Add rows to rows (the other may be narrower: its columns are the first) under the larger exponent of both.

    Rows that are zero take the other's exponent: their own says nothing.
    """
    own = np.where(mantissa.any(axis=-1, keepdims=True), exponent, other_exponent)
    common = np.where(other.any(axis=-1, keepdims=True), np.maximum(own, other_exponent), own)
    total = mantissa * power_of_two(np.minimum(own - common, 0))
    total[..., : other.shape[-1]] += other * power_of_two(np.minimum(other_exponent - common, 0))
    return total, common


@dataclass(frozen=True)
class Scaled:
    """An array of rows m * 2**e: `mantissa` (..., N) float64 with `exponent` (..., 1) int64."""

    mantissa: np.ndarray
    exponent: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Scaled":
        """Normalised rows of ordinary numbers (..., N)."""
        return cls(*normalise(np.asarray(values, dtype=np.float64), np.zeros((*values.shape[:-1], 1), dtype=np.int64)))

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> "Scaled":
        """Rows of zeros, to be filled in."""
        return cls(np.zeros(shape), np.zeros((*shape[:-1], 1), dtype=np.int64))

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "Scaled":
        """The same change of the leading axes to mantissas and exponents."""
        return Scaled(change(self.mantissa), change(self.exponent))

    def __getitem__(self, index) -> "Scaled":
        """Rows by an index over the leading axes."""
        return Scaled(self.mantissa[index], self.exponent[index])

    def columns(self, part: slice) -> "Scaled":
        """Part of the last axis, under the same exponents."""
        return Scaled(self.mantissa[..., part], self.exponent)

    def __add__(self, other: "Scaled") -> "Scaled":
        return Scaled(*add(self.mantissa, self.exponent, other.mantissa, other.exponent))

    def times(self, matrix: np.ndarray) -> "Scaled":
        """Each row times a matrix (N, M)."""
        return Scaled(product(self.mantissa, matrix), self.exponent)

    def values(self) -> np.ndarray:
        """The rows as float64: 0 or subnormal where they underflow, ±inf where they overflow."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.mantissa, self.exponent)

    def aligned(self, axis: int | tuple[int, ...]) -> "Scaled":
        """The same rows with one exponent along `axis`, kept as an axis of length 1."""
        live = np.where(self.mantissa.any(axis=-1, keepdims=True), self.exponent, np.iinfo(np.int64).min // 4)
        common = live.max(axis=axis, keepdims=True)
        return Scaled(self.mantissa * power_of_two(live - common), common)

    def log10_norm(self) -> np.ndarray:
        """log10 of the Euclidean norm of each row, (...); -inf for a row of exact zeros, NaN where a row has NaN."""
        shift = binary_exponent(self.mantissa)
        unit = self.mantissa * power_of_two(-shift)
        with np.errstate(divide="ignore"):
            size = np.log10(np.sqrt(np.einsum("...n,...n->...", unit, unit)))
        return size + LOG10_2 * (self.exponent + shift)[..., 0]


def log10_sum_of_squares(log10_norms: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """log10 √Σ x² along axes, from log10 |x|, at any size."""
    largest = np.max(log10_norms, axis=axis, keepdims=True)
    anchor = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        root = 0.5 * np.log10(np.sum(10.0 ** (2.0 * (log10_norms - anchor)), axis=axis, keepdims=True))
    return np.squeeze(root + anchor, axis=axis)
