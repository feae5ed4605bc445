"""How a result comes to draw itself: the engine cannot, so whoever can says so here when the package is loaded."""

from collections.abc import Callable
from types import ModuleType

drawer: Callable[[], ModuleType] | None = None


class Drawn:
    """What results that can be shown in a notebook have in common."""

    def figure(self, chart: str = "norms", theme: str = "light"):
        """A chart of the app as a `plotly.graph_objects.Figure`.

        Args:
            chart: "norms", "states", "units" or "optimiser".
            theme: "light" or "dark".

        Raises:
            RnnvizError: for a chart that does not exist, or cannot be drawn from this result.
        """
        return drawer().figure_of(self, chart, theme)

    def show(self, *charts: str, theme: str = "light") -> None:
        """Draw charts of the app where plotly draws: below a notebook's cell, or in a browser.

        Args:
            charts: as for `figure`; "norms" when none is given.
            theme: "light" or "dark".
        """
        for chart in charts or ("norms",):
            self.figure(chart, theme).show()

    def _repr_html_(self) -> str:
        return drawer().html_of(self)
