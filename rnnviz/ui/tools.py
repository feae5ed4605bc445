"""What stands around the charts: the story, more settings, reset, dice, pin, the equations, the check."""

import random
import re
from collections.abc import Callable
from typing import Any

import streamlit as st

import rnnviz
from rnnviz import RnnvizError
from rnnviz.figures.refusal import plain
from rnnviz.ui import takeaway
from rnnviz.ui.controls import STAYING, Session
from rnnviz.ui.exploring import subject_of
from rnnviz.ui.settings import question

Groups = tuple[tuple[str, tuple[str, ...]], ...]
MORE: Groups = (
    ("Network", ("hidden_size", "layers", "bidirectional", "nonlinearity")),
    ("Start", ("initialisation", "gate_bias", "chrono", "seed")),
    ("Input", ("signal", "text", "input_scale", "input_size")),
    ("Gradient", ("head", "truncation", "truncation_steps", "projector")),
)
MOST_COMPLAINTS = 8
SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def quoted(text: str) -> str:
    """A sentence that may quote a visitor, with nothing left in it that Markdown would format or link."""
    return SPECIAL.sub(r"\\\1", text)


def begin(session: Session, promise: str) -> None:
    """The top of a page: read the address, say what the page is for unless a story does, and what was not allowed."""
    session.arrive()
    if session.values["projector"]:
        st.html("<style>html { font-size: 115%; }</style>")
    with st.container(key="promise"):
        if not session.kept.preset:
            st.markdown(promise)
    with st.container(key="complaints"):
        _complain(session.kept.complaints)


def _complain(complaints: list[str]) -> None:
    """A sentence for everything in the address, or from a control, that is not allowed."""
    for complaint in complaints[:MOST_COMPLAINTS]:
        st.warning(quoted(complaint))
    if len(complaints) > MOST_COMPLAINTS:
        st.warning(f"{len(complaints) - MOST_COMPLAINTS} more parameters of the address are not allowed.")


def preset_box(session: Session) -> None:
    """Choose one of the stories."""
    presets = session.sheet.presets
    if not session.shows("preset"):
        return
    st.session_state["preset"] = session.kept.preset
    st.selectbox(
        "Preset",
        list(presets),
        index=None,
        key="preset",
        format_func=lambda name: presets[name].label,
        placeholder="Choose a story",
        on_change=_take_preset,
        args=(session,),
        width=250,
        help="A story each: settings that show one thing, and what to look at. Your seed stays; clearing it "
        "goes back to where the page starts.",
    )


def _take_preset(session: Session) -> None:
    """The settings of the chosen preset; the seed stays."""
    session.kept.preset = st.session_state["preset"]
    session.replace(session.sheet.base(session.kept.preset) | staying(session))


def staying(session: Session) -> dict[str, Any]:
    """What neither a preset nor a reset changes."""
    return {name: session.values[name] for name in STAYING}


def story(session: Session) -> None:
    """The chosen preset's text."""
    with st.container(key="story"):
        if session.kept.preset:
            preset = session.sheet.presets[session.kept.preset]
            end = "" if preset.label.endswith("?") else "."
            st.markdown(f"**{preset.label}{end}** {preset.story}")


def more(session: Session, groups: Groups) -> None:
    """Every other setting, in named groups, two beside each other."""
    if not session.shows("more"):
        return
    box = st.popover("More", icon=":material/tune:", key="more", on_change="rerun")
    if not box.open:
        return
    with box:
        columns = [column for _ in groups[::2] for column in st.columns(2)]
        for column, (title, names) in zip(columns, groups, strict=False):
            with column:
                st.caption(title)
                for name in names:
                    session.control(name)


def reset(session: Session) -> None:
    """A button back to the start."""
    if session.shows("reset"):
        help = "Back to where the story, or else the page, starts; the seed stays."
        st.button("Reset", icon=":material/restart_alt:", key="reset", on_click=_reset, args=(session,), help=help)


def _reset(session: Session) -> None:
    start = session.sheet.base(session.kept.preset) | staying(session)
    if session.values == start:
        session.kept.preset, start = None, staying(session)
    session.replace(start)


def dice(session: Session) -> None:
    """A button for another seed."""
    if session.shows("dice"):
        help = "Draw another seed: new weights, new input."
        st.button("Dice", icon=":material/casino:", key="dice", on_click=_dice, args=(session,), help=help)


def _dice(session: Session) -> None:
    session.change("seed", random.randrange(session.sheet.knobs["seed"].high + 1))


def pin(session: Session) -> None:
    """A button that keeps the curves."""
    if session.shows("pin"):
        label = "Pin" if session.kept.pin is None else "Unpin"
        help = "Keep the curves of this run under those of the next ones."
        st.button(label, icon=":material/keep:", key="pin_button", on_click=_pin, args=(session,), help=help)


def _pin(session: Session) -> None:
    kept = session.kept
    if kept.pin is not None:
        kept.pin = None
        return
    try:
        question(kept.values).runs()
    except RnnvizError as problem:
        kept.complaints[:] = [f"pin: only a run can be pinned. {plain(problem)}"]
    else:
        kept.pin = dict(kept.values)


def share(session: Session, promise: str = takeaway.LINK) -> None:
    """A box with the link to what is on the screen."""
    _box(session, "share", "Share", ":material/share:", lambda session: takeaway.share(session, promise))


def downloads(session: Session, fill: Callable[[Session], None]) -> None:
    """A box with files; `fill` puts them there."""
    _box(session, "downloads", "Take away", ":material/download:", fill)


def _box(session: Session, name: str, label: str, icon: str, fill: Callable[[Session], None]) -> None:
    if session.shows(name):
        box = st.popover(label, icon=icon, key=name, on_change="rerun")
        if box.open:
            with box:
                fill(session)


def tells_of_the_run() -> bool:
    """Whether something outside the stage speaks of the present settings."""
    state = st.session_state
    return bool(state.get("equations") or state.get("checked") or state.get("share"))


def below(session: Session) -> None:
    """Under the charts: the equations and the check."""
    try:
        if session.shows("equations"):
            box = st.expander("The equations, with this run's numbers", key="equations", on_change="rerun")
            if box.open:
                with box:
                    _equations(session)
        help = "Runs the same networks through torch, step by step, and compares every gradient."
        checked = session.shows("check") and st.button("Check against torch autograd", key="check", help=help)
        st.session_state["checked"] = checked
        if checked:
            for run in question(session.values).runs():
                st.success(f"{run.label}: {rnnviz.verify(run.config).sentence}", icon=":material/verified:")
    except RnnvizError as problem:
        st.warning(quoted(plain(problem)))


def _equations(session: Session) -> None:
    from rnnviz.figures.equations import equations

    subject = subject_of(session.values)
    for equation in equations(subject.focus, subject.stream):
        st.markdown(f"**{equation.title}**")
        st.latex(equation.latex)
        st.markdown(equation.meaning)
