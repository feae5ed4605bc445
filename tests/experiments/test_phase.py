"""A map shows runs that can be run again, theory where it holds, and stays within what a server can do."""

from dataclasses import replace

import numpy as np
import pytest

from rnnviz.core.meanfield import critical_weight_scale
from rnnviz.errors import RnnvizError
from rnnviz.experiments.comparison import VARIANTS, Comparison
from rnnviz.experiments.config import Config
from rnnviz.experiments.critical import boundary, critical_scale, crossings, drive, theory_holds
from rnnviz.experiments.phase import ROWS, Phase
from rnnviz.experiments.phase_map import PhaseMap, draw_map
from rnnviz.experiments.run import prepare, run
from rnnviz.experiments.sweep import sweep

SMALL = Config(hidden_size=6, length=20, seed=5)


@pytest.mark.parametrize("against", [name for name in ROWS if name != "distance"])
def test_every_point_is_a_run(against):
    found = draw_map(Comparison(("rnn", "gru")), SMALL, Phase(against, per_octave=1, seeds=3))
    assert found.rows == ROWS[against]
    for panel in found.panels:
        for row, column in ((0, 0), (len(found.rows) - 1, 3), (1, 6)):
            verdicts = [run(found.config(panel.name, row, found.scales[column], s)).verdict for s in found.seeds]
            growths = [verdict.growth_per_step for verdict in verdicts]
            np.testing.assert_allclose(panel.growth[row, column], np.median(growths), rtol=1e-9)
            shown = verdicts[found.seeds.index(panel.seed[row, column])]
            np.testing.assert_allclose(shown.growth_per_step, panel.growth[row, column], rtol=1e-9)
            assert shown.memory_horizon == panel.horizon[row, column]


def test_a_point_is_no_number_when_most_of_its_networks_are_none():
    found = draw_map(Comparison(("linear",)), replace(SMALL, length=500), Phase("input_scale", 1, 3))
    assert np.isnan(found.panels[0].growth[:, -1]).all()
    np.testing.assert_allclose(found.panels[0].growth[:, 2], 1.0)


def test_drive_is_the_variance_of_what_does_not_come_from_the_states():
    config = replace(SMALL, hidden_size=64, length=400, input_scale=2.0)
    # U(−1/√H, 1/√H): 1/3H an entry; D = 4 inputs of variance 2², and two biases.
    np.testing.assert_allclose(drive(config), (4 * 4.0 + 2) / (3 * 64), rtol=0.15)
    experiment = prepare(config)
    weights = experiment.network.parameters
    drives = experiment.inputs[:, 0] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    np.testing.assert_allclose(drive(config), (drives**2).mean(), rtol=1e-12)


def test_theory_is_near_what_is_measured_in_a_wide_network():
    found = draw_map(Comparison(("rnn", "linear")), Config(hidden_size=128), Phase(per_octave=4, seeds=1))
    for panel in found.panels:
        measured = boundary(found.scales, panel.log10_growth[found.told])
        np.testing.assert_allclose(measured, panel.critical[found.told], rtol=0.05)


def test_theory_follows_the_draws_of_every_initialisation():
    for name, gain in (("orthogonal", 1.0), ("gaussian", 1.0), ("uniform", 3**-0.5)):
        config = replace(SMALL, initialisation=name)
        expected = critical_weight_scale("tanh", drive(config)) / gain
        np.testing.assert_allclose(critical_scale([config]), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "lstm"},
        {"cell": "gru"},
        {"nonlinearity": "sigmoid"},
        {"initialisation": "identity"},
        {"initialisation": "sparse"},
        {"initialisation": "nonnormal"},
        {"layers": 2},
        {"loss": "every"},
        {"signal": "impulse"},
        {"clip": "hidden_norm"},
        {"truncation": "chunked"},
    ],
)
def test_theory_is_silent_where_it_does_not_hold(changes):
    config = replace(SMALL, **changes)
    assert not theory_holds(config)
    assert np.isnan(critical_scale([config]))
    assert theory_holds(SMALL)


def test_where_growth_passes_one():
    scales = np.array([1.0, 4.0, 16.0, 64.0])
    assert crossings(scales, np.array([-1.0, 1.0, -1.0, np.nan])) == [(2.0, 1), (8.0, -1)]
    assert crossings(scales, np.array([-1.0, np.inf, -np.inf, 1.0])) == []
    assert boundary(scales, np.array([-1.0, -1.0, -1.0, 3.0])) == pytest.approx(16 * 4**0.25)
    assert np.isnan(boundary(scales, np.array([1.0, 1.0, -1.0, -1.0])))


def test_slow_networks_get_a_coarser_map_and_huge_ones_a_sentence():
    slow = replace(SMALL, loss="every", hidden_size=4)
    found = draw_map(Comparison(("rnn",)), slow, Phase("input_scale", 4, 15))
    assert found.asked == Phase("input_scale", 4, 15)
    assert len(found.seeds) == 1
    assert draw_map(Comparison(("rnn",)), slow, Phase("input_scale", 1, 1)).asked is None
    with pytest.raises(RnnvizError, match=r"^length, hidden_size, layers: .* or compare fewer cells\.$"):
        draw_map(Comparison(("rnn", "gru")), replace(slow, length=10_000), Phase("input_scale"))


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if "gate_bias" in variant.changes])
def test_a_bias_of_its_own_cannot_stand_on_an_axis(name):
    with pytest.raises(RnnvizError, match=rf"^cells: must be .* got '{VARIANTS[name].label}'\.$"):
        draw_map(Comparison((name,)), SMALL, Phase("gate_bias"))


def test_one_network_must_be_in_the_middle():
    with pytest.raises(RnnvizError, match=r"^seeds: must be odd, so that one of them is in the middle, got 4\.$"):
        Phase(seeds=4)


def test_any_sweep_over_weight_scales_becomes_a_map():
    result = sweep({"weight_scale": (2.0, 0.0, 1.0)}, replace(SMALL, nonlinearity="linear"))
    found = PhaseMap.of(result)
    assert (found.against, found.rows, found.scales.tolist()) == ("length", (20,), [1.0, 2.0])
    np.testing.assert_allclose(found.panels[0].growth, [[1.0, 2.0]])
    wider = PhaseMap.of(sweep({"cells": ("gru",), "gate_bias": (0.0, 3.0), "weight_scale": (1.0, 2.0)}, SMALL))
    assert (wider.against, [panel.name for panel in wider.panels]) == ("gate_bias", ["gru"])
    with pytest.raises(RnnvizError, match="weight_scale: must have two or more values"):
        PhaseMap.of(sweep({"length": (5, 10)}, SMALL))
