"""Forward through time, every state kept."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.arrays import blocks, finite_array, product
from rnnviz.core.network import Network, Stream
from rnnviz.errors import ShapeError, shown


@dataclass(frozen=True)
class Walk:
    """What one stream met on its way, in its own order.

    Attributes:
        stream: who walked.
        inputs: (T, B, layer input size).
        states: (T+1, B, N), row 0 the initial state.
        kept: (T, B, M·H), what the cell's `step` kept.
    """

    stream: Stream
    inputs: np.ndarray
    states: np.ndarray
    kept: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """(T+1, B, H)."""
        return self.states[..., : self.stream.hidden_size]

    @property
    def cell(self) -> np.ndarray:
        """(T+1, B, H), the c of a state (h, c)."""
        return self.states[..., self.stream.hidden_size :]

    @property
    def slopes(self) -> np.ndarray:
        """(T, B, J, H): the elementwise factors of every backward step."""
        return self.stream.cell.slopes(self.stream, self.states, self.kept)

    @property
    def gates(self) -> dict[str, np.ndarray]:
        """{name: (T, B, H)}."""
        rows = blocks(self.kept, self.stream.hidden_size)
        return {
            name: activation(rows[..., block, :])
            for block, (name, activation) in enumerate(self.stream.cell.gates.items())
        }


@dataclass(frozen=True)
class Unrolled:
    """A network run over a sequence.

    Attributes:
        network: who ran.
        walks: one a stream, in the order of `network.streams`.
        output: (T, B, K·H), the top layer's hidden states, in time order.
    """

    network: Network
    walks: tuple[Walk, ...]
    output: np.ndarray


def unroll(network: Network, inputs: np.ndarray, initial_state=None) -> Unrolled:
    """Run a network over a sequence and keep every state.

    Args:
        network: what to run.
        inputs: (T, B, D).
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite.
    """
    inputs = _inputs(network, inputs)
    start = _initial_state(network, inputs.shape[1], initial_state)
    walks: list[Walk] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in range(network.layers):
            first = layer * network.directions
            here = [_walk(network.streams[s], inputs, start[s]) for s in range(first, first + network.directions)]
            inputs = np.concatenate([walk.stream.in_order(walk.hidden[1:]) for walk in here], axis=-1)
            walks += here
    return Unrolled(network, tuple(walks), inputs)


def _walk(stream: Stream, inputs: np.ndarray, start: np.ndarray) -> Walk:
    inputs = stream.in_order(inputs)
    drives = product(inputs, stream.weight_ih.T) + stream.input_bias
    step, state, states, kept = stream.cell.step, start, [start], []
    for drive in drives:
        state, keep = step(stream, drive, state)
        states.append(state)
        kept.append(keep)
    return Walk(stream, inputs, np.array(states), np.array(kept))


def _inputs(network: Network, inputs: np.ndarray) -> np.ndarray:
    inputs = finite_array("inputs", inputs)
    if inputs.ndim != 3 or 0 in inputs.shape or inputs.shape[2] != network.input_size:
        raise ShapeError(
            f"inputs: must have the shape (T, B, {network.input_size}) with at least one step T and one batch row B, "
            f"got {inputs.shape}."
        )
    return inputs


def _initial_state(network: Network, batch: int, initial_state) -> np.ndarray:
    """The start of every stream, (S, B, N)."""
    shape = (len(network.streams), batch, network.hidden_size)
    parts = ["h0", "c0"] if network.streams[0].cell.has_cell_state else ["h0"]
    if initial_state is None:
        return np.zeros((*shape[:2], len(parts) * shape[2]))
    given = initial_state if isinstance(initial_state, tuple) else (initial_state,)
    if len(given) != len(parts):
        raise ShapeError(
            f"initial_state: must be {'the pair (h0, c0)' if len(parts) > 1 else 'h0 alone'} for this cell, "
            f"got {shown(initial_state)}."
        )
    return np.concatenate([finite_array(name, value, shape) for name, value in zip(parts, given, strict=True)], axis=-1)
