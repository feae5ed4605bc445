"""Training with torch: a question becomes events, one for each update, and a history of all that was found."""

from collections.abc import Iterator
from time import perf_counter

import torch

from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.history import EVERY, History
from rnnviz.experiments.tasks import material
from rnnviz.experiments.training import Training, check_training_budget
from rnnviz.learning.pupil import Pupil, Step

MOST_NUMBERS = 5_000_000  # of input that the batches of a turn may hold; larger batches make shorter turns


class Trainer:
    """A training under way: an iterator of `Step`, and all that it has found so far.

    The variants take turns of some updates each, all on the same batches. Nothing of torch's global state is read or
    changed: neither its random generator nor its number of threads.

    Args:
        training: what is asked.

    Raises:
        RnnvizError: for a training over the budget, or a text or a series that is too short for its length.
    """

    def __init__(self, training: Training):
        self.training, self.material = training, material(training)
        check_training_budget(training, self.material.steps)
        self._pupils = tuple(Pupil(training, self.material, learner) for learner in training.learners)
        self._events = self._walk()

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        return next(self._events)

    def advance(self, seconds: float) -> None:
        """Make updates until so much time has passed, but at least one, or until all is done."""
        until = perf_counter() + seconds
        for _ in self:
            if perf_counter() >= until:
                return

    @property
    def done(self) -> bool:
        """Whether no variant has an update left to make."""
        return all(pupil.done for pupil in self._pupils)

    @property
    def progress(self) -> float:
        """The share of all updates that is behind us, 0 to 1; what a stopped variant leaves out is no part of them."""
        made = sum(pupil.made for pupil in self._pupils)
        return made / (made + sum(pupil.left for pupil in self._pupils))

    @property
    def seconds_left(self) -> float | None:
        """An estimate from what each variant's updates took so far; None while one of them has not begun."""
        going = [pupil for pupil in self._pupils if not pupil.done]
        if not all(pupil.made for pupil in going):
            return None
        return sum((pupil.left * pupil.seconds / pupil.made for pupil in going), start=0.0)

    @property
    def history(self) -> History:
        """All that was found so far."""
        found = History(self.training, tuple(pupil.course for pupil in self._pupils))
        vars(found)["material"] = self.material  # made once for all histories
        return found

    def _walk(self) -> Iterator[Step]:
        numbers = self.training.batch_size * self.material.steps * self.material.input_size
        turn = max(1, min(EVERY, MOST_NUMBERS // numbers))
        for first in range(1, self.training.updates + 1, turn):
            if self.done:
                return
            last = min(first + turn - 1, self.training.updates)
            batches = [self._batch(update) for update in range(first, last + 1)]
            for pupil in self._pupils:
                for inputs, targets in batches:
                    if pupil.done:
                        break
                    yield pupil.update(inputs, targets)

    def _batch(self, update: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = generator_for(self.training.seed, "batch", str(update))
        batch = self.material.draw(generator, self.training.batch_size)
        return torch.tensor(batch.inputs), torch.tensor(batch.targets)
