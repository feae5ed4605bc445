"""Many networks of one shape at once, one batch row each: forward, and the norms of the total gradient back.

A sweep asks thousands of small questions, and for one small network numpy's calls take longer than its arithmetic. Here
N networks, each with weights and an input of its own, walk side by side: one call a step multiplies all of them. The
forward run is bit for bit that of `rnnviz.core.unroll`, so that a chaotic run stays the same run too. The backward one
carries S signals a network, one for each step at which a loss may stand, and keeps nothing but their norms; it rounds
as the engine does, each signal's product on its own, and powers of two round nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnviz.core.activations import sigmoid
from rnnviz.core.network import Stream
from rnnviz.core.scaled import LOG10_2, binary_exponent, peak, power_of_two

Array = np.ndarray
STRETCH = 8  # steps under one exponent, unless a signal leaves SAFE_SQUARES on the way
SAFE_SQUARES = (1e-100, 1e200)


def rnn_forward(stream, states, kept, times):
    """See `rnnviz.core.cells`; `times` multiplies each network's h with its own recurrent matrix."""
    (h,), (a,) = states, kept
    for before, a_t, after in zip(h[:-1], a, h[1:], strict=True):
        a_t += times(before)
        stream.activation.function(a_t, after)


def rnn_backward(parts, factors, times):
    """(dh,) one step further back."""
    return (times((parts[0] * factors[0][:, None])[..., None, :]),)


def lstm_forward(stream, states, kept, times):
    """As `rnn_forward`."""
    (h, c), (a, gates) = states, kept
    i, f, g, o = (gates[..., block] for block in stream.rows)
    both, a_blocks = slice(stream.rows[2].start), (a[..., block] for block in stream.rows[2:])
    rows = zip(h[:-1], c[:-1], a, a[..., both], gates[..., both], *a_blocks, i, f, g, o, h[1:], c[1:], strict=True)
    for h_before, c_before, a_t, a_if, gate_if, a_g, a_o, i_t, f_t, g_t, o_t, h_t, c_t in rows:
        a_t += times(h_before)
        sigmoid(a_if, gate_if)
        sigmoid(a_o, o_t)
        np.tanh(a_g, g_t)
        np.multiply(f_t, c_before, c_t)
        c_t += i_t * g_t
        np.tanh(c_t, h_t)
        h_t *= o_t


def lstm_backward(parts, factors, times):
    """(dh, ĉ) one step further back."""
    (dh, dc), (slope, e, f) = parts, factors
    dc = dc + dh * e[:, None]
    delta = np.empty((*dh.shape[:2], 4, dh.shape[2]))
    np.multiply(dc[:, :, None], slope[:, None, :3], delta[:, :, :3])
    np.multiply(dh, slope[:, None, 3], delta[:, :, 3])
    return times(delta), dc * f[:, None]


def gru_forward(stream, states, kept, times):
    """As `rnn_forward`."""
    (h,), (a, gates, q) = states, kept
    last, bias = stream.rows[2], stream.recurrent_bias
    both = slice(last.start)
    r, z, n = (gates[..., block] for block in stream.rows)
    rows = zip(h[:-1], a[..., both], a[..., last], gates[..., both], r, z, n, q, h[1:], strict=True)
    for before, a_rz, a_n, rz, r_t, z_t, n_t, q_t, after in rows:
        product = times(before)
        a_rz += product[:, both]
        sigmoid(a_rz, rz)
        np.add(product[:, last], bias, q_t)
        a_n += r_t * q_t
        np.tanh(a_n, n_t)
        np.subtract(before, n_t, after)
        after *= z_t
        after += n_t


def gru_backward(parts, factors, times):
    """(dh,) one step further back."""
    (dh,), into = parts, factors[0]
    before = times(dh[:, :, None] * into[:, None, 2:])
    before += dh * into[:, None, 0]
    return (before,)


MANY: dict[str, tuple[Callable, Callable]] = {
    "rnn": (rnn_forward, rnn_backward),
    "lstm": (lstm_forward, lstm_backward),
    "gru": (gru_forward, gru_backward),
}


@dataclass(frozen=True)
class ManyNetworks:
    """N networks of one cell and size.

    Attributes:
        shape: a stream of any of them, for its cell, its activation and where its blocks stand.
        recurrent: (N, H, G·H), each network's `Stream.recurrent`.
        weight_back: (N, G·H, H), each network's `Stream.weight_back`.
        recurrent_bias: (N, H), or (N, 0), each network's `Stream.recurrent_bias`.
    """

    shape: Stream
    recurrent: Array
    weight_back: Array
    recurrent_bias: Array

    def forward(self, arriving: Array) -> "ManyWalks":
        """Walk from the initial state zero; (T, N, G·H) is W_ih x_t and the input's biases, and is overwritten."""
        (steps, count, _), size, cell = arriving.shape, self.shape.hidden_size, self.shape.cell
        states = tuple(np.empty((steps + 1, count, size)) for _ in range(self.shape.parts))
        for part in states:
            part[0] = 0.0
        kept = (arriving, *(np.empty((steps, count, blocks * size)) for blocks in cell.keeps[1:]))
        product = np.empty((count, 1, self.recurrent.shape[2]))

        def times(h: Array) -> Array:
            return np.matmul(h[:, None], self.recurrent, product)[:, 0]

        with np.errstate(all="ignore"):
            MANY[cell.name][0](_Biased(self.shape, self.recurrent_bias), states, kept, times)
        return ManyWalks(self, states, kept)


