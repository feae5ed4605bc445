"""The tasks with real data: two series and a text, learnt from the first four fifths and tried on the last one."""

from typing import TYPE_CHECKING

import numpy as np

from rnnviz.experiments.task_types import Legend, Material, Task, ready, share_right, typical_error
from rnnviz.experiments.task_windows import SeriesWindows, read_values, series_windows, shipped_text, text_windows

if TYPE_CHECKING:
    from rnnviz.experiments.training import Training

SPREADS = "typical error (root mean square), in standard deviations of what is learnt from"
WORD = 5  # characters: most words are no longer


def _sunspots(training: "Training") -> Material:
    return _ahead(
        SUNSPOTS,
        training,
        series_windows(np.sqrt(read_values("sunspots")), training.length),
        lag=8,
        lag_text="Two years tell whether the cycle of some 11 years rises or falls; a linear forecast stops improving "
        "at nine years, the first of which stands eight steps before the last one.",
        goal=0.6,
    )


def _co2(training: "Training") -> Material:
    return _ahead(
        CO2,
        training,
        series_windows(np.diff(read_values("co2")), training.length),
        lag=11,
        lag_text="The seasons repeat after 12 months: the same month of last year stands 11 steps before the last one.",
        goal=0.4,
    )


def _ahead(task: Task, training: "Training", windows: SeriesWindows, lag: int, lag_text: str, goal: float) -> Material:
    """One step ahead; solved when the typical error is `goal` times that of saying the last value again."""
    learnt, held_out = windows.chance
    return ready(
        task,
        windows.draw,
        windows.held_out,
        output_size=1,
        lag=min(lag, training.length - 1),
        lag_text=lag_text,
        chance=learnt,
        chance_text=f"Always saying the mean costs {learnt:.2f} on what is learnt from and {held_out:.2f} on what is "
        f"held out, where saying the last value again costs {windows.persistence**2:.2f}, a typical error of "
        f"{windows.persistence:.2f}.",
        goal=goal * windows.persistence,
        legend=Legend(ahead=1),
        held_out_text="Held out are all windows with an answer in the last fifth; no answer there is learnt from, nor "
        "read in training, but the first of these windows read what was.",
    )


def _characters(training: "Training") -> Material:
    windows = text_windows(training.text or shipped_text(), training.length)
    return ready(
        CHARACTERS,
        windows.draw,
        windows.held_out,
        output_size=len(windows.alphabet),
        lag=min(WORD, training.length - 1),
        lag_text=f"A table of pairs looks at the last character alone; to spell a word takes some {WORD} of them.",
        chance=windows.chance,
        chance_text="Knowing how frequent each character is and no more costs the entropy of these frequencies, "
        f"{windows.chance:.2f} nats or {windows.chance / np.log(2.0):.2f} bits a character; a table of pairs gets "
        f"{100 * windows.pairs:.0f} % of the held-out characters right.",
        goal=windows.pairs,
        legend=Legend(windows.alphabet, windows.alphabet),
        held_out_text=f"The last {len(windows.codes) - windows.learnt} of {len(windows.codes)} characters are held "
        "out; a passage that the text repeats may stand in both parts.",
    )


SUNSPOTS = Task(
    "sunspots",
    "Sunspots, next year",
    "Read the square roots of yearly sunspot numbers and say the next. Solved when the typical error on the last fifth "
    "of the years, which is held out, is 0.6 of what saying the last value again gives: linear forecasts from fewer "
    "than nine years miss that.",
    "Yule (1927); numbers of the National Geophysical Data Center",
    every=False,
    measure=SPREADS,
    higher=False,
    score=typical_error,
    prepare=_sunspots,
)
CO2 = Task(
    "co2",
    "CO₂, next month",
    "Read the changes of the CO₂ in the air from month to month, which have seasons but no trend, and say the next. "
    "Solved when the typical error on the last fifth, which is held out, is 0.4 of what saying the last change again "
    "gives: saying the same month's change of last year misses that.",
    "Keeling and Whorf (2004)",
    every=False,
    measure=SPREADS,
    higher=False,
    score=typical_error,
    prepare=_co2,
)
CHARACTERS = Task(
    "characters",
    "Next character",
    "Read a text, your own or eight sonnets, and say the next character at every step. Solved when as much of the last "
    "fifth, which is held out, is right as with a table of the character that most often follows each.",
    "Elman (1990); text: Shakespeare (1609)",
    every=True,
    measure="share of right next characters",
    higher=True,
    score=share_right,
    prepare=_characters,
)
