"""One stream, backward through time: the walk that the total, the itemised and the truncated gradients share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnviz.core.cells import unlimited
from rnnviz.core.scaled import add, normalise
from rnnviz.core.signal import SignalClip
from rnnviz.core.unroll import Walk

Array = np.ndarray
LONGEST_STRIDE = 16
SAFE_EXPONENT = 900.0


class Arrival(NamedTuple):
    """A gradient that enters the hidden state at one row: from the loss itself or from the layer above."""

    signals: int | slice
    mantissa: Array
    exponent: Array


class Met(NamedTuple):
    """What the walk carries at one row.

    `adjoint` (..., B, N) with `exponent` (..., B, 1) is the adjoint of the state; `delta` (..., B, G·H), under the same
    exponent, is ∂L/∂(pre-activation) of the step that led to the state (None at row 0, where no step did).
    """

    row: int
    adjoint: Array
    exponent: Array
    delta: Array | None


@dataclass(frozen=True)
class Window:
    """Which of the stacked signals are alive at each row: `first[row]` up to, not including, `last[row]`."""

    first: Array
    last: Array

    def at(self, row: int) -> slice:
        """The living signals at a row."""
        return slice(int(self.first[row]), int(self.last[row]))


def walk_back(
    walk: Walk,
    slopes: Array,
    arrivals: Callable[[int], Arrival | None],
    window: Window | None = None,
    signal_clip: SignalClip | None = None,
    cut: Callable[[int], bool] = lambda row: False,
) -> Iterator[Met]:
    """Carry the adjoint of a stream's state from its last row to its first.

    Args:
        walk: the forward walk.
        slopes: `walk.slopes`.
        arrivals: the gradient that enters h at a row, or None.
        window: the stacked signals that are alive at each row, a range that only moves down; None for a single signal.
        signal_clip: what is done to the signal at each step.
        cut: rows over which nothing is carried further back.
    """
    stream, steps, batch = walk.stream, len(slopes), walk.states.shape[1]
    stride = 1 if signal_clip else safe_stride(stream.weight_hh, slopes)
    living = window.at(steps) if window else slice(0)
    shape = (living.stop - living.start, batch) if window else (batch,)
    adjoint, exponent = np.zeros((*shape, stream.state_size)), np.zeros((*shape, 1), dtype=np.int64)
    for row in range(steps, -1, -1):
        if row % stride == 0:
            adjoint, exponent = normalise(adjoint, exponent)
        if window and window.at(row) != living:
            adjoint, exponent = (_regroup(array, living, window.at(row)) for array in (adjoint, exponent))
            living = window.at(row)
        if arrival := arrivals(row):
            adjoint, exponent = _receive(adjoint, exponent, arrival)
        if signal_clip:
            adjoint = signal_clip.on_hidden(adjoint, exponent, stream.hidden_size)
        if row == 0:
            yield Met(row, adjoint, exponent, None)
            return
        limit = signal_clip.on_preactivation(exponent) if signal_clip else unlimited
        before, delta = stream.cell.vjp(stream, adjoint, slopes[row - 1], limit)
        yield Met(row, adjoint, exponent, delta)
        adjoint = np.zeros_like(before) if cut(row - 1) else before


def safe_stride(weight: Array, slopes: Array) -> int:
    """How many steps may pass between two rescalings without any signal leaving float64.

    One step multiplies a signal by at most two slopes and a row of the weights, and by no less than the smallest of
    them that is not zero. What those bounds allow without leaving 2**±900 needs no rescaling in between.
    """
    sizes, weights = np.abs(slopes), np.abs(weight)
    largest = (1.0 + sizes.max()) ** 2 * (1.0 + weights.sum(axis=0).max())
    smallest = _smallest(sizes) ** 2 * _smallest(weights)
    with np.errstate(divide="ignore"):
        per_step = max(np.log2(largest), -np.log2(smallest))
    return int(np.clip(SAFE_EXPONENT // per_step, 1, LONGEST_STRIDE)) if np.isfinite(per_step) else 1


def _smallest(sizes: Array) -> float:
    """The smallest that is not zero, at most 1."""
    return np.min(sizes, where=sizes > 0, initial=1.0)


def _regroup(rows: Array, old: slice, new: slice) -> Array:
    """Take over the signals that live on, and let new ones begin at zero, at the front."""
    living = np.zeros((new.stop - new.start, *rows.shape[1:]), dtype=rows.dtype)
    kept = slice(old.start, min(old.stop, new.stop))
    living[kept.start - new.start : kept.stop - new.start] = rows[: kept.stop - old.start]
    return living


def _receive(adjoint: Array, exponent: Array, arrival: Arrival) -> tuple[Array, Array]:
    """Add what arrives to the hidden part of the signals that it is for; nobody else holds `adjoint` yet."""
    into, exponent = arrival.signals, exponent.copy()
    total = add(adjoint[into], exponent[into], arrival.mantissa, arrival.exponent)
    adjoint[into], exponent[into] = normalise(*total)
    return adjoint, exponent
