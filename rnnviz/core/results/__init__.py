"""What a run found: frozen values of numpy arrays, each with its shape and meaning beside it."""

from rnnviz.core.results.clip_report import ClipReport
from rnnviz.core.results.gradient_flow import GradientFlow
from rnnviz.core.results.itemised_flow import ItemisedFlow
from rnnviz.core.results.jacobian_spectrum import JacobianSpectrum
from rnnviz.core.results.status import FLOAT64_LARGEST, FLOAT64_SMALLEST, Status

__all__ = [
    "FLOAT64_LARGEST",
    "FLOAT64_SMALLEST",
    "ClipReport",
    "GradientFlow",
    "ItemisedFlow",
    "JacobianSpectrum",
    "Status",
]
