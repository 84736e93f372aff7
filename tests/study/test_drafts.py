"""`extends` and `--set`: one rule, and places that keep the file a value came from."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import flow_yaml, study_names, study_values
from studyrun.diagnostics import as_text
from studyrun.reading.drafts import read_draft
from studyrun.reading.overrides import setting
from studyrun.source import Source

documents = st.dictionaries(study_names, study_values(6), max_size=4)


def hand_merged(base, over):
    """The rule, written down again: mappings merge, null removes, the rest replaces."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        if key in base and value is None:
            del merged[key]
        elif key in base:
            merged[key] = hand_merged(base[key], value)
        else:
            merged[key] = value
    return merged


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{next(iter(files))}.yaml"


def lines(draft) -> list[str]:
    return [as_text([fault]).split("\n")[0] for fault in draft.faults]


@given(documents, documents, documents)
def test_extending_is_merging_by_hand(tmp_path_factory, first, second, third):
    """Law: a chain of `extends` equals the studies merged by hand, order of keys included."""
    folder = tmp_path_factory.mktemp("chain")
    for name, document, base in (("a", first, "b"), ("b", second, "c"), ("c", third, None)):
        document.pop("extends", None)
        extends = {"extends": f"{base}.yaml"} if base else {}
        (folder / f"{name}.yaml").write_text(flow_yaml({**document, **extends}))
    draft = read_draft(folder / "a.yaml")
    assert draft.faults == ()
    expected = hand_merged(hand_merged(third, second), first)
    assert json.dumps(draft.root.plain()) == json.dumps(expected)


@given(documents, st.lists(study_names, min_size=1, max_size=4), study_values(6))
def test_setting_is_merging_by_hand(document, path, value):
    """Law: --set a.b=v equals laying {a: {b: v}} over the study."""
    if path[0] in ("extends", "steps", "hypotheses"):
        path[0] += "x"
    document.pop("extends", None)
    over = value
    for part in reversed(path):
        over = {part: over}
    source = Source("study.yaml", flow_yaml(document))
    draft = read_draft(source, [setting(".".join(path), value)])
    assert draft.faults == ()
    assert json.dumps(draft.root.plain()) == json.dumps(hand_merged(document, over))


def test_a_value_keeps_the_file_it_came_from(tmp_path):
    study = write(tmp_path, a="extends: b.yaml\nx: {k: 1}\n", b="x: {k: 2, l: 3}\n")
    root = read_draft(study, ["x.m=4"]).root
    places = {}
    for key in "klm":
        *_, entry = root.along(("x", key))
        place = entry.node.span.place
        places[key] = (Path(place.file).name, place.line, place.column)
    assert places == {"k": ("a.yaml", 2, 8), "l": ("b.yaml", 1, 14), "m": ("--set", 1, 5)}


@pytest.mark.parametrize(
    ("files", "file", "expected"),
    [
        ({"a": "extends: b.yaml"}, "a", "1:10 $.extends: there is no file"),
        (
            {"a": "extends: a.yaml"},
            "a",
            "1:10 $.extends: studies extend each other: a.yaml -> a.yaml",
        ),
        (
            {"a": "extends: b.yaml", "b": "extends: c.yaml", "c": "x: 1\nextends: b.yaml"},
            "c",
            "2:10 $.extends: studies extend each other: b.yaml -> c.yaml -> b.yaml",
        ),
        ({"a": "extends: [b.yaml]"}, "a", "1:10 $.extends: expected the path of a study"),
        ({"a": "extends: b.yaml", "b": "x: [1"}, "b", "1:4 $.x[1]: this '[' is never closed"),
        (
            {"a": "extends: b.yaml", "b": "- x"},
            "b",
            "1:1 $: a study is a mapping of keys to values",
        ),
        ({"a": "extends: b.yaml", "b": ""}, "b", "1:1 $: the study is empty"),
        (
            {"a": "extends: b.yaml", "b": "extends: no.yaml"},
            "b",
            "1:10 $.extends: there is no file",
        ),
        ({"a": "extends: .."}, "a", "1:10 $.extends: there is no file"),
    ],
)
def test_faults_stand_in_the_file_that_says_it(tmp_path, files, file, expected):
    (line,) = lines(read_draft(write(tmp_path, **files)))
    assert line.startswith(f"{tmp_path / file}.yaml:{expected}")


