"""What a user's own model reads: the columns of an uploaded table, standardised or as they are."""

import csv
import io
import math
from dataclasses import dataclass, field

import numpy as np

from rnnviz.errors import RnnvizError, ShapeError, shown
from rnnviz.experiments.inputs import LARGEST_FILE, MOST_CELLS, rows_of
from rnnviz.experiments.weight_files import LONGEST_NPY_HEADER, npy_header

MOST_COLUMNS = 4096


@dataclass(frozen=True, eq=False)
class Table:
    """A file of numbers.

    Attributes:
        name: of the file.
        columns: (C,) their names.
        values: (T, C), finite.
        left_out: names of the columns that hold anything but finite numbers.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray = field(repr=False)
    left_out: tuple[str, ...] = ()


def read_table(data: bytes, name: str = "inputs") -> Table:
    r"""Read the bytes of a CSV file with a header line, or of an `.npy` file, at most 10 MB.

    Columns of a CSV file that hold anything but finite numbers, such as dates, are left out.

    Args:
        data: of the CSV file; or of an `.npy` with the shape (T,), (T, D) or (T, B, D), of which the first sequence is
            taken.
        name: of the file, for messages.

    Raises:
        RnnvizError: for what is no such file, sizes over the limits, or no column of finite numbers.

    >>> read_table(b"month,level\nJan,1\nFeb,3\n").columns
    ('level',)
    """
    if len(data) > LARGEST_FILE:
        raise ShapeError(f"inputs: the file may have {LARGEST_FILE // 10**6} MB at most, got {len(data) / 1e6:.0f} MB.")
    return _from_npy(data, name) if data[:1] == b"\x93" else _from_csv(data, name)


def _from_csv(data: bytes, name: str) -> Table:
    try:
        header, rows = rows_of(io.StringIO(data.decode("utf-8-sig"), newline=""), "inputs")
    except RnnvizError:
        raise
    except (ValueError, csv.Error):
        raise ShapeError(
            f"inputs: must be a CSV file in UTF-8 with a header line, or an .npy file, got {shown(name)}."
        ) from None
    if len(header) > MOST_COLUMNS:
        raise ShapeError(f"inputs: may have {MOST_COLUMNS} columns at most, got {len(header)}.")
    for line, row in rows:
        if len(row) != len(header):
            raise ShapeError(
                f"inputs: every row must have {len(header)} columns like the header, got {len(row)} in line {line}."
            )
    columns = [_numbers([row[place] for _, row in rows]) for place in range(len(header))]
    kept = [place for place, column in enumerate(columns) if column is not None]
    if not kept:
        raise ShapeError(f"inputs: must have a column with a finite number in every row, got {shown(header)}.")
    values = np.stack([columns[place] for place in kept], axis=1)
    left_out = tuple(word for word, column in zip(header, columns, strict=True) if column is None)
    return Table(name, tuple(header[place] for place in kept), values, left_out)


def _numbers(texts: list[str]) -> np.ndarray | None:
    try:
        column = np.array(list(map(float, texts)))
    except ValueError:
        return None
    return column if np.isfinite(column).all() else None


def _from_npy(data: bytes, name: str) -> Table:
    try:
        shape, by_columns, kind, begins = npy_header(data[:LONGEST_NPY_HEADER])
    except Exception:  # numpy's reader of headers raises whatever damaged bytes lead it to
        raise ShapeError(f"inputs: must be an .npy file, got {shown(name)}, whose header is damaged.") from None
    if kind.kind not in "fiub" or begins + kind.itemsize * math.prod(shape) != len(data):
        raise ShapeError(f"inputs: must hold numbers, as many as its header says, got {kind} of the shape {shape}.")
    if not 1 <= len(shape) <= 3 or 0 in shape or shape[-1] * (len(shape) > 1) > MOST_COLUMNS:
        raise ShapeError(
            f"inputs: must have the shape (T,), (T, D) or (T, B, D) with D up to {MOST_COLUMNS}, got {shape}."
        )
    cells = shape[0] * (shape[-1] if len(shape) > 1 else 1)
    if cells > MOST_CELLS:
        raise ShapeError(f"inputs: may have {MOST_CELLS:,} cells at most, got {cells:,}.")
    values = np.frombuffer(data, kind, offset=begins).reshape(shape, order="F" if by_columns else "C")
    values = values[:, None] if len(shape) == 1 else values if len(shape) == 2 else values[:, 0]
    with np.errstate(over="ignore"):
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ShapeError(f"inputs: must be finite, got {values[~np.isfinite(values)][0]}.")
    return Table(name, tuple(f"column {place}" for place in range(1, values.shape[1] + 1)), values)
