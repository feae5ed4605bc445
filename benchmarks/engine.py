"""The engine against torch: `make bench` prints the table."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.engine_data import HIDDEN_SIZE, INPUT_SIZE, data, drawn
from benchmarks.measure import Row, faster, medians, table
from rnnviz import Network, bptt, itemised

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
CELLS = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}


def loaded(network: Network, build: dict, dtype: torch.dtype, ending: str = "") -> torch.nn.Module:
    """A torch module or cell with the network's own parameters."""
    module = build[network.cell](INPUT_SIZE, HIDDEN_SIZE, dtype=dtype)
    names = {name.removesuffix("_l0") + ending: torch.tensor(value) for name, value in network.parameters.items()}
    module.load_state_dict(names)
    return module


def fused(cell: str, steps: int, dtype: torch.dtype = torch.float64):
    """Forward and backward of torch's own fused module."""
    module = loaded(drawn(cell), MODULES, dtype, "_l0")
    inputs, gradient = (torch.tensor(array, dtype=dtype) for array in data(steps))

    def run() -> None:
        module.zero_grad()
        module(inputs)[0].backward(gradient)

    return run


def cell_loop(cell: str, steps: int):
    """The textbook way to see every step's gradient: a loop over cells with retain_grad on every state."""
    module = loaded(drawn(cell), CELLS, torch.float64)
    inputs, gradient = (torch.tensor(array) for array in data(steps))

    def run() -> None:
        module.zero_grad()
        state, seen = None, []
        for x in inputs:
            state = module(x, state)
            parts = state if isinstance(state, tuple) else (state,)
            for part in parts:
                part.retain_grad()
            seen.append(parts)
        (seen[-1][0] * gradient[-1]).sum().backward()
        [[part.grad.norm() for part in parts] for parts in seen[:-1]]

    return run


def autograd_per_source(steps: int, norms: bool):
    """T calls of autograd.grad, one for the loss of every step; with the norms of what they give, or without."""
    module = loaded(drawn("rnn"), CELLS, torch.float64)
    inputs, _ = (torch.tensor(array) for array in data(steps))

    def run() -> None:
        states = []
        for x in inputs:
            states.append(module(x, states[-1] if states else None))
        for t, state in enumerate(states):
            found = torch.autograd.grad(state.sum(), states[: t + 1], retain_graph=True)
            if norms:
                [gradient.norm() for gradient in found]

    return run


def ours(cell: str, steps: int):
    network, (inputs, gradient) = drawn(cell), data(steps)
    return lambda: bptt(network, inputs, gradient)


def rows() -> Iterator[Row]:
    for steps in (100, 500):
        mine, theirs, single = medians(ours("lstm", steps), fused("lstm", steps), fused("lstm", steps, torch.float32))
        yield faster(f"bptt, LSTM, T {steps}", "nn.LSTM float64, forward and backward", mine, theirs, 4)
        yield Row(f"bptt, LSTM, T {steps}", "nn.LSTM float32, fused", f"{mine / single:.2f} × its time", "≤ 2 ×",
                  mine / single <= 2)  # fmt: skip
    for cell in CELLS:
        mine, theirs = medians(ours(cell, 100), cell_loop(cell, 100))
        yield faster(f"bptt, {cell}, T 100", "torch cell loop with retain_grad, float64", mine, theirs, 6)
    network, (inputs, _) = drawn("rnn"), data(200)
    every = np.ones((200, 1, HIDDEN_SIZE))
    mine, bare, theirs = medians(
        lambda: itemised(network, inputs, every), autograd_per_source(200, False), autograd_per_source(200, True)
    )
    yield faster("itemised, rnn, T 200", "200 calls of autograd.grad", mine, bare, 40)
    yield faster("itemised, rnn, T 200", "the same, and the norms that itemised gives", mine, theirs, 40)
    for cell in CELLS:
        short, long = medians(ours(cell, 500), ours(cell, 5000))
        ratio = long / (10 * short)
        yield Row(f"bptt, {cell}, T 500 → 5000", "linear growth", f"{ratio:.2f} × linear", "≤ 1.15 ×", ratio <= 1.15)
    for cell in CELLS:
        yield long_run(cell)
    yield import_time()


def long_run(cell: str) -> Row:
    """T = 10,000 in a process of its own: does it finish, and in how much memory?"""
    code = (
        "import numpy as np; from benchmarks.engine_data import drawn, data; from rnnviz import bptt;"
        f"flow = bptt(drawn({cell!r}), *data(10_000)); norms = flow.joint_log10_norm;"
        "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1];"
        "print(norms.min(), int(peak) / 1024)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    smallest, megabytes = (float(word) for word in printed.split())
    figure = f"smallest norm 1e{smallest:.0f}, peak {megabytes:.0f} MB, numpy included"
    return Row(f"bptt, {cell}, T 10,000", "–", figure, "exact, < 400 MB", np.isfinite(smallest) and megabytes < 400)


def import_time() -> Row:
    """Milliseconds that `import rnnviz` adds to `import numpy`, each in a process of its own."""
    code = "import time, numpy; start = time.perf_counter(); import rnnviz; print(time.perf_counter() - start)"
    samples = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(21)
    ]
    added = 1e3 * statistics.median(samples)
    return Row("import rnnviz", "import numpy", f"adds {added:.0f} ms", "< 50 ms", added < 50)


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; medians of 21 rounds, each pair in turn.")
    print("A busy machine turns a close goal into a NO.\n")
    print(table(list(rows())))
