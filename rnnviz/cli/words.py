"""What a run found, in a few lines."""

import click
import numpy as np

from rnnviz.core.readings import Reading
from rnnviz.experiments.comparison import Run


def told(run: Run, label: str = "") -> None:
    """Print what a run found: its verdict, a line for every layer and direction, and what must be known beside."""
    flow = run.flow
    click.secho(f"{label or run.label}, {flow.steps} steps, {flow.hidden.shape[-1]} units", bold=True)
    click.echo(flow.verdict.sentence)
    names = [stream.label for stream in flow.streams]
    width = max(map(len, names))
    click.echo(f"\n{'':{width}}  growth/step  half-life  memory horizon")
    for name, reading in zip(names, flow.readings, strict=True):
        click.echo(f"{name:{width}}  {_line(reading)}")
    for sentence in flow.findings:
        click.echo(f"\n{sentence}")


def _line(reading: Reading) -> str:
    half = f"{reading.half_life:.3g}" if np.isfinite(reading.half_life) else "never"
    return f"{reading.growth_per_step:>11.4g}  {half:>9}  {reading.reach:>14}"
