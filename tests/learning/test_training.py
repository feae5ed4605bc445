"""Training against an independently written torch loop, and against autograd through a loop over cells."""

import dataclasses
import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from time import process_time

import numpy as np
import pytest
import torch
from torch import nn

import rnnviz
from rnnviz.core.initialisers import draw_network, generator_for
from rnnviz.core.unroll import unroll
from rnnviz.errors import BudgetError
from rnnviz.experiments import tasks
from rnnviz.experiments.tasks import NOTHING, Batch, Material, Task
from rnnviz.experiments.training import Training, update_seconds
from rnnviz.learning import train
from rnnviz.learning.pupil import EVERY, PROBE, Pupil
from rnnviz.learning.training import _batches
from tests.support import refusal

MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
SMALL = {"length": 10, "hidden_size": 6, "batch_size": 5, "updates": 30}


def copied(score_goal=0.0, **changes):
    """A task with classes, a loss at every step and holes in it: say the sign of the input three steps ago."""

    def draw(generator, count):
        inputs = generator.normal(size=(12, count, 2)).astype(np.float32)
        targets = np.full((12, count), NOTHING, dtype=np.int64)
        targets[3:] = inputs[:-3, :, 0] > 0
        return Batch(inputs, targets)

    def score(outputs, targets):
        asked = targets != NOTHING
        return float((outputs.argmax(-1) == targets)[asked].mean())

    def prepare(training):
        held_out = draw(np.random.default_rng(5), 40)
        return Material(task, 12, 2, 2, 3, "Three.", np.log(2), "A coin.", 0.9, draw, held_out)

    task = Task("signs", "Signs", "Signs.", "Ours", True, "share of right answers", True, score, prepare)
    return dataclasses.replace(task, **changes) if changes else task


@pytest.fixture
def signs(monkeypatch):
    """The task above in place of the adding problem, which every `Training` may name."""
    monkeypatch.setitem(tasks.TASKS, "adding", copied())


def finished(**settings):
    trainer = train(**settings)
    return trainer, list(trainer)


def loop(training: Training):
    """The same training of its first variant, written as anybody would; weights, losses, norms before and after."""
    (learner, *_), made = training.learners, tasks.material(training)
    config, size = learner.config, training.hidden_size
    drawn = draw_network(
        config.cell,
        config.nonlinearity,
        (made.input_size, size, 1, 1),
        config.initialisation,
        config.weight_scale,
        config.gate_bias,
        None,
        training.seed,
    )
    rest = {"nonlinearity": config.nonlinearity} if config.cell == "rnn" else {}
    with torch.random.fork_rng():
        module, head = MODULES[config.cell](made.input_size, size, **rest), nn.Linear(size, made.output_size)
    bound, generator = size**-0.5, generator_for(training.seed, "head")
    with torch.no_grad():
        for name, values in drawn.parameters.items():
            getattr(module, name).copy_(torch.tensor(values))
        head.weight.copy_(torch.tensor(generator.uniform(-bound, bound, (made.output_size, size))))
        head.bias.copy_(torch.tensor(generator.uniform(-bound, bound, made.output_size)))
    parameters = [*module.parameters(), *head.parameters()]
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    optimiser, rows = kinds[training.optimiser](parameters, lr=training.learning_rate), []
    for u in range(1, training.updates + 1):
        batch = made.draw(generator_for(training.seed, "batch", str(u)), training.batch_size)
        states, targets = module(torch.from_numpy(batch.inputs))[0], torch.from_numpy(batch.targets)
        if made.task.every:
            loss = nn.CrossEntropyLoss(ignore_index=-100)(head(states).permute(0, 2, 1), targets)
        else:
            loss = ((head(states[-1]).squeeze(1) - targets) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        norm = torch.cat([parameter.grad.ravel() for parameter in parameters]).norm()
        if learner.clip == "norm":
            nn.utils.clip_grad_norm_(parameters, training.clip_threshold)
        if learner.clip == "value":
            nn.utils.clip_grad_value_(parameters, training.clip_threshold)
        after = torch.cat([parameter.grad.ravel() for parameter in parameters]).norm()
        rows.append((loss.item(), norm.item(), after.item()))
        optimiser.step()
    return parameters, np.array(rows).T


def assert_like_the_loop(training):
    trainer, steps = finished(training=training)
    (course, *_), (pupil, *_) = trainer.history.courses, trainer._pupils
    parameters, (losses, before, after) = loop(training)
    for ours, theirs in zip(pupil.parameters, parameters, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(course.loss, losses, rtol=1e-5)
    np.testing.assert_allclose(course.norm_before, before, rtol=1e-5)
    np.testing.assert_allclose(course.norm_after, after, rtol=1e-5)
    mine = [step for step in steps if step.learner == course.learner.name]
    assert [(s.loss, s.norm_before, s.norm_after) for s in mine] == list(
        zip(course.loss, course.norm_before, course.norm_after, strict=True)
    )
    return course


CLIPS = [("off", 1.0), ("norm", 0.05), ("value", 0.01)]


@pytest.mark.parametrize(("clip", "threshold"), CLIPS)
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "irnn"])
def test_thirty_updates_are_those_of_a_plain_loop(cell, optimiser, clip, threshold):
    training = Training(
        cells=(cell,), clips=(clip,), clip_threshold=threshold, optimiser=optimiser, stop=False, seed=3, **SMALL
    )
    course = assert_like_the_loop(training)
    assert course.clipped.any() == (clip != "off")


