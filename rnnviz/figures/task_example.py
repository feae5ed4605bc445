"""One example of a task in words and places: what is read, what must be remembered, what must be said and where."""

import itertools
import unicodedata
from collections.abc import Sequence

import numpy as np

from rnnviz.experiments.tasks import NOTHING, Material
from rnnviz.figures.learners import steps_text

VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}
UNSEEN = "□"  # for characters that would change the line, or show nothing


class Example:
    """The first held-out sequence of a task.

    Attributes:
        material: the task made ready.
        inputs: (T, D) what is read.
        targets: (T,) what shall be said at every step; NaN, or NOTHING for symbols, where there is no loss.
        remembered: (M,) the steps that must be remembered, counted from 0, rising.
        dues: (M,) for each of them the step at which it is asked for.
        symbols: (T,) what is read as words; empty for numbers.
        said: (T,) what shall be said as words, "" where there is no loss.
    """

    def __init__(self, material: Material):
        batch, legend, steps = material.held_out, material.legend, material.steps
        self.material, self.inputs = material, batch.inputs[:, 0]
        answers = batch.targets[:, 0] if material.task.every else batch.targets[:1]
        none = np.nan if answers.dtype.kind == "f" else NOTHING
        self.targets = np.append(np.full(steps - len(answers), none, answers.dtype), answers)
        self.remembered, self.dues = material.remembered(self.inputs), material.due(self.inputs)
        names = [visible(symbol) for symbol in legend.symbols]
        self.symbols = [names[place] for place in self.inputs.argmax(axis=1)] if names else []
        self.said = [self._word(target) for target in self.targets]

    def _word(self, target: np.generic) -> str:
        if target.dtype.kind == "f":
            return "" if np.isnan(target) else number_text(target)
        return "" if target == NOTHING else visible(self.material.legend.answers[target])

    @property
    def first(self) -> int:
        """The first step that must be remembered."""
        return int(self.remembered[0])

    @property
    def due(self) -> int:
        """The step at which it is asked for."""
        return int(self.dues[0])

    @property
    def lag(self) -> int:
        """How many steps lie between the two."""
        return self.due - self.first

    @property
    def joined(self) -> bool:
        """Whether what must be remembered is a stretch that ends at the answer, and not some steps among others."""
        return self.material.legend.marked is None

    @property
    def named(self) -> list[int]:
        """The steps that matter, counted from 0, the most important first; one may come twice."""
        apart = [] if self.joined or self.material.task.every else self.remembered.tolist()
        return [self.material.steps - 1, self.first, self.due, 0, *apart]

    @property
    def sentence(self) -> str:
        """What is read where, what must be said where, and how far apart the two are."""
        last, words = self.due + 1, self.said[self.due]
        if self.joined and not self.symbols:
            ahead = self.material.legend.ahead
            where = "the next value" if ahead == 1 else f"the value {steps_text(ahead)} later"
            return f"At step {last} the network must say {where}, {words}; what it needs begins {self._back}."
        if self.joined:
            read = "".join(self.symbols[self.first : last])
            return f"At step {last}, after “{read}”, the network must say “{words}”; what it needs begins {self._back}."
        if self.material.task.every:
            read = " ".join(self.symbols[at] for at in self.remembered)
            return f"The network reads {read} and must say it again {steps_text(self.lag)} later, from step {last} on."
        shown = self.symbols or [number_text(value) for value in self.inputs[:, 0]]
        read = " and ".join(f"{shown[at]} at step {at + 1}" for at in self.remembered)
        return f"The network reads {read}, and must say {words} at step {last}, {steps_text(self.lag)} after the first."

    @property
    def _back(self) -> str:
        return f"{steps_text(self.lag)} before"


def folded(steps: int, wanted: Sequence[int], most: int) -> np.ndarray:
    """The steps, counted from 0, that find a place among so many columns, and -1 for each stretch that does not.

    Those that are wanted stay, and around each of them as many as there is room for.

    >>> folded(6, [0, 5], most=9)
    array([0, 1, 2, 3, 4, 5])
    >>> folded(50, [0, 49], most=6)
    array([ 0,  1, -1, 48, 49])
    """
    away = np.abs(np.arange(steps)[:, None] - np.unique(wanted)).min(axis=1)
    found = _kept(away, 0)
    for radius in range(1, steps + 1):
        more = _kept(away, radius)
        if len(more) > most:
            break
        found = more
    return found


def _kept(away: np.ndarray, radius: int) -> np.ndarray:
    """Steps that are near enough; a stretch of one step is shown, since its fold would be as broad."""
    near = np.flatnonzero(away <= radius)
    pieces = [near[:1]]
    for before, after in itertools.pairwise(near):
        gap = {1: [], 2: [before + 1]}.get(int(after - before), [-1])
        pieces.append([*gap, after])
    return np.concatenate(pieces).astype(int)


def visible(symbol: str) -> str:
    r"""A character as something that can be seen and stands where it is put.

    >>> visible(" "), visible("a"), visible("AB"), visible("\x00")
    ('␣', 'a', 'AB', '□')
    """
    kind = unicodedata.category(symbol[0])
    if symbol in VISIBLE:
        return VISIBLE[symbol]
    if kind[0] in "CZ":
        return UNSEEN
    return f"◌{symbol}" if kind[0] == "M" else symbol


def number_text(value: float) -> str:
    """A number with two places and a true minus.

    >>> number_text(-0.4251), number_text(-0.001), number_text(1.2)
    ('−0.43', '0.00', '1.20')
    """
    return f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−")
