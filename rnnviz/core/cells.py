"""Recurrent cells: one step forward, and its vector-Jacobian product backward.

A state is a tuple of parts, (h,) or (h, c). What the backward pass will need is kept in arrays (T, B, ·H): the
pre-activations first, which hold W_ih x_t and the input's biases when the step begins, then the gates' values and what
else there is. A cell is a few short functions and a row in `CELLS`:

    views(kept, rows) -> arrays
        The parts of the kept arrays that a step works on, (T, B, ...).
    step(stream, before, after, row)
        Fill in the state after a step from the state before it, and its row of the views; each part is (B, H).
    slopes(stream, states, kept) -> factors
        Every elementwise factor of the backward step, for many steps at once: parts of `states` (T+1, B, H) and `kept`
        (T, B, ·H) give arrays (T, B, ..., H).
    vjp(stream, adjoint, factors, before, delta, into, limit)
        Pull the adjoint of the state, parts (..., B, H), back over one step into `before`, and fill in `delta`
        (..., B, E·H), which holds ∂L/∂(pre-activation): see `input_delta` and `recurrent_delta` of `Cell`; `into` shows
        it block by block, (..., B, E, H). `limit` acts on it before anything flows on (Graves 2013, section 2.1). The
        leading axes stack independent signals: loss sources, or the rows of a unit matrix for a Jacobian.

The results are filled into rows of large arrays, because at this size making a small array takes longer than a
product of two. The formulas are torch.nn's, with the gate order i, f, g, o for the LSTM and r, z, n (reset after the
product) for the GRU.

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


def rnn_views(kept, rows):
    """Show a."""
    return kept


def rnn_step(stream, before, after, row):
    """h_t = φ(W_ih x_t + W_hh h_{t-1} + b)."""
    (a,) = row
    a += before[0].dot(stream.recurrent)
    stream.activation.function(a, after[0])


def rnn_slopes(stream, states, kept):
    """φ'(a)."""
    return (stream.activation.slope(kept[0]),)


def rnn_vjp(stream, adjoint, factors, before, delta, into, limit=None):
    """δ = φ'(a) ⊙ dh, then dh_{t-1} = W_hhᵀ δ."""
    np.multiply(adjoint[0], factors[0], delta)
    if limit:
        limit(delta)
    product(delta, stream.weight_hh, before[0])


def lstm_views(kept, rows):
    """Show a, the gates together, a^g, i, f, g, o."""
    a, gates = kept
    return a, gates, a[..., rows[2]], *(gates[..., block] for block in rows)


def lstm_step(stream, before, after, row):
    """c_t = f ⊙ c_{t-1} + i ⊙ g and h_t = o ⊙ tanh(c_t)."""
    (h, c), (h_new, c_new), (a, gates, a_g, i, f, g, o) = before, after, row
    a += h.dot(stream.recurrent)
    sigmoid(a, gates)
    np.tanh(a_g, g)
    np.multiply(f, c, c_new)
    c_new += i * g
    np.multiply(o, np.tanh(c_new), h_new)


def lstm_slopes(stream, states, kept):
    """[g σ'(a^i), c_{t-1} σ'(a^f), i tanh'(a^g), tanh(c) σ'(a^o)], o tanh'(c), and f."""
    c, (a, gate) = states[1], (blocks(array, stream.hidden_size) for array in kept)
    into = np.empty(a.shape)
    np.multiply(gate[..., 2, :], sigmoid_slope(a[..., 0, :]), into[..., 0, :])
    np.multiply(c[:-1], sigmoid_slope(a[..., 1, :]), into[..., 1, :])
    np.multiply(gate[..., 0, :], tanh_slope(a[..., 2, :]), into[..., 2, :])
    np.multiply(np.tanh(c[1:]), sigmoid_slope(a[..., 3, :]), into[..., 3, :])
    return into, gate[..., 3, :] * tanh_slope(c[1:]), gate[..., 1, :]


def lstm_cell_adjoint(adjoint, factors):
    """∂L/∂c_t = dc = ĉ + dh ⊙ o tanh'(c), its path through h_t included, as autograd defines it; (..., H)."""
    dc = adjoint[0] * factors[1]
    dc += adjoint[1]
    return dc


def lstm_vjp(stream, adjoint, factors, before, delta, into, limit=None):
    """Give δ from dc = ∂L/∂c_t and dh, then dh_{t-1} = W_hhᵀ δ and ĉ_{t-1} = dc ⊙ f."""
    dc = lstm_cell_adjoint(adjoint, factors)
    into[..., :3, :] = dc[..., None, :]
    into[..., 3, :] = adjoint[0]
    into *= factors[0]
    if limit:
        limit(delta)
    product(delta, stream.weight_hh, before[0])
    np.multiply(dc, factors[2], before[1])


def gru_views(kept, rows):
    """Show a^r and a^z together, a^n, both gates together, r, z, n, q."""
    (a, gates, q), both = kept, slice(rows[2].start)
    return a[..., both], a[..., rows[2]], gates[..., both], *(gates[..., block] for block in rows), q


