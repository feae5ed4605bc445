"""Options that derive from the declarations of settings, and what every command shares."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from rnnviz import Config, Knob, RnnvizError, knobs

ALIASES = {"length": ("--steps",)}  # a second word for an option
OUT = click.Path(dir_okay=False, writable=True, path_type=Path)


class Setting(click.ParamType):
    """A setting's text, read and refused as its declaration says."""

    def __init__(self, field: str, declared: Knob):
        self.field, self.declared = field, declared
        self.name = "|".join(map(str, declared.choices)) if declared.choices else declared.kind.__name__

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value in its own type."""
        try:
            return self.declared.checked(
                self.field, self.declared.from_text(value) if isinstance(value, str) else value
            )
        except RnnvizError as problem:
            raise click.UsageError(str(problem), ctx) from None


def option_of(field: str, declared: Knob, default: Any) -> Callable:
    """The option of one setting."""
    word = "--" + field.replace("_", "-")
    if declared.kind is bool:
        return click.option(f"{word}/--no-{word[2:]}", field, default=default, show_default=True, help=declared.help)
    return click.option(
        word,
        *ALIASES.get(field, ()),
        field,
        type=Setting(field, declared),
        default=default,
        show_default="none" if default is None else True,
        metavar=_metavar(declared),
        help=declared.help,
    )


def settings(family: type, without: tuple[str, ...] = ()) -> Callable:
    """Every setting of a configuration as an option, in its own order."""

    def decorate(function: Callable) -> Callable:
        for field in reversed(fields(family)):
            if field.name not in without:
                function = option_of(field.name, knobs(family)[field.name], field.default)(function)
        return function

    return decorate


def speaks_plainly(function: Callable) -> Callable:
    """A wrong question, or a file that cannot be written, ends a command with a sentence and not with a trace."""

    @functools.wraps(function)
    def told(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except RnnvizError as problem:
            raise click.ClickException(str(problem)) from None
        except OSError as problem:
            raise click.ClickException(f"{problem.filename}: {problem.strerror}.") from None

    return told


def config_of(given: Mapping[str, Any]) -> Config:
    """The configuration among a command's arguments."""
    return Config(**{name: given[name] for name in knobs(Config) if name in given})


def write(path: Path | None, content: Callable[[], str | bytes]) -> None:
    """Make a file's content and write it, if a path was given."""
    if path is None:
        return
    made = content()
    path.write_bytes(made.encode() if isinstance(made, str) else made)
    click.echo(f"Wrote {path}")


def _metavar(declared: Knob) -> str:
    if declared.choices:
        return f"[{'|'.join(map(str, declared.choices))}]"
    if declared.kind is str:
        return "TEXT"
    return f"{declared.low}..{declared.high}" if declared.kind is int else f"{declared.low:g}..{declared.high:g}"
