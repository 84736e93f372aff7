"""Verdicts: computed, never typed; and evidence that is never wrong."""

import operator

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun.errors import StudyError
from studyrun.study import Hypothesis
from studyrun.verdicts import judge

TABLE = pl.DataFrame(
    {
        "rank": [1, 2, 3],
        "n_active": [30, 25, 50],
        "mean_abs_diff": [0.2, 0.05, 0.3],
        "gap": [1.0, None, 2.0],
    }
)
FRAMES = {"ablation": TABLE, "empty": TABLE.clear()}


def verdict(expect, given_=None, frames=FRAMES):
    return judge(Hypothesis("h", "a claim", expect, given_), frames)


@pytest.mark.parametrize(
    ("given_", "expect", "outcome", "reason", "evidence"),
    [
        (
            None,
            "SELECT min(n_active) >= 20 FROM ablation",
            "supported",
            "expect is true",
            "25 >= 20",
        ),
        (None, "SELECT min(n_active) > 25 FROM ablation", "refuted", "expect is false", "25 > 25"),
        (
            "SELECT min(n_active) >= 20 FROM ablation",
            "SELECT avg(CAST(mean_abs_diff > 0.1 AS INT)) >= 0.7 FROM ablation",
            "refuted",
            "expect is false",
            "0.667 >= 0.7",
        ),
        (
            "SELECT min(n_active) >= 60 FROM ablation",
            "SELECT 1 = 1",
            "inconclusive",
            "given is false",
            "25 >= 60",
        ),
        (
            "SELECT min(n_active) >= 20 FROM empty",
            "SELECT 1 = 1",
            "inconclusive",
            "given is null: there was nothing to compare",
            "no value >= 20",
        ),
        (
            "SELECT n_active > 1 FROM ablation WHERE rank = 9",
            "SELECT 1 = 1",
            "inconclusive",
            "given found no row",
            "",
        ),
        (
            None,
            "SELECT avg(mean_abs_diff) > 0 FROM empty",
            "inconclusive",
            "expect is null: there was nothing to compare",
            "no value > 0",
        ),
        (
            None,
            "SELECT min(n_active) >= 20 AND max(rank) < 3 FROM ablation",
            "refuted",
            "expect is false",
            "25 >= 20 and 3 < 3",
        ),
        (None, "SELECT max(rank) BETWEEN 1 AND 5 FROM ablation", "supported", "expect is true", ""),
        (None, "SELECT NOT max(rank) > 5 FROM ablation", "supported", "expect is true", ""),
        (None, "SELECT true", "supported", "expect is true", ""),
        (None, "SELECT NULL", "inconclusive", "expect is null: there was nothing to compare", ""),
        (None, "select COUNT(*) = 3 from ABLATION;", "supported", "expect is true", "3 = 3"),
    ],
)
def test_verdicts_are_what_the_sql_says(given_, expect, outcome, reason, evidence):
    found = verdict(expect, given_)
    assert (found.verdict, found.reason, found.evidence) == (outcome, reason, evidence)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "it is empty; write SELECT"),
        ("DROP TABLE ablation", "it must be a SELECT, not DROP"),
        ("SELECT 1 = 1; SELECT 2 = 2", "it must be one statement"),
        ("WITH t AS (SELECT 1) DELETE FROM ablation", "it must be a SELECT"),
        ("SELECT (1 = 1", "a bracket or a CASE is not closed"),
        ("SELECT count(*) > 0 FROM read_csv('x.csv')", "read_csv() reads a file"),
        ("SELECT now() > 1", "depends on the clock"),
        ("SELECT nope > 1 FROM ablation", 'unable to find column "nope"; valid columns: ["rank"'),
        ("SELECT count(*) > 1 FROM nope", "relation 'nope' was not found; tables: ablation, empty"),
        ("SELECT count(*) FROM ablation", "gave Int64, not true or false; compare it, as in"),
        ("SELECT rank > 1, rank < 1 FROM ablation", "gave 2 columns (rank, rank:1); select one"),
        ("SELECT rank > 1 FROM ablation", "gave 3 rows; it must give one: aggregate with"),
        ("SELECT rank > 1 FROM ablation WHERE rank = 9", "gave no row; aggregate, or say when"),
        ("SELECT count(*) > > 1 FROM ablation", "sql parser error"),
    ],
)
def test_what_is_no_yes_or_no_question_is_an_error_that_names_the_hypothesis(sql, said):
    with pytest.raises(StudyError) as caught:
        verdict(sql)
    assert str(caught.value).startswith("hypothesis 'h': expect: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_in_given_is_said_to_be_there():
    with pytest.raises(StudyError, match=r"hypothesis 'h': given: .*nope"):
        verdict("SELECT 1 = 1", "SELECT nope > 1 FROM ablation")


@pytest.mark.parametrize(
    "expect",
    [
        "SELECT avg(x) > 5 FROM t",
        "SELECT avg(CAST(x > 5 AS INT)) >= 0.3 FROM t",
        "SELECT max(y) > 0 FROM (SELECT x AS y FROM t) u",
        "SELECT max(endless) - max(endless) >= 0.7 FROM t",
    ],
)
def test_nan_is_no_evidence_although_polars_ranks_it_above_every_number(expect):
    frames = {"t": pl.DataFrame({"x": [1.0, float("nan"), 2.0], "endless": [float("inf")] * 3})}
    found = verdict(expect, frames=frames)
    assert found.verdict == "inconclusive"
    assert "NaN" in found.reason


def test_nan_in_a_column_that_is_not_asked_about_does_not_matter():
    frames = {"t": pl.DataFrame({"x": [float("nan")], "one": [1]}), "u": pl.DataFrame({"x": [1.0]})}
    assert verdict("SELECT sum(one) = 1 FROM t", frames=frames).verdict == "supported"
    assert verdict("SELECT sum(x) = 1 FROM u", frames=frames).verdict == "supported"


SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
numbers = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.7, 0.69999, 0.7000001, 0.1, 1 / 3]),
)


