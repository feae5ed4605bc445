"""Explore: pick cells, a length and a weight scale; see where the gradient of a real run goes."""

import streamlit as st

from rnnviz.ui import takeaway, tools
from rnnviz.ui.controls import Session
from rnnviz.ui.exploring import SCENE
from rnnviz.ui.settings import EXPLORE
from rnnviz.ui.show import show

PROMISE = (
    "**See how gradients move through a recurrent network.** Drag the weight scale. No curve is scripted: each is a \
real back-propagation through time."
)

session = Session(EXPLORE)
tools.begin(session, PROMISE)
with st.container(gap="small"):
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        tools.preset_box(session)
        session.control("cells")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("length", width=160)
        session.control("loss")
        session.control("clip", width=230)
        tools.more(session, tools.MORE)
        tools.reset(session)
        tools.dice(session)
        tools.pin(session)
        tools.share(session)
        tools.downloads(session, takeaway.downloads)
tools.story(session)
show(SCENE, tools.tells_of_the_run)
tools.below(session)
