import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnviz
from rnnviz import Config, ShapeError, read_series
from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.inputs import SIGNALS, assets, shipped, standardised
from tests.support import NONSENSE, assert_clear, refusal


def made(**fields):
    """(T, D) the input of a config."""
    return rnnviz.prepare(Config(**fields)).inputs[:, 0]


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_is_finite_of_the_right_length_and_decided_by_its_seed(name):
    for length in (1, 2, 25):
        inputs = made(signal=name, length=length)
        assert len(inputs) == length
        assert np.isfinite(inputs).all()
        np.testing.assert_array_equal(inputs, made(signal=name, length=length))
    assert made(signal=name, length=10_000).shape[0] <= 10_000


@pytest.mark.parametrize("name", SIGNALS)
def test_the_input_scale_multiplies(name):
    np.testing.assert_array_equal(made(signal=name, input_scale=2.5), 2.5 * made(signal=name))


@pytest.mark.parametrize("name", ["noise", "random_walk", "sine"])
def test_made_signals_have_unit_variance(name):
    inputs = made(signal=name, length=9000, input_size=3)
    assert inputs.shape == (9000, 3)
    np.testing.assert_allclose(inputs.mean(axis=0), 0.0, atol=0.04)
    np.testing.assert_allclose(inputs.std(axis=0), 1.0, atol=0.04)


@pytest.mark.parametrize("name", ["noise", "random_walk"])
def test_drawn_signals_differ_by_seed_and_channel(name):
    inputs = made(signal=name)
    assert not np.allclose(inputs, made(signal=name, seed=1))
    assert not np.allclose(inputs[:, 0], inputs[:, 1])


def test_a_longer_noise_begins_with_the_shorter():
    np.testing.assert_array_equal(made(length=50)[:20], made(length=20))


def test_a_random_walk_takes_small_steps():
    steps = np.diff(made(signal="random_walk", length=2000), axis=0)
    assert np.abs(steps).max() < 0.5
    assert np.abs(np.corrcoef(steps[:-1, 0], steps[1:, 0])[0, 1]) < 0.1


def test_an_impulse_is_one_at_the_first_step_alone():
    inputs = made(signal="impulse", length=5, input_size=2)
    np.testing.assert_array_equal(inputs, [[1, 1], [0, 0], [0, 0], [0, 0], [0, 0]])


def test_sines_have_periods_of_10_20_30_steps():
    inputs = made(signal="sine", length=120, input_size=3)
    for channel, period in enumerate((10, 20, 30)):
        np.testing.assert_allclose(inputs[period:, channel], inputs[:-period, channel], atol=1e-12)
        np.testing.assert_allclose(inputs[period // 2 :, channel], -inputs[: -period // 2, channel], atol=1e-12)


def test_a_text_is_one_hot_characters_in_alphabetical_order():
    inputs = made(signal="text", text="abcab")
    np.testing.assert_array_equal(inputs, np.eye(3)[[0, 1, 2, 0, 1]])


def test_a_text_is_cut_to_the_length_and_keeps_its_alphabet():
    inputs = made(signal="text", text="abcab", length=2)
    np.testing.assert_array_equal(inputs, np.eye(3)[[0, 1]])


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_read_back_from_its_input(text):
    inputs = made(signal="text", text=text)
    alphabet = sorted(set(text))
    assert "".join(alphabet[place] for place in inputs.argmax(axis=1)) == text
    np.testing.assert_array_equal(inputs.sum(axis=1), 1.0)


@pytest.mark.parametrize(("name", "least", "column"), [("sunspots", 300, "sunspots"), ("co2", 500, "co2_ppm")])
def test_real_series_are_standardised_and_shorter_than_asked(name, least, column):
    series = read_series(assets() / "series" / f"{name}.csv", column)
    assert len(series) > least
    assert series.mean() == pytest.approx(0.0, abs=1e-12)
    assert series.std() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_array_equal(series[:, 0], shipped(name))
    np.testing.assert_array_equal(made(signal=name, length=10_000), series[:, 0])
    np.testing.assert_array_equal(made(signal=name, length=100), series[:100, 0])
    assert name in (assets() / "series" / "README.md").read_text(encoding="utf-8")


def test_a_shipped_series_cannot_be_spoilt_by_its_reader():
    before = made(signal="sunspots").copy()
    with contextlib.suppress(ValueError):
        shipped("sunspots")[0] = 1e6
    after = made(signal="sunspots")
    shipped.cache_clear()
    np.testing.assert_array_equal(after, before)


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=30))
def test_standardising(values):
    values = np.array(values)
    result = standardised(values)
    assert np.isfinite(result).all()
    spread = np.ptp(values)
    if spread > 1e-6 * np.abs(values).max():
        assert result.mean() == pytest.approx(0.0, abs=1e-9)
        assert result.std() == pytest.approx(1.0, rel=1e-6)
    elif spread == 0.0:
        np.testing.assert_allclose(result, 0.0, atol=1e-12)