@pytest.mark.usefixtures("signs")
@pytest.mark.parametrize(("clip", "threshold"), CLIPS)
@pytest.mark.parametrize("cell", ["rnn", "lstm_3", "gru_3"])
def test_a_loss_at_every_step_with_classes_too(cell, clip, threshold):
    assert_like_the_loop(
        Training(cells=(cell,), clips=(clip,), clip_threshold=threshold, optimiser="rmsprop", stop=False, **SMALL)
    )


def by_autograd(pupil, made) -> np.ndarray:
    """log10 norms of ∂L_T/∂(h_t, c_t) over the probe, by autograd through a float64 loop over torch's cells."""
    config, module = pupil.learner.config, pupil.module
    rest = {"nonlinearity": config.nonlinearity} if config.cell == "rnn" else {}
    cell = CELLS[config.cell](made.input_size, config.hidden_size, dtype=torch.float64, **rest)
    cell.load_state_dict({name.removesuffix("_l0"): values.double() for name, values in module.state_dict().items()})
    inputs, targets = torch.tensor(made.held_out.inputs[:, :PROBE]).double(), torch.tensor(made.held_out.targets)
    zero = torch.zeros(PROBE, config.hidden_size, dtype=torch.float64, requires_grad=True)
    state, seen = ((zero, zero.clone()) if config.cell == "lstm" else zero), []
    for x in inputs:
        state = cell(x, state)
        seen.append(state if isinstance(state, tuple) else (state,))
    said = seen[-1][0] @ pupil.head.weight.double().T + pupil.head.bias.double()
    if made.task.every:
        loss = nn.CrossEntropyLoss()(said, targets[-1, :PROBE])
    else:
        loss = ((said[:, 0] - targets[:PROBE].double()) ** 2).mean()
    norms = []
    for h, *rest in seen:  # c_t without its way through h_t: what arrives from the next step
        parts = torch.autograd.grad(loss, [h, *rest], retain_graph=True, allow_unused=True)
        if rest:
            through = parts[0] * by_output_gate(cell, inputs, seen, h)
            carried = (parts[1] if parts[1] is not None else 0.0) - through
            parts = (parts[0], carried)
        norms.append(torch.cat([part.ravel() for part in parts]).norm().item())
    return np.log10(norms)


