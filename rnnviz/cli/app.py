"""`rnnviz app`: the pages in a browser."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

SCRIPT = Path(__file__).parents[2] / "app.py"


@click.command(short_help="Open the app in a browser.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where to serve it.")
@click.option("--headless", is_flag=True, help="Serve it and open no browser.")
def app(port: int, headless: bool) -> None:
    """Open the app in a browser: Explore, Clipping, Train and the other pages."""
    if not SCRIPT.exists():
        raise click.ClickException("app: needs app.py, which is in a clone of the project and in no installed package.")
    if find_spec("streamlit") is None:
        raise click.ClickException("app: needs streamlit; install it with pip install -r requirements.txt.")
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), f"--server.port={port}"]
    sys.exit(subprocess.call([*command, f"--server.headless={str(headless).lower()}"], cwd=SCRIPT.parent))
