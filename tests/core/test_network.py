import numpy as np
import pytest

import rnnviz
from rnnviz import Network
from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.cells import CELLS
from tests.support import KINDS, NONSENSE, assert_clear, random_network, random_question, refusal, torch_module

SMALL = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}


@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (1, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("cell", CELLS)
def test_names_shapes_and_streams_are_torch_s(cell, layers, directions):
    network = random_network(cell, layers=layers, directions=directions)
    expected = {name: tuple(value.shape) for name, value in torch_module(network).state_dict().items()}
    assert {name: value.shape for name, value in network.parameters.items()} == expected
    assert (network.layers, network.directions) == (layers, directions)
    assert (network.input_size, network.hidden_size) == (3, 4)
    suffixes = [f"l{layer}{end}" for layer in range(layers) for end in ("", "_reverse")[:directions]]
    assert [stream.suffix for stream in network.streams] == suffixes
    assert [stream.reverse for stream in network.streams] == [suffix.endswith("_reverse") for suffix in suffixes]


def test_names_may_come_in_any_order():
    network = random_network("gru", layers=2, directions=2)
    shuffled = Network("gru", dict(reversed(network.parameters.items())))
    question = random_question(network, steps=4)
    np.testing.assert_array_equal(rnnviz.bptt(network, *question).adjoint, rnnviz.bptt(shuffled, *question).adjoint)
    assert [s.suffix for s in shuffled.streams] == ["l0", "l0_reverse", "l1", "l1_reverse"]


@pytest.mark.parametrize("cell", CELLS)
def test_biases_are_summed_where_nothing_stands_between_them(cell):
    network = random_network(cell, hidden_size=2)
    (stream,) = network.streams
    bias_ih, bias_hh = network.parameters["bias_ih_l0"], network.parameters["bias_hh_l0"]
    expected, apart = bias_ih + bias_hh, np.zeros(0)
    if cell == "gru":
        expected[4:], apart = bias_ih[4:], bias_hh[4:]
    np.testing.assert_array_equal(stream.input_bias, expected)
    if cell == "gru":
        np.testing.assert_array_equal(stream.recurrent_bias, apart)


def test_the_network_holds_float64_of_its_own_that_nobody_can_change():
    given = {name: value.astype(np.float32) for name, value in SMALL.items()}
    network = Network("rnn", given)
    given["weight_hh_l0"][:] = 9.0
    np.testing.assert_array_equal(network.parameters["weight_hh_l0"], np.eye(3))
    assert network.parameters["weight_hh_l0"].dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        network.parameters["weight_hh_l0"][0, 0] = 9.0


def test_streams_have_names_for_the_screen():
    labels = [stream.label for stream in random_network(layers=2, directions=2).streams]
    assert labels == [
        "layer 1, forward direction",
        "layer 1, backward direction",
        "layer 2, forward direction",
        "layer 2, backward direction",
    ]


CELL_NAMES = " or ".join([", ".join(map(repr, list(CELLS)[:-1])), repr(list(CELLS)[-1])])
ACTIVATION_NAMES = " or ".join([", ".join(map(repr, list(ACTIVATIONS)[:-1])), repr(list(ACTIVATIONS)[-1])])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("LSTM", SMALL), f"cell: must be {CELL_NAMES}, got 'LSTM'."),
        (("rnn", SMALL, "gelu"), f"nonlinearity: must be {ACTIVATION_NAMES}, got 'gelu'."),
        (("rnn", 7), "parameters: must map torch.nn's names to arrays, got 7."),
        (("rnn", {}), "parameters: weight_ih_l0 is missing, got []."),
        (("rnn", {"weight_ih_l0": np.ones((3, 2))}), "parameters: weight_hh_l0 is missing, got ['weight_ih_l0']."),
        (
            ("rnn", SMALL | {"weight_hh_l1": np.eye(3)}),
            "parameters: weight_ih_l1 is missing, got ['weight_hh_l0', 'weight_hh_l1', 'weight_ih_l0'].",
        ),
        (
            ("rnn", SMALL | {"kernel": 1.0}),
            "parameters: unknown name 'kernel'; allowed are weight_ih, weight_hh, bias_ih and bias_hh with the ending "
            "_l0, _l0_reverse, _l1 and so on, as in the state_dict of a torch.nn.RNN, LSTM or GRU itself (no prefix, "
            "no other module, no proj_size).",
        ),
        (
            ("rnn", SMALL | {"weight_hh_l0": np.ones((3, 2))}),
            "weight_hh_l0: must have the shape (2, 2) for the cell 'rnn', got (3, 2).",
        ),
        (("lstm", SMALL), "weight_hh_l0: must have the shape (12, 3) for the cell 'lstm', got (3, 3)."),
        (("rnn", SMALL | {"bias_hh_l0": np.ones(4)}), "bias_hh_l0: must have the shape (3,), got (4,)."),
        (
            ("rnn", SMALL | {"weight_hh_l0": np.ones(3)}),
            "weight_ih_l0, weight_hh_l0: must have two axes and at least one unit, got the shapes (3, 2) and (3,).",
        ),
        (
            ("rnn", SMALL | {"weight_hh_l0": np.diag([1.0, np.nan, 1.0])}),
            "weight_hh_l0: must be finite, got nan at index (1, 1).",
        ),
        (("rnn", SMALL | {"bias_ih_l0": [0.0, np.inf, 0.0]}), "bias_ih_l0: must be finite, got inf at index (1,)."),
        (("rnn", SMALL | {"bias_ih_l0": "abc"}), "bias_ih_l0: must be an array of numbers, got 'abc'."),
    ],
)
def test_refusals_word_for_word(arguments, expected):
    assert refusal(Network, *arguments) == expected


