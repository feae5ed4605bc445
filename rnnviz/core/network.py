"""A recurrent network: parameters in torch.nn's own names and layout, checked once, and its streams."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rnnviz.core.activations import ACTIVATIONS, Activation
from rnnviz.core.arrays import blocks, finite_array
from rnnviz.core.cells import CELLS, Cell
from rnnviz.errors import ShapeError, one_of, shown

NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(0|[1-9][0-9]{0,3})(_reverse)?")
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """One direction of one layer, ready to run.

    Attributes:
        layer: counted from 0, the layer next to the input.
        reverse: walks from the last step to the first.
        bidirectional: its layer has a stream in the other direction too.
        cell: a value of `CELLS`.
        activation: a value of `ACTIVATIONS`; the RNN's.
        weight_ih: (G·H, layer input size).
        weight_hh: (G·H, H).
        recurrent: its transpose, laid out for h_{t-1} · W_hhᵀ.
        weight_back: its blocks in the order in which `delta` of the cell's `backward` has them.
        rows: where each block stands in (B, G·H).
        input_bias: (G·H,), every bias that may be added before the recurrent product.
        recurrent_bias: (H,), b_hn of the GRU, which the reset gate multiplies; empty for the other cells.
    """

    layer: int
    reverse: bool
    bidirectional: bool
    cell: Cell
    activation: Activation
    weight_ih: np.ndarray
    weight_hh: np.ndarray
    recurrent: np.ndarray
    weight_back: np.ndarray
    rows: tuple[slice, ...]
    input_bias: np.ndarray
    recurrent_bias: np.ndarray

    def __repr__(self) -> str:
        return f"<Stream: {self.cell.label}, {self.label}>"

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.weight_hh.shape[1]

    @property
    def parts(self) -> int:
        """How many arrays a state is: h, or h and c."""
        return 2 if self.cell.has_cell_state else 1

    @cached_property
    def spectral_radius(self) -> float | None:
        """ρ(W_hh), the largest |eigenvalue|; None for a cell with gates, whose W_hh stacks one matrix a gate.

        No one of those leads from h_{t-1} to h_t alone.
        """
        return None if self.cell.gates else float(np.abs(np.linalg.eigvals(self.weight_hh)).max())

    @cached_property
    def largest_singular_value(self) -> float | None:
        """σ_max(W_hh); None for a cell with gates, as for `spectral_radius`."""
        return None if self.cell.gates else float(np.linalg.norm(self.weight_hh, 2))

    def input_delta(self, delta: np.ndarray) -> np.ndarray:
        """∂L/∂(W_ih x_t + b_ih), (..., G·H) in torch's order, from `delta` of the cell's `backward`."""
        return self._in_torch_order(delta, self.cell.input_delta)

    def recurrent_delta(self, delta: np.ndarray) -> np.ndarray:
        """∂L/∂(W_hh h_{t-1} + b_hh), (..., G·H) in torch's order, from `delta` of the cell's `backward`."""
        return self._in_torch_order(delta, self.cell.recurrent_delta)

    def _in_torch_order(self, delta: np.ndarray, order: tuple[int, ...] | None) -> np.ndarray:
        if order is None:
            return delta
        return blocks(delta, self.hidden_size)[..., order, :].reshape(*delta.shape[:-1], len(order) * self.hidden_size)

    @property
    def suffix(self) -> str:
        """The end of torch's parameter names: l0, l0_reverse, l1 and so on."""
        return f"l{self.layer}" + "_reverse" * self.reverse

    @property
    def columns(self) -> slice:
        """Where this stream's hidden state stands in the layer's output (T, B, K·H)."""
        return slice(self.hidden_size, 2 * self.hidden_size) if self.reverse else slice(0, self.hidden_size)

    @property
    def label(self) -> str:
        """The stream's name on the screen."""
        return f"layer {self.layer + 1}, {'backward' if self.reverse else 'forward'} direction"

    def in_order(self, array: np.ndarray) -> np.ndarray:
        """Show a time-major array in the order in which this stream walks; applied twice it changes nothing."""
        return array[::-1] if self.reverse else array

    def in_order_twice(self, array: np.ndarray) -> np.ndarray:
        """The same over the first two axes: steps and sources."""
        return array[::-1, ::-1] if self.reverse else array


