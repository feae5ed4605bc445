"""A widget for a setting, made from its declaration; the URL holds its value under the setting's own name."""

from typing import Any

import streamlit as st

from rnnviz import Config, knobs


def control(name: str, default: Any = None) -> Any:
    """Show the widget of one field of `Config` and give its value.

    Args:
        name: the field.
        default: where the widget starts; the field's own default when None.
    """
    declared = knobs(Config)[name]
    start = getattr(Config(), name) if default is None else default
    shared = {"key": name, "help": declared.help, "bind": "query-params"}
    if declared.choices:
        options = list(declared.choices)
        return st.selectbox(
            declared.label, options, index=options.index(start), format_func=declared.choices.get, **shared
        )
    return st.select_slider(declared.label, declared.ladder, value=start, **shared)
