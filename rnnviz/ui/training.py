"""What the Train page shows, and the training that it drives, a slice at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Semaphore
from typing import Any

import streamlit as st

from rnnviz import RnnvizError, knobs
from rnnviz.errors import shown
from rnnviz.experiments.training import Training
from rnnviz.figures.chart import Chart
from rnnviz.figures.filmstrip import film_strip
from rnnviz.figures.learners import LearningSubject, LearningView
from rnnviz.figures.refusal import plain
from rnnviz.figures.task import task_example
from rnnviz.figures.training import held_out, losses, norms_per_update
from rnnviz.lessons.trainings import TRAININGS
from rnnviz.ui import takeaway, tools
from rnnviz.ui.controls import Session
from rnnviz.ui.scene import Scene
from rnnviz.ui.settings import Sheet
from rnnviz.ui.show import put, question

SLICE = 0.5  # seconds of training between two looks at it
PATIENCE = 1.0  # seconds to wait for another visitor's slice
TURN = Semaphore(1)  # one slice at a time, so that a class that trains leaves a core to those who look
KEY, WISH = "lesson", "wish to train"  # in the session


@dataclass
class Lesson:
    """A session's training.

    Attributes:
        trainer: a `rnnviz.learning.training.Trainer`; it keeps what it has found when it is paused, stopped, or the
            visitor looks at another page.
        running: whether it goes on.
        waiting: whether other visitors' trainings had the last turn.
    """

    trainer: Any
    running: bool = True
    waiting: bool = False

    def go_on(self) -> None:
        """Train for a slice, unless others are at it."""
        self.waiting = not TURN.acquire(timeout=PATIENCE)
        if self.waiting:
            return
        try:
            self.trainer.advance(SLICE)
        finally:
            TURN.release()
        if self.trainer.done:  # and else as it is: a visitor may have pressed Pause meanwhile
            self.running = False

    def stop(self) -> None:
        """End it for good, once the slice under way has ended."""
        self.running = False
        with TURN:
            self.trainer.stop()

    @property
    def words(self) -> str:
        """How far it is."""
        trainer, left, courses = self.trainer, self.trainer.seconds_left, self.trainer.history.courses
        made = f"{sum(course.updates for course in courses)} updates"
        if any(course.state == "stopped" for course in courses):
            return f"Stopped after {made}; what was found stays."
        if trainer.done:
            return f"Done: {made}."
        if not self.running:
            return f"Paused after {made}."
        if self.waiting:
            return f"{made}; waiting for other visitors' trainings."
        return f"{made}, about {left:.0f} s left." if left is not None else f"{made}."


def lesson() -> Lesson | None:
    """The session's training, if there is one."""
    return st.session_state.get(KEY)


def _version() -> object:
    present = lesson()
    return present and (id(present), [(c.updates, c.state) for c in present.trainer.history.courses])


def learning_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> LearningSubject:
    """What was found so far."""
    present, asked = lesson(), TRAIN.part(Training, values)
    return LearningSubject(present and present.trainer.history, TRAIN.part(LearningView, values), asked)


TRAIN = Sheet(
    "train",
    (Training, LearningView),
    presets=TRAININGS,
    hideable=("preset", "more", "share", "downloads", "reset"),
    needs={"text": ("task", ("characters",))},
)
SCENE = Scene(
    "training",
    TRAIN,
    {
        chart.name: chart
        for chart in (
            Chart("task", task_example, steps=""),
            Chart("losses", losses, views=("axis",), steps=""),
            Chart("film", film_strip, steps=""),
            Chart("updates", norms_per_update, steps=""),
            Chart("score", held_out, steps=""),
        )
    },
    learning_of,
    first_seen=frozenset({"task", "losses"}),
    version=_version,
)


@st.fragment
def classroom() -> None:
    """Buttons, progress and charts; runs again for every slice while a training runs."""
    session, ask = Session(TRAIN), question(SCENE)
    _begin(session)
    present = lesson()
    if present and present.running and ask.tick:
        present.go_on()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lesson_bar"):
        _buttons(present)
        if present:
            tools.downloads(session, lambda _: takeaway.trained(present.trainer.history))
    if present:
        st.progress(present.trainer.progress, present.words)
        _tell_apart(present.trainer.training, session.values)
    put(SCENE, ask, tools.tells_of_the_run, running=bool(present and present.running))


def _tell_apart(trained: Training, values: Mapping[str, Any]) -> None:
    """Say what the charts show where the settings have been changed since."""
    differing = [name for name in knobs(Training) if getattr(trained, name) != values[name]]
    if differing:
        known = "; ".join(f"{TRAIN.knobs[name].label} {_named(name, getattr(trained, name))}" for name in differing)
        st.caption(
            tools.quoted(f"The curves are of a training with other settings: {known}. Train again for those above.")
        )


def _named(name: str, value: Any) -> str:
    """A setting's value in the words of its widget."""
    choices = TRAIN.knobs[name].choices
    if isinstance(value, tuple):
        return ", ".join(choices[each] for each in value)
    return choices[value] if choices else shown(value, 30)


def _buttons(present: Lesson | None) -> None:
    """What can be done with a training at this moment."""
    under_way = bool(present and not present.trainer.done)
    help = "Trains every variant from the start, with the settings above."
    label = "Train again" if present else ":primary[**Train**]"  # what the page waits for stands out
    st.button(label, icon=":material/school:", key="train", on_click=_wish, help=help)
    if under_way and present.running:
        st.button("Pause", icon=":material/pause:", key="pause", on_click=_pause)
    elif under_way:
        st.button("Resume", icon=":material/play_arrow:", key="resume", on_click=_resume)
    if under_way:
        st.button("Stop", icon=":material/stop:", key="stop", on_click=_stop, help="Ends it; what was found stays.")


def _wish() -> None:
    st.session_state[WISH] = True


def _pause() -> None:
    lesson().running = False


def _resume() -> None:
    lesson().running = True


def _stop() -> None:
    lesson().stop()


def _begin(session: Session) -> None:
    """Set up the training that was just asked for; one that cannot be is a sentence, and the old one stays."""
    if not st.session_state.pop(WISH, False):
        return
    try:
        with st.spinner("Loading torch …"):
            import torch

            from rnnviz.learning import train

            torch.set_num_threads(1)  # small products: a second thread would only wait, and take a visitor's core
            begun, before = Lesson(train(TRAIN.part(Training, session.values))), lesson()
            st.session_state[KEY] = begun
            if before:
                before.stop()
    except RnnvizError as problem:
        st.warning(tools.quoted(plain(problem, TRAIN.knobs)))
