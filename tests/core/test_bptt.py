import numpy as np
import pytest
import torch

import rnnviz
from rnnviz import SignalClip, Truncation
from rnnviz.core.bptt import backpropagate
from rnnviz.core.signal import SIGNAL_CLIPS, TRUNCATIONS
from rnnviz.core.unroll import unroll
from rnnviz.learning.oracle import autograd_flow
from tests.support import (
    KINDS,
    TORCH_KINDS,
    assert_close,
    assert_rows_close,
    at_last_step,
    at_step,
    in_stream_order,
    log10_norm,
    random_network,
    random_question,
    scalar_rnn,
    torch_module,
)


def assert_same_flow(flow, theirs):
    """Every array of a flow against what autograd found."""
    assert_close(flow.hidden, theirs["hidden"])
    assert_close(flow.output, theirs["output"])
    assert_rows_close(flow.adjoint, theirs["adjoint"])
    assert_rows_close(flow.input_gradient, theirs["input_gradient"])
    np.testing.assert_allclose(flow.log10_norm, log10_norm(theirs["adjoint"]), atol=1e-9)
    joint = theirs["adjoint"]
    if flow.cell is not None:
        joint = np.concatenate((joint, theirs["carried_cell_adjoint"]), axis=-1)
        assert_close(flow.cell, theirs["cell"])
        assert_rows_close(flow.cell_adjoint, theirs["cell_adjoint"])
        np.testing.assert_allclose(flow.cell_log10_norm, log10_norm(theirs["cell_adjoint"]), atol=1e-9)
    np.testing.assert_allclose(flow.joint_log10_norm, log10_norm(joint), atol=1e-9)
    assert flow.parameter_gradients.keys() == theirs["parameter_gradients"].keys()
    for name, gradient in theirs["parameter_gradients"].items():
        assert_close(flow.parameter_gradients[name], gradient)
        np.testing.assert_allclose(flow.parameter_log10_norms[name], log10_norm(gradient.ravel()), atol=1e-9)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_everything_agrees_with_autograd(cell, nonlinearity, batch, directions, layers):
    network = random_network(cell, nonlinearity, layers=layers, directions=directions, seed=layers)
    inputs, gradient, start = random_question(network, steps=6, batch=batch)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start))


@pytest.mark.parametrize("truncation", [None, Truncation("sliding", 3)], ids=["full", "sliding"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_dropout_between_layers_agrees_with_autograd(cell, directions, truncation):
    network = random_network(cell, layers=3, directions=directions)
    inputs, gradient, start = random_question(network, steps=6, batch=2)
    rng = np.random.default_rng(5)
    dropout = tuple((rng.random(gradient.shape) > 0.4) / 0.6 for _ in range(2))
    flow = backpropagate(unroll(network, inputs, start, dropout), gradient, truncation=truncation)
    theirs = autograd_flow(network, inputs, gradient, start, truncation=truncation, dropout=dropout)
    assert_same_flow(flow, theirs)
    plain = autograd_flow(network, inputs, gradient, start, truncation=truncation)
    assert np.abs(plain["adjoint"][0] - theirs["adjoint"][0]).max() > 1e-3  # the masks do something


@pytest.mark.parametrize("biases", [(), ("bias_ih",), ("bias_hh",)], ids=["none", "input", "recurrent"])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_missing_biases_are_zero(cell, nonlinearity, biases):
    network = random_network(cell, nonlinearity, layers=2, biases=biases)
    inputs, gradient, start = random_question(network, steps=6, batch=2)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start))


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_a_single_step_and_a_single_unit(cell, nonlinearity):
    network = random_network(cell, nonlinearity, input_size=1, hidden_size=1, directions=2)
    inputs, gradient, start = random_question(network, steps=1)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start))


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_the_initial_state_is_zero_by_default(cell, nonlinearity):
    network = random_network(cell, nonlinearity)
    inputs, gradient, start = random_question(network, steps=5)
    zero = tuple(np.zeros_like(part) for part in start)
    flow, same = rnnviz.bptt(network, inputs, gradient), rnnviz.bptt(network, inputs, gradient, zero)
    np.testing.assert_array_equal(flow.adjoint, same.adjoint)
    np.testing.assert_array_equal(flow.hidden, same.hidden)


def last_step(output, h_n):
    return output[-1].pow(2).sum()


def every_step(output, h_n):
    return (output * torch.linspace(-1.0, 2.0, output.numel(), dtype=torch.float64).reshape(output.shape)).sum()


def final_states(output, h_n):
    return (h_n * torch.linspace(0.5, 1.5, h_n.numel(), dtype=torch.float64).reshape(h_n.shape)).sum()


