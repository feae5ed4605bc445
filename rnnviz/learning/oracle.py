"""The same run by torch autograd, step by step: an independent second computation of every number.

Nothing here is shared with the engine but the parameters: the forward pass is written in torch operations, and every
gradient comes from autograd.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from rnnviz.core.network import Network, Stream
from rnnviz.core.results import GradientFlow
from rnnviz.core.signal import SignalClip, Truncation

Tensor = torch.Tensor
Arrays = dict[str, np.ndarray | dict[str, np.ndarray]]

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "linear": torch.clone}
SUMMED = ("adjoint", "cell_adjoint", "carried_cell_adjoint", "input_gradient")


def autograd_flow(
    network: Network,
    inputs: np.ndarray,
    output_gradient: np.ndarray,
    initial_state=None,
    signal_clip: SignalClip | None = None,
    truncation: Truncation | None = None,
    along: GradientFlow | None = None,
    dropout: tuple[np.ndarray, ...] = (),
) -> Arrays:
    """What `bptt` computes, by autograd: {field of `GradientFlow`: array}, and `carried_cell_adjoint` for ĉ.

    In a chaotic network two correct programs part after some 36 / λ₁ steps, because each rounds in its own way. Given a
    flow to go `along`, every step starts from that flow's states; `hidden` and `cell` are then what one step makes of
    them, and the gradients are those along the same trajectory. `dropout` as for `unroll`.
    """
    unrolled = partial(TorchNetwork, network, inputs, initial_state, signal_clip, along, dropout)
    if truncation is None:
        return unrolled().flow(output_gradient)
    if truncation.kind == "chunked":
        return unrolled(cuts=truncation.cuts).flow(output_gradient)
    parts = []
    for step in range(1, len(inputs) + 1):
        only = np.zeros_like(output_gradient)
        only[step - 1] = output_gradient[step - 1]
        parts.append(unrolled(constant=partial(_is_far, step, truncation.steps)).flow(only))
    return _sum_of_gradients(parts)


def autograd_itemised(network: Network, inputs: np.ndarray, output_gradient: np.ndarray, initial_state=None):
    """What `itemised` computes, by one autograd call a source: norms (not their logarithms), (S, T, T+1)."""
    unrolled = TorchNetwork(network, inputs, initial_state)
    states = [state for stream in unrolled.streams for state in stream.states["adjoint"]]
    norms = []
    for output, gradient in zip(unrolled.output, torch.tensor(output_gradient), strict=True):
        found = torch.autograd.grad((output * gradient).sum(), states, retain_graph=True, allow_unused=True)
        norms.append([0.0 if part is None else float(part.norm()) for part in found])
    return np.moveaxis(np.array(norms).reshape(len(inputs), len(unrolled.streams), -1), 1, 0)


class TorchNetwork:
    """A network unrolled under autograd's eyes.

    Args:
        network, inputs, initial_state, signal_clip: as for `bptt`.
        along, dropout: see `autograd_flow`.
        cuts: rows, in a stream's own order, whose state the next step sees detached.
        constant: positions whose state everyone sees detached.
    """

    def __init__(
        self,
        network: Network,
        inputs: np.ndarray,
        initial_state=None,
        signal_clip: SignalClip | None = None,
        along: GradientFlow | None = None,
        dropout: tuple[np.ndarray, ...] = (),
        cuts: Callable[[int], bool] = lambda row: False,
        constant: Callable[[int], bool] = lambda position: False,
    ):
        self.parameters = {name: torch.tensor(value, requires_grad=True) for name, value in network.parameters.items()}
        self.inputs = torch.tensor(np.array(inputs, dtype=np.float64), requires_grad=True)
        given = initial_state if isinstance(initial_state, tuple) else (initial_state,)
        shape = (len(network.streams), inputs.shape[1], network.hidden_size)
        h0, c0 = (np.zeros(shape) if part is None else part for part in (*given, None)[:2])
        self.streams: list[TorchStream] = []
        self.output = self.inputs
        for layer in range(network.layers):
            sides = []
            if layer and dropout:
                self.output = self.output * torch.tensor(dropout[layer - 1])
            for _ in range(network.directions):
                s = len(self.streams)
                side = TorchStream(network.streams[s], self.parameters, signal_clip, cuts, constant)
                start = [torch.tensor(part[s], requires_grad=True) for part in (h0, c0)]
                sides.append(side.run(self.output, *start, partial(_states, along, s)))
                self.streams.append(side)
            self.output = torch.cat(sides, dim=-1)

    def flow(self, output_gradient: np.ndarray) -> Arrays:
        """Go back, and collect what autograd found under the names of `GradientFlow`."""
        if self.output.requires_grad:
            (self.output * torch.tensor(output_gradient)).sum().backward()
        arrays: Arrays = {
            "output": self.output.detach().numpy(),
            "input_gradient": _gradient(self.inputs),
            "parameter_gradients": {name: _gradient(leaf) for name, leaf in self.parameters.items()},
        }
        for name in self.streams[0].states:
            read = _gradient if "adjoint" in name else _value
            arrays[name] = np.array([[read(state) for state in stream.states[name]] for stream in self.streams])
        return arrays


class TorchStream:
    """One direction of one layer. `states` holds tensors in time order, under the name of what is read off them."""

    def __init__(self, stream: Stream, parameters: dict[str, Tensor], signal_clip, cuts, constant):
        self.stream, self.signal_clip, self.cuts, self.constant = stream, signal_clip, cuts, constant
        zero = torch.zeros((), dtype=torch.float64)
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self.parameters = [parameters.get(f"{kind}_{stream.suffix}", zero) for kind in kinds]
        names = ["hidden", "adjoint"]
        if stream.cell.name == "lstm":
            names += ["cell", "cell_adjoint", "carried_cell_adjoint"]
        self.states: dict[str, list[Tensor]] = {name: [] for name in names}

    def run(self, inputs: Tensor, h: Tensor, c: Tensor, along: Callable[[int], dict[str, Tensor]]) -> Tensor:
        """Walk over the inputs (T, B, ·); give the output (T, B, H) in time order."""
        steps, outputs = len(inputs), []
        for row in range(steps + 1):
            position = steps + 1 - row if self.stream.reverse else row
            self.here = along(steps - row if self.stream.reverse else row)
            h, c = self.step(inputs[position - 1], h, c) if row else (h, self.keep_cell(c))
            h = self.keep("hidden", "adjoint", h)
            carried = c.clone()
            if "cell" in self.states:
                self.states["carried_cell_adjoint"].append(_watched(carried))
            h, c = (h.detach(), carried.detach()) if self.constant(position) else (h, carried)
            outputs.append(h)
            h, c = (h.detach(), c.detach()) if self.cuts(row) else (h, c)
        order = -1 if self.stream.reverse else 1
        self.states = {name: states[::order] for name, states in self.states.items()}
        return torch.stack(outputs[1:][::order])

    def keep(self, name: str, adjoint: str, state: Tensor) -> Tensor:
        """Note a state, move its value to where the compared flow is, and have autograd keep its gradient."""
        self.states[name].append(state)
        if name in self.here:
            state = state + (self.here[name] - state).detach()
        clip = self.signal_clip
        if name == "hidden" and clip and clip.kind != "preactivation_value" and state.requires_grad:
            state.register_hook(partial(_clip_hidden, clip))
        self.states[adjoint].append(_watched(state))
        return state

    def keep_cell(self, c: Tensor) -> Tensor:
        """The same for c, in a cell that has one."""
        return self.keep("cell", "cell_adjoint", c) if "cell" in self.states else c

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """One step as torch.nn documents it."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.parameters
        drive, recurrent = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
        if self.stream.cell.name == "rnn":
            return NONLINEARITIES[self.stream.activation.name](self.clipped(drive + recurrent)), c
        if self.stream.cell.name == "lstm":
            i, f, g, o = (self.clipped(a) for a in (drive + recurrent).chunk(4, dim=-1))
            c = self.keep_cell(torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g))
            return torch.sigmoid(o) * torch.tanh(c), c
        (drive_r, drive_z, drive_n), (r, z, q) = drive.chunk(3, dim=-1), recurrent.chunk(3, dim=-1)
        r, z = torch.sigmoid(self.clipped(drive_r + r)), torch.sigmoid(self.clipped(drive_z + z))
        n = torch.tanh(self.clipped(drive_n + r * q))
        return (1.0 - z) * n + z * h, c

    def clipped(self, a: Tensor) -> Tensor:
        """A pre-activation whose gradient is clipped, when that is asked for."""
        clip = self.signal_clip
        if clip and clip.kind == "preactivation_value" and a.requires_grad:
            a.register_hook(lambda gradient: gradient.clamp(-clip.limit, clip.limit))
        return a


