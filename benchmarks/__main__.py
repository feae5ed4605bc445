"""`python -m benchmarks`: the tables (engine, wall, training, sweep, own_model); by name: one alone."""

import sys
from importlib import import_module

TABLES = ("engine", "wall", "training", "sweep", "own_model")
WITH_A_BROWSER = ("page", "neighbours")

wanted = sys.argv[1:] or TABLES
if unknown := set(wanted) - {*TABLES, *WITH_A_BROWSER}:
    sys.exit(f"benchmarks: {', '.join((*TABLES, *WITH_A_BROWSER))}, or nothing; got {' '.join(sorted(unknown))}")
for name in wanted:
    import_module(f"benchmarks.{name}").main()
    print()
