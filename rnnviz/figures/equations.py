"""The formulas of a run, with its own numbers in them, in LaTeX as KaTeX knows it."""

from dataclasses import dataclass

from rnnviz.experiments.anatomy import anatomy
from rnnviz.experiments.comparison import Run
from rnnviz.figures.formulas import Asked
from rnnviz.figures.latex import aligned, number, over, power

FUNCTIONS = {
    "tanh": (r"\tanh", "tanh of the sum of"),
    "relu": (r"\operatorname{ReLU}", "the positive part (ReLU) of the sum of"),
    "sigmoid": (r"\sigma", "the logistic function σ of the sum of"),
    "linear": ("", "the sum of"),
}
TRANSPOSED = r"W_{hh}^{\top} "
NORM = r"\partial L / \partial h_{@}"
ROUNDING = 1e-9


@dataclass(frozen=True)
class Equation:
    """A formula with the numbers of a run.

    Attributes:
        title: what it is.
        latex: for KaTeX, in display style.
        meaning: in plain words, every symbol explained.
    """

    title: str
    latex: str
    meaning: str


def equations(run: Run, s: int | None = None) -> tuple[Equation, ...]:
    """The formulas of a run's cell: one step forward, one step back, and all steps together.

    Args:
        run: whose numbers.
        s: of which stream; the one that the verdict is about when None.
    """
    asked = Asked(run, anatomy(run, s))
    cell = tuple(formula(asked) for formula in FORMULAS[run.config.cell])
    return (*cell, _clipping(asked)) if run.config.clip in ("norm", "value") else cell


def _rnn_forward(asked: Asked) -> Equation:
    function, words = FUNCTIONS[asked.run.config.nonlinearity]
    inner = asked.preactivation()
    scaled = "" if asked.given else f" = {asked.run.config.weight_scale:g}·W_0"
    return Equation(
        "One step forward",
        rf"h_t = {function}\bigl({inner}\bigr)" if function else f"h_t = {inner}",
        f"The new state h_t, {asked.found.units} numbers, is {words} {asked.read_words} through the matrix W_ih, "
        f"{asked.bias_words}, and {asked.before_words} through the recurrent matrix "
        f"W_hh{scaled}: {asked.scale_words}. The sum is called a_t; t counts the "
        f"{asked.run.flow.steps} steps.",
    )


def _rnn_matrix(asked: Asked) -> Equation:
    found = asked.found
    slope, bound = number(found.largest_slope), number(found.bound)
    numbers = rf"\gamma = \max|\varphi'| = {slope}, \qquad \gamma\,\sigma_{{\max}} = {bound}"
    meets = "above 1: it may explode, but need not" if found.bound > 1 + ROUNDING else "1: it cannot explode"
    meets = "below 1: it must vanish in the end" if found.bound < 1 - ROUNDING else meets
    return Equation(
        "The recurrent matrix",
        rf"{_spectrum(asked, 'W_{hh}')}, \qquad {numbers}",
        "The spectral radius ρ is the largest |eigenvalue| of W_hh; σ_max is its largest singular value, the most by "
        "which it can stretch a vector; γ is the largest slope φ' that the activation φ can have. One loss's gradient "
        f"is multiplied by γ σ_max a step at most, here {meets}.",
    )


def _rnn_backward(asked: Asked) -> Equation:
    through = asked.clipped(rf"\varphi'(a_t) \odot {over('L', 'h_t')}")
    slope = rf"\overline{{\varphi'(a)}} = {number(asked.found.mean_slope)}"
    return Equation(
        "One step back",
        rf"{asked.arriving(TRANSPOSED + through)}, \qquad {slope}",
        "The gradient ∂L/∂h_t of the loss L goes one step further: ⊙ multiplies it, unit by unit, with the slope φ' "
        "of the activation at a_t, and the transposed matrix W_hhᵀ mixes the units. The bar is the mean of the slope "
        f"over all steps and units of this run.{asked.arriving_words}",
    )


def _rnn_product(asked: Asked) -> Equation:
    begin, end = (over("L", f"h_{{{step}}}") for step in (asked.found.begin, asked.found.end))
    chain = rf"{begin} = \Bigl({asked.product} {TRANSPOSED}\operatorname{{diag}} \varphi'(a_t)\Bigr)\, {end}"
    return Equation(
        f"All steps together: what {asked.begin_words} gets",
        aligned(f"& {chain}", f"& {asked.measured(NORM)}"),
        "∏ multiplies one matrix a step, the nearest to the loss at the right; diag puts the slopes φ'(a_t) on a "
        f"diagonal.{asked.alone_words} {asked.measured_words}",
    )


