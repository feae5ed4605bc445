import inspect

import pytest

import rnnviz

CONTRACT = {
    "Network": "cell, parameters, nonlinearity='tanh'",
    "bptt": "network, inputs, output_gradient, initial_state=None, *, signal_clip=None, truncation=None",
    "itemised": "network, inputs, output_gradient, initial_state=None",
    "jacobians": "network, inputs, initial_state=None",
    "clip_by_norm": "gradients, max_norm",
    "clip_by_value": "gradients, limit",
    "SignalClip": "kind, limit",
    "Truncation": "kind, steps",
    "trace": f"module, inputs, loss='last', initial_state=None, want={rnnviz.GradientFlow!r}",
    "watch": "model, every=1, keep=1, only=None",
    "load": "path",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_names_and_arguments_of_the_contract(name):
    parameters = inspect.signature(getattr(rnnviz, name)).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    assert str(inspect.Signature(bare)) == f"({CONTRACT[name]})"


def test_all_is_sorted_and_complete():
    assert rnnviz.__all__ == sorted(rnnviz.__all__)
    assert all(hasattr(rnnviz, name) for name in rnnviz.__all__)
    public = {name for name, value in vars(rnnviz).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert public == set(rnnviz.__all__)


@pytest.mark.parametrize("name", rnnviz.__all__)
def test_everything_public_explains_itself(name):
    value = getattr(rnnviz, name)
    text = type(value).__doc__ if not callable(value) else value.__doc__
    assert text
    assert not text.startswith(f"{name}(")  # what dataclasses write by themselves


def test_there_is_one_family_of_errors():
    for name in ("BudgetError", "ConfigError", "ShapeError"):
        assert issubclass(getattr(rnnviz, name), rnnviz.RnnvizError)
    assert issubclass(rnnviz.RnnvizError, ValueError)


def test_flows_have_the_fields_of_the_contract():
    flow = rnnviz.run(rnnviz.Config(cell="lstm", length=3, hidden_size=2))
    fields = (
        "hidden cell gates adjoint log10_norm cell_adjoint cell_log10_norm joint_log10_norm parameter_gradients "
        "parameter_step_norms input_gradient output growth_per_step half_life doubling_time memory_horizon verdict "
        "status"
    )
    assert all(getattr(flow, name) is not None for name in fields.split())
