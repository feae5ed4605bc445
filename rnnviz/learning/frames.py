"""The film strip of a watch: notes of what went into a module and came back, and what a replay of them shows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnnviz.core.bptt import backpropagate, backpropagate_last
from rnnviz.core.readings import Reading
from rnnviz.core.results import GradientFlow
from rnnviz.errors import ConfigError, RnnvizError
from rnnviz.learning.modules import Question, network_of, type_is_cell
from rnnviz.learning.notes import Note, bytes_of, chains, sample_of
from rnnviz.learning.tracing import final_states, to_numpy

APART = {torch.float64: 1e-6, torch.float32: 1e-3}  # what a replay may be away from the pass, as a share of its size
APART_IN_HALF = 0.2


@dataclass(frozen=True)
class Glimpse:
    """What is kept of one flow for as long as the watch lives.

    Where the loss sends gradient in at many steps, its total hides how far back any of it reaches: then all of this is
    read from what enters at the last of those steps alone.

    Attributes:
        profile: (S, T+1), as in `GradientFlow`; None when there is no flow, and then `note` says why.
        growth: (S,) growth per step.
        horizon: (S,) memory horizon in steps.
        verdict: the flow's: the reading of the top layer.
        curve: (n,) what the verdict was read from: log10 norms, from the furthest step to the loss.
        entries: at how many steps the loss sends gradient into the verdict's stream.
        calls: of how many calls of the module the sequence is made, each going on from the last one's state.
        note: why there is no flow: what cannot be replayed, values that are not finite; "" otherwise.
    """

    profile: np.ndarray | None = None
    growth: np.ndarray | None = None
    horizon: np.ndarray | None = None
    verdict: Reading | None = None
    curve: np.ndarray | None = None
    entries: int = 0
    calls: int = 1
    note: str = ""

    @classmethod
    def at(cls, replay: "Replay") -> "Glimpse":
        """Take it from a replay."""
        flow, entries = replay.flow, _entries(replay.flow)
        if flow.verdict.refilled:
            flow = replay.of_last_entry()
        s = next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
        curve = flow.way_back(s)[0]
        return cls(flow.profile, flow.growth_per_step, flow.memory_horizon, flow.verdict, curve, entries, replay.calls)


def _entries(flow: GradientFlow) -> int:
    s = next(s for s, reading in enumerate(flow.readings) if reading is flow.verdict)
    return int((flow.loss_log10_norm[s] > -np.inf).any(axis=1).sum())


class Replay:
    """A chain of passes, run again in float64 and back with the gradients that the loss sent.

    Raises:
        RnnvizError: for what cannot be replayed.
    """

    def __init__(self, chain: list[Note]):
        for note in chain:
            if note.refusal:
                raise ConfigError(note.refusal)
        self.chain, self.calls = chain, len(chain)
        network = network_of(chain[0].module, chain[0].weights)
        self.questions = [Question.of(note.module, network, *_given(note)) for note in chain]
        self.ends = np.cumsum([len(question.inputs) for question in self.questions])
        self.unrolled = Question.joined(self.questions).unroll(self._dropout())
        self._hold_against_the_pass()
        self.entering = self._entering()
        self.flow = backpropagate(self.unrolled, **self.entering)

    def of_last_entry(self) -> GradientFlow:
        """The flow of what enters last, alone."""
        return backpropagate_last(self.unrolled, **self.entering)

    def _dropout(self) -> tuple[np.ndarray, ...]:
        """What the layers' outputs were multiplied by, (T, B, K·H) each."""
        masks = [_masks(note, question) for note, question in zip(self.chain, self.questions, strict=True)]
        return tuple(np.concatenate(parts) for parts in zip(*masks, strict=True))

    def _hold_against_the_pass(self) -> None:
        """Refuse when the replay came to something else than the pass itself."""
        note, layout = self.chain[-1], self.questions[-1].layout
        first = 0 if self.calls == 1 else self.ends[-2]
        states = [layout.state_from_engine(part) for part in final_states(self.unrolled)]
        ours = {0: layout.from_engine(self.unrolled.output[first:])} | dict(enumerate(states, start=1))
        for place, sample in note.sample.items():
            theirs = to_numpy(sample)
            allowed = APART.get(sample.dtype, APART_IN_HALF) * max(1.0, np.abs(theirs).max(initial=0.0))
            apart = np.abs(sample_of(ours[place]) - theirs).max(initial=0.0)
            if np.isfinite(theirs).all() and not apart <= allowed:
                raise ConfigError(
                    f"module {note.name!r}: must return what its own forward makes of its inputs, got something up to "
                    f"{apart:.2g} away from its replay in float64: a hook changes it, or the run is chaotic, and then "
                    "only a model in float64 can be replayed."
                )

    def _entering(self) -> dict:
        """What `backpropagate` wants: ∂L/∂output, and what enters the states besides, at the end and on the way."""
        output, on_the_way = np.zeros_like(self.unrolled.output), {}
        first = 0
        for k, (note, question) in enumerate(zip(self.chain, self.questions, strict=True)):
            last = int(self.ends[k])
            if 0 in note.gradients:
                output[first:last] = question.layout.to_engine(to_numpy(note.gradients[0]))
            if (parts := self._own_state_gradient(k)) is not None:
                on_the_way[last] = parts
            first = last
        end = on_the_way.pop(last, None)
        return {"output_gradient": output, "state_gradient": end, "on_the_way": on_the_way}

    def _own_state_gradient(self, k: int) -> tuple[np.ndarray, ...] | None:
        """What the loss sends into the final state of a pass, without what the next pass of the chain sends there."""
        note, layout = self.chain[k], self.questions[k].layout
        sent = self.chain[k + 1].gradients if k + 1 < self.calls else {}
        parts = [np.zeros_like(part) for part in final_states(self.unrolled)]
        for place, part in enumerate(parts, start=1):
            if place in note.gradients:
                own = to_numpy(note.gradients[place])
                part += layout.state_to_engine(own - to_numpy(sent[-place]) if -place in sent else own)
        return tuple(parts) if any(part.any() for part in parts) else None