def cross_entropy(output, h_n):
    generator = torch.Generator().manual_seed(3)
    head = torch.randn(5, output.shape[-1], generator=generator, dtype=torch.float64)
    wanted = torch.randint(5, output.shape[:-1], generator=generator)
    return torch.nn.functional.cross_entropy((output @ head.T).flatten(0, 1), wanted.flatten())


def mean_squared_error(output, h_n):
    return torch.nn.functional.mse_loss(output, torch.full_like(output, 0.3))


HEADS = (last_step, every_step, final_states, cross_entropy, mean_squared_error)


def output_gradient_of(head, output, h_n, directions):
    """What the head sends to the output; h_n is the output at the last step, and at the first for a reverse stream."""
    output = output.detach().requires_grad_()
    size = output.shape[-1] // directions
    top = [output[-1, :, :size], output[0, :, size:]][:directions]
    head(output, torch.stack(top)).backward()
    return output.grad.numpy()


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.__name__)
@pytest.mark.parametrize(("layers", "directions", "batch"), [(1, 1, 1), (1, 2, 3), (2, 1, 3), (2, 2, 1), (3, 2, 3)])
@pytest.mark.parametrize(("cell", "nonlinearity"), TORCH_KINDS)
def test_torch_nn_itself_agrees(cell, nonlinearity, layers, directions, batch, head):
    biases = () if batch == 3 else ("bias_ih", "bias_hh")
    network = random_network(cell, nonlinearity, layers=layers, directions=directions, biases=biases)
    inputs, _, start = random_question(network, steps=5, batch=batch)
    module, x = torch_module(network), torch.tensor(inputs, requires_grad=True)
    given = tuple(torch.tensor(part, requires_grad=True) for part in start)
    output, end = module(x, given if cell == "lstm" else given[0])
    h_n = end[0] if cell == "lstm" else end
    head(output, h_n[-directions:]).backward()

    flow = rnnviz.bptt(network, inputs, output_gradient_of(head, output, h_n, directions), start)
    assert_close(flow.output, output.detach().numpy())
    assert_rows_close(flow.input_gradient, x.grad.numpy())
    for name, parameter in module.named_parameters():
        assert_close(flow.parameter_gradients[name], parameter.grad.numpy())
    for s in range(len(flow.streams)):
        assert_close(in_stream_order(flow, s, flow.hidden[s])[-1], h_n[s].detach().numpy())
        assert_close(in_stream_order(flow, s, flow.adjoint[s])[0], given[0].grad[s].numpy())
        if cell == "lstm":
            assert_close(in_stream_order(flow, s, flow.cell[s])[-1], end[1][s].detach().numpy())
            assert_close(in_stream_order(flow, s, flow.cell_adjoint[s])[0], given[1].grad[s].numpy())


