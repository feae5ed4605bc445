"""The film strip of a watch: notes of what went into a module and came back, and what a replay of them shows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from rnnviz.core.bptt import backpropagate
from rnnviz.core.readings import Reading
from rnnviz.core.results import GradientFlow
from rnnviz.errors import ShapeError
from rnnviz.learning.modules import Question
from rnnviz.learning.tracing import final_states, to_numpy


@dataclass(frozen=True)
class Glimpse:
    """What is kept of one flow for as long as the watch lives.

    Attributes:
        profile: (S, T+1), as in `GradientFlow`; None when there is no flow, and then `note` says why.
        growth: (S,) growth per step.
        horizon: (S,) memory horizon in steps.
        verdict: the flow's: the reading of the top layer.
        curve: (n,) what the verdict was read from: log10 norms, from the furthest step to the loss.
        note: why there is no flow: weights or inputs that are not finite; "" otherwise.
    """

    profile: np.ndarray | None
    growth: np.ndarray | None
    horizon: np.ndarray | None
    verdict: Reading | None
    curve: np.ndarray | None
    note: str = ""

    @classmethod
    def at(cls, flow: GradientFlow) -> "Glimpse":
        """Take it from a flow."""
        s = next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
        return cls(flow.profile, flow.growth_per_step, flow.memory_horizon, flow.verdict, flow.way_back(s)[0])


@dataclass(frozen=True, eq=False)
class Note:
    """One pass of a module as it was: copies of its weights, of what it was called with, and of what came back.

    Attributes:
        name: the module's.
        module: whose settings say how to read the rest.
        weights: {name: tensor}.
        given: inputs and initial state.
        gradients: {0: ∂L/∂output, 1: ∂L/∂h_n, 2: ∂L/∂c_n}, as far as there are any, in the module's own layout.
    """

    name: str
    module: nn.Module
    weights: dict[str, torch.Tensor]
    given: tuple
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """What its copies take."""
        return sum(tensor.nbytes for tensor in (*self.weights.values(), *_flat(self.given), *self.gradients.values()))

    def replay(self) -> GradientFlow:
        """Go forward again, and back with the gradients that the loss sent."""
        question = Question.of(self.module, *self.given, weights=self.weights)
        unrolled, layout = question.unroll(), question.layout
        entering, state = np.zeros_like(unrolled.output), None
        if 0 in self.gradients:
            entering = layout.to_engine(to_numpy(self.gradients[0]))
        if self.gradients.keys() > {0} or 0 not in self.gradients:
            state = tuple(
                layout.state_to_engine(to_numpy(self.gradients[place]))
                if place in self.gradients
                else np.zeros_like(part)
                for place, part in enumerate(final_states(unrolled), start=1)
            )
        return backpropagate(unrolled, entering, state_gradient=state)


class Frame:
    """One watched backward pass, replayed when it is first looked at.

    A module that was called several times has a flow for each call that a gradient reached, in order, under the names
    "lstm", "lstm#2", "lstm#3".

    Attributes:
        update: the number of the backward pass, counted from 1.
        gradient_norm: of all of the model's gradients together, right after the backward pass.
        waiting: bytes of what is noted and not yet replayed.
    """

    def __init__(self, update: int, gradient_norm: float, notes: list[Note]):
        self.update, self.gradient_norm, self.notes = update, gradient_norm, notes
        self.waiting = sum(note.nbytes for note in notes)
        self.fresh, self._flows = True, {}
        self._modules: dict[str, Glimpse] | None = None

    def __repr__(self) -> str:
        return f"<Frame: update {self.update}>"

    @property
    def modules(self) -> dict[str, Glimpse]:
        """{name: what is kept of its flow}."""
        self.look()
        return self._modules

    @property
    def flows(self) -> dict[str, GradientFlow]:
        """{name: its flow}; {} when the frame is not among the latest that keep theirs."""
        if self.fresh:
            self.look()
        return self._flows

    def look(self) -> None:
        """Replay what was noted, if that has not been done."""
        if self._modules is None:
            named = zip(_names(self.notes), self.notes, strict=True)
            self._modules = {name: self._replay(name, note) for name, note in named}
            self.notes, self.waiting = [], 0

    def _replay(self, name: str, note: Note) -> Glimpse:
        try:
            flow = note.replay()
        except ShapeError as refusal:  # torch took it, so that only its values can be wrong: a finding, not an error
            return Glimpse(None, None, None, None, None, str(refusal))
        if self.fresh:
            self._flows[name] = flow
        return Glimpse.at(flow)

    def age(self) -> None:
        """Let go of the flows."""
        self.fresh, self._flows = False, {}


def copied(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU, with no graph."""
    return tensor.detach().to("cpu", copy=True)


def copies_of(given: object) -> object:
    """Copies of the tensors in what a module was called with."""
    if isinstance(given, PackedSequence):
        return given._replace(data=copied(given.data))
    if isinstance(given, tuple | list):
        return tuple(map(copies_of, given))
    return given if given is None else copied(given)


def _flat(given: object) -> Iterator[torch.Tensor]:
    if isinstance(given, PackedSequence):
        yield given.data
    elif isinstance(given, tuple):
        for part in given:
            yield from _flat(part)
    elif given is not None:
        yield given


def _names(notes: list[Note]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for note in notes:
        seen[note.name] = seen.get(note.name, 0) + 1
        yield note.name if seen[note.name] == 1 else f"{note.name}#{seen[note.name]}"
