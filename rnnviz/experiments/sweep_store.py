"""The finished chunks of sweeps, kept in a folder: a file a chunk, named by its question."""

import hashlib
import json
import os
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rnnviz.core.archive import read_array
from rnnviz.errors import RnnvizError, shown
from rnnviz.experiments.sweep_chunk import Chunk
from rnnviz.experiments.sweep_result import MEASURES, all_possible

FORMAT = "rnnviz sweep chunk 1"  # another one when the same question gets another answer


@dataclass(frozen=True)
class Store:
    """A folder of finished chunks, of one sweep or of many.

    Attributes:
        folder: where they are; made when it is not there.
    """

    folder: Path

    @classmethod
    def at(cls, folder: str | Path) -> "Store":
        """The store in a folder.

        Raises:
            RnnvizError: when there can be no such folder, or nothing can be written there.
        """
        try:
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError, TypeError):
            named = str(folder) if isinstance(folder, Path) else folder
            raise RnnvizError(f"store: must be a folder that can be made, got {shown(named)}.") from None
        if not os.access(path, os.W_OK | os.X_OK):
            raise _read_only(path)
        return cls(path)

    def load(self, chunk: Chunk) -> dict[str, np.ndarray] | None:
        """What `compute` gave for the chunk; None when its file is not there, is broken or answers something else."""
        try:
            with zipfile.ZipFile(self._file(chunk)) as archive:
                if str(read_array(archive, "question", None, ())) != _question(chunk):
                    return None
                found = {
                    name: read_array(archive, name, kind, chunk.shape, exactly=True) for name, kind in MEASURES.items()
                }
                return found if all_possible(found) else None
        except Exception:  # a broken file reaches every corner of the zip and npy readers; it is worked out again
            return None

    def save(self, chunk: Chunk, found: dict[str, np.ndarray]) -> None:
        """Keep what `compute` gave, whole or not at all.

        Raises:
            RnnvizError: when nothing can be written there.
        """
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
                try:
                    np.savez_compressed(file, question=np.array(_question(chunk)), **found)
                    file.close()
                    os.replace(file.name, self._file(chunk))
                except BaseException:  # a KeyboardInterrupt too
                    with suppress(OSError):
                        os.unlink(file.name)
                    raise
        except OSError:
            raise _read_only(self.folder) from None

    def _file(self, chunk: Chunk) -> Path:
        return self.folder / f"{hashlib.sha256(_question(chunk).encode()).hexdigest()[:40]}.npz"


def _read_only(folder: Path) -> RnnvizError:
    return RnnvizError(f"store: must be a folder that can be written to, got {shown(folder.name)}, which cannot.")


def _question(chunk: Chunk) -> str:
    return json.dumps({"format": FORMAT, **asdict(chunk)}, sort_keys=True)
