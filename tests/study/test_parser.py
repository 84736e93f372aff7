"""YAML 1.2 with positions: values, places, and everything that a study may not contain."""

import json
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from strategies import written_yaml
from studyrun.diagnostics import as_text
from studyrun.reading.parser import MAX_DEPTH, MAX_NODES, parse
from studyrun.source import Source

LOADERS = [yaml.CLoader, yaml.Loader]


def faults(text: str, loader=yaml.CLoader) -> list[str]:
    return [
        as_text([fault]).split("\n")[0] for fault in parse(Source("f", text), loader=loader).faults
    ]


def exact(value) -> str:
    return json.dumps(value)


@given(written_yaml(), st.sampled_from(LOADERS))
def test_what_was_written_is_read(written, loader):
    """Law: reading a text gives the value it was written from, types included."""
    parsed = parse(Source("f", written.text), loader=loader)
    assert parsed.faults == ()
    assert exact(parsed.root.plain()) == exact(written.value)


@given(written_yaml())
def test_positions_point_at_what_they_name(written):
    """Law: the place of every key is where the writer put it."""
    root = parse(Source("f", written.text)).root
    for path, start in written.keys.items():
        *_, entry = root.along(path)
        before = written.text[:start].replace("\r\n", "\n")
        place = entry.key.place
        assert entry.key.start == start
        assert (place.line, place.column) == (
            before.count("\n") + 1,
            len(before) - (before.rfind("\n") + 1) + 1,
        )


@given(written_yaml())
def test_the_span_of_a_scalar_is_its_text(written):
    """Law: parsing the text of a value's span alone gives the value again."""
    root = parse(Source("f", written.text)).root
    for path in written.keys:
        *_, entry = root.along(path)
        if not isinstance(entry.node.value, dict | tuple):
            assert parse(Source("g", entry.node.span.text)).root.value == entry.node.value


@given(st.text())
def test_any_text_is_a_document_or_a_fault_with_a_place(text):
    """Law: nothing is raised, and every fault lies inside the text."""
    parsed = parse(Source("f", text))
    assert parsed.faults or parsed.root or not text.strip("\ufeff \n\r\t")[:1].strip("#")
    lines = Source("f", text)._lines
    for fault in parsed.faults:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1


@given(written_yaml(), st.data())
def test_a_broken_document_ends_with_a_place(written, data):
    """Law: whatever is cut out of or put into a document, reading it ends normally."""
    at = data.draw(st.integers(0, len(written.text)))
    until = data.draw(st.integers(at, min(at + 5, len(written.text))))
    put = data.draw(
        st.sampled_from(["", "'", '"', "[", "{", "}", "\t", ": ", "*x", "&x ", "!t ", "|"])
    )
    broken = written.text[:at] + put + written.text[until:]
    lines = (line.strip() for line in broken.splitlines())
    says_something = any(line and not line.startswith("#") for line in lines)
    for loader in LOADERS:
        parsed = parse(Source("f", broken), loader=loader)
        assert parsed.root is not None or parsed.faults or not says_something


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1 $: the key 'a' is already there"),
        ("x:\n  - {k: 1, k: 2}", "f:2:12 $.x[0]: the key 'k' is already there"),
        ("x:\n  <<: {a: 1}", "f:2:3 $.x: '<<' (merge) is not in YAML 1.2; use 'extends', or write"),
        ("1: a", "f:1:1 $: a key must be text; write '1' in quotes"),
        ("true: a", "f:1:1 $: a key must be text; write 'true' in quotes"),
        ("? [a]\n: b", "f:1:3 $: a key must be text"),
        ("a: !!python/object:os.system ls", "f:1:4 $.a: the tag !!python/object:os.system is not"),
        ("a: !foo {b: 1}", "f:1:4 $.a: the tag !foo is not allowed"),
        ("a: !!str 5", "f:1:4 $.a: the tag !!str is not allowed"),
        ("a: .nan", "f:1:4 $.a: no value of a study can be infinite or not a number"),
        ("a: [1, -.inf]", "f:1:8 $.a[1]: no value of a study can be infinite or not a number"),
        ("a: 99999999999999999999", "f:1:4 $.a: the number does not fit in 64 bits"),
        ("a: *b", "f:1:4 $.a: the alias *b names no anchor above it"),
        ("a: &b [*b]", "f:1:8 $.a[0]: the alias *b contains itself"),
        ("a:\n\t- b", "f:2:1 $.a: a tab cannot indent or begin a value; use spaces"),
        ("a: b: c", "f:1:5 $: no key can stand here; indent the lines alike, or use quotes"),
        ("a: [1, 2", "f:1:4 $.a[2]: this '[' is never closed, or a comma is missing"),
        ("a: {b: c", "f:1:4 $.a: this '{' is never closed, or a comma is missing"),
        ("a: 'x\nb: y", "f:1:4 $.a: this quote is never closed"),
        ("a: @x", "f:1:4 $.a: a value cannot begin with '@'; put it in quotes"),
        ("a: 1\n- b", "f:2:1 $: the indentation does not match the lines above"),
        ("a: 1\n---\nb: 2", "f:2:1 $: a study is one document; a second one begins here"),
        ("a\x07: 1", "f:1:2 $: the character U+0007 does not show"),
        ("a: 1\u2028b: 2", "f:1:5 $: the character U+2028 does not show"),
        ("a: \ufeffb", "f:1:4 $: the character U+FEFF does not show"),
        ('a: "\\0"', "f:1:4 $.a: text cannot hold the character U+0000"),
        ("%YAML 3.0\n---\na: 1", "f:1:1 $: only YAML 1.2 is read; delete the %YAML line"),
    ],
)
def test_what_a_study_may_not_contain(text, expected, loader):
    first, *others = faults(text, loader)
    assert first.startswith(expected)
    assert others == []


