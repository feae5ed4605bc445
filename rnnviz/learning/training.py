"""Training with torch: a question becomes events, one for each update, and a history of all that was found."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from time import perf_counter

import torch

from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.history import EVERY, History
from rnnviz.experiments.tasks import Material, material
from rnnviz.experiments.training import TRAINING_BUDGET, Training, check_training_budget
from rnnviz.learning.pupil import Pupil, Step

MOST_KEPT = 4_000_000  # bytes of batches that the variants share; larger ones are drawn again for each of them

Draw = Callable[[int], tuple[torch.Tensor, torch.Tensor]]


class Trainer:
    """A training under way: an iterator of `Step`, and all that it has found so far.

    The variants take turns of some updates each, all on the same batches. Nothing of torch's global state is read or
    changed: neither its random generator nor its number of threads. It ends itself when its updates have taken
    longer than a training may, whatever was estimated.

    Args:
        training: what is asked.

    Raises:
        RnnvizError: for a training over the budget, or a text or a series that is too short for its length.
    """

    def __init__(self, training: Training):
        self.training, self.material = training, material(training)
        check_training_budget(training, self.material)
        self._pupils = tuple(Pupil(training, self.material, learner) for learner in training.learners)
        self._work = _work(training, self._pupils, _batches(training, self.material))

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        while (step := self._piece()) is None:
            pass
        return step

    def advance(self, seconds: float) -> None:
        """Work until so much time has passed, but at least one update or first look, or until all is done."""
        until = perf_counter() + seconds
        while not self.done:
            self._piece()
            if perf_counter() >= until:
                return

    def stop(self) -> None:
        """End it for good: what was found stays, a course under way is "stopped", and torch's memory is given back."""
        self._work = iter(())
        for pupil in self._pupils:
            pupil.stop()

    def _piece(self) -> Step | None:
        """One update, or the look before a variant's first one, which makes no step."""
        step = next(self._work)
        if sum(pupil.seconds for pupil in self._pupils) > TRAINING_BUDGET:
            self.stop()
        return step

    @property
    def done(self) -> bool:
        """Whether no variant has an update left to make."""
        return all(pupil.done for pupil in self._pupils)

    @property
    def progress(self) -> float:
        """The share of all updates that is behind us, 0 to 1; what an ended variant leaves out is no part of them."""
        made = sum(pupil.made for pupil in self._pupils)
        return 1.0 if self.done else made / (made + sum(pupil.left for pupil in self._pupils))

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


def _work(training: Training, pupils: tuple[Pupil, ...], batch: Draw) -> Iterator[Step | None]:
    """All work in turns of some updates for each variant; None for the look before a variant's first update."""
    for last in range(EVERY, training.updates + EVERY, EVERY):
        for pupil in pupils:
            if not pupil.looks:
                yield pupil.begin()
            while not pupil.done and pupil.made < last:
                yield pupil.update(batch)


def _batches(training: Training, material: Material) -> Draw:
    """What gives the batch of each update, the same to all variants; a turn's are kept where they are small."""

    def draw(update: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = generator_for(training.seed, "batch", str(update))
        batch = material.draw(generator, training.batch_size)
        return torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)

    size = 4 * training.batch_size * material.steps * material.input_size
    kept = EVERY if len(training.learners) > 1 and EVERY * size <= MOST_KEPT else 0
    return lru_cache(kept)(draw)
