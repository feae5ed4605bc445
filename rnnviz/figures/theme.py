"""One palette by role, the same on every chart, for a light and for a dark page."""

from dataclasses import dataclass, replace
from typing import Any

FONT = "Source Sans, Source Sans Pro, sans-serif"


@dataclass(frozen=True)
class Style:
    """How a network is told apart: by colour (after Okabe and Ito, safe for colour-blind eyes), dash and marker."""

    light: str
    dark: str
    dash: str
    marker: str


@dataclass(frozen=True)
class Theme:
    """The colours of a page by their role, and the size of type and lines.

    Attributes:
        name: "light" or "dark".
        paper: the page behind the chart.
        ink: text and the strongest marks.
        faint: axes and secondary text.
        grid: grid lines.
        accent: what can be touched, and what is selected.
        diverging: signed values, from negative over zero to positive.
        vanishing, steady, exploding: cool, neutral, warm; readable as text on the paper.
        scale: 1, or more for a projector: multiplies type and line widths.
    """

    name: str
    paper: str
    ink: str
    faint: str
    grid: str
    accent: str
    diverging: tuple[str, str, str]
    vanishing: str
    steady: str
    exploding: str
    scale: float = 1.0

    def colour(self, variant: str) -> str:
        """The colour of a compared network's lines."""
        return getattr(STYLES[variant], self.name)

    @property
    def projected(self) -> "Theme":
        """The same for the back row: larger type and thicker lines."""
        return replace(self, scale=1.4)


THEMES = {
    theme.name: theme
    for theme in (
        Theme(
            "light", "#FDFCFA", "#16171B", "#5A5C63", "#E9E6DF", "#5B3FA8", ("#0072B2", "#FDFCFA", "#B34700"),
            "#0067A3", "#5A5C63", "#B34700",
        ),
        Theme(
            "dark", "#16171B", "#E8E6E1", "#A9ABB2", "#2C2F36", "#9A82EC", ("#56B4E9", "#16171B", "#E69F00"),
            "#56B4E9", "#A9ABB2", "#F0834A",
        ),
    )
}  # fmt: skip

# One family of hue a cell, one dash and marker a member of the family.
STYLES = {
    "rnn": Style("#B34700", "#F0834A", "solid", "circle"),
    "relu": Style("#8A6100", "#E6B422", "dash", "square"),
    "irnn": Style("#756A00", "#E8DC5A", "longdash", "pentagon"),
    "linear": Style("#9C3587", "#D88BC4", "dashdot", "diamond"),
    "lstm": Style("#0067A3", "#56B4E9", "solid", "triangle-up"),
    "lstm_1": Style("#4A55C8", "#9AA5FF", "dash", "triangle-left"),
    "lstm_3": Style("#00727D", "#3CC5D2", "longdash", "triangle-down"),
    "gru": Style("#00795A", "#2FC29A", "solid", "star"),
    "gru_3": Style("#4C7A00", "#A3CC4A", "dash", "hexagon"),
    "birnn": Style("#A83B2B", "#FF9180", "longdash", "x"),
    "bilstm": Style("#2F5E9E", "#86B6F5", "longdashdot", "cross"),
    "bigru": Style("#1F7A45", "#5FD08B", "longdashdot", "bowtie"),
    "own": Style("#5B3FA8", "#9A82EC", "solid", "octagon"),
    "own_2": Style("#7A5200", "#F2C14E", "dash", "triangle-right"),
    "own_3": Style("#5A5C63", "#A9ABB2", "longdash", "hourglass"),
    "own_4": Style("#8E2F6F", "#E8A0D4", "dashdot", "star-diamond"),
}

SEQUENTIAL = "Viridis"  # magnitudes, perceptually even


def blank(theme: Theme, height: int) -> dict[str, Any]:
    """A figure with the page's background, type and quiet axes, and nothing on it; `height` in pixels at scale 1."""
    title = {"title": {"font": {"size": round(13 * theme.scale), "color": theme.faint}}}
    return {"data": [], "layout": {
        "template": {"layout": {"xaxis": title, "yaxis": title}},
        "paper_bgcolor": theme.paper,
        "plot_bgcolor": theme.paper,
        "font": {"color": theme.ink, "family": FONT, "size": round(14 * theme.scale)},
        "hoverlabel": {"bgcolor": theme.paper, "font": {"color": theme.ink}, "bordercolor": theme.faint},
        # The same sides on every chart, so that steps stand under steps.
        "margin": {"l": round(64 * theme.scale), "r": round(48 * theme.scale), "t": 12, "b": round(48 * theme.scale)},
        "height": round(height * (0.6 + 0.4 * theme.scale)),
        "showlegend": False,
        "xaxis": axis(theme),
        "yaxis": axis(theme),
        "uirevision": "keep",
        "annotations": [],
        "shapes": [],
    }}  # fmt: skip


def axis(theme: Theme, **rest: Any) -> dict[str, Any]:
    """A quiet axis; `rest` are plotly's own attributes."""
    return {"gridcolor": theme.grid, "linecolor": theme.faint, "zeroline": False, "ticks": "outside", "ticklen": 4,
            "tickcolor": theme.faint, "tickfont": {"color": theme.faint}, "automargin": False, **rest}  # fmt: skip


def powers(theme: Theme, title: str, **rest: Any) -> dict[str, Any]:
    """An axis of log10 values, its ticks as powers of ten."""
    return axis(theme, tickprefix="10<sup>", ticksuffix="</sup>", tickformat="~g", title={"text": title}, **rest)


def signed_scale(theme: Theme) -> list[list]:
    """The colour scale of signed values; its centre is the paper."""
    return [[0.0, theme.diverging[0]], [0.5, theme.diverging[1]], [1.0, theme.diverging[2]]]


def colour_bar(theme: Theme, title: str, **rest: Any) -> dict[str, Any]:
    """A thin colour bar at the right."""
    return {"title": {"text": title, "side": "top"}, "thickness": round(8 * theme.scale), "outlinewidth": 0, "x": 1.0,
            "xpad": 4, "tickfont": {"color": theme.faint, "size": round(12 * theme.scale)}, **rest}  # fmt: skip


def threshold_line(axis: str, at: float, theme: Theme) -> dict[str, Any]:
    """The clipping threshold across a chart; the page makes the shape of this name something to drag.

    Args:
        axis: "x" for a line that stands on the x axis, "y" for one that lies across it.
        at: log10 of the threshold.
        theme: the page's colours.
    """
    other = "y" if axis == "x" else "x"
    line = {"color": theme.ink, "width": 1.5 * theme.scale, "dash": "dash"}
    ends = {f"{axis}0": float(at), f"{axis}1": float(at), f"{other}0": 0, f"{other}1": 1}
    return {"type": "line", "name": "threshold", "line": line, f"{other}ref": f"{other} domain"} | ends


def note(theme: Theme, text: str, **place: Any) -> dict[str, Any]:
    """A text on a chart, readable over lines; `place` are plotly's annotation attributes."""
    return {"text": text, "showarrow": False, "bgcolor": theme.paper, "opacity": 0.9, **place}
