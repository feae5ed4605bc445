"""The pieces that the formulas of a run share: LaTeX and words, with its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from rnnviz.core.initialisers import INITIALISERS
from rnnviz.core.readings import power_text
from rnnviz.experiments.anatomy import Anatomy
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.own import OwnConfig
from rnnviz.figures.latex import number, over, power


@dataclass(frozen=True)
class Asked:
    """A run, its numbers, and the pieces that its formulas share."""

    run: Run
    found: Anatomy

    @property
    def before(self) -> str:
        """The index of the state that the step starts from."""
        return "t+1" if self.found.stream.reverse else "t-1"

    @property
    def before_words(self) -> str:
        """The state that the step starts from."""
        if self.found.stream.reverse:
            return "the state h_{t+1} of the step after, because this chain reads backwards,"
        return "the state h_{t-1} of the step before"

    @property
    def read(self) -> str:
        """What the layer reads."""
        layer = self.found.stream.layer
        return f"y_t^{{({layer})}}" if layer else "x_t"

    @property
    def read_words(self) -> str:
        """What the layer reads."""
        layer = self.found.stream.layer
        return f"the output y_t^({layer}) of layer {layer}" if layer else "the input x_t"

    @property
    def given(self) -> bool:
        """The network was not drawn, but is a user's own."""
        return isinstance(self.run.config, OwnConfig)

    @property
    def scale_words(self) -> str:
        """Weight scale and draw; a user's own matrix has neither."""
        if self.given:
            return "the matrix as it was given"
        drawn = INITIALISERS[self.run.config.initialisation].label
        return f"{self.run.config.weight_scale:g} is the weight scale and W_0 the matrix as it was drawn ({drawn})"

    def preactivation(self, gate: str = "", bias: str = "") -> str:
        """W_ih x_t + b + scale · W_0 h_{t-1}, of one gate in a gated cell."""
        ours, drawn = (f"W_{{i{gate}}}", f"W_{{0,{gate}}}") if gate else ("W_{ih}", "W_0")
        own = bias or (f"b_{gate}" if gate else "b") * self.biased
        return rf"{ours}\,{self.read}{' + ' * bool(own)}{own} + {self.recurrent(drawn)}"

    def recurrent(self, drawn: str) -> str:
        """The scaled recurrent product."""
        if self.given:
            ours = "W_{hh}" if drawn == "W_0" else drawn.replace("0,", "h")
            return rf"{ours}\,h_{{{self.before}}}"
        return rf"{number(self.run.config.weight_scale)}\cdot {drawn}\,h_{{{self.before}}}"

    @property
    def biased(self) -> bool:
        """There are biases."""
        if self.given:
            return any(name.startswith("bias") for name in self.run.experiment.network.parameters)
        return INITIALISERS[self.run.config.initialisation].noisy_biases or self.run.config.chrono is not None

    @property
    def bias_words(self) -> str:
        """The biases, if there are any."""
        return "the biases b" if self.biased else "no bias"

    def gate(self, name: str, function: str, keeps: bool = False) -> str:
        """The formula of a gate; the bias of the one that keeps the memory is a number where it was given."""
        bias = self.run.config.gate_bias if keeps else None
        return rf"{name}_t &= {function}\bigl({self.preactivation(name, '' if bias is None else number(bias))}\bigr)"

    @property
    def gate_words(self) -> str:
        """What stands in every gate."""
        chrono = self.run.config.chrono
        spread = f" Chrono initialisation spread the memory gate's bias up to log({chrono or 0:g} - 1)." * (
            chrono is not None
        )
        return (
            f"Each sums {self.read_words} through a matrix W_i of its own, {self.bias_words}, and {self.before_words} "
            f"through a block of the recurrent matrix of its own: {self.scale_words}, here of that block. σ is the "
            f"logistic function, between 0 and 1.{spread}"
        )

    def arriving(self, through_time: str) -> str:
        """∂L/∂h of the state before: what comes through time, what else enters there, and the signal's clipping."""
        config = self.run.config
        h = f"h_{{{self.before}}}"
        if self.below_top:
            through_time += rf" + \Bigl({over('L', h)}\Bigr)_{{\text{{from above}}}}"
        elif config.loss == "every":
            through_time += f" + {over(f'L_{{{self.before}}}', h)}"
        limit = number(config.clip_threshold)
        wrapped = {
            "hidden_value": rf"\operatorname{{clip}}_{{\pm {limit}}}\Bigl({through_time}\Bigr)",
            "hidden_norm": rf"\operatorname{{shorten}}_{{{limit}}}\Bigl({through_time}\Bigr)",
        }
        return f"{over('L', h)} = {wrapped.get(config.clip, through_time)}"

    @property
    def arriving_words(self) -> str:
        """The same in words, with the truncation."""
        config, words = self.run.config, ""
        if self.below_top:
            words = " What the layer above sends down is added."
        elif config.loss == "every":
            words = " The gradient of that step's own loss is added."
        if config.clip == "hidden_norm":
            words += f" Clipping shortens the vector to the length {config.clip_threshold:g} where it is longer."
        elif config.signal_clip:
            words += f" Clipping holds every entry within ±{config.clip_threshold:g}."
        steps = config.truncation_steps
        cut = {
            "chunked": f" Truncation stops it every {steps} steps of this chain.",
            "sliding": f" Truncation lets each loss reach its {steps} nearest steps only.",
        }
        return words + cut.get(config.truncation, "")

    def clipped(self, delta: str) -> str:
        """∂L/∂a, under Graves's clipping where it is asked for."""
        limit = number(self.run.config.clip_threshold)
        clipped = rf"\operatorname{{clip}}_{{\pm {limit}}}\Bigl({delta}\Bigr)"
        return clipped if self.run.config.clip == "preactivation_value" else rf"\Bigl({delta}\Bigr)"

    def stacked(self, *deltas: str, through: Mapping[str, str] = MappingProxyType({})) -> str:
        """The ∂L/∂a of all gates, one below the other; `through` are factors between a gate and the matrix."""
        limit = number(self.run.config.clip_threshold)
        clip = rf"\operatorname{{clip}}_{{\pm {limit}}}\," if self.run.config.clip == "preactivation_value" else ""
        rows = r" \\ ".join(f"{through.get(delta, '')}{clip}{delta}" for delta in deltas)
        return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"

    def measured(self, norm: str) -> str:
        """The ratio of the ends, as one factor a step, and what that makes; `norm` has @ for the step."""
        begin, end = (rf"\lVert {norm.replace('@', str(step))} \rVert" for step in (self.found.begin, self.found.end))
        reading, factors = self.found.reading, ""
        if np.isfinite(self.found.reading.first_step):
            growth = number(reading.growth_per_step, 2 + len(str(reading.steps)))
            growth = rf"\bigl({growth}\bigr)" if "\\" in growth else growth
            factors = rf" = {power(self.found.reading.first_step)} \cdot {growth}^{{{reading.steps - 1}}} \approx"
        return rf"\frac{{{begin}}}{{{end}}}{factors or ' ='} {power(reading.decades)}"

    @property
    def measured_words(self) -> str:
        """What the ratio means."""
        if not np.isfinite(self.found.reading.first_step):
            return "The length ‖·‖ of both ends is measured in this run."
        others = self.found.reading.steps - 1
        each = f"each of the other {others} steps" if others > 1 else "the other one"
        return (
            "Measured in this run: the first step back multiplies the length ‖·‖ by "
            f"{power_text(self.found.reading.first_step)}, {each} by {self.growth}, in the geometric mean."
        )

    @property
    def growth(self) -> str:
        """The growth per step, with the digits that its power needs."""
        reading = self.found.reading
        return f"{reading.growth_per_step:.{2 + len(str(reading.steps))}g}"

    @property
    def alone_words(self) -> str:
        """What the product leaves out, and the measured norms do not."""
        config = self.run.config
        left_out = [
            ("what other losses add on the way", config.loss == "every" and not self.below_top),
            ("what the layer above adds on the way", self.below_top),
            ("clipping", config.signal_clip is not None),
            ("truncation", config.truncated is not None),
        ]
        words = " and ".join(word for word, true in left_out if true)
        return f" The product leaves out {words}; the measured norms do not." if words else ""

    @property
    def below_top(self) -> bool:
        """Another layer reads this one."""
        return self.found.stream.layer < self.run.config.layers - 1

    @property
    def product(self) -> str:
        """The sign of the product over the steps."""
        begin, end = self.found.begin, self.found.end
        return rf"\prod_{{t={begin + 1}}}^{{{end}}}" if begin < end else rf"\prod_{{t={begin - 1}}}^{{{end}}}"

    @property
    def begin_words(self) -> str:
        """The furthest state that the gradient reaches."""
        return f"step {self.found.begin}" if 1 <= self.found.begin <= self.run.flow.steps else "the initial state"
