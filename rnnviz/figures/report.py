"""A page to keep: questions, answers and charts in one HTML file that needs no network."""

import json
import re
from collections.abc import Collection, Sequence
from html import escape
from typing import Any, NamedTuple

from plotly.io import to_json
from plotly.offline import get_plotlyjs

from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Knob, knobs
from rnnviz.figures.chart import Subject
from rnnviz.figures.charts import CHARTS
from rnnviz.figures.refusal import drawn
from rnnviz.figures.theme import THEMES, Theme

# What HTML forbids, and what UTF-8 has no code for.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# Nothing may be fetched; the scripts and styles are those of this file alone.
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
OPTIONS = {"responsive": True, "displaylogo": False, "showSendToCloud": False}

STYLE = """
:root { color-scheme: COLOUR_SCHEME; }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem 4rem; background: PAPER; color: INK;
  font: 1rem/1.55 "Source Sans 3", "Source Sans Pro", system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .25rem; }
p { margin: 0 0 .5rem; max-width: 44rem; overflow-wrap: anywhere; }
a { color: LINK; }
section { border-top: 1px solid GRID; padding-top: 1.25rem; margin-top: 2rem; }
.note, footer { color: FAINT; font-size: .9rem; }
figure { margin: .75rem 0 0; }
footer { margin-top: 2rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .15rem 1.5rem .15rem 0; border-bottom: 1px solid GRID;
  font-weight: normal; overflow-wrap: anywhere; }
th { color: FAINT; }
td { font-variant-numeric: tabular-nums; }
@media print {
  @page { margin: 16mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  section { break-inside: avoid; }
  figure { zoom: .8; }  /* a chart keeps the 52 rem of the screen, and A4 has 42 between its margins */
  a { color: inherit; }
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
<script>{plotly}</script>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
{link}</header>
{sections}{settings}</main>
<footer><p>Made by rnnviz. Every number is computed by exact back-propagation through time.</p></footer>
</body>
</html>
"""

SECTION = """<section>
<h2>{question}</h2>
<p>{answer}</p>
{notes}<figure id="chart-{place}" role="img" aria-label="{alt}"></figure>
<noscript><p class="note">The chart needs JavaScript.</p></noscript>
<script>
(function (chart) {{ Plotly.newPlot("chart-{place}", chart.data, chart.layout, {options}); }})({figure});
</script>
</section>
"""


class Section(NamedTuple):
    """A chart in a report.

    Attributes:
        question: what it answers.
        answer: one sentence.
        notes: further sentences.
        figure: as plotly's JSON has it; numpy arrays are allowed. Empty for no chart.
    """

    question: str
    answer: str
    notes: Sequence[str]
    figure: dict[str, Any]


def report_of(subject: Subject, link: str = "", given: Sequence[tuple[str, str]] = ()) -> str:
    """Every chart of compared runs with its question and its answer, and their settings, as one HTML file.

    Args:
        subject: the runs.
        link: to the same state of the app; "" for none.
        given: (label, value) of what else was given, at the head of the settings.
    """
    theme = THEMES["light"]
    charts = [chart for chart in CHARTS.values() if chart.steps != "own"]  # the page itself draws that one
    drawings = [drawn(chart, subject, theme) for chart in charts]
    sections = [(c.question, d.answer, d.notes, d.figure) for c, d in zip(charts, drawings, strict=True)]
    cells = "; ".join(run.label for run in subject.runs)
    settings = [*given, ("Cells", cells), *settings_of(subject.focus.config, ("cell",))]
    return html_report("Where does the gradient go?", link, sections, theme, settings)


def html_report(
    title: str,
    link: str,
    sections: Sequence[tuple[str, str, Sequence[str], dict[str, Any]]],
    theme: Theme,
    settings: Sequence[tuple[str, str]] = (),
) -> str:
    """One HTML file with everything in it, plotly.js included: it works without a network, and prints.

    Args:
        title: of the page.
        link: to the same state of the app; "" for none.
        sections: as `Section`, in their order.
        theme: the colours that the figures were drawn in.
        settings: (label, value) for the table at the end, as from `settings_of`.

    >>> from rnnviz.figures.theme import THEMES
    >>> page = html_report(
    ...     "Why <b>?", "", [Section("Where?", "Here.", (), {"data": [], "layout": {}})], THEMES["light"]
    ... )
    >>> "<title>Why &lt;b&gt;?</title>" in page
    True
    """
    parts = {
        "policy": escape(POLICY),
        "title": _safe(title),
        "style": _style(theme),
        "plotly": get_plotlyjs(),
        "link": _link(link),
        "settings": _settings(settings),
        "sections": "".join(_section(place, Section(*section)) for place, section in enumerate(sections, start=1)),
    }
    return PAGE.format(**parts)


def settings_of(config: Config, without: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """(label, value) of every setting, in the words of the screen; `without` are fields to leave out."""
    declared = knobs(config)
    asked = {name: value for name, value in config.settings.items() if name not in without}
    return tuple((declared[name].label, _words(declared[name], value)) for name, value in asked.items())


def _words(declared: Knob, value: object) -> str:
    if value is None:
        return "as drawn" if declared.optional else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(declared.choices.get(value, value))


def _safe(text: object) -> str:
    """Text for HTML, in an attribute too; what it may not hold becomes �."""
    return escape(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(text)))


def _style(theme: Theme) -> str:
    roles = {"COLOUR_SCHEME": theme.name, "PAPER": theme.paper, "INK": theme.ink, "FAINT": theme.faint}
    roles |= {"GRID": theme.grid, "LINK": theme.vanishing}
    return re.sub("|".join(roles), lambda role: roles[role[0]], STYLE)


def _link(link: str) -> str:
    """A link that can be followed only where it leads to the web."""
    if not link:
        return ""
    shown = _safe(link)
    web = re.match(r"https?://", link, re.IGNORECASE)
    return f'<p class="note">The same, to play with: {f"""<a href="{shown}">{shown}</a>""" if web else shown}</p>\n'


def _settings(settings: Sequence[tuple[str, str]]) -> str:
    if not settings:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_safe(label)}</th><td>{_safe(value)}</td></tr>\n' for label, value in settings
    )
    return f"<section>\n<h2>Settings</h2>\n<table>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"


def _section(place: int, section: Section) -> str:
    notes = "".join(f'<p class="note">{_safe(note)}</p>\n' for note in section.notes)
    text = SECTION if section.figure else SECTION[: SECTION.index("<figure")] + "</section>\n"
    return text.format(
        place=place,
        question=_safe(section.question),
        answer=_safe(section.answer),
        alt=_safe(f"{section.question} {section.answer}"),
        notes=f"{notes}",
        options=json.dumps(OPTIONS),
        figure=_script_json(section.figure),
    )


def _script_json(figure: dict[str, Any]) -> str:
    r"""JSON that may stand in a script of a page: no `<`, and lone surrogates as \ud800, which is pure ASCII."""
    text = to_json(figure, validate=False, engine="json", remove_uids=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
