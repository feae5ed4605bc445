"""The Explore page in a headless Chromium, beside the least that Streamlit does: `make bench ARGS=page`.

Server, browser and driver share this machine's cores. Times are taken inside the page (`watch.js`), from the event to
the end of the frame that shows all of it; the floor is a page with one slider and one line of text (`floor_app.py`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.measure import Row, table
from tests.serving import ROOT, browsing, chromium, served

WATCH = Path(__file__).with_name("watch.js").read_text(encoding="utf-8")
WINDOW = {"width": 1440, "height": 900}
APP, FLOOR = "app.py", "benchmarks/floor_app.py"
WARM_UPS, CHANGES, DRAGS, STARTS = 5, 40, 30, 7
PAUSE = 200  # ms between two changes: a run has ended, its threads too
DRAG = 1.0  # seconds that a drag lasts
SESSIONS, CHANGES_EACH = 30, 10
HEAVY = ("torch", "pandas", "pyarrow")  # what the page must not need in order to start


def quantiles(samples: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return tuple(np.percentile(samples, (50, 95)))


def told(samples: list[float], unit: str = "ms") -> str:
    """Median and 95th percentile in words."""
    median, high = quantiles(samples)
    digits = 1 if median < 10 else 0
    return f"{median:.{digits}f} {unit} (p95 {high:.{digits}f})"


def cpu(pid: int) -> float:
    """Milliseconds of CPU that a process has used, its ended threads included: a clock that Linux has for each."""
    return 1e3 * time.clock_gettime((~pid << 3) | 2)


@contextmanager
def opened(browser: Browser, address: str, sent: list | None = None) -> Iterator[Page]:
    """The page in a tab, drawn; `sent` collects its messages to the server."""
    page = browser.new_page(viewport=WINDOW)
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent is not None and sent.append(frame)))
    page.add_init_script(WATCH)
    page.goto(address)
    page.evaluate("watch.ready")
    page.wait_for_timeout(1000)
    yield page
    page.close()


# ---- a control's change


def floor_change(page: Page) -> Callable[[], None]:
    return lambda: page.get_by_role("slider").press("ArrowRight")


def dice(page: Page) -> Callable[[], None]:
    return page.get_by_role("button", name="Dice").click


def length(key: str) -> Callable[[Page], Callable[[], None]]:
    return lambda page: lambda: page.get_by_role("slider", name="Sequence length").press(key)


def weight_box(page: Page) -> Callable[[], None]:
    box, values = page.get_by_label("Weight scale, exact value"), cycle((0.9, 1.0, 1.2, 1.3, 1.1))

    def change() -> None:
        box.fill(str(next(values)))
        box.press("Enter")

    return change


CONTROLS = {  # what is changed: the event that starts the watch, and how
    "Dice": ("click", dice),
    "weight scale, number box": ("change", weight_box),
    "length 200": ("keydown", length("ArrowRight")),
    "length 100": ("keydown", length("ArrowLeft")),
}


def timed(page: Page, event: str, change: Callable[[], None]) -> float:
    """Milliseconds from a control's event to the frame that shows all that it changed."""
    page.evaluate("event => watch.arm(event)", event)
    change()
    return page.evaluate("watch.result")


def change_rows(floor: tuple[Page, int], app: tuple[Page, int]) -> Iterator[Row]:
    """The floor and each control in turn: the time until the screen shows it, and what the server spends."""
    turns = [("floor", *floor, "keydown", floor_change(floor[0]))]
    turns += [(name, *app, event, control(app[0])) for name, (event, control) in CONTROLS.items()]
    times, costs = ({name: [] for name, *_ in turns} for _ in range(2))
    for _ in range(WARM_UPS + CHANGES):
        for name, page, pid, event, change in turns:
            before = cpu(pid)
            times[name].append(timed(page, event, change))
            page.wait_for_timeout(PAUSE)
            costs[name].append(cpu(pid) - before)
    times, costs = ({name: samples[WARM_UPS:] for name, samples in kept.items()} for kept in (times, costs))
    yield from (screen_row(name, times[name], times["floor"]) for name in CONTROLS)
    yield from (cost_row(name, costs[name], costs["floor"]) for name in CONTROLS)


