"""The wall against autograd, finite differences, 60-digit arithmetic and torch's own clipping; and THEORY's numbers."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.core.wall import (
    CLIPS,
    FIRST,
    SLOPE,
    STEPS,
    VALUE,
    X_0,
    clipped,
    descend,
    point,
    surface,
    thinner_than,
    wall_bias,
    wall_slope,
    wall_stretch,
    wall_width,
)
from tests.support import NONSENSE, assert_clear, refusal

W, B = np.linspace(4.0, 6.5, 26), np.linspace(-3.6, -1.6, 21)
PLACES = [(4.8, -2.2), (4.3, -2.1), (5.0, -3.0), (6.5, -1.6), (0.0, 0.0), (-20.0, 20.0), (14.0, 12.0), (4.0, -8.0)]
TORCH_CLIPS = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}
ANY = st.floats(allow_nan=False, allow_infinity=False)


def torch_error(w, b):
    x = torch.full_like(w * b, X_0)
    for _ in range(STEPS):
        x = w * torch.sigmoid(x) + b
    return (torch.sigmoid(x) - 0.7) ** 2


def by_torch(w, b):
    """Error and both derivatives by autograd."""
    w, b = (torch.tensor(np.asarray(part, float), requires_grad=True) for part in (w, b))
    error = torch_error(w, b)
    return error.detach().numpy(), *(grad.numpy() for grad in torch.autograd.grad(error.sum(), (w, b)))


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


@pytest.mark.parametrize("place", PLACES)
def test_a_point_is_autograd_s(place):
    np.testing.assert_allclose(point(*place), by_torch(*place), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("place", [(4.8, -2.2), (4.3, -2.1), (5.0, -3.0), (1.0, 1.0), (-3.0, 2.0)])
def test_a_point_s_gradient_is_that_of_finite_differences(place):
    (w, b), step = place, 1e-6
    along_w = (point(w + step, b).error - point(w - step, b).error) / (2 * step)
    along_b = (point(w, b + step).error - point(w, b - step).error) / (2 * step)
    np.testing.assert_allclose(point(w, b)[1:], (along_w, along_b), rtol=1e-6, atol=1e-9)


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


def test_theory_s_path_without_clipping():
    path = descend((4.8, -2.2), rate=0.3)
    assert path.lengths.max() == pytest.approx(13.7, abs=0.05)
    assert (path.lengths > 1).sum() == 1
    assert (path.w[-1], path.b[-1]) == (pytest.approx(11.4, abs=0.05), pytest.approx(9.6, abs=0.05))
    assert path.error[-1] == pytest.approx(0.090, abs=5e-4)
    assert path.norm[-1] < 1e-8


def test_theory_s_path_clipped_by_norm():
    path = descend((4.8, -2.2), rate=0.3, clip="norm", threshold=1.0)
    assert path.lengths.max() <= 0.3
    assert (path.w[-1], path.b[-1]) == (pytest.approx(4.15, abs=5e-3), pytest.approx(-2.04, abs=5e-3))
    assert path.error[-1] == pytest.approx(5.6e-4, abs=5e-6)


def test_theory_s_path_that_is_thrown_furthest():
    path = descend((5.5, -2.5), rate=0.05)
    assert path.norm.max() == pytest.approx(2.2e4, rel=0.02)
    assert path.lengths.max() == pytest.approx(1080, abs=0.5)


def test_theory_s_path_that_value_clipping_does_not_bring_home():
    path = descend((5.0, -3.0), rate=0.3, clip="value", threshold=0.1)
    assert path.error[-1] == pytest.approx(0.31, abs=5e-3)
    assert path.crossings > 100


def torch_path(start, rate, clip, threshold, updates, apart):
    """The same by autograd, torch's clipping and its SGD; w and b in one tensor or apart."""
    if apart:
        parameters = [torch.nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in start]
    else:
        parameters = [torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))]
    optimiser, places = torch.optim.SGD(parameters, lr=rate), [start]
    for _ in range(updates):
        optimiser.zero_grad()
        torch_error(*(parameters if apart else parameters[0])).backward()
        if clip != "off":
            TORCH_CLIPS[clip](parameters, threshold)
        optimiser.step()
        places.append(tuple(torch.stack(parameters).detach().flatten().tolist()))
    return np.array(places).T


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    ("start", "rate", "clip", "threshold", "updates"),
    [
        ((4.8, -2.2), 0.3, "off", 1.0, 29),
        ((4.8, -2.2), 0.3, "norm", 1.0, 29),
        ((4.8, -2.2), 0.3, "norm", 0.01, 60),
        ((4.8, -2.2), 0.3, "value", 0.05, 20),
        ((4.3, -2.1), 0.1, "value", 0.3, 30),
        ((4.3, -2.1), 0.1, "norm", 1e-8, 30),
        ((1.0, 1.0), 1.0, "norm", 0.02, 60),
    ],
)
def test_a_path_is_torch_s_step_by_step(start, rate, clip, threshold, updates, apart):
    path = descend(start, rate, clip, threshold, updates)
    w, b = torch_path(start, rate, clip, threshold, updates, apart)
    np.testing.assert_allclose(path.w, w, rtol=1e-9)
    np.testing.assert_allclose(path.b, b, rtol=1e-9)


