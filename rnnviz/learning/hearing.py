"""What a watch hears of a recurrent module: notes of its passes, and of the gradients that come back to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.weak import WeakTensorKeyDictionary

from rnnviz.errors import ConfigError, shown
from rnnviz.learning.modules import check_replayable, draws_dropout, type_is_cell
from rnnviz.learning.notes import Draw, Note, copied, copies_of, sample_of

OUTPUT = 0  # the place of what a module returns for every step; h_n is 1, c_n is 2, what it was given is below 0

Heard = Callable[[list[Note]], None]


class Hearing:
    """Hooks on modules that note every pass of them while somebody wants to know.

    Nothing in here may stop a training: what cannot be replayed is a note that says so.

    Args:
        modules: {name: module}.
        wanted: whether the next backward pass is of interest.
        heard: called after each backward pass that reached one of the modules, with the notes that were taken for it.

    Attributes:
        passes: how many there have been.
    """

    def __init__(self, modules: dict[str, nn.Module], wanted: Callable[[], bool], heard: Heard):
        self.wanted, self.heard = wanted, heard
        self.passes = 0
        self._numbers = count()
        self._weights: dict[str, dict[str, torch.Tensor]] = {}
        self._begun: dict[str, tuple] = {}  # what is known of a pass that is under way
        self._returned = WeakTensorKeyDictionary()  # {state: (the pass that returned it, its place, its version then)}
        self._arrived: dict[int, dict] = {}  # {backward pass: {note: {place: gradient}}}
        self._handles = []
        for name, module in modules.items():
            before, after = _Hook(partial(self._begin, name)), _Hook(partial(self._end, name))
            self._handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            self._handles.append(module.register_forward_hook(after, with_kwargs=True, prepend=True))

    @property
    def closed(self) -> bool:
        """Whether the hooks are gone."""
        return not self._handles

    def close(self) -> None:
        """Take the hooks off the modules."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _begin(self, name: str, module: nn.Module, args: tuple, kwargs: dict):
        """Before a pass: what its dropout will be drawn from, and whether it goes on from another pass's states."""
        self._begun[name] = (None, None, {})
        if not (torch.is_grad_enabled() and self.wanted()):
            return None
        draw = torch.get_rng_state() if draws_dropout(module) else None
        state = args[1] if len(args) > 1 else kwargs.get("hx")
        follows, fresh, sends = self._followed(state)
        self._begun[name] = (draw, follows, sends)
        if follows is None:
            return None
        return ((args[0], fresh, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "hx": fresh})

    def _followed(self, state: object) -> tuple[int | None, object, dict[int, torch.Tensor]]:
        """The pass whose states these are, and the same states under names of their own.

        What comes back to those names is what this pass alone sends to the one before it.
        """
        parts = state if isinstance(state, tuple | list) else (state,)
        known = [self._returned.get(part) if isinstance(part, torch.Tensor) else None for part in parts]
        if None in known or not all(part.requires_grad for part in parts):
            return None, state, {}
        number = known[0][0]
        if known != [(number, place, part._version) for place, part in enumerate(parts, start=1)]:
            return None, state, {}
        fresh = tuple(part.view_as(part) for part in parts)
        sends = {-place: part for place, part in enumerate(fresh, start=1)}
        return number, fresh if isinstance(state, tuple | list) else fresh[0], sends

    def _end(self, name: str, module: nn.Module, args: tuple, kwargs: dict, output: object):
        """After a pass: note it, and ask to hear of its gradients."""
        self.passes += 1
        draw, follows, sends = self._begun.pop(name, (None, None, {}))
        returned, refusal = _returned(name, module, output)
        if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in returned.values()):
            return None
        note = None
        if self.wanted():
            given = (*args, *(kwargs[key] for key in ("input", "hx") if key in kwargs))
            drawn = draw is not None and Draw(draw, torch.get_rng_state(), module.dropout, returned[OUTPUT].dtype)
            note = self._note(name, module, given, returned, refusal)
            note.draw, note.follows = drawn or None, follows
        if note and isinstance(module, nn.LSTMCell) and not refusal:  # within the cell, h is made of this c
            returned[2] = returned[2].clone()
            output = (output[0], returned[2])
        for place, tensor in (returned | sends).items():
            if tensor.requires_grad:
                self._listen(note, place, tensor)
        if note:
            for place, tensor in returned.items():
                if place != OUTPUT:
                    self._returned[tensor] = (note.number, place, tensor._version)
        return output

    def _note(self, name: str, module: nn.Module, given: tuple, returned: dict, refusal: str) -> Note:
        """Copies as of now, so that an update before the replay changes nothing."""
        number = next(self._numbers)
        try:
            check_replayable(module, f"module {name!r}")
        except ConfigError as found:
            refusal = refusal or str(found)
        if refusal:
            return Note(number, name, module, refusal=refusal)
        sample = {place: sample_of(tensor) for place, tensor in returned.items()}
        return Note(number, name, module, self._copies(name, module), copies_of(given), sample)

    def _copies(self, name: str, module: nn.Module) -> dict[str, torch.Tensor]:
        """The weights of now: those of the pass before where they are the same, so that many passes share one copy."""
        kept, now = self._weights.get(name), dict(module.named_parameters())
        same = kept and all(kept[key].dtype == value.dtype and _equal(kept[key], value) for key, value in now.items())
        if not same:
            self._weights[name] = kept = {key: copied(value) for key, value in now.items()}
        return kept

    def _listen(self, note: Note | None, place: int, tensor: torch.Tensor) -> None:
        """Hear of a tensor's gradient where it was made, behind whatever is done to it or hooked on it afterwards."""
        made = tensor._base if tensor._is_view() and place >= 0 else tensor
        if made.grad_fn is None:  # a leaf that a hook put in its place
            return
        shown_as = None if made is tensor else _View.of(tensor, made)
        made.grad_fn.register_prehook(partial(self._arrive, note, place, made.output_nr, shown_as))

    def _arrive(self, note: Note | None, place: int, number: int, shown_as: "_View | None", gradients: tuple) -> None:
        """Note what came back, in the middle of a backward pass."""
        if (gradient := gradients[number]) is None:
            return
        task = torch._C._current_graph_task_id()  # of this backward pass; another may run within it, or have failed
        if task not in self._arrived:
            self._arrived[task] = {}
            torch.autograd.Variable._execution_engine.queue_callback(partial(self._finish, task))
        if note is None:
            return
        if torch.is_grad_enabled():
            note.refusal = (
                f"module {note.name!r}: must be in plain backward passes to be watched, got create_graph=True."
            )
        gradient = gradient.detach()
        self._arrived[task].setdefault(note, {})[place] = copied(shown_as(gradient) if shown_as else gradient)

    def _finish(self, task: int) -> None:
        """Hand on what arrived, when the whole backward pass is over."""
        arrived = sorted(self._arrived.pop(task, {}).items(), key=lambda item: item[0].number)
        self.heard([replace(note, gradients=gradients) for note, gradients in arrived])


