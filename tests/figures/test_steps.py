"""The step axis, labels that keep apart, and axes whose ends stay put."""

import numpy as np
import pytest

from rnnviz import Config, ItemisedFlow, run
from rnnviz.errors import BudgetError, ConfigError
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.itemised import itemised_map
from rnnviz.figures.jacobian import step_jacobians
from rnnviz.figures.labels import spaced
from rnnviz.figures.optimiser import parameter_gradients
from rnnviz.figures.refusal import plain
from rnnviz.figures.steps import positions, step_range, step_ticks
from tests.figures.drawings import LIGHT, subject


def test_a_forward_chain_begins_at_zero_and_a_reverse_one_after_the_last_step():
    flow = run(Config(bidirectional=True, length=3))
    assert positions(flow, 0).tolist() == [0, 1, 2, 3]
    assert positions(flow, 1).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("want", [None, ItemisedFlow])
def test_the_axis_ends_half_a_step_beyond_every_state(want):
    for both, ends in ((False, [-0.5, 20.5]), (True, [-0.5, 21.5])):
        config = Config(bidirectional=both, length=20)
        flow = run(config, want) if want else run(config)
        reached = np.concatenate([positions(flow, s) for s in range(len(flow.streams))])
        assert step_range(flow) == ends == [reached.min() - 0.5, reached.max() + 0.5]


def test_few_steps_have_whole_ticks():
    assert step_ticks(run(Config(length=2))) == {"range": [-0.5, 2.5], "dtick": 1, "tick0": 0}
    assert step_ticks(run(Config(length=20))) == {"range": [-0.5, 20.5]}


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("loss", ["last", "every"])
def test_steps_stand_under_steps(both, loss):
    asked = subject("birnn" if both else "rnn", loss=loss, length=40)
    layouts = [draw(asked, LIGHT).figure["layout"] for draw in (itemised_map, step_jacobians, parameter_gradients)]
    axes = [layout.get("xaxis2", layout["xaxis"]) for layout in layouts]
    assert [axis["range"] for axis in axes] == [step_range(asked.focus.flow)] * 3
    assert len({(layout["margin"]["l"], layout["margin"]["r"]) for layout in layouts}) == 1


@pytest.mark.parametrize(("low", "high"), [(-6.9, 0.2), (8.9, 9.0), (0.0, 0.0), (-5000.0, 3.0), (300.1, 310.0)])
def test_an_axis_holds_its_values_and_is_not_far_too_long(low, high):
    bottom, top = span(low, high)
    assert bottom <= low <= high <= top
    assert top - bottom >= 1.0
    assert top - bottom <= max(1.0, 2 * (high - low))


def test_a_short_axis_shows_factors_and_a_long_one_powers():
    short, long = power_axis(LIGHT, "x", [-0.5, 0.5]), power_axis(LIGHT, "x", [-5.0, 5.0])
    assert short["ticktext"] == ["0.5", "1", "2"]
    np.testing.assert_allclose(short["tickvals"], np.log10([0.5, 1, 2]), atol=1e-12)
    assert long["tickprefix"] == "10<sup>"
    assert "ticktext" not in long


def test_labels_keep_their_distance_and_their_order():
    generator = np.random.default_rng(0)
    for _ in range(50):
        places = sorted(generator.uniform(-50, 350, size=6))
        moved = spaced(places, gap=15.0, height=300.0)
        assert np.diff(moved).min() >= 15.0 - 1e-9
        assert moved[0] >= 0
        assert moved[-1] <= 292.5
    assert spaced([], 15.0, 300.0) == []


def test_a_refusal_names_the_controls():
    assert plain(ConfigError("weight_scale: must be small, got 3.")) == "Weight scale: must be small, got 3."
    assert plain(BudgetError("length, layers: too much.")) == "Sequence length, Layers: too much."
    assert plain(BudgetError("something: too much.")) == "something: too much."
