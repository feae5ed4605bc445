"""What a sweep found: one line a run, tidy, with the grid that asked for it."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from rnnviz.core.archive import Foreign, about, open_archive, read_array, write_archive
from rnnviz.core.drawn import Drawn
from rnnviz.core.frame import pandas
from rnnviz.core.results import Status
from rnnviz.errors import RnnvizError, expect, one_of, shown
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Knob, knobs

FORMAT = "rnnviz sweep 1"
LARGEST_FILE = 500_000_000  # bytes
MOST_RUNS = 1_000_000
CELLS_KNOB = Knob("Cells", "", str, choices={name: variant.label for name, variant in VARIANTS.items()})

MEASURES: dict[str, type] = {
    "growth_per_step": np.float64,
    "log10_ratio": np.float64,
    "log10_norm_loss": np.float64,
    "log10_norm_first": np.float64,
    "memory_horizon": np.int64,
    "overflow_step": np.int64,
    "status": np.int64,
}
REDUCE: dict[str, Callable] = {"median": np.nanmedian, "mean": np.nanmean, "min": np.nanmin, "max": np.nanmax}


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Drawn):
    """The runs of a grid, all combinations of its values, the last axis running fastest.

    Attributes:
        axes: {a field of `Config`, or "cells" for names of compared networks: its values}, in the grid's order.
        base: what every other setting was.
        columns: {name: (n,)}, one entry a run: every swept field, and the measures, read from the verdict of the run:
            growth_per_step: the geometric mean ratio of the gradient's norm one step further back.
            log10_ratio: log10 of the joint adjoint's norm at the first step over that at the loss; NaN where there is
                no gradient at the loss, or it is not a number.
            log10_norm_loss: log10 of the norm of the joint adjoint where the loss is.
            log10_norm_first: the same at the furthest step back, step 1.
            memory_horizon: how many steps back the norm stays above 1 % of what it was at the loss.
            overflow_step: the step at which the forward run left float64; 0 when it never did.
            status: the `Status` of `log10_norm_first`, a whole number.
    """

    charts: ClassVar[tuple[str, ...]] = ("map",)

    axes: dict[str, tuple]
    base: Config
    columns: dict[str, np.ndarray]

    @classmethod
    def of(cls, axes: Mapping[str, tuple], base: Config, measures: Mapping[str, np.ndarray]) -> "SweepResult":
        """The result from the measures alone, each (n,) in the grid's order."""
        return cls(dict(axes), base, {**swept_columns(axes), **measures})

    def __repr__(self) -> str:
        grid = " × ".join(f"{len(values)} {name}" for name, values in self.axes.items())
        return f"<SweepResult: {len(self)} runs, {grid}>"

    def __len__(self) -> int:
        return math.prod(map(len, self.axes.values()))

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(map(len, self.axes.values()))

    def to_frame(self):
        """All columns as a pandas DataFrame, with the status in words.

        Raises:
            RnnvizError: when pandas is not installed.
        """
        frame = pandas().DataFrame(self.columns)
        frame["status"] = [Status(status).name.lower() for status in self.columns["status"]]
        return frame

    def grid(
        self, rows: str, columns: str, measure: str = "growth_per_step", *, reduce: str = "median", **where
    ) -> np.ndarray:
        """One measure over two axes, (len(axes[rows]), len(axes[columns])); NaN where no run has a number.

        Args:
            rows: an axis.
            columns: another one.
            measure: which.
            reduce: "median", "mean", "min" or "max" over the runs of the axes that are left; NaN does not count.
            where: {axis: the one value of it that is wanted}.

        Raises:
            RnnvizError: for an axis, a measure or a value that is not in the sweep.
        """
        one_of("rows", rows, self.axes)
        one_of("columns", columns, [name for name in self.axes if name != rows])
        one_of("measure", measure, MEASURES)
        one_of("reduce", reduce, REDUCE)
        values = self.columns[measure].reshape(self.shape).astype(float)
        names = list(self.axes)
        for name, value in where.items():
            one_of("where", name, [axis for axis in self.axes if axis not in (rows, columns)])
            if value not in self.axes[name]:
                raise RnnvizError(f"{name}: must be one of {shown(self.axes[name])}, got {shown(value)}.")
            values = values.take(self.axes[name].index(value), axis=names.index(name))
            names.remove(name)
        values = np.moveaxis(values, (names.index(rows), names.index(columns)), (0, 1))
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing but NaN in a place: NaN
            return REDUCE[reduce](values.reshape(*values.shape[:2], -1), axis=-1)

    def save(self, path: str | Path | BinaryIO) -> None:
        """Write everything into one `.npz`, which `SweepResult.load` and `numpy.load` read without pickle.

        Args:
            path: the file's name, or an open binary file.

        Raises:
            RnnvizError: when there can be no such file, it may not be written, or it is open for text.
        """
        settings = {"format": FORMAT, "base": asdict(self.base), "axes": {k: list(v) for k, v in self.axes.items()}}
        write_archive(path, settings, {name: self.columns[name] for name in MEASURES})

    @classmethod
    def load(cls, path: str | Path | BinaryIO) -> "SweepResult":
        """Read what `save` has written, at most 500 MB.

        Args:
            path: the file's name, or an open binary file.

        Raises:
            RnnvizError: for a file that cannot be read, or is not what `save` writes.
        """
        with open_archive(path, "SweepResult.save", LARGEST_FILE) as archive:
            told = about(archive)
            if told["format"] != FORMAT:
                raise Foreign("has another format")
            base = Config(**told["base"])
            axes = {name: checked_values(name, values) for name, values in told["axes"].items()}
            if (count := math.prod(map(len, axes.values()))) > MOST_RUNS:
                raise Foreign(f"has more than {MOST_RUNS:,} runs")
            measures = {
                name: read_array(archive, name, kind, (count,), exactly=True) for name, kind in MEASURES.items()
            }
            if not all_possible(measures):
                raise Foreign("tells of something that cannot have been")
        return cls.of(axes, base, measures)


