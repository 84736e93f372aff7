"""The official format, on problems of our own; the real file has tests of its own."""

import json
import sys

import pytest
from data_room import faults, load, write_lines

from studyrun import StudyError

TWO = (
    {"question": "Six bags of 4?", "answer": "6 bags of 4 are <<6*4=24>>24.\n#### 24"},
    {"question": "A third?", "answer": "It is 1,200/3 = $<<1,200/3=400>>400\n#### 1,080"},
)


def official(folder, *records):
    return write_lines(folder / "train.jsonl", *records)


def test_the_columns_of_a_problem(tmp_path):
    official(tmp_path, *TWO)
    result = load("gsm8k", tmp_path, path="train.jsonl", validation=0)
    first, second = result.tables["table"].iter_rows(named=True)
    assert (first["id"], first["question"], first["solution"]) == ("train_0", *TWO[0].values())
    assert (first["answer"], first["split"], first["n_steps"]) == (24, "train", 1)
    assert first["steps"] == [
        {"expression": "6*4", "operands": [6, 4], "operators": ["*"], "result": 24}
    ]
    assert (second["id"], second["answer"]) == ("train_1", 1080)
    assert result.tables["malformed"].is_empty()
    assert result.meta["answers"] == "last-number"


def test_ids_count_lines_from_zero_and_blank_lines_count(tmp_path):
    official(tmp_path, TWO[0], "", TWO[1])
    table = load("gsm8k", tmp_path, path="train.jsonl", part="test").tables["table"]
    assert table["id"].to_list() == ["test_0", "test_2"]


def test_what_cannot_be_read_is_listed_by_id(tmp_path):
    official(
        tmp_path,
        {"question": "q", "answer": "Let x be 3.\n#### 3"},
        {"question": "q", "answer": "<<2x=4>>\n#### two"},
    )
    result = load("gsm8k", tmp_path, path="train.jsonl")
    assert result.tables["malformed"].rows() == [
        ("train_0", "solution", "Let x be 3.\n#### 3", "it has no <<calculation>>"),
        ("train_1", "step 1", "2x=4", "a number is missing at the end"),
        ("train_1", "answer", "two", "not a number"),
    ]
    assert result.tables["table"]["answer"].to_list() == [3, None]


def test_lines_of_another_form_are_refused_by_number(tmp_path):
    official(tmp_path, TWO[0], {"question": "q", "answer": "5"}, {"text": "q"}, "{")
    with pytest.raises(StudyError) as caught:
        load("gsm8k", tmp_path, path="train.jsonl")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'train.jsonl'}: 3 of 4 lines cannot be used",
        "  line 2: field 'answer' states no answer after '####'",
        "  line 3: no field 'question'; it has text",
        "  line 4: not JSON: Expecting property name enclosed in double quotes at column 2",
        "use the official file: a string 'question' and a string 'answer' that ends in '#### 72'",
    ]


def test_limit_takes_the_top_of_the_file(tmp_path):
    official(tmp_path, *TWO, "{")
    table = load("gsm8k", tmp_path, path="train.jsonl", limit=2).tables["table"]
    assert table["id"].to_list() == ["train_0", "train_1"]


def split_of(folder, indices, **given):
    (folder / "split.json").write_text(indices if isinstance(indices, str) else json.dumps(indices))
    result = load("gsm8k", folder, path="train.jsonl", indices="split.json", **given)
    return result.tables["table"]["split"].to_list()


def test_indices_say_which_problems_are_for_validation(tmp_path):
    official(tmp_path, *TWO, *TWO)
    expected = ["validation", "train", "train", "validation"]
    assert split_of(tmp_path, {"made_with": "dice", "validation": [3, 0]}) == expected
    assert split_of(tmp_path, {"validation": [3, 0]}, limit=2) == expected[:2]
    assert split_of(tmp_path, {"validation": []}) == ["train"] * 4


def test_indices_count_lines_as_ids_do(tmp_path):
    official(tmp_path, TWO[0], "", TWO[1])
    assert split_of(tmp_path, {"validation": [2]}) == ["train", "validation"]
    with pytest.raises(StudyError, match="no problem has the number 1; there are 0 to 2"):
        split_of(tmp_path, {"validation": [1]})


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ("{", "no JSON (Expecting property name"),
        ([1], 'it must be of the form {"validation": [0, 5, 7]}'),
        ({"valid": [1]}, 'it must be of the form {"validation": [0, 5, 7]}'),
        ({"validation": 1}, 'it must be of the form {"validation": [0, 5, 7]}'),
        ("[" * 100_000, "lists within lists within lists; it must be of the form"),
        ({"validation": ["7", 1]}, '"7" in the list is no whole number; it must be'),
        ({"validation": [None]}, "null in the list is no whole number"),
        ({"validation": [9, 8]}, "no problem has the number 9 (and 1 more); there are 0 to 3"),
        ({"validation": [1.5]}, "1.5 in the list is no whole number"),
        ({"validation": [True]}, "true in the list is no whole number"),
        ({"validation": [4]}, "no problem has the number 4; there are 0 to 3"),
        ({"validation": [-1]}, "no problem has the number -1; there are 0 to 3"),
        ({"validation": [1, 0, 1]}, "1 stands in the list more than once"),
    ],
)
def test_indices_of_another_form_are_refused(tmp_path, indices, message):
    official(tmp_path, *TWO, *TWO)
    with pytest.raises(StudyError) as caught:
        split_of(tmp_path, indices)
    assert f"{tmp_path / 'split.json'}: {message}" in str(caught.value)


def test_the_split_depends_on_seed_and_share(tmp_path):
    official(tmp_path, *TWO * 20)

    def split(**given):
        result = load("gsm8k", tmp_path, path="train.jsonl", **given)
        return result.tables["table"]["split"].to_list()

    assert split(validation=0.25).count("validation") == 10
    assert split(seed=1) == split(seed=1) != split(seed=2)


def test_there_must_be_one_source(tmp_path):
    official(tmp_path, *TWO)
    both = [*faults("gsm8k"), *faults("gsm8k", tmp_path, path="train.jsonl", hub="openai/gsm8k")]
    assert [fault.path for fault in both] == [(), ()]
    assert both[0].message == ("give either 'path', the official file, or 'hub', e.g. openai/gsm8k")
    with pytest.raises(StudyError, match="gsm8k: give 'path'"):
        load("gsm8k", tmp_path)


def test_the_hub_without_its_library_is_a_fault_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(StudyError, match=r'pip install "studyrun\[gsm8k\]"'):
        load("gsm8k", hub="openai/gsm8k", revision="abc")


def test_the_hub_needs_a_revision():
    messages = [fault.message for fault in faults("gsm8k", hub="openai/gsm8k")]
    assert messages[0] == ("'hub' needs 'revision', the commit, so that the content is certain")


def test_the_hub_gives_the_same_as_the_file(tmp_path):
    """The library reads a local folder exactly as it reads one on the hub."""
    pytest.importorskip("datasets", reason="the optional library datasets is not installed")
    folder = tmp_path / "set"
    folder.mkdir()
    official(folder, *TWO)
    hub = load("gsm8k", hub=str(folder), config="default", revision="main", seed=3)
    file = load("gsm8k", tmp_path, path="set/train.jsonl", seed=3)
    assert hub.tables["table"].equals(file.tables["table"])
