"""A visitor of the map: a square is chosen by keyboard or pointer, and opens in Explore as it was shown."""

from urllib.parse import unquote

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
    assert unquote(tab.page.url) == f"{tab.address}/{MAP}"
    tab.settle()

    box = tab.chart("phase").locator(".rv-gd").bounding_box()
    tab.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    said = growth(tab.chart("phase").locator(".hoverlayer .hovertext").text_content())
    tab.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    expect(badge).to_contain_text("LSTM")
    expect(badge).to_contain_text(f"×{said} a step")


@pytest.mark.parametrize("start", ["map", MAP, "map?against=distance&cells=rnn"])
def test_back_leads_to_the_map_as_often_as_one_goes(visit, start):
    tab = visit(start)
    line, answer, badge = (
        tab.page.locator(".rv-open"),
        tab.chart("phase").locator(".rv-answer"),
        tab.chart("norms").locator(".rv-badge"),
    )
    there, told, said = tab.page.url, answer.inner_text(), growth(line.inner_text())
    line.get_by_role("link", name="Open in Explore").click()
    for _ in range(3):
        expect(badge).to_contain_text(f"×{said} a step")
        tab.settle()
        tab.page.go_back()
        expect(line).to_be_visible()
        tab.settle()
        expect(answer).to_have_text(told)
        assert tab.page.url == there
        tab.page.go_forward()


def test_an_embedded_map_opens_an_embedded_point(visit):
    tab = visit(f"{MAP}&embed=true")
    tab.page.locator(".rv-open").get_by_role("link", name="Open in Explore").click()
    expect(tab.chart("norms").locator(".rv-badge")).to_have_count(1)
    assert "embed=true" in tab.page.url


def test_a_finger_chooses_before_it_opens(visit, phone):
    tab = visit(MAP, context=phone, color_scheme="dark")
    assert grave(tab) == []
    maps = tab.chart("phase").locator(".rv-gd").bounding_box()
    line = tab.page.locator(".rv-open")
    before = line.inner_text()
    below = tab.chart("phase").locator(".rv-answer").bounding_box()
    assert below["y"] + below["height"] <= maps["y"]  # the answer stands above the long stack of maps
    tab.page.touchscreen.tap(maps["x"] + 0.5 * maps["width"], maps["y"] + 0.2 * maps["height"])
    expect(line).not_to_have_text(before)
    said = growth(line.inner_text())
    assert tab.look("document.querySelector('[data-testid=stMain]').scrollWidth") <= 391
    line.get_by_role("link", name="Open in Explore").tap()
    expect(tab.chart("norms").locator(".rv-badge")).to_contain_text(f"×{said} a step")


def grave(tab):
    """What axe-core finds that matters."""
    return [each for each in tab.violations() if each[1] in ("serious", "critical")]
