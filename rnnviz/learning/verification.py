"""rnnviz against torch autograd, array by array."""

import numpy as np

from rnnviz.core.cells import CELLS
from rnnviz.core.results import GradientFlow
from rnnviz.errors import BudgetError
from rnnviz.experiments.config import Config
from rnnviz.experiments.run import prepare
from rnnviz.learning import Verification
from rnnviz.learning.oracle import autograd_flow

MOST_STEPS, WEIGHTS = 20_000, 8192  # so many steps of a network with so many recurrent weights take some 10 s
TRUSTED = 1e-280  # below it autograd's own products pass through subnormal numbers, which are already rounded


def verify_against_autograd(config: Config, inputs: np.ndarray | None) -> Verification:
    """See `rnnviz.verify`."""
    experiment = prepare(config, inputs=inputs)
    steps = len(experiment.inputs) * len(experiment.network.streams)
    steps *= len(experiment.inputs) if config.truncation == "sliding" else 1
    allowed = MOST_STEPS // max(1, len(CELLS[config.cell].blocks) * config.hidden_size**2 // WEIGHTS)
    if steps > allowed:
        raise BudgetError(
            f"length: autograd would walk {steps} steps for this config; allowed are {allowed}, so make it shorter."
        )
    flow = experiment.find(GradientFlow)
    clip, truncation = config.signal_clip, config.truncated
    question = (experiment.network, experiment.inputs, experiment.output_gradient, None)
    theirs = autograd_flow(*question, signal_clip=clip, truncation=truncation, along=flow)
    return compare(flow, theirs)


def compare(flow: GradientFlow, theirs: dict) -> Verification:
    """Compare a flow with what autograd found under the same names."""
    differences, skipped = {}, 0
    norms = {"adjoint": flow.log10_norm, "cell_adjoint": flow.cell_log10_norm}
    for name in ("adjoint", "cell_adjoint", "input_gradient"):
        if name in theirs:
            differences[name], beyond = _by_row(getattr(flow, name), theirs[name], norms.get(name))
            skipped += beyond
    for name in ("hidden", "cell", "output"):
        if name in theirs:
            differences[name] = _as_whole(getattr(flow, name), theirs[name])
    for name, expected in theirs["parameter_gradients"].items():
        differences[name] = _as_whole(flow.parameter_gradients[name], expected)
    return Verification(differences, skipped)


def _as_whole(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference relative to the largest entry; infinite where only one of both is a finite number."""
    held = np.isfinite(theirs)
    if (held != np.isfinite(ours)).any():
        return np.inf
    size = np.abs(theirs[held]).max(initial=0.0)
    return float(np.abs(ours[held] - theirs[held]).max(initial=0.0) / (size or 1.0))


def _by_row(ours: np.ndarray, theirs: np.ndarray, log10_norm: np.ndarray | None) -> tuple[float, int]:
    """Largest difference, each row relative to its own largest entry, and how many rows float64 cannot hold.

    A row of zeros in both is left out only where the exact norm, if there is one, says that it is not zero. The
    difference is infinite where only one of both is a finite number.
    """
    size, own = np.abs(theirs).max(axis=-1), np.abs(ours).max(axis=-1)
    if (np.isfinite(size) != np.isfinite(own)).any():
        return np.inf, 0
    held = (size > TRUSTED) & np.isfinite(size)
    exists = (size != 0) | (own != 0) if log10_norm is None else log10_norm != -np.inf
    difference = np.abs(ours[held] - theirs[held]).max(axis=-1, initial=0.0)
    return float((difference / size[held]).max(initial=0.0)), int((~held & exists).sum())
