"""`rnnviz.trace` against autograd: the module's own gradients, and those of an unrolled copy of each sequence."""

import copy
import io
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import rnnviz
from rnnviz.core.bptt import backpropagate
from rnnviz.core.unroll import unroll
from rnnviz.learning.modules import network_of
from rnnviz.learning.oracle import TorchNetwork
from tests.support import assert_clear, assert_close, log10_norm, refusal

LENGTHS, D, H = (4, 6, 1, 6), 3, 4
MODULES = {"rnn": nn.RNN, "relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
LAYOUTS = ("time first", "batch first", "unbatched", "packed", "packed, sorted")
CELLS = {"rnn": nn.RNNCell, "relu": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def module_of(kind, table=MODULES, **settings):
    settings |= {"nonlinearity": "relu"} if kind == "relu" else {}
    module = table[kind](D, H, **settings).double()
    for number, value in enumerate(module.parameters()):
        value.data = 0.6 * drawn(*value.shape, seed=number)
    return module


def sequences(layout):
    """Four sequences (T, D), of one length unless they are packed; one alone for an unbatched module."""
    lengths = LENGTHS if "packed" in layout else (5,) if layout == "unbatched" else (5, 5, 5)
    lengths = sorted(lengths, reverse=True) if layout == "packed, sorted" else lengths
    return [drawn(length, D, seed=90 + b) for b, length in enumerate(lengths)]


def laid_out(layout, each):
    if "packed" in layout:
        return pack_sequence(each, enforce_sorted=layout == "packed, sorted")
    return each[0] if layout == "unbatched" else torch.stack(each, dim=0 if layout == "batch first" else 1)


def start_of(module, layout, batch):
    """(S, B, H) for every part of the state."""
    streams = module.num_layers * (1 + module.bidirectional)
    return [drawn(streams, batch, H, seed=70 + part) for part in range(1 + isinstance(module, nn.LSTM))]


def as_given(parts, layout):
    parts = [part[:, 0] if layout == "unbatched" else part for part in parts]
    return tuple(parts) if len(parts) > 1 else parts[0]


def real_loss(output, state):
    """Depends on every output and every part of every stream's final state, each in its own way."""
    output = output.data if isinstance(output, PackedSequence) else output
    parts = state if isinstance(state, tuple) else (state,)
    return output.pow(2).sum() + output.sin().sum() + sum((i + 2) * part.pow(3).sum() for i, part in enumerate(parts))


def unrolled_by_autograd(module, each, start):
    """The same loss over one sequence at a time, step by step: a TorchNetwork each."""
    network, found = network_of(module), []
    for b, sequence in enumerate(each):
        begin = None if start is None else tuple(part[:, b : b + 1].numpy() for part in start)
        one = TorchNetwork(network, sequence[:, None].numpy(), begin if begin is None or len(begin) > 1 else begin[0])
        loss = one.output.pow(2).sum() + one.output.sin().sum()
        for stream in one.streams:
            end = 0 if stream.stream.reverse else -1
            loss = loss + 2 * stream.states["adjoint"][end].pow(3).sum()
            if "cell" in stream.states:
                loss = loss + 3 * stream.states["carried_cell_adjoint"][end].pow(3).sum()
        loss.backward()
        found.append(one)
    return found


@pytest.mark.parametrize(
    ("kind", "layers", "both", "layout", "given"),
    [*product(MODULES, (1, 2), (False, True), LAYOUTS, (0, 1))],
)
def test_it_equals_autograd_inside_and_out(kind, layers, both, layout, given):
    module = module_of(
        kind, num_layers=layers, bidirectional=both, bias=bool(given), batch_first=layout == "batch first"
    )
    each = sequences(layout)
    start = start_of(module, layout, len(each)) if given else None
    inputs = [sequence.clone().requires_grad_() for sequence in each]
    state = None if start is None else as_given(start, layout)

    flow = rnnviz.trace(module, laid_out(layout, each), real_loss, state)

    real_loss(*module(laid_out(layout, inputs), state)).backward()
    for name, value in module.named_parameters():
        assert_close(flow.parameter_gradients[name], value.grad)
    for b, sequence in enumerate(inputs):
        assert_close(flow.input_gradient[: len(sequence), b], sequence.grad)
        assert not flow.input_gradient[len(sequence) :, b].any()
    for b, one in enumerate(unrolled_by_autograd(module, each, start)):
        steps = len(each[b])
        for s, stream in enumerate(one.streams):
            for name, read in (("hidden", "value"), ("adjoint", "grad"), ("cell", "value"), ("cell_adjoint", "grad")):
                if name not in stream.states:
                    continue
                theirs = [(t.detach() if read == "value" else t.grad)[0].numpy() for t in stream.states[name]]
                ours = getattr(flow, name)[s, :, b]
                assert_close(ours[: steps + 1], np.array(theirs))
                assert not ours[steps + 1 :].any()
            norms = np.linalg.norm([t.grad.numpy() for t in stream.states["adjoint"]], axis=(1, 2))
            np.testing.assert_allclose(10 ** flow.log10_norm[s, : steps + 1, b], norms, rtol=1e-10)
            assert (flow.log10_norm[s, steps + 1 :, b] == -np.inf).all()


def test_the_parts_of_each_step_add_up_over_sequences_of_several_lengths():
    module = module_of("gru", bidirectional=True)
    each = sequences("packed")
    flow = rnnviz.trace(module, laid_out("packed", each), "every")
    network, longest = network_of(module), max(LENGTHS)
    parts = {name: np.zeros((longest, *value.shape)) for name, value in network.parameters.items()}
    for sequence in each:
        alone = rnnviz.trace(module, sequence, "every")
        for s, stream in enumerate(alone.streams):
            # one sequence, so that each step's part is a product of two vectors: found by truncating the sum
            for name in (f"bias_ih_{stream.suffix}",):
                parts[name][: len(sequence)] += step_parts(module, sequence, s, name)
    for name in ("bias_ih_l0", "bias_ih_l0_reverse"):
        sizes = np.linalg.norm(parts[name], axis=1)
        np.testing.assert_allclose(flow.parameter_step_norms[name], sizes, rtol=1e-10)


def step_parts(module, sequence, s, name):
    """(T, G·H): what each step adds to a bias' gradient, by giving each step a bias of its own."""
    weight = module.weight_ih_l0_reverse if s else module.weight_ih_l0
    extra = torch.zeros(len(sequence), len(weight), dtype=torch.float64, requires_grad=True)
    recurrent = copy.deepcopy(module)
    ones = torch.ones(len(weight), dtype=torch.float64)
    # W x + b + e_t = [W, I] [x_t; e_t] + b
    wide = nn.GRU(D + len(ones), H, bidirectional=True).double()
    for key, value in recurrent.named_parameters():
        if key.startswith("weight_ih"):
            own = torch.eye(len(ones)) if key == name.replace("bias", "weight") else torch.zeros(len(ones), len(ones))
            value = torch.cat((value.data, own.double()), dim=1)
        getattr(wide, key).data = value.data
    wide(torch.cat((sequence, extra), dim=1))[0].sum().backward()
    return extra.grad.numpy()


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_cell_equals_a_loop_over_it(kind, batched, bias):
    cell = module_of(kind, CELLS, bias=bias)
    inputs = drawn(6, 2, D) if batched else drawn(6, D)
    start = [drawn(*((2, H) if batched else (H,)), seed=5 + part) for part in range(1 + (kind == "lstm"))]
    state = tuple(start) if kind == "lstm" else start[0]
    flow = rnnviz.trace(cell, inputs, real_loss, state)
    outputs = []
    for x in inputs:
        state = cell(x, state)
        outputs.append(state[0] if kind == "lstm" else state)
        outputs[-1].retain_grad()
    real_loss(torch.stack(outputs), state).backward()
    for name, value in cell.named_parameters():
        assert_close(flow.parameter_gradients[f"{name}_l0"], value.grad)
    adjoint = torch.stack([h.grad for h in outputs])
    assert_close(flow.adjoint[0, 1:], adjoint if batched else adjoint[:, None])


@pytest.mark.parametrize("layout", ["time first", "batch first", "unbatched", "packed"])
@pytest.mark.parametrize("loss", ["last", "every", "array"])
def test_the_losses_that_need_no_function(layout, loss):
    module = module_of("lstm", num_layers=2, bidirectional=True, batch_first=layout == "batch first")
    inputs = laid_out(layout, sequences(layout))
    output, (h_n, _) = module(inputs)
    data = output.data if layout == "packed" else output
    gradient = drawn(*data.shape, seed=3)
    value = {"last": h_n[-2:].sum(), "every": data.sum(), "array": (data * gradient).sum()}[loss]
    value.backward()
    flow = rnnviz.trace(module, inputs, gradient if loss == "array" else loss)
    for name, parameter in module.named_parameters():
        assert_close(flow.parameter_gradients[name], parameter.grad)
    if loss == "array":
        wrapped = output._replace(data=gradient) if layout == "packed" else gradient.numpy()
        np.testing.assert_array_equal(rnnviz.trace(module, inputs, wrapped).adjoint, flow.adjoint)


@pytest.mark.parametrize("layout", ["time first", "batch first", "packed"])
@pytest.mark.parametrize("kind", MODULES)
def test_itemised_gradients_are_those_of_one_loss_a_time(kind, layout):
    module = module_of(kind, num_layers=2, bidirectional=True, batch_first=layout == "batch first")
    inputs = laid_out(layout, sequences(layout))

    def loss(output, step=None):
        output = pad_packed_sequence(output)[0] if layout == "packed" else output
        return (output if step is None else output.select(int(layout == "batch first"), step)).sin().sum()

    flow = rnnviz.trace(module, inputs, loss, want=rnnviz.ItemisedFlow)
    assert flow.sources.tolist() == list(range(1, flow.steps + 1))
    for step in range(flow.steps):
        alone = rnnviz.trace(module, inputs, lambda output, step=step: loss(output, step)).adjoint
        np.testing.assert_allclose(flow.log10_norm[:, step], log10_norm(alone.reshape(*alone.shape[:2], -1)), atol=1e-9)


def test_itemised_gradients_of_a_loss_that_enters_below_the_outputs_are_refused():
    module, inputs, want = module_of("lstm", num_layers=2), torch.ones(5, 2, D).double(), rnnviz.ItemisedFlow
    assert_clear(refusal(rnnviz.trace, module, inputs, lambda output, state: state[1].sum(), want=want), "want")
    assert_clear(refusal(rnnviz.trace, module, inputs, want=str), "want")
    assert rnnviz.trace(module, inputs, "last", want=want).has_loss(1).tolist() == [False] * 4 + [True]


def test_a_head_in_float32_reads_float32_and_the_recurrent_part_stays_in_float64():
    module, head = module_of("gru").float(), nn.Linear(H, 2)
    inputs, seen = drawn(5, 3, D).float(), []

    def loss(output):
        seen.append(output.dtype)
        return head(output[-1]).square().mean()

    flow = rnnviz.trace(module, inputs, loss)
    assert seen == [torch.float32]
    entering = torch.autograd.grad(loss(given := module(inputs)[0].detach().requires_grad_()), given)[0]
    double = copy.deepcopy(module).double()
    (double(inputs.double())[0] * entering).sum().backward()
    for name, value in double.named_parameters():
        assert_close(flow.parameter_gradients[name], value.grad, rtol=1e-5)
    module.zero_grad()
    loss(module(inputs)[0]).backward()
    for name, value in module.named_parameters():  # float32 against float64: measured, some 1e-7 of the largest
        difference = np.abs(flow.parameter_gradients[name] - value.grad.numpy()).max()
        assert difference < 2e-6 * value.grad.abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_taken_as_they_are(dtype):
    module, inputs = module_of("rnn").to(dtype), drawn(5, 2, D).to(dtype)
    flow = rnnviz.trace(module, inputs)
    double = copy.deepcopy(module).double()
    double(inputs.double())[1].sum().backward()
    assert_close(flow.parameter_gradients["weight_hh_l0"], double.weight_hh_l0.grad)


def test_the_module_is_left_alone():
    module = module_of("lstm", num_layers=2, dropout=0.5).eval()
    before, attributes = copy.deepcopy(module.state_dict()), set(vars(module))
    rnnviz.trace(module, drawn(5, 2, D), real_loss)
    assert all(value.grad is None for value in module.parameters())
    assert not module.training
    assert set(vars(module)) == attributes
    assert not module._forward_hooks
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_it_works_under_no_grad_and_inference_mode():
    module, inputs = module_of("gru"), drawn(5, 2, D)
    wanted = rnnviz.trace(module, inputs, real_loss).adjoint
    with torch.no_grad():
        np.testing.assert_array_equal(rnnviz.trace(module, inputs, real_loss).adjoint, wanted)
    with torch.inference_mode():
        np.testing.assert_array_equal(rnnviz.trace(module, inputs, real_loss).adjoint, wanted)


class Own(nn.LSTM):
    def forward(self, inputs, hx=None):
        return super().forward(2 * inputs, hx)


class Inherits(nn.LSTM):
    pass


def spoiled(module, value=float("nan")):
    module.weight_hh_l0.data[0, 0] = value
    return module


INPUTS = drawn(5, 2, D)
REFUSED = {
    "dropout": (lambda: nn.LSTM(D, H, num_layers=2, dropout=0.1), INPUTS, {}, "module", "call .eval()"),
    "projection": (lambda: nn.LSTM(D, H, proj_size=2), INPUTS, {}, "module", "proj_size=0"),
    "own forward": (lambda: Own(D, H), INPUTS, {}, "module", "overrides that of LSTM"),
    "no recurrence": (lambda: nn.Linear(D, H), INPUTS, {}, "module", "got a Linear"),
    "scripted": (lambda: "a script", INPUTS, {}, "module", "not compiled, scripted or quantised"),
    "reparametrised": (
        lambda: nn.utils.parametrizations.weight_norm(nn.GRU(D, H), "weight_hh_l0"), INPUTS, {}, "module", "plain"),
    "meta": (lambda: nn.GRU(D, H, device="meta"), INPUTS, {}, "module", "meta device"),
    "NaN weights": (lambda: spoiled(nn.GRU(D, H)), INPUTS, {}, "weight_hh_l0", "must be finite, got nan"),
    "NaN inputs": (lambda: nn.GRU(D, H), INPUTS * float("nan"), {}, "inputs", "must be finite, got nan"),
    "whole numbers": (lambda: nn.GRU(D, H), INPUTS.long(), {}, "inputs", "got torch.int64; embed"),
    "numpy's whole numbers": (lambda: nn.GRU(D, H), INPUTS.long().numpy(), {}, "inputs", "got int64; embed"),
    "meta inputs": (lambda: nn.GRU(D, H), INPUTS.to("meta"), {}, "inputs", "meta device"),
    "too wide": (lambda: nn.GRU(D, H), drawn(5, 2, D + 1), {}, "inputs", "(T, B, 3) for this module, got (5, 2, 4)"),
    "batch first, too wide": (lambda: nn.GRU(D, H, batch_first=True), drawn(2, 5, 4), {}, "inputs", "(B, T, 3)"),
    "one axis": (lambda: nn.GRU(D, H), drawn(5), {}, "inputs", "(T, B, D) or (T, D)"),
    "no steps": (lambda: nn.GRU(D, H), drawn(0, 2, D), {}, "inputs", "none of them 0"),
    "a packed cell": (lambda: nn.GRUCell(D, H), pack_sequence([drawn(3, D)]), {}, "inputs", "got a PackedSequence"),
    "h0 alone": (lambda: nn.LSTM(D, H), INPUTS, {"initial_state": drawn(1, 2, H)}, "initial_state", "pair (h0, c0)"),
    "h0's shape": (lambda: nn.GRU(D, H), INPUTS, {"initial_state": drawn(2, 2, H)}, "h0", "(1, 2, 4), got (2, 2, 4)"),
    "a loss's name": (lambda: nn.GRU(D, H), INPUTS, {"loss": "first"}, "loss", "'last' or 'every', got 'first'"),
    "a loss's shape": (lambda: nn.GRU(D, H), INPUTS, {"loss": drawn(5, 1, H)}, "loss", "(5, 2, 4), got (5, 1, 4)"),
    "no scalar": (lambda: nn.GRU(D, H), INPUTS, {"loss": lambda output: output}, "loss", "a tensor with one number"),
    "a number": (lambda: nn.GRU(D, H), INPUTS, {"loss": lambda output: 1.0}, "loss", "one number, got 1.0"),
    "detached": (lambda: nn.GRU(D, H), INPUTS, {"loss": lambda output: output.detach().sum()}, "loss", "no graph"),
    "three arguments": (lambda: nn.GRU(D, H), INPUTS, {"loss": lambda a, b, c: a}, "loss", "function of 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_replayed_is_refused_in_a_sentence(case):
    make, inputs, settings, field, words = REFUSED[case]
    message = refusal(rnnviz.trace, make(), inputs, **settings)
    assert_clear(message, field)
    assert words in message, message


def test_a_quantised_module_is_refused():
    quantised = type("LSTM", (nn.Module,), {})()
    assert "got a LSTM" in refusal(rnnviz.trace, quantised, INPUTS)


def test_what_inherits_and_changes_nothing_is_traced():
    assert rnnviz.trace(Inherits(D, H), INPUTS).steps == 5


def test_what_enters_at_the_final_states_meets_clipping_and_truncation_as_any_loss_does():
    unrolled, end = unroll(network_of(module_of("lstm")), np.ones((5, 2, D))), np.ones((1, 2, H))
    nowhere, at_end = np.zeros((5, 2, H)), np.zeros((5, 2, H))
    at_end[-1] = 1.0
    for settings in ((None, None), (None, rnnviz.Truncation("chunked", 2)), (rnnviz.SignalClip("hidden_norm", 0.1),)):
        ours = backpropagate(unrolled, nowhere, *settings, state_gradient=(end, 0 * end))
        theirs = backpropagate(unrolled, at_end, *settings)
        for name in ("adjoint", "cell_adjoint", "loss_log10_norm", "input_gradient"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    sliding = rnnviz.Truncation("sliding", 3)
    message = refusal(backpropagate, unrolled, nowhere, None, sliding, state_gradient=(end, end))
    assert "state_gradient: must be None with a sliding truncation" in message


def test_gradients_far_below_float64_keep_their_norms():
    module = nn.RNN(1, 1, bias=False).double()
    module.weight_hh_l0.data[:], module.weight_ih_l0.data[:] = 1e-3, 1.0
    flow = rnnviz.trace(module, torch.zeros(1000, 1, 1))
    np.testing.assert_allclose(flow.log10_norm[0, :, 0], np.arange(-3000, 1, 3.0), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_packed_batch_reads_as_its_longest_sequence_alone(kind, bidirectional):
    torch.manual_seed(0)
    module = kind(3, 6, bidirectional=bidirectional, num_layers=2)
    inputs = torch.randn(20, 4, 3)
    packed = pack_padded_sequence(inputs, torch.tensor([5, 20, 12, 9]), enforce_sorted=False)
    flow, alone = rnnviz.trace(module, packed), rnnviz.trace(module, inputs[:, 1:2])
    assert flow.lengths.tolist() == [5, 20, 12, 9]
    for ours, theirs in zip(flow.readings, alone.readings, strict=True):
        assert (ours.sentence, ours.memory_horizon, ours.steps) == (
            theirs.sentence,
            theirs.memory_horizon,
            theirs.steps,
        )
        np.testing.assert_allclose(ours.growth_per_step, theirs.growth_per_step, rtol=1e-9)
    assert flow.findings == (
        "The sequences have 5 to 20 steps; growth and memory horizon are those of the longest.",
        *alone.findings,
    )
    own = [np.abs(flow.hidden[0, : length + 1, row]).mean() for row, length in enumerate(flow.lengths)]
    np.testing.assert_allclose(flow.mean_state(), np.average(own, weights=flow.lengths + 1))
    file = io.BytesIO()
    flow.save(file)
    assert rnnviz.load(file).verdict == flow.verdict
    assert len(flow.to_frame()) == len(flow.streams) * (flow.lengths + 1).sum()
    ours, theirs = (np.array(each.figure("units").data[0].z, float) for each in (flow, alone))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("place", [1, 2])
def test_a_loss_on_a_final_state_is_where_the_readings_begin(place):
    torch.manual_seed(0)
    lstm, inputs = nn.LSTM(3, 6, num_layers=2), torch.randn(30, 2, 3)
    both = rnnviz.trace(lstm, inputs, lambda output, state: 1e-6 * output[4].sum() + state[place - 1].sum())
    late = rnnviz.trace(lstm, inputs, lambda output, state: state[place - 1].sum())
    for flow in (both, late):
        assert [reading.steps for reading in flow.readings] == [29, 29]
        assert np.isfinite(flow.loss_log10_norm[:, -1]).all()
    np.testing.assert_allclose(late.verdict.decades, late.profile[1, 1] - late.profile[1, 30])
    assert np.isfinite(both.loss_log10_norm[1, 4]).all()
    assert (both.loss_log10_norm[0, 4] == -np.inf).all()
    np.testing.assert_allclose(late.loss_log10_norm[:, -1], np.log10(np.sqrt(6.0)))
