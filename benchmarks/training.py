"""Training against the same updates in a bare torch loop: `make bench ARGS=training`.

Both take turns of 25 updates in one run, so that a busy machine slows both; times are those of the processor.
"""

import statistics
from collections.abc import Callable, Iterator
from itertools import count, islice
from time import process_time

import torch

from benchmarks.measure import Row, table
from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.history import EVERY
from rnnviz.experiments.tasks import Material, material
from rnnviz.experiments.training import Training
from rnnviz.learning import train

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
LENGTHS = (30, 100)
ROUNDS = 15


def asked(cell: str, length: int) -> Training:
    """One variant, H = 32, Adam, clipped by norm, that does not stop early."""
    return Training(cells=(cell,), length=length, updates=EVERY * (ROUNDS + 1), stop=False)


def bare(training: Training, made: Material) -> Iterator[None]:
    """The loop that everybody writes: draw, forward, backward, clip, update; nothing is looked at or kept."""
    module = MODULES[training.cells[0]](made.input_size, training.hidden_size)
    head = torch.nn.Linear(training.hidden_size, made.output_size)
    parameters = [*module.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=training.learning_rate)

    def update(inputs: torch.Tensor, targets: torch.Tensor) -> None:  # what it has made is freed at its end
        optimiser.zero_grad()
        states, _ = module(inputs)
        torch.nn.functional.mse_loss(head(states[-1])[:, 0], targets).backward()
        torch.nn.utils.clip_grad_norm_(parameters, training.clip_threshold)
        optimiser.step()

    for number in count(1):
        batch = made.draw(generator_for(training.seed, "batch", str(number)), training.batch_size)
        update(torch.tensor(batch.inputs), torch.tensor(batch.targets))
        yield


def seconds(call: Callable[[], object]) -> float:
    """Of the processor, which a neighbour's work does not lengthen."""
    start = process_time()
    call()
    return process_time() - start


def rows() -> Iterator[Row]:
    for cell in MODULES:
        for length in LENGTHS:
            yield from rows_of(asked(cell, length))


def rows_of(training: Training) -> Iterator[Row]:
    """The trainer's rate with everything it does, and what its two looks have of its time, at one in 25 updates."""
    made, trainer = material(training), train(training)
    loop, (pupil,) = bare(training, made), trainer._pupils
    calls = (
        lambda: list(islice(trainer, EVERY)),
        lambda: list(islice(loop, EVERY)),
        pupil.profile,
        pupil.evaluate,
    )
    times = [[seconds(call) for call in calls] for _ in range(ROUNDS + 1)][1:]  # the first is for warm caches
    ours, theirs, profile, held_out = (statistics.median(column) for column in zip(*times, strict=True))
    name = f"training, {training.cells[0]}, T {training.length}"
    alone = ours - profile - held_out
    rate = f"{theirs / ours:.2f} × its rate ({EVERY / theirs:.0f} a second); {theirs / alone:.2f} × without its looks"
    yield Row(name, "a bare torch loop, which looks at nothing", rate, "≥ 0.9 ×", theirs / ours >= 0.9)
    for what, cost in (("the profile", profile), (f"{len(made.held_out.targets)} held-out sequences", held_out)):
        reached = cost < 0.1 * ours
        yield Row(f"{what}, once in {EVERY} updates", "all of that time", f"{cost / ours:.1%}", "< 10 %", reached)


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; medians of {ROUNDS} turns of {EVERY} updates each.\n")
    print(table(list(rows())))
