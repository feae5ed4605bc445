"""Widgets for settings, made from their declarations. The session keeps the values; the address holds them too."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

import streamlit as st

from rnnviz import Knob, RnnvizError
from rnnviz.errors import shown
from rnnviz.ui.settings import Sheet, as_text

SHORT, LETTERS = 3, 24  # so many choices, of so many letters together, fit side by side
LONG = 2000  # characters that a single line may have
STAYING = ("seed", "projector")  # settings that neither a preset nor a reset changes
LONGEST = 25_000  # letters that a parameter may have in an address, after encoding; servers refuse what is much longer


@dataclass
class Kept:
    """What a session keeps of a page: the visitor may go to another one and come back.

    Attributes:
        values: the settings.
        preset: the chosen one, whether or not its settings have been changed since.
        pin: the settings of a run that lies under the present one, or None.
        hidden: names of the controls that the address hides.
        complaints: a sentence for everything that was not allowed.
        address: the parameters that were read or written last; None before that.
        new: this run is the first one of the page since another was looked at, whose widgets may have had its names.
    """

    values: dict[str, Any]
    preset: str | None = None
    pin: dict[str, Any] | None = None
    hidden: frozenset[str] = frozenset()
    complaints: list[str] = field(default_factory=list)
    address: dict[str, str] | None = None
    new: bool = True


class Session:
    """One visitor's settings of a page, made anew in every run of it."""

    def __init__(self, sheet: Sheet):
        self.sheet = sheet
        self.kept: Kept = st.session_state.setdefault(f"page {sheet.name}", Kept(dict(sheet.start)))

    @property
    def values(self) -> dict[str, Any]:
        """The settings, shared with the session and not copied."""
        return self.kept.values

    def arrive(self) -> None:
        """Read the address; whoever comes from another page without one finds what was left, or brings a network along.

        Settings that the two pages share come along once they have been changed.
        """
        state, query = st.session_state, st.query_params.to_dict()
        before, state["page"] = state.get("page"), self.sheet
        self.kept.new = before is None or before.name != self.sheet.name
        if before is not None and self.kept.new:
            self.kept.address = None if query else {}
            if not query:
                self._bring(before, state[f"page {before.name}"].values)
        if query != self.kept.address:
            self._read(query)

    def _bring(self, before: Sheet, values: dict[str, Any]) -> None:
        """Take what was changed on another page of the settings that both declare alike."""
        shared = [name for name, declared in self.sheet.knobs.items() if before.knobs.get(name) == declared]
        brought = {name: values[name] for name in shared if values[name] != self.values[name]}
        if brought and any(values[name] != before.start[name] for name in shared):
            self.values.update(brought)
            if set(brought) - set(STAYING):
                self.kept.preset = None

    def _read(self, query: dict[str, str]) -> None:
        """Take the settings of an address that is not the one written last: a link, or the Back button."""
        kept, sheet, preset = self.kept, self.sheet, query.get("preset")
        found, complaints = sheet.from_query(query)
        if preset and preset not in sheet.presets:
            known = f"must be one of {', '.join(sheet.presets)}" if sheet.presets else "there is none on this page"
            complaints.append(f"preset: {known}, got {shown(preset)}.")
        kept.preset = preset if preset in sheet.presets else None
        kept.hidden, more = sheet.hidden(query.get("hide", ""))
        complaints += more
        kept.pin, more = self._pinned(query.get("pin"))
        self.replace({**sheet.base(kept.preset), **found})
        kept.complaints += complaints + more
        kept.address = query

    def _pinned(self, word: str | None) -> tuple[dict[str, Any] | None, list[str]]:
        if word and "pin" not in self.sheet.hideable:
            return None, ["pin: there is nothing to pin on this page, and it was left out."]
        return self.sheet.unpacked(word) if word else (None, [])

    def words(self) -> dict[str, str]:
        """What an address holds beside the settings."""
        kept, words = self.kept, {}
        if kept.preset:
            words["preset"] = kept.preset
        if kept.hidden:
            words["hide"] = ",".join(sorted(kept.hidden))
        if kept.pin is not None:
            words["pin"] = self.sheet.packed(kept.pin)
        return words

    def query(self) -> dict[str, str]:
        """The parameters that open exactly what is on the screen, but for what is too long for an address."""
        return {name: text for name, text in self._parameters().items() if _fits(text)}

    def left_out(self) -> list[str]:
        """The labels of what is too long for an address."""
        names = [name for name, text in self._parameters().items() if not _fits(text)]
        return [self.sheet.knobs[name].label if name in self.sheet.knobs else name for name in names]

    def _parameters(self) -> dict[str, str]:
        return self.words() | self.sheet.to_query(self.values, self.kept.preset)

    def link(self, base: str) -> str:
        """The address that opens exactly what is on the screen."""
        query = urlencode(self.query())
        return f"{base}?{query}" if query else base

    def write_address(self) -> None:
        """Let the address say what is on the screen."""
        wanted = self.query()
        if wanted == self.kept.address:
            return
        self.kept.address = wanted
        if wanted:
            st.query_params.from_dict(wanted)
        else:
            st.query_params.clear()  # an empty dict would not be told to the browser

    def change(self, name: str, value: Any) -> None:
        """Set one setting; a value that is not allowed leaves it as it was and becomes a sentence on the page."""
        self.kept.complaints.clear()
        try:
            self.values[name] = self.sheet.knobs[name].checked(name, value)
        except RnnvizError as problem:
            self.kept.complaints.append(str(problem))

    def replace(self, values: dict[str, Any]) -> None:
        """Set all settings, those that are not named to where they start."""
        self.kept.complaints.clear()
        self.values.clear()
        self.values.update({**self.sheet.start, **values})

    def shows(self, name: str) -> bool:
        """Whether a control is on the page: the address leaves it there, and it would do something."""
        other, values = self.sheet.needs.get(name, (None, ()))
        return name not in self.kept.hidden and (other is None or self.values[other] in values)

    def control(self, name: str, **rest: Any) -> None:
        """Show the widget of a setting, where there shall be one."""
        if not self.shows(name):
            return
        declared, value = self.sheet.knobs[name], self.values[name]
        if st.session_state.get(name) != value or self.kept.new:
            st.session_state[name] = list(value) if declared.many else value
        shared = {"key": name, "help": declared.help, "on_change": self._taken, "args": (name,)}
        _widget(declared)(declared, value, shared | rest)

    def _taken(self, name: str) -> None:
        """A widget has a new value."""
        value = st.session_state[name]
        self.change(name, tuple(value) if isinstance(value, list) else value)


