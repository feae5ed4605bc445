"""Torch's recurrent modules as the engine sees them: a `Network`, and arrays in the order (T, B, ·)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from rnnviz.core.arrays import finite_array
from rnnviz.core.network import KINDS, Network
from rnnviz.core.unroll import Unrolled
from rnnviz.errors import ConfigError, ShapeError, shown
from rnnviz.learning.packed import unroll_ragged

CELLS = {nn.RNN: "rnn", nn.LSTM: "lstm", nn.GRU: "gru"}
SINGLE_CELLS = {nn.RNNCell: "rnn", nn.LSTMCell: "lstm", nn.GRUCell: "gru"}


def base_of(module: object) -> type | None:
    """Which of torch's recurrent modules this is, or one that inherits from it."""
    return next((base for base in (*CELLS, *SINGLE_CELLS) if isinstance(module, base)), None)


def check_replayable(module: object, field: str = "module") -> None:
    """Refuse what the engine cannot replay exactly, be the masks of its dropout known.

    Raises:
        ConfigError: with what to do about it.
    """
    base = base_of(module)
    if base is None:
        raise ConfigError(
            f"{field}: must be a torch.nn RNN, LSTM, GRU, RNNCell, LSTMCell or GRUCell (pass the recurrent module "
            f"inside a model, and not compiled, scripted or quantised), got a {type(module).__name__}."
        )
    if "forward" in vars(module) or type(module).forward is not base.forward:
        raise ConfigError(
            f"{field}: must run torch's own forward, got a {type(module).__name__} that overrides that of "
            f"{base.__name__}; copy its weights into a plain torch.nn.{base.__name__}."
        )
    if getattr(module, "proj_size", 0):
        raise ConfigError(f"{field}: must have proj_size=0, got {module.proj_size}; rebuild it without a projection.")
    _check_parameters(module, field)
    if draws_dropout(module) and not all(value.device.type == "cpu" for value in module.parameters()):
        raise ConfigError(
            f"{field}: must have no dropout between its layers on a GPU, whose masks cannot be known there, got "
            f"dropout={module.dropout} in training mode; set it to 0, or watch the other modules by `only=`."
        )


def draws_dropout(module: object) -> bool:
    """Whether a pass would multiply what goes from layer to layer by random masks."""
    return bool(getattr(module, "dropout", 0)) and module.num_layers > 1 and module.training


def _check_parameters(module: nn.Module, field: str) -> None:
    names, extra = set(_names(module)), sorted(dict(module.named_parameters()))
    if names != set(extra):
        raise ConfigError(
            f"{field}: must have its plain parameters, got {shown(extra)}; remove what reparametrises them "
            "(weight_norm, pruning, parametrizations) first."
        )
    for name, value in module.named_parameters():
        if value.is_meta:
            raise ConfigError(f"{field}: must have weights, got {name} on the meta device; load the weights first.")
        if not value.is_floating_point():
            raise ConfigError(f"{field}: must have floating-point weights, got {name} of {value.dtype}.")


def _names(module: nn.Module) -> list[str]:
    if type_is_cell(module):
        return [name for name in KINDS if getattr(module, name) is not None]
    return module._flat_weights_names


def type_is_cell(module: object) -> bool:
    """Whether it is a module of one step."""
    return isinstance(module, tuple(SINGLE_CELLS))


def network_of(module: nn.Module, weights: dict[str, torch.Tensor] | None = None) -> Network:
    """The module's network with a float64 copy of its weights, or of those that it had when they were noted.

    Raises:
        RnnvizError: for a module that cannot be replayed exactly, or weights that are not finite.

    >>> network_of(nn.GRU(3, 4, bidirectional=True))
    Network(cell='gru', nonlinearity='tanh')
    """
    weights = dict(module.named_parameters()) if weights is None else weights
    ending = "_l0" if type_is_cell(module) else ""
    parameters = {f"{name}{ending}": value for name, value in weights.items()}
    cell = (CELLS | SINGLE_CELLS)[base_of(module)]
    return Network(cell, parameters, module.nonlinearity if cell == "rnn" else "tanh")


