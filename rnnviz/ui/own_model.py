"""What the page "Your model" shows: a visitor's weights on a visitor's inputs, or the sample."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz import RnnvizError
from rnnviz.experiments.knobs import knob, knobs
from rnnviz.experiments.own_model import MOMENTS, NAMES, OwnModel, reach, sample
from rnnviz.experiments.tables import to_csv, to_npz
from rnnviz.experiments.weight_files import EXPORT
from rnnviz.experiments.weights import Recurrent
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.ui.controls import Session
from rnnviz.ui.own_files import OPENED, Files, files
from rnnviz.ui.scene import Scene
from rnnviz.ui.settings import Sheet
from rnnviz.ui.tools import quoted

MOST_MB = 20  # of a file of weights, as in .streamlit/config.toml
OPEN = "Open your model"
SAMPLE = "The sample: a small LSTM at three moments while rnnviz trained it to add two marked numbers of a sequence."
EXPORTING = f"""In Python, beside your model:

```
import safetensors.torch

{EXPORT}
```

A whole model will do: the page finds the recurrent modules by the names of their parameters. So will
`numpy.savez("weights.npz", **{{name: value.numpy() for name, value in model.state_dict().items()}})`. Pickles (`.pt`,
`.pth`) are not opened here, because they can run code."""
READOUT = """No gradient of *your* loss is in this file: the page puts a fixed random readout on the last step (or on
every step) and a squared error on that. For your real loss, on your real batches, use `rnnviz.watch` in your own loop:

```
with rnnviz.watch(model) as watch:
    train(model)
```"""
STAND_IN = (
    "No gradient of your loss is in this file: a fixed random readout stands in for it. For your real loss use "
    "rnnviz.watch."
)
LINK = "This link opens these settings, seed included, on the sample: your files are not in it, and not kept."


@dataclass(frozen=True)
class OwnView(View):
    """How the charts show a user's own model: its runs have names of their own, and it may be deep."""

    focus: str = knob(
        "first",
        "Shown in detail",
        "Which of the moments of training the charts below show.",
        choices={"first": "The first one", **dict(zip(NAMES, MOMENTS.values(), strict=True))},
    )
    stream: int = knob(0, "Layer and direction", knobs(View)["stream"].help, low=0, high=15)


def subject_of(values: Mapping[str, Any], pin: Mapping[str, Any] | None = None) -> Subject:
    """The visitor's model, or the sample's three moments.

    Raises:
        RnnvizError: for a choice that the files do not have, or a run over the budget.
    """
    return Subject(files().runs(OWN.part(OwnModel, values)), OWN.part(OwnView, values))


OWN = Sheet(
    "your_model",
    (OwnModel, OwnView),
    {"focus": NAMES[-1]},
    hideable=(OPENED, "share", "downloads", "reset", "dice"),
)
SCENE = Scene(
    "own",
    OWN,
    CHARTS,
    subject_of,
    detail=("focus", "stream"),
    first_seen=frozenset({"norms", "states"}),
    version=lambda: (files().taken,),
)


def opening(session: Session) -> None:
    """The box for files, and beside it what can be chosen of them, or what the sample is."""
    held = files()
    own = bool(held.weights or held.table)
    with st.container(horizontal=True, vertical_alignment="bottom" if own else "center", gap="small"):
        if session.shows(OPENED):
            box = st.popover(OPEN, icon=":material/upload_file:", key=OPENED, on_change="rerun")
            if box.open:
                with box:
                    _fill(session, held)
        if own:
            _choices(session, held)
        else:
            st.markdown(SAMPLE)


def _fill(session: Session, held: Files) -> None:
    """The uploaders, and how to make a file for them."""
    _uploader(session, held, "weights", "Weights", ["safetensors", "npz"], MOST_MB)
    _uploader(session, held, "inputs", "Inputs, if you like", ["csv", "npy"], 10)
    if held.weights or held.table:
        st.button("Back to the sample", icon=":material/undo:", key="drop", on_click=held.drop, args=(session,))
    st.markdown(EXPORTING)
    st.markdown(READOUT)


