"""One backward pass, and what each way of clipping makes of it: the four ways side by side at one threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnviz.core.bptt import backpropagate
from rnnviz.core.clipping import clip_by_norm, clip_by_value, compare_gradients, unclipped
from rnnviz.core.results import ClipReport, GradientFlow
from rnnviz.core.scaled import Scaled, log10_sum_of_squares
from rnnviz.core.signal import SIGNAL_CLIPS, SignalClip
from rnnviz.errors import one_of
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.config import CLIPS
from rnnviz.experiments.knobs import Checked, knob

SAME = 1e-9  # decades and degrees: a sweep that may clip rounds at other places than one that may not
SLIDING = (
    "Under a sliding truncation every loss has a signal of its own, so that there is no one signal to clip; "
    "the other ways stand."
)


@dataclass(frozen=True)
class SignalChoice(Checked):
    """Which way of clipping the signal stands beside the others.

    Raises:
        ConfigError: for a value that is not allowed; the sentence names the field, what is allowed and what came.
    """

    clip_signal: str = knob(
        "preactivation_value",
        "Signal clipping",
        "How the gradient is clipped on its way back, at every step: each entry of ∂L/∂a_t, before the activation, as "
        "Graves did; each entry of ∂L/∂h_t; or the norm of ∂L/∂h_t.",
        choices={name: CLIPS[name].removeprefix("Signal: ").capitalize() for name in SIGNAL_CLIPS},
    )


@dataclass(frozen=True, eq=False)
class Way:
    """A way of clipping, and what it leaves.

    Attributes:
        name: "none", "norm", "value" or "signal".
        label: its words on the screen.
        flow: states and gradients through time; those of "none" itself for clipping of the parameters' gradient, which
            comes after the sweep. None where the way is refused.
        report: the parameters' gradient against the unclipped one; its coefficient is None where there is no single
            one. None where the way is refused.
        log10_before, log10_after: {torch name: log10 of the norm of the parameter's gradient} without clipping and
            with it; at any size, but for what torch's own clipping rounds away. Nothing after where it is refused.
        changed: it made another gradient.
        refusal: a sentence that says why there is no such run; "" where there is one.
    """

    name: str
    label: str
    flow: GradientFlow | None
    report: ClipReport | None
    log10_before: Mapping[str, float]
    log10_after: Mapping[str, float]
    changed: bool = False
    refusal: str = ""

    @property
    def log10_norm(self) -> float:
        """log10 of the norm of all parameters' gradients together, after it; NaN where it is refused."""
        return _together(self.log10_after)

    @property
    def shares_before(self) -> dict[str, float]:
        """{torch name: share of the squared norm of the whole gradient} without clipping; NaN where that is none."""
        return _shares(self.log10_before)

    @property
    def shares_after(self) -> dict[str, float]:
        """The same after it."""
        return _shares(self.log10_after)


@dataclass(frozen=True, eq=False)
class Clippings:
    """The ways of clipping one run, all at the threshold of its config, each computed when it is first looked at.

    Attributes:
        run: the network; whatever its own config clips, `none` is the run without clipping.
        signal_kind: how the signal is clipped at every step, see `SIGNAL_CLIPS`.

    Raises:
        ConfigError: for an unknown kind of signal clipping.

    Source: Pascanu, Mikolov and Bengio (2013), algorithm 1, for the norm; Graves (2013), section 2.1, for the signal.

    >>> from rnnviz.experiments.comparison import Comparison
    >>> from rnnviz.experiments.config import Config
    >>> (run,) = Comparison(("linear",)).runs(Config(weight_scale=1.1))
    >>> clippings = Clippings(run)
    >>> round(clippings.norm.report.angle, 6), clippings.norm.flow is clippings.none.flow
    (0.0, True)
    """

    run: Run
    signal_kind: str = "preactivation_value"

    def __post_init__(self):
        one_of("signal_kind", self.signal_kind, SIGNAL_CLIPS)

    @property
    def threshold(self) -> float:
        """The largest norm, or the largest entry, that any of the ways lets through."""
        return self.run.config.clip_threshold

    @property
    def ways(self) -> tuple[Way, Way, Way, Way]:
        """None, by norm, by value, signal."""
        return self.none, self.norm, self.value, self.signal

    @cached_property
    def none(self) -> Way:
        """No clipping at all."""
        flow = self.run.unclipped
        before = flow.parameter_log10_norms
        return Way("none", "no clipping", flow, unclipped(flow.parameter_gradients), before, before)

    @cached_property
    def norm(self) -> Way:
        """One factor for the whole gradient of the parameters, after the sweep."""
        return self._after_the_sweep("norm", clip_by_norm)

    @cached_property
    def value(self) -> Way:
        """Every entry of the parameters' gradient on its own, after the sweep."""
        return self._after_the_sweep("value", clip_by_value)

    @cached_property
    def signal(self) -> Way:
        """The gradient on its way back, at every step, which changes all that is made of it."""
        before = self.none.log10_before
        if self.run.config.truncation == "sliding":
            return Way("signal", "signal", None, None, before, {}, refusal=SLIDING)
        flow = self._signal_flow()
        report = compare_gradients(self.none.flow.parameter_gradients, flow.parameter_gradients)
        after = flow.parameter_log10_norms
        changed = report.angle > SAME or any(_differ(after[name], before[name]) for name in before)
        return Way("signal", "signal", flow, report, before, after, changed)

    def bend(self) -> tuple[int, int, float]:
        """(stream, row, decades) where clipping of the signal changes log10 ‖∂L/∂h‖ most; 0 decades for nowhere.

        Over what is finite both without it and with it; an initial state counts where no step's state is changed.
        Where the signal's way is refused, there is nothing to ask.
        """
        before, after = (way.flow.log10_norm[:, :, 0] for way in (self.none, self.signal))
        with np.errstate(invalid="ignore"):
            change = np.nan_to_num(after - before, nan=0.0, posinf=0.0, neginf=0.0)
        change[np.abs(change) <= SAME] = 0.0
        steps = change.copy()
        for s, stream in enumerate(self.none.flow.streams):
            stream.in_order(steps[s])[0] = 0.0
        change = steps if steps.any() else change
        s, row = np.unravel_index(np.argmax(np.abs(change)), change.shape)
        return int(s), int(row), float(change[s, row])

    def _after_the_sweep(self, name: str, clip) -> Way:
        """Clip the finished gradient as torch does; the curve through time is that of no clipping."""
        gradients, before = self.none.flow.parameter_gradients, self.none.log10_before
        report = clip(gradients, self.threshold)
        after = {name: _log10_norm(gradient) for name, gradient in report.clipped.items()}
        changed = any(not np.array_equal(report.clipped[n], gradients[n], equal_nan=True) for n in gradients)
        return Way(name, f"by {name}", self.none.flow, report, before, after if changed else before, changed)

    def _signal_flow(self) -> GradientFlow:
        run = self.run
        if run.config.clip == self.signal_kind:
            return run.flow
        clip, experiment = SignalClip(self.signal_kind, self.threshold), run.experiment
        return backpropagate(experiment.unrolled, experiment.output_gradient, clip, run.config.truncated)


def _log10_norm(gradient: np.ndarray) -> float:
    return float(Scaled.of(np.asarray(gradient, dtype=np.float64).reshape(1, -1)).log10_norm()[0])


def _differ(after: float, before: float) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(after != before and not np.abs(after - before) <= SAME and not np.isnan(before))


def _together(log10_norms: Mapping[str, float]) -> float:
    norms = np.array(list(log10_norms.values()))
    return float(log10_sum_of_squares(norms, axis=0)) if norms.size else np.nan


def _shares(log10_norms: Mapping[str, float]) -> dict[str, float]:
    total = _together(log10_norms)
    with np.errstate(invalid="ignore"):
        return {name: float(100.0 ** (norm - total)) for name, norm in log10_norms.items()}
