"""`rnnviz.watch` against autograd in real training loops, and the model left as it was."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.checkpoint import checkpoint

import rnnviz
from rnnviz.learning.callbacks import report
from rnnviz.learning.watching import gradient_norm
from tests.support import assert_clear, assert_close, refusal

T, B, D, H = 9, 3, 4, 5


class Tagger(nn.Module):
    """An encoder whose state starts a decoder, as sequence-to-sequence models do."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.encoder = nn.LSTM(D, H, num_layers=2, batch_first=True, dropout=dropout)
        self.inner = nn.ModuleDict({"decoder": nn.LSTM(D, H, num_layers=2, batch_first=True)})
        self.head = nn.Linear(H, 2)

    def forward(self, inputs):
        _, state = self.encoder(inputs)
        output, _ = self.inner["decoder"](inputs, state)
        return self.head(output)


def made(kind=Tagger, dtype=torch.float64, **settings):
    torch.manual_seed(3)
    return kind(**settings).to(dtype)


def batches(count=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(B, T, D, dtype=dtype, generator=generator) for _ in range(count)]


def trained(model, updates=6, dtype=torch.float32):
    """A loop as anybody writes it; gives the weights after every update."""
    optimiser, course = torch.optim.Adam(model.parameters(), lr=0.01), []
    for inputs in batches(updates, dtype):
        optimiser.zero_grad()
        model(inputs).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimiser.step()
        course.append([value.detach().clone() for value in model.parameters()])
    return course


def assert_same_gradients(flow, module, rtol=1e-10):
    for name, value in module.named_parameters():
        assert_close(flow.parameter_gradients[name], value.grad.double(), rtol=rtol)


def test_each_module_is_replayed_with_what_the_real_loss_sent_into_it():
    model = made()
    with rnnviz.watch(model) as watch:
        model(batches()[0]).square().mean().backward()
    assert watch.names == ("encoder", "inner.decoder")
    assert_same_gradients(watch.flows["encoder"], model.encoder)  # through h_n and c_n of both layers alone
    assert_same_gradients(watch.flows["inner.decoder"], model.inner["decoder"])


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_model_may_be_the_module_and_its_sequences_packed(kind, dtype):
    module = made(lambda: kind(D, H, bidirectional=True), dtype)
    packed = pack_sequence([torch.randn(n, D, dtype=dtype) for n in (3, 7, 5)], enforce_sorted=False)
    with rnnviz.watch(module) as watch:
        output, state = module(packed)
        (output.data.sin().sum() + (state[0] if kind is nn.LSTM else state).square().sum()).backward()
    # float32: measured 1e-7 to 4e-7 of the largest entry
    assert_same_gradients(watch.flows[kind.__name__], module, 1e-10 if dtype == torch.float64 else 1e-4)
    assert watch.horizon() == watch.flows[kind.__name__].verdict.memory_horizon


def test_float32_differs_by_its_rounding_alone():
    model = made(dtype=torch.float32)
    with rnnviz.watch(model) as watch:
        model(batches(dtype=torch.float32)[0]).square().mean().backward()
    for name, value in model.encoder.named_parameters():
        ours, theirs = watch.flows["encoder"].parameter_gradients[name], value.grad.double().numpy()
        assert 0 < np.linalg.norm(ours - theirs) < 2e-6 * np.linalg.norm(theirs)


def test_training_is_the_same_bit_for_bit_and_the_model_as_it_was():
    alone, model = made(dtype=torch.float32), made(dtype=torch.float32)
    wanted, before = trained(alone), {name: dict(vars(module)) for name, module in model.named_modules()}
    with rnnviz.watch(model, every=2) as watch:
        assert list(model.state_dict()) == list(alone.state_dict())
        course = trained(model)
    for ours, theirs in zip(course, wanted, strict=True):
        assert all(map(torch.equal, ours, theirs))
    assert [frame.update for frame in watch.frames] == [2, 4, 6]
    for name, module in model.named_modules():
        assert vars(module).keys() == before[name].keys()
        assert not module._forward_hooks
        assert not module._forward_hooks_with_kwargs
        assert not module._backward_hooks
        assert not module._forward_pre_hooks


