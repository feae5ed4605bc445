"""The chart of step Jacobians shows their spectra, and its sentence judges the eigenvalue rule."""

import numpy as np
import pytest

from rnnviz.figures.jacobian import step_jacobians
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
    subject,
)


def by_hand(run):
    """(T, H, H) step Jacobians of a tanh RNN."""
    stream, hidden = run.flow.streams[0], run.flow.hidden[0, 1:, 0]
    return (1 - hidden**2)[:, :, None] * stream.weight_hh


def lines(drawing):
    return {trace["name"]: trace for trace in drawing.figure["data"]}


def margin(drawing):
    """{symbol: number} in the right margin."""
    texts = [note["text"] for note in drawing.figure["layout"]["annotations"] if note.get("xshift") == 1]
    return dict(text.split() for text in texts)


@pytest.mark.parametrize("asked", EVERY_SUBJECT)
def test_every_run_is_drawn(asked):
    drawing = step_jacobians(asked, LIGHT)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    assert len(drawing.figure["data"]) == 7


def test_the_band_is_the_spectrum_of_the_jacobians():
    asked = subject(length=30, weight_scale=1.2, hidden_size=9)
    matrices, found = by_hand(asked.focus), lines(step_jacobians(asked, LIGHT))
    singular = np.linalg.svd(matrices, compute_uv=False)
    for name, place in (
        ("largest σ(J)", 0), ("upper quarter of σ(J)", 2), ("median σ(J)", 4), ("lower quarter of σ(J)", 6),
    ):  # fmt: skip
        np.testing.assert_allclose(found[name]["y"], np.log10(singular[:, place]), atol=1e-5)
    np.testing.assert_allclose(found["smallest σ(J)"]["customdata"], singular[:, 8], rtol=1e-5)
    radius = np.abs(np.linalg.eigvals(matrices)).max(axis=-1)
    np.testing.assert_allclose(found["ρ(J)"]["y"], np.log10(radius), atol=1e-5)
    np.testing.assert_array_equal(found["ρ(J)"]["x"], np.arange(1, 31))


def test_the_thick_line_is_what_the_gradient_does_and_stays_in_the_band():
    asked = subject(length=30, weight_scale=1.2)
    adjoint = asked.focus.experiment.output_gradient[-1, 0]
    grown = []
    for matrix in by_hand(asked.focus)[::-1]:
        grown.append(np.linalg.norm(adjoint @ matrix) / np.linalg.norm(adjoint))
        adjoint = adjoint @ matrix
    found = lines(step_jacobians(asked, LIGHT))
    np.testing.assert_allclose(found["gradient"]["customdata"], grown[::-1], rtol=1e-4)
    assert (found["gradient"]["y"] <= found["largest σ(J)"]["y"] + 1e-6).all()


@pytest.mark.parametrize("name", ["lstm", "gru", "bilstm", "birnn"])
@pytest.mark.parametrize("stream", [0, 7])
def test_the_gradient_stays_in_the_band_of_every_cell(name, stream):
    asked = subject(name, stream, length=30)
    s, spectrum = asked.stream, asked.focus.spectrum
    change = asked.focus.flow.step_growth_log10[s]
    singular = np.log10(spectrum.singular_values[s, :, 0])
    assert (change <= singular[:, 0] + 1e-9).all()
    assert (change >= singular[:, -1] - 1e-9).all()


def test_the_rule_is_wrong_for_tanh_above_one():
    asked = subject(weight_scale=1.1)
    drawing = step_jacobians(asked, LIGHT)
    growth = asked.focus.flow.readings[0].growth_per_step
    mean = np.sqrt(((1 - asked.focus.flow.hidden[0, 1:, 0] ** 2) ** 2).mean())
    assert growth < 0.95
    # Every row of an orthogonal matrix is as long as any other, so that all slopes count alike.
    assert drawing.answer == (
        f"The eigenvalue rule is wrong here: ρ(W_hh) = 1.10 is above 1, and yet the gradient shrinks to {growth:.2f} "
        f"of itself a step, because the slopes of tanh are below 1 (root mean square {mean:.2f})."
    )
    assert margin(drawing) == {"ρ": "1.10", "σ": "1.10", "×": f"{growth:.2f}"}


