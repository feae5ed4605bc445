"""What the tests of several charts share: subjects, every kind of run, and a look at a drawing."""

import numpy as np
import plotly.graph_objects as go
import pytest

from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import Config
from rnnviz.figures.chart import Drawing, Subject, View
from rnnviz.figures.theme import THEMES

LIGHT = THEMES["light"]

# Settings at the edges of what can be asked.
EDGES = {
    "every": {"loss": "every", "length": 40},
    "deep": {"layers": 2, "length": 30},
    "deep, every": {"layers": 2, "loss": "every", "length": 30},
    "one step": {"length": 1},
    "one step, every": {"length": 1, "loss": "every"},
    "two steps": {"length": 2, "loss": "every"},
    "last of the bars": {"length": 25, "loss": "every"},
    "first of the maps": {"length": 26, "loss": "every"},
    "two units": {"hidden_size": 2, "length": 40, "loss": "every"},
    "zero": {"weight_scale": 0.0, "length": 30, "loss": "every"},
    "zero, last": {"weight_scale": 0.0, "length": 30},
    "strong": {"weight_scale": 20.0, "length": 25, "loss": "every"},
    "norm": {"clip": "norm", "length": 30},
    "value": {"clip": "value", "clip_threshold": 1e-3, "length": 30},
    "signal": {"clip": "hidden_norm", "length": 30},
    "truncated": {"truncation": "chunked", "length": 30, "loss": "every"},
    "last output": {"head": "last_output", "length": 30},
}


def subject(name="rnn", stream=0, **settings) -> Subject:
    return Subject((Run(name, VARIANTS[name].config(Config(**settings))),), View(stream=stream))


def every_subject():
    """All variants by all edges, every stream of the bidirectional and deep ones at one end or the other."""
    for name in VARIANTS:
        for edge, settings in EDGES.items():
            for stream in (0, 7):
                yield pytest.param(subject(name, stream, **settings), id=f"{name}, {edge}, {stream}")


EVERY_SUBJECT = list(every_subject())
OVERFLOW = {"weight_scale": 20.0, "length": 1000}


def assert_drawn(drawing: Drawing) -> None:
    """Plotly accepts the figure, and its words are sentences."""
    figure = go.Figure(drawing.figure)
    assert not drawing.figure or figure.layout.uirevision == "keep"
    for sentence in (drawing.answer, *drawing.notes):
        assert sentence.endswith("."), sentence
        assert sentence[0].isupper(), sentence
        for wrong in ("nan", "inf ", "inf-", " 1 steps", "None", "  "):
            assert wrong not in sentence, sentence


def assert_no_long_lists(part) -> None:
    """What is long is an array, which the page sends as bytes."""
    if isinstance(part, dict):
        for below in part.values():
            assert_no_long_lists(below)
    elif isinstance(part, list | tuple):
        assert len(part) < 100
        for below in part:
            assert_no_long_lists(below)


def numbers(part) -> list[np.ndarray]:
    """Every array of a figure."""
    if isinstance(part, dict):
        return [found for below in part.values() for found in numbers(below)]
    if isinstance(part, list | tuple):
        return [found for below in part for found in numbers(below)]
    return [part] if isinstance(part, np.ndarray) else []


def type_sizes(part) -> list[float]:
    """Every size of type of a figure."""
    if isinstance(part, dict):
        here = [part["size"]] if "size" in part and "color" in part and "symbol" not in part else []
        return here + [size for name, below in part.items() if name != "marker" for size in type_sizes(below)]
    return [size for below in part for size in type_sizes(below)] if isinstance(part, list) else []


def assert_fits_themes(draw, asked: Subject) -> None:
    """Both pages have its colours; for a projector type is larger."""
    for theme in THEMES.values():
        plain, large = draw(asked, theme).figure, draw(asked, theme.projected).figure
        assert plain["layout"]["paper_bgcolor"] == theme.paper
        assert sum(type_sizes(large)) > 1.3 * sum(type_sizes(plain))
