"""Results that stand alone, without the run that they belong to, for the charts of runs."""

from types import SimpleNamespace

import numpy as np

from rnnviz.core.results import ItemisedFlow, JacobianSpectrum
from rnnviz.figures.chart import Subject, View

MOST_CURVES = 2  # losses: more of them make a map


def itemised_alone(flow: ItemisedFlow) -> Subject:
    """Itemised gradients whose total is not known, so that it is not drawn."""
    loss = "every" if flow.has_loss(_top(flow)).sum() > MOST_CURVES else "last"
    return _subject(loss, flow=flow, itemised=flow)


def spectrum_alone(spectrum: JacobianSpectrum) -> Subject:
    """Step Jacobians whose gradient is not known, so that their long-run growth stands for it."""
    saturated = np.zeros((len(spectrum.streams), 0))
    flow = SimpleNamespace(streams=spectrum.streams, steps=spectrum.steps, saturated=saturated, overflow_step=None)
    return _subject("every", flow=flow, spectrum=spectrum)


def _subject(loss: str, **results) -> Subject:
    config = SimpleNamespace(loss=loss, signal_clip=None, truncated=False)
    run = SimpleNamespace(name="own", config=config, **results)
    return Subject((run,), View(stream=_top(run.flow)))


def _top(flow: ItemisedFlow | SimpleNamespace) -> int:
    """The first stream of the top layer."""
    return next(s for s, stream in enumerate(flow.streams) if stream.layer == flow.streams[-1].layer)