def by_output_gate(cell, inputs, seen, h):
    """∂h_t/∂c_t = o_t (1 - tanh² c_t), elementwise, of the step that ends in h."""
    t = next(t for t, state in enumerate(seen) if state[0] is h)
    before = seen[t - 1][0] if t else torch.zeros_like(h)
    gates = inputs[t] @ cell.weight_ih.T + cell.bias_ih + before @ cell.weight_hh.T + cell.bias_hh
    return torch.sigmoid(gates.chunk(4, dim=1)[3]) * (1.0 - torch.tanh(seen[t][1]) ** 2)


def assert_profile(cell):
    trainer, _ = finished(cells=(cell,), stop=False, **SMALL)
    (course,), (pupil,) = trainer.history.courses, trainer._pupils
    assert course.profiled.tolist() == course.evaluated.tolist() == [0, 25, 30]
    np.testing.assert_allclose(course.profile[-1], by_autograd(pupil, trainer.material), rtol=0, atol=1e-9)


@pytest.mark.parametrize("cell", ["rnn", "irnn", "lstm", "gru_3"])
def test_the_profile_is_autograd_s(cell):
    assert_profile(cell)


@pytest.mark.usefixtures("signs")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_profile_of_a_task_with_losses_at_every_step_is_that_of_the_last(cell):
    assert_profile(cell)


def test_the_profile_is_bptt_s():
    trainer, _ = finished(cells=("gru",), stop=False, **SMALL)
    (course,), (pupil,) = trainer.history.courses, trainer._pupils
    weights = {name: values.double().numpy() for name, values in pupil.module.state_dict().items()}
    network = rnnviz.Network("gru", weights)
    inputs, targets = trainer.material.held_out.inputs[:, :PROBE], trainer.material.held_out.targets[:PROBE]
    weight, bias = (p.detach().double().numpy() for p in pupil.head.parameters())
    said = unroll(network, inputs).output[-1] @ weight.T + bias
    gradient = np.zeros((10, PROBE, 6))
    gradient[-1] = 2.0 / PROBE * (said[:, 0] - targets)[:, None] * weight
    profile = rnnviz.bptt(network, inputs, gradient).profile[0, 1:]
    np.testing.assert_allclose(course.profile[-1], profile, rtol=0, atol=1e-12)


def test_held_out_loss_and_score_are_those_of_the_live_weights():
    trainer, steps = finished(cells=("lstm",), stop=False, **SMALL)
    (course,), (pupil,) = trainer.history.courses, trainer._pupils
    inputs, targets = (torch.tensor(array) for array in dataclasses.astuple(trainer.material.held_out))
    with torch.no_grad():
        error = pupil.head(pupil.module(inputs)[0][-1])[:, 0] - targets
    assert course.held_out[-1] == pytest.approx((error**2).mean().item(), rel=1e-5)
    assert course.score[-1] == pytest.approx((error**2).mean().sqrt().item(), rel=1e-5)
    looked = [(step.update, step.held_out, step.score) for step in steps if step.score is not None]
    assert looked == list(zip([25, 30], course.held_out[1:], course.score[1:], strict=True))


def assert_same(one, other, *, but=("seconds",)):
    for mine, theirs in zip(one.courses, other.courses, strict=True):
        for field in dataclasses.fields(mine):
            if field.name not in but:
                np.testing.assert_array_equal(getattr(mine, field.name), getattr(theirs, field.name), field.name)


QUESTION = {"cells": ("lstm", "irnn"), "clips": ("norm", "off"), "seed": 4} | SMALL | {"updates": 60}


def test_the_same_seed_gives_the_same_history_and_another_does_not():
    one, other = (finished(**QUESTION)[0].history for _ in range(2))
    assert_same(one, other)
    another = finished(**QUESTION | {"seed": 5})[0].history
    assert (another.courses[0].loss != one.courses[0].loss).all()


