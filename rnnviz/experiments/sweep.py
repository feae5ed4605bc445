"""Sweeps: every combination of a grid of settings, in this process or on any executor, resumable."""

import math
from collections.abc import Callable, Iterator, Mapping, Sized
from concurrent.futures import Executor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnnviz.errors import BudgetError, ConfigError, RnnvizError, expect
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import Cost
from rnnviz.experiments.run import run
from rnnviz.experiments.sweep_chunk import CHUNK_SECONDS, Chunk, compute, cost_of_chunk
from rnnviz.experiments.sweep_result import MEASURES, MOST_RUNS, SweepResult, checked_values, combinations
from rnnviz.experiments.sweep_store import Store

SWEEP_BUDGET = Cost(seconds=3600.0, megabytes=1000.0)
WITHIN_A_CHUNK = ("weight_scale", "length", "seed")
Progress = Callable[[int, int], object]
# What most often breaks a pool of processes before its first answer: each of them runs the script again.
UNGUARDED = ' In a script, a pool of processes and the sweep must stand under `if __name__ == "__main__":`.'


@dataclass(frozen=True, eq=False)
class Part:
    """A chunk, and where its runs stand in the sweep, (W, L, R)."""

    chunk: Chunk
    places: np.ndarray


def sweep(
    grid: Mapping[str, Any],
    base: Config = Config(),  # noqa: B008 (frozen)
    *,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    budget: Cost | None = SWEEP_BUDGET,
) -> SweepResult:
    """Run every combination of a grid; the same numbers as `run`, some twenty times as fast for one layer.

    Args:
        grid: {a field of `Config`, or "cells" for names of compared networks ("rnn", "lstm_3", …): its values}.
        base: every other setting.
        executor: any `concurrent.futures.Executor`: threads, processes, `dask.distributed.Client(...).get_executor()`
            (`pip install rnnviz[dask]`), or SLURM through executorlib. The grid is cut into the same parts on each, so
            that the results are the same, bit for bit. None computes here.
        store: a folder for the finished parts, each written whole or not at all. The same call after an interruption
            computes only what is missing; sweeps that differ may share a folder.
        progress: called with (parts done, parts in all) after each part.
        budget: what the sweep may cost, in seconds of one core and in megabytes; None for no limit.

    Raises:
        RnnvizError: before anything is computed, for a value that is not allowed or a sweep over the budget; later,
            when an executor breaks: what is finished by then is in the store.

    >>> found = sweep({"weight_scale": (0.5, 5.0), "length": [10, 20], "seed": range(9)}, Config(hidden_size=16))
    >>> found
    <SweepResult: 36 runs, 2 weight_scale × 2 length × 9 seed>
    >>> (found.grid("weight_scale", "length") < 1).tolist()
    [[True, True], [False, False]]
    """
    expect("base", base, Config, "Config")
    expect("executor", executor, Executor | None, "concurrent.futures.Executor or None")
    expect("budget", budget, Cost | None, "Cost or None")
    axes = checked_grid(grid)
    whole = panels(axes, base)
    if budget is not None:
        _check_budget(axes, whole, budget)
    parts = [part for panel in whole for part in cut(panel)]
    found = {name: np.empty(math.prod(map(len, axes.values())), kind) for name, kind in MEASURES.items()}
    kept = None if store is None else Store.at(store)
    with closing(_answers(parts, executor, kept)) as answers:  # an interruption takes back what is not begun
        for done, (part, measures) in enumerate(answers, start=1):
            for name, values in measures.items():
                found[name][part.places] = values
            if progress is not None:
                progress(done, len(parts))
    return SweepResult.of(axes, base, found)


def checked_grid(grid: Mapping[str, Any]) -> dict[str, tuple]:
    """The axes, every value checked.

    Raises:
        RnnvizError: for a grid that is empty or too large, a field that cannot be swept, a value that is not allowed,
            or a field that the swept cells set themselves.
    """
    expect("grid", grid, Mapping, "mapping of fields to their values")
    if not grid:
        raise ConfigError("grid: must have at least one field with its values, got none.")
    runs = math.prod(len(values) for values in grid.values() if isinstance(values, Sized))
    if runs > MOST_RUNS:
        raise BudgetError(f"grid: may have at most {MOST_RUNS:,} runs, got {runs:,}, so give fewer values.")
    axes = {name: checked_values(name, values) for name, values in grid.items()}
    for cell in axes.get("cells", ()):
        changes = VARIANTS[cell].changes
        taken = {*changes, *(["chrono"] if "gate_bias" in changes else [])}.intersection(axes)
        if taken:
            raise ConfigError(f"{min(taken)}: must be left to cells, where {cell!r} sets it, got both in one grid.")
    return axes


