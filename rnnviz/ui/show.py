"""A chart on a page, with its question above it."""

import plotly.graph_objects as go
import streamlit as st

from rnnviz.figures.theme import THEMES, Theme

MODEBAR = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def page_theme() -> Theme:
    """The colours that go with the visitor's choice of a light or a dark page."""
    return THEMES.get(st.context.theme.type, THEMES["light"])


def chart(draw, *arguments, answer: str = "") -> None:
    """Show a chart: its question (the first line of its docstring), the answer in one sentence, and the figure.

    Args:
        draw: a function in `rnnviz.figures`.
        arguments: of `draw`, before the theme.
        answer: one sentence from the run; it is the chart's text for those who cannot see it, too.
    """
    question = draw.__doc__.splitlines()[0]
    st.subheader(question, anchor=False)
    st.markdown(answer)
    figure: go.Figure = draw(*arguments, page_theme())
    st.plotly_chart(figure, theme=None, config=MODEBAR, alt=f"{question} {answer}", key=draw.__name__)
