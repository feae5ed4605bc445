"""The script that a learner takes home: the same picture in plain PyTorch, without rnnviz."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from rnnviz.core.arrays import blocks
from rnnviz.errors import ConfigError
from rnnviz.experiments.assembly import assemble
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.inputs import assets
from rnnviz.experiments.knobs import knobs
from rnnviz.experiments.run import prepare
from rnnviz.experiments.script_words import WIDTH, about

DIGITS_LOST = {"tanh": 7.0, "sigmoid": 14.0}  # |a| beyond which 1 - y² and y (1 - y) keep fewer than some 10 digits

SOURCES = {
    "sunspots": "Yearly sunspot numbers from 1700, National Geophysical Data Center (NOAA)",
    "co2": "Monthly CO2 at Mauna Loa from 1958, C. D. Keeling and T. P. Whorf (2004), a few months filled in",
}


def pytorch_script(runs: Sequence[Run]) -> str:
    """A self-contained PyTorch script that finds the same gradients as some runs.

    It draws the same numbers by numpy's generators, unrolls the network step by step in float64, and compares with what
    rnnviz drew. What these runs do not use is left out.

    Args:
        runs: at least one.

    Raises:
        ConfigError: for no runs, or for one whose input is not its config's own signal.

    >>> script = pytorch_script([Run("rnn", Config(length=20))])
    >>> "retain_grad" in script, "import rnnviz" in script, "lstm" in script
    (True, False, False)
    """
    if not runs:
        raise ConfigError("runs: must be at least one run, got none.")
    for run in runs:
        _check_inputs(run)
    values = {field.name: _different(getattr(run.config, field.name) for run in runs) for field in fields(Config)}
    # Only the RNN reads its activation, and only a loss at the last step under both directions has a choice of head.
    values["nonlinearity"] = _different(run.config.nonlinearity for run in runs if run.config.cell == "rnn")
    code = assemble(_template(), values, _facts(runs))
    return _filled(code, dict(zip(_names(runs), runs, strict=True)))


def _template() -> str:
    return Path(__file__).with_name("script_template.txt").read_text(encoding="utf-8")


def _check_inputs(run: Run) -> None:
    own = prepare(run.config).inputs
    if not np.array_equal(own, run.experiment.inputs):
        raise ConfigError(
            f"inputs: must be the signal of the settings for a script, {run.config.signal!r}, got a series of your own."
        )


def _different(values) -> list:
    """Without repetition, in the order in which they come."""
    return list(dict.fromkeys(values))


def _names(runs: Sequence[Run]) -> list[str]:
    """The runs' labels, told apart."""
    names: list[str] = []
    for run in runs:
        same = sum(name == run.label or name.startswith(f"{run.label} (") for name in names)
        names.append(f"{run.label} ({same + 1})" if same else run.label)
    return names


def _facts(runs: Sequence[Run]) -> set[str]:
    """The words that the template's `#: if` asks for."""
    facts: set[str] = set()
    for run in runs:
        config = run.config
        facts |= {config.cell, config.clip, config.initialisation, config.truncation, config.signal}
        facts |= {"deep"} if config.layers > 1 or config.bidirectional else set()
        facts |= {"bidirectional"} if config.bidirectional else set()
        facts |= {"final_states"} if config.bidirectional and config.head == "final_states" else set()
        facts |= {"all_at_once"} if config.truncation != "sliding" else set()
        facts |= {"random"} if config.signal in ("noise", "random_walk") else set()
        facts |= {"standardised"} if config.signal in ("random_walk", "sunspots", "co2") else set()
        facts |= {"precise"} if _loses_digits(run) else set()
        if config.cell != "rnn":
            facts |= {name for name in ("gate_bias", "chrono") if getattr(config, name) is not None}
    return facts


def _loses_digits(run: Run) -> bool:
    """Whether torch's own slopes, taken from the outputs, are too coarse in this run."""
    for walk in run.experiment.unrolled.walks:
        names = list(walk.stream.cell.gates.values()) or [walk.stream.activation.name]
        limits = np.array([DIGITS_LOST.get(name, np.inf) for name in names])
        if (np.abs(blocks(walk.kept[0], walk.stream.hidden_size)) > limits[:, None]).any():
            return True
        if walk.stream.cell.has_cell_state and (np.abs(walk.states[1]) > DIGITS_LOST["tanh"]).any():
            return True
    return False


