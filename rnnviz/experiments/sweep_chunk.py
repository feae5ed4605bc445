"""A part of a sweep: some weight scales × lengths × seeds of one config, worked out in one piece.

What a chunk holds and what it gives depends on nothing but the question, so that it is the same in this process, in
another one and on another machine, and can be kept in a file.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rnnviz.core.cells import CELLS
from rnnviz.core.many import MANY, ManyNetworks, ManyWalks
from rnnviz.core.readings import HORIZON_FRACTION
from rnnviz.core.results import FLOAT64_LARGEST, FLOAT64_SMALLEST, GradientFlow, Status
from rnnviz.core.unroll import Walk
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import Cost, cost_of
from rnnviz.experiments.run import Experiment, prepare
from rnnviz.experiments.sweep_result import MEASURES

Array = np.ndarray
CHUNK_SECONDS = 0.25
BATCH_BYTES, MOST_BATCH_BYTES = 1_500_000, 60_000_000  # of the weights, and of all that is kept of the steps


@dataclass(frozen=True)
class Chunk:
    """Every combination of some weight scales, lengths and seeds, the seeds running fastest.

    Attributes:
        config: every other setting.
        weight_scales: (W,).
        lengths: (L,).
        seeds: (R,).
    """

    config: Config
    weight_scales: tuple[float, ...]
    lengths: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(W, L, R)."""
        return len(self.weight_scales), len(self.lengths), len(self.seeds)

    @property
    def runs(self) -> int:
        """How many there are."""
        return math.prod(self.shape)


def at_once(config: Config) -> bool:
    """Whether many such networks can be run at once: one stream, one loss at its end, and its signal left alone."""
    plain = config.layers == 1 and not config.bidirectional and config.loss == "last"
    return plain and config.cell in MANY and not config.signal_clip and not config.truncated


def cost_of_chunk(chunk: Chunk) -> Cost:
    """Estimate, from the lengths that are asked for: an input that is shorter costs less."""
    config, size = chunk.config, chunk.config.hidden_size
    width = len(set(config.text)) if config.signal == "text" else config.input_size
    each = [cost_of(config, GradientFlow, length, width) for length in chunk.lengths]
    networks, megabytes = len(chunk.weight_scales) * len(chunk.seeds), max(cost.megabytes for cost in each)
    if not at_once(config):
        return Cost(networks * (1e-3 + sum(cost.seconds for cost in each)), megabytes)
    steps, blocks = max(chunk.lengths) + sum(chunk.lengths), len(CELLS[config.cell].blocks)
    seconds = networks * blocks * steps * (1e-8 * size + 2e-10 * size**2)
    seconds += len(chunk.seeds) * (1e-3 + 3e-9 * blocks * size**3)  # the draws
    return Cost(seconds, megabytes + 1e-6 * MOST_BATCH_BYTES)


def compute(chunk: Chunk) -> dict[str, Array]:
    """The measures of all its runs, each (W, L, R); see `SweepResult`."""
    found = {name: np.empty(chunk.shape, kind) for name, kind in MEASURES.items()}
    for place, measures in _in_batches(chunk) if at_once(chunk.config) else _one_by_one(chunk):
        for name, values in measures.items():
            found[name][place] = values
    return found


def _one_by_one(chunk: Chunk) -> Iterator[tuple[tuple, dict]]:
    """By `run`, whatever the config."""
    for w, n, r in np.ndindex(chunk.shape):
        changes = {"weight_scale": chunk.weight_scales[w], "length": chunk.lengths[n], "seed": chunk.seeds[r]}
        flow = prepare(replace(chunk.config, **changes)).find(GradientFlow)
        yield (w, n, r), measures_of(flow)


