"""The part of rnnviz that uses torch, which is imported only when one of its functions is called."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnviz.errors import RnnvizError, expect, one_of

if TYPE_CHECKING:
    import numpy as np

    from rnnviz.experiments.config import Config
    from rnnviz.experiments.training import Training
    from rnnviz.learning.training import Trainer


@dataclass(frozen=True)
class Verification:
    """How far rnnviz and torch autograd are apart on one run.

    Attributes:
        differences: {name of the array: largest relative difference}. A gradient over time is compared row by row, each
            against its own norm, so that a vanished row counts as much as a large one; a parameter's gradient and the
            outputs against their own largest norm.
        skipped: how many rows were left out because float64, and so autograd, cannot hold them.
    """

    differences: dict[str, float]
    skipped: int

    @property
    def largest(self) -> float:
        """The largest of all differences."""
        return max(self.differences.values())

    @property
    def sentence(self) -> str:
        """The same, for the screen."""
        beyond = ", where float64 holds the gradient" if self.skipped else ""
        return f"Checked against torch autograd: largest relative difference {self.largest:.0e}{beyond}."


def verify(config: "Config", *, inputs: "np.ndarray | None" = None) -> Verification:
    """Run a config through torch autograd, step by step, and compare every array with rnnviz's own.

    Args:
        config: what to run.
        inputs: as for `rnnviz.run`.

    Raises:
        RnnvizError: for inputs of a wrong shape, or a run that autograd would take too long for.

    >>> from rnnviz import Config, verify
    >>> verify(Config(cell="lstm", length=30)).largest < 1e-10
    True
    """
    try:
        from rnnviz.learning.verification import verify_against_autograd
    except ModuleNotFoundError as missing:
        raise _without("verify", missing) from None
    return verify_against_autograd(config, inputs)


def train(training: "Training | None" = None, **settings) -> "Trainer":
    """Train networks side by side with torch, one update at a time.

    Args:
        training: what is asked; None for the defaults.
        settings: fields of `Training` that take the place of its own.

    Returns:
        An iterator of `Step`, one for each update of each variant. Its `history` holds all that was found so far, also
        of a training that was left in the middle; its `stop()` ends it and gives back what torch held for it.

    Raises:
        RnnvizError: for a setting that is not allowed, a training over the budget, or a text or a series that is too
            short for its length.

    >>> trainer = train(task="adding", cells=("gru", "rnn"), length=10, updates=3, hidden_size=8)
    >>> [(step.learner, step.update) for step in trainer][:4]
    [('gru-uniform-norm', 1), ('gru-uniform-norm', 2), ('gru-uniform-norm', 3), ('rnn-uniform-norm', 1)]
    >>> [course.state for course in trainer.history.courses]
    ['finished', 'finished']
    """
    from rnnviz.experiments.training import Training

    expect("training", training, Training | None, "Training or None")
    for name in settings:
        one_of("settings", name, Training.__dataclass_fields__)
    asked = Training(**settings) if training is None else replace(training, **settings)
    try:
        from rnnviz.learning.training import Trainer
    except ModuleNotFoundError as missing:
        raise _without("train", missing) from None
    return Trainer(asked)


def _without(name: str, missing: ModuleNotFoundError) -> RnnvizError:
    return RnnvizError(f"{name}: must have {missing.name} at hand, got none; install it with pip.")