@pytest.mark.parametrize("value", [0.1, 1e17 / 3, 1e-300, -123.456])
def test_a_constant_series_becomes_zero(value):
    np.testing.assert_array_equal(standardised(np.full(7, value)), 0.0)


def series_file(folder, text, name="series.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_last_column_is_read_unless_another_is_named(tmp_path):
    path = series_file(tmp_path, "year,a,b\n1,10,5\n2,20,5.5\n3,30,7\n")
    for column, values in (
        (-1, [5, 5.5, 7]),
        ("a", [10, 20, 30]),
        (1, [10, 20, 30]),
        ("b", [5, 5.5, 7]),
        (-3, [1, 2, 3]),
    ):
        expected = (np.array(values) - np.mean(values)) / np.std(values)
        np.testing.assert_allclose(read_series(path, column)[:, 0, 0], expected, rtol=1e-12)
    assert read_series(str(path)).shape == (3, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa\n1\n2\n",
        "a\r\n1\r\n2\r\n",
        "a\n\n1\n\n2\n\n",
        '"a"\n"1"\n"2"\n',
        "a\n 1 \n2e0\n",
        "a\n1\n2",
    ],
    ids=["byte order mark", "windows", "blank lines", "quoted", "spaces", "no last newline"],
)
def test_ways_to_write_the_same_series(tmp_path, text):
    np.testing.assert_allclose(read_series(series_file(tmp_path, text))[:, 0, 0], [-1.0, 1.0])


def test_values_at_the_ends_of_float64_are_standardised_all_the_same(tmp_path):
    for text in ("a\n1e308\n-1e308\n", "a\n1e-300\n-1e-300\n"):
        np.testing.assert_allclose(read_series(series_file(tmp_path, text))[:, 0, 0], [1.0, -1.0])


NO_CSV = "path: must be a CSV file with a header line, got 'series.csv', which is empty or is no CSV."
NO_TEXT = "path: must be a CSV file with a header line, got 'series.csv', which is not text in UTF-8."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NO_CSV),
        ("\n\n", NO_CSV),
        (b"\xff\xfe\x00\x01\x80", NO_TEXT),
        ("a\n" + "1" * 200_000 + "\n", NO_CSV),
        ("a\n", "path: the file must have 1 to 100,000 rows below its header, got 0."),
        ("a\n" + "1\n" * 100_001, "path: the file must have 1 to 100,000 rows below its header, got more."),
        ("a\n1\nx\n", "column: every row must hold a finite number, got 'x' in line 3."),
        ("a\n1\nnan\n", "column: every row must hold a finite number, got 'nan' in line 3."),
        ("a\n1\n-inf\n", "column: every row must hold a finite number, got '-inf' in line 3."),
        ("a\n1\n1e999\n", "column: every row must hold a finite number, got '1e999' in line 3."),
        ('a\n1\n""\n', "column: every row must hold a finite number, got '' in line 3."),
        ("a,b\n1,2\n3\n", "path: every row must have 2 columns like the header, got 1 in line 3."),
        ("a\n7\n7\n", "column: must hold different values, got 7 in every row."),
        ("a\n1\n\n\nx\n", "column: every row must hold a finite number, got 'x' in line 5."),
        ('a,b\n"two\nlines",1\nx,y\n', "column: every row must hold a finite number, got 'y' in line 4."),
    ],
)
def test_files_that_are_refused_word_for_word(tmp_path, text, expected):
    assert refusal(read_series, series_file(tmp_path, text)) == expected