def test_the_rule_is_wrong_for_a_matrix_that_is_not_normal():
    asked = subject("linear", weight_scale=0.9, initialisation="nonnormal", length=10)
    drawing = step_jacobians(asked, LIGHT)
    weight = asked.focus.experiment.network.parameters["weight_hh_l0"]
    sigma = np.linalg.svd(weight)[1][0]
    assert asked.focus.flow.readings[0].growth_per_step > 1.005
    assert "ρ(W_hh) = 0.90 is below 1, and yet the gradient grows" in drawing.answer
    assert f"stretch up to σ_max(W_hh) = {sigma:.2f} times." in drawing.answer
    assert margin(drawing)["σ"] == f"{sigma:.2f}"


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("rnn", {"weight_scale": 0.5}, "right here: ρ(W_hh) = 0.50 is below 1"),
        ("rnn", {"weight_scale": 0.5}, "the largest slope times σ_max(W_hh) is 0.50, and below 1 that is certain."),
        ("rnn", {"initialisation": "uniform"}, "it need not have, for the largest slope times σ_max(W_hh) is 1.06"),
        (
            "linear",
            {"weight_scale": 1.3},
            "right here: ρ(W_hh) = 1.30 is above 1, and the gradient grows 1.30-fold a step.",
        ),
        ("linear", {}, "right here: ρ(W_hh) is 1, and the gradient keeps its size, 1.00 of it a step."),
        (
            "rnn",
            {"weight_scale": 20.0, "initialisation": "gaussian"},
            "though far less than 19-fold, because the slopes",
        ),
        ("rnn", {"weight_scale": 0.0}, "The recurrent matrix W_hh is zero"),
        ("relu", {"hidden_size": 2, "length": 40, "seed": 3}, "ends in zero, because units that are switched off"),
        ("linear", OVERFLOW, "the forward run left float64 at step 239."),
    ],
)
def test_what_the_sentence_says(name, settings, said):
    drawing = step_jacobians(subject(name, **settings), LIGHT)
    assert_drawn(drawing)
    assert said in drawing.answer


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_cells_with_gates_have_no_eigenvalue_rule(name):
    asked = subject(name, length=40)
    drawing, spectrum = step_jacobians(asked, LIGHT), asked.focus.spectrum
    radius = np.exp(np.log(spectrum.spectral_radius[0, :, 0]).mean())
    largest = np.exp(np.log(spectrum.singular_values[0, :, 0, 0]).mean())
    growth = asked.focus.flow.readings[0].growth_per_step
    assert margin(drawing) == {"×": f"{growth:.2f}"}
    assert drawing.answer == (
        f"The gradient shrinks to {growth:.2f} of itself a step: a step's Jacobian has the spectral radius "
        f"{radius:.2f} and stretches no direction more than {largest:.2f}-fold, on average over the steps."
    )
    assert any("no eigenvalue of W_hh foretells" in note for note in drawing.notes)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"loss": "every"}, "Each step's own loss adds gradient"),
        ({"layers": 2}, "The layer above adds gradient"),
        ({"clip": "hidden_norm"}, "Clipping acts on the signal"),
        ({"truncation": "chunked"}, "Truncation cuts the signal"),
    ],
)
def test_where_more_than_jacobians_acts_the_lyapunov_exponent_stands_in(settings, why):
    asked = subject(length=40, **settings)
    drawing = step_jacobians(asked, LIGHT)
    level = asked.focus.spectrum.lyapunov_exponents[0, 0, 0] / np.log(10)
    np.testing.assert_allclose(lines(drawing)["gradient"]["y"], np.full(40, level), rtol=1e-5)
    assert drawing.notes[0].startswith(why)
    assert "what one loss sends back" in drawing.answer


def test_a_run_over_the_budget_is_refused():
    drawing = step_jacobians(subject(length=1000, hidden_size=256), LIGHT)
    assert drawing.figure == {}
    assert drawing.answer.startswith("Sequence length, Hidden size, Layers: this run would take")


def test_steps_without_any_path_are_counted():
    drawing = step_jacobians(subject("relu", hidden_size=2, length=40, seed=3), LIGHT)
    singular = subject("relu", hidden_size=2, length=40, seed=3).focus.spectrum.singular_values[0, :, 0, 0]
    assert drawing.notes == (f"At {(singular == 0).sum()} steps the Jacobian is exactly zero.",)


def test_it_fits_the_themes():
    assert_fits_themes(step_jacobians, subject(length=30))
