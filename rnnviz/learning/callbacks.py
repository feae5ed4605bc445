"""What a watch sees, sent to any logger: from a loop of your own, or from Lightning's.

`report` is for a loop of your own. `WatchCallback` is a Lightning `Callback` that does the same; Lightning is imported
when it is first asked for, as `lightning` or, where that is missing, as `pytorch_lightning`.
"""

import math
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module

from rnnviz.errors import RnnvizError
from rnnviz.learning.watching import Watch, gradient_norm

PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def report(watch: Watch, log: Callable[[dict[str, float]], object], before: float | None = None) -> dict[str, float]:
    """Send the latest frame of a watch to a logger, unless it has been sent already.

    Call it after clipping, and before the gradients are set to zero. It replays the frame, which takes about as long as
    the watched modules' own forward and backward pass in float64: choose the watch's `every` by it.

    Args:
        watch: the watch.
        log: takes {name: number}: `wandb.log`, a `SummaryWriter`'s `add_scalar` in a loop, `print`.
        before: the norm before clipping, where you know it better: None for the one that the watch took when the
            backward pass was over, in which a `GradScaler`'s factor is still in.

    Returns:
        What was sent: "<module>/memory_horizon" and "<module>/growth_per_step" of every watched module's top layer,
        "grad_norm_before_clipping" and "grad_norm_after_clipping"; {} when there is no new frame.

    >>> import torch, rnnviz
    >>> gru = torch.nn.GRU(3, 8)
    >>> with rnnviz.watch(gru) as watch:
    ...     gru(torch.randn(20, 4, 3))[0][-1].sum().backward()
    ...     _ = torch.nn.utils.clip_grad_norm_(gru.parameters(), 0.5)
    ...     sent = report(watch, log=lambda numbers: None)
    >>> sorted(sent)
    ['GRU/growth_per_step', 'GRU/memory_horizon', 'grad_norm_after_clipping', 'grad_norm_before_clipping']
    >>> round(sent["grad_norm_after_clipping"], 3)
    0.5
    """
    if not (watch.frames and watch.frames[-1].update > watch.reported):
        return {}
    frame = watch.frames[-1]
    watch.reported = frame.update
    numbers = {}
    for name, glimpse in frame.modules.items():
        if glimpse.verdict:
            undefined = glimpse.verdict.kind == "undefined"
            numbers[f"{name}/memory_horizon"] = math.nan if undefined else float(glimpse.verdict.memory_horizon)
            numbers[f"{name}/growth_per_step"] = glimpse.verdict.growth_per_step
    numbers["grad_norm_before_clipping"] = frame.gradient_norm if before is None else before
    numbers["grad_norm_after_clipping"] = gradient_norm(watch.model)
    log(numbers)
    return numbers


def __getattr__(name: str) -> type:
    if name != "WatchCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _callback_class(_lightning())


def _lightning() -> str:
    """The package of Lightning that is in use, or else the first at hand."""
    loaded = [package for package in PACKAGES if package in sys.modules]
    for package in (*loaded, *PACKAGES):
        try:
            import_module(package)
        except ModuleNotFoundError:
            continue
        return package
    raise RnnvizError("WatchCallback: must have lightning at hand, got none; install it with pip (rnnviz[lightning]).")


@cache
def _callback_class(package: str) -> type:
    class WatchCallback(import_module(package).Callback):
        """Logs memory horizon, growth per step and the gradient's norm before and after clipping while Lightning fits.

        Lightning clips between `on_before_optimizer_step` and the step itself, and sets gradients to zero in the next
        batch, so that the norm before is taken in that hook and the norm after in `on_train_batch_end`. The numbers go
        to every logger of the trainer at once, whatever its `log_every_n_steps`, and to `callback_metrics`.

        Args:
            every, keep, only: as for `rnnviz.watch`.
        """

        def __init__(self, every: int = 50, keep: int = 1, only: tuple[str, ...] | None = None):
            super().__init__()
            self.settings = {"every": every, "keep": keep, "only": only}
            self.watch: Watch | None = None
            self.before: float | None = None

        def on_train_start(self, trainer, pl_module) -> None:
            """Begin to watch."""
            self.watch = Watch(pl_module, **self.settings)

        def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
            """Take the norm before clipping, without a `GradScaler`'s factor."""
            if self.watch.frames and self.watch.frames[-1].update > self.watch.reported:
                self.before = gradient_norm(pl_module)

        def on_train_batch_end(self, trainer, pl_module, *_) -> None:
            """Take the norm after it, and log."""

            def log(numbers: dict[str, float]) -> None:
                pl_module.log_dict(numbers, logger=False, on_step=True, on_epoch=False)
                for logger in trainer.loggers:
                    logger.log_metrics(numbers, step=trainer.global_step)

            report(self.watch, log, self.before)
            self.before = None

        def teardown(self, trainer, pl_module, stage) -> None:
            """Take the hooks off, also after an error."""
            if self.watch:
                self.watch.close()

        def on_exception(self, trainer, pl_module, exception) -> None:
            """See `teardown`."""
            self.teardown(trainer, pl_module, "fit")

    WatchCallback.__qualname__ = "WatchCallback"
    return WatchCallback