def test_in_slices_or_in_one_go():
    whole, steps = finished(**QUESTION)
    trainer, calls = train(**QUESTION), 0
    while not trainer.done:
        trainer.advance(0.0)
        calls += 1
        trainer.history  # noqa: B018, looking changes nothing
    assert calls == len(steps) + 4  # the look before the first update of each variant is a slice of its own
    assert_same(trainer.history, whole.history)
    trainer.advance(10.0)  # nothing is left
    assert list(trainer) == []


def test_variants_take_turns_on_the_same_batches():
    trainer, steps = finished(**QUESTION | {"updates": 30})
    names = [learner.name for learner in trainer.training.learners]
    turns = [name for count in (EVERY, 5) for name in names for _ in range(count)]
    assert [step.learner for step in steps] == turns
    alone, _ = finished(**QUESTION | {"updates": 30, "cells": ("irnn",), "clips": ("off",)})
    np.testing.assert_array_equal(trainer.history.courses[3].loss, alone.history.courses[0].loss)


def test_the_clock_is_looked_at_after_every_update(monkeypatch):
    """No slice draws, looks and learns for more than one update beyond its end."""
    done = []
    for name in ("begin", "update"):
        whole = getattr(Pupil, name)
        monkeypatch.setattr(Pupil, name, lambda *a, whole=whole, name=name: (done.append(name), whole(*a))[1])
    drawn = counted_draws(monkeypatch)
    trainer = train(**QUESTION)
    for expected, draws in ((["begin"], 0), (["update"], 1), (["update"], 2)):
        done.clear()
        trainer.advance(0.0)
        assert (done, len(drawn)) == (expected, draws)
    done.clear()
    next(trainer)
    assert done == ["update"]


def counted_draws(monkeypatch) -> list:
    """Gets one more entry with every batch that is drawn."""
    drawn = []
    with_draw(monkeypatch, lambda n, inputs: (drawn.append(n), inputs)[1])
    return drawn


def test_large_batches_are_drawn_again_and_small_ones_once_for_all(monkeypatch):
    drawn = counted_draws(monkeypatch)
    whole, _ = finished(**QUESTION)
    assert len(drawn) == 60
    monkeypatch.setattr("rnnviz.learning.training.MOST_KEPT", 1)
    drawn.clear()
    trainer, _ = finished(**QUESTION)
    assert len(drawn) == 4 * 60
    assert_same(trainer.history, whole.history)


def test_no_more_than_a_few_megabytes_of_batches_are_kept():
    text = "".join(chr(33 + k % 256) for k in range(2000))
    fields = {"task": "characters", "text": text, "cells": ("rnn", "gru"), "hidden_size": 4, "updates": 30}
    for length, batch_size, kept in ((200, 16, 0), (100, 8, 0), (10, 16, 0), (10, 8, 25)):
        training = Training(length=length, batch_size=batch_size, **fields)
        batches = _batches(training, tasks.material(training))
        held = {id(batches(update)[0]): batches(update)[0] for update in range(1, 31)}
        assert batches.cache_info().currsize == kept
        assert kept * sum(inputs.nbytes for inputs in held.values()) / 30 <= 4e6
        again = _batches(training, tasks.material(training))
        assert all(torch.equal(*pair) for pair in zip(batches(3), again(3), strict=True))


def test_progress_and_time_left():
    trainer = train(**QUESTION)
    assert (trainer.progress, trainer.seconds_left, trainer.done) == (0.0, None, False)
    shares = []
    for _ in trainer:
        shares.append(trainer.progress)
    assert shares == sorted(shares)
    assert len(shares) == 240
    assert shares[59] == 0.25
    assert (trainer.progress, trainer.seconds_left, trainer.done) == (1.0, 0.0, True)


