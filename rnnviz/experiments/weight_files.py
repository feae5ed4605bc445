"""The two kinds of weights files, as names with shapes, types and a way to load each: nothing is loaded unasked.

Everything here may be hostile, so that each size is checked before memory is taken for it, and nothing in it is code: a
torch pickle is refused.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy

from rnnviz.errors import ShapeError, shown

MB = 1_000_000
LARGEST_FILE = 50 * MB
LARGEST_ARRAYS = 200 * MB  # of all that an .npz holds, unpacked
LONGEST_HEADER, MOST_ARRAYS = 1 * MB, 5000
LONGEST_NPY_HEADER = 10_000  # characters; numpy's own limit
MOST_AXES, MOST_NUMBERS = 16, 2**48
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the other kinds without a limit

FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
OTHERS = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "C64": 8}
EXPORT = 'safetensors.torch.save_file(model.state_dict(), "weights.safetensors")'


@dataclass(frozen=True, eq=False)
class Stored:
    """An array in a file.

    Attributes:
        shape: as the header says.
        kind: its type as the header says.
        load: reads it; None when it holds no floating-point numbers.
        size: bytes that it takes once loaded.
    """

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray] | None
    size: int = 0


OTHER = Stored((), "", None)


def stored_arrays(data: bytes, name: str, wanted: Callable[[str], bool]) -> dict[str, Stored]:
    """Every array that a weights file declares, by the first bytes of the file and not by its name.

    Args:
        data: of the file.
        name: of the file, for messages.
        wanted: whether an array of this name matters; others are named and not looked at further.

    Raises:
        RnnvizError: for what is no such file, a torch pickle, or sizes over the limits.
    """
    if len(data) > LARGEST_FILE:
        raise ShapeError(f"weights: the file may have {LARGEST_FILE // MB} MB at most, got {len(data) / MB:.0f} MB.")
    if data[:1] == b"\x80" and data[8:9] != b"{":
        raise _pickled(name)
    return _npz(data, name, wanted) if data[:2] == b"PK" else _safetensors(data, name)


def _pickled(name: str) -> ShapeError:
    return ShapeError(
        "weights: must be a .safetensors or an .npz file, because a torch pickle can run code when it is opened; "
        f"export it with {EXPORT}, got {shown(name)}."
    )


def _no_file(name: str, why: str) -> ShapeError:
    return ShapeError(f"weights: must be a .safetensors or an .npz file, got {shown(name)}, {why}.")


# --- safetensors: the length of the header in 8 bytes, the header as JSON, the arrays without a gap


def _safetensors(data: bytes, name: str) -> dict[str, Stored]:
    """Every array that the header declares; ours and not the safetensors library's, because each size is checked."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{":
        raise _no_file(name, "which does not begin like one")
    if length > LONGEST_HEADER or length > len(data) - 8:
        raise _no_file(name, f"whose header would have {length} bytes of {len(data) - 8}")
    try:
        header = json.loads(data[8 : 8 + length].decode())
        header.pop("__metadata__", None)
        entries = [(key, entry["dtype"], entry["shape"], *entry["data_offsets"]) for key, entry in header.items()]
        sound = len(entries) <= MOST_ARRAYS and all(map(_is_entry, entries))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise _no_file(name, "whose header is damaged")
    _check_offsets(entries, len(data) - 8 - length, name)
    body = memoryview(data)[8 + length :]
    return {key: _tensor(body[begin:end], kind, tuple(shape)) for key, kind, shape, begin, end in entries}


def _is_entry(entry: tuple) -> bool:
    """Whether the parts of an entry have the right types, and the number of bytes that its shape asks for."""
    _, kind, shape, begin, end = entry
    numbers = [*shape, begin, end] if isinstance(shape, list) and len(shape) <= MOST_AXES else [None]
    if not isinstance(kind, str) or not all(type(each) is int and 0 <= each < MOST_NUMBERS for each in numbers):
        return False
    size = np.dtype(FLOATS[kind]).itemsize if kind in FLOATS else OTHERS.get(kind)
    return size is None or end - begin == size * math.prod(shape)


