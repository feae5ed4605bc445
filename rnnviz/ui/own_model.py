"""What the page "Your model" shows: a visitor's weights on a visitor's inputs, or the sample."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz import RnnvizError
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.knobs import knob, knobs
from rnnviz.experiments.own_model import LARGE, MOMENTS, NAMES, OwnModel, largest_input, left_out, reach, sample
from rnnviz.experiments.weight_files import EXPORT
from rnnviz.experiments.weights import Recurrent
from rnnviz.figures.chart import Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.ui import tools
from rnnviz.ui.controls import Session
from rnnviz.ui.own_files import OPENED, Files, files
from rnnviz.ui.scene import Scene
from rnnviz.ui.settings import Sheet
from rnnviz.ui.tools import quoted

MOST_MB = 20  # of a file of weights, as in .streamlit/config.toml
MOST_INPUTS_MB = 10
OPEN = "Open your model"
SAMPLE = "The sample: a small LSTM at three moments while rnnviz trained it to add two marked numbers of a sequence."
EXPORTING = f"""In Python, beside your model:

```
import safetensors.torch
{EXPORT}
```

A whole model will do: the page finds its recurrent modules by the names of their parameters. An `.npz` with the same
names will do too. Pickles (`.pt`, `.pth`) are not opened here, because they can run code."""
READOUT = """No gradient of *your* loss is in this file: a fixed random readout with a squared error stands in for it.
For your real loss, on your real batches, use `rnnviz.watch` in your own loop:

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
    stream: int = knob(-1, "Layer and direction", knobs(View)["stream"].help, low=-1, high=15)


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


def opening(session: Session, facts: str) -> None:
    """The box for files, and beside it what is shown of them, or what the sample is; under it what can be chosen."""
    held = files()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if session.shows(OPENED):
            icon = ":material/upload_file:"
            box = st.popover(OPEN, icon=icon, key=OPENED, on_change=held.opened, args=(session,))
            if box.open:
                with box:
                    _fill(session, held)
        st.markdown(quoted(facts) if held.weights else f"{SAMPLE} {quoted(facts)}")
    if held.weights or held.table:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            _choices(session, held)


def _fill(session: Session, held: Files) -> None:
    """The uploaders, and how to make a file for them."""
    _uploader(session, held, "weights", f"Weights: .safetensors or .npz, at most {MOST_MB} MB", MOST_MB)
    _uploader(
        session, held, "inputs", f"Inputs, if you like: .csv or .npy, at most {MOST_INPUTS_MB} MB", MOST_INPUTS_MB
    )
    if held.weights or held.table:
        st.button("Back to the sample", icon=":material/undo:", key="drop", on_click=held.drop, args=(session,))
    st.markdown(EXPORTING)
    st.markdown(READOUT)


def _uploader(session: Session, held: Files, name: str, label: str, most: int) -> None:
    """Takes any kind of file, so that it is answered in our words and not by the browser alone."""
    st.file_uploader(
        label,
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


def told(session: Session) -> tuple[str, str]:
    """What is on the screen and what it reads; and how far back its gradient reaches, "" where there is no run."""
    held, sentence = files(), ""
    words = f"{named(held)}. " if held.weights else ""
    with suppress(RnnvizError):  # the stage says it, where the charts would be
        runs = held.runs(OWN.part(OwnModel, session.values), keep=True)
        alone = Subject(runs, OWN.part(OwnView, session.values)).stream if len(runs) == 1 else None
        sentence = reach(runs, alone)
        words += _reads(held, session.values["length"]) + _warning(runs, session.values["standardise"])
    return words.strip(), sentence


def named(held: Files) -> str:
    """The file of weights and the module of it that is shown."""
    shown = module()
    return f"{held.weights.name}, {shown.label}" if shown else held.weights.name


def headline(sentence: str) -> None:
    """The finding, and what it is a finding of."""
    if sentence:
        st.markdown(f"**{quoted(sentence)}**")
    if files().weights:
        st.caption(STAND_IN)


def tells_of_the_run() -> bool:
    """Whether something outside the stage speaks of the present settings: the headline names a deep model's stream."""
    shown = module() if files().weights else None
    return tools.tells_of_the_run() or bool(shown and shown.layers * shown.directions > 1)


def _warning(runs: tuple[Run, ...], standardise: bool) -> str:
    """That the inputs are far from unit size, "" when they are not."""
    largest = max(map(largest_input, runs))
    if standardise or largest <= LARGE:
        return ""
    return f"Its inputs reach {largest:.3g}, which saturates most networks: Standardise brings them to 1. "


def _reads(held: Files, length: int) -> str:
    """What the model reads."""
    if not held.table:
        return "It reads white noise: there are no inputs yet. " if held.weights else ""
    steps = len(held.table.values)
    ends = f", which ends after {steps} steps" if steps < length else f", {length} of its {steps} steps"
    without = f"Columns {left_out(held.table)}. " if held.table.left_out else ""
    return f"It reads {held.table.name}{ends if steps != length else ''}. {without}"
