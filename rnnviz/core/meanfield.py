"""Where theory expects gradients neither to vanish nor to explode: mean-field theory of a wide RNN at initialisation.

In a wide network with a_t = W h_{t−1} + u_t, where the entries of W have the variance σ_w²/H, each pre-activation is
Gaussian. Its variance settles at q = σ_w² E φ(√q z)² + σ_u² with z ~ N(0, 1), and one step back the squared norm of the
gradient changes by χ = σ_w² E φ'(√q z)² on average. χ = 1 is the critical line.

The formulas hold for Gaussian entries, for uniform ones of the same variance, and for an orthogonal matrix times σ_w
alike, as long as W is drawn without a look at the rest and u_t has the same variance σ_u² at every step.

Source: the argument of Poole et al. (2016) and Schoenholz et al. (2017) for deep networks, carried over to one
matrix at every step; the tests hold it against simulation.
"""

import numpy as np

from rnnviz.core.activations import ACTIVATIONS
from rnnviz.errors import ConfigError, one_of

# Midpoints, so that a kink at 0 falls between two of them; both tails beyond are below 1e-22.
STEP = 0.0025
POINTS = np.arange(-10.0 + STEP / 2, 10.0, STEP)
WEIGHTS = np.exp(-(POINTS**2) / 2) * STEP / np.sqrt(2 * np.pi)
LARGEST_DRIVE = 1000.0  # σ_u² beyond which a slope would fall between two points
WIDEST = 1e4  # q up to which a critical point is looked for
HALVINGS = 60
GAINS = {"orthogonal": 1.0, "gaussian": 1.0, "uniform": 1.0 / np.sqrt(3.0)}  # σ_w at weight scale 1, by initialisation


def fixed_point(nonlinearity: str, weight_scale: float, drive: float, iterations: int = 2000) -> float:
    """q, the variance of a pre-activation once it has settled; inf where it grows without end.

    Args:
        nonlinearity: a name in `ACTIVATIONS`.
        weight_scale: σ_w.
        drive: σ_u², the variance of what does not come from the states: inputs and biases.
        iterations: after which it is taken as settled.

    >>> round(fixed_point("linear", 0.5, 0.3), 6)
    0.4
    """
    q = drive
    for _ in range(iterations):
        before, q = q, weight_scale**2 * _moments(nonlinearity, q)[0] + drive
        if q > WIDEST:
            return np.inf
        if abs(q - before) <= 1e-14 * q:
            break
    return float(q)


def chi(nonlinearity: str, weight_scale: float, drive: float) -> float:
    """χ: by how much the squared norm of the gradient changes in one step back, on average over draws.

    Its root is to be compared with a growth per step.

    >>> round(chi("linear", 0.5, 0.3), 6)
    0.25
    """
    q = min(fixed_point(nonlinearity, weight_scale, drive), WIDEST)
    return float(weight_scale**2 * _moments(nonlinearity, q)[1])


def critical_weight_scale(nonlinearity: str, drive: float) -> float:
    """The σ_w for which χ = 1, by bisection over q; NaN where the drive is too strong for it to be computed.

    Both conditions together, χ = 1 and q settled, leave one unknown: q = E φ² / E φ'² + σ_u². For the linear network
    and for ReLU the right side exceeds q for every q, and σ_w does not depend on it.

    Args:
        nonlinearity: a name in `ACTIVATIONS`.
        drive: σ_u², at least 0.

    Raises:
        ConfigError: for an unknown nonlinearity or a negative drive.

    >>> [round(critical_weight_scale(name, 1.0), 3) for name in ("linear", "relu", "tanh")]
    [1.0, 1.414, 1.856]
    """
    one_of("nonlinearity", nonlinearity, ACTIVATIONS)
    if not drive >= 0:
        raise ConfigError(f"drive: must be a variance, 0 or more, got {drive}.")
    if drive > LARGEST_DRIVE:
        return np.nan
    low, high = drive, WIDEST
    for _ in range(HALVINGS):
        q = (low + high) / 2
        square, slope = _moments(nonlinearity, q)
        low, high = (low, q) if q * slope >= square + drive * slope else (q, high)
    return float(1.0 / np.sqrt(_moments(nonlinearity, high)[1]))


def _moments(nonlinearity: str, q: float) -> tuple[float, float]:
    """E φ(√q z)² and E φ'(√q z)²."""
    activation, a = ACTIVATIONS[nonlinearity], np.sqrt(q) * POINTS
    with np.errstate(over="ignore"):
        return float(WEIGHTS @ activation.function(a) ** 2), float(WEIGHTS @ activation.slope(a) ** 2)
