"""From a place in a text to where YAML writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import yaml_scalars
from studyrun.reading.parser import parse
from studyrun.reading.places import piece_of
from studyrun.source import Source


def written(yaml: str, piece: str, nth: int = 0) -> str:
    """What stands where the piece of the value of `a` is said to be; `...` for all of it."""
    root = parse(Source("s", yaml)).root
    node = root.get("a")
    start = -1
    for _ in range(nth + 1):
        start = node.value.index(piece, start + 1)
    span = piece_of(node.span, node.value, start, start + len(piece))
    before = yaml[: span.start].replace("\n", "|")
    return "..." if span == node.span else f"{before[-4:]}[{span.text}]"


@pytest.mark.parametrize(
    ("yaml", "piece", "nth", "expected"),
    [
        ("a: one two one", "one", 1, "two [one]"),
        ("a: 'it''s one'", "one", 0, "''s [one]"),
        ("a: 'it''s one'", "it's", 0, "a: '[it''s]"),
        (r'a: "\ttab ab"', "ab", 1, r"tab [ab]"),
        (r'a: "\x41b \"q\""', "Ab", 0, r'a: "[\x41b]'),
        (r'a: "\x41b \"q\""', '"q"', 0, r"41b [\"q\"]"),
        ('a: "x \\\n  y z"', "z", 0, "  y [z]"),
        ("a: x\n  y\n  z x", "x", 1, "  z [x]"),
        ("a: |\n  x y\n  y z\n", "y", 1, "y|  [y]"),
        ("a: >-  # y is noted\n  x y\n\n  y z\n", "y", 0, "  x [y]"),
        ("a: |2\n   x\r\n   y\r\n", "y", 0, "|   [y]"),
        ("b: 1\na: &one one one", "one", 1, "one [one]"),
        ("b: &x one two\na: *x", "two", 0, "..."),
    ],
)
def test_the_piece_is_found_where_it_is_written(yaml, piece, nth, expected):
    assert written(yaml, piece, nth) == expected


WORDS = st.lists(
    st.sampled_from(["a", "ab", "'b'", "\\", '"x y"', "é", "b"]), min_size=1, max_size=8
)


@given(st.data())
def test_every_piece_is_found_in_every_style(data):
    """Law: the piece begins and ends where its first and last character are written."""
    text = " ".join(data.draw(WORDS))
    start = data.draw(st.integers(0, len(text) - 1).filter(lambda at: text[at] != " "))
    end = data.draw(st.integers(start + 1, len(text)).filter(lambda at: text[at - 1] != " "))
    scalar = data.draw(yaml_scalars(text, "  "))
    node = parse(Source("s", f"a: {scalar.yaml}\nb: end\n")).root.get("a")
    span = piece_of(node.span, node.value, start, end)
    first = len("a: ") + scalar.places[start]
    last = len("a: ") + scalar.places[end - 1]
    assert span.start == first
    assert last < span.end <= last + len(r"\u0000")
