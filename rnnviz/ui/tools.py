"""What stands around the charts: the story, more settings, reset, dice, pin, the equations, the check."""

import random
import re
from typing import Any

import streamlit as st

import rnnviz
from rnnviz import RnnvizError
from rnnviz.figures.refusal import plain
from rnnviz.lessons.presets import PRESETS
from rnnviz.ui import takeaway
from rnnviz.ui.controls import Session, base_of
from rnnviz.ui.payload import subject_of
from rnnviz.ui.settings import KNOBS, question

MORE = (
    ("Network", ("hidden_size", "layers", "bidirectional", "nonlinearity")),
    ("Start", ("initialisation", "gate_bias", "chrono", "seed")),
    ("Input", ("signal", "text", "input_scale", "input_size")),
    ("Gradient", ("head", "truncation", "truncation_steps", "projector")),
)
# A setting that does nothing unless another one has one of these values.
NEEDS = {"text": ("signal", "text"), "truncation_steps": ("truncation", "chunked", "sliding")}
MOST_COMPLAINTS = 8
SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def quoted(text: str) -> str:
    """A sentence that may quote a visitor, with nothing left in it that Markdown would format or link."""
    return SPECIAL.sub(r"\\\1", text)


def complain(session: Session) -> None:
    """A sentence for everything in the address, or from a control, that is not allowed."""
    for complaint in session.complaints[:MOST_COMPLAINTS]:
        st.warning(quoted(complaint))
    if len(session.complaints) > MOST_COMPLAINTS:
        st.warning(f"{len(session.complaints) - MOST_COMPLAINTS} more parameters of the address are not allowed.")


def enlarge(projector: bool) -> None:
    """Larger type on the whole page."""
    if projector:
        st.html("<style>html { font-size: 115%; }</style>")


def preset_box(session: Session) -> None:
    """Choose one of the stories."""
    if session.shows("preset"):
        st.selectbox(
            "Preset",
            list(PRESETS),
            index=None,
            key="preset",
            format_func=lambda name: PRESETS[name].label,
            placeholder="Choose a story",
            on_change=_take_preset,
            width=250,
            help="A story each: settings that show one thing, and what to look at. Your seed stays; clearing it "
            "goes back to where the page starts.",
        )


def _take_preset() -> None:
    """The settings of the chosen preset; the seed stays."""
    session = Session()
    session.replace(base_of(session.preset) | kept(session))


def kept(session: Session) -> dict[str, Any]:
    """What neither a preset nor a reset changes."""
    return {name: session.values[name] for name in ("seed", "projector")}


def story(session: Session) -> None:
    """The chosen preset's text."""
    with st.container(key="story"):
        if session.preset:
            preset = PRESETS[session.preset]
            end = "" if preset.label.endswith("?") else "."
            st.markdown(f"**{preset.label}{end}** {preset.story}")


def more(session: Session) -> None:
    """Every other setting."""
    if not session.shows("more"):
        return
    box = st.popover("More", icon=":material/tune:", key="more", on_change="rerun")
    if not box.open:
        return
    with box:
        for column, (title, names) in zip([*st.columns(2), *st.columns(2)], MORE, strict=True):
            with column:
                st.caption(title)
                for name in names:
                    other, *values = NEEDS.get(name, (name, session.values[name]))
                    if session.values[other] in values:
                        session.control(name)


def buttons(session: Session) -> None:
    """Reset, dice, pin, share, downloads."""
    if session.shows("reset"):
        help = "Back to where the story, or else the page, starts; the seed stays."
        st.button("Reset", icon=":material/restart_alt:", key="reset", on_click=_reset, help=help)
    if session.shows("dice"):
        help = "Draw another seed: new weights, new input."
        st.button("Dice", icon=":material/casino:", key="dice", on_click=_dice, help=help)
    if session.shows("pin"):
        label = "Pin" if st.session_state["pin"] is None else "Unpin"
        help = "Keep the curves of this run under those of the next ones."
        st.button(label, icon=":material/keep:", key="pin_button", on_click=_pin, help=help)
    for name, label, icon, fill in (
        ("share", "Share", ":material/share:", takeaway.share),
        ("downloads", "Take away", ":material/download:", takeaway.downloads),
    ):
        if session.shows(name):
            box = st.popover(label, icon=icon, key=name, on_change="rerun")
            if box.open:
                with box:
                    fill(session)


def _reset() -> None:
    session = Session()
    start = base_of(session.preset) | kept(session)
    if session.values == start:
        st.session_state["preset"], start = None, kept(session)
    session.replace(start)


def _dice() -> None:
    Session().change("seed", random.randrange(KNOBS["seed"].high + 1))


def _pin() -> None:
    session = Session()
    if st.session_state["pin"] is not None:
        st.session_state["pin"] = None
        return
    try:
        question(session.values).runs()
    except RnnvizError as problem:
        session.complaints[:] = [f"pin: only a run can be pinned. {plain(problem)}"]
    else:
        st.session_state["pin"] = dict(session.values)


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

    subject = subject_of(question(session.values))
    for equation in equations(subject.focus, subject.stream):
        st.markdown(f"**{equation.title}**")
        st.latex(equation.latex)
        st.markdown(equation.meaning)
