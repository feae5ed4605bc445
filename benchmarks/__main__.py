"""`python -m benchmarks`: tables of engine, training and wall; with `training`, `wall` or `page`: that one alone."""

import sys
from importlib import import_module

USUAL = ("engine", "training", "wall")
ALONE = (*USUAL[1:], "page")

match sys.argv[1:]:
    case []:
        names = USUAL
    case [name] if name in ALONE:
        names = (name,)
    case other:
        sys.exit(f"benchmarks: nothing, {', '.join(ALONE[:-1])} or {ALONE[-1]}; got {' '.join(other)}")
for name in names:
    import_module(f"benchmarks.{name}").main()
    print()
