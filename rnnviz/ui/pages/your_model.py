"""Your model: how far back the gradient reaches in a visitor's own recurrent network."""

import streamlit as st

from rnnviz.ui import own_model, tools
from rnnviz.ui.controls import Session
from rnnviz.ui.own_files import files
from rnnviz.ui.own_model import OWN, SCENE
from rnnviz.ui.show import show

PROMISE = (
    "**See how far back the gradient reaches in your own RNN, LSTM or GRU.** Open a file of its weights; until then, a \
sample shows what training does."
)

session = Session(OWN)
tools.begin(session, PROMISE)
with st.container(gap="small"):
    own_model.opening(session)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("length", width=160)
        session.control("loss")
        tools.reset(session)
        if not files().table:
            tools.dice(session)
        tools.share(session, own_model.LINK)
        tools.downloads(session, own_model.downloads)
    own_model.told(session)
show(SCENE, tools.tells_of_the_run)
