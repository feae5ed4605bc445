"""Train: networks learn side by side, and their gradients with them."""

import streamlit as st

from rnnviz.ui import takeaway, tools
from rnnviz.ui.controls import Session
from rnnviz.ui.training import TRAIN, classroom

PROMISE = (
    "**See how far back the gradient reaches while a network learns.** Choose a task and up to four variants, and "
    "press Train: torch trains them here, on the same data."
)
MORE = (
    ("Network", ("hidden_size", "initialisations", "weight_scale")),
    ("Optimiser", ("optimiser", "learning_rate", "batch_size")),
    ("Clipping", ("clip_threshold",)),
    ("Run", ("stop", "seed", "projector")),
)

session = Session(TRAIN)
tools.begin(session, PROMISE)
with st.container(gap="small"):
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        tools.preset_box(session)
        session.control("cells")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("task", width=230)
        session.control("length", width=160)
        session.control("updates", width=160)
        session.control("clips", width=230)
        tools.more(session, MORE)
        tools.reset(session)
        tools.share(session, takeaway.LINK_TO_TRAIN)
    session.control("text", height=100)
tools.story(session)
classroom()