def test_the_film_strip_holds_what_the_flows_say_and_memory_is_bounded():
    model = made(dtype=torch.float32)
    with rnnviz.watch(model, keep=2) as watch:
        trained(model, 4)
    assert [frame.update for frame in watch.frames] == [1, 2, 3, 4]
    assert list(watch.kept) == [3, 4]
    glimpse, flow = watch.frames[-1].modules["encoder"], watch.kept[4]["encoder"]
    assert watch.flows["encoder"] is flow
    np.testing.assert_array_equal(glimpse.profile, flow.profile)
    np.testing.assert_array_equal(glimpse.growth, flow.growth_per_step)
    np.testing.assert_array_equal(glimpse.horizon, flow.memory_horizon)
    assert watch.horizon("encoder") == flow.verdict.memory_horizon


def test_what_waits_to_be_replayed_is_bounded_too(monkeypatch):
    model, same = made(dtype=torch.float32), made(dtype=torch.float32)
    with rnnviz.watch(model) as watch:
        trained(model, 4)
    one = watch.frames[0].waiting
    noted = [sum(value.nbytes for value in module.parameters()) for module in (model.encoder, model.inner["decoder"])]
    assert sum(noted) + 2 * B * T * D * 4 <= one < sum(noted) + 20 * B * T * H * 4
    monkeypatch.setattr("rnnviz.learning.watching.NOTES_BYTES", 2 * one)
    with rnnviz.watch(same) as bounded:
        trained(same, 4)
    assert [frame.waiting for frame in bounded.frames] == [0, 0, one, one]
    for ours, theirs in zip(bounded.frames, watch.frames, strict=True):
        np.testing.assert_array_equal(ours.modules["encoder"].profile, theirs.modules["encoder"].profile)
    assert not any(frame.waiting or frame.notes for frame in bounded.frames)


def test_the_weights_are_those_of_the_forward_pass():
    module, inputs = made(lambda: nn.GRU(D, H, batch_first=True)), batches()[0]
    before = copy.deepcopy(module)
    steps = [torch.optim.SGD([value], lr=1.0) for value in module.parameters()]
    handles = [
        value.register_post_accumulate_grad_hook(lambda _, step=step: step.step())  # updates within the backward pass
        for value, step in zip(module.parameters(), steps, strict=True)
    ]
    with rnnviz.watch(module) as watch:
        given = inputs.clone()
        loss = module(given)[0].square().sum()
        loss.backward()
        given.zero_()
    before(inputs)[0].square().sum().backward()
    assert not torch.equal(before.weight_hh_l0, module.weight_hh_l0)
    assert_same_gradients(watch.flows["GRU"], before)
    assert len(handles) == 4


def test_the_gradient_before_a_state_is_changed_in_place_is_that_of_the_module():
    module = made(lambda: nn.RNN(D, H, batch_first=True))
    with rnnviz.watch(module) as watch:
        output, _ = module(batches()[0])
        output = output * 1.0
        output.mul_(3.0)
        output.sin().sum().backward()
    assert_same_gradients(watch.flows["RNN"], module)


@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"batch_first": True, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("change", [lambda o: o.mul_(3.0), lambda o: o.relu_(), lambda o: o[:, 1:].add_(o[:, :-1] * 2)])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_an_output_that_is_changed_in_place_is_heard_as_it_was(kind, change, settings):
    """With `batch_first` an LSTM's output is a view of what it made, and torch hangs the change behind that."""
    module, inputs = made(lambda: kind(D, H, **settings)), batches()[0]
    inputs.requires_grad_()
    with rnnviz.watch(module) as watch:
        output, state = module(inputs)
        change(output)
        (output.square().sum() + (state[0] if kind is nn.LSTM else state).sin().sum()).backward()
    (flow,) = watch.flows.values()
    assert_same_gradients(flow, module)
    gradient = flow.input_gradient.swapaxes(0, 1) if "batch_first" in settings else flow.input_gradient
    assert_close(gradient, inputs.grad)


@pytest.mark.parametrize("batched", [True, False])
def test_without_a_batch_axis_too(batched):
    module, inputs = made(lambda: nn.LSTM(D, H, batch_first=True)), batches()[0]
    with rnnviz.watch(module) as watch:
        output, (h, _) = module(inputs if batched else inputs[0])
        output.mul_(2.0)
        (output.square().sum() + h.mul_(3.0).sum()).backward()
    assert_same_gradients(watch.flows["LSTM"], module)


