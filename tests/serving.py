"""A served app and a browser, for the journeys, the benchmark of the page, and the pictures in the docs."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def chromium() -> str | None:
    """Debian's Chromium, or the one that CHROMIUM names; None where there is none."""
    return next((path for name in NAMES if name and (path := shutil.which(name))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def served(script: str = "app.py") -> Iterator[tuple[str, subprocess.Popen]]:
    """The address of an app, served as a visitor meets it, and the server's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}"]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | threads, **quiet) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            while server.poll() is None and not _answers(url):
                continue
            assert server.poll() is None, "the app did not start"
            yield url, server
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
    except OSError:
        return False
    return True
