"""`rnnviz trace`: what it prints is what the weights give."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import rnnviz
from rnnviz.cli import command


def told(*words: object):
    return CliRunner().invoke(command, ["trace", *map(str, words)])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(a folder with the weights of a model and a series that it reads, the model)."""
    torch.manual_seed(0)
    modules = {"encoder": torch.nn.LSTM(2, 8), "decoder": torch.nn.GRU(2, 4), "head": torch.nn.Linear(4, 1)}
    model, folder = torch.nn.ModuleDict(modules), tmp_path_factory.mktemp("weights")
    save_file(model.state_dict(), folder / "weights.safetensors")
    series = np.random.default_rng(0).normal(size=(25, 2))
    np.savetxt(folder / "series.csv", series, delimiter=",", header="a,b", comments="", fmt="%.17g")
    return folder, model, series


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_a_module_of_a_model_on_a_series_is_traced(model, name):
    folder, modules, series = model
    kept = folder / f"{name}.npz"
    said = told(folder / "weights.safetensors", "--inputs", folder / "series.csv", "--module", name, "--out", kept)
    assert said.exit_code == 0, said.output
    flow = rnnviz.load(kept)
    size = modules[name].hidden_size
    lines = said.output.splitlines()
    assert flow.verdict.sentence in lines
    assert any(line.endswith(f"25 steps, {size} units") for line in lines)
    read, _ = modules[name](torch.tensor(series[:, None], dtype=torch.float32))
    np.testing.assert_allclose(flow.output[:, 0], read.detach()[:, 0], atol=1e-6)
    own = rnnviz.trace(modules[name], series[:, None], loss=last_step(flow))
    np.testing.assert_allclose(flow.log10_norm, own.log10_norm, atol=1e-9)


def last_step(flow) -> np.ndarray:
    """∂L/∂output of the readout that the command has put there, read off the top layer's last adjoint."""
    gradient = np.zeros_like(flow.output)
    gradient[-1] = flow.adjoint[-1, -1]
    return gradient


def test_columns_go_by_name_or_place_and_what_is_not_read_is_said(model, tmp_path):
    folder, _, series = model
    lines = ["day,wind,a,b", *(f"mon,1,{a!r},{b!r}" for a, b in series.tolist())]
    (tmp_path / "week.csv").write_text("\n".join(lines))
    norms = []
    for words in (("series.csv",), ("week.csv", "--columns", "a,b"), ("week.csv", "--columns", "2,3")):
        file = (folder if words[0] == "series.csv" else tmp_path) / words[0]
        said = told(folder / "weights.safetensors", "--inputs", file, *words[1:], "--out", tmp_path / "flow.npz")
        assert said.exit_code == 0, said.output
        norms.append(rnnviz.load(tmp_path / "flow.npz").log10_norm)
    for other in norms[1:]:
        np.testing.assert_array_equal(other, norms[0])
    assert "Columns left out, because not every row has a finite number there: day." in said.output.splitlines()
    assert said.output.startswith("decoder: GRU 2 → 4, 25 steps")
    refused = told(folder / "weights.safetensors", "--inputs", tmp_path / "week.csv", "--columns", "day,a")
    assert (refused.exit_code, "of the 3 columns of the inputs, wind, a, b, by name" in refused.output) == (2, True)


def test_inputs_far_from_one_are_said(model, tmp_path):
    folder, _, series = model
    np.savetxt(tmp_path / "large.csv", 1000 * series, delimiter=",", header="a,b", comments="")
    words = (folder / "weights.safetensors", "--inputs", tmp_path / "large.csv")
    assert "--standardise brings them to 1" in told(*words).output
    assert "brings them to 1" not in told(*words, "--standardise").output


def test_the_other_modules_are_named(model):
    said = told(model[0] / "weights.safetensors", "--steps", 5)
    assert "Also in this file: encoder; choose one with --module." in said.output.splitlines()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--module", "head"), "module: must be one of"),
        (("--steps", "0"), "length: must be a whole number from 1 to 10000"),
        (("--columns", "7"), "columns: must be"),
        (("--loss", "first"), "loss: must be"),
    ],
)
def test_a_wrong_question_is_a_sentence(model, words, sentence):
    said = told(model[0] / "weights.safetensors", "--inputs", model[0] / "series.csv", *words)
    assert said.exit_code == 2
    assert said.output.splitlines()[-1].startswith(f"Error: {sentence}")


def test_a_torch_pickle_is_refused_with_a_way_out(model, tmp_path):
    torch.save(model[1].state_dict(), tmp_path / "weights.pt")
    said = told(tmp_path / "weights.pt")
    assert said.exit_code == 2
    assert "save_file" in said.output


def test_fewer_rows_than_steps_are_said(model):
    words = (model[0] / "weights.safetensors", "--inputs", model[0] / "series.csv", "--steps")
    sentence = "The inputs have 25 rows: 25 steps were run, and not the 5000 that were asked for."
    assert sentence in told(*words, 5000).output.splitlines()
    for enough in (25, 10):
        assert "The inputs have" not in told(*words, enough).output


@pytest.mark.parametrize("words", [("--columns", "1,2"), ("--standardise",)])
def test_words_about_inputs_that_are_not_there_are_refused(model, words):
    said = told(model[0] / "weights.safetensors", *words)
    assert (said.exit_code, "--inputs FILE" in said.output.splitlines()[-1]) == (2, True)


def test_inputs_longer_than_the_longest_run_are_cut(tmp_path):
    torch.manual_seed(0)
    save_file(torch.nn.RNN(1, 1).state_dict(), tmp_path / "small.safetensors")
    np.save(tmp_path / "long.npy", np.zeros(10_500))
    said = told(tmp_path / "small.safetensors", "--inputs", tmp_path / "long.npy")
    assert said.exit_code == 0, said.output
    assert any("10000 steps" in line for line in said.output.splitlines())
    assert "the first 10000 were read" in said.output.splitlines()[-1]
