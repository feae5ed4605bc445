"""Windows of the real series and of a text: learnt from the first four fifths, tried on the last one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnviz.errors import ConfigError, ShapeError, shown
from rnnviz.experiments.inputs import assets
from rnnviz.experiments.task_types import Batch, one_hot

MOST_CHARACTERS = 256  # different ones; each is a channel and a class
LEAST_LENGTHS = 3  # that a text must have: two to learn from, one to be tried on


@dataclass(frozen=True, eq=False)
class SeriesWindows:
    """A window of a series, and the value after it as the target.

    Targets of held-out windows lie in the last fifth; what such a window reads may begin before. Windows to learn from
    lie before the last fifth wholly, their targets too.

    Attributes:
        values: (N,) float32, mean 0 and standard deviation 1 over what is learnt.
        learnt: how many of them are, from the first on.
        length: T of a window.
    """

    values: np.ndarray
    learnt: int
    length: int

    def draw(self, generator: np.random.Generator, count: int) -> Batch:
        """Windows to learn from."""
        return self._batch(generator.integers(0, self.learnt - self.length, count))

    @cached_property
    def held_out(self) -> Batch:
        """Every window with a target in the last fifth."""
        return self._batch(np.arange(self.learnt - self.length, len(self.values) - self.length))

    @cached_property
    def chance(self) -> tuple[float, float]:
        """Mean squared error of always saying the mean, 0: on all windows to learn from, and held-out."""
        learnt, held_out = self.values[self.length : self.learnt], self.values[self.learnt :]
        return float(np.mean(np.square(learnt, dtype=float))), float(np.mean(np.square(held_out, dtype=float)))

    @cached_property
    def persistence(self) -> float:
        """The typical error of saying the last value again, held-out."""
        steps = np.diff(self.values[self.learnt - 1 :].astype(float))
        return float(np.sqrt(np.mean(steps**2)))

    def _batch(self, starts: np.ndarray) -> Batch:
        return Batch(self.values[_places(starts, self.length)][..., None], self.values[starts + self.length])


@dataclass(frozen=True, eq=False)
class TextWindows:
    """A window of a text as one-hot characters, and at every step the next character as the target.

    Attributes:
        alphabet: the different characters of the whole text, sorted; a place in it is a channel and a class.
        codes: (N,) int64, each character's place in the alphabet.
        learnt: how many characters windows to learn from may touch; the others are held out.
        length: T of a window.
    """

    alphabet: tuple[str, ...]
    codes: np.ndarray
    learnt: int
    length: int

    def draw(self, generator: np.random.Generator, count: int) -> Batch:
        """Windows to learn from."""
        return self._batch(generator.integers(0, self.learnt - self.length, count))

    @cached_property
    def held_out(self) -> Batch:
        """The held-out characters, cut into windows that do not overlap."""
        return self._batch(np.arange(self.learnt, len(self.codes) - self.length, self.length))

    @cached_property
    def chance(self) -> float:
        """Entropy of the frequencies of the learnt characters, in nats."""
        counts = np.bincount(self.codes[: self.learnt])
        shares = counts[counts > 0] / self.learnt
        return float(-np.sum(shares * np.log(shares)))

    @cached_property
    def pairs(self) -> float:
        """The share of held-out characters that a table of pairs gets right: what most often followed the last one."""
        seen = np.zeros((len(self.alphabet), len(self.alphabet)))
        np.add.at(seen, (self.codes[: self.learnt - 1], self.codes[1 : self.learnt]), 1)
        held_out = self.held_out
        return float(np.mean(seen.argmax(axis=1)[held_out.inputs.argmax(axis=2)] == held_out.targets))

    def _batch(self, starts: np.ndarray) -> Batch:
        places = _places(starts, self.length)
        return Batch(one_hot(self.codes[places], len(self.alphabet)), self.codes[places + 1])


def _places(starts: np.ndarray, length: int) -> np.ndarray:
    return starts + np.arange(length)[:, None]


def read_values(name: str) -> np.ndarray:
    """(N,) the values of a shipped series as they were measured."""
    return np.loadtxt(assets() / "series" / f"{name}.csv", delimiter=",", skiprows=1, usecols=1)


def series_windows(values: np.ndarray, length: int) -> SeriesWindows:
    """Windows of a series.

    Args:
        values: (N,), not all the same.
        length: T of a window.

    Raises:
        ShapeError: when no window and its target fit into the first four fifths.
    """
    learnt = len(values) - len(values) // 5
    if length >= learnt:
        raise ShapeError(
            f"length: must be less than {learnt}, for the windows of this series and the values after them to fit into "
            f"its first four fifths, got {length}."
        )
    mean, spread = values[:learnt].mean(), values[:learnt].std()
    return SeriesWindows(((values - mean) / spread).astype(np.float32), learnt, length)


def shipped_text() -> str:
    """Eight sonnets; the README beside them says where they come from."""
    return (assets() / "texts" / "sonnets.txt").read_text(encoding="utf-8")


def text_windows(text: str, length: int) -> TextWindows:
    """Windows of a text, of which the last fifth is held out, or one window where that is more.

    Raises:
        ConfigError: for a text that is too short, or that has one character or too many different ones.
    """
    if len(text) < LEAST_LENGTHS * length:
        raise ConfigError(
            f"text: must have at least {LEAST_LENGTHS} × length = {LEAST_LENGTHS * length} characters, got {len(text)}."
        )
    alphabet = tuple(sorted(set(text)))
    if len(alphabet) > MOST_CHARACTERS:
        raise ConfigError(f"text: may have {MOST_CHARACTERS} different characters at most, got {len(alphabet)}.")
    learnt = len(text) - max(len(text) // 5, length + 1)
    if len(set(text[:learnt])) < 2:
        raise ConfigError(
            f"text: must have two different characters or more among its first {learnt}, which are learnt from, "
            f"got {shown(text[0])} alone."
        )
    place = {character: code for code, character in enumerate(alphabet)}
    return TextWindows(alphabet, np.array([place[character] for character in text]), learnt, length)
