"""What several tests share: random questions, the same network in torch.nn, comparisons, and the shape of a refusal."""

import numpy as np
import pytest
import torch

import rnnviz
from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.cells import CELLS

BIASES = ("bias_ih", "bias_hh")

# (cell, nonlinearity): every cell, and the RNN with every activation; read from the tables.
KINDS = [(cell, name) for cell in CELLS for name in (ACTIVATIONS if cell == "rnn" else ["tanh"])]
TORCH_KINDS = [(cell, name) for cell, name in KINDS if name in ("tanh", "relu")]


def random_network(
    cell="rnn",
    nonlinearity="tanh",
    *,
    input_size=3,
    hidden_size=4,
    layers=1,
    directions=1,
    biases=BIASES,
    scale=1.0,
    seed=0,
) -> rnnviz.Network:
    generator, parameters = np.random.default_rng(seed), {}
    rows = len(CELLS[cell].blocks) * hidden_size
    for layer in range(layers):
        width = directions * hidden_size if layer else input_size
        for end in ("", "_reverse")[:directions]:
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)} | dict.fromkeys(biases, (rows,))
            for kind, shape in shapes.items():
                drawn = scale * generator.normal(size=shape) / np.sqrt(hidden_size)
                parameters[f"{kind}_l{layer}{end}"] = drawn
    return rnnviz.Network(cell, parameters, nonlinearity)


def random_question(network, steps, batch=1, seed=1):
    """Inputs, gradient of the output at every step, and initial state."""
    generator = np.random.default_rng(seed)
    size, streams = network.hidden_size, len(network.streams)
    inputs = generator.normal(size=(steps, batch, network.input_size))
    gradient = generator.normal(size=(steps, batch, network.directions * size))
    start = tuple(generator.normal(size=(streams, batch, size)) for _ in range(1 + (network.cell == "lstm")))
    return inputs, gradient, start


def at_last_step(gradient):
    only = np.zeros_like(gradient)
    only[-1] = gradient[-1]
    return only


def at_step(gradient, step):
    """The same gradient at one step, counted from 1, and zero elsewhere."""
    only = np.zeros_like(gradient)
    only[step - 1] = gradient[step - 1]
    return only


def scalar_rnn(weight, nonlinearity="linear", drive=0.0, bias=None):
    """An RNN of one unit."""
    parameters = {"weight_ih_l0": [[drive]], "weight_hh_l0": [[weight]]}
    return rnnviz.Network("rnn", parameters | ({} if bias is None else {"bias_ih_l0": [bias]}), nonlinearity)


def torch_module(network) -> torch.nn.RNNBase:
    """torch's own module with the network's parameters, in float64."""
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[network.cell](
        network.input_size,
        network.hidden_size,
        num_layers=network.layers,
        bidirectional=network.directions == 2,
        bias=any("bias" in name for name in network.parameters),
        **({"nonlinearity": network.nonlinearity} if network.cell == "rnn" else {}),
    ).double()
    module.load_state_dict({name: torch.tensor(value) for name, value in network.parameters.items()})
    return module


def assert_close(ours, theirs, rtol=1e-10):
    """Equal by value; an entry that is a difference of large ones is held against the largest."""
    theirs = np.asarray(theirs)
    largest = np.abs(theirs).max(initial=0.0, where=np.isfinite(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0.01 * rtol * largest)


def assert_rows_close(ours, theirs, rtol=1e-10):
    """Each row (the last axis) on its own, so that a vanished one counts as much as a large one."""
    theirs = np.asarray(theirs)
    size = np.abs(theirs).max(axis=-1, keepdims=True)
    size[size == 0] = 1.0
    np.testing.assert_allclose(ours / size, theirs / size, rtol=rtol, atol=0.01 * rtol)


def log10_norm(rows):
    with np.errstate(divide="ignore"):
        return np.log10(np.linalg.norm(rows, axis=-1))


def in_stream_order(flow, s, rows):
    """Rows of a stream with its initial state first."""
    return rows[::-1] if flow.streams[s].reverse else rows


def refusal(call, *arguments, **named) -> str:
    """The message of the one RnnvizError that a call must raise."""
    with pytest.raises(rnnviz.RnnvizError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def assert_clear(message: str, field: str) -> None:
    """One sentence that names the field, what is allowed and what came, fit for a screen."""
    assert field in message, message
    assert message.endswith("."), message
    assert len(message) < 400, message
    assert "\n" not in message, message
    assert "/" not in message, message
    assert any(word in message for word in ("must", "allowed", "may have")), message
    assert any(word in message for word in ("got ", "unknown name", "is missing")), message


class LongRepr:
    def __repr__(self):
        return "x" * 100_000


class RaisingRepr:
    def __repr__(self):
        raise RuntimeError("no words for it")


class LinesRepr:
    def __repr__(self):
        return "first line\nsecond line of /etc/passwd"[:20]


def nonsense() -> dict[str, object]:
    """What nobody should pass for a number, a word or an array; by a name for the test's id."""
    return {
        "none": None,
        "text": "nonsense",
        "empty text": "",
        "long text": "x" * 100_000,
        "text of lines": "a\nb\nc",
        "bytes": b"abc",
        "true": True,
        "nan": float("nan"),
        "infinity": float("inf"),
        "huge integer": 10**400,
        "integer too long to print": 10**5000,
        "negative": -1,
        "fraction": 2.5,
        "complex": 1j,
        "list": [1, 2],
        "ragged list": [[1.0], [1.0, 2.0]],
        "empty list": [],
        "dict": {"a": 1},
        "set": {1, 2},
        "function": print,
        "class": dict,
        "matrix": np.ones((30, 30)),
        "complex array": np.ones((2, 2)) * 1j,
        "array of texts": np.array(["a", "b"]),
        "array of objects": np.array([None, "a"], dtype=object),
        "nested huge integer": [[[10**400]]],
        "tensor with gradient": torch.ones(2, 2, requires_grad=True),
        "long repr": LongRepr(),
        "repr of lines": LinesRepr(),
    }


NONSENSE = [pytest.param(value, id=name) for name, value in nonsense().items()]
