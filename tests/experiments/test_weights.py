"""Weights files: what torch saves is what is read, and nothing hostile is more than a sentence."""

import io
import json
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from rnnviz import RnnvizError
from rnnviz.core.unroll import unroll
from rnnviz.experiments.weights import Recurrent, read_weights

MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def model():
    """A user's model with three recurrent modules among other layers."""
    torch.manual_seed(0)
    encoder = nn.ModuleDict({"lstm": nn.LSTM(3, 5, num_layers=2, bidirectional=True), "embed": nn.Embedding(7, 3)})
    parts = {"encoder": encoder, "decoder": nn.GRU(1, 4), "cell": nn.RNNCell(2, 3), "out": nn.Linear(4, 1)}
    return nn.ModuleDict({"module": nn.ModuleDict(parts)})  # as DataParallel names them


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def refusal(data, name="weights.bin"):
    with pytest.raises(RnnvizError) as refused:
        read_weights(data, name)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def simple(**changed):
    """A valid npz, with some arrays changed."""
    arrays = {"rnn.weight_ih_l0": np.ones((3, 2)), "rnn.weight_hh_l0": np.eye(3)}
    return npz(**{**arrays, **changed})


def test_the_modules_of_a_whole_model_are_found_by_their_prefixes():
    found = read_weights(save(model().state_dict()), "mine.safetensors")
    assert found.name == "mine.safetensors"
    assert {each.label for each in found.modules} == {
        "module.encoder.lstm: LSTM 3 → 5, 2 layers, both directions",
        "module.decoder: GRU 1 → 4",
        "module.cell: RNN 2 → 3",
    }