def screen_row(name: str, samples: list[float], floor: list[float]) -> Row:
    median, least = np.median(samples), np.median(floor)
    figure = f"{told(samples)}, {median / least:.1f} × the floor"
    reached = median <= 3 * least and median < 150
    return Row(f"{name}: until all visible charts show it", f"floor {told(floor)}", figure, "≤ 3 ×, < 150 ms", reached)


def cost_row(name: str, samples: list[float], floor: list[float]) -> Row:
    return Row(f"{name}: CPU of the server", f"floor {told(floor)}", told(samples), "≤ 15 ms", np.median(samples) <= 15)


# ---- dragging


def drag(page: Page, share: float) -> tuple[float, float]:
    """Drag the weight scale about a share of its track: redraws a second, and ms from letting go until all shows it."""
    page.evaluate("watch.arm('change')")
    redraws = page.evaluate("([seconds, share]) => watch.drag(seconds, share)", [DRAG, share])
    return redraws / DRAG, page.evaluate("watch.result")


def drag_rows(page: Page) -> Iterator[Row]:
    rates, settled = [], []
    for turn in range(DRAGS):
        rate, rest = drag(page, 0.45 + 0.1 * (turn % 2))
        rates.append(rate)
        settled.append(rest)
        page.wait_for_timeout(PAUSE)
    median, low = np.percentile(rates, (50, 5))
    figure = f"{median:.0f} a second (p5 {low:.0f})"
    yield Row(
        "weight scale dragged: the first chart drawn",
        "an input event every frame",
        figure,
        "≥ 12 a second",
        median >= 12,
    )
    reached = np.median(settled) <= 200
    yield Row("let go: until all visible charts show it", "–", told(settled), "≤ 200 ms", reached)


# ---- what stays


def zoom(page: Page) -> None:
    """Drag over part of the first chart, as a visitor zooms."""
    box = page.locator(".rv-gd .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)


def see_all(page: Page) -> None:
    """Scroll over every chart, so that each is drawn, and back."""
    for chart in page.locator(".rv-chart").all():
        chart.scroll_into_view_if_needed()
        page.wait_for_timeout(700)
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
    page.wait_for_timeout(1000)


def lasting_rows(page: Page) -> Iterator[Row]:
    see_all(page)
    zoom(page)
    page.evaluate("watch.hold()")
    change, before, moved = weight_box(page), page.evaluate("watch.ranges()"), {"xaxis": 0, "yaxis": 0}
    for _ in range(CHANGES):
        timed(page, "change", change)
        now = page.evaluate("watch.ranges()")
        moved = {axis: moved[axis] + (now[axis] != before[axis]) for axis in moved}
    found = page.evaluate("watch.lost()")
    figure = f"{found['lost']} of {found['held']} nodes"
    yield Row(f"charts mounted anew by {CHANGES} changes", "–", figure, "none", found["lost"] == 0 < found["held"])
    figure = f"{found['blank']} of {found['frames']} frames"
    yield Row("frames with a blank chart", "–", figure, "none", found["blank"] == 0 < found["frames"])
    figure = f"{moved['xaxis']} along the steps, {moved['yaxis']} along the norms, of {CHANGES}"
    yield Row("changes that moved a zoomed axis", "–", figure, "none", not any(moved.values()))


# ---- play and scrub


def scrub(page: Page) -> None:
    """Drag the unrolled network's position from end to end."""
    box = page.locator(".u-range").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 10, y)
    page.mouse.down()
    for x in np.linspace(box["x"] + 10, box["x"] + box["width"] - 10, 60):
        page.mouse.move(x, y)
    page.mouse.up()


