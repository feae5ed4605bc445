"""A few journeys through the app in a real Chromium."""

import io
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from rnnviz import Config
from rnnviz.experiments.comparison import Comparison
from rnnviz.experiments.tables import COLUMNS
from rnnviz.figures.theme import THEMES

pytestmark = pytest.mark.browser

NASTY = (
    "?length=<script>alert(1)</script>&cells=%00&weight_scale=1e999&foo=[x](javascript:alert(1))"
    "&signal=text&text=<img src=x onerror=alert(1)>&preset=<b>b</b>&hide=<i>i</i>&pin=%00%26length=../../etc/passwd"
)


def test_a_visitor_sees_three_fates_at_once(visit):
    tab = visit()
    assert tab.look("look.tilt('RNN tanh')") < -0.03
    assert abs(tab.look("look.tilt('LSTM, forget bias 3')")) < 0.01
    assert tab.look("look.tilt('RNN linear')") > 0.03
    assert tab.verdicts() == {"RNN tanh": "vanishing", "LSTM, forget bias 3": "steady", "RNN linear": "exploding"}
    assert tab.look("look.plot('norms').getBoundingClientRect().bottom") <= 768
    assert "?" not in tab.page.url
    assert not tab.look("look.plot('unrolled').dataset.stamp")  # nobody sees it yet


def test_the_curve_follows_the_hand(visit):
    tab = visit()
    mouse, track = tab.page.mouse, tab.page.get_by_role("slider", name="Weight scale")
    for corner, (step, value) in {"from": (20, 3), "to": (80, -2)}.items():
        at = tab.look(f"look.place('norms', {step}, {value})")
        mouse.move(at["x"], at["y"], steps=4)
        mouse.down() if corner == "from" else mouse.up()
    zoom = "JSON.stringify(look.gd('norms')._fullLayout.xaxis.range)"
    tab.until(f"JSON.parse({zoom})[0] > 15")
    zoomed = tab.look(f"[window.node = look.gd('norms'), {zoom}][1]")

    tilts, share = [tab.look("look.tilt('RNN linear')")], tab.share(track)
    mouse.move(*tab.handle(track, share))
    mouse.down()
    for _ in range(4):
        share += 0.05
        mouse.move(*tab.handle(track, share), steps=5)
        tab.until("before => look.tilt('RNN linear') > before && look.showsScale(look.scale())", tilts[-1])
        tilts.append(tab.look("look.tilt('RNN linear')"))
        assert tab.look("look.stamp()") == ""  # still in the hand
    assert "weight_scale" not in tab.page.url
    mouse.up()
    tab.settle()

    scale = tab.look("look.scale()")
    tab.page.wait_for_url(f"**/?weight_scale={scale:g}")
    assert tab.look(f"look.showsScale({scale})")
    assert scale > 1.5
    assert tab.look("window.node === look.gd('norms')")
    assert tab.look(zoom) == zoomed
    tab.see_all()
    assert tab.look("[...document.querySelectorAll('.rv-plot')].every(({ dataset }) => dataset.stamp === look.stamp())")


def test_a_knob_that_comes_back_lets_go(visit):
    tab = visit()
    mouse, track = tab.page.mouse, tab.page.get_by_role("slider", name="Weight scale")
    share = tab.share(track)
    mouse.move(*tab.handle(track, share))
    mouse.down()
    mouse.move(*tab.handle(track, share + 0.1), steps=5)
    tab.until("look.stamp() === '' && look.scale() > 1.3 && look.showsScale(look.scale())")
    mouse.move(*tab.handle(track, share), steps=5)
    mouse.up()
    tab.settle()
    assert tab.look("look.showsScale(1.1)")
    box = tab.page.get_by_role("spinbutton", name="Weight scale, exact value")
    box.fill("2")
    box.press("Enter")
    tab.until("look.showsScale(2)")
    expect(track).to_have_attribute("aria-valuetext", "2")


def test_the_box_says_what_is_drawn(visit):
    tab = visit()
    box = tab.page.get_by_role("spinbutton", name="Weight scale, exact value")
    for typed, taken in {"25": 20, "": 20, "1e999": 20, "1.5": 1.5, "-3": 0}.items():
        box.focus()
        box.press("Control+a")
        box.press("Delete")
        box.press_sequentially(typed)
        box.press("Enter")
        expect(box).to_have_value(f"{taken:g}")
        tab.page.wait_for_url(f"**/?weight_scale={taken:g}")
        if taken:
            tab.until("taken => look.showsScale(taken)", taken)


