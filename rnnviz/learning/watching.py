"""The gradient inside the recurrent modules of a model while it trains: hooks take notes, the engine replays them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from rnnviz.core import drawn
from rnnviz.core.results import GradientFlow
from rnnviz.errors import ConfigError, expect, one_of, shown
from rnnviz.learning.frames import Frame
from rnnviz.learning.hearing import Hearing
from rnnviz.learning.modules import base_of, check_replayable
from rnnviz.learning.notes import Note

NOTES_BYTES = 2**28  # when more than this waits to be replayed, the oldest is


class Watch:
    """See `rnnviz.watch`.

    Attributes:
        names: of the modules that are watched.
        update: how many backward passes there have been.
        reported: the update that was last sent to a logger (`callbacks.report`).
        frames: one a watched backward pass, the film strip.
    """

    def __init__(self, model: nn.Module, every: int = 1, keep: int = 1, only: str | Sequence[str] | None = None):
        self.every, self.keep = _count("every", every), _count("keep", keep)
        self.model, self.update, self.reported = model, 0, 0
        self.frames: list[Frame] = []
        self._next = self.every
        found = recurrent_modules(model, only)
        self.names = tuple(found)
        self._hearing = Hearing(found, self._wanted, self._heard)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch: {', '.join(self.names)}; {len(self.frames)} frames in {self.update} backward passes>"

    @property
    def closed(self) -> bool:
        """Whether the hooks are gone."""
        return self._hearing.closed

    def close(self) -> None:
        """Take the hooks off the model; what was found stays, and a pass of before is still heard when it goes back."""
        self._hearing.close()

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

        Of the stream that the flow's `verdict` reads. Where the loss sends gradient in at many steps, it is that of
        what enters at the last of them alone: in the total, every step's own loss would hide the forgetting.

        Args:
            name: of the module; with one module watched it may be left out.

        Raises:
            ConfigError: for a name of which there is no flow (yet), or when the latest pass could not be replayed.
        """
        name = self._one(name)
        frame = next(frame for frame in reversed(self.frames) if name in frame.names)
        latest = frame.modules[name]
        if latest.note:
            raise ConfigError(latest.note)
        if latest.verdict.kind == "undefined":
            raise ConfigError(f"module {name!r}: must have a gradient of numbers, got NaN at update {frame.update}.")
        return int(latest.verdict.memory_horizon)

    def strip(self, name: str | None = None) -> dict[int, np.ndarray]:
        """{update: (n,) log10 norms from the furthest step to the loss} of every frame in which a module has a flow.

        Args:
            name: of the module; with one module watched it may be left out.

        Raises:
            ConfigError: for a name of which there is no flow (yet), or when no pass could be replayed.
        """
        name = self._one(name)
        found = {frame.update: frame.modules[name] for frame in self.frames if name in frame.names}
        curves = {update: each.curve for update, each in found.items() if each.curve is not None}
        if not curves:
            raise ConfigError(list(found.values())[-1].note)
        return curves

    def figure(self, name: str | None = None, theme: str = "light"):
        """The film strip of a module as a `plotly.graph_objects.Figure`: how far back its gradient reaches, over time.

        Args:
            name: of the module; with one module watched it may be left out.
            theme: "light" or "dark".
        """
        strip = self.strip(name)
        return drawn.loaded().strip_of(name or self.names[0], strip, theme)

    def show(self, name: str | None = None, theme: str = "light") -> None:
        """Draw `figure` where plotly draws: below a notebook's cell, or in a browser."""
        self.figure(name, theme).show()

    def _one(self, name: str | None) -> str:
        """The asked name, or the only one that is watched."""
        known = list(dict.fromkeys(name for frame in self.frames for name in frame.names))
        if not known:
            raise ConfigError(self._why_nothing())
        name = self.names[0] if name is None and len(self.names) == 1 else name
        if name not in known:
            raise ConfigError(f"name: must be {_listed(known)}, got {shown(name)}.")
        return name

    def _why_nothing(self) -> str:
        """Why there is no frame."""
        names = _listed(self.names)
        if not self._hearing.passes:
            return f"watch: must see a pass of {names}, got none; call the module itself and not its forward()."
        if not self.update:
            return f"watch: must see a backward pass that reaches {names}, got none yet."
        return f"watch: must see the backward pass number {self._next} (every={self.every}), got {self.update} so far."

    def _wanted(self) -> bool:
        return not self.closed and self.update + 1 >= self._next

    def _heard(self, notes: list[Note]) -> None:
        """Count a backward pass, and make a frame of what was noted for it."""
        self.update += 1
        if not notes or self.update < self._next:
            return
        self._next = (self.update // self.every + 1) * self.every
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


def recurrent_modules(model: nn.Module, only: str | Sequence[str] | None = None) -> dict[str, nn.Module]:
    """{qualified name: module} of what can be watched in a model; the model itself goes by the name of its class.

    Raises:
        ConfigError: when there is none, or one that cannot be replayed exactly.
    """
    if isinstance(model, list | tuple):
        raise ConfigError("model: must be one torch.nn.Module, got several; put them into a torch.nn.ModuleList.")
    expect("model", model, nn.Module, "torch.nn.Module")
    found = {}
    for name, module in model.named_modules():
        _check_plain(module)
        if base_of(module):
            found[name or type(module).__name__] = module
    wanted = (only,) if isinstance(only, str) else only
    for name in wanted or ():
        one_of("only", name, found or ["a recurrent module's name"])
    found = {name: module for name, module in found.items() if wanted is None or name in wanted}
    if not found:
        raise ConfigError(f"model: must have a torch.nn RNN, LSTM or GRU in it, got {shown(type(model).__name__)}.")
    for name, module in found.items():
        check_replayable(module, f"module {name!r}")
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


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}: must be a whole number of at least 1, got {shown(value)}.")
    return value


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence, a module's further calls in brackets behind it."""
    calls = [name for name in names if "#" in name]
    first = [repr(name) for name in names if name not in calls]
    listed = ", ".join(first[:-1]) + " or " * (len(first) > 1) + first[-1]
    return f"{listed} (or a further call of one, up to {calls[-1]!r})" if calls else listed