def nudged(arrays, place, index, by):
    """A copy of a list of arrays in which one entry is moved."""
    arrays = [array.copy() for array in arrays]
    arrays[place][index] += by
    return arrays


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_finite_differences_agree(cell, nonlinearity, directions):
    network = random_network(cell, nonlinearity, input_size=2, hidden_size=2, directions=directions)
    inputs, gradient, start = random_question(network, steps=4, batch=2)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    names = list(network.parameters)
    points = [inputs, *start, *network.parameters.values()]
    ends = [in_stream_order(flow, s, flow.adjoint[s])[0] for s in range(directions)]
    claimed = [flow.input_gradient, np.array(ends)]
    if cell == "lstm":
        claimed.append(np.array([in_stream_order(flow, s, flow.cell_adjoint[s])[0] for s in range(directions)]))
    claimed += [flow.parameter_gradients[name] for name in names]

    def loss(arrays):
        count = 1 + len(start)
        moved = rnnviz.Network(cell, dict(zip(names, arrays[count:], strict=True)), nonlinearity)
        return (rnnviz.bptt(moved, arrays[0], gradient, tuple(arrays[1:count])).output * gradient).sum()

    for place, point in enumerate(points):
        for index in list(np.ndindex(point.shape))[::3]:
            up, down = (loss(nudged(points, place, index, by)) for by in (1e-6, -1e-6))
            assert claimed[place][index] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_each_step_contributes_to_a_parameter_what_autograd_says(cell, directions, batch):
    """Autograd with a separate copy of the parameters at every step."""
    network, steps = random_network(cell, directions=directions), 5
    inputs, gradient, start = random_question(network, steps, batch)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    cells = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
    module = cells[cell](network.input_size, network.hidden_size).double()
    for s, stream in enumerate(flow.streams):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        values = {name: torch.tensor(network.parameters[f"{name}_{stream.suffix}"]) for name in names}
        copies = [{n: value.clone().requires_grad_() for n, value in values.items()} for _ in range(steps)]
        state, loss = [torch.tensor(part[s]) for part in start], 0.0
        for t in range(steps)[:: -1 if stream.reverse else 1]:
            given = tuple(state) if cell == "lstm" else state[0]
            end = torch.func.functional_call(module, copies[t], (torch.tensor(inputs[t]), given))
            state = list(end) if cell == "lstm" else [end]
            loss = loss + (state[0] * torch.tensor(gradient[t][:, stream.columns])).sum()
        loss.backward()
        for name in names:
            norms = [float(copy[name].grad.norm()) for copy in copies]
            np.testing.assert_allclose(flow.parameter_step_norms[f"{name}_{stream.suffix}"], norms, rtol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("directions", [1, 2])
def test_gates_are_what_torch_documents(cell, directions):
    """Each gate again from the states that it reads, in time order."""
    network = random_network(cell, directions=directions)
    inputs, gradient, start = random_question(network, steps=4, batch=2)
    flow = rnnviz.bptt(network, inputs, gradient, start)
    for s, stream in enumerate(flow.streams):
        p = {
            kind: network.parameters[f"{kind}_{stream.suffix}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        before = flow.hidden[s][1:] if stream.reverse else flow.hidden[s][:-1]
        drive = np.split(inputs @ p["weight_ih"].T + p["bias_ih"], len(flow.gates), axis=-1)
        recurrent = np.split(before @ p["weight_hh"].T + p["bias_hh"], len(flow.gates), axis=-1)
        for place, name in enumerate("ifgo" if cell == "lstm" else "rzn"):
            if name == "n":
                recurrent[place] = recurrent[place] * flow.gates["r"][s]
            a = drive[place] + recurrent[place]
            expected = np.tanh(a) if name in "gn" else 1.0 / (1.0 + np.exp(-a))
            assert_close(flow.gates[name][s], expected)


@pytest.mark.parametrize("kind", SIGNAL_CLIPS)
@pytest.mark.parametrize("limit", [0.05, 0.5, 1e6])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_signal_clipping_agrees_with_autograd(cell, nonlinearity, limit, kind):
    network = random_network(cell, nonlinearity, layers=2, directions=2, scale=2.0)
    inputs, gradient, start = random_question(network, steps=7, batch=2)
    clip = SignalClip(kind, limit)
    flow = rnnviz.bptt(network, inputs, gradient, start, signal_clip=clip)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start, signal_clip=clip))
    if limit < 0.1:
        assert not np.allclose(flow.adjoint, rnnviz.bptt(network, inputs, gradient, start).adjoint)


def test_the_signal_of_the_gru_s_reset_gate_is_clipped_by_itself():
    """It is the candidate's times q σ'(a^r): q = 20 takes it beyond the limit that the candidate's obeys."""
    parameters = dict(random_network("gru", scale=0.3).parameters)
    parameters["bias_ih_l0"] = np.repeat([0.0, 0.0, -10.0], 4)
    parameters["bias_hh_l0"] = np.repeat([0.0, 0.0, 20.0], 4)
    network = rnnviz.Network("gru", parameters)
    inputs, gradient, start = random_question(network, steps=5, batch=2)
    clip = SignalClip("preactivation_value", 0.05)
    flow = rnnviz.bptt(network, inputs, gradient, start, signal_clip=clip)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start, signal_clip=clip))