def test_a_global_hook_that_changes_the_output_is_not_mistaken_for_the_module():
    module = made(lambda: nn.GRU(D, H))
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, output: (output[0] * 3, output[1]) if isinstance(module, nn.GRU) else None
    )
    try:
        with rnnviz.watch(module) as watch:
            module(batches()[0])[0].sum().backward()
    finally:
        handle.remove()
    assert watch.flows == {}
    assert_clear(refusal(watch.horizon), "module 'GRU'")
    assert "away from its replay" in refusal(watch.horizon)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_where_every_step_has_a_loss_the_horizon_is_that_of_the_last_one_alone(cell):
    """The total stays large at every step, whatever the network forgets."""
    module = made(lambda: {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](D, H))
    inputs = torch.randn(40, B, D, dtype=torch.float64)
    with torch.no_grad():
        module.weight_hh_l0.mul_(0.3)
    with rnnviz.watch(module) as watch:
        module(inputs)[0].square().sum().backward()
        glimpse = watch.frames[0].modules[watch.names[0]]
    total = watch.flows[watch.names[0]]
    assert total.verdict.refilled
    assert total.verdict.memory_horizon == 39
    output = module(inputs)[0].detach().numpy()
    last = np.zeros((40, B, H))
    last[-1] = 2 * output[-1]
    alone = rnnviz.trace(module, inputs, last)
    assert watch.horizon() == alone.verdict.memory_horizon < 20
    assert glimpse.entries == 40
    np.testing.assert_allclose(glimpse.curve, alone.profile[0, 1:], rtol=1e-9)
    assert f"reaches {alone.verdict.memory_horizon} of 39 steps" in watch.figure().layout.title.text.replace(
        "<br>", " "
    )


def test_of_a_padded_batch_the_horizon_is_that_of_its_longest_sequences():
    module, inputs, lengths = made(lambda: nn.GRU(D, H)), batches()[0].swapaxes(0, 1), torch.tensor([5, 9, 7])
    with rnnviz.watch(module) as watch:
        module(inputs)[0][lengths - 1, torch.arange(B)].sum().backward()
    only = np.zeros((T, B, H))
    only[-1, 1] = 1.0
    assert watch.frames[0].modules["GRU"].entries == 3
    assert watch.horizon() == rnnviz.trace(module, inputs, only).verdict.memory_horizon


def test_a_module_that_is_called_several_times_has_a_flow_for_each_call_in_order():
    module, (first, second) = made(lambda: nn.GRU(D, H, batch_first=True)), batches(2)
    with rnnviz.watch(module) as watch:
        output, state = module(first)
        again, _ = module(second, 2 * state)
        (output.sum() + again.square().sum()).backward()
    flows = [watch.flows[name] for name in ("GRU", "GRU#2")]
    for name, value in module.named_parameters():
        assert_close(sum(flow.parameter_gradients[name] for flow in flows), value.grad)
    assert_close(flows[1].hidden[0, 0], 2 * state[0].detach())
    assert_close(2 * flows[1].adjoint[0, 0], flows[0].adjoint[0, -1] - 1.0)  # the first loss adds 1 to each last state


def test_passes_without_gradient_do_not_count():
    module = made(lambda: nn.GRU(D, H))
    with rnnviz.watch(module) as watch:
        with torch.no_grad():
            module(torch.ones(4, 2, D).double())
        module.eval()(torch.ones(4, 2, D).double())  # never gone back through
        module.requires_grad_(False)(torch.ones(4, 2, D).double())
    assert (watch.update, watch.frames, watch.flows) == (0, [], {})


def test_every_backward_pass_counts_when_gradients_accumulate():
    module = made(lambda: nn.GRU(D, H, batch_first=True))
    total = {name: 0.0 for name, _ in module.named_parameters()}
    with rnnviz.watch(module, keep=3) as watch:
        for inputs in batches(3):
            module(inputs)[1].sum().backward()
    for flows in watch.kept.values():
        total = {name: value + flows["GRU"].parameter_gradients[name] for name, value in total.items()}
    for name, value in module.named_parameters():
        assert_close(total[name], value.grad)
    assert watch.frames[-1].gradient_norm == gradient_norm(module)


def test_a_second_pass_through_a_kept_graph_has_a_flow_of_its_own():
    module = made(lambda: nn.GRU(D, H, batch_first=True))
    with rnnviz.watch(module) as watch:
        output, _ = module(batches()[0])
        output.sum().backward(retain_graph=True)
        module.zero_grad()
        output.square().sum().backward()
    assert watch.update == 2
    assert_same_gradients(watch.flows["GRU"], module)


