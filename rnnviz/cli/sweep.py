"""`rnnviz sweep`: many experiments over a grid of settings."""

import csv as csv_module
import io
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np

from rnnviz import Config, Knob, RnnvizError, knobs
from rnnviz.cli.options import ALIASES, OUT, Refused, metavar_of, saved, speaks_plainly, write
from rnnviz.errors import shown
from rnnviz.experiments.comparison import VARIANTS, Comparison
from rnnviz.experiments.sweep_result import SweepResult, checked_values

AXES = {"cells": knobs(Comparison)["cells"], **{name: knob for name, knob in knobs(Config).items() if name != "cell"}}
HELP = {"cells": "The networks. They share the input, the readout, the seed and every other setting.  [default: rnn]"}
FREE = ("text",)  # a comma is a character of it
MOST_VALUES = 100_000


class Values(click.ParamType):
    """One value of a setting, several between commas, or so many from one number to another."""

    name = "values"

    def __init__(self, field: str, declared: Knob):
        self.field, self.declared = field, declared

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple:
        """Every value in its own type."""
        try:
            return checked_values(self.field, self._values(value))
        except RnnvizError as problem:
            raise click.UsageError(str(problem), ctx) from None

    def _values(self, text: str) -> tuple:
        if self.field in FREE:
            return (text,)
        if ":" in text and self.declared.kind in (int, float) and not self.declared.choices:
            return self._evenly(text)
        parts = [part.strip() for part in text.split(",")]
        return tuple(filter(None, parts)) if self.declared.many else tuple(map(self.declared.from_text, parts))

    def _evenly(self, text: str) -> tuple:
        try:
            low, high, count = text.split(":")
            number = int(count)
            if not 1 <= number <= MOST_VALUES:
                raise ValueError
            values = np.linspace(float(low), float(high), number)
        except ValueError:
            raise RnnvizError(
                f"{self.field}: must be values between commas, or LOW:HIGH:COUNT with 1 to {MOST_VALUES} of them, "
                f"got {shown(text)}."
            ) from None
        if self.declared.kind is not int:
            return tuple(map(float, values))
        if not np.array_equal(values, np.round(values)):
            raise RnnvizError(
                f"{self.field}: LOW:HIGH:COUNT must give whole numbers, got {shown(text)}, which are "
                f"{(values[-1] - values[0]) / (number - 1):.3g} apart."
            )
        return tuple(map(int, values))


def axes(function: Callable) -> Callable:
    """Every setting as an option that takes several values."""
    for field, declared in reversed(AXES.items()):
        words = (f"--{field.replace('_', '-')}", *ALIASES.get(field, ()))
        metavar = metavar_of(declared) + ",…" * (field not in FREE)
        told = HELP.get(field, declared.help)
        function = click.option(*words, field, type=Values(field, declared), metavar=metavar, help=told)(function)
    return function


@click.command(short_help="Run many experiments over a grid of settings.")
@axes
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Keep what is finished, so that the same command goes on where it was interrupted.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes; the numbers stay.")
@click.option("--out", type=OUT, metavar="FILE.npz", help="Keep the table for SweepResult.load.")
@click.option("--csv", type=OUT, metavar="FILE.csv", help="Keep the table for a spreadsheet.")
@click.option("--html", type=OUT, metavar="FILE.html", help="The phase map in one file.")
@speaks_plainly
def sweep(store: Path | None, workers: int, out: Path | None, csv: Path | None, html: Path | None, **given) -> None:
    """Run many experiments over a grid of settings, and say how the growth per step depends on them.

    An option takes one value, several between commas, or LOW:HIGH:COUNT evenly spaced ones; what is not given stays at
    its default. A hundred networks in the blink of an eye:

    \b
      rnnviz sweep --cells rnn,lstm --weight-scale 0.5:2:10 --seed 0:4:5
      rnnviz sweep --cells rnn,lstm,gru --weight-scale 0.1:5:50 --steps 20,50,100 --seed 0:20:21 \\
        --store sweep/ --workers 2 --csv sweep.csv --html map.html
    """  # noqa: D301 (click wants the backspace itself)
    from rnnviz import sweep as run_sweep

    grid = {name: values for name, values in given.items() if values is not None}
    grid.setdefault("cells", ("rnn",))
    if html and sum(scale > 0 for scale in grid.get("weight_scale", ())) < 2:
        raise Refused("html: needs two or more weight scales above 0 for a map; give --weight-scale LOW:HIGH:COUNT.")
    with _executor(workers) as executor, _progress() as progress:
        result = run_sweep(grid, executor=executor, store=store, progress=progress)
    _tell(result)
    write(out, lambda: saved(result))
    write(csv, lambda: _csv(result))
    write(html, lambda: _html(result))


def _executor(workers: int) -> Executor | nullcontext:
    """Ctrl-C is for the parent alone: a worker that dies of it can take the pool's lock with it."""
    if workers == 1:
        return nullcontext()
    pool = ProcessPoolExecutor(workers, get_context("spawn"))
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which processes that are started now inherit
    try:
        pool.submit(int)  # starts them all
    finally:
        signal.signal(signal.SIGINT, ours)
    return pool


@contextmanager
def _progress():
    """A progress bar on a terminal; nothing where the output goes to a file."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label="Sweeping", file=sys.stderr, hidden=hidden) as bar:

        def report(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield report


def _tell(result: SweepResult) -> None:
    """A line for every cell."""
    click.echo(f"{len(result)} run{'s' * (len(result) != 1)}")
    for cell in result.axes["cells"]:
        chosen = result.columns["cells"] == cell
        growth = result.columns["growth_per_step"][chosen]
        click.echo(f"{VARIANTS[cell].label}: growth per step {_range(growth)}{_crossing(result, chosen)}")


def _range(growth: np.ndarray) -> str:
    held = growth[np.isfinite(growth)]
    if not len(held):
        return "is not a number in any run"
    low, high = f"{held.min():.3g}", f"{held.max():.3g}"
    return low if low == high else f"{low} to {high}, median {np.median(held):.3g}"


def _crossing(result: SweepResult, chosen: np.ndarray) -> str:
    """Between which weight scales the median growth passes 1 first, if it does."""
    if len(result.axes.get("weight_scale", ())) < 2:
        return ""
    scale, growth = result.columns["weight_scale"][chosen], result.columns["growth_per_step"][chosen]
    scales = np.unique(scale)
    explodes = np.array([np.median(growth[scale == each]) > 1 for each in scales])
    passes = np.flatnonzero(explodes[1:] != explodes[:-1])
    if not len(passes):
        return ""
    low, high = scales[passes[0] : passes[0] + 2]
    return f"; passes 1 between the weight scales {low:.3g} and {high:.3g}"


def _csv(result: SweepResult) -> str:
    text = io.StringIO()
    writer = csv_module.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(zip(*(column.tolist() for column in result.columns.values()), strict=True))
    return text.getvalue()


def _html(result: SweepResult) -> str:
    from rnnviz.experiments.phase_map import PhaseMap
    from rnnviz.figures.phase_map import PhaseSubject, phase_map  # plotly only where it is used
    from rnnviz.figures.report import html_report
    from rnnviz.figures.theme import THEMES

    drawing = phase_map(PhaseSubject(PhaseMap.of(result)), THEMES["light"])
    question = phase_map.__doc__.splitlines()[0]
    section = (question, drawing.answer, drawing.notes, drawing.figure)
    return html_report("Phase map", "", [section], THEMES["light"])