@dataclass(frozen=True)
class Layout:
    """In which order a module has its arrays, from what it was given.

    Attributes:
        batch_first: steps are on the second axis.
        batched: there is an axis of batch rows.
        one_step: the module is a cell, whose states have no axis of streams.
        packing: the `PackedSequence` that came, whose order the output has too.
    """

    batch_first: bool = False
    batched: bool = True
    one_step: bool = False
    packing: PackedSequence | None = None

    @property
    def axes(self) -> str:
        """The leading axes, for a message."""
        if self.packing is not None:
            return "N, "
        return ("B, T, " if self.batch_first else "T, B, ") if self.batched else "T, "

    @property
    def lengths(self) -> np.ndarray:
        """(B,), in the order of the user's batch, of a packed sequence."""
        return np.bincount(self._places[1])

    @property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """The step and the batch row of each row of packed data."""
        sizes = self.packing.batch_sizes.numpy()
        steps = np.repeat(np.arange(len(sizes)), sizes)
        rows = np.concatenate([np.arange(size) for size in sizes])
        order = self.packing.sorted_indices
        return steps, rows if order is None else order.cpu().numpy()[rows]

    def to_engine(self, array: np.ndarray) -> np.ndarray:
        """An array over time in (T, B, ·)."""
        if self.packing is not None:
            steps, rows = self._places
            padded = np.zeros((steps[-1] + 1, rows.max() + 1, array.shape[-1]))
            padded[steps, rows] = array
            return padded
        if not self.batched:
            return array[:, None]
        return array.swapaxes(0, 1) if self.batch_first else array

    def from_engine(self, array: np.ndarray) -> np.ndarray:
        """An array (T, B, ·) in the module's own order."""
        if self.packing is not None:
            return array[self._places]
        if not self.batched:
            return array[:, 0]
        return array.swapaxes(0, 1) if self.batch_first else array

    def state_to_engine(self, state: np.ndarray) -> np.ndarray:
        """A state in (S, B, H)."""
        state = state[None] if self.one_step else state
        return state if self.batched else state[:, None]

    def state_from_engine(self, state: np.ndarray) -> np.ndarray:
        """A state (S, B, H) in the module's own order."""
        state = state if self.batched else state[:, 0]
        return state[0] if self.one_step else state

    def state_shape(self, network: Network, batch: int) -> tuple[int, ...]:
        """That of the module's own state."""
        shape = (len(network.streams), batch, network.hidden_size)
        return shape[1 if self.one_step else 0 :] if self.batched else shape[1 if self.one_step else 0 : 1] + shape[2:]


@dataclass(frozen=True)
class Question:
    """What a module is asked to run: a network, its inputs (T, B, D) and initial state, and the module's own layout."""

    network: Network
    layout: Layout
    inputs: np.ndarray
    initial_state: tuple[np.ndarray, ...] | None

    @classmethod
    def of(cls, module: nn.Module, network: Network, inputs: object, initial_state: object = None) -> "Question":
        """Take over what a module is called with, when it has the weights of this network.

        Raises:
            RnnvizError: for a wrong shape or a value that is not finite.
        """
        layout, array = _inputs(module, network, inputs)
        batch = array.shape[1]
        return cls(network, layout, array, _initial_state(network, layout, batch, initial_state))

    @classmethod
    def joined(cls, questions: "list[Question]") -> "Question":
        """One question of several, each of which goes on from the state in which the one before it ends."""
        return replace(questions[0], inputs=np.concatenate([question.inputs for question in questions]))

    def unroll(self, dropout: tuple[np.ndarray, ...] = ()) -> Unrolled:
        """Run the network, with what its layers' outputs are multiplied by on their way up: see `unroll`."""
        if self.layout.packing is None:
            lengths = np.full(self.inputs.shape[1], len(self.inputs))
        else:
            lengths = self.layout.lengths
        return unroll_ragged(self.network, self.inputs, lengths, self.initial_state, dropout)


def _inputs(module: nn.Module, network: Network, inputs: object) -> tuple[Layout, np.ndarray]:
    """How the inputs lie, and the inputs in (T, B, D)."""
    one_step = type_is_cell(module)
    batch_first = getattr(module, "batch_first", False)
    packing = None
    if isinstance(inputs, PackedSequence):
        if one_step:
            raise ShapeError("inputs: must be (T, B, D) or (T, D) for a cell of one step, got a PackedSequence.")
        packing, inputs = inputs, inputs.data
    check_floating("inputs", inputs)
    array = finite_array("inputs", inputs)
    layout = Layout(batch_first, packing is not None or array.ndim == 3, one_step, packing)
    if array.ndim != 2 + (layout.batched and packing is None) or 0 in array.shape:
        wanted = "(B, T, D) or (T, D)" if batch_first else "(T, B, D) or (T, D)"
        raise ShapeError(f"inputs: must have the shape {wanted}, none of them 0, got {array.shape}.")
    if array.shape[-1] != network.input_size:
        raise ShapeError(
            f"inputs: must have the shape ({layout.axes}{network.input_size}) for this module, got {array.shape}."
        )
    return layout, layout.to_engine(array)


def check_floating(field: str, value: object) -> None:
    """Refuse whole numbers, which a recurrent module does not take either: most often indices for an embedding.

    Raises:
        ShapeError: naming the type that came.
    """
    dtype = getattr(value, "dtype", None)
    floating = dtype.is_floating_point if isinstance(dtype, torch.dtype) else getattr(dtype, "kind", "f") == "f"
    if isinstance(value, torch.Tensor) and value.is_meta:
        raise ShapeError(f"{field}: must have values, got a tensor on the meta device.")
    if not floating:
        raise ShapeError(f"{field}: must be floating-point numbers, got {dtype}; embed them or call .float() first.")


def _initial_state(network: Network, layout: Layout, batch: int, given: object) -> tuple[np.ndarray, ...] | None:
    if given is None:
        return None
    parts, count = given if isinstance(given, tuple) else (given,), network.streams[0].parts
    if len(parts) != count:
        wanted = "the pair (h0, c0)" if count > 1 else "h0 alone"
        raise ShapeError(f"initial_state: must be {wanted} for this module, got {shown(given)}.")
    shape = layout.state_shape(network, batch)
    return tuple(
        layout.state_to_engine(finite_array(name, part, shape)) for name, part in zip(("h0", "c0"), parts, strict=False)
    )
