"""Numbers as LaTeX and as words."""

import numpy as np


def number(value: float, digits: int = 3) -> str:
    r"""A number in LaTeX.

    >>> print(number(0.25), number(1.5e-9), number(-np.inf))
    0.25 1.5\times 10^{-9} -\infty
    """
    if not np.isfinite(value):
        return r"\text{not a number}" if np.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}" if exponent else mantissa


def power(log10: float) -> str:
    r"""A positive number from its log10, at any size.

    >>> print(power(-2000.3), power(-np.inf), power(0.0))
    5.0\times 10^{-2001} 0 1
    """
    if not np.isfinite(log10):
        return "0" if log10 == -np.inf else number(log10)
    if -3 <= log10 < 4:
        return number(10.0**log10, 2 if log10 < 2 else 4)
    whole = int(np.floor(log10))
    digit = f"{10 ** (log10 - whole):.1f}"
    return rf"1.0\times 10^{{{whole + 1}}}" if digit == "10.0" else rf"{digit}\times 10^{{{whole}}}"


def over(above: str, below: str) -> str:
    """A partial derivative of L as a fraction, `above` usually L."""
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def aligned(*lines: str) -> str:
    """Several formulas, their & under each other."""
    return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"
