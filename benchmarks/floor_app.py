"""The least that Streamlit does: one slider, and one line that shows its value."""

import streamlit as st

value = st.slider("Value", 0, 1000, 500)
st.html(f'<p class="floor">{value}</p>')
