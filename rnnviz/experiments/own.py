"""A run of a network that is already there: a user's own weights on the user's own inputs, for the same charts."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.network import Network, network_with
from rnnviz.core.results import GradientFlow
from rnnviz.core.unroll import Unrolled, unroll
from rnnviz.errors import RnnvizError, ShapeError
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import knob
from rnnviz.experiments.run import Experiment


@dataclass(frozen=True)
class OwnConfig(Config):
    """What is known of a user's own network in the words of a `Config`, without the bounds that a control needs."""

    layers: int = knob(1, "Layers", "Recurrent layers stacked on each other.", low=1, high=10_000)
    length: int = knob(100, "Sequence length", "Steps T.", low=1, high=10**9)
    hidden_size: int = knob(32, "Hidden size", "Units H.", low=1, high=10**6)

    @property
    def settings(self) -> dict[str, Any]:
        """{field: value} of what a network, its inputs and its loss tell; there was no drawing of weights."""
        known = ("cell", "nonlinearity", "bidirectional", "layers", "length", "hidden_size", "loss")
        return {name: getattr(self, name) for name in known}


@dataclass(frozen=True, eq=False)
class OwnExperiment(Experiment):
    """A network, its inputs and its loss, as they were given."""

    own_network: Network = field(repr=False, default=None)
    own_gradient: np.ndarray | None = field(repr=False, default=None)
    initial_state: object = field(repr=False, default=None)

    @property
    def network(self) -> Network:
        """As it was given."""
        return self.own_network

    @cached_property
    def unrolled(self) -> Unrolled:
        """The forward run."""
        return unroll(self.network, self.inputs, self.initial_state)

    @property
    def output_gradient(self) -> np.ndarray:
        """(T, B, K·H) as it was given, or that of a fixed random readout, which sees each batch row alike."""
        if self.own_gradient is not None:
            return self.own_gradient
        if self.inputs.shape[1] == 1:
            return super().output_gradient
        rows = [super(OwnExperiment, self._row(row)).output_gradient for row in range(self.inputs.shape[1])]
        return np.concatenate(rows, axis=1)

    @property
    def counts(self) -> np.ndarray:
        """(T,) which steps have a loss."""
        given = self.own_gradient
        return super().counts if given is None else (given != 0).any(axis=(1, 2))

    def _row(self, row: int) -> "OwnExperiment":
        """One batch row alone."""
        start = self.initial_state
        if start is not None:
            parts = tuple(np.asarray(part)[:, [row]] for part in (start if isinstance(start, tuple) else (start,)))
            start = parts if len(parts) > 1 else parts[0]
        return replace(self, inputs=self.inputs[:, [row]], initial_state=start)


@dataclass(frozen=True, eq=False)
class OwnRun(Run):
    """A run with its own words on the screen."""

    own_label: str = "Your model"
    own_experiment: OwnExperiment | None = None

    @property
    def label(self) -> str:
        """Its words on the screen."""
        return self.own_label

    @property
    def experiment(self) -> OwnExperiment:
        """Input, network, forward run and loss."""
        return self.own_experiment

    @property
    def unclipped(self):
        """The flow itself: nothing is clipped here."""
        return self.flow


def config_of(network: Network, steps: int, loss: str) -> OwnConfig:
    """What is known of a network that was given."""
    return OwnConfig(
        cell=network.cell, nonlinearity=network.nonlinearity, bidirectional=network.directions == 2,
        layers=network.layers, hidden_size=network.hidden_size, length=steps, loss=loss,
    )  # fmt: skip


def own_run(
    network: Network,
    inputs: np.ndarray,
    output_gradient: np.ndarray | None = None,
    *,
    loss: str = "last",
    initial_state=None,
    label: str = "Your model",
    name: str = "own",
) -> Run:
    """A network's run that every chart of Explore can show.

    Args:
        network: whose.
        inputs: (T, B, D).
        output_gradient: (T, B, K·H), ∂L/∂output of your own loss; a fixed random readout stands in for it when None.
        loss: "last" or "every", where that readout has its loss; with a gradient of your own, read from that.
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.
        label: its words on the screen.
        name: of its style, in `figures.theme.STYLES`.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite.
    """
    inputs = finite_array("inputs", inputs).copy()  # free to be handed on to torch, which warns of what is read-only
    if inputs.ndim != 3 or 0 in inputs.shape or inputs.shape[2] != network.input_size:
        raise ShapeError(f"inputs: must have the shape (T, B, {network.input_size}), got {inputs.shape}.")
    if output_gradient is not None:
        shape = (*inputs.shape[:2], network.directions * network.hidden_size)
        output_gradient = finite_array("output_gradient", output_gradient, shape)
        loss = "every" if (output_gradient != 0).any(axis=(1, 2)).sum() > 1 else "last"
    config = config_of(network, len(inputs), loss)
    return OwnRun(name, config, label, OwnExperiment(config, inputs, network, output_gradient, initial_state))


@dataclass(frozen=True, eq=False)
class FlowRun(OwnRun):
    """A finished flow as a run; what would need its inputs again cannot be had."""

    own_flow: GradientFlow | None = field(repr=False, default=None)

    @property
    def experiment(self):
        """Refused: a flow does not hold its inputs."""
        raise RnnvizError("chart: this one needs a run with its inputs (own_run), got a finished flow.")

    @property
    def flow(self) -> GradientFlow:
        """As it was given."""
        return self.own_flow

    @property
    def bound_per_step(self) -> float | None:
        """γ σ_max(W_hh), as of every run."""
        return OwnRun(self.name, self.config, self.own_label, self.own_experiment).bound_per_step

    itemised = spectrum = experiment


def flow_run(flow: GradientFlow, label: str = "Your model", name: str = "own") -> Run:
    """A finished flow, as from `rnnviz.trace`, as a run that charts can show; of a packed batch its longest rows."""
    network, flow = network_with(flow.streams), flow.longest
    alone = ((flow.loss_log10_norm > -np.inf).any(axis=2).sum(axis=1) < 2).all()
    config = config_of(network, flow.steps, "last" if alone else "every")
    experiment = OwnExperiment(config, np.zeros((flow.steps, 1, network.input_size)), network)
    return FlowRun(name, config, label, experiment, flow)
