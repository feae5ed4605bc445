"""The one door from a question to its answer: config → result."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.bptt import backpropagate
from rnnviz.core.clipping import clip_by_norm, clip_by_value, unclipped
from rnnviz.core.initialisers import draw_network, generator_for
from rnnviz.core.itemised import itemise
from rnnviz.core.jacobians import spectrum
from rnnviz.core.network import Network
from rnnviz.core.results import ClipReport, GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.core.unroll import Unrolled, unroll
from rnnviz.errors import ConfigError, ShapeError, expect, one_of
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import BUDGET, Cost, check_budget, cost_of
from rnnviz.experiments.inputs import SIGNALS


@dataclass(frozen=True, eq=False)
class Experiment:
    """A question made ready: the drawn network, its input, and its loss.

    The loss reads the output by a fixed random readout, y_t = v · output_t, and is the squared error against a fixed
    random target, (y_T - target_T)² at the last step or Σ_t (y_t - target_t)²: a gradient exists without training.

    Attributes:
        config: what was asked.
        inputs: (T, 1, D); T is smaller than `config.length` when the text or the series is shorter.
    """

    config: Config
    inputs: np.ndarray

    @cached_property
    def network(self) -> Network:
        """The network, drawn from the config's seed."""
        config = self.config
        return draw_network(
            config.cell,
            config.nonlinearity,
            (self.inputs.shape[2], config.hidden_size, config.layers, config.directions),
            config.initialisation,
            config.weight_scale,
            config.gate_bias,
            config.chrono,
            config.seed,
        )

    @cached_property
    def unrolled(self) -> Unrolled:
        """The forward run."""
        return unroll(self.network, self.inputs)

    @property
    def readout(self) -> np.ndarray:
        """(K·H,) v, drawn from N(0, 1/(K·H))."""
        size = self.network.directions * self.network.hidden_size
        return generator_for(self.config.seed, "readout").normal(size=size) / np.sqrt(size)

    @property
    def target(self) -> np.ndarray:
        """(T,) drawn from N(0, 1)."""
        return generator_for(self.config.seed, "target").normal(size=len(self.inputs))

    @property
    def read(self) -> np.ndarray:
        """(T, K·H) what the readout sees: the output, or at the last step each direction's own final state."""
        seen = self.unrolled.output[:, 0].copy()
        if self._reads_final_states:
            backward = slice(self.network.hidden_size, None)
            seen[-1, backward] = seen[0, backward]
        return seen

    @property
    def outputs(self) -> np.ndarray:
        """(T,) y_t, the readout of each step."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.read @ self.readout

    @property
    def losses(self) -> np.ndarray:
        """(T,) the loss of each step; 0 where there is none."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(self.counts, (self.outputs - self.target) ** 2, 0.0)

    @property
    def output_gradient(self) -> np.ndarray:
        """(T, 1, K·H), ∂L/∂output; NaN where the forward run left float64."""
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.where(self.counts, 2.0 * (self.outputs - self.target), 0.0)
            gradient = error[:, None] * self.readout
        if self._reads_final_states:
            backward = slice(self.network.hidden_size, None)
            final = gradient[-1, backward].copy()
            gradient[-1, backward] = 0.0
            gradient[0, backward] = final
        return gradient[:, None, :]

    def find(self, want: type):
        """Answer with one of the result types in `WANTS`."""
        one_of("want", want, WANTS)
        return WANTS[want](self)

    @property
    def counts(self) -> np.ndarray:
        """(T,) which steps have a loss."""
        return (np.arange(len(self.inputs)) == len(self.inputs) - 1) | (self.config.loss == "every")

    @property
    def _reads_final_states(self) -> bool:
        return self.config.bidirectional and self.config.loss == "last" and self.config.head == "final_states"


