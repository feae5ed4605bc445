"""The one family of errors: wrong questions. What a run finds (overflow, dead units) is part of its result."""


class RnnvizError(ValueError):
    """A question that cannot be answered as it was asked; the message is one sentence fit for the screen."""


class ShapeError(RnnvizError):
    """An array has the wrong number of axes, the wrong sizes, or values that are not finite."""


class ConfigError(RnnvizError):
    """A setting is outside what is allowed."""


class BudgetError(RnnvizError):
    """A run would take more time or memory than it is allowed."""


def one_of(field: str, value: object, allowed: object) -> None:
    """Refuse a value that is not among the allowed ones.

    Raises:
        ConfigError: naming the field, the allowed values and the value that came.
    """
    choices = list(allowed)
    plain = str(value) if isinstance(value, str) else value
    if not any(value is choice or (type(plain) is type(choice) and plain == choice) for choice in choices):
        names = ", ".join(map(_name, choices[:-1])) + " or " * (len(choices) > 1) + _name(choices[-1])
        raise ConfigError(f"{field}: must be {names}, got {shown(value)}.")


def _name(choice: object) -> str:
    return choice.__name__ if isinstance(choice, type) else repr(choice)


def shown(value: object, longest: int = 60) -> str:
    """Give a value as text for a message, cut to a length that fits a line.

    >>> shown("x" * 1000, longest=10)
    "'xxxxxx..."
    """
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a hostile or an impossible repr, such as that of an int of 5000 digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def expect(field: str, value: object, kind: type, name: str) -> None:
    """Refuse a value that is not of a kind, `name` being its name in the message.

    Raises:
        ConfigError: naming the field, the kind and the value that came.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{field}: must be a {name}, got {shown(value)}.")
