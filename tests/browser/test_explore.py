"""A few journeys through the app in a real Chromium."""

import pytest

pytestmark = pytest.mark.browser


def test_a_visitor_sees_the_curve_tilt(page):
    page.get_by_text("The gradient halves every").wait_for()
    page.locator(".js-plotly-plot .scatterlayer").wait_for()
    page.locator(".js-plotly-plot .heatmaplayer image").wait_for(state="attached")
    slider = page.get_by_role("slider", name="Weight scale")
    for _ in range(4):
        slider.press("ArrowRight")
    page.get_by_text("The gradient doubles every").wait_for()
    assert "weight_scale=" in page.url


def test_a_link_opens_its_state_and_a_wrong_one_a_working_page(page, address):
    page.goto(f"{address}/?cell=LSTM&weight_scale=0.5")
    page.locator(".js-plotly-plot").get_by_text("‖∂L/∂c‖").first.wait_for()
    page.goto(f"{address}/?cell=%3Cscript%3Ealert(1)%3C/script%3E&length=nonsense")
    page.get_by_text("The gradient halves every").wait_for()


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.locator(".js-plotly-plot .scatterlayer").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