def test_when_the_forward_passes_come_first_the_next_watched_one_makes_the_frame():
    module, (first, second) = made(lambda: nn.GRU(D, H, batch_first=True)), batches(2)
    with rnnviz.watch(module, every=2) as watch:
        losses = [module(inputs)[0].sum() for inputs in (first, second)]
        for loss in losses:
            loss.backward()
        assert not watch.frames  # neither forward pass was the one before the second backward pass
        module.zero_grad()
        module(first)[0].sum().backward()
    assert [frame.update for frame in watch.frames] == [3]
    assert_same_gradients(watch.flows["GRU"], module)


def test_a_backward_pass_that_fails_leaves_nothing_behind():
    module = made(lambda: nn.GRU(D, H, batch_first=True))

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ValueError("on purpose")

    with rnnviz.watch(module) as watch:
        inputs = batches()[0]
        bad = module(Fails.apply(inputs.requires_grad_()))[0].sum()
        with pytest.raises(ValueError, match="on purpose"):
            bad.backward()
        module.zero_grad()
        module(inputs.detach())[0].square().sum().backward()
    assert watch.update == 1
    assert_same_gradients(watch.flows["GRU"], module)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_lose_nothing(reentrant):
    model = made(lambda: nn.ModuleDict({name: nn.GRU(D, D, batch_first=True) for name in ("first", "second", "third")}))
    with rnnviz.watch(model, keep=2) as watch:
        states = model["first"](batches()[0].requires_grad_())[0]
        states = checkpoint(lambda given: model["second"](given)[0], states, use_reentrant=reentrant)
        model["third"](states)[0].square().sum().backward()
    assert watch.update == 1 + reentrant
    for name, module in model.items():
        assert_same_gradients(watch.flows[name], module)


def test_the_norm_counts_sparse_gradients_too():
    model = nn.Sequential(nn.Embedding(9, D, sparse=True), nn.GRU(D, H))
    model(torch.tensor([[1, 2], [1, 3]]))[0].sum().backward()
    squares = [value.grad.to_dense().square().sum() for value in model.parameters()]
    assert gradient_norm(model) == pytest.approx(float(sum(squares)) ** 0.5, rel=1e-6)


def test_a_module_that_the_loss_does_not_reach_has_no_flow():
    model = made()
    with rnnviz.watch(model) as watch:
        model.encoder(batches()[0])
        model.inner["decoder"](batches()[0])[0].sum().backward()
    assert list(watch.flows) == ["inner.decoder"]
    assert list(watch.frames[0].modules) == ["inner.decoder"]


def test_under_autocast_it_differs_by_the_rounding_of_bfloat16():
    model, inputs = made(dtype=torch.float32), batches(dtype=torch.float32)[0]
    with rnnviz.watch(model) as watch, torch.autocast("cpu", torch.bfloat16):
        model(inputs).square().mean().backward()
    for name, module in (("encoder", model.encoder), ("inner.decoder", model.inner["decoder"])):
        for key, value in module.named_parameters():
            ours, theirs = watch.flows[name].parameter_gradients[key], value.grad.double().numpy()
            assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs), key


def test_a_loss_that_is_scaled_moves_the_norms_and_neither_growth_nor_horizon():
    model, inputs = made(), batches()[0]
    with rnnviz.watch(model, keep=2) as watch:
        for factor in (1.0, 2.0**16):
            (factor * model(inputs).square().mean()).backward()
    plain, scaled = (flows["encoder"] for flows in watch.kept.values())
    assert_close(scaled.profile, plain.profile + 16 * np.log10(2.0))
    assert_close(scaled.growth_per_step, plain.growth_per_step)
    np.testing.assert_array_equal(scaled.memory_horizon, plain.memory_horizon)


def test_weights_that_are_not_finite_are_noted_and_do_not_stop_the_training():
    module = made(lambda: nn.GRU(D, H))
    module.weight_hh_l0.data[0, 0] = float("nan")
    with rnnviz.watch(module) as watch:
        module(torch.ones(4, 2, D).double())[0].sum().backward()
    glimpse = watch.frames[0].modules["GRU"]
    assert glimpse.profile is None
    assert glimpse.note == "module 'GRU', update 1: weight_hh_l0: must be finite, got nan at index (0, 0)."


def test_a_copied_or_pickled_model_is_not_watched():
    model = made()
    with rnnviz.watch(model) as watch:
        copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
        for other in copies:
            other(batches()[0]).sum().backward()
        assert watch.update == 0
        model(batches()[0]).sum().backward()
    assert watch.update == 1
    assert torch.equal(copies[0].encoder.weight_hh_l0.grad, model.encoder.weight_hh_l0.grad)


