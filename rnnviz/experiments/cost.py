"""What a run would cost, known before it starts, and the budget that a public server can afford."""

from dataclasses import dataclass

from rnnviz.core.cells import CELLS
from rnnviz.core.itemised import chosen_sources
from rnnviz.core.results import ItemisedFlow, JacobianSpectrum
from rnnviz.core.stacked import MOST_NUMBERS
from rnnviz.errors import BudgetError
from rnnviz.experiments.config import Config


@dataclass(frozen=True)
class Cost:
    """Time on one core and peak memory.

    Attributes:
        seconds: of one core.
        megabytes: of arrays, at the peak.
    """

    seconds: float
    megabytes: float

    def __str__(self) -> str:
        seconds = f"{self.seconds:.0f}" if self.seconds >= 10 else f"{self.seconds:.2g}"
        return f"{seconds} s and {self.megabytes:.0f} MB"


BUDGET = Cost(seconds=10.0, megabytes=400.0)


def cost_of(config: Config, want: type, steps: int, width: int) -> Cost:
    """Estimate from counts of operations: measured on one core, ordinary runs come within a factor of about 2.

    A loss at every step and signal clipping are estimated roughly, deep networks under a sliding truncation too high.

    Args:
        config: what is asked.
        want: the result type.
        steps: T of the actual input.
        width: D of the actual input.
    """
    cell, size = CELLS[config.cell], config.hidden_size
    state, gates = size * (2 if cell.has_cell_state else 1), len(cell.blocks)
    streams = config.layers * config.directions
    products = gates * size * (size + (width + (config.layers - 1) * config.directions * size) / config.layers)
    seconds = streams * steps * (1.5e-5 + 1e-9 * products)
    numbers = streams * steps * (size * (sum(cell.keeps) + gates + 2) + 3 * state) + 4 * steps * width
    numbers += 6 * streams * products
    if config.loss == "every" or config.signal_clip or config.truncation == "chunked":
        seconds += 5e-5 * streams * steps  # each step is rescaled by itself
    signals = len(chosen_sources(steps)) if want is ItemisedFlow else 0
    if config.truncation == "sliding" and want is not ItemisedFlow:
        signals = min(steps, 2 * config.truncation_steps)
    if signals:
        seconds += streams * steps * (8e-5 + signals * (3e-11 * gates * size * size + 3e-9 * state))
        numbers += streams * signals * steps + 40 * signals * state
        if config.layers > 1:
            sources = steps if want is not ItemisedFlow else signals
            dense = steps * size * config.directions
            numbers += 2 * config.directions * min(MOST_NUMBERS, sources * dense)
            seconds += 1.5e-8 * streams * sources * dense + 2e-5 * streams * steps * sources * dense / MOST_NUMBERS
    if want is JacobianSpectrum:
        seconds += streams * steps * (3e-5 + 2.5e-7 * state**2 * (1 + state / 400))
        numbers += 3 * steps * state**2 + 3 * streams * steps * state
    return Cost(seconds, 8e-6 * numbers)


def check_budget(cost: Cost, budget: Cost) -> None:
    """Refuse a run that is too large.

    Raises:
        BudgetError: naming the fields to make smaller, what is allowed and what the run would take.
    """
    if cost.seconds > budget.seconds or cost.megabytes > budget.megabytes:
        raise BudgetError(
            f"length, hidden_size, layers: this run would take about {cost}; allowed are {budget}, so make one of them "
            "smaller."
        )
