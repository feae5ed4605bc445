"""The fragment that shows a scene on its stage, and again whenever the stage asks."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from rnnviz.ui.controls import Session
from rnnviz.ui.payload import payload, theme_for
from rnnviz.ui.scene import Scene
from rnnviz.ui.stage import Ask, asked, stage


@st.fragment
def show(scene: Scene, tells_of_the_run: Callable[[], bool] = lambda: False) -> None:
    """A stage alone runs again when it asks for something; the rest of the page stays as it is.

    Args:
        scene: what it shows.
        tells_of_the_run: whether something outside the stage speaks of the present settings.
    """
    put(scene, question(scene), tells_of_the_run)


def question(scene: Scene) -> Ask:
    """What a stage asks in this run; what an old question says is on the screen need not be there now."""
    ask = asked(scene.key)
    if st.session_state.pop(f"answering {scene.key}", None) != ask.id:
        return replace(ask, live=False, tick=False, drawn={}, held={})
    return ask


def put(scene: Scene, ask: Ask, tells_of_the_run: Callable[[], bool], **more) -> None:
    """Send a stage what it asks for, `more` along with it, and let the address say what is on the screen."""
    session = Session(scene.sheet)
    kept, theme = session.kept, theme_for(ask.theme or st.context.theme.type, session.values["projector"])
    sent = payload(scene, session.values, ask, theme, kept.pin, kept.hidden)

    def answer() -> None:
        _take(scene, session, tells_of_the_run)

    stage(scene.key, sent | more, answer)
    if not ask.live:
        session.write_address()
        if st.session_state.pop("outdated", False):
            st.rerun()  # what stands around the stage speaks of the old settings


def _take(scene: Scene, session: Session, tells_of_the_run: Callable[[], bool]) -> None:
    """Take what a stage has changed."""
    ask, before = asked(scene.key), list(session.kept.complaints)
    st.session_state[f"answering {scene.key}"] = ask.id
    for name, value in ask.changes.items():
        if name in scene.sheet.knobs:
            session.change(name, scene.sheet.from_text(name, value))
    st.session_state["outdated"] = (bool(ask.changes) and tells_of_the_run()) or before != session.kept.complaints
