"""The app: its pages, and the one place where a wrong question becomes a sentence."""

import streamlit as st

from rnnviz import RnnvizError

st.set_page_config(
    page_title="rnnviz",
    page_icon="assets/favicon.svg",
    layout="wide",
    menu_items={"About": "rnnviz: see how gradients move through recurrent networks."},
)
if not st.context.is_embedded:
    st.logo("assets/logo.svg", size="large")
PAGES = ("Explore", "Clipping", "Train", "Map", "Your model")
pages = [st.Page(f"rnnviz/ui/pages/{title.lower().replace(' ', '_')}.py", title=title) for title in PAGES]
page = st.navigation(pages, position="hidden" if st.context.is_embedded else "top")
try:
    page.run()
except RnnvizError as problem:
    st.error(str(problem))
