"""Any result that was saved, from its file."""

from pathlib import Path
from typing import BinaryIO

from rnnviz.core.archive import Foreign, about, open_archive
from rnnviz.core.flow_file import FORMAT as FLOW
from rnnviz.core.flow_file import LARGEST_FILE, load_flow
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.history import FORMAT as HISTORY
from rnnviz.experiments.history import History
from rnnviz.experiments.sweep_result import FORMAT as SWEEP
from rnnviz.experiments.sweep_result import SweepResult

READERS = {FLOW: load_flow, HISTORY: History.load, SWEEP: SweepResult.load}


def load(path: str | Path | BinaryIO) -> GradientFlow | History | SweepResult:
    """Read what a result's `save` has written; nothing in it is pickled, and nothing is run.

    Args:
        path: the file's name, or an open binary file.

    Raises:
        RnnvizError: for a file that cannot be read, or holds no result.

    >>> import io, rnnviz
    >>> file, flow = io.BytesIO(), rnnviz.run(rnnviz.Config(length=10))
    >>> flow.save(file)
    >>> rnnviz.load(file).verdict == flow.verdict
    True
    """
    with open_archive(path, "a result's save", LARGEST_FILE) as archive:
        reader = READERS.get(about(archive).get("format"))
        if reader is None:
            raise Foreign("has another format")
    return reader(path)
