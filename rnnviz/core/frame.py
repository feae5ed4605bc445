"""A `GradientFlow` as a table."""

from types import ModuleType

import numpy as np

from rnnviz.core.results import GradientFlow, Status
from rnnviz.errors import RnnvizError

FRAME_COLUMNS = {
    "layer": "counted from 1, as on the screen",
    "direction": "forward or backward",
    "step": "counted from 1 in time; the initial state stands at 0, or after the last step of a backward direction",
    "batch": "batch row, counted from 0",
    "log10_norm_dh": "log10 ‖∂L/∂h‖, exact where float64 could not hold the norm; -inf for zero",
    "log10_norm_dc": "log10 ‖∂L/∂c‖ of an LSTM, else NaN",
    "status": "what log10_norm_dh is: ordinary, underflow, overflow, zero, saturated or undefined",
    "hidden_norm": "‖h‖",
    "cell_norm": "‖c‖ of an LSTM, else NaN",
}


def pandas() -> ModuleType:
    """The library, where it is installed.

    Raises:
        RnnvizError: where it is not.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise RnnvizError("to_frame: must have pandas at hand, got none; install it with pip.") from None
    return pandas


def frame_of(flow: GradientFlow):
    """See `GradientFlow.to_frame`."""
    shape = flow.log10_norm.shape
    s, row, batch = (places.ravel() for places in np.indices(shape))
    reverse = np.array([stream.reverse for stream in flow.streams])
    nothing = np.full(s.size, np.nan)
    columns = (
        np.array([stream.layer + 1 for stream in flow.streams])[s],
        np.where(reverse, "backward", "forward")[s],
        row + reverse[s],
        batch,
        flow.log10_norm.ravel(),
        nothing if flow.cell is None else flow.cell_log10_norm.ravel(),
        np.array([status.name.lower() for status in Status])[flow.status.ravel()],
        _norms(flow.hidden),
        nothing if flow.cell is None else _norms(flow.cell),
    )
    own = np.broadcast_to(flow.alive, shape).ravel()
    return pandas().DataFrame({name: column[own] for name, column in zip(FRAME_COLUMNS, columns, strict=True)})


def _norms(states: np.ndarray) -> np.ndarray:
    """Of every row, one after the other; inf or NaN where a state has left float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linalg.norm(states, axis=-1).ravel()