def test_a_file_that_is_not_there_and_a_folder_are_told_apart(tmp_path):
    assert refusal(read_series, tmp_path / "no.csv").endswith("got 'no.csv', which does not exist.")
    assert refusal(read_series, tmp_path).endswith("which is a folder or no ordinary file.")


def test_semicolons_leave_the_comma_to_be_a_decimal_point(tmp_path):
    path = series_file(tmp_path, "day;temperature\n0;0,5\n1;1,5\n")
    np.testing.assert_allclose(read_series(path, "temperature")[:, 0, 0], [-1.0, 1.0])


def test_a_cell_of_two_lines_is_shown_in_one(tmp_path):
    message = refusal(read_series, series_file(tmp_path, 'a\n"1\n2"\n'))
    assert_clear(message, "column: every row must hold a finite number, got '1\\n2' in line ")


def test_a_header_line_may_not_be_left_out_silently(tmp_path):
    """A file of numbers alone would lose its first one."""
    assert_clear(refusal(read_series, series_file(tmp_path, "1\n2\n3\n")), "header")


def test_a_nul_byte_is_no_number(tmp_path):
    assert_clear(refusal(read_series, series_file(tmp_path, b"a\n1\n2\x003\n")), "")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "series.csv"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    assert refusal(read_series, path) == "path: the file may have 10 MB at most, got 10 MB."


@pytest.mark.parametrize("name", ["missing.csv", ".", "a/b/c.csv", "x" * 5000, "nul\0byte", ""])
def test_a_path_that_leads_to_no_file_is_not_told(tmp_path, name):
    """The sentence may go to a visitor of a public server: the name and no folder."""
    message = refusal(read_series, tmp_path / name if name else "")
    assert_clear(message, "path")
    assert str(tmp_path) not in message


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_a_path_gets_one_sentence(value):
    assert_clear(refusal(read_series, value), "path")


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_a_column_gets_one_sentence(tmp_path, value):
    path = series_file(tmp_path, "a,b\n1,2\n3,4\n")
    if type(value) is int and value == -1:
        return
    assert_clear(refusal(read_series, path, value), "column")


@pytest.mark.parametrize(
    ("column", "shown"), [("c", "'c'"), (2, "2"), (-3, "-3"), (True, "True"), (1.0, "1.0"), (None, "None")]
)
def test_a_missing_column_word_for_word(tmp_path, column, shown):
    message = refusal(read_series, series_file(tmp_path, "a,b\n1,2\n3,4\n"), column)
    assert message == f"column: must be one of ['a', 'b'] or a place among them, got {shown}."


def test_a_series_of_the_user_s_own_goes_through_run(tmp_path):
    series = read_series(series_file(tmp_path, "a\n" + "\n".join(map(str, range(30)))))
    flow = rnnviz.run(Config(length=20, hidden_size=3), inputs=series)
    assert flow.steps == 20
    experiment = rnnviz.prepare(Config(length=20, hidden_size=3, input_scale=2.0), inputs=series)
    np.testing.assert_array_equal(experiment.inputs, 2.0 * series[:20])
    assert experiment.network.input_size == 1


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_inputs_gets_one_sentence(value):
    if value is not None:
        for asker in (rnnviz.run, rnnviz.prepare, rnnviz.estimate, rnnviz.verify):
            assert_clear(refusal(asker, Config(length=5), inputs=value), "inputs")


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 2, 1), (0, 1, 1), (3, 1, 0), (3, 0, 1), (3, 1, 1, 1)])
def test_inputs_of_a_wrong_shape_word_for_word(shape):
    message = refusal(rnnviz.run, Config(), inputs=np.zeros(shape))
    assert message == f"inputs: must have the shape (T, 1, D), got {shape}."


def test_inputs_that_their_scale_takes_beyond_float64_are_refused():
    with pytest.raises(ShapeError, match="inputs: must be finite"):
        rnnviz.run(Config(input_scale=100.0), inputs=np.full((3, 1, 1), 1e307))


def test_signals_share_no_generator_with_the_readout():
    draws = [generator_for(0, word).random() for word in ("inputs", "readout", "target")]
    assert len(set(draws)) == 3
