"""A setting is declared once: default, bounds, choices, label, help. Widget, URL, message and docs derive from it."""

import dataclasses
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from rnnviz.errors import ConfigError, one_of, shown

TRUE, FALSE, NONE = ("true", "1", "on", "yes"), ("false", "0", "off", "no"), ("none", "")


@dataclass(frozen=True)
class Knob:
    """What is known about a setting beside its default.

    Attributes:
        label: its name on the screen.
        help: what to expect of it, one or two sentences.
        kind: int, float, str or bool.
        choices: {value: label} for a choice among words; empty otherwise.
        low, high: bounds of a number, or of the length of a text; both are allowed.
        ladder: the curated values that a control offers; empty when it is free.
        optional: None is allowed and means "leave it alone".
        many: of how many of the choices the setting is a tuple; 0 when it is a single one.
    """

    label: str
    help: str
    kind: type
    choices: dict[Any, str] = dataclasses.field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    ladder: tuple = ()
    optional: bool = False
    many: int = 0

    def checked(self, name: str, value: object) -> Any:
        """The value in its own type.

        Raises:
            ConfigError: naming the field, what is allowed and what came.
        """
        if value is None and self.optional:
            return None
        if self.many:
            return self._several(name, value)
        if self.choices or self.kind is bool:
            one_of(name, value, self.choices or (False, True))
            return value
        if self.kind is str:
            return self._text(name, value)
        return self._number(name, value)

    def from_text(self, text: str) -> Any:
        """What a text of an address or a command line means; the text itself where it means nothing, to be refused.

        >>> Knob("Gate bias", "", float, optional=True).from_text("none") is None
        True
        """
        if self.many:
            return tuple(filter(None, text.split(",")))
        if self.kind is bool:
            return True if text.lower() in TRUE else False if text.lower() in FALSE else text
        if self.optional and text.lower() in NONE:
            return None
        return text if self.choices or self.kind is str else self._number_from(text)

    def _number_from(self, text: str) -> int | float | str:
        try:
            return self.kind(text) if len(text) < 40 else text
        except ValueError:
            return text

    def _several(self, name: str, value: object) -> tuple:
        given = value if isinstance(value, tuple | list) else (value,)
        for each in given:
            one_of(name, each, self.choices)
        if not self.low <= len(given) <= self.many or len(set(given)) < len(given):
            raise ConfigError(f"{name}: must be {self.low:g} to {self.many} different ones, got {shown(value)}.")
        return tuple(given)

    def _text(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not self.low <= len(value) <= self.high:
            came = f"{len(value)} characters" if isinstance(value, str) else shown(value)
            raise ConfigError(f"{name}: must be a text of {self.low} to {self.high} characters, got {came}.")
        return value

    def _number(self, name: str, value: object) -> int | float:
        family = Integral if self.kind is int else Real
        if isinstance(value, bool) or not isinstance(value, family) or not self.low <= value <= self.high:
            word = "a whole number" if self.kind is int else "a number"
            allowed = f"{word} from {self.low:.12g} to {self.high:.12g}{', or None' if self.optional else ''}"
            raise ConfigError(f"{name}: must be {allowed}, got {shown(value)}.")
        return self.kind(value)


def knob(default: Any, label: str, help: str, **rest: Any) -> Any:
    """Declare a field of a configuration; `rest` as in `Knob`, with `kind` taken from the default when not given."""
    rest.setdefault("kind", type(default))
    return dataclasses.field(default=default, metadata={"knob": Knob(label, help, **rest)})


def knobs(config: Any) -> dict[str, Knob]:
    """{field name: its declaration} of a configuration class or value."""
    return {field.name: field.metadata["knob"] for field in dataclasses.fields(config)}


class Checked:
    """A frozen dataclass of knobs whose values are checked, and take their own types, when it is made.

    Raises:
        ConfigError: for a value that is not allowed; the sentence names the field, what is allowed and what came.
    """

    def __post_init__(self):
        for name, declared in knobs(self).items():
            object.__setattr__(self, name, declared.checked(name, getattr(self, name)))
