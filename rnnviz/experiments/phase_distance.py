"""How fast one run's gradient grows on its way back, up to each of some distances from the loss."""

from collections.abc import Sequence

import numpy as np

from rnnviz.core.results import GradientFlow
from rnnviz.errors import BudgetError
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import Cost, cost_of
from rnnviz.experiments.run import prepare

DISTANCE = "distance"
LABEL = "Distance from the loss"
STEPS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def distances(length: int) -> tuple[int, ...]:
    """The rows of a map over distance: round numbers, and last the way to the first step.

    >>> distances(30)
    (2, 5, 10, 20, 29)
    """
    whole = max(1, length - 1)
    return (*(steps for steps in STEPS if steps < whole), whole)


def growth_up_to(config: Config, rows: Sequence[int]) -> np.ndarray:
    """(R,) growth per step from the loss to each distance from it, along one run.

    As everywhere, the step next to the loss is left out, because it leads an LSTM's gradient from h into c, which
    happens once. NaN where the run has no such step or no number there.

    >>> growth_up_to(Config(nonlinearity="linear", weight_scale=0.5, length=30), (2, 10, 29, 40)).tolist()
    [0.5, 0.5, 0.5, nan]
    """
    flow = prepare(config).find(GradientFlow)
    s = next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
    back = flow.way_back(s)[0][::-1]  # log10 of the norm, by distance from the loss
    return np.array([_growth(back, row) for row in rows])


def check_alone(config: Config, runs: int, budget: Cost) -> None:
    """Whether so many runs can be made one by one, whatever their cells.

    Raises:
        BudgetError: when they would take too long.
    """
    seconds = runs * cost_of(config, GradientFlow, config.length, config.input_size).seconds
    if seconds > budget.seconds:
        raise BudgetError(f"length: must let {runs} runs take at most {budget}, got about {seconds:.2g} seconds.")


def _growth(back: np.ndarray, distance: int) -> float:
    if distance >= len(back) or not np.isfinite(back[0]):
        return np.nan
    first = 1 if distance > 1 and np.isfinite(back[1]) else 0
    return float(10.0 ** ((back[distance] - back[first]) / (distance - first)))
