"""Clipping: what it changes of a gradient, what it cannot change, and where it goes wrong."""

import streamlit as st

from rnnviz.ui import tools
from rnnviz.ui.clipping import CLIPPING, WALL, WAYS
from rnnviz.ui.controls import Session
from rnnviz.ui.corners import corner_table
from rnnviz.ui.show import show

PROMISE = (
    "**See what clipping changes, and what it cannot change.** One real backward pass, before and after: drag the \
threshold, on the slider or in the chart."
)
WALL_WORDS = (
    "Why clip at all? The error of a recurrent network can rise like a wall. A single step of gradient descent on its "
    "edge is thrown far away, and what was learnt is lost; clipped, the step keeps its direction and stays near (after "
    "Pascanu, Mikolov and Bengio 2013, figure 6). Drag the start, press play."
)

session = Session(CLIPPING)
tools.begin(session, PROMISE)
with st.container(gap="small"):
    session.control("cells")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("length", width=160)
        session.control("loss")
        session.control("clip_signal", width=230)
        tools.more(session, tools.MORE)
        tools.reset(session)
        tools.dice(session)
        tools.share(session)
show(WAYS, tools.tells_of_the_run)
st.subheader("The wall", anchor="wall", divider="gray")
st.markdown(WALL_WORDS)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="wall_bar"):
    session.control("wall_clip")
    session.control("wall_window")
    session.control("wall_updates", width=200)
show(WALL, tools.tells_of_the_run)
st.subheader("When clipping goes wrong", anchor="wrong", divider="gray")
corner_table()
