"""`python -m benchmarks`: the engine's table; `python -m benchmarks page`: the page's."""

import sys

match sys.argv[1:]:
    case []:
        from benchmarks.engine import main
    case ["page"]:
        from benchmarks.page import main
    case other:
        sys.exit(f"benchmarks: nothing, or page; got {' '.join(other)}")
main()
