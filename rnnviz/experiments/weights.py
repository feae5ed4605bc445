"""The recurrent modules of a user's own model, found in a weights file by torch.nn's names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rnnviz.core.cells import CELLS
from rnnviz.core.network import Network
from rnnviz.errors import RnnvizError, ShapeError, shown
from rnnviz.experiments.weight_files import MB, Stored, stored_arrays

MOST_MODULES, MOST_UNITS, MOST_LAYERS, MOST_INPUTS = 64, 1024, 8, 4096
LARGEST_WEIGHTS = 40 * MB  # of a file's recurrent modules, unpacked: a session keeps them all

NAME = re.compile(
    r"(?:(.*)\.)?(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_(l(?:0|[1-9][0-9]{0,3})(?:_reverse)?))?", re.DOTALL
)
CELL_OF = {len(cell.blocks): name for name, cell in CELLS.items()}


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A recurrent module in a weights file.

    Attributes:
        prefix: what stands before its parameters' names: "encoder.lstm", or "" for a module that was saved by itself.
        cell: "rnn", "lstm" or "gru", told from the rows of weight_hh.
        arrays: {torch.nn's name: array} in the file's own precision.
    """

    prefix: str
    cell: str
    arrays: Mapping[str, np.ndarray] = field(repr=False)

    def network(self, nonlinearity: str = "tanh") -> Network:
        """The module in float64; no weights file holds the nonlinearity of an RNN."""
        return Network(self.cell, self.arrays, nonlinearity)

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.arrays["weight_hh_l0"].shape[1]

    @property
    def input_size(self) -> int:
        """D."""
        return self.arrays["weight_ih_l0"].shape[1]

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 1 + ("weight_hh_l0_reverse" in self.arrays)

    @property
    def layers(self) -> int:
        """How many are stacked."""
        return sum(name.startswith("weight_hh") for name in self.arrays) // self.directions

    @property
    def label(self) -> str:
        """Its words on the screen."""
        layers = f", {self.layers} layers" if self.layers > 1 else ""
        both = ", both directions" if self.directions == 2 else ""
        size = f"{self.input_size} → {self.hidden_size}{layers}{both}"
        return f"{f'{self.prefix}: ' if self.prefix else ''}{CELLS[self.cell].label} {size}"


@dataclass(frozen=True, eq=False)
class Weights:
    """The recurrent modules of a weights file.

    Attributes:
        name: of the file.
        modules: at least one, in the order of their prefixes' first parameters.
        refused: a sentence for each recurrent module that cannot be replayed exactly.
    """

    name: str
    modules: tuple[Recurrent, ...]
    refused: tuple[str, ...] = ()

    @cached_property
    def named(self) -> dict[str, Recurrent]:
        """The modules by their prefixes."""
        return {module.prefix: module for module in self.modules}


def read_weights(data: bytes, name: str = "weights") -> Weights:
    """Find the recurrent modules in the bytes of a weights file.

    Args:
        data: of a `.safetensors` (float64, 32, 16 or bfloat16) or an `.npz`, with torch.nn's names: the state dict of a
            model, of an nn.RNN, LSTM or GRU, or of one of their cells. Other layers' arrays are not loaded.
        name: of the file, for messages.

    Raises:
        RnnvizError: for what is no such file, a torch pickle, sizes over the limits, a file without a recurrent module
            that can be replayed exactly, or weights that are not finite.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, **{"encoder.rnn.weight_ih_l0": np.ones((3, 2)), "encoder.rnn.weight_hh_l0": np.eye(3)})
    >>> read_weights(file.getvalue()).modules[0].label
    'encoder.rnn: RNN 2 → 3'
    """
    stored = stored_arrays(data, name, lambda key: NAME.fullmatch(key) is not None)
    found, modules, refused = _grouped(stored), [], []
    if len(found) > MOST_MODULES:
        raise ShapeError(f"weights: may hold {MOST_MODULES} recurrent modules at most, got {len(found)}.")
    size = sum(array.size for arrays in found.values() for array in arrays.values())
    if size > LARGEST_WEIGHTS:
        raise ShapeError(
            f"weights: the recurrent modules of a file may have {LARGEST_WEIGHTS // MB} MB at most, unpacked, got "
            f"{size / MB:.0f} MB."
        )
    for prefix, arrays in found.items():
        try:
            modules.append(_recurrent(prefix, arrays))
        except RnnvizError as problem:
            refused.append(str(problem))
    if modules:
        return Weights(name, tuple(modules), tuple(refused))
    raise ShapeError(
        refused[0]
        if refused
        else "weights: must hold weight_ih_l0 and weight_hh_l0 of an nn.RNN, nn.LSTM or nn.GRU, under any prefix, got "
        f"{shown(list(stored))}."
    )


