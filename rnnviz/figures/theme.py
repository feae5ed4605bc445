"""One palette by role, the same on every chart, for a light and for a dark page."""

from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True)
class CellStyle:
    """How a cell is told apart: by colour (Okabe and Ito, safe for colour-blind eyes) and by dash."""

    light: str
    dark: str
    dash: str


@dataclass(frozen=True)
class Theme:
    """The colours of a page by their role.

    Attributes:
        name: "light" or "dark".
        paper: the page behind the chart.
        ink: text and the strongest marks.
        faint: axes.
        grid: grid lines.
        diverging: signed values, from negative over zero to positive.
    """

    name: str
    paper: str
    ink: str
    faint: str
    grid: str
    diverging: tuple[str, str, str]

    def cell(self, name: str) -> str:
        """The colour of a cell's lines."""
        return getattr(CELL_STYLES[name], self.name)


THEMES = {
    theme.name: theme
    for theme in (
        Theme("light", "#FDFCFA", "#16171B", "#5A5C63", "#E9E6DF", ("#0072B2", "#FDFCFA", "#B34700")),
        Theme("dark", "#16171B", "#E8E6E1", "#A9ABB2", "#2C2F36", ("#56B4E9", "#16171B", "#E69F00")),
    )
}

CELL_STYLES = {
    "rnn": CellStyle("#B34700", "#F0834A", "solid"),
    "lstm": CellStyle("#0067A3", "#56B4E9", "dash"),
    "gru": CellStyle("#00795A", "#2FC29A", "dot"),
}


def power(exponent: float) -> str:
    """A power of ten as plotly shows it: 10⁻³ from -3."""
    return f"10<sup>{exponent:g}</sup>".replace("-", "−")


def blank_figure(theme: Theme, height: int) -> go.Figure:
    """A figure with the page's background, type and quiet axes, and nothing on it."""
    axis = {"gridcolor": theme.grid, "linecolor": theme.faint, "zeroline": False, "ticks": "outside", "ticklen": 4,
            "tickcolor": theme.faint, "tickfont": {"color": theme.faint}, "automargin": False}  # fmt: skip
    return go.Figure(
        layout={
            "paper_bgcolor": theme.paper,
            "plot_bgcolor": theme.paper,
            "font": {"color": theme.ink, "family": "Source Sans, Source Sans Pro, sans-serif", "size": 14},
            "hoverlabel": {"bgcolor": theme.paper, "font": {"color": theme.ink}, "bordercolor": theme.faint},
            "margin": {"l": 64, "r": 48, "t": 12, "b": 48},  # the same on every chart, so that steps stand under steps
            "height": height,
            "showlegend": False,
            "xaxis": axis,
            "yaxis": axis,
            "uirevision": "keep",
        }
    )
