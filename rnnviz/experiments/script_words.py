"""What the learner's script says about itself and its numbers, at its top."""

import textwrap
from collections.abc import Mapping

import numpy as np

from rnnviz.core.results import FLOAT64_LARGEST, FLOAT64_SMALLEST
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import knobs

WIDTH = 110
SENSITIVE = 6.0  # decades by which rounding is amplified, beyond which the learner is told

ABOUT = """\
Made by rnnviz. It needs torch and numpy; with matplotlib it draws, without it prints a table.

{asked}

What you will see:

{seen}

How it is done: the network runs one step at a time, every state h_t is a tensor of its own, and h_t.retain_grad() asks
autograd to keep dL/dh_t. The short cut does not work: after

    out, _ = torch.nn.RNN(4, 32)(x)
    out.retain_grad()
    loss_of(out[-1]).backward()

out.grad is zero at every step but the last. Inside the fused module h_t leads to h_(t+1) directly; `out` is a copy for
the reader, and the loss looks at its last row alone. That is no vanishing gradient, it is the wrong tensor.
"""

BEYOND = (
    "float64 ends at 1e-308 and 1e308, and so do autograd's gradients: where rnnviz, which rescales at every step, "
    "drew a norm beyond, this script finds 0 (printed as 10^-inf), inf or nan, and near the ends it has fewer digits."
)
OVERFLOWED = "The states themselves left float64 in this run, so that the gradients are not numbers."
CHAOTIC = (
    "This run amplifies rounding errors up to 1e{decades:.0f}-fold. Another machine, or another library, rounds in "
    "another way: expect about {digits} equal digits{trajectory}."
)
ANOTHER = ", that is another trajectory after some steps, with a curve of the same kind"


def about(runs: Mapping[str, Run]) -> str:
    """The docstring of the script, after its title; `runs` by the names that they have in it."""
    seen = "\n".join(
        textwrap.fill(f"{name}: {run.flow.verdict.sentence}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        for name, run in runs.items()
    )
    notes = [
        textwrap.fill(note, WIDTH) for note in dict.fromkeys(note for run in runs.values() for note in _notes(run))
    ]
    return "\n".join([ABOUT.format(asked=_asked(runs), seen=seen), *(f"{note}\n" for note in notes)]).rstrip()


def _asked(runs: Mapping[str, Run]) -> str:
    """What the runs share, as far as it is a choice among words."""
    words = []
    for name, declared in knobs(Config).items():
        values = {getattr(run.config, name) for run in runs.values()}
        if len(values) == 1 and name in ("initialisation", "signal", "loss", "truncation", "clip"):
            words.append(f"{declared.label}: {declared.choices[values.pop()]}")
    return textwrap.fill("; ".join(words) + ".", WIDTH, initial_indent="  ", subsequent_indent="    ")


def _notes(run: Run) -> list[str]:
    """What the reader of the script's numbers must know."""
    flow = run.flow
    if flow.overflow_step is not None:
        return [OVERFLOWED]
    curves = [flow.log10_norm] + ([] if flow.cell_log10_norm is None else [flow.cell_log10_norm])
    norms = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    notes = [BEYOND] if ((norms < FLOAT64_SMALLEST) | (norms > FLOAT64_LARGEST)).any() else []
    decades = _amplification(run)
    if decades > SENSITIVE:
        digits = max(0, round(16 - decades))
        notes.append(CHAOTIC.format(decades=decades, digits=digits, trajectory="" if digits else ANOTHER))
    return notes


def _amplification(run: Run) -> float:
    """log10 of how much a small change of a state grows until the loss; a linear network's gradient feels none."""
    flow = run.flow
    if run.config.cell == "rnn" and run.config.nonlinearity == "linear":
        return 0.0
    curves = [stream.in_order(profile) for stream, profile in zip(flow.streams, flow.profile, strict=True)]
    return max((float(curve.max() - curve[-1]) for curve in curves if np.isfinite(curve[-1])), default=0.0)