def prepare(config: Config, *, inputs: np.ndarray | None = None) -> Experiment:
    """Make an experiment ready, without drawing or running its network.

    Args:
        config: what is asked.
        inputs: (T, 1, D) to read instead of the config's signal, as from `read_series`; `length` then cuts it.

    Raises:
        RnnvizError: for inputs of a wrong shape, or that `input_scale` takes beyond float64.
    """
    expect("config", config, Config, "Config")
    if inputs is None:
        made = SIGNALS[config.signal].make(config, generator_for(config.seed, "inputs"))[:, None, :]
    else:
        made = finite_array("inputs", inputs)
        if made.ndim != 3 or made.shape[1] != 1 or 0 in made.shape:
            raise ShapeError(f"inputs: must have the shape (T, 1, D), got {made.shape}.")
    with np.errstate(over="ignore"):
        scaled = made[: config.length] * config.input_scale
    if not np.isfinite(scaled).all():
        raise ShapeError(
            f"inputs: must be finite after input_scale, at most 1.8e308, got {np.abs(made).max():.2g} times "
            f"{config.input_scale:g}."
        )
    return Experiment(config, scaled)


def run(config: Config, want: type = GradientFlow, *, inputs: np.ndarray | None = None, budget: Cost | None = BUDGET):
    """Run an experiment: config → result.

    Args:
        config: what is asked.
        want: `GradientFlow`, `ItemisedFlow`, `JacobianSpectrum` or `ClipReport`.
        inputs: (T, 1, D) to read instead of the config's signal, as from `read_series`.
        budget: what the run may cost; None for no limit.

    Raises:
        RnnvizError: for a config over the budget, before anything is computed, or an unknown `want`.

    >>> flow = run(Config(weight_scale=0.8, length=50))
    >>> flow.verdict.kind
    'vanishing'
    """
    one_of("want", want, WANTS)
    expect("budget", budget, Cost | None, "Cost or None")
    experiment = prepare(config, inputs=inputs)
    if budget is not None:
        check_budget(cost_of(config, want, *experiment.inputs.shape[::2]), budget)
    return experiment.find(want)


def estimate(config: Config, want: type = GradientFlow, *, inputs: np.ndarray | None = None) -> Cost:
    """What `run` with the same arguments would cost, in seconds of one core and megabytes, without running it."""
    one_of("want", want, WANTS)
    return cost_of(config, want, *prepare(config, inputs=inputs).inputs.shape[::2])


def _flow(experiment: Experiment) -> GradientFlow:
    config = experiment.config
    if config.signal_clip and config.truncation == "sliding":
        raise ConfigError(
            "clip: cannot clip the signal under a sliding truncation, where every loss has a signal of its own; "
            f"allowed are off, norm and value, or a truncation in chunks, got {config.clip!r}."
        )
    return backpropagate(experiment.unrolled, experiment.output_gradient, config.signal_clip, config.truncated)


def _itemised(experiment: Experiment) -> ItemisedFlow:
    config = experiment.config
    if config.signal_clip or config.truncated:
        name, value = ("clip", config.clip) if config.signal_clip else ("truncation", config.truncation)
        raise ConfigError(
            f"{name}: must leave the signal alone (off{', norm or value' * (name == 'clip')}) for itemised gradients, "
            f"got {value!r}."
        )
    return itemise(experiment.unrolled, experiment.output_gradient)


def _spectrum(experiment: Experiment) -> JacobianSpectrum:
    return spectrum(experiment.unrolled)


def _clip_report(experiment: Experiment) -> ClipReport:
    return clip_report(experiment.config, _flow(experiment))


def clip_report(config: Config, flow: GradientFlow) -> ClipReport:
    """What the config's clipping does to the parameters' gradient; with no parameter clipping, nothing."""
    gradients = flow.parameter_gradients
    clip = PARAMETER_CLIPS.get(config.clip)
    return clip(gradients, config.clip_threshold) if clip else unclipped(gradients)


PARAMETER_CLIPS = {"norm": clip_by_norm, "value": clip_by_value}

WANTS = {
    GradientFlow: _flow,
    ItemisedFlow: _itemised,
    JacobianSpectrum: _spectrum,
    ClipReport: _clip_report,
}
