"""A flow in a file is the same flow; anything else is a sentence."""

import io
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz.core.archive import open_archive
from rnnviz.core.cells import CELLS
from rnnviz.core.flow_file import load_flow


def saved(flow) -> bytes:
    file = io.BytesIO()
    flow.save(file)
    return file.getvalue()


SMALL = saved(rnnviz.run(rnnviz.Config(cell="lstm", length=3, hidden_size=2, input_size=1)))


def assert_same(found, expected) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
    elif expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"layers": 2, "bidirectional": True}, {"weight_scale": 9.0, "nonlinearity": "linear", "length": 800}],
)
def test_everything_comes_back(cell, settings):
    flow = rnnviz.run(rnnviz.Config(**{"cell": cell, "hidden_size": 5, "length": 12} | settings))
    loaded = load_flow(io.BytesIO(saved(flow)))
    for each in fields(flow):
        if each.name != "streams":
            assert_same(getattr(loaded, each.name), getattr(flow, each.name))
    assert repr(loaded.readings) == repr(flow.readings)
    assert loaded.findings == flow.findings
    for ours, theirs in zip(loaded.streams, flow.streams, strict=True):
        assert repr(ours) == repr(theirs)
        assert_same(ours.weight_hh, theirs.weight_hh)
        assert_same(ours.weight_ih, theirs.weight_ih)
        assert_same(ours.input_bias, theirs.input_bias)
        assert_same(ours.recurrent_bias, theirs.recurrent_bias)


def test_a_named_file_and_the_one_door_for_all(tmp_path):
    flow = rnnviz.run(rnnviz.Config(length=5))
    flow.save(tmp_path / "run.npz")
    assert_same(rnnviz.load(tmp_path / "run.npz").adjoint, flow.adjoint)
    result = rnnviz.sweep({"weight_scale": (0.5, 2.0)}, rnnviz.Config(length=5))
    result.save(tmp_path / "sweep.npz")
    assert_same(rnnviz.load(tmp_path / "sweep.npz").columns, result.columns)


def changed(**arrays) -> io.BytesIO:
    """The small file with other arrays in it, or without those that are None."""
    file = io.BytesIO()
    with np.load(io.BytesIO(SMALL)) as old:
        np.savez(file, **{name: value for name, value in (dict(old) | arrays).items() if value is not None})
    return file


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"adjoint": None}, "holds something else"),
        ({"adjoint": np.ones((1, 4, 1, 3))}, "has arrays of other sizes"),
        ({"adjoint": np.ones((1, 3, 1, 2))}, "has arrays of sizes that do not go together"),
        ({"hidden": np.ones((1, 4, 1, 2), np.float32)}, "has arrays of another type"),
        ({"hidden": np.array([None])}, "has arrays of another type"),
        ({"settings": np.array("x" * 10_000_001)}, "has arrays of another type"),
        ({"settings": np.array("[]")}, "holds something else"),
        ({"settings": np.array('{"format": "other"}')}, "has another format"),
        ({"settings": np.array('{"format": "rnnviz flow 1", "cell": "x"}')}, "holds something else"),
    ],
)
def test_what_is_no_flow_is_a_sentence(arrays, why):
    with pytest.raises(rnnviz.RnnvizError) as problem:
        load_flow(changed(**arrays))
    assert str(problem.value) == f"path: must be a file that GradientFlow.save has written, got one that {why}."


def test_a_zip_bomb_is_not_unpacked():
    bomb = io.BytesIO()
    np.savez_compressed(bomb, hidden=np.zeros(1_000_000))
    sentence = "path: must be a file that save has written, got one that has unpacked 8 MB, where 4 MB are allowed."
    with pytest.raises(rnnviz.RnnvizError, match=sentence), open_archive(bomb, "save", 1_000_000):
        pytest.fail("it was opened")


@given(st.data())
def test_a_damaged_file_is_a_sentence_or_still_a_flow(data):
    damaged = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    try:
        steps, said = rnnviz.load(io.BytesIO(bytes(damaged))).steps, ""
    except rnnviz.RnnvizError as problem:
        steps, said = 0, str(problem)
    assert steps == 3 or " must " in said


def test_the_table_has_a_line_for_every_row():
    flow = rnnviz.run(rnnviz.Config(cell="lstm", length=6, bidirectional=True, hidden_size=4))
    frame = flow.to_frame()
    assert len(frame) == 2 * 7
    backward = frame[frame.direction == "backward"].set_index("step")
    np.testing.assert_array_equal(backward.log10_norm_dh.loc[1:7], flow.log10_norm[1, :, 0])
    np.testing.assert_array_equal(backward.cell_norm.loc[3], np.linalg.norm(flow.cell[1, 2, 0]))
    forward = frame[frame.direction == "forward"].set_index("step")
    np.testing.assert_array_equal(forward.log10_norm_dc.loc[0:6], flow.cell_log10_norm[0, :, 0])
    assert set(frame.status) <= {"ordinary", "zero"}
    assert rnnviz.run(rnnviz.Config(length=3)).to_frame().log10_norm_dc.isna().all()


def test_without_pandas_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(rnnviz.RnnvizError, match="to_frame: must have pandas at hand, got none; install it with pip"):
        rnnviz.run(rnnviz.Config(length=3)).to_frame()
