"""The numbers of some runs as files, for a spreadsheet or for numpy."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np

from rnnviz.core.results import GradientFlow, Status
from rnnviz.errors import ConfigError
from rnnviz.experiments.comparison import Run

COLUMNS = {
    "run": "the network's name, as in a link",
    "network": "its words on the screen",
    "stream": "layer and direction",
    "step": "counted from 1; the initial state stands at 0, or after the last step of a backward direction",
    "log10_norm_dh": "log10 ‖∂L/∂h_t‖, exact where float64 could not hold the norm; -inf for zero",
    "log10_norm_dc": "log10 ‖∂L/∂c_t‖ of an LSTM, else empty",
    "status": "what log10_norm_dh is: ordinary, underflow, overflow, zero, saturated or undefined",
    "hidden_norm": "‖h_t‖",
    "cell_norm": "‖c_t‖ of an LSTM, else empty",
}


def to_csv(runs: Sequence[Run]) -> str:
    """A tidy table, a line for every step of every stream of every run; see `COLUMNS`.

    Numbers have all their digits: read back, they are the same.

    >>> from rnnviz.experiments.config import Config
    >>> print(to_csv([Run("rnn", Config(length=1, hidden_size=1))]).splitlines()[0])
    run,network,stream,step,log10_norm_dh,log10_norm_dc,status,hidden_norm,cell_norm
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, run in named(runs).items():
        for s in range(len(run.flow.streams)):
            writer.writerows((name, run.label, *row) for row in _rows(run.flow, s))
    return text.getvalue()


def to_npz(runs: Sequence[Run]) -> bytes:
    """Every array of every run, compressed, for `numpy.load`; nothing in it is pickled.

    The names are "run/field", as "lstm/adjoint", with the fields of `GradientFlow` (dictionaries go one deeper:
    "lstm/gates/f"), and beside them "inputs", "readout", "target", "parameters/…" and "config", a JSON text.
    """
    arrays = {f"{name}/{field}": array for name, run in named(runs).items() for field, array in _arrays(run)}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def named(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs by their names; a second run of one name gets a number.

    Raises:
        ConfigError: for no runs.
    """
    if not runs:
        raise ConfigError("runs: must be at least one run, got none.")
    found: dict[str, Run] = {}
    for run in runs:
        name, count = run.name, 1
        while name in found:
            name, count = f"{run.name}_{count + 1}", count + 1
        found[name] = run
    return found


def _rows(flow: GradientFlow, s: int) -> Iterator[tuple]:
    """The columns from the stream on, in the order of time."""
    stream = flow.streams[s]
    status = [Status(each).name.lower() for each in flow.status[s, :, 0]]
    norms = (
        _texts(each, s) for each in (flow.log10_norm, flow.cell_log10_norm, _norms(flow.hidden), _norms(flow.cell))
    )
    rows = zip(*norms, status, strict=False)  # what is not there repeats without end
    for step, (dh, dc, h, c, kind) in enumerate(rows, start=int(stream.reverse)):
        yield stream.label, step, dh, dc, kind, h, c


def _texts(norms: np.ndarray | None, s: int) -> Iterable[str]:
    """Each number as Python writes it; empty texts for no numbers."""
    return repeat("") if norms is None else [repr(float(norm)) for norm in norms[s, :, 0]]


def _norms(states: np.ndarray | None) -> np.ndarray | None:
    """(S, T+1, B), inf or NaN where a state has left float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return None if states is None else np.linalg.norm(states, axis=-1)


def _arrays(run: Run) -> Iterator[tuple[str, np.ndarray]]:
    """(field, its array) of everything that a run found, and of what it was asked."""
    flow = run.flow
    for field in dataclasses.fields(flow):
        value = getattr(flow, field.name)
        if field.name == "streams":
            yield field.name, np.array([stream.label for stream in value])
        elif isinstance(value, Mapping):
            yield from ((f"{field.name}/{key}", np.asarray(array)) for key, array in value.items())
        elif value is not None:
            yield field.name, value
    for name in ("inputs", "readout", "target"):
        yield name, getattr(run.experiment, name)
    yield from ((f"parameters/{key}", array) for key, array in run.experiment.network.parameters.items())
    yield "config", np.array(json.dumps(run.config.settings))
