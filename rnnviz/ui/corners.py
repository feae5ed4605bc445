"""The table of what torch's clipping does in the corner cases, computed by torch when it is opened."""

from html import escape

import streamlit as st

# The heading of each column, and the field of `CornerCase` in it.
COLUMNS = {
    "A gradient": "label",
    "Its entries": "before",
    "The norm that torch returns": "norm",
    "After clip_grad_norm_": "by_norm",
    "After clip_grad_value_": "by_value",
    "What to know, and what to do": "sentence",
}


def corner_table() -> None:
    """Open it, and torch runs every case."""
    st.markdown(
        "torch does not complain of a gradient that its clipping ruins. torch runs each line when the table opens."
    )
    box = st.expander("What torch does to Inf, NaN, overflow and a tiny gradient", key="corners", on_change="rerun")
    if not box.open:
        return
    from rnnviz.learning.corner_cases import corner_cases

    head = "".join(f"<th scope='col'>{escape(heading)}</th>" for heading in COLUMNS)
    lines = "".join(_line(case) for case in corner_cases())
    with box:
        st.html(f"<table class='rv-corners'><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>")


def _line(case: object) -> str:
    """A row; on a phone its cells stand under each other, each with its heading."""
    cells = (
        f"<td data-heading='{escape(heading)}'>{escape(getattr(case, name))}</td>" for heading, name in COLUMNS.items()
    )
    return f"<tr>{''.join(cells)}</tr>"
