"""A widget for a setting, made from its declaration; the URL holds its value under the setting's own name."""

from typing import Any

import streamlit as st

from rnnviz import Config, Knob, knobs


def control(name: str, default: Any = None) -> Any:
    """Show the widget of one field of `Config` and give its value.

    Args:
        name: the field.
        default: where the widget starts; the field's own default when None.
    """
    declared = knobs(Config)[name]
    start = getattr(Config(), name) if default is None else default
    _take_plain_value_from_url(name, declared)
    shared = {"key": name, "help": declared.help, "bind": "query-params"}
    known = name in st.session_state
    if declared.choices:
        options = list(declared.choices)
        index = 0 if known else options.index(start)
        return st.selectbox(declared.label, options, index=index, format_func=declared.choices.get, **shared)
    if declared.kind is bool:
        return st.toggle(declared.label, False if known else start, **shared)
    if declared.kind is str:
        return st.text_input(declared.label, "" if known else start, max_chars=declared.high, **shared) or start
    if not declared.ladder:
        lowest, highest = declared.low, declared.high
        return st.number_input(declared.label, lowest, highest, lowest if known else start, step=1, **shared)
    ladder = (None, *declared.ladder) if declared.optional else declared.ladder
    return st.select_slider(declared.label, ladder, value=ladder[0] if known else start, format_func=_rung, **shared)


def _rung(value: Any) -> str:
    return "as drawn" if value is None else f"{value:g}"


def _take_plain_value_from_url(name: str, declared: Knob) -> None:
    """Let a link name a value as Python does (cell=lstm, weight_scale=3); Streamlit itself knows only its labels."""
    given = st.query_params.get(name)
    if given is None or name in st.session_state:
        return
    for value in (*declared.choices, *declared.ladder):
        if given == value or (declared.ladder and _number(given) == value):
            st.session_state[name] = value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
