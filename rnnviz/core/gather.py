"""From the blocks that a walk hands on to one `GradientFlow`."""

from functools import cached_property
from operator import attrgetter

import numpy as np

from rnnviz.core.backward import Block
from rnnviz.core.network import Network
from rnnviz.core.results import GradientFlow
from rnnviz.core.scaled import Scaled, log10_sum_of_squares, power_of_two
from rnnviz.core.stacked import sum_of_sides
from rnnviz.core.unroll import Unrolled, Walk

Array = np.ndarray

MOST_NUMBERS = 4_000_000
TAME_RANGE = 300  # powers of 2: what is smaller by more than this needs care


class Gatherer:
    """What came back through one stream, in its own order, filled in block by block.

    Attributes:
        walk: the forward walk.
        adjoint: (T+1, B, H), ∂L/∂h.
        log10_norm: (T+1, B) of it.
        cell_adjoint: (T+1, B, H), ∂L/∂c; None for a state without c, like `cell_log10_norm`.
        cell_log10_norm: (T+1, B) of it.
        joint_log10_norm: (T+1, B) of the whole state's adjoint.
        into_input: ∂L/∂(the layer's input), rows (T, B, layer input size).
        totals: {kind of parameter: its gradient as one row of all entries, (1, ·)}.
        steps: {kind of parameter: log10 norm of each step's contribution, (T,)}.
    """

    def __init__(self, walk: Walk):
        self.walk = walk
        (steps, batch, width), size = walk.inputs.shape, walk.stream.hidden_size
        rows = (steps + 1, batch)
        self.adjoint, self.log10_norm = np.empty((*rows, size)), np.empty(rows)
        has_cell = walk.stream.cell.has_cell_state
        self.cell_adjoint = np.empty((*rows, size)) if has_cell else None
        self.cell_log10_norm = np.empty(rows) if has_cell else None
        self.joint_log10_norm = np.empty(rows) if has_cell else self.log10_norm
        self.into_input = Scaled.zeros((steps, batch, width))
        self.totals: dict[str, Scaled] = {}
        self.steps: dict[str, Array] = {
            kind: np.empty(steps) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }

    def take(self, block: Block) -> None:
        """Fill in the block's rows and add its steps to the parameters' gradients."""
        hidden, rows = block.parts[0], block.rows
        self.adjoint[rows], self.log10_norm[rows] = hidden.values(), hidden.log10_norm()
        if self.cell_adjoint is not None:
            cell = self._cell_adjoint(block)
            self.cell_adjoint[rows], self.cell_log10_norm[rows] = cell.values(), cell.log10_norm()
            joint = np.concatenate([part.mantissa for part in block.parts], axis=-1)
            self.joint_log10_norm[rows] = Scaled(joint, hidden.exponent).log10_norm()
        self._take_steps(block)

    def _cell_adjoint(self, block: Block) -> Scaled:
        """∂L/∂c; at row 0 no step leads from c to h, so that it is ĉ alone."""
        later = tuple(part.mantissa[-len(block.delta.mantissa) :] for part in block.parts)
        cell = self.walk.stream.cell.cell_adjoint(later, block.slopes)
        if block.first == 0:
            cell = np.concatenate((block.parts[1].mantissa[:1], cell))
        return Scaled(cell, block.parts[0].exponent)

    def _take_steps(self, block: Block) -> None:
        stream, steps = self.walk.stream, block.steps
        into = back = _Deltas(block.delta.map_mantissa(stream.input_delta))
        if stream.cell.recurrent_delta != stream.cell.input_delta:
            back = _Deltas(block.delta.map_mantissa(stream.recurrent_delta))
        self.into_input[steps] = into.rows.times(stream.weight_ih)
        for side, delta, factor in (("ih", into, self.walk.inputs[steps]), ("hh", back, self.walk.states[0][steps])):
            for kind, total in ((f"weight_{side}", delta.sum_with(factor)), (f"bias_{side}", delta.sum)):
                self.totals[kind] = self.totals[kind] + total if kind in self.totals else total
            self.steps[f"weight_{side}"][steps] = delta.log10_of_steps_with(factor)
            self.steps[f"bias_{side}"][steps] = delta.log10_of_steps