def measures_of(flow: GradientFlow) -> dict[str, float]:
    """The measures of one run."""
    s = next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
    curve, *_, rounded = flow.way_back(s)
    return {
        "growth_per_step": flow.verdict.growth_per_step,
        "log10_ratio": flow.verdict.decades,
        "log10_norm_loss": curve[-1],
        "log10_norm_first": curve[0],
        "memory_horizon": flow.verdict.memory_horizon,
        "overflow_step": flow.overflow_step or 0,
        "status": _status(curve[:1], np.array([rounded]))[0],
    }


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One seed's network at the weight scale 1, and the losses of the lengths that share its forward run.

    Attributes:
        place: of the seed.
        experiments: one a length, the longest first.
        arriving: (T, G·H), W_ih x_t and the input's biases, of the longest.
    """

    place: int
    experiments: list[Experiment]
    arriving: Array


def _in_batches(chunk: Chunk) -> Iterator[tuple[tuple, dict]]:
    """Many networks at once: all weight scales of some seeds, and all lengths that one forward run can serve."""
    groups: dict[tuple[int, ...], list[_Drawn]] = defaultdict(list)
    for r in range(len(chunk.seeds)):
        for places, drawn in _drawn(chunk, r):
            groups[places].append(drawn)
    for places, members in groups.items():
        seeds, scales = (part.ravel() for part in np.indices((len(members), len(chunk.weight_scales))))
        size = _batch_size(members[0])
        for first in range(0, len(seeds), size):
            part = slice(first, first + size)
            yield from _batch(chunk, places, members, seeds[part], scales[part])


def _drawn(chunk: Chunk, r: int) -> Iterator[tuple[tuple[int, ...], _Drawn]]:
    """A seed's draws, for each group of lengths whose inputs meet the weights in the very same numbers.

    The input of a short run begins that of a long one, but for a signal that is standardised over its length; and the
    last digit of its product with W_ih may depend on the length too, which in a chaotic run decides everything.
    """
    shared = replace(chunk.config, weight_scale=1.0, seed=chunk.seeds[r])
    left = [(n, prepare(replace(shared, length=length))) for n, length in enumerate(chunk.lengths)]
    left = [(n, made, _arriving(made)) for n, made in sorted(left, key=lambda pair: -len(pair[1].inputs))]
    while left:
        longest = left[0][2]
        fits = [np.array_equal(longest[: len(arriving)], arriving) for _, _, arriving in left]
        group = [entry for entry, fit in zip(left, fits, strict=True) if fit]
        left = [entry for entry, fit in zip(left, fits, strict=True) if not fit]
        yield tuple(n for n, *_ in group), _Drawn(r, [made for _, made, _ in group], longest)


def _arriving(made: Experiment) -> Array:
    """(T, G·H), as `unroll` computes it, to the last digit."""
    stream = made.network.streams[0]
    return made.inputs[:, 0].dot(stream.weight_ih.T) + stream.input_bias


def _batch_size(drawn: _Drawn) -> int:
    """So many networks that their weights stay in the processor's cache, and all that is kept in memory."""
    stream, steps = drawn.experiments[0].network.streams[0], len(drawn.arriving)
    kept = 8 * steps * stream.hidden_size * (sum(stream.cell.keeps) + stream.cell.delta_blocks + 6)
    return max(1, min(BATCH_BYTES // (16 * stream.weight_hh.size), MOST_BATCH_BYTES // kept))


def _batch(chunk: Chunk, places: tuple[int, ...], members: list[_Drawn], seeds: Array, scales: Array):
    """Some (seed, weight scale) pairs, by their places among `members` and the chunk's weight scales."""
    here = members[seeds[0] : seeds[-1] + 1]
    which, factor = seeds - seeds[0], np.array(chunk.weight_scales)[scales][:, None, None]
    streams = [drawn.experiments[0].network.streams[0] for drawn in here]
    networks = ManyNetworks(
        streams[0],
        np.stack([stream.recurrent for stream in streams])[which] * factor,
        np.stack([stream.weight_back for stream in streams])[which] * factor,
        np.stack([stream.recurrent_bias for stream in streams])[which],
    )
    walks = networks.forward(np.stack([drawn.arriving for drawn in here], axis=1)[:, which])
    lasts = [len(made.inputs) for made in here[0].experiments]
    readout = np.stack([drawn.experiments[0].readout for drawn in here])[which]
    gradients = []
    with np.errstate(all="ignore"):
        for k, last in enumerate(lasts):
            target = np.array([drawn.experiments[k].target[-1] for drawn in here])[which]
            error = 2.0 * (_outputs(walks.states[0][1 : last + 1], readout) - target)
            gradients.append(error[:, None] * readout)
    norms = walks.log10_norms(lasts, gradients)
    rows = np.array([drawn.place for drawn in here])[which]
    for k, (n, last) in enumerate(zip(places, lasts, strict=True)):
        yield (scales, n, rows), _measures(walks, last, norms[min(1, last - 1) : last + 1, :, k])


def _outputs(hidden: Array, readout: Array) -> Array:
    """(N,) what each readout (N, H) sees at the last of the steps (T, N, H): to the digit that of `Experiment`."""
    each = np.ascontiguousarray(hidden.swapaxes(0, 1))
    return np.array([(states @ weights)[-1] for states, weights in zip(each, readout, strict=True)])


def _measures(walks: ManyWalks, last: int, curve: Array) -> dict[str, Array]:
    """What `readings.read` says, of N curves (n, N) at once, with the loss in the last row."""
    begin, end, steps = curve[-1], curve[0], len(curve) - 1
    with np.errstate(all="ignore"):
        settled = np.isfinite(curve[-2]) & (steps > 1)
        growth = (end - np.where(settled, curve[-2], begin)) / np.where(settled, steps - 1, steps)
        above = (curve[-2::-1] >= begin + np.log10(HORIZON_FRACTION)) & (begin > -np.inf)
        return {
            "growth_per_step": np.where(np.isfinite(begin), 10.0**growth, np.nan),
            "log10_ratio": np.where(np.isfinite(begin), end - begin, np.nan),
            "log10_norm_loss": begin,
            "log10_norm_first": end,
            "memory_horizon": np.where(above.all(axis=0), steps, above.argmin(axis=0)),
            "overflow_step": _overflow_step(walks.states[0][: last + 1]),
            "status": _status(end, _rounded(walks, last, end == -np.inf)),
        }


def _overflow_step(hidden: Array) -> Array:
    """(N,) the first row at which each network has left float64; 0 for none."""
    lost = ~np.isfinite(hidden).all(axis=2)
    return np.where(lost.any(axis=0), lost.argmax(axis=0), 0)


def _rounded(walks: ManyWalks, last: int, zero: Array) -> Array:
    """(N,) whether a zero at the first row may come from a slope that rounds to zero, as `GradientFlow` has it."""
    if not zero.any():
        return zero
    first, stream = min(1, last - 1), walks.networks.shape
    states = tuple(part[first : last + 1] for part in walks.states)
    return Walk(stream, None, states, tuple(part[first:last] for part in walks.kept)).saturated.any(axis=0)


def _status(norm: Array, rounded: Array) -> Array:
    """(N,) of `Status`, by the rules of `GradientFlow.status`."""
    cases = [
        (np.isnan(norm), Status.UNDEFINED),
        ((norm == -np.inf) & rounded, Status.SATURATED),
        (norm == -np.inf, Status.ZERO),
        (norm < FLOAT64_SMALLEST, Status.UNDERFLOW),
        (norm > FLOAT64_LARGEST, Status.OVERFLOW),
    ]
    return np.select([case for case, _ in cases], [value for _, value in cases], Status.ORDINARY)
