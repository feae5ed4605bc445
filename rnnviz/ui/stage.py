"""The stage: one component that draws every chart in place, and what it asks of the server.

The scripts and plotly.js are served from where they lie (`declare_component` gives a folder an address). The
component's own script is a few lines that import them, because Streamlit sends it again with every message.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v1 import declare_component

from rnnviz.figures.theme import FONT, Theme

SOURCES = Path(__file__).parent / "components" / "stage"
FLOAT32 = 3e38  # beyond this a number needs float64
PLOTLY = Path(find_spec("plotly").origin).parent / "package_data"  # without importing it

LOADER = """
const base = document.baseURI;
const stage = import(new URL("component/{folder}/stage.js?v={version}", base).href);

export default function ({{ data, parentElement, setStateValue }}) {{
  stage.then(({{ render }}) => render({{ data, parentElement, setStateValue }})).catch(() => {{
    parentElement.textContent = "The charts did not load. Reload the page to try again.";
  }});
  return () => stage.then(({{ dispose }}) => dispose(parentElement), () => {{}});
}}
"""


@dataclass(frozen=True)
class Ask:
    """What the browser asks for; everything in it may be forged.

    Attributes:
        id: counts the questions; the answer carries it back.
        live: a control is being dragged.
        visible: names of the charts that can be seen; None before the browser has said so.
        drawn: {chart: the stamp of the settings that it shows}; what is up to date is not sent again.
        held: {chart: the mark of its traces that stay while others move}; they are not sent again.
        theme: "light" or "dark", as the page is; None before the browser has said so.
        changes: {setting: new value}.
        tick: go on with what runs in slices.
    """

    id: int = 0
    live: bool = False
    visible: frozenset[str] | None = None
    drawn: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    theme: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    tick: bool = False

    @classmethod
    def of(cls, given: object) -> "Ask":
        """A question out of what came; nothing where it is none."""
        given = given if isinstance(given, Mapping) else {}
        names = ("id", "visible", "drawn", "held", "theme", "changes")
        number, visible, drawn, held, theme, changes = (given.get(name) for name in names)
        return cls(
            number if isinstance(number, int) else 0,
            given.get("live") is True,
            frozenset(map(str, visible[:50])) if isinstance(visible, list) else None,
            drawn if isinstance(drawn, Mapping) else {},
            held if isinstance(held, Mapping) else {},
            theme if theme in ("light", "dark") else None,
            changes if isinstance(changes, Mapping) and len(changes) <= 20 else {},
            given.get("tick") is True,
        )


def asked(key: str) -> Ask:
    """The last question that a stage has asked."""
    state = st.session_state.get(key)
    return Ask.of(state.get("ask") if isinstance(state, Mapping) else None)


def stage(key: str, data: Mapping[str, Any], on_ask: Callable[[], None]) -> None:
    """Show a stage, or bring it up to date.

    Args:
        key: its word in the session; a page may have several.
        data: what `stage.js` reads, as from `rnnviz.ui.payload.payload`.
        on_ask: called before the next run of the page when the stage asks for something.
    """
    renderer = st.components.v2.component("rnnviz_stage", css=_css(), js=_loader(), isolate_styles=False)
    # As bytes: in a dictionary Streamlit would look for dataframes, and load pandas for that.
    sent = json.dumps({**data, "plotly": _plotly()}, allow_nan=False).encode()
    renderer(key=key, data=sent, default={"ask": {}}, on_ask_change=on_ask)


def encoded(value: Any) -> Any:
    """A figure with every numpy array as plotly's own {dtype, bdata, shape}, which is a third of the size of a list."""
    if isinstance(value, dict):
        return {name: encoded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(part) for part in value]
    if isinstance(value, np.ndarray):
        return _array(value)
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _array(array: np.ndarray) -> dict[str, Any] | list:
    if array.dtype.kind not in "fiub":
        return array.tolist()
    large = np.abs(array[np.isfinite(array)]).max(initial=0.0) > FLOAT32
    kind = "u1" if array.dtype == np.uint8 else "f8" if large else "f4"
    small = np.ascontiguousarray(array, dtype=kind)
    made = {"dtype": kind, "bdata": base64.b64encode(small).decode()}
    return made | ({"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {})


def dressed(theme: Theme) -> dict[str, Any]:
    """The theme as the stage wants it."""
    negative, zero, positive = theme.diverging
    return {
        "name": theme.name, "ink": theme.ink, "paper": theme.paper, "faint": theme.faint, "grid": theme.grid,
        "accent": theme.accent, "vanishing": theme.vanishing, "steady": theme.steady, "exploding": theme.exploding,
        "negative": negative, "zero": zero, "positive": positive, "scale": theme.scale, "font": FONT,
    }  # fmt: skip


@cache
def _css() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.css")))


@cache
def _loader() -> str:
    scripts = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.js")))
    folder = declare_component("stage", path=str(SOURCES)).name
    return LOADER.format(folder=folder, version=hashlib.sha256(scripts).hexdigest()[:12])


@cache
def _plotly() -> str:
    folder = declare_component("plotly", path=str(PLOTLY)).name
    return f"component/{folder}/plotly.min.js?v={version('plotly')}"
