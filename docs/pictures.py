"""The pictures in README.md and docs/, made from the app itself: `make pictures`."""

from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.serving import ROOT, browsing, served

FOLDER = ROOT / "assets" / "pictures"
SETTLED = """() => {
  const seen = [...document.querySelectorAll(".rv-plot")].filter((plot) => {
    const { top, bottom } = plot.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  const isDrawn = (plot) => plot.hidden || plot.dataset.stamp === plot.closest(".rv").dataset.stamp;
  return document.querySelector(".rv")?.dataset.stamp && seen.length && seen.every(isDrawn);
}"""
TRAINED = """() => document.querySelector('[data-testid="stProgress"]')?.innerText.startsWith("Done")"""


class Picture(NamedTuple):
    """What to take: a file's name, the address, the size of the window, and what else."""

    name: str
    query: str
    width: int = 1366
    height: int = 768
    theme: str = "light"
    chart: str = ""  # scrolled to, and taken alone
    train: bool = False  # to the end first


PICTURES = (
    Picture("explore-light", "", 1366, 768),
    Picture("explore-dark", "", 1366, 1200, "dark"),
    Picture("explore-projector", "?projector=true", 1440, 900),
    Picture("explore-phone", "", 390, 844, "light"),
    Picture("it-fades", "?preset=it-fades", 1100, 900, chart="norms"),
    Picture("it-explodes", "?preset=it-explodes", 1100, 900, chart="norms"),
    Picture("edge-of-chaos", "?preset=edge-of-chaos", 1100, 900, chart="norms"),
    Picture("unrolled", "?length=20&cells=lstm_3,rnn", 1366, 900, chart="unrolled"),
    Picture("clipping-curves", "clipping", 1100, 900, chart="curves"),
    Picture("clipping-directions", "clipping", 1100, 900, chart="directions"),
    Picture("wall", "clipping", 1100, 900, chart="map"),
    Picture("map", "map", 1366, 900, chart="phase"),
    Picture("your-model", "your_model", 1366, 760),
    Picture("training", "train?preset=who-remembers-thirty-steps", 1366, 1000, chart="film", train=True),
)


def take(browser: Browser, address: str, picture: Picture, folder: Path) -> None:
    """Open the address, wait until all that can be seen is drawn, and take the picture."""
    page = browser.new_page(viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.theme)
    page.goto(f"{address}/{picture.query}")
    page.wait_for_function(SETTLED)
    if picture.train:
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_function(TRAINED, timeout=120_000)
        page.mouse.move(0, 0)
        page.locator(".stTooltipContent").wait_for(state="detached")
        page.wait_for_function(SETTLED)
    target = page
    if picture.chart:
        target = page.locator(f'[data-chart="{picture.chart}"]')
        target.evaluate("chart => chart.scrollIntoView()")
        page.wait_for_function(SETTLED)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    target.screenshot(path=folder / f"{picture.name}.png")
    page.close()


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(exist_ok=True)
    with served() as (address, _), browsing() as browser:
        for picture in PICTURES:
            take(browser, address, picture, FOLDER)


if __name__ == "__main__":
    main()
