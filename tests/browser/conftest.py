"""A served app and a browser, for the journeys."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def address():
    """The address of the app, served as a visitor meets it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except OSError:
                continue
        assert server.poll() is None, "the app did not start"
        yield url
        server.terminate()


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, or the one that CHROMIUM names."""
    found = next((path for name in NAMES if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install it, or set CHROMIUM=/path/to/it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The app's first page in a new tab."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    yield page
    page.close()
