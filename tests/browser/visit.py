"""One visitor's tab: what has happened behind the page, and how a journey waits for a state of it."""

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
PATIENCE = 20_000  # ms; a machine may be busy


class Visit:
    """A tab with the app.

    Attributes:
        page: playwright's.
        problems: errors of the scripts and dialogs; there should be none.
        sent: how many messages have gone to the server.
    """

    def __init__(self, page: Page, address: str):
        self.page, self.address, self.problems, self.sent = page, address, [], 0
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", self._note)
        page.on("dialog", self._dismiss)
        page.on("websocket", lambda socket: socket.on("framesent", self._count))

    def _note(self, said):
        if said.type == "error" and "/_stcore/" not in said.location["url"]:  # it looks under the page's address first
            self.problems.append(f"console: {said.text}")

    def _dismiss(self, dialog):
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _count(self, _):
        self.sent += 1

    def go(self, query: str = "") -> None:
        """Open the app with a query and wait until it is drawn."""
        self.page.goto(f"{self.address}/{query}")
        self.settle()

    def until(self, condition: str, given=None) -> None:
        """Wait for a condition on `look`, or on what is `given`."""
        self.page.wait_for_function(condition, arg=given)

    def settle(self) -> None:
        """Wait until the server's last word is on the screen."""
        self.until("look.isSettled()")

    def look(self, expression: str):
        """What an expression on `look` says."""
        return self.page.evaluate(expression)

    def chart(self, name: str):
        """The section of a chart."""
        return self.page.locator(f'[data-chart="{name}"]')

    def go_to(self, name: str) -> None:
        """Scroll a chart under the controls and wait until it is drawn."""
        self.chart(name).locator("h3").evaluate("heading => heading.closest('section').scrollIntoView()")
        self.settle()

    def see_all(self) -> None:
        """Scroll over every chart, and back to the top."""
        for name in self.look("[...document.querySelectorAll('[data-chart]')].map(({ dataset }) => dataset.chart)"):
            self.go_to(name)
        self.go_up()

    def go_up(self) -> None:
        """Scroll to the controls."""
        self.page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
        self.settle()

    def tab_to(self, selector: str, presses: int = 150) -> None:
        """Press Tab until what the selector names has the focus."""
        for _ in range(presses):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    def choose(self, label: str, option: str) -> None:
        """Type an option into a box of Streamlit's and take it."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.fill(option)
        self.page.get_by_role("option", name=option, exact=True).wait_for()
        box.press("Enter")

    def open(self, label: str):
        """Open a box behind a button; what is in it."""
        self.page.get_by_role("button", name=label, exact=True).click()
        body = self.page.get_by_test_id("stPopoverBody")
        body.wait_for()
        self.settle()
        return body

    def open_corners(self) -> None:
        """Open the table of torch's corner cases."""
        box = self.page.get_by_text("What torch does to Inf")
        box.scroll_into_view_if_needed()
        self.settle()
        box.click()

    def share(self, locator) -> float:
        """Where a slider stands, as a share of its track."""
        return locator.evaluate("slider => slider.value / slider.max")

    def handle(self, locator, share: float) -> tuple[float, float]:
        """Where a slider's knob is on the screen when it stands at a share of its track."""
        box = locator.bounding_box()
        return box["x"] + 8 + (box["width"] - 16) * share, box["y"] + box["height"] / 2

    def violations(self) -> set[tuple[str, str, str]]:
        """(rule, how grave, where) of whatever axe-core finds."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return {(each["id"], each["impact"], str(node["target"])) for each in found for node in each["nodes"]}

    def verdicts(self) -> dict[str, str]:
        """{network: kind} of the badges."""
        badges = self.chart("norms").locator(".rv-badge").all()
        kind = re.compile(r"\brv-(vanishing|steady|exploding|undefined)\b")
        return {each.locator("b").inner_text(): kind.search(each.get_attribute("class"))[1] for each in badges}
