"""`rnnviz sweep`: what it prints is what `rnnviz.sweep` finds."""

import csv
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import rnnviz
from rnnviz.cli import command
from rnnviz.cli.sweep import AXES, Values

ROOT = Path(__file__).parents[2]
GRID = ("--cells", "rnn,lstm", "--weight-scale", "0.5:2:4", "--steps", "20", "--seed", "0:2:3")


def told(*words: str):
    return CliRunner().invoke(command, ["sweep", *words])


@pytest.fixture(scope="module")
def found():
    return rnnviz.sweep(
        {"cells": ("rnn", "lstm"), "length": (20,), "weight_scale": (0.5, 1.0, 1.5, 2.0), "seed": (0, 1, 2)}
    )


def test_a_line_for_every_cell(found):
    said = told(*GRID)
    assert said.exit_code == 0, said.output
    growth = found.columns["growth_per_step"][found.columns["cells"] == "rnn"]
    line = next(line for line in said.output.splitlines() if line.startswith("RNN tanh"))
    assert f"{growth.min():.3g} to {growth.max():.3g}, median {np.median(growth):.3g}" in line
    assert "24 runs" in said.output.splitlines()


def test_where_the_growth_passes_one(found):
    line = next(line for line in told(*GRID).output.splitlines() if line.startswith("RNN tanh"))
    medians = np.median(found.grid("weight_scale", "seed", cells="rnn"), axis=1)
    at = int(np.flatnonzero((medians[1:] > 1) != (medians[:-1] > 1))[0])
    low, high = found.axes["weight_scale"][at : at + 2]
    assert line.endswith(f"passes 1 between the weight scales {low:.3g} and {high:.3g}")


def test_files_and_a_store(tmp_path, found):
    words = ["--csv", tmp_path / "a.csv", "--out", tmp_path / "a.npz", "--html", tmp_path / "a.html"]
    said = told(*GRID, "--store", str(tmp_path / "store"), *map(str, words))
    assert said.exit_code == 0, said.output
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    growth = {(row["cells"], row["weight_scale"], row["seed"]): float(row["growth_per_step"]) for row in rows}
    expected = zip(*(found.columns[name].tolist() for name in ("cells", "weight_scale", "seed")), strict=True)
    for (cell, scale, seed), value in zip(expected, found.columns["growth_per_step"], strict=True):
        assert growth[cell, str(scale), str(seed)] == value
    loaded = rnnviz.SweepResult.load(tmp_path / "a.npz")
    assert sorted(loaded.columns["growth_per_step"]) == sorted(found.columns["growth_per_step"])
    assert "<h2>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert any((tmp_path / "store").iterdir())


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("weight_scale", "0.5:2:4", (0.5, 1.0, 1.5, 2.0)),
        ("weight_scale", "1, 2", (1.0, 2.0)),
        ("seed", "0:4:5", (0, 1, 2, 3, 4)),
        ("cells", "rnn,lstm_3", ("rnn", "lstm_3")),
        ("text", "a,b", ("a,b",)),
        ("gate_bias", "none,1", (None, 1.0)),
        ("bidirectional", "no,yes", (False, True)),
        ("loss", "last,every", ("last", "every")),
    ],
)
def test_several_values(name, text, values):
    assert Values(name, AXES[name]).convert(text, None, None) == values


@pytest.mark.parametrize(
    "words", [("--weight-scale", "1:2:x"), ("--weight-scale", "0.5:2"), ("--seed", "1:2:0"), ("--seed", "0:1:9999999")]
)
def test_a_range_that_is_none_is_a_sentence(words):
    said = told(*words)
    assert said.exit_code == 2
    assert "LOW:HIGH:COUNT with 1 to 100000" in said.output


@pytest.mark.parametrize(
    "words", [("--cells", "rnn,foo"), ("--weight-scale", "1,x"), ("--weight-scale", "nan"), ("--steps", "0")]
)
def test_a_value_that_is_not_allowed_is_a_sentence(words):
    said = told(*words)
    assert said.exit_code == 2
    assert said.output.splitlines()[-1].startswith(
        f"Error: {words[0][2:].replace('-', '_').replace('steps', 'length')}"
    )
    assert "must be" in said.output


@pytest.mark.parametrize("words", [("--gate-bias", "1", "--chrono", "20"), ("--html", "a.html", "--weight-scale", "1")])
def test_what_cannot_be_is_refused_before_the_work(words):
    said = told("--steps", "5", *words)
    assert (said.exit_code, "growth" in said.output) == (2, False)


def test_whole_numbers_that_are_not_evenly_apart_are_refused_for_that():
    said = told("--steps", "5", "--seed", "0:4:4")
    assert (said.exit_code, "seed: LOW:HIGH:COUNT must give whole numbers" in said.output) == (2, True)
    assert "which are 1.33 apart" in said.output


def test_help_tells_what_each_setting_may_be():
    said = told("--help").output
    for word in ("0..20,…", "[last|every],…", "lstm_3", "1..10000,…"):
        assert word in said


def test_a_worker_that_dies_is_no_wrong_question(monkeypatch):
    module = sys.modules["rnnviz.cli.sweep"]  # `rnnviz.cli.sweep` is the command of that name
    monkeypatch.setattr(module, "_executor", lambda workers: Dying())
    said = told("--steps", "5")
    assert said.exit_code == 1
    assert said.output.splitlines()[-1].startswith("Error: executor: must work until the end, got RuntimeError; 0 of 1")


class Dying(ThreadPoolExecutor):
    def submit(self, *_):
        raise RuntimeError("gone")


def test_an_interrupted_sweep_of_two_workers_ends_and_keeps_what_is_finished(tmp_path):
    store = tmp_path / "store"
    words = "--cells lstm --weight-scale 0.5:4:60 --steps 1000 --hidden-size 64 --seed 0:39:40 --workers 2 --store"
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnviz", "sweep", *words.split(), str(store)],
        cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not list(store.glob("*.npz")):
        continue
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.decode().strip().splitlines()[-1]) == (1, "Aborted!")
    assert list(store.glob("*.npz"))
