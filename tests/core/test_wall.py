"""The wall's surface against autograd, single points and 60-digit arithmetic; where it lies; and THEORY's numbers."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.core.descent import point
from rnnviz.core.wall import (
    FIRST,
    SLOPE,
    STEPS,
    VALUE,
    X_0,
    surface,
    thinner_than,
    wall_bias,
    wall_slope,
    wall_stretch,
    wall_width,
)
from tests.core.wall_by_torch import by_torch
from tests.support import refusal

W, B = np.linspace(4.0, 6.5, 26), np.linspace(-3.6, -1.6, 21)


def exact(w, b, digits=60):
    """Error and log10 of the gradient's norm in long arithmetic."""
    with mpmath.workdps(digits):
        x, along_w, along_b = mpmath.mpf(X_0), mpmath.mpf(0), mpmath.mpf(0)
        for _ in range(STEPS):
            value = 1 / (1 + mpmath.exp(-x))
            gain = w * value * (1 - value)
            along_w, along_b = value + gain * along_w, 1 + gain * along_b
            x = w * value + b
        value = 1 / (1 + mpmath.exp(-x))
        off = value - mpmath.mpf("0.7")
        size = abs(2 * off * value * (1 - value)) * mpmath.sqrt(along_w**2 + along_b**2)
        return float(off**2), float(mpmath.log10(size))


def test_the_surface_is_autograd_s():
    found = surface(W, B)
    w, b = np.meshgrid(W, B)
    error, along_w, along_b = by_torch(w, b)
    np.testing.assert_allclose(found.error, error, rtol=1e-8)
    np.testing.assert_allclose(found.log10_slope, np.log10(np.hypot(along_w, along_b)), atol=1e-7)


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=4))
def test_the_surface_is_the_point_everywhere(places):
    for w, b in places:
        found, alone = surface([w, w + 1.0], [b, b + 1.0]), point(w, b)
        assert found.error[0, 0] == pytest.approx(alone.error, rel=1e-6, abs=1e-12)
        norm = np.hypot(alone.gradient_w, alone.gradient_b)
        if norm > 1e-300:
            assert found.log10_slope[0, 0] == pytest.approx(np.log10(norm), abs=1e-6)


def test_more_rows_than_a_block_are_all_filled():
    w, b = [4.0, 5.0], np.linspace(-3.0, -2.0, 77)
    found = surface(w, b)
    for row in (0, 31, 32, 63, 64, 76):
        assert found.error[row, 1] == pytest.approx(point(5.0, b[row]).error, rel=1e-9)


@pytest.mark.parametrize("place", [(4.8, -2.2), (14.0, 12.0), (0.5, -800.0), (20.0, 700.0), (3.0, 2000.0)])
def test_the_slope_is_exact_where_float64_would_be_zero(place):
    w, b = place
    found = surface([w, w + 1.0], [b, b + 1.0])
    error, log10_slope = exact(w, b, digits=3000)
    assert found.error[0, 0] == pytest.approx(error, rel=1e-9)
    if b > -700:  # below it σ itself leaves float64
        assert found.log10_slope[0, 0] == pytest.approx(log10_slope, abs=1e-9)


def test_a_surface_cannot_be_written_to():
    found = surface(W, B)
    assert not found.error.flags.writeable
    assert not found.log10_slope.flags.writeable


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0], "w: must be at least two rising numbers, got [1.0]."),
        ([2.0, 1.0], "w: must be at least two rising numbers, got [2.0, 1.0]."),
        ([1.0, 1.0], "w: must be at least two rising numbers, got [1.0, 1.0]."),
        ([[1.0, 2.0]], "w: must be at least two rising numbers, got [[1.0, 2.0]]."),
    ],
)
def test_what_is_no_axis_is_refused(values, sentence):
    assert refusal(surface, values, B) == sentence


def test_the_wall_is_where_the_start_is_a_fixed_point():
    for w in (4.3, 5.0, 6.5, 14.0):
        assert wall_bias(w) == pytest.approx(0.5 - 0.622459 * w, abs=1e-5)
        assert w * VALUE + wall_bias(w) == pytest.approx(X_0, abs=1e-14)
    assert pytest.approx(4.2553, abs=5e-5) == FIRST
    assert pytest.approx(1.0, rel=1e-15) == FIRST * SLOPE


@pytest.mark.parametrize("w", [0.5, FIRST, 4.3, 4.5, 5.0])
def test_on_the_wall_the_closed_forms_are_the_gradient(w):
    found = point(w, wall_bias(w))
    with mpmath.workdps(60):
        m = mpmath.mpf(w) * mpmath.mpf(SLOPE)
        assert wall_stretch(w) == pytest.approx(float((m**STEPS - 1) / (m - 1)), rel=1e-9)
    assert np.hypot(*found[1:]) == pytest.approx(wall_slope(w), rel=1e-3)  # b is rounded, and the wall enlarges that
    assert wall_width(w) == pytest.approx(1 / wall_stretch(w))


def test_beyond_the_wall_the_end_is_another_one():
    """Two widths beside it the output has fallen on one side and risen on the other."""
    for w in (4.8, 5.0, 6.0):
        low, high = (point(w, wall_bias(w) + side * 1e-3).error for side in (-1, 1))
        assert abs(low - high) > 0.2


@pytest.mark.parametrize(("w", "largest", "most"), [(4.5, 157, 157.1), (5.0, 6.2e3, 6.8e3)])
def test_the_largest_slope_on_a_fine_scan(w, largest, most):
    """THEORY, section 2; its scan found 6.2e3 at w = 5, a finer one finds more."""
    b = wall_bias(w) + np.linspace(-60, 60, 20_001) * wall_width(w)
    slope = 10 ** surface([w, w + 1e-9], b).log10_slope[:, 0].max()
    assert 0.999 * largest <= slope <= most
    assert 5 < slope / wall_slope(w) < 160


@pytest.mark.parametrize("width", [0.02, 0.005, 1e-3, 1e-10, 1e-16])
def test_thinner_than_a_width(width):
    w = thinner_than(width)
    assert wall_width(w) == pytest.approx(width, rel=1e-3)
    assert thinner_than(0.05) == FIRST  # it begins thinner than that


def test_where_the_wall_is_thinner_than_the_grid_a_finer_one_sees_more():
    """Before `thin_beyond` the grid meets the wall's slope within a decade; well beyond it, it misses it by many."""
    w, b = np.linspace(4.0, 6.5, 401), np.linspace(-3.6, -1.6, 401)
    found = surface(w, b)
    assert found.spacing == pytest.approx(0.005)
    assert found.thin_beyond == pytest.approx(4.462, abs=1e-3)

    def missed(at):
        column = np.searchsorted(w, at)
        near = wall_bias(w[column]) + np.linspace(-60, 60, 20_001) * wall_width(w[column])
        fine = surface([w[column], w[column] + 1e-9], near).log10_slope[:, 0].max()
        return fine - found.log10_slope[:, column].max()

    assert max(missed(at) for at in (4.3, 4.35, 4.4, 4.45)) < 1.0
    assert min(missed(at) for at in (5.5, 5.8, 6.0, 6.2, 6.5)) > 3