def test_back_undoes(visit):
    tab = visit()
    tab.page.get_by_role("button", name="Remove RNN tanh").click()
    tab.until("!('RNN tanh' in look.lines('norms'))")
    tab.page.wait_for_url("**/?cells=*")
    tab.page.get_by_role("slider", name="Weight scale").press("ArrowRight")
    tab.page.wait_for_url("**weight_scale=*")
    tab.page.go_back()
    tab.until("look.showsScale(1.1) && !('RNN tanh' in look.lines('norms'))")
    tab.page.go_back()
    tab.until("'RNN tanh' in look.lines('norms')")
    tab.settle()
    expect(tab.page.get_by_role("button", name="Remove RNN tanh")).to_be_visible()


def test_two_cells_are_compared(visit):
    tab = visit()
    cells = tab.page.get_by_role("combobox", name="Cells")
    for name in ("RNN linear", "LSTM, forget bias 3"):
        tab.page.get_by_role("button", name=f"Remove {name}").click()
        expect(tab.chart("norms").locator(".rv-badge", has_text=name)).to_have_count(0)
    cells.press_sequentially("GRU")
    cells.press("Enter")
    tab.until("'GRU' in look.lines('norms')")
    tab.settle()
    assert tab.verdicts() == {"RNN tanh": "vanishing", "GRU": "vanishing"}
    lines = tab.look("look.lines('norms')")
    assert list(lines) == ["RNN tanh", "GRU"]
    for run in Comparison(("rnn", "gru")).runs(Config(weight_scale=1.1)):
        norms = run.flow.log10_norm[0, :, 0]
        np.testing.assert_allclose(lines[run.label][1], norms - norms[-1], atol=1e-5)
    tab.page.wait_for_url("**/?cells=rnn%2Cgru")


def test_the_wave_plays_without_the_server(visit):
    tab = visit()
    tab.see_all()
    tab.go_to("unrolled")
    network, sent = tab.chart("unrolled"), tab.sent
    network.get_by_role("button", name="Play").click()
    tab.until("look.position() > 5 && look.position() < 195")
    network.get_by_role("button", name="Pause").click()
    at = tab.look("look.position()")
    network.get_by_role("button", name="Step back").click()
    assert at - 2 <= tab.look("look.position()") <= at  # it stood between two
    at = tab.look("look.position()")
    network.get_by_role("button", name="Step back").click()
    assert tab.look("look.position()") == at - 1
    knob = network.get_by_role("slider", name="Position in time")
    tab.page.mouse.click(*tab.handle(knob, 0.25))
    tab.until("Math.abs(look.step() - 50) <= 2")
    network.get_by_role("button", name="Step (→)").click()
    step = tab.look("look.step()")
    for name in ("norms", "states", "units"):
        tab.until("([name, step]) => look.marked(name) === step", [name, step])

    tab.go_to("norms")
    expect(tab.chart("norms").locator(".rv-mark")).to_be_visible()
    y = tab.look("look.lines('norms')['RNN linear'][1][30]")
    at = tab.look(f"look.place('norms', 30, {y})")
    tab.page.mouse.move(at["x"] - 30, at["y"])
    tab.page.mouse.move(at["x"], at["y"], steps=4)
    tab.until("look.hovered('norms') === 30")
    tab.page.mouse.click(at["x"], at["y"])
    tab.until("look.step() === 30 && look.marked('states') === 30")
    assert tab.sent == sent


def test_a_copied_link_opens_the_same_picture(visit):
    tab = visit("?cells=rnn,gru&length=50")
    tab.page.get_by_role("button", name="Dice").click()
    tab.page.wait_for_url("**seed=*")
    tab.page.get_by_role("slider", name="Weight scale").press("ArrowRight")
    tab.page.wait_for_url("**weight_scale=*")
    tab.settle()
    share = tab.open("Share")
    expect(share.get_by_role("img")).to_be_visible()
    assert share.get_by_role("img").evaluate("image => image.complete && image.naturalWidth > 100")
    share.get_by_test_id("stCode").hover()
    share.get_by_role("button", name="Copy to clipboard").click()
    link = tab.page.evaluate("navigator.clipboard.readText()")
    assert link == share.get_by_test_id("stCode").inner_text().strip()
    assert parse_qs(urlsplit(link).query) == parse_qs(urlsplit(tab.page.url).query)
    other = visit(f"?{urlsplit(link).query}")
    assert other.look("look.lines('norms')") == tab.look("look.lines('norms')")
    assert other.verdicts() == tab.verdicts()
    seed = parse_qs(urlsplit(link).query)["seed"][0]
    expect(other.open("More").get_by_role("spinbutton", name="Seed")).to_have_value(seed)