def _grouped(stored: Mapping[str, Stored]) -> dict[str, dict[str, Stored]]:
    """{prefix: {torch.nn's own name: array}}; the parameters of a cell module become those of a first layer."""
    found: dict[str, dict[str, Stored]] = {}
    for key, array in stored.items():
        if parts := NAME.fullmatch(key):
            found.setdefault(parts[1] or "", {})[f"{parts[2]}_{parts[3] or 'l0'}"] = array
    return found


def _recurrent(prefix: str, stored: dict[str, Stored]) -> Recurrent:
    """A module, once its shapes are those of one that can be replayed exactly."""
    at = shown(f"{prefix}." if prefix else "")[1:-1]
    if any(key.startswith("weight_hr") for key in stored):
        raise ShapeError(f"{at}weight_hr: a projection (proj_size) cannot be replayed; allowed is proj_size=0.")
    for key, (rows, columns) in _shapes(at, stored).items():
        _check(f"{at}{key}", stored[key], (rows, columns) if key.startswith("weight") else (rows,))
    arrays = {key: np.array(each.load()) for key, each in stored.items()}  # a copy, so that the file's bytes can go
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise ShapeError(f"{at}{key}: must be finite, got {array[~np.isfinite(array)][0]}.")
    rows, size = arrays["weight_hh_l0"].shape
    return Recurrent(prefix, CELL_OF[rows // size], arrays)


def _check(key: str, array: Stored, wanted: tuple[int, ...]) -> None:
    if array.load is None:
        raise ShapeError(f"{key}: must hold float64, 32, 16 or bfloat16 numbers, got {shown(array.kind)}.")
    if array.shape != wanted:
        raise ShapeError(f"{key}: must have the shape {wanted}, got {array.shape}.")


def _shapes(at: str, stored: dict[str, Stored]) -> dict[str, tuple[int, int]]:
    """{name: rows and columns} that each array must have, from the first layer's weights and the number of layers."""
    first = [stored[key].shape if key in stored else "none" for key in ("weight_ih_l0", "weight_hh_l0")]
    if any(len(shape) != 2 for shape in first) or not first[1][1] or first[1][0] not in _rows(first[1][1]):
        raise ShapeError(
            f"{at}weight_ih_l0, {at}weight_hh_l0: must have the shapes (G·H, D) and (G·H, H), with G = 1 for an RNN, 3 "
            f"for a GRU and 4 for an LSTM, got {first[0]} and {first[1]}."
        )
    (_, width), (rows, size) = first
    if size > MOST_UNITS or not 1 <= width <= MOST_INPUTS:
        raise ShapeError(
            f"{at}weight_ih_l0: must have 1 to {MOST_INPUTS} inputs and 1 to {MOST_UNITS} units, got {width} and "
            f"{size}."
        )
    ends = {key.split("_", 2)[2] for key in stored}
    directions = 1 + any(end.endswith("_reverse") for end in ends)
    layers = 1 + max(int(end.split("_")[0][1:]) for end in ends)
    wanted = [f"l{layer}{end}" for layer in range(min(layers, 99)) for end in ("", "_reverse")[:directions]]
    needed = [f"{kind}_{end}" for end in wanted for kind in ("weight_ih", "weight_hh")]
    missing = [key for key in needed if key not in stored]
    if layers > MOST_LAYERS or missing:
        came = f"{layers} layers" + (f" without {missing[0]}" if missing else "")
        raise ShapeError(f"{at}weight_hh: must be there for 1 to {MOST_LAYERS} layers without a gap, got {came}.")
    biases = [f"{kind}_{end}" for end in wanted for kind in ("bias_ih", "bias_hh")]
    if any(key in stored for key in biases) and (lost := [key for key in biases if key not in stored]):
        raise ShapeError(f"{at}{lost[0]}: must be there, as a module has all of its biases or none, got none.")
    return {key: (rows, _columns(key, width, size, directions)) for key in stored}


def _rows(size: int) -> list[int]:
    return [gates * size for gates in CELL_OF]


def _columns(key: str, width: int, size: int, directions: int) -> int:
    """How many columns a weight has."""
    if not key.startswith("weight_ih"):
        return size
    return width if "_l0" in key else directions * size