class _Biased:
    """A stream whose recurrent bias is one a network."""

    def __init__(self, stream: Stream, recurrent_bias: Array):
        self.activation, self.rows, self.recurrent_bias = stream.activation, stream.rows, recurrent_bias


@dataclass(frozen=True)
class ManyWalks:
    """What N networks met on their way; `states` and `kept` as in `Walk`, with a network for every batch row."""

    networks: ManyNetworks
    states: tuple[Array, ...]
    kept: tuple[Array, ...]

    def log10_norms(self, sources: list[int], gradients: list[Array]) -> Array:
        """log10 of the norm of the joint adjoint, (T+1, N, S), of S losses apart; what is after a loss says nothing.

        Args:
            sources: (S,) the step at which each loss stands, the latest first.
            gradients: (S) arrays (N, H), what each loss sends to the hidden state there.
        """
        with np.errstate(all="ignore"):
            return _Signals(self).back(sources, gradients)


class _Signals:
    """The signals on their way: parts of the adjoint (N, S, H) under exponents (N, S, 1)."""

    def __init__(self, walks: ManyWalks):
        stream, weight = walks.networks.shape, walks.networks.weight_back
        self.step, self.size = MANY[stream.cell.name][1], stream.hidden_size
        self.factors = stream.cell.slopes(stream, walks.states, walks.kept)
        self.times = lambda delta: np.matmul(delta.reshape(*delta.shape[:2], 1, -1), weight[:, None])[:, :, 0]
        count = len(weight)
        self.parts = tuple(np.empty((count, 0, self.size)) for _ in walks.states)
        self.exponent = np.empty((count, 0, 1), dtype=np.int64)
        self.rows = len(walks.states[0])

    def back(self, sources: list[int], gradients: list[Array]) -> Array:
        """See `ManyWalks.log10_norms`."""
        self.squares = np.zeros((self.rows, len(self.exponent), len(sources)))
        self.exponents = np.zeros(self.squares.shape, dtype=np.int64)
        coming, row = list(zip(sources, gradients, strict=True)), sources[0]
        while row > 0:
            while coming and coming[0][0] == row:
                self._begin(coming.pop(0)[1])
            stop = max(row - STRETCH, coming[0][0] if coming else 0)
            self._walk(row, stop)
            row = stop
        self._record(0)
        return 0.5 * np.log10(self.squares) + LOG10_2 * self.exponents

    def _begin(self, gradient: Array) -> None:
        """One more signal, at the end of the others; what is not finite becomes NaN."""
        start = np.where(np.isfinite(gradient), gradient, np.nan)[:, None]
        others = (np.zeros_like(start),) * (len(self.parts) - 1)
        self.parts = tuple(np.concatenate(pair, axis=1) for pair in zip(self.parts, (start, *others), strict=True))
        self.exponent = np.concatenate((self.exponent, np.zeros((len(start), 1, 1), dtype=np.int64)), axis=1)

    def _walk(self, row: int, stop: int) -> None:
        """From a row to another under one exponent, or step by step where a signal grows or shrinks too much."""
        self._rescale()
        start = self.parts
        self._record(row)
        for before in range(row - 1, stop - 1, -1):
            self.parts = self.step(self.parts, tuple(factor[before] for factor in self.factors), self.times)
            self._record(before)
        if row - stop > 1 and self._left(row, stop):
            self.parts = start
            for last in range(row, stop, -1):
                self._walk(last, last - 1)

    def _left(self, row: int, stop: int) -> bool:
        """Whether a signal that was there left the safe range, or became NaN, maybe for leaving it."""
        alive = slice(self.exponent.shape[1])
        squares, (low, high) = self.squares[stop:row, :, alive], SAFE_SQUARES
        return bool((~((squares > low) & (squares < high)) & (self.squares[row, :, alive] > 0)).any())

    def _rescale(self) -> None:
        shift = binary_exponent(np.maximum.reduce([peak(part) for part in self.parts]))
        factor = power_of_two(-shift)
        self.parts, self.exponent = tuple(part * factor for part in self.parts), self.exponent + shift

    def _record(self, row: int) -> None:
        alive = slice(self.exponent.shape[1])
        first, *others = (np.vecdot(part, part) for part in self.parts)
        self.squares[row, :, alive] = sum(others, first)
        self.exponents[row, :, alive] = self.exponent[..., 0]
