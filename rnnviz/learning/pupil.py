"""One variant that learns: torch's own module under a linear head, one update at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear, mse_loss
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm

from rnnviz.core.arrivals import FromAbove
from rnnviz.core.backward import walk_back
from rnnviz.core.initialisers import generator_for
from rnnviz.core.network import Network
from rnnviz.core.scaled import Scaled, log10_sum_of_squares
from rnnviz.core.unroll import unroll
from rnnviz.experiments.history import EVERY, Course
from rnnviz.experiments.run import prepare
from rnnviz.experiments.tasks import NOTHING, Material
from rnnviz.experiments.training import Learner, Training

Tensor = torch.Tensor
Parameters = list[nn.Parameter]

IN_A_ROW = 2  # looks at which the task must be solved before a variant stops
PROBE = 8  # held-out sequences that the profile is taken over

MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}


@dataclass(frozen=True)
class Step:
    """One update of one variant.

    Attributes:
        learner: the variant's `Learner.name`.
        update: which of its updates, counted from 1.
        loss: of the batch, before the update.
        norm_before, norm_after: the total gradient norm before and after clipping.
        held_out: the loss on the held-out data after the update, at every 25th and the last; None at the others.
        score: the task's own measure on them, likewise.
        state: the variant's state after the update, a name in `rnnviz.experiments.history.STATES`; when the training
            then ends itself, its history alone says so.
    """

    learner: str
    update: int
    loss: float
    norm_before: float
    norm_after: float
    held_out: float | None
    score: float | None
    state: str


class Pupil:
    """One variant while it learns: torch's module with a linear head, its optimiser, and what was found."""

    def __init__(self, training: Training, material: Material, learner: Learner):
        self.training, self.material, self.learner = training, material, learner
        self.module, self.head = _module(learner, material), _head(training, material)
        self.parameters = [*self.module.parameters(), *self.head.parameters()]
        self.optimiser = OPTIMISERS[training.optimiser](self.parameters, lr=training.learning_rate)
        self.held_out = torch.from_numpy(material.held_out.inputs), torch.from_numpy(material.held_out.targets)
        self.state, self.seconds, self.made = "waiting", 0.0, 0
        self.record = np.empty((training.updates, 3))
        self.looks: list[tuple[int, float, float]] = []
        self.profiles: list[tuple[int, np.ndarray]] = []

    @property
    def done(self) -> bool:
        """Whether it has stopped."""
        return self.state not in ("waiting", "training")

    @property
    def left(self) -> int:
        """Updates that it may still make."""
        return 0 if self.done else self.training.updates - self.made

    @property
    def course(self) -> Course:
        """What was found so far."""
        looks, profiles = list(self.looks), list(self.profiles)
        evaluated, held_out, score = np.array(looks, dtype=float).reshape(-1, 3).T
        profiled = np.array([update for update, _ in profiles], dtype=np.int64)
        profile = np.array([values for _, values in profiles]).reshape(-1, self.material.steps)
        return Course(
            self.learner,
            *self.record[: self.made].T.copy(),
            evaluated=evaluated.astype(np.int64),
            held_out=held_out.copy(),
            score=score.copy(),
            profiled=profiled,
            profile=profile,
            state=self.state,
            seconds=self.seconds,
        )

    def begin(self) -> None:
        """Look at the held-out data with the weights as they were drawn."""
        start = perf_counter()
        self.look(0)
        self.seconds += perf_counter() - start

    def update(self, batch: Callable[[int], tuple[Tensor, Tensor]]) -> Step:
        """Make one update, and look at the held-out data when it is time.

        Args:
            batch: gives the inputs and the targets for an update, counted from 1.
        """
        start = perf_counter()
        loss, before, after, is_finite = self._learn(*batch(self.made + 1))
        self.record[self.made] = loss, before, after
        self.made += 1
        looked = not is_finite or self.made % EVERY == 0 or self.made == self.training.updates
        if looked:
            self.look(self.made if is_finite else self.made - 1)
        self.state = self._state(is_finite)
        self.seconds += perf_counter() - start
        found = self.looks[-1][1:] if looked else (None, None)
        return Step(self.learner.name, self.made, loss, before, after, *found, self.state)

    def stop(self) -> None:
        """End it before its time, unless it has ended; what it has found stays, and torch's part of it is let go."""
        self.state = self.state if self.done else "stopped"
        self.module = self.head = self.optimiser = self.held_out = None
        self.parameters = []

    def _learn(self, inputs: Tensor, targets: Tensor) -> tuple[float, float, float, bool]:
        """Loss, the norms before and after clipping, and whether they let the weights be changed.

        A norm that float32 cannot hold is torch's business as long as every entry is a number.
        """
        self.optimiser.zero_grad()
        loss = _loss(self.outputs(inputs), targets)
        loss.backward()
        value, norm = loss.item(), _norm(self.parameters)
        before = norm.item()
        if not (math.isfinite(value) and (math.isfinite(before) or self._has_numbers())):
            return value, before, before, False
        after = CLIPS[self.learner.clip](self.parameters, self.training.clip_threshold, norm)
        self.optimiser.step()
        return value, before, after, True

    def _has_numbers(self) -> bool:
        """Whether every entry of the gradient is finite."""
        return all(bool(parameter.grad.isfinite().all()) for parameter in self.parameters)

    def outputs(self, inputs: Tensor) -> Tensor:
        """(T, B, K) for a task with a loss at every step, (B, K) for one with a loss at the last."""
        states, _ = self.module(inputs)
        return self.head(states if self.material.task.every else states[-1])

    def look(self, update: int) -> None:
        """Try the held-out data, and take the profile, with the weights after so many updates."""
        if self.looks and self.looks[-1][0] == update:
            return
        self.looks.append((update, *self.evaluate()))
        if all(
            np.isfinite(values.detach().numpy()).all() for values in (self.held_out[0][:, :PROBE], *self.parameters)
        ):
            self.profiles.append((update, self.profile()))

    def evaluate(self) -> tuple[float, float]:
        """Loss and score on the held-out data."""
        inputs, targets = self.held_out
        with torch.inference_mode(), np.errstate(all="ignore"):
            outputs = self.outputs(inputs)
            score = float(self.material.task.score(outputs.numpy(), targets.numpy()))
            return _loss(outputs, targets).item(), score

    def profile(self) -> np.ndarray:
        """(T,) see `Course.profile`; in float64 from the weights on, so that huge ones do not overflow."""
        inputs, targets = (part[..., :PROBE] if part.ndim < 3 else part[:, :PROBE] for part in self.held_out)
        weights = {name: values.double().numpy() for name, values in self.module.state_dict().items()}
        config = self.learner.config
        (walk,) = (unrolled := unroll(Network(config.cell, weights, config.nonlinearity), inputs.numpy())).walks
        top = torch.tensor(unrolled.output[-1], requires_grad=True)
        said = linear(top, *(values.detach().double() for values in self.head.parameters()))
        gradient, norms = np.zeros_like(unrolled.output), np.empty(len(unrolled.output) + 1)
        (at_last,) = torch.autograd.grad(_loss(said, targets[-1] if self.material.task.every else targets), top)
        gradient[-1] = at_last.numpy()
        with np.errstate(all="ignore"):
            for block in walk_back(walk, FromAbove(Scaled.sparse(gradient))):
                joint = np.concatenate([part.mantissa for part in block.parts], axis=-1)
                each = Scaled(joint, block.parts[0].exponent).log10_norm()
                norms[block.rows] = log10_sum_of_squares(each, axis=-1)
        return norms[1:]

    def _state(self, is_finite: bool) -> str:
        ended = self.made == self.training.updates
        if not is_finite or (ended and self._lost()):
            return "diverged"
        last = [score for _, _, score in self.looks[-IN_A_ROW:]]
        if self.training.stop and len(last) == IN_A_ROW and all(map(self.material.is_solved, last)):
            return "solved"
        return "finished" if ended else "training"

    def _lost(self) -> bool:
        """Whether the held-out loss is no number any more; where it never was one, it says nothing of the weights."""
        return math.isfinite(self.looks[0][1]) and not math.isfinite(self.looks[-1][1])