def all_possible(measures: Mapping[str, np.ndarray]) -> bool:
    """Whether whole numbers are what they can be."""
    status = measures["status"]
    return bool(
        ((status >= 0) & (status <= max(Status))).all()
        and (measures["memory_horizon"] >= 0).all()
        and (measures["overflow_step"] >= 0).all()
    )


def checked_values(name: str, values: object) -> tuple:
    """The values of one axis, each in its own type.

    Raises:
        ConfigError: for a field that cannot be swept, no value at all, one value twice, or one that is not allowed.
    """
    declared = {"cells": CELLS_KNOB, **knobs(Config)}
    one_of("grid", name, declared)
    given = values.tolist() if isinstance(values, np.ndarray) else values
    expect(f"grid[{name!r}]", given, list | tuple | range, "list, tuple, range or array of values")
    checked = tuple(declared[name].checked(name, value) for value in given)
    if not checked or len(set(checked)) < len(checked):
        raise RnnvizError(f"{name}: must be at least one value, each one once, got {shown(given)}.")
    return checked


def swept_columns(axes: Mapping[str, tuple]) -> dict[str, np.ndarray]:
    """{name: (n,)} of all combinations; an axis that has None beside numbers becomes a column of objects."""
    sizes = [len(values) for values in axes.values()]
    places = np.indices(sizes).reshape(len(sizes), -1)
    return {name: _column(values)[place] for (name, values), place in zip(axes.items(), places, strict=True)}


def _column(values: tuple) -> np.ndarray:
    return np.array(values, dtype=object if None in values else None)


def combinations(axes: Mapping[str, tuple]) -> list[dict]:
    """Every combination of the values, the last axis running fastest; one empty one where there is no axis."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
