import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnviz
from rnnviz import ClipReport, Config, GradientFlow, ItemisedFlow, RnnvizError
from rnnviz.core.cells import CELLS
from rnnviz.experiments.config import CLIPS
from rnnviz.experiments.inputs import SIGNALS
from rnnviz.experiments.run import PARAMETER_CLIPS, WANTS
from tests.support import NONSENSE, assert_clear, assert_close, assert_rows_close, refusal, torch_module

SMALL = {"length": 30, "hidden_size": 8, "input_size": 5, "layers": 3}  # caps, so that a run takes milliseconds
GENTLE = {  # where autograd's 1 - y² still has digits (THEORY 3.3)
    "weight_scale": (0.0, 1.5),
    "gate_bias": (-3.0, 3.0),
    "input_scale": (0.0, 1.0),
    "chrono": (3.0, 300.0),
    "clip_threshold": (0.01, 100.0),
}


def values_of(name, knob, bounds):
    """A strategy for a field, from its declaration."""
    if knob.choices:
        values = st.sampled_from(list(knob.choices))
    elif knob.kind is bool:
        values = st.booleans()
    elif knob.kind is str:
        values = st.text(min_size=int(knob.low), max_size=min(int(knob.high), 40))
    elif knob.kind is int:
        values = st.integers(knob.low, min(knob.high, SMALL.get(name, knob.high)))
    else:
        low, high = bounds.get(name, (knob.low, knob.high))
        rungs = [rung for rung in knob.ladder if low <= rung <= high]
        values = st.one_of(st.sampled_from(rungs), st.floats(low, high))
    return st.one_of(st.none(), values) if knob.optional else values


def configs(bounds=()):
    """Configs of any kind and small size; a new field is drawn as soon as it is declared."""
    fields = {name: values_of(name, knob, dict(bounds)) for name, knob in rnnviz.knobs(Config).items()}
    together = st.fixed_dictionaries(fields)
    return together.filter(lambda f: f["gate_bias"] is None or f["chrono"] is None).map(lambda f: Config(**f))


REFUSED = ("clip", "truncation", "signal_clip", "signal_clip.limit")


@settings(max_examples=150)
@given(configs(), st.sampled_from(list(WANTS)))
def test_any_config_gives_a_result_or_a_sentence(config, want):
    try:
        result = rnnviz.run(config, want)
    except RnnvizError as problem:
        refused = str(problem)
    else:
        refused = None
    if refused is not None:
        field = refused.split(":")[0]
        assert_clear(refused, field)
        assert field in REFUSED
        assert config.signal_clip or (config.truncated and want is ItemisedFlow)
        return
    again = rnnviz.run(config, want)
    for field in dataclasses.fields(result):
        found, same = getattr(result, field.name), getattr(again, field.name)
        if isinstance(found, np.ndarray):
            np.testing.assert_array_equal(found, same)
    if want is GradientFlow:
        contract(config, result)


def contract(config, flow):
    """What every flow promises."""
    steps, streams = flow.steps, config.layers * config.directions
    assert flow.hidden.shape == flow.adjoint.shape == (streams, steps + 1, 1, config.hidden_size)
    assert flow.log10_norm.shape == flow.status.shape == (streams, steps + 1, 1)
    assert (flow.cell is None) == (config.cell != "lstm")
    assert not (flow.log10_norm == np.inf).any()
    assert len(flow.readings) == len(flow.growth_per_step) == streams
    assert flow.verdict.kind in ("vanishing", "steady", "exploding", "undefined")
    for sentence in (*(reading.sentence for reading in flow.readings), *flow.findings):
        assert sentence.endswith(".")
        assert "None" not in sentence
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        held = (np.abs(flow.log10_norm) < 290) & np.isfinite(flow.log10_norm)
        norms = np.linalg.norm(flow.adjoint / 10.0 ** np.where(held, flow.log10_norm, 0.0)[..., None], axis=-1)
    np.testing.assert_allclose(norms[held], 1.0, rtol=1e-9)


def is_near_a_kink(config) -> bool:
    """Whether a relu's pre-activation is zero but for rounding, so that two right programs may differ in its slope."""
    if (config.cell, config.nonlinearity) != ("rnn", "relu"):
        return False
    return any(np.abs(walk.kept[0]).min() < 1e-13 for walk in rnnviz.prepare(config).unrolled.walks)


