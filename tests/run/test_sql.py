"""Reading SQL without running it: which tables, one SELECT, and where the comparison is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun.reading import sql


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT min(n) >= 20 FROM ablation WHERE rank <= 10", ["ablation"]),
        ("SELECT 1 = 1", []),
        ('SELECT count(*) > 2 FROM "ab-x" JOIN `cd` USING (a, b), e f', ["ab-x", "cd", "e"]),
        ("WITH t AS (SELECT * FROM a) SELECT count(*) > 2 FROM t, b", ["a", "b"]),
        ("WITH t (x, y) AS (SELECT 1), u AS (SELECT 2) SELECT max(x) > 1 FROM t, u, b", ["b"]),
        ("SELECT (SELECT avg(x) FROM q) >= (SELECT max(y) FROM q)", ["q"]),
        (
            "SELECT max(x) > 0 FROM (SELECT x FROM inner1, inner2) t, w -- FROM comment",
            ["inner1", "inner2", "w"],
        ),
        ("SELECT extract(year FROM day) > 2000 FROM t", ["t"]),
        ("SELECT max(a) IS DISTINCT FROM b FROM t", ["t"]),
        ("SELECT 'FROM x' = max(y) FROM z /* FROM c */", ["z"]),
        ("SELECT count(*) > 1 FROM a GROUP BY b, c", ["a"]),
        (
            "select sum(CASE WHEN a > 1 THEN 1 ELSE 0 END) > 0 from T LEFT JOIN u ON T.a = u.a",
            ["T", "u"],
        ),
    ],
)
def test_the_tables_named(query, tables):
    assert list(sql.tables_named(query)) == tables
    assert sql.fault_of(query) is None


@pytest.mark.parametrize(
    ("query", "columns", "signs"),
    [
        ("SELECT min(n) >= 20 FROM t", "(min(n)) AS l0, (20) AS r0", [">="]),
        ("SELECT a + b = c * 2 AS ok FROM t LIMIT 1;", "(a + b) AS l0, (c * 2) AS r0", ["="]),
        (
            "SELECT x > 1 AND (y < 2 OR z) = true FROM t",
            "(x) AS l0, (1) AS r0, ((y < 2 OR z)) AS l1, (true) AS r1",
            [">", "="],
        ),
        (
            "SELECT CASE WHEN a > 1 THEN 1 END <> 2",
            "(CASE WHEN a > 1 THEN 1 END) AS l0, (2) AS r0",
            ["<>"],
        ),
    ],
)
def test_the_two_sides_of_a_comparison(query, columns, signs):
    sides = sql.sides_of(query)
    assert f"SELECT {columns}" in sides.query
    assert list(sides.operators) == signs


@pytest.mark.parametrize(
    "query",
    [
        "SELECT true",
        "SELECT NOT a > 1 FROM t",
        "SELECT a > 1 OR b > 1 FROM t",
        "SELECT a BETWEEN 1 AND 2 FROM t",
        "SELECT a > 1, b > 1 FROM t",
        "SELECT a > 1 FROM t UNION SELECT true",
        "SELECT a = b = c FROM t",
        "SELECT a IS NULL FROM t",
        "SELECT DISTINCT a > 1 FROM t",
        "SELECT a > FROM t",
        "SELECT",
        "",
        "SELECT a <=> b FROM t",
    ],
)
def test_what_is_no_simple_comparison_has_no_sides(query):
    assert sql.sides_of(query) is None


@given(st.text(alphabet="SELCTFROMWHAND ()'\"`;,<>=.*-/\n01ax", max_size=60))
def test_no_text_makes_it_stumble(text):
    """Law: any text has a fault or none, and tables and sides or none; nothing raises."""
    sql.fault_of(text)
    sql.tables_named(text)
    sql.sides_of(text)
    assert "".join(token.text for token in sql.tokens(text)).split() is not None
