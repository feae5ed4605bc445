"""`python -m benchmarks`: the engine's and the training's tables; with `training` or `page`: that one alone."""

import sys

match sys.argv[1:]:
    case []:
        from benchmarks import engine, training

        tables = (engine.main, training.main)
    case ["training"]:
        from benchmarks import training

        tables = (training.main,)
    case ["page"]:
        from benchmarks import page

        tables = (page.main,)
    case other:
        sys.exit(f"benchmarks: nothing, training or page; got {' '.join(other)}")
for print_table in tables:
    print_table()
    print()