def test_time_left_is_read_off_each_variant_s_own_pace():
    trainer = train(**QUESTION)
    for _ in range(3 * EVERY):
        next(trainer)
    assert trainer.seconds_left is None
    next(trainer)
    for pupil, pace in zip(trainer._pupils, (1.0, 2.0, 3.0, 4.0), strict=True):
        pupil.seconds = pace * pupil.made
    assert trainer.seconds_left == pytest.approx(35 * 6.0 + 59 * 4.0)


def test_a_history_in_the_middle_keeps_what_it_has():
    trainer = train(**QUESTION)
    for _ in range(EVERY + 3):
        next(trainer)
    history = trainer.history
    assert [course.state for course in history.courses] == ["training", "training", "waiting", "waiting"]
    assert [course.updates for course in history.courses] == [EVERY, 3, 0, 0]
    assert [course.evaluated.tolist() for course in history.courses] == [[0, 25], [0], [], []]
    assert [course.profile.shape for course in history.courses] == [(2, 10), (1, 10), (0, 10), (0, 10)]
    kept = history.courses[1].loss.copy()
    list(trainer)
    np.testing.assert_array_equal(history.courses[1].loss, kept)
    assert history.material is trainer.material


def with_draw(monkeypatch, change, held_out=None):
    """The adding problem whose n-th batch, from 1, is changed."""
    task, drawn = tasks.TASKS["adding"], []

    def prepare(training):
        made = task.prepare(training)

        def draw(generator, count):
            drawn.append(None)
            batch = made.draw(generator, count)
            return Batch(change(len(drawn), batch.inputs.copy()), batch.targets)

        return dataclasses.replace(made, draw=draw, held_out=held_out(made.held_out) if held_out else made.held_out)

    monkeypatch.setitem(tasks.TASKS, "adding", dataclasses.replace(task, prepare=prepare))


def spoiled(n, inputs, value=np.inf):
    inputs[2, 1, 0] = value if n == 12 else inputs[2, 1, 0]
    return inputs


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_inf_in_a_batch_is_a_finding(monkeypatch, value):
    with_draw(monkeypatch, lambda n, inputs: spoiled(n, inputs, value))
    trainer, steps = finished(**QUESTION)
    for course in trainer.history.courses:
        assert (course.state, course.broke_at, course.updates) == ("diverged", 12, 12)
        assert not (np.isfinite(course.loss[-1]) and np.isfinite(course.norm_before[-1]))
        assert np.isfinite(course.loss[:-1]).all()
        assert course.evaluated.tolist() == [0, 11]
        assert not course.clipped[-1]
    assert steps[-1].state == "diverged"
    assert len(steps) == 48
    monkeypatch.undo()
    sound, _ = finished(**QUESTION | {"updates": 11})
    for pupil, other in zip(trainer._pupils, sound._pupils, strict=True):  # the weights are left as they were
        for ours, theirs in zip(pupil.parameters, other.parameters, strict=True):
            assert torch.equal(ours, theirs)


def test_inf_in_the_held_out_data_is_a_finding(monkeypatch):
    def held_out(batch):
        return Batch(spoiled(12, batch.inputs.copy()), batch.targets)

    with_draw(monkeypatch, lambda n, inputs: inputs, held_out)
    trainer, _ = finished(**QUESTION)
    for course in trainer.history.courses:
        assert course.state == "finished"
        assert len(course.profile) == 0
        assert len(course.evaluated) == 4


EXPLODING = {"cells": ("irnn",), "clips": ("off", "norm"), "length": 50, "optimiser": "sgd", "learning_rate": 0.01}


def test_a_diverged_variant_stops_and_the_others_go_on():
    trainer, steps = finished(**EXPLODING, updates=40)
    broken, other = trainer.history.courses
    assert (broken.state, broken.broke_at, other.state, other.updates) == ("diverged", 4, "finished", 40)
    assert np.isnan(broken.loss[-1])
    assert len(steps) == 44
    _, (losses, before, _) = loop(Training(**EXPLODING | {"clips": ("off",)}, updates=3))
    np.testing.assert_allclose(broken.loss[:-1], losses, rtol=1e-4)
    np.testing.assert_allclose(broken.norm_before[:-1], before, rtol=1e-4)
    assert trainer.progress == 1.0


