"""The map of losses shows every itemised gradient, and its sentence the reach of a loss."""

import numpy as np
import pytest

from rnnviz.core.readings import power_text
from rnnviz.figures.itemised import itemised_map
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
    numbers,
    subject,
)


def by_hand(run):
    """(T, T+1) log10 ‖∂L_t/∂h_k‖ of a tanh RNN, from products of its Jacobians."""
    stream, hidden = run.flow.streams[0], run.flow.hidden[0, :, 0]
    steps = len(hidden) - 1
    norms = np.full((steps, steps + 1), -np.inf)
    for t in range(1, steps + 1):
        row = run.experiment.output_gradient[t - 1, 0]
        for k in range(t, -1, -1):
            norms[t - 1, k] = np.log10(np.linalg.norm(row))
            row = (row * (1 - hidden[k] ** 2)) @ stream.weight_hh
    return norms


def steps_above_one_percent(norms, t, order):
    """Counted one by one from step t on."""
    count = 0
    for k in order:
        if not norms[t - 1, k] >= norms[t - 1, t] - 2:
            break
        count += 1
    return count


@pytest.mark.parametrize("asked", EVERY_SUBJECT)
def test_every_run_is_drawn_or_says_why_not(asked):
    drawing = itemised_map(asked, LIGHT)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    refused = asked.focus.config.signal_clip or asked.focus.config.truncated
    assert not refused or drawing.figure == {}


