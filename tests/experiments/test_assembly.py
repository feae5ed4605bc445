"""What is not used is left out, and what is left stands as Python wants it."""

from rnnviz.experiments.assembly import assemble

TEMPLATE = """
def f(s):
    #: choose cell
    #: case rnn gru
    x = 1
    #: choose kind
    #: case a
    y = 1
    #: case b
    if x:

        y = 2
    #: end
    #: case lstm
    #: if loud quiet
    x = 2
    #: end
    #: if not loud
    x = 3
    #: end
    #: end
    return x
"""


def assembled(cells, kinds=("a",), facts=()):
    code = assemble(TEMPLATE.lstrip(), {"cell": list(cells), "kind": list(kinds)}, facts)
    compile(code, "code", "exec")
    return code


def test_one_value_stands_bare():
    assert assembled(["gru"]) == "def f(s):\n    x = 1\n    y = 1\n    return x\n"
    assert assembled(["rnn", "gru"]) == assembled(["gru"])
    assert assembled(["lstm"], facts={"loud"}) == "def f(s):\n    x = 2\n    return x\n"
    assert assembled(["lstm"], facts={"quiet"}) == "def f(s):\n    x = 2\n    x = 3\n    return x\n"


def test_several_values_are_told_apart():
    assert assembled(["rnn", "lstm", "gru"], "ab") == (
        """def f(s):
    if s.cell in ("rnn", "gru"):
        x = 1
        if s.kind == "a":
            y = 1
        elif s.kind == "b":
            if x:

                y = 2
    elif s.cell == "lstm":
        x = 3
    return x
"""
    )


def test_a_value_that_needs_no_lines_has_none():
    assert assembled(["other"]) == "def f(s):\n    return x\n"
    assert 'if s.cell == "rnn":' in assembled(["rnn", "other"])
