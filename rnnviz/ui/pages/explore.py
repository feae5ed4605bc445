"""Explore: pick a cell, a length and a weight scale; see the states and the gradient of a real run."""

import streamlit as st

import rnnviz
from rnnviz.figures.flow import gradient_norms, hidden_states
from rnnviz.ui.controls import control
from rnnviz.ui.show import chart

DEFAULTS = {"signal": "sunspots"}
ROWS = (("cell", "length", "weight_scale", "gate_bias"), ("signal", "initialisation", "loss"))

st.title("See how gradients move through a recurrent network", anchor=False)
st.markdown("Change the cell, the length or the weight scale. Every curve is a real back-propagation through time.")

chosen = {}
for names in ROWS:
    for column, name in zip(st.columns(len(names), gap="medium"), names, strict=True):
        with column:
            chosen[name] = control(name, DEFAULTS.get(name))
if chosen["signal"] == "text":
    chosen["text"] = control("text")
config = rnnviz.Config(**chosen)
flow = rnnviz.run(config)
if flow.steps < config.length:
    st.caption(f"{config.length} steps asked for; the input ends at {flow.steps}.")

chart(gradient_norms, flow, answer=flow.verdict.sentence)
for finding in flow.findings:
    st.caption(finding)
chart(hidden_states, flow, answer=f"The states of {config.hidden_size} units over {flow.steps} steps.")

if st.button("Check against torch autograd", help="Runs the same network through torch, step by step, and compares."):
    st.success(rnnviz.verify(config).sentence)
