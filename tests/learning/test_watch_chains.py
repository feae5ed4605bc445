"""A module that goes on from its own last state, call by call, is one flow: the same as that of one long call."""

import numpy as np
import pytest
import torch
from torch import nn

import rnnviz
from tests.support import assert_close, assert_rows_close

T, B, D, H = 8, 3, 4, 5
KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def made(kind, *arguments, dtype=torch.float64, **settings):
    torch.manual_seed(3)
    return kind(*arguments, **settings).to(dtype)


def sequence(dtype=torch.float64):
    return torch.randn(T, B, D, dtype=dtype, generator=torch.Generator().manual_seed(1))


def weighted(output):
    """A loss that tells every number of an output from every other."""
    return (output * torch.linspace(-1.0, 2.0, output.numel(), dtype=output.dtype).reshape(output.shape)).sum()


LOSSES = {
    "last": lambda output: output[-1].square().sum(),
    "every": lambda output: weighted(output.sin()),
    "some": lambda output: output[2].square().sum() + weighted(output[5]),
}


def assert_same_flow(flow, other, rtol=1e-10):
    for name in ("hidden", "output"):
        assert_close(getattr(flow, name), getattr(other, name), rtol)
    for name in ("adjoint", "input_gradient", *(("cell_adjoint",) if flow.cell is not None else ())):
        assert_rows_close(getattr(flow, name), getattr(other, name), rtol)
    for name, gradient in other.parameter_gradients.items():
        assert_close(flow.parameter_gradients[name], gradient, rtol)
    np.testing.assert_array_equal(flow.loss_log10_norm == -np.inf, other.loss_log10_norm == -np.inf)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("pieces", [[1] * T, [3, 1, 4]], ids=["steps", "chunks"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_module_called_step_by_step_is_one_flow(kind, pieces, layers, loss):
    module, inputs, state, outputs = made(KINDS[kind], D, H, layers), sequence(), None, []
    with rnnviz.watch(module) as watch:
        for piece in inputs.split(pieces):
            output, state = module(piece, state)
            outputs.append(output)
        LOSSES[loss](torch.cat(outputs)).backward()
    (name,) = watch.flows
    assert_same_flow(watch.flows[name], rnnviz.trace(module, inputs, LOSSES[loss]))
    for parameter, value in module.named_parameters():
        assert_close(watch.flows[name].parameter_gradients[parameter], value.grad)
    assert watch.frames[0].modules[name].calls == len(pieces)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("batched", [True, False])
def test_a_cell_in_a_loop_of_the_user_s_own_is_one_flow(kind, loss, batched):
    module, inputs, state, outputs = made(CELLS[kind], D, H), sequence(), None, []
    inputs = inputs if batched else inputs[:, 0]
    with rnnviz.watch(module) as watch:
        for x in inputs:
            state = module(x, state)
            outputs.append(state[0] if kind == "lstm" else state)
        LOSSES[loss](torch.stack(outputs)).backward()
    (flow,) = watch.flows.values()
    assert_same_flow(flow, rnnviz.trace(module, inputs, LOSSES[loss]))
    for parameter, value in module.named_parameters():
        assert_close(flow.parameter_gradients[f"{parameter}_l0"], value.grad)


def test_what_the_loss_reads_of_states_on_the_way_enters_there():
    """c, and h of a lower layer, in the middle of the chain: autograd through the parameters' gradients and ∂L/∂h_0."""
    module, inputs = made(nn.LSTM, D, H, 2), sequence()
    start = tuple(torch.randn(2, B, H, dtype=torch.float64, requires_grad=True) for _ in range(2))
    with rnnviz.watch(module) as watch:
        output, (h, c) = module(inputs[:3], start)
        rest, (_, c_n) = module(inputs[3:], (h, c))
        (rest[-1].sum() + h[0].square().sum() + c[1].sin().sum() + c_n[0].sum() + output[1].sum()).backward()
    (flow,) = watch.flows.values()
    for parameter, value in module.named_parameters():
        assert_close(flow.parameter_gradients[parameter], value.grad)
    assert_rows_close(flow.adjoint[:, 0], start[0].grad)
    assert_rows_close(flow.cell_adjoint[:, 0], start[1].grad)
    entered = (flow.loss_log10_norm > -np.inf).any(axis=2)
    assert np.flatnonzero(entered[0]).tolist() == [2, T - 1]  # h of the lower layer; its c_n
    assert np.flatnonzero(entered[1]).tolist() == [1, 2, T - 1]  # the output; c of the upper layer; the last output


def test_in_float32_what_nobody_but_the_next_call_reads_enters_nowhere():
    module, inputs, state = made(nn.LSTMCell, D, H, dtype=torch.float32), sequence(torch.float32), None
    with rnnviz.watch(module) as watch:
        for x in inputs:
            state = module(x, state)
        state[0].sum().backward()
    flow = watch.flows["LSTMCell"]
    assert (flow.loss_log10_norm > -np.inf).any(axis=(0, 2)).sum() == 1
    for parameter, value in module.named_parameters():
        assert_close(flow.parameter_gradients[f"{parameter}_l0"], value.grad.double(), rtol=1e-4)
    assert watch.horizon() == flow.verdict.memory_horizon


def test_two_cells_in_one_loop_are_two_flows():
    """As in torch's example of the sines: the second cell reads the first one's h."""
    model, inputs = made(lambda: nn.ModuleList([nn.LSTMCell(D, H), nn.LSTMCell(H, H)])), sequence()
    first = second = None
    with rnnviz.watch(model) as watch:
        for x in inputs:
            first = model[0](x, first)
            second = model[1](first[0], second)
        second[0].sum().backward()
    assert sorted(watch.flows) == ["0", "1"]
    for name, cell in model.named_children():
        assert watch.flows[name].steps == T
        for parameter, value in cell.named_parameters():
            assert_close(watch.flows[name].parameter_gradients[f"{parameter}_l0"], value.grad)


def changed(state):
    return state * 0.5


def changed_in_place(state):
    state[:, 1] = 0.0  # as at the end of an episode
    return state


APART = {
    "changed in place": (changed_in_place, {}),
    "detached": (lambda state: state.detach(), {}),
    "changed": (changed, {}),
    "two ways": (lambda state: state, {"bidirectional": True}),
}


@pytest.mark.parametrize("case", APART)
def test_what_does_not_simply_go_on_is_a_flow_for_each_call(case):
    hand_over, settings = APART[case]
    module, inputs = made(nn.GRU, D, H, **settings), sequence()
    with rnnviz.watch(module) as watch:
        first, state = module(inputs[:3])
        second, _ = module(inputs[3:], hand_over(state))
        (first.sum() + second.square().sum()).backward()
    assert [flow.steps for flow in watch.flows.values()] == [3, T - 3]
    for parameter, value in module.named_parameters():
        assert_close(sum(flow.parameter_gradients[parameter] for flow in watch.flows.values()), value.grad)


@pytest.mark.parametrize("place", [0, 1])
def test_a_cell_whose_state_is_changed_in_place_is_a_flow_for_each_call(place):
    module, inputs = made(nn.LSTMCell, D, H), sequence()
    with rnnviz.watch(module) as watch:
        state = module(inputs[0])
        state[place].mul_(0.5)
        h, c = module(inputs[1], state)
        (h.sum() + c.square().sum()).backward()
    assert [flow.steps for flow in watch.flows.values()] == [1, 1]
    for parameter, value in module.named_parameters():
        assert_close(sum(flow.parameter_gradients[f"{parameter}_l0"] for flow in watch.flows.values()), value.grad)


def test_two_calls_that_go_on_from_one_state_are_flows_of_their_own():
    module, inputs = made(nn.GRU, D, H), sequence()
    with rnnviz.watch(module) as watch:
        _, state = module(inputs[:3])
        (module(inputs[3:5], state)[0].sum() + module(inputs[5:], state)[0].square().sum()).backward()
    assert [flow.steps for flow in watch.flows.values()] == [3, 2, 3]
    for parameter, value in module.named_parameters():
        assert_close(sum(flow.parameter_gradients[parameter] for flow in watch.flows.values()), value.grad)


def test_many_calls_share_one_copy_of_the_weights():
    module, inputs, state = made(nn.GRU, D, H), sequence(), None
    with rnnviz.watch(module) as watch:
        for piece in inputs.split(1):
            output, state = module(piece, state)
        output.sum().backward()
        notes = watch.frames[0].notes
        weights = sum(value.nbytes for value in module.parameters())
        assert watch.frames[0].waiting == weights + sum(note.nbytes for note in notes)
        with torch.no_grad():
            module.weight_hh_l0.data.add_(1.0)  # as old scripts do, behind autograd's back
        module(inputs)[0].sum().backward()
    flow = watch.flows["GRU"]
    assert_same_flow(flow, rnnviz.trace(module, inputs, "every"))
