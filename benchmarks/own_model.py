"""`rnnviz.trace` and `rnnviz.watch` on an LSTM of one's own: `make bench ARGS=own_model`.

Both sides take turns in one run, so that a busy machine slows both; times are those of the processor.
"""

import statistics
from collections.abc import Callable, Iterator
from time import process_time

import torch

import rnnviz
from benchmarks.measure import Row, medians, table

STEPS, BATCH, INPUTS, UNITS = 200, 8, 16, 64
EVERY, ROUNDS = 10, 40


def traced() -> Row:
    """`trace` against the module's own forward and backward pass in float64, which shows no step."""
    torch.manual_seed(0)
    module, inputs = torch.nn.LSTM(INPUTS, UNITS).double(), torch.randn(STEPS, BATCH, INPUTS).double()

    def own() -> None:
        module.zero_grad()
        module(inputs)[1][0].sum().backward()

    ours, theirs = medians(lambda: rnnviz.trace(module, inputs), own)
    figure = f"{ours / theirs:.2f} × its time ({1e3 * ours:.1f} ms, {1e3 * theirs:.1f} ms)"
    against = "the module's own forward and backward, float64"
    return Row(f"trace, nn.LSTM, H {UNITS}, T {STEPS}, B {BATCH}", against, figure, "< 2 ×", ours < 2 * theirs)


class Learner:
    """The training loop that everybody writes: an LSTM in float32, a head, Adam, clipping."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(INPUTS, UNITS), "head": torch.nn.Linear(UNITS, 1)})
        self.optimiser = torch.optim.Adam(self.model.parameters())

    def updates(self) -> None:
        """As many as there are from one look to the next."""
        for _ in range(EVERY):
            inputs = torch.randn(STEPS, BATCH, INPUTS)
            self.optimiser.zero_grad()
            states, _ = self.model["lstm"](inputs)
            torch.nn.functional.mse_loss(self.model["head"](states[-1]), inputs[0, :, :1]).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()


def watched() -> Iterator[Row]:
    """A training loop with a watch at every 10th update against the same loop without; then, what a look costs."""
    plain, seen = Learner(), Learner()
    watch = rnnviz.watch(seen.model, every=EVERY)
    pairs = []
    for number in range(ROUNDS + 2):  # the first two are for warm caches; each goes first in every other round
        order = (plain, seen) if number % 2 else (seen, plain)
        took = {learner: _seconds(learner.updates) for learner in order}
        pairs.append((took[plain], took[seen]))
    watch.close()
    added = statistics.median(ours / theirs for theirs, ours in pairs[2:]) - 1
    loop = statistics.median(theirs for theirs, _ in pairs[2:])
    look = statistics.median(_seconds(frame.look) for frame in watch.frames)
    figure = f"{added:+.1%} time ({1e3 * loop / EVERY:.1f} ms an update without)"
    yield Row(f"watch, every {EVERY}th update, the same size", "the loop alone, float32", figure, "< 10 %", added < 0.1)
    figure = f"{look / loop:.0%} of the time of {EVERY} updates ({1e3 * look:.1f} ms)"
    yield Row("a look at a frame: its replay in float64", "the loop alone, float32", figure, "< 100 %", look < loop)


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor, which a neighbour's work does not lengthen."""
    start = process_time()
    call()
    return process_time() - start


def rows() -> Iterator[Row]:
    yield traced()
    yield from watched()


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; medians of turns taken one after the other.\n")
    print(table(list(rows())))
