"""What each loss sends to each state."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnviz.core.drawn import Drawn
from rnnviz.core.network import Stream


@dataclass(frozen=True, eq=False, repr=False)
class ItemisedFlow(Drawn):
    """What the loss of each step sends to each state, apart from all other losses.

    Attributes:
        streams: (S,) the streams, in the order of torch's `h_n`.
        sources: (n,) the steps t whose losses are followed, counted from 1; all T of them unless T is above 1000.
        log10_norm: (S, n, T+1), log10 ‖∂L_t/∂h_k‖ over all batch rows and units: row for the source t, column k for the
            state; -inf where there is no path. A row stands for what enters at output t: under a head that reads the
            final state of each direction, one loss enters at T and at 1.

    Source: the itemised gradients of Cashman, Patterson, Mosca and Chang (2017), RNNbow, here for every cell.
    """

    charts: ClassVar[tuple[str, ...]] = ("itemised",)

    streams: tuple[Stream, ...]
    sources: np.ndarray
    log10_norm: np.ndarray

    def __repr__(self) -> str:
        return f"<ItemisedFlow: T {self.steps}, {len(self.sources)} losses, S {len(self.streams)}>"

    @property
    def steps(self) -> int:
        """T."""
        return self.log10_norm.shape[2] - 1

    def reach(self, s: int = 0) -> np.ndarray:
        """(T,) mean of log10 (‖∂L_t/∂h_k‖ / ‖∂L_t/∂h_t‖) against the distance |t - k|, in stream `s`.

        Over the sources that have a loss; NaN at distances that none of them has.
        """
        stream, steps = self.streams[s], self.steps
        at = stream.in_order(steps + 1 - self.sources if stream.reverse else self.sources)
        rows = self.log10_norm[s][:: -1 if stream.reverse else 1, :: -1 if stream.reverse else 1]
        total, count = np.zeros(steps), np.zeros(steps)
        for row, source in zip(rows, at, strict=True):
            if np.isfinite(row[source]):
                total[:source] += row[source:0:-1] - row[source]
                count[:source] += 1
        return np.divide(total, count, out=np.full(steps, np.nan), where=count > 0)

    def has_loss(self, s: int = 0) -> np.ndarray:
        """(n,), which sources send anything to stream `s` at all."""
        return ~(self.log10_norm[s] == -np.inf).all(axis=1)

    def reach_of_each(self, s: int = 0, fraction: float = 0.01) -> np.ndarray:
        """(n,), how many steps back ‖∂L_t/∂h_k‖ stays above a fraction of ‖∂L_t/∂h_t‖ without a break.

        At most as many as lie before its step in stream `s`; NaN for a source that has no loss, or none that is finite.
        """
        norms, columns = self.log10_norm[s], np.arange(self.steps + 1)
        sources = self.sources
        if self.streams[s].reverse:
            norms, sources = norms[:, ::-1], self.steps + 1 - sources
        own = norms[np.arange(len(sources)), sources]
        below = ~(norms >= own[:, None] + np.log10(fraction))
        below[:, 0] = True
        last = np.where(below & (columns <= sources[:, None]), columns, 0).max(axis=1)
        return np.where(np.isfinite(own), sources - last - 1.0, np.nan)

    def mean_reach(self, s: int = 0, fraction: float = 0.01) -> float:
        """The distance at which `reach` first falls below a fraction; inf when it never does, NaN without any loss."""
        curve, level = self.reach(s), np.log10(fraction)
        if np.isnan(curve[0]):
            return np.nan
        below = np.flatnonzero(curve < level)
        if not len(below):
            return np.inf
        before, after = curve[below[0] - 1 : below[0] + 1]
        return float(below[0] - 1 + (before - level) / (before - after))
