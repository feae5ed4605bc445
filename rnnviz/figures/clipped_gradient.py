"""What the optimiser gets, before and after each way of clipping: the gradient's norm and its make-up."""

from typing import Any

import numpy as np

from rnnviz.core.readings import power_text
from rnnviz.experiments.clipping_facts import angle_text, coefficient_text, size_fact
from rnnviz.experiments.clippings import Clippings, Way
from rnnviz.figures.chart import Drawing
from rnnviz.figures.clipping import ClippingSubject, colour_of
from rnnviz.figures.decades import power_axis, span
from rnnviz.figures.optimiser import SYMBOLS
from rnnviz.figures.theme import Theme, axis, blank, note, threshold_line

ROW, HEAD, GAP, PARTS = 40, 26, 92, 26  # pixels: a bar with its words, the threshold's handle, between plots, a bar
WHOLE = HEAD + 4 * (ROW + PARTS) + GAP  # pixels: both plots
ROOM = 0.12  # the least share that has room for its number on a telephone
SHADES = {"weight_hh": 0.85, "weight_ih": 0.6, "bias_hh": 0.38, "bias_ih": 0.2}  # ink over paper


WORDS = {"norm": "by norm", "value": "by value", "signal": "by clipping of the signal"}
NOTHING = "No way of clipping leaves anything of this gradient that could be measured."


def gradient_before_after(subject: ClippingSubject, theme: Theme) -> Drawing:
    """What does the optimiser get?

    Above, the length (norm) of the gradient of all parameters together, as a power of ten: pale is before and full is
    after clipping. × is the factor that clipping by norm puts on every entry, its coefficient; ∠ is the angle between
    the gradients before and after. The upright line is the clipping threshold: drag it. It bounds the whole norm, or,
    by value and on the signal, each single entry. Below, each parameter's share of the squared norm: W_hh and W_ih
    are the weights of the recurrent and of the input product, b_hh and b_ih their biases, with a part of the bar for
    every layer and direction. The dotted lines carry on the shares without clipping.

    Args:
        subject: its ways of clipping.
        theme: the page's colours.
    """
    clippings = subject.clippings
    figure = blank(theme, 60 + WHOLE)
    layout = figure["layout"]
    above, below = [1.0 - (HEAD + 4 * ROW) / WHOLE, 1.0], [0.0, 4 * PARTS / WHOLE]
    layout |= {"barmode": "overlay", "bargap": 0}
    figure["data"] = [*_norms(layout, clippings, above, theme), *_parts(layout, clippings, below, theme)]
    told = [way.report.warning for way in (clippings.norm, clippings.value) if way.report.warning]
    return Drawing(figure, _answer(clippings), (size_fact(clippings), *told))


def _answer(clippings: Clippings) -> str:
    """What each way makes of the whole gradient."""
    norms = {way.name: way.log10_norm for way in clippings.ways if not way.refusal}
    if np.isnan(norms["none"]):
        return "The gradient is not a number, with and without clipping."
    told = [
        f"{power_text(norms[name])} {words}" for name, words in WORDS.items() if np.isfinite(norms.get(name, np.nan))
    ]
    return f"A gradient of norm {power_text(norms['none'])} becomes {', '.join(told)}." if told else NOTHING


def _norms(layout: dict[str, Any], clippings: Clippings, domain: list[float], theme: Theme) -> list[dict[str, Any]]:
    """A pale bar before and a full one after, and above both their words."""
    before = np.full(4, clippings.none.log10_norm)
    after, at = np.array([way.log10_norm for way in clippings.ways]), float(np.log10(clippings.threshold))
    known = np.concatenate([before, after, [at]])
    low, high = (float(end(known[np.isfinite(known)])) for end in (np.min, np.max))
    ends = span(low - 0.1 * (high - low) - 0.2, high, 2.5)
    size = {"size": round(12 * theme.scale)}
    layout["xaxis"] = power_axis(theme, "norm of the whole gradient", ends, anchor="y")
    layout["xaxis"]["title"] |= {"standoff": 2, "font": size}
    layout["yaxis"] = axis(theme, domain=domain, range=[3.5, -0.5 - HEAD / ROW], tickvals=[], gridcolor="rgba(0,0,0,0)")
    layout["shapes"] = [threshold_line("x", at, theme)]
    layout["annotations"] = [
        note(theme, _told(way, clippings, theme), xref="x domain", x=0, xanchor="left", y=row - 0.18,
             yanchor="middle", borderpad=1, font={"color": theme.ink, "size": round(13 * theme.scale)})
        for row, way in enumerate(clippings.ways)
    ]  # fmt: skip
    common = {"type": "bar", "orientation": "h", "base": np.full(4, ends[0], np.float32), "width": 0.34,
              "y": np.arange(4, dtype=np.float32) + np.float32(0.28),
              "hovertext": [way.label for way in clippings.ways]}  # fmt: skip
    colours = [colour_of(way, theme) for way in clippings.ways]
    return [
        common | _lengths(norms, ends[0]) | {
            "name": name, "marker": {"color": colours, "opacity": opacity},
            "hovertemplate": f"%{{hovertext}}, {name}: 10<sup>%{{customdata:.2f}}</sup><extra></extra>",
        } for name, norms, opacity in (("before", before, 0.3), ("after", after, 1.0))
    ]  # fmt: skip