def _lstm_gates(asked: Asked) -> Equation:
    gates = (
        asked.gate("i", r"\sigma"),
        asked.gate("f", r"\sigma", keeps=True),
        asked.gate("g", r"\tanh"),
        asked.gate("o", r"\sigma"),
    )
    return Equation(
        "The gates",
        aligned(*gates),
        "i_t lets new input in, f_t keeps the memory, g_t is the candidate for it, o_t lets it out. "
        f"{asked.gate_words}",
    )


def _lstm_forward(asked: Asked) -> Equation:
    state = rf"c_t = f_t \odot c_{{{asked.before}}} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)"
    return Equation(
        "One step forward",
        rf"{state}, \qquad \bar f = {number(asked.found.mean_gates['f'])}",
        "The cell state c_t keeps the share f_t of what it was and takes in i_t ⊙ g_t, unit by unit (⊙); the hidden "
        f"state h_t, {asked.found.units} numbers, shows tanh of it through the gate o_t. f̄ is the mean of the forget "
        f"gate f_t over all units and the {asked.run.flow.steps} steps t of this run.",
    )


def _gated_matrix(asked: Asked) -> Equation:
    block = {"lstm": "g", "gru": "n"}[asked.run.config.cell]
    return Equation(
        "The recurrent matrix",
        _spectrum(asked, f"W_{{h{block}}}"),
        f"For W_h{block}, the scaled recurrent block of the candidate {block}_t: the spectral radius ρ is its largest "
        "|eigenvalue|; σ_max is its largest singular value, the most by which it can stretch a vector. The gates "
        "decide how much of that the gradient meets.",
    )


def _lstm_backward(asked: Asked) -> Equation:
    cell, before = over("L", "c_t"), f"{{{asked.before}}}"
    blocks = asked.stacked(r"\delta^i_t", r"\delta^f_t", r"\delta^g_t", r"\delta^o_t")
    return Equation(
        "One step back",
        aligned(
            rf"{cell} &= \hat c_t + {over('L', 'h_t')} \odot o_t \odot \bigl(1 - \tanh^2 c_t\bigr)",
            rf"\hat c_{before} &= f_t \odot {cell}",
            asked.arriving(TRANSPOSED + blocks).replace(" = ", " &= ", 1),
        ),
        "The gradient ∂L/∂c_t of the loss L with respect to the cell state is ĉ_t, which comes from the step beyond, "
        "and what comes through h_t. The forget gate f_t passes it on, unit by unit (⊙). The gradient with respect to "
        "the state h goes through the transposed recurrent matrix W_hhᵀ, from the gradients δ_t inside the gates i, "
        f"f, g and o, one below the other.{asked.arriving_words}",
    )


def _lstm_product(asked: Asked) -> Equation:
    begin, end = rf"\hat c_{{{asked.found.begin}}}", over("L", f"c_{{{asked.found.end}}}")
    memory = rf"{begin} \approx \Bigl({asked.product} \operatorname{{diag}} f_t\Bigr)\, {end}"
    joint = r"(\partial L / \partial h_{@},\ \hat c_{@})"
    return Equation(
        f"All steps together: what {asked.begin_words} gets",
        aligned(
            f"& {memory}",
            rf"& \bar f^{{\,{asked.found.reading.steps}}} = {power(asked.found.gate_power('f'))}",
            f"& {asked.measured(joint)}",
        ),
        "Along the memory alone ∏ multiplies the forget gates f_t of all steps (diag puts them on a diagonal): with "
        "the mean gate f̄ at every step this would pass f̄ to the power of the steps; units whose gate is more open "
        f"pass more. The measured length is that of ∂L/∂h and ĉ side by side, by every path.{asked.alone_words} "
        f"{asked.measured_words}",
    )


