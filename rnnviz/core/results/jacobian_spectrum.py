"""Step Jacobians and their products."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnviz.core.drawn import Drawn
from rnnviz.core.network import Stream


@dataclass(frozen=True, eq=False, repr=False)
class JacobianSpectrum(Drawn):
    """Step Jacobians J_t = ∂s_t/∂s_{t-1} of the state s (h, or (h, c) for an LSTM), N × N, and their products.

    Steps are in time order; a reverse stream's J_t leads from position t+1 to position t.

    Attributes:
        streams: (S,) the streams, in the order of torch's `h_n`.
        singular_values: (S, T, B, N), of every step Jacobian, largest first.
        spectral_radius: (S, T, B), largest |eigenvalue| of every step Jacobian.
        transport_log10: (S, T+1, B, N), log10 of the singular values of the transport ∂s_last/∂s_row from each row to
            the stream's last, largest first; NaN where float64 cannot tell a value from rounding, some 13 decades
            below the largest; 0 at the last row itself.
        lyapunov_exponents: (S, B, N), per step, natural logarithm, largest first: the mean log growth of the axes of a
            small ball carried along by the QR method.
            Source: Benettin et al. (1980); Vogt, Puelma Touzel, Shlizerman and Lajoie (2022).
    """

    charts: ClassVar[tuple[str, ...]] = ("jacobians",)

    streams: tuple[Stream, ...]
    singular_values: np.ndarray
    spectral_radius: np.ndarray
    transport_log10: np.ndarray
    lyapunov_exponents: np.ndarray

    def __repr__(self) -> str:
        steps, batch, size = self.singular_values.shape[1:]
        return f"<JacobianSpectrum: T {steps}, B {batch}, N {size}, S {len(self.streams)}>"

    @property
    def steps(self) -> int:
        """T."""
        return self.spectral_radius.shape[1]

    def quantiles(self, shares: tuple[float, ...], s: int = 0) -> np.ndarray:
        """(n, T), log10 of quantiles of every step's singular values, batch row 0; 0 is the smallest, 1 the largest."""
        with np.errstate(divide="ignore"):
            values = np.log10(self.singular_values[s, :, 0, ::-1])
        places = np.round(np.array(shares) * (values.shape[1] - 1)).astype(int)
        return values[:, places].T

    def radius_log10(self, s: int = 0) -> np.ndarray:
        """(T,), log10 of every step's spectral radius, batch row 0."""
        with np.errstate(divide="ignore"):
            return np.log10(self.spectral_radius[s, :, 0])

    def lyapunov_growth(self, s: int = 0) -> float:
        """e^λ₁, batch row 0: the factor a step by which what the step Jacobians carry grows in the long run."""
        return float(np.exp(self.lyapunov_exponents[s, 0, 0]))

    def mean_slope(self, s: int = 0) -> float:
        """Root mean square of the activation's slopes over units and steps, for an RNN; NaN for W_hh = 0.

        Each unit counts by the size of its row of W_hh, because ‖diag(φ') W‖² = Σ φ'_i² ‖row i‖² (Frobenius).
        """
        size = np.linalg.norm(self.streams[s].weight_hh)
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.sqrt((self.singular_values[s, :, 0] ** 2).sum(axis=-1).mean()) / size)
