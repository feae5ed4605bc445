"""Journeys through the Clipping page in a real Chromium."""

from urllib.parse import unquote

import numpy as np
import pytest
from playwright.sync_api import expect

from rnnviz.experiments.descent import Descent, Wall
from rnnviz.ui.clipping import CLIPPING, ways_of

pytestmark = pytest.mark.browser


def curve(threshold):
    """The clipped signal's curve, in decades."""
    return ways_of({**CLIPPING.start, "clip_threshold": threshold}).clippings.signal.flow.log10_norm[0, :, 0]


def test_the_threshold_moves_the_clipped_curve_and_no_other(visit):
    tab = visit("clipping")
    lines = tab.look("look.lines('curves')")
    np.testing.assert_allclose(lines["signal"][1], curve(1.0), atol=1e-5)
    handle = tab.chart("curves").get_by_role("slider", name="Clipping threshold")
    box = handle.bounding_box()
    tab.page.mouse.move(box["x"] + 200, box["y"])
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 200, box["y"] - 60, steps=8)
    tab.until("before => Math.max(...look.lines('curves').signal[1]) > before + 0.2", max(lines["signal"][1]))
    tab.page.mouse.up()
    tab.settle()
    tab.page.wait_for_url("**/clipping?clip_threshold=*")
    threshold = float(unquote(tab.page.url.split("clip_threshold=")[1]))
    assert threshold > 2
    after = tab.look("look.lines('curves')")
    np.testing.assert_allclose(after["signal"][1], curve(threshold), atol=1e-5)
    unmoved = [name for name in lines if name != "signal"]
    assert len(unmoved) >= 3
    for name in unmoved:
        assert after[name] == lines[name]


def test_the_two_paths_at_the_wall_differ_and_are_walked_without_the_server(visit):
    tab = visit("clipping")
    tab.go_to("map")
    paths = tab.look("look.lines('map')")
    for walk in Wall(Descent()).walks:
        np.testing.assert_allclose(paths[walk.label][0], walk.path.w, rtol=1e-5)
        np.testing.assert_allclose(paths[walk.label][1], walk.path.b, rtol=1e-5)
    assert "13.7" in tab.chart("map").locator(".rv-answer").inner_text()
    sent = tab.sent
    tab.page.get_by_role("button", name="Play").click()
    tab.until("look.walked(0) > 30 && look.walked(1) > 30")
    tab.page.get_by_role("button", name="Pause").click()
    at = tab.look("look.walked(1)")
    tab.page.get_by_role("button", name="Step", exact=True).click()
    assert tab.look("look.walked(1)") in (at, at + 1)
    assert tab.sent == sent

    start = tab.page.get_by_role("slider", name="Start of both paths")
    start.press("ArrowLeft")
    tab.page.wait_for_url("**/clipping?*wall_w=*")
    tab.settle()
    assert tab.look("look.lines('map')") != paths
    expect(tab.page.get_by_role("spinbutton", name="Start w, exact value")).not_to_have_value("4.8")


def test_torch_says_what_it_does_in_the_corner_cases(visit):
    tab = visit("clipping")
    tab.open_corners()
    table = tab.page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(10)
    expect(table.get_by_role("row", name="NaN").first).to_be_visible()
