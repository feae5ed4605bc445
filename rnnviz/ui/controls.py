"""Widgets for settings, made from their declarations. The session keeps the values; the address holds them too."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from rnnviz import Knob, RnnvizError
from rnnviz.errors import shown
from rnnviz.lessons.presets import PRESETS
from rnnviz.ui.settings import KNOBS, START, as_text, from_query, hidden, packed, to_query, unpacked

SHORT, LETTERS = 3, 24  # so many choices, of so many letters together, fit side by side


def base_of(preset: str | None) -> dict[str, Any]:
    """The settings of a preset, or where the page starts."""
    return {**START, **(PRESETS[preset].settings if preset else {})}


def address_of(words: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
    """The parameters that open exactly these settings; `words` as from `Session.words`."""
    return words | to_query(values, base_of(words.get("preset")))


class Session:
    """One visitor's settings. It is made anew in every run of the page; what it holds lives in the session's state."""

    def __init__(self):
        state = st.session_state
        state.setdefault("settings", dict(START))
        state.setdefault("complaints", [])
        self.values: dict[str, Any] = state["settings"]
        self.complaints: list[str] = state["complaints"]

    @property
    def preset(self) -> str | None:
        """The chosen preset, whether or not its settings have been changed since."""
        return st.session_state.get("preset")

    def read_address(self) -> None:
        """Take the settings of the address, when it is not the one written last: a link, or the Back button."""
        state, query = st.session_state, st.query_params.to_dict()
        if query == state.get("address"):
            return
        preset = query.get("preset")
        found, complaints = from_query(query)
        if preset and preset not in PRESETS:
            complaints.append(f"preset: must be one of {', '.join(PRESETS)}, got {shown(preset)}.")
        state["preset"] = preset if preset in PRESETS else None
        state["hidden"], more = hidden(query.get("hide", ""))
        complaints += more
        state["pin"], more = unpacked(query["pin"]) if query.get("pin") else (None, [])
        self.replace({**base_of(state["preset"]), **found})
        self.complaints += complaints + more
        state["address"] = query

    def words(self) -> dict[str, str]:
        """What an address holds beside the settings."""
        state, words = st.session_state, {}
        if self.preset:
            words["preset"] = self.preset
        if state["hidden"]:
            words["hide"] = ",".join(sorted(state["hidden"]))
        if state["pin"] is not None:
            words["pin"] = packed(state["pin"])
        return words

    def write_address(self) -> None:
        """Let the address say what is on the screen."""
        wanted = address_of(self.words(), self.values)
        if wanted == st.session_state["address"]:
            return
        st.session_state["address"] = wanted
        if wanted:
            st.query_params.from_dict(wanted)
        else:
            st.query_params.clear()  # an empty dict would not be told to the browser

    def change(self, name: str, value: Any) -> None:
        """Set one setting; a value that is not allowed leaves it as it was and becomes a sentence on the page."""
        self.complaints.clear()
        try:
            self.values[name] = KNOBS[name].checked(name, value)
        except RnnvizError as problem:
            self.complaints.append(str(problem))

    def replace(self, values: dict[str, Any]) -> None:
        """Set all settings, those that are not named to where they start."""
        self.complaints.clear()
        self.values.clear()
        self.values.update({**START, **values})

    def shows(self, name: str) -> bool:
        """Whether the address leaves a control on the page."""
        return name not in st.session_state.get("hidden", ())

    def control(self, name: str, **rest: Any) -> None:
        """Show the widget of a setting, unless the address hides it."""
        if not self.shows(name):
            return
        declared, value = KNOBS[name], self.values[name]
        if st.session_state.get(name) != value:
            st.session_state[name] = list(value) if declared.many else value
        _widget(declared)(
            declared, value, {"key": name, "help": declared.help, "on_change": _taken, "args": (name,)} | rest
        )


def _taken(name: str) -> None:
    """A widget has a new value."""
    value = st.session_state[name]
    Session().change(name, tuple(value) if isinstance(value, list) else value)


def _widget(declared: Knob) -> Callable:
    if declared.many:
        return _several
    if declared.choices:
        return (
            _segments
            if len(declared.choices) <= SHORT and sum(map(len, declared.choices.values())) <= LETTERS
            else _choice
        )
    if declared.kind is bool:
        return _switch
    if declared.kind is str:
        return _line
    return _ladder if declared.ladder else _number


def _several(declared: Knob, value: Any, shared: dict[str, Any]):
    st.multiselect(
        declared.label,
        list(declared.choices),
        format_func=declared.choices.get,
        max_selections=declared.many,
        select_all=False,
        **shared,
    )


def _choice(declared: Knob, value: Any, shared: dict[str, Any]):
    st.selectbox(declared.label, list(declared.choices), format_func=declared.choices.get, **shared)


def _segments(declared: Knob, value: Any, shared: dict[str, Any]):
    st.segmented_control(
        declared.label, list(declared.choices), format_func=declared.choices.get, required=True, **shared
    )


def _switch(declared: Knob, value: Any, shared: dict[str, Any]):
    st.toggle(declared.label, **shared)


def _line(declared: Knob, value: Any, shared: dict[str, Any]):
    st.text_input(declared.label, max_chars=declared.high, **shared)


def _number(declared: Knob, value: Any, shared: dict[str, Any]):
    st.number_input(declared.label, declared.low, declared.high, step=1, **shared)


def _ladder(declared: Knob, value: Any, shared: dict[str, Any]):
    """The curated values, and the present one where a link has chosen another."""
    rungs = sorted({*declared.ladder, value} - {None})
    options = [None, *rungs] if declared.optional else rungs
    st.select_slider(declared.label, options, format_func=_rung, **shared)


def _rung(value: Any) -> str:
    return "as drawn" if value is None else as_text(value)
