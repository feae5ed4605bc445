"""Growth up to a distance from the loss: against torch autograd, a closed form, and the sweep behind the map."""

import numpy as np
import pytest

from rnnviz.errors import BudgetError
from rnnviz.experiments.comparison import Comparison
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import Cost
from rnnviz.experiments.phase import Phase
from rnnviz.experiments.phase_distance import DISTANCE, check_alone, distances, growth_up_to
from rnnviz.experiments.phase_map import draw_map
from rnnviz.experiments.run import prepare
from rnnviz.learning.oracle import autograd_flow

COARSE = Phase(DISTANCE, per_octave=1, seeds=3)
ROWS = (2, 5, 19)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_it_is_what_autograd_says(cell):
    config = Config(cell=cell, length=20, hidden_size=6, weight_scale=1.5)
    made = prepare(config)
    theirs = autograd_flow(made.network, made.inputs, made.output_gradient)
    joint = theirs["adjoint"]
    if cell == "lstm":
        joint = np.concatenate((joint, theirs["carried_cell_adjoint"]), axis=-1)
    back = np.linalg.norm(joint, axis=-1)[0, :, 0][::-1]
    expected = [(back[row] / back[1]) ** (1 / (row - 1)) for row in ROWS]
    np.testing.assert_allclose(growth_up_to(config, ROWS), expected, rtol=1e-9)
    np.testing.assert_allclose(growth_up_to(config, (1,)), back[1] / back[0], rtol=1e-9)


def test_a_map_over_distance_shows_one_run_a_column():
    config = Config(hidden_size=6, length=30, seed=4)
    found = draw_map(Comparison(("rnn", "lstm")), config, COARSE)
    assert found.rows == (2, 5, 10, 20, 29)
    for panel in found.panels:
        np.testing.assert_array_equal(panel.seed, panel.seed[:1].repeat(5, axis=0))
        for column, scale in enumerate(found.scales):
            each = [
                found.result.grid("length", "weight_scale", cells=panel.name, seed=seed)[0, column]
                for seed in found.seeds
            ]
            np.testing.assert_allclose(panel.growth[-1, column], np.median(each), rtol=1e-9)
            point = found.config(panel.name, 1, scale, panel.seed[1, column])
            assert (point.length, point.weight_scale) == (30, scale)
            np.testing.assert_allclose(panel.growth[:, column], growth_up_to(point, found.rows), rtol=1e-12)


def test_a_linear_network_grows_by_its_weight_scale_at_every_distance():
    (panel,) = draw_map(Comparison(("linear",)), Config(hidden_size=4), COARSE).panels
    np.testing.assert_allclose(panel.growth, np.tile([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0], (6, 1)))


def test_a_way_of_one_step():
    assert distances(1) == distances(2) == (1,)
    assert np.isnan(growth_up_to(Config(length=3, hidden_size=2), (9,))).all()


def test_long_runs_one_by_one_are_over_the_budget():
    with pytest.raises(BudgetError, match=r"^length: must let 75 runs take at most .*, got about .* seconds\.$"):
        check_alone(Config(length=10_000), 75, Cost(1.0, 100.0))
    check_alone(Config(length=100), 75, Cost(1.0, 100.0))
