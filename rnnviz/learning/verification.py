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
TRUSTED_SQUARE = 1e-140
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
    with np.errstate(all="ignore"):
        return compare(flow, theirs)


def compare(flow: GradientFlow, theirs: dict) -> Verification:
    """Compare a flow with what autograd found under the same names, and the flow's norms with autograd's arrays."""
    found = Comparison()
    found.rows("adjoint", flow.adjoint, theirs["adjoint"], flow.log10_norm)
    found.norms("log10_norm", flow.log10_norm, theirs["adjoint"])
    if "cell" in theirs:
        found.rows("cell_adjoint", flow.cell_adjoint, theirs["cell_adjoint"], flow.cell_log10_norm)
        found.norms("cell_log10_norm", flow.cell_log10_norm, theirs["cell_adjoint"])
        joint = np.concatenate((theirs["adjoint"], theirs["carried_cell_adjoint"]), axis=-1)
        found.norms("joint_log10_norm", flow.joint_log10_norm, joint)
    found.rows("input_gradient", flow.input_gradient, theirs["input_gradient"])
    for name in ("hidden", "cell", "output"):
        if name in theirs:
            found.whole(name, getattr(flow, name), theirs[name])
    for name, expected in theirs["parameter_gradients"].items():
        found.whole(name, flow.parameter_gradients[name], expected, flow.parameter_step_norms[name].max())
    return Verification(found.differences, found.skipped)


class Comparison:
    """Differences gathered so far, and how many rows autograd could not hold.

    Where autograd has Inf or NaN it says nothing: its products overflow where ours are rescaled. Where it has a number
    and we have none, the difference is infinite.
    """

    def __init__(self):
        self.differences: dict[str, float] = {}
        self.skipped = 0

    def whole(self, name: str, ours: np.ndarray, theirs: np.ndarray, of_a_term: float = 0.0) -> None:
        """Largest difference, relative to the largest entry, or to the largest term of a sum that may cancel."""
        held = np.isfinite(theirs)
        size = max(np.abs(theirs[held]).max(initial=0.0), of_a_term if np.isfinite(of_a_term) else 0.0) or 1.0
        self.skipped += int((~held).any())
        self._note(name, np.abs(ours[held] - theirs[held]).max(initial=0.0) / size)

    def rows(self, name: str, ours: np.ndarray, theirs: np.ndarray, log10_norm: np.ndarray | None = None) -> None:
        """Largest difference, each row relative to its own largest entry.

        A row of zeros in both is left out only where the exact norm, if there is one, says that it is not zero.
        """
        size, own = np.abs(theirs).max(axis=-1), np.abs(ours).max(axis=-1)
        held = (size > TRUSTED) & np.isfinite(size)
        exists = (size != 0) | (own != 0) if log10_norm is None else log10_norm != -np.inf
        self.skipped += int((~held & exists).sum())
        difference = np.abs(ours[held] - theirs[held]).max(axis=-1, initial=0.0)
        self._note(name, (difference / size[held]).max(initial=0.0))

    def norms(self, name: str, log10_norm: np.ndarray, theirs: np.ndarray) -> None:
        """Largest relative difference of a norm, where autograd's squares hold it."""
        size = np.abs(theirs).max(axis=-1, initial=0.0)
        held = (size > TRUSTED_SQUARE) & (size < 1.0 / TRUSTED_SQUARE)
        norm = np.linalg.norm(theirs[held], axis=-1)
        self._note(name, np.abs(10.0 ** log10_norm[held] / norm - 1.0).max(initial=0.0))

    def _note(self, name: str, difference: float) -> None:
        self.differences[name] = float(difference) if np.isfinite(difference) else np.inf
