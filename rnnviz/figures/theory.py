"""The straight lines that theory draws over a measured curve."""

import numpy as np

from rnnviz.errors import BudgetError
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Subject


def theory(run: Run, subject: Subject) -> list[tuple[str, float]]:
    """(name, decades per step back) of the straight lines that theory draws from the loss."""
    found = []
    if "bound" in subject.view.overlays and run.bound_per_step:
        found.append(("bound", float(np.log10(run.bound_per_step))))
    if "lyapunov" in subject.view.overlays and affords_spectrum(run):
        found.append(("Lyapunov", float(run.spectrum.lyapunov_exponents[-1, 0, 0] / np.log(10))))
    return [(name, slope) for name, slope in found if np.isfinite(slope)]


def affords_spectrum(run: Run) -> bool:
    """Whether the run's step Jacobians are within what a chart may cost."""
    try:
        return run.spectrum is not None
    except BudgetError:
        return False