@pytest.mark.parametrize("kind", TRUNCATIONS)
@pytest.mark.parametrize("reach", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_truncation_agrees_with_autograd(cell, nonlinearity, layers, directions, reach, kind):
    network = random_network(cell, nonlinearity, layers=layers, directions=directions)
    inputs, gradient, start = random_question(network, steps=7, batch=2)
    truncation = Truncation(kind, reach)
    flow = rnnviz.bptt(network, inputs, gradient, start, truncation=truncation)
    assert_same_flow(flow, autograd_flow(network, inputs, gradient, start, truncation=truncation))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("clip", [SignalClip("hidden_norm", 0.3), SignalClip("preactivation_value", 0.1)], ids=str)
def test_chunks_with_signal_clipping_agree_with_autograd(cell, clip):
    network = random_network(cell, layers=2)
    inputs, gradient, start = random_question(network, steps=7, batch=2)
    both = {"signal_clip": clip, "truncation": Truncation("chunked", 3)}
    assert_same_flow(
        rnnviz.bptt(network, inputs, gradient, start, **both), autograd_flow(network, inputs, gradient, start, **both)
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_chunks_are_a_plain_detach_loop(cell):
    """What every tutorial writes: run torch's module chunk by chunk and detach its state in between."""
    network, chunk = random_network(cell, layers=2), 3
    inputs, gradient, start = random_question(network, steps=8, batch=2)
    module, x = torch_module(network), torch.tensor(inputs, requires_grad=True)
    state = tuple(torch.tensor(part) for part in start)
    for first in range(0, 8, chunk):
        state = tuple(part.detach() for part in state)
        part = slice(first, first + chunk)
        output, end = module(x[part], state if cell == "lstm" else state[0])
        state = end if cell == "lstm" else (end,)
        (output * torch.tensor(gradient[part])).sum().backward()
    flow = rnnviz.bptt(network, inputs, gradient, start, truncation=Truncation("chunked", chunk))
    assert_rows_close(flow.input_gradient, x.grad.numpy())
    for name, parameter in module.named_parameters():
        assert_close(flow.parameter_gradients[name], parameter.grad.numpy())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_sliding_window_is_the_band_of_the_single_losses(cell):
    network, reach = random_network(cell), 3
    inputs, gradient, start = random_question(network, steps=7)
    flow = rnnviz.bptt(network, inputs, gradient, start, truncation=Truncation("sliding", reach))
    expected = np.zeros_like(flow.adjoint)
    for step in range(1, 8):
        single = rnnviz.bptt(network, inputs, at_step(gradient, step), start).adjoint
        first = max(step - reach + 1, 0)
        expected[:, first : step + 1] += single[:, first : step + 1]
    assert_rows_close(flow.adjoint, expected)
    assert np.any(np.abs(flow.adjoint - rnnviz.bptt(network, inputs, gradient, start).adjoint) > 1e-3)


def test_clipped_by_hand():
    """w = 2 and a gradient of 1 at the last of four steps: 1, 2, then never more than 3."""
    inputs, gradient = np.zeros((4, 1, 1)), at_last_step(np.ones((4, 1, 1)))
    for kind in ("hidden_value", "hidden_norm"):
        flow = rnnviz.bptt(scalar_rnn(2.0), inputs, gradient, signal_clip=SignalClip(kind, 3.0))
        assert flow.adjoint.ravel().tolist() == [3.0, 3.0, 3.0, 2.0, 1.0]
    flow = rnnviz.bptt(scalar_rnn(2.0), inputs, gradient, signal_clip=SignalClip("preactivation_value", 3.0))
    assert flow.adjoint.ravel().tolist() == [6.0, 6.0, 4.0, 2.0, 1.0]


def test_parameter_gradients_beyond_float64_keep_their_exact_size():
    """dL/db = Σ 3^n for n < T, by hand, and dL/dW_ih the same for an input of ones."""
    network = scalar_rnn(3.0, drive=0.0, bias=0.0)
    flow = rnnviz.bptt(network, np.ones((2000, 1, 1)), at_last_step(np.ones((2000, 1, 1))))
    expected = 2000 * np.log10(3.0) - np.log10(2.0)
    assert flow.parameter_log10_norms["bias_ih_l0"] == pytest.approx(expected, abs=1e-9)
    assert flow.parameter_log10_norms["weight_ih_l0"] == pytest.approx(expected, abs=1e-9)
    assert flow.parameter_log10_norms["weight_hh_l0"] == -np.inf
    assert flow.parameter_gradients["bias_ih_l0"].tolist() == [np.inf]
    steps = np.log10(3.0) * np.arange(1999, -1, -1)
    np.testing.assert_allclose(flow.parameter_step_log10_norms["bias_ih_l0"], steps, atol=1e-9)


def test_what_comes_in_is_left_alone_and_not_held():
    network = random_network("lstm", layers=2, directions=2)
    inputs, gradient, start = random_question(network, steps=5, batch=2)
    copies = [array.copy() for array in (inputs, gradient, *start)]
    flow = rnnviz.bptt(network, inputs, gradient, start)
    for array, copy in zip((inputs, gradient, *start), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    expected = flow.adjoint.copy(), flow.hidden.copy(), flow.output.copy()
    for array in (inputs, gradient, *start):
        array[...] = 7.0
    for array, before in zip((flow.adjoint, flow.hidden, flow.output), expected, strict=True):
        np.testing.assert_array_equal(array, before)


def test_lists_and_float32_are_welcome():
    network = random_network("gru")
    inputs, gradient, start = random_question(network, steps=4)
    inputs, gradient = inputs.astype(np.float32), gradient.astype(np.float32)
    flow = rnnviz.bptt(network, inputs.tolist(), gradient, start[0])
    same = rnnviz.bptt(network, inputs.astype(float), gradient.astype(float), start)
    np.testing.assert_array_equal(flow.adjoint, same.adjoint)
