"""The formulas have the numbers of their run, computed here once more, and KaTeX can set them."""

import dataclasses
import json
import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import streamlit

from rnnviz import Config
from rnnviz.experiments.comparison import VARIANTS, Run
from rnnviz.experiments.config import CLIPS
from rnnviz.figures.equations import equations
from rnnviz.figures.latex import number, power

SMALL = {"length": 12, "hidden_size": 4}


def asked(**changes):
    return Run("run", Config(**(SMALL | changes)))


def of(title, run, s=None):
    (found,) = (each for each in equations(run, s) if each.title.startswith(title))
    return found


def read(text):
    """A number as a reader of the formula sees it."""
    text = text.replace(r"\times 10^{", "e").replace("}", "")
    return float(text)


def numbers(pattern, latex):
    """What stands in the places (N) of a pattern."""
    value = r"(-?[\d.]+(?:\\times 10\^\{-?\d+\})?)"
    found = re.search(re.escape(pattern).replace(r"\(N\)", value), latex)
    assert found, (pattern, latex)
    return [read(each) for each in found.groups()]


def spread():
    """Runs of every kind."""
    for name in VARIANTS:
        yield VARIANTS[name].config(Config(**SMALL))
    for clip, cell in product(CLIPS, ("rnn", "lstm", "gru")):
        yield Config(**SMALL, clip=clip, cell=cell, loss="every", clip_threshold=1e-7, layers=2, bidirectional=True)
    for truncation in ("chunked", "sliding"):
        yield Config(**SMALL, truncation=truncation, truncation_steps=3)
    yield Config(**SMALL, initialisation="identity", cell="gru")
    yield Config(**SMALL, cell="lstm", chrono=100.0)
    yield Config(**SMALL, weight_scale=0.0)
    yield Config(**SMALL, weight_scale=1e-9, nonlinearity="sigmoid")
    yield Config(length=1, hidden_size=1)
    yield Config(nonlinearity="linear", weight_scale=20.0, length=400)
    yield Config(nonlinearity="relu", weight_scale=0.01, length=400)


@pytest.fixture(scope="module")
def everything():
    runs = [Run("run", config) for config in spread()]
    return [(run, s, each) for run in runs for s in (None, *range(len(run.flow.streams))) for each in equations(run, s)]


PAIRS = ("{}", (r"\bigl", r"\bigr"), (r"\Bigl", r"\Bigr"), (r"\lVert", r"\rVert"), (r"\begin", r"\end"))


def test_every_formula_is_whole(everything):
    for run, _, each in everything:
        for opening, closing in (
            "{}",
            (r"\bigl", r"\bigr"),
            (r"\Bigl", r"\Bigr"),
            (r"\lVert", r"\rVert"),
            (r"\begin", r"\end"),
        ):
            assert each.latex.count(opening) == each.latex.count(closing), each.latex
        assert not re.search(r"nan|inf\b|None|[^\x20-\x7e]", each.latex), (run.config, each.latex)
        assert each.meaning.endswith("."), each.meaning
        assert not re.search(r"  |\\|\{\d|None|\binf\b", each.meaning), each.meaning
        assert each.title


# What a symbol in a formula is called in its explanation.
SPOKEN = {
    r"\odot": "⊙", r"\rho": "ρ", r"\sigma_{\max}": "σ_max", r"\gamma": "γ", r"\varphi'": "φ'", r"W_{hh}": "W_hh",
    r"^{\top}": "ᵀ", r"\delta": "δ", r"\hat c": "ĉ", r"\bar f": "f̄", r"\bar z": "z̄", r"\lVert": "‖", r"\prod": "∏",
    r"\operatorname{diag}": "diag", r"W_{ih}": "W_ih", "W_0": "W_0", "h_t": "h_t", "c_t": "c_t", r"\sigma\bigl": "σ",
    "x_t": "x_t", r"\overline": "bar",
    r"\operatorname{clip}": "lipping holds", r"\operatorname{shorten}": "lipping shortens",
    "from above": "layer above", "a_t": "a_t", "f_t": "f_t", "z_t": "z_t", "r_t": "r_t", "o_t": "o_t", "i_t": "i_t",
    "g_t": "g_t", "n_t": "n_t", r"\tanh": "tanh", r"\operatorname{ReLU}": "ReLU",
}  # fmt: skip


