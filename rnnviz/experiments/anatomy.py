"""One chain of a run in a handful of numbers: what its formulas need."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.network import Stream
from rnnviz.core.readings import Reading
from rnnviz.core.unroll import Walk
from rnnviz.experiments.comparison import Run


@dataclass(frozen=True)
class Anatomy:
    """The numbers of one stream of a run.

    Attributes:
        stream: the chain.
        reading: what its gradient does on the way back.
        units: H.
        spectral_radius: ρ, largest |eigenvalue| of the recurrent matrix; of the candidate's block in a gated cell.
        stretch: σ_max, the largest singular value of the same.
        largest_slope: γ of the activation of an RNN, 1 for a candidate's tanh.
        mean_slope: mean of φ'(a_t) over all steps and units, of an RNN; else None. NaN after an overflow.
        mean_gates: {name: mean over all steps and units} of a gated cell.
        begin, end: the steps between which the gradient is read, from the furthest to the loss; 0, or T+1 in reverse,
            is the initial state.
    """

    stream: Stream
    reading: Reading
    units: int
    spectral_radius: float
    stretch: float
    largest_slope: float
    mean_slope: float | None
    mean_gates: dict[str, float]
    begin: int
    end: int

    @property
    def bound(self) -> float:
        """γ σ_max, the most by which one step can multiply the gradient of an RNN.

        Source: Pascanu, Mikolov and Bengio (2013), section 2.1.
        """
        return self.largest_slope * self.stretch

    def gate_power(self, gate: str) -> float:
        """log10 of the mean of a gate to the power of the steps: what a memory kept by it alone would pass."""
        with np.errstate(divide="ignore"):
            return float(self.reading.steps * np.log10(self.mean_gates[gate]))


def anatomy(run: Run, s: int | None = None) -> Anatomy:
    """The numbers of stream `s` of a run, or of the one that `GradientFlow.verdict` reads when it is None."""
    flow, walks = run.flow, run.experiment.unrolled.walks
    readings = flow.readings
    if s is None:
        s = [reading.stream for reading in readings].index(flow.verdict.stream)
    stream, size = flow.streams[s], run.config.hidden_size
    first = stream.cell.blocks.index("candidate") * size
    matrix = stream.weight_hh[first : first + size]
    begin, end = _way(run, s, readings[s])
    return Anatomy(
        stream=stream,
        reading=readings[s],
        units=size,
        spectral_radius=float(np.abs(np.linalg.eigvals(matrix)).max()),
        stretch=float(np.linalg.norm(matrix, 2)),
        largest_slope=stream.activation.largest_slope if run.config.cell == "rnn" else 1.0,
        mean_slope=_mean_slope(walks[s]) if run.config.cell == "rnn" else None,
        mean_gates={name: float(values.mean()) for name, values in walks[s].gates.items()},
        begin=begin,
        end=end,
    )


def _mean_slope(walk: Walk) -> float:
    with np.errstate(all="ignore"):
        return float(walk.stream.activation.slope(walk.kept[0]).mean())


def _way(run: Run, s: int, reading: Reading) -> tuple[int, int]:
    """The positions of the ends of what a reading was read from."""
    stream, steps = run.flow.streams[s], run.flow.steps
    curve = stream.in_order(run.flow.profile[s])
    at_once = steps == 1 or (reading.steps == 1 and curve[2] == -np.inf)  # the loss is at the chain's first step
    rows = (0, 1) if at_once else (1, 1 + reading.steps)
    return tuple(steps + 1 - row if stream.reverse else row for row in rows)
