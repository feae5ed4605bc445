"""One stream, backward through time: the walk that the total, the itemised and the truncated gradients share.

The walk hands on what it met in blocks, so that everything that can be done for many steps at once is. Inside a block
it runs in stretches of steps under one exponent a signal: no signal can grow beyond float64 within a stretch, and a
stretch in which one shrank too far is walked again, in shorter ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from rnnviz.core.arrivals import Arrivals
from rnnviz.core.scaled import Scaled, add, binary_exponent, peak, power_of_two
from rnnviz.core.signal import SignalClip
from rnnviz.core.unroll import Walk

Array = np.ndarray

LONGEST_STRETCH = 64
MOST_GROWTH, MOST_SHRINKING = 430, -200  # powers of 2 over a stretch: every size on the way stays within float64
MOST_LOWERING = 900
BLOCK_STEPS, STACKED_BLOCK_STEPS, STACKED_BLOCK_NUMBERS = 256, 16, 400_000  # a block's arrays fit a processor's cache


@dataclass(frozen=True)
class Block:
    """What the walk carried over the steps first+1 to last.

    Attributes:
        first: the row before the block's first step.
        last: its last row.
        signals: which of the stacked signals are in it.
        parts: adjoints of the parts of the state, (h,) or (h, ĉ), rows (n, ..., B, H), all under the same exponents; of
            the rows first+1 to last, and of row 0 too in the block that ends the walk.
        delta: ∂L/∂(pre-activation) of the steps as the cell's `backward` gives it, rows (last - first, ..., B, E·H).
        slopes: arrays (last - first, B, ..., H).
    """

    first: int
    last: int
    signals: slice
    parts: tuple[Scaled, ...]
    delta: Scaled
    slopes: tuple[Array, ...]

    @property
    def rows(self) -> slice:
        """Where the block's states stand in an array of T+1 rows."""
        return slice(first_row(self.first), self.last + 1)

    @property
    def steps(self) -> slice:
        """Where the block's steps stand in an array of T rows."""
        return slice(self.first, self.last)


def first_row(first: int) -> int:
    """The first row of the block after row `first`; row 0, to which no step leads, joins the last block."""
    return first + 1 if first else 0


@dataclass(frozen=True)
class Window:
    """Which of the stacked signals are alive at each row: `first[row]` up to, not including, `last[row]`.

    Both fall, or stay, as the walk goes back; `ends` says that signals end before row 0.
    """

    first: Array
    last: Array
    ends: bool

    def lives(self, first: int, last: int) -> bool:
        """Whether any signal lives at any of the rows first to last."""
        return bool(self.first[first] < self.last[last])

    def over(self, first: int, last: int) -> slice:
        """The signals that live at any of the rows first to last."""
        return slice(int(self.first[first]), int(self.last[last]))


def walk_back(
    walk: Walk,
    arrivals: Arrivals,
    window: Window | None = None,
    signal_clip: SignalClip | None = None,
    period: int | None = None,
) -> Iterator[Block]:
    """Carry the adjoint of a stream's state from its last row to its first.

    Args:
        walk: the forward walk.
        arrivals: the gradient that enters h on the way.
        window: the stacked signals that are alive at each row; None for one signal, with no axis of its own.
        signal_clip: what is done to the signal at each step.
        period: nothing is carried back over a row that is a multiple of it.
    """
    walker = _Walker(walk, arrivals, window, signal_clip, period)
    last = len(walk.inputs)
    while last:
        first = max(0, last - walker.block_steps(last))
        if window is None or window.lives(first_row(first), last):
            yield walker.block(first, last)
        last = first


