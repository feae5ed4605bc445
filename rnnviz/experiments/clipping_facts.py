"""What clipping changes and what it cannot change: four facts, a sentence each, as this very run shows it."""

import numpy as np

from rnnviz.core.readings import HORIZON_FRACTION, Reading, count_text, power_text
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.clippings import SAME, Clippings

VANISHED = float(np.log10(HORIZON_FRACTION))  # decades: what arrives has vanished below 1 % of the signal
ROUNDING = 1e-12  # of a size: sums over the same terms in another order differ by as much
HELD = {
    "preactivation_value": "no entry of ∂L/∂a_t",
    "hidden_value": "no entry of ∂L/∂h_t",
    "hidden_norm": "no norm of ∂L/∂h_t",
}


def curve_fact(clippings: Clippings) -> str:
    """Clipping of the parameters' gradient leaves the curve through time as it is."""
    before = clippings.none.flow.log10_norm
    if np.isnan(before).all():
        return (
            "The gradient ∂L/∂h_t is not a number; clipping the parameters' gradient comes after the sweep and "
            "leaves it so."
        )
    known = np.isfinite(before)
    curves = (way.flow.log10_norm[known] for way in (clippings.norm, clippings.value))
    largest = max(np.abs(curve - before[known]).max(initial=0.0) for curve in curves)
    said = "exactly 0" if largest == 0 else f"{count_text(largest)} decades"
    told = (
        "Clipping the parameters' gradient, by norm or by value, leaves ∂L/∂h_t untouched: the largest difference "
        f"at any step is {said}"
    )
    idle = not (clippings.norm.changed or clippings.value.changed or _is_undefined(clippings))
    return f"{told}; at this threshold it has nothing to clip either." if idle else f"{told}."


def signal_fact(clippings: Clippings) -> str:
    """Clipping of the signal bends the curve."""
    if clippings.signal.refusal:
        return clippings.signal.refusal
    if np.isnan(clippings.none.flow.log10_norm).all():
        return "There is no curve for clipping of the signal to bend: ∂L/∂h_t is not a number."
    s, row, decades = clippings.bend()
    if abs(decades) >= 0.01:
        before, after = (power_text(way.flow.log10_norm[s, row, 0]) for way in (clippings.none, clippings.signal))
        where = f", where ‖∂L/∂h_t‖ goes from {before} to {after}" if before != after else ""
        place = _place(clippings, s, row)
        return f"Clipping the signal bends the curve: by {_decades(decades)} at most, at {place}{where}."
    if decades:
        return "Clipping the signal bends the curve: by less than 0.01 decades everywhere."
    if clippings.signal.changed:
        return (
            "Clipping the signal changes the parameters' gradient but bends no curve here: what it clips is "
            "handed on to no other state."
        )
    return (
        f"Clipping the signal bends the curve only where it clips, and here {HELD[clippings.signal_kind]} was above "
        f"the threshold of {_power(clippings.threshold)}."
    )


def direction_fact(clippings: Clippings) -> str:
    """By norm the direction stays, by value it does not."""
    why = _no_direction(clippings)
    if why:
        return f"The parameters' gradient {why}, and has no direction that clipping could keep or turn."
    norm, value = clippings.norm, clippings.value
    if not norm.changed and not value.changed:
        return (
            "Neither by norm nor by value does clipping turn the parameters' gradient here (angle 0.0°): its norm "
            f"of {power_text(clippings.none.log10_norm)} is not above the threshold of {_power(clippings.threshold)}."
        )
    alike = value.changed and _is_one_size(clippings)
    turned = "less than 0.1°" if value.report.angle < 0.05 else angle_text(value.report.angle)
    if np.isnan(norm.report.angle):
        said = f"clipping by value {'keeps it (angle 0.0°)' if alike else f'turns the gradient by {turned}'}"
        return (
            "Clipping by norm leaves no direction at all, for the norm's squares overflow and torch sets every "
            f"entry to 0; {said}."
        )
    kept = f"Clipping by norm keeps the direction of the parameters' gradient (angle {norm.report.angle:.1f}°)"
    if not value.changed:
        return f"{kept}; by value it would not, but no entry was above the threshold of {_power(clippings.threshold)}."
    if alike:
        return f"{kept}; here clipping by value keeps it too, for all entries but zeros are of one size."
    return f"{kept}; clipping by value does not: it turns it by {turned}."