@dataclass(frozen=True, eq=False)
class Network:
    """A recurrent network as torch.nn.RNN, LSTM or GRU defines it, in float64.

    Args:
        cell: "rnn", "lstm" or "gru".
        parameters: torch.nn's names (`weight_ih_l0`, `bias_hh_l1_reverse`, …) mapped to arrays in torch.nn's layout:
            weight_ih (G·H, D) or (G·H, K·H) above the first layer, weight_hh (G·H, H), biases (G·H,), with the gate
            order i, f, g, o (LSTM) and r, z, n (GRU). Layers and directions follow from the names; a missing bias is 0.
        nonlinearity: of the RNN's cell: "tanh", "relu", "sigmoid" or "linear".

    Raises:
        RnnvizError: for an unknown cell or name, a missing weight, a wrong shape, or a value that is not finite.

    >>> import numpy as np
    >>> network = Network("rnn", {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)})
    >>> network.input_size, network.hidden_size, network.layers, network.directions
    (2, 3, 1, 1)
    """

    cell: str
    parameters: Mapping[str, np.ndarray] = field(repr=False)
    nonlinearity: str = "tanh"

    def __post_init__(self):
        one_of("cell", self.cell, CELLS)
        one_of("nonlinearity", self.nonlinearity, ACTIVATIONS)
        if not isinstance(self.parameters, Mapping):
            raise ShapeError(f"parameters: must map torch.nn's names to arrays, got {shown(self.parameters)}.")
        arrays = {name: _parameter(name, value) for name, value in self.parameters.items()}
        object.__setattr__(self, "parameters", arrays)
        for name, shape in self._shapes().items():
            if name in arrays and arrays[name].shape != shape:
                raise ShapeError(f"{name}: must have the shape {shape}, got {arrays[name].shape}.")

    @property
    def layers(self) -> int:
        """L."""
        return 1 + max(int(NAME.fullmatch(name)[2]) for name in self.parameters)

    @property
    def directions(self) -> int:
        """K: 2 when there are `_reverse` parameters."""
        return 1 + any(name.endswith("_reverse") for name in self.parameters)

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.parameters["weight_hh_l0"].shape[1]

    @property
    def input_size(self) -> int:
        """D."""
        return self.parameters["weight_ih_l0"].shape[1]

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Every direction of every layer in the order of torch's `h_n`: l0, l0_reverse, l1 and so on."""
        return tuple(
            self._stream(layer, reverse) for layer in range(self.layers) for reverse in (False, True)[: self.directions]
        )

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Every name that may be there with its shape; a missing weight is refused here."""
        for suffix in _suffixes(self.layers, self.directions) if self.parameters else ["l0"]:
            for kind in KINDS[:2]:
                if f"{kind}_{suffix}" not in self.parameters:
                    raise ShapeError(
                        f"parameters: {kind}_{suffix} is missing, got {shown(sorted(self.parameters), 200)}."
                    )
        recurrent = self.parameters["weight_hh_l0"]
        if recurrent.ndim != 2 or self.parameters["weight_ih_l0"].ndim != 2 or 0 in recurrent.shape:
            raise ShapeError("weight_ih_l0, weight_hh_l0: must have two axes and at least one unit, got the shapes "
                             f"{self.parameters['weight_ih_l0'].shape} and {recurrent.shape}.")  # fmt: skip
        size, gates = self.hidden_size, len(CELLS[self.cell].blocks) * self.hidden_size
        if recurrent.shape[0] != gates:
            raise ShapeError(
                f"weight_hh_l0: must have the shape {(gates, size)} for the cell {self.cell!r}, got {recurrent.shape}."
            )
        shapes = {}
        for layer in range(self.layers):
            width = self.directions * size if layer else max(self.input_size, 1)
            for suffix in _suffixes(1, self.directions, layer):
                shapes |= {f"weight_ih_{suffix}": (gates, width), f"weight_hh_{suffix}": (gates, size)}
                shapes |= {f"bias_ih_{suffix}": (gates,), f"bias_hh_{suffix}": (gates,)}
        return shapes

    def _stream(self, layer: int, reverse: bool) -> Stream:
        suffix = f"l{layer}" + "_reverse" * reverse
        cell, size = CELLS[self.cell], self.hidden_size
        gates = len(cell.blocks)
        weight_ih, weight_hh = (self.parameters[f"{kind}_{suffix}"] for kind in KINDS[:2])
        zero = np.zeros(gates * size)
        input_bias = self.parameters.get(f"bias_ih_{suffix}", zero).copy()
        recurrent_bias = self.parameters.get(f"bias_hh_{suffix}", zero)
        apart = (gates - cell.recurrent_bias_blocks) * size
        input_bias[:apart] += recurrent_bias[:apart]
        order = np.argsort(cell.recurrent_delta or range(gates))
        return Stream(
            layer=layer,
            reverse=reverse,
            bidirectional=self.directions == 2,
            cell=cell,
            activation=ACTIVATIONS[self.nonlinearity],
            weight_ih=weight_ih,
            weight_hh=weight_hh,
            recurrent=np.ascontiguousarray(weight_hh.T),
            weight_back=weight_hh.reshape(gates, size, size)[order].reshape(-1, size),
            rows=tuple(slice(block * size, (block + 1) * size) for block in range(gates)),
            input_bias=input_bias,
            recurrent_bias=recurrent_bias[apart:],
        )


def network_with(streams: tuple[Stream, ...]) -> Network:
    """A network that has these streams; its b_ih holds every bias that may be added before the recurrent product."""
    parameters = {}
    for stream in streams:
        recurrent = np.zeros_like(stream.input_bias)
        recurrent[len(recurrent) - len(stream.recurrent_bias) :] = stream.recurrent_bias
        arrays = (stream.weight_ih, stream.weight_hh, stream.input_bias, recurrent)
        parameters |= {f"{kind}_{stream.suffix}": array for kind, array in zip(KINDS, arrays, strict=True)}
    return Network(streams[0].cell.name, parameters, streams[0].activation.name)


def _suffixes(layers: int, directions: int, first: int = 0) -> list[str]:
    ends = ("", "_reverse")[:directions]
    return [f"l{layer}{end}" for layer in range(first, first + layers) for end in ends]


def _parameter(name: object, value: object) -> np.ndarray:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ShapeError(
            f"parameters: unknown name {shown(name)}; allowed are weight_ih, weight_hh, bias_ih and bias_hh with the "
            "ending _l0, _l0_reverse, _l1 and so on, as in the state_dict of a torch.nn.RNN, LSTM or GRU itself (no "
            "prefix, no other module, no proj_size)."
        )
    return finite_array(name, value)
