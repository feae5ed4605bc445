import itertools
import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, mse_loss

from rnnviz import ConfigError, ShapeError
from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.inputs import assets, read_series
from rnnviz.experiments.task_real import CHARACTERS
from rnnviz.experiments.task_windows import read_values, series_windows, shipped_text, text_windows
from rnnviz.experiments.tasks import NOTHING, TASKS, Batch, material
from rnnviz.experiments.training import Training
from tests.support import assert_clear, refusal

LENGTHS = (2, 3, 9, 30, 200)
MADE = ("adding", "copy", "order", "sine")
SERIES = ("sunspots", "co2")
NUMBERS = ("adding", "sine", *SERIES)


def made(task, length=30, **rest):
    return material(Training(task=task, length=length, **rest))


def drawn(task, count=32, length=30, seed=1, **rest) -> Batch:
    return made(task, length, **rest).draw(np.random.default_rng(seed), count)


def loss(outputs, targets) -> float:
    """torch's loss of outputs."""
    outputs, targets = torch.tensor(outputs), torch.tensor(targets)
    if targets.is_floating_point():
        return float(mse_loss(outputs[..., 0], targets.to(outputs.dtype)))
    return float(cross_entropy(outputs.flatten(0, -2), targets.flatten(), ignore_index=NOTHING))


def perfect(batch, size):
    """The outputs of whoever knows."""
    if batch.targets.dtype == np.float32:
        return batch.targets[..., None].copy()
    return 50.0 * np.eye(size, dtype=np.float32)[batch.targets]