@given(st.lists(numbers.map(float), min_size=1, max_size=5), st.sampled_from(list(SIGNS)), numbers)
def test_evidence_read_as_a_sum_gives_the_verdict(values, sign, threshold):
    """Law: `l op r` as printed is true exactly when the hypothesis is supported."""
    frames = {"t": pl.DataFrame({"x": values})}
    found = verdict(f"SELECT max(x) {sign} {threshold!r} FROM t", frames=frames)
    left, shown_sign, right = found.evidence.split()
    assert shown_sign == sign
    assert SIGNS[sign](float(left), float(right)) == (found.verdict == "supported")


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_shares_are_compared_exactly_at_their_threshold(flags):
    """Law: a share of k in n is at least 0.7 exactly when 10 k >= 7 n."""
    frames = {"t": pl.DataFrame({"b": flags})}
    found = verdict("SELECT avg(CAST(b AS INT)) >= 0.7 FROM t", frames=frames)
    assert (found.verdict == "supported") == (10 * sum(flags) >= 7 * len(flags))


def test_digits_are_added_until_the_comparison_reads_right():
    frames = {"t": pl.DataFrame({"x": [0.69996]})}
    assert verdict("SELECT max(x) >= 0.7 FROM t", frames=frames).evidence == "0.69996 >= 0.7"


def test_judging_is_pure():
    before = TABLE.clone()
    assert verdict("SELECT max(rank) = 3 FROM ablation") == verdict(
        "SELECT max(rank) = 3 FROM ablation"
    )
    assert TABLE.equals(before)


def test_every_wrong_hypothesis_is_named_at_once(lab):
    from toys import changed

    document = changed("hypotheses.first", {"claim": "x", "expect": "SELECT nope > 1 FROM sums"})
    document = changed(
        "hypotheses.second", {"claim": "x", "expect": "SELECT total FROM sums"}, document
    )
    (error,) = lab.run(document).errors
    assert "hypothesis 'first': expect: unable to find column" in str(error)
    assert "hypothesis 'second': expect: gave 4 rows" in str(error)


def test_the_step_stores_every_verdict_as_a_table_and_as_facts(lab):
    lab.run()
    artifact = lab.store.open(lab.keys()["verdicts"])
    assert artifact.table.columns == [
        "hypothesis",
        "claim",
        "given",
        "expect",
        "verdict",
        "reason",
        "evidence",
    ]
    assert artifact.table["verdict"].to_list() == ["supported"]
    assert artifact.meta["verdicts"][0] == artifact.table.row(0, named=True)
