"""What a visitor takes away from the page "Your model": the numbers and a report."""

from dataclasses import dataclass

import streamlit as st

from rnnviz import RnnvizError
from rnnviz.experiments.own_model import OwnModel
from rnnviz.figures.chart import Subject
from rnnviz.ui import takeaway
from rnnviz.ui.controls import Session
from rnnviz.ui.own_files import Files, files
from rnnviz.ui.own_model import OWN, OwnView, named

ONE_BY_ONE = "PNG and SVG: the camera and the disk at the top right of each chart."


@dataclass(frozen=True)
class Taken:
    """What is on the screen, for a file that is made later, when there is no page running.

    What the session keeps is shared and not copied: a switch on the stage may move before a button is pressed.

    Attributes:
        held: the visitor's files.
        session: with the settings.
        base: the page's address without them.
        words: the file of weights and its module; "" for the sample.
    """

    held: Files
    session: Session
    base: str
    words: str

    @property
    def subject(self) -> Subject:
        """The runs and how they are shown."""
        values = self.session.values
        return Subject(self.held.runs(OWN.part(OwnModel, values)), OWN.part(OwnView, values))

    def report(self) -> str:
        """Every chart of the page with its question and its answer, and the settings, as one HTML file."""
        from rnnviz.figures.report import report_of

        link = "" if self.held.weights or self.held.table else self.session.link(self.base)
        return report_of(self.subject, "" if takeaway.is_local(link) else link, self._given())

    def _given(self) -> tuple[tuple[str, str], ...]:
        """(label, value) of the files."""
        weights, table, seed = self.held.weights, self.held.table, self.session.values["seed"]
        noise = f"white noise, seed {seed}" if weights else f"a sequence of the adding problem, seed {seed}"
        return (
            ("Weights", self.words or "the sample of rnnviz"),
            ("Inputs", table.name if table else noise),
            ("Gradient", "of a squared error on a fixed random readout, which stands in for your loss"),
        )


def downloads(session: Session) -> None:
    """The numbers and the report as files, each made when its button is pressed."""
    held = files()
    taken = Taken(held, session, takeaway.page_address(), named(held) if held.weights else "")
    try:
        held.runs(OWN.part(OwnModel, session.values), keep=True)
    except RnnvizError:
        st.caption("There is nothing to take away: the page says why.")
        return
    takeaway.buttons(taken, takeaway.FILES[:3])  # a script could not hold the file's weights
    st.caption(ONE_BY_ONE)
