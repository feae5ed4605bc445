"""What a curve of log10 norms says: growth per step, half-life, horizon, and one sentence for the screen."""

from dataclasses import dataclass, replace

import numpy as np

HORIZON_FRACTION = 0.01
OWN_LOSSES, LAYER_ABOVE = "What enters at other steps", "The layer above"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
STEADY_DECADES, STEADY_GROWTH = 1.0, 1.1


@dataclass(frozen=True)
class Reading:
    """How the gradient of one stream changes on its way back from the loss.

    Attributes:
        stream: the stream's name.
        steps: over how many steps it was read.
        decades: log10 of what the last step back gets of the signal at the loss; -inf for exactly nothing.
        growth_per_step: geometric mean of the ratio of the norm one step further back; below 1 it vanishes. It is read
            from the step before the loss: the last step leads an LSTM's gradient from h into c, which happens once.
        half_life: steps for the norm to halve; inf when it does not shrink.
        doubling_time: steps for the norm to double; inf when it does not grow.
        memory_horizon: how many steps back the norm stays above 1 % of what it was at the loss.
        kind: "vanishing", "steady" (within 10 % a step and a factor of ten over the whole run), "exploding" or
            "undefined" (NaN).
        sentence: the same, for the screen.
        refilled: what lets new gradient enter on the way, `OWN_LOSSES` or `LAYER_ABOVE`; "" for nothing. Growth and
            horizon are then those of the total, which may stay large although what enters at one step does not get far.
    """

    stream: str
    steps: int
    decades: float
    growth_per_step: float
    half_life: float
    doubling_time: float
    memory_horizon: int
    kind: str
    sentence: str
    refilled: str = ""

    @property
    def first_step(self) -> float:
        """log10 of what the step next to the loss does to the gradient's length; the others are `growth_per_step` each.

        NaN where they are not told apart: over one step, or where nothing is left.
        """
        if self.steps == 1 or not np.isfinite(self.decades) or self.growth_per_step == 0:
            return np.nan
        return float(self.decades - (self.steps - 1) * np.log10(self.growth_per_step))

    @property
    def reach(self) -> str:
        """The memory horizon for a table, "6 of 39"; "–" where there is none to be read, see `refilled`."""
        return "–" if self.refilled or self.kind == "undefined" else f"{self.memory_horizon} of {self.steps}"

    def named(self) -> "Reading":
        """The same, with the stream's name in front of the sentence."""
        return replace(self, sentence=f"{self.stream[0].upper()}{self.stream[1:]}: {self.sentence}")


def power_text(log10: float) -> str:
    """A positive size from its log10, at any size.

    >>> power_text(-2000.3), power_text(0.3), power_text(-np.inf)
    ('5·10⁻²⁰⁰¹', '2', 'exactly 0')
    """
    if np.isnan(log10):
        return "not a number"
    if np.isinf(log10):
        return "exactly 0" if log10 < 0 else "infinitely"
    if -2 <= log10 < 6:
        return f"{10**log10:.2g}" if log10 < 1.99 else f"{float(f'{10**log10:.2g}'):,.0f}"
    whole = int(np.floor(log10))
    digit = round(10 ** (log10 - whole))
    digit, whole = (digit, whole) if digit < 10 else (1, whole + 1)
    return f"{digit}·10{str(whole).translate(RAISED)}"


def count_text(steps: float) -> str:
    """A number of steps, to two digits and without an exponent.

    >>> count_text(7.34), count_text(113.2)
    ('7.3', '110')
    """
    return f"{float(f'{steps:.2g}'):,.15g}"


def horizon(log10_norms: np.ndarray, fraction: float) -> int:
    """How many rows before the last stay at or above a fraction of the last without a break."""
    above = (log10_norms[:-1][::-1] >= log10_norms[-1] + np.log10(fraction)) & (log10_norms[-1] > -np.inf)
    return int(np.argmin(above)) if not above.all() else len(above)