def _fits(text: str) -> bool:
    return len(quote_plus(text, errors="replace")) <= LONGEST


def _widget(declared: Knob) -> Callable:
    if declared.many:
        return _several
    if declared.choices:
        return (
            _segments
            if len(declared.choices) <= SHORT and sum(map(len, declared.choices.values())) <= LETTERS
            else _choice
        )
    if declared.kind is bool:
        return _switch
    if declared.kind is str:
        return _line
    return _ladder if declared.ladder else _number


def _several(declared: Knob, value: Any, shared: dict[str, Any]):
    st.multiselect(
        declared.label,
        list(declared.choices),
        format_func=declared.choices.get,
        max_selections=declared.many,
        select_all=False,
        **shared,
    )


def _choice(declared: Knob, value: Any, shared: dict[str, Any]):
    st.selectbox(declared.label, list(declared.choices), format_func=declared.choices.get, **shared)


def _segments(declared: Knob, value: Any, shared: dict[str, Any]):
    st.segmented_control(
        declared.label, list(declared.choices), format_func=declared.choices.get, required=True, **shared
    )


def _switch(declared: Knob, value: Any, shared: dict[str, Any]):
    st.toggle(declared.label, **shared)


def _line(declared: Knob, value: Any, shared: dict[str, Any]):
    field = st.text_area if declared.high > LONG else st.text_input
    field(declared.label, max_chars=declared.high, **shared)


def _number(declared: Knob, value: Any, shared: dict[str, Any]):
    st.number_input(declared.label, declared.low, declared.high, step=1, **shared)


def _ladder(declared: Knob, value: Any, shared: dict[str, Any]):
    """The curated values, and the present one where a link has chosen another."""
    rungs = sorted({*declared.ladder, value} - {None})
    options = [None, *rungs] if declared.optional else rungs
    st.select_slider(declared.label, options, format_func=_rung, **shared)


def _rung(value: Any) -> str:
    return "as drawn" if value is None else as_text(value)
