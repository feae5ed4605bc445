"""Options that derive from the declarations of settings, and what every command shares."""

import functools
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from rnnviz import Config, Knob, RnnvizError, knobs

ALIASES = {"length": ("--steps",)}  # a second word for an option


class Out(click.Path):
    """A file to write; one that cannot be is refused before any work and not after it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, whose folder is there and may be written to."""
        path = super().convert(value, param, ctx)
        folder = path.absolute().parent
        if path.is_dir():  # click lets an empty name pass
            self.fail(f"{os.fsdecode(value)!r} is no name of a file.", param, ctx)
        if not folder.is_dir():
            self.fail(f"{str(path)!r} cannot be written: there is no folder {str(folder)!r}.", param, ctx)
        if not path.exists() and not os.access(folder, os.W_OK | os.X_OK):
            self.fail(f"{str(path)!r} cannot be written: the folder {str(folder)!r} is read-only.", param, ctx)
        return path


OUT = Out(dir_okay=False, writable=True, path_type=Path)


class Refused(click.ClickException):
    """A wrong question: 2, as for an option that does not exist. What breaks in work is 1."""

    exit_code = 2


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
        metavar=metavar_of(declared),
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
    """A wrong question, or work that breaks, ends a command with a sentence and not with a trace."""

    @functools.wraps(function)
    def told(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except RnnvizError as problem:
            broke = problem.__cause__ is not None  # an executor; a wrong question has no cause but itself
            raise (click.ClickException if broke else Refused)(str(problem)) from None
        except BrokenPipeError:  # click ends in silence when `head` has seen enough
            raise
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


def saved(result: Any) -> bytes:
    """What a result's `save` writes."""
    file = io.BytesIO()
    result.save(file)
    return file.getvalue()


def metavar_of(declared: Knob) -> str:
    """What a setting may be, in the fewest words."""
    if declared.choices:
        return f"[{'|'.join(map(str, declared.choices))}]"
    if declared.kind is str:
        return "TEXT"
    if declared.kind is bool:
        return "[yes|no]"
    return f"{declared.low}..{declared.high}" if declared.kind is int else f"{declared.low:g}..{declared.high:g}"
