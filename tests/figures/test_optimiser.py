"""The chart of parameter gradients shows what torch's clipping leaves, and which steps made the gradient."""

import numpy as np
import pytest
import torch

from rnnviz.core.readings import power_text
from rnnviz.figures.optimiser import parameter_gradients
from tests.figures.drawings import (
    EVERY_SUBJECT,
    LIGHT,
    OVERFLOW,
    assert_drawn,
    assert_fits_themes,
    assert_no_long_lists,
    subject,
)

NAMES = ("weight_hh_l0", "weight_ih_l0", "bias_hh_l0", "bias_ih_l0")


def norms(gradients):
    """log10 of the norm of all together, and of each."""
    flat = np.concatenate([np.ravel(gradients[name]) for name in NAMES])
    return np.log10([np.linalg.norm(flat), *(np.linalg.norm(gradients[name]) for name in NAMES)])


def clipped_by_torch(run):
    gradients = run.flow.parameter_gradients
    parameters = [torch.nn.Parameter(torch.zeros(gradients[name].shape, dtype=torch.float64)) for name in NAMES]
    for parameter, name in zip(parameters, NAMES, strict=True):
        parameter.grad = torch.tensor(gradients[name])
    if run.config.clip == "norm":
        torch.nn.utils.clip_grad_norm_(parameters, run.config.clip_threshold)
    else:
        torch.nn.utils.clip_grad_value_(parameters, run.config.clip_threshold)
    return {name: parameter.grad.numpy() for name, parameter in zip(NAMES, parameters, strict=True)}


@pytest.mark.parametrize("asked", EVERY_SUBJECT)
def test_every_run_is_drawn(asked):
    drawing = parameter_gradients(asked, LIGHT)
    assert_drawn(drawing)
    assert_no_long_lists(drawing.figure)
    assert [trace["name"] for trace in drawing.figure["data"]] == ["before", "after", "part", "share"]


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("clip", ["norm", "value"])
@pytest.mark.parametrize("threshold", [1e-3, 1e6])
def test_the_bars_are_the_norms_before_and_after_torch_s_clipping(name, clip, threshold):
    asked = subject(name, length=30, clip=clip, clip_threshold=threshold)
    drawing, after = parameter_gradients(asked, LIGHT), clipped_by_torch(asked.focus)
    before = asked.focus.flow.parameter_gradients
    for trace, expected in zip(drawing.figure["data"], (before, after), strict=False):
        np.testing.assert_allclose(trace["customdata"], norms(expected), atol=1e-5)
        np.testing.assert_allclose(trace["base"] + trace["x"], norms(expected), atol=1e-4)
    (line,) = drawing.figure["layout"]["shapes"]
    assert line["name"] == "threshold"
    assert line["x0"] == line["x1"] == pytest.approx(np.log10(threshold))
    low, high = drawing.figure["layout"]["xaxis"]["range"]
    assert low < line["x0"] < high
    flat = [np.concatenate([np.ravel(part[name]) for name in NAMES]) for part in (before, after)]
    cosine = flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    assert asked.focus.clip_report.cosine == pytest.approx(cosine)
    said = float(drawing.answer.split("cosine ")[1].rstrip(")."))
    assert said == pytest.approx(cosine, abs=0.006)


def test_without_clipping_there_is_one_bar_a_row_and_no_threshold():
    asked = subject(length=30)
    before, after, *_ = parameter_gradients(asked, LIGHT).figure["data"]
    np.testing.assert_allclose(before["customdata"], norms(asked.focus.flow.parameter_gradients), atol=1e-5)
    assert after["visible"] is False
    assert before["text"][0] == power_text(norms(asked.focus.flow.parameter_gradients)[0])
    assert parameter_gradients(asked, LIGHT).figure["layout"]["shapes"] == []


def test_other_streams_have_one_bar_each():
    asked = subject("birnn", 1, length=20, layers=2)
    figure, gradients = parameter_gradients(asked, LIGHT).figure, asked.focus.flow.parameter_gradients
    ticks = figure["layout"]["yaxis"]["ticktext"]
    assert ticks == ["total", "W_hh", "W_ih", "b_hh", "b_ih", "layer 1 →", "layer 2 →", "layer 2 ←"]
    found = dict(zip(ticks, figure["data"][0]["customdata"], strict=True))
    for tick, ending in (("layer 1 →", "_l0"), ("layer 2 →", "_l1"), ("layer 2 ←", "_l1_reverse"), ("total", "")):
        flat = np.concatenate([part.ravel() for name, part in gradients.items() if name.endswith(ending)])
        assert found[tick] == pytest.approx(np.log10(np.linalg.norm(flat)), abs=1e-5)
    assert found["W_hh"] == pytest.approx(np.log10(np.linalg.norm(gradients["weight_hh_l0_reverse"])), abs=1e-5)


