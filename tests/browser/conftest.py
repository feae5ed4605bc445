"""Visitors of the served app, for the journeys."""

import pytest
from playwright.sync_api import expect

from tests.browser.visit import LOOK, PATIENCE, Visit
from tests.serving import browsing, chromium, served

LAPTOP = {"width": 1366, "height": 768}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def address():
    with served() as (url, _):
        yield url


@pytest.fixture(scope="session")
def browser():
    if chromium() is None:
        pytest.skip("no Chromium on this machine: install it, or set CHROMIUM=/path/to/it")
    with browsing() as browser:
        yield browser


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
