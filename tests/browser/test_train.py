"""Journeys through the Train page in a real Chromium."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def press(tab, name):
    tab.page.get_by_role("button", name=name, exact=True).click()


def states(tab):
    """{variant: what its badge says} of the losses."""
    badges = tab.chart("losses").locator(".rv-badge").all()
    return {badge.locator("b").inner_text(): badge.inner_text() for badge in badges}


def words(tab):
    return tab.page.get_by_test_id("stProgress").inner_text()


def test_a_preset_trains_to_its_stated_end(visit):
    tab = visit("train?preset=who-remembers-thirty-steps")
    press(tab, "Train")
    tab.until("look.isTraining()")
    tab.until("!look.isTraining()")
    tab.settle()
    found = states(tab)
    for name in ("LSTM", "GRU", "IRNN (ReLU, identity)"):
        assert "solved at update" in found[name]
    assert "not solved in" in found["RNN tanh"]
    assert words(tab).startswith("Done: ")
    tab.see_all()
    assert tab.look("[...document.querySelectorAll('.rv-plot')].every(({ hidden }) => !hidden)")


def test_pause_leave_and_come_back(visit):
    tab = visit("train?cells=gru,rnn&updates=10000&hidden_size=8&stop=false")
    press(tab, "Train")
    tab.until("look.isTraining()")
    expect(tab.page.get_by_test_id("stProgress")).to_contain_text("left")
    press(tab, "Pause")
    expect(tab.page.get_by_test_id("stProgress")).to_contain_text("Paused after")
    paused, drawn = words(tab), tab.look("look.lines('losses')")
    tab.page.get_by_role("link", name="Explore").click()
    tab.until("'RNN tanh' in look.lines('norms')")
    tab.page.get_by_role("link", name="Train").click()
    tab.until("drawn => JSON.stringify(look.lines('losses')) === JSON.stringify(drawn)", drawn)
    tab.settle()
    assert words(tab) == paused
    assert "updates=10000" in tab.page.url
    press(tab, "Resume")
    tab.until("look.isTraining()")
    press(tab, "Stop")
    expect(tab.page.get_by_test_id("stProgress")).to_contain_text("what was found stays")
    tab.until("!look.isTraining()")
    assert tab.look("look.lines('losses')")