@pytest.mark.parametrize("updates", [1, 2, 3, 4])
def test_a_course_that_its_last_update_breaks_is_diverged(updates):
    trainer, steps = finished(**EXPLODING | {"clips": ("off",)}, updates=updates)
    (course,) = trainer.history.courses
    assert np.isfinite(course.loss[:3]).all()
    state, broke_at, looks = {3: ("diverged", 3, [0, 3]), 4: ("diverged", 4, [0, 3])}.get(
        updates, ("finished", None, [0, updates])
    )
    assert (course.state, course.broke_at, course.evaluated.tolist()) == (state, broke_at, looks)
    assert (steps[-1].state, np.isfinite(course.held_out[-1])) == (state, state == "finished")


def with_huge_gradients(monkeypatch, huge):
    """The adding problem with gradients of some size at the third update: its targets are as far away."""
    task = tasks.TASKS["adding"]

    def prepare(training):
        made, drawn = task.prepare(training), []

        def draw(generator, count):
            drawn.append(None)
            batch = made.draw(generator, count)
            return Batch(batch.inputs, batch.targets + np.float32(huge if len(drawn) == 3 else 0.0))

        return dataclasses.replace(made, draw=draw)

    monkeypatch.setitem(tasks.TASKS, "adding", dataclasses.replace(task, prepare=prepare))