def test_a_missing_file_is_guessed(tmp_path):
    (fault,) = read_draft(write(tmp_path, a="extends: ./bsae.yaml", base="x: 1")).faults
    assert fault.suggestion == "base.yaml"


def test_faults_of_every_file_are_told_at_once_the_study_first(tmp_path):
    draft = read_draft(
        write(tmp_path, a="extends: b.yaml\nx: .nan", b="y: .nan"), ["z=[", "w=.inf"]
    )
    files = [Path(fault.file).name for fault in draft.in_order(draft.faults[::-1])]
    assert files == ["a.yaml", "b.yaml", "--set", "--set"]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("foo", "--set:1:4 $: no '=' here; write path=value, as in steps.sae.with.k=64"),
        ("=1", "--set:1:1 $: '' is no path; write it as in steps.sae.with.k"),
        ("a..b=1", "--set:1:1 $: 'a..b' is no path; write it as in steps.sae.with.k"),
        (".".join("a" * 20) + "=1", "--set:1:33 $: a path has at most 16 parts"),
        ("extends=x", "--set:1:1 $: 'extends' can only be written in a file"),
        (
            "steps.sea.with.k=1",
            "--set:1:7 $.steps: there is no 'sea' in steps; did you mean 'sae'?",
        ),
        ("x.y=[1, 2", "--set:1:5 $.x.y[2]: this '[' is never closed, or a comma is missing"),
        ("x=!t a", "--set:1:3 $.x: the tag !t is not allowed"),
        ("x=1\x1b[31m", "--set:1:4 $: the character U+001B does not show"),
        ("x=a\udcff", "--set:1:4 $: the character U+DCFF does not show"),
    ],
)
def test_faults_of_a_setting_point_into_the_argument(argument, expected):
    (line,) = lines(read_draft(Source("s", "steps: {sae: {use: fit}}"), [argument]))
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x=1e3", 1000.0),
        ("x=no", "no"),
        ("x=", None),
        ("x='1'", "1"),
        ("x=a=b", "a=b"),
        ("x= 1", 1),
    ],
)
def test_a_setting_is_yaml(argument, value):
    assert read_draft(Source("s", "y: 1"), [argument]).root.plain()["x"] == value


def test_an_empty_setting_removes():
    assert read_draft(Source("s", "x: 1\ny: 2"), ["x="]).root.plain() == {"y": 2}


def test_a_step_is_made_by_its_use():
    source = Source("s", "steps: {sae: {use: fit}}")
    draft = read_draft(source, ["steps.more.use=fit", "steps.more.with.k=2"])
    assert draft.faults == ()
    assert draft.root.plain()["steps"]["more"] == {"use": "fit", "with": {"k": 2}}


def test_a_byte_order_mark_is_no_character_of_the_study(tmp_path):
    study = tmp_path / "a.yaml"
    study.write_bytes(b"\xef\xbb\xbfx: 1\n")
    draft = read_draft(study)
    assert draft.root.plain() == {"x": 1}
    assert draft.root.entries["x"].key.place.column == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("x: 1".encode("utf-16"), "1:1 $: the file is UTF-16 or UTF-32; save it as UTF-8"),
        ("x: 1".encode("utf-16-be"), "1:1 $: the character U+0000 does not show"),
        ("x: é".encode("latin-1"), "1:4 $: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("a: ü\nb: é".encode()[:-1], "2:4 $: byte 0xc3 is not UTF-8; save the file as UTF-8"),
        (b"x: " + b"a" * (1 << 20), "1:1 $: the file is larger than 1 MiB: not a study"),
    ],
)
def test_bytes_that_are_no_study(tmp_path, data, expected):
    study = tmp_path / "a.yaml"
    study.write_bytes(data)
    assert lines(read_draft(study))[0].startswith(f"{study}:{expected}")


def test_a_file_that_cannot_be_read(tmp_path):
    (line,) = lines(read_draft(tmp_path / "none.yaml"))
    assert (
        line == f"{tmp_path / 'none.yaml'}:1:1 $: cannot read the study: no such file or directory"
    )
    (line,) = lines(read_draft(tmp_path))
    assert line.endswith("cannot read the study: is a directory")


def test_a_setting_made_in_python_reads_back():
    assert setting("a.b", {"x": [1, "ü🙂", None, 1e-5]}) == 'a.b={"x": [1, "ü🙂", null, 1e-05]}'
    with pytest.raises(ValueError, match="JSON"):
        setting("a", float("nan"))
    with pytest.raises(ValueError, match="a: "):
        setting("a", object())
