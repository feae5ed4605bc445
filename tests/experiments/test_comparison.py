"""Networks side by side differ in what their names say, and in nothing else."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnviz
from rnnviz import ClipReport, Config, GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.errors import BudgetError, ConfigError
from rnnviz.experiments.comparison import VARIANTS, Comparison, label_of, total_cost
from rnnviz.experiments.cost import BUDGET, Cost, cost_of
from tests.support import NONSENSE, refusal

SMALL = Config(length=12, hidden_size=5, input_size=2)
LABELS = {
    "rnn": "RNN tanh",
    "relu": "RNN ReLU",
    "linear": "RNN linear",
    "lstm": "LSTM",
    "lstm_1": "LSTM, forget bias 1",
    "lstm_3": "LSTM, forget bias 3",
    "gru": "GRU",
    "gru_3": "GRU, update bias 3",
    "birnn": "RNN tanh, both directions",
    "bilstm": "LSTM, both directions",
    "bigru": "GRU, both directions",
}
ALLOWED = ", ".join(repr(name) for name in list(VARIANTS)[:-1]) + f" or {list(VARIANTS)[-1]!r}"


def runs(*names, **changes):
    return Comparison(names).runs(dataclasses.replace(SMALL, **changes))


def test_every_variant_has_its_words():
    assert {name: variant.label for name, variant in VARIANTS.items()} == LABELS
    assert all(name == variant.name for name, variant in VARIANTS.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_what_its_label_says(name):
    config, label = VARIANTS[name].config(SMALL), LABELS[name]
    assert config.cell == label[:4].strip(" ,").lower()
    assert config.bidirectional == label.endswith(", both directions")
    assert config.gate_bias == (float(label[-1]) if "bias" in label else None)
    assert config.nonlinearity == {"relu": "relu", "linear": "linear"}.get(name, "tanh")
    told = {"cell", "bidirectional", "gate_bias", "nonlinearity"}
    shared = {field.name for field in dataclasses.fields(Config)} - told
    assert all(getattr(config, field) == getattr(SMALL, field) for field in shared)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_network_has_the_bias_of_its_label(name):
    (run,) = runs(name)
    network, size = run.experiment.network, SMALL.hidden_size
    if run.config.gate_bias is not None:
        block = {"lstm": slice(size, 2 * size), "gru": slice(size, 2 * size)}[run.config.cell]
        total = network.parameters["bias_ih_l0"][block] + network.parameters["bias_hh_l0"][block]
        np.testing.assert_allclose(total, run.config.gate_bias)
    assert network.directions == 1 + run.config.bidirectional


@pytest.mark.parametrize(
    ("config", "label"),
    [
        (Config(nonlinearity="sigmoid"), "RNN sigmoid"),
        (Config(nonlinearity="relu", bidirectional=True), "RNN ReLU, both directions"),
        (Config(gate_bias=2.0), "RNN tanh"),
        (Config(cell="lstm", gate_bias=-0.5), "LSTM, forget bias -0.5"),
        (Config(cell="gru", gate_bias=2.0, bidirectional=True), "GRU, update bias 2, both directions"),
        (Config(cell="lstm", nonlinearity="relu"), "LSTM"),
    ],
)
def test_a_network_s_name_on_the_screen(config, label):
    assert label_of(config) == label


def test_a_bias_of_its_own_takes_the_place_of_chrono():
    plain, own = (VARIANTS[name].config(Config(chrono=50.0)) for name in ("lstm", "lstm_3"))
    assert (plain.chrono, plain.gate_bias) == (50.0, None)
    assert (own.chrono, own.gate_bias) == (None, 3.0)
    assert VARIANTS["lstm_3"].config(Config(gate_bias=1.0)).gate_bias == 3.0
    assert VARIANTS["lstm"].config(Config(gate_bias=1.0)).gate_bias == 1.0


def test_a_variant_cannot_be_changed():
    with pytest.raises(TypeError):
        VARIANTS["rnn"].changes["cell"] = "gru"
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIANTS["rnn"].name = "x"


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ((), "cells: must be 1 to 4 different ones, got ()."),
        (tuple(VARIANTS)[:5], "cells: must be 1 to 4 different ones, got ('rnn', 'relu', 'linear', 'lstm', 'lstm_1')."),
        (("rnn", "rnn"), "cells: must be 1 to 4 different ones, got ('rnn', 'rnn')."),
        (("rnn", "transformer"), f"cells: must be {ALLOWED}, got 'transformer'."),
        ("rnn,lstm", f"cells: must be {ALLOWED}, got 'rnn,lstm'."),
        ((["rnn"],), f"cells: must be {ALLOWED}, got ['rnn']."),
        (None, f"cells: must be {ALLOWED}, got None."),
    ],
    ids=str,
)
def test_refusals_word_for_word(cells, sentence):
    assert refusal(Comparison, cells) == sentence


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_one_sentence(value):
    for cells in (value, (value,), ("rnn", value)):
        with pytest.raises(ConfigError, match=r"^cells: must be "):
            Comparison(cells)


def test_one_name_and_a_list_are_taken_for_a_tuple():
    assert Comparison("rnn") == Comparison(["rnn"]) == Comparison(("rnn",))
    assert Comparison(("gru", "rnn")).cells == ("gru", "rnn")


def test_compared_runs_share_all_but_the_network():
    first, *others = runs("rnn", "lstm_3", "gru", "relu", seed=5)
    for other in others:
        np.testing.assert_array_equal(first.experiment.inputs, other.experiment.inputs)
        np.testing.assert_array_equal(first.experiment.readout, other.experiment.readout)
        np.testing.assert_array_equal(first.experiment.target, other.experiment.target)
        assert other.config.seed == 5
    relu = others[-1].experiment.network.parameters
    for name, value in first.experiment.network.parameters.items():
        np.testing.assert_array_equal(value, relu[name])


def test_both_directions_share_the_forward_one_s_weights():
    plain, both = runs("rnn", "birnn")
    for name, value in plain.experiment.network.parameters.items():
        np.testing.assert_array_equal(value, both.experiment.network.parameters[name])
    np.testing.assert_array_equal(plain.experiment.target, both.experiment.target)


@pytest.mark.parametrize("name", VARIANTS)
def test_results_are_those_of_run(name):
    (run,) = runs(name, loss="every")
    for found, want, field in (
        (run.flow, GradientFlow, "adjoint"),
        (run.itemised, ItemisedFlow, "log10_norm"),
        (run.spectrum, JacobianSpectrum, "singular_values"),
    ):
        np.testing.assert_array_equal(getattr(found, field), getattr(rnnviz.run(run.config, want), field))
    report = rnnviz.run(run.config, ClipReport)
    assert run.clip_report.parameter_norms_after == report.parameter_norms_after


def test_a_result_is_computed_once_and_only_when_asked_for(monkeypatch):
    (run,) = runs("lstm")
    assert run.flow is run.flow
    monkeypatch.setattr("rnnviz.experiments.run.backpropagate", None)
    monkeypatch.setattr("rnnviz.experiments.run.spectrum", None)
    assert run.flow.steps == 12
    runs("rnn", "gru")


@pytest.mark.parametrize("clip", ["hidden_value", "hidden_norm", "preactivation_value"])
def test_the_same_run_without_clipping_of_its_signal(clip):
    (run,) = runs("linear", weight_scale=2.0, clip=clip, clip_threshold=0.1)
    plain = rnnviz.run(dataclasses.replace(run.config, clip="off"))
    np.testing.assert_array_equal(run.unclipped.adjoint, plain.adjoint)
    assert run.flow.profile[0, 0] < run.unclipped.profile[0, 0] - 0.5


@pytest.mark.parametrize("clip", ["off", "norm", "value"])
def test_a_signal_that_nothing_clips_is_its_own(clip):
    (run,) = runs("rnn", clip=clip)
    assert run.unclipped is run.flow


def test_the_budget_is_for_all_of_them():
    config = Config(length=10_000, hidden_size=128)
    one = [cost_of(VARIANTS[name].config(config), GradientFlow, 10_000, 4) for name in ("rnn", "gru", "lstm_3")]
    limit = Cost(sum(cost.seconds for cost in one) * 0.99, 1e9)
    assert all(cost.seconds < limit.seconds for cost in one)
    for name in ("rnn", "gru", "lstm_3"):
        assert len(Comparison((name,)).runs(config, limit)) == 1
    message = refusal(Comparison(("rnn", "gru", "lstm_3")).runs, config, limit)
    assert message.startswith("length, hidden_size, layers: this run would take about ")
    assert len(Comparison(("rnn", "gru", "lstm_3")).runs(config, None)) == 3


def test_a_cost_is_that_of_the_actual_input():
    config = Config(signal="text", text="to be", length=10_000, hidden_size=256)
    found = Comparison(("rnn", "lstm")).runs(config)
    seconds = [cost_of(run.config, GradientFlow, 5, 4).seconds for run in found]
    assert total_cost(found, GradientFlow).seconds == pytest.approx(sum(seconds), rel=0.01)


def test_the_default_budget_refuses_what_is_too_large():
    with pytest.raises(BudgetError):
        Comparison(("lstm", "gru")).runs(Config(length=10_000, hidden_size=256))
    (run,) = Comparison(("rnn",)).runs(Config(length=5000, hidden_size=64))
    assert cost_of(run.config, JacobianSpectrum, 5000, 4).megabytes > BUDGET.megabytes
    with pytest.raises(BudgetError):
        _ = run.spectrum


@settings(max_examples=60)
@given(
    st.sampled_from(["rnn", "relu", "linear", "birnn"]),
    st.fixed_dictionaries(
        {
            "nonlinearity": st.sampled_from(list(ACTIVATIONS)),
            "initialisation": st.sampled_from(list(INITIALISERS)),
            "weight_scale": st.floats(0.0, 5.0),
            "input_scale": st.floats(0.0, 10.0),
            "hidden_size": st.integers(1, 12),
            "layers": st.integers(1, 3),
            "length": st.integers(1, 30),
            "seed": st.integers(0, 1000),
            "clip": st.sampled_from(["off", "hidden_norm", "hidden_value", "preactivation_value"]),
            "clip_threshold": st.sampled_from([1e-3, 1.0]),
            "head": st.sampled_from(["final_states", "last_output"]),
        }
    ),
)
def test_no_gradient_grows_by_more_than_the_bound(name, changes):
    (run,) = runs(name, **changes)
    stream, norms = run.flow.streams[-1], run.flow.log10_norm[-1, :, 0]
    back = stream.in_order(norms)
    before, after = back[1:], back[:-1]
    some = np.isfinite(before) & np.isfinite(after)
    with np.errstate(divide="ignore"):
        limit = np.log10(run.bound_per_step)
    assert (after[some] - before[some] <= limit + 1e-9).all()
    largest = {"tanh": 1.0, "relu": 1.0, "linear": 1.0, "sigmoid": 0.25}[run.config.nonlinearity]
    squared = np.linalg.eigvalsh(stream.weight_hh.T @ stream.weight_hh).max()
    assert run.bound_per_step == pytest.approx(largest * np.sqrt(squared), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_bound_is_known_for_an_rnn_with_one_loss_alone(name):
    (run,), (every,) = runs(name), runs(name, loss="every")
    assert (run.bound_per_step is None) == (run.config.cell != "rnn")
    assert every.bound_per_step is None
