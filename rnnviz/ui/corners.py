"""The table of what torch's clipping does in the corner cases, computed by torch when it is opened."""

import streamlit as st

from rnnviz.ui.tools import quoted

HEAD = ("Gradient", "", "Norm that torch returns", "After `clip_grad_norm_`", "After `clip_grad_value_`", "What to do")


def corner_table() -> None:
    """Open it, and torch runs every case."""
    st.markdown("torch clips without a word what it should not. Each line is run by torch when the table is opened.")
    box = st.expander("What torch does to Inf, NaN, overflow and a tiny gradient", key="corners", on_change="rerun")
    if not box.open:
        return
    from rnnviz.learning.corner_cases import corner_cases

    with box:
        lines = [HEAD, ("---",) * len(HEAD)]
        lines += [
            tuple(map(quoted, (case.label, case.before, case.norm, case.by_norm, case.by_value, case.sentence)))
            for case in corner_cases()
        ]
        st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