def panels(axes: Mapping[str, tuple], base: Config) -> list[Part]:
    """One part for each combination of the settings that all runs of a chunk must share.

    Raises:
        RnnvizError: for settings that do not go together.
    """
    outer = {name: values for name, values in axes.items() if name not in WITHIN_A_CHUNK}
    inner = {name: axes.get(name, (getattr(base, name),)) for name in WITHIN_A_CHUNK}
    order = [*outer, *(name for name in WITHIN_A_CHUNK if name in axes)]
    places = np.arange(math.prod(map(len, axes.values()))).reshape(*map(len, axes.values()))
    places = places.transpose([list(axes).index(name) for name in order]).reshape(-1, *map(len, inner.values()))
    return [
        Part(Chunk(_config(base, changes), *inner.values()), here)
        for changes, here in zip(combinations(outer), places, strict=True)
    ]


def _config(base: Config, changes: dict) -> Config:
    """The settings that all runs of a chunk share; what differs between them is set back, so that it names no file."""
    cells = changes.pop("cells", None)
    defaults = {name: Config.__dataclass_fields__[name].default for name in WITHIN_A_CHUNK}
    config = replace(base, **changes, **defaults)
    config = config if cells is None else VARIANTS[cells].config(config)
    if config.signal_clip and config.truncated:
        run(replace(config, length=1, hidden_size=1), budget=None)  # refuses what does not go together
    return config


def cut(panel: Part) -> Iterator[Part]:
    """Parts of about `CHUNK_SECONDS`, by nothing but what is asked.

    Lengths stay together first, then weight scales, then seeds; how many there are of the last changes no part but one.
    """
    scales, lengths, seeds = panel.chunk.weight_scales, panel.chunk.lengths, panel.chunk.seeds
    one = replace(panel.chunk, seeds=seeds[:1])
    left = max(1, int(CHUNK_SECONDS / cost_of_chunk(one).seconds * one.runs))
    n = min(left, len(lengths))
    w = min(left // n, len(scales))
    r = min(left // (n * w), len(seeds))
    for i in range(0, len(scales), w):
        for j in range(0, len(lengths), n):
            for k in range(0, len(seeds), r):
                here = slice(i, i + w), slice(j, j + n), slice(k, k + r)
                chunk = Chunk(panel.chunk.config, scales[here[0]], lengths[here[1]], seeds[here[2]])
                yield Part(chunk, panel.places[here])


def _check_budget(axes: Mapping[str, tuple], whole: list[Part], budget: Cost) -> None:
    costs = [cost_of_chunk(panel.chunk) for panel in whole]
    table = 16e-6 * math.prod(map(len, axes.values())) * (len(MEASURES) + len(axes))
    cost = Cost(sum(cost.seconds for cost in costs), table + max(cost.megabytes for cost in costs))
    if cost.seconds > budget.seconds or cost.megabytes > budget.megabytes:
        raise BudgetError(
            f"grid: must take at most {budget}, got one of about {cost}, so give fewer values or a larger budget."
        )


def _answers(parts: list[Part], executor: Executor | None, store: Store | None) -> Iterator[tuple[Part, dict]]:
    """What `compute` gives for each part, in whatever order: from the store, from here, or from the executor."""
    left = []
    for part in parts:
        if store is not None and (kept := store.load(part.chunk)) is not None:
            yield part, kept
        else:
            left.append(part)
    for part, measures in _computed_here(left) if executor is None else _computed(left, executor, store is not None):
        if store is not None:
            store.save(part.chunk, measures)
        yield part, measures


def _computed_here(parts: list[Part]) -> Iterator[tuple[Part, dict]]:
    for part in parts:
        yield part, compute(part.chunk)


def _computed(parts: list[Part], executor: Executor, stored: bool) -> Iterator[tuple[Part, dict]]:
    """By an executor; one that breaks still hands over all that is finished."""
    futures, broken, done = {}, None, 0
    try:
        try:
            for part in parts:
                futures[executor.submit(compute, part.chunk)] = part
        except RuntimeError as problem:  # shut down, or broken before
            broken = problem
        for future in as_completed(futures):
            try:
                measures = future.result()
            except Exception as problem:
                broken = problem
                continue
            done += 1
            yield futures[future], measures
    finally:
        for future in futures:
            future.cancel()
    if broken is not None:
        where = "are in the store, and the same call resumes" if stored else "were finished; give a store to resume"
        unguarded = not done and (type(broken).__name__ == "BrokenProcessPool" or "bootstrapping" in str(broken))
        raise RnnvizError(
            f"executor: must work until the end, got {type(broken).__name__}; {done} of {len(parts)} parts {where}."
            f"{UNGUARDED * unguarded}"
        ) from broken