def read(log10_norms: np.ndarray, stream: str, names: list[str], refilled: str = "", rounded: bool = False) -> Reading:
    """Read a curve.

    Args:
        log10_norms: (n,) with the loss at the end and the furthest row first; n ≥ 2.
        stream: whose curve it is.
        names: of the rows, for the sentence ("step 3").
        refilled: what lets new gradient enter on the way, as the sentence names it; "" for nothing.
        rounded: a zero comes from the rounding of a saturated unit's slope.
    """
    begin, end, steps = log10_norms[-1], log10_norms[0], len(log10_norms) - 1
    decades = end - begin if np.isfinite(begin) else np.nan
    settled = log10_norms[:-1] if steps > 1 and np.isfinite(log10_norms[-2]) else log10_norms
    log10_growth = (end - settled[-1]) / (len(settled) - 1) if np.isfinite(begin) else np.nan
    growth = float(10.0**log10_growth)
    kind = _kind(begin, decades, log10_growth)
    return Reading(
        stream=stream,
        steps=steps,
        decades=float(decades),
        growth_per_step=growth,
        half_life=_steps_for(np.log10(0.5), log10_growth),
        doubling_time=_steps_for(np.log10(2.0), log10_growth),
        memory_horizon=horizon(log10_norms, HORIZON_FRACTION),
        kind=kind,
        sentence=_sentence(log10_norms, names, kind, decades, log10_growth, refilled, rounded),
        refilled=refilled,
    )


def _kind(begin: float, decades: float, log10_growth: float) -> str:
    if np.isnan(decades):
        return "vanishing" if begin == -np.inf else "undefined"
    if decades * log10_growth <= 0:  # one step at the loss against all others
        return "steady"
    if abs(decades) <= STEADY_DECADES and abs(log10_growth) <= np.log10(STEADY_GROWTH):
        return "steady"
    return "vanishing" if decades < 0 else "exploding"


def _steps_for(log10_factor: float, log10_growth: float) -> float:
    """Steps in which a norm changes by a factor; inf when it moves the other way."""
    if np.isnan(log10_growth):
        return np.nan
    return float(log10_factor / log10_growth) if log10_growth * log10_factor > 0 else np.inf


def _sentence(log10_norms, names, kind, decades, log10_growth, refilled, rounded) -> str:
    if log10_norms[-1] == -np.inf:
        return f"No gradient arrives at {names[-1]}: the loss does not depend on it, or its slope there is exactly 0."
    if kind == "undefined":
        return "The gradient is not a number: the forward run left float64 before the loss, or the loss itself did."
    if decades == -np.inf:
        dead = int(np.flatnonzero(log10_norms == -np.inf)[-1])
        if rounded:
            return f"The gradient is rounded to zero from {names[dead]} back: a saturated unit's slope leaves float64."
        return f"The gradient is exactly zero from {names[dead]} back: no path leads further."
    share = f"{power_text(decades)} of" if decades < 0 else f"{power_text(decades)} times"
    if refilled and not (kind == "exploding" and refilled == OWN_LOSSES):
        return (
            f"{refilled} refills the gradient, so its total at {names[0]} is {share} that at {names[-1]}; "
            "how far one loss reaches shows only in the itemised gradient."
        )
    if kind == "steady":
        return f"The gradient holds its size: {names[0]} gets {share} the signal of {names[-1]}."
    verb, factor = ("halves", 0.5) if kind == "vanishing" else ("doubles", 2.0)
    pace = _steps_for(np.log10(factor), log10_growth)
    how = f"{verb} every {count_text(pace)} steps"
    if pace < 1.05:  # "every 1 steps"
        how = f"{'shrinks' if kind == 'vanishing' else 'grows'} {power_text(abs(log10_growth))}-fold a step"
    also = f" ({OWN_LOSSES[0].lower()}{OWN_LOSSES[1:]} adds to it)" if refilled else ""
    return f"The gradient {how}{also}; {names[0]} gets {share} the signal of {names[-1]}."
