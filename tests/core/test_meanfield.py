"""Mean-field theory against a table worked out independently, closed forms, and the engine itself."""

import numpy as np
import pytest

from rnnviz.core.initialisers import INITIALISERS
from rnnviz.core.meanfield import GAINS, LARGEST_DRIVE, chi, critical_weight_scale, fixed_point
from rnnviz.errors import ConfigError
from rnnviz.experiments.config import Config
from rnnviz.experiments.critical import drive
from rnnviz.experiments.run import run

# σ_u² and the critical σ_w of tanh, by Gauss-Hermite quadrature and iteration.
CRITICAL = {0.001: 1.091, 0.01: 1.193, 0.05: 1.327, 0.1: 1.409, 0.25: 1.550, 0.5: 1.686, 1: 1.856, 2: 2.066, 4: 2.325}


@pytest.mark.parametrize("variance", CRITICAL)
def test_the_critical_line_of_tanh(variance):
    found = critical_weight_scale("tanh", variance)
    np.testing.assert_allclose(found, CRITICAL[variance], atol=6e-4)
    np.testing.assert_allclose(chi("tanh", found, variance), 1.0, atol=1e-9)


def test_without_input_tanh_is_critical_at_one():
    np.testing.assert_allclose(critical_weight_scale("tanh", 0.0), 1.0, atol=1e-4)


@pytest.mark.parametrize("variance", [0.0, 0.3, 50.0])
def test_what_does_not_depend_on_the_variance(variance):
    np.testing.assert_allclose(critical_weight_scale("linear", variance), 1.0, rtol=1e-12)
    np.testing.assert_allclose(critical_weight_scale("relu", variance), np.sqrt(2.0), rtol=1e-12)


def test_closed_forms_of_the_fixed_point():
    np.testing.assert_allclose(fixed_point("linear", 0.9, 0.2), 0.2 / (1 - 0.81), rtol=1e-10)
    np.testing.assert_allclose(fixed_point("relu", 1.2, 0.2), 0.2 / (1 - 0.72), rtol=1e-10)
    np.testing.assert_allclose([chi("linear", 1.3, 1.0), chi("relu", 1.3, 1.0)], [1.69, 0.845], rtol=1e-10)
    assert fixed_point("linear", 1.1, 0.2) == np.inf


@pytest.mark.parametrize(("scale", "variance", "log_chi"), [(1.0, 0.1, -0.373), (2.0, 0.1, 0.280), (2.5, 1.0, 0.346)])
def test_chi_as_it_was_found_before(scale, variance, log_chi):
    np.testing.assert_allclose(np.log(chi("tanh", scale, variance)), log_chi, atol=6e-4)


@pytest.mark.parametrize("initialisation", GAINS)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "linear"])
def test_the_engine_grows_a_gradient_as_theory_says(nonlinearity, initialisation):
    """A wide network, at σ_w = 1, 1.5 and 2; the growth per step is the root of χ."""
    gain = GAINS[initialisation]
    exact = nonlinearity == "tanh" or initialisation == "orthogonal"  # else the largest of 256 eigenvalues takes over
    for scale in (1.0, 1.5, 2.0):
        config = Config(nonlinearity=nonlinearity, initialisation=initialisation, hidden_size=256, length=60,
                        weight_scale=scale / gain, seed=3)  # fmt: skip
        measured = run(config).verdict.growth_per_step
        np.testing.assert_allclose(
            measured, np.sqrt(chi(nonlinearity, scale, drive(config))), rtol=0.05 if exact else 0.12
        )


def test_gains_are_those_of_the_draws():
    for name, gain in GAINS.items():
        matrix = INITIALISERS[name].draw(np.random.default_rng(0), 200)
        np.testing.assert_allclose(np.sqrt(200 * np.mean(matrix**2)), gain, rtol=0.02)


def test_what_cannot_be_computed_or_asked():
    assert np.isnan(critical_weight_scale("tanh", 2 * LARGEST_DRIVE))
    with pytest.raises(ConfigError, match=r"^drive: must be a variance, 0 or more, got -1\.$"):
        critical_weight_scale("tanh", -1)
    with pytest.raises(ConfigError, match="nonlinearity: must be"):
        critical_weight_scale("softplus", 1)