def gru_step(stream, before, after, row):
    """h_t = (1 - z) ⊙ n + z ⊙ h_{t-1} with n = tanh(W_in x_t + b_in + r ⊙ q) and q = W_hn h_{t-1} + b_hn."""
    (h,), (new,), (a_rz, a_n, rz, r, z, n, q) = before, after, row
    recurrent = h.dot(stream.recurrent)
    a_rz += recurrent[:, : a_rz.shape[1]]
    sigmoid(a_rz, rz)
    np.add(recurrent[:, stream.rows[2]], stream.recurrent_bias, q)
    a_n += r * q
    np.tanh(a_n, n)
    np.subtract(h, n, new)
    new *= z
    new += n


def gru_slopes(stream, states, kept):
    """What dh is multiplied by on its way to [dh_{t-1}, δ^n, δ^z, δ^r, r ⊙ δ^n]; then q σ'(a^r) and r.

    The five are z, (1 - z) tanh'(a^n), (h_{t-1} - n) σ'(a^z), and the second times q σ'(a^r) and times r. 1 - z is
    taken as σ(-a^z), which does not cancel.
    """
    a, gate = (blocks(array, stream.hidden_size) for array in kept[:2])
    r, z, n = (gate[..., block, :] for block in range(3))
    into = np.empty((*a.shape[:-2], 5, a.shape[-1]))
    into[..., 0, :] = z
    np.multiply(sigmoid(-a[..., 1, :]), tanh_slope(a[..., 2, :]), into[..., 1, :])
    np.multiply(states[0][:-1] - n, sigmoid_slope(a[..., 1, :]), into[..., 2, :])
    reset = kept[2] * sigmoid_slope(a[..., 0, :])
    np.multiply(into[..., 1, :], reset, into[..., 3, :])
    np.multiply(into[..., 1, :], r, into[..., 4, :])
    return into, reset, r


def gru_vjp(stream, adjoint, factors, before, delta, into, limit=None):
    """Give [z ⊙ dh, δ^n, δ^z, δ^r, r ⊙ δ^n] from dh, then dh_{t-1} = dh ⊙ z + W_hhᵀ [δ^r; δ^z; r ⊙ δ^n].

    The last three meet the recurrent product, behind which the reset gate stands.
    """
    into[...] = adjoint[0][..., None, :]
    into *= factors[0]
    if limit:
        limit(into[..., 1, :])
        limit(into[..., 2, :])
        np.multiply(into[..., 1, :], factors[1], into[..., 3, :])
        np.multiply(into[..., 1, :], factors[2], into[..., 4, :])
        limit(into[..., 3, :])
    product(delta[..., 2 * stream.hidden_size :], stream.weight_back, before[0])
    before[0][...] += into[..., 0, :]


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its three functions (see the module) and what the tables and the screen need to know.

    Attributes:
        name: the word in a `Network` or a `Config`.
        label: the word on the screen.
        views: see the module, like `step`, `slopes` and `vjp`.
        step: see there.
        slopes: see there.
        vjp: see there.
        blocks: the roles of the G row blocks of the weights in torch's order; "candidate" is the block that every cell
            has, so that cells compared under one seed share its draw.
        gates: {name: activation} of the values that `step` keeps after the pre-activations, in torch's row order; empty
            for the RNN, whose one block is no gate.
        keep_gate: role of the block that holds the memory, or None.
        write_gate: role of the block that lets new input in, or None.
        keeps: how many blocks each array has that `step` keeps.
        delta_blocks: E, how many blocks `delta` has.
        recurrent_bias_blocks: how many of the last blocks keep b_hh apart, because a gate multiplies it.
        input_delta: for each block in torch's order, which block of `delta` the input product meets; None for the same.
        recurrent_delta: the same for the recurrent product.
        cell_adjoint: ∂L/∂c_t from the adjoint of a state (h, c), for a cell that has one.
    """

    name: str
    label: str
    views: Callable
    step: Callable
    slopes: Callable
    vjp: Callable
    blocks: tuple[str, ...]
    keeps: tuple[int, ...]
    delta_blocks: int
    gates: dict[str, str] = field(default_factory=dict)
    keep_gate: str | None = None
    write_gate: str | None = None
    recurrent_bias_blocks: int = 0
    input_delta: tuple[int, ...] | None = None
    recurrent_delta: tuple[int, ...] | None = None
    cell_adjoint: Callable | None = None

    @property
    def has_cell_state(self) -> bool:
        """The state is (h, c)."""
        return self.cell_adjoint is not None


CELLS = {
    cell.name: cell
    for cell in (
        Cell("rnn", "RNN", rnn_views, rnn_step, rnn_slopes, rnn_vjp, blocks=("candidate",), keeps=(1,), delta_blocks=1),
        Cell(
            "lstm",
            "LSTM",
            lstm_views,
            lstm_step,
            lstm_slopes,
            lstm_vjp,
            blocks=("input", "forget", "candidate", "output"),
            keeps=(4, 4),
            delta_blocks=4,
            gates={"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid"},
            keep_gate="forget",
            write_gate="input",
            cell_adjoint=lstm_cell_adjoint,
        ),
        Cell(
            "gru",
            "GRU",
            gru_views,
            gru_step,
            gru_slopes,
            gru_vjp,
            blocks=("reset", "update", "candidate"),
            keeps=(3, 3, 1),
            delta_blocks=5,
            gates={"r": "sigmoid", "z": "sigmoid", "n": "tanh"},
            keep_gate="update",
            recurrent_bias_blocks=1,
            input_delta=(3, 2, 1),
            recurrent_delta=(3, 2, 4),
        ),
    )
}
