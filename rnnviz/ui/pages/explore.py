"""Explore: pick a cell, a length and a weight scale; see the states and the gradient of a real run."""

import streamlit as st

import rnnviz
from rnnviz.figures.flow import gradient_norms, hidden_states
from rnnviz.ui.controls import control
from rnnviz.ui.show import chart

st.title("See how gradients move through a recurrent network", anchor=False)
st.markdown("Change the cell, the length or the weight scale. Every curve is a real back-propagation through time.")

chosen = {}
for names in (("cell", "length", "weight_scale"), ("signal", "initialisation", "loss")):
    for column, name in zip(st.columns(3, gap="medium"), names, strict=True):
        with column:
            chosen[name] = control(name, default={"signal": "sunspots"}.get(name))
config = rnnviz.Config(**chosen)
flow = rnnviz.run(config)

chart(gradient_norms, flow, answer=flow.verdict.sentence)
for finding in flow.findings:
    st.caption(finding)
shorter = f" The input has no more than {flow.steps} steps." if flow.steps < config.length else ""
chart(hidden_states, flow, answer=f"The states of {config.hidden_size} units over {flow.steps} steps.{shorter}")

if st.button("Check against torch autograd", help="Runs the same network through torch, step by step, and compares."):
    st.success(rnnviz.verify(config).sentence)
