"""Leaving out of a template what is not used.

Directives, each on a line of its own:

    #: if WORD ...          the lines up to `#: end` stand when one of the words is a fact
    #: if not WORD ...      … when none of them is
    #: choose FIELD         up to `#: end`: one `#: case VALUE ...` for each value, or several, that need lines. They
                            stand bare where no other value is used, and else under `if s.FIELD == VALUE:`
"""

from collections.abc import Collection, Iterator, Mapping

MARK = "#: "


def assemble(template: str, values: Mapping[str, list], facts: Collection[str]) -> str:
    r"""The lines of a template that stand.

    Args:
        template: with the directives of this module.
        values: {field: the values that are used}, for `choose`.
        facts: the words that hold, for `if`.

    >>> assemble("a\n#: if x\nb\n#: end\n#: choose f\n#: case 1\nc\n#: case 2\nd\n#: end", {"f": ["1"]}, {"y"})
    'a\nc\n'
    """
    return "".join(f"{line}\n" for line in _stand(iter(template.splitlines()), values, set(facts)))


def _stand(lines: Iterator[str], values, facts: set[str]) -> Iterator[str]:
    """The lines that stand until the `#: end` of the block that was entered."""
    for line in lines:
        word, *rest = _directive(line)
        if word == "end":
            return
        if word == "if":
            inner = list(_stand(lines, values, facts))
            wanted = rest[0] != "not"
            if bool(facts & set(rest)) == wanted:
                yield from inner
        elif word == "choose":
            yield from _chosen(lines, rest[0], values, facts, line[: -len(line.lstrip())])
        else:
            yield line


def _chosen(lines: Iterator[str], field: str, values, facts: set[str], margin: str) -> Iterator[str]:
    """The cases that are used."""
    used, cases = values[field], []
    for line in _until_end(lines):
        if isinstance(line, tuple):
            cases.append((line, []))
        else:
            cases[-1][1].append(line)
    cases = [([value for value in wanted if value in used], body) for wanted, body in cases]
    cases = [(wanted, body) for wanted, body in cases if wanted]
    word = "if"
    for wanted, body in cases:
        inner = list(_stand(iter(body), values, facts))
        if len(wanted) == len(used):
            yield from inner
            continue
        test = f"== {_quoted(wanted[0])}" if len(wanted) == 1 else f"in ({', '.join(map(_quoted, wanted))})"
        yield f"{margin}{word} s.{field} {test}:"
        yield from (f"    {line}" if line else line for line in inner)
        word = "elif"


def _until_end(lines: Iterator[str]) -> Iterator[str | tuple[str, ...]]:
    """The lines of a `choose`, its own cases as tuples of their values; blocks inside it stay as they are."""
    depth = 0
    for line in lines:
        word, *rest = _directive(line)
        if word == "end" and not depth:
            return
        depth += (word in ("if", "choose")) - (word == "end")
        yield tuple(rest) if word == "case" and not depth else line


def _directive(line: str) -> list[str]:
    """The words of a directive; one empty word for any other line."""
    text = line.strip()
    return text[len(MARK) :].split() if text.startswith(MARK) else [""]


def _quoted(value: str) -> str:
    return f'"{value}"'
