"""What a training has found: its readings, and a file that keeps them and refuses everything else."""

import dataclasses
import io
import json
import zipfile
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.experiments.history import ARRAYS, EVERY, LARGEST_FILE, STATES, Course, History
from rnnviz.experiments.tasks import material
from rnnviz.experiments.training import Training
from tests.support import nonsense, refusal

TRAINING = Training(cells=("lstm", "irnn"), clips=("norm", "off"), length=6, updates=50, seed=3)


def course(learner, updates, state, seed=0):
    """A course with every field drawn, and the looks that one in its state has had."""
    generator, broken = np.random.default_rng(seed), state == "diverged"
    loss, before, after = generator.uniform(size=(3, updates))
    when = np.array(sorted({*range(0, updates + 1 - broken, EVERY)} | ({updates - 1} if broken else set())))
    when = when if updates else when[:0]
    looks = len(when)
    return Course(
        learner,
        loss,
        before,
        np.minimum(before, after),
        when,
        *generator.uniform(size=(2, looks)),
        when,
        generator.normal(size=(looks, 6)),
        state,
        0.25 * updates,
    )


@cache
def history():
    """Four courses, with the numbers that a broken one has."""
    states = (50, "finished"), (0, "waiting"), (12, "diverged"), (27, "training")
    courses = [
        course(learner, *state, k) for k, (learner, state) in enumerate(zip(TRAINING.learners, states, strict=True))
    ]
    courses[2].loss[-1], courses[2].norm_before[-1], courses[2].norm_after[-1] = np.nan, np.inf, np.inf
    courses[2].profile[0, 0] = -np.inf
    return History(TRAINING, tuple(courses))


def file_of(of: History) -> bytes:
    file = io.BytesIO()
    of.save(file)
    return file.getvalue()


@cache
def saved() -> bytes:
    return file_of(history())


def assert_same(one, other):
    assert one.training == other.training
    for mine, theirs in zip(one.courses, other.courses, strict=True):
        for field in dataclasses.fields(Course):
            expected, found = getattr(mine, field.name), getattr(theirs, field.name)
            np.testing.assert_array_equal(found, expected)
            if isinstance(expected, np.ndarray):
                assert found.dtype == expected.dtype


def test_a_file_keeps_everything(tmp_path):
    for path in (tmp_path / "history.npz", str(tmp_path / "no ending")):
        history().save(path)
        assert_same(History.load(path), history())
    assert_same(History.load(io.BytesIO(saved())), history())
    assert (tmp_path / "history.npz").read_bytes() == saved()


def test_a_file_object_is_read_from_its_start_and_stays_open():
    file = io.BytesIO(saved())
    file.read(100)
    History.load(file)
    assert_same(History.load(file), history())


@pytest.mark.parametrize("text", ["", "é€😀" * 60, "\x00\x01\n" * 60, "\ud800" * 150])
def test_a_text_of_any_characters_is_kept(text):
    training = Training(task="characters" if len(set(text)) > 1 else "adding", text=text, length=4, cells=("gru",))
    file = io.BytesIO()
    learnt = History(
        training, (dataclasses.replace(course(training.learners[0], 0, "waiting"), profile=np.empty((0, 4))),)
    )
    learnt.save(file)
    assert History.load(file).training == training


def test_numpy_reads_it_without_pickle():
    with np.load(io.BytesIO(saved()), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["lstm-uniform-norm.loss"], history().courses[0].loss)
        assert json.loads(str(arrays["settings"]))["training"]["seed"] == 3
        assert len(arrays.files) == 1 + 4 * len(ARRAYS)


def told(content) -> str:
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    message = refusal(History.load, file)
    assert message.endswith(".")
    assert "\n" not in message
    assert "/" not in message
    assert len(message) < 300
    return message


def ours(why):
    return f"path: must be a file that History.save has written, got one that {why}."