class _Walker:
    """The signals on their way: the parts of the adjoint, mantissas (..., B, H), and exponents (..., B, 1)."""

    def __init__(self, walk, arrivals, window, signal_clip, period):
        self.walk, self.arrivals, self.window = walk, arrivals, window
        self.signal_clip, self.period = signal_clip, period
        self.signals = slice(0, 0)
        shape = (0,) * (window is not None) + walk.states[0].shape[1:]
        self.parts = tuple(np.zeros(shape) for _ in walk.states)
        self.exponent = np.zeros((*shape[:-1], 1), dtype=np.int64)
        self.stretch = 1 if signal_clip else LONGEST_STRETCH
        self.widest = 1.0 + np.abs(walk.stream.weight_hh).sum(axis=0).max()

    def block_steps(self, last: int) -> int:
        """So many steps that a block stays in the cache, and that few signals are carried before they begin."""
        if self.window is None:
            return BLOCK_STEPS
        signals = self.window.over(last, last)
        numbers = max(1, signals.stop - signals.start) * self.walk.states[0][0].size
        return int(np.clip(STACKED_BLOCK_NUMBERS // numbers, 1, STACKED_BLOCK_STEPS))

    def block(self, first: int, last: int) -> Block:
        """Walk over the steps last to first+1."""
        slopes = self.walk.slopes(first, last)
        self._regroup(first + 1, last)
        self.stretch = 1 if self.signal_clip else min(2 * self.stretch, self._safe_stretch(slopes))
        self.stained = self.window is not None and not all(np.isfinite(factor).all() for factor in slopes)
        shape, stream = (last - first, *self.exponent.shape[:-1]), self.walk.stream
        exponent = np.empty((shape[0] + 1, *shape[1:], 1), dtype=np.int64)
        delta = np.empty((*shape, stream.cell.delta_blocks * stream.hidden_size))
        rows = tuple(np.empty((shape[0] + 1, *shape[1:], stream.hidden_size)) for _ in self.parts)
        row = last
        while row > first:
            stop = max(first, row - self.stretch, self.arrivals.until(row), self._cut_before(row))
            steps, ends = slice(stop - first, row - first), slice(stop - first, row - first + 1)
            here = (array[ends] for array in rows), delta[steps], tuple(array[steps] for array in slopes)
            if self._stretch(row, tuple(here[0]), *here[1:]):
                exponent[ends] = self.exponent
                row = stop
            else:
                self.stretch = max(1, self.stretch // 4)
        if self.stained:
            self._silence(first, rows, delta)
        if first == 0:
            self._finish(rows)
        kept = slice(first_row(first) - first, None)
        parts = tuple(Scaled(array[kept], exponent[kept]) for array in rows)
        return Block(first, last, self.signals, parts, Scaled(delta, exponent[1:]), slopes)

    def _silence(self, first: int, rows: tuple[Array, ...], delta: Array) -> None:
        """Zero the signals that are not alive at a row: nothing times a slope that is NaN is NaN."""
        for place in range(first_row(first) - first, len(rows[0])):
            living = self.window.over(first + place, first + place)
            for dead in (slice(living.start - self.signals.start), slice(living.stop - self.signals.start, None)):
                for array in (*(part[place] for part in rows), *([delta[place - 1]] if place else [])):
                    array[dead] = 0.0

    def _finish(self, rows: tuple[Array, ...]) -> None:
        """What is done to the signals at row 0, where they arrive."""
        self._end(0, tuple(array[0] for array in rows))
        if self.signal_clip:
            rows[0][0] = self.signal_clip.on_hidden(rows[0][0], self.exponent)

    def _stretch(self, row: int, rows: tuple[Array, ...], delta: Array, slopes: tuple[Array, ...]) -> bool:
        """Fill in `rows`, the last of which is `row`, back to the first; False where one exponent is not enough."""
        start = self.parts, self.exponent
        self._receive(row)
        self._clip()
        self.exponent = self.exponent.copy()
        for array, part in zip(rows, self.parts, strict=True):
            array[-1] = part
        alive, stream = [peak(part) > 0 for part in self.parts], self.walk.stream
        limit = self.signal_clip and self.signal_clip.on_preactivation(self.exponent)
        meetings = repeat(None) if self.window is None else self._meetings(row, rows, alive)
        stream.cell.backward(stream, rows, slopes, delta, limit, meetings)
        parts = tuple(array[0] for array in rows)
        if len(delta) > 1 and any(_lost(part, living) for part, living in zip(parts, alive, strict=True)):
            self.parts, self.exponent = start
            return False
        stop = row - len(delta)
        cut = stop > 0 and self._cut_before(stop + 1) == stop
        self.parts = tuple(np.zeros_like(part) if cut else part.copy() for part in parts)
        if self.stained:
            self._let_begin_at_zero(stop, self.parts)
        return True

    def _safe_stretch(self, slopes: tuple[Array, ...]) -> int:
        """How many steps cannot grow a signal by more than 2**MOST_GROWTH, whatever it is.

        One step multiplies by at most two slopes and a column sum of |W_hh|, beside the direct path of a gate.
        """
        slope = max(max(factor.max(), -factor.min()) for factor in slopes)
        bits = np.log2((1.0 + slope) ** 2 * self.widest)
        return int(np.clip(MOST_GROWTH / max(bits, 1.0), 1, LONGEST_STRETCH)) if np.isfinite(bits) else 1

    def _cut_before(self, row: int) -> int:
        """The next row further back over which nothing is carried."""
        return (row - 1) // self.period * self.period if self.period else 0

    def _rescale(self) -> None:
        """Move every signal's size from its mantissas into its exponent, without rounding."""
        shift = binary_exponent(_peak(self.parts))
        factor = power_of_two(-shift)
        self.parts, self.exponent = tuple(part * factor for part in self.parts), self.exponent + shift

    def _receive(self, row: int) -> None:
        """Rescale, and add what arrives at a row."""
        if (arrival := self.arrivals.at(row, self.signals)) is not None:
            others = self._by_part(arrival.mantissa)
            if any(part.any() for part in self.parts):
                self._rescale()
                self.parts, self.exponent = add(self.parts, self.exponent, others, arrival.exponent)
            else:
                self.parts, self.exponent = others, arrival.exponent
        self._rescale()

    def _by_part(self, arriving: Array) -> tuple[Array, ...]:
        """What arrives at each part of the state: at h alone, unless it is as wide as all of them."""
        size = self.parts[0].shape[-1]
        if arriving.shape[-1] == size:
            return arriving, *(np.zeros_like(arriving) for _ in self.parts[1:])
        return arriving[..., :size], arriving[..., size:]

    def _meetings(self, row: int, rows: tuple[Array, ...], alive: list[Array]) -> Iterator[None]:
        """At each row from which a step leads back, start what begins there, and drop those that live there no more."""
        for back in range(len(rows[0]) - 1):
            here = tuple(array[-1 - back] for array in rows)
            if self.stained and back:
                self._let_begin_at_zero(row - back, here)
            if (begun := self.arrivals.begin(row - back, self.signals)) is not None:
                place, start = begun
                for part in here[1:]:
                    part[place] = 0.0
                here[0][place], self.exponent[place], alive[0][place] = start.mantissa, start.exponent, True
            self._end(row - back, (*here, *alive))
            yield

    def _let_begin_at_zero(self, row: int, arrays: tuple[Array, ...]) -> None:
        """Zero what did not live at the row before, and carries the NaN of slopes that it has nothing to do with."""
        for array in arrays:
            array[: max(0, int(self.window.first[row + 1]) - self.signals.start)] = 0.0

    def _end(self, row: int, arrays: tuple[Array, ...]) -> None:
        """Zero what belongs to signals that do not live at a row any more."""
        if self.window is not None and self.window.ends:
            over = self.window.over(row, row).stop - self.signals.start
            for array in arrays:
                array[over:] = 0

    def _clip(self) -> None:
        """Clip the hidden part, in units in which what is clipped is an ordinary number; the same units serve δ."""
        if self.signal_clip is None:
            return
        lower = np.clip(self.exponent - self.signal_clip.exponent, 0, MOST_LOWERING)
        self.parts, self.exponent = tuple(part * power_of_two(lower) for part in self.parts), self.exponent - lower
        if not self.signal_clip.on_preactivation(self.exponent):
            self.parts = (self.signal_clip.on_hidden(self.parts[0], self.exponent), *self.parts[1:])
            self._rescale()

    def _regroup(self, first: int, last: int) -> None:
        """Keep the signals that live at the rows first to last, and let new ones begin at zero, at the front."""
        if self.window is None or (new := self.window.over(first, last)) == self.signals:
            return
        old, self.signals = self.signals, new
        *parts, self.exponent = (_regrouped(array, old, new) for array in (*self.parts, self.exponent))
        self.parts = tuple(parts)


def _regrouped(rows: Array, old: slice, new: slice) -> Array:
    living = np.zeros((new.stop - new.start, *rows.shape[1:]), dtype=rows.dtype)
    kept = slice(old.start, min(old.stop, new.stop))
    living[kept.start - new.start : kept.stop - new.start] = rows[: kept.stop - old.start]
    return living


def _lost(part: Array, alive: Array) -> bool:
    """Whether a part of a signal that was there has shrunk so far that its digits may be gone."""
    largest = peak(part)
    return bool((alive & ((largest == 0) | (np.frexp(largest)[1] < MOST_SHRINKING))).any())


def _peak(parts: tuple[Array, ...]) -> Array:
    """(..., B, 1), the largest size among all parts of each signal's state."""
    return peak(parts[0]) if len(parts) == 1 else np.maximum(*map(peak, parts))