@settings(max_examples=80)
@given(configs(GENTLE.items()))
def test_autograd_agrees_on_any_config(config):
    try:
        check = rnnviz.verify(config)
    except RnnvizError:
        assert config.signal_clip
        assert config.truncation == "sliding"
        return
    assert check.largest < 1e-8 or is_near_a_kink(config), check.differences


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("cell", CELLS)
def test_autograd_agrees_on_every_signal_and_clip(cell, signal, clip):
    config = Config(cell=cell, signal=signal, clip=clip, clip_threshold=0.1, length=12, hidden_size=4, weight_scale=1.5)
    assert rnnviz.verify(config).largest < 1e-10


def loss_by_torch(experiment):
    """The experiment's loss through torch.nn, with the readout and the target as documented; (loss, module, inputs)."""
    config, module = experiment.config, torch_module(experiment.network)
    x = torch.tensor(experiment.inputs, requires_grad=True)
    output, end = module(x)
    h_n = (end[0] if config.cell == "lstm" else end)[-config.directions :, 0]
    readout, target = torch.tensor(experiment.readout), torch.tensor(experiment.target)
    if config.loss == "every":
        return ((output[:, 0] @ readout - target) ** 2).sum(), module, x
    seen = h_n.flatten() if config.head == "final_states" else output[-1, 0]
    return (seen @ readout - target[-1]) ** 2, module, x


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("loss", "head"), [("last", "final_states"), ("last", "last_output"), ("every", "final_states")]
)
@pytest.mark.parametrize("cell", CELLS)
def test_the_loss_is_what_torch_nn_makes_of_it(cell, loss, head, bidirectional):
    config = Config(cell=cell, loss=loss, head=head, bidirectional=bidirectional, layers=2, length=9, hidden_size=4)
    experiment, flow = rnnviz.prepare(config), rnnviz.run(config)
    total, module, x = loss_by_torch(experiment)
    total.backward()
    assert experiment.losses.sum() == pytest.approx(float(total.detach()), rel=1e-12)
    assert_rows_close(flow.input_gradient, x.grad.numpy())
    for name, parameter in module.named_parameters():
        assert_close(flow.parameter_gradients[name], parameter.grad.numpy())


def test_losses_stand_at_their_steps():
    last, every = (rnnviz.prepare(Config(loss=loss, length=9, hidden_size=4)) for loss in ("last", "every"))
    assert np.flatnonzero(last.losses).tolist() == [8]
    assert (every.losses > 0).all()
    assert every.losses[-1] == last.losses[-1]
    expected = (every.unrolled.output[:, 0] @ every.readout - every.target) ** 2
    np.testing.assert_allclose(every.losses, expected, rtol=1e-12)


def test_readout_and_target_are_standard():
    experiment = rnnviz.prepare(Config(hidden_size=256, length=5000))
    assert experiment.readout.std() * 16.0 == pytest.approx(1.0, rel=0.15)
    assert experiment.target.std() == pytest.approx(1.0, rel=0.05)
    assert experiment.target.mean() == pytest.approx(0.0, abs=0.05)


def test_the_seed_decides_everything_and_nothing_else_does():
    first = rnnviz.run(Config(seed=5, length=20))
    np.random.default_rng(0).normal(size=100)
    second, other = rnnviz.run(Config(seed=5, length=20)), rnnviz.run(Config(seed=6, length=20))
    np.testing.assert_array_equal(first.adjoint, second.adjoint)
    assert not np.allclose(first.hidden, other.hidden)


def test_a_run_leaves_numpy_s_global_generator_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    rnnviz.run(Config(length=5, signal="random_walk", initialisation="sparse", chrono=10.0, cell="gru"))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("cell", CELLS)
def test_items_of_a_run_add_up_to_its_flow_where_there_is_one_loss(cell):
    config = Config(cell=cell, length=15, hidden_size=4)
    items, flow = rnnviz.run(config, ItemisedFlow), rnnviz.run(config)
    np.testing.assert_allclose(items.log10_norm[0, -1], flow.log10_norm[0, :, 0], atol=1e-10)
    assert (items.log10_norm[0, :-1] == -np.inf).all()


@pytest.mark.parametrize("clip", CLIPS)
def test_a_clip_report_does_what_the_config_says(clip):
    config = Config(clip=clip, clip_threshold=0.05, length=20, hidden_size=4, weight_scale=1.5)
    report, gradients = rnnviz.run(config, ClipReport), rnnviz.run(config).parameter_gradients
    before = np.concatenate([gradient.ravel() for gradient in gradients.values()])
    after = np.concatenate([report.clipped[name].ravel() for name in gradients])
    if clip == "norm":
        assert np.linalg.norm(after) == pytest.approx(0.05, rel=1e-4)
        assert report.angle == pytest.approx(0.0, abs=1e-6)
    elif clip == "value":
        np.testing.assert_array_equal(after, np.clip(before, -0.05, 0.05))
        assert report.angle > 1.0
    else:
        np.testing.assert_array_equal(after, before)
    assert (np.linalg.norm(before) > np.linalg.norm(after)) == (clip in PARAMETER_CLIPS)


