"""A page's settings: read from the address, kept for the session, written back to the address."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlencode

from rnnviz import Config, Knob, RnnvizError, knobs
from rnnviz.errors import shown
from rnnviz.experiments.comparison import Comparison, Run
from rnnviz.figures.chart import View
from rnnviz.lessons import presets

CHOSEN_BY_CELLS = ("cell",)  # a field of Config that each compared network sets for itself
WORDS = ("preset", "hide", "pin")  # of an address, beside the settings
LONGEST = 100_000  # characters of a pinned run


@dataclass(frozen=True, eq=False)
class Sheet:
    """The settings of a page.

    Attributes:
        name: of the page, a word of its own.
        families: the configurations whose fields they are.
        begins: where the page starts, as far as it is not the default of a field.
        presets: {word in links: a preset with `label`, `settings` and `story`}.
        hideable: what an address may hide beside the settings' own controls.
        needs: {setting: (another one, the values of it without which the first does nothing and is not shown)}.
        says: settings that the address always names. An address without any brings settings along from the page before;
            where Back must lead to what was there, it is never so short.
    """

    name: str
    families: tuple[type, ...]
    begins: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Any] = field(default_factory=dict)
    hideable: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, tuple]] = field(default_factory=dict)
    says: tuple[str, ...] = ()

    @cached_property
    def knobs(self) -> dict[str, Knob]:
        """Every setting's declaration."""
        return {
            name: declared
            for family in self.families
            for name, declared in knobs(family).items()
            if name not in CHOSEN_BY_CELLS
        }

    @cached_property
    def start(self) -> dict[str, Any]:
        """The settings where the page starts."""
        defaults = {f.name: f.default for family in self.families for f in fields(family) if f.name in self.knobs}
        return {**defaults, **self.begins}

    def base(self, preset: str | None) -> dict[str, Any]:
        """The settings of a preset, or where the page starts."""
        return {**self.start, **(self.presets[preset].settings if preset else {})}

    def part(self, family: type, values: Mapping[str, Any]) -> Any:
        """The settings of one family as its value.

        Raises:
            RnnvizError: for values that do not go together.
        """
        return family(**{name: values[name] for name in knobs(family) if name in values})

    def from_query(self, parameters: Mapping[str, str | list[str]]) -> tuple[dict[str, Any], list[str]]:
        """The settings that an address names, and a sentence for each one that is not allowed.

        >>> EXPLORE.from_query({"length": "50", "cells": "rnn,gru", "seed": "x"})
        ({'length': 50, 'cells': ('rnn', 'gru')}, ["seed: must be a whole number from 0 to 2147483647, got 'x'."])
        """
        values, complaints = {}, []
        for name, given in parameters.items():
            text = given if isinstance(given, str) else given[-1] if given else ""
            if name in WORDS:
                continue
            if name not in self.knobs:
                complaints.append(f"{shown(name)[1:-1]}: is no setting of this page, and was left out.")
                continue
            try:
                values[name] = self.knobs[name].checked(name, self.knobs[name].from_text(text))
            except RnnvizError as problem:
                complaints.append(str(problem))
        return values, complaints

    def to_query(self, values: Mapping[str, Any], preset: str | None = None) -> dict[str, str]:
        """The parameters of an address: every setting that is not as the page starts, or not as a preset has it.

        >>> EXPLORE.to_query({**EXPLORE.start, "length": 50, "cells": ("rnn", "gru")})
        {'cells': 'rnn,gru', 'length': '50'}
        """
        base = self.base(preset)
        told = (name for name in self.knobs if name in self.says or values[name] != base[name])
        return {name: as_text(values[name]) for name in told}

    def from_text(self, name: str, given: Any) -> Any:
        """A value from the browser in the type of its setting; what is no text or list stays as it is."""
        if isinstance(given, list):
            return tuple(given)
        if isinstance(given, str):  # half a character would not go into an address
            return self.knobs[name].from_text(given.encode(errors="replace").decode())
        return given

    def packed(self, values: Mapping[str, Any]) -> str:
        """Settings as one word of an address, for a pinned run."""
        return urlencode(self.to_query(values), errors="replace")

    def unpacked(self, word: str) -> tuple[dict[str, Any] | None, list[str]]:
        """The settings of a pinned run, None where they cannot be run, and what is wrong with them."""
        try:
            given = parse_qs(word[:LONGEST], max_num_fields=100)
        except ValueError:
            return None, ["pin: must be the settings of a run, as a copied link has them; it was left out."]
        values, complaints = self.from_query(given)
        values = {**self.start, **values}
        try:
            question(values).runs()
        except RnnvizError as problem:
            return None, [f"pin, {problem}"]
        return values, [f"pin, {complaint}" for complaint in complaints]

    def hidden(self, word: str) -> tuple[frozenset[str], list[str]]:
        """The names after hide= in an address, and a sentence for those that name no control."""
        names = [name for name in word.split(",") if name]
        known = {*self.knobs, *self.hideable}
        return frozenset(names) & known, [
            f"hide: must name controls ({', '.join(sorted(known))}), got {shown(name)}."
            for name in names
            if name not in known
        ][:3]


@dataclass(frozen=True)
class Question:
    """What the settings of a run ask for."""

    comparison: Comparison
    config: Config
    view: View

    def runs(self) -> tuple[Run, ...]:
        """Every compared run."""
        return self.comparison.runs(self.config)


def question(values: Mapping[str, Any]) -> Question:
    """Settings as the three values they belong to.

    Raises:
        RnnvizError: for values that do not go together.
    """
    return Question(*(EXPLORE.part(family, values) for family in EXPLORE.families))


NEEDS = {"text": ("signal", ("text",)), "truncation_steps": ("truncation", ("chunked", "sliding"))}
EXPLORE = Sheet(
    "explore",
    (Comparison, Config, View),
    presets.START,
    presets.PRESETS,
    ("preset", "more", "share", "pin", "downloads", "check", "equations", "reset", "dice"),
    NEEDS,
)


def as_text(value: Any) -> str:
    """A value as an address has it."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return "none" if value is None else str(value)
