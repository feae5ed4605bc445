"""The files hold the numbers of the runs, to the last digit."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest

from rnnviz import Config, ConfigError
from rnnviz.experiments.comparison import VARIANTS, Comparison, Run
from rnnviz.experiments.tables import COLUMNS, to_csv, to_npz

SMALL = Config(length=9, hidden_size=4)
HOSTILE = '=cmd|"\' /C calc"!A0,\n\ud800\x00'


def read(runs):
    lines = list(csv.reader(io.StringIO(to_csv(runs))))
    assert lines[0] == list(COLUMNS)
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_number_comes_back(name):
    run = Run(name, VARIANTS[name].config(SMALL))
    rows, flow = read([run]), run.flow
    for s, stream in enumerate(flow.streams):
        own = [row for row in rows if row["stream"] == stream.label]
        np.testing.assert_array_equal([float(row["log10_norm_dh"]) for row in own], flow.log10_norm[s, :, 0])
        np.testing.assert_allclose(
            [float(row["hidden_norm"]) for row in own], [np.sqrt(h @ h) for h in flow.hidden[s, :, 0]]
        )
        assert [int(row["step"]) for row in own] == list(range(10) if not stream.reverse else range(1, 11))
        if flow.cell is None:
            assert {row["log10_norm_dc"] + row["cell_norm"] for row in own} == {""}
        else:
            np.testing.assert_array_equal([float(row["log10_norm_dc"]) for row in own], flow.cell_log10_norm[s, :, 0])
            np.testing.assert_allclose(
                [float(row["cell_norm"]) for row in own], [np.sqrt(c @ c) for c in flow.cell[s, :, 0]]
            )
    assert {row["run"] for row in rows} == {name}
    assert {row["network"] for row in rows} == {run.label}


def test_zeros_and_lost_numbers_are_named():
    zero = read([Run("rnn", Config(weight_scale=0.0, length=3))])
    assert [row["status"] for row in zero] == ["zero"] * 3 + ["ordinary"]
    assert zero[0]["log10_norm_dh"] == "-inf"
    lost = read([Run("linear", Config(nonlinearity="linear", weight_scale=3.0, length=1000))])
    assert {row["log10_norm_dh"] for row in lost} == {"nan"}
    assert {row["status"] for row in lost} == {"undefined"}
    assert lost[-1]["hidden_norm"] in ("inf", "nan")


def test_no_text_of_the_user_enters_a_cell():
    """A cell that begins with = + - @ would be a formula; only numbers begin with a sign."""
    text = to_csv(Comparison(("rnn", "bilstm")).runs(Config(signal="text", text=HOSTILE)))
    assert "calc" not in text
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            if cell.startswith(("=", "+", "-", "@")):
                float(cell)


def load(runs):
    with np.load(io.BytesIO(to_npz(runs)), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_archive_holds_every_array(cell):
    run = Run(cell, Config(cell=cell, length=6, hidden_size=3, layers=2, bidirectional=True, chrono=9.0))
    flow, arrays = run.flow, load([run])
    np.testing.assert_array_equal(arrays[f"{cell}/adjoint"], flow.adjoint)
    np.testing.assert_array_equal(arrays[f"{cell}/streams"], [stream.label for stream in flow.streams])
    assert (f"{cell}/cell_adjoint" in arrays) == (cell == "lstm")
    assert {name.split("/")[2] for name in arrays if "/gates/" in name} == set(flow.gates)
    for name, gradient in flow.parameter_gradients.items():
        np.testing.assert_array_equal(arrays[f"{cell}/parameter_gradients/{name}"], gradient)
        np.testing.assert_array_equal(arrays[f"{cell}/parameters/{name}"], run.experiment.network.parameters[name])
        assert arrays[f"{cell}/parameter_log10_norms/{name}"] == flow.parameter_log10_norms[name]
    np.testing.assert_array_equal(arrays[f"{cell}/inputs"], run.experiment.inputs)
    assert not [name for name, array in arrays.items() if array.dtype == object]


def test_a_config_comes_back_from_the_archive():
    config = Config(signal="text", text=HOSTILE, gate_bias=1.0)
    arrays = load([Run("rnn", config)])
    assert Config(**json.loads(str(arrays["rnn/config"]))) == config


def test_two_runs_of_one_name_are_told_apart():
    runs = [Run("rnn", SMALL), Run("rnn", Config(length=4)), Run("rnn", Config(length=5))]
    names = zipfile.ZipFile(io.BytesIO(to_npz(runs))).namelist()
    assert {name.split("/")[0] for name in names} == {"rnn", "rnn_2", "rnn_3"}
    assert [row["run"] for row in read(runs)] == ["rnn"] * 10 + ["rnn_2"] * 5 + ["rnn_3"] * 6


@pytest.mark.parametrize("write", [to_csv, to_npz])
def test_no_runs_are_refused(write):
    with pytest.raises(ConfigError, match="runs: must be at least one run, got none"):
        write([])


def test_the_same_runs_give_the_same_bytes():
    assert to_npz([Run("rnn", SMALL)]) == to_npz([Run("rnn", SMALL)])
