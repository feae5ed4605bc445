"""The film strip of a watched training: how far back the gradient of a user's own loss reaches, update by update."""

from collections.abc import Sequence

import numpy as np

from rnnviz.core.readings import HORIZON_FRACTION, horizon
from rnnviz.figures.chart import Drawing
from rnnviz.figures.theme import SEQUENTIAL, Theme, axis, blank, colour_bar

HEIGHT = 320
DEEPEST, HIGHEST = -6.0, 2.0  # decades that the colours tell apart, at most


def watched_strip(name: str, updates: Sequence[int], curves: Sequence[np.ndarray], theme: Theme) -> Drawing:
    """How far back does the gradient reach while it trains?

    Each column is a watched update. The loss stands at the top, at 0 steps back, and the gradient travels down from it,
    into the past: the colour is the share of the signal at the loss that arrives so many steps back, as a power of ten.
    Above the line more than 1 % of it is left: it is the memory horizon.

    Args:
        name: of the module.
        updates: (U,) the numbers of the backward passes.
        curves: U of them, (n,) log10 norms from the furthest step to the loss; lengths may differ.
        theme: the colours.
    """
    share = np.full((max(map(len, curves)), len(curves)), np.nan)
    for column, curve in enumerate(curves):
        with np.errstate(invalid="ignore"):
            share[: len(curve), column] = curve[::-1] - curve[-1]
    share[~np.isfinite(share)] = np.nan
    horizons = np.array([horizon(curve, HORIZON_FRACTION) for curve in curves])
    figure = blank(theme, HEIGHT)
    high = float(np.ceil(np.clip(np.nanmax(share, initial=0.0) - 0.1, 0.0, HIGHEST)))
    figure["layout"] |= {
        "xaxis": axis(theme, title={"text": "update"}, showgrid=False),
        "yaxis": axis(
            theme, title={"text": "steps back from the loss"}, showgrid=False, range=[len(share) - 0.5, -0.5]
        ),
    }
    level = {"type": "scatter", "mode": "lines+markers", "name": "1 % is left", "x": np.array(updates),
             "y": horizons + 0.5, "hoverinfo": "skip", "cliponaxis": False}  # fmt: skip
    bar = colour_bar(theme, "log10<br>share")
    figure["data"] = [
        {"type": "heatmap", "name": name, "x": np.array(updates), "y": np.arange(len(share)), "z": share,
         "zmin": DEEPEST, "zmax": high, "colorscale": SEQUENTIAL, "colorbar": bar,
         "hovertemplate": "update %{x}: 10<sup>%{z:.2f}</sup> of the signal<br>arrives %{y} steps back<extra></extra>"},
        *(level | {"line": {"color": hue, "width": width * theme.scale}, "marker": {"size": (width + 4) * theme.scale}}
          for width, hue in ((3.6, "#000000"), (1.8, "#FFFFFF"))),
    ]  # fmt: skip
    steps = len(curves[-1]) - 1
    then = f", and {horizons[-1]} at update {updates[-1]}" if len(updates) > 1 else ""
    reaches = f"more than 1 % of the gradient at the loss reaches {horizons[0]} of {steps} steps back"
    return Drawing(figure, f"{name}: {reaches} at update {updates[0]}{then}.")
