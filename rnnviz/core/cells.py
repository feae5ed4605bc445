"""Recurrent cells: forward through time, and the vector-Jacobian product of every step backward.

A state is a tuple of parts, (h,) or (h, c). A cell is three short functions and a row in `CELLS`:

    forward(stream, states, kept)
        Fill in the states (T+1, B, H) after row 0, step by step, and what the backward pass will need, arrays
        (T, B, ·H): the pre-activations first, which hold W_ih x_t and the input's biases at the beginning, then the
        gates' values and what else there is.
    slopes(stream, states, kept) -> factors
        Every elementwise factor of the backward steps, for many steps at once: arrays (T, B, ..., H).
    backward(stream, adjoint, factors, delta, limit, meetings)
        Pull the adjoint of the state back over some steps, from the last row of the parts of `adjoint`
        (n+1, ..., B, H) to their first, and fill in `delta` (n, ..., B, E·H), which holds ∂L/∂(pre-activation): see
        `input_delta` and `recurrent_delta` of `Cell`. `limit` acts on a step's delta before anything flows on (Graves
        2013, section 2.1). Before each step the next of `meetings` is asked for: that is where new signals begin. The
        leading axes stack independent signals: loss sources, or the rows of a unit matrix for a Jacobian.

The loop over time stands inside, and every result is filled into a row of a large array, because at this size calling a
function, or making a small array, takes as long as a product of two. The formulas are torch.nn's, with the gate order
i, f, g, o for the LSTM and r, z, n (reset after the product) for the GRU.

Sources: Elman (1990); Hochreiter and Schmidhuber (1997) with the forget gate of Gers, Schmidhuber and Cummins (2000);
Cho et al. (2014).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rnnviz.core.activations import sigmoid, sigmoid_slope, tanh_slope
from rnnviz.core.arrays import blocks, product_for

Array = np.ndarray
Limit = Callable[[Array], Array]


def rnn_forward(stream, states, kept):
    """h_t = φ(W_ih x_t + W_hh h_{t-1} + b)."""
    (h,), (a,) = states, kept
    function, recurrent = stream.activation.function, stream.recurrent
    for before, a_t, after in zip(h[:-1], a, h[1:], strict=True):
        a_t += before.dot(recurrent)
        function(a_t, after)


def rnn_slopes(stream, states, kept):
    """φ'(a)."""
    return (stream.activation.slope(kept[0]),)


def rnn_backward(stream, adjoint, factors, delta, limit, meetings):
    """δ = φ'(a) ⊙ dh, then dh_{t-1} = W_hhᵀ δ."""
    (dh,), (slope,), weight, times = adjoint, factors, stream.weight_hh, product_for(delta)
    for dh_t, slope_t, delta_t, dh_before in zip(dh[:0:-1], slope[::-1], delta[::-1], dh[-2::-1], strict=True):
        next(meetings)
        np.multiply(dh_t, slope_t, delta_t)
        if limit:
            limit(delta_t)
        times(delta_t, weight, dh_before)


def lstm_forward(stream, states, kept):
    """c_t = f ⊙ c_{t-1} + i ⊙ g and h_t = o ⊙ tanh(c_t)."""
    (h, c), (a, gates), recurrent = states, kept, stream.recurrent
    i, f, g, o = (gates[..., block] for block in stream.rows)
    rows = zip(h[:-1], c[:-1], a, a[..., stream.rows[2]], gates, i, f, g, o, h[1:], c[1:], strict=True)
    for h_before, c_before, a_t, a_g, gates_t, i_t, f_t, g_t, o_t, h_t, c_t in rows:
        a_t += h_before.dot(recurrent)
        sigmoid(a_t, gates_t)
        np.tanh(a_g, g_t)
        np.multiply(f_t, c_before, c_t)
        c_t += i_t * g_t
        np.multiply(o_t, np.tanh(c_t), h_t)


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
    return adjoint[1] + adjoint[0] * factors[1]


def lstm_backward(stream, adjoint, factors, delta, limit, meetings):
    """Give δ from dc = ∂L/∂c_t and dh, then dh_{t-1} = W_hhᵀ δ and ĉ_{t-1} = dc ⊙ f."""
    (dh, dc), weight, times = adjoint, stream.weight_hh, product_for(delta)
    into = blocks(delta, stream.hidden_size)
    through = (factor[::-1] for factor in factors)
    filled = (array[::-1] for array in (delta, into, into[..., :3, :], into[..., 3, :]))
    rows = zip(dh[:0:-1], dc[:0:-1], *through, *filled, dh[-2::-1], dc[-2::-1], strict=True)
    for dh_t, c_hat, slope, e, f, delta_t, into_t, into_ifg, into_o, dh_before, dc_before in rows:
        next(meetings)
        dc_t = dh_t * e
        dc_t += c_hat
        into_ifg[...] = dc_t[..., None, :]
        into_o[...] = dh_t
        into_t *= slope
        if limit:
            limit(delta_t)
        times(delta_t, weight, dh_before)
        np.multiply(dc_t, f, dc_before)