def _gru_gates(asked: Asked) -> Equation:
    own, theirs = (" + b_{in}", " + b_{hn}") if asked.biased else ("", "")
    recurrent = rf"r_t \odot \bigl({asked.recurrent('W_{0,n}')}{theirs}\bigr)"
    candidate = rf"n_t &= \tanh\bigl(W_{{in}}\,{asked.read}{own} + {recurrent}\bigr)"
    return Equation(
        "The gates",
        aligned(asked.gate("r", r"\sigma"), asked.gate("z", r"\sigma", keeps=True), candidate),
        "r_t resets what the candidate n_t sees of the old state, unit by unit (⊙), and z_t keeps the memory. "
        f"{asked.gate_words}",
    )


def _gru_forward(asked: Asked) -> Equation:
    mean = rf"\bar z = {number(asked.found.mean_gates['z'])}"
    return Equation(
        "One step forward",
        rf"h_t = (1 - z_t) \odot n_t + z_t \odot h_{{{asked.before}}}, \qquad {mean}",
        f"The new state h_t, {asked.found.units} numbers, is a mixture, unit by unit (⊙), of the candidate n_t and of "
        "the state before; z_t = 1 keeps. z̄ is the mean of the update gate z_t over all units and the "
        f"{asked.run.flow.steps} steps t of this run.",
    )


def _gru_backward(asked: Asked) -> Equation:
    blocks = asked.stacked(r"\delta^r_t", r"\delta^z_t", r"\delta^n_t", through={r"\delta^n_t": r"r_t \odot "})
    return Equation(
        "One step back",
        asked.arriving(rf"z_t \odot {over('L', 'h_t')} + {TRANSPOSED}{blocks}"),
        "The gradient ∂L/∂h_t of the loss L goes one step further: through the update gate z_t directly, unit by unit "
        "(⊙), and through the transposed recurrent matrix W_hhᵀ, from the gradients δ_t inside r, z and n, one below "
        f"the other; r_t is the reset gate.{asked.arriving_words}",
    )


def _gru_product(asked: Asked) -> Equation:
    begin, end = (over("L", f"h_{{{step}}}") for step in (asked.found.begin, asked.found.end))
    memory = rf"{begin} \approx \Bigl({asked.product} \operatorname{{diag}} z_t\Bigr)\, {end}"
    return Equation(
        f"All steps together: what {asked.begin_words} gets",
        aligned(
            f"& {memory}",
            rf"& \bar z^{{\,{asked.found.reading.steps}}} = {power(asked.found.gate_power('z'))}",
            f"& {asked.measured(NORM)}",
        ),
        "Along the memory alone ∏ multiplies the update gates z_t of all steps (diag puts them on a diagonal): with "
        "the mean gate z̄ at every step this would pass z̄ to the power of the steps; units whose gate is more open "
        f"pass more. The measured length is that by every path.{asked.alone_words} {asked.measured_words}",
    )


def _spectrum(asked: Asked, matrix: str) -> str:
    radius, stretch = number(asked.found.spectral_radius), number(asked.found.stretch)
    return rf"\rho({matrix}) = {radius}, \qquad \sigma_{{\max}}({matrix}) = {stretch}"


def _clipping(asked: Asked) -> Equation:
    report, limit = asked.run.clip_report, asked.run.config.clip_threshold
    if report.coefficient is None:
        latex = rf"g \leftarrow \max\bigl(-{number(limit)}, \min(g, {number(limit)})\bigr)"
        words = f"Afterwards every entry of the parameters' gradient g is held within ±{limit:g}"
    else:
        latex = rf"g \leftarrow \min\Bigl(1, \frac{{{number(limit)}}}{{\lVert g \rVert + 10^{{-6}}}}\Bigr)\, g"
        latex += rf" = {number(report.coefficient)}\, g"
        words = f"Afterwards the gradient g of all parameters together is shortened to {limit:g} where it is longer"
    norms = rf", \qquad \lVert g \rVert: {number(report.norm_before)} \to {number(report.norm_after)}"
    return Equation(
        "Clipping, after the sweep",
        latex + norms,
        f"{words}; ‖g‖ is its length, before and after. The gradient's way through time is not changed.",
    )


FORMULAS = {
    "rnn": (_rnn_forward, _rnn_matrix, _rnn_backward, _rnn_product),
    "lstm": (_lstm_gates, _lstm_forward, _gated_matrix, _lstm_backward, _lstm_product),
    "gru": (_gru_gates, _gru_forward, _gated_matrix, _gru_backward, _gru_product),
}
