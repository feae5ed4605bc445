"""Every state and every total gradient of one run."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rnnviz.core.drawn import Drawn
from rnnviz.core.network import Stream
from rnnviz.core.readings import LAYER_ABOVE, OWN_LOSSES, Reading, horizon, read
from rnnviz.core.results.status import FINDINGS, FLOAT64_LARGEST, FLOAT64_SMALLEST, Status
from rnnviz.core.scaled import log10_sum_of_squares


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow(Drawn):
    """Every state and every total gradient of one run, time-major.

    S streams, T steps, B batch rows, H units, K directions; `T+1` counts rows, the initial state included (see
    `rnnviz.core` for which row is which). Norms are Euclidean, over the units of one batch row unless said otherwise.

    Attributes:
        streams: (S,) the streams, in the order of torch's `h_n`.
        hidden: (S, T+1, B, H), h.
        cell: (S, T+1, B, H), c of an LSTM, else None.
        gates: {name: (S, T, B, H)}: i, f, g, o of an LSTM, r, z, n of a GRU.
        adjoint: (S, T+1, B, H), ∂L/∂h, after signal clipping where there is any.
        cell_adjoint: (S, T+1, B, H), ∂L/∂c as autograd defines it (the path c_t → h_t included), else None.
        log10_norm: (S, T+1, B), log10 ‖∂L/∂h‖, exact where `adjoint` underflows or overflows; -inf for exact zero.
        cell_log10_norm: (S, T+1, B), log10 ‖∂L/∂c‖, else None.
        joint_log10_norm: (S, T+1, B), log10 of the norm of the adjoint of the whole state: (∂L/∂h, ĉ) for an LSTM, with
            ĉ what arrives from the next step alone; the same as `log10_norm` for the other cells.
        parameter_gradients: {torch name: ∂L/∂parameter}.
        parameter_log10_norms: {torch name: log10 of the gradient's norm}, exact at any size.
        parameter_step_log10_norms: {torch name: (T,)}, log10 of the Frobenius norm of each step's contribution.
        input_gradient: (T, B, D), ∂L/∂x.
        output: (T, B, K·H), the top layer's hidden states.
        loss_log10_norm: (S, T, B), log10 of the norm of what the loss itself sends into each stream, through ∂L/∂output
            or into a final state: where gradient enters.
        saturated: (S, T+1, B), whether a zero there may come from a slope that rounds to zero.
        lengths: (B,) how many steps each sequence has: T, but for the shorter ones of a packed batch. Beyond its end
            everything of a sequence is 0. Profile and readings are those of the longest sequences.
    """

    streams: tuple[Stream, ...]
    hidden: np.ndarray
    cell: np.ndarray | None
    gates: dict[str, np.ndarray]
    adjoint: np.ndarray
    cell_adjoint: np.ndarray | None
    log10_norm: np.ndarray
    cell_log10_norm: np.ndarray | None
    joint_log10_norm: np.ndarray
    parameter_gradients: dict[str, np.ndarray]
    parameter_log10_norms: dict[str, float]
    parameter_step_log10_norms: dict[str, np.ndarray]
    input_gradient: np.ndarray
    output: np.ndarray
    loss_log10_norm: np.ndarray
    saturated: np.ndarray
    lengths: np.ndarray

    def __repr__(self) -> str:
        streams, _, batch, units = self.hidden.shape
        return f"<GradientFlow: S {streams}, T {self.steps}, B {batch}, H {units}. {self.verdict.sentence}>"

    @property
    def steps(self) -> int:
        """T."""
        return len(self.output)

    @property
    def parameter_step_norms(self) -> dict[str, np.ndarray]:
        """{torch name: (T,)}, Frobenius norm of each step's contribution to the parameter's gradient."""
        with np.errstate(over="ignore", under="ignore"):
            return {name: 10.0**norms for name, norms in self.parameter_step_log10_norms.items()}

    @cached_property
    def status(self) -> np.ndarray:
        """(S, T+1, B) of `Status`: what each entry of `log10_norm` is."""
        norm = self.log10_norm
        cases = [
            (np.isnan(norm), Status.UNDEFINED),
            ((norm == -np.inf) & self.saturated, Status.SATURATED),
            (norm == -np.inf, Status.ZERO),
            (norm < FLOAT64_SMALLEST, Status.UNDERFLOW),
            (norm > FLOAT64_LARGEST, Status.OVERFLOW),
        ]
        return np.select([case for case, _ in cases], [value for _, value in cases], Status.ORDINARY)

    @cached_property
    def profile(self) -> np.ndarray:
        """(S, T+1), log10 of the norm of the joint adjoint over all units and batch rows, of the longest sequences."""
        return log10_sum_of_squares(self.joint_log10_norm[..., self.lengths == self.steps], axis=-1)

    @cached_property
    def longest(self) -> "GradientFlow":
        """The batch rows of the longest sequences alone; parameters' gradients stay those of all."""
        rows = self.lengths == self.steps
        if rows.all():
            return self
        of_a_state = ("hidden", "cell", "adjoint", "cell_adjoint")
        of_a_norm = ("log10_norm", "cell_log10_norm", "joint_log10_norm", "loss_log10_norm", "saturated")
        parts = {name: getattr(self, name) for name in (*of_a_state, *of_a_norm)}
        taken = {name: None if part is None else part[:, :, rows] for name, part in parts.items()}
        gates = {name: part[:, :, rows] for name, part in self.gates.items()}
        through = {"input_gradient": self.input_gradient[:, rows], "output": self.output[:, rows]}
        return replace(self, **taken, **through, gates=gates, lengths=self.lengths[rows])

    @property
    def alive(self) -> np.ndarray:
        """(T+1, B), whether a row is one of a sequence's own, and does not lie beyond its end."""
        return np.arange(self.steps + 1)[:, None] <= self.lengths

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """(S,) what each stream's `profile` says, from its loss back to its first step."""
        found = tuple(read(*self.way_back(s)) for s in range(len(self.streams)))
        return found if len(found) == 1 else tuple(reading.named() for reading in found)

    @property
    def growth_per_step(self) -> np.ndarray:
        """(S,) geometric mean of the ratio of the norm one step further back: < 1 vanishing, > 1 exploding.

        Read from the step before the loss on; see `Reading`.
        """
        return np.array([reading.growth_per_step for reading in self.readings])

    @property
    def half_life(self) -> np.ndarray:
        """(S,) steps for the norm to halve; inf when it does not shrink."""
        return np.array([reading.half_life for reading in self.readings])

    @property
    def doubling_time(self) -> np.ndarray:
        """(S,) steps for the norm to double; inf when it does not grow."""
        return np.array([reading.doubling_time for reading in self.readings])

    @property
    def memory_horizon(self) -> np.ndarray:
        """(S,) how many steps back the norm stays above 1 % of what it was at the loss.

        NaN where that cannot be read: new gradient enters on the way (`Reading.refilled`), or it is not a number.
        """
        found = [np.nan if reading.reach == "–" else reading.memory_horizon for reading in self.readings]
        return np.array(found, dtype=np.float64)

    @cached_property
    def verdict(self) -> Reading:
        """The reading of the top layer, which feeds the layers below: of the stream with the longest way back.

        Where both directions have the same way, the one whose gradient travels best.
        """
        top = [
            r for r, stream in zip(self.readings, self.streams, strict=True) if stream.layer == self.streams[-1].layer
        ]
        return max(top, key=lambda reading: (reading.steps, np.nan_to_num(reading.growth_per_step, nan=np.inf)))

    @property
    def findings(self) -> tuple[str, ...]:
        """What the reader of the numbers must know, a sentence each: values beyond float64, dead or saturated units."""
        every = np.where(self.alive, self.status, Status.ORDINARY)
        unusual = [status for status in FINDINGS if every.any() and (every == status).any()]
        rows = {status: int((every == status).any(axis=(0, 2)).sum()) for status in unusual}
        found = [FINDINGS[status].format(rows=_rows(count)) for status, count in rows.items()]
        if (shortest := int(self.lengths.min())) < self.steps:
            told = f"The sequences have {shortest} to {self.steps} steps; "
            found.append(f"{told}growth and memory horizon are those of the longest.")
        if self.overflow_step is not None:
            found.insert(
                0, f"The forward run left float64 at step {self.overflow_step}: its states grew beyond 1.8e308."
            )
        return tuple(found)

    @property
    def overflow_step(self) -> int | None:
        """The step at which the forward run left float64, in the lowest layer where it did; None when it never did.

        It is the first in the order in which that layer's stream walks, counted from 1 in time.
        """
        for stream, hidden in zip(self.streams, self.hidden, strict=True):
            lost = np.flatnonzero(~np.isfinite(stream.in_order(hidden)).all(axis=(1, 2)))
            if len(lost):
                return int(self.steps + 1 - lost[0] if stream.reverse else lost[0])
        return None

    def unit_log10(self, s: int = 0) -> np.ndarray:
        """(T+1, H), log10 |∂L/∂h| of each unit, batch row 0; -inf for zero, NaN where float64 cannot hold the norm."""
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes = np.log10(np.abs(self.adjoint[s, :, 0]))
        norms = self.log10_norm[s, :, 0]
        held = (norms > FLOAT64_SMALLEST) & (norms < FLOAT64_LARGEST)
        return np.where(held[:, None], sizes, np.nan)

    def carriers(self, s: int = 0) -> np.ndarray:
        """(T+1,) how many units make half of ‖∂L/∂h‖², batch row 0; 0 where there is none, or float64 cannot say."""
        sizes = np.nan_to_num(self.unit_log10(s), nan=-np.inf)
        with np.errstate(invalid="ignore"):
            squares = 100.0 ** (np.sort(sizes, axis=1)[:, ::-1] - sizes.max(axis=1, keepdims=True))
        total = np.cumsum(np.nan_to_num(squares), axis=1)
        return np.where(total[:, -1] > 0, (total < 0.5 * total[:, -1:]).sum(axis=1) + 1, 0)

    def mean_state(self, s: int = 0) -> float:
        """Mean |h| over all steps, batch rows and units; inf where the sum leaves float64."""
        with np.errstate(over="ignore"):
            return float(np.abs(self.hidden[s][self.alive]).mean())

    def share_near_ends(self, s: int = 0) -> float:
        """Which share of all h is within 0.1 of an end of its range: ±1, or 0 and 1 for the logistic function."""
        stream, h = self.streams[s], self.hidden[s][self.alive]
        logistic = stream.cell.name == "rnn" and stream.activation.name == "sigmoid"
        return float(((h < 0.1) | (h > 0.9) if logistic else np.abs(h) > 0.9).mean())

    @property
    def step_growth_log10(self) -> np.ndarray:
        """(S, T), log10 of the factor by which `profile` changes across each step on its way back, in time order.

        NaN where there is nothing to compare: zeros, or values that are not numbers. A loss that enters counts too.
        """
        with np.errstate(invalid="ignore"):
            change = np.diff(self.profile, axis=1)
        signs = np.array([1.0 if stream.reverse else -1.0 for stream in self.streams])
        return np.where(np.isfinite(change), change * signs[:, None], np.nan)

    def recurrent_parts(self, s: int = 0) -> np.ndarray:
        """(T,), log10 of the Frobenius norm of each step's part of ∂L/∂W_hh, in time order."""
        return self.parameter_step_log10_norms[f"weight_hh_{self.streams[s].suffix}"]

    def recurrent_shares(self, s: int = 0) -> np.ndarray:
        """(T,), in time order: which share of the sum of `recurrent_parts`' norms the steps from here to the end make.

        The end is where the stream's walk ends and its gradient begins. NaN where all parts are zero or one is not a
        number. The norm of the parts' sum is smaller than the sum of their norms: see `recurrent_sum_left`.
        """
        parts = self.streams[s].in_order(self.recurrent_parts(s))
        with np.errstate(invalid="ignore"):
            sizes = 10.0 ** (parts - parts.max())
        return self.streams[s].in_order(np.cumsum(sizes[::-1])[::-1] / sizes.sum())

    def recurrent_steps_for(self, share: float, s: int = 0) -> tuple[int, int]:
        """How many steps at the end of the stream's walk, and how many at its beginning, make a share of that sum."""
        shares = self.streams[s].in_order(self.recurrent_shares(s))
        from_start = 1.0 - np.append(shares[1:], 0.0)
        return int((shares < share).sum()) + 1, int((from_start < share).sum()) + 1

    def recurrent_sum_left(self, s: int = 0) -> float:
        """‖∂L/∂W_hh‖ as a share of the sum of the norms of its steps' parts: 1 if they all point the same way."""
        parts = self.recurrent_parts(s)
        with np.errstate(invalid="ignore"):
            total = self.parameter_log10_norms[f"weight_hh_{self.streams[s].suffix}"] - parts.max()
            return float(10.0**total / (10.0 ** (parts - parts.max())).sum())

    def parameters_log10_norm(self, s: int | None = None) -> float:
        """log10 of the norm of all parameters' gradients together, or of those of one stream."""
        wanted = None if s is None else f"_{self.streams[s].suffix}"
        norms = [norm for name, norm in self.parameter_log10_norms.items() if not wanted or name.endswith(wanted)]
        return float(log10_sum_of_squares(np.array(norms), axis=0))

    def steps_above(self, fraction: float) -> np.ndarray:
        """(S,) how many steps back the norm stays above a fraction of what it was at the loss."""
        return np.array([horizon(self.way_back(s)[0], fraction) for s in range(len(self.streams))])

    def to_frame(self):
        """A tidy pandas DataFrame, a line for every stream, row and batch row, with the columns of `FRAME_COLUMNS`.

        Raises:
            RnnvizError: when pandas is not installed.
        """
        from rnnviz.core.frame import frame_of

        return frame_of(self)

    def save(self, path) -> None:
        """Write everything into one `.npz`, which `rnnviz.load` and `numpy.load` read without pickle.

        Args:
            path: the file's name, or an open binary file.

        Raises:
            RnnvizError: when there can be no such file, it may not be written, or it is open for text.
        """
        from rnnviz.core.flow_file import save_flow

        save_flow(self, path)

    def way_back(self, s: int) -> tuple[np.ndarray, str, list[str], str, bool]:
        """What `read` wants to know of a stream: its curve from its first step to the last that has a loss."""
        stream, steps = self.streams[s], self.steps
        enters = (self.loss_log10_norm[..., self.lengths == steps] > -np.inf).any(axis=2)
        top = stream.layer == self.streams[-1].layer
        above = [other.layer >= stream.layer for other in self.streams]
        enters = enters[s] if top else enters[above].any(axis=0)
        sources = np.flatnonzero(stream.in_order(enters)) + 1
        last = sources[-1] if len(sources) and (top or not stream.bidirectional) else steps
        rows = range(min(1, last - 1), last + 1)
        positions = [steps + 1 - row if stream.reverse else row for row in rows]
        names = [
            f"step {position}" if row else "the initial state" for row, position in zip(rows, positions, strict=True)
        ]
        curve = stream.in_order(self.profile[s])[rows.start : rows.stop]
        rounded = bool(stream.in_order(self.saturated[s])[rows.start, self.lengths == steps].any())
        alone = len(sources) < 2 and (top or not stream.bidirectional)
        refilled = "" if alone else OWN_LOSSES if top else LAYER_ABOVE
        return curve, stream.label, names, refilled, rounded


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
