"""The three views of one record, to the letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun.diagnostics import Diagnostic, Place, Related, as_github, as_json, as_text, visible

LINE = "  sae: {use: sae-train, with: {activaton: relu}}"
TYPO = Diagnostic(
    Place("study.yaml", 9, 32, LINE, 9),
    "$.steps.sae.with",
    "unknown key 'activaton'",
    code="unknown-key",
    allowed=("activation", "k"),
    suggestion="activation",
    related=(Related(Place("base.yaml", 3, 1), "first here"),),
)


def test_text_has_the_place_the_cure_and_the_caret():
    assert as_text([TYPO]).splitlines() == [
        "study.yaml:9:32 $.steps.sae.with: unknown key 'activaton'; did you mean 'activation'?",
        "  9 |   sae: {use: sae-train, with: {activaton: relu}}",
        "    |                                ^^^^^^^^^",
        "  allowed: activation, k",
        "  first here: base.yaml:3:1",
    ]


def test_a_warning_says_so():
    warning = Diagnostic(Place("a"), "$", "odd", severity="warning")
    assert as_text([warning]) == "a:1:1 $: warning: odd"
    assert as_github([warning]).startswith("::warning file=a,")


def test_json_is_flat_and_ascii():
    record = json.loads(as_json([TYPO]))[0]
    assert record == {
        "file": "study.yaml",
        "line": 9,
        "column": 32,
        "width": 9,
        "path": "$.steps.sae.with",
        "severity": "error",
        "code": "unknown-key",
        "message": "unknown key 'activaton'",
        "allowed": ["activation", "k"],
        "suggestion": "activation",
        "source": LINE,
        "related": [{"file": "base.yaml", "line": 3, "column": 1, "message": "first here"}],
    }
    assert as_json([Diagnostic(Place("ü"), "$", "ß")]).isascii()


def test_github_escapes_what_would_end_its_command():
    odd = Diagnostic(Place("a,b:c%.yaml", 2, 3), "$", "100% of\nlines, all: of them")
    assert as_github([odd]) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=2,col=3,endColumn=4,title=studyrun value"
        "::$: 100%25 of\\nlines, all: of them"
    )


def test_github_names_suggestion_and_allowed_values():
    assert as_github([TYPO]).endswith(
        "unknown key 'activaton'; did you mean 'activation'? (allowed: activation, k)"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 日本", "plain ünïcode 日本"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("no\xa0break", "no\\xa0break"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_acts_instead_of_showing_is_written_out(text, shown):
    assert visible(text) == shown


@given(st.text(), st.text(max_size=300), st.integers(0, 300), st.integers(0, 400), st.text())
def test_no_view_can_be_broken_by_what_it_quotes(message, source, start, width, key):
    """Law: text stays printable and short, GitHub's command stays one line, JSON stays JSON."""
    place = Place(f"f{key}.yaml", 1, min(start, len(source)) + 1, source, width)
    odd = Diagnostic(place, f"$.{key}", message, suggestion=key, allowed=(key,))
    for line in as_text([odd]).split("\n"):
        assert line.isprintable()
    assert as_github([odd]).isprintable()
    assert json.loads(as_json([odd]))[0]["message"] == message


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_a_long_line_is_cut_around_the_caret(start, width):
    """Law: what the caret underlines is what stands at the column."""
    source = "".join(chr(97 + i % 26) for i in range(6000))
    _, quoted, caret = as_text(
        [Diagnostic(Place("f", 1, start + 1, source, width), "$", "m")]
    ).split("\n")
    assert len(quoted) < 100
    first, count = caret.index("^"), caret.count("^")
    assert quoted[first : first + count] == source[start : start + width][:count]


def test_the_caret_stands_under_wide_and_combining_characters():
    source = "日本: e\u0301 x"
    *_, caret = as_text([Diagnostic(Place("f", 1, 8, source, 1), "$", "m")]).split("\n")
    # 2 + 2 cells, colon, space, e with its accent in one cell, space
    assert caret == "    | " + " " * 8 + "^"
