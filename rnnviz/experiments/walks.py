"""One path of gradient descent: how it ends, and what becomes of it in words."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.descent import Path
from rnnviz.core.readings import power_text

HOME = 0.01  # the last output is within 0.1 of its target
STILL, AHEAD = 0.01, 1000  # stuck: so many more updates would lower E by less than this share
THROWN = 1.0  # the length of a step that counts as one
RECENT = 10  # among so many last steps one over the wall means that it goes on


@dataclass(frozen=True, eq=False)
class Walk:
    """A path with its name.

    Attributes:
        name: "off" or "clipped".
        label: its words in a sentence.
        path: where it leads.
        rate: its learning rate.
    """

    name: str
    label: str
    path: Path
    rate: float

    @property
    def longest(self) -> tuple[int, float]:
        """The update that moves furthest, counted from 1, and how far; of those that float64 can measure."""
        lengths = np.where(np.isfinite(self.path.lengths), self.path.lengths, 0.0)
        return int(lengths.argmax()) + 1, float(lengths.max())

    @property
    def thrown(self) -> bool:
        """Whether a step is so long that what was reached is lost."""
        return self.path.lost is not None or self.longest[1] > THROWN

    @property
    def fate(self) -> str:
        """How it ends.

        "lost": out of float64. "to and fro": one of the last ten steps crosses the wall. "home": E ≤ 0.01 at the last
        ten. "stuck": 1000 more updates would lower E by less than 1 %. "under way": none of these.
        """
        path = self.path
        if path.lost is not None or not np.isfinite(path.error[-1]):
            return "lost"
        if path.crossed[-RECENT:].any():
            return "to and fro"
        if (path.error[-RECENT:] <= HOME).all():
            return "home"
        with np.errstate(all="ignore"):
            gained = AHEAD * self.rate * path.norm[-1] ** 2  # to first order, if the slope stays as it is
            return "stuck" if gained < STILL * path.error[-1] else "under way"

    @property
    def clause(self) -> str:
        """What becomes of it, with its label, without a capital or a full stop."""
        return f"{self.label}, {self.course}"

    @property
    def course(self) -> str:
        """What becomes of it: its longest step, and its end."""
        path = self.path
        if path.lost is not None:
            return f"update {path.lost} throws the parameters out of what float64 can hold"
        update, length = self.longest
        if length > THROWN:
            return f"update {update} throws the parameters {size(length)} away, and {self._end}"
        if length == 0:
            return f"no step is large enough to move the parameters, and {self._end}"
        return f"no step is longer than {size(length)}, and {self._end}"

    @property
    def _end(self) -> str:
        path, fate = self.path, self.fate
        last = place(path.w[-1], path.b[-1])
        if fate == "lost":
            return f"the path ends at {last}, where the error is not a number"
        where = f"{last} with E = {size(path.error[-1])}"
        if fate == "stuck":
            flat = "exactly 0 in float64" if path.norm[-1] == 0 else size(path.norm[-1])
            return f"the path ends stuck at {where}, where the slope is {flat}"
        if fate == "to and fro":
            return f"the path is at {where} in the end, still stepping over the wall ({_times(path.crossings)} so far)"
        return f"the path ends at {where}: {'home' if fate == 'home' else 'not home yet'}"


def size(value: float) -> str:
    """A number of at least 0 for a sentence, to two or three digits, or as a power of ten where it is far from 1.

    >>> size(13.7305), size(5.601e-4), size(7e-10), size(0.0)
    ('13.7', '0.00056', '7·10⁻¹⁰', '0')
    """
    if 1e-4 <= value < 0.01:
        return f"{value:.2g}"
    if 0.01 <= value < 1e5:
        return f"{value:.4g}" if value >= 1000 else f"{value:.3g}"
    return "0" if value == 0 else power_text(float(np.log10(value)))


def place(w: float, b: float) -> str:
    """A place in a sentence.

    >>> place(4.1468, -2.0382)
    '(4.15, −2.04)'
    """
    return f"({_signed(w)}, {_signed(b)})"


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else ''}{size(abs(value))}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
