"""What a chart is: a function from a subject to a drawing, listed once, with the question that it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rnnviz.core.cells import CELLS
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.knobs import Checked, knob, knobs
from rnnviz.figures.theme import Theme

GATES = {name: f"Gate {name}" for cell in CELLS.values() for name in cell.gates}


@dataclass(frozen=True)
class View(Checked):
    """How the charts show what was found; nothing here changes a number.

    Raises:
        ConfigError: for a value that is not allowed; the sentence names the field, what is allowed and what came.
    """

    focus: str = knob(
        "first",
        "Shown in detail",
        "Which of the compared networks the charts below show.",
        choices={"first": "The first one", **{name: variant.label for name, variant in VARIANTS.items()}},
    )
    stream: int = knob(
        -1,
        "Layer and direction",
        "Which chain of a deep or bidirectional network the sentence and the maps are about, in the order of torch's "
        "h_n; without a choice (-1) the one of the top layer with the longest way back from the loss.",
        low=-1,
        high=7,
    )
    measure: str = knob(
        "relative",
        "Measured",
        "Against the gradient at the loss: what share of the signal arrives. Or as it is: ‖∂L/∂h‖ itself, which also "
        "depends on how large the loss is; with clipping of the signal or the number types' limits it is always that.",
        choices={"relative": "Against the loss", "absolute": "As it is"},
    )
    overlays: tuple[str, ...] = knob(
        (),
        "Overlays",
        "Theory and limits over the measured curve.",
        choices={
            "bound": "Bound (γ σ_max)ᵏ",
            "lyapunov": "Lyapunov slope",
            "limits": "float32 and float64 limits",
        },
        low=0,
        many=3,
    )
    states: str = knob(
        "hidden",
        "Shows",
        "Hidden states h; the cell states c of an LSTM; or one of the gates.",
        choices={"hidden": "Hidden state h", "cell": "Cell state c", **GATES, "g": "Candidate g", "n": "Candidate n"},
    )
    shade: str = knob(
        "step",
        "Colours",
        "Per step: each step's largest entry has the full colour, so that one sees who carries a vanished gradient. "
        "Whole run: sizes can be compared between steps. Log: powers of ten.",
        choices={"step": "Per step", "global": "Whole run", "log": "Log"},
    )
    projector: bool = knob(
        False,
        "Projector",
        "Larger type and thicker lines, for the back row.",
    )


def chosen_stream(flow: GradientFlow, view: View) -> int:
    """The stream that a view shows of a flow: its last when it has fewer, the verdict's when none is chosen."""
    if view.stream < 0:
        return next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
    return min(view.stream, len(flow.streams) - 1)


@dataclass(frozen=True, eq=False)
class Subject:
    """What charts are drawn from.

    Attributes:
        runs: the compared runs, at least one.
        view: how to show them.
        pinned: earlier runs that lie under the new ones.
    """

    runs: tuple[Run, ...]
    view: View = field(default_factory=View)
    pinned: tuple[Run, ...] = ()

    @property
    def focus(self) -> Run:
        """The run shown in detail: the chosen one, or the first when that is not among the compared."""
        return next((run for run in self.runs if run.name == self.view.focus), self.runs[0])

    @property
    def relative(self) -> bool:
        """Whether norms are shown against that at the loss; a threshold and float's ends need them as they are."""
        clipped = any(run.config.signal_clip for run in self.runs)
        return self.view.measure == "relative" and not clipped and "limits" not in self.view.overlays

    @property
    def stream(self) -> int:
        """The chosen stream of the focused run, or its last when it has fewer; the verdict's when none is chosen."""
        return chosen_stream(self.focus.flow, self.view)

    def offers(self, name: str) -> list[tuple[str, str]] | None:
        """(value, label) of a view's choices that make sense for these runs; None for all that it has."""
        flow = self.focus.flow if name in ("stream", "states") else None
        if name == "focus":
            return [(run.name, run.label) for run in self.runs]
        if name == "stream":
            return [(str(s), stream.label) for s, stream in enumerate(flow.streams)]
        if name == "states":
            known = {"hidden", *(["cell"] if flow.cell is not None else []), *flow.gates}
            return [(value, label) for value, label in knobs(View)["states"].choices.items() if value in known]
        return None

    def shown(self, name: str, value: Any) -> Any:
        """What a view shows when a value is chosen: the runs, a threshold or a limit may decide otherwise."""
        measured = "relative" if self.relative else "absolute"
        return {"focus": self.focus.name, "stream": str(self.stream), "measure": measured}.get(name, value)


class Badge(NamedTuple):
    """A few words about one of what a chart compares.

    Attributes:
        label: which.
        text: the words.
        kind: what they mean: "vanishing", "steady", "exploding" or "undefined", as in `Reading.kind`; "solved" or
            "diverged" of a course.
        colour: of its lines.
    """

    label: str
    text: str
    kind: str
    colour: str


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a chart function gives.

    Attributes:
        figure: a plotly figure as a plain dict of data and layout, which is some ten times faster to build than a
            `go.Figure`; `go.Figure(figure)` makes one, and checks it. Empty where there is nothing to draw.
        answer: one plain sentence, computed from the run.
        notes: further sentences: what a reader must know.
        badges: one for each of what is compared.
    """

    figure: dict[str, Any]
    answer: str
    notes: tuple[str, ...] = ()
    badges: tuple[Badge, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart in the table.

    Attributes:
        name: the word in links and files.
        draw: its function.
        views: fields of `View` that belong to it alone.
        steps: which axes count steps, "x", "xy" or "x2": a selected step is marked on them; "own" for what is no plotly
            figure, and drawn by the page; "walk" for paths along which the page walks; "" for none.
        still: how many of its first traces stay while the others move with a setting, and are sent once.
    """

    name: str
    draw: Callable[[Any, Theme], Drawing]
    views: tuple[str, ...] = ()
    steps: str = "x"
    still: int = 0

    @property
    def question(self) -> str:
        """The first line of the function's docstring."""
        return self.draw.__doc__.splitlines()[0]

    @property
    def symbols(self) -> str:
        """What every symbol on it means: the second paragraph of the docstring, on one line."""
        return " ".join(self.draw.__doc__.split("\n\n")[1].split())
