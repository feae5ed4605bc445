"""What comes from the browser may be forged; what goes there is exact."""

import base64
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnnviz.figures.theme import THEMES
from rnnviz.ui.stage import SOURCES, Ask, dressed, encoded
from tests.ui.hostile import JSON, TEXTS

FIELDS = ("id", "live", "visible", "drawn", "held", "theme", "changes", "tick")
QUESTIONS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))


def decoded(part):
    """Written again: plotly's typed arrays, little-endian."""
    flat = np.frombuffer(base64.b64decode(part["bdata"]), {"f4": "<f4", "f8": "<f8", "u1": "u1"}[part["dtype"]])
    return flat.reshape([int(size) for size in part["shape"].split(",")]) if "shape" in part else flat


@given(JSON | QUESTIONS)
def test_whatever_comes_is_a_question(given):
    asked = Ask.of(given)
    assert isinstance(asked.id, int)
    assert isinstance(asked.live, bool)
    assert asked.theme in ("light", "dark", None)
    assert asked.visible is None or all(isinstance(name, str) for name in asked.visible)
    assert len(asked.changes) <= 20
    dict(asked.changes)


def test_a_question_is_what_was_asked():
    sent = {
        "id": 7,
        "live": True,
        "visible": ["norms", "units"],
        "drawn": {"norms": "a"},
        "held": {"map": "b"},
        "tick": True,
        "theme": "dark",
        "changes": {"length": 5},
    }
    seen, drawn, held = frozenset({"norms", "units"}), {"norms": "a"}, {"map": "b"}
    assert Ask.of(sent) == Ask(7, True, seen, drawn, held, "dark", {"length": 5}, tick=True)
    assert Ask.of({"visible": []}) == Ask(visible=frozenset())


@pytest.mark.parametrize(
    "forged",
    [
        None,
        [],
        "x",
        {"id": "1", "live": "yes", "visible": "norms", "theme": "<b>", "changes": ["length"]},
        {"id": 1.5, "live": 1, "tick": 1, "visible": {"norms": True}, "theme": ["dark"], "changes": "length=5"},
        {"id": None, "changes": {str(i): i for i in range(21)}},
    ],
)
def test_what_is_forged_is_left_out(forged):
    assert Ask.of(forged) == Ask()


def test_a_long_list_of_charts_is_cut():
    assert len(Ask.of({"visible": [str(i) for i in range(10_000)]}).visible) == 50


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, max_side=5)))
def test_floats_arrive_as_float32_unless_it_cannot_hold_them(array):
    large = (np.abs(array[np.isfinite(array)]) > 3e38).any()
    np.testing.assert_array_equal(decoded(encoded(array)), array if large else array.astype(np.float32))


def test_the_browser_knows_every_kind_of_array():
    """The unrolled network is drawn by the page's own script, which decodes what plotly decodes elsewhere."""
    known = re.search(r"const TYPES = \{(.*?)\}", (SOURCES / "stage.js").read_text(encoding="utf-8")).group(1)
    for array in (np.zeros(2), np.array([1e300]), np.array([-np.inf]), np.zeros(2, np.uint8)):
        assert f"{encoded(array)['dtype']}:" in known


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(12, dtype=np.float64).reshape(3, 4).T,
        np.arange(10.0)[::-2],
        np.arange(-3, 4),
        np.array([True, False]),
        np.array([0, 255], np.uint8),
        np.array([np.nan, np.inf, -np.inf, -0.0]),
        np.array([np.nan, np.nan]),
        np.array([1e39, -1e308]),
        np.empty((0,)),
        np.empty((0, 3)),
    ],
    ids=str,
)
def test_every_kind_of_array_arrives(array):
    sent = encoded(array)
    assert (sent["dtype"] == "u1") == (array.dtype == np.uint8)
    np.testing.assert_array_equal(decoded(sent), array)
    assert decoded(sent).shape == array.shape
    json.dumps(sent, allow_nan=False)


def test_the_rest_of_a_figure_stays_as_it_is():
    figure = {"a": [1, "x", None, True, (2.5, np.float64(3.0))], "b": {"c": np.int64(4), "d": np.array(["x", "é"])}}
    assert encoded(figure) == {"a": [1, "x", None, True, [2.5, 3.0]], "b": {"c": 4, "d": ["x", "é"]}}
    assert encoded([float("nan"), np.float32("inf"), -np.inf]) == [None] * 3  # JSON has no such numbers


@given(TEXTS)
def test_texts_are_not_touched(text):
    assert encoded({"text": text}) == {"text": text}


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_stage_has_the_colours_of_the_theme(theme):
    found = dressed(theme)
    assert (found["negative"], found["zero"], found["positive"]) == theme.diverging
    for name in ("name", "ink", "paper", "faint", "grid", "accent", "vanishing", "steady", "exploding", "scale"):
        assert found[name] == getattr(theme, name)
    assert dressed(theme.projected)["scale"] == theme.projected.scale > 1.0
