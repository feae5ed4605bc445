"""The part of rnnviz that uses torch, which is imported only when one of its functions is called."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnviz.core.results import GradientFlow, ItemisedFlow
from rnnviz.errors import RnnvizError, expect, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import nn

    from rnnviz.experiments.config import Config
    from rnnviz.experiments.training import Training
    from rnnviz.learning.training import Trainer
    from rnnviz.learning.watching import Watch


@dataclass(frozen=True)
class Verification:
    """How far rnnviz and torch autograd are apart on one run.

    Attributes:
        differences: {name of the array: largest relative difference}. A gradient over time is compared row by row, each
            against its own norm, so that a vanished row counts as much as a large one; a parameter's gradient and the
            outputs against their own largest norm.
        skipped: how many rows were left out because float64, and so autograd, cannot hold them.
    """

    differences: dict[str, float]
    skipped: int

    @property
    def largest(self) -> float:
        """The largest of all differences."""
        return max(self.differences.values())

    @property
    def sentence(self) -> str:
        """The same, for the screen."""
        beyond = ", where float64 holds the gradient" if self.skipped else ""
        return f"Checked against torch autograd: largest relative difference {self.largest:.0e}{beyond}."


def verify(config: "Config", *, inputs: "np.ndarray | None" = None) -> Verification:
    """Run a config through torch autograd, step by step, and compare every array with rnnviz's own.

    Args:
        config: what to run.
        inputs: as for `rnnviz.run`.

    Raises:
        RnnvizError: for inputs of a wrong shape, or a run that autograd would take too long for.

    >>> from rnnviz import Config, verify
    >>> verify(Config(cell="lstm", length=30)).largest < 1e-10
    True
    """
    try:
        from rnnviz.learning.verification import verify_against_autograd
    except ModuleNotFoundError as missing:
        raise _without("verify", missing) from None
    return verify_against_autograd(config, inputs)


def train(training: "Training | None" = None, **settings) -> "Trainer":
    """Train networks side by side with torch, one update at a time.

    Args:
        training: what is asked; None for the defaults.
        settings: fields of `Training` that take the place of its own.

    Returns:
        An iterator of `Step`, one for each update of each variant. Its `history` holds all that was found so far, also
        of a training that was left in the middle; its `stop()` ends it and gives back what torch held for it.

    Raises:
        RnnvizError: for a setting that is not allowed, a training over the budget, or a text or a series that is too
            short for its length.

    >>> trainer = train(task="adding", cells=("gru", "rnn"), length=10, updates=3, hidden_size=8)
    >>> [(step.learner, step.update) for step in trainer][:4]
    [('gru-uniform-norm', 1), ('gru-uniform-norm', 2), ('gru-uniform-norm', 3), ('rnn-uniform-norm', 1)]
    >>> [course.state for course in trainer.history.courses]
    ['finished', 'finished']
    """
    from rnnviz.experiments.training import Training

    expect("training", training, Training | None, "Training or None")
    for name in settings:
        one_of("settings", name, Training.__dataclass_fields__)
    asked = Training(**settings) if training is None else replace(training, **settings)
    try:
        from rnnviz.learning.training import Trainer
    except ModuleNotFoundError as missing:
        raise _without("train", missing) from None
    return Trainer(asked)


def trace(
    module: "nn.Module", inputs, loss="last", initial_state=None, want: type = GradientFlow
) -> GradientFlow | ItemisedFlow:
    """Run a torch module of yours over a sequence, and see the gradient at every step inside it.

    The module itself is neither run nor changed: its weights are taken as they are, and forward and backward pass are
    replayed exactly, in float64.

    Args:
        module: a `torch.nn.RNN`, `LSTM` or `GRU` of any depth and direction, or an `RNNCell`, `LSTMCell` or `GRUCell`.
        inputs: in the module's own layout, (T, B, D), (B, T, D) with `batch_first`, (T, D), or a `PackedSequence`; for
            a cell (T, B, D) or (T, D).
        loss: "last", the sum of the top layer's `h_n` (what a classifier reads: each sequence's final state, of a
            bidirectional module in both directions); "every", the sum of all outputs; an array ∂L/∂output in the
            module's own layout; or a function `output -> scalar` or `(output, state) -> scalar` of what the module
            would return, tensors of the module's dtype and on its device, through which torch finds the gradient.
        initial_state: `h0`, or `(h0, c0)` for an LSTM, as the module takes it; zero when None.
        want: `GradientFlow`, the default, or `ItemisedFlow`: how far back what the loss sends into each step reaches on
            its own, which the total hides where every step has a loss.

    Returns:
        A time-major `GradientFlow` over all layers and directions, its parameters under the names of `state_dict()`
        (a cell's with the ending `_l0`). Of a `PackedSequence`, T is the longest length, and beyond a shorter
        sequence's end states and gradients are 0 and log10 norms -inf; the initial state of its reverse stream stands
        in the row after its last step. Profile, readings and charts are those of the longest sequences (`lengths`).

    Raises:
        RnnvizError: for what cannot be replayed exactly (dropout between layers in training mode, projections, a
            forward of your own), a wrong shape, or values that are not finite.

    >>> import torch, rnnviz
    >>> lstm, head = torch.nn.LSTM(3, 8, batch_first=True), torch.nn.Linear(8, 1)
    >>> flow = rnnviz.trace(lstm, torch.randn(4, 50, 3), loss=lambda output: head(output[:, -1]).square().mean())
    >>> flow.adjoint.shape
    (1, 51, 4, 8)
    """
    try:
        from rnnviz.learning.tracing import trace_module
    except ModuleNotFoundError as missing:
        raise _without("trace", missing) from None
    return trace_module(module, inputs, loss, initial_state, want)


def watch(model: "nn.Module", every: int = 1, keep: int = 1, only: "str | Sequence[str] | None" = None) -> "Watch":
    """Watch the gradient inside every `nn.RNN`, `nn.LSTM`, `nn.GRU` and cell of a model while you train it.

    Hooks note what each module is called with, its weights at that moment, and what your own loss sends back into what
    it returned: ∂L/∂output, ∂L/∂h_n and ∂L/∂c_n. A watched pass is replayed in float64 when its frame is first looked
    at (or when more than 256 MB of notes are waiting), which takes about as long as the module's own forward and
    backward pass in float64, and up to twice that where every step has a loss. Nothing in the model or its training
    changes, bit for bit; the replay's gradients differ from those of a float32 module by its rounding, some 1e-6.

    Calls of a module that go on from the state of its last call, untouched, are one flow: a decoder that runs step by
    step, a sequence in chunks, an `nn.LSTMCell` in a loop of your own. What the loss reads of a state on the way enters
    there. Between two directions, and after a `.detach()` or any change of the state, each call is a flow of its own.
    Where the loss sends gradient in at many steps, `horizon`, the film strip and what goes to a logger are those of
    what enters last, alone: in the total, every step's own loss would hide the forgetting. Dropout between layers is
    replayed with the masks of the pass, drawn again from where torch's generator stood (on the CPU).

    Every backward pass counts, also one that only adds to `.grad` and each one within a reentrant checkpoint; passes
    without gradient (`no_grad`, evaluation) do not. Under autocast the replay takes the weights in full precision, so
    that its states and gradients differ by the rounding of bfloat16, some 1e-2; a `GradScaler`'s factor is in the
    norms, but not in growth or horizon.

    Args:
        model: any module, in which recurrent ones are found by their qualified names (its class' name for itself).
        every: look at every n-th backward pass only.
        keep: of how many of the latest frames the full flows are kept; the film strip itself has small records.
        only: the name or names of the modules to watch; None for all.

    Returns:
        A `Watch`, for use in a `with` statement or to be ended by its `close()`.

    Raises:
        RnnvizError: for a model that has no recurrent module, or one that cannot be replayed exactly: with projections,
            a forward of your own, dropout between layers in training mode on a GPU, or wrapped by DataParallel,
            compiled or scripted. Once the training runs, nothing is raised within it: what cannot be replayed (also a
            backward pass with `create_graph=True`, or a replay that comes to another output than the module did) is
            said when you ask for it, and stands in its frame's `note`.

    >>> import torch, rnnviz
    >>> lstm = torch.nn.LSTM(3, 8)
    >>> optimiser = torch.optim.SGD(lstm.parameters(), lr=0.1)
    >>> with rnnviz.watch(lstm) as watch:
    ...     for _ in range(2):
    ...         optimiser.zero_grad()
    ...         lstm(torch.randn(20, 4, 3))[0][-1].square().mean().backward()
    ...         optimiser.step()
    >>> [frame.update for frame in watch.frames], watch.flows["LSTM"].steps
    ([1, 2], 20)
    """
    try:
        from rnnviz.learning.watching import Watch
    except ModuleNotFoundError as missing:
        raise _without("watch", missing) from None
    return Watch(model, every, keep, only)


def _without(name: str, missing: ModuleNotFoundError) -> RnnvizError:
    return RnnvizError(f"{name}: must have {missing.name} at hand, got none; install it with pip.")
