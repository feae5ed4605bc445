"""The wall's surface against torch autograd and its own cache: `make bench ARGS=wall`."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Row, faster, medians, table
from rnnviz.core.descent import descend
from rnnviz.core.wall import STEPS, TARGET, X_0
from rnnviz.experiments.windows import GRID, WINDOWS, surface_of

SECONDS = 0.5  # the surface with its gradients, the first time


def by_autograd(window: str) -> tuple[torch.Tensor, ...]:
    """Error and both derivatives at every place of the grid, all places at once."""
    shown = WINDOWS[window]
    w, b = np.meshgrid(np.linspace(*shown.w, GRID), np.linspace(*shown.b, GRID))
    w, b = torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True)
    x = torch.full_like(w, X_0)
    for _ in range(STEPS):
        x = w * torch.sigmoid(x) + b
    error = (torch.sigmoid(x) - TARGET) ** 2
    return error, *torch.autograd.grad(error.sum(), (w, b))


def path_by_autograd(updates: int) -> list[float]:
    """The loop that everybody writes, clipped by norm."""
    place = torch.nn.Parameter(torch.tensor([4.8, -2.2], dtype=torch.float64))
    optimiser, norms = torch.optim.SGD([place], lr=0.3), []
    for _ in range(updates):
        x = torch.tensor(X_0, dtype=torch.float64)
        for _ in range(STEPS):
            x = place[0] * torch.sigmoid(x) + place[1]
        optimiser.zero_grad()
        ((torch.sigmoid(x) - TARGET) ** 2).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_([place], 1.0)))
        optimiser.step()
    return norms


def rows() -> Iterator[Row]:
    for name, window in WINDOWS.items():
        yield from rows_of(name, f"wall, {GRID} × {GRID}, “{window.label}”")
    ours, theirs = medians(
        lambda: descend((4.8, -2.2), 0.3, "norm", updates=30), lambda: path_by_autograd(30), rounds=7
    )
    yield faster("a path of 30 updates", "the same by torch autograd and clip_grad_norm_", ours, theirs, 5)


def rows_of(window: str, measure: str) -> Iterator[Row]:
    """The first look, beside autograd's, and every later one."""
    surface_of(window)
    first, later, theirs = medians(
        lambda: surface_of.__wrapped__(window), lambda: surface_of(window), lambda: by_autograd(window), rounds=7
    )
    figure = f"{1e3 * first:.0f} ms (torch autograd {1e3 * theirs:.0f} ms)"
    yield Row(measure, "half a second", figure, f"< {SECONDS:g} s", first < SECONDS)
    yield faster("a later view, from the cache", "the first one", later, first, 1000)


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; medians.\n")
    print(table(list(rows())))
