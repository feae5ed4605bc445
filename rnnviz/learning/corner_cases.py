"""When clipping goes wrong: what torch's two functions do to gradients that no one expects, computed live."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from rnnviz.core.readings import power_text

NUMBER = {torch.float32: np.float32, torch.float64: np.float64}


@dataclass(frozen=True, eq=False)
class CornerCase:
    """One gradient, and what torch made of it.

    Attributes:
        name: a short word.
        label: what it is.
        limit: the `max_norm` and the `clip_value` that both functions were given.
        gradient: (n,) before, in its own floating type.
        returned: what `clip_grad_norm_` returned: the norm before the clip.
        after_norm: (n,) after `clip_grad_norm_`.
        after_value: (n,) after `clip_grad_value_`.
        sentence: what an engineer needs to know and do.
    """

    name: str
    label: str
    limit: float
    gradient: np.ndarray
    returned: float
    after_norm: np.ndarray
    after_value: np.ndarray
    sentence: str

    @property
    def before(self) -> str:
        """The gradient before, as a short text."""
        return entries_text(self.gradient)

    @property
    def norm(self) -> str:
        """What `clip_grad_norm_` returned, as a short text."""
        return number_text(self.returned)

    @property
    def by_norm(self) -> str:
        """The gradient after `clip_grad_norm_`, as a short text."""
        return entries_text(self.after_norm)

    @property
    def by_value(self) -> str:
        """The gradient after `clip_grad_value_`, as a short text."""
        return entries_text(self.after_value)


# Name, label, entries, floating type, limit, sentence.
CASES = (
    (
        "ordinary", "An ordinary gradient", (3.0, 4.0), torch.float32, 1.0,
        "By norm every entry shrinks by the same factor and the direction stays; by value both end at the limit and "
        "the direction turns. The norm that comes back is the one before the clip: log it, and you see what was "
        "clipped away.",
    ),
    (
        "infinite", "One entry is infinite", (np.inf, 3.0, 4.0), torch.float32, 1.0,
        "Clipping by norm does not rescue it: the infinite entry becomes NaN, every other entry 0, and the next update "
        "writes the NaN into a weight; by value it becomes the limit, as if nothing had happened. Pass "
        "error_if_nonfinite=True, or skip the update when the returned norm is not finite.",
    ),
    (
        "nan", "One entry is NaN", (np.nan, 3.0, 4.0), torch.float32, 1.0,
        "Clipping by norm spreads the NaN to every entry; by value it stays where it is. Pass error_if_nonfinite=True, "
        "and look for its source with torch.autograd.detect_anomaly.",
    ),
    (
        "overflow32", "Squares overflow, float32", (3e19, 4e19), torch.float32, 1.0,
        "Every entry is finite, yet the norm is infinite, and clipping by norm silently sets the whole gradient to 0: "
        "training stands still without an error. Pass error_if_nonfinite=True, or scale the loss down.",
    ),
    (
        "overflow64", "Squares overflow, float64", (3e199, 4e199), torch.float64, 1.0,
        "The same in float64, only later: the norm is infinite from entries of about 10¹⁵⁴ on. A gradient of that size "
        "says that the network explodes; clip the signal at every step, or shorten the sequence.",
    ),
    (
        "threshold", "Exactly at the threshold", (0.6, 0.8), torch.float32, 1.0,
        "torch divides by the norm plus 10⁻⁶, so that a gradient exactly at the threshold still shrinks, by a "
        "millionth: no harm, but do not test for equality.",
    ),
    (
        "tiny", "Tiny, and a tinier max_norm", (1e-7, 0.0), torch.float32, 1e-8,
        "Below 10⁻⁶ torch's own ε decides: the norm should become 10⁻⁸ and becomes a tenth of that. Choose a max_norm "
        "well above 10⁻⁶, or scale the loss up.",
    ),
    (
        "underflow", "Squares underflow, float32", (3e-30, 4e-30), torch.float32, 1.0,
        "The norm comes back as 0 though no entry is: a log of it says that nothing arrives. No clipping can enlarge "
        "what has vanished; measure the norm in float64, or scale the loss up.",
    ),
    (
        "negative", "A negative max_norm", (3.0, 4.0), torch.float32, -1.0,
        "torch does not refuse it: clipping by norm flips every sign, so that the optimiser climbs, and clipping by "
        "value sets every entry to −1, whatever it was. Check the setting before training starts.",
    ),
)  # fmt: skip


def corner_cases() -> tuple[CornerCase, ...]:
    """Run every case through `clip_grad_norm_` and `clip_grad_value_`, on a parameter of its own each.

    >>> [(case.name, case.by_norm) for case in corner_cases()][:3]
    [('ordinary', '0.6, 0.8'), ('infinite', 'NaN, 0, 0'), ('nan', 'NaN, NaN, NaN')]
    """
    return tuple(_computed(*case) for case in CASES)


def _computed(name: str, label: str, entries, kind: torch.dtype, limit: float, sentence: str) -> CornerCase:
    by_norm, by_value = (_parameter(entries, kind) for _ in range(2))
    norm = float(clip_grad_norm_([by_norm], limit))
    clip_grad_value_([by_value], limit)
    gradient = np.array(entries, dtype=NUMBER[kind])
    return CornerCase(name, label, limit, gradient, norm, by_norm.grad.numpy(), by_value.grad.numpy(), sentence)


def _parameter(entries, kind: torch.dtype) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(torch.zeros(len(entries), dtype=kind))
    parameter.grad = torch.tensor(entries, dtype=kind)
    return parameter


def entries_text(entries: np.ndarray) -> str:
    """A short gradient.

    >>> entries_text(np.array([np.nan, 0.0, -np.inf, 3e-30]))
    'NaN, 0, −∞, 3·10⁻³⁰'
    """
    return ", ".join(number_text(float(entry)) for entry in entries)


def number_text(number: float) -> str:
    """One number, to the digits that matter: six where it is near 1 but not 1.

    >>> number_text(0.599999), number_text(-0.6), number_text(9.09e-10), number_text(5.0)
    ('0.599999', '−0.6', '9·10⁻¹⁰', '5')
    """
    sign = "−" if number < 0 else ""
    size = abs(number)
    if np.isnan(number):
        return "NaN"
    if np.isinf(size) or size == 0:
        return f"{sign}{'0' if size == 0 else '∞'}"
    if 1e-2 <= size < 1e3:
        return f"{sign}{size:.6g}"
    return f"{sign}{power_text(float(np.log10(size)))}"