def test_a_duplicate_names_both_places():
    (fault,) = parse(Source("f", "a: 1\nb: 2\na: 3")).faults
    assert (fault.related[0].place.line, fault.related[0].message) == (1, "first here")


def test_all_faults_are_told_at_once():
    assert len(faults("a: .nan\na: 1\n2: x\nb: !t c\nd: *no\n")) == 5


def test_an_unfinished_document_keeps_the_faults_before_it():
    assert [line.split()[0] for line in faults("a: .nan\nb: [1")] == ["f:1:4", "f:2:4"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "text", ["[" * 2000, "{a: " * 2000, "\n".join("  " * i + "a:" for i in range(500))]
)
def test_deep_nesting_is_bounded(text, loader):
    (fault,) = faults(text, loader)
    assert f"nested deeper than {MAX_DEPTH} levels" in fault


def test_deep_nesting_through_aliases_is_bounded():
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
    (fault,) = faults(chain)
    assert f"nested deeper than {MAX_DEPTH} levels" in fault


def test_an_alias_bomb_ends_soon_and_small():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    tracemalloc.start()
    began = time.process_time()
    (fault,) = faults(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"more than {MAX_NODES} values" in fault
    assert time.process_time() - began < 1
    assert peak < 10_000_000


def test_aliases_are_allowed_and_point_to_what_they_repeat():
    root = parse(Source("f", "a: &x {k: 1}\nb: *x\nc: [*x, *x]")).root
    assert root.plain() == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}, {"k": 1}]}
    *_, entry = root.along(("b", "k"))
    assert entry.node.span.place.line == 1
    *_, entry = root.along(("b",))
    assert (entry.node.span.text, entry.node.span.place.line) == ("*x", 2)


def test_an_anchor_may_be_given_again():
    assert parse(Source("f", "a: &x [&x 1, *x]\nb: *x")).root.plain() == {"a": [1, 1], "b": 1}


def test_a_quoted_merge_key_is_a_key():
    assert parse(Source("f", '"<<": 1')).root.plain() == {"<<": 1}


def test_an_empty_value_stands_at_its_key():
    root = parse(Source("f", "a:\nbc:\n\n\nd: 1")).root
    *_, entry = root.along(("bc",))
    assert (entry.node.value, entry.node.span.text) == (None, "bc")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "--- # x\n..."])
def test_nothing_is_nothing(text):
    parsed = parse(Source("f", text))
    assert parsed.faults == ()
    assert parsed.root is None or parsed.root.plain() is None


def test_a_large_but_flat_document_is_read_in_time():
    text = "a: [" + ", ".join(["1"] * (MAX_NODES + 1)) + "]"
    began = time.process_time()
    assert "values" in faults(text)[0]
    assert time.process_time() - began < 1