def _uploader(session: Session, held: Files, name: str, label: str, kinds: list[str], most: int) -> None:
    st.file_uploader(
        label,
        kinds,
        key=f"{name} {held.taken}",
        max_upload_size=most,
        on_change=held.take,
        args=(session, name),
        help="Read on the server and kept until you close the page; never stored.",
    )


def module() -> Recurrent | None:
    """The module that is shown, if there is one of that name."""
    session, held = Session(OWN), files()
    present = held.weights or sample()[-1]
    return present.named.get(session.values["module"]) if session.values["module"] else present.modules[0]


def _choices(session: Session, held: Files) -> None:
    """The module, its activation, the columns that it reads."""
    shown = module()
    if held.weights and len(held.weights.modules) > 1:
        modules = {each.prefix: each.label for each in held.weights.modules}
        _pick(session, "module", modules, next(iter(modules)))
    if shown and shown.cell == "rnn":
        session.control("nonlinearity")
    if held.table and shown:
        columns = {str(place): name for place, name in enumerate(held.table.columns, start=1)}
        if shown.input_size == 1:
            _pick(session, "columns", columns, "1")
        elif shown.input_size < len(columns):
            _pick_several(session, "columns", columns, shown.input_size)
        session.control("standardise")


def _pick(session: Session, name: str, options: Mapping[str, str], first: str) -> None:
    """A box for a setting whose choices are known only from a file."""
    declared, value = session.sheet.knobs[name], session.values[name]
    st.session_state[name] = value if value in options else first
    taken = _taken(session, name)
    st.selectbox(
        declared.label, list(options), format_func=options.get, key=name, help=declared.help, on_change=taken, width=280
    )


def _pick_several(session: Session, name: str, options: Mapping[str, str], count: int) -> None:
    """The same for several of them at once."""
    declared, given = session.sheet.knobs[name], session.values[name].split(",")
    st.session_state[name] = [value for value in given if value in options] or list(options)[:count]
    st.multiselect(
        declared.label,
        list(options),
        format_func=options.get,
        key=name,
        help=declared.help,
        max_selections=count,
        on_change=_taken(session, name),
        width=280,
    )


def _taken(session: Session, name: str) -> Callable[[], None]:
    def take() -> None:
        value = st.session_state[name]
        session.change(name, ",".join(value) if isinstance(value, list) else value)

    return take


def told(session: Session) -> None:
    """What is on the screen, what it reads, and how far back its gradient reaches."""
    held, shown, words = files(), module(), ""
    if held.weights:
        words = f"{held.weights.name}, {shown.label}. " if shown else f"{held.weights.name}. "
    with suppress(RnnvizError):  # the stage says it, where the charts would be
        sentence = reach(held.runs(OWN.part(OwnModel, session.values), keep=True))
        words += _reads(held, session.values["length"])
        words = f"{quoted(words)}**{sentence}**" if sentence else quoted(words)
    st.markdown(words)
    if held.weights:
        st.caption(STAND_IN)


def _reads(held: Files, length: int) -> str:
    """What the model reads."""
    if not held.table:
        return "It reads white noise: there are no inputs yet. " if held.weights else ""
    steps = len(held.table.values)
    ends = f", which ends after {steps} steps" if steps < length else ""
    return f"It reads {held.table.name}{ends}. "


def downloads(session: Session) -> None:
    """The numbers as files, each made when its button is pressed."""
    held, values = files(), session.values
    try:
        held.runs(OWN.part(OwnModel, values), keep=True)
    except RnnvizError:
        st.caption("There is nothing to take away: the page says why.")
        return

    def made(make: Callable) -> Callable[[], str | bytes]:
        def make_it() -> str | bytes:
            try:
                return make(held.runs(OWN.part(OwnModel, values)))
            except RnnvizError as problem:
                return f"{problem}\n"

        return make_it

    for label, name, mime, make in (
        ("Numbers (CSV)", "rnnviz.csv", "text/csv", to_csv),
        ("Arrays (npz)", "rnnviz.npz", "application/octet-stream", to_npz),
    ):
        st.download_button(label, made(make), name, mime, on_click="ignore", key=f"get_{name}", width="stretch")
    st.caption("PNG and SVG: the camera and the disk at the top right of each chart.")