def test_the_map_is_the_itemised_gradient():
    asked = subject(loss="every", length=40)
    expected = by_hand(asked.focus)
    left, edge = itemised_map(asked, LIGHT).figure["data"]
    np.testing.assert_allclose(left["z"], np.where(np.isfinite(expected), expected, np.nan), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(left["x"], np.arange(41))
    np.testing.assert_array_equal(left["y"], np.arange(1, 41))
    reach = [steps_above_one_percent(expected, t, range(t - 1, 0, -1)) for t in range(1, 41)]
    np.testing.assert_array_equal(left["customdata"][:, 0], reach)
    whole = np.array(reach) == np.arange(40)
    np.testing.assert_array_equal(edge["x"], np.where(whole, np.nan, np.arange(1, 41) - np.array(reach) - 0.5))


def test_the_reach_of_a_reverse_chain_is_mirrored():
    asked = subject("birnn", 1, loss="every", length=40)
    norms = asked.focus.itemised.log10_norm[1][:, :-1]  # column k-1 for the state at step k
    left, edge = itemised_map(asked, LIGHT).figure["data"]
    full = np.concatenate([np.full((40, 1), np.nan), norms], axis=1)
    reach = np.array([steps_above_one_percent(full, t, range(t + 1, 41)) for t in range(1, 41)])
    np.testing.assert_array_equal(left["customdata"][:, 0], reach)
    np.testing.assert_array_equal(left["x"], np.arange(1, 42))
    assert np.isnan(left["z"][-1, :39]).all()
    short = ~np.isnan(edge["x"])
    np.testing.assert_array_equal(edge["x"][short], (np.arange(1, 41) + reach + 0.5)[short])


def test_the_colours_show_sixteen_decades_and_at_least_two():
    deep = itemised_map(subject(loss="every", length=100, weight_scale=0.3), LIGHT).figure["data"][0]
    assert deep["zmax"] - deep["zmin"] == pytest.approx(16.0)
    assert np.nanmin(deep["z"]) < deep["zmin"] - 20
    flat = itemised_map(subject("linear", loss="every", length=30, weight_scale=1.0, seed=1), LIGHT).figure["data"][0]
    assert flat["zmax"] - flat["zmin"] >= 2.0


def test_bars_are_the_parts_and_the_line_their_sum():
    asked = subject(loss="every", length=12)
    bars, total = itemised_map(asked, LIGHT).figure["data"]
    expected = 10 ** by_hand(asked.focus)
    assert len(bars["x"]) == (expected > 0).sum()
    for k in range(13):
        here = bars["x"] == k
        source = bars["marker"]["color"][here].astype(int)
        np.testing.assert_array_equal(source, np.arange(max(k, 1), 13))  # its own loss at the bottom
        np.testing.assert_allclose(bars["y"][here], expected[source - 1, k], rtol=1e-5)
        np.testing.assert_allclose(bars["base"][here], np.cumsum(bars["y"][here]) - bars["y"][here], atol=1e-4)
    np.testing.assert_allclose(total["y"], np.linalg.norm(asked.focus.flow.adjoint[0, :, 0], axis=1), rtol=1e-5)
    assert (total["y"] <= [bars["y"][bars["x"] == k].sum() * 1.0001 for k in range(13)]).all()


def test_bars_become_a_map_beyond_25_steps():
    kinds = [itemised_map(subject(loss="every", length=steps), LIGHT).figure["data"][0]["type"] for steps in (25, 26)]
    assert kinds == ["bar", "heatmap"]


def test_heights_beyond_float32_are_given_in_a_unit():
    asked = subject("linear", loss="every", length=25, weight_scale=20.0, initialisation="nonnormal", layers=2)
    figure = itemised_map(asked, LIGHT).figure
    top = asked.focus.itemised.log10_norm[0].max()
    assert top > 39
    assert np.isfinite(figure["data"][0]["y"]).all()
    assert f"10<sup>{np.floor(top):g}</sup>" in figure["layout"]["yaxis"]["title"]["text"]
    assert figure["data"][0]["y"].max() == pytest.approx(10 ** (top - np.floor(top)), rel=1e-4)


def test_one_loss_is_one_curve():
    asked = subject(length=60)
    drawing = itemised_map(asked, LIGHT)
    (curve,) = drawing.figure["data"]
    np.testing.assert_allclose(curve["y"], asked.focus.flow.log10_norm[0, :, 0], rtol=1e-6)
    assert drawing.notes == ("Only the last step has a loss: set Loss to “Every step” to fill the whole triangle.",)
    level = drawing.figure["layout"]["shapes"][0]["y0"]
    assert level == pytest.approx(asked.focus.flow.log10_norm[0, -1, 0] - 2)


def test_below_a_top_layer_of_two_directions_it_is_two_curves():
    figure = itemised_map(subject("birnn", layers=2, length=30), LIGHT).figure
    assert len(figure["data"]) == 2
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["entered at step 1", "entered at step 30"]


def test_the_sentence_on_a_vanishing_run():
    asked = subject(loss="every", length=60, weight_scale=0.6)
    norms = by_hand(asked.focus)
    mean = [np.mean([norms[t - 1, t - d] - norms[t - 1, t] for t in range(d + 1, 61)]) for d in range(60)]
    after = next(d for d in range(60) if mean[d] < -2)
    crossing = after - 1 + (mean[after - 1] + 2) / (mean[after - 1] - mean[after])
    assert itemised_map(asked, LIGHT).answer == (
        f"On average a loss reaches {crossing:.1f} steps back before it falls below 1 %; of the last one, "
        f"{power_text(norms[59, 1] - norms[59, 60])} is left at step 1."
    )


def test_the_sentence_on_a_run_that_lasts_and_on_one_that_grows():
    lasting = itemised_map(subject("linear", loss="every", length=30), LIGHT).answer
    assert lasting.startswith("On average a loss never falls below 1 %: 29 steps back, 1 of it is left")
    growing = itemised_map(subject("linear", loss="every", length=30, weight_scale=2.0), LIGHT).answer
    assert (
        growing == f"On average a loss does not fade: 29 steps back it has grown {power_text(29 * np.log10(2))}-fold."
    )


def test_the_sentences_on_zeros():
    assert itemised_map(subject(loss="every", length=30, weight_scale=0.0), LIGHT).answer == (
        "No loss sends anything to any step but its own: what it would send further is exactly zero."
    )
    dead = itemised_map(subject("relu", loss="every", hidden_size=2, length=40, seed=3), LIGHT).answer
    assert dead == "One step away from its own, at least one loss sends exactly nothing."


def test_an_overflowed_run_shows_the_losses_before_it():
    asked = subject("linear", loss="every", **OVERFLOW)
    drawing = itemised_map(asked, LIGHT)
    assert_drawn(drawing)
    assert np.nanmax(drawing.figure["data"][0]["z"]) > 300
    alone = itemised_map(subject("linear", **OVERFLOW), LIGHT)
    assert alone.figure == {}
    assert alone.answer == "The gradient of every loss is not a number: the forward run left float64 before it."


def test_a_long_run_is_thinned_to_what_a_screen_shows():
    figure = itemised_map(subject(loss="every", length=1200, hidden_size=4), LIGHT).figure
    left = figure["data"][0]
    assert left["z"].shape == (200, 512)
    assert (left["x"][0], left["x"][-1]) == (0, 1200)
    assert (left["y"][0], left["y"][-1]) == (1, 1200)
    assert sum(array.nbytes for array in numbers(figure)) < 1_200_000


@pytest.mark.parametrize(
    ("settings", "control"),
    [({"clip": "hidden_norm"}, "set Clipping to Off"), ({"truncation": "sliding"}, "set Truncation to Off")],
)
def test_what_cannot_be_followed_is_refused_by_the_control_s_name(settings, control):
    drawing = itemised_map(subject(loss="every", length=30, **settings), LIGHT)
    assert drawing.figure == {}
    assert control in drawing.answer


def test_a_run_over_the_budget_is_refused():
    drawing = itemised_map(subject("bilstm", loss="every", length=1000, hidden_size=256, layers=4), LIGHT)
    assert drawing.figure == {}
    assert drawing.answer.startswith("Sequence length, Hidden size, Layers: this run would take")


@pytest.mark.parametrize("settings", [{"length": 40}, {"length": 12}, {"loss": "last"}])
def test_it_fits_the_themes(settings):
    assert_fits_themes(itemised_map, subject(**{"loss": "every"} | settings))
