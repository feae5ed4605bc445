"""What is said beside the curves: the verdict of each run, and what a reader asks next."""

import numpy as np

from rnnviz.core.readings import Reading, count_text, power_text
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.anatomy import anatomy
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.own import FlowRun
from rnnviz.figures.chart import Badge, Subject
from rnnviz.figures.theme import Theme
from rnnviz.figures.theory import affords_spectrum, theory


def reading_of(run: Run, subject: Subject) -> Reading:
    """What is said of a run: of the chosen stream when it stands alone, else its verdict."""
    return run.flow.readings[subject.stream] if len(subject.runs) == 1 else run.flow.verdict


def answer(subject: Subject) -> str:
    """One sentence over all runs."""
    runs = subject.runs
    if len(runs) == 1:
        return reading_of(runs[0], subject).sentence
    if runs[0].config.loss == "every":
        return "Every step's own loss adds to these totals, so they do not show how far the loss of one step reaches."
    told = "; ".join(f"{run.label} {_fate(run.flow)}" for run in runs)
    steps = runs[0].flow.verdict.steps
    return f"{steps} {'step' if steps == 1 else 'steps'} back from the loss, {told}."


def _fate(flow: GradientFlow) -> str:
    reading = flow.verdict
    share = power_text(reading.decades)
    return {
        "vanishing": f"has {share} of the signal left" if reading.decades > -np.inf else "has nothing left",
        "steady": f"holds the signal (×\u00a0{share})",
        "exploding": f"has grown it {share}-fold",
        "undefined": "is not a number",
    }[reading.kind]


def badge(run: Run, subject: Subject, theme: Theme) -> Badge:
    """The verdict in a few words."""
    reading = reading_of(run, subject)
    if run.config.loss == "every":
        return Badge(run.label, "each step's own loss adds to it", "steady", theme.colour(run.name))
    pace = ""
    if 1.05 <= reading.half_life < np.inf:
        pace = f"halves every {count_text(reading.half_life)} steps"
    elif 1.05 <= reading.doubling_time < np.inf:
        pace = f"doubles every {count_text(reading.doubling_time)} steps"
    growth = f"×{reading.growth_per_step:.4g} a step" if np.isfinite(reading.growth_per_step) else ""
    words = ", ".join(filter(None, (reading.kind, growth, pace if reading.kind != "steady" else "")))
    return Badge(run.label, words, reading.kind, theme.colour(run.name))


def notes(subject: Subject) -> tuple[str, ...]:
    """What was found, and which overlay does not apply."""
    told = [f"{run.label}: {finding}" for run in subject.runs for finding in run.flow.findings]
    told += [
        f"{run.label}: the bound (γ σ_max)ᵏ is known for an RNN with a loss at the last step alone."
        for run in subject.runs if "bound" in subject.view.overlays and run.bound_per_step is None
    ]  # fmt: skip
    told += [
        f"{run.label}: the straight lines belong to the backward direction."
        for run in subject.runs if run.config.bidirectional and theory(run, subject)
    ]  # fmt: skip
    told += [
        f"{run.label}: the Lyapunov slope of so large a run would take too long."
        for run in subject.runs if "lyapunov" in subject.view.overlays and not affords_spectrum(run)
    ]  # fmt: skip
    told += _reasons(subject)
    asked = subject.runs[0].config.length
    if subject.runs[0].flow.steps < asked:
        told.append(f"{asked} steps were asked for; the input ends after {subject.runs[0].flow.steps}.")
    return tuple(told)


def _reasons(subject: Subject) -> list[str]:
    """What a reader asks next: why, what the first step did, and what clipping after the sweep changes."""
    return [*_because(subject.runs), *_first_steps(subject), *_clipped(subject.runs)]


def _because(runs: tuple[Run, ...]) -> list[str]:
    """Where the pace of the first RNN comes from."""
    asked = (run for run in runs if not isinstance(run, FlowRun))  # a flow alone does not hold its slopes
    run = next((run for run in asked if run.config.cell == "rnn" and run.config.loss == "last"), None)
    if run is None or len(run.flow.streams) > 1 or not 0 < run.flow.verdict.growth_per_step < np.inf:
        return []
    found = anatomy(run)
    name = run.config.nonlinearity.replace("relu", "ReLU")
    slopes = "" if name == "linear" else f", and multiplies by the slopes of {name}, {found.mean_slope:.2f} on average"
    return [
        f"Why: each step back through {run.label} stretches the gradient by W_hhᵀ, ×{found.stretch:.3g} at most"
        f"{slopes}: measured, ×{run.flow.verdict.growth_per_step:.4g} a step."
    ]


def _first_steps(subject: Subject) -> list[str]:
    """The step at the loss, where an LSTM's gradient passes from h into h and c and the pace is another."""
    told = []
    for run in subject.runs:
        reading = reading_of(run, subject)
        first = reading.first_step if run.flow.cell is not None and run.config.loss == "last" else 0.0
        if abs(first) > np.log10(2.0):
            told.append(
                f"{run.label}, h and c together: ×{power_text(first)} at the step next to the loss, then "
                f"×{reading.growth_per_step:.4g} at each."
            )
    return told


def _clipped(runs: tuple[Run, ...]) -> list[str]:
    """Clipping after the sweep cannot be seen in the curves."""
    if runs[0].config.clip not in ("norm", "value"):
        return []
    reports = [(run.label, run.clip_report) for run in runs]
    sizes = "; ".join(
        f"{label} {power_text(report.log10_norm_before)} → {power_text(report.log10_norm_after)}"
        for label, report in reports
    )
    return [f"Clipping after the sweep leaves these curves as they are. The gradient of the parameters: {sizes}."]