def _check_offsets(entries: list[tuple], size: int, name: str) -> None:
    """Refuse arrays that overlap, leave a gap, or end elsewhere than the file."""
    last = 0
    for key, _, _, begin, end in sorted(entries, key=lambda entry: entry[3:]):
        if begin != last or end < begin:
            raise _no_file(name, f"where {shown(key)} does not begin at the end of the array before it")
        last = end
    if last != size:
        raise _no_file(name, f"which has {size} bytes of arrays where its header says {last}: it was cut or changed")


def _tensor(part: memoryview, kind: str, shape: tuple[int, ...]) -> Stored:
    def load() -> np.ndarray:
        numbers = np.frombuffer(part, FLOATS[kind])
        if kind == "BF16":  # the upper half of a float32
            numbers = (numbers.astype("<u4") << 16).view("<f4")
        return numbers.reshape(shape)

    return Stored(shape, kind, load if kind in FLOATS else None, len(part) * (2 if kind == "BF16" else 1))


# --- npz: a zip of .npy files


def _npz(data: bytes, name: str, wanted: Callable[[str], bool]) -> dict[str, Stored]:
    """Every array that the archive declares."""
    if data.count(b"PK\x01\x02") > 2 * MOST_ARRAYS:  # zipfile would make an object of each
        raise _no_file(name, "which has too many parts")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except Exception:  # a damaged archive makes zipfile raise whatever its bytes lead it to
        raise _no_file(name, "which is a damaged archive") from None
    if any(member.filename.endswith("data.pkl") for member in members):
        raise _pickled(name)
    if len({member.filename for member in members}) < len(members):
        raise _no_file(name, "which has two parts of the same name")
    total = sum(member.file_size for member in members)
    if len(members) > MOST_ARRAYS or total > LARGEST_ARRAYS:
        raise ShapeError(
            f"weights: an .npz may hold {MOST_ARRAYS} arrays and {LARGEST_ARRAYS // MB} MB at most, got {len(members)} "
            f"and {total / MB:.0f} MB."
        )
    return {
        member.filename[:-4]: _member(archive, member, name) if wanted(member.filename[:-4]) else OTHER
        for member in members
        if member.filename.endswith(".npy")
    }


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Stored:
    """An array from its own header."""
    try:
        shape, by_columns, kind, begins = npy_header(_unpacked(archive, member, LONGEST_NPY_HEADER))
    except Exception:  # as above; numpy's reader of headers too
        raise _damaged(member, name) from None
    if kind.hasobject:
        raise ShapeError(f"{shown(member.filename)[1:-1]}: must hold numbers, got Python objects.")
    if begins + kind.itemsize * math.prod(shape) != member.file_size:
        raise _no_file(name, f"where {shown(member.filename)} has not the size that its header says")

    def load() -> np.ndarray:
        try:
            content = _unpacked(archive, member, member.file_size)
        except Exception:
            raise _damaged(member, name) from None
        if len(content) != member.file_size:
            raise _damaged(member, name)
        return np.frombuffer(content, kind, offset=begins).reshape(shape, order="F" if by_columns else "C")

    return Stored(shape, str(kind), load if kind.kind == "f" and kind.itemsize <= 8 else None, member.file_size)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """The first bytes of a part; never more, whatever it would unpack to.

    Raises:
        Exception: whatever its bytes lead zipfile to.
    """
    if member.compress_type not in PACKED:
        raise ValueError
    with archive.open(member) as file:
        return file.read(most)


def _damaged(member: zipfile.ZipInfo, name: str) -> ShapeError:
    return _no_file(name, f"where {shown(member.filename)} is damaged")


def npy_header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """(shape, whether it lies by columns, type, where the numbers begin) from the first bytes of a .npy file.

    Raises:
        Exception: whatever the bytes lead numpy to.
    """
    file = io.BytesIO(head)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    shape, by_columns, kind = read(file, max_header_size=LONGEST_NPY_HEADER)
    if len(shape) > MOST_AXES or not all(type(size) is int and 0 <= size < MOST_NUMBERS for size in shape):
        raise ValueError
    return shape, by_columns, kind, file.tell()
