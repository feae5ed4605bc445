"""What a network reads: made signals, a text, two real series, or a column of the user's own CSV file."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from rnnviz.errors import RnnvizError, ShapeError, shown

if TYPE_CHECKING:
    from rnnviz.experiments.config import Config

LARGEST_FILE = 10_000_000
MOST_ROWS, MOST_CELLS = 100_000, 2_000_000
CONSTANT = 1e-12  # a spread below this share of the largest value is rounding


@dataclass(frozen=True)
class Signal:
    """A source of input.

    Attributes:
        name: the word in a `Config`.
        label: the word on the screen.
        make: (config, generator) -> (T, D), T no longer than `config.length`.
    """

    name: str
    label: str
    make: "Callable[[Config, np.random.Generator], np.ndarray]"


def assets() -> Path:
    """The folder of shipped files: inside an installed package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "assets"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "assets"


def read_series(path: str | Path, column: str | int = -1) -> np.ndarray:
    """Read one column of a CSV file with a header line as a standardised sequence.

    Args:
        path: the file, at most 10 MB and 100,000 rows.
        column: its name, or its place counted from 0 (or from the end, -1).

    Returns:
        (T, 1, 1), mean 0 and standard deviation 1, for `bptt` or for `run(config, inputs=...)`.

    Raises:
        RnnvizError: when the file cannot be read, has no such column, or holds what is not a finite number.

    >>> read_series(assets() / "series" / "sunspots.csv", "sunspots").shape[1:]
    (1, 1)
    """
    header, rows = _rows(path)
    place = header.index(column) if isinstance(column, str) and column in header else column
    if not isinstance(place, int) or isinstance(place, bool) or not -len(header) <= place < len(header):
        raise ShapeError(f"column: must be one of {shown(header)} or a place among them, got {shown(column)}.")
    values = np.array([_cell(row, place, line, len(header)) for line, row in rows])
    result = standardised(values)
    if not result.any():
        raise ShapeError(f"column: must hold different values, got {values[0]:g} in every row.")
    return result[:, None, None]


def standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the first axis; a constant series becomes 0."""
    largest = np.abs(values).max(axis=0)
    centred = values / np.where(largest > 0, largest, 1.0)
    centred = centred - centred.mean(axis=0)
    spread = centred.std(axis=0)
    return np.where(spread > CONSTANT, centred / np.where(spread > CONSTANT, spread, 1.0), 0.0)


def _rows(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and every row with the number of the line where it ends."""
    if not isinstance(path, str | Path):
        raise ShapeError(f"path: must be the name of a CSV file, got {shown(path)}.")
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a device or a pipe may never end
            raise IsADirectoryError
        if path.stat().st_size > LARGEST_FILE:
            raise ShapeError(f"path: the file may have 10 MB at most, got {path.stat().st_size / 1e6:.0f} MB.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return rows_of(file)
    except (OSError, ValueError, csv.Error) as problem:
        if isinstance(problem, RnnvizError):
            raise
        raise ShapeError(
            f"path: must be a CSV file with a header line, got {shown(path.name)}, which {_why(problem)}."
        ) from None


def rows_of(file: TextIO, field: str = "path") -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header of an open CSV file, and every row with the number of the line where it ends.

    Args:
        file: open for text.
        field: how messages call it.

    Raises:
        RnnvizError: for a first line that is no header, or too many rows or cells; no more of them are read.
        ValueError, csv.Error: for what is no CSV.
    """
    semicolons = ";" in file.readline()
    file.seek(0)
    reader = csv.reader(file, delimiter=";" if semicolons else ",")
    (_, header), *rows = _counted(reader, field)
    if semicolons:  # where the comma is the decimal point
        rows = [(line, [text.replace(",", ".") for text in row]) for line, row in rows]
    if all(map(_is_number, header)):
        raise ShapeError(
            f"{field}: the first line of the file must be a header with the columns' names, got {shown(header)}."
        )
    if not rows:
        raise ShapeError(f"{field}: the file must have 1 to {MOST_ROWS:,} rows below its header, got 0.")
    return header, rows


def _counted(reader, field: str) -> list[tuple[int, list[str]]]:
    """The lines of a CSV file that are not empty with their numbers; reading stops where there are too many."""
    kept, cells = [], 0
    for row in filter(None, reader):
        kept.append((reader.line_num, row))
        cells += len(row)
        if cells > MOST_CELLS:
            raise ShapeError(
                f"{field}: the file may have {MOST_CELLS:,} cells at most, got more up to line {kept[-1][0]}."
            )
        if len(kept) > MOST_ROWS + 1:
            raise ShapeError(f"{field}: the file must have 1 to {MOST_ROWS:,} rows below its header, got more.")
    return kept


def _why(problem: Exception) -> str:
    """What is wrong with a file that could not be read, in words that name no path."""
    reasons = {
        FileNotFoundError: "does not exist",
        IsADirectoryError: "is a folder or no ordinary file",
        PermissionError: "may not be read",
        UnicodeDecodeError: "is not text in UTF-8",
    }
    return reasons.get(type(problem), "is empty or is no CSV")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cell(row: list[str], place: int, line: int, count: int) -> float:
    if len(row) != count:
        raise ShapeError(f"path: every row must have {count} columns like the header, got {len(row)} in line {line}.")
    try:
        value = float(row[place])
    except (IndexError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        came = shown(row[place]) if -len(row) <= place < len(row) else "nothing"
        raise ShapeError(f"column: every row must hold a finite number, got {came} in line {line}.")
    return value


def _noise(config, generator):
    return generator.normal(size=(config.length, config.input_size))


def _impulse(config, generator):
    pulse = np.zeros((config.length, config.input_size))
    pulse[0] = 1.0
    return pulse


def _sine(config, generator):
    """Periods of 10, 20, 30, … steps, one a channel, scaled to unit variance."""
    periods = 10.0 * np.arange(1, config.input_size + 1)
    return np.sqrt(2.0) * np.sin(2.0 * np.pi * np.arange(config.length)[:, None] / periods)


def _random_walk(config, generator):
    return standardised(np.cumsum(generator.normal(size=(config.length, config.input_size)), axis=0))


def _text(config, generator):
    """One-hot characters, in the order of the alphabet that the text uses."""
    characters = list(config.text)[: config.length]
    alphabet = sorted(set(config.text))
    return np.eye(len(alphabet))[[alphabet.index(character) for character in characters]]


@cache
def shipped(name: str) -> np.ndarray:
    """A real series under assets/series, standardised, (T, 1); its source and licence stand in the README there."""
    series = read_series(assets() / "series" / f"{name}.csv")[:, 0]
    series.setflags(write=False)
    return series


def _series(name: str) -> Callable:
    return lambda config, generator: shipped(name)[: config.length]


SIGNALS = {
    signal.name: signal
    for signal in (
        Signal("noise", "White noise", _noise),
        Signal("impulse", "Impulse at the first step", _impulse),
        Signal("sine", "Sine waves", _sine),
        Signal("random_walk", "Random walk", _random_walk),
        Signal("text", "Your text", _text),
        Signal("sunspots", "Sunspots, yearly since 1700", _series("sunspots")),
        Signal("co2", "CO₂ at Mauna Loa, monthly", _series("co2")),
    )
}
