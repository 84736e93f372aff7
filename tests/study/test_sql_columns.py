"""Columns in the SQL of hypotheses: what is none is told with its place, and nothing else is."""

import re

import pytest
import telling
from hypothesis import given
from hypothesis import strategies as st

from strategies import misspellings, selects, yaml_scalars
from studyrun.diagnostics import as_text
from studyrun.reading import sql
from studyrun.reading.checking import check_study
from studyrun.reading.names import MADE_UP, unknown_columns
from studyrun.running.queries import answer_of, fault_of_answer
from studyrun.source import Source

REGISTRY = telling.registry()
TABLES = {"labels": telling.LABELS, "labels_controls": telling.CONTROLS, "data": telling.PROBLEMS}
STUDY = """\
study: telling
data: {{use: problems}}
steps:
  labels: {{use: {step}}}
hypotheses:
  it:
    claim: It is so.
    expect: {expect}
"""


def study(query: str, step: str = "label") -> str:
    return STUDY.format(step=step, expect="'" + query.replace("'", "''") + "'")


def told(text: str) -> list[str]:
    found = check_study(Source("s", text), registry=REGISTRY).diagnostics
    return [as_text([each]).split("\n")[0].removeprefix("s:") for each in found]


def unknown(query: str, tables=TABLES) -> list[str]:
    known = {name.casefold(): tables.get(name.casefold()) for name in sql.tables_named(query)}
    columns = {name: frozenset(each.columns) if each else None for name, each in known.items()}
    return [each.name for each in unknown_columns(query, columns)]


@pytest.mark.parametrize("query", telling.GOOD)
def test_good_sql_has_no_unknown_column(query):
    assert told(study(telling.plain(query))) == []


@pytest.mark.parametrize("query", telling.GOOD)
def test_good_sql_is_what_polars_can_ask(query):
    frames = {name: table.schema().to_frame().clear(1) for name, table in TABLES.items()}
    assert fault_of_answer(answer_of(telling.plain(query), frames)) is None


@given(st.data())
def test_a_misspelt_column_is_told_once_and_where_it_stands(data):
    """Law: of good SQL with one column misspelt, that place alone is a fault, in any style."""
    query = data.draw(st.sampled_from(telling.GOOD))
    place = data.draw(st.sampled_from(list(re.finditer(r"\{([\w ]+)\}", query))))
    known = {name for table in TABLES.values() for name in table.columns}
    known |= set(re.findall(r"\w+", query))
    wrong = data.draw(misspellings(place[1], known).filter(lambda name: not MADE_UP.match(name)))
    start = len(telling.plain(query[: place.start()]))
    broken = telling.plain(query[: place.start()]) + wrong + telling.plain(query[place.end() :])
    written = data.draw(yaml_scalars(broken, " " * 6))
    text = STUDY.format(step="label", expect=written.yaml)
    at = text.index(written.yaml) + written.places[start]
    if broken[start - 1] in '"`':  # with its quote
        at = text.index(written.yaml) + written.places[start - 1]
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    (fault,) = told(text)
    assert fault.startswith(f"{line}:{column} $.hypotheses.it.expect: ")
    assert repr(wrong) in fault


@given(selects({"labels": ("rank", "rate", "first"), "labels_controls": ("rate", "runs")}))
def test_what_polars_can_ask_has_no_unknown_column(query):
    """Law: no false alarm. Of SQL that is made at random, too, if polars answers it."""
    frames = {name: table.schema().to_frame() for name, table in TABLES.items()}
    try:
        answer_of(query, frames)
    except ValueError:
        return  # what polars refuses may have anything wrong
    assert unknown(query) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT max(l.kind) = 'x' FROM labels_controls l", ["kind"]),
        ("SELECT max(labels.control) = 'x' FROM labels, labels_controls", ["control"]),
        ("SELECT max(lables.kind) = 'x' FROM labels", ["lables"]),
        ("SELECT max(Kind) = 'x' FROM labels", ["Kind"]),
        ('SELECT max("rank ") > 1 FROM labels', ["rank "]),
        ("SELECT max(a.rank) > max(a.runs) FROM labels a, labels_controls b", ["runs"]),
        ("SELECT max(t.y) > 1 FROM (SELECT rank AS x FROM labels) t", ["y"]),
        ("WITH t AS (SELECT rank FROM labels) SELECT max(t.rnk) > 1 FROM t, labels", ["rnk"]),
        (
            "SELECT sum(n_actve) > 1 AND min(n_actve) > 0 FROM labels WHERE kid = 1",
            ["n_actve", "kid"],
        ),
        ("SELECT max(data.bst.result) > 1 AND max(bst.result) > 2 FROM data", ["bst"]),
        ("SELECT max(best.result) > 1 FROM labels", ["best"]),
        ("SELECT count(*) > 1 FROM labels GROUP BY kinds ORDER BY rnak", ["kinds", "rnak"]),
        ("SELECT count(*) > 1 FROM labels JOIN data USING (id, knd)", ["knd"]),
        ("SELECT max(CASE WHEN knd = 'x' THEN rat END) > 1 FROM labels", ["knd", "rat"]),
        ("SELECT sum(rate) OVER (PARTITION BY knd) > 1 FROM labels", ["knd"]),
        ("SELECT CAST(max(rnk) AS INT) > 1 FROM labels", ["rnk"]),
        ("SELECT max(rnk)::INT > 1 FROM labels", ["rnk"]),
    ],
)
def test_which_names_are_no_columns(query, expected):
    assert unknown(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT max(nope) > 1 FROM labels, others", []),
        ("SELECT max(labels.nope) > max(o.nope) FROM labels, others o", ["nope"]),
        ("SELECT max(others.nope) > 1 FROM labels, others", []),
        ("SELECT max(x.nope) > 1 FROM labels, others", []),
        ("WITH Labels AS (SELECT 1 AS nope) SELECT max(nop) > 1 FROM labels", []),
    ],
)
def test_of_a_table_that_is_not_told_nothing_is_said(query, expected):
    assert unknown(query) == expected


