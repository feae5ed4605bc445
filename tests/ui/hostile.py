"""What nobody should put into an address or send from a browser, and how a refusal must look all the same."""

import string

from hypothesis import strategies as st

NASTY = {
    "empty": "",
    "space": " ",
    "script": "<script>alert(1)</script>",
    "image": '<img src=x onerror="alert(1)">',
    "link": "[click](javascript:alert(1))",
    "picture": "![x](https://example.org/x.png)",
    "markdown": "**a** _b_ `c` $d$ :red[e] # f",
    "null": "\x00",
    "surrogate": "\ud800",
    "right to left": "\u202egnp.exe",
    "lines": "a\nb\r\nc",
    "too large": "1e999",
    "not a number": "nan",
    "infinity": "inf",
    "minus infinity": "-inf",
    "minus zero": "-0",
    "huge integer": "9" * 5000,
    "other digits": "٣",
    "hexadecimal": "0x10",
    "path": "../../etc/passwd",
    "template": "{0.__class__}",
    "percent": "%s%n%00",
    "commas": ",,,",
    "emoji": "🙂",
    "long": "x" * 100_000,
}

TEXTS = st.one_of(
    st.text(max_size=50),
    st.text(alphabet=string.printable, max_size=50),
    st.text(st.characters(categories=("Cs", "Cc", "Cf", "Nd", "Ll")), max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(list(NASTY.values())),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXTS, part, max_size=4),
    max_leaves=12,
)


def assert_sentences(complaints) -> None:
    """Each is one line that ends, of a length that fits a screen, with nothing in it that a screen cannot show."""
    for complaint in complaints:
        assert complaint.endswith("."), complaint
        assert len(complaint) < 700, complaint
        assert all(letter.isprintable() for letter in complaint), complaint
