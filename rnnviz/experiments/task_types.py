"""What a task is, what it becomes for one training, and the two ways to score it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rnnviz.experiments.training import Training

NOTHING = -100  # torch's own `ignore_index`


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences and what shall be said of them.

    Attributes:
        inputs: (T, B, D) float32.
        targets: (B,) for a task whose loss stands at the last step, (T, B) for one with a loss at every step; float32
            to be met (mean squared error), int64 classes (cross entropy), of which NOTHING means no loss there.
    """

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True, eq=False)
class Legend:
    """What the numbers of a sequence mean to somebody who looks at it.

    Attributes:
        symbols: (D) what each one-hot place of the inputs stands for; empty where the inputs are numbers.
        answers: (K) what each class stands for; empty where the answer is a number.
        ahead: how many steps after the last one the answer would stand in the sequence; 0 for what is no part of it.
        marked: (T, D) inputs of a sequence -> (T,) whether each step must be remembered; None for the last `lag` steps
            and the present one.
    """

    symbols: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    ahead: int = 0
    marked: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """A task made ready for one `Training`.

    Attributes:
        task: which.
        steps: T of a sequence.
        input_size: D.
        output_size: 1 for a number, K for K classes.
        lag: how many steps lie between what must be remembered and the last step, at most.
        lag_text: the same in a sentence.
        chance: the loss of whoever has understood nothing.
        chance_text: what that is, in a sentence.
        goal: the score at which the task counts as solved.
        draw: (generator, B) -> Batch, for training.
        held_out: a batch to be tried on, drawn or cut out apart from what is learnt from.
        legend: what its numbers mean to a reader.
        held_out_text: how far the held-out data are apart from what is learnt from, in a sentence or two.
    """

    task: "Task"
    steps: int
    input_size: int
    output_size: int
    lag: int
    lag_text: str
    chance: float
    chance_text: str
    goal: float
    draw: Callable[[np.random.Generator, int], Batch]
    held_out: Batch
    legend: Legend = Legend()
    held_out_text: str = ""

    def remembered(self, inputs: np.ndarray) -> np.ndarray:
        """The steps of one sequence, (T, D), that must be remembered: counted from 0, rising."""
        if self.legend.marked is None:
            return np.arange(self.steps - 1 - self.lag, self.steps)
        return np.flatnonzero(self.legend.marked(inputs))

    def due(self, inputs: np.ndarray) -> np.ndarray:
        """For each step of one sequence that must be remembered, the step at which it is asked for, from 0."""
        remembered, last = self.remembered(inputs), self.steps - 1
        return np.minimum(remembered + self.lag, last) if self.task.every else np.full_like(remembered, last)

    def is_solved(self, score: float) -> bool:
        """Whether a score on held-out data reaches the goal."""
        return score >= self.goal if self.task.higher else score <= self.goal


@dataclass(frozen=True)
class Task:
    """Something to learn.

    Attributes:
        name: the word in a `Training`.
        label: the words on the screen.
        help: what it asks and when it is solved, in a few sentences.
        source: author and year of its definition.
        every: a loss at every step, not at the last alone.
        measure: what the score is, such as "share of right answers".
        higher: a higher score is better.
        score: (outputs, targets) -> score; outputs (B, K) or (T, B, K) float.
        prepare: Training -> Material.
    """

    name: str
    label: str
    help: str
    source: str
    every: bool
    measure: str
    higher: bool
    score: Callable[[np.ndarray, np.ndarray], float]
    prepare: Callable[["Training"], Material]


def ready(task: Task, draw: Callable, held_out: Batch, **rest: Any) -> Material:
    """A material with the sizes of its held-out batch; `rest` as in `Material`."""
    steps, _, input_size = held_out.inputs.shape
    return Material(task, steps, input_size, draw=draw, held_out=held_out, **rest)


def in_steps(count: int) -> str:
    """A number of steps in words."""
    return "1 step" if count == 1 else f"{count} steps"


def one_hot(categories: np.ndarray, count: int) -> np.ndarray:
    """Categories of any shape as float32 with one axis more, of length `count`."""
    return np.eye(count, dtype=np.float32)[categories]


def typical_error(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Root of the mean squared error of numbers."""
    return float(np.sqrt(np.mean((outputs[..., 0].astype(float) - targets) ** 2)))


def share_right(outputs: np.ndarray, targets: np.ndarray) -> float:
    """The share of answers with the largest output at the right class."""
    asked = targets != NOTHING
    return float(np.mean(outputs.argmax(axis=-1)[asked] == targets[asked]))
