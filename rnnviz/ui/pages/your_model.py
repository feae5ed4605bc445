"""Your model: how far back the gradient reaches in a visitor's own recurrent network."""

import streamlit as st

from rnnviz.ui import own_away, own_model, tools
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
facts, sentence = own_model.told(session)
with st.container(gap="small"):
    own_model.opening(session, facts)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bar"):
        session.control("length", width=140)
        session.control("loss")
        tools.reset(session)
        if not files().table:
            tools.dice(session)
        tools.share(session, own_model.LINK)
        tools.downloads(session, own_away.downloads)
    own_model.headline(sentence)
show(SCENE, own_model.tells_of_the_run)
