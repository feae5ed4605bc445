"""Notes of the passes of a recurrent module: what it takes to go the same way again, and how passes hang together."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

SAMPLED = 2000  # numbers of a pass's output that its replay is held against


@dataclass(frozen=True)
class Draw:
    """Where torch's generator stood around a pass that drew dropout masks.

    Attributes:
        before, after: the generator's states.
        share: p of the dropout.
        dtype: in which the masks were drawn.
    """

    before: torch.Tensor
    after: torch.Tensor
    share: float
    dtype: torch.dtype

    def masks(self, shape: tuple[int, ...], count: int) -> list[torch.Tensor] | None:
        """The masks that the pass drew, one after the other; None when something else was drawn as well."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.before)
            found = [torch.dropout(torch.ones(shape, dtype=self.dtype), self.share, True) for _ in range(count)]
            return found if torch.equal(torch.get_rng_state(), self.after) else None


@dataclass(eq=False)
class Note:
    """One pass of a module as it was: copies of its weights, of what it was called with, and of what came back.

    Attributes:
        number: of the pass, in the order of all passes of the watch.
        name: the module's.
        module: whose settings say how to read the rest.
        weights: {name: tensor}; passes with the same weights share them.
        given: inputs and initial state.
        sample: {place: some of the numbers} of what it returned.
        draw: of its dropout, if it drew any.
        follows: the number of the pass whose final state was its initial state, untouched; None for none.
        gradients: {0: ∂L/∂output, 1: ∂L/∂h_n, 2: ∂L/∂c_n}, as far as there are any, in the module's own layout; -1 and
            -2 are what this pass alone sends back to the h_n and c_n that it follows.
        refusal: why it cannot be replayed; "" when it can.
    """

    number: int
    name: str
    module: nn.Module
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    given: tuple = ()
    sample: dict[int, torch.Tensor] = field(default_factory=dict)
    draw: Draw | None = None
    follows: int | None = None
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)
    refusal: str = ""

    @property
    def nbytes(self) -> int:
        """What its copies take, without the weights."""
        return sum(tensor.nbytes for tensor in (*_flat(self.given), *self.gradients.values(), *self.sample.values()))


def bytes_of(notes: list[Note]) -> int:
    """What the copies of several notes take, shared weights once."""
    shared = {id(tensor): tensor.nbytes for note in notes for tensor in note.weights.values()}
    return sum(note.nbytes for note in notes) + sum(shared.values())


def chains(notes: list[Note]) -> list[list[Note]]:
    """The notes of one backward pass, those together in which a module goes on from its own last state."""
    followers = Counter(note.follows for note in notes)
    found: dict[int, list[Note]] = {}  # {number of the last note: chain}
    for note in notes:
        before = found.get(note.follows)
        if before and followers[note.follows] == 1 and _goes_on(before[-1], note):
            found[note.number] = [*found.pop(note.follows), note]
        else:
            found[note.number] = [note]
    return sorted(found.values(), key=lambda chain: chain[0].number)


def _goes_on(before: Note, note: Note) -> bool:
    """One longer sequence says the same: a reverse direction would need its future first."""
    packed = any(isinstance(each.given[0], PackedSequence) for each in (before, note) if each.given)
    one_way = not getattr(note.module, "bidirectional", False)
    alike = before.name == note.name and before.weights is note.weights and (before.draw is None) == (note.draw is None)
    return alike and one_way and not packed and not note.refusal


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


def sample_of(values: torch.Tensor | np.ndarray):
    """Some numbers of an array, evenly spread, the same ones of every array of one shape."""
    flat = values.detach().reshape(-1) if isinstance(values, torch.Tensor) else values.reshape(-1)
    some = flat[:: max(1, len(flat) // SAMPLED)]
    return copied(some) if isinstance(values, torch.Tensor) else some


def _flat(given: object) -> Iterator[torch.Tensor]:
    if isinstance(given, PackedSequence):
        yield given.data
    elif isinstance(given, tuple):
        for part in given:
            yield from _flat(part)
    elif given is not None:
        yield given
