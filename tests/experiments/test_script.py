"""The scripts that learners take home are run, and must find what rnnviz drew, at every step."""

import re
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import Config, ConfigError, knobs
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.experiments.comparison import VARIANTS, Comparison, Run
from rnnviz.experiments.config import CLIPS
from rnnviz.experiments.inputs import SIGNALS
from rnnviz.experiments.run import prepare
from rnnviz.experiments.script import pytorch_script
from tests.experiments.test_run import GENTLE, configs

HELD = (-280.0, 280.0)  # decades in which autograd's own products keep their digits
SMALL = {"length": 12, "hidden_size": 5, "input_size": 3}
HOSTILE = [
    "quotes \"\"\" and ''' and \\",
    "lines\nof\r\n\ttext {braces} %s {0}",
    "emoji 🙂 and ∂L/∂h, ‮right to left",
    "lone \ud800 surrogate \udfff",
    '"); import os; os.abort(); ("',
    "#: end\n#: choose cell\n@DATA@ @ABOUT@ @tanh",
    "\x00\x01\x7f\x85\u2028\ufeff",
]


def small(**changes):
    return Config(**(SMALL | changes))


def runs_of(*config):
    return tuple(Run(each.cell, each) for each in config)


def ran(script):
    """The namespace of a script, and what it measured."""
    namespace = {"__name__": "script"}
    exec(compile(script, "script.py", "exec"), namespace)
    return namespace, namespace["measured"]()


def curves(flow):
    """{name of the curve in a script: log10 norms}."""
    for s, stream in enumerate(flow.streams):
        yield f"dL/dh {stream.suffix}", flow.log10_norm[s, :, 0]
        if flow.cell is not None:
            yield f"dL/dc {stream.suffix}", flow.cell_log10_norm[s, :, 0]


def assert_same(runs, measured, atol=4e-9):
    """Equal norms at every step: 4e-9 in log10 is 1e-8 in the norm."""
    assert len(measured) == len(runs)
    for run, found in zip(runs, measured.values(), strict=True):
        expected = dict(curves(run.flow))
        assert found.keys() == expected.keys()
        for name, norms in expected.items():
            held = (norms > HELD[0]) & (norms < HELD[1])
            assert found[name].shape == norms.shape
            np.testing.assert_allclose(
                found[name][held], norms[held], rtol=0, atol=atol, err_msg=f"{run.config} {name}"
            )
            np.testing.assert_array_equal(found[name][norms == -np.inf], -np.inf)


def check(*config):
    runs = runs_of(*config)
    script = pytorch_script(runs)
    assert "import rnnviz" not in script
    assert max(map(len, script.splitlines())) <= 130
    namespace, measured = ran(script)
    assert_same(runs, measured)
    return script, namespace


@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant(name, loss):
    check(VARIANTS[name].config(small(loss=loss)))


@pytest.mark.parametrize("names", [("rnn", "lstm_3", "linear"), ("relu", "bigru", "gru_3", "bilstm")])
def test_compared_runs_in_one_script(names):
    runs = Comparison(names).runs(small(gate_bias=1.0))
    _, measured = ran(pytorch_script(runs))
    assert list(measured) == [run.label for run in runs]
    assert_same(runs, measured)


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialisation(name):
    check(small(initialisation=name, cell="lstm", hidden_size=18, weight_scale=0.7))


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal(name):
    check(small(signal=name, input_scale=0.3, length=60))


def test_a_walk_of_one_step_stands_still():
    check(small(signal="random_walk", length=1))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
def test_every_activation(activation):
    check(small(nonlinearity=activation, weight_scale=1.3))