@pytest.mark.parametrize("cell", MODULES)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_file_runs_as_the_module_that_was_saved(cell, layers, bidirectional, bias):
    torch.manual_seed(1)
    module = MODULES[cell](3, 4, layers, bias=bias, bidirectional=bidirectional).double()
    inputs = torch.randn(6, 1, 3, dtype=torch.float64)
    (found,) = read_weights(save(module.state_dict())).modules
    assert found.cell == cell
    with torch.no_grad():
        wanted = module(inputs)[0].numpy()
    np.testing.assert_allclose(unroll(found.network(), inputs.numpy()).output, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_module_is_a_layer(cell):
    module = CELLS[cell](2, 3).double()
    (found,) = read_weights(save({f"my.{key}": value for key, value in module.state_dict().items()})).modules
    state = module(torch.ones(1, 2, dtype=torch.float64))
    hidden = (state[0] if cell == "lstm" else state).detach().numpy()
    np.testing.assert_allclose(unroll(found.network(), np.ones((1, 1, 2))).output[0], hidden, rtol=1e-12)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_every_precision_is_read_as_torch_reads_it(kind):
    module = nn.GRU(2, 3).to(kind)
    arrays = read_weights(save(module.state_dict())).modules[0].network().parameters
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(arrays[name], value.double().numpy())


def test_an_npz_is_read_like_a_safetensors():
    state = model().state_dict()
    found = read_weights(npz(**{key: value.numpy() for key, value in state.items()}))
    for module in read_weights(save(state)).modules:
        for key, array in module.arrays.items():
            np.testing.assert_array_equal(found.named[module.prefix].arrays[key], array)


def test_columns_first_and_big_endian_arrays_are_read():
    given_ = np.arange(6.0).reshape(3, 2)
    found = read_weights(simple(**{"rnn.weight_ih_l0": np.asfortranarray(given_).astype(">f4")}))
    np.testing.assert_array_equal(found.modules[0].arrays["weight_ih_l0"], given_)


def test_other_layers_are_not_loaded():
    other = np.array([{}], dtype=object)
    assert len(read_weights(simple(**{"embed.weight": other, "steps": np.arange(3)})).modules) == 1


def test_a_module_that_cannot_be_replayed_does_not_hide_the_others():
    parts = nn.ModuleDict({"a": nn.LSTM(2, 4, proj_size=3), "b": nn.LSTM(2, 4)})
    found = read_weights(save(parts.state_dict()))
    assert [each.prefix for each in found.modules] == ["b"]
    assert found.refused == ("a.weight_hr: a projection (proj_size) cannot be replayed; allowed is proj_size=0.",)


@pytest.mark.parametrize("old", [False, True])
def test_a_torch_pickle_is_told_how_to_become_a_file_without_code(old):
    file = io.BytesIO()
    torch.save(nn.LSTM(2, 3).state_dict(), file, _use_new_zipfile_serialization=not old)
    assert refusal(file.getvalue(), "model.pt") == (
        "weights: must be a .safetensors or an .npz file, because a torch pickle can run code when it is opened; "
        "export it with safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\"), got 'model.pt'."
    )


def safetensors(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(begin, end, shape=(2,), kind="F32"):
    return {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin like one"),
        (b"hello, these are no weights", "does not begin like one"),
        (struct.pack("<Q", 10**15) + b"{}", "whose header would have 1000000000000000 bytes of 2"),
        (safetensors(b"{" * 3000), "whose header is damaged"),
        (safetensors(b'{"a": ' + b'{"b": ' * 100_000), "whose header is damaged"),
        (safetensors(b'{"a": 1}'), "whose header is damaged"),
        (safetensors({"a": entry(0, 8) | {"shape": [-2]}}, b"x" * 8), "whose header is damaged"),
        (safetensors({"a": entry(0, 8) | {"shape": [2.0]}}, b"x" * 8), "whose header is damaged"),
        (safetensors({"a": entry(0, 8, (2**40, 2**40))}, b"x" * 8), "whose header is damaged"),
        (safetensors({"a": entry(0, 8), "b": entry(4, 12)}, b"x" * 12), "where 'b' does not begin at the end"),
        (safetensors({"a": entry(0, 8), "b": entry(10, 18)}, b"x" * 18), "where 'b' does not begin at the end"),
        (safetensors({"a": entry(0, 8)}, b"x" * 7), "it was cut or changed"),
        (safetensors({"a": entry(0, 8)}, b"x" * 9), "it was cut or changed"),
        (b"PK\x03\x04 and nothing more", "a damaged archive"),
        (b"PK" + b"PK\x01\x02" * 20_000, "too many parts"),
        (npz(a=np.ones(3))[:-30], "a damaged archive"),
    ],
)
def test_a_damaged_file_is_a_sentence(data, why):
    assert why in refusal(data)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"rnn.weight_hh_l0": np.ones((2, 3))}, "got (3, 2) and (2, 3)."),
        ({"rnn.weight_hh_l0": np.ones(3)}, "got (3, 2) and (3,)."),
        (
            {"rnn.bias_ih_l0": np.ones(3)},
            "rnn.bias_hh_l0: must be there, as a module has all of its biases or none, got none.",
        ),
        (
            {"rnn.bias_ih_l0": np.ones(4), "rnn.bias_hh_l0": np.ones(3)},
            "rnn.bias_ih_l0: must have the shape (3,), got (4,).",
        ),
        ({"rnn.weight_hh_l2": np.eye(3)}, "weight_hh: must be there for 1 to 8 layers without a gap, got 3 layers"),
        ({"rnn.weight_hh_l999": np.eye(3)}, "got 1000 layers without weight_ih_l1."),
        ({"rnn.weight_hh_l0_reverse": np.eye(3)}, "got 1 layers without weight_ih_l0_reverse."),
        ({"rnn.weight_hh_l0": np.full((3, 3), np.nan)}, "rnn.weight_hh_l0: must be finite, got nan."),
        ({"rnn.weight_hh_l0": np.eye(3, dtype=int)}, "must hold float64, 32, 16 or bfloat16 numbers, got 'int64'."),
        ({"rnn.weight_hh_l0": np.array([{}], dtype=object)}, "must hold numbers, got Python objects."),
        (
            {"rnn.weight_ih_l0": np.ones((1025, 1)), "rnn.weight_hh_l0": np.zeros((1025, 1025), np.float16)},
            "must have 1 to 4096 inputs and 1 to 1024 units, got 1 and 1025.",
        ),
    ],
)
def test_weights_that_are_none_are_a_sentence(changed, sentence):
    assert sentence in refusal(simple(**changed))