def test_every_symbol_is_explained(everything):
    """In the explanation of its formula; tanh and the gates of an LSTM were explained where they first stood."""
    for run, _, each in everything:
        for symbol, words in SPOKEN.items():
            if symbol in each.latex and words not in each.meaning:
                earlier = [other.meaning for other in equations(run) if words in other.meaning]
                assert earlier or symbol == r"\tanh", (symbol, each)


def test_the_numbers_of_an_rnn():
    run = asked(weight_scale=1.3, initialisation="gaussian", seed=4)
    flow, matrix = run.flow, run.experiment.network.parameters["weight_hh_l0"]
    assert of("One step forward", run).latex == r"h_t = \tanh\bigl(W_{ih}\,x_t + b + 1.3\cdot W_0\,h_{t-1}\bigr)"
    found = numbers(r"\rho(W_{hh}) = (N), ", of("The recurrent", run).latex)
    found += numbers(r"\sigma_{\max}(W_{hh}) = (N), ", of("The recurrent", run).latex)
    np.testing.assert_allclose(found, [abs(np.linalg.eigvals(matrix)).max(), np.linalg.svd(matrix)[1][0]], rtol=5e-3)
    (slope,) = numbers(r"\overline{\varphi'(a)} = (N)", of("One step back", run).latex)
    assert slope == pytest.approx((1.0 - flow.hidden[:, 1:] ** 2).mean(), rel=5e-3)
    norms = np.linalg.norm(flow.adjoint[0, :, 0], axis=1)
    assert_measured(run, norms)


def assert_measured(run, norms):
    """One factor for the first step back, one for all others, and what they make."""
    first, growth, others, ratio = numbers(r" = (N) \cdot (N)^{(N)} \approx (N) ", of("All steps", run).latex)
    assert others == 10
    assert first == pytest.approx(norms[11] / norms[12], rel=0.05)
    assert growth == pytest.approx((norms[1] / norms[11]) ** (1 / 10), rel=1e-3)
    assert ratio == pytest.approx(norms[1] / norms[12], rel=0.05)


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "f"), ("gru", "z")])
def test_the_numbers_of_a_gated_cell(cell, gate):
    run = asked(cell=cell, gate_bias=2.5, weight_scale=0.7)
    values = run.flow.gates[gate]
    (mean,) = numbers(rf"\bar {gate} = (N)", of("One step forward", run).latex)
    assert mean == pytest.approx(values.mean(), rel=5e-3)
    steps, passed = numbers(rf"\bar {gate}^{{\,(N)}} = (N) ", of("All steps", run).latex)
    assert steps == 11
    assert passed == pytest.approx(values.mean() ** 11, rel=0.05)
    assert_measured(run, 10.0 ** run.flow.joint_log10_norm[0, :, 0])
    assert (
        f"{gate}_t &= \\sigma\\bigl(W_{{i{gate}}}\\,x_t + 2.5 + 0.7\\cdot W_{{0,{gate}}}" in of("The gates", run).latex
    )
    (radius,) = numbers(r") = (N), ", of("The recurrent", run).latex)
    assert radius == pytest.approx(0.7, rel=1e-3)


@pytest.mark.parametrize(("scale", "activation", "words"), [
    (0.9, "tanh", "below 1: it must vanish"), (1.0, "tanh", "here 1: it cannot explode"),
    (1.1, "tanh", "it may explode, but need not"),
    (3.9, "sigmoid", "below 1: it must vanish"), (4.1, "sigmoid", "it may explode, but need not"),
])  # fmt: skip
def test_what_the_bound_settles(scale, activation, words):
    found = of("The recurrent", asked(weight_scale=scale, nonlinearity=activation))
    assert words in found.meaning
    (bound,) = numbers(r"\gamma\,\sigma_{\max} = (N)", found.latex)
    assert bound == pytest.approx(scale * (0.25 if activation == "sigmoid" else 1.0), rel=5e-3)


def test_a_backward_chain_comes_from_the_step_after():
    run = asked(bidirectional=True)
    forward, backward = (" ".join(each.latex for each in equations(run, s)) for s in (0, 1))
    assert "h_{t-1}" in forward
    assert "h_{t+1}" not in forward
    assert "h_{t-1}" not in backward
    assert r"\prod_{t=2}^{12}" in forward
    assert r"\prod_{t=11}^{1}" in backward
    assert of("All steps", run, 1).title.endswith("what step 12 gets")


