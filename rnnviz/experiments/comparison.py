"""Runs side by side: networks that share input, readout, seed and every setting but what tells them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from rnnviz.core.cells import CELLS
from rnnviz.core.results import ClipReport, GradientFlow, ItemisedFlow, JacobianSpectrum
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import BUDGET, Cost, check_budget, cost_of
from rnnviz.experiments.knobs import knob
from rnnviz.experiments.run import Experiment, clip_report, prepare

IN_DETAIL = Cost(seconds=3.0, megabytes=BUDGET.megabytes)  # of a result that is looked at beside others


@dataclass(frozen=True)
class Variant:
    """A network that can be compared with others.

    Attributes:
        name: the word in a `Comparison`, in links and in files.
        changes: what it changes in the `Config` that all compared runs share.
    """

    name: str
    changes: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The words on the screen."""
        return label_of(self.config(Config()))

    def config(self, shared: Config) -> Config:
        """The shared settings with this variant's changes; a bias of its own takes the place of chrono."""
        chrono = {"chrono": None} if "gate_bias" in self.changes else {}
        return replace(shared, **chrono, **self.changes)


def label_of(config: Config) -> str:
    """A network's name on the screen.

    >>> label_of(Config(cell="lstm", gate_bias=3.0, bidirectional=True))
    'LSTM, forget bias 3, both directions'
    """
    activation = f" {config.nonlinearity.replace('relu', 'ReLU')}" if config.cell == "rnn" else ""
    gate = CELLS[config.cell].keep_gate
    bias = f", {gate} bias {config.gate_bias:g}" if gate and config.gate_bias is not None else ""
    return f"{CELLS[config.cell].label}{activation}{bias}{', both directions' if config.bidirectional else ''}"


VARIANTS = {
    name: Variant(name, MappingProxyType(changes))
    for name, changes in (
        ("rnn", {"cell": "rnn"}),
        ("relu", {"cell": "rnn", "nonlinearity": "relu"}),
        ("linear", {"cell": "rnn", "nonlinearity": "linear"}),
        ("lstm", {"cell": "lstm"}),
        ("lstm_1", {"cell": "lstm", "gate_bias": 1.0}),
        ("lstm_3", {"cell": "lstm", "gate_bias": 3.0}),
        ("gru", {"cell": "gru"}),
        ("gru_3", {"cell": "gru", "gate_bias": 3.0}),
        ("birnn", {"cell": "rnn", "bidirectional": True}),
        ("bilstm", {"cell": "lstm", "bidirectional": True}),
        ("bigru", {"cell": "gru", "bidirectional": True}),
    )
}


@dataclass(frozen=True)
class Comparison:
    """Which networks stand side by side.

    Attributes:
        cells: one to four names in `VARIANTS`.

    >>> [run.label for run in Comparison(("rnn", "lstm_3")).runs(Config())]
    ['RNN tanh', 'LSTM, forget bias 3']
    """

    cells: tuple[str, ...] = knob(
        ("rnn", "lstm_3", "linear"),
        "Cells",
        "One to four networks to compare. They share the input, the readout, the seed and every other setting, so that "
        "what differs between their curves is the cell.",
        choices={name: variant.label for name, variant in VARIANTS.items()},
        low=1,
        many=4,
    )

    def __post_init__(self):
        declared = type(self).__dataclass_fields__["cells"].metadata["knob"]
        object.__setattr__(self, "cells", declared.checked("cells", self.cells))

    def runs(self, shared: Config, budget: Cost | None = BUDGET) -> tuple["Run", ...]:
        """The runs, each computed when it is first looked at.

        Args:
            shared: the settings of all of them, but for each variant's changes.
            budget: what all of them together may cost; None for no limit.

        Raises:
            RnnvizError: for settings that are over the budget.
        """
        runs = tuple(Run(name, VARIANTS[name].config(shared)) for name in self.cells)
        if budget is not None:
            check_budget(total_cost(runs, GradientFlow), budget)
        return runs


@dataclass(frozen=True, eq=False)
class Run:
    """One network of a comparison, with its results at hand.

    Attributes:
        name: of its variant.
        config: its settings.
    """

    name: str
    config: Config

    @property
    def label(self) -> str:
        """Its words on the screen."""
        return label_of(self.config)

    @cached_property
    def experiment(self) -> Experiment:
        """Input, network, forward run and loss, which all results share."""
        return prepare(self.config)

    @cached_property
    def flow(self) -> GradientFlow:
        """States and total gradients."""
        return self.experiment.find(GradientFlow)

    @cached_property
    def unclipped(self) -> GradientFlow:
        """The same without signal clipping; `flow` itself where there is none."""
        if self.config.signal_clip is None:
            return self.flow
        return prepare(replace(self.config, clip="off")).find(GradientFlow)

    @cached_property
    def itemised(self) -> ItemisedFlow:
        """What each loss sends to each step; refused under signal clipping and truncation."""
        return self._affordable(ItemisedFlow)

    @cached_property
    def spectrum(self) -> JacobianSpectrum:
        """Step Jacobians."""
        return self._affordable(JacobianSpectrum)

    @cached_property
    def clip_report(self) -> ClipReport:
        """What clipping does to the parameters' gradient."""
        return clip_report(self.config, self.flow)

    @property
    def bound_per_step(self) -> float | None:
        """γ σ_max(W_hh): no gradient of the top layer grows by more per step; None where no such bound is known.

        Source: Pascanu, Mikolov and Bengio (2013), section 2.1, for an RNN; here with one loss, at the last step.
        """
        if self.config.cell != "rnn" or self.config.loss == "every":
            return None
        stream = self.experiment.network.streams[-1]
        return float(stream.activation.largest_slope * np.linalg.norm(stream.weight_hh, 2))

    def _affordable(self, want: type):
        check_budget(cost_of(self.config, want, *self.experiment.inputs.shape[::2]), IN_DETAIL)
        return self.experiment.find(want)


def total_cost(runs: Sequence[Run], want: type) -> Cost:
    """Of all runs together: they are looked at side by side, and so all kept."""
    costs = [cost_of(run.config, want, *run.experiment.inputs.shape[::2]) for run in runs]
    return Cost(sum(cost.seconds for cost in costs), sum(cost.megabytes for cost in costs))
