"""From what came back through each stream to one `GradientFlow`."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.results import GradientFlow
from rnnviz.core.scaled import Scaled
from rnnviz.core.stacked import sum_of_sides
from rnnviz.core.unroll import Unrolled, Walk

MOST_NUMBERS = 4_000_000
SATURATION = 372.0  # beyond it the slope of tanh, 4 e^-2|a|, leaves float64


@dataclass(frozen=True)
class Passed:
    """What came back through one stream, in its own order.

    Attributes:
        walk: the stream's forward walk, with its `slopes`.
        slopes: (T, B, J, H).
        adjoint: of the state, rows (T+1, B, N).
        delta: ∂L/∂(pre-activation), rows (T, B, G·H).
    """

    walk: Walk
    slopes: np.ndarray
    adjoint: Scaled
    delta: Scaled

    @property
    def into_input(self) -> Scaled:
        """∂L/∂(the layer's input), rows (T, B, layer input size), in time order."""
        return self.delta.times(self.walk.stream.weight_ih).map(self.walk.stream.in_order)


def gather(unrolled: Unrolled, passed: list[Passed], gradient: Scaled) -> GradientFlow:
    """Bring every stream's walk into time order and sum the parameters' contributions over it.

    Args:
        unrolled: the network, run.
        passed: one a stream.
        gradient: ∂L/∂output, rows (T, B, K·H).
    """
    cells = [_cell_adjoint(side) for side in passed]
    hidden = [side.adjoint.columns(slice(side.walk.stream.hidden_size)) for side in passed]
    gates = [side.walk.gates for side in passed]
    parameters = _parameters(unrolled, passed)
    has_cell, top = cells[0] is not None, passed[-unrolled.network.directions :]
    return GradientFlow(
        streams=unrolled.network.streams,
        hidden=_timed(passed, [side.walk.hidden for side in passed]),
        cell=_timed(passed, [side.walk.cell for side in passed]) if has_cell else None,
        gates={name: _timed(passed, [gate[name] for gate in gates]) for name in gates[0]},
        adjoint=_timed(passed, [part.values() for part in hidden]),
        cell_adjoint=_timed(passed, [part.values() for part in cells]) if has_cell else None,
        log10_norm=_timed(passed, [part.log10_norm() for part in hidden]),
        cell_log10_norm=_timed(passed, [part.log10_norm() for part in cells]) if has_cell else None,
        joint_log10_norm=_timed(passed, [side.adjoint.log10_norm() for side in passed]),
        parameter_gradients={
            name: total.values().reshape(unrolled.network.parameters[name].shape)
            for name, (total, _) in parameters.items()
        },
        parameter_log10_norms={name: float(total.log10_norm()) for name, (total, _) in parameters.items()},
        parameter_step_log10_norms={name: steps for name, (_, steps) in parameters.items()},
        input_gradient=sum_of_sides([side.into_input for side in passed[: unrolled.network.directions]]).values(),
        output=unrolled.output,
        loss_log10_norm=np.array([gradient.columns(side.walk.stream.columns).log10_norm() for side in top]),
        saturated=_timed(passed, [_saturated(side.walk) for side in passed]),
    )


def _timed(passed: list[Passed], arrays: list[np.ndarray]) -> np.ndarray:
    """One array of all streams, (S, …), each in time order."""
    return np.array([side.walk.stream.in_order(array) for side, array in zip(passed, arrays, strict=True)])


def _cell_adjoint(side: Passed) -> Scaled | None:
    """∂L/∂c, rows (T+1, B, H); at row 0 no step leads from c to h, so that it is ĉ alone."""
    cell = side.walk.stream.cell
    if not cell.has_cell_state:
        return None
    adjoint = side.adjoint
    later = cell.cell_adjoint(adjoint.mantissa[1:], side.slopes)
    initial = adjoint.mantissa[:1, :, side.walk.stream.hidden_size :]
    return Scaled(np.concatenate((initial, later)), adjoint.exponent)


def _saturated(walk: Walk) -> np.ndarray:
    """(T+1, B): a step between this row and the end had a slope that rounds to zero."""
    stream, flags = walk.stream, np.zeros(walk.states.shape[:2], dtype=bool)
    if stream.cell.gates or stream.activation.saturates:
        beyond = (np.abs(walk.kept[..., : len(stream.input_bias)]) > SATURATION).any(axis=-1)
        flags[:-1] = np.logical_or.accumulate(beyond[::-1])[::-1]
    return flags


def _parameters(unrolled: Unrolled, passed: list[Passed]) -> dict[str, tuple[Scaled, np.ndarray]]:
    """{torch name: (the gradient as one row, log10 norm of each step's contribution (T,))}."""
    parameters = {}
    for side in passed:
        stream, walk = side.walk.stream, side.walk
        recurrent = Scaled(stream.cell.recurrent_delta(stream, side.delta.mantissa, walk.kept), side.delta.exponent)
        one = np.ones((*walk.inputs.shape[:2], 1))
        for kind, delta, factor in (
            ("weight_ih", side.delta, walk.inputs),
            ("weight_hh", recurrent, walk.hidden[:-1]),
            ("bias_ih", side.delta, one),
            ("bias_hh", recurrent, one),
        ):
            name = f"{kind}_{stream.suffix}"
            if name in unrolled.network.parameters:
                parameters[name] = _sum_over_steps(delta, factor), stream.in_order(_log10_of_steps(delta, factor))
    return parameters


def _sum_over_steps(delta: Scaled, factor: np.ndarray) -> Scaled:
    """Σ_t Σ_b δ_t,b ⊗ factor_t,b as one row of all its entries.

    Source: Pascanu, Mikolov and Bengio (2013), equation 5: the "immediate" derivatives summed over time.
    """
    delta = delta.aligned(axis=(0, 1))
    rows, columns = (array.reshape(-1, array.shape[-1]) for array in (delta.mantissa, factor))
    return Scaled((rows.T @ columns).ravel(), delta.exponent.ravel())


def _log10_of_steps(delta: Scaled, factor: np.ndarray) -> np.ndarray:
    """log10 of the Frobenius norm of each step's term Σ_b δ_t,b ⊗ factor_t,b, (T,)."""
    if factor.shape[1] == 1:  # one rank-one term: the product of both norms
        return delta.log10_norm()[:, 0] + Scaled.of(factor).log10_norm()[:, 0]
    delta = delta.aligned(axis=1)
    chunk = max(1, MOST_NUMBERS // (delta.mantissa.shape[-1] * factor.shape[-1]))
    parts = []
    for first in range(0, len(factor), chunk):
        part = slice(first, first + chunk)
        terms = np.swapaxes(delta.mantissa[part], 1, 2) @ factor[part]
        parts.append(Scaled(terms.reshape(len(terms), -1), delta.exponent[part, 0]).log10_norm())
    return np.concatenate(parts)
