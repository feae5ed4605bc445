"""DESIGN, section 3: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each layer may import beside the standard library and itself, as prefixes of dotted names.
ALLOWED = {
    "rnnviz/__init__.py": ("rnnviz.core", "rnnviz.errors", "rnnviz.experiments", "rnnviz.learning"),
    "rnnviz/errors.py": ("numpy",),
    "rnnviz/core": ("numpy", "rnnviz.errors"),
    "rnnviz/experiments": ("numpy", "rnnviz.errors", "rnnviz.core"),
    "rnnviz/learning": ("numpy", "torch", "rnnviz.errors", "rnnviz.core", "rnnviz.experiments"),
    "rnnviz/figures": ("numpy", "plotly", "rnnviz.errors", "rnnviz.core", "rnnviz.experiments"),
    "rnnviz/lessons": ("rnnviz.errors", "rnnviz.experiments", "rnnviz.figures"),
    "rnnviz/ui": ("numpy", "streamlit", "plotly", "segno", "rnnviz"),
    "rnnviz/cli": ("numpy", "click", "rnnviz"),
    "rnnviz/__main__.py": ("rnnviz",),
    "app.py": ("streamlit", "rnnviz"),
}
ONLY_INSIDE_FUNCTIONS = {
    "rnnviz/__init__.py": ("rnnviz.figures",),
    "rnnviz/core": ("pandas",),
    "rnnviz/experiments": ("pandas", "safetensors"),
    "rnnviz/cli": ("rnnviz.figures",),
    "rnnviz/ui": ("rnnviz.learning", "torch"),
    "app.py": ("rnnviz.learning", "torch"),
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def imports(node: ast.AST, inside=False):
    """(dotted name, whether it stands inside a function) of every import below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, inside) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (("." * child.level + f"{child.module}.{alias.name}", inside) for alias in child.names)
        yield from imports(child, inside or isinstance(child, FUNCTIONS))


def is_below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def broken(layer: str, source: str) -> list[str]:
    """The imports of a file of a layer that the table does not allow."""
    own = (layer.replace("/", "."),)
    late = ONLY_INSIDE_FUNCTIONS.get(layer, ())
    return [
        name
        for name, inside in imports(ast.parse(source))
        if not (inside and is_below(name, late))
        and (not is_below(name, ALLOWED[layer] + own) or is_below(name, late))
        and name.split(".")[0] not in sys.stdlib_module_names
    ]


def files():
    for path in sorted([ROOT / "app.py", *ROOT.glob("rnnviz/**/*.py")]):
        if path.exists():
            name = path.relative_to(ROOT).as_posix()
            yield pytest.param(name, name if name in ALLOWED else "/".join(name.split("/")[:2]), id=name)


@pytest.mark.parametrize(("name", "layer"), list(files()))
def test_a_file_imports_only_what_its_layer_may(name, layer):
    assert layer in ALLOWED, f"{name} belongs to no layer of the table"
    assert broken(layer, (ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("rnnviz/core", "import torch"),
        ("rnnviz/core", "def f():\n    from rnnviz.experiments import config"),
        ("rnnviz/core", "from . import cells"),
        ("rnnviz/experiments", "import pandas as pd"),
        ("rnnviz/experiments", "from rnnviz import learning"),
        ("rnnviz/learning", "import plotly.express"),
        ("rnnviz/figures", "from rnnviz.lessons import presets"),
        ("rnnviz/figures", "import streamlit"),
        ("rnnviz/lessons", "import numpyro, torch"),
        ("rnnviz/ui", "from rnnviz.learning import verify"),
        ("rnnviz/ui", "class A:\n    import torch"),
        ("app.py", "import torch"),
    ],
)
def test_the_table_has_teeth(layer, source):
    assert broken(layer, source)


def test_what_the_table_allows():
    assert (
        broken("rnnviz/ui", "import streamlit\ndef f():\n    import torch\n    from rnnviz.learning import verify")
        == []
    )
    assert broken("rnnviz/figures", "from rnnviz.core.results import GradientFlow\nimport plotly.graph_objects") == []


def printed(code: str) -> str:
    """What a fresh Python prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def test_importing_rnnviz_loads_numpy_alone():
    code = "import sys, rnnviz; print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    loaded = set(printed(code).split())
    assert {"rnnviz", "numpy"} <= loaded
    assert not loaded & {"torch", "plotly", "streamlit", "pandas", "scipy", "matplotlib"}


def test_what_a_first_run_does_not_need_is_loaded_when_it_is_asked_for():
    ask = "print(*(part in sys.modules for part in ('numpy.random', 'zipfile', 'rnnviz.experiments.sweep')))"
    code = f"import sys, rnnviz; {ask}; rnnviz.sweep; {ask}; print(*{{*rnnviz.__all__}} - {{*dir(rnnviz)}})"
    assert printed(code).splitlines() == ["False False False", "False True True", ""]


def test_verify_is_public_and_loads_torch_only_when_called():
    loaded = "print('torch' in sys.modules)"
    code = f"import sys, rnnviz; rnnviz.verify; {loaded}; rnnviz.verify(rnnviz.Config(length=2)); {loaded}"
    assert printed(code).split() == ["False", "True"]
