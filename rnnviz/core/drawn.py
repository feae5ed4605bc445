"""How a result comes to draw itself: the engine cannot, so whoever can says so here when the package is loaded."""

from collections.abc import Callable
from types import ModuleType
from typing import ClassVar

from rnnviz.errors import RnnvizError

drawer: Callable[[], ModuleType] | None = None


class Drawn:
    """What results that can be shown in a notebook have in common.

    Attributes:
        charts: what it can draw; the first is what a notebook shows of it.
    """

    charts: ClassVar[tuple[str, ...]] = ("norms", "states", "units", "optimiser")

    def figure(self, chart: str | None = None, theme: str = "light"):
        """A chart of the app as a `plotly.graph_objects.Figure`.

        Args:
            chart: one of `charts`; the first when none is given.
            theme: "light" or "dark".

        Raises:
            RnnvizError: for a chart that does not exist or cannot be drawn from this result, or without plotly.
        """
        return loaded().figure_of(self, chart or self.charts[0], theme)

    def show(self, *charts: str, theme: str = "light") -> None:
        """Draw charts of the app where plotly draws: below a notebook's cell, or in a browser.

        Args:
            charts: as for `figure`; the first when none is given.
            theme: "light" or "dark".

        Raises:
            RnnvizError: as `figure`.
        """
        for chart in charts or self.charts[:1]:
            self.figure(chart, theme).show()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, object]:
        """What a notebook shows of a cell's last line: the first chart, and a table where no chart can be drawn."""
        try:
            return loaded().bundle_of(self)
        except RnnvizError:  # without plotly there are words
            return {"text/plain": repr(self)}

    def _repr_html_(self) -> str | None:
        return self._repr_mimebundle_().get("text/html")


def loaded() -> ModuleType:
    """Whoever draws.

    Raises:
        RnnvizError: when what it draws with is not installed.
    """
    try:
        return drawer()
    except ModuleNotFoundError as missing:
        raise RnnvizError(f"figure: must have {missing.name} at hand, got none; install it with pip.") from None
