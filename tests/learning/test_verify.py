import dataclasses
import sys

import numpy as np
import pytest

import rnnviz
from rnnviz import Config
from rnnviz.core.cells import CELLS
from rnnviz.core.signal import TRUNCATIONS
from rnnviz.learning import Verification
from rnnviz.learning.verification import MOST_STEPS, compare
from tests.support import refusal


@pytest.mark.parametrize("truncation", ["off", *TRUNCATIONS])
@pytest.mark.parametrize("cell", CELLS)
def test_every_array_is_compared(cell, truncation):
    config = Config(cell=cell, layers=2, bidirectional=True, length=10, hidden_size=3, truncation=truncation)
    check = rnnviz.verify(config)
    names = {"adjoint", "log10_norm", "input_gradient", "hidden", "output", *rnnviz.prepare(config).network.parameters}
    of_the_cell = {"cell", "cell_adjoint", "cell_log10_norm", "joint_log10_norm"}
    assert check.differences.keys() == names | (of_the_cell if cell == "lstm" else set())
    assert check.largest == max(check.differences.values()) < 1e-10
    assert check.skipped == 0


def as_theirs(flow):
    """A flow in the form of the oracle's answer."""
    names = ("adjoint", "input_gradient", "hidden", "output", "cell", "cell_adjoint", "parameter_gradients")
    arrays = {name: getattr(flow, name) for name in names if getattr(flow, name) is not None}
    copies = {name: value.copy() for name, value in arrays.items() if isinstance(value, np.ndarray)}
    gradients = {name: value.copy() for name, value in arrays["parameter_gradients"].items()}
    copies["parameter_gradients"] = gradients
    if flow.cell is not None:  # ∂L/∂c without its path through h; no step leads from c to h at row 0
        carried = flow.cell_adjoint.copy()
        carried[:, 1:] -= flow.adjoint[:, 1:] * flow.gates["o"] * (1.0 - np.tanh(flow.cell[:, 1:]) ** 2)
        copies["carried_cell_adjoint"] = carried
    return copies


ARRAYS = ["adjoint", "input_gradient", "hidden", "output", "cell", "cell_adjoint", "weight_hh_l0"]