@pytest.mark.parametrize(
    ("clip", "optimiser"), [("off", "adam"), ("norm", "sgd"), ("norm", "adam"), ("value", "sgd"), ("value", "adam")]
)
def test_where_the_norm_alone_overflows_it_goes_on_as_torch_does(monkeypatch, clip, optimiser):
    with_huge_gradients(monkeypatch, -1e19)  # its square is a float32, but not that of the gradient, twice as large
    fields = {"cells": ("gru",), "clips": (clip,), "clip_threshold": 0.5, "learning_rate": 1e-6, "stop": False}
    training = Training(**SMALL | fields | {"batch_size": 1}, optimiser=optimiser)
    trainer, _ = finished(training=training)
    (course,), (pupil,) = trainer.history.courses, trainer._pupils
    assert (course.state, course.updates, course.norm_before[2]) == ("finished", 30, np.inf)
    assert np.isfinite(course.loss).all()
    assert np.isfinite(np.delete(course.norm_before, 2)).all()
    parameters, (losses, before, after) = loop(training)
    for ours, theirs in zip(pupil.parameters, parameters, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(course.loss, losses, rtol=1e-5)
    np.testing.assert_allclose(course.norm_before, before, rtol=1e-5)
    np.testing.assert_allclose(course.norm_after, after, rtol=1e-5)
    expected = {"off": np.inf, "norm": 0.0}.get(clip, after[2])
    assert course.norm_after[2] == pytest.approx(expected)
    assert bool(course.clipped[2]) is (clip != "off")


@pytest.mark.parametrize("clip", ["off", "norm", "value"])
def test_an_infinite_entry_of_the_gradient_is_the_end(monkeypatch, clip):
    trainer = train(cells=("gru",), clips=(clip,), **SMALL)
    next(trainer)
    (pupil,) = trainer._pupils
    pupil.head.bias.register_hook(lambda gradient: gradient + torch.inf)
    assert next(trainer).state == "diverged"
    assert trainer.history.courses[0].broke_at == 2
    assert all(bool(parameter.isfinite().all()) for parameter in pupil.parameters)


def test_stop_ends_it_for_good_and_gives_back_what_it_held():
    trainer = train(**QUESTION)
    for _ in range(EVERY + 3):
        next(trainer)
    before = trainer.history
    held = [weakref.ref(part) for p in trainer._pupils for part in (p.module, p.head, p.optimiser, p.held_out[0])]
    held.append(weakref.ref(trainer._work))
    trainer.stop()
    gc.collect()
    assert [ref() for ref in held] == [None] * 17
    after = trainer.history
    assert_same(after, before, but=("seconds", "state"))
    assert [course.state for course in after.courses] == ["stopped"] * 4
    assert after.done
    assert (trainer.done, trainer.progress, trainer.seconds_left) == (True, 1.0, 0.0)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(trainer)
    trainer.advance(10.0)
    trainer.stop()
    assert_same(trainer.history, after)


def test_stop_before_the_first_update_and_after_the_last():
    trainer = train(**QUESTION)
    trainer.stop()
    assert list(trainer) == []
    assert (trainer.progress, trainer.seconds_left) == (1.0, 0.0)
    assert [(course.state, course.updates) for course in trainer.history.courses] == [("stopped", 0)] * 4
    trainer, _ = finished(**EXPLODING, updates=10)
    before = trainer.history
    trainer.stop()
    assert_same(trainer.history, before)
    assert [course.state for course in before.courses] == ["diverged", "finished"]


def test_a_training_ends_itself_when_it_has_taken_as_long_as_one_may(monkeypatch):
    trainer, calls = train(**QUESTION), []
    whole = Pupil.update

    def slow(pupil, batch):
        step = whole(pupil, batch)
        pupil.seconds += 10.0
        calls.append(pupil)
        return step

    monkeypatch.setattr(Pupil, "update", slow)
    steps = list(trainer)
    assert len(steps) == len(calls) == 30  # 300 s and what they really took
    assert [(course.state, course.updates) for course in trainer.history.courses] == [
        ("stopped", 25), ("stopped", 5), ("stopped", 0), ("stopped", 0),
    ]  # fmt: skip
    assert trainer.done


EXTREMES = [
    {"cells": ("rnn",), "length": 200, "batch_size": 128, "hidden_size": 1, "task": "characters"},
    {"cells": ("lstm",), "length": 100, "batch_size": 128, "hidden_size": 32, "task": "characters"},
    {"cells": ("gru",), "length": 2, "batch_size": 1, "hidden_size": 128, "task": "characters"},
    {"cells": ("gru",), "length": 100, "batch_size": 128, "hidden_size": 128},
    {"cells": ("lstm",), "length": 200, "batch_size": 32, "hidden_size": 1},
    {"cells": ("rnn",), "length": 2, "batch_size": 1, "hidden_size": 1},
]


@pytest.mark.parametrize("fields", EXTREMES, ids=lambda fields: f"{fields['cells'][0]}-{fields['length']}")
def test_the_estimate_of_an_update_is_like_what_it_takes(fields):
    """By a generous factor, for another processor may be as much faster or slower."""
    text = "".join(chr(33 + k) for k in np.random.default_rng(0).integers(0, 256, 5000))
    training = Training(text=text, updates=20, stop=False, **fields)
    made = tasks.material(training)
    pupil, batches, taken = Pupil(training, made, training.learners[0]), _batches(training, made), []
    for update in range(1, 6):
        start = process_time()
        pupil._learn(*batches(update))
        taken.append(process_time() - start)
    estimate = update_seconds(training.learners[0], made, training.batch_size)
    assert estimate / 12 < min(taken) < 4 * estimate


def test_huge_weights_have_a_profile_and_no_numbers_have_none():
    trainer = train(cells=("irnn",), **SMALL)
    next(trainer)
    (pupil,) = trainer._pupils
    with torch.no_grad():
        pupil.module.weight_hh_l0.mul_(1e30)
    pupil.look(1)
    profile = pupil.course.profile[-1]
    np.testing.assert_allclose(-np.diff(profile), 30.0, atol=1.5)
    assert not np.isfinite(pupil.course.held_out[-1])
    with torch.no_grad():
        pupil.head.weight[0, 0] = torch.nan
    pupil.look(2)
    assert pupil.course.profiled.tolist() == [0, 1]
    assert pupil.course.evaluated.tolist() == [0, 1, 2]
    assert np.isnan(pupil.course.score[-1])
    assert next(trainer).state == "diverged"


def test_solved_twice_in_a_row_is_enough(monkeypatch):
    task, scores = tasks.TASKS["adding"], iter([9.0, 0.0, 9.0, 0.0, 0.0, 9.0])
    monkeypatch.setitem(
        tasks.TASKS, "adding", dataclasses.replace(task, prepare=lambda asked: dataclasses.replace(
            task.prepare(asked), task=dataclasses.replace(task, score=lambda outputs, targets: next(scores))
        )),
    )  # fmt: skip
    trainer, steps = finished(**SMALL | {"updates": 200}, cells=("gru",))
    (course,) = trainer.history.courses
    assert (course.state, course.updates, course.solved_at, len(steps)) == ("solved", 100, 100, 100)
    assert course.score.tolist() == [9.0, 0.0, 9.0, 0.0, 0.0]
    assert (trainer.progress, trainer.done) == (1.0, True)


@pytest.mark.usefixtures("signs")
def test_without_stopping_a_solved_variant_goes_on(monkeypatch):
    monkeypatch.setattr(tasks.Material, "is_solved", lambda self, score: True)
    stopped, _ = finished(**SMALL | {"updates": 60}, cells=("gru",))
    assert [(c.state, c.updates) for c in stopped.history.courses] == [("solved", 25)]
    going, _ = finished(**SMALL | {"updates": 60}, cells=("gru",), stop=False)
    assert [(c.state, c.updates) for c in going.history.courses] == [("finished", 60)]
    np.testing.assert_array_equal(going.history.courses[0].loss[:25], stopped.history.courses[0].loss)


def test_two_trainers_in_two_threads_do_not_disturb_each_other():
    questions = [QUESTION, QUESTION | {"seed": 9, "optimiser": "sgd"}]
    barrier = threading.Barrier(2)

    def run(question):
        barrier.wait()
        return finished(**question)[0].history

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, questions))
    for history, question in zip(together, questions, strict=True):
        assert_same(history, finished(**question)[0].history)


