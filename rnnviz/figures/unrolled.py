"""The unrolled network: what the page needs to draw it and to send the waves along its arrows."""

import numpy as np

from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Drawing, Subject
from rnnviz.figures.theme import Theme

MOST_UNITS = 8


def unrolled_network(subject: Subject, theme: Theme) -> Drawing:
    """How does it travel, step by step?

    A box is the network at one step: the squares are its first units' values h, warm above zero and cool below; the
    arrow from below is the input x_t, the one to the top the output y_t, marked where a loss reads it. Play sends the
    values forward and then the gradient ∂L/∂h_t back: an arrow's width and colour are its size, from the loss's own
    (neutral) to far smaller (cool) or larger (warm). Space plays, ← and → step, Backspace goes to the start.
    """
    run, flow = subject.focus, subject.focus.flow
    units = min(MOST_UNITS, flow.hidden.shape[-1])
    figure = {
        "label": run.label,
        "steps": flow.steps,
        "streams": [{"label": s.label, "reverse": s.reverse, "layer": s.layer} for s in flow.streams],
        "units": units,
        "shown": flow.hidden[:, :, 0, :units].ravel(),
        "norms": flow.log10_norm[:, :, 0].ravel(),
        "cellNorms": None if flow.cell_log10_norm is None else flow.cell_log10_norm[:, :, 0].ravel(),
        "inputs": _read(run),
        "outputs": run.experiment.outputs,
        "losses": run.experiment.counts.astype(np.uint8),
        "headReads": run.config.head,
        "colour": theme.colour(run.name),
    }
    return Drawing(figure, flow.verdict.sentence)


def _read(run: Run) -> list[str]:
    """What each step reads: a character, or the first channel's value."""
    if run.config.signal == "text":
        return list(run.config.text[: run.flow.steps])
    return [f"{value:.2f}".replace("-", "\N{MINUS SIGN}") for value in run.experiment.inputs[:, 0, 0]]
