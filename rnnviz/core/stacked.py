"""Every loss on its own: the sources stacked as rows of one backward sweep (never one pass a source)."""

from collections.abc import Callable, Iterator

import numpy as np

from rnnviz.core.arrivals import FromAbove, OwnLosses
from rnnviz.core.backward import Block, Window, walk_back
from rnnviz.core.scaled import Scaled
from rnnviz.core.unroll import Unrolled, Walk

MOST_NUMBERS = 4_000_000

Visit = Callable[[int, Block, np.ndarray], None]


def layers_from_the_top(unrolled: Unrolled) -> Iterator[list[tuple[int, Walk]]]:
    """The walks of each layer with their stream numbers, one or two directions, the top layer first."""
    numbered, count = list(enumerate(unrolled.walks)), unrolled.network.directions
    for first in range(len(numbered) - count, -1, -count):
        yield numbered[first : first + count]


def sum_of_sides(sides: list[Scaled]) -> Scaled:
    """What the one or two directions of a layer send to its input, added up."""
    return sides[0] if len(sides) == 1 else sides[0] + sides[1]


def sent_below(unrolled: Unrolled, layer: int, sides: list[Scaled]) -> Scaled | None:
    """What a layer sends to the output of the one below, from what its sides send to its input; None below the first.

    Rows (T, B, ·), or (T, n, B, ·) for n stacked signals.
    """
    if not layer:
        return None
    total = sum_of_sides(sides)
    if not unrolled.dropout:
        return total
    factor = unrolled.dropout[layer - 1]
    return total.map_mantissa(lambda rows: rows * (factor if rows.ndim == factor.ndim else factor[:, None]))


def walk_sources(
    unrolled: Unrolled, gradient: Scaled, sources: np.ndarray, visit: Visit, reach: int | None = None
) -> None:
    """Send the loss of every source step back through the whole network, apart from the others.

    Args:
        unrolled: the network, run.
        gradient: ∂L/∂output, rows (T, B, K·H).
        sources: (n,) steps, counted from 1, in ascending order.
        visit: called as visit(stream, block, which) for every block of every stream; `which` says for each signal of
            the block (its second axis) the place of its source in `sources`. A signal is zero where it is not alive.
        reach: a loss reaches the `reach` nearest steps, its own included, and sees all further states as constants;
            None for no limit.
    """
    deep = unrolled.network.layers > 1
    room = max(1, MOST_NUMBERS // gradient.mantissa.size) if deep else len(sources)
    for first in range(0, len(sources), room):
        which, arriving = np.arange(first, min(first + room, len(sources))), gradient
        for walks in layers_from_the_top(unrolled):
            sides = [_walk_one(s, walk, arriving, which, sources, visit, reach) for s, walk in walks]
            arriving = sent_below(unrolled, walks[0][1].stream.layer, sides)


def _walk_one(s, walk: Walk, arriving: Scaled, which, sources, visit: Visit, reach) -> Scaled | None:
    """Walk one stream with some of the sources; give what each sends to the layer below, rows (T, n, B, D)."""
    stream, steps = walk.stream, len(walk.inputs)
    own = stream.in_order(which)
    at = steps + 1 - sources[own] if stream.reverse else sources[own]
    top = arriving.mantissa.ndim == 3
    window = _window(at, steps, reach, both_ways=not top and stream.bidirectional)
    arriving = arriving.columns(stream.columns).map(stream.in_order if top else stream.in_order_twice)
    below = Scaled.zeros((steps, len(which), *walk.inputs.shape[1:])) if stream.layer else None
    arrivals = OwnLosses(arriving, {int(step): place for place, step in enumerate(at)}) if top else FromAbove(arriving)
    for block in walk_back(walk, arrivals, window):
        visit(s, block, own[block.signals])
        if below is not None:
            below[block.steps, block.signals] = block.delta.map_mantissa(stream.input_delta).times(stream.weight_ih)
    return None if below is None else below.map(stream.in_order_twice)


def _window(at: np.ndarray, steps: int, reach: int | None, both_ways: bool) -> Window:
    """Which sources, at the steps `at` in a stream's own order, are alive at each of its rows.

    In the top layer a loss starts at its own step. Below a bidirectional layer it may arrive anywhere.
    """
    rows = np.arange(steps + 1)
    earliest = np.full(steps + 1, -np.inf) if both_ways else rows
    latest = np.full(steps + 1, np.inf)
    if reach is not None:
        earliest, latest = np.maximum(earliest, rows - reach + 1), rows + reach - 1
    return Window(np.searchsorted(at, earliest), np.searchsorted(at, latest, side="right"), reach is not None)
