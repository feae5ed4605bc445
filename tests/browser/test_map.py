"""A visitor of the map: a square is chosen by keyboard or pointer, and opens in Explore as it was shown."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

MAP = "map?cells=rnn,lstm&hidden_size=8&seeds=3"


def growth(text):
    """The growth per step in a sentence or a badge."""
    return text.split("×")[1].split(" a step")[0]


def test_a_square_opens_in_explore_as_it_was_shown(visit):
    tab = visit(MAP, color_scheme="light")
    assert grave(tab) == []
    line, badge = tab.page.locator(".rv-open"), tab.chart("norms").locator(".rv-badge")
    expect(line).to_contain_text("RNN tanh, weight scale 1, sequence length 200:")
    tab.tab_to(".rv-cell")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.page.keyboard.press(key)
    expect(line).to_contain_text("RNN tanh, weight scale 1.41, sequence length 100:")
    said = growth(line.inner_text())
    tab.page.keyboard.press("Enter")
    expect(badge).to_have_count(1)
    expect(badge).to_contain_text(f"×{said} a step")
    tab.settle()
    tab.page.go_back()
    expect(line).to_be_visible()
    expect(tab.page).to_have_url(f"{tab.address}/{MAP.replace(',', '%2C')}")

    box = tab.chart("phase").locator(".rv-gd").bounding_box()
    tab.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    said = growth(tab.chart("phase").locator(".hoverlayer .hovertext").text_content())
    tab.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    expect(badge).to_contain_text("LSTM")
    expect(badge).to_contain_text(f"×{said} a step")


def test_a_finger_chooses_before_it_opens(visit, phone):
    tab = visit(MAP, context=phone, color_scheme="dark")
    assert grave(tab) == []
    maps = tab.chart("phase").locator(".rv-gd").bounding_box()
    line = tab.page.locator(".rv-open")
    before = line.inner_text()
    tab.page.touchscreen.tap(maps["x"] + 0.5 * maps["width"], maps["y"] + 0.2 * maps["height"])
    expect(line).not_to_have_text(before)
    said = growth(line.inner_text())
    assert tab.look("document.querySelector('[data-testid=stMain]').scrollWidth") <= 391
    line.get_by_role("link", name="Open in Explore").tap()
    expect(tab.chart("norms").locator(".rv-badge")).to_contain_text(f"×{said} a step")


def grave(tab):
    """What axe-core finds that matters."""
    return [each for each in tab.violations() if each[1] in ("serious", "critical")]
