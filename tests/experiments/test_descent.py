"""What is said at the wall is what the paths show, also where clipping does not help."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.core.descent import Path, descend, point
from rnnviz.core.wall import surface, wall_bias
from rnnviz.experiments.descent import CLIPS, Descent, Wall, path_of
from rnnviz.experiments.knobs import knobs
from rnnviz.experiments.walks import AHEAD, HOME, STILL, Walk, place, size
from rnnviz.experiments.windows import GRID, WINDOWS, surface_of
from tests.support import NONSENSE, assert_clear, refusal


def wall(**asked) -> Wall:
    return Wall(Descent(**{f"wall_{name}": value for name, value in asked.items()}))


def sentences(found: Wall) -> list[str]:
    return [found.answer, found.verdict, *found.notes]


def assert_words(found: Wall) -> None:
    for sentence in sentences(found):
        assert sentence.endswith("."), sentence
        assert sentence[0].isupper(), sentence
        assert "\n" not in sentence
        for wrong in ("nan", "inf", "None", "  ", "..", "-"):
            assert wrong not in sentence, sentence


def test_the_first_wall_tells_the_story():
    found = wall()
    assert found.answer == (
        "Without clipping, update 30 throws the parameters 13.7 away, and the path ends stuck at (11.4, 9.57) with "
        "E = 0.09, where the slope is 7·10⁻¹⁰; clipped by norm at 1, no step is longer than 0.3, and the path ends at "
        "(4.15, −2.04) with E = 0.00056: home."
    )
    assert found.verdict == "Clipping brings the path home, and it acts at 3 of 300 updates only."
    assert found.notes[1:] == (
        "Home means E ≤ 0.01 at the last ten updates: the output after 50 steps is within 0.1 of its target 0.7.",
        "Without clipping, the end (11.4, 9.57) lies outside of this picture; the window “From afar” shows it.",
        "The wall stands at b = 0.5 − 0.6225 w, for w above 4.26; its slope grows like (w σ′(0.5))⁵⁰, and its width "
        "shrinks like the inverse.",
        "Beyond w = 4.54 the wall is thinner than the spacing of the grid of 401 × 401, so that what is drawn of it "
        "there is chance: at w = 5.2 the slope on it is 4368 over a width of 1·10⁻⁵, and the grid meets no slope above "
        "152.",
    )
    assert Wall(Descent(wall_window="near")).notes[-1] == (
        "Beyond w = 4.46 the wall is thinner than the spacing of the grid of 401 × 401, so that what is drawn of it "
        "there is chance: at w = 6.5 the slope on it is 1·10⁸ over a width of 3·10⁻¹⁰, and the grid meets no slope "
        "above 0.0859."
    )


def test_thrown_away_and_not_brought_home():
    found = wall(w=5.5, b=-2.5, rate=0.05)
    assert found.unclipped.longest == (109, pytest.approx(1080, abs=0.5))
    assert found.unclipped.course == (
        "update 109 throws the parameters 1080 away, and the path ends stuck at (576, 914) with E = 0.09, where the "
        "slope is exactly 0 in float64"
    )
    assert found.clipped.fate == "to and fro"
    assert found.clipped.clause.endswith(f"still stepping over the wall ({found.clipped.path.crossings} times so far)")
    assert found.verdict == (
        "Clipping, at 11 of 300 updates, keeps the path from being thrown away, but does not bring it home."
    )


def test_clipping_that_does_harm_is_said_to():
    found = wall(w=5.0, b=-3.0, clip="value", threshold=0.1)
    assert [walk.fate for walk in found.walks] == ["home", "to and fro"]
    assert found.clipped.path.error[-1] == pytest.approx(0.31, abs=5e-3)
    assert found.verdict == (
        "Clipping does harm: without it the path gets home; with it, acting at 300 of 300 updates, it does not."
    )


@pytest.mark.parametrize(("clip", "what"), [("norm", "a norm"), ("value", "an entry")])
def test_clipping_that_changes_nothing_is_said_to(clip, what):
    found = wall(clip=clip, threshold=1e5)
    assert found.same
    assert found.touched == 0
    assert found.answer == (
        f"Clipping changes nothing here, for no gradient on the way has {what} above 100,000: update 30 throws the "
        "parameters 13.7 away, and the path ends stuck at (11.4, 9.57) with E = 0.09, where the slope is 7·10⁻¹⁰."
    )
    assert found.verdict == "Both paths are the same, and do not get home."


def test_both_get_home():
    found = wall(w=4.1, b=-2.2, rate=0.1, threshold=0.3)
    assert [walk.fate for walk in found.walks] == ["home", "home"]
    assert found.verdict == f"Both paths get home; clipping acts at {found.touched} of 300 updates."


def test_neither_moves_much():
    found = wall(w=0.0, b=-8.0, threshold=1e-6, rate=1e-6, updates=3)
    assert [walk.fate for walk in found.walks] == ["stuck", "stuck"]
    assert found.verdict == "Clipping does not help here: neither path gets home. It acts at 3 of 3 updates."
    assert not found.same
    assert found.notes[2] == "The start (0, −8) lies outside of this picture."


def test_what_clipping_touched_is_counted():
    found = wall(threshold=0.05)
    assert found.touched == int((found.clipped.path.norm_before > 0.05).sum())
    assert found.touched > 100


@pytest.mark.parametrize("threshold", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("rate", [0.01, 0.3, 3.0])
def test_a_fate_is_what_its_words_say(rate, threshold):
    for walk in wall(rate=rate, threshold=threshold).walks:
        path = walk.path
        side = np.sign(path.b - wall_bias(path.w))
        stepped = (side[1:] != side[:-1]) & (path.w[1:] > 4.2554) & (path.w[:-1] > 4.2554)
        if stepped[-10:].any():
            assert walk.fate == "to and fro"
        elif path.error[-1] <= HOME:
            assert walk.fate == "home"
            assert ": home" in walk.clause
        else:
            assert walk.fate in ("stuck", "under way")


def test_who_is_stuck_stays_there():
    """1000 more updates of the walk itself, not of the estimate, lower the error by less than 1 %."""
    walk = wall().unclipped
    assert walk.fate == "stuck"
    more = descend((walk.path.w[-1], walk.path.b[-1]), walk.rate, updates=AHEAD)
    assert 0 <= more.error[0] - more.error[-1] < STILL * more.error[0]


def test_who_is_under_way_gets_further():
    walk = wall(rate=1e-3, updates=30).unclipped
    assert walk.fate == "under way"
    assert walk.clause.endswith(": not home yet")
    more = descend((walk.path.w[-1], walk.path.b[-1]), walk.rate, updates=AHEAD)
    assert more.error[0] - more.error[-1] > STILL * more.error[0]


def test_out_of_float64_in_words():
    walk = Walk("off", "without clipping", descend((5.0, wall_bias(5.0)), 1e308), 1e308)
    assert walk.fate == "lost"
    assert walk.thrown
    assert walk.clause == (
        f"without clipping, update {walk.path.lost} throws the parameters out of what float64 can hold"
    )


def test_a_path_whose_error_is_no_number():
    places, unknown = np.array([1.0, 2.0]), np.array([0.1, np.nan])
    walk = Walk("off", "without clipping", Path(places, places, unknown, unknown, unknown, unknown[:1]), 0.1)
    assert walk.clause == (
        "without clipping, update 1 throws the parameters 1.41 away, and the path ends at (2, 2), where the error is "
        "not a number"
    )


def test_a_slope_beyond_the_square_root_of_float64():
    end = np.array([0.1, 0.1])
    walk = Walk("off", "without clipping", Path(end, end, end, np.array([1.0, 1e200]), end, end[:1]), 0.1)
    assert walk.fate == "under way"
    assert walk.course == (
        "no step is large enough to move the parameters, and the path ends at (0.1, 0.1) with E = 0.1: not home yet"
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_the_surface_is_found_once_and_is_the_point_s(window):
    found = wall(window=window).surface
    assert found is surface_of(window) is wall(window=window, w=5.0).surface
    assert found.error.shape == (GRID, GRID)
    for i, j in np.random.default_rng(3).integers(0, GRID, (40, 2)):
        alone = point(found.w[j], found.b[i])
        assert found.error[i, j] == pytest.approx(alone.error, rel=1e-5, abs=1e-9)
    assert np.isfinite(found.log10_slope).all()


def test_in_the_wide_window_float64_itself_is_too_coarse():
    found = wall(window="wide")
    assert found.thin[1].startswith("Beyond w = 4.26 the wall is thinner than the spacing of the grid of 401 × 401, ")
    assert found.thin[2] == "Beyond w = 8.5 the wall is thinner than the gap between two neighbouring float64 b."
    b = wall_bias(8.5)
    two = surface([8.5, 8.6], [np.nextafter(b, -9), np.nextafter(b, 0)]).error[:, 0]
    assert abs(two[1] - two[0]) > 0.1


def test_a_path_is_found_once_whatever_the_threshold():
    assert wall(threshold=1.0).unclipped.path is wall(threshold=2.0).unclipped.path
    assert wall().clipped.path is path_of(4.8, -2.2, 0.3, "norm", 1.0, 300)


@given(
    st.floats(-20, 20), st.floats(-20, 20), st.floats(1e-6, 100), st.sampled_from(list(CLIPS)), st.floats(1e-6, 1e6),
    st.integers(1, 60), st.sampled_from(list(WINDOWS)),
)  # fmt: skip
def test_whatever_is_asked_there_are_sentences(w, b, rate, clip, threshold, updates, window):
    found = wall(w=w, b=b, rate=rate, clip=clip, threshold=threshold, updates=updates, window=window)
    assert_words(found)
    assert 0 <= found.touched <= updates
    assert found.same == (found.unclipped.path.w.tolist() == found.clipped.path.w.tolist()
                          and found.unclipped.path.b.tolist() == found.clipped.path.b.tolist())  # fmt: skip


@given(st.floats(4.26, 6.5), st.floats(-0.01, 0.01), st.sampled_from([0.05, 0.3, 1.0, 100.0]))
def test_beside_the_wall_too(w, beside, rate):
    assert_words(wall(w=w, b=wall_bias(w) + beside, rate=rate, updates=80))


@given(st.floats(0, 1e300))
def test_a_size_says_the_number(value):
    text = size(value)
    if "·10" in text:
        digit, raised = text.split("·10")
        power = int(raised.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
        assert float(digit) * 10.0**power == pytest.approx(value, rel=0.5, abs=1e-320)
    else:
        assert float(text.replace(",", "")) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(("w", "text"), [(0.0, "0"), (-0.0, "0"), (-2.0, "−2"), (1234.5, "1234"), (2e7, "2·10⁷")])
def test_a_place(w, text):
    assert place(w, -w if w else w).startswith(f"({text}, ")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("w", 21, "wall_w: must be a number from -20 to 20, got 21."),
        ("threshold", 0, "wall_threshold: must be a number from 1e-06 to 1000000, got 0."),
        ("rate", -1.0, "wall_rate: must be a number from 1e-06 to 100, got -1.0."),
        ("updates", 2001, "wall_updates: must be a whole number from 1 to 2000, got 2001."),
    ],
)
def test_wrong_questions_get_a_sentence(field, value, sentence):
    assert refusal(wall, **{field: value}) == sentence


@pytest.mark.parametrize("name", knobs(Descent))
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_refused_clearly_or_a_number(name, value):
    if (name, value if isinstance(value, int | float) else None) in (
        ("wall_w", -1), ("wall_b", -1), ("wall_w", 2.5), ("wall_b", 2.5), ("wall_rate", 2.5), ("wall_threshold", 2.5)
    ):  # fmt: skip
        assert getattr(Descent(**{name: value}), name) == value
    else:
        assert_clear(refusal(Descent, **{name: value}), name)


def test_the_ladders_lie_within_the_bounds():
    for name, declared in knobs(Descent).items():
        for value in declared.ladder:
            assert getattr(Descent(**{name: value}), name) == value
