"""The notebooks in examples/ run in a kernel from the first cell to the last, and their own checks can fail."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.ipynb"))}


def outputs(notebook) -> list[list[str]]:
    """What kinds of output each cell has."""
    return [[output.output_type for output in cell.get("outputs", [])] for cell in notebook.cells]


def test_both_are_there():
    assert set(NOTEBOOKS) == {"bptt-by-hand", "is-my-lstm-forgetting"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_as_it_is_stored(name, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stored, fresh = (nbformat.read(NOTEBOOKS[name], as_version=4) for _ in range(2))
    NotebookClient(fresh, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    assert outputs(fresh) == outputs(stored)
    assert NOTEBOOKS[name].stat().st_size < 100_000


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("W_hh.T @ delta", "W_hh @ delta"),
        ("(1.0 - h[t] ** 2) * g[t]", "(1.0 - h[t]) * g[t]"),
        ("np.outer(delta, h[t - 1])", "np.outer(delta, h[t])"),
        ("np.log(f / (1 - f))", "0.0"),
    ],
)
def test_a_wrong_line_by_hand_is_found(right, wrong, monkeypatch):
    monkeypatch.setattr("rnnviz.GradientFlow.show", lambda *_: None)
    cells = [cell.source for cell in nbformat.read(NOTEBOOKS["bptt-by-hand"], as_version=4).cells if "outputs" in cell]
    source = "\n".join(cells)
    assert right in source
    with pytest.raises(AssertionError):
        exec(source.replace(right, wrong), {})
