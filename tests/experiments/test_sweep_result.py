"""What a sweep has found: its table, its maps, and a file that keeps them and refuses everything else."""

import io
import json
import zipfile

import numpy as np
import pytest

import rnnviz
from rnnviz.experiments.sweep_result import MEASURES, SweepResult
from tests.support import assert_clear, refusal

AXES = {"cells": ("rnn", "gru"), "weight_scale": (0.5, 1.0, 2.0), "gate_bias": (None, 1.0), "seed": (3, 1, 4, 1_000)}


def made(axes=AXES):
    """Numbers that name their place: growth 0, 1, 2, …"""
    count = np.prod([len(values) for values in axes.values()])
    measures = {name: np.arange(count).astype(kind) for name, kind in MEASURES.items()}
    measures["status"] %= 6
    measures["log10_norm_first"][:2] = -np.inf, np.nan
    return SweepResult.of(axes, rnnviz.Config(length=7), measures)


def test_columns_are_tidy():
    frame = made().to_frame()
    assert list(frame.columns) == [*AXES, *MEASURES]
    assert frame.iloc[29].tolist()[:5] == ["gru", 0.5, 1.0, 1, 29.0]
    assert frame["status"].tolist()[:6] == ["ordinary", "underflow", "overflow", "zero", "saturated", "undefined"]
    assert len(made()) == 48
    assert repr(made()) == "<SweepResult: 48 runs, 2 cells × 3 weight_scale × 2 gate_bias × 4 seed>"


@pytest.mark.parametrize(("reduce", "value"), [("median", 37.5), ("mean", 37.5), ("min", 36.0), ("max", 39.0)])
def test_a_map_is_reduced_over_the_axes_that_are_left(reduce, value):
    grid = made().grid("weight_scale", "cells", reduce=reduce, gate_bias=1.0)
    assert grid.shape == (3, 2)
    assert grid[1, 1] == value
    turned = made().grid("cells", "weight_scale", reduce=reduce, gate_bias=1.0)
    np.testing.assert_array_equal(grid, turned.T)


def test_a_map_by_hand():
    result = made()
    growth, columns = result.grid("seed", "weight_scale", "log10_ratio", cells="gru"), result.columns
    for i, seed in enumerate(AXES["seed"]):
        for j, scale in enumerate(AXES["weight_scale"]):
            here = (columns["seed"] == seed) & (columns["weight_scale"] == scale) & (columns["cells"] == "gru")
            assert growth[i, j] == np.median(columns["log10_ratio"][here])


def test_what_is_not_a_number_does_not_count_unless_there_is_nothing_else():
    result = made({"seed": (0, 1), "weight_scale": (1.0, 2.0), "length": (5, 6)})
    result.columns["growth_per_step"][:3] = np.nan
    np.testing.assert_array_equal(result.grid("seed", "weight_scale"), [[np.nan, 3.0], [4.5, 6.5]])


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (("length", "seed"), "rows"),
        (("seed", "seed"), "columns"),
        (("seed", "cells", "growth"), "measure"),
    ],
)
def test_a_map_of_nothing_is_refused(call, field):
    assert_clear(refusal(made().grid, *call), field)
    assert_clear(refusal(made().grid, "seed", "cells", reduce="sum"), "reduce")
    assert_clear(refusal(made().grid, "seed", "cells", weight_scale=3.0), "weight_scale")
    assert_clear(refusal(made().grid, "seed", "cells", seed=3), "where")


def test_a_file_keeps_everything(tmp_path):
    result = made()
    result.save(tmp_path / "sweep.npz")
    read = SweepResult.load(tmp_path / "sweep.npz")
    assert (read.axes, read.base, repr(read)) == (result.axes, result.base, repr(result))
    for name, values in result.columns.items():
        np.testing.assert_array_equal(read.columns[name], values)
        assert read.columns[name].dtype == values.dtype


def file_with(**changes):
    """A saved sweep of two runs with some of its arrays changed, or left out."""
    small, file = made({"seed": (1, 2)}), io.BytesIO()
    small.save(file)
    file.seek(0)
    arrays = dict(np.load(file)) | changes
    np.savez(file := io.BytesIO(), **{name: values for name, values in arrays.items() if values is not None})
    return file


def settings(**changes):
    about = {"format": "rnnviz sweep 1", "base": {}, "axes": {"seed": [1, 2]}} | changes
    return np.array(json.dumps(about))


def test_such_a_file_can_be_read():
    assert len(SweepResult.load(file_with(settings=settings()))) == 2


FOREIGN = {
    "another format": {"settings": settings(format="rnnviz history 1")},
    "fewer runs": {"settings": settings(axes={"seed": [1]})},
    "no JSON": {"settings": np.array("{")},
    "too many runs": {"settings": settings(axes={"seed": [1, 2], "length": [*range(1, 10_001)]})},
    "nothing there": {"status": None},
    "another type": {"status": np.zeros(2)},
    "objects": {"status": np.array([None, None])},
    "no status": {"status": np.array([0, 6])},
    "no steps": {"memory_horizon": np.array([0, -1])},
}


@pytest.mark.parametrize("problem", FOREIGN)
def test_another_file_is_refused(problem):
    message = refusal(SweepResult.load, file_with(**FOREIGN[problem]))
    assert_clear(message, "path")


def test_a_broken_or_missing_file_is_refused(tmp_path):
    whole = file_with().getvalue()
    assert zipfile.is_zipfile(io.BytesIO(whole))
    for content in (b"", b"text", whole[: len(whole) // 2]):
        (tmp_path / "broken.npz").write_bytes(content)
        assert_clear(refusal(SweepResult.load, tmp_path / "broken.npz"), "path")
    for missing in (tmp_path, tmp_path / "none.npz", 3, io.StringIO("text")):
        assert_clear(refusal(SweepResult.load, missing), "path")
    for target in (tmp_path, "\0", io.StringIO(), None):
        assert_clear(refusal(made().save, target), "path")


@pytest.mark.parametrize("wrong", [{"base": {"length": 0}}, {"axes": {"length": [1, 0]}}])
def test_a_setting_that_is_not_allowed_has_its_own_sentence(wrong):
    with pytest.raises(rnnviz.RnnvizError, match="length: must be a whole number from 1 to 10000, got 0"):
        SweepResult.load(file_with(settings=settings(**wrong)))