def changed(arrays=None, **words) -> bytes:
    """The saved file with other arrays (None takes one away) or other words in its settings."""
    with np.load(io.BytesIO(saved()), allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    about = json.loads(str(kept["settings"]))
    for place, value in words.items():
        where, name = place.split("__")
        target = about["courses"][0] if where == "course" else about["training"] if where == "training" else about
        target[name] = value
    kept |= {"settings": np.array(json.dumps(about))} | (arrays or {})
    made = io.BytesIO()
    np.savez(made, **{name: value for name, value in kept.items() if value is not None})
    return made.getvalue()


def test_the_helper_changes_nothing_by_itself():
    assert_same(History.load(io.BytesIO(changed())), history())


LOSS = "lstm-uniform-norm.loss"
OTHER, TYPE, SIZES, TOGETHER = (
    "has other arrays",
    "has arrays of another type",
    "has arrays of other sizes",
    ("has arrays of sizes that do not go together"),
)
NEVER = "tells of something that cannot have been"


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({LOSS: None}, OTHER),
        ({"more": np.ones(2)}, OTHER),
        ({"settings": None}, "holds something else"),
        ({"settings": np.ones(3)}, TYPE),
        ({"settings": np.array(["{}", "{}"])}, SIZES),
        ({"settings": np.array("[" * 100_000)}, "holds something else"),
        ({"settings": np.array("null")}, "holds something else"),
        ({"settings": np.array('{"format": "other"}')}, "has another format"),
        ({LOSS: np.ones(50, dtype=np.float32)}, TYPE),
        ({LOSS: np.ones(50, dtype=">f8")}, TYPE),
        ({LOSS: np.ones(50, dtype=complex)}, TYPE),
        ({LOSS: np.array([None] * 50)}, TYPE),
        ({LOSS: np.ones((50, 1))}, SIZES),
        ({LOSS: np.ones(51)}, SIZES),
        ({LOSS: np.ones(49)}, TOGETHER),
        ({"lstm-uniform-norm.profile": np.ones((3, 5))}, TOGETHER),
        ({"lstm-uniform-norm.profile": np.ones((3, 7))}, SIZES),
        ({"lstm-uniform-norm.evaluated": np.array([0, 25, 51])}, NEVER),
        ({"lstm-uniform-norm.evaluated": np.array([0, 25, 25])}, NEVER),
        ({"lstm-uniform-norm.profiled": np.array([-1, 0, 25])}, NEVER),
    ],
)
def test_other_arrays_are_refused(arrays, why):
    assert told(changed(arrays)) == ours(why)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"about__courses": []}, OTHER),
        ({"about__courses": 3}, "holds something else"),
        ({"about__training": []}, "holds something else"),
        ({"training__unknown": 1}, "holds something else"),
        ({"course__state": "asleep"}, NEVER),
        ({"course__state": "waiting"}, NEVER),
        ({"course__name": "lstm"}, NEVER),
        ({"course__seconds": -1}, NEVER),
        ({"course__seconds": float("nan")}, NEVER),
        ({"course__seconds": "soon"}, "holds something else"),
        ({"course__seconds": [1]}, "holds something else"),
        ({"training__cells": ["lstm", "gru"]}, OTHER),
    ],
)
def test_other_words_are_refused(words, why):
    assert told(changed(**words)) == ours(why)


def test_settings_out_of_bounds_have_the_sentence_of_their_field():
    assert told(changed(training__updates=-3)) == "updates: must be a whole number from 1 to 10000, got -3."
    assert told(changed(training__cells=["cnn"])).startswith("cells: must be 'rnn', ")
    assert told(changed(training__task="characters", training__text="ab")).startswith("text: must have at least ")
    assert told(changed(training__updates=10**30)).startswith("updates: must be a whole number from 1 to 10000")


def test_files_that_are_none(tmp_path):
    assert told(tmp_path / "secret" / "absent.npz") == ours("does not exist")
    assert told(tmp_path) == ours("is a folder or no ordinary file")
    (tmp_path / "pipe").symlink_to("/dev/zero")
    assert told(tmp_path / "pipe") == ours("is a folder or no ordinary file")
    (tmp_path / "text.npz").write_text("hello", encoding="utf-8")
    assert told(tmp_path / "text.npz") == ours("is no whole .npz")
    with (tmp_path / "large.npz").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert told(tmp_path / "large.npz") == ours("has 10 MB, where 10 MB are allowed")
    made = io.BytesIO()
    np.save(made, np.ones(3))
    assert told(made.getvalue()) == ours("is no whole .npz")
    assert told(b"") == ours("is no whole .npz")


@pytest.mark.parametrize("value", nonsense().values(), ids=nonsense())
def test_nonsense_is_refused(value):
    told(value)


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path):
    message = refusal(history().save, tmp_path / "absent" / "history.npz")
    assert message == "path: must be a file that can be written, got 'history.npz', which cannot."


