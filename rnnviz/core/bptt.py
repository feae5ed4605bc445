"""Back-propagation through time: the total gradient of the loss at every state and parameter, at any size."""

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.backward import Arrival, Met, walk_back
from rnnviz.core.gather import Passed, gather
from rnnviz.core.network import Network
from rnnviz.core.results import GradientFlow
from rnnviz.core.scaled import Scaled, add
from rnnviz.core.signal import SignalClip, Truncation
from rnnviz.core.stacked import layers_from_the_top, sum_of_sides, walk_sources
from rnnviz.core.unroll import Unrolled, Walk, unroll
from rnnviz.errors import ConfigError, shown


def bptt(
    network: Network,
    inputs: np.ndarray,
    output_gradient: np.ndarray,
    initial_state=None,
    *,
    signal_clip: SignalClip | None = None,
    truncation: Truncation | None = None,
) -> GradientFlow:
    """Run a network over a sequence and its loss back through time.

    Args:
        network: what to run.
        inputs: (T, B, D).
        output_gradient: ∂L/∂output, (T, B, K·H) with K directions; any head and any loss reduces to it.
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.
        signal_clip: clips the signal at every step, which changes what flows further back.
        truncation: how far back a loss may reach.

    Returns:
        Every state and every gradient, with log10 norms that no float64 could hold.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite. A run that overflows is a finding, not an error.

    Source: Werbos (1990); rescaling by powers of two and slopes from the pre-activation are our own.

    >>> import numpy as np
    >>> halve = Network("rnn", {"weight_ih_l0": [[1.0]], "weight_hh_l0": [[0.5]]}, nonlinearity="linear")
    >>> last_step = np.zeros((4, 1, 1))
    >>> last_step[-1] = 1.0
    >>> flow = bptt(halve, np.ones((4, 1, 1)), last_step)
    >>> flow.adjoint[0, :, 0, 0].tolist()
    [0.0625, 0.125, 0.25, 0.5, 1.0]
    """
    _expect("network", network, Network)
    unrolled = unroll(network, inputs, initial_state)
    output_gradient = finite_array("output_gradient", output_gradient, unrolled.output.shape)
    return backpropagate(unrolled, output_gradient, signal_clip, truncation)


def backpropagate(
    unrolled: Unrolled,
    output_gradient: np.ndarray,
    signal_clip: SignalClip | None = None,
    truncation: Truncation | None = None,
) -> GradientFlow:
    """The backward half of `bptt`, for a network that has been run; here a gradient may be infinite."""
    gradient = Scaled.of(np.where(np.isfinite(output_gradient), output_gradient, np.nan))
    _expect("signal_clip", signal_clip, SignalClip | None)
    _expect("truncation", truncation, Truncation | None)
    sliding = truncation is not None and truncation.kind == "sliding"
    if sliding and signal_clip:
        raise ConfigError(
            "signal_clip: cannot be combined with a sliding truncation, where every loss has a signal of its own; "
            "allowed is None or a chunked truncation."
        )
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if sliding:
            passed = _source_by_source(unrolled, gradient, truncation.steps)
        else:
            passed = _layer_by_layer(unrolled, gradient, signal_clip, truncation)
        return gather(unrolled, passed, gradient)


def _layer_by_layer(unrolled: Unrolled, gradient: Scaled, signal_clip, truncation) -> list[Passed]:
    """The usual sweep, from the top layer to the first, with one signal in which all losses are added up."""
    passed: list[Passed] = []
    for walks in layers_from_the_top(unrolled):
        here = [_one_stream(walk, gradient, signal_clip, truncation) for _, walk in walks]
        gradient = sum_of_sides([side.into_input for side in here])
        passed = here + passed
    return passed


def _one_stream(walk: Walk, gradient: Scaled, signal_clip, truncation) -> Passed:
    stream, slopes = walk.stream, walk.slopes
    gradient = gradient.columns(stream.columns).map(stream.in_order)
    present = gradient.mantissa.any(axis=(1, 2))

    def arrivals(row: int) -> Arrival | None:
        if row == 0 or not present[row - 1]:
            return None
        return Arrival(slice(None), gradient.mantissa[row - 1], gradient.exponent[row - 1])

    cut = truncation.cuts if truncation else (lambda row: False)
    met = list(walk_back(walk, slopes, arrivals, signal_clip=signal_clip, cut=cut))[::-1]
    adjoint = Scaled(np.array([m.adjoint for m in met]), np.array([m.exponent for m in met]))
    return Passed(walk, slopes, adjoint, Scaled(np.array([m.delta for m in met[1:]]), adjoint.exponent[1:]))


def _source_by_source(unrolled: Unrolled, gradient: Scaled, reach: int) -> list[Passed]:
    """Every loss on its own, no further back than its window, and then added up."""
    steps, batch = gradient.mantissa.shape[:2]
    passed = [
        Passed(
            walk,
            walk.slopes,
            Scaled.zeros((steps + 1, batch, walk.stream.state_size)),
            Scaled.zeros((steps, batch, len(walk.stream.input_bias))),
        )
        for walk in unrolled.walks
    ]

    def visit(s: int, met: Met, which: np.ndarray) -> None:
        if len(which):
            _add_up(passed[s].adjoint, met.row, Scaled(met.adjoint, met.exponent))
            if met.row:
                _add_up(passed[s].delta, met.row - 1, Scaled(met.delta, met.exponent))

    walk_sources(unrolled, gradient, np.arange(1, steps + 1), visit, reach)
    return passed


def _add_up(total: Scaled, row: int, signals: Scaled) -> None:
    signals = signals.aligned(axis=0)
    summed = signals.mantissa.sum(axis=0), signals.exponent[0]
    total.mantissa[row], total.exponent[row] = add(total.mantissa[row], total.exponent[row], *summed)


def _expect(field_name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        name = getattr(kind, "__name__", None) or kind.__args__[0].__name__ + " or None"
        raise ConfigError(f"{field_name}: must be a {name}, got {shown(value)}.")