def size_fact(clippings: Clippings) -> str:
    """No clipping enlarges what has vanished."""
    coefficient = clippings.norm.report.coefficient
    if _is_undefined(clippings) or np.isnan(coefficient):
        return "No clipping makes a number of what is none: the coefficient of clipping by norm is not a number."
    said = f"the coefficient of clipping by norm is {coefficient_text(coefficient)}, never above 1"
    if clippings.none.log10_norm == -np.inf:
        return f"Neither clipping by norm nor by value can enlarge a gradient of exactly zero: {said}."
    reading = clippings.none.flow.verdict
    if np.isnan(reading.decades):
        return f"Neither clipping by norm nor by value can enlarge a gradient: {said}."
    (begin, end), share = _way_back(clippings, reading), _share(reading.decades)
    of_signal = f"{end} gets {share} the signal"
    if clippings.run.config.loss == "every" and clippings.none.flow.steps > 1:
        of_signal = f"the total at {end} is {share} that at step {begin}"
        if reading.decades >= VANISHED:
            return (
                "Each step's own loss adds to the gradient, so that its total tells nothing of what has vanished: "
                f"{of_signal}; neither clipping by norm nor by value could enlarge it, for {said}."
            )
    if reading.decades == -np.inf:
        what = "what is exactly zero"
    elif reading.decades < VANISHED:
        what = "a vanished gradient"
    elif reading.kind == "vanishing":
        what = "a gradient that shrinks"
    else:
        return (
            f"The gradient has not vanished at {end}, which gets {share} the signal; if it had, neither clipping by "
            f"norm nor by value could enlarge it, for {said}."
        )
    return f"Neither clipping by norm nor by value can enlarge {what}: {said}, and {of_signal} before and after it."


def angle_text(angle: float) -> str:
    """Degrees, to the tenth where they are few.

    >>> angle_text(0.0), angle_text(0.01), angle_text(23.4)
    ('0.0°', 'less than 0.1°', '23°')
    """
    if SAME < angle < 0.05:
        return "less than 0.1°"
    return f"{angle:.1f}°" if angle < 10 else f"{angle:.0f}°"


def coefficient_text(coefficient: float) -> str:
    """The factor of clipping by norm.

    >>> coefficient_text(1.0), coefficient_text(0.9999), coefficient_text(3e-5)
    ('1', 'just below 1', '3·10⁻⁵')
    """
    return "just below 1" if 0.995 <= coefficient < 1 else _power(coefficient)


def _is_undefined(clippings: Clippings) -> bool:
    """Whether the parameters' gradient without clipping is not a number."""
    return bool(np.isnan(clippings.none.log10_norm))


def _no_direction(clippings: Clippings) -> str:
    """Why the unclipped gradient has none, as the end of a sentence; "" where it has one."""
    if _is_undefined(clippings):
        return "is not a number"
    if clippings.none.log10_norm == -np.inf:
        return "is exactly zero"
    return "is beyond what float64 can hold" if np.isnan(clippings.none.report.angle) else ""


def _is_one_size(clippings: Clippings) -> bool:
    """Whether all entries of the unclipped gradient that are not zero are equally large, whatever their signs."""
    sizes = np.abs(np.concatenate([g.ravel() for g in clippings.none.flow.parameter_gradients.values()]))
    sizes = sizes[sizes > 0]
    return bool(len(sizes) and sizes.max() - sizes.min() <= ROUNDING * sizes.max())


def _way_back(clippings: Clippings, reading: Reading) -> tuple[int, str]:
    """The step at which the way back begins that a reading has read, and the name of its end."""
    flow = clippings.none.flow
    s = [other.stream for other in flow.readings].index(reading.stream)
    reverse = flow.streams[s].reverse
    row = (flow.steps - 1 if reverse else 1) if flow.steps > 1 else _start(flow, s)
    return 1 if reverse else flow.steps, _place(clippings, s, row)


def _share(decades: float) -> str:
    """What arrives, in front of "the signal".

    >>> _share(-np.inf), _share(-0.3), _share(0.001), _share(0.3)
    ('exactly nothing of', '0.5 of', 'as much as', '2 times')
    """
    if decades == -np.inf:
        return "exactly nothing of"
    text = power_text(decades)
    if text == "1":
        return "as much as"
    return f"{text} {'of' if decades < 0 else 'times'}"


def _start(flow: GradientFlow, s: int) -> int:
    """The row of a stream's initial state."""
    return flow.steps if flow.streams[s].reverse else 0


def _place(clippings: Clippings, s: int, row: int) -> str:
    """The name of a row of a stream."""
    flow = clippings.none.flow
    reverse = flow.streams[s].reverse
    where = "the initial state" if row == _start(flow, s) else f"step {row + 1 if reverse else row}"
    return where if len(flow.streams) == 1 else f"{where} ({flow.streams[s].label})"


def _power(number: float) -> str:
    with np.errstate(divide="ignore"):
        return power_text(float(np.log10(number)))


def _decades(decades: float) -> str:
    size = count_text(abs(decades))
    return f"{size} {'decade' if size == '1' else 'decades'}"