@pytest.mark.parametrize("head", ["final_states", "last_output"])
@pytest.mark.parametrize("truncation", ["off", "chunked", "sliding"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_truncation_in_deep_networks(cell, truncation, head):
    check(small(cell=cell, layers=2, bidirectional=True, truncation=truncation, truncation_steps=4, head=head))


@pytest.mark.parametrize("steps", [1, 3, 12, 13, 100])
def test_every_loss_has_a_window_of_its_own(steps):
    check(
        small(loss="every", truncation="sliding", truncation_steps=steps, bidirectional=True, layers=2),
        small(loss="every", truncation="sliding", truncation_steps=steps, cell="lstm"),
    )


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_clipping(cell, clip, capsys):
    config = small(cell=cell, clip=clip, clip_threshold=0.01, loss="every", layers=2, truncation="chunked")
    check(config)
    printed = re.findall(r"norm (\S+), after clipping (\S+)", capsys.readouterr().out)
    if clip in ("norm", "value"):
        report = Run("run", config).clip_report
        np.testing.assert_allclose(np.array(printed, float), [[report.norm_before, report.norm_after]], rtol=1e-8)
    else:
        assert printed == []


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gate_biases(cell):
    check(small(cell=cell, chrono=50.0, bidirectional=True), small(cell=cell, gate_bias=-1.0))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_saturated_units_keep_their_digits(cell):
    """Where torch's own slopes are rounding errors, the script brings slopes of its own."""
    loud, quiet = small(cell=cell, input_scale=10.0, weight_scale=5.0), small(cell=cell)
    script, _ = check(loud)
    assert "torch.autograd.Function" in script
    assert "torch.autograd.Function" not in check(quiet)[0]


def test_runs_that_differ_in_everything():
    check(
        small(signal="text", truncation="sliding", initialisation="identity", loss="every"),
        small(signal="sunspots", clip="hidden_norm", clip_threshold=0.1, cell="gru", chrono=20.0, seed=3),
        small(cell="lstm", layers=3, clip="preactivation_value", clip_threshold=0.05, initialisation="nonnormal"),
        small(cell="lstm", bidirectional=True, clip="norm", length=7, hidden_size=3),
        small(nonlinearity="relu", truncation="chunked", truncation_steps=5, clip="hidden_value", clip_threshold=0.1),
    )


@settings(max_examples=40)
@given(st.lists(configs(GENTLE | {"clip_threshold": (0.01, 100.0)}), min_size=1, max_size=2))
def test_any_settings(several):
    runs = runs_of(*(each for each in several if not (each.signal_clip and each.truncation == "sliding")))
    if not runs:
        return
    _, measured = ran(pytorch_script(runs))
    steady = all(np.nanmax(run.flow.profile) < 4 for run in runs)  # no chaos: two programs stay on one trajectory
    assert_same(runs, measured, atol=4e-9 if steady else 1e-3)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_read(text):
    script, namespace = check(small(signal="text", text=text, length=40))
    assert namespace["SHARED"]["text"] == text
    script.encode()
    assert text not in script or text.isprintable()


@given(st.text(min_size=1, max_size=200))
def test_any_text_comes_back(text):
    script = pytorch_script(runs_of(small(signal="text", text=text, length=2, hidden_size=1)))
    namespace = {"__name__": "script"}
    exec(compile(script.encode(), "script.py", "exec"), namespace)
    assert namespace["SHARED"]["text"] == text


def test_two_runs_of_one_name_are_told_apart():
    runs = runs_of(small(), small(seed=1), small(seed=2))
    _, measured = ran(pytorch_script(runs))
    assert list(measured) == ["RNN tanh", "RNN tanh (2)", "RNN tanh (3)"]
    assert_same(runs, measured)


def test_a_simple_question_has_a_short_script():
    script = pytorch_script(runs_of(small()))
    assert len(script.splitlines()) < 230
    for word in ("lstm", "reverse", "clip", "chrono", "text", "Function", "#: ", "@tanh", "layers", "truncation"):
        assert word not in script, word


def test_the_settings_are_those_that_the_script_reads():
    _, namespace = check(*(VARIANTS[name].config(small()) for name in ("rnn", "linear", "lstm_3")))
    assert namespace["RUNS"] == {
        "RNN tanh": {"cell": "rnn", "nonlinearity": "tanh"},
        "RNN linear": {"cell": "rnn", "nonlinearity": "linear"},
        "LSTM, forget bias 3": {"cell": "lstm", "gate_bias": 3.0},
    }
    assert namespace["SHARED"].keys() < knobs(Config).keys()


def test_the_short_cut_that_the_script_warns_of_fails_as_it_says():
    torch.manual_seed(0)
    out, _ = torch.nn.RNN(4, 32)(torch.randn(30, 4))
    out.retain_grad()
    (out[-1].sum() ** 2).backward()
    assert out.grad.norm(dim=1).nonzero().flatten().tolist() == [29]


def test_a_learner_runs_it(tmp_path):
    """In a process of its own, in another folder, without rnnviz: it prints what was drawn."""
    runs = Comparison(("rnn", "bilstm")).runs(small(signal="text", text="π 🙂 \ud800"))
    (tmp_path / "script.py").write_text(pytorch_script(runs), encoding="utf-8")
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    command = [sys.executable, "-I", "-c", "import sys; sys.path.insert(0, '.'); import runpy; "
               "runpy.run_path('script.py', run_name='__main__'); print('rnnviz' in sys.modules)"]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True
    )
    assert done.stderr == ""
    compared = re.findall(r"10\^(\S+)\s+\(rnnviz drew 10\^(\S+)\)", done.stdout)
    assert len(compared) == 2 * 5
    np.testing.assert_allclose(*np.array(compared, float).T, rtol=0, atol=2e-6)
    assert "log10 |dL/dc l0_reverse|" in done.stdout
    assert done.stdout.endswith("False\n")


def test_with_matplotlib_it_draws(monkeypatch, capsys):
    drawn, plot = [], types.ModuleType("matplotlib.pyplot")
    plot.plot = lambda x, y, label: drawn.append((label, x, y))
    plot.xlabel = plot.ylabel = lambda text: None
    plot.legend = plot.show = lambda: None
    package = types.ModuleType("matplotlib")
    package.pyplot = plot
    monkeypatch.setitem(sys.modules, "matplotlib", package)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", plot)
    namespace, measured = ran(pytorch_script(runs_of(small(bidirectional=True))))
    namespace["show"](measured)
    assert [(label, x[0], x[-1], len(y)) for label, x, y in drawn] == [
        ("RNN tanh, both directions, dL/dh l0", 0, 12, 13),
        ("RNN tanh, both directions, dL/dh l0_reverse", 1, 13, 13),
    ]
    assert "log10 |" not in capsys.readouterr().out


def test_norms_beyond_float64_are_announced():
    config = small(nonlinearity="linear", weight_scale=1e-20, length=30)
    script = pytorch_script(runs_of(config))
    assert "float64 ends at 1e-308" in script
    _, measured = ran(script)
    assert measured["RNN linear"]["dL/dh l0"][1] == -np.inf
    assert f"({Run('', config).flow.log10_norm[0, 1, 0]!r}".replace("np.float64(", "").replace(")", "") in script


def test_squares_that_leave_float64_do_not_matter():
    check(small(nonlinearity="linear", weight_scale=1e-17, length=15))


def test_chaos_is_announced():
    wild = pytorch_script(runs_of(Config(weight_scale=3.0, length=200)))
    assert "amplifies rounding errors" in wild
    assert "another trajectory" in wild
    assert "amplifies" not in pytorch_script(runs_of(Config()))


def test_an_overflowed_run_has_a_script_too():
    config = Config(nonlinearity="relu", weight_scale=20.0, length=400)
    script = pytorch_script(runs_of(config))
    assert "left float64" in script
    _, measured = ran(script)
    assert not np.isfinite(measured["RNN ReLU"]["dL/dh l0"][1:]).any()


def test_what_cannot_be_reproduced_is_refused():
    with pytest.raises(ConfigError, match="runs: must be at least one run, got none"):
        pytorch_script(())
    run = Run("rnn", small())
    run.__dict__["experiment"] = prepare(run.config, inputs=np.ones((5, 1, 1)))
    with pytest.raises(ConfigError, match="inputs: must be the signal of the settings for a script, 'noise'"):
        pytorch_script([run])
    with pytest.raises(ConfigError, match="clip: cannot clip the signal under a sliding truncation"):
        pytorch_script(runs_of(small(clip="hidden_value", truncation="sliding")))
