"""Points and paths at the wall against autograd, finite differences and torch's own clipping; and THEORY's paths."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.core.descent import CLIPS, clipped, descend, point
from rnnviz.core.wall import wall_bias
from tests.core.wall_by_torch import by_torch, torch_error
from tests.support import NONSENSE, assert_clear, refusal

PLACES = [(4.8, -2.2), (4.3, -2.1), (5.0, -3.0), (6.5, -1.6), (0.0, 0.0), (-20.0, 20.0), (14.0, 12.0), (4.0, -8.0)]
TORCH_CLIPS = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}
ANY = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("place", PLACES)
def test_a_point_is_autograd_s(place):
    np.testing.assert_allclose(point(*place), by_torch(*place), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("place", [(4.8, -2.2), (4.3, -2.1), (5.0, -3.0), (1.0, 1.0), (-3.0, 2.0)])
def test_a_point_s_gradient_is_that_of_finite_differences(place):
    (w, b), step = place, 1e-6
    along_w = (point(w + step, b).error - point(w - step, b).error) / (2 * step)
    along_b = (point(w, b + step).error - point(w, b - step).error) / (2 * step)
    np.testing.assert_allclose(point(w, b)[1:], (along_w, along_b), rtol=1e-6, atol=1e-9)


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