def test_what_else_enters_and_what_bends_the_signal():
    assert r"\frac{\partial L_{t-1}}{\partial h_{t-1}}" in of("One step back", asked(loss="every")).latex
    assert "from above" in of("One step back", asked(layers=2), 0).latex
    assert "y_t^{(1)}" in of("One step forward", asked(layers=2), 1).latex
    for clip, word in (
        ("hidden_value", r"\operatorname{clip}_{\pm 0.1}"),
        ("hidden_norm", r"\operatorname{shorten}_{0.1}"),
    ):
        assert f"= {word}" in of("One step back", asked(clip=clip, clip_threshold=0.1)).latex
    graves = of("One step back", asked(clip="preactivation_value", clip_threshold=0.1, cell="gru")).latex
    assert graves.count(r"\operatorname{clip}_{\pm 0.1}") == 3
    assert "every 10 steps" in of("One step back", asked(truncation="chunked")).meaning
    assert "10 nearest steps" in of("One step back", asked(truncation="sliding")).meaning
    assert "leaves out truncation" in of("All steps", asked(truncation="sliding")).meaning


def test_clipping_after_the_sweep_has_its_own_formula():
    run = asked(clip="norm", clip_threshold=0.01)
    (coefficient,) = numbers(r" = (N)\, g", of("Clipping", run).latex)
    before, after = numbers(r"\lVert g \rVert: (N) \to (N)", of("Clipping", run).latex)
    gradient = np.concatenate([part.ravel() for part in run.flow.parameter_gradients.values()])
    assert before == pytest.approx(np.linalg.norm(gradient), rel=5e-3)
    assert coefficient == pytest.approx(0.01 / (np.linalg.norm(gradient) + 1e-6), rel=5e-3)
    assert after == pytest.approx(0.01, rel=5e-3)
    assert r"\min(g, 0.01)" in of("Clipping", asked(clip="value", clip_threshold=0.01)).latex
    assert len(equations(asked(clip="hidden_norm"))) == len(equations(asked()))


def test_no_bias_where_there_is_none():
    assert "+ b" not in of("One step forward", asked(initialisation="identity")).latex
    assert "b_" not in of("The gates", asked(initialisation="identity", cell="gru")).latex


@pytest.mark.parametrize(("log10", "text"), [
    (0.0, "1"), (-1.0, "0.1"), (2.34, "218.8"), (np.log10(0.5), "0.5"), (-7.5, r"3.2\times 10^{-8}"),
    (4.0, r"1.0\times 10^{4}"), (-5000.7, r"2.0\times 10^{-5001}"), (900.0 - 1e-9, r"1.0\times 10^{900}"),
    (-np.inf, "0"), (np.nan, r"\text{not a number}"), (np.inf, r"\infty"),
])  # fmt: skip
def test_powers(log10, text):
    assert power(log10) == text


@pytest.mark.parametrize(("value", "text"), [
    (0.1 + 0.2, "0.3"), (20.0, "20"), (1e-12, r"1\times 10^{-12}"), (1e12, r"1\times 10^{12}"), (-np.inf, r"-\infty"),
    (np.nan, r"\text{not a number}"),
])  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_an_equation_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        equations(asked())[0].latex = ""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_katex_sets_every_formula(everything, tmp_path):
    """By the KaTeX that Streamlit ships, where nothing that it does not know is let through."""
    (bundle,) = Path(streamlit.__file__).parent.glob("static/static/js/katex.*.js")
    (tmp_path / "katex.mjs").write_bytes(bundle.read_bytes())
    (tmp_path / "formulas.json").write_text(json.dumps([each.latex for _, _, each in everything]))
    (tmp_path / "set.mjs").write_text(
        "import katex from './katex.mjs'; import fs from 'fs';"
        "for (const formula of JSON.parse(fs.readFileSync('formulas.json')))"
        " katex.renderToString(formula, {displayMode: true, strict: 'error', throwOnError: true});"
    )
    done = subprocess.run(["node", "set.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[:2000]
