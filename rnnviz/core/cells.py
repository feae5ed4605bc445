"""Recurrent cells: one step forward, and its vector-Jacobian product backward.

A cell is three short functions and a row in `CELLS`:

    step(stream, drive, state) -> (state, kept)
        `drive` (B, G·H) is W_ih x_t with the input's biases, `state` (B, N) the state before the step. `kept` is what
        the backward pass will want, (B, M·H): the pre-activations, and for the GRU also q.
    slopes(stream, states, kept) -> (T, B, J, H)
        Every elementwise factor of the backward step, for all steps at once: `states` (T+1, B, N), `kept` (T, B, M·H).
    vjp(stream, adjoint, slope, limit) -> (adjoint, delta)
        Pull the adjoint of the state, (..., B, N), back over one step, with `slope` (B, J, H). `delta` (..., B, G·H) is
        ∂L/∂(pre-activation), on which `limit` acts before anything flows on (Graves 2013, section 2.1).
        The leading axes stack independent signals: loss sources, or the rows of a unit matrix for a Jacobian.

The formulas are torch.nn's: gate order i, f, g, o for the LSTM and r, z, n (reset after the product) for the GRU.

Sources: Elman (1990); Hochreiter and Schmidhuber (1997) with the forget gate of Gers, Schmidhuber and Cummins (2000);
Cho et al. (2014).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rnnviz.core.activations import sigmoid, sigmoid_slope, tanh_slope
from rnnviz.core.arrays import blocks, product

Array = np.ndarray
Limit = Callable[[Array], Array]


def unlimited(delta: Array) -> Array:
    """No signal clipping."""
    return delta


def rnn_step(stream, drive, state):
    """h_t = φ(W_ih x_t + W_hh h_{t-1} + b)."""
    a = drive + state @ stream.weight_hh.T
    return stream.activation.function(a), a


def rnn_slopes(stream, states, kept):
    """φ'(a)."""
    return stream.activation.slope(kept)[..., None, :]


def rnn_vjp(stream, adjoint, slope, limit=unlimited):
    """δ = φ'(a) ⊙ dh, then dh_{t-1} = W_hhᵀ δ."""
    delta = limit(adjoint * slope[..., 0, :])
    return product(delta, stream.weight_hh), delta


def lstm_step(stream, drive, state):
    """c_t = f ⊙ c_{t-1} + i ⊙ g and h_t = o ⊙ tanh(c_t)."""
    size = stream.hidden_size
    a = drive + state[:, :size] @ stream.weight_hh.T
    gate = sigmoid(a)
    i, f, o = gate[:, :size], gate[:, size : 2 * size], gate[:, 3 * size :]
    new = np.empty_like(state)
    c = new[:, size:]
    np.multiply(f, state[:, size:], out=c)
    c += i * np.tanh(a[:, 2 * size : 3 * size])
    np.multiply(o, np.tanh(c), out=new[:, :size])
    return new, a


def lstm_slopes(stream, states, kept):
    """[g σ'(a^i), c_{t-1} σ'(a^f), i tanh'(a^g), tanh(c) σ'(a^o), o tanh'(c), f]."""
    cell = states[..., stream.hidden_size :]
    a = np.moveaxis(blocks(kept, stream.hidden_size), -2, 0)
    slope = np.empty((*kept.shape[:-1], 6, stream.hidden_size))
    slope[..., 0, :] = np.tanh(a[2]) * sigmoid_slope(a[0])
    slope[..., 1, :] = cell[:-1] * sigmoid_slope(a[1])
    slope[..., 2, :] = sigmoid(a[0]) * tanh_slope(a[2])
    slope[..., 3, :] = np.tanh(cell[1:]) * sigmoid_slope(a[3])
    slope[..., 4, :] = sigmoid(a[3]) * tanh_slope(cell[1:])
    slope[..., 5, :] = sigmoid(a[1])
    return slope


def lstm_cell_adjoint(adjoint, slope):
    """∂L/∂c_t = ĉ + dh ⊙ o tanh'(c), its path through h_t included, as autograd defines it; (..., H)."""
    size = slope.shape[-1]
    return adjoint[..., size:] + adjoint[..., :size] * slope[..., 4, :]


def lstm_vjp(stream, adjoint, slope, limit=unlimited):
    """Give δ from dc = ∂L/∂c_t and dh, then dh_{t-1} = W_hhᵀ δ and ĉ_{t-1} = dc ⊙ f."""
    size = stream.hidden_size
    into_h, into_c = adjoint[..., :size], lstm_cell_adjoint(adjoint, slope)
    delta = np.empty((*into_h.shape[:-1], 4, size))
    np.multiply(slope[..., :3, :], into_c[..., None, :], out=delta[..., :3, :])
    np.multiply(slope[..., 3, :], into_h, out=delta[..., 3, :])
    delta = limit(delta.reshape(*into_h.shape[:-1], 4 * size))
    before = np.empty(adjoint.shape)
    before[..., :size] = product(delta, stream.weight_hh)
    np.multiply(into_c, slope[..., 5, :], out=before[..., size:])
    return before, delta