def _filled(code: str, runs: dict[str, Run]) -> str:
    """The code with its settings, its data and its words."""
    precise = "class Tanh(" in code
    for name in ("tanh", "sigmoid"):
        code = code.replace(f"@{name}", name if precise else f"torch.{name}")
    used = [field.name for field in fields(Config) if re.search(rf"\bs\.{field.name}\b", code)]
    shared = {name for name in used if len(_different(getattr(run.config, name) for run in runs.values())) == 1}
    shared -= {"cell"}
    config = next(iter(runs.values())).config
    parts = {
        "@TITLE@": "How far back does the gradient reach?",
        "@ABOUT@": about(runs),
        "@SHARED@": _settings({name: getattr(config, name) for name in used if name in shared}),
        "@RUNS@": _table(runs, [name for name in used if name not in shared]),
        "@DRAWN@": _drawn(runs),
        "@DATA@": "".join(_series(name) for name in ("sunspots", "co2") if f"{name.upper()}.split()" in code),
    }
    # In one go, so that nothing that a user wrote is looked at again.
    return re.sub("|".join(parts), lambda found: parts[found[0]], code)


def _settings(values: dict[str, Any]) -> str:
    """A dictionary over several lines, each with the words that stand on the screen."""
    declared = knobs(Config)
    return _lines(f'"{name}": {_literal(value)},  # {declared[name].label}' for name, value in values.items())


def _table(runs: dict[str, Run], names: list[str]) -> str:
    """The settings in which the runs differ."""
    rows = []
    for label, run in runs.items():
        heard = [name for name in names if not _is_idle(name, run.config.cell)]
        rows += _mapping(label, [f'"{name}": {_literal(getattr(run.config, name))}' for name in heard])
    return _lines(rows)


def _is_idle(name: str, cell: str) -> bool:
    """A setting that the cell does not read."""
    return name == "nonlinearity" if cell != "rnn" else name in ("gate_bias", "chrono")


def _mapping(label: str, entries: list[str]) -> list[str]:
    """The lines of one entry that is a dictionary itself."""
    line = f'"{label}": {{{", ".join(entries)}}},'
    return [line] if len(line) <= WIDTH else [f'"{label}": {{', *(f"    {entry}," for entry in entries), "},"]


def _lines(rows: Iterable[str]) -> str:
    """A dictionary of such rows."""
    return "{\n" + "".join(f"    {row}\n" for row in rows) + "}"


def _literal(value: Any) -> str:
    """A setting as Python writes it; a long text on several lines. `repr` escapes whatever could not be printed."""
    if not isinstance(value, str):
        return repr(value)
    if len(value) <= WIDTH // 2:
        return _text(value)
    pieces = [value[first : first + WIDTH // 2] for first in range(0, len(value), WIDTH // 2)]
    return "(\n" + "\n".join(f"        {_text(piece)}" for piece in pieces) + "\n    )"


def _text(value: str) -> str:
    return repr(value) if set(value) & {'"', "'", "\\"} or not value.isprintable() else f'"{value}"'


def _drawn(runs: dict[str, Run]) -> str:
    """log10 norms at the first and last step of every curve, for the script to compare with."""
    rows = []
    for label, run in runs.items():
        rows += _mapping(label, [f'"{curve}": ({", ".join(map(_number, ends))})' for curve, ends in _ends(run)])
    return _lines(rows)


def _ends(run: Run) -> Iterator[tuple[str, np.ndarray]]:
    """(curve, its log10 norm at the first and at the last step)."""
    for s, stream in enumerate(run.flow.streams):
        steps = slice(0, -1) if stream.reverse else slice(1, None)
        for symbol, norms in (("h", run.flow.log10_norm), ("c", run.flow.cell_log10_norm)):
            if norms is not None:
                yield f"dL/d{symbol} {stream.suffix}", norms[s, steps, 0][[0, -1]]


def _number(value: float) -> str:
    return repr(float(value)) if np.isfinite(value) else f'float("{float(value)}")'


def _series(name: str) -> str:
    """A shipped series as its file has it, as a string of numbers."""
    rows = (assets() / "series" / f"{name}.csv").read_text(encoding="utf-8").split()[1:]
    numbers = textwrap.fill(" ".join(row.rsplit(",", 1)[1] for row in rows), WIDTH)
    return f'# {SOURCES[name]}; public domain.\n{name.upper()} = """\n{numbers}\n"""\n\n\n'
