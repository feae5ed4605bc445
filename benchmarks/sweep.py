"""100,800 runs in one process against as many calls of `run`: `make bench ARGS=sweep`."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from time import process_time

import numpy as np

import rnnviz
from benchmarks.measure import Row, table
from rnnviz.experiments.comparison import VARIANTS

BASE = rnnviz.Config(hidden_size=16)
GRID = {
    "cells": ("rnn", "lstm", "gru"),
    "weight_scale": tuple(np.linspace(0.1, 4.0, 40)),
    "length": (10, 20, 50, 100),
    "seed": range(210),
}
SECONDS, SAMPLE = 15.0, 10  # every tenth weight scale


def rows() -> Iterator[Row]:
    start = process_time()
    found = rnnviz.sweep(GRID, BASE)
    ours = process_time() - start
    theirs = _one_by_one() * len(found)
    measure = f"{len(found):,} runs: 3 cells × 40 weight scales × 4 lengths × 210 seeds, H 16"
    figure = f"{ours:.1f} s, {len(found) / ours:,.0f} runs a second"
    yield Row(measure, "15 s on one core", figure, f"< {SECONDS:g} s", ours < SECONDS)
    figure = f"{theirs / ours:.0f} × faster ({theirs:.0f} s)"
    yield Row("the same", "`run` for each, from a sample", figure, "≥ 10 ×", theirs / ours >= 10)


def _one_by_one() -> float:
    """Seconds of one call of `run` with its verdict, the mean over a sample of the grid."""
    sample = list(product(GRID["cells"], GRID["weight_scale"][::SAMPLE], GRID["length"], GRID["seed"][:: 7 * SAMPLE]))
    start = process_time()
    for cells, scale, length, seed in sample:
        config = replace(VARIANTS[cells].config(BASE), weight_scale=scale, length=length, seed=seed)
        assert rnnviz.run(config).verdict.steps
    return (process_time() - start) / len(sample)


def main() -> None:
    print("Times of the processor, all cores together.\n")
    print(table(list(rows())))