def gru_forward(stream, states, kept):
    """h_t = (1 - z) ⊙ n + z ⊙ h_{t-1} with n = tanh(W_in x_t + b_in + r ⊙ q) and q = W_hn h_{t-1} + b_hn."""
    (h,), (a, gates, q), last = states, kept, stream.rows[2]
    both, recurrent, bias = slice(last.start), stream.recurrent, stream.recurrent_bias
    r, z, n = (gates[..., block] for block in stream.rows)
    rows = zip(h[:-1], a[..., both], a[..., last], gates[..., both], r, z, n, q, h[1:], strict=True)
    for before, a_rz, a_n, rz, r_t, z_t, n_t, q_t, after in rows:
        product = before.dot(recurrent)
        a_rz += product[:, both]
        sigmoid(a_rz, rz)
        np.add(product[:, last], bias, q_t)
        a_n += r_t * q_t
        np.tanh(a_n, n_t)
        np.subtract(before, n_t, after)
        after *= z_t
        after += n_t


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


def gru_backward(stream, adjoint, factors, delta, limit, meetings):
    """Give [z ⊙ dh, δ^n, δ^z, δ^r, r ⊙ δ^n] from dh, then dh_{t-1} = dh ⊙ z + W_hhᵀ [δ^r; δ^z; r ⊙ δ^n].

    The last three meet the recurrent product, behind which the reset gate stands.
    """
    (dh,), weight, times = adjoint, stream.weight_back, product_for(delta)
    into, recurrent = blocks(delta, stream.hidden_size), delta[..., 2 * stream.hidden_size :]
    through = (factor[::-1] for factor in factors)
    filled = (array[::-1] for array in (into, into[..., 0, :], recurrent))
    rows = zip(dh[:0:-1], *through, *filled, dh[-2::-1], strict=True)
    for dh_t, slope, reset, r, into_t, direct, recurrent_t, dh_before in rows:
        next(meetings)
        into_t[...] = dh_t[..., None, :]
        into_t *= slope
        if limit:
            _limit_gru(into_t, reset, r, limit)
        times(recurrent_t, weight, dh_before)
        dh_before += direct


def _limit_gru(into, reset, r, limit):
    """Limit δ^n and δ^z, and after them δ^r, which comes from δ^n."""
    limit(into[..., 1, :])
    limit(into[..., 2, :])
    np.multiply(into[..., 1, :], reset, into[..., 3, :])
    np.multiply(into[..., 1, :], r, into[..., 4, :])
    limit(into[..., 3, :])


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its three functions (see the module) and what the tables and the screen need to know.

    Attributes:
        name: the word in a `Network` or a `Config`.
        label: the word on the screen.
        forward: see the module, like `slopes` and `backward`.
        slopes: see there.
        backward: see there.
        blocks: the roles of the G row blocks of the weights in torch's order; "candidate" is the block that every cell
            has, so that cells compared under one seed share its draw.
        gates: {name: activation} of the values that `forward` keeps after the pre-activations, in torch's row order;
            empty for the RNN, whose one block is no gate.
        keep_gate: role of the block that holds the memory, or None.
        write_gate: role of the block that lets new input in, or None.
        keeps: how many blocks each array has that `forward` keeps.
        delta_blocks: E, how many blocks `delta` has.
        recurrent_bias_blocks: how many of the last blocks keep b_hh apart, because a gate multiplies it.
        input_delta: for each block in torch's order, which block of `delta` the input product meets; None for the same.
        recurrent_delta: the same for the recurrent product.
        cell_adjoint: ∂L/∂c_t from the adjoint of a state (h, c), for a cell that has one.
    """

    name: str
    label: str
    forward: Callable
    slopes: Callable
    backward: Callable
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
        Cell("rnn", "RNN", rnn_forward, rnn_slopes, rnn_backward, blocks=("candidate",), keeps=(1,), delta_blocks=1),
        Cell(
            "lstm",
            "LSTM",
            lstm_forward,
            lstm_slopes,
            lstm_backward,
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
            gru_forward,
            gru_slopes,
            gru_backward,
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
