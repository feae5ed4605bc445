"""Back-propagation through time: the total gradient of the loss at every state and parameter, at any size."""

from collections.abc import Iterator, Mapping

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.arrivals import FromAbove
from rnnviz.core.backward import BLOCK_STEPS, Block, first_row, walk_back
from rnnviz.core.gather import Gatherer, gather
from rnnviz.core.network import Network
from rnnviz.core.results import GradientFlow
from rnnviz.core.scaled import Scaled
from rnnviz.core.signal import SignalClip, Truncation
from rnnviz.core.stacked import layers_from_the_top, sent_below, walk_sources
from rnnviz.core.unroll import Unrolled, Walk, unroll
from rnnviz.errors import ConfigError, expect, shown


def bptt(
    network: Network,
    inputs: np.ndarray,
    output_gradient: np.ndarray,
    initial_state=None,
    *,
    signal_clip: SignalClip | None = None,
    truncation: Truncation | None = None,
) -> GradientFlow:
    """Run a network over a sequence and its loss back through time.

    Args:
        network: what to run.
        inputs: (T, B, D).
        output_gradient: ∂L/∂output, (T, B, K·H) with K directions. Any head and any loss that read the top layer's
            states reduce to it; for torch's `h_n` of the top layer, the forward half stands at T and the reverse at 1.
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.
        signal_clip: clips the signal at every step, which changes what flows further back.
        truncation: how far back a loss may reach.

    Returns:
        Every state and every gradient, with log10 norms that no float64 could hold.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite. A run that overflows is a finding, not an error.

    Source: Werbos (1990); rescaling by powers of two and slopes from the pre-activation are our own.

    >>> import numpy as np
    >>> halve = Network("rnn", {"weight_ih_l0": [[1.0]], "weight_hh_l0": [[0.5]]}, nonlinearity="linear")
    >>> last_step = np.zeros((4, 1, 1))
    >>> last_step[-1] = 1.0
    >>> flow = bptt(halve, np.ones((4, 1, 1)), last_step)
    >>> flow.adjoint[0, :, 0, 0].tolist()
    [0.0625, 0.125, 0.25, 0.5, 1.0]
    """
    unrolled = unroll(network, inputs, initial_state)
    output_gradient = finite_array("output_gradient", output_gradient, unrolled.output.shape)
    return backpropagate(unrolled, output_gradient, signal_clip, truncation)


def backpropagate(
    unrolled: Unrolled,
    output_gradient: np.ndarray,
    signal_clip: SignalClip | None = None,
    truncation: Truncation | None = None,
    state_gradient: tuple[np.ndarray, ...] | None = None,
    on_the_way: Mapping[int, tuple[np.ndarray, ...]] | None = None,
) -> GradientFlow:
    """The backward half of `bptt`, for a network that has been run; here a gradient may be infinite.

    `state_gradient` enters at each stream's final state besides, as when a decoder starts from it: (∂L/∂h_n,) or
    (∂L/∂h_n, ∂L/∂c_n), each (S, B, H) in torch's order. `on_the_way` is the same for the states after other steps, of
    a network of one direction: {step t: parts}.
    """
    rests = [None] * len(unrolled.walks)
    if state_gradient is not None or on_the_way:
        output_gradient, rests = split_by_entry(unrolled, output_gradient, state_gradient, on_the_way or {})
    gradient = Scaled.sparse(output_gradient)
    expect("signal_clip", signal_clip, SignalClip | None, "SignalClip or None")
    expect("truncation", truncation, Truncation | None, "Truncation or None")
    sliding = truncation is not None and truncation.kind == "sliding"
    if sliding and signal_clip:
        raise ConfigError(
            "signal_clip: cannot be combined with a sliding truncation, where every loss has a signal of its own; "
            f"allowed is None or a chunked truncation, got {shown(signal_clip)}."
        )
    if sliding and any(rest is not None for rest in rests):
        raise ConfigError(
            "state_gradient: must be None with a sliding truncation, where every loss is of one step's output, "
            f"got {shown(state_gradient)}."
        )
    with np.errstate(all="ignore"):
        if sliding:
            gathered = _source_by_source(unrolled, gradient, min(truncation.steps, len(output_gradient) + 1))
        else:
            gathered = _layer_by_layer(unrolled, gradient, rests, signal_clip, truncation)
        return gather(unrolled, gathered, gradient, rests)


def backpropagate_last(unrolled: Unrolled, output_gradient, state_gradient=None, on_the_way=None) -> GradientFlow:
    """The same for what enters the top layer last, alone: nearest to the end of each direction's walk."""
    total, _ = split_by_entry(unrolled, output_gradient, state_gradient, on_the_way or {})
    only = np.zeros_like(total)
    for walk in unrolled.walks[-unrolled.network.directions :]:
        own, kept = (walk.stream.in_order(rows)[..., walk.stream.columns] for rows in (total, only))
        present = np.flatnonzero(own.any(axis=(1, 2)))
        kept[present[-1:]] = own[present[-1:]]
    return backpropagate(unrolled, only)