@pytest.mark.parametrize("name", ARRAYS)
def test_a_wrong_entry_is_seen_wherever_it_stands(name):
    flow = rnnviz.run(Config(cell="lstm", length=8, hidden_size=3))
    theirs = as_theirs(flow)
    assert compare(flow, theirs).largest < 1e-12
    array = theirs[name] if name in theirs else theirs["parameter_gradients"][name]
    place = tuple(size // 2 for size in array.shape)
    array[place] += 1e-3 * np.abs(array).max()
    check = compare(flow, theirs)
    assert check.largest == check.differences[name] > 1e-4


def test_a_vanished_row_counts_as_much_as_a_large_one():
    flow = rnnviz.run(Config(length=60, hidden_size=3, weight_scale=0.1))
    theirs = as_theirs(flow)
    assert np.abs(flow.adjoint[0, 0]).max() < 1e-50
    theirs["adjoint"][0, 0] *= 1.001
    assert compare(flow, theirs).largest == pytest.approx(1e-3, rel=0.01)


def test_rows_beyond_float64_are_left_out_and_counted():
    config = Config(initialisation="uniform", length=2000, hidden_size=3)
    check = rnnviz.verify(config)
    flow = rnnviz.run(config)
    beyond = int((flow.log10_norm < -280).sum())
    assert check.largest < 1e-8
    assert check.skipped >= beyond > 0
    assert check.sentence == (
        f"Checked against torch autograd: largest relative difference {check.largest:.0e}, where float64 holds the "
        "gradient."
    )


def test_the_sentence_for_the_screen():
    assert Verification({"adjoint": 3e-14, "hidden": 1e-16}, 0).sentence == (
        "Checked against torch autograd: largest relative difference 3e-14."
    )


@pytest.mark.parametrize("nonlinearity", ["linear", "relu"])
def test_a_run_that_overflows_has_an_answer_that_is_a_number(nonlinearity):
    check = rnnviz.verify(Config(nonlinearity=nonlinearity, weight_scale=5.0, length=700, hidden_size=4))
    assert check.skipped > 0
    assert np.isfinite(check.largest)
    assert "nan" not in check.sentence


def test_a_chaotic_run_is_compared_along_one_trajectory():
    """Two right programs part after 36 / λ₁ steps; along the same states the gradients still agree."""
    config = Config(weight_scale=3.0, length=400, hidden_size=16)
    assert rnnviz.run(config, rnnviz.JacobianSpectrum).lyapunov_exponents.max() > 0.1
    assert rnnviz.verify(config).largest < 1e-9


def test_a_gradient_that_cancels_to_rounding_is_no_disagreement():
    """Clipped to ±0.01 at every step, the bias's gradient adds up to zero, or to 1e-18: both are right."""
    fields = {"initialisation": "identity", "input_scale": 0.0, "loss": "every", "length": 6, "hidden_size": 1}
    clipped = {"clip": "hidden_norm", "clip_threshold": 0.01, "weight_scale": 0.25, "input_size": 1, "seed": 9}
    check = rnnviz.verify(Config(**fields, **clipped))
    assert check.largest < 1e-8


def test_a_run_that_autograd_would_take_too_long_for_is_refused():
    assert refusal(rnnviz.verify, Config(length=10_000, layers=3)) == (
        f"length: autograd would walk 30000 steps for this config; allowed are {MOST_STEPS}, so make it shorter."
    )
    message = refusal(rnnviz.verify, Config(length=200, truncation="sliding"))
    assert message.startswith("length: autograd would walk 40000 steps")


def test_inputs_of_the_user_s_own():
    series = np.sin(np.arange(12.0))[:, None, None]
    assert rnnviz.verify(Config(cell="gru", hidden_size=3), inputs=series).largest < 1e-10


def test_a_broken_engine_is_found_out(monkeypatch):
    """The badge must be able to go red."""
    module = sys.modules["rnnviz.core.cells"]
    right = module.CELLS["lstm"].slopes

    def wrong(*arguments):
        into, *rest = right(*arguments)
        into *= 1.0 + 1e-6
        return (into, *rest)

    monkeypatch.setitem(vars(module.CELLS["lstm"]), "slopes", wrong)
    assert rnnviz.verify(Config(cell="lstm", length=10, hidden_size=3)).largest > 1e-7


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_only_autograd_has_is_no_agreement(name, value):
    """A NaN or an infinity of ours alone must not slip through as something that float64 cannot hold."""
    flow = rnnviz.run(Config(cell="lstm", length=8, hidden_size=3))
    broken = as_theirs(flow)
    broken.pop("carried_cell_adjoint")  # of the oracle alone
    array = broken[name] if name in broken else broken["parameter_gradients"][name]
    array[tuple(size // 2 for size in array.shape)] = value
    check = compare(dataclasses.replace(flow, **broken), as_theirs(flow))
    assert not check.largest < 1e-3


@pytest.mark.parametrize(
    "fields",
    [
        {"initialisation": "identity", "input_scale": 0.0, "weight_scale": 20.0, "length": 300},
        {"nonlinearity": "relu", "weight_scale": 20.0, "length": 240, "loss": "every"},
    ],
)
def test_where_autograd_overflows_and_we_do_not_there_is_no_disagreement(fields):
    check = rnnviz.verify(Config(**fields))
    assert check.largest < 1e-9
    assert check.skipped > 0


def test_a_wrong_norm_is_seen():
    flow = rnnviz.run(Config(length=8))
    wrong = dataclasses.replace(flow, log10_norm=flow.log10_norm + 0.001)
    assert compare(wrong, as_theirs(flow)).largest > 1e-3
