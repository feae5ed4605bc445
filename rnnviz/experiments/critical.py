"""The weight scale at which vanishing turns into exploding: by mean-field theory, and as it is measured."""

from collections.abc import Sequence

import numpy as np

from rnnviz.core.meanfield import GAINS, critical_weight_scale
from rnnviz.experiments.config import Config
from rnnviz.experiments.run import prepare

CENTRED = ("tanh", "relu", "linear")  # a logistic unit's states have a mean, and its slopes hardly vary: chance rules


def critical_scale(configs: Sequence[Config]) -> float:
    """The weight scale at which mean-field theory expects gradients neither to vanish nor to explode.

    The formulas are for one layer of a vanilla RNN under one loss, whose recurrent matrix is orthogonal, Gaussian or
    uniform, and whose input has the same variance at every step; the variance is measured on the networks and the input
    themselves. They hold for many units: at 16, chance shifts the line by some percent.

    Args:
        configs: the same question under one or more seeds.

    Returns:
        the weight scale, from the median drive; NaN where the formulas do not hold.
    """
    if not theory_holds(configs[0]):
        return np.nan
    critical = critical_weight_scale(configs[0].nonlinearity, float(np.median([drive(each) for each in configs])))
    return critical / GAINS[configs[0].initialisation]


def theory_holds(config: Config) -> bool:
    """Whether mean-field theory speaks of this question."""
    return (
        config.cell == "rnn"
        and config.nonlinearity in CENTRED
        and config.initialisation in GAINS
        and config.layers == 1
        and config.loss == "last"
        and config.signal == "noise"
        and config.signal_clip is None
        and config.truncated is None
    )


def drive(config: Config) -> float:
    """σ_u²: the mean square of what a pre-activation gets beside the states, over all steps and units.

    Measured on the input weights, the input and the biases that the experiment itself has.
    """
    experiment = prepare(config)
    stream = experiment.network.streams[0]
    return float(np.mean((experiment.inputs[:, 0] @ stream.weight_ih.T + stream.input_bias) ** 2))


def crossings(scales: np.ndarray, log10_growth: np.ndarray) -> list[tuple[float, int]]:
    """Where a row of the map passes a growth of 1: (weight scale, 1 upwards or −1 downwards), rising.

    Between two columns it is read off a straight line in logarithms; steps to or from what is zero or no number do not
    count.

    >>> crossings(np.array([1.0, 4.0, 16.0]), np.array([-0.5, 0.5, 0.25]))
    [(2.0, 1)]
    """
    places, found = np.log2(scales), []
    for i in range(len(scales) - 1):
        low, high = log10_growth[i], log10_growth[i + 1]
        if np.isfinite(low) and np.isfinite(high) and (low < 0) != (high < 0):
            share = low / (low - high)
            found.append((float(2.0 ** (places[i] + share * (places[i + 1] - places[i]))), 1 if high > low else -1))
    return found


def boundary(scales: np.ndarray, log10_growth: np.ndarray) -> float:
    """The weight scale that best parts a row into vanishing below and exploding above; NaN where there is none.

    Where chance makes growth pass 1 several times, it is the passage with the fewest columns on the wrong side.

    >>> boundary(np.array([0.5, 1.0, 4.0, 16.0, 64.0]), np.array([-0.2, 0.001, -0.1, -0.1, 0.1]))
    32.0
    """
    rising = [scale for scale, way in crossings(scales, log10_growth) if way > 0]
    wrong = [np.sum((scales < scale) & (log10_growth > 0)) + np.sum((scales > scale) & (log10_growth < 0))
             for scale in rising]  # fmt: skip
    return float(rising[int(np.argmin(wrong))]) if rising else np.nan