def test_the_parts_are_outer_products_and_the_share_counts_from_the_loss():
    asked = subject(length=30)
    flow = asked.focus.flow
    delta = flow.adjoint[0, 1:, 0] * (1 - flow.hidden[0, 1:, 0] ** 2)
    parts = delta[:, :, None] * flow.hidden[0, :-1, 0][:, None, :]
    np.testing.assert_allclose(parts.sum(axis=0), flow.parameter_gradients["weight_hh_l0"], rtol=1e-9, atol=1e-15)
    sizes = np.linalg.norm(parts, axis=(1, 2))
    _, _, part, share = parameter_gradients(asked, LIGHT).figure["data"]
    np.testing.assert_allclose(part["y"][1:], np.log10(sizes[1:]), atol=1e-5)
    assert np.isnan(part["y"][0])  # h_0 is zero
    np.testing.assert_allclose(share["y"], sizes[::-1].cumsum()[::-1] / sizes.sum(), rtol=1e-5)
    assert flow.recurrent_sum_left() == pytest.approx(np.linalg.norm(parts.sum(axis=0)) / sizes.sum())
    count = next(n for n in range(1, 31) if sizes[-n:].sum() >= 0.9 * sizes.sum())
    assert flow.recurrent_steps_for(0.9)[0] == count
    assert parameter_gradients(asked, LIGHT).answer == (
        f"The optimiser gets a gradient of norm {power_text(flow.parameters_log10_norm())}; the last {count} of 30 "
        "steps make 90 % of what W_hh gets, counted by the lengths of the steps' parts."
    )


def test_a_reverse_chain_s_share_counts_from_its_own_end():
    asked = subject("birnn", 1, length=30)
    flow = asked.focus.flow
    sizes = 10 ** flow.parameter_step_log10_norms["weight_hh_l0_reverse"]
    share = parameter_gradients(asked, LIGHT).figure["data"][3]
    np.testing.assert_allclose(share["y"], sizes.cumsum() / sizes.sum(), rtol=1e-5)
    count = next(n for n in range(1, 31) if sizes[:n].sum() >= 0.9 * sizes.sum())
    assert f"the first {count} of 30 steps make" in parameter_gradients(asked, LIGHT).answer


def test_an_exploding_gradient_is_made_by_the_first_steps():
    asked = subject("linear", weight_scale=2.0, length=40, signal="impulse", input_scale=1.0, layers=1, loss="every")
    last, first = asked.focus.flow.recurrent_steps_for(0.9)
    sizes = 10 ** (asked.focus.flow.recurrent_parts() - asked.focus.flow.recurrent_parts().max())
    assert first == next(n for n in range(1, 41) if sizes[:n].sum() >= 0.9 * sizes.sum())
    side = f"the last {last} of" if last <= first else f"the first {first} of"
    side = f"at least {min(first, last)} of" if min(first, last) > 30 else side
    assert side in parameter_gradients(asked, LIGHT).answer


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        (
            "linear",
            {"weight_scale": 1.1, "clip": "norm", "clip_threshold": 1.0},
            "to 1, and its direction stays the same",
        ),
        (
            "rnn",
            {"clip": "norm", "clip_threshold": 100.0},
            "not above the threshold of 100, so that clipping changes nothing",
        ),
        (
            "rnn",
            {"clip": "value", "clip_threshold": 100.0},
            "No entry is larger than 100, so that clipping changes nothing",
        ),
        (
            "rnn",
            {"clip": "value", "clip_threshold": 0.01},
            "Clipping holds every entry within ±0.01: the norm falls from",
        ),
        ("linear", {**OVERFLOW, "clip": "norm"}, "a gradient that is not a number; clipping cannot mend it."),
        (
            "linear",
            {"weight_scale": 3.0, "length": 400, "clip": "norm"},
            "clipping turns it into something that is not",
        ),
        ("linear", {"weight_scale": 3.0, "length": 200, "clip": "norm"}, "clipping leaves exactly nothing of it."),
        ("rnn", {"length": 1}, "W_hh gets exactly nothing, for it meets only the initial state, which is zero."),
        ("rnn", {"weight_scale": 0.0}, "the last of 100 steps alone makes 90 %"),
    ],
)
def test_what_the_sentence_says(name, settings, said):
    drawing = parameter_gradients(subject(name, **settings), LIGHT)
    assert_drawn(drawing)
    assert said in drawing.answer


def test_torch_s_pitfalls_are_told():
    asked = subject("linear", weight_scale=3.0, length=200, clip="norm")
    assert asked.focus.clip_report.warning in parameter_gradients(asked, LIGHT).notes
    assert "silently sets every gradient to 0" in asked.focus.clip_report.warning


def test_the_bars_axis_stays_put_while_the_threshold_moves_a_little():
    ranges = {
        tuple(
            parameter_gradients(subject(length=30, clip="norm", clip_threshold=at), LIGHT).figure["layout"]["xaxis"][
                "range"
            ]
        )
        for at in (0.5, 0.55, 0.6)
    }
    assert len(ranges) == 1


def test_it_fits_the_themes():
    assert_fits_themes(parameter_gradients, subject(length=30, clip="norm"))
