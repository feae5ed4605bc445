"""Results in one `.npz`: written whole, read without pickle, and every size looked at before anything is loaded."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rnnviz.errors import RnnvizError, shown

LONGEST_SETTINGS = 10_000_000  # characters: a sweep may have a million values on an axis


class Foreign(Exception):
    """What is wrong with a file, in words that follow on its name."""


def write_archive(path: str | Path | BinaryIO, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, and what is told about them, into one `.npz`.

    Args:
        path: the file's name, or an open binary file.
        about: what JSON can hold; it becomes the array "settings", a text.
        arrays: {name: numbers}.

    Raises:
        RnnvizError: when there can be no such file, it may not be written, or it is open for text.
    """
    made, named = io.BytesIO(), isinstance(path, str | Path)
    np.savez_compressed(made, settings=np.array(json.dumps(about)), **arrays)
    try:
        Path(path).write_bytes(made.getvalue()) if named else path.write(made.getvalue())
    except (OSError, ValueError, TypeError, AttributeError):  # a name that no file can have, or no binary file
        got = shown(Path(path).name) if named else f"a {type(path).__name__}"
        raise RnnvizError(f"path: must be a file that can be written, got {got}, which cannot.") from None


@contextmanager
def open_archive(path: str | Path | BinaryIO, writer: str, largest: int) -> Iterator[zipfile.ZipFile]:
    """An archive to read.

    Args:
        path: the file's name, or an open binary file, which is read from its start and stays open.
        writer: who should have written it, for the message.
        largest: bytes that it may have; unpacked four times as many.

    Raises:
        RnnvizError: whatever a foreign, a broken or a hostile file makes the reader inside raise, as one sentence.
    """
    try:
        with _opened(path, largest) as file, zipfile.ZipFile(file) as archive:
            _check_size("unpacked ", sum(part.file_size for part in archive.infolist()), 4 * largest)
            yield archive
        return
    except RnnvizError:  # a setting in it that is not allowed
        raise
    except Foreign as problem:
        why = str(problem)
    except FileNotFoundError:
        why = "does not exist"
    except OSError:
        why = "cannot be read"
    except (zipfile.BadZipFile, zlib.error, EOFError):
        why = "is no whole .npz"
    except Exception:  # a hostile file reaches every corner of the zip, npy and JSON readers
        why = "holds something else"
    raise RnnvizError(f"path: must be a file that {writer} has written, got one that {why}.")


def about(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What is told about the arrays of an archive."""
    told = json.loads(str(read_array(archive, "settings", None, ())))
    if not isinstance(told, dict):
        raise Foreign("holds something else")
    return told


def read_array(
    archive: zipfile.ZipFile, name: str, kind: type | None, most: tuple[int, ...], exactly: bool = False
) -> np.ndarray:
    """An array of an archive; its header is looked at before anything is read or room is made for it.

    Args:
        archive: where it stands.
        name: without its ending.
        kind: of its numbers; None for a text.
        most: the largest size of each axis.
        exactly: the axes must have these sizes.

    Raises:
        Foreign: for another type or other sizes.
    """
    with archive.open(f"{name}.npy") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise Foreign("has other arrays")
        shape, _, found = np.lib.format.read_array_header_1_0(file)
    is_text = kind is None and found.kind == "U" and found.itemsize <= 4 * LONGEST_SETTINGS
    if not (is_text or (kind is not None and found == kind)):
        raise Foreign("has arrays of another type")
    if len(shape) != len(most) or any(not 0 <= size <= limit for size, limit in zip(shape, most, strict=True)):
        raise Foreign("has arrays of other sizes")
    if exactly and shape != most:
        raise Foreign("has arrays of sizes that do not go together")
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _opened(path: str | Path | BinaryIO, largest: int) -> Iterator[BinaryIO]:
    if isinstance(path, str | Path):
        if not Path(path).is_file() and Path(path).exists():  # a device or a pipe may never end
            raise Foreign("is a folder or no ordinary file")
        with Path(path).open("rb") as file, _opened(file, largest) as checked:
            yield checked
        return
    _check_size("", path.seek(0, io.SEEK_END), largest)
    path.seek(0)
    yield path


def _check_size(which: str, size: int, largest: int) -> None:
    if size > largest:
        raise Foreign(f"has {which}{size / 1e6:.0f} MB, where {largest / 1e6:.0f} MB are allowed")