def play_rows(page: Page, sent: list) -> Iterator[Row]:
    page.locator("[data-chart=unrolled]").evaluate("chart => chart.scrollIntoView()")
    page.locator(".u-range").wait_for()
    page.wait_for_timeout(1500)
    before = len(sent)
    frames = np.diff(page.evaluate("watch.play()"))
    played = len(sent) - before
    scrub(page)
    scrubbed = len(sent) - before - played
    figure = f"{1e3 / np.mean(frames):.0f} frames a second over {np.sum(frames) / 1e3:.1f} s"
    yield Row("unrolled network, play", "–", f"{figure}, longest {np.max(frames):.0f} ms", "–", True)
    figure = f"{played} played, {scrubbed} scrubbed"
    yield Row("messages to the server", "–", figure, "none", played == scrubbed == 0)


# ---- many visitors, and the first one


def at_once(address: str) -> dict[str, list]:
    """What 30 visitors meet, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sessions", address, str(SESSIONS), str(CHANGES_EACH)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def crowd_row(floor_address: str, app_address: str) -> Row:
    floor, app = at_once(floor_address), at_once(app_address)
    milliseconds = [1e3 * seconds for seconds in app["seconds"]]
    wrong, expected = len(app["errors"]), SESSIONS * CHANGES_EACH
    figure = f"{told(milliseconds)}, {wrong} errors{': ' + app['errors'][0] if wrong else ''}"
    reached = quantiles(milliseconds)[1] < 300 and not wrong and len(milliseconds) == expected
    against = f"floor {told([1e3 * seconds for seconds in floor['seconds']])}"
    return Row(
        f"{SESSIONS} sessions, a change every 2 s (server alone)", against, figure, "p95 < 300 ms, no error", reached
    )


def start(script: str) -> tuple[float, set[str]]:
    """Seconds from a server's start to the first full screen of a fresh browser; the heavy libraries it holds then."""
    with browsing() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.add_init_script(WATCH)
        begun = time.time()
        with served(script) as (address, process):
            page.goto(address, wait_until="commit")
            shown = page.evaluate("watch.ready") / 1e3
            page.wait_for_timeout(500)
            mapped = Path(f"/proc/{process.pid}/maps").read_text()
    return shown - begun, {name for name in HEAVY if f"/site-packages/{name}/" in mapped}


def start_rows() -> Iterator[Row]:
    floors, apps, heavy = [], [], set()
    for _ in range(STARTS):
        floors.append(start(FLOOR)[0])
        seconds, found = start(APP)
        apps.append(seconds)
        heavy |= found
    ratio = np.median(apps) / np.median(floors)
    against = f"floor {told(floors, 's')}"
    yield Row(
        "process start to first charts, cold browser",
        against,
        f"{told(apps, 's')}, {ratio:.2f} ×",
        "≤ 1.3 ×",
        ratio <= 1.3,
    )
    wanted = ", ".join(HEAVY)
    yield Row("libraries in the server until then", "–", ", ".join(sorted(heavy)) or "none", f"no {wanted}", not heavy)


def rows() -> Iterator[Row]:
    yield from start_rows()
    with served(FLOOR) as (floor_address, floor), served(APP) as (address, app), browsing() as browser:
        yield crowd_row(floor_address, address)
        with opened(browser, floor_address) as least, opened(browser, address) as page:
            yield from change_rows((least, floor.pid), (page, app.pid))
        for measure in (drag_rows, lasting_rows):
            with opened(browser, address) as page:
                yield from measure(page)
        sent = []
        with opened(browser, address, sent) as page:
            yield from play_rows(page, sent)


def main() -> None:
    if chromium() is None:
        sys.exit("No Chromium on this machine: install it, or set CHROMIUM=/path/to/it.")
    os.environ["STREAMLIT_CLIENT_SHOW_ERROR_DETAILS"] = "full"  # the crowd's table names what went wrong
    print(
        f"{os.cpu_count()} cores shared by server, browser and driver; load {os.getloadavg()[0]:.2f} before, ", end=""
    )
    lines = list(rows())
    print(f"{os.getloadavg()[0]:.2f} after.\n")
    print(table(lines))
