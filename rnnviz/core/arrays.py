"""Small helpers on arrays: views, products, and checks on what comes from outside."""

import numpy as np

from rnnviz.errors import ShapeError, shown


def blocks(rows: np.ndarray, size: int) -> np.ndarray:
    """Show (..., M·H) as (..., M, H)."""
    return rows.reshape(*rows.shape[:-1], -1, size)


def product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Rows (..., N) times a matrix (N, M), as one matrix product however many axes the rows have: (..., M)."""
    return (rows.reshape(-1, rows.shape[-1]) @ matrix).reshape(*rows.shape[:-1], matrix.shape[1])


def finite_array(field_name: str, value: object, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Take a value as a read-only float64 array, refusing what is not finite or not of the given shape.

    Raises:
        ShapeError: naming the field, what is allowed and what came.
    """
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ShapeError(f"{field_name}: must be an array of numbers, got {shown(value)}.") from None
    if shape is not None and array.shape != shape:
        raise ShapeError(f"{field_name}: must have the shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        where = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(array)))
        raise ShapeError(f"{field_name}: must be finite, got {array[where]} at index {where}.")
    array.setflags(write=False)
    return array
