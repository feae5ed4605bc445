"""What a visitor of the Explore page feels while another one trains: `make bench ARGS=neighbours`.

Two tabs of a headless Chromium with a session each on one server. The first changes the weight scale again and again,
as in `benchmarks.page`, in turn while the second does nothing and while it trains four networks. Server, browser and
driver share this machine's cores. The first press of Train loads torch, which is measured apart: it happens once in a
server's life.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np
from playwright.sync_api import Page

from benchmarks.measure import Row, table
from benchmarks.page import PAUSE, cpu, opened, timed, told, weight_box
from tests.serving import browsing, chromium, served

WARM_UPS, CHANGES, TURNS = 5, 20, 3
PRESET = "?task=adding&length=50&updates=5000&stop=false"
ENOUGH = 4.0  # seconds of looking while torch is loaded


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def changes(page: Page, many: int) -> list[float]:
    """Milliseconds of so many changes of the weight scale."""
    change, samples = weight_box(page), []
    for _ in range(many):
        samples.append(timed(page, "change", change))
        page.wait_for_timeout(PAUSE)
    return samples


def updates(page: Page) -> int:
    """How many updates the second visitor's training has made."""
    words = page.get_by_test_id("stProgress").inner_text()
    return int("".join(letter for letter in words.split(" updates")[0] if letter.isdigit()))


def row(name: str, samples: list[float], alone: list[float]) -> Row:
    longest = max(samples)
    figure = f"{told(samples)}, longest {longest:.0f}"
    return Row(name, f"alone {told(alone)}, longest {max(alone):.0f}", figure, "longest < 500 ms", longest < 500)


def loading(looker: Page, learner: Page) -> list[float]:
    """Changes while the server loads torch."""
    change, samples = weight_box(looker), []
    press(learner, "Train")
    while sum(samples) < 1e3 * ENOUGH:
        samples.append(timed(looker, "change", change))
    press(learner, "Pause")
    return samples


def rows() -> Iterator[Row]:
    with served() as (address, server), browsing() as browser, opened(browser, address) as looker:
        learner = browser.new_context().new_page()
        learner.goto(f"{address}/train{PRESET}")
        learner.get_by_role("button", name="Train", exact=True).wait_for()
        alone, beside, made = changes(looker, WARM_UPS + CHANGES)[WARM_UPS:], [], []
        first = loading(looker, learner)
        for _ in range(TURNS):
            before = updates(learner)
            press(learner, "Resume")
            beside += changes(looker, CHANGES)
            press(learner, "Pause")
            learner.get_by_role("button", name="Resume").wait_for()
            made.append(updates(learner) - before)
            alone += changes(looker, CHANGES)
        yield row("weight scale, while another visitor loads torch", first, alone)
        yield row("weight scale, while another visitor trains", beside, alone)
        figure = f"{np.sum(made)} updates in {len(beside)} changes"
        yield Row("the training meanwhile", "–", figure, "goes on", min(made) > 0)
        press(learner, "Resume")
        learner.wait_for_timeout(1000)
        learner.context.close()
        yield silent(server.pid)


def silent(pid: int) -> Row:
    """A closed tab stops its training: what the server spends once nobody is there."""
    time.sleep(1.0)  # the slice under way, and the session's end
    before = cpu(pid)
    time.sleep(3.0)
    spent = (cpu(pid) - before) / 3e3
    return Row("server's share of a core, 1 s after the tab was closed", "–", f"{spent:.1%}", "< 5 %", spent < 0.05)


def main() -> None:
    if chromium() is None:
        sys.exit("No Chromium on this machine: install it, or set CHROMIUM=/path/to/it.")
    print(table(list(rows())))