class _Deltas:
    """∂L/∂(pre-activation) of some steps, rows (n, B, G·H), and what the parameters' gradients need of it.

    Source: Pascanu, Mikolov and Bengio (2013), equation 5: the "immediate" derivatives, to be summed over time.
    """

    def __init__(self, rows: Scaled):
        self.rows = rows
        largest, smallest = np.maximum.reduce(rows.exponent, axis=None), np.minimum.reduce(rows.exponent, axis=None)
        self.tame, mantissa = largest - smallest < TAME_RANGE, rows.mantissa
        self.exponent = np.full((1, 1), largest)
        if largest > smallest:
            mantissa = mantissa * power_of_two(rows.exponent - largest)
        self.flat = _flat(mantissa)

    @cached_property
    def sum(self) -> Scaled:
        """Σ_t Σ_b δ_t,b."""
        if self.tame:
            return Scaled(self.flat.sum(axis=0, keepdims=True), self.exponent)
        return self.rows.map(_flat).sum(axis=0).map(np.atleast_2d)

    def sum_with(self, factor: Array) -> Scaled:
        """Σ_t Σ_b δ_t,b ⊗ factor_t,b, as one row of all its entries.

        Where the steps' sizes are far apart, a small δ must not be lost beside a large one, whose factor may be zero.
        """
        if self.tame:
            return Scaled(self.flat.T.dot(_flat(factor)).reshape(1, -1), self.exponent)
        size = Scaled.of(factor)
        live = size.mantissa.any(axis=-1, keepdims=True)
        terms = Scaled(self.rows.mantissa * live, self.rows.exponent + size.exponent).aligned(axis=(0, 1))
        total = _flat(terms.mantissa).T.dot(_flat(size.mantissa))
        return Scaled(total.reshape(1, -1), terms.exponent[0])

    @cached_property
    def log10_of_steps(self) -> Array:
        """log10 ‖Σ_b δ_t,b‖ for every step, (n,)."""
        if self.rows.mantissa.shape[1] == 1:
            return self.rows.log10_norm()[:, 0]
        rows = self.rows.aligned(axis=1)
        return Scaled(rows.mantissa.sum(axis=1), rows.exponent[:, 0]).log10_norm()

    def log10_of_steps_with(self, factor: Array) -> Array:
        """log10 of the Frobenius norm of Σ_b δ_t,b ⊗ factor_t,b for every step, (n,)."""
        if factor.shape[1] == 1:  # one rank-one term: the product of both norms
            return self.log10_of_steps + Scaled.plain(factor[:, 0]).log10_norm()
        rows = self.rows.aligned(axis=1)
        chunk = max(1, MOST_NUMBERS // (rows.mantissa.shape[-1] * factor.shape[-1]))
        parts = []
        for first in range(0, len(factor), chunk):
            part = slice(first, first + chunk)
            terms = np.swapaxes(rows.mantissa[part], 1, 2) @ factor[part]
            parts.append(Scaled(terms.reshape(len(terms), -1), rows.exponent[part, 0]).log10_norm())
        return np.concatenate(parts)


def _flat(rows: Array) -> Array:
    """All rows (..., N) in one list, (·, N)."""
    return rows.reshape(-1, rows.shape[-1])


def gather(unrolled: Unrolled, gathered: list[Gatherer], gradient: Scaled, rests: list[Array | None]) -> GradientFlow:
    """Bring every stream into time order.

    Args:
        unrolled: the network, run.
        gathered: one a stream.
        gradient: ∂L/∂output, rows (T, B, K·H).
        rests: (T, B, N) what enters each stream's states besides, in its own order, or None.
    """
    network = unrolled.network
    into_input = [side.into_input.map(side.walk.stream.in_order) for side in gathered[: network.directions]]
    return GradientFlow(
        streams=network.streams,
        **_in_time_order(gathered),
        **_parameter_parts(network, gathered),
        input_gradient=sum_of_sides(into_input).values(),
        output=unrolled.output,
        loss_log10_norm=np.array(
            [
                _loss_log10_norm(walk, gradient, rest, walk.stream.layer == network.layers - 1)
                for walk, rest in zip(unrolled.walks, rests, strict=True)
            ]
        ),
        lengths=unrolled.walks[0].lengths,
    )


def _in_time_order(gathered: list[Gatherer]) -> dict:
    """The fields of a `GradientFlow` that have a row for every state, (S, T+1, B, ...), and the gates."""

    def timed(read) -> Array:
        arrays = [side.walk.stream.in_order(read(side)) for side in gathered]
        return np.array(arrays) if len(arrays) > 1 else arrays[0][None]

    cell = gathered[0].walk.stream.cell
    own = ("adjoint", "log10_norm", "joint_log10_norm")
    of_cell = ("cell_adjoint", "cell_log10_norm")
    return {
        "hidden": timed(lambda side: side.walk.states[0]),
        "cell": timed(lambda side: side.walk.states[1]) if cell.has_cell_state else None,
        "gates": {name: timed(lambda side, name=name: side.walk.gates[name]) for name in cell.gates},
        "saturated": timed(_saturated),
        **{name: timed(attrgetter(name)) for name in own},
        **{name: timed(attrgetter(name)) if cell.has_cell_state else None for name in of_cell},
    }


def _parameter_parts(network: Network, gathered: list[Gatherer]) -> dict:
    """The fields of a `GradientFlow` that are by torch's names of the parameters."""
    totals, steps = {}, {}
    for side in gathered:
        stream = side.walk.stream
        for kind, total in side.totals.items():
            if (name := f"{kind}_{stream.suffix}") in network.parameters:
                totals[name], steps[name] = total, stream.in_order(side.steps[kind])
    return {
        "parameter_gradients": {n: total.values().reshape(network.parameters[n].shape) for n, total in totals.items()},
        "parameter_log10_norms": {name: float(total.log10_norm()[0]) for name, total in totals.items()},
        "parameter_step_log10_norms": steps,
    }


def _loss_log10_norm(walk: Walk, gradient: Scaled, rest: Array | None, is_top: bool) -> Array:
    """(T, B) of what the loss itself sends into a stream; most losses are at one step."""
    norms = np.full(gradient.exponent.shape[:-1], -np.inf)
    if is_top:
        own = gradient.columns(walk.stream.columns)
        present = own.present
        norms[present] = own[present].log10_norm()
    if rest is None:
        return norms
    return log10_sum_of_squares(np.array([norms, walk.stream.in_order(Scaled.sparse(rest).log10_norm())]), axis=0)


def _saturated(side: Gatherer) -> Array:
    """(T+1, B): a step between this row and the end had a slope that rounds to zero."""
    flags = np.zeros(side.log10_norm.shape, dtype=bool)
    if np.isneginf(side.log10_norm).any():
        flags[:-1] = np.logical_or.accumulate(side.walk.saturated[::-1])[::-1]
    return flags
