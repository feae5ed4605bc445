"""One backward pass before and after clipping: what its charts are drawn from, and the colours of the ways."""

from dataclasses import dataclass, field
from typing import Any

from rnnviz.experiments.clippings import Clippings, Way
from rnnviz.experiments.comparison import Run
from rnnviz.figures.chart import Subject, View, chosen_stream
from rnnviz.figures.theme import Theme


@dataclass(frozen=True, eq=False)
class ClippingSubject:
    """What the charts of clipping are drawn from.

    Attributes:
        clippings: the ways of clipping one run.
        view: how to show them.
        choice: the runs among which that one was chosen; none for itself alone.
    """

    clippings: Clippings
    view: View = field(default_factory=View)
    choice: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The run that is shown, or all among which it was chosen."""
        return self.choice or (self.clippings.run,)

    @property
    def focus(self) -> Run:
        """The run that is shown."""
        return self.clippings.run

    @property
    def stream(self) -> int:
        """The chosen stream of the run, or its last when it has fewer; the verdict's when none is chosen."""
        return chosen_stream(self.clippings.none.flow, self.view)

    def offers(self, name: str) -> list[tuple[str, str]] | None:
        """(value, label) of a view's choices that make sense for this run; None for all that it has."""
        if name == "stream":
            return [(str(s), stream.label) for s, stream in enumerate(self.clippings.none.flow.streams)]
        return Subject(self.runs, self.view).offers(name)

    def shown(self, name: str, value: Any) -> Any:
        """What a view shows when a value is chosen."""
        return {"focus": self.focus.name, "stream": str(self.stream)}.get(name, value)


def colour_of(way: Way, theme: Theme) -> str:
    """The colour that a way of clipping has on every chart."""
    return {"none": theme.faint, "norm": theme.accent, "value": theme.exploding, "signal": theme.vanishing}[way.name]
