"""A sweep that is interrupted, or whose worker is killed, goes on where it was; a foreign file is not read."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import rnnviz
from rnnviz.experiments import sweep as module
from rnnviz.experiments.sweep_result import MEASURES
from tests.support import assert_clear, refusal

GRID = {"hidden_size": (2, 3, 4), "weight_scale": (0.5, 1.5), "length": (4,)}
SLOW = {"hidden_size": tuple(range(20, 32)), "length": (500,)}
SLOW_BASE = rnnviz.Config(loss="every", layers=2)


def assert_equal(ours, theirs):
    for name in MEASURES:
        np.testing.assert_array_equal(ours.columns[name], theirs.columns[name])


@pytest.fixture
def computed(monkeypatch):
    return count(monkeypatch)


def count(monkeypatch):
    """The hidden sizes of the chunks that are worked out here from now on, in order."""
    seen, compute = [], module.compute

    def counted(chunk):
        seen.append(chunk.config.hidden_size)
        return compute(chunk)

    monkeypatch.setattr(module, "compute", counted)
    return seen


def test_nothing_is_worked_out_twice(tmp_path, computed):
    first = rnnviz.sweep(GRID, store=tmp_path / "new" / "out")
    assert computed == [2, 3, 4]
    assert_equal(first, rnnviz.sweep(GRID, store=tmp_path / "new" / "out"))
    larger = rnnviz.sweep({**GRID, "hidden_size": (4, 5, 2)}, store=str(tmp_path / "new" / "out"))
    assert computed == [2, 3, 4, 5]
    assert_equal(larger, rnnviz.sweep({**GRID, "hidden_size": (4, 5, 2)}))


def test_an_interrupted_sweep_goes_on(tmp_path, computed):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rnnviz.sweep(GRID, store=tmp_path, progress=interrupt)
    seen = []
    resumed = rnnviz.sweep(GRID, store=tmp_path, progress=lambda *told: seen.append(told))
    assert computed == [2, 3, 4]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert_equal(resumed, rnnviz.sweep(GRID))


def test_an_interrupted_executor_is_left_with_nothing_to_do(tmp_path, computed):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        rnnviz.sweep(SLOW, SLOW_BASE, executor=executor, store=tmp_path, progress=interrupt)
    assert len(computed) < 6
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_an_interruption_while_a_file_is_written_leaves_none(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rnnviz.sweep(GRID, store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def made_impossible(path):
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"status": arrays["status"] + 6})


def of_another_size(path):
    arrays = dict(np.load(path))
    np.savez(path, **{name: values[:1] if values.ndim else values for name, values in arrays.items()})


def of_objects(path):
    np.savez(path, **dict(np.load(path)) | {"growth_per_step": np.array([None])})


def of_another_question(path):
    np.savez(path, **dict(np.load(path)) | {"question": np.array("{}")})


@pytest.mark.parametrize("spoil", [cut, emptied, made_impossible, of_another_size, of_objects, of_another_question])
def test_a_broken_or_foreign_file_is_worked_out_again(spoil, tmp_path, computed):
    first = rnnviz.sweep(GRID, store=tmp_path)
    files = sorted(tmp_path.glob("*.npz"))
    spoil(files[0])
    assert_equal(first, rnnviz.sweep(GRID, store=tmp_path))
    assert len(computed) == 4
    assert_equal(first, rnnviz.sweep(GRID, store=tmp_path))
    assert len(computed) == 4
    assert sorted(tmp_path.iterdir()) == files


def test_a_store_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", "\0", 3):
        message = refusal(rnnviz.sweep, GRID, store=folder)
        assert message.startswith("store: must be a folder")
        assert message.endswith(".")


def test_a_pool_whose_worker_is_killed_says_so_and_the_same_call_resumes(tmp_path, monkeypatch):
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool as executor:
        kill = lambda done, total: [os.kill(pid, signal.SIGKILL) for pid in list(executor._processes)]  # noqa: E731
        message = refusal(rnnviz.sweep, SLOW, SLOW_BASE, executor=executor, store=tmp_path, progress=kill)
    kept = len(list(tmp_path.glob("*.npz")))
    assert 1 <= kept < 12
    assert_clear(message, "executor")
    assert f"BrokenProcessPool; {kept} of 12 parts are in the store, and the same call resumes." in message
    computed = count(monkeypatch)
    resumed = rnnviz.sweep(SLOW, SLOW_BASE, store=tmp_path)
    assert len(computed) == 12 - kept
    assert_equal(resumed, rnnviz.sweep(SLOW, SLOW_BASE))


UNGUARDED = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import rnnviz
with ProcessPoolExecutor(1, get_context("spawn")) as pool:
    rnnviz.sweep({"seed": (0, 1)}, rnnviz.Config(length=5), executor=pool)
"""


def test_a_script_whose_pool_is_unguarded_hears_of_the_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, env=environment)
    assert said.returncode == 1
    assert "BrokenProcessPool; 0 of 1 parts" in said.stderr.splitlines()[-1]
    assert 'must stand under `if __name__ == "__main__":`.' in said.stderr.splitlines()[-1]


def test_a_folder_that_is_read_only_is_refused_before_the_work(tmp_path, monkeypatch, computed):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    message = refusal(rnnviz.sweep, GRID, store=tmp_path)
    assert message == f"store: must be a folder that can be written to, got {tmp_path.name!r}, which cannot."
    assert not computed


def test_a_pool_that_is_shut_down_says_so():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    message = refusal(rnnviz.sweep, GRID, executor=pool)
    assert_clear(message, "executor")
    assert message.endswith("RuntimeError; 0 of 3 parts were finished; give a store to resume.")
