"""Clipping of the finished parameter gradient, with torch's exact semantics and corner cases."""

from collections.abc import Mapping

import numpy as np

from rnnviz.core.results import ClipReport
from rnnviz.core.scaled import Scaled
from rnnviz.core.signal import real
from rnnviz.errors import ConfigError, ShapeError, shown


def clip_by_norm(gradients: Mapping[str, np.ndarray], max_norm: float) -> ClipReport:
    """Scale all gradients by one factor so that their common norm is at most `max_norm`, as torch does.

    torch.nn.utils.clip_grad_norm_: coefficient = min(1, max_norm / (norm + 1e-6)), with the norm of all parameters
    together in the gradients' own floating type. The corner cases are torch's too: an overflowing norm zeroes every
    gradient, an infinite entry becomes NaN, a negative `max_norm` flips signs; the report warns of each.

    Args:
        gradients: {parameter name: array}; float32 stays float32, anything else is taken as float64, None is left out.
        max_norm: a number; infinity never clips.

    Raises:
        RnnvizError: for no gradients at all, or a `max_norm` that is NaN or no number.

    Source: Pascanu, Mikolov and Bengio (2013), algorithm 1.

    >>> report = clip_by_norm({"weight": np.array([3.0, 4.0])}, max_norm=1.0)
    >>> report.norm_before, round(report.coefficient, 6), report.clipped["weight"].round(3).tolist()
    (5.0, 0.2, [0.6, 0.8])
    """
    gradients, max_norm = _gradients(gradients), _threshold("max_norm", max_norm)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        norm = _torch_norm(gradients)
        real = norm.dtype.type
        coefficient = np.minimum(real(max_norm) * (real(1.0) / (norm + real(1e-6))), real(1.0))
        clipped = {name: gradient * gradient.dtype.type(coefficient) for name, gradient in gradients.items()}
    return _report(gradients, clipped, float(coefficient), _norm_warning(gradients, norm, max_norm))


def clip_by_value(gradients: Mapping[str, np.ndarray], limit: float) -> ClipReport:
    """Hold every entry within ±limit, as torch.nn.utils.clip_grad_value_ does; NaN stays NaN.

    Args:
        gradients: {parameter name: array}; float32 stays float32, anything else is taken as float64.
        limit: a number; infinity never clips.

    Raises:
        RnnvizError: for no gradients at all, or a limit that is NaN or no number.

    >>> report = clip_by_value({"weight": np.array([3.0, 0.5])}, limit=1.0)
    >>> report.clipped["weight"].tolist(), round(report.angle, 1)
    ([1.0, 0.5], 17.1)
    """
    gradients, limit = _gradients(gradients), _threshold("limit", limit)
    clipped = {}
    for name, gradient in gradients.items():
        with np.errstate(over="ignore"):
            bound = gradient.dtype.type(limit)
        clipped[name] = np.minimum(np.maximum(gradient, -bound), bound)
    warning = ""
    if any(np.isnan(gradient).any() for gradient in gradients.values()):
        warning = "The gradient has NaN entries: clipping by value leaves them NaN."
    elif limit < 0:
        warning = "A negative limit sets every entry to it, whatever its sign: torch does not refuse it."
    return _report(gradients, clipped, None, warning)


def unclipped(gradients: Mapping[str, np.ndarray]) -> ClipReport:
    """The report of no clipping at all."""
    gradients = _gradients(gradients)
    return _report(gradients, gradients, 1.0, "")


def compare_gradients(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> ClipReport:
    """The report on a gradient that became another one by other means, such as clipping of the signal at every step.

    Args:
        before: {parameter name: array}, as for `clip_by_norm`.
        after: the same parameters with arrays of the same shapes.

    Returns:
        A report without a coefficient, for there is no single one, and without a warning.

    Raises:
        ShapeError: for no gradients at all, other names, or other shapes.

    >>> report = compare_gradients({"weight": np.array([1.0, 0.0])}, {"weight": np.array([2.0, 2.0])})
    >>> report.coefficient, round(report.angle, 6), round(report.norm_after, 6)
    (None, 45.0, 2.828427)
    """
    before, after = _gradients(before), _gradients(after)
    if set(before) != set(after):
        raise ShapeError(f"after: must hold the same parameters as before, {sorted(before)}, got {sorted(after)}.")
    for name, gradient in before.items():
        if after[name].shape != gradient.shape:
            raise ShapeError(f"after: {name!r} must have the shape {gradient.shape}, got {after[name].shape}.")
    return _report(before, {name: after[name] for name in before}, None, "")


def _gradients(gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(gradients, Mapping) or not gradients:
        raise ShapeError(f"gradients: must map at least one parameter name to an array, got {shown(gradients)}.")
    found = {name: _floating(name, value) for name, value in gradients.items() if value is not None}
    if not found:
        raise ShapeError("gradients: must hold at least one array, got None for every parameter.")
    return found


def _floating(name: str, value: object) -> np.ndarray:
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.asarray(value)
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ShapeError(f"gradients: {shown(name)} must be an array of numbers, got {shown(value)}.") from None


def _threshold(field_name: str, value: object) -> float:
    number = real(value)
    if np.isnan(number):
        raise ConfigError(f"{field_name}: must be a number, infinity allowed, got {shown(value)}.")
    return number


def _torch_norm(gradients: Mapping[str, np.ndarray]) -> np.floating:
    """The norm of the parameters' norms, squares and all, in the gradients' own type."""
    return np.linalg.norm(np.array([np.linalg.norm(gradient.ravel()) for gradient in gradients.values()]))


def _norm_warning(gradients, norm, max_norm: float) -> str:
    if np.isnan(norm):
        return "A gradient has a NaN entry: clipping by norm makes every gradient NaN."
    if np.isinf(norm) and np.isinf(max_norm):
        return "The norm is infinite: an infinite threshold divided by it makes every gradient NaN."
    if any(np.isinf(gradient).any() for gradient in gradients.values()):
        return "A gradient has an infinite entry: clipping by norm turns it into NaN and every other entry into 0."
    if np.isinf(norm):
        return "The norm's squares overflow: clipping by norm silently sets every gradient to 0."
    if not any(gradient.any() for gradient in gradients.values()):
        return ""
    if max_norm == 0:
        return "A max_norm of 0 sets every gradient to 0."
    if max_norm < 0:
        return "A negative max_norm flips the sign of every gradient: torch does not refuse it."
    if norm == 0:
        return "The norm's squares underflow to 0: torch sees no gradient, and no threshold would clip it."
    return ""


def _report(gradients, clipped, coefficient: float | None, warning: str) -> ClipReport:
    before, after = (Scaled.of(_flat(part)[None]) for part in (gradients, clipped))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        norms = [float(_torch_norm(part)) for part in (gradients, clipped)]
        each = [{name: float(np.linalg.norm(g.ravel())) for name, g in part.items()} for part in (gradients, clipped)]
        logs = [float(part.log10_norm()[0]) for part in (before, after)]
    return ClipReport(clipped, *norms, *logs, coefficient, _angle(before, after), *each, warning)


def _flat(gradients: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(gradient, dtype=np.float64).ravel() for gradient in gradients.values()])


def _angle(before: Scaled, after: Scaled) -> float:
    """Degrees between two vectors, from the half-angle so that small angles stay exact; NaN where there is none."""
    if not all(np.isfinite(part.mantissa).all() and part.mantissa.any() for part in (before, after)):
        return np.nan
    left, right = (part.mantissa / np.linalg.norm(part.mantissa) for part in (before, after))
    return float(np.degrees(2.0 * np.arctan2(np.linalg.norm(left - right), np.linalg.norm(left + right))))
