"""Every gradient inside a user's own recurrent module, by an exact replay in float64."""

import inspect
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from rnnviz.core.arrays import finite_array
from rnnviz.core.bptt import backpropagate, split_by_entry
from rnnviz.core.itemised import itemise
from rnnviz.core.results import GradientFlow, ItemisedFlow
from rnnviz.core.unroll import Unrolled
from rnnviz.errors import ConfigError, RnnvizError, one_of, shown
from rnnviz.learning.modules import Question, check_replayable, draws_dropout, network_of

Entering = tuple[np.ndarray, tuple[np.ndarray, ...] | None]  # ∂L/∂output (T, B, K·H) and ∂L/∂(h_n, c_n) (S, B, H) each


def trace_module(module, inputs, loss="last", initial_state=None, want=GradientFlow) -> GradientFlow | ItemisedFlow:
    """See `rnnviz.trace`."""
    one_of("want", want, (GradientFlow, ItemisedFlow))
    check_replayable(module)
    if draws_dropout(module):
        raise ConfigError(
            "module: must have no dropout between its layers, whose masks cannot be known, got "
            f"dropout={module.dropout} in training mode; call .eval() on this module, or watch its training with "
            "rnnviz.watch, which draws them again (on the CPU)."
        )
    question = Question.of(module, network_of(module), inputs, initial_state)
    unrolled = question.unroll()
    if callable(loss):
        gradient, state = _by_autograd(loss, module, question, unrolled)
    elif isinstance(loss, str):
        one_of("loss", loss, ("last", "every"))
        gradient, state = _last(question, unrolled) if loss == "last" else (_every(question, unrolled), None)
    else:
        gradient, state = _given(loss, question, unrolled), None
    if want is GradientFlow:
        return backpropagate(unrolled, gradient, state_gradient=state)
    if state is not None:
        gradient, rests = split_by_entry(unrolled, gradient, state, {})
        if any(rest is not None for rest in rests):
            raise ConfigError(
                "want: must be GradientFlow for a loss that reads c_n or a lower layer's h_n, got ItemisedFlow."
            )
    return itemise(unrolled, finite_array("loss", gradient))


def final_states(unrolled: Unrolled) -> tuple[np.ndarray, ...]:
    """h_n, and c_n of an LSTM, each (S, B, H)."""
    batch = np.arange(unrolled.output.shape[1])
    count = len(unrolled.walks[0].states)
    return tuple(
        np.array([walk.states[part][walk.last_rows, batch] for walk in unrolled.walks]) for part in range(count)
    )


def _last(question: Question, unrolled: Unrolled) -> Entering:
    """The sum of the top layer's h_n."""
    states = tuple(np.zeros_like(part) for part in final_states(unrolled))
    states[0][-question.network.directions :] = 1.0
    return np.zeros_like(unrolled.output), states


def _every(question: Question, unrolled: Unrolled) -> np.ndarray:
    """The sum of all outputs."""
    layout = question.layout
    return layout.to_engine(np.ones_like(layout.from_engine(unrolled.output)))


def _given(gradient: object, question: Question, unrolled: Unrolled) -> np.ndarray:
    """∂L/∂output in the module's own layout, to (T, B, K·H)."""
    layout = question.layout
    if isinstance(gradient, PackedSequence):
        gradient = gradient.data
    array = finite_array("loss", gradient, layout.from_engine(unrolled.output).shape)
    return layout.to_engine(array)


def _by_autograd(loss: Callable, module: nn.Module, question: Question, unrolled: Unrolled) -> Entering:
    """What a user's own head and loss send into the output and the final states, by torch."""
    layout, like = question.layout, next(module.parameters())
    with torch.inference_mode(False), torch.enable_grad():

        def leaf(array: np.ndarray) -> torch.Tensor:
            return torch.tensor(array, dtype=like.dtype, device=like.device, requires_grad=True)

        output = leaf(layout.from_engine(unrolled.output))
        states = tuple(leaf(layout.state_from_engine(part)) for part in final_states(unrolled))
        leaves = (output, *states)
        returned = layout.packing._replace(data=output) if layout.packing is not None else output
        value = loss(*(returned, states if len(states) > 1 else states[0])[: _arguments(loss)])
        _check_scalar(value)
        found = torch.autograd.grad(value, leaves, allow_unused=True)
        found = [torch.zeros_like(given) if part is None else part for given, part in zip(leaves, found, strict=True)]
    found = [to_numpy(part) for part in found]
    return layout.to_engine(found[0]), tuple(layout.state_to_engine(part) for part in found[1:])


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A float64 copy."""
    return tensor.detach().to("cpu", torch.float64, copy=True).numpy()


def _arguments(loss: Callable) -> int:
    """How many of (output, state) a loss wants: as many as it has parameters without a default."""
    try:
        parameters = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters.values()
    except (TypeError, ValueError):  # a builtin
        return 1
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(needed) > 2:
        raise ConfigError(f"loss: must take output, or output and state, got a function of {len(needed)} arguments.")
    return max(1, len(needed))


def _check_scalar(value: object) -> None:
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise ConfigError(f"loss: must give a tensor with one number, got {shown(value)}.")
    if not value.requires_grad:
        raise RnnvizError(
            f"loss: must give a number that depends on the output by torch operations, got {shown(value)} with no "
            "graph behind it."
        )
