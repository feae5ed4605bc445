"""A refusal in a visitor's words."""

import re
from collections.abc import Mapping

from rnnviz.errors import RnnvizError
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Knob, knobs


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
    longer = "|".join(name for name in labels if "_" in name)  # a short one could be a word of the sentence
    rest = re.sub(rf"\b({longer})\b", lambda name: labels[name[0]], rest)
    return f"{', '.join(labels.get(name, name) for name in names.split(', '))}{colon}{rest}"
