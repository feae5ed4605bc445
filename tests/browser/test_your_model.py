"""Journeys through the page "Your model" in a real Chromium."""

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from safetensors.torch import save
from torch import nn

from rnnviz.experiments.own_model import OwnModel
from rnnviz.experiments.weights import read_weights

pytestmark = pytest.mark.browser


def file(name, content):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def give(tab, place, name, content):
    """Open the box and give a file to its first or second uploader."""
    box = tab.open("Open your model") if not tab.page.get_by_test_id("stPopoverBody").is_visible() else tab.page
    box.locator("input[type=file]").nth(place).set_input_files(file(name, content))


def test_a_model_and_its_inputs_are_opened_and_a_bad_file_leaves_them(visit):
    torch.manual_seed(0)
    parts = nn.ModuleDict({"encoder": nn.LSTM(2, 6, bidirectional=True), "decoder": nn.GRU(1, 5)})
    content = save(parts.state_dict())
    tab = visit("your_model")
    assert {"Before training", "Midway", "Once solved"} <= set(tab.look("look.lines('norms')"))
    give(tab, 0, "mine.safetensors", content)
    tab.until("'decoder' in look.lines('norms')")
    weights = read_weights(content)

    def curve(**asked):
        return OwnModel(**asked).run(weights).flow.log10_norm[0, :, 0]

    found = np.array(tab.look("look.lines('norms')")["decoder"][1])
    np.testing.assert_allclose(found, curve() - curve()[-1], atol=1e-4)
    expect(tab.page.get_by_test_id("stPopoverBody")).to_have_count(0)

    tab.choose("Recurrent module", "encoder: LSTM 2 → 6, both directions")
    tab.page.wait_for_url("**/your_model?module=encoder")
    tab.until("Object.keys(look.lines('norms')).some((name) => name.startsWith('encoder, layer 1, backward'))")
    before = tab.look("look.lines('norms')")
    give(tab, 0, "bad.safetensors", content[:-1])
    expect(tab.page.get_by_text("it was cut or changed")).to_be_visible()
    tab.settle()
    assert tab.look("look.lines('norms')") == before

    tab.page.get_by_role("link", name="Explore").click()
    tab.until("'RNN tanh' in look.lines('norms')")
    tab.page.get_by_role("link", name="Your model").click()
    tab.until("Object.keys(look.lines('norms')).some((name) => name.startsWith('encoder'))")


def test_each_file_is_answered_for_itself(visit):
    tab = visit("your_model")
    give(tab, 0, "first.safetensors", b"no such file")
    first = tab.page.get_by_text("which does not begin like one")
    expect(first).to_be_visible()
    give(tab, 0, "second.pt", b"\x80\x02}q\x00.")
    second = tab.page.get_by_text("because a torch pickle can run code")
    expect(second).to_be_visible()
    expect(first).to_have_count(0)
    give(tab, 0, "third.safetensors", bytes(21_000_000))
    expect(tab.page.get_by_text("File must be 20.0MB or smaller.")).to_be_attached()
    expect(second).to_have_count(0)
    give(tab, 1, "fourth.csv", b"1,2\n3,4\n")
    expect(tab.page.get_by_text("the first line of the file must be a header")).to_be_visible()
    with tab.page.expect_download() as download:
        tab.open("Take away").get_by_role("button", name="Report (HTML)").click()
    assert download.value.suggested_filename == "rnnviz.html"


def test_assistive_technology_finds_its_way(visit):
    tab = visit("your_model", color_scheme="light")
    tab.see_all()
    found = tab.violations()
    tab.open("Open your model")
    found |= tab.violations()
    print(*sorted(found), sep="\n")
    assert [each for each in found if each[1] in ("serious", "critical")] == []


def test_a_phone_shows_it_all(visit, phone):
    tab = visit("your_model", context=phone)
    tab.see_all()
    for scroller in ("document.scrollingElement", "document.querySelector('[data-testid=stMain]')"):
        assert tab.look(f"{scroller}.scrollWidth") <= 391
