"""What a run found: frozen values of numpy arrays, each with its shape and meaning beside it."""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np

from rnnviz.core.drawn import Drawn
from rnnviz.core.network import Stream
from rnnviz.core.readings import LAYER_ABOVE, OWN_LOSSES, Reading, horizon, read
from rnnviz.core.scaled import log10_sum_of_squares

FLOAT64_SMALLEST = float(np.log10(np.finfo(np.float64).tiny))
FLOAT64_LARGEST = float(np.log10(np.finfo(np.float64).max))


class Status(IntEnum):
    """What a norm is, when it is not an ordinary number."""

    ORDINARY = 0
    UNDERFLOW = 1  # not zero, but below float64's smallest normal number, 2.2e-308
    OVERFLOW = 2  # finite, but beyond float64's largest number, 1.8e308
    ZERO = 3  # exactly zero: no path, or dead units
    SATURATED = 4  # zero only because the slope of a saturated unit left float64
    UNDEFINED = 5  # not a number: the forward run overflowed


FINDINGS = {
    Status.UNDEFINED: "∂L/∂h is not a number at {rows}.",
    Status.OVERFLOW: "∂L/∂h is larger than float64 can hold (1.8e308) at {rows}; its log10 norm is exact.",
    Status.UNDERFLOW: "∂L/∂h is smaller than float64 can hold (2.2e-308) at {rows}; its log10 norm is exact.",
    Status.ZERO: "∂L/∂h is exactly zero at {rows}: no path leads there from the loss, or the units are dead.",
    Status.SATURATED: "∂L/∂h is rounded to zero at {rows}: the slope of a saturated unit leaves float64.",
}


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
        """(S,) how many steps back the norm stays above 1 % of what it was at the loss."""
        return np.array([reading.memory_horizon for reading in self.readings])

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


@dataclass(frozen=True, eq=False)
class ItemisedFlow:
    """What the loss of each step sends to each state, apart from all other losses.

    Attributes:
        streams: (S,) the streams, in the order of torch's `h_n`.
        sources: (n,) the steps t whose losses are followed, counted from 1; all T of them unless T is above 1000.
        log10_norm: (S, n, T+1), log10 ‖∂L_t/∂h_k‖ over all batch rows and units: row for the source t, column k for the
            state; -inf where there is no path. A row stands for what enters at output t: under a head that reads the
            final state of each direction, one loss enters at T and at 1.

    Source: the itemised gradients of Cashman, Patterson, Mosca and Chang (2017), RNNbow, here for every cell.
    """

    streams: tuple[Stream, ...]
    sources: np.ndarray
    log10_norm: np.ndarray

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


@dataclass(frozen=True, eq=False)
class JacobianSpectrum:
    """Step Jacobians J_t = ∂s_t/∂s_{t-1} of the state s (h, or (h, c) for an LSTM), N × N, and their products.

    Steps are in time order; a reverse stream's J_t leads from position t+1 to position t.

    Attributes:
        streams: (S,) the streams, in the order of torch's `h_n`.
        singular_values: (S, T, B, N), of every step Jacobian, largest first.
        spectral_radius: (S, T, B), largest |eigenvalue| of every step Jacobian.
        transport_log10: (S, T+1, B, N), log10 of the singular values of the transport ∂s_last/∂s_row from each row to
            the stream's last, largest first; NaN where float64 cannot tell a value from rounding, some 13 decades
            below the largest; 0 at the last row itself.
        lyapunov_exponents: (S, B, N), per step, natural logarithm, largest first: the mean log growth of the axes of a
            small ball carried along by the QR method.
            Source: Benettin et al. (1980); Vogt, Puelma Touzel, Shlizerman and Lajoie (2022).
    """

    streams: tuple[Stream, ...]
    singular_values: np.ndarray
    spectral_radius: np.ndarray
    transport_log10: np.ndarray
    lyapunov_exponents: np.ndarray

    @property
    def steps(self) -> int:
        """T."""
        return self.spectral_radius.shape[1]

    def quantiles(self, shares: tuple[float, ...], s: int = 0) -> np.ndarray:
        """(n, T), log10 of quantiles of every step's singular values, batch row 0; 0 is the smallest, 1 the largest."""
        with np.errstate(divide="ignore"):
            values = np.log10(self.singular_values[s, :, 0, ::-1])
        places = np.round(np.array(shares) * (values.shape[1] - 1)).astype(int)
        return values[:, places].T

    def radius_log10(self, s: int = 0) -> np.ndarray:
        """(T,), log10 of every step's spectral radius, batch row 0."""
        with np.errstate(divide="ignore"):
            return np.log10(self.spectral_radius[s, :, 0])

    def lyapunov_growth(self, s: int = 0) -> float:
        """e^λ₁, batch row 0: the factor a step by which what the step Jacobians carry grows in the long run."""
        return float(np.exp(self.lyapunov_exponents[s, 0, 0]))

    def mean_slope(self, s: int = 0) -> float:
        """Root mean square of the activation's slopes over units and steps, for an RNN; NaN for W_hh = 0.

        Each unit counts by the size of its row of W_hh, because ‖diag(φ') W‖² = Σ φ'_i² ‖row i‖² (Frobenius).
        """
        size = np.linalg.norm(self.streams[s].weight_hh)
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.sqrt((self.singular_values[s, :, 0] ** 2).sum(axis=-1).mean()) / size)


@dataclass(frozen=True, eq=False)
class ClipReport:
    """What clipping did to a parameter gradient.

    Attributes:
        clipped: {name: array}, the gradient after clipping, exactly as torch gives it.
        norm_before: what `clip_grad_norm_` returns: the total norm before clipping, inf or 0 where squares leave the
            floating type.
        norm_after: the same norm of the clipped gradient.
        log10_norm_before: log10 of the true Euclidean norm before clipping, at any size.
        log10_norm_after: the same of the clipped gradient.
        coefficient: the factor that clipping by norm applied; None when clipping by value, which has no single one.
        angle: degrees between the gradient before and after; NaN when either is zero or not finite.
        parameter_norms_before, parameter_norms_after: {name: norm}.
        warning: a sentence when torch silently zeroes, flips or poisons the gradient; "" otherwise.
    """

    clipped: dict[str, np.ndarray]
    norm_before: float
    norm_after: float
    log10_norm_before: float
    log10_norm_after: float
    coefficient: float | None
    angle: float
    parameter_norms_before: dict[str, float]
    parameter_norms_after: dict[str, float]
    warning: str

    @property
    def cosine(self) -> float:
        """Cosine between the gradient before and after; NaN when either is zero or not finite."""
        return float(np.cos(np.radians(self.angle)))

    @property
    def changed(self) -> bool:
        """Clipping made it another gradient."""
        return self.parameter_norms_before != self.parameter_norms_after

    def log10_after(self, ending: str = "") -> float:
        """log10 of the norm of the clipped gradients whose parameters' names have an ending, together."""
        norms = [norm for name, norm in self.parameter_norms_after.items() if name.endswith(ending)]
        with np.errstate(divide="ignore"):
            return float(log10_sum_of_squares(np.log10(np.array(norms)), axis=0))
