"""The gradient inside the recurrent modules of a model while it trains: hooks take notes, the engine replays them."""

from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from rnnviz.core import drawn
from rnnviz.core.results import GradientFlow
from rnnviz.errors import ConfigError, expect, one_of, shown
from rnnviz.learning.frames import Frame, Note, copied, copies_of
from rnnviz.learning.modules import base_of, check_replayable, type_is_cell

NOTES_BYTES = 2**28  # when more than this waits to be replayed, the oldest is


class Watch:
    """See `rnnviz.watch`.

    Attributes:
        names: of the modules that are watched.
        update: how many backward passes there have been.
        reported: the update that was last sent to a logger (`callbacks.report`).
        frames: one a watched backward pass, the film strip.
    """

    def __init__(self, model: nn.Module, every: int = 1, keep: int = 1, only: tuple[str, ...] | None = None):
        self.every, self.keep = _count("every", every), _count("keep", keep)
        self.model, self.update, self.reported = model, 0, 0
        self.frames: list[Frame] = []
        self._next, self._calls = self.every, count()
        self._arrived: dict[int, dict] = {}  # {backward pass: {call: {place: gradient}}}
        found = recurrent_modules(model, only)
        self.names = tuple(found)
        self._handles = [
            module.register_forward_hook(_Ear(self, name), with_kwargs=True, prepend=True)
            for name, module in found.items()
        ]

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch: {', '.join(self.names)}; {len(self.frames)} frames in {self.update} backward passes>"

    @property
    def closed(self) -> bool:
        """Whether the hooks are gone."""
        return not self._handles

    def close(self) -> None:
        """Take the hooks off the model; what was found stays."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._arrived = [], {}

    @property
    def kept(self) -> dict[int, dict[str, GradientFlow]]:
        """{update: {name: GradientFlow}} of the latest `keep` frames."""
        return {frame.update: frame.flows for frame in self.frames[-self.keep :]}

    @property
    def flows(self) -> dict[str, GradientFlow]:
        """{name: its latest GradientFlow}, from the latest `keep` frames."""
        return {name: flow for flows in self.kept.values() for name, flow in flows.items()}

    def horizon(self, name: str | None = None) -> int:
        """How many steps back the latest gradient of a module stays above 1 % of what it was at the loss.

        Of the stream that the flow's `verdict` reads; with one module watched, its name may be left out.

        Raises:
            ConfigError: for a name of which there is no flow (yet), or none because of values that are not finite.
        """
        flows = self.flows
        self._check_finite(name, flows)
        return int(flows[self._one(name, flows)].verdict.memory_horizon)

    def strip(self, name: str | None = None) -> dict[int, np.ndarray]:
        """{update: (n,) log10 norms from the furthest step to the loss} of every frame in which a module has a flow.

        Args:
            name: of the module; with one module watched it may be left out.

        Raises:
            ConfigError: for a name of which there is no flow (yet).
        """
        seen = [frame for frame in self.frames if any(each.curve is not None for each in frame.modules.values())]
        name = self._one(name, {found for frame in seen for found in frame.modules})
        found = {frame.update: frame.modules.get(name) for frame in seen}
        return {update: each.curve for update, each in found.items() if each is not None and each.curve is not None}

    def figure(self, name: str | None = None, theme: str = "light"):
        """The film strip of a module as a `plotly.graph_objects.Figure`: how far back its gradient reaches, over time.

        Args:
            name: of the module; with one module watched it may be left out.
            theme: "light" or "dark".
        """
        strip = self.strip(name)
        return drawn.drawer().strip_of(name or self.names[0], strip, theme)

    def show(self, name: str | None = None, theme: str = "light") -> None:
        """Draw `figure` where plotly draws: below a notebook's cell, or in a browser."""
        self.figure(name, theme).show()

    def _one(self, name: str | None, known) -> str:
        """The asked name, or the only one that is watched."""
        name = self.names[0] if name is None and len(self.names) == 1 else name
        one_of("name", name, known or ["a module's name after a watched backward pass"])
        return name

    def _check_finite(self, name: str | None, flows: dict) -> None:
        """Refuse, in the words of the latest glimpse, when that is why the kept frames have no flow."""
        name = self.names[0] if name is None and len(self.names) == 1 else name
        notes = [frame.modules[name].note for frame in self.frames[-self.keep :] if name in frame.modules]
        if name not in flows and any(notes):
            raise ConfigError(notes[-1])

    def listen(self, name: str, module: nn.Module, given: tuple, output: object) -> None:
        """Note a forward pass, and ask to hear of its gradients."""
        tensors = _tensors(name, output)
        if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
            return
        call = (next(self._calls), self._note(name, module, given)) if self.update + 1 >= self._next else None
        for place, tensor in enumerate(tensors):
            if tensor.requires_grad:  # at the node, behind whatever a user's own hooks make of the gradient
                tensor.grad_fn.register_prehook(partial(self._arrive, call, place, tensor.output_nr))

    def _note(self, name: str, module: nn.Module, given: tuple) -> Note:
        """Copies as of now, so that an update before the replay changes nothing."""
        check_replayable(module, name)
        return Note(name, module, {key: copied(value) for key, value in module.named_parameters()}, copies_of(given))

    def _arrive(self, call: tuple[int, Note] | None, place: int, number: int, gradients: tuple) -> None:
        """Note what came back to one output of a pass, in the middle of a backward pass."""
        if self.closed or (gradient := gradients[number]) is None:
            return
        if torch.is_grad_enabled():
            raise ConfigError(
                "watch: must see plain backward passes, got create_graph=True, whose second pass cannot be replayed; "
                "close the watch around it."
            )
        task = torch._C._current_graph_task_id()  # of this backward pass; another may run within it, or have failed
        if task not in self._arrived:
            self._arrived[task] = {}
            torch.autograd.Variable._execution_engine.queue_callback(partial(self._finish, task))
        if call is not None:
            self._arrived[task].setdefault(call, {})[place] = copied(gradient)

    def _finish(self, task: int) -> None:
        """Make a frame of what arrived, when the whole backward pass is over."""
        arrived = sorted(self._arrived.pop(task, {}).items(), key=lambda item: item[0][0])
        self.update += 1
        if self.closed or self.update < self._next or not arrived:
            return
        self._next = (self.update // self.every + 1) * self.every
        notes = [replace(note, gradients=gradients) for (_, note), gradients in arrived]
        self.frames.append(Frame(self.update, gradient_norm(self.model), notes))
        if len(self.frames) > self.keep:
            self.frames[-self.keep - 1].age()
        self._make_room()

    def _make_room(self) -> None:
        """Replay the oldest frames when the notes of all take too much memory."""
        taken = sum(frame.waiting for frame in self.frames)
        for frame in self.frames:
            if taken <= NOTES_BYTES:
                return
            taken -= frame.waiting
            frame.look()


class _Ear:
    """A forward hook. A copied or a pickled model gets one that is deaf, and not the whole watch."""

    def __init__(self, watch: Watch, name: str):
        self.watch, self.name = watch, name

    def __call__(self, module, args, kwargs, output) -> None:
        given = (*args, *(kwargs[key] for key in ("input", "hx") if key in kwargs))
        self.watch.listen(self.name, module, given, output)

    def __reduce__(self):
        return _deaf, ()


def _deaf():
    return ignore


def ignore(module, args, kwargs, output) -> None:
    """Do nothing: what a copy of a watched model has for a hook."""


def recurrent_modules(model: nn.Module, only: tuple[str, ...] | None = None) -> dict[str, nn.Module]:
    """{qualified name: module} of what can be watched in a model; the model itself goes by the name of its class.

    Raises:
        ConfigError: when there is none, or one that cannot be replayed exactly.
    """
    expect("model", model, nn.Module, "torch.nn.Module")
    found = {}
    for name, module in model.named_modules():
        _check_plain(module)
        if base_of(module):
            found[name or type(module).__name__] = module
    for name in only or ():
        one_of("only", name, found or ["a recurrent module's name"])
    found = {name: module for name, module in found.items() if only is None or name in only}
    if not found:
        raise ConfigError(f"model: must have a torch.nn RNN, LSTM or GRU in it, got {shown(type(model).__name__)}.")
    for name, module in found.items():
        if type_is_cell(module):
            raise ConfigError(
                f"model: may have no {type(module).__name__} among its watched modules, whose loop the watch cannot "
                f"see, got {name!r}; give `only=` the others' names, and trace the cell with rnnviz.trace."
            )
        check_replayable(module, name)
    return found


def _check_plain(module: nn.Module) -> None:
    kind = type(module)
    if isinstance(module, nn.DataParallel | torch.jit.ScriptModule) or kind.__name__ == "OptimizedModule":
        raise ConfigError(
            f"model: must be a plain module, got a {kind.__name__}; watch the model itself, and not what wraps, "
            "scripts or compiles it."
        )
    if ".quantized" in kind.__module__ and hasattr(module, "hidden_size"):
        raise ConfigError(f"model: must have floating-point weights, got a quantised {kind.__name__}; watch it before.")


def gradient_norm(model: nn.Module) -> float:
    """Euclidean norm of all of a model's gradients together, as they are now; 0 when it has none."""
    gradients = [value.grad.detach() for value in model.parameters() if value.grad is not None]
    gradients = [value.coalesce().values() if value.is_sparse else value for value in gradients]
    return float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0


def _tensors(name: str, output: object) -> list[torch.Tensor]:
    """Output, h_n and c_n, of what a module returned."""
    if not (isinstance(output, tuple) and len(output) == 2):
        raise ConfigError(
            f"model: must return (output, state) from {name!r}, got {shown(output)}; begin to watch after the hook "
            "that returns something else."
        )
    first, state = output
    first = first.data if isinstance(first, PackedSequence) else first
    return [first, *(state if isinstance(state, tuple) else (state,))]


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}: must be a whole number of at least 1, got {shown(value)}.")
    return value