def test_torch_s_global_state_is_left_alone():
    before = torch.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    finished(**QUESTION)
    after = torch.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_variants_share_their_draws():
    trainer = train(cells=("rnn", "lstm", "gru"), **SMALL)
    rnn, lstm, gru = trainer._pupils
    for pupil in (lstm, gru):
        assert torch.equal(pupil.head.weight, rnn.head.weight)
        assert torch.equal(pupil.head.bias, rnn.head.bias)
    assert torch.equal(lstm.module.weight_hh_l0[12:18], rnn.module.weight_hh_l0)
    assert torch.equal(gru.module.weight_hh_l0[12:18], rnn.module.weight_hh_l0)


def test_refusals():
    assert refusal(train, 3) == "training: must be a Training or None, got 3."
    assert refusal(train, updates=0) == "updates: must be a whole number from 1 to 10000, got 0."
    with pytest.raises(BudgetError, match=r"this training would take about \d+ s; allowed are 300 s"):
        train(length=200, updates=10_000)
    with pytest.raises(BudgetError, match=r"one update would take about 0\.46 s; allowed are 0\.3 s"):
        train(hidden_size=128, length=200, batch_size=256, updates=1)


def test_settings_take_the_place_of_a_training_s_own():
    trainer = train(Training(cells=("gru",), seed=7), updates=5)
    assert trainer.training == Training(cells=("gru",), seed=7, updates=5)


def test_train_loads_torch_only_when_called():
    code = (
        "import sys, rnnviz.learning; rnnviz.learning.train; print('torch' in sys.modules);"
        "print(sum(1 for _ in rnnviz.learning.train(cells=('rnn',), updates=2, length=4)));"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["False", "2", "True"]
