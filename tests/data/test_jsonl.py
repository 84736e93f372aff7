"""Own files: every line becomes a problem or is named by its number, with the reason."""

import json
import re

import pytest
from data_room import Surroundings, load, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import problems
from studyrun import StudyError
from studyrun_data.jsonl import load as load_jsonl
from studyrun_data.params import Jsonl
from studyrun_data.solution import render
from studyrun_data.table import problems_of

GOOD = {"question": "How many?", "solution": "20*3=60 | 60+5=65", "answer": 65}


def refusal(folder, *records, **given) -> list[str]:
    """The lines of the error that this file provokes."""
    write_lines(folder / "own.jsonl", *records)
    with pytest.raises(StudyError) as caught:
        load("jsonl", folder, path="own.jsonl", **given)
    return str(caught.value).splitlines()


def table(folder, *records, **given):
    write_lines(folder / "own.jsonl", *records)
    return load("jsonl", folder, path="own.jsonl", **given).tables["table"]


def test_fields_have_names_of_their_own(tmp_path):
    record = {
        "text": "How many?",
        "cot": ["20*3=60", "60+5=65"],
        "gold": "$65",
        "n": 9,
        "part": "validation",
    }
    names = {"question": "text", "solution": "cot", "answer": "gold", "id": "n", "split": "part"}
    (row,) = table(tmp_path, record, **names).iter_rows(named=True)
    assert (row["id"], row["question"], row["answer"], row["split"]) == (
        "9",
        "How many?",
        65,
        "validation",
    )
    assert row["solution"] == "20*3=60\n60+5=65"
    assert [step["expression"] for step in row["steps"]] == ["20*3", "60+5"]


@settings(max_examples=30)
@given(problems().filter(lambda written: all(p.question.strip() for p in written) and written))
def test_what_is_written_is_read_back(tmp_path_factory, written):
    """Law: a file made of problems gives these problems."""
    file = tmp_path_factory.mktemp("own") / "own.jsonl"
    records = [
        {"id": f"{i}{p.id}", "question": p.question, "answer": p.answer, "split": p.split,
         "solution": " | ".join(render(step).replace("?", "1") for step in p.steps)}
        for i, p in enumerate(written)
    ]  # fmt: skip
    write_lines(file, *records)
    result = load_jsonl(Jsonl(path=str(file), id="id", split="split"), Surroundings())
    read = problems_of(result.tables["table"])
    assert [p.id for p in read] == [record["id"] for record in records]
    for field in ("question", "answer", "split"):
        assert [getattr(p, field) for p in read] == [getattr(p, field) for p in written]
    assert [[s.result for s in p.steps] for p in read] == [
        [s.result for s in p.steps] for p in written
    ]


def test_ids_are_line_numbers_and_blank_lines_count(tmp_path):
    assert table(tmp_path, GOOD, "", "   ", GOOD)["id"].to_list() == ["line_1", "line_4"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_and_byte_order_mark(tmp_path, ends, mark, last):
    text = mark + ends.join([json.dumps(GOOD), json.dumps(GOOD)]) + (ends if last else "")
    (tmp_path / "own.jsonl").write_bytes(text.encode())
    read = load("jsonl", tmp_path, path="own.jsonl").tables["table"]
    assert read["id"].to_list() == ["line_1", "line_2"]
    assert read["question"].to_list() == ["How many?"] * 2


def test_a_line_separator_inside_a_string_ends_no_line(tmp_path):
    question = "How\N{LINE SEPARATOR}many?\N{NEXT LINE}"
    assert table(tmp_path, {**GOOD, "question": question})["question"].to_list() == [question]


def test_every_bad_line_is_named_at_once_with_the_cure(tmp_path):
    told = refusal(
        tmp_path,
        GOOD,
        "{",
        "[1]",
        {"question": "a", "solution": "1+1=2"},
        {**GOOD, "question": 5},
        {**GOOD, "question": " "},
        {**GOOD, "solution": None},
        {**GOOD, "solution": ["1+1=2", 3]},
        {**GOOD, "answer": [1]},
        {**GOOD, "answer": True},
        '{"question": "a", "question": "b", "solution": "", "answer": 1}',
        '{"question": "a", "solution": "", "answer": NaN}',
        '{"question": "\\ud800", "solution": "", "answer": 1}',
        '{"answer": ' + "1" * 5000 + "}",
        "[" * 100_000,
    )
    path = tmp_path / "own.jsonl"
    assert told[0] == f"{path}: 14 of 15 lines cannot be used"
    assert told[1:-3] == [
        "  line 2: not JSON: Expecting property name enclosed in double quotes at column 2",
        "  line 3: a list, not an object",
        "  line 4: no field 'answer'; it has question, solution",
        "  line 5: field 'question' is a number, not a string",
        "  line 6: field 'question' is empty",
        "  line 7: field 'solution' is null, not a string",
        "  line 8: field 'solution[1]' is a number, not a string",
        "  line 9: field 'answer' is a list, not a number or a string",
        "  line 10: field 'answer' is true or false, not a number or a string",
        "  line 11: field 'question' stands in it twice",
        "  line 12: NaN is not JSON",
        "  line 13: field 'question' holds half a surrogate pair",
    ]
    assert told[-3].startswith("  line 14: not readable: Exceeds the limit")
    assert told[-2].startswith("  line 15: not readable: ")
    assert told[-1].startswith("correct these lines; or name their fields")


def test_beyond_twenty_bad_lines_the_rest_are_numbers(tmp_path):
    told = refusal(tmp_path, *["{"] * 23)
    assert len(told) == 23
    assert told[21] == "  likewise the lines 21, 22, 23"


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "own.jsonl").write_bytes(json.dumps(GOOD).encode() + b'\n{"question": "\xe9"}\n')
    with pytest.raises(StudyError, match=re.escape("line 2: not UTF-8 at byte 15")):
        load("jsonl", tmp_path, path="own.jsonl")