def _module(learner: Learner, material: Material) -> nn.Module:
    """The module of torch.nn with the weights that `rnnviz.run` would draw."""
    config = learner.config
    network = prepare(config, inputs=np.zeros((1, 1, material.input_size))).network
    rest = {"nonlinearity": config.nonlinearity} if config.cell == "rnn" else {}
    module = MODULES[config.cell](material.input_size, config.hidden_size, device="meta", **rest)
    return _filled(module, network.parameters)


def _head(training: Training, material: Material) -> nn.Module:
    """The linear layer that reads the states, drawn as torch draws it, the same for all variants."""
    generator, bound = generator_for(training.seed, "head"), 1.0 / np.sqrt(training.hidden_size)
    shapes = {"weight": (material.output_size, training.hidden_size), "bias": (material.output_size,)}
    drawn = {name: generator.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    return _filled(nn.Linear(training.hidden_size, material.output_size, device="meta"), drawn)


def _filled(module: nn.Module, values: dict[str, np.ndarray]) -> nn.Module:
    """A module with these values; made on no device, it has not drawn from torch's own generator."""
    module.to_empty(device="cpu").load_state_dict({name: torch.tensor(array) for name, array in values.items()})
    return module


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of numbers, cross entropy of classes; outputs have one axis more than targets."""
    if targets.is_floating_point():
        return mse_loss(outputs[..., 0], targets.to(outputs.dtype))
    return cross_entropy(outputs.flatten(0, -2), targets.flatten(), ignore_index=NOTHING)


def _norm(parameters: Parameters) -> Tensor:
    return get_total_norm([parameter.grad for parameter in parameters])


def _unclipped(parameters: Parameters, limit: float, norm: Tensor) -> float:
    return norm.item()


def _by_norm(parameters: Parameters, limit: float, norm: Tensor) -> float:
    """The second half of clip_grad_norm_; what it multiplies with is zero where the norm is infinite."""
    clip_grads_with_norm_(parameters, limit, norm)
    before = norm.item()
    return before * min(1.0, limit / (before + 1e-6)) if math.isfinite(before) else 0.0


def _by_value(parameters: Parameters, limit: float, norm: Tensor) -> float:
    clip_grad_value_(parameters, limit)
    return _norm(parameters).item()


CLIPS: dict[str, Callable[[Parameters, float, Tensor], float]] = {  # clips, and gives the norm that is left
    "off": _unclipped,
    "norm": _by_norm,
    "value": _by_value,
}
