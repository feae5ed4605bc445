"""The step axis, the same on every chart of a run, so that steps stand under steps."""

from typing import Any

import numpy as np

from rnnviz.core.results import GradientFlow, ItemisedFlow, JacobianSpectrum


def positions(flow: GradientFlow | ItemisedFlow, s: int) -> np.ndarray:
    """(T+1,) the step at which each row of stream `s` stands; its initial state stands at 0, or at T+1 in reverse."""
    return np.arange(flow.steps + 1) + (1 if flow.streams[s].reverse else 0)


def step_range(flow: GradientFlow | ItemisedFlow | JacobianSpectrum) -> list[float]:
    """The ends of the step axis: half a step beyond the outermost state of any stream."""
    ahead = not all(stream.reverse for stream in flow.streams)
    behind = any(stream.reverse for stream in flow.streams)
    return [-0.5 if ahead else 0.5, flow.steps + (1.5 if behind else 0.5)]


def step_ticks(flow: GradientFlow | ItemisedFlow | JacobianSpectrum) -> dict[str, Any]:
    """What a step axis has beside its title: its range, and whole steps as ticks where there are few."""
    return {"range": step_range(flow), **({"dtick": 1, "tick0": 0} if flow.steps < 8 else {})}
