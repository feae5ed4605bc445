"""The maps show every state and every unit's part of the gradient."""

import numpy as np
import pytest

from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import Config
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.states import DECADES_SHOWN, hidden_states, unit_gradients
from rnnviz.figures.theme import THEMES
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
    subject,
)

FLAT = "where the slope is small and little gradient passes."


def asked(name, *, view, **settings):
    config = Config(**{"length": 20, "hidden_size": 8} | settings)
    return Subject((Run(name, VARIANTS[name].config(config)),), view)


def only(drawing):
    (trace,) = drawing.figure["data"]
    return trace


@pytest.mark.parametrize("draw", [hidden_states, unit_gradients])
@pytest.mark.parametrize("shown", EVERY_SUBJECT)
def test_every_run_is_drawn(shown, draw):
    drawing = draw(shown, LIGHT)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_map_is_the_hidden_states(name):
    for s in range(2 if name.startswith("bi") else 1):
        shown = asked(name, view=View(stream=s))
        hidden, trace = shown.focus.flow.hidden[s, :, 0], only(hidden_states(shown, LIGHT))
        np.testing.assert_allclose(trace["z"], hidden.T, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(trace["x"], np.arange(21) + s)
        np.testing.assert_array_equal(trace["y"], np.arange(1, 9))
        assert trace["zmax"] == -trace["zmin"] == pytest.approx(np.abs(hidden).max())


@pytest.mark.parametrize("gate", ["i", "f", "g", "o"])
def test_the_map_of_a_gate_has_no_initial_state(gate):
    shown = asked("bilstm", view=View(states=gate, stream=1))
    trace, values = only(hidden_states(shown, LIGHT)), shown.focus.flow.gates[gate][1, :, 0]
    np.testing.assert_allclose(trace["z"], values.T, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(trace["x"], np.arange(1, 21))
    assert trace["colorbar"]["title"]["text"] == gate
    assert hidden_states(shown, LIGHT).answer == (
        f"Gate {gate} is {values.mean():.2f} on average over all units and steps."
    )


def test_the_map_of_the_cell_states():
    shown = asked("lstm", view=View(states="cell"))
    np.testing.assert_allclose(only(hidden_states(shown, LIGHT))["z"], shown.focus.flow.cell[0, :, 0].T, rtol=1e-6)


@pytest.mark.parametrize(("name", "states"), [("rnn", "cell"), ("gru", "cell"), ("rnn", "f"), ("lstm", "z")])
def test_what_a_network_has_not_is_the_hidden_state(name, states):
    plain, other = (only(hidden_states(asked(name, view=View(states=which)), LIGHT)) for which in ("hidden", states))
    np.testing.assert_array_equal(plain["z"], other["z"])
    assert other["colorbar"]["title"]["text"] == "h"


def test_the_middle_of_the_colours_is_the_page():
    for theme in THEMES.values():
        scale = only(hidden_states(subject(length=5), theme))["colorscale"]
        assert scale[1] == [0.5, theme.paper]
        assert [place for place, _ in scale] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_the_sentence_on_bounded_states(name):
    shown = asked(name, view=View(), weight_scale=3.0)
    size = np.abs(shown.focus.flow.hidden[0])
    near = sum(value > 0.9 for value in size.ravel()) / size.size
    flat = f", {FLAT}" if name == "rnn" else "."  # gates may pass a gradient where h is near ±1
    assert hidden_states(shown, LIGHT).answer == (
        f"A unit is {size.sum() / size.size:.2g} away from zero on average; {near:.0%} of all values are within 0.1 of "
        f"±1{flat}"
    )


def test_the_sentence_on_unbounded_and_on_lost_states():
    assert hidden_states(subject("relu"), LIGHT).answer.endswith(" away from zero on average; nothing bounds it.")
    drawing = hidden_states(subject("linear", **OVERFLOW), LIGHT)
    assert drawing.answer == "The states grow beyond what float64 can hold, 1.8·10³⁰⁸."
    assert_drawn(drawing)
    assert np.isfinite([only(drawing)["zmin"], only(drawing)["zmax"]]).all()
    lost = ~np.isfinite(subject("linear", **OVERFLOW).focus.flow.hidden[0, :, 0].T)
    np.testing.assert_array_equal(np.isnan(only(drawing)["z"]), lost)


def test_states_of_a_silent_network_are_the_page_s_colour():
    trace = only(hidden_states(subject("linear", input_scale=0.0, weight_scale=0.0, initialisation="identity"), LIGHT))
    assert (trace["zmin"], trace["zmax"]) != (0.0, 0.0)


@pytest.mark.parametrize("name", VARIANTS)
def test_per_step_each_column_has_its_own_largest(name):
    shown = asked(name, view=View())
    sizes = np.abs(shown.focus.flow.adjoint[shown.stream, :, 0]).T
    trace = only(unit_gradients(shown, LIGHT))
    with np.errstate(invalid="ignore"):
        expected = sizes / sizes.max(axis=0)
    some = sizes.max(axis=0) > 0
    np.testing.assert_allclose(trace["z"][:, some], expected[:, some], rtol=1e-5, atol=1e-7)
    assert np.isnan(trace["z"][:, ~some]).all()
    assert (trace["zmin"], trace["zmax"]) == (0.0, 1.0)


def test_over_the_whole_run_one_entry_is_the_largest():
    shown = asked("rnn", view=View(shade="global"), weight_scale=0.8)
    sizes = np.abs(shown.focus.flow.adjoint[0, :, 0]).T
    np.testing.assert_allclose(only(unit_gradients(shown, LIGHT))["z"], sizes / sizes.max(), rtol=1e-5)


def test_as_powers_of_ten_it_is_the_gradient_itself():
    shown = asked("rnn", view=View(shade="log"), weight_scale=0.3, length=60)
    sizes, trace = np.log10(np.abs(shown.focus.flow.adjoint[0, :, 0])).T, only(unit_gradients(shown, LIGHT))
    np.testing.assert_allclose(trace["z"], sizes, rtol=1e-6)
    assert trace["zmax"] == pytest.approx(sizes.max())
    assert trace["zmax"] - trace["zmin"] == DECADES_SHOWN
    assert "10<sup>" in trace["hovertemplate"]


@pytest.mark.parametrize("shade", ["step", "global", "log"])
@pytest.mark.parametrize(
    "shown",
    [
        ("linear", OVERFLOW),
        ("rnn", {"weight_scale": 0.0}),
        ("linear", {"weight_scale": 0.1, "length": 600}),
        ("linear", {"weight_scale": 16.0, "length": 250}),
        ("birnn", {"head": "last_output"}),
    ],
    ids=["overflow", "zero", "underflow", "large", "dead end"],
)
def test_every_shade_of_an_extreme_run(shown, shade):
    name, settings = shown
    drawing = unit_gradients(asked(name, view=View(shade=shade, stream=1), **settings), LIGHT)
    assert_drawn(drawing)
    trace = only(drawing)
    assert trace["zmin"] < trace["zmax"]
    assert not np.isinf(trace["z"]).any()


def half_of(row):
    """How many of the largest squares make half of their sum, one by one."""
    squares, count = sorted(row**2, reverse=True), 1
    while sum(squares[:count]) < 0.5 * sum(squares):
        count += 1
    return count


@pytest.mark.parametrize("stream", [0, 1])
def test_the_sentence_counts_who_carries_half(stream):
    shown = asked("birnn", view=View(stream=stream))
    rows = shown.focus.flow.adjoint[stream, :, 0]
    near, far = (rows[0], rows[-1]) if stream else (rows[-1], rows[0])
    assert unit_gradients(shown, LIGHT).answer == (
        f"Half of the squared gradient sits in {half_of(near)} of 8 units at the loss, and in {half_of(far)} of 8 at "
        "the far end."
    )


def test_the_sentence_on_a_gradient_that_never_arrives():
    nothing = unit_gradients(subject(weight_scale=0.0, length=10), LIGHT).answer
    assert nothing.startswith("At the loss, half of the squared gradient sits in ")
    assert nothing.endswith(" of 32 units; none of it reaches the far end.")
    other = asked("birnn", view=View(stream=1), head="last_output", loss="last")
    assert not np.isfinite(other.focus.flow.log10_norm[1, 1:-2, 0]).any()
    assert unit_gradients(other, LIGHT).answer == "No gradient enters this chain at its last step."


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (OVERFLOW, "No gradient enters"),
        ({"weight_scale": 0.1, "length": 600}, "none of it reaches"),
        ({"weight_scale": 16.0, "length": 250}, "none of it reaches"),
    ],
    ids=["not a number", "underflow", "overflow"],
)
def test_what_float64_cannot_hold_is_not_called_nothing(settings, said):
    assert said not in unit_gradients(subject("linear", **settings), LIGHT).answer


def test_the_sentence_is_about_what_is_shown():
    hidden, cell = (hidden_states(asked("lstm", view=View(states=which)), LIGHT).answer for which in ("hidden", "cell"))
    assert hidden != cell


def test_both_pages_and_the_projector():
    for draw in (hidden_states, unit_gradients):
        assert_fits_themes(draw, subject(length=10))
