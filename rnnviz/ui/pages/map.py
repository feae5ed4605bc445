"""Map: where gradients vanish and where they explode, over the weight scale and one more setting."""

import streamlit as st

from rnnviz.ui import tools
from rnnviz.ui.controls import Session
from rnnviz.ui.mapping import MAP, SCENE
from rnnviz.ui.show import show

PROMISE = (
    "**See where gradients vanish and where they explode.** Every square is a real back-propagation through time: "
    "click one to open it in Explore."
)
LINK = "This link opens exactly this map, seed included. The icon at its right copies it."
MORE = (
    ("Map", ("per_octave", "seeds", "seed", "projector")),
    ("Network", ("layers", "bidirectional", "nonlinearity")),
    ("Start", ("gate_bias", "chrono")),
    ("Input", ("signal", "text", "input_scale", "input_size")),
)

session = Session(MAP)
tools.begin(session, PROMISE)
with st.container(gap="small"):
    session.control("cells")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="map_bar"):
        session.control("against", width=190)
        session.control("length", width=160)
        session.control("hidden_size", width=160)
        session.control("initialisation", width=180)
        session.control("loss")
        tools.more(session, MORE)
        tools.reset(session)
        tools.dice(session)
        tools.share(session, LINK)
show(SCENE, tools.tells_of_the_run)
