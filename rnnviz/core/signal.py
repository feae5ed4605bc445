"""What may be done to the gradient signal on its way back: clipping at every step, and truncation."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from rnnviz.core.cells import Limit
from rnnviz.core.scaled import peak, times_power_of_two
from rnnviz.errors import ConfigError, one_of, shown

SMALLEST_LIMIT = 1e-270  # in the units of a clipped signal, some 1e270 times its own: below it digits would be lost

SIGNAL_CLIPS = {
    "preactivation_value": "each entry of ∂L/∂a_t is held within ±limit (Graves 2013, section 2.1)",
    "hidden_value": "each entry of ∂L/∂h_t is held within ±limit",
    "hidden_norm": "∂L/∂h_t of each batch row is scaled down to the norm `limit`",
}


@dataclass(frozen=True)
class SignalClip:
    """Clipping of the backward signal at every step, which changes what flows further back.

    Args:
        kind: "preactivation_value", "hidden_value" or "hidden_norm", see `SIGNAL_CLIPS`. The LSTM's ĉ is left alone.
        limit: above 0.

    Raises:
        RnnvizError: for an unknown kind or a limit that is not a positive finite number.
    """

    kind: str
    limit: float

    def __post_init__(self):
        one_of("signal_clip.kind", self.kind, SIGNAL_CLIPS)
        object.__setattr__(self, "limit", positive("signal_clip.limit", self.limit))

    @property
    def exponent(self) -> int:
        """The limit's own size, as a power of 2."""
        return int(np.frexp(self.limit)[1])

    def on_hidden(self, hidden: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        """∂L/∂h (..., B, H), in units of 2**exponent, after clipping."""
        limit = self._limit(exponent)
        if self.kind == "hidden_value":
            return np.clip(hidden, -limit, limit)
        if self.kind == "hidden_norm":
            largest = np.maximum(peak(hidden), np.finfo(np.float64).tiny)
            norm = largest * np.linalg.norm(hidden / largest, axis=-1, keepdims=True)
            return hidden * np.divide(limit, norm, out=np.ones_like(norm), where=norm > limit)
        return hidden

    def on_preactivation(self, exponent: np.ndarray) -> Limit | None:
        """What the cell's `backward` does to δ, in place and in units of 2**exponent; None for nothing."""
        if self.kind != "preactivation_value":
            return None
        limit = self._limit(exponent)
        return lambda delta: np.clip(delta, -limit, limit, out=delta)

    def _limit(self, exponent: np.ndarray) -> np.ndarray:
        """The limit in units of 2**exponent."""
        limit = times_power_of_two(self.limit, -exponent)
        if (limit < SMALLEST_LIMIT).any():
            raise ConfigError(
                f"signal_clip.limit: must be more than 1e-500 times the signal that it clips, got {self.limit} for a "
                f"signal of about 1e{exponent.max() * np.log10(2.0):+.0f}."
            )
        return limit


TRUNCATIONS = {
    "chunked": "the state is cut off from its past every `steps` steps; a loss early in a chunk sees little of it",
    "sliding": "every loss reaches its `steps` nearest steps, its own included, and no further",
}


@dataclass(frozen=True)
class Truncation:
    """How far back a loss may reach.

    Args:
        kind: "chunked" (detach every `steps` steps, in each stream's own order) or "sliding" (each loss on its own
            window), see `TRUNCATIONS`.
        steps: at least 1.

    Raises:
        RnnvizError: for an unknown kind or a number of steps below 1.

    Source: Williams and Peng (1990).
    """

    kind: str
    steps: int

    def __post_init__(self):
        one_of("truncation.kind", self.kind, TRUNCATIONS)
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or self.steps < 1:
            raise ConfigError(f"truncation.steps: must be a whole number of at least 1, got {shown(self.steps)}.")

    def cuts(self, row: int) -> bool:
        """Whether nothing is carried back over this row, in the stream's own order."""
        return self.kind == "chunked" and row > 0 and row % self.steps == 0


def positive(field_name: str, value: object) -> float:
    """Take a value as a float, refusing what is not a positive finite number.

    Raises:
        ConfigError: naming the field, what is allowed and what came.
    """
    number = real(value)
    if not 0 < number < np.inf:
        raise ConfigError(f"{field_name}: must be a finite number above 0, got {shown(value)}.")
    return number


def real(value: object) -> float:
    """Give a number as a float, infinite when it is too large for one; NaN for what is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