@dataclass(frozen=True)
class _View:
    """How a tensor shows the one that it is a view of, as with `batch_first`: its axes, and those of the other."""

    axes: tuple
    made: tuple

    @classmethod
    def of(cls, tensor: torch.Tensor, made: torch.Tensor) -> "_View":
        offset = tensor.storage_offset() - made.storage_offset()
        return cls((tensor.size(), tensor.stride(), offset), (made.size(), made.stride()))

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient of the tensor that was made, as that of the view."""
        laid = torch.empty_strided(*self.made, dtype=gradient.dtype, device=gradient.device).copy_(gradient)
        return laid.as_strided(*self.axes)


def _returned(name: str, module: nn.Module, output: object) -> tuple[dict[int, torch.Tensor], str]:
    """{place: tensor} of what a module returned, and why that cannot be read; a cell returns its states alone."""
    first = OUTPUT
    if type_is_cell(module):
        parts, first = output if isinstance(output, tuple) else (output,), 1
    elif isinstance(output, tuple) and len(output) == 2:
        data = output[0].data if isinstance(output[0], PackedSequence) else output[0]
        parts = (data, *(output[1] if isinstance(output[1], tuple) else (output[1],)))
    else:
        parts = (output,)
    if all(isinstance(part, torch.Tensor) for part in parts) and len(parts) > 1 - first:
        return dict(enumerate(parts, start=first)), ""
    tensors = [part for part in parts if isinstance(part, torch.Tensor)]
    return dict(enumerate(tensors)), (
        f"module {name!r}: must return its output and state, got {shown(output)} from a hook; take that hook off."
    )


def _equal(kept: torch.Tensor, value: torch.Tensor) -> bool:
    return torch.equal(kept, value.detach().to("cpu"))


class _Hook:
    """A hook. A copied or a pickled model gets one that is deaf, and not the whole watch."""

    def __init__(self, call: Callable):
        self.call = call

    def __call__(self, *args):
        return self.call(*args)

    def __reduce__(self):
        return _deaf, ()


def _deaf():
    return ignore


def ignore(*_) -> None:
    """Do nothing: what a copy of a watched model has for a hook."""