def test_a_file_without_a_recurrent_module_says_what_it_looked_for():
    assert refusal(save(nn.Linear(2, 3).state_dict())) == (
        "weights: must hold weight_ih_l0 and weight_hh_l0 of an nn.RNN, nn.LSTM or nn.GRU, under any prefix, got "
        "['bias', 'weight']."
    )


def test_a_file_that_is_too_large_is_not_looked_at():
    assert "50 MB at most, got 51 MB" in refusal(bytes(51_000_000))


def zipped(how, **parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in parts.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def array_file(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    bomb = zipped(zipfile.ZIP_DEFLATED, weight_hh_l0=array_file(np.zeros(26_000_000)))
    assert len(bomb) < 1_000_000
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing may be unpacked
    assert "5000 arrays and 200 MB at most, got 1 and 208 MB." in refusal(bomb)


def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked():
    bomb = bytearray(zipped(zipfile.ZIP_DEFLATED, weight_hh_l0=bytes(30_000_000)))
    for place in (bomb.index(b"PK\x03\x04") + 22, bomb.index(b"PK\x01\x02") + 24):
        bomb[place : place + 4] = struct.pack("<I", 200)
    assert "is damaged" in refusal(bytes(bomb))


def test_recurrent_modules_that_would_fill_a_server_are_refused_before_they_are_loaded(monkeypatch):
    arrays = {"weight_ih_l0": np.zeros((1024, 1), np.float16), "weight_hh_l0": np.zeros((1024, 1024), np.float16)}
    many = npz(**{f"{place}.{key}": array for place in range(20) for key, array in arrays.items()})
    assert len(many) < 100_000
    monkeypatch.setattr(Recurrent, "__init__", None)  # none may be made
    assert refusal(many) == ("weights: the recurrent modules of a file may have 40 MB at most, unpacked, got 42 MB.")


@pytest.mark.parametrize("how", [save, lambda state: npz(**{key: each.numpy() for key, each in state.items()})])
def test_arrays_keep_the_precision_of_the_file(how):
    (module,) = read_weights(how(nn.GRU(2, 3).state_dict())).modules
    assert {array.dtype for array in module.arrays.values()} == {np.dtype(np.float32)}


def test_a_way_of_packing_that_has_no_limit_is_refused():
    assert "'weight_hh_l0.npy' is damaged" in refusal(zipped(zipfile.ZIP_BZIP2, weight_hh_l0=array_file(np.eye(3))))


def test_an_npy_whose_header_asks_for_more_than_there_is_is_refused():
    lying = array_file(np.eye(3)).replace(b"(3, 3)", b"(9, 3)")
    assert "has not the size that its header says" in refusal(zipped(zipfile.ZIP_STORED, weight_hh_l0=lying))


def answered(data):
    """Either weights or a sentence, and nothing else."""
    try:
        sentence = f"{len(read_weights(data, 'x').modules)} modules."
    except RnnvizError as refused:
        sentence = str(refused)
    assert sentence.endswith(".")


STATE = {key: torch.ones_like(value) for key, value in nn.LSTM(2, 3).state_dict().items()}
VALID = [save(STATE), npz(**{f"a.{key}": value.numpy() for key, value in STATE.items()})]
FEW = settings(max_examples=150, deadline=2000)


@FEW
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY", struct.pack("<Q", 20) + b"{"]))
def test_random_bytes(data, head):
    answered(head + data)


@FEW
@given(st.sampled_from(VALID), st.data())
def test_a_truncated_file(valid, data):
    cut = valid[: data.draw(st.integers(0, len(valid) - 1))]
    with pytest.raises(RnnvizError):
        read_weights(cut)


@settings(FEW, max_examples=400)
@given(st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), min_size=1, max_size=4))
def test_flipped_bits(valid, flips):
    changed = bytearray(valid)
    for place, bit in flips:
        changed[place % len(changed)] ^= 1 << bit
    answered(bytes(changed))


def test_an_archive_with_two_parts_of_one_name_is_refused():
    """Which of them is meant cannot be told."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns the writer
        for content in (np.ones((3, 1)), np.ones((3, 2))):
            part = io.BytesIO()
            np.save(part, content)
            archive.writestr("weight_ih_l0.npy", part.getvalue())
    with pytest.raises(RnnvizError, match="which has two parts of the same name"):
        read_weights(file.getvalue(), "mine.npz")
