"""A refusal in a visitor's words."""

from rnnviz.errors import RnnvizError
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import knobs


def plain(error: RnnvizError) -> str:
    """The error's sentence with the words on the screen in place of the settings' names.

    >>> from rnnviz.errors import BudgetError
    >>> plain(BudgetError("length, layers: this run would take 20 s, so make one of them smaller."))
    'Sequence length, Layers: this run would take 20 s, so make one of them smaller.'
    """
    names, colon, rest = str(error).partition(": ")
    labels = [knobs(Config)[name].label if name in knobs(Config) else name for name in names.split(", ")]
    return f"{', '.join(labels)}{colon}{rest}"