def _clip_hidden(clip: SignalClip, gradient: Tensor) -> Tensor:
    if clip.kind == "hidden_value":
        return gradient.clamp(-clip.limit, clip.limit)
    return gradient * (clip.limit / gradient.norm(dim=-1, keepdim=True)).clamp(max=1.0)


def _watched(state: Tensor) -> Tensor:
    """The same tensor, whose gradient autograd will keep."""
    if state.requires_grad:
        state.retain_grad()
    return state


def _states(along: GradientFlow | None, s: int, row: int) -> dict[str, Tensor]:
    """The states of a flow's stream at a row, by name; none without a flow."""
    known = {} if along is None else {"hidden": along.hidden, "cell": along.cell}
    return {name: torch.tensor(states[s, row]) for name, states in known.items() if states is not None}


def _is_far(step: int, reach: int, position: int) -> bool:
    return abs(position - step) >= reach


def _gradient(tensor: Tensor) -> np.ndarray:
    return np.zeros(tuple(tensor.shape)) if tensor.grad is None else tensor.grad.numpy()


def _value(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def _sum_of_gradients(parts: list[Arrays]) -> Arrays:
    """Add up the gradients of several runs whose states are the same."""
    names = parts[0]["parameter_gradients"]
    total = {name: sum(part[name] for part in parts) for name in SUMMED if name in parts[0]}
    total["parameter_gradients"] = {name: sum(part["parameter_gradients"][name] for part in parts) for name in names}
    return parts[0] | total