@pytest.mark.parametrize("clip", TORCH_CLIPS)
@given(gradient=st.tuples(st.floats(), st.floats()), threshold=st.floats(1e-6, 1e6))
def test_clipping_is_torch_s(clip, gradient, threshold):
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    TORCH_CLIPS[clip]([parameter], threshold)
    np.testing.assert_allclose(clipped(*gradient, clip, threshold), parameter.grad.numpy(), rtol=1e-12, atol=1e-320)
    np.testing.assert_array_equal(clipped(*gradient, "off", threshold), gradient)


def test_a_path_s_own_numbers():
    path = descend((4.8, -2.2), rate=0.3, clip="value", threshold=0.1, updates=40)
    for u in range(41):
        error, *gradient = point(path.w[u], path.b[u])
        assert path.error[u] == error
        assert path.norm[u] == pytest.approx(np.hypot(*gradient))
        assert path.largest[u] == max(map(abs, gradient))
        if u < 40:
            assert path.norm_after[u] == pytest.approx(np.hypot(*np.clip(gradient, -0.1, 0.1)))
    np.testing.assert_allclose(path.lengths, 0.3 * path.norm_after, rtol=1e-10)
    np.testing.assert_array_equal(path.norm_before, path.norm[:-1])
    side = path.b > 0.5 - 0.6224593312018546 * path.w
    assert path.crossings == (side[1:] != side[:-1]).sum() > 0


def test_where_nothing_is_clipped_both_norms_are_the_same_number():
    path = descend((4.8, -2.2), rate=0.3, clip="norm", threshold=1e5)
    np.testing.assert_array_equal(path.norm_after, path.norm_before)


def test_out_of_float64_is_a_finding():
    path = descend((5.0, wall_bias(5.0)), rate=1e308)  # the slope there is some 780
    assert path.lost == int(np.flatnonzero(~np.isfinite([path.w, path.b]).all(axis=0))[0]) > 0
    far = descend((1e308, 1e308), rate=0.1, updates=3)
    assert far.lost is None


@given(st.tuples(ANY, ANY), ANY, st.sampled_from(CLIPS), ANY, st.integers(1, 20))
def test_no_path_raises_or_warns(start, rate, clip, threshold, updates):
    path = descend(start, rate, clip, threshold, updates)
    assert path.w.shape == path.norm.shape == (updates + 1,)
    assert path.norm_after.shape == path.lengths.shape == path.crossed.shape == (updates,)
    assert path.lost is None or not np.isfinite([path.w[path.lost], path.b[path.lost]]).all()
    assert 0 <= path.crossings <= updates


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((np.nan, 0.0), 0.1), "start w: must be a finite number, got nan."),
        (((0.0, np.inf), 0.1), "start b: must be a finite number, got inf."),
        (((0.0, 0.0), "fast"), "rate: must be a finite number, got 'fast'."),
        (((0.0, 0.0), 0.1, "norm", None), "threshold: must be a finite number, got None."),
        (((0.0, 0.0), 0.1, "norm", 1.0, 0), "updates: must be a whole number from 1 to 100000, got 0."),
        (((0.0, 0.0), 0.1, "norm", 1.0, True), "updates: must be a whole number from 1 to 100000, got True."),
    ],
)
def test_wrong_questions_get_a_sentence(arguments, sentence):
    assert refusal(descend, *arguments) == sentence


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_refused_clearly(value):
    assert_clear(refusal(descend, (0.0, 0.0), 0.1, value), "clip")
    assert_clear(refusal(descend, (0.0, 0.0), 0.1, updates=value), "updates")