@pytest.mark.parametrize("name", ["a\0b.npz", "a\ud800.npz", "", "x" * 5000])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    message = refusal(history().save, f"{tmp_path}/{name}" if name else name)
    assert message.startswith("path: must be a file that can be written, got '")
    assert message.endswith("', which cannot." if len(name) < 100 else "..., which cannot.")
    assert str(tmp_path) not in message
    assert message.encode()
    told(f"{tmp_path}/{name}" if name else name)


def test_a_file_that_is_open_otherwise_is_refused(tmp_path):
    sentence = "path: must be a file that can be written, got a {}, which cannot."
    for mode, kind in (("w", "TextIOWrapper"), ("rb", "BufferedReader")):
        (tmp_path / "file").touch()
        with (tmp_path / "file").open(mode) as file:
            assert refusal(history().save, file) == sentence.format(kind)
        assert refusal(history().save, file) == sentence.format(kind)  # closed by now
    assert refusal(history().save, 3) == sentence.format("int")


FINISHED, WAITING, DIVERGED, LEARNS = range(4)


def with_course(which, change=None, **fields) -> History:
    """The history with one course changed: fields that take the place of its own, or {array: (place, value)}."""
    courses = list(history().courses)
    for name, (place, value) in (change or {}).items():
        fields[name] = getattr(courses[which], name).copy()
        fields[name][place] = value
    courses[which] = dataclasses.replace(courses[which], **fields)
    return History(TRAINING, tuple(courses))


def cut(made, state):
    """A course like that of the history which learns, but with so many updates."""
    return vars(course(TRAINING.learners[LEARNS], made, state))


@pytest.mark.parametrize(
    ("which", "change", "fields"),
    [
        (FINISHED, {"norm_before": (7, -1.0)}, {}),
        (FINISHED, {"norm_after": (7, -1.0)}, {}),
        (FINISHED, {"norm_before": (7, np.nan)}, {}),
        (FINISHED, {"norm_after": (49, np.nan)}, {}),
        (FINISHED, {"loss": (7, np.nan)}, {}),
        (FINISHED, {"loss": (49, np.inf)}, {}),
        (FINISHED, {"loss": (0, -0.1)}, {}),
        (FINISHED, {}, {"state": "training"}),
        (FINISHED, {}, {"state": "stopped"}),
        (FINISHED, {}, {"state": "diverged"}),
        (DIVERGED, {"loss": (11, 1.0), "norm_before": (11, 1.0), "norm_after": (11, 1.0)}, {}),
        (DIVERGED, {"loss": (10, np.nan)}, {}),
        (DIVERGED, {"norm_before": (10, np.nan)}, {}),
        (DIVERGED, {"evaluated": (1, 12)}, {}),
        (DIVERGED, {}, {"state": "training"}),
        (LEARNS, {}, {"state": "finished"}),
        (LEARNS, {}, {"state": "solved"}),
        (LEARNS, {}, {"state": "waiting"}),
        (LEARNS, {"evaluated": (1, 24)}, {}),
        (LEARNS, {"profiled": (1, 24)}, {}),
        (LEARNS, {}, dict.fromkeys(("evaluated", "profiled"), np.zeros(0, np.int64))
         | dict.fromkeys(("held_out", "score"), np.zeros(0)) | {"profile": np.zeros((0, 6))}),
        (WAITING, {}, {"state": "finished"}),
        (WAITING, {}, {"state": "diverged"}),
        (LEARNS, {}, cut(5, "finished")),
    ],
)  # fmt: skip
def test_what_cannot_have_been_is_refused(which, change, fields):
    fields = {name: value for name, value in fields.items() if name != "learner"}
    assert told(file_of(with_course(which, change, **fields))) == ours(NEVER)


