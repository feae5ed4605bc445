"""What a norm is when it is not an ordinary number, and the sentence that says so."""

from enum import IntEnum

import numpy as np

FLOAT64_SMALLEST = float(np.log10(np.finfo(np.float64).tiny))
FLOAT64_LARGEST = float(np.log10(np.finfo(np.float64).max))


class Status(IntEnum):
    """What a norm is, when it is not an ordinary number."""

    ORDINARY = 0
    UNDERFLOW = 1  # not zero, but below float64's smallest normal number, 2.2e-308
    OVERFLOW = 2  # finite, but beyond float64's largest number, 1.8e308
    ZERO = 3  # exactly zero: no path, or dead units
    SATURATED = 4  # zero only because the slope of a saturated unit left float64
    UNDEFINED = 5  # not a number: the forward run overflowed


FINDINGS = {
    Status.UNDEFINED: "∂L/∂h is not a number at {rows}.",
    Status.OVERFLOW: "∂L/∂h is larger than float64 can hold (1.8e308) at {rows}; its log10 norm is exact.",
    Status.UNDERFLOW: "∂L/∂h is smaller than float64 can hold (2.2e-308) at {rows}; its log10 norm is exact.",
    Status.ZERO: "∂L/∂h is exactly zero at {rows}: no path leads there from the loss, or the units are dead.",
    Status.SATURATED: "∂L/∂h is rounded to zero at {rows}: the slope of a saturated unit leaves float64.",
}