def test_an_id_must_be_new(tmp_path):
    told = refusal(tmp_path, {**GOOD, "id": "a"}, {**GOOD, "id": 7}, {**GOOD, "id": "7"}, id="id")
    assert told[1] == "  line 3: its id '7' is that of line 2 too"
    told = refusal(tmp_path, {**GOOD, "id": None}, {**GOOD, "id": True}, id="id")
    assert told[1:3] == [
        "  line 1: field 'id' is null, not a string",
        "  line 2: field 'id' is true or false, not a string",
    ]


def test_a_split_is_one_of_two_words(tmp_path):
    told = refusal(tmp_path, {**GOOD, "part": "test"}, split="part")
    assert told[1] == "  line 1: field 'part' is 'test', not 'train' or 'validation'"


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "own.jsonl").write_bytes(content)
    with pytest.raises(StudyError, match="holds no line; write one JSON object a line"):
        load("jsonl", tmp_path, path="own.jsonl")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(StudyError, match=r"own\.jsonl: cannot be read \(No such file"):
        load("jsonl", tmp_path, path="own.jsonl")


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [(65, 65, None), (0.5, 0.5, None), ("1,080", 1080, None), ("so #### 7", 7, None),
     (None, None, None), ("Paris", None, "Paris"), ("", None, ""), ("1e400", None, "1e400"),
     (10**400, None, "1" + "0" * 400)],
)  # fmt: skip
def test_an_answer_is_a_number_or_listed(tmp_path, answer, value, reason):
    write_lines(tmp_path / "own.jsonl", {**GOOD, "answer": answer})
    result = load("jsonl", tmp_path, path="own.jsonl")
    assert result.tables["table"]["answer"].to_list() == [value]
    listed = [] if reason is None else [("line_1", "answer", reason, "not a number")]
    assert result.tables["malformed"].rows() == listed


def test_an_infinite_answer_is_listed(tmp_path):
    write_lines(tmp_path / "own.jsonl", json.dumps(GOOD).replace("65}", "1e999}"))
    result = load("jsonl", tmp_path, path="own.jsonl")
    assert result.tables["malformed"].rows() == [("line_1", "answer", "inf", "not a number")]


def test_without_an_answer_field_the_solution_may_state_it(tmp_path):
    marked, bare = (
        {"question": "q", "solution": "1+1=2\n#### 2"},
        {"question": "q", "solution": "1+1=2"},
    )
    assert table(tmp_path, marked, bare, answer=None)["answer"].to_list() == [2, None]


def test_without_a_solution_there_are_no_steps_and_nothing_is_malformed(tmp_path):
    write_lines(tmp_path / "own.jsonl", {"question": "q", "answer": 1})
    result = load("jsonl", tmp_path, path="own.jsonl", solution=None)
    assert result.tables["table"]["n_steps"].to_list() == [0]
    assert result.tables["malformed"].is_empty()


def test_malformed_steps_are_listed_by_id_and_noted(tmp_path):
    file = write_lines(tmp_path / "own.jsonl", {**GOOD, "solution": "2x=4|1+1=3|2+2=4"})
    context = Surroundings()
    result = load_jsonl(Jsonl(path=str(file)), context)
    assert result.tables["malformed"].rows() == [
        ("line_1", "step 1", "2x=4", "a number is missing at the end"),
        ("line_1", "step 2", "1+1=3", "1+1 is 2, not 3; kept as it is"),
    ]
    assert result.meta == {"n": 1, "n_malformed": 2, "answers": "last-number"}
    assert context.notes == [
        "2 parts could not be read or contradict themselves, in 1 of 1 problems; "
        "the table `malformed` lists them"
    ]


def test_bad_lines_may_be_listed_instead(tmp_path):
    file = write_lines(tmp_path / "own.jsonl", GOOD, "{", {"question": 1}, GOOD)
    context = Surroundings()
    result = load_jsonl(Jsonl(path=str(file), bad_lines="list"), context)
    assert context.notes == ["2 lines cannot be used and are left out; `malformed` lists them"]
    assert result.tables["table"]["id"].to_list() == ["line_1", "line_4"]
    assert result.tables["malformed"]["place"].to_list() == ["line 2", "line 3"]
    assert result.tables["malformed"]["text"].to_list() == ["{", '{"question": 1}']


def test_a_file_of_only_bad_lines_stops_anyway(tmp_path):
    assert refusal(tmp_path, "{", bad_lines="list")[0].endswith("1 of 1 lines cannot be used")


@settings(max_examples=30)
@given(st.integers(1, 40), st.sampled_from([0, 0.1, 0.2, 0.5, 1]), st.integers(0, 5))
def test_the_split_has_the_share_asked_for(tmp_path_factory, n, share, seed):
    """Law: round(n * share) problems are for validation, the same for the same seed."""
    folder = tmp_path_factory.mktemp("own")
    first = table(folder, *[GOOD] * n, validation=share, seed=seed)
    assert first["split"].to_list().count("validation") == round(n * share)
    assert first.equals(table(folder, *[GOOD] * n, validation=share, seed=seed))


def test_the_split_follows_the_studys_seed_unless_it_has_its_own(tmp_path):
    write_lines(tmp_path / "own.jsonl", *[GOOD] * 50)

    def split(study_seed, **given):
        result = load("jsonl", tmp_path, study_seed, path="own.jsonl", **given)
        return result.tables["table"]["split"].to_list()

    assert split(1) != split(2)
    assert split(1, seed=2) == split(2)
