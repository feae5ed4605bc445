"""A report is one page that stands alone, whatever its texts are."""

import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import Config, knobs
from rnnviz.figures import report
from rnnviz.figures.report import Section, html_report, settings_of
from rnnviz.figures.theme import THEMES

LIGHT = THEMES["light"]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]> --> </title></style><h1>",
    "\"'><img src=x onerror=alert(1)>",
    "{title} {0} {{}} %s \\u003c",
    "&lt;b&gt; &amp; &",
    "\x00\x0b\x1f\x85\ufffe \ud800 🙂 ∂L/∂h",
    "line\nline\u2028\r\n\tline",
]


class Page(HTMLParser):
    """What a browser would make of it: the tags, the texts below each, and the attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.attributes = [], {}, {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes.setdefault(tag, []).append(dict(attrs))
        self.texts.setdefault(tag, []).append("")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data


@pytest.fixture(autouse=True)
def light_weight(monkeypatch):
    """4 MB of plotly.js are looked at once, below."""
    monkeypatch.setattr(report, "get_plotlyjs", lambda: "/* plotly.js */")


def figure(text="", y=(1.0, 2.0)):
    return {"data": [{"type": "scatter", "y": np.array(y), "name": text}], "layout": {"title": {"text": text}}}


def drawn(page):
    """The figures in the scripts of a page, as JavaScript reads them."""
    found = [re.search(r"\}\)\((.*)\);\s*$", script, re.DOTALL) for script in page.texts["script"][1:]]
    return [json.loads(each[1]) for each in found]


def shown(text):
    """A text as the page may show it."""
    return report.FORBIDDEN.sub("�", text).replace("\r\n", "\n").replace("\r", "\n")


def check(text):
    sections = [(text, text, (text, text), figure(text)), Section("Where?", "Here.", (), figure())]
    written = html_report(text, text, sections, LIGHT, [(text, text)])
    page = Page(written.encode().decode())
    assert page.open == []
    read = {
        tag: [each.replace("\r\n", "\n").replace("\r", "\n") for each in texts] for tag, texts in page.texts.items()
    }
    assert read["title"] == read["h1"] == [shown(text)]
    assert read["h2"] == [shown(text), "Where?", "Settings"]
    assert read["td"] == read["th"] == [shown(text)]
    assert page.attributes["figure"][0]["aria-label"].replace("\r\n", "\n").replace("\r", "\n") == shown(
        f"{text} {text}"
    )
    assert len(page.texts["script"]) == 3
    first, second = drawn(page)
    assert first["data"][0]["name"] == first["layout"]["title"]["text"] == text
    assert second["data"][0]["name"] == ""
    assert set(page.attributes) <= {
        "html", "head", "meta", "title", "style", "script", "body", "main", "header", "h1", "p", "a", "table",
        "tbody", "tr", "th", "td", "section", "h2", "figure", "noscript", "footer",
    }  # fmt: skip
    return page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text):
    check(text)


@settings(max_examples=100)
@given(
    st.text(st.characters(), max_size=40)
    | st.lists(st.sampled_from(["<", "/", "script", ">", "!--", "'", '"', "&", "\\"])).map("".join)
)
def test_any_text_stays_a_text(text):
    check(text)


def test_it_needs_no_network():
    page = Page(html_report("Title", "https://example.org/?cell=rnn", [("Q?", "A.", (), figure())], LIGHT))
    for attributes in itertools.chain(*page.attributes.values()):
        assert not {"src", "srcset", "data"} & attributes.keys()
    assert [each for each in page.attributes if each in ("link", "img", "iframe", "object")] == []
    assert "url(" not in page.texts["style"][0]
    policy = next(each["content"] for each in page.attributes["meta"] if "http-equiv" in each)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_plotly_stands_in_it_once(monkeypatch):
    monkeypatch.undo()
    written = html_report("Title", "", [("Q?", "A.", (), figure()), ("R?", "B.", (), figure())], LIGHT)
    page = Page(written)
    assert sum(len(script) > 1e6 for script in page.texts["script"]) == 1
    assert len(page.texts["script"]) == 3
    assert page.open == []


def test_the_numbers_are_those_of_the_figure():
    y = np.array([1e-300, -np.pi, np.nan, np.inf, 5e300])
    page = Page(html_report("Title", "", [("Q?", "A.", (), figure(y=y))], LIGHT))
    assert drawn(page)[0]["data"][0]["y"] == [1e-300, -np.pi, None, None, 5e300]


def test_what_a_reader_without_eyes_or_colours_gets():
    page = Page(html_report("Title", "", [("Where?", "Here.", ("Note.",), figure())], LIGHT))
    assert page.attributes["html"] == [{"lang": "en"}]
    assert page.attributes["figure"] == [{"id": "chart-1", "role": "img", "aria-label": "Where? Here."}]
    assert "@media print" in page.texts["style"][0]
    assert "Note." in page.texts["p"]


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_page_has_the_colours_of_its_theme(theme):
    style = Page(html_report("Title", "", [], theme)).texts["style"][0]
    assert f"background: {theme.paper}; color: {theme.ink};" in style
    assert f"color-scheme: {theme.name};" in style
    assert not re.search(r"\b(PAPER|INK|FAINT|GRID|LINK|COLOUR_SCHEME)\b", style)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " https://example.org", "?cell=rnn", "//x"]
)
def test_only_links_into_the_web_can_be_followed(link):
    page = Page(html_report("Title", link, [], LIGHT))
    assert "a" not in page.attributes
    assert any(link in text for text in page.texts["p"])


def test_a_link_keeps_its_address():
    address = "http://localhost:8501/?cell=rnn&text=%22%3E&length=20"
    page = Page(html_report("Title", address, [], LIGHT))
    assert page.attributes["a"] == [{"href": address}]


def test_no_chart_where_there_is_nothing_to_draw():
    page = Page(html_report("Title", "", [("Q?", "Nothing.", (), {})], LIGHT))
    assert "figure" not in page.attributes
    assert page.texts["p"][0] == "Nothing."
    assert page.open == []


def test_every_setting_has_its_words():
    rows = settings_of(Config(cell="lstm", bidirectional=True, weight_scale=0.1 + 0.2, text="</td>"))
    words = dict(rows)
    assert [label for label, _ in rows] == [declared.label for declared in knobs(Config).values()]
    assert settings_of(Config(), without=("cell", "text")) == tuple(
        row for row in settings_of(Config()) if row[0] not in ("Cell", "Your text")
    )
    assert words["Cell"] == "LSTM"
    assert words["Both directions"] == "yes"
    assert words["Weight scale"] == "0.3"
    assert words["Forget/update-gate bias"] == "as drawn"
    assert words["Input signal"] == "White noise"
    assert words["Your text"] == "</td>"
