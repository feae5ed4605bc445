"""A sweep against as many single runs, on every kind of executor."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnviz
from rnnviz.core.results import Status
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.experiments.sweep import checked_grid, cut, panels
from rnnviz.experiments.sweep_chunk import at_once, cost_of_chunk
from rnnviz.experiments.sweep_result import MEASURES, MOST_RUNS
from tests.support import assert_clear, refusal


def one_by_one(axes, base):
    """The measures of every run, by `run` and by the public names of its result alone."""
    found = []
    for changes in rnnviz.experiments.sweep_result.combinations(axes):
        cells = changes.pop("cells", None)
        config = replace(base, **changes)
        flow = rnnviz.run(VARIANTS[cells].config(config) if cells else config)
        verdict, rows = flow.verdict, slice(min(1, flow.steps - 1), None)
        s = flow.readings.index(verdict)
        curve = flow.streams[s].in_order(flow.profile[s])[rows]
        status = status_of(curve[0], flow.streams[s].in_order(flow.saturated[s, :, 0])[rows][0])
        measures = (verdict.growth_per_step, verdict.decades, curve[-1], curve[0], verdict.memory_horizon)
        found.append((*measures, flow.overflow_step or 0, status))
    return dict(zip(MEASURES, map(np.array, zip(*found, strict=True)), strict=True))


def status_of(norm, saturated):
    if np.isnan(norm):
        return Status.UNDEFINED
    if norm == -np.inf:
        return Status.SATURATED if saturated else Status.ZERO
    return Status.OVERFLOW if norm > 308.25 else Status.UNDERFLOW if norm < -307.65 else Status.ORDINARY


def assert_same(ours, theirs, rtol=1e-10):
    for name in MEASURES:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol, atol=rtol, err_msg=name)


@st.composite
def questions(draw):
    base = rnnviz.Config(
        cell=draw(st.sampled_from(["rnn", "lstm", "gru"])),
        nonlinearity=draw(st.sampled_from(["tanh", "relu", "sigmoid", "linear"])),
        hidden_size=draw(st.integers(1, 20)),
        initialisation=draw(st.sampled_from(["orthogonal", "gaussian", "identity", "uniform", "sparse", "nonnormal"])),
        gate_bias=draw(st.sampled_from([None, -3.0, 1.0, 20.0])),
        signal=draw(st.sampled_from(["noise", "impulse", "sine", "random_walk", "text", "sunspots"])),
        input_scale=draw(st.sampled_from([0.0, 1.0, 3.0])),
        input_size=draw(st.integers(1, 9)),
        clip=draw(st.sampled_from(["off", "norm"])),
    )
    some = {"min_size": 1, "max_size": 3, "unique": True}
    grid = {
        "length": draw(st.lists(st.integers(1, 60), **some)),
        "weight_scale": draw(st.lists(st.sampled_from([0.0, 0.013, 0.5, 1.0, 1.5, 5.0, 20.0]), **some)),
        "seed": draw(st.lists(st.integers(0, 999), **{**some, "max_size": 2})),
    }
    return draw(st.permutations(list(grid.items())).map(dict)), base


@given(questions())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_at_once_say_what_each_says_alone(question):
    grid, base = question
    assert at_once(base)
    assert_same(rnnviz.sweep(grid, base).columns, one_by_one(grid, base))


EXTREMES = {  # beyond float64 both ways, its forward run too, saturated, dead
    Status.OVERFLOW: ({"length": (100, 400)}, {"nonlinearity": "linear", "weight_scale": 5.0, "input_scale": 0.0}),
    Status.UNDERFLOW: ({"length": (40, 500)}, {"weight_scale": 0.01}),
    Status.UNDEFINED: ({"length": (20, 500)}, {"nonlinearity": "relu", "weight_scale": 20.0}),
    Status.SATURATED: ({"length": (5, 30)}, {"hidden_size": 1, "input_scale": 100.0, "input_size": 64}),
    Status.ZERO: ({"length": (5, 30)}, {"weight_scale": 0.0}),
}


@pytest.mark.parametrize("status", EXTREMES, ids=lambda status: status.name.lower())
def test_every_way_to_leave_float64(status):
    grid, changes = EXTREMES[status]
    base = rnnviz.Config(**{"hidden_size": 4, **changes})
    found = rnnviz.sweep(grid, base)
    assert_same(found.columns, one_by_one(grid, base))
    assert status in found.columns["status"]
    assert (found.columns["overflow_step"][-1] > 0) == (status == Status.UNDEFINED)


ILL_CONDITIONED = (  # a chaotic run, in whose backward pass rounding grows; units that are 300 decades apart
    rnnviz.Config("gru", hidden_size=34, gate_bias=1.0, initialisation="uniform", input_scale=0.0, seed=300),
    rnnviz.Config("lstm", hidden_size=14, gate_bias=-20.0, signal="random_walk", input_scale=100.0, input_size=1),
)


@pytest.mark.parametrize("base", ILL_CONDITIONED, ids=lambda config: config.cell)
def test_rounding_is_the_same_where_it_matters(base):
    grid = {"length": (121, 150), "weight_scale": (0.0, 20.0), "seed": (27, 300)}
    assert_same(rnnviz.sweep(grid, base).columns, one_by_one(grid, base))


OTHERWISE = (
    {"bidirectional": True},
    {"bidirectional": True, "loss": "every", "cell": "lstm"},
    {"layers": 3, "cell": "gru"},
    {"loss": "every"},
    {"clip": "hidden_norm"},
    {"truncation": "chunked", "truncation_steps": 4},
    {"truncation": "sliding", "loss": "every", "truncation_steps": 4},
)


@pytest.mark.parametrize("changes", OTHERWISE, ids=str)
def test_what_cannot_be_run_at_once_is_run(changes):
    base, grid = rnnviz.Config(hidden_size=3, **changes), {"weight_scale": (0.5, 2.0), "length": (1, 12)}
    assert not at_once(base)
    assert_same(rnnviz.sweep(grid, base).columns, one_by_one(grid, base), rtol=1e-13)


GRID = {
    "cells": ("rnn", "relu", "lstm_3", "gru", "bilstm"),
    "hidden_size": (3, 8),
    "seed": (1, 2),
    "weight_scale": (0.5, 1.2),
    "length": (5, 30),
}


def test_the_first_axis_runs_slowest_whatever_runs_at_once():
    found, alone = rnnviz.sweep(GRID), one_by_one(GRID, rnnviz.Config())
    assert_same(found.columns, alone)
    assert list(found.axes) == list(GRID)
    assert found.columns["cells"].tolist() == np.repeat(GRID["cells"], 16).tolist()
    assert found.columns["length"].tolist() == [5, 30] * 40


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_an_executor_changes_no_bit(kind):
    here = rnnviz.sweep(GRID)
    spawn = multiprocessing.get_context("spawn")
    pool = ThreadPoolExecutor(3) if kind == "threads" else ProcessPoolExecutor(2, mp_context=spawn)
    with pool as executor:
        there = rnnviz.sweep(GRID, executor=executor)
    for name in MEASURES:
        np.testing.assert_array_equal(here.columns[name], there.columns[name])


def test_parts_cover_every_run_once_and_depend_on_the_question_alone():
    grid = checked_grid({"length": (10, 1000, 50), "seed": range(300), "weight_scale": (1, 2, 3), "layers": (1, 2)})
    base = rnnviz.Config(hidden_size=16)
    parts = [part for panel in panels(grid, base) for part in cut(panel)]
    assert np.array_equal(np.sort(np.concatenate([part.places.ravel() for part in parts])), np.arange(300 * 18))
    assert max(cost_of_chunk(part.chunk).seconds for part in parts) < 0.4
    irrelevant = replace(base, seed=9, length=7, weight_scale=3.0, layers=4)
    again = [part.chunk for panel in panels(grid, irrelevant) for part in cut(panel)]
    assert again == [part.chunk for part in parts]


def test_progress_is_told_after_every_part():
    seen = []
    rnnviz.sweep({"hidden_size": (2, 3, 4), "length": (2,)}, progress=lambda *told: seen.append(told))
    assert seen == [(1, 3), (2, 3), (3, 3)]


REFUSED = {
    "grid: must": ({"sede": (1,)}, "'sede'"),
    "grid: must have": ({}, "none"),
    "grid['seed']": ({"seed": 3}, "got 3"),
    "seed": ({"seed": ()}, "()"),
    "length": ({"length": (10, 0)}, "got 0"),
    "weight_scale": ({"weight_scale": (1.0, 1)}, "once"),
    "cells": ({"cells": ("rnn", "rmn")}, "'rmn'"),
    "gate_bias": ({"cells": ("rnn", "lstm_3"), "gate_bias": (0.0,)}, "'lstm_3' sets it"),
    "chrono": ({"cells": ("gru_3",), "chrono": (20.0,)}, "'gru_3' sets it"),
    "chrono: takes": ({"gate_bias": (None, 1.0), "chrono": (20.0,)}, "gate_bias"),
    "clip": ({"clip": ("off", "hidden_norm"), "truncation": ("sliding",)}, "sliding"),
    "grid: may have": ({"seed": range(MOST_RUNS), "length": (1, 2)}, "2,000,000"),
    "grid: must take": ({"seed": range(20_000), "length": (10_000,), "cells": ("bilstm",)}, "3600 s"),
}


@pytest.mark.parametrize("field", REFUSED)
def test_a_wrong_grid_is_refused_in_a_sentence_before_anything_runs(field, monkeypatch):
    monkeypatch.setattr("rnnviz.experiments.sweep.compute", lambda chunk: pytest.fail("computed"))
    grid, word = REFUSED[field]
    message = refusal(rnnviz.sweep, grid)
    assert message.startswith(field)
    assert word in message
    assert_clear(message, field)


@pytest.mark.parametrize("named", [{"base": 3}, {"executor": 3}, {"budget": 3}, {"store": 3}])
def test_wrong_arguments_are_refused(named):
    assert_clear(refusal(rnnviz.sweep, {"seed": (1,)}, **named), *named)


def test_two_steps_of_one_unit_are_those_of_run():
    """Rows of 64 bytes, at which np.negative went wrong."""
    scales, seeds = (0.5, 1.0, 2.0), (0, 1, 2)
    base = rnnviz.Config(cell="lstm", hidden_size=1, length=2)
    found = rnnviz.sweep({"weight_scale": scales, "seed": seeds}, base)
    growth = [rnnviz.run(replace(base, weight_scale=w, seed=s)).verdict.growth_per_step for w in scales for s in seeds]
    np.testing.assert_allclose(found.columns["growth_per_step"], growth, rtol=1e-12)
