"""What the Explore page shows."""

from collections.abc import Mapping
from typing import Any

from rnnviz import BUDGET, BudgetError
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.comparison import total_cost
from rnnviz.experiments.cost import check_budget
from rnnviz.figures.chart import Subject
from rnnviz.figures.charts import CHARTS
from rnnviz.ui.scene import Scene, Track
from rnnviz.ui.settings import EXPLORE, question

SCALE = Track(0.1, 10.0, ((0.1, "0.1"), (0.2, "0.2"), (0.5, "0.5"), (1, "1"), (2, "2"), (5, "5"), (10, "10")))
THRESHOLD = Track(
    1e-4,
    1e4,
    ((1e-4, "10⁻⁴"), (1e-2, "10⁻²"), (1, "1"), (1e2, "10²"), (1e4, "10⁴")),
    idle=lambda values: values["clip"] == "off",
)


def subject_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> Subject:
    """The runs that settings compare, above those of a pinned run's settings.

    Raises:
        RnnvizError: for settings that do not go together, or over the budget.
    """
    asked = question(values)
    runs = asked.runs()
    pinned = question(pin).runs() if pin else ()
    same = {(run.name, run.config) for run in runs}
    other = tuple(run for run in pinned if (run.name, run.config) not in same)
    try:
        check_budget(total_cost(runs + other, GradientFlow), BUDGET)
    except BudgetError as problem:
        raise BudgetError(f"With the pinned run, {problem}") from None
    return Subject(runs, asked.view, other)


SCENE = Scene(
    "stage",
    EXPLORE,
    CHARTS,
    subject_of,
    {"weight_scale": SCALE, "clip_threshold": THRESHOLD},
    detail=("focus", "stream"),
    live=frozenset({"norms", "optimiser"}),
    first_seen=frozenset({"norms", "states"}),
)
