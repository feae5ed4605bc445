"""What the phase map says: its answer, the notes under it, and the words of each square."""

from typing import Any

import numpy as np

from rnnviz.core.readings import count_text
from rnnviz.experiments.comparison import VARIANTS
from rnnviz.experiments.critical import boundary, crossings
from rnnviz.experiments.phase import label_of_rows
from rnnviz.experiments.phase_distance import DISTANCE
from rnnviz.experiments.phase_map import ROOM, Panel, PhaseMap

SHORT = {"length": "length", "input_scale": "input scale", "gate_bias": "bias", "hidden_size": "size"}


def answer(found: PhaseMap) -> str:
    """At which weight scale vanishing turns into exploding, network by network."""
    if not alone(found):
        return "Every step's own loss adds to these totals, so they do not show how far the loss of one step reaches."
    turning = [panel for panel in found.panels if np.isfinite(turn(found, panel))]
    told = [f"in {panel.label} {_turning(found, panel)}" for panel in turning]
    if told:
        told[0] = f"vanishing turns into exploding {told[0]}"
    told += [f"{panel.label} {_fate(found, panel)}" for panel in found.panels if panel not in turning]
    where = row_named(found, found.rows[found.told])
    where = f"U{where[1:]}" if found.against == DISTANCE else f"At {where}"
    return f"{where}, {'; '.join(told)}."


def notes(found: PhaseMap) -> list[str]:
    """What a reader must know."""
    count, told = len(found.seeds), []
    if found.asked is not None:
        told.append(_reduced(found))
    if not alone(found):
        told.append("Colours show how the total changes with each step further back; no line parts such a map.")
    elif lined(found):
        told.append(_lines(found))
    if count > 1:
        shows = "column shows one" if found.against == DISTANCE else "square shows one"
        told.append(f"Each {shows} of {count} networks: the one whose growth per step is in the middle.")
    if any(np.isnan(panel.growth).any() for panel in found.panels):
        told.append("Grey is no number: the forward run left float64 before the loss.")
    if any((panel.growth == 0).any() for panel in found.panels):
        told.append("Where exactly nothing arrives, the square has the strongest blue.")
    told += [
        f"{panel.label}: {lower(label_of_rows(found.against))} changes nothing, so that all rows are the same."
        for panel in found.panels if found.ignores(panel)
    ]  # fmt: skip
    return told


def _reduced(found: PhaseMap) -> str:
    """What a map has less of than was asked, and why."""
    columns, asked = len(found.scales), len(found.asked.scales)
    fewer = [f"{columns} weight scales instead of {asked}"] if columns < asked else []
    if len(found.seeds) < found.asked.seeds:
        fewer.append(f"one network for each square instead of {found.asked.seeds}")
    return (
        f"The map has {' and '.join(fewer)}: all that was asked would take more than {ROOM.seconds:g} seconds, because "
        f"{_slow(found)}."
    )


def _slow(found: PhaseMap) -> str:
    """The reason why a map takes long."""
    base = found.result.base
    both = any(VARIANTS[name].config(base).bidirectional for name in found.result.axes["cells"])
    reasons = {
        "a loss at every step": base.loss == "every",
        f"{base.layers} layers": base.layers > 1,
        "both directions": both,
        "a clipped signal": base.signal_clip,
        "a truncated signal": base.truncated,
    }
    holding = [reason for reason, holds in reasons.items() if holds]
    if holding:
        return f"networks with {' and '.join(holding)} can only be run one by one"
    if found.against == DISTANCE:
        return "each column's run is also followed step by step"
    return "there are that many runs of networks so large and sequences so long"


def _lines(found: PhaseMap) -> str:
    """What the lines on the map are."""
    measured = "On the solid line the measured growth per step is exactly 1"
    if not any(np.isfinite(panel.critical).any() for panel in found.panels):
        return f"{measured}. Theory has no formula for these networks, and so no line."
    gated = any(np.isnan(panel.critical).all() for panel in found.panels)
    return (
        f"{measured}; on the dashed one mean-field theory expects that of a network of very many units"
        f"{'. It has no formula for the networks without a dashed line' if gated else ''}."
    )