@pytest.mark.parametrize(
    ("which", "change", "fields"),
    [
        (FINISHED, {"norm_before": (7, np.inf), "norm_after": (7, 0.0)}, {}),
        (FINISHED, {"norm_before": (7, np.inf), "norm_after": (7, np.inf)}, {}),
        (FINISHED, {"held_out": (1, np.nan)}, {}),
        (FINISHED, {"held_out": (2, np.inf)}, {"state": "diverged"}),
        (FINISHED, {"held_out": (2, np.inf), "norm_before": (49, np.inf)}, {"state": "diverged"}),
        (FINISHED, {}, {"state": "solved"}),
        (FINISHED, {}, {"profiled": np.array([0, 50]), "profile": np.zeros((2, 6))}),
        (DIVERGED, {"norm_before": (11, 1.0), "norm_after": (11, 1.0)}, {}),
        (DIVERGED, {"loss": (11, 1.0)}, {}),
        (WAITING, {}, {"state": "stopped"}),
        (WAITING, {}, {
            "evaluated": np.zeros(1, np.int64), "held_out": np.ones(1), "score": np.ones(1), "state": "stopped",
        }),
        (LEARNS, {}, {"state": "stopped"}),
        (LEARNS, {}, cut(25, "solved")),
        (LEARNS, {}, cut(1, "diverged") | {"loss": np.array([np.nan])}),
    ],
)  # fmt: skip
def test_what_can_have_been_is_read(which, change, fields):
    fields = {name: value for name, value in fields.items() if name != "learner"}
    kept = with_course(which, change, **fields)
    assert_same(History.load(io.BytesIO(file_of(kept))), kept)


def npy(shape, kind="<f8"):
    """The header of an array without its numbers."""
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": kind, "fortran_order": False, "shape": shape})
    return made.getvalue()


def rewritten(name, content) -> bytes:
    """The saved file with one member's bytes changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (npy((10**15,)), SIZES),
        (npy((-5,)), SIZES),
        (npy((50,), "<U1000000"), TYPE),
        (npy((50,), "|O"), TYPE),
        (npy((50,)), "holds something else"),
        (npy((50,)) + bytes(399), "holds something else"),
        (b"", "holds something else"),
        (b"\x93NUMPY\x02\x00", OTHER),
        (bytes(100_000), "holds something else"),
    ],
)
def test_a_header_that_lies_is_refused_before_room_is_made(content, why):
    assert told(rewritten(f"{LOSS}.npy", content)) == ours(why)


@given(st.data())
def test_a_broken_file_is_refused_or_read(data):
    content = bytearray(saved())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = History.load(io.BytesIO(bytes(content)))
    except ValueError:
        told(bytes(content))
    else:
        assert [len(course.loss) for course in found.courses] == [50, 0, 12, 27]


@given(st.binary(max_size=500))
def test_any_bytes_are_refused(content):
    told(content)


def test_readings_of_a_course():
    finished, waiting, diverged, training = history().courses
    assert [c.updates for c in history().courses] == [50, 0, 12, 27]
    assert [c.broke_at for c in history().courses] == [None, None, 12, None]
    assert (waiting.clipped_share, waiting.horizon().tolist()) == (0.0, [])
    assert finished.clipped_share == np.mean(
        [a < b for a, b in zip(finished.norm_after, finished.norm_before, strict=True)]
    )
    assert not diverged.clipped[-1]
    assert dataclasses.replace(training, state="solved").solved_at == 27
    assert training.solved_at is None
    assert set(STATES) >= {course.state for course in history().courses}


def test_horizon_and_share():
    profile = np.array(
        [
            [-5.0, -1.0, -1.5, -0.5, 1.0, 2.0],  # 10 % a step back, then less than 1 %
            [2.0, 2.0, -0.1, 2.0, 2.0, 2.0],  # a gap at the third
            [2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
            [-np.inf] * 6,
            [np.nan] * 6,
            [-np.inf, -np.inf, -1.0, 3.0, 1.0, 0.0],
        ]
    )
    made = dataclasses.replace(history().courses[0], profile=profile)
    assert made.horizon().tolist() == [1, 2, 5, 0, 0, 3]
    assert made.horizon(0.2).tolist() == [0, 2, 5, 0, 0, 2]
    np.testing.assert_array_equal(made.share[0], profile[0] - 2.0)
    assert np.isnan(made.share[3]).all()


def test_a_history_is_done_when_every_course_is():
    assert not history().done
    ends = ("solved", "finished", "diverged", "stopped")
    courses = [dataclasses.replace(c, state=state) for c, state in zip(history().courses, ends, strict=True)]
    assert History(TRAINING, tuple(courses)).done
    assert history().material.steps == material(TRAINING).steps == 6
