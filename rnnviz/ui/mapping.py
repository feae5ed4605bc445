"""What the Map page shows: the phase map, and the way from a point of it to Explore."""

from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from rnnviz import Config
from rnnviz.experiments.comparison import Comparison
from rnnviz.experiments.phase import ROWS, Phase
from rnnviz.experiments.phase_distance import DISTANCE
from rnnviz.experiments.phase_map import PhaseMap, draw_map
from rnnviz.figures.chart import Chart
from rnnviz.figures.phase_map import PhaseSubject, PhaseView, phase_map
from rnnviz.ui.scene import Scene
from rnnviz.ui.settings import EXPLORE, NEEDS, Sheet

TURN = Lock()  # one map at a time, so that a class that changes settings leaves a core to those who look
KEPT: dict[tuple, PhaseMap] = {}  # the last maps, shared by all visitors
MOST_KEPT = 64  # some 200 kB each


def subject_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> PhaseSubject:
    """The map that settings ask for, and what its points open.

    Raises:
        RnnvizError: for settings that do not go together, or over the budget.
    """
    comparison, config, phase = (MAP.part(family, values) for family in (Comparison, Config, Phase))
    found = _drawn(comparison, config, phase)
    return PhaseSubject(found, {name: _opens(values, name) for name in comparison.cells})


def _drawn(*asked_of: Comparison | Config | Phase) -> PhaseMap:
    """A map; one that is kept waits for nobody's turn."""
    found = KEPT.get(asked_of)
    if found is not None:
        return found
    with TURN:
        if asked_of not in KEPT:  # somebody may have drawn it meanwhile
            found = draw_map(*asked_of)
            found.panels  # noqa: B018  worked out once, and kept with the map
            KEPT[asked_of] = found
            if len(KEPT) > MOST_KEPT:
                del KEPT[next(iter(KEPT))]
        return KEPT[asked_of]


def _opens(values: Mapping[str, Any], name: str) -> str:
    """The parameters of an address of Explore for one network, without the point's own."""
    own = {"weight_scale", "seed", "length" if values["against"] == DISTANCE else values["against"]}
    wanted = {**{field: values[field] for field in EXPLORE.knobs if field in values}, "cells": (name,)}
    query = EXPLORE.to_query({**EXPLORE.start, **wanted})
    return urlencode({field: text for field, text in query.items() if field not in own})


MAP = Sheet(
    "map",
    (Comparison, Config, Phase, PhaseView),
    {"cells": ("rnn", "lstm", "gru")},
    hideable=("more", "share", "reset", "dice"),
    needs={**NEEDS, **{name: ("against", tuple(other for other in ROWS if other != name)) for name in ROWS}},
    says=("cells",),
)
SCENE = Scene(
    "map",
    MAP,
    {"phase": Chart("phase", phase_map, steps="")},
    subject_of,
    first_seen=frozenset({"phase"}),
)