@pytest.mark.parametrize("field", ["cell", "nonlinearity", "parameters"])
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_gets_one_sentence(value, field):
    arguments = {"cell": "rnn", "parameters": SMALL, "nonlinearity": "tanh"} | {field: value}
    assert_clear(refusal(Network, **arguments), field)


@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_a_parameter_gets_one_sentence(value, name):
    assert_clear(refusal(Network, "rnn", SMALL | {name: value}), "_l0")  # a matrix may make another one wrong


@pytest.mark.parametrize(
    "name",
    ["", "weight_hh_l0 ", "weight_hh_l01", "weight_hh_l-1", "weight_hr_l0", "x" * 10_000, "a\nb", None, 0, ("a",)],
)
def test_unknown_names_get_one_sentence(name):
    assert_clear(refusal(Network, "rnn", SMALL | {name: np.eye(3)}), "parameters")


QUESTION = {"network": Network("rnn", SMALL), "inputs": np.ones((4, 1, 2)), "output_gradient": np.ones((4, 1, 3))}
LSTM = random_network("lstm", input_size=2, hidden_size=3)
ASKERS = {"bptt": rnnviz.bptt, "itemised": rnnviz.itemised, "jacobians": rnnviz.jacobians}


def ask(asker, **changed):
    """Call one of the three with good arguments but for those changed."""
    arguments = QUESTION | changed
    if asker == "jacobians":
        arguments.pop("output_gradient")
    return ASKERS[asker](**arguments)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("field", ["network", "inputs", "output_gradient"])
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_a_run_gets_one_sentence(value, field, asker):
    if (asker, field) != ("jacobians", "output_gradient"):
        assert_clear(refusal(ask, asker, **{field: value}), field)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_for_an_initial_state_gets_one_sentence(value, asker):
    if value is not None:
        assert_clear(refusal(ask, asker, initial_state=value), "h0")
        assert_clear(refusal(ask, asker, network=LSTM, initial_state=value), "initial_state")
    assert_clear(refusal(ask, asker, network=LSTM, initial_state=(value, value)), "h0")


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize("name", ["signal_clip", "truncation"])
def test_nonsense_for_an_option_gets_one_sentence(name, value):
    if value is not None:
        assert_clear(refusal(ask, "bptt", **{name: value}), name)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("shape", [(0, 1, 2), (4, 0, 2), (4, 1, 0), (4, 1, 3), (4, 2), (2,), (), (4, 1, 2, 1)])
def test_inputs_must_have_a_step_a_batch_row_and_the_input_size(asker, shape):
    message = refusal(ask, asker, inputs=np.zeros(shape))
    assert message == (
        f"inputs: must have the shape (T, B, 2) with at least one step T and one batch row B, got {shape}."
    )


@pytest.mark.parametrize("asker", ["bptt", "itemised"])
def test_the_output_gradient_must_fit_the_output(asker):
    message = refusal(ask, asker, output_gradient=np.ones((4, 1, 2)))
    assert message == "output_gradient: must have the shape (4, 1, 3), got (4, 1, 2)."
    gradient = np.ones((4, 1, 3))
    gradient[2, 0, 1] = np.nan
    assert (
        refusal(ask, asker, output_gradient=gradient) == "output_gradient: must be finite, got nan at index (2, 0, 1)."
    )


@pytest.mark.parametrize(("cell", "nonlinearity"), KINDS)
def test_the_initial_state_must_fit_the_cell(cell, nonlinearity):
    network = random_network(cell, nonlinearity, layers=2, directions=2, input_size=2)
    inputs, gradient, start = random_question(network, steps=3)
    wrong = (start[0][:3], *start[1:])
    assert refusal(rnnviz.bptt, network, inputs, gradient, wrong) == "h0: must have the shape (4, 1, 4), got (3, 1, 4)."
    wanted = "the pair (h0, c0)" if cell == "lstm" else "h0 alone"
    message = refusal(rnnviz.bptt, network, inputs, gradient, start[:1] if cell == "lstm" else (start[0], start[0]))
    assert_clear(message, f"initial_state: must be {wanted} for this cell, got ")
