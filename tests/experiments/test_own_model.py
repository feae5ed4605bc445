"""A user's own model on the user's own inputs: its numbers are torch's, and the sample has learnt to remember."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from rnnviz import BudgetError, Cost, RnnvizError
from rnnviz.core.results import GradientFlow
from rnnviz.experiments.comparison import total_cost
from rnnviz.experiments.inputs import MOST_CELLS, MOST_ROWS, assets, read_series, rows_of
from rnnviz.experiments.own import own_run
from rnnviz.experiments.own_inputs import read_table
from rnnviz.experiments.own_model import OwnModel, reach, sample
from rnnviz.experiments.tables import to_csv, to_npz
from rnnviz.experiments.weights import read_weights

CSV = b"day,level,rain\nmon,1,0.5\ntue,2,0.25\nwed,4,-1\n"


def weights(module, prefix=""):
    return read_weights(save({f"{prefix}{key}": value for key, value in module.state_dict().items()}), "mine")


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def refusal(ask, *given_):
    with pytest.raises(RnnvizError) as refused:
        ask(*given_)
    assert str(refused.value).endswith(".")
    return str(refused.value)


# --- inputs


def test_the_numeric_columns_of_a_csv_are_read():
    table = read_table(CSV, "rain.csv")
    assert table.columns == ("level", "rain")
    np.testing.assert_array_equal(table.values, [[1, 0.5], [2, 0.25], [4, -1]])


def test_a_decimal_comma_is_read():
    np.testing.assert_array_equal(read_table(b"a;b\n1,5;2\n").values, [[1.5, 2]])


def test_a_shipped_series_is_standardised_as_read_series_does_it():
    path = assets() / "series" / "sunspots.csv"
    table = read_table(path.read_bytes())
    place = table.columns.index("sunspots") + 1
    asked = OwnModel(length=1000, columns=str(place), standardise=True)
    np.testing.assert_allclose(asked.inputs(1, table), read_series(path, "sunspots"), rtol=1e-12)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.arange(4.0), np.arange(4.0)[:, None]),
        (np.asfortranarray(np.arange(6).reshape(3, 2)), np.arange(6).reshape(3, 2)),
        (np.arange(12, dtype=">f4").reshape(3, 2, 2), np.arange(12).reshape(3, 2, 2)[:, 0]),
    ],
)
def test_an_npy_is_read_in_its_three_shapes(array, wanted):
    np.testing.assert_array_equal(read_table(npy(array)).values, wanted)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "inputs: must be a CSV file in UTF-8 with a header line, or an .npy file, got 'inputs'."),
        (b"\xff\xfe\x00", "inputs: must be a CSV file in UTF-8 with a header line, or an .npy file, got 'inputs'."),
        (b"1,2\n3,4\n", "the first line of the file must be a header"),
        (b"a\n" + b"1\n" * 100_001, "1 to 100,000 rows below its header, got more."),
        (npy(np.ones(3, complex)), "must hold numbers, as many as its header says, got complex128"),
        (b"a\n\xe9\n", "must be a CSV file in UTF-8"),
        (b"a,b\n1\n", "every row must have 2 columns like the header, got 1 in line 2."),
        (b"a\nx\n", "must have a column with a finite number in every row, got ['a']."),
        (b"a\nnan\n", "must have a column with a finite number in every row, got ['a']."),
        (b"\x93NUMPY but no more", "whose header is damaged."),
        (npy(np.ones(5))[:-1], "as many as its header says"),
        (npy(np.array([{}], dtype=object)), "must hold numbers"),
        (npy(np.ones((2, 2, 2, 2))), "must have the shape (T,), (T, D) or (T, B, D)"),
        (npy(np.ones((0, 2))), "got (0, 2)."),
        (npy(np.array([1.0, np.inf])), "inputs: must be finite, got inf."),
        (bytes(10_000_001), "may have 10 MB at most"),
        (b",".join([b"a"] * 4097) + b"\n" + b",".join([b"1"] * 4097), "may have 4096 columns at most, got 4097."),
        (npy(np.zeros((501, 4000), bool)), "inputs: may have 2,000,000 cells at most, got 2,004,000."),
        (npy(np.zeros(2_000_001, bool)), "inputs: may have 2,000,000 cells at most, got 2,000,001."),
    ],
)
def test_inputs_that_are_none_are_a_sentence(data, sentence):
    assert sentence in refusal(read_table, data)


@pytest.mark.parametrize(
    ("line", "lines", "sentence"),
    [
        (";\n", MOST_ROWS + 2, "the file must have 1 to 100,000 rows below its header, got more."),
        (";" * 999 + "\n", MOST_CELLS // 1000 + 1, f"may have {MOST_CELLS:,} cells at most, got more up to line 2001."),
    ],
)
def test_a_csv_is_read_no_further_than_to_its_limit(line, lines, sentence):
    class Endless(io.StringIO):
        read = 0

        def __next__(self):
            self.read += 1
            return line

    file = Endless(line)
    assert sentence in refusal(rows_of, file)
    assert file.read == lines


@settings(max_examples=150, deadline=2000)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda end: npy(np.ones(3))[:70] + end)))
def test_any_bytes_are_a_table_or_a_sentence(data):
    try:
        found = read_table(data)
    except RnnvizError as refused:
        found = str(refused)
    assert found


# --- runs


@pytest.mark.parametrize(("loss", "kind"), [("last", nn.LSTM), ("every", nn.GRU)])
def test_a_run_is_that_of_the_module_on_the_table(loss, kind):
    torch.manual_seed(0)
    module = kind(2, 4).double()
    run = OwnModel(loss=loss, length=2).run(weights(module), read_table(CSV))
    inputs = torch.tensor([[[1, 0.5]], [[2, 0.25]]], dtype=torch.float64, requires_grad=True)
    output = module(inputs)[0]
    np.testing.assert_allclose(run.experiment.unrolled.output, output.detach().numpy(), rtol=1e-12)
    output.backward(torch.from_numpy(run.experiment.output_gradient.copy()))
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(run.flow.parameter_gradients[name], parameter.grad.numpy(), rtol=1e-9, atol=1e-15)


def test_columns_are_read_in_the_chosen_order():
    table = read_table(CSV)
    np.testing.assert_array_equal(OwnModel(columns="2,1").inputs(2, table)[:, 0], table.values[:, ::-1])
    np.testing.assert_array_equal(OwnModel(columns="2").inputs(1, table)[:, 0, 0], table.values[:, 1])


@pytest.mark.parametrize("columns", ["3", "0", "1,2", "x", "²", "1" * 150])
def test_columns_that_are_not_there_are_a_sentence(columns):
    assert "columns: must be one of the 2 columns of the inputs, level, rain," in refusal(
        OwnModel(columns=columns).inputs, 1, read_table(CSV)
    )


def test_too_few_columns_are_a_sentence():
    came = "got 2 (left out, because not every row has a finite number there: day)."
    sentence = f"inputs: must have 3 columns, one for each input of this module, {came}"
    assert refusal(OwnModel().inputs, 3, read_table(CSV)) == sentence


def test_white_noise_follows_the_seed():
    first, again, other = (OwnModel(seed=seed).inputs(2, None) for seed in (1, 1, 2))
    assert first.shape == (40, 1, 2)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_module_and_its_activation_are_chosen():
    torch.manual_seed(0)
    parts = nn.ModuleDict({"a": nn.RNN(1, 3), "b": nn.RNN(1, 3, nonlinearity="relu")})
    run = OwnModel(module="b", nonlinearity="relu", length=3).run(weights(parts))
    assert run.label == "b"
    with torch.no_grad():
        wanted = parts["b"](torch.tensor(run.experiment.inputs).float())[0].numpy()
    np.testing.assert_allclose(run.experiment.unrolled.output, wanted, rtol=1e-5, atol=1e-7)


def test_a_module_that_is_not_there_is_a_sentence():
    sentence = "module: must be one of lstm, got 'encoder'."
    assert refusal(OwnModel(module="encoder").run, weights(nn.LSTM(1, 2), "lstm.")) == sentence


def test_a_label_has_no_markup():
    assert OwnModel(length=2).run(weights(nn.GRU(1, 2), "<b>x&y.")).label == "bxy"


def test_what_a_server_cannot_afford_is_refused_before_it_runs():
    large = weights(nn.LSTM(1, 1024, bidirectional=True))
    with pytest.raises(BudgetError, match=r"^length: this run would take about .* so choose a shorter one\.$"):
        OwnModel(length=10_000).run(large)
    with pytest.raises(BudgetError):
        OwnModel().sample_runs(budget=Cost(1e-9, 1.0))


def test_inputs_are_not_made_for_a_run_over_the_budget(monkeypatch):
    wide = weights(nn.RNN(4096, 1, bias=False))
    monkeypatch.setattr(OwnModel, "inputs", None)
    with pytest.raises(BudgetError, match=r"^length: "):
        OwnModel(length=10_000).run(wide)


def test_the_estimate_is_that_of_the_run_with_its_inputs():
    module = weights(nn.LSTM(2, 4, num_layers=2, bidirectional=True))
    asked = OwnModel(length=30, loss="every")
    run, cost = asked.run(module, read_table(CSV)), asked._cost(module.modules[0], 3)
    wanted = total_cost([run], GradientFlow)
    assert cost.seconds == wanted.seconds
    np.testing.assert_allclose(cost.megabytes, wanted.megabytes + 1e-6 * run.experiment.inputs.nbytes, rtol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_gradient_of_ones_own_gives_what_autograd_gives(kind):
    torch.manual_seed(2)
    module = kind(2, 3, num_layers=2, bidirectional=True).double()
    inputs, seen = torch.randn(5, 2, 2, dtype=torch.float64), torch.randn(5, 2, 6, dtype=torch.float64)
    network = weights(module).modules[0].network()
    run = own_run(network, inputs.numpy(), seen.numpy(), loss="every")
    module(inputs)[0].backward(seen)
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(run.flow.parameter_gradients[name], parameter.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_the_numbers_go_into_files():
    runs = OwnModel(length=10).sample_runs()
    assert len(to_csv(runs).splitlines()) == 1 + 3 * 11
    with np.load(io.BytesIO(to_npz(runs))) as arrays:
        np.testing.assert_array_equal(arrays["own/log10_norm"], runs[-1].flow.log10_norm)


# --- the sample


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("length", [20, 40])
def test_the_memory_horizon_of_the_sample_grew_from_six_steps_to_all(seed, length):
    horizons = [run.flow.verdict.memory_horizon for run in OwnModel(seed=seed, length=length).sample_runs()]
    assert 5 <= horizons[0] <= 8
    assert horizons[1:] == [length - 1, length - 1]


def test_the_sentence_counts_what_the_curves_show():
    runs = OwnModel().sample_runs()
    counts = []
    for run in runs:
        with np.errstate(divide="ignore"):
            both = 0.5 * np.log10(
                10 ** (2 * run.flow.log10_norm[0, :, 0]) + 10 ** (2 * run.flow.cell_log10_norm[0, :, 0])
            )
        back = (both[::-1] >= both[-1] - 2)[1:-1]
        counts.append(int(np.argmin(back)) if not back.all() else len(back))
    assert reach(runs) == (
        f"More than 1 % of the gradient at the loss reaches {counts[0]} of 39 steps back before training, {counts[1]} "
        f"midway and {counts[2]} once solved."
    )
    assert reach(OwnModel(loss="every").sample_runs()) == ""


def test_the_sample_solves_its_task():
    """Its head is in the files too: it says the sum, as a torch module with these weights does."""
    from safetensors.numpy import load

    from rnnviz.core.unroll import unroll
    from rnnviz.experiments.task_made import adding

    batch, errors = adding(np.random.default_rng(5), 256, 40), []
    for found in sample():
        head = load((assets() / "models" / found.name).read_bytes())
        last = unroll(found.modules[0].network(), batch.inputs.astype(float)).output[-1]
        said = last @ head["head.weight"][0].astype(float) + head["head.bias"][0]
        errors.append(float(np.mean((said - batch.targets) ** 2)))
    assert errors[0] > 0.15 > errors[1] > 0.01 > errors[2]
