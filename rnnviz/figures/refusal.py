"""A refusal in a visitor's words, and a chart or the refusal in its place."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from rnnviz.errors import RnnvizError
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Knob, knobs
from rnnviz.figures.chart import Chart, Drawing
from rnnviz.figures.theme import Theme

LOG = logging.getLogger(__name__)


def plain(error: RnnvizError, declared: Mapping[str, Knob] | None = None) -> str:
    """The error's sentence with the words on the screen in place of the settings' names.

    Args:
        error: what was refused.
        declared: {name: declaration} of the settings; those of `Config` when not given.

    >>> from rnnviz.errors import BudgetError
    >>> plain(BudgetError("length, layers: this run would take 20 s, so make one of them smaller."))
    'Sequence length, Layers: this run would take 20 s, so make one of them smaller.'
    """
    names, colon, rest = str(error).partition(": ")
    labels = {name: knob.label for name, knob in (knobs(Config) if declared is None else declared).items()}
    longer = "|".join(name for name in labels if "_" in name) or "(?!)"  # a short one could be a word of the sentence
    rest = re.sub(rf"\b({longer})\b", lambda name: labels[name[0]], rest)
    return f"{', '.join(labels.get(name, name) for name in names.split(', '))}{colon}{rest}"


def drawn(chart: Chart, subject: Any, theme: Theme, declared: Mapping[str, Knob] | None = None) -> Drawing:
    """The chart, or the sentence that says why there is none, with the labels of the declared settings in it."""
    try:
        return chart.draw(subject, theme)
    except RnnvizError as problem:
        return Drawing({}, plain(problem, declared))
    except Exception:  # one chart must not take the page with it; the log has the trace
        LOG.exception("chart %s", chart.name)
        return Drawing({}, "This chart could not be drawn for these settings; the others stand.")
