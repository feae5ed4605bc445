"""Sequences of several lengths side by side, as a `PackedSequence` holds them, forward through time."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.network import Network, Stream
from rnnviz.core.unroll import Unrolled, Walk, state_parts, unroll


@dataclass(frozen=True)
class RaggedWalk(Walk):
    """A walk in which a sequence may end before the last row, or begin after the first one.

    Everything is zero beyond a sequence's ends: inputs, states, what was kept, and the slopes that a signal would need
    to cross them.

    Attributes:
        alive: (T, B), in the stream's own order: whether the sequence has this step.
    """

    alive: np.ndarray

    def slopes(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        """See `Walk`; zero where a sequence has no step."""
        alive, factors = self.alive[first:last], super().slopes(first, last)
        return tuple(
            np.where(alive.reshape(*alive.shape, *(1,) * (factor.ndim - 2)), factor, 0.0) for factor in factors
        )

    @property
    def lengths(self) -> np.ndarray:
        """See `Walk`."""
        return self.alive.sum(axis=0)

    @property
    def last_rows(self) -> np.ndarray:
        """See `Walk`."""
        return len(self.alive) - np.argmax(self.alive[::-1], axis=0)


def unroll_ragged(
    network: Network, inputs: np.ndarray, lengths: np.ndarray, initial_state=None, dropout: tuple[np.ndarray, ...] = ()
) -> Unrolled:
    """What `unroll` does, for sequences of several lengths: those of one length run together.

    Args:
        network: what to run.
        inputs: (T, B, D), T being the longest length; what stands beyond a sequence's end is not looked at.
        lengths: (B,), each at least 1.
        initial_state: as for `unroll`.
        dropout: as for `unroll`.
    """
    if (lengths == len(inputs)).all():
        return unroll(network, inputs, initial_state, dropout)
    start = None if initial_state is None else state_parts(network, len(lengths), initial_state)
    merged: list[RaggedWalk] = []
    output = np.zeros((*inputs.shape[:2], network.directions * network.hidden_size))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        given = None if start is None else tuple(part[:, rows] for part in start)
        group = unroll(network, inputs[:length, rows], given, tuple(part[:length, rows] for part in dropout))
        merged = merged or [_empty(walk, len(inputs), lengths) for walk in group.walks]
        output[:length, rows] = group.output
        for whole, part in zip(merged, group.walks, strict=True):
            _place(whole, part, rows)
    return Unrolled(network, tuple(merged), output, dropout)


def _empty(walk: Walk, steps: int, lengths: np.ndarray) -> RaggedWalk:
    def zeros(array: np.ndarray, rows: int) -> np.ndarray:
        return np.zeros((rows, len(lengths), array.shape[-1]))

    return RaggedWalk(
        walk.stream,
        zeros(walk.inputs, steps),
        tuple(zeros(part, steps + 1) for part in walk.states),
        tuple(zeros(part, steps) for part in walk.kept),
        walk.stream.in_order(np.arange(steps)[:, None] < lengths),
    )


def _place(whole: RaggedWalk, part: Walk, rows: np.ndarray) -> None:
    """Put the sequences of one length where they belong: a reverse stream walks them at its end."""
    steps = len(part.inputs)
    first = _first_row(part.stream, len(whole.inputs), steps)
    whole.inputs[first : first + steps, rows] = part.inputs
    for into, array in zip((*whole.states, *whole.kept), (*part.states, *part.kept), strict=True):
        into[first : first + len(array), rows] = array


def _first_row(stream: Stream, longest: int, steps: int) -> int:
    return longest - steps if stream.reverse else 0
