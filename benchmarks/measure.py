"""Timing of pairs, and the table that they are printed in."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured against what, the figure, and what it should reach."""

    measure: str
    against: str
    figure: str
    goal: str
    reached: bool


def medians(*functions: Callable[[], object], rounds: int = 21) -> list[float]:
    """Median seconds of one call of each function.

    A round calls each function in turn for some 20 ms, so that all of them meet the same machine, and each its own warm
    caches; a function's time in a round is its mean.
    """
    calls = [max(1, round(0.02 / _seconds(function, 2))) for function in functions]
    gc.collect()
    gc.disable()
    times = [[_seconds(function, n) for function, n in zip(functions, calls, strict=True)] for _ in range(rounds)]
    gc.enable()
    return [statistics.median(samples) for samples in zip(*times, strict=True)]


def _seconds(function: Callable[[], object], calls: int) -> float:
    function()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def faster(measure: str, against: str, ours: float, theirs: float, at_least: float) -> Row:
    """A row that says how many times faster we are."""
    figure = f"{theirs / ours:.1f} × faster ({1e3 * ours:.2f} ms, {1e3 * theirs:.2f} ms)"
    return Row(measure, against, figure, f"≥ {at_least:g} ×", theirs / ours >= at_least)


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| measure | against | measured | goal | |", "|---|---|---|---|---|"]
    lines += [f"| {r.measure} | {r.against} | {r.figure} | {r.goal} | {'yes' if r.reached else 'NO'} |" for r in rows]
    return "\n".join(lines)