def test_a_phone_shows_it_all(visit, phone):
    tab = visit(context=phone)
    tab.see_all()
    for scroller in ("document.scrollingElement", "document.querySelector('[data-testid=stMain]')"):
        assert tab.look(f"{scroller}.scrollWidth") <= 391
    tab.look("look.plot('norms').scrollIntoView({ block: 'end' })")
    tab.settle()
    track = tab.page.get_by_role("slider", name="Weight scale")
    x, y = tab.handle(track, 0.5)
    assert tab.page.evaluate("([x, y]) => document.elementFromPoint(x, y).matches('.rv-track')", [x, y])
    assert y < tab.look("look.plot('norms').getBoundingClientRect().top") < 844
    tab.page.touchscreen.tap(*tab.handle(track, 0.75))
    tab.until("look.scale() > 3 && look.showsScale(look.scale())")


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_word_on_a_chart_can_be_read(visit, name):
    tab, theme = visit(color_scheme=name), THEMES[name]
    tab.see_all()
    assert tab.look("look.gd('norms')._fullLayout.paper_bgcolor") == theme.paper
    paper = tab.look("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert paper == f"rgb{tuple(bytes.fromhex(theme.paper[1:]))}"
    weak = tab.page.evaluate(
        """paper => [...document.querySelectorAll(".rv-gd text")]
            .map((text) => [look.contrast(getComputedStyle(text).fill, paper), text.textContent])
            .filter(([contrast]) => contrast < 4.5)""",
        paper,
    )
    assert weak == []


def test_the_keyboard_is_enough(visit):
    tab = visit("?weight_scale=1")
    keyboard = tab.page.keyboard
    tab.tab_to("input[type=range].rv-track")
    for before in (1, 1.005, 1.015):
        keyboard.press("ArrowRight")
        tab.until("before => look.scale() > before && look.showsScale(look.scale())", before)
        tab.settle()
    tab.tab_to('[data-chart="norms"] button[aria-expanded]')
    help = tab.page.get_by_text("Each line is ‖∂L/∂h_t‖")
    expect(help).to_be_hidden()
    keyboard.press("Enter")
    expect(help).to_be_visible()
    keyboard.press("Enter")
    expect(help).to_be_hidden()
    tab.tab_to('[data-chart="unrolled"] input[type=range]', 300)
    tab.settle()
    keyboard.press("Space")
    tab.until("look.position() > 3 && look.position() < 190")
    keyboard.press("Space")
    expect(tab.chart("unrolled").get_by_role("button", name="Play")).to_be_visible()
    at = tab.look("look.position()")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    assert at + 1 <= tab.look("look.position()") <= at + 2
    at = tab.look("look.position()")
    keyboard.press("ArrowLeft")
    assert tab.look("look.position()") == at - 1
    keyboard.press("Backspace")
    assert tab.look("look.position()") == 0


def test_a_nasty_address_opens_a_working_page(visit):
    tab = visit(NASTY)
    said = tab.page.get_by_test_id("stAlert").all_inner_texts()
    for name in ("length", "cells", "weight_scale", "foo", "preset", "hide", "pin"):
        assert any(re.match(rf"{name}\b", sentence.strip()) for sentence in said), f"{name}: {said}"
    injected = "a[href^=javascript], img[src=x], [onerror], [data-testid=stAlert] :is(a, b, i, img, script)"
    expect(tab.page.locator(injected)).to_have_count(0)
    tab.see_all()
    seen = tab.page.locator("body").inner_text()
    assert not re.search(r"Traceback|\.py\b|site-packages|rnnviz/ui", seen)
    tab.page.get_by_role("slider", name="Weight scale").press("ArrowRight")
    tab.until("look.scale() > 1.1 && look.showsScale(look.scale())")


def test_the_threshold_can_be_taken_in_the_hand(visit):
    tab = visit("?cells=rnn&weight_scale=3")
    tab.choose("Clipping", "Signal: states by norm")
    line = tab.chart("norms").get_by_role("slider", name="Clipping threshold")
    expect(line).to_have_count(1)
    tab.settle()
    follows = "look.section('norms').querySelector('[role=slider]').getAttribute('aria-valuenow')"
    follows = f"Math.abs(look.highest('RNN tanh') - {follows}) < 0.02"
    tab.until(follows)
    tab.go_to("norms")
    box = line.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    for _ in range(2):
        before, y = tab.look("look.highest('RNN tanh')"), y + 12
        tab.page.mouse.move(x, y, steps=3)
        tab.until(f"before => look.highest('RNN tanh') < before - 0.1 && {follows}", before)
        assert tab.look("look.stamp()") == ""
    tab.page.mouse.up()
    tab.settle()
    tab.page.wait_for_url("**clip_threshold=*")
    assert tab.look(follows)

    before = tab.look("look.highest('RNN tanh')")
    line.press("ArrowUp")
    tab.until(f"before => look.highest('RNN tanh') > before + 0.05 && {follows}", before)

    tab.go_up()
    tab.choose("Clipping", "Norm, after the sweep")
    expect(line).to_have_count(0)
    tab.go_to("optimiser")
    upright = tab.chart("optimiser").get_by_role("slider", name="Clipping threshold")
    expect(upright).to_have_count(1)
    at = float(upright.get_attribute("aria-valuenow"))
    upright.press("ArrowRight")
    expect(upright).to_have_attribute("aria-valuenow", f"{at + 0.1:.2f}")


def test_the_files_are_what_they_say(visit):
    tab = visit("?cells=rnn,gru&length=20")
    body, files = tab.open("Take away"), {}
    for label in ("Numbers (CSV)", "Arrays (npz)", "Report (HTML)", "PyTorch script"):
        with tab.page.expect_download() as download:
            body.get_by_role("button", name=label).click()
        files[download.value.suggested_filename] = download.value.path().read_bytes()
    assert set(files) == {"rnnviz.csv", "rnnviz.npz", "rnnviz.html", "rnnviz_run.py"}

    header, *rows = files["rnnviz.csv"].decode().splitlines()
    assert header == ",".join(COLUMNS)
    assert len(rows) == 2 * 21
    arrays = np.load(io.BytesIO(files["rnnviz.npz"]), allow_pickle=False)
    assert all(np.all(arrays[name] == arrays[name]) or arrays[name].dtype.kind == "f" for name in arrays)
    run = Comparison(("rnn", "gru")).runs(Config(length=20, weight_scale=1.1))[1]
    np.testing.assert_array_equal(arrays["gru/log10_norm"], run.flow.log10_norm)
    compile(files["rnnviz_run.py"], "rnnviz_run.py", "exec")

    chart = tab.chart("norms")
    chart.locator(".rv-gd").hover()
    expect(chart.get_by_role("toolbar").get_by_role("button", name="Share")).to_have_count(
        0
    )  # plotly's, with its cloud
    with tab.page.expect_download() as download:
        chart.get_by_role("button", name="Download as SVG").click()
    assert download.value.suggested_filename == "rnnviz-norms.svg"
    picture = download.value.path().read_text()
    assert all(f">{text}<" in picture for text in ("Where does the gradient go?", "RNN tanh", "GRU"))

    report = tab.page.context.new_page()
    asked = []
    report.on("request", lambda request: asked.append(request.url))
    report.set_content(files["rnnviz.html"].decode())
    expect(report.get_by_text("Where does the gradient go?").first).to_be_visible()
    assert [url for url in asked if url.startswith("http")] == []
    report.close()


@pytest.mark.parametrize(
    ("query", "scheme", "box"),
    [("", "light", "More"), ("", "dark", "Share"), ("?preset=what-clipping-changes", "light", "Take away")],
    ids=["light", "dark", "preset"],
)
def test_assistive_technology_finds_its_way(visit, query, scheme, box):
    tab = visit(query, color_scheme=scheme)
    tab.see_all()
    found = tab.violations()
    tab.open(box)
    found |= tab.violations()
    print(*sorted(found), sep="\n")
    assert [each for each in found if each[1] in ("serious", "critical")] == []


def test_a_teacher_prepares_the_page(visit):
    tab = visit("?hide=more,seed,weight_scale")
    size = "parseFloat(getComputedStyle(look.section('norms').querySelector('h3')).fontSize)"
    tick = "look.gd('norms')._fullLayout.font.size"
    small = tab.look(f"[{size}, {tick}]")
    expect(tab.page.get_by_role("button", name="Share", exact=True)).to_be_visible()
    expect(tab.page.get_by_role("button", name="More", exact=True)).to_have_count(0)
    expect(tab.page.get_by_role("slider", name="Weight scale")).to_be_hidden()
    expect(tab.page.get_by_test_id("stHeader").get_by_role("button", name="Main menu")).to_be_visible()

    tab.go("?hide=seed&projector=true&embed=true")
    large = tab.look(f"[{size}, {tick}]")
    assert all(b > 1.1 * a for a, b in zip(small, large, strict=True))
    expect(tab.page.get_by_test_id("stHeader")).to_be_empty()
    expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)
    more = tab.open("More")
    expect(more.get_by_text("Initialisation", exact=True)).to_be_visible()
    expect(more.get_by_text("Seed", exact=True)).to_have_count(0)
