"""Step Jacobians from the cell's own `backward`, their spectra, their products, and Lyapunov exponents."""

from itertools import repeat

import numpy as np

from rnnviz.core.network import Network
from rnnviz.core.results import JacobianSpectrum
from rnnviz.core.scaled import LOG10_2, binary_exponent, peak, power_of_two
from rnnviz.core.unroll import Unrolled, Walk, unroll

RESOLVED = 1e-13


def jacobians(network: Network, inputs: np.ndarray, initial_state=None) -> JacobianSpectrum:
    """Spectra of every step Jacobian, of the transport to the last step, and the Lyapunov exponents.

    Args:
        network: what to run.
        inputs: (T, B, D).
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite.

    >>> import numpy as np
    >>> halve = Network("rnn", {"weight_ih_l0": [[1.0]], "weight_hh_l0": [[0.5]]}, nonlinearity="linear")
    >>> spectrum = jacobians(halve, np.ones((3, 1, 1)))
    >>> (10 ** spectrum.transport_log10[0, :, 0, 0]).round(6).tolist()
    [0.125, 0.25, 0.5, 1.0]
    """
    return spectrum(unroll(network, inputs, initial_state))


def spectrum(unrolled: Unrolled) -> JacobianSpectrum:
    """The same, for a network that has been run already."""
    with np.errstate(all="ignore"):
        parts = [_stream_spectrum(walk) for walk in unrolled.walks]
    return JacobianSpectrum(unrolled.network.streams, *map(np.array, zip(*parts, strict=True)))


def step_jacobians(walk: Walk) -> np.ndarray:
    """J_t = ∂s_t/∂s_{t-1} of every step in the stream's own order, (T, B, N, N).

    Row i of J_t is the pull-back of the i-th unit vector: the same code as back-propagation.
    """
    batch, size = walk.states[0].shape[1:]
    units = np.eye(size * len(walk.states))
    parts = tuple(
        np.repeat(units[:, None, place * size : (place + 1) * size], batch, axis=1) for place in range(len(walk.states))
    )
    steps, count, stream = len(walk.inputs), len(units), walk.stream
    pulled = np.empty((steps, count, batch, count))
    delta = np.empty((1, count, batch, stream.cell.delta_blocks * size))
    rows = tuple(np.stack((np.empty_like(part), part)) for part in parts)
    for row, *factors in zip(pulled, *walk.slopes(0, steps), strict=True):
        stream.cell.backward(stream, rows, [factor[None] for factor in factors], delta, None, repeat(None))
        np.concatenate([array[0] for array in rows], axis=-1, out=row)
    return np.moveaxis(pulled, 1, 2)


def _stream_spectrum(walk: Walk) -> tuple[np.ndarray, ...]:
    """The arrays of `JacobianSpectrum` for one stream, in time order; NaN where the forward run left float64."""
    matrices = step_jacobians(walk)
    finite = np.isfinite(matrices).all(axis=(-2, -1))
    usable = np.where(finite[..., None, None], matrices, 0.0)
    singular = np.linalg.svd(usable, compute_uv=False)
    radius = np.abs(np.linalg.eigvals(usable)).max(axis=-1)
    singular[~finite], radius[~finite] = np.nan, np.nan
    in_order = walk.stream.in_order
    return in_order(singular), in_order(radius), in_order(_transport(matrices)), _lyapunov(matrices)


def _transport(matrices: np.ndarray) -> np.ndarray:
    """log10 singular values of J_T ⋯ J_{row+1} for every row, (T+1, B, N), rescaled on the way."""
    steps, batch, size, _ = matrices.shape
    product, exponent = np.broadcast_to(np.eye(size), (batch, size, size)), np.zeros((batch, 1), dtype=np.int64)
    rows = np.zeros((steps + 1, batch, size))
    lost = np.zeros(batch, dtype=bool)
    for row in range(steps - 1, -1, -1):
        lost |= ~np.isfinite(matrices[row]).all(axis=(-2, -1))
        product = product @ np.where(lost[:, None, None], 0.0, matrices[row])
        shift = binary_exponent(peak(product.reshape(batch, -1)))
        product, exponent = product * power_of_two(-shift)[..., None], exponent + shift
        rows[row] = _log10_resolved(np.linalg.svd(product, compute_uv=False)) + LOG10_2 * exponent
        rows[row, lost] = np.nan
    return rows


def _log10_resolved(singular: np.ndarray) -> np.ndarray:
    """log10, NaN for what rounding hides below the largest, -inf for a matrix that is zero."""
    with np.errstate(divide="ignore"):
        return np.where(singular >= RESOLVED * singular[..., :1], np.log10(singular), np.nan)


def _lyapunov(matrices: np.ndarray) -> np.ndarray:
    """(B, N): mean of log |R_ii| over the steps, with Q_t R_t = J_t Q_{t-1} and Q_0 = 1; -inf for a lost direction."""
    steps, batch, size, _ = matrices.shape
    lost = ~np.isfinite(matrices).all(axis=(0, -2, -1))
    frame, total = np.broadcast_to(np.eye(size), (batch, size, size)), np.zeros((batch, size))
    with np.errstate(divide="ignore"):
        for matrix in np.where(lost[:, None, None], 0.0, matrices):
            frame, upper = np.linalg.qr(matrix @ frame)
            total += np.log(np.abs(np.diagonal(upper, axis1=-2, axis2=-1)))
    exponents = -np.sort(-total / steps, axis=-1)
    exponents[lost] = np.nan
    return exponents
