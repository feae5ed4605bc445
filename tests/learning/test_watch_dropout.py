"""Dropout between the layers of a watched module: the masks that the pass drew, drawn again."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import rnnviz
from tests.support import assert_clear, assert_close, assert_rows_close, refusal

T, B, D, H = 8, 3, 4, 5
KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def made(kind, dtype=torch.float64, **settings):
    torch.manual_seed(3)
    return KINDS[kind](D, H, 3, dropout=0.4, **settings).to(dtype)


def batch(dtype=torch.float64, axes=(T, B)):
    return torch.randn(*axes, D, dtype=dtype, generator=torch.Generator().manual_seed(1))


def assert_same_gradients(flow, module, rtol=1e-10):
    for name, value in module.named_parameters():
        assert_close(flow.parameter_gradients[name], value.grad.double(), rtol=rtol)


@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"bidirectional": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_under_dropout_are_those_of_autograd(kind, settings):
    module, inputs = made(kind, **settings), batch().requires_grad_()
    with rnnviz.watch(module) as watch:
        output, state = module(inputs)
        (output.square().sum() + (state[1] if kind == "lstm" else state).sin().sum()).backward()
    (flow,) = watch.flows.values()
    assert_same_gradients(flow, module)
    assert_rows_close(
        flow.input_gradient.swapaxes(0, 1) if "batch_first" in settings else flow.input_gradient, inputs.grad
    )
    assert_close(flow.output.swapaxes(0, 1) if "batch_first" in settings else flow.output, output.detach())


def test_of_packed_sequences_too():
    module, lengths = made("lstm", bidirectional=True), [3, 8, 5]
    with rnnviz.watch(module) as watch:
        output, _ = module(pack_padded_sequence(batch(), lengths, enforce_sorted=False))
        output.data.square().sum().backward()
    assert_same_gradients(watch.flows["LSTM"], module)


def test_without_batch_axis_and_in_float32_and_half_precision():
    for dtype, apart in ((torch.float32, 1e-5), (torch.bfloat16, 0.05)):
        module = made("gru", dtype)
        with rnnviz.watch(module) as watch:
            module(batch(dtype, (T,)))[0].sum().backward()
        for name, value in module.named_parameters():
            theirs = value.grad.double().numpy()
            difference = np.linalg.norm(watch.flows["GRU"].parameter_gradients[name] - theirs)
            assert difference < apart * np.linalg.norm(theirs), name


def test_calls_that_go_on_from_each_other_have_masks_of_their_own():
    module, state, outputs = made("lstm"), None, []
    with rnnviz.watch(module) as watch:
        for x in batch():
            output, state = module(x[None], state)
            outputs.append(output)
        torch.cat(outputs).square().sum().backward()
    assert watch.flows["LSTM"].steps == T
    assert_same_gradients(watch.flows["LSTM"], module)


def test_training_under_watch_draws_the_same_masks_as_without():
    weights = []
    for watched in (False, True):
        module = made("gru", torch.float32)
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        watch = rnnviz.watch(module) if watched else None
        for _ in range(3):
            optimiser.zero_grad()
            module(batch(torch.float32))[0].square().sum().backward()
            optimiser.step()
            assert not watch or watch.horizon() >= 0  # a replay in between
        weights.append(module.weight_hh_l2.detach().clone())
    assert torch.equal(*weights)


def test_without_training_mode_there_are_no_masks():
    module = made("lstm").eval()
    with rnnviz.watch(module) as watch:
        module(batch())[0].square().sum().backward()
    assert_same_gradients(watch.flows["LSTM"], module)


def test_when_something_else_is_drawn_meanwhile_that_is_said():
    module = made("lstm")
    with rnnviz.watch(module) as watch:
        module.register_forward_pre_hook(lambda module, args: (args[0] + torch.randn(T, B, D),))
        module(batch())[0].sum().backward()
    assert watch.flows == {}
    assert_clear(refusal(watch.horizon), "module 'LSTM'")
    assert "masks cannot be known" in refusal(watch.horizon)


def test_masks_are_zero_as_often_as_asked():
    module = made("lstm")
    with rnnviz.watch(module) as watch:
        for _ in range(3):
            module(batch(axes=(40, 20)))[0].sum().backward()
        draw = watch.frames[-1].notes[0].draw
    masks = draw.masks((40, 20, H), 2)
    assert np.isclose(np.mean([(mask == 0).double().mean() for mask in masks]), 0.4, atol=0.03)
    assert not torch.equal(*masks)