def test_an_error_within_the_block_takes_the_hooks_off():
    module = made(lambda: nn.GRU(D, H, batch_first=True))
    watch = rnnviz.watch(module)

    def fails():
        with watch:
            output.append(module(batches()[0])[0])
            raise KeyError

    output = []
    with pytest.raises(KeyError):
        fails()
    assert watch.closed
    assert not module._forward_hooks
    output[0].sum().backward()  # a pass that was heard
    assert watch.update == 1
    module(batches()[0])[0].sum().backward()  # and one that was not
    assert watch.update == 1


def test_it_works_without_a_with_statement_and_keeps_no_graph():
    module = made(lambda: nn.GRU(D, H, batch_first=True))
    watch = rnnviz.watch(module)
    module(batches()[0])[0].sum().backward()
    watch.close()
    watch.close()
    gc.collect()
    assert repr(watch) == "<Watch: GRU; 1 frames in 1 backward passes>"
    assert watch.flows["GRU"].steps == T


def test_one_of_several_modules_can_be_chosen_and_keywords_are_heard():
    model = made()
    with rnnviz.watch(model, only=("encoder",)) as watch:
        model.encoder(input=batches()[0], hx=None)[1][1].sum().backward()
    assert_same_gradients(watch.flows["encoder"], model.encoder)