def test_parameter_clipping_leaves_the_flow_alone_and_signal_clipping_bends_it():
    fields = {"weight_scale": 1.5, "clip_threshold": 0.05, "length": 40}
    off = rnnviz.run(Config(**fields))
    for clip in CLIPS:
        flow = rnnviz.run(Config(clip=clip, **fields))
        assert np.array_equal(flow.adjoint, off.adjoint) == (clip in ("off", *PARAMETER_CLIPS))
    for clip in ("hidden_norm", "hidden_value"):
        assert rnnviz.run(Config(clip=clip, **fields)).log10_norm.max() <= np.log10(0.05 * np.sqrt(32)) + 1e-9
    assert rnnviz.run(Config(clip="hidden_norm", **fields)).log10_norm.max() == pytest.approx(np.log10(0.05))


@pytest.mark.parametrize("clip", ["hidden_norm", "hidden_value"])
def test_an_exploding_run_can_be_clipped_at_any_threshold(clip):
    """The forward run reaches 1e286, and so does its loss: a signal of that size meets a limit of 0.01."""
    config = Config(nonlinearity="linear", weight_scale=3.0, length=600, clip=clip, clip_threshold=0.01)
    flow = rnnviz.run(config)
    assert rnnviz.run(Config(nonlinearity="linear", weight_scale=3.0, length=600)).log10_norm[0, -1, 0] > 280
    assert flow.log10_norm[0, -1, 0] == pytest.approx(-2.0, abs=0.8)
    assert np.isfinite(flow.log10_norm).all()


def test_truncation_cuts_the_flow():
    flow = rnnviz.run(Config(truncation="sliding", truncation_steps=5, length=20))
    assert np.flatnonzero(flow.log10_norm[0, :, 0] > -np.inf).tolist() == [16, 17, 18, 19, 20]
    flow = rnnviz.run(Config(truncation="chunked", truncation_steps=7, length=20))
    assert np.flatnonzero(flow.log10_norm[0, :, 0] > -np.inf).tolist() == [15, 16, 17, 18, 19, 20]


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_gets_one_sentence(value):
    assert_clear(refusal(rnnviz.run, value), "config")
    assert_clear(refusal(rnnviz.prepare, value), "config")
    assert_clear(refusal(rnnviz.estimate, value), "config")
    assert_clear(refusal(rnnviz.verify, value), "config")
    assert_clear(refusal(rnnviz.run, Config(length=2), value), "want")
    assert_clear(refusal(rnnviz.estimate, Config(length=2), value), "want")
    assert_clear(refusal(rnnviz.prepare(Config(length=2)).find, value), "want")
    if value is not None:
        assert_clear(refusal(rnnviz.run, Config(length=2), budget=value), "budget")


def test_saturated_runs_of_every_kind_pass_without_a_warning():
    """Pre-activations beyond ±709, where e^-a overflows on its way to the right answer."""
    for cell in CELLS:
        for want in WANTS:
            config = Config(cell=cell, hidden_size=1, input_size=64, input_scale=100.0, weight_scale=20.0, length=200)
            rnnviz.run(config, want)


def test_with_one_step_each_direction_still_gets_its_gradient():
    experiment = rnnviz.prepare(Config(bidirectional=True, length=1))
    forward, backward = experiment.output_gradient[0, 0].reshape(2, -1)
    assert forward.all()
    assert backward.all()


@pytest.mark.parametrize("cell", CELLS)
def test_deep_networks_whose_sources_come_in_parts(cell, monkeypatch):
    """Parts of which some have no signal alive change nothing."""
    config = Config(
        cell=cell, layers=3, length=40, hidden_size=4, loss="every", truncation="sliding", truncation_steps=3
    )
    whole = rnnviz.run(config)
    monkeypatch.setattr("rnnviz.core.stacked.MOST_NUMBERS", 1)
    np.testing.assert_allclose(rnnviz.run(config).log10_norm, whole.log10_norm, atol=1e-10)


def test_the_verdict_reads_the_direction_that_has_a_way_back():
    """Under the output at the last step the backward chain is one step long, and says nothing."""
    for layers in (1, 2):
        flow = rnnviz.run(Config(bidirectional=True, head="last_output", weight_scale=0.5, layers=layers))
        assert flow.verdict.kind == "vanishing"
        assert flow.verdict.stream == f"layer {layers}, forward direction"
