"""The ways of clipping a small run, and what is said of them, for the tests."""

from rnnviz.experiments.clipping_facts import curve_fact, direction_fact, signal_fact, size_fact
from rnnviz.experiments.clippings import Clippings
from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import Config

FACTS = (curve_fact, signal_fact, direction_fact, size_fact)


def clippings(name="rnn", kind="preactivation_value", **changes) -> Clippings:
    shared = Config(**{"length": 30, "hidden_size": 8} | changes)
    return Clippings(Run(name, VARIANTS[name].config(shared)), kind)


def facts(found: Clippings) -> tuple[str, ...]:
    """The four sentences."""
    return tuple(fact(found) for fact in FACTS)
