"""`rnnviz run`: one experiment."""

from pathlib import Path

import click

from rnnviz import Config
from rnnviz.cli.options import OUT, config_of, saved, settings, speaks_plainly, write
from rnnviz.cli.words import told
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.cost import BUDGET, check_budget
from rnnviz.experiments.run import estimate


@click.command(short_help="Run one network and its gradient, and say where it goes.")
@settings(Config)
@click.option("--out", type=OUT, metavar="FILE.npz", help="Keep every array; rnnviz.load reads it.")
@click.option("--csv", type=OUT, metavar="FILE.csv", help="Keep the norms, a line for every step.")
@click.option("--html", type=OUT, metavar="FILE.html", help="Every chart of the Explore page in one file.")
@click.option("--any-size", is_flag=True, help="Run it even when it takes longer than the app would allow.")
@speaks_plainly
def run(out: Path | None, csv: Path | None, html: Path | None, any_size: bool, **given) -> None:
    """Run one network and its gradient through time, and say where it goes.

    A longer memory, step by step:

    \b
      rnnviz run --cell lstm --steps 200
      rnnviz run --cell lstm --steps 200 --gate-bias 3
      rnnviz run --cell lstm --steps 200 --weight-scale 1.2 --out flow.npz --html report.html
    """  # noqa: D301 (click wants the backspace itself)
    config = config_of(given)
    if not any_size:
        check_budget(estimate(config), BUDGET)
    found = Run(config.cell, config)
    told(found)
    if found.flow.steps < config.length:
        click.echo(f"\nThe input ends after {found.flow.steps} steps, so that not all {config.length} were run.")
    write_files(found, out, csv, html)


def write_files(found: Run, out: Path | None, csv: Path | None, html: Path | None) -> None:
    """What a command may keep of a run."""
    from rnnviz.experiments.tables import to_csv

    write(out, lambda: saved(found.flow))
    write(csv, lambda: to_csv([found]))
    write(html, lambda: _report(found))


def _report(found: Run) -> str:
    from rnnviz.figures.chart import Subject, View  # plotly only where it is used
    from rnnviz.figures.report import report_of

    return report_of(Subject((found,), View()))