def _given(note: Note) -> tuple:
    """Inputs and initial state; a cell's inputs become a sequence of one step."""
    inputs, *state = note.given
    return (inputs[None] if type_is_cell(note.module) else inputs, *state)


def _masks(note: Note, question: Question) -> list[np.ndarray]:
    """Its dropout masks, (T, B, K·H) for every layer but the top one."""
    if note.draw is None:
        return []
    network, layout = question.network, question.layout
    width = network.directions * network.hidden_size
    shape = (len(note.given[0].data), width) if layout.packing is not None else (*question.inputs.shape[:2], width)
    masks = note.draw.masks(shape, network.layers - 1)
    if masks is None:
        raise ConfigError(
            f"module {note.name!r}: must draw nothing but its dropout masks while it runs, got more draws from torch's "
            "generator, so that the masks cannot be known."
        )
    return [layout.to_engine(to_numpy(mask)) if layout.packing is not None else to_numpy(mask) for mask in masks]


class Frame:
    """One watched backward pass, replayed when it is first looked at.

    A module that was called several times has a flow for each call that a gradient reached, in order, under the names
    "lstm", "lstm#2", "lstm#3"; calls that go on from the state of the call before, untouched, are one flow.

    Attributes:
        update: the number of the backward pass, counted from 1.
        names: of the flows.
        gradient_norm: of all of the model's gradients together, right after the backward pass; under a `GradScaler`
            its factor is still in it.
        waiting: bytes of what is noted and not yet replayed.
    """

    def __init__(self, update: int, gradient_norm: float, notes: list[Note]):
        self.update, self.gradient_norm, self.notes = update, gradient_norm, notes
        self.names = tuple(_names(chains(notes)))
        self.waiting = bytes_of(notes)
        self.fresh, self._flows = True, {}
        self._modules: dict[str, Glimpse] | None = None

    def __repr__(self) -> str:
        return f"<Frame: update {self.update}; {', '.join(self.names)}>"

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
            named = zip(self.names, chains(self.notes), strict=True)
            self._modules = {name: self._replay(name, chain) for name, chain in named}
            self.notes, self.waiting = [], 0

    def _replay(self, name: str, chain: list[Note]) -> Glimpse:
        try:
            replay = Replay(chain)
        except RnnvizError as refusal:  # torch took it, so that this is a finding, not an error
            where = f"module {chain[0].name!r}"
            told = str(refusal) if str(refusal).startswith(where) else f"{where}, update {self.update}: {refusal}"
            return Glimpse(calls=len(chain), note=told)
        if self.fresh:
            self._flows[name] = replay.flow
        return Glimpse.at(replay)

    def age(self) -> None:
        """Let go of the flows."""
        self.fresh, self._flows = False, {}


def _names(found: list[list[Note]]) -> Iterator[str]:
    seen = Counter()
    for chain in found:
        name = chain[0].name
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}"
