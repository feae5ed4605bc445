"""`python -m rnnviz`: the command line."""

import sys


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from rnnviz.cli import command
    except ModuleNotFoundError as missing:
        sys.exit(f"rnnviz: the command line needs {missing.name}; install it with pip install 'rnnviz[cli]'.")
    command(prog_name="rnnviz")


if __name__ == "__main__":
    main()