class Loops(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.rnn = nn.LSTMCell(D, H), nn.RNN(D, H)


REFUSED = {
    "a projection": (lambda: nn.Sequential(nn.LSTM(D, H, proj_size=2)), {}, "module '0'", "proj_size=0, got 2"),
    "several": (lambda: [nn.GRU(D, H), nn.GRU(D, H)], {}, "model", "nn.ModuleList"),
    "no recurrence": (lambda: nn.Linear(2, 2), {}, "model", "got 'Linear'"),
    "no module": (lambda: "a model", {}, "model", "got 'a model'"),
    "wrapped": (lambda: nn.DataParallel(nn.GRU(D, H)), {}, "model", "got a DataParallel; watch the model itself"),
    "compiled": (
        lambda: torch.compile(nn.GRU(D, H), backend="eager"),
        {},
        "model",
        "got a OptimizedModule; watch the model itself",
    ),
    "every": (Tagger, {"every": 0}, "every", "of at least 1, got 0"),
    "keep": (Tagger, {"keep": 1.5}, "keep", "of at least 1, got 1.5"),
    "only": (Tagger, {"only": ("decoder",)}, "only", "'encoder' or 'inner.decoder', got 'decoder'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_watched_is_refused_in_a_sentence(case):
    make, settings, field, words = REFUSED[case]
    message = refusal(rnnviz.watch, make(), **settings)
    assert_clear(message, field)
    assert words in message, message


@pytest.mark.parametrize("only", ["rnn", ("rnn",)])
def test_one_module_alone_can_be_watched(only):
    with rnnviz.watch(Loops(), only=only) as watch:
        assert watch.names == ("rnn",)


def test_what_cannot_be_replayed_later_on_is_said_when_it_is_asked_for_and_never_stops_the_training():
    module = made(lambda: nn.RNN(D, H))
    with rnnviz.watch(module) as watch:
        module(torch.ones(3, 1, D).double())[0].sum().backward()
        assert watch.horizon() == 2
        loss = module(torch.ones(3, 1, D).double())[0].sum()
        torch.autograd.grad(loss, module.weight_hh_l0, create_graph=True)
        message = refusal(watch.horizon)
        module.forward = lambda *arguments: nn.RNN.forward(module, *arguments)
        module(torch.ones(3, 1, D).double())[0].sum().backward()
    assert_clear(message, "module 'RNN'")
    assert "create_graph" in message
    assert_clear(refusal(watch.horizon), "module 'RNN'")
    assert "forward" in refusal(watch.horizon)
    assert list(watch.strip()) == [1]


def test_a_gradient_that_is_not_a_number_has_no_horizon():
    module = made(lambda: nn.GRU(D, H))
    with rnnviz.watch(module) as watch:
        module(batches()[0])[0].sum().backward()
        (module(batches()[0])[0].sum() * float("nan")).backward()
    assert_clear(refusal(watch.horizon), "module 'GRU'")
    assert "NaN at update 2" in refusal(watch.horizon)
    sent = report(watch, log=lambda numbers: None)
    assert np.isnan(sent["GRU/memory_horizon"])


def test_a_look_at_the_latest_frame_replays_no_other():
    module = made(lambda: nn.GRU(D, H))
    with rnnviz.watch(module) as watch:
        for _ in range(3):
            module(batches()[0])[0].sum().backward()
    assert watch.horizon() == watch.frames[-1].modules["GRU"].verdict.memory_horizon
    assert [frame.waiting > 0 for frame in watch.frames] == [True, True, False]
    assert repr(watch.frames[0]) == "<Frame: update 1; GRU>"


def test_why_there_is_no_frame_yet_is_a_sentence():
    model = made()
    with rnnviz.watch(model, every=3) as watch:
        model.encoder.forward(batches()[0])
        assert_clear(refusal(watch.horizon, "encoder"), "forward()")
        loss = model(batches()[0]).sum()
        assert_clear(refusal(watch.horizon), "backward pass that reaches 'encoder' or 'inner.decoder'")
        loss.backward()
        assert_clear(refusal(watch.show), "number 3 (every=3), got 1")
        for _ in range(2):
            model(batches()[0]).sum().backward()
        assert_clear(refusal(watch.horizon), "name: must be 'encoder' or 'inner.decoder', got None")


def test_the_film_strip_shows_what_the_frames_found():
    torch.manual_seed(0)
    model = nn.ModuleDict({"a": nn.LSTM(2, 4), "b": nn.GRU(2, 4, bidirectional=True)})
    with rnnviz.watch(model, keep=9) as watch:
        for steps in (5, 8):
            x = torch.randn(steps, 3, 2)
            (model["a"](x)[0][-1].sum() + model["b"](x)[1].sum()).backward()
    for name in ("a", "b"):
        strip = watch.strip(name)
        assert [len(curve) - 1 for curve in strip.values()] == [4, 7]
        for update, curve in strip.items():
            flow = watch.kept[update][name]
            np.testing.assert_allclose(curve[0] - curve[-1], flow.verdict.decades, atol=1e-12)
        figure = watch.figure(name, "dark")
        shares = np.array(figure.data[0].z)
        np.testing.assert_array_equal(figure.data[0].x, [1, 2])
        for column, curve in enumerate(strip.values()):
            np.testing.assert_allclose(shares[: len(curve), column], curve[::-1] - curve[-1])
            assert np.isnan(shares[len(curve) :, column]).all()
            horizon = watch.frames[column].modules[name].verdict.memory_horizon
            assert figure.data[1].y[column] == horizon + 0.5
            assert f"{horizon}" in figure.layout.title.text


@pytest.mark.parametrize("name", [None, "c"])
def test_a_film_strip_of_nothing_is_a_sentence(name):
    with (
        rnnviz.watch(nn.ModuleDict({"a": nn.RNN(2, 3), "b": nn.RNN(2, 3)})) as watch,
        pytest.raises(rnnviz.RnnvizError, match="a pass of 'a' or 'b', got none"),
    ):
        watch.figure(name)


def twice_as_much(output):
    output.register_hook(lambda gradient: 2 * gradient)
    return output


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("hooks", ["tensor", "another output", "one output alone", "state"])
def test_a_user_s_own_hooks_are_seen_as_the_module_feels_them(kind, settings, hooks):
    torch.manual_seed(0)
    module = kind(3, 5, **settings).double()
    if hooks == "another output":
        module.register_forward_hook(lambda module, given, output: (10 * output[0], output[1]))
    if hooks == "one output alone":
        module.register_forward_hook(lambda module, given, output: 3 * output[0])
    with rnnviz.watch(module) as watch:
        found = module(torch.randn(7, 2, 3, dtype=torch.float64))
        output = found if hooks == "one output alone" else found[0]
        loss = twice_as_much(output).square().sum()
        if hooks == "state":
            state = found[1][1] if kind is nn.LSTM else found[1]
            loss = loss + twice_as_much(state).sum()
        loss.backward()
    (flow,) = watch.flows.values()
    for name, gradient in flow.parameter_gradients.items():
        np.testing.assert_allclose(gradient, getattr(module, name).grad, rtol=1e-9, atol=1e-12)


def test_after_weights_that_are_no_numbers_the_horizon_says_why():
    module = nn.GRU(2, 3)
    nn.init.constant_(module.weight_hh_l0, float("nan"))
    with rnnviz.watch(module) as watch:
        module(torch.randn(4, 2, 2))[0].sum().backward()
    with pytest.raises(rnnviz.RnnvizError, match="weight_hh_l0: must be finite, got nan"):
        watch.horizon()
