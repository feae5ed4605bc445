"""A served app, a browser and its visitors, for the journeys."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.visit import LOOK, PATIENCE, Visit

ROOT = Path(__file__).parents[2]
NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LAPTOP = {"width": 1366, "height": 768}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

expect.set_options(timeout=PATIENCE)


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


@pytest.fixture(scope="session")
def laptop(browser):
    """A laptop that has been here before: the scripts are in its cache."""
    context = browser.new_context(viewport=LAPTOP, permissions=["clipboard-read", "clipboard-write"])
    context.add_init_script(LOOK)
    yield context
    context.close()


@pytest.fixture(scope="session")
def phone(browser):
    context = browser.new_context(**PHONE)
    context.add_init_script(LOOK)
    yield context
    context.close()


@pytest.fixture
def visit(laptop, address):
    """Open the app in a new tab; nothing that a visitor opens may fail behind the page."""
    visits = []

    def opened(query="", context=laptop, **media):
        visits.append(Visit(context.new_page(), address))
        visits[-1].page.emulate_media(**media)
        visits[-1].go(query)
        return visits[-1]

    yield opened
    for each in visits:
        each.page.close()
    assert [problem for each in visits for problem in each.problems] == []
