"""The gradient that enters a stream's hidden state on the way back: from the loss itself, or from the layer above."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from rnnviz.core.scaled import Scaled

Array = np.ndarray


class Arrivals(Protocol):
    """The gradient that enters the hidden state on the way: from the loss itself, or from the layer above."""

    def at(self, row: int, signals: slice) -> Scaled | None:
        """What is added to all signals at a row: (..., B, H) to h, or (..., B, N) to all parts of the state."""

    def until(self, row: int) -> int:
        """The next row further back at which `at` adds something."""

    def begin(self, row: int, signals: slice) -> tuple[int, Scaled] | None:
        """The signal that begins at a row, by its place among the living, and its start (B, H)."""


@dataclass(frozen=True)
class FromAbove:
    """Gradient (T, B, H) for the one signal, or (T, n, B, H) for every stacked signal, at any number of steps.

    Where it enters the whole state, N takes the place of H.
    """

    gradient: Scaled

    @cached_property
    def rows(self) -> Array:
        """The rows at which something arrives, ascending, after row 0 where nothing does."""
        return np.append(0, self.gradient.present + 1)

    def at(self, row: int, signals: slice) -> Scaled | None:
        """See `Arrivals`."""
        if self.until(row + 1) != row:
            return None
        return self.gradient[row - 1] if self.gradient.mantissa.ndim == 3 else self.gradient[row - 1, signals]

    def until(self, row: int) -> int:
        """See `Arrivals`."""
        return int(self.rows[np.searchsorted(self.rows, row) - 1])

    def begin(self, row: int, signals: slice) -> None:
        """See `Arrivals`."""


@dataclass(frozen=True)
class OwnLosses:
    """One gradient (B, H) for each stacked signal, at the step at which it begins: `places` by step, rows (T, B, H)."""

    gradient: Scaled
    places: dict[int, int]

    def at(self, row: int, signals: slice) -> None:
        """See `Arrivals`."""

    def until(self, row: int) -> int:
        """See `Arrivals`."""
        return 0

    def begin(self, row: int, signals: slice) -> tuple[int, Scaled] | None:
        """See `Arrivals`."""
        place = self.places.get(row)
        return None if place is None else (place - signals.start, self.gradient[row - 1])
