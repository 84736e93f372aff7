"""The concept that a study writes in SQL, and what `studyrun check` finds wrong with it."""

import subprocess
import sys
from dataclasses import dataclass

import polars as pl
import pytest
from concept_room import holds
from data_room import REGISTRY, load, write_lines
from hypothesis import given, settings

from strategies import problems
from studyrun import Bound, CheckScope, Component
from studyrun.diagnostics import as_text
from studyrun.reading.checking import check_study
from studyrun.source import Source
from studyrun_data.columns import COLUMNS, columns_of
from studyrun_data.concepts.checks import free as check
from studyrun_data.concepts.free import faults, free
from studyrun_data.concepts.params import Free
from studyrun_data.table import table_of

SOURCES = {
    "word-problems": {"problems": 8},
    "pairs": {"problems": 8, "contrast_values": [12, 50]},
    "jsonl": {"path": "mine.jsonl"},
    "gsm8k": {"path": "official.jsonl"},
}
STUDY = """\
study: s
model: {{use: codi}}
data: {{use: {data}}}
steps:
  activations: {{use: extract, with: {{layers: [14], positions: [3]}}}}
  sae: {{use: sae-train, with: {{d_sae: 32, k: 4}}}}
  features: {{use: sae-encode}}
  labels:
    use: classify
    with:
      concepts:
      - concept: {{name: mine, where: {where}}}
"""
THIRD_PARTY = """
from dataclasses import dataclass
from studyrun import Component, hookimpl

@dataclass(frozen=True)
class Mine:
    "No parameters."

@hookimpl
def studyrun_components():
    return [Component(kind="data", name="mine", version="1", params=Mine, target="m:load",
                      makes="problems")]
"""


@settings(max_examples=40)
@given(problems())
def test_it_holds_where_its_sql_is_true(written):
    """Law: null, for example for a problem without an answer, is no."""
    frame = table_of(written)
    for where, oracle in {
        "answer > 3": lambda p: p.answer is not None and p.answer > 3,
        "NOT answer > 3": lambda p: p.answer is not None and not p.answer > 3,
        "n_steps >= 2 AND split = 'train'": lambda p: len(p.steps) >= 2 and p.split == "train",
        "question LIKE 'a%' OR id = ''": lambda p: p.question.startswith("a") or not p.id,
    }.items():
        (concept,) = free(frame, Free("mine", where))
        assert (concept.name, concept.kind, concept.parts) == ("mine", "free", ())
        assert holds(frame, [concept]) == {"mine": [oracle(p) for p in written]}
        assert list(faults(where, COLUMNS)) == []


def test_the_example_of_the_documentation_finds_percentages():
    frame = pl.DataFrame({"solution": ["48*25/100=12", "48/2=24", None]})
    concepts = free(frame, Free("has-percent", "solution LIKE '%/100%'", kind="notation"))
    assert concepts[0].kind == "notation"
    assert holds(frame, concepts) == {"has-percent": [True, False, False]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    write_lines(folder / "mine.jsonl", {"question": "q", "solution": "1+1=2", "answer": 2})
    write_lines(folder / "official.jsonl", {"question": "q", "answer": "<<1+1=2>>2 #### 2"})
    return folder


@pytest.mark.parametrize("source", SOURCES)
def test_every_column_of_a_data_set_is_known_and_no_other(source, folder):
    """Law: the check knows exactly the columns that the problems will have."""
    name, given_ = source.replace("pairs", "word-problems"), SOURCES[source]
    columns = load(name, folder, **given_).tables["table"].schema
    known = columns_of([REGISTRY.bind("data", {name: given_}, folder)])
    assert known == tuple(columns)
    assert ("pair" in columns) == (source == "pairs")
    for column in columns:
        assert list(faults(f'"{column}" IS NOT NULL', known)) == []
    for column in {"pair", "nobody"} - set(columns):
        (fault,) = faults(f"{column} > 1", known)
        assert fault.message == f"the problems have no column {column!r}"
        assert (fault.within, fault.allowed) == (column, tuple(columns))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("answer >", "not an SQL expression"),
        ("answer > 3; DROP TABLE x", "not an SQL expression: invalid expression"),
        ("foo(answer) > 3", "not an SQL expression: unsupported function 'foo'"),
        ("steps[1].result > 3", "not an SQL expression; SQL cannot look inside 'steps'"),
        ("steps.result > 3", "cannot be computed; SQL cannot look inside 'steps'"),
        ("(SELECT 1) > 0", "cannot be computed: "),
        ("answer IN (SELECT 3)", "must be one expression over a problem's columns, without a SELE"),
        ("solution > 3", "cannot be computed: cannot compare string with numeric type"),
        ("answer", "gives Float64, not yes or no; compare it with something"),
        ("COLUMNS('^(answer|n_steps)$') > 1", "gives Boolean and Boolean, not yes or no"),
        ("NULL", "gives Null, not yes or no"),
        ("count(*) > 3", "must say yes or no of each problem, not of all together"),
        ("true", "must say yes or no of each problem, not of all together"),
        ("unnest(steps) IS NULL", "must say yes or no of each problem, not of all together"),
    ],
)
def test_sql_that_is_no_property_of_a_problem_is_found(where, message):
    (fault,) = faults(where, COLUMNS)
    assert fault.message.startswith(message)
    assert fault.path == ("where",)


