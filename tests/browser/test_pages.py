"""Journeys that every page beside Explore must stand."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TRAINED = "train?cells=rnn,gru&updates=50&length=10&hidden_size=8"


def trained(tab):
    """Train to the end, where there is something to train."""
    if "train" in tab.page.url:
        tab.page.get_by_role("button", name="Train", exact=True).click()
        tab.page.get_by_text("Done: 100 updates.").wait_for()
        tab.page.mouse.move(0, 0)
        tab.page.locator(".stTooltipContent").wait_for(state="detached")  # the button's, which fades
        tab.settle()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["clipping", TRAINED], ids=["clipping", "train"])
def test_assistive_technology_finds_its_way(visit, query, scheme):
    tab = visit(query, color_scheme=scheme)
    trained(tab)
    tab.see_all()
    found = tab.violations()
    if query == "clipping":
        tab.open_corners()
        tab.page.get_by_role("table").wait_for()
    tab.open("More")
    found |= tab.violations()
    print(*sorted(found), sep="\n")
    assert [each for each in found if each[1] in ("serious", "critical")] == []


@pytest.mark.parametrize("query", ["clipping", TRAINED], ids=["clipping", "train"])
def test_a_phone_shows_it_all(visit, phone, query):
    tab = visit(query, context=phone)
    trained(tab)
    tab.see_all()
    for scroller in ("document.scrollingElement", "document.querySelector('[data-testid=stMain]')"):
        assert tab.look(f"{scroller}.scrollWidth") <= 391


def test_controls_say_what_is_shown_after_another_page(visit):
    tab = visit()
    for page, chart, slider, shown in (
        ("Clipping", "curves", "Sequence length", "100"),
        ("Map", "phase", "Hidden size", "32"),
        ("Your model", "norms", "Sequence length", "40"),
        ("Train", "task", "Length", "30"),
    ):
        tab.page.get_by_role("link", name=page).click()
        tab.until("name => look.section(name)?.querySelector('.rv-plot').dataset.drawn", chart)
        expect(tab.page.get_by_role("slider", name=slider)).to_have_attribute("aria-valuetext", shown)
    tab.page.get_by_role("link", name="Explore").click()
    tab.until("'RNN tanh' in look.lines('norms')")
    expect(tab.page.get_by_role("slider", name="Sequence length")).to_have_attribute("aria-valuetext", "100")
    expect(tab.page.get_by_role("radio", name="Last step")).to_be_checked()


def test_a_page_opens_though_the_one_before_it_has_just_asked(visit):
    tab = visit("clipping")
    scale = tab.page.get_by_role("slider", name="Weight scale")
    scale.evaluate("""slider => {
        slider.value = slider.max / 2;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        slider.dispatchEvent(new Event("change", { bubbles: true }));
        [...document.querySelectorAll("a")].find((link) => link.innerText === "Explore").click();
    }""")
    tab.until("look.lines('norms')['RNN tanh']")