def alone(found: PhaseMap) -> bool:
    """Whether each gradient is that of one loss, whose reach it shows."""
    return found.result.base.loss == "last"


def lined(found: PhaseMap) -> bool:
    """Whether the line of a measured growth of 1 is drawn: it needs two rows, and gradients of one loss."""
    return alone(found) and len(found.rows) > 1


def turn(found: PhaseMap, panel: Panel) -> float:
    """The weight scale at which a network turns, along the row that is told; NaN for none."""
    return boundary(found.scales, panel.log10_growth[found.told])


def _turning(found: PhaseMap, panel: Panel) -> str:
    """Where it turns, what theory says, and whether it turns back."""
    passed = crossings(found.scales, panel.log10_growth[found.told])
    own, (last, way), theory = turn(found, panel), passed[-1], panel.critical[found.told]
    about = "about " if sum(sign > 0 for _, sign in passed) > 1 else ""
    expected = f" (theory: {factor(theory)})" if np.isfinite(theory) else ""
    back = f", and back above {factor(last)}" if way < 0 and last > own else ""
    return f"at weight scale {about}{factor(own)}{expected}{back}"


def _fate(found: PhaseMap, panel: Panel) -> str:
    """What the gradient does where it never turns from vanishing into exploding."""
    row = panel.log10_growth[found.told]
    passed, known = crossings(found.scales, row), row[~np.isnan(row)]
    if passed:
        return f"explodes below weight scale {factor(passed[0][0])} and vanishes above"
    if not known.size:
        return "gives no number at any weight scale"
    return "vanishes at every weight scale shown" if known[0] < 0 else "vanishes at no weight scale shown"


def words(found: PhaseMap, panel: Panel) -> list[list[str]]:
    """(R, X) what each square says."""
    of_one = alone(found)
    return [
        [
            f"{panel.label}, weight scale {scale:g}, {row_named(found, value)}:<br>{_said(growth, horizon, of_one)}"
            for scale, growth, horizon in zip(found.scales, *rows, strict=True)
        ]
        for value, *rows in zip(found.rows, panel.growth, panel.horizon, strict=True)
    ]


def _said(growth: float, horizon: float, of_one: bool) -> str:
    """In words; how long 1 % is left says something of one loss alone."""
    if np.isnan(growth):
        return "not a number: the forward run left float64"
    if growth == 0:
        return "exactly nothing arrives"
    pace = np.log(2) / abs(np.log(growth)) if growth != 1 else np.inf
    doubles = "halves" if growth < 1 else "doubles"
    told = f", {doubles} every {count_text(pace)} steps" if 1.05 <= pace < 1e4 else ""
    steps = f"{horizon:.0f} {'step' if horizon == 1 else 'steps'}"
    left = f";<br>more than 1 % is left for {steps}" if of_one else ", of the total of all losses"
    return f"×{growth:.4g} a step{told}{left}"


def row_named(found: PhaseMap, value: Any) -> str:
    """A row within a sentence."""
    if found.against == DISTANCE:
        return f"up to {value} {'step' if value == 1 else 'steps'} before the loss"
    return f"{lower(label_of_rows(found.against))} {shown(value)}"


def row_in_short(found: PhaseMap) -> str:
    """The row that is told, above a map."""
    value = found.rows[found.told]
    return (
        f"{value} steps"
        if found.against == DISTANCE
        else f"{SHORT.get(found.against) or lower(label_of_rows(found.against))} {shown(value)}"
    )


def factor(scale: float) -> str:
    """A weight scale to three digits."""
    return f"{scale:.3g}"


def shown(value: Any) -> str:
    """A value of the other field."""
    return (
        "as drawn"
        if value is None
        else f"{value:g}".replace("-", "−")
        if isinstance(value, int | float)
        else str(value)
    )


def lower(label: str) -> str:
    """A label within a sentence."""
    return f"{label[0].lower()}{label[1:]}"
