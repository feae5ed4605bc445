"""What clipping did to a parameter gradient."""

from dataclasses import dataclass

import numpy as np

from rnnviz.core.scaled import log10_sum_of_squares


@dataclass(frozen=True, eq=False)
class ClipReport:
    """What clipping did to a parameter gradient.

    Attributes:
        clipped: {name: array}, the gradient after clipping, exactly as torch gives it.
        norm_before: what `clip_grad_norm_` returns: the total norm before clipping, inf or 0 where squares leave the
            floating type.
        norm_after: the same norm of the clipped gradient.
        log10_norm_before: log10 of the true Euclidean norm before clipping, at any size.
        log10_norm_after: the same of the clipped gradient.
        coefficient: the factor that clipping by norm applied; None when clipping by value, which has no single one.
        angle: degrees between the gradient before and after; NaN when either is zero or not finite.
        parameter_norms_before, parameter_norms_after: {name: norm}.
        warning: a sentence when torch silently zeroes, flips or poisons the gradient; "" otherwise.
    """

    clipped: dict[str, np.ndarray]
    norm_before: float
    norm_after: float
    log10_norm_before: float
    log10_norm_after: float
    coefficient: float | None
    angle: float
    parameter_norms_before: dict[str, float]
    parameter_norms_after: dict[str, float]
    warning: str

    @property
    def cosine(self) -> float:
        """Cosine between the gradient before and after; NaN when either is zero or not finite."""
        return float(np.cos(np.radians(self.angle)))

    @property
    def changed(self) -> bool:
        """Clipping made it another gradient."""
        return self.parameter_norms_before != self.parameter_norms_after

    def log10_after(self, ending: str = "") -> float:
        """log10 of the norm of the clipped gradients whose parameters' names have an ending, together."""
        norms = [norm for name, norm in self.parameter_norms_after.items() if name.endswith(ending)]
        with np.errstate(divide="ignore"):
            return float(log10_sum_of_squares(np.log10(np.array(norms)), axis=0))
