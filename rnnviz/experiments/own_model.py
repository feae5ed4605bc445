"""The question of the page "Your model": which module of a weights file, what it reads, and where its loss stands."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from rnnviz.core.initialisers import generator_for
from rnnviz.core.readings import HORIZON_FRACTION
from rnnviz.core.results import GradientFlow
from rnnviz.errors import BudgetError, ConfigError, ShapeError, shown
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import BUDGET, Cost, check_budget, cost_of
from rnnviz.experiments.inputs import assets, standardised
from rnnviz.experiments.knobs import Checked, knob, knobs
from rnnviz.experiments.own import OwnConfig, own_run
from rnnviz.experiments.own_inputs import Table
from rnnviz.experiments.task_made import adding
from rnnviz.experiments.weights import Recurrent, Weights, read_weights

SHARED = knobs(Config)
NAMES = ("own_3", "own_2", "own")  # of the sample's runs, the last of them drawn as a visitor's own
MOMENTS = {"before": "Before training", "midway": "Midway", "solved": "Once solved"}
LONGEST_WORD, LONGEST_LABEL = 200, 30
LARGE = 10.0  # inputs beyond it are said to be large


@dataclass(frozen=True)
class OwnModel(Checked):
    """What is asked of a user's own weights.

    Raises:
        RnnvizError: for a value that is not allowed; the sentence names the field, what is allowed and what came.

    >>> OwnModel(loss="first")
    Traceback (most recent call last):
    rnnviz.errors.ConfigError: loss: must be 'last' or 'every', got 'first'.
    """

    module: str = knob(
        "",
        "Recurrent module",
        "One of those found in the file, by the prefix of its parameters' names; the first when nothing is chosen.",
        low=0,
        high=LONGEST_WORD,
    )
    columns: str = knob(
        "",
        "Input columns",
        "Which columns of your inputs the module reads, as many as it has inputs, by name or place between commas; the "
        "first ones when none is chosen. Columns with anything but finite numbers are not counted.",
        low=0,
        high=LONGEST_WORD,
    )
    length: int = knob(
        40,
        "Sequence length",
        "Steps T, from the beginning of the inputs.",
        low=1,
        high=10_000,
        ladder=(5, 10, 20, 40, 100, 200, 500, 1000),
    )
    loss: str = knob("last", "Loss", SHARED["loss"].help, choices=SHARED["loss"].choices)
    nonlinearity: str = knob(
        "tanh",
        "Activation",
        "Of an nn.RNN. It is the one thing that its weights do not tell.",
        choices={"tanh": "tanh", "relu": "ReLU"},
    )
    standardise: bool = knob(
        False,
        "Standardise",
        "Each input column with mean 0 and standard deviation 1. Off, the module reads the numbers as they are.",
    )
    seed: int = knob(
        0,
        "Seed",
        "Fixes what the module reads where you have given no inputs.",
        low=0,
        high=2**31 - 1,
    )

    def chosen(self, weights: Weights) -> Recurrent:
        """The asked module of a weights file.

        Raises:
            ConfigError: when the file has no module of that prefix.
        """
        if self.module and self.module not in weights.named:
            known = ", ".join(weights.named)
            raise ConfigError(f"module: must be one of {shown(known, 200)[1:-1]}, got {shown(self.module)}.")
        return weights.named[self.module] if self.module else weights.modules[0]

    def inputs(self, width: int, table: Table | None) -> np.ndarray:
        """(T, 1, D) what a module of D inputs reads: the chosen columns of a table, or white noise.

        Raises:
            RnnvizError: for a table with fewer columns than D, or a choice of other than D of them.
        """
        if table is None:
            return generator_for(self.seed, "inputs").normal(size=(self.length, 1, width))
        values = table.values[:, self.places(width, table)]
        return (standardised(values) if self.standardise else values)[: self.length, None]

    def places(self, width: int, table: Table) -> list[int]:
        """Which columns of a table a module of D inputs reads, counted from 0."""
        count = len(table.columns)
        if count < width:
            gone = f" ({left_out(table)})" if table.left_out else ""
            raise ShapeError(
                f"inputs: must have {width} columns, one for each input of this module, got {count}{gone}."
            )
        words = self.columns.split(",") if self.columns else [str(place + 1) for place in range(width)]
        places = [_place(word.strip(), table.columns) for word in words]
        if not len(set(places)) == len(words) == width or not all(0 <= place < count for place in places):
            which = "one" if width == 1 else f"{width} different ones"
            known = shown(", ".join(table.columns), 200)[1:-1]
            raise ConfigError(
                f"columns: must be {which} of the {count} columns of the inputs, {known}, by name or by place counted "
                f"from 1, got {shown(self.columns)}."
            )
        return places

    def run(self, weights: Weights, table: Table | None = None, budget: Cost | None = BUDGET) -> Run:
        """The chosen module of a weights file on its inputs.

        Args:
            weights: as from `read_weights`.
            table: as from `read_table`; None for white noise.
            budget: what the run may cost; None for no limit.

        Raises:
            RnnvizError: for a choice that the files do not have, or a run over the budget.
        """
        module = self.chosen(weights)
        self._check([module], table, budget)
        inputs = self.inputs(module.input_size, table)
        return self._run(module, inputs, _label(module.prefix or weights.name), "own")

    def sample_runs(self, table: Table | None = None, budget: Cost | None = BUDGET) -> tuple[Run, ...]:
        """The sample at its three moments, on one sequence of the adding problem or on a table.

        >>> [run.label for run in OwnModel(length=10).sample_runs()]
        ['Before training', 'Midway', 'Once solved']
        """
        modules = [self.chosen(weights) for weights in sample()]
        self._check(modules, table, budget)
        inputs = self.inputs(modules[0].input_size, table) if table else self.example()
        told = zip(modules, MOMENTS.values(), NAMES, strict=True)
        return tuple(self._run(module, inputs, label, name) for module, label, name in told)

    def example(self) -> np.ndarray:
        """(T, 1, 2) a sequence of the task that the sample has learnt."""
        return adding(generator_for(self.seed, "inputs"), 1, max(self.length, 2)).inputs[: self.length].astype(float)

    def _run(self, module: Recurrent, inputs: np.ndarray, label: str, name: str) -> Run:
        return own_run(module.network(self.nonlinearity), inputs, loss=self.loss, label=label, name=name)

    def _check(self, modules: list[Recurrent], table: Table | None, budget: Cost | None) -> None:
        """Refuse runs over the budget, before there are inputs or networks in float64."""
        if budget is None:
            return
        steps = self.length if table is None else min(self.length, len(table.values))
        costs = [self._cost(module, steps) for module in modules]
        try:
            check_budget(Cost(sum(cost.seconds for cost in costs), sum(cost.megabytes for cost in costs)), budget)
        except BudgetError as problem:
            rest = str(problem).partition(": ")[2].replace("make one of them smaller", "choose a shorter one")
            raise BudgetError(f"length: {rest}") from None

    def _cost(self, module: Recurrent, steps: int) -> Cost:
        """What one run costs, with the array that its inputs are made from."""
        config = OwnConfig(
            cell=module.cell, nonlinearity=self.nonlinearity, bidirectional=module.directions == 2,
            layers=module.layers, hidden_size=module.hidden_size, length=steps, loss=self.loss,
        )  # fmt: skip
        cost = cost_of(config, GradientFlow, steps, module.input_size)
        return Cost(cost.seconds, cost.megabytes + 8e-6 * steps * module.input_size)


def _label(name: str) -> str:
    """A name from a file as a short label on charts, where a < would begin a tag."""
    plain = "".join(letter for letter in name if letter.isprintable() and letter not in "<>&")
    return plain if len(plain) <= LONGEST_LABEL else f"{plain[:LONGEST_LABEL]}…"


@cache
def sample() -> tuple[Weights, ...]:
    """The weights of the sample at its three moments, from assets/models."""
    files = [assets() / "models" / f"adding_{moment}.safetensors" for moment in MOMENTS]
    return tuple(read_weights(path.read_bytes(), path.name) for path in files)


def largest_input(run: Run) -> float:
    """The largest size of any number that a run read."""
    return float(np.abs(run.experiment.inputs).max())


def left_out(table: Table) -> str:
    """Which columns of a table are not read, and why; "" when all are."""
    if not table.left_out:
        return ""
    names = shown(", ".join(table.left_out), LONGEST_WORD)[1:-1]
    return f"left out, because not every row has a finite number there: {names}"


def _place(word: str, columns: tuple[str, ...]) -> int:
    """The place of a column, counted from 0, by its name or by its place counted from 1; -1 for neither."""
    if word in columns:
        return columns.index(word)
    return int(word) - 1 if word.isdecimal() and len(word) < 5 else -1


def reach(runs: tuple[Run, ...], s: int | None = None) -> str:
    """How far back the gradient of a loss at the last step reaches, in a sentence; "" for a loss at every step.

    Args:
        runs: of which it is said.
        s: the stream of a run that stands alone; the one that its verdict is about when None.

    >>> reach(OwnModel(length=50).sample_runs()[:1])
    'More than 1 % of the gradient at the loss reaches 6 of 49 steps back.'
    """
    if runs[0].config.loss == "every":
        return ""
    readings = [run.flow.verdict if s is None else run.flow.readings[s] for run in runs]
    whole = f"More than {HORIZON_FRACTION:.0%} of the gradient at the loss reaches".replace("%", " %")
    first, *others = [f"{reading.memory_horizon}" for reading in readings]
    first = f"{first} of {readings[0].steps} steps back"
    if not others:
        stream = readings[0].stream if len(runs[0].flow.streams) > 1 else ""
        return f"{stream[0].upper()}{stream[1:]}: m{whole[1:]} {first}." if stream else f"{whole} {first}."
    told = [f"{count} {run.label.lower()}" for count, run in zip([first, *others], runs, strict=True)]
    return f"{whole} {', '.join(told[:-1])} and {told[-1]}."
