"""Small helpers on arrays: views, products, and checks on what comes from outside."""

from collections.abc import Callable

import numpy as np

from rnnviz.errors import ShapeError, shown


def keep_freed_memory() -> None:
    """Tell the C library's allocator to keep freed memory for the next run.

    A run frees a few megabytes. glibc gives them back to the system at once, and the next run waits for every page of
    them anew, which costs a third of its time. Freeing one large block, never touched, raises the limit above which it
    does so (mallopt(3), M_MMAP_THRESHOLD); elsewhere this does nothing.
    """
    np.empty(4_000_000)


def blocks(rows: np.ndarray, size: int) -> np.ndarray:
    """Show (..., M·H) as (..., M, H)."""
    return rows.reshape(*rows.shape[:-1], rows.shape[-1] // size, size)


def product_for(rows: np.ndarray) -> Callable:
    """The function that multiplies each entry of `rows` along the first axis with a matrix, as `product` does.

    For entries with two axes that is `dot` itself, which takes half a microsecond less than `@`.
    """
    return np.ndarray.dot if rows.ndim == 3 else product


def product(rows: np.ndarray, matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Rows (..., N) times a matrix (N, M), as one matrix product however many axes the rows have: (..., M)."""
    flat_out = None if out is None else out.reshape(-1, matrix.shape[1])
    flat = rows.reshape(-1, rows.shape[-1]).dot(matrix, flat_out)
    return flat.reshape(*rows.shape[:-1], matrix.shape[1])


def finite_array(field_name: str, value: object, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Take a value (an array, nested lists or a torch tensor) as a read-only float64 array.

    What is not finite or not of the given shape is refused.

    Raises:
        ShapeError: naming the field, what is allowed and what came.
    """
    try:
        if hasattr(value, "detach"):  # a torch tensor, which numpy takes neither with its graph nor from a device
            value = value.detach().cpu().double().numpy()
        if np.iscomplexobj(value):
            raise TypeError
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ShapeError(f"{field_name}: must be an array of numbers, got {shown(value)}.") from None
    if shape is not None and array.shape != shape:
        raise ShapeError(f"{field_name}: must have the shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise ShapeError(f"{field_name}: must be finite, got {array[where]}{f' at index {where}' if where else ''}.")
    array.setflags(write=False)
    return array
