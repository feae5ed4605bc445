"""`rnnviz trace`: the gradient inside a model of the user's own, from its file of weights."""

from dataclasses import replace
from pathlib import Path

import click

from rnnviz import knobs
from rnnviz.cli.options import OUT, Refused, option_of, settings, speaks_plainly
from rnnviz.cli.run import write_files
from rnnviz.cli.words import told
from rnnviz.experiments.own_inputs import read_table
from rnnviz.experiments.own_model import LARGE, OwnModel, largest_input, left_out
from rnnviz.experiments.weights import read_weights

STEPS = "Steps T, from the beginning of the inputs; when it is not given all of them, or 100 of white noise."
IN = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command(short_help="See inside a trained nn.RNN, LSTM or GRU, from its file of weights.")
@click.argument("weights", type=IN)
@click.option("--inputs", type=IN, metavar="FILE", help="A .csv with a header line, or an .npy; white noise without.")
@settings(OwnModel, without=("length",))
@option_of("length", replace(knobs(OwnModel)["length"], help=STEPS), None)
@click.option("--out", type=OUT, metavar="FILE.npz", help="Keep every array; rnnviz.load reads it.")
@click.option("--csv", type=OUT, metavar="FILE.csv", help="Keep the norms, a line for every step.")
@click.option("--html", type=OUT, metavar="FILE.html", help="Every chart in one file.")
@speaks_plainly
def trace(
    weights: Path,
    inputs: Path | None,
    length: int | None,
    out: Path | None,
    csv: Path | None,
    html: Path | None,
    **given,
) -> None:
    """See how far back the gradient reaches inside a trained nn.RNN, nn.LSTM or nn.GRU.

    WEIGHTS is a .safetensors or an .npz with torch.nn's names, as from

    \b
      safetensors.torch.save_file(model.state_dict(), "weights.safetensors")

    and may hold a whole model: the recurrent modules in it are found by their names. No file of weights has your loss
    in it; a fixed random readout takes its place. For your real loss use rnnviz.watch in your training script.

    \b
      rnnviz trace weights.safetensors
      rnnviz trace weights.safetensors --inputs series.csv --module encoder.lstm --loss every --html report.html
    """  # noqa: D301 (click wants the backspace itself)
    if inputs is None and (given["columns"] or given["standardise"]):
        raise Refused("columns, standardise: are about inputs of yours; give them with --inputs FILE.")
    table = None if inputs is None else read_table(inputs.read_bytes(), inputs.name)
    found = read_weights(weights.read_bytes(), weights.name)
    longest = int(knobs(OwnModel)["length"].high)
    steps = length or (100 if table is None else min(len(table.values), longest))
    model = OwnModel(length=steps, **given)
    chosen = model.chosen(found)
    others = [name for name in found.named if name != chosen.prefix]
    run = model.run(found, table)
    told(run, chosen.label)
    if table is not None:
        _tell_steps(length, run.flow.steps, len(table.values))
        if table.left_out:
            click.echo(f"\nColumns {left_out(table)}.")
        if not model.standardise and (largest := largest_input(run)) > LARGE:
            click.echo(f"\nThe inputs reach {largest:.3g}, and most networks saturate: --standardise brings them to 1.")
    if others:
        click.echo(f"\nAlso in this file: {', '.join(others)}; choose one with --module.")
    for sentence in found.refused:
        click.echo(f"\n{sentence}")
    write_files(run, out, csv, html)


def _tell_steps(asked: int | None, steps: int, rows: int) -> None:
    """Say so when there are other steps than one would think."""
    if asked is not None and asked > steps:
        click.echo(f"\nThe inputs have {rows} rows: {steps} steps were run, and not the {asked} that were asked for.")
    elif asked is None and steps < rows:
        click.echo(f"\nThe inputs have {rows} rows: the first {steps} were read, the most that a run can have.")