@pytest.mark.parametrize("step", ["label-openly", "label-silently"])
def test_columns_that_may_be_there_are_no_faults(step):
    assert told(study("SELECT max(labels.nope) > 1 FROM labels WHERE other = 3", step)) == []


def test_a_closed_table_beside_an_open_one_is_checked():
    (fault,) = told(
        study("SELECT max(labels_controls.nope) > 1 FROM labels_controls", "label-openly")
    )
    assert "table 'labels_controls' has no column 'nope'" in fault


def test_the_message_names_the_tables_and_what_was_meant():
    (one,) = told(study("SELECT avg(rat) > 0.1 FROM labels"))
    assert one == (
        "8:25 $.hypotheses.it.expect: table 'labels' has no column 'rat'; did you mean 'rate'?"
    )
    (two,) = told(study("SELECT max(rnk) > 0 FROM Labels, labels_controls"))
    assert two == (
        "8:25 $.hypotheses.it.expect: none of the tables 'Labels', 'labels_controls' has a column "
        "'rnk'; did you mean 'rank'?"
    )
    (table,) = told(study("SELECT max(lable.rank) > 0 FROM labels"))
    assert table == (
        "8:25 $.hypotheses.it.expect: no table or column 'lable' is read here; "
        "did you mean 'label'?"
    )


def test_given_is_checked_too_and_every_fault_is_told():
    text = study("SELECT max(rnk) > 0 FROM labels") + "    given: SELECT min(rnk) > 0 FROM labels\n"
    assert [fault.split(" ")[:2] for fault in told(text)] == [
        ["8:25", "$.hypotheses.it.expect:"],
        ["9:23", "$.hypotheses.it.given:"],
    ]


def test_sql_behind_an_alias_of_yaml_is_told_where_the_alias_stands():
    text = STUDY.format(step="label", expect="&q SELECT max(rnk) > 0 FROM labels")
    (fault,) = told(text + "    given: *q\n")[:1]
    assert fault.startswith("8:27 $.hypotheses.it.expect: ")
    assert told(text + "    given: *q\n")[1].startswith("9:12 $.hypotheses.it.given: ")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("raising", "tables: ZeroDivisionError: tells nothing"),
        ("missing", "telling:nowhere_to_be_found: AttributeError: "),
        ("not-a-mapping", "tables: returned list, not a mapping of names to Table records"),
        ("not-a-table", "tables: 'table' is dict, not a Table record"),
        (
            "not-even-text",
            "tables: 'table': column 'rank' has the type <class 'int'>; write it as polars does, "
            "e.g. 'UInt32'",
        ),
    ],
)
def test_a_step_that_tells_nonsense_is_its_plugins_fault(step, said):
    (fault,) = told(study("SELECT max(rank) > 0 FROM labels", step))
    assert fault.startswith(
        f"4:17 $.steps.labels.use: plugin 'telling (telling 1.0)': step {step!r}"
    )
    assert said in fault


def test_a_step_that_no_hypothesis_reads_is_not_asked():
    assert told(study("SELECT count(*) > 0 FROM data", "raising")) == []


@given(st.text(alphabet="SELCTFROMWHAND ()'\"`;,<>=.*-/\n01abrank", max_size=60))
def test_no_text_makes_it_stumble(text):
    """Law: any text has unknown columns or none; nothing raises, and each stands where it says."""
    for each in unknown_columns(text, {"a": frozenset({"rank"})}):
        assert sql.plain(text[each.start : each.end]) == each.name
