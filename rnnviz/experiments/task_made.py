"""The tasks with made sequences: each by its definition, a whole batch drawn at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnviz.core.initialisers import generator_for
from rnnviz.core.readings import power_text
from rnnviz.experiments.task_types import (
    Batch,
    Legend,
    Material,
    Task,
    in_steps,
    one_hot,
    ready,
    share_right,
    typical_error,
)

if TYPE_CHECKING:
    from rnnviz.experiments.training import Training

Generator = np.random.Generator

HELD_OUT = 256  # sequences
RECALLED, SYMBOLS = 10, 8  # how many symbols copy memory keeps, and out of how many they are drawn
SAID = ("·", *map(str, range(1, SYMBOLS + 1)))  # how a reader sees its answers: the blank, then the symbols
SHORTEST, LONGEST = 10.0, 40.0  # periods of the sine waves, in steps
AHEAD = 5  # steps after the last one at which the sine wave is asked for


def adding(generator: Generator, count: int, length: int) -> Batch:
    """Numbers from U[0, 1] in channel 0; channel 1 marks two of them, one in each half; the target is their sum.

    Source: Le, Jaitly and Hinton (2015), section 4.1; Arjovsky, Shah and Bengio (2016), section 5.2.
    """
    each, half = np.arange(count), length // 2
    inputs = np.zeros((length, count, 2), np.float32)
    inputs[..., 0] = generator.random((length, count), np.float32)
    first, second = generator.integers(0, half, count), generator.integers(half, length, count)
    inputs[first, each, 1] = inputs[second, each, 1] = 1.0
    return Batch(inputs, inputs[first, each, 0] + inputs[second, each, 0])


def copy(generator: Generator, count: int, length: int) -> Batch:
    """Ten symbols, length - 1 blanks, a marker, ten blanks: length + 20 steps; at the last ten say the symbols again.

    Category 0 is the blank, 1 to 8 are the symbols, 9 is the marker; before its last ten steps the answer is the blank.

    Source: Arjovsky, Shah and Bengio (2016), section 5.1.
    """
    read = np.zeros((length + 2 * RECALLED, count), np.int64)
    said = read.copy()
    said[-RECALLED:] = read[:RECALLED] = generator.integers(1, SYMBOLS + 1, (RECALLED, count))
    read[-RECALLED - 1] = SYMBOLS + 1
    return Batch(one_hot(read, SYMBOLS + 2), said)


def order(generator: Generator, count: int, length: int) -> Batch:
    """Distractors c, d, e, f and two symbols out of A, B; which came first and which second: AA, AB, BA or BB.

    The first stands in the second tenth of the sequence, the other in the sixth. A, B, c, d, e, f are the channels 0-5.

    Source: Hochreiter and Schmidhuber (1997), experiment 6a; places as in Pascanu, Mikolov and Bengio (2013).
    """
    each = np.arange(count)
    read = generator.integers(2, 6, (length, count))
    first, second = generator.integers(0, 2, (2, count))
    read[_place(generator, count, length, 1), each] = first
    read[_place(generator, count, length, 5), each] = second
    return Batch(one_hot(read, 6), 2 * first + second)


def _place(generator: Generator, count: int, length: int, tenth: int) -> np.ndarray:
    return generator.integers(*_places(length, tenth), count)


def _places(length: int, tenth: int) -> tuple[int, int]:
    """The steps of a tenth of the sequence, from 0, or where it begins when it is shorter than a step; low to high - 1.

    >>> _places(30, 1), _places(5, 5)
    ((3, 6), (2, 3))
    """
    low, high = tenth * length // 10, (tenth + 1) * length // 10
    return low, max(low + 1, high)


def _orders(length: int) -> int:
    """How many different sequences there are: both symbols, both places and all distractors."""
    (first, first_end), (second, second_end) = _places(length, 1), _places(length, 5)
    return 4 * (first_end - first) * (second_end - second) * 4 ** (length - 2)


def sine(generator: Generator, count: int, length: int) -> Batch:
    """A wave sin(2πt/p + φ) with p from U[10, 40] and φ from U[0, 2π]; the target is its value five steps later."""
    period, phase = generator.uniform(SHORTEST, LONGEST, count), generator.uniform(0.0, 2.0 * np.pi, count)
    steps = np.append(np.arange(length), length - 1 + AHEAD)
    wave = np.sin(2.0 * np.pi * steps[:, None] / period + phase).astype(np.float32)
    return Batch(wave[:-1, :, None], wave[-1])


def _made(task: Task, training: "Training", make: Callable, possible: float = np.inf, **rest: Any) -> Material:
    def draw(generator: Generator, count: int) -> Batch:
        return make(generator, count, training.length)

    held_out = draw(generator_for(training.seed, "held-out"), HELD_OUT)
    told = held_out_text(possible, training.updates * training.batch_size)
    return ready(task, draw, held_out, held_out_text=told, **rest)


def held_out_text(possible: float, drawn: int) -> str:
    """Whether held-out sequences are met in training too, drawn at random as both are.

    Args:
        possible: how many different sequences there are.
        drawn: how many are learnt from.

    >>> held_out_text(np.inf, 32_000)
    'The 256 held-out sequences are drawn apart from those that are learnt from.'
    >>> held_out_text(4, 32_000)[76:]
    'There are 4 different ones in all, so that all of the 256 are met in training too.'
    """
    apart = f"The {HELD_OUT} held-out sequences are drawn apart from those that are learnt from."
    met = round(-HELD_OUT * np.expm1(-drawn / possible))
    if not met:
        return apart
    count = str(possible) if possible < 1e6 else power_text(np.log10(possible))
    share = "all" if met == HELD_OUT else f"about {met}"
    share += f" of the {HELD_OUT} {'is' if met == 1 else 'are'}"
    return f"{apart} There are {count} different ones in all, so that {share} met in training too."


def _adding(training: "Training") -> Material:
    lag = training.length - 1
    return _made(
        ADDING,
        training,
        adding,
        output_size=1,
        lag=lag,
        lag_text=f"The first of the two marked numbers stands up to {in_steps(lag)} before the last one.",
        chance=1 / 6,
        chance_text="Always saying 1, the mean of all sums, costs their variance, 1/6.",
        goal=0.1,
        legend=Legend(marked=lambda inputs: inputs[:, 1] == 1.0),
    )


def _copy(training: "Training") -> Material:
    lag, length = training.length + RECALLED, training.length
    return _made(
        COPY,
        training,
        copy,
        SYMBOLS**RECALLED,
        output_size=SYMBOLS + 1,
        lag=lag,
        lag_text=f"Each symbol is asked for {in_steps(lag)} after it was read; reading and saying ten symbols takes 20 "
        f"steps, so that length {length} makes sequences of {in_steps(length + 2 * RECALLED)}.",
        chance=RECALLED * float(np.log(SYMBOLS)) / (length + 2 * RECALLED),
        chance_text="Saying blank until the symbols are asked for and then guessing among the eight costs 10 ln 8 "
        f"spread over {in_steps(length + 2 * RECALLED)}.",
        goal=0.95,
        legend=Legend((*SAID, "○"), SAID, marked=lambda inputs: np.arange(len(inputs)) < RECALLED),
    )


def _order(training: "Training") -> Material:
    lag = training.length - 1 - training.length // 10
    return _made(
        ORDER,
        training,
        order,
        _orders(training.length),
        output_size=4,
        lag=lag,
        lag_text=f"The first of the two symbols stands up to {in_steps(lag)} before the last step.",
        chance=float(np.log(4.0)),
        chance_text="Guessing among the four orders costs ln 4.",
        goal=0.99,
        legend=Legend(tuple("ABcdef"), ("AA", "AB", "BA", "BB"), marked=lambda inputs: inputs[:, :2].any(axis=1)),
    )


def _sine(training: "Training") -> Material:
    return _made(
        SINE,
        training,
        sine,
        output_size=1,
        lag=min(2, training.length - 1),
        lag_text="Three neighbouring values give away a wave's period and phase, so that two steps back are enough.",
        chance=0.5,
        chance_text="Always saying 0, the mean of all waves, costs their variance, 1/2.",
        goal=0.1,
        legend=Legend(ahead=AHEAD),
    )


def _recalled(outputs: np.ndarray, targets: np.ndarray) -> float:
    return share_right(outputs[-RECALLED:], targets[-RECALLED:])


ADDING = Task(
    "adding",
    "Adding problem",
    "Two of the numbers are marked, one in each half: say their sum after the last step. Solved at a typical error of "
    "0.1, a squared error of 0.01; who has heard one of the two alone is left with 0.29, who has heard none with 0.41.",
    "Le, Jaitly and Hinton (2015); Arjovsky, Shah and Bengio (2016)",
    every=False,
    measure="typical error (root mean square)",
    higher=False,
    score=typical_error,
    prepare=_adding,
)
COPY = Task(
    "copy",
    "Copy memory",
    "Read ten symbols, wait for as many steps as the length says, say them again: length + 20 steps with a loss at "
    "each. Solved when 95 % of the symbols come back.",
    "Arjovsky, Shah and Bengio (2016)",
    every=True,
    measure="share of the ten symbols recalled",
    higher=True,
    score=_recalled,
    prepare=_copy,
)
ORDER = Task(
    "order",
    "Temporal order",
    "Two symbols, A or B each, stand among distractors, one early, one in the middle: say which they were and in which "
    "order. Solved at 99 % right answers, as in Pascanu, Mikolov and Bengio (2013).",
    "Hochreiter and Schmidhuber (1997); Pascanu, Mikolov and Bengio (2013)",
    every=False,
    measure="share of right answers",
    higher=True,
    score=share_right,
    prepare=_order,
)
SINE = Task(
    "sine",
    "Sine forecast",
    f"Read a wave of unknown phase and period ({SHORTEST:.0f} to {LONGEST:.0f} steps): say its value {AHEAD} steps "
    "after the last one. Solved at a typical error of 0.1, where chance has 0.71; no long memory is asked for.",
    "rnnviz",
    every=False,
    measure="typical error (root mean square)",
    higher=False,
    score=typical_error,
    prepare=_sine,
)
