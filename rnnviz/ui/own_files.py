"""A visitor's files on the page "Your model": read at once, kept for the session, given back."""

from dataclasses import dataclass

import streamlit as st

from rnnviz import RnnvizError
from rnnviz.errors import shown
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.own_inputs import Table, read_table
from rnnviz.experiments.own_model import OwnModel
from rnnviz.experiments.weights import Weights, read_weights
from rnnviz.ui.controls import Session

FILES, OPENED = "own files", "open"  # in the session


@dataclass
class Files:
    """A visitor's files, for as long as the session lasts.

    Attributes:
        weights: the model; None shows the sample.
        table: its inputs; None makes some up.
        taken: how many files were taken or given back: another number, and the uploaders are empty again, so that
            Streamlit drops the bytes.
        made: what was asked last and its runs, until the charts of the same page run have taken them: kept longer, they
            would fill a server's memory.
    """

    weights: Weights | None = None
    table: Table | None = None
    taken: int = 0
    made: tuple[tuple[int, OwnModel], tuple[Run, ...]] | None = None

    def runs(self, asked: OwnModel, keep: bool = False) -> tuple[Run, ...]:
        """The visitor's model, or the sample's three moments.

        Args:
            asked: of them.
            keep: whether the next who asks for the same gets the same runs, with what was worked out of them.

        Raises:
            RnnvizError: for a choice that the files do not have, or a run over the budget.
        """
        made, self.made, key = self.made, None, (self.taken, asked)
        if made and made[0] == key:
            runs = made[1]
        else:
            runs = (asked.run(self.weights, self.table),) if self.weights else asked.sample_runs(self.table)
        if keep:
            self.made = key, runs
        return runs

    def take(self, session: Session, name: str) -> None:
        """Read what an uploader holds; a file that cannot be read is a sentence, and what was there stays.

        The box closes either way: what the file changed, or why it did not, is on the page below it.
        """
        file = st.session_state.get(f"{name} {self.taken}")
        self.taken += 1
        if file is None:
            return
        st.session_state[OPENED] = False
        session.kept.complaints.clear()
        try:
            told = self._read(session, name, file)
        except RnnvizError as problem:
            told = (str(problem),)
        session.kept.complaints.extend(naming(file.name, sentence) for sentence in told)

    def _read(self, session: Session, name: str, file) -> tuple[str, ...]:
        """Take a file; a sentence for each module in it that cannot be shown."""
        if name == "weights":
            self.weights = read_weights(file.getvalue(), file.name)
            session.values.update(module="", columns="", stream=-1)
            return self.weights.refused
        self.table = read_table(file.getvalue(), file.name)
        session.values["columns"] = ""
        return ()

    def opened(self, session: Session) -> None:
        """The box was opened for another file: what was said of the last one goes, the browser may refuse the next."""
        if st.session_state.get(OPENED):
            session.kept.complaints.clear()

    def drop(self, session: Session) -> None:
        """Give the files back: the sample is shown again."""
        self.weights = self.table = None
        self.taken += 1
        session.values.update(module="", columns="", stream=-1)
        session.kept.complaints.clear()
        st.session_state[OPENED] = False


def naming(name: str, sentence: str) -> str:
    """A sentence about a file that names it."""
    quoted = shown(name)
    return sentence if quoted in sentence else f"{quoted[1:-1]}: {sentence}"


def files() -> Files:
    """The session's."""
    return st.session_state.setdefault(FILES, Files())
