"""Forward through time, every state kept."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.arrays import blocks, finite_array, keep_freed_memory, product
from rnnviz.core.network import Network, Stream
from rnnviz.errors import ShapeError, expect, shown

keep_freed_memory()


@dataclass(frozen=True)
class Walk:
    """What one stream met on its way, in its own order.

    Attributes:
        stream: who walked.
        inputs: (T, B, layer input size).
        states: (h,) or (h, c), each (T+1, B, H), row 0 the initial state.
        kept: what the cell's `forward` kept, each (T, B, ·): the pre-activations first, then the gates' values.
    """

    stream: Stream
    inputs: np.ndarray
    states: tuple[np.ndarray, ...]
    kept: tuple[np.ndarray, ...]

    def slopes(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        """The elementwise factors of the backward steps first+1 to last, arrays (last - first, B, ..., H)."""
        states = tuple(part[first : last + 1] for part in self.states)
        return self.stream.cell.slopes(self.stream, states, tuple(part[first:last] for part in self.kept))

    @property
    def lengths(self) -> np.ndarray:
        """(B,) how many steps each sequence has."""
        return np.full(self.inputs.shape[1], len(self.inputs))

    @property
    def last_rows(self) -> np.ndarray:
        """(B,) the row of each sequence's final state."""
        return self.lengths

    @property
    def saturated(self) -> np.ndarray:
        """(T, B): whether the step has an activation so far out that float64 cannot hold its slope."""
        size = self.stream.hidden_size
        names = list(self.stream.cell.gates.values()) or [self.stream.activation.name]
        limits = np.array([ACTIVATIONS[name].saturation for name in names])
        beyond = (np.abs(blocks(self.kept[0], size)) > limits[:, None]).any(axis=(-2, -1))
        if self.stream.cell.has_cell_state:
            beyond |= (np.abs(self.states[1][1:]) > ACTIVATIONS["tanh"].saturation).any(axis=-1)
        return beyond

    @cached_property
    def gates(self) -> dict[str, np.ndarray]:
        """{name: (T, B, H)}."""
        names = self.stream.cell.gates
        return {name: self.kept[1][..., rows] for name, rows in zip(names, self.stream.rows, strict=False)}


@dataclass(frozen=True)
class Unrolled:
    """A network run over a sequence.

    Attributes:
        network: who ran.
        walks: one a stream, in the order of `network.streams`.
        output: (T, B, K·H), the top layer's hidden states, in time order.
        dropout: what each layer's output was multiplied by on its way to the layer above, (T, B, K·H) for every layer
            but the top one; () for nothing.
    """

    network: Network
    walks: tuple[Walk, ...]
    output: np.ndarray
    dropout: tuple[np.ndarray, ...] = ()


def unroll(network: Network, inputs: np.ndarray, initial_state=None, dropout: tuple[np.ndarray, ...] = ()) -> Unrolled:
    """Run a network over a sequence and keep every state.

    Args:
        network: what to run.
        inputs: (T, B, D).
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.
        dropout: see `Unrolled`.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite.
    """
    expect("network", network, Network, "Network")
    inputs = _inputs(network, inputs)
    start = _initial_state(network, inputs.shape[1], initial_state)
    walks: list[Walk] = []
    with np.errstate(all="ignore"):
        for layer in range(network.layers):
            first = layer * network.directions
            if layer and dropout:
                inputs = inputs * dropout[layer - 1]
            here = [
                _walk(network.streams[s], inputs, tuple(part[s] for part in start))
                for s in range(first, first + network.directions)
            ]
            inputs = np.concatenate([walk.stream.in_order(walk.states[0][1:]) for walk in here], axis=-1)
            walks += here
    return Unrolled(network, tuple(walks), inputs, dropout)


def _walk(stream: Stream, inputs: np.ndarray, start: tuple[np.ndarray, ...]) -> Walk:
    inputs = stream.in_order(inputs)
    steps, batch, size = len(inputs), inputs.shape[1], stream.hidden_size
    states = tuple(np.empty((steps + 1, batch, size)) for _ in start)
    for part, first in zip(states, start, strict=True):
        part[0] = first
    kept = tuple(np.empty((steps, batch, count * size)) for count in stream.cell.keeps)
    np.add(product(inputs, stream.weight_ih.T), stream.input_bias, kept[0])
    stream.cell.forward(stream, states, kept)
    return Walk(stream, inputs, states, kept)


def _inputs(network: Network, inputs: np.ndarray) -> np.ndarray:
    inputs = finite_array("inputs", inputs)
    if inputs.ndim != 3 or 0 in inputs.shape or inputs.shape[2] != network.input_size:
        raise ShapeError(
            f"inputs: must have the shape (T, B, {network.input_size}) with at least one step T and one batch row B, "
            f"got {inputs.shape}."
        )
    return inputs


def _initial_state(network: Network, batch: int, initial_state) -> tuple[np.ndarray, ...]:
    """The parts of the initial state, (h0,) or (h0, c0), each (S, B, H)."""
    if initial_state is None:
        return (np.zeros((len(network.streams), batch, network.hidden_size)),) * network.streams[0].parts
    return state_parts(network, batch, initial_state)


def state_parts(network: Network, batch: int, initial_state) -> tuple[np.ndarray, ...]:
    """The parts of an initial state that was given, checked: (h0,) or (h0, c0), each (S, B, H)."""
    shape, count = (len(network.streams), batch, network.hidden_size), network.streams[0].parts
    given = initial_state if isinstance(initial_state, tuple) else (initial_state,)
    if len(given) != count:
        raise ShapeError(
            f"initial_state: must be {'the pair (h0, c0)' if count > 1 else 'h0 alone'} for this cell, "
            f"got {shown(initial_state)}."
        )
    return tuple(finite_array(name, value, shape) for name, value in zip(("h0", "c0"), given, strict=False))
