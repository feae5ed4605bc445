import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import log10, mpf, sqrt, workdps

from rnnviz.core.scaled import Scaled, binary_exponent, log10_sum_of_squares

mantissas = st.floats(-1e300, 1e300, allow_subnormal=True)
units = st.one_of(st.just(0.0), st.floats(1e-60, 1e80), st.floats(-1e80, -1e-60))  # what a walk leaves in a mantissa
exponents = st.integers(-6000, 6000)
UNIT = 10_000


@st.composite
def rows(draw, count=2, columns=3, entries=units):
    values = draw(st.lists(entries, min_size=count * columns, max_size=count * columns))
    powers = draw(st.lists(exponents, min_size=count, max_size=count))
    return Scaled(np.array(values).reshape(count, columns), np.array(powers, dtype=np.int64)[:, None])


def exact(scaled):
    """The rows as whole numbers, in units of 2^-UNIT."""

    def whole(value, exponent):
        numerator, denominator = float(value).as_integer_ratio()
        return (numerator << (UNIT + int(exponent))) // denominator if numerator else 0

    return [[whole(x, e) for x in row] for row, (e,) in zip(scaled.mantissa, scaled.exponent, strict=True)]


def exact_log10_norm(row):
    with workdps(40):
        total = sum(mpf(x) ** 2 for x in row)
        return float(log10(sqrt(total)) - UNIT * log10(mpf(2))) if total else -np.inf


@given(st.lists(mantissas, min_size=6, max_size=6))
def test_ordinary_numbers_are_taken_without_rounding(numbers):
    scaled = Scaled.of(np.array(numbers).reshape(2, 3))
    largest = np.abs(scaled.mantissa).max(axis=-1)
    usual = np.abs(numbers).reshape(2, 3).max(axis=-1) > 1e-290  # a subnormal row stays a little below
    assert np.all((largest >= 0.5) & (largest < 1.0) | ~usual)
    for row, back in zip(np.array(numbers).reshape(2, 3), exact(scaled), strict=True):
        given_row = exact(Scaled.plain(row[None]))[0]
        biggest = max(abs(x) for x in given_row)
        assert all(a == b or abs(a - b) < biggest >> 1000 for a, b in zip(given_row, back, strict=True))


@given(rows(entries=mantissas))
def test_log10_norm_is_exact(scaled):
    expected = [exact_log10_norm(row) for row in exact(scaled)]
    np.testing.assert_allclose(scaled.log10_norm(), expected, rtol=1e-13, atol=1e-12)


@given(rows(), rows())
def test_addition_is_exact_to_the_last_digit_of_the_larger(left, right):
    for a, b, total in zip(exact(left), exact(right), exact(left + right), strict=True):
        biggest = max(abs(x) for x in a + b)
        assert all(abs(x + y - z) <= biggest >> 52 for x, y, z in zip(a, b, total, strict=True))


@given(rows(count=4))
def test_alignment_changes_no_value_that_counts(scaled):
    aligned = scaled.aligned(axis=0)
    assert aligned.exponent.shape == (1, 1)
    spread = Scaled(aligned.mantissa, np.broadcast_to(aligned.exponent, scaled.exponent.shape))
    biggest = max(abs(x) for row in exact(scaled) for x in row)
    for before, after in zip(exact(scaled), exact(spread), strict=True):
        assert all(abs(x - y) <= biggest >> 900 for x, y in zip(before, after, strict=True))


def test_adding_to_zero_takes_the_other_s_exponent():
    """Aligned to an exponent of 0, a row of 1e-1000 would be lost."""
    zero, tiny = (
        Scaled(np.zeros((1, 2)), np.zeros((1, 1), dtype=np.int64)),
        Scaled(np.full((1, 2), 0.5), np.array([[-5000]])),
    )
    for total in (zero + tiny, tiny + zero):
        np.testing.assert_allclose(total.log10_norm(), tiny.log10_norm(), atol=1e-12)


def test_values_underflow_and_overflow_as_float64_does():
    scaled = Scaled(np.array([[0.5, -0.5], [0.5, -0.5], [0.75, 0.0]]), np.array([[5000], [-5000], [3]]))
    with np.errstate(over="ignore"):
        values = scaled.values()
    assert values.tolist() == [[np.inf, -np.inf], [0.0, -0.0], [6.0, 0.0]]


def test_binary_exponents_of_what_is_no_ordinary_number():
    peaks = np.array([0.0, np.inf, np.nan, 4.0, 0.5])
    assert binary_exponent(peaks).tolist() == [0, 0, 0, 3, 0]


def test_what_is_not_finite_becomes_nan():
    values = np.array([[1.0, 0.0], [0.0, 0.0], [np.inf, 1.0], [np.nan, 1.0]])
    scaled = Scaled.sparse(values)
    np.testing.assert_array_equal(scaled.values(), [[1.0, 0.0], [0.0, 0.0], [np.nan, 1.0], [np.nan, 1.0]])
    assert scaled.present.tolist() == [0, 2, 3]


@given(rows(count=4))
def test_sums_are_exact_to_the_last_digits_of_the_largest(scaled):
    total = scaled.sum(axis=0)
    (found,), every = exact(Scaled(total.mantissa[None], total.exponent[None])), exact(scaled)
    biggest = max(abs(x) for row in every for x in row)
    for column, value in zip(zip(*every, strict=True), found, strict=True):
        assert abs(sum(column) - value) <= biggest >> 50


@given(st.lists(st.one_of(st.floats(-6000.0, 6000.0), st.just(-np.inf)), min_size=1, max_size=5))
def test_sum_of_squares_of_logarithms(logs):
    with workdps(40):
        total = sum((mpf(10) ** (2 * mpf(x)) for x in logs if np.isfinite(x)), mpf(0))
        expected = float(log10(total) / 2) if total else -np.inf
    assert log10_sum_of_squares(np.array(logs), axis=0) == pytest.approx(expected, rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("other", [400.0, -400.0, 0.0, np.inf, -np.inf])
def test_sum_of_squares_with_a_nan_is_nan_and_quiet(other):
    """A batch row that overflowed beside one that exploded: the warning would be an error here."""
    assert np.isnan(log10_sum_of_squares(np.array([np.nan, other]), axis=0))


def test_sum_of_squares_with_infinity():
    assert log10_sum_of_squares(np.array([np.inf, 3.0, -np.inf]), axis=0) == np.inf
