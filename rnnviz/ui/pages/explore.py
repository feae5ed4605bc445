"""Explore: pick cells, a length and a weight scale; see where the gradient of a real run goes."""

from dataclasses import replace

import streamlit as st

from rnnviz.ui import tools
from rnnviz.ui.controls import Session
from rnnviz.ui.payload import payload, theme_for
from rnnviz.ui.settings import KNOBS, from_text
from rnnviz.ui.stage import asked, stage

PROMISE = (
    "**See how gradients move through a recurrent network.** Drag the weight scale. No curve is scripted: each is a \
real back-propagation through time."
)


def answer_stage() -> None:
    """Take what the stage has changed."""
    session, before = Session(), list(Session().complaints)
    st.session_state["answering"] = asked().id
    for name, value in asked().changes.items():
        if name in KNOBS:
            session.change(name, from_text(name, value))
    st.session_state["outdated"] = tools.tells_of_the_run() or before != session.complaints


@st.fragment
def charts() -> None:
    """The stage alone runs again when it asks for something; the rest of the page stays as it is."""
    session, ask = Session(), asked()
    if st.session_state.pop("answering", None) != ask.id:
        ask = replace(ask, live=False, drawn={})  # an old question: what it says is on the screen need not be there now
    theme = theme_for(ask.theme or st.context.theme.type, session.values["projector"])
    stage(payload(session.values, ask, theme, st.session_state["pin"], st.session_state["hidden"]), answer_stage)
    if not ask.live:
        session.write_address()
        if st.session_state.pop("outdated", False):
            st.rerun()  # what stands around the stage speaks of the old settings


session = Session()
session.read_address()
tools.enlarge(session.values["projector"])
with st.container(key="promise"):
    if not session.preset:
        st.markdown(PROMISE)
with st.container(key="complaints"):
    tools.complain(session)
with st.container(gap="small"):
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        tools.preset_box(session)
        session.control("cells")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("length", width=160)
        session.control("loss")
        session.control("clip", width=230)
        tools.more(session)
        tools.buttons(session)
tools.story(session)
charts()
tools.below(session)