@dataclass(frozen=True)
class Elsewhere:
    """The parameters of somebody else's data set."""


def elsewhere() -> Bound:
    theirs = Component("data", "theirs", "1", Elsewhere, "theirs:load", makes="problems")
    return Bound(theirs, Elsewhere(), lambda: None)


@pytest.mark.parametrize("ours", [[], ["word-problems"]], ids=len)
def test_data_of_others_may_have_more_columns_but_sql_stays_sql(ours):
    sources = [elsewhere(), *(REGISTRY.bind("data", name) for name in ours)]
    assert columns_of(sources) is None
    assert columns_of([]) is None
    assert list(faults("difficulty > 3", None)) == []
    assert [each.message for each in faults("difficulty >", None)] == ["not an SQL expression"]
    assert len(list(faults("answer + 1", None))) == 1


@pytest.mark.parametrize("kind", ["general", "insufficient", "unknown"])
def test_a_kind_that_says_nothing_is_not_to_be_had(kind):
    (fault,) = check(Free("mine", "answer > 3", kind), CheckScope())
    assert fault.path == ("kind",)


def test_a_study_with_a_plugins_data_set_may_name_its_columns(tmp_path):
    plugin = tmp_path / "third_party_data.py"
    plugin.write_text(THIRD_PARTY)
    told = {}
    for where in ("difficulty > 3", "answr > 3", "answer"):
        for data, modules in (("mine", [str(plugin)]), ("word-problems", [])):
            study = Source("s", STUDY.format(data=data, where=where))
            found = check_study(study, modules=modules).diagnostics
            told[where, data] = [as_text([each]).splitlines()[0] for each in found]
    at = "s:12:38 $.steps.labels.with.concepts[0].concept.where:"
    unknown = f"{at} the problems have no column"
    assert told == {
        ("difficulty > 3", "mine"): [],
        ("difficulty > 3", "word-problems"): [f"{unknown} 'difficulty'"],
        ("answr > 3", "mine"): [],
        ("answr > 3", "word-problems"): [f"{unknown} 'answr'; did you mean 'answer'?"],
        ("answer", "mine"): [f"{at} gives Float64, not yes or no; compare it with something"],
        ("answer", "word-problems"): [
            f"{at} gives Float64, not yes or no; compare it with something"
        ],
    }


@pytest.mark.parametrize(
    ("concept", "imported"), [("values", False), ("concept: {name: x, where: answer > 1}", True)]
)
def test_only_sql_costs_the_check_a_data_frame_library(concept, imported, tmp_path):
    study = tmp_path / "s.yaml"
    text = STUDY.format(data="word-problems", where="x")
    study.write_text(text.replace("concept: {name: mine, where: x}", concept))
    code = (
        "import sys; from studyrun.cli import main; code = main(['check', sys.argv[1]]); "
        "print('polars' in sys.modules, code)"
    )
    command = [sys.executable, "-c", code, str(study)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{imported} 0"