def split_by_entry(unrolled: Unrolled, output_gradient, state_gradient, on_the_way):
    """∂L/∂output with the top layer's ∂L/∂h in it, and what enters each stream's states besides.

    That is (T, B, N) in the stream's own order, or None.
    """
    total, batch = np.array(output_gradient), np.arange(output_gradient.shape[1])
    first = len(unrolled.walks) - unrolled.network.directions
    rests = []
    for s, walk in enumerate(unrolled.walks):
        size = walk.stream.hidden_size
        rows = np.zeros((*walk.inputs.shape[:2], size * len(walk.states)))
        at_the_end = [] if state_gradient is None else [(walk.last_rows, state_gradient)]
        for row, parts in (*at_the_end, *on_the_way.items()):
            rows[row - 1, batch] += np.concatenate([part[s] for part in parts], axis=-1)
        if s >= first:
            walk.stream.in_order(total)[..., walk.stream.columns] += rows[..., :size]
            rows[..., :size] = 0
        rests.append(rows if rows.any() else None)
    return total, rests


def _with_rest(above: Scaled, rest: np.ndarray | None) -> Scaled:
    """What enters a stream on its way, rows (T, B, H), or (T, B, N) when something enters its states besides."""
    if rest is None:
        return above
    wide = np.zeros_like(rest)
    wide[..., : above.mantissa.shape[-1]] = above.mantissa
    return Scaled(wide, above.exponent) + Scaled.sparse(rest)


def _layer_by_layer(unrolled: Unrolled, gradient: Scaled, rests, signal_clip, truncation) -> list[Gatherer]:
    """The usual sweep, from the top layer to the first, with one signal in which all losses are added up."""
    gathered: list[Gatherer] = []
    period = int(truncation.steps) if truncation else None
    for walks in layers_from_the_top(unrolled):
        here = [Gatherer(walk) for _, walk in walks]
        for side, (s, walk) in zip(here, walks, strict=True):
            above = gradient.columns(walk.stream.columns).map(walk.stream.in_order)
            arrivals = FromAbove(_with_rest(above, rests[s]))
            for block in walk_back(side.walk, arrivals, signal_clip=signal_clip, period=period):
                side.take(block)
        sides = [side.into_input.map(side.walk.stream.in_order) for side in here]
        gradient = sent_below(unrolled, walks[0][1].stream.layer, sides)
        gathered = here + gathered
    return gathered


def _source_by_source(unrolled: Unrolled, gradient: Scaled, reach: int) -> list[Gatherer]:
    """Every loss on its own, no further back than its window, and then added up."""
    steps = len(gradient.mantissa)
    sums = [SummedBlocks(walk, steps) for walk in unrolled.walks]
    walk_sources(unrolled, gradient, np.arange(1, steps + 1), lambda s, block, which: sums[s].add(block), reach)
    gathered = [Gatherer(walk) for walk in unrolled.walks]
    for side, total in zip(gathered, sums, strict=True):
        for block in total.blocks():
            side.take(block)
    return gathered


class SummedBlocks:
    """The signals of many sources through one stream, added up row by row: parts of the state and δ side by side."""

    def __init__(self, walk: Walk, steps: int):
        self.walk, self.steps = walk, steps
        self.state_size = walk.stream.hidden_size * len(walk.states)
        self.delta_size = walk.stream.hidden_size * walk.stream.cell.delta_blocks
        self.rows = Scaled.zeros((steps + 1, walk.states[0].shape[1], self.state_size + self.delta_size))

    def add(self, block: Block) -> None:
        """Add the signals of a block, if there are any."""
        if block.signals.start == block.signals.stop:
            return
        delta = block.delta.mantissa
        if block.first == 0:  # row 0, to which no step leads
            delta = np.concatenate((np.zeros_like(delta[:1]), delta))
        arrays = (*(part.mantissa for part in block.parts), delta)
        self.rows[block.rows] += Scaled(np.concatenate(arrays, axis=-1), block.parts[0].exponent).sum(axis=1)

    def blocks(self) -> Iterator[Block]:
        """The sums, as a walk with one signal would have handed them on."""
        for first in range(0, self.steps, BLOCK_STEPS):
            last = min(first + BLOCK_STEPS, self.steps)
            parts = self._parts(self.rows[first_row(first) : last + 1])
            delta = self.rows[first + 1 : last + 1].columns(slice(self.state_size, None))
            yield Block(first, last, slice(0), parts, delta, self.walk.slopes(first, last))

    def _parts(self, rows: Scaled) -> tuple[Scaled, ...]:
        size = self.walk.stream.hidden_size
        return tuple(rows.columns(slice(first, first + size)) for first in range(0, self.state_size, size))
