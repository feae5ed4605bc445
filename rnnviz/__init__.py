"""rnnviz: see how gradients move through recurrent networks.

Exact back-propagation through time for vanilla RNN, LSTM and GRU, of any depth and direction, in plain numpy:

    >>> import rnnviz
    >>> flow = rnnviz.run(rnnviz.Config(cell="rnn", length=100, weight_scale=0.8))
    >>> flow.verdict.kind
    'vanishing'

Importing rnnviz loads numpy alone; `verify`, `trace` and `watch` load torch when they are called.
"""

import importlib
import typing

from rnnviz.core import drawn
from rnnviz.core.bptt import bptt
from rnnviz.core.clipping import clip_by_norm, clip_by_value
from rnnviz.core.itemised import itemised
from rnnviz.core.jacobians import jacobians
from rnnviz.core.network import Network
from rnnviz.core.results import ClipReport, GradientFlow, ItemisedFlow, JacobianSpectrum, Status
from rnnviz.core.signal import SignalClip, Truncation
from rnnviz.errors import BudgetError, ConfigError, RnnvizError, ShapeError
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import BUDGET, Cost
from rnnviz.experiments.inputs import read_series
from rnnviz.experiments.knobs import Knob, knobs
from rnnviz.experiments.run import Experiment, estimate, prepare, run
from rnnviz.learning import trace, verify, watch

if typing.TYPE_CHECKING:
    from rnnviz.experiments.loading import load
    from rnnviz.experiments.sweep import sweep
    from rnnviz.experiments.sweep_result import SweepResult

__version__ = "0.1.0"

# What a first run does not need, and what would double the time of the import.
_LATER = {"load": "loading", "sweep": "sweep", "SweepResult": "sweep_result"}


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(f"rnnviz.experiments.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


def _drawer():
    from rnnviz.figures import notebook  # plotly, once something is drawn

    return notebook


drawn.drawer = _drawer

__all__ = [
    "BUDGET",
    "BudgetError",
    "ClipReport",
    "Config",
    "ConfigError",
    "Cost",
    "Experiment",
    "GradientFlow",
    "ItemisedFlow",
    "JacobianSpectrum",
    "Knob",
    "Network",
    "RnnvizError",
    "ShapeError",
    "SignalClip",
    "Status",
    "SweepResult",
    "Truncation",
    "bptt",
    "clip_by_norm",
    "clip_by_value",
    "estimate",
    "itemised",
    "jacobians",
    "knobs",
    "load",
    "prepare",
    "read_series",
    "run",
    "sweep",
    "trace",
    "verify",
    "watch",
]