def ignorant(name, batch, ready):
    """The outputs of whoever has understood nothing, as each `chance_text` describes them; every task has its line."""
    constants = {"adding": 1.0, "sine": 0.0, "sunspots": 0.0, "co2": 0.0}
    if name in constants:
        return np.full((*batch.targets.shape, 1), constants[name])
    outputs = np.zeros((*batch.targets.shape, ready.output_size))
    if name == "copy":
        outputs[:-10, :, 0] = outputs[-10:, :, 1:] = 200.0
    if name == "characters":
        text = shipped_text()
        counts = Counter(text[: len(text) - len(text) // 5])
        outputs[:] = np.log([max(counts[character], 1e-9) for character in sorted(set(text))])
    return outputs


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", TASKS)
def test_batches_are_what_torch_takes(name, length):
    ready = made(name, length)
    for batch in (ready.draw(np.random.default_rng(0), 7), ready.held_out):
        steps, count, size = batch.inputs.shape
        assert (steps, size) == (ready.steps, ready.input_size)
        assert steps == length + 20 * (name == "copy")
        assert count == (7 if batch is not ready.held_out else batch.targets.shape[-1])
        assert batch.inputs.dtype == np.float32
        assert np.isfinite(batch.inputs).all()
        assert batch.targets.shape == ((steps, count) if ready.task.every else (count,))
        if name in NUMBERS:
            assert ready.output_size == 1
            assert batch.targets.dtype == np.float32
            assert np.isfinite(batch.targets).all()
        else:
            assert batch.targets.dtype == np.int64
            assert ready.output_size > batch.targets.max()
            assert batch.targets.min() >= 0


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_all_that_a_page_needs(name):
    task, ready = TASKS[name], made(name)
    assert task.name == name
    assert ready.task is task
    assert task.label
    assert task.source
    assert task.measure
    assert "Solved" in task.help
    for sentence in (task.help, ready.lag_text, ready.chance_text):
        assert sentence.endswith(".")
        assert unicodedata.normalize("NFC", sentence) == sentence
    assert 0 < ready.lag < ready.steps
    assert ready.chance > 0
    assert np.isfinite(ready.goal)


@pytest.mark.parametrize("name", TASKS)
def test_a_lag_lies_within_the_sequence(name):
    for length in range(2, 60):
        ready = made(name, length)
        assert 0 < ready.lag < ready.steps


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", TASKS)
def test_what_must_be_remembered_is_asked_for_within_the_lag(name, length):
    ready = made(name, length)
    for inputs in ready.held_out.inputs.swapaxes(0, 1)[:20]:
        remembered, due = ready.remembered(inputs), ready.due(inputs)
        assert 0 <= remembered[0] <= remembered[-1] < ready.steps
        assert (np.diff(remembered) > 0).all()
        assert ((due >= remembered) & (due - remembered <= ready.lag) & (due < ready.steps)).all()
        assert ready.task.every or (due == ready.steps - 1).all()


def test_the_steps_that_must_be_remembered_give_the_answer():
    batch, ready = made("adding").held_out, made("adding")
    for b, inputs in enumerate(batch.inputs.swapaxes(0, 1)):
        np.testing.assert_allclose(inputs[ready.remembered(inputs), 0].sum(), batch.targets[b], rtol=1e-6)
    batch, ready = made("order").held_out, made("order")
    for b, inputs in enumerate(batch.inputs.swapaxes(0, 1)):
        read = "".join(ready.legend.symbols[inputs[at].argmax()] for at in ready.remembered(inputs))
        assert read == ready.legend.answers[batch.targets[b]]
    batch, ready = made("copy").held_out, made("copy")
    for b, inputs in enumerate(batch.inputs.swapaxes(0, 1)):
        read = [ready.legend.symbols[inputs[at].argmax()] for at in ready.remembered(inputs)]
        assert read == [ready.legend.answers[batch.targets[at, b]] for at in ready.due(inputs)]
        assert len(read) == 10


@pytest.mark.parametrize("name", TASKS)
def test_a_legend_has_a_word_for_every_place(name):
    ready, legend = made(name), made(name).legend
    assert len(legend.symbols) == (0 if name in NUMBERS else ready.input_size)
    assert len(legend.answers) == (0 if name in NUMBERS else ready.output_size)
    assert len(set(legend.symbols)) == len(legend.symbols)
    assert legend.ahead == {"sine": 5, "sunspots": 1, "co2": 1}.get(name, 0)


def test_the_legends_of_symbols():
    assert made("copy").legend.symbols == ("·", "1", "2", "3", "4", "5", "6", "7", "8", "○")
    assert made("order").legend.symbols == ("A", "B", "c", "d", "e", "f")
    assert made("characters").legend.symbols == tuple(sorted(set(shipped_text())))


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_decides_every_draw(name):
    first, second, other = (drawn(name, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.targets, second.targets)
    assert not np.array_equal(first.inputs, other.inputs)
    np.testing.assert_array_equal(made(name).held_out.inputs, made(name).held_out.inputs)


@pytest.mark.parametrize("name", MADE)
def test_made_held_out_data_come_from_a_generator_of_their_own(name):
    held_out = made(name, seed=5).held_out
    same = made(name, seed=6).draw(generator_for(5, "held-out"), 256)
    np.testing.assert_array_equal(held_out.inputs, same.inputs)
    np.testing.assert_array_equal(held_out.targets, same.targets)
    assert not np.array_equal(held_out.inputs, made(name, seed=6).held_out.inputs)


@pytest.mark.parametrize("name", [*SERIES, "characters"])
def test_real_held_out_data_are_the_same_for_every_seed(name):
    np.testing.assert_array_equal(made(name, seed=5).held_out.inputs, made(name).held_out.inputs)


@pytest.mark.parametrize("length", [2, 30])
@pytest.mark.parametrize("name", TASKS)
def test_the_chance_level_is_the_loss_of_whoever_has_understood_nothing(name, length):
    ready = made(name, length)
    batch = ready.draw(np.random.default_rng(3), 20_000)
    np.testing.assert_allclose(loss(ignorant(name, batch, ready), batch.targets), ready.chance, rtol=0.02)


@pytest.mark.parametrize("name", TASKS)
def test_the_right_answer_solves_a_task_and_chance_does_not(name):
    ready = made(name)
    batch, score = ready.held_out, ready.task.score
    assert ready.is_solved(score(perfect(batch, ready.output_size), batch.targets))
    assert not ready.is_solved(score(ignorant(name, batch, ready), batch.targets))
    assert not ready.is_solved(float("nan"))


@pytest.mark.parametrize("name", TASKS)
def test_a_goal_is_reached_exactly_at_its_value(name):
    ready = made(name)
    better, worse = (np.nextafter(ready.goal, end) for end in (np.inf, -np.inf))
    if not ready.task.higher:
        better, worse = worse, better
    assert ready.is_solved(ready.goal)
    assert ready.is_solved(better)
    assert not ready.is_solved(worse)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_typical_error_is_the_root_of_torch_s_loss_and_takes_what_a_diverged_network_says(name):
    outputs = np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32)
    targets = np.linspace(-1.0, 1.0, 50, dtype=np.float32)
    np.testing.assert_allclose(TASKS[name].score(outputs, targets), np.sqrt(loss(outputs, targets)), rtol=1e-6)
    assert TASKS[name].score(np.full_like(outputs, 1e38), targets) > 1e37
    assert TASKS[name].score(np.full_like(outputs, np.inf), targets) == np.inf
    assert np.isnan(TASKS[name].score(np.full_like(outputs, np.nan), targets))


def test_a_share_leaves_out_what_has_no_loss():
    outputs = np.eye(3)[[[0, 1], [2, 2]]]
    for name in ("order", "characters"):
        assert TASKS[name].score(outputs, np.array([[0, 0], [2, NOTHING]])) == pytest.approx(2 / 3)


@given(length=st.integers(2, 200), seed=st.integers(0, 2**31 - 1))
def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(length, seed):
    batch = drawn("adding", 40, length, seed)
    values, marks = batch.inputs[..., 0].astype(float), batch.inputs[..., 1]
    assert marks.sum() == np.count_nonzero(marks)
    np.testing.assert_array_equal(marks[: length // 2].sum(axis=0), 1.0)
    np.testing.assert_array_equal(marks[length // 2 :].sum(axis=0), 1.0)
    np.testing.assert_allclose((values * marks).sum(axis=0), batch.targets, rtol=1e-6)
    assert values.min() >= 0.0
    assert values.max() <= 1.0


def test_adding_draws_uniform_numbers_and_places():
    batch = drawn("adding", 20_000, 9)
    np.testing.assert_allclose(batch.inputs[..., 0].mean(), 0.5, atol=0.005)
    np.testing.assert_allclose(batch.inputs[..., 0].var(), 1 / 12, atol=0.001)
    np.testing.assert_allclose(batch.inputs[..., 1].mean(axis=1), [1 / 4] * 4 + [1 / 5] * 5, atol=0.015)


def test_who_heard_one_number_of_the_two_is_left_with_what_the_help_says():
    batch = drawn("adding", 20_000)
    values, marks = batch.inputs[..., 0], batch.inputs[..., 1]
    second = (values[15:] * marks[15:]).sum(axis=0)
    score = TASKS["adding"].score
    assert f"{score(second[:, None] + 0.5, batch.targets):.2f}" in TASKS["adding"].help
    assert f"{score(np.ones((20_000, 1)), batch.targets):.2f}" in TASKS["adding"].help


@given(length=st.integers(2, 200), seed=st.integers(0, 2**31 - 1))
def test_copy_asks_for_the_ten_symbols_after_the_marker(length, seed):
    batch, lag = drawn("copy", 20, length, seed), made("copy", length).lag
    read = batch.inputs.argmax(axis=2)
    np.testing.assert_array_equal(batch.inputs.sum(axis=2), 1.0)
    assert read[:10].min() >= 1
    assert read[:10].max() <= 8
    np.testing.assert_array_equal(read[10 : 9 + length], 0)
    np.testing.assert_array_equal(read[9 + length], 9)
    np.testing.assert_array_equal(read[10 + length :], 0)
    np.testing.assert_array_equal(batch.targets[: 10 + length], 0)
    np.testing.assert_array_equal(batch.targets[lag:][:10], read[:10])
    assert lag + 10 == len(read)


def test_copy_s_score_counts_the_ten_symbols_alone():
    targets = drawn("copy", 200).targets
    outputs = np.zeros((*targets.shape, 9))
    assert TASKS["copy"].score(outputs, targets) == 0.0
    outputs[..., 5] = 1.0
    np.testing.assert_allclose(TASKS["copy"].score(outputs, targets), 1 / 8, atol=0.02)
    np.testing.assert_allclose(np.bincount(targets[-10:].ravel())[1:] / 2000, 1 / 8, atol=0.02)


@given(length=st.integers(2, 200), seed=st.integers(0, 2**31 - 1))
def test_order_asks_which_symbol_came_first_and_which_second(length, seed):
    batch, lag = drawn("order", 30, length, seed), made("order", length).lag
    read = batch.inputs.argmax(axis=2)
    np.testing.assert_array_equal(batch.inputs.sum(axis=2), 1.0)
    for sequence, target in zip(read.T, batch.targets, strict=True):
        (first, second) = places = np.flatnonzero(sequence < 2)
        assert target == ["AA", "AB", "BA", "BB"].index("".join("AB"[sequence[place]] for place in places))
        assert length - 1 - first <= lag
        assert length // 10 <= first < max(length / 5, length // 10 + 1)
        assert length // 2 <= second < max(3 * length / 5, length // 2 + 1)


def test_order_s_classes_and_places_are_all_equally_frequent():
    batch = drawn("order", 20_000, 50)
    np.testing.assert_allclose(np.bincount(batch.targets) / 20_000, 0.25, atol=0.015)
    relevant = batch.inputs[..., :2].sum(axis=(1, 2)) / 20_000
    np.testing.assert_allclose(relevant[[*range(5, 10), *range(25, 30)]], 0.2, atol=0.015)
    assert relevant.sum() == pytest.approx(2.0)
    np.testing.assert_allclose(batch.inputs[:5, :, 2:].mean(axis=1), 0.25, atol=0.015)


def test_the_last_three_values_of_a_wave_give_the_answer_away():
    """x[t + 1] = 2 cos(2π / p) x[t] - x[t - 1] holds for every sine wave, so that cos comes from three values."""
    batch = drawn("sine", 5000)
    before, middle, now = batch.inputs[-3:, :, 0].astype(float)
    known = np.abs(middle) > 0.1  # else the quotient is rounding
    factor = (before + now)[known] / middle[known]
    last, current = middle[known], now[known]
    for _ in range(5):
        last, current = current, factor * current - last
    np.testing.assert_allclose(current, batch.targets[known], atol=2e-3)
    periods = 2 * np.pi / np.arccos(factor / 2)
    assert periods.min() > 10 - 1e-2
    assert periods.max() < 40 + 1.0
    np.testing.assert_allclose(np.quantile(periods, [0.1, 0.5, 0.9]), [13, 25, 37], atol=1.5)


def test_the_series_are_those_that_the_package_ships():
    for name in SERIES:
        values = read_values(name)
        np.testing.assert_allclose(
            (values - values.mean()) / values.std(), read_series(assets() / "series" / f"{name}.csv")[:, 0, 0]
        )


def transformed(name):
    return np.sqrt(read_values(name)) if name == "sunspots" else np.diff(read_values(name))


@pytest.mark.parametrize("length", [2, 30, 200])
@pytest.mark.parametrize("name", SERIES)
def test_a_series_is_learnt_from_its_first_four_fifths_and_tried_on_the_rest(name, length):
    values, ready = transformed(name), made(name, length)
    learnt = len(values) - len(values) // 5
    scaled = ((values - values[:learnt].mean()) / values[:learnt].std()).astype(np.float32)
    windows = {start: (*scaled[start : start + length], scaled[start + length]) for start in range(learnt - length)}
    batch = ready.draw(np.random.default_rng(0), 3000)
    seen = {(*inputs, target) for inputs, target in zip(batch.inputs[..., 0].T, batch.targets, strict=True)}
    assert seen == set(windows.values())
    np.testing.assert_array_equal(ready.held_out.targets, scaled[learnt:])
    for lag in (1, 2, length):
        np.testing.assert_array_equal(ready.held_out.inputs[-lag, :, 0], scaled[learnt - lag : len(scaled) - lag])


@pytest.mark.parametrize("name", SERIES)
def test_what_is_learnt_does_not_change_with_the_held_out_values(name):
    values = transformed(name)
    changed = values.copy()
    changed[-(len(values) // 5) :] *= 1000.0
    first, second = (series_windows(series, 30).draw(np.random.default_rng(0), 500) for series in (values, changed))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.targets, second.targets)


@pytest.mark.parametrize("name", SERIES)
def test_held_out_values_are_not_far_from_what_was_learnt(name):
    held_out, learnt = made(name).held_out.targets, drawn(name, 5000).targets
    assert held_out.max() < learnt.max() + 0.6
    assert held_out.min() > learnt.min() - 0.6


def linear_error(name, years):
    """The typical error, held-out, of the best linear forecast from so many values: least squares on what is learnt."""
    values = transformed(name)
    learnt = len(values) - len(values) // 5
    scaled = (values - values[:learnt].mean()) / values[:learnt].std()
    rows = np.lib.stride_tricks.sliding_window_view(scaled, years + 1)
    past = np.column_stack([rows[:, :-1], np.ones(len(rows))])
    weights = np.linalg.lstsq(past[: learnt - years], rows[: learnt - years, -1], rcond=None)[0]
    return float(np.sqrt(np.mean((past[learnt - years :] @ weights - rows[learnt - years :, -1]) ** 2)))


def test_nine_years_of_sunspots_are_what_the_goal_asks_for():
    goal, lag = made("sunspots").goal, made("sunspots").lag
    assert min(linear_error("sunspots", years) for years in range(1, lag + 1)) > goal
    best = linear_error("sunspots", lag + 1)
    assert best < goal
    assert min(linear_error("sunspots", years) for years in range(lag + 2, 25)) > 0.98 * best


def test_a_year_of_co2_is_what_the_goal_asks_for():
    goal, lag = made("co2").goal, made("co2").lag
    assert min(linear_error("co2", months) for months in range(1, lag + 1)) > goal
    assert linear_error("co2", lag + 1) < goal
    held_out = made("co2", 12).held_out
    assert TASKS["co2"].score(held_out.inputs[0], held_out.targets) > goal  # the same month of last year


@pytest.mark.parametrize(("name", "share"), [("sunspots", 0.6), ("co2", 0.4)])
def test_a_series_goal_is_a_share_of_persistence(name, share):
    ready = made(name)
    again = TASKS[name].score(ready.held_out.inputs[-1], ready.held_out.targets)
    np.testing.assert_allclose(ready.goal, share * again, rtol=1e-6)
    assert f"a typical error of {again:.2f}" in ready.chance_text
    assert f"costs {again**2:.2f}" in ready.chance_text
    held_out = loss(np.zeros((len(ready.held_out.targets), 1)), ready.held_out.targets)
    assert f"{ready.chance:.2f} on what is learnt from and {held_out:.2f}" in ready.chance_text
    assert f"{share} of what saying" in TASKS[name].help


def test_a_series_that_is_too_short_is_refused_word_for_word():
    message = refusal(series_windows, np.arange(50.0), 40)
    assert message == (
        "length: must be less than 40, for the windows of this series and the values after them to fit into its first "
        "four fifths, got 40."
    )
    assert_clear(message, "length")
    assert series_windows(np.arange(50.0), 39).draw(np.random.default_rng(0), 5).inputs.shape == (39, 5, 1)
    for values in ([], [1.0]):
        with pytest.raises(ShapeError):
            series_windows(np.array(values), 2)


def test_the_shipped_text_is_eight_sonnets_in_ascii():
    text = shipped_text()
    sonnets = text.split("\n\n")
    assert [len(sonnet.strip().split("\n")) for sonnet in sonnets] == [14] * 8
    assert text.isascii()
    assert text.endswith("false compare.\n")
    assert not any(line != line.strip() or "  " in line for line in text.split("\n"))
    readme = (assets() / "texts" / "README.md").read_text(encoding="utf-8")
    assert f"{len(text)} characters" in readme
    assert "public domain" in readme


def spelled(batch, alphabet):
    """[(what a window reads, what shall be said of it)]."""
    read = batch.inputs.argmax(axis=2)
    return [
        tuple("".join(alphabet[code] for code in codes[:, b]) for codes in (read, batch.targets))
        for b in range(read.shape[1])
    ]


@given(st.text(min_size=12, max_size=400), st.integers(2, 40))
def test_any_text_is_learnt_from_or_refused_in_one_sentence(text, length):
    if len(text) < 3 * length:
        assert refusal(made, "characters", length, text=text) == (
            f"text: must have at least 3 × length = {3 * length} characters, got {len(text)}."
        )
        return
    held = max(len(text) // 5, length + 1)
    learnt, tried = text[:-held], text[-held:]
    if len(set(learnt)) < 2:
        assert_clear(refusal(made, "characters", length, text=text), "text")
        return
    ready, alphabet = made("characters", length, text=text), sorted(set(text))
    assert ready.input_size == ready.output_size == len(alphabet)
    for read, said in spelled(ready.draw(np.random.default_rng(0), 8), alphabet):
        assert read[1:] == said[:-1]
        assert read + said[-1] in learnt
    windows = spelled(ready.held_out, alphabet)
    assert "".join(read for read, _ in windows) == tried[: len(windows) * length]
    assert "".join(said for _, said in windows) == tried[1:][: len(windows) * length]
    assert len(tried) - 1 - len(windows) * length < length
    frequencies = np.array(list(Counter(learnt).values())) / len(learnt)
    np.testing.assert_allclose(ready.chance, -(frequencies * np.log(frequencies)).sum(), rtol=1e-9)


def test_windows_to_learn_from_reach_every_place_before_the_held_out_part():
    text = "".join(map(chr, range(200, 300)))
    ready, alphabet = made("characters", 30, text=text), sorted(text)
    learnt = {read + said[-1] for read, said in spelled(ready.draw(np.random.default_rng(0), 2000), alphabet)}
    assert learnt == {text[start : start + 31] for start in range(100 - 31 - 31 + 1)}


def test_held_out_and_learnt_characters_do_not_overlap():
    text = shipped_text()
    learnt = text[: len(text) - len(text) // 5]
    alphabet = sorted(set(text))
    for read, said in spelled(made("characters").held_out, alphabet):
        assert read + said[-1] not in learnt
    assert {read + said[-1] in learnt for read, said in spelled(drawn("characters"), alphabet)} == {True}


@pytest.mark.parametrize(
    "text", [None, "abababab" * 30, "the cat sat on the mat. " * 20, "\x00\t\n\u202e\ud800🙂" * 40]
)
def test_the_goal_of_a_text_is_what_a_table_of_pairs_gets_right(text):
    ready = made("characters", 10, **({} if text is None else {"text": text}))
    text = text or shipped_text()
    cut = len(text) - len(text) // 5
    learnt, alphabet = text[:cut], sorted(set(text))
    followers = {character: Counter() for character in alphabet}
    for character, follower in itertools.pairwise(learnt):
        followers[character][follower] += 1
    best = {
        character: min(alphabet, key=lambda other, seen=seen: (-seen[other], alphabet.index(other)))
        for character, seen in followers.items()
    }
    pairs = [pair for read, said in spelled(ready.held_out, alphabet) for pair in zip(read, said, strict=True)]
    right = np.mean([best[character] == follower for character, follower in pairs])
    np.testing.assert_allclose(ready.goal, right, rtol=1e-12)
    assert f"{100 * right:.0f} % of the held-out" in ready.chance_text


def test_a_held_out_character_that_was_never_learnt_is_a_class_like_any_other():
    ready = made("characters", 10, text="ab" * 50 + "abz" * 8)
    assert ready.output_size == 3
    assert ready.held_out.targets.max() == 2
    np.testing.assert_allclose(ready.chance, np.log(2.0))
    outputs = perfect(ready.held_out, 3)
    assert CHARACTERS.score(outputs, ready.held_out.targets) == 1.0
    assert 0 < ready.goal < 1


def test_an_empty_text_is_the_shipped_one():
    np.testing.assert_array_equal(
        made("characters", text="").held_out.inputs, made("characters", text=shipped_text()).held_out.inputs
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ab" * 44, "text: must have at least 3 × length = 90 characters, got 88."),
        (
            "a" * 100,
            "text: must have two different characters or more among its first 69, which are learnt from, "
            "got 'a' alone.",
        ),
        (
            "\n" * 1000 + "b" * 200,
            "text: must have two different characters or more among its first 960, which are learnt from, "
            "got '\\n' alone.",
        ),
        ("".join(map(chr, range(300, 557))), "text: may have 256 different characters at most, got 257."),
    ],
    ids=["too short", "one character", "one character is learnt", "too many characters"],
)
def test_texts_that_cannot_be_learnt_are_refused_word_for_word(text, sentence):
    message = refusal(made, "characters", text=text)
    assert message == sentence
    assert_clear(message, "text")
    with pytest.raises(ConfigError):
        text_windows(text, 30)


def test_the_most_and_the_least_that_a_text_may_have():
    assert made("characters", 85, text="".join(map(chr, range(300, 556)))).output_size == 256
    assert made("characters", 30, text="ab" * 45).held_out.inputs.shape == (30, 1, 2)
    assert made("characters", 200, text="ab" * 10_000).held_out.inputs.shape == (200, 19, 2)


def test_other_tasks_do_not_look_at_the_text():
    for name in (*MADE, *SERIES):
        assert made(name, text="a").steps


APART = "The 256 held-out sequences are drawn apart from those that are learnt from."


def met(task, **fields) -> int:
    """How many held-out sequences come among those that a training draws, found by drawing them."""
    training = Training(task=task, **fields)
    ready, seen = material(training), set()
    for update in range(1, training.updates + 1):
        batch = ready.draw(generator_for(training.seed, "batch", str(update)), training.batch_size)
        seen |= {inputs.tobytes() for inputs in batch.inputs.swapaxes(0, 1)}
    return sum(inputs.tobytes() in seen for inputs in ready.held_out.inputs.swapaxes(0, 1))


def test_held_out_sequences_that_are_met_in_training_are_told():
    assert met("order", length=2, updates=5) == 256
    told = made("order", 2, updates=5).held_out_text
    assert told == f"{APART} There are 4 different ones in all, so that all of the 256 are met in training too."
    for length, updates in ((6, 40), (10, 800), (12, 700)):
        found = met("order", length=length, updates=updates)
        told = made("order", length, updates=updates).held_out_text
        expected = int(re.search(r"about (\d+) of the 256 (is|are) met", told)[1])
        assert abs(found - expected) <= 4 * np.sqrt(expected) + 1
    assert made("order", 30).held_out_text == APART


@pytest.mark.parametrize("length", LENGTHS)
def test_where_there_are_many_sequences_none_is_expected_twice(length):
    for name in ("adding", "sine", "copy"):
        assert made(name, length).held_out_text == APART
    assert met("copy", length=length, updates=10) == 0
    most = made("copy", 2, updates=10_000, batch_size=256).held_out_text
    assert most == f"{APART} There are 1·10⁹ different ones in all, so that about 1 of the 256 is met in training too."


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6])
def test_the_orders_that_there_are_were_counted(length):
    batch = drawn("order", 40_000, length)
    different = {inputs.tobytes() for inputs in batch.inputs.swapaxes(0, 1)}
    assert f"There are {len(different)} different ones in all" in made("order", length, updates=10_000).held_out_text


def test_real_data_say_where_the_held_out_part_begins():
    for name in SERIES:
        assert made(name).held_out_text.startswith("Held out are all windows with an answer in the last fifth; ")
    text = shipped_text()
    kept = f"The last {len(text) // 5} of {len(text)} characters are held out; "
    assert made("characters").held_out_text == kept + "a passage that the text repeats may stand in both parts."
    assert all(made(name).held_out_text.endswith(".") for name in TASKS)
