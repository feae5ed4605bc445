import tracemalloc

import numpy as np
import pytest

import rnnviz
from rnnviz import BUDGET, BudgetError, ClipReport, Config, Cost, GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.core.cells import CELLS
from rnnviz.experiments.run import WANTS
from tests.support import assert_clear, refusal

MEASURED = [
    (Config(cell="rnn", length=3000, hidden_size=32), GradientFlow),
    (Config(cell="lstm", length=1000, hidden_size=64), GradientFlow),
    (Config(cell="gru", length=1000, hidden_size=48, layers=2, bidirectional=True), GradientFlow),
    (Config(cell="lstm", length=1000, hidden_size=32, layers=3), ClipReport),
    (Config(cell="rnn", length=700, hidden_size=16, loss="every"), ItemisedFlow),
    (Config(cell="lstm", length=300, hidden_size=32, loss="every", layers=2), ItemisedFlow),
    (
        Config(cell="gru", length=600, hidden_size=16, loss="every", truncation="sliding", truncation_steps=50),
        GradientFlow,
    ),
    (Config(cell="lstm", length=200, hidden_size=24), JacobianSpectrum),
    (Config(cell="rnn", length=500, hidden_size=48), JacobianSpectrum),
]


def peak_megabytes(config, want):
    tracemalloc.start()
    try:
        rnnviz.run(config, want, budget=None)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("config", "want"), MEASURED)
def test_the_estimate_of_memory_is_right_to_a_factor_of_three(config, want):
    rnnviz.run(Config(length=2, hidden_size=2), want)  # what is loaded once does not count
    measured = peak_megabytes(config, want)
    assert measured / 3 < rnnviz.estimate(config, want).megabytes < measured * 3


@pytest.mark.parametrize("want", WANTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_cost_grows_with_everything_that_makes_a_run_larger(cell, want):
    small = rnnviz.estimate(Config(cell=cell, length=50, hidden_size=16), want)
    for larger in ({"length": 100}, {"hidden_size": 32}, {"layers": 2}, {"bidirectional": True}):
        cost = rnnviz.estimate(Config(**({"cell": cell, "length": 50, "hidden_size": 16} | larger)), want)
        assert cost.seconds > small.seconds
        assert cost.megabytes > small.megabytes


def test_the_estimate_counts_the_steps_that_there_are():
    short = Config(signal="text", text="abc", length=10_000)
    assert rnnviz.estimate(short).seconds < 0.01
    assert rnnviz.estimate(Config(length=10_000), inputs=np.zeros((3, 1, 4))).seconds < 0.01


@pytest.mark.parametrize("want", WANTS)
def test_a_refusal_comes_before_anything_is_computed(monkeypatch, want):
    def fail(*arguments, **named):
        raise AssertionError("something was computed")

    config = Config(cell="lstm", length=10_000, hidden_size=256, layers=4, loss="every")
    cost = rnnviz.estimate(config, want)
    for name in ("unroll", "draw_network"):
        monkeypatch.setattr(f"rnnviz.experiments.run.{name}", fail)
    message = refusal(rnnviz.run, config, want)
    assert message == (
        f"length, hidden_size, layers: this run would take about {cost.seconds:.0f} s and {cost.megabytes:.0f} MB; "
        "allowed are 10 s and 400 MB, so make one of them smaller."
    )


def test_a_refusal_word_for_word(monkeypatch):
    monkeypatch.setattr("rnnviz.experiments.run.cost_of", lambda *arguments: Cost(123.4, 56.7))
    message = refusal(rnnviz.run, Config(length=5), budget=Cost(seconds=2.5, megabytes=80.0))
    assert message == (
        "length, hidden_size, layers: this run would take about 123 s and 57 MB; allowed are 2.5 s and 80 MB, "
        "so make one of them smaller."
    )


@pytest.mark.parametrize("budget", [Cost(1e-9, 1e9), Cost(1e9, 1e-9)], ids=["seconds", "megabytes"])
def test_either_limit_refuses(budget):
    with pytest.raises(BudgetError):
        rnnviz.run(Config(length=5), budget=budget)


def test_a_budget_of_none_is_no_limit(monkeypatch):
    monkeypatch.setattr("rnnviz.experiments.run.cost_of", lambda *arguments: Cost(1e9, 1e9))
    assert rnnviz.run(Config(length=5), budget=None).steps == 5
    with pytest.raises(BudgetError):
        rnnviz.run(Config(length=5))


def test_wide_inputs_cost_the_memory_of_their_weights():
    """The weights for 10,000 channels, and their gradient, are what such a run is made of."""
    config, inputs = Config(cell="lstm", hidden_size=32), np.zeros((3, 1, 10_000))
    tracemalloc.start()
    rnnviz.run(config, inputs=inputs)
    measured = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert measured / 3 < rnnviz.estimate(config, inputs=inputs).megabytes < measured * 3


def test_wide_inputs_of_the_user_s_own_are_refused_before_weights_are_drawn_for_them(monkeypatch):
    drawn = []
    monkeypatch.setattr("rnnviz.experiments.run.draw_network", lambda *arguments: drawn.append(arguments))
    inputs = np.broadcast_to(0.0, (2000, 1, 30_000))[:40]
    message = refusal(rnnviz.run, Config(cell="lstm", hidden_size=256), inputs=inputs)
    assert_clear(message.replace("allowed are", "got allowed"), "hidden_size")
    assert not drawn


def test_the_default_settings_are_far_within_the_budget():
    for cell in CELLS:
        for want in WANTS:
            cost = rnnviz.estimate(Config(cell=cell, loss="every"), want)
            assert cost.seconds < BUDGET.seconds / 20
            assert cost.megabytes < BUDGET.megabytes / 10


@pytest.mark.parametrize("cell", CELLS)
def test_ten_thousand_steps_of_64_units_are_allowed_and_exact(cell):
    """The longest run of the contract: its peak stays under 400 MB and its norms are numbers."""
    config = Config(cell=cell, length=10_000, hidden_size=64)
    assert rnnviz.estimate(config).megabytes < 400
    flow = rnnviz.run(config)
    assert np.isfinite(flow.joint_log10_norm).all()
