"""The part of rnnviz that uses torch, which is imported only when one of its functions is called."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnviz.errors import RnnvizError

if TYPE_CHECKING:
    import numpy as np

    from rnnviz.experiments.config import Config


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
        raise RnnvizError(f"verify: must have {missing.name} at hand, got none; install it with pip.") from None
    return verify_against_autograd(config, inputs)
