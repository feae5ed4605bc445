"""What every chart in the table keeps, whoever wrote it; and the palette that all of them share."""

import itertools
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from rnnviz.core.cells import CELLS
from rnnviz.experiments.comparison import VARIANTS, Comparison
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import knobs
from rnnviz.experiments.training import LEARNERS
from rnnviz.figures.chart import GATES, Subject, View
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.theme import STYLES, THEMES
from rnnviz.ui.stage import encoded
from tests.figures.drawings import numbers

PAGES = {f"{name}{', projected' * large}": theme.projected if large else theme
         for name, theme in THEMES.items() for large in (False, True)}  # fmt: skip
FAMILIES = {cell: [name for name in VARIANTS if VARIANTS[name].changes["cell"] == cell] for cell in CELLS}
SENTENCE = re.compile(r"[^.]*[^\s.].*\.", re.DOTALL)


def subject(*names, view=None, **settings):
    return Subject(Comparison(names).runs(Config(**{"length": 12, "hidden_size": 6} | settings)), view or View())


SUBJECTS = {
    "three": subject("rnn", "lstm_3", "linear"),
    "alone": subject("bilstm", layers=2, loss="every"),
    "clipped": subject("gru", clip="norm"),
    "clipped signal": subject("rnn", clip="hidden_norm", weight_scale=3.0),
    "zero": subject("relu", weight_scale=0.0),
    "overflow": subject("linear", weight_scale=20.0, length=600),
    "one step": subject("birnn", length=1),
    "one unit": subject("lstm", hidden_size=1, loss="every"),
    "overlays": subject("rnn", "gru", view=View(overlays=("bound", "lyapunov", "limits"))),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_says_what_it_asks_and_what_its_symbols_mean(chart):
    assert CHARTS[chart.name] is chart
    assert chart.question.endswith("?")
    assert len(chart.question) < 60
    assert len(chart.symbols) > 80
    assert chart.symbols.endswith(".")
    assert "\n" not in chart.symbols
    assert set(chart.views) <= set(knobs(View))
    assert chart.steps in ("", "x", "x2", "xy", "own")


def test_every_view_belongs_to_one_chart_or_to_the_page():
    owned = [name for chart in CHARTS.values() for name in chart.views]
    assert len(owned) == len(set(owned))
    assert set(knobs(View)) == {*owned, "focus", "stream", "projector"}
    assert len({chart.question for chart in CHARTS.values()}) == len(CHARTS)


@pytest.mark.parametrize("theme", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("shown", SUBJECTS.values(), ids=SUBJECTS)
def test_every_chart_of_every_kind_of_run_on_every_page(shown, chart, theme):
    drawing = chart.draw(shown, theme)
    if chart.steps != "own" and drawing.figure:
        figure = go.Figure(drawing.figure)
        assert figure.layout.paper_bgcolor == theme.paper
        assert figure.data
    assert all(array.dtype.kind in "fiub" for array in numbers(drawing.figure))
    encoded(drawing.figure)
    for sentence in (drawing.answer, *drawing.notes):
        assert SENTENCE.fullmatch(sentence), sentence
        assert "\n" not in sentence
        for wrong in ("nan", " inf", "None", "not a number of", "  "):
            assert wrong not in sentence, sentence


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_leaves_its_run_as_it_was(chart):
    asked = subject("lstm", loss="every")
    before = {name: np.copy(value) for name, value in vars(asked.focus.flow).items() if isinstance(value, np.ndarray)}
    first, second = (chart.draw(asked, THEMES["light"]) for _ in range(2))
    assert first.answer == second.answer
    assert encoded(first.figure) == encoded(second.figure)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(asked.focus.flow, name), value)


def test_what_is_in_focus():
    shown = subject("rnn", "gru", view=View(focus="gru", stream=5))
    assert shown.focus is shown.runs[1]
    assert shown.stream == 0
    assert subject("rnn", "gru", view=View(focus="bigru")).focus.name == "rnn"
    assert subject("birnn", layers=2, view=View(stream=2)).stream == 2


def test_the_gates_of_all_cells_can_be_chosen():
    assert list(GATES) == ["i", "f", "g", "o", "r", "z", "n"]


def luminance(colour):
    """Relative luminance of #RRGGBB. Source: WCAG 2.1."""
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_as_the_standard_has_it():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("name", STYLES)
def test_the_colour_of_every_network_can_be_read_as_text(name, theme):
    assert contrast(theme.colour(name), theme.paper) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("role", ["ink", "faint", "accent", "vanishing", "steady", "exploding"])
def test_every_role_can_be_read_as_text(role, theme):
    assert contrast(getattr(theme, role), theme.paper) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_both_ends_of_the_signed_colours_stand_out_from_their_middle(theme):
    low, middle, high = theme.diverging
    assert middle == theme.paper
    assert min(contrast(low, middle), contrast(high, middle)) >= 3.0


def test_every_network_has_a_style_of_its_own():
    assert set(STYLES) == {*VARIANTS, *LEARNERS, "own", "own_2", "own_3", "own_4"}
    for theme in THEMES:
        assert len({getattr(style, theme) for style in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_of_one_family_are_told_apart_without_colour(family):
    for one, other in itertools.combinations(FAMILIES[family], 2):
        assert STYLES[one].dash != STYLES[other].dash or STYLES[one].marker != STYLES[other].marker


def test_no_two_networks_share_their_marker():
    assert len({style.marker for style in STYLES.values()}) == len(STYLES)


def test_a_projected_page_has_larger_type_and_the_same_colours():
    for theme in THEMES.values():
        assert theme.projected.scale > theme.scale == 1.0
        assert theme.projected.paper == theme.paper