def _lengths(norms: np.ndarray, foot: float) -> dict[str, np.ndarray]:
    """Bars from the foot of the axis; none for a zero or for what is not a number."""
    lengths = np.where(np.isfinite(norms), norms - foot, 0.0)
    return {"x": lengths.astype(np.float32), "customdata": norms.astype(np.float32)}


def _told(way: Way, clippings: Clippings, theme: Theme) -> str:
    """A way's name and its numbers: norm before and after, coefficient, angle."""
    name, before = f'<b style="color:{colour_of(way, theme)}">{way.label}</b>', power_text(clippings.none.log10_norm)
    if way.report is None:
        return f"{name}  refused: a sliding truncation"
    if way.name == "none" or np.isnan(clippings.none.log10_norm):
        return f"{name}  {before}"
    after = "NaN" if np.isnan(way.log10_norm) else power_text(way.log10_norm)
    told = [f"{before} → {after}" if way.changed else f"{before}, nothing to clip"]
    if way.report.coefficient is not None and way.changed:
        told.append(f"× {coefficient_text(way.report.coefficient)}")
    if way.changed and not np.isnan(way.report.angle):
        told.append(f"∠ {angle_text(way.report.angle)}")
    return f"{name}  {',  '.join(told)}"


def _parts(layout: dict[str, Any], clippings: Clippings, domain: list[float], theme: Theme) -> list[dict[str, Any]]:
    """One stacked bar a way: a trace for each parameter, those of one kind in one shade."""
    small = {"color": theme.faint, "size": round(12 * theme.scale)}
    layout["xaxis2"] = axis(theme, range=[0, 1], anchor="y2", tickformat=".0%", dtick=0.25, showgrid=False,
                            title={"text": "share of the squared norm", "standoff": 2, "font": small})  # fmt: skip
    layout["yaxis2"] = axis(theme, domain=domain, range=[3.5, -0.5], tickvals=[0, 1, 2, 3], ticks="", showgrid=False,
                            ticktext=[_tick(way, theme) for way in clippings.ways], tickfont=small)  # fmt: skip
    layout["annotations"].append(_key(theme))
    traces, left, ends = [], np.zeros(4), []
    for kind in SYMBOLS:
        names = [name for name in clippings.none.log10_before if name.startswith(f"{kind}_")]
        begin = left.copy()
        for name in names:
            shares = np.nan_to_num(np.array([way.shares_after.get(name, np.nan) for way in clippings.ways]))
            traces.append(_part(name, kind, shares, left.copy(), theme))
            left += shares
        whole = left - begin
        traces.append(_percent(kind, whole, begin, theme))
        ends.append(float(left[0]))
    if left[0] > 0:
        layout["shapes"] += [_carried(end, theme) for end in ends[:-1]]
    return traces


def _tick(way: Way, theme: Theme) -> str:
    return f'<span style="color:{colour_of(way, theme)}">{"none" if way.name == "none" else way.label}</span>'


def _part(name: str, kind: str, shares: np.ndarray, left: np.ndarray, theme: Theme) -> dict[str, Any]:
    return {
        "type": "bar", "orientation": "h", "name": name, "xaxis": "x2", "yaxis": "y2", "width": 0.72,
        "y": np.arange(4, dtype=np.float32), "x": shares.astype(np.float32), "base": left.astype(np.float32),
        "marker": {"color": _shade(kind, theme), "line": {"color": _shade(kind, theme, 0.75), "width": theme.scale}},
        "hovertemplate": f"{name}: %{{x:.1%}}<extra></extra>",
    }  # fmt: skip


def _percent(kind: str, shares: np.ndarray, left: np.ndarray, theme: Theme) -> dict[str, Any]:
    """The share of all parameters of a kind, written where there is room for it."""
    ink = theme.paper if SHADES[kind] > 0.5 else theme.ink
    shown = shares >= ROOM
    return {
        "type": "scatter", "mode": "text", "name": SYMBOLS[kind], "xaxis": "x2", "yaxis": "y2", "hoverinfo": "skip",
        "x": (left + shares / 2)[shown].astype(np.float32), "y": np.arange(4, dtype=np.float32)[shown],
        "text": [f"{share:.0%}" for share in shares[shown]],
        "textfont": {"color": ink, "size": round(12 * theme.scale)},
    }  # fmt: skip


def _shade(kind: str, theme: Theme, thinner: float = 1.0) -> str:
    """Ink thinned with paper; not see-through, so that what lies below does not matter."""
    ink, paper = (np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in (theme.ink, theme.paper))
    red, green, blue = np.round(paper + thinner * SHADES[kind] * (ink - paper)).astype(int)
    return f"#{red:02X}{green:02X}{blue:02X}"


def _key(theme: Theme) -> dict[str, Any]:
    """Which shade is which parameter."""
    told = "   ".join(
        f'<span style="color:{_shade(kind, theme)}">■</span> {symbol}' for kind, symbol in SYMBOLS.items()
    )
    font = {"color": theme.ink, "size": round(12 * theme.scale)}
    return note(theme, told, xref="x2 domain", yref="y2 domain", x=0, y=1, xanchor="left", yanchor="bottom", font=font)


def _carried(end: float, theme: Theme) -> dict[str, Any]:
    """Where a share ends without clipping, carried on through the bars below."""
    line = {"color": theme.faint, "width": 1.2 * theme.scale, "dash": "dot"}
    return {"type": "line", "xref": "x2", "yref": "y2", "x0": end, "x1": end, "y0": 0.36, "y1": 3.5, "line": line}