def gru_step(stream, drive, state):
    """h_t = (1 - z) ⊙ n + z ⊙ h_{t-1} with n = tanh(W_in x_t + b_in + r ⊙ q) and q = W_hn h_{t-1} + b_hn."""
    size = stream.hidden_size
    kept = np.empty((len(state), 4 * size))
    recurrent = state @ stream.weight_hh.T
    a = np.add(drive[:, : 2 * size], recurrent[:, : 2 * size], out=kept[:, : 2 * size])
    q = np.add(recurrent[:, 2 * size :], stream.recurrent_bias, out=kept[:, 3 * size :])
    gate = sigmoid(a)
    n = np.tanh(np.add(drive[:, 2 * size :], gate[:, :size] * q, out=kept[:, 2 * size : 3 * size]))
    return n + gate[:, size:] * (state - n), kept


def gru_slopes(stream, states, kept):
    """[q σ'(a^r), (h_{t-1} - n) σ'(a^z), (1 - z) tanh'(a^n), r, z], with 1 - z as σ(-a^z): it does not cancel."""
    r, z, n, q = np.moveaxis(blocks(kept, stream.hidden_size), -2, 0)
    slope = np.empty((*kept.shape[:-1], 5, stream.hidden_size))
    slope[..., 0, :] = q * sigmoid_slope(r)
    slope[..., 1, :] = (states[:-1] - np.tanh(n)) * sigmoid_slope(z)
    slope[..., 2, :] = sigmoid(-z) * tanh_slope(n)
    slope[..., 3, :] = sigmoid(r)
    slope[..., 4, :] = sigmoid(z)
    return slope


def gru_vjp(stream, adjoint, slope, limit=unlimited):
    """δ^n and δ^z from dh, δ^r from δ^n; then dh_{t-1} = dh ⊙ z + W_hhᵀ [δ^r; δ^z; r ⊙ δ^n]."""
    update = limit(adjoint * slope[..., 1, :])
    candidate = limit(adjoint * slope[..., 2, :])
    reset = limit(candidate * slope[..., 0, :])
    recurrent = np.concatenate((reset, update, candidate * slope[..., 3, :]), axis=-1)
    before = product(recurrent, stream.weight_hh)
    before += adjoint * slope[..., 4, :]
    return before, np.concatenate((reset, update, candidate), axis=-1)


def same_delta(stream, delta, kept):
    """The recurrent product meets the same δ as the input product."""
    return delta


def gru_recurrent_delta(stream, delta, kept):
    """[δ^r; δ^z; r ⊙ δ^n]: the reset gate stands between q and the pre-activation."""
    scaled = blocks(delta, stream.hidden_size).copy()
    scaled[..., 2, :] *= sigmoid(blocks(kept, stream.hidden_size)[..., 0, :])
    return scaled.reshape(delta.shape)


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its three functions (see the module) and what the tables and the screen need to know.

    Attributes:
        name: the word in a `Network` or a `Config`.
        label: the word on the screen.
        step, slopes, vjp: as the module describes.
        gates: {gate name: its activation} in torch's row order; empty for the RNN, whose one block is no gate.
        blocks: the roles of the G row blocks of the weights in torch's order; "candidate" is the block that every cell
            has, so that cells compared under one seed share its draw.
        keep_gate, write_gate: roles of the blocks that hold the memory and that let new input in, or None.
        recurrent_bias_blocks: how many of the last blocks keep b_hh apart, because a gate multiplies it.
        recurrent_delta: ∂L/∂(W_hh h_{t-1} + b_hh) from ∂L/∂(pre-activation).
        cell_adjoint: ∂L/∂c_t from the adjoint of the state (h, c), for a cell that has one.
    """

    name: str
    label: str
    step: Callable
    slopes: Callable
    vjp: Callable
    blocks: tuple[str, ...]
    gates: dict[str, Callable[[Array], Array]] = field(default_factory=dict)
    keep_gate: str | None = None
    write_gate: str | None = None
    recurrent_bias_blocks: int = 0
    recurrent_delta: Callable = same_delta
    cell_adjoint: Callable | None = None

    @property
    def has_cell_state(self) -> bool:
        """The state is (h, c)."""
        return self.cell_adjoint is not None


CELLS = {
    cell.name: cell
    for cell in (
        Cell("rnn", "RNN", rnn_step, rnn_slopes, rnn_vjp, blocks=("candidate",)),
        Cell(
            "lstm",
            "LSTM",
            lstm_step,
            lstm_slopes,
            lstm_vjp,
            blocks=("input", "forget", "candidate", "output"),
            gates={"i": sigmoid, "f": sigmoid, "g": np.tanh, "o": sigmoid},
            keep_gate="forget",
            write_gate="input",
            cell_adjoint=lstm_cell_adjoint,
        ),
        Cell(
            "gru",
            "GRU",
            gru_step,
            gru_slopes,
            gru_vjp,
            blocks=("reset", "update", "candidate"),
            gates={"r": sigmoid, "z": sigmoid, "n": np.tanh},
            keep_gate="update",
            recurrent_bias_blocks=1,
            recurrent_delta=gru_recurrent_delta,
        ),
    )
}
