"""What a visitor takes away: a link with its QR code, the numbers, a report, a PyTorch script."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from rnnviz import RnnvizError
from rnnviz.experiments.history import History
from rnnviz.experiments.script import pytorch_script
from rnnviz.experiments.tables import to_csv, to_npz
from rnnviz.figures.chart import Subject
from rnnviz.ui.controls import Session
from rnnviz.ui.exploring import subject_of

LINK = "This link opens exactly this picture, seed included. The icon at its right copies it."
LINK_TO_TRAIN = "This link opens these settings, seed included: whoever presses Train gets the same training."
FOR_THE_CLASS = (
    "For the class: point a phone's camera at it. Add `{joint}hide=more,seed` to take controls away and "
    "`&embed=true` for a bare page."
)

ONLY_HERE = (
    "This address works on this machine alone. For phones and other machines, open the page under the network address "
    "that was printed when it started, and share it from there."
)


def share(session: Session, promise: str = LINK) -> None:
    """The link to what is on the screen, and the same as a QR code; `promise` says what it opens."""
    import segno  # here and below: what only a button needs shall not delay the first page

    address = session.link(page_address())
    st.markdown(promise)
    st.code(address, language=None, wrap_lines=True)
    if session.left_out():
        st.caption(f"Too long for an address, and not in this link: {', '.join(session.left_out())}.")
    if is_local(address):
        st.caption(ONLY_HERE)
    try:
        code = segno.make(address, error="l", micro=False)
    except segno.DataOverflowError:
        st.caption("The link is too long for a QR code; a shorter text makes it fit.")
        return
    st.image(code.svg_inline(scale=5, border=3, light="#FFFFFF"), width=280, alt="QR code of this link")
    st.caption(FOR_THE_CLASS.format(joint="&" if "?" in address else "?"))


def page_address() -> str:
    """The page without its settings."""
    return (st.context.url or "").split("?")[0]


def is_local(address: str) -> bool:
    """Whether an address means the machine on which it is opened."""
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1", "0.0.0.0")


class Picture:
    """What is on the screen, for a file that is made later, when there is no page running.

    What the session keeps is shared and not copied: the weight scale may move before a button is pressed.
    """

    def __init__(self, session: Session):
        self.session, self.base = session, page_address()

    @property
    def subject(self) -> Subject:
        """The compared runs."""
        return subject_of(self.session.values, self.session.kept.pin)

    def report(self) -> str:
        """Every chart of the page with its question and its answer, and the settings, as one HTML file."""
        from rnnviz.figures.report import report_of

        link = self.session.link(self.base)
        return report_of(self.subject, "" if is_local(link) else link)


FILES: tuple[tuple[str, str, str, Callable[[Picture], str | bytes]], ...] = (
    ("Numbers (CSV)", "rnnviz.csv", "text/csv", lambda picture: to_csv(picture.subject.runs)),
    ("Arrays (npz)", "rnnviz.npz", "application/octet-stream", lambda picture: to_npz(picture.subject.runs)),
    ("Report (HTML)", "rnnviz.html", "text/html", lambda picture: picture.report()),
    ("PyTorch script", "rnnviz_run.py", "text/x-python", lambda picture: pytorch_script(picture.subject.runs)),
)


def downloads(session: Session) -> None:
    """Files, each made when its button is pressed."""
    buttons(Picture(session), FILES)
    st.caption("PNG and SVG: the camera and the disk at the top right of each chart.")


def buttons(picture: Any, files: tuple[tuple[str, str, str, Callable], ...]) -> None:
    """A button for each kind of file; `picture` has a `subject` and a `report` as `Picture` has."""
    for label, name, mime, make in files:
        data = partial(_made, make, picture)
        st.download_button(label, data, name, mime, on_click="ignore", key=f"get_{name}", width="stretch")


LOADING = """
```python
from rnnviz.experiments.history import History

history = History.load("rnnviz_history.npz")
for course in history.courses:
    print(course.learner.label, course.state, course.loss[-1])
```
"""


def trained(history: History) -> None:
    """The history of a training as a file, and how to read it."""

    def made() -> bytes:
        file = io.BytesIO()
        history.save(file)
        return file.getvalue()

    name, mime = "rnnviz_history.npz", "application/octet-stream"
    label = "What was found so far (npz)"
    st.download_button(label, made, name, mime, on_click="ignore", key="get_history", width="stretch")
    st.caption("Every loss, norm, score and profile. In Python:")
    st.markdown(LOADING)
    st.caption("PNG and SVG: the camera and the disk at the top right of each chart.")


def _made(make: Callable, picture: Any) -> str | bytes:
    """A file's content; a sentence in its place where it cannot be made."""
    try:
        return make(picture)
    except RnnvizError as problem:
        return f"{problem}\n"
