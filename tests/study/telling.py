"""Steps that tell of their tables, truly, falsely or not at all; and good SQL over them.

In the queries every column of a table stands in braces, so that tests know which names are columns.
"""

from __future__ import annotations

from studyrun import verdicts
from studyrun.columns import Table
from studyrun.contracts import Component
from studyrun.params import NoParams
from studyrun.plugging.plugins import PluginInfo, new_manager
from studyrun.registry import Registry

LABELS = Table(
    {
        "feature": "UInt32",
        "rank": "UInt32",
        "n_active": "UInt32",
        "kind": "String",
        "label": "String",
        "rate": "Float64",
        "first": "Float64",
        "top_problems": "List(String)",
    }
)
CONTROLS = Table(
    {
        "classifier": "String",
        "control": "String",
        "rate": "Float64",
        "mean abs": "Float64",
        "runs": "UInt32",
        "when": "Date",
    }
)
PROBLEMS = Table(
    {
        "id": "String",
        "split": "String",
        "answer": "Float64",
        "steps": "List(Struct({'result': Float64}))",
        "best": "Struct({'result': Float64, 'place': Int64})",
    }
)


def labels(params):
    return {"table": LABELS, "controls": CONTROLS}


def problems(params):
    return {"table": PROBLEMS}


def open_labels(params):
    return {"table": Table(LABELS.columns, open=True), "controls": CONTROLS}


def raising(params):
    raise ZeroDivisionError("tells nothing")


def not_a_mapping(params):
    return [LABELS]


def not_a_table(params):
    return {"table": {"rank": "UInt32"}}


def not_a_type(params):
    return {"table": Table({"rank": "Float65"})}


def not_even_text(params):
    return {"table": Table({"rank": int})}


def never(params, *given):
    raise AssertionError("nothing is run here")


def component(name: str, tables: str, kind="step", makes="labels") -> Component:
    where = tables and f"telling:{tables}"
    return Component(kind, name, "1", NoParams, "telling:never", makes=makes, tables=where)


COMPONENTS = (
    component("problems", "problems", "data", "problems"),
    component("label", "labels"),
    component("label-openly", "open_labels"),
    component("label-silently", ""),
    component("missing", "nowhere_to_be_found"),
    *(
        component(name.replace("_", "-"), name)
        for name in ("raising", "not_a_mapping", "not_a_table", "not_a_type", "not_even_text")
    ),
)


def registry() -> Registry:
    core = PluginInfo(
        "studyrun",
        "1",
        "studyrun",
        "studyrun.verdicts",
        components=tuple(verdicts.studyrun_components()),
    )
    telling = PluginInfo("telling", "1.0", "telling", "telling", components=COMPONENTS)
    return Registry(new_manager(), [core, telling])


GOOD = (
    "SELECT min({n_active}) >= 20 FROM labels WHERE {rank} <= 10",
    "select COUNT(*) > 0 from LABELS where {kind} = 'operation';",
    "SELECT avg(l.{rate}) > 0.1 FROM labels AS l WHERE l.{kind} <> 'general'",
    "SELECT avg(l.{rate}) > 0.1 FROM labels l WHERE L.{rank} < 3 ORDER BY 1",
    "SELECT avg(labels.{rate}) > avg(Labels.{first}) FROM labels",
    "SELECT avg(CAST({kind} IN ('operation', 'value') AS INT)) >= 0.1 FROM labels "
    "WHERE {rank} BETWEEN 50 AND 200",
    "SELECT max(CASE WHEN {control} = 'none' THEN {rate} END) >= "
    "10 * max(CASE WHEN {control} = 'permuted' THEN {rate} ELSE NULL END) FROM labels_controls",
    "SELECT avg({rate}) FILTER (WHERE {rank} > 3) > 0.5 FROM labels",
    "SELECT sum(x) > 3 FROM (SELECT {rank} AS x FROM labels) AS t",
    "SELECT sum(t.x) > 3 FROM (SELECT {rank} x FROM labels WHERE {first} IS NOT NULL) t",
    "SELECT max(share) > 0.5 FROM (SELECT {kind}, count(*) * 1.0 / sum({n_active}) AS share "
    "FROM labels GROUP BY {kind}) q",
    "WITH named AS (SELECT {kind}, {rate} FROM labels WHERE {label} LIKE 'uses %') "
    "SELECT avg({rate}) > 0.2 FROM named WHERE {kind} = 'operation'",
    "WITH a AS (SELECT {rank} AS r FROM labels), b AS (SELECT max(r) AS top FROM a) "
    "SELECT max(b.top) > max(a.r) - 1 FROM a, b",
    "WITH counted (what, often) AS (SELECT {kind}, count(*) FROM labels GROUP BY {kind}) "
    "SELECT max(often) > 3 FROM counted WHERE what <> 'general'",
    "SELECT (SELECT avg({rate}) FROM labels) > (SELECT max({rate}) FROM labels_controls)",
    "SELECT count(*) > 3 FROM labels WHERE {rate} > (SELECT avg({rate}) FROM labels_controls)",
    "SELECT count(*) > 3 FROM labels WHERE {kind} IN (SELECT {control} FROM labels_controls)",
    "SELECT max(l.{rate}) > max(c.{rate}) FROM labels l JOIN labels_controls c "
    "ON l.{kind} = c.{control} AND c.{runs} > 1",
    "SELECT count(*) > 1 FROM labels LEFT JOIN labels_controls USING ({rate})",
    "SELECT max(a.{rank}) > max(b.{rank}) FROM labels AS a CROSS JOIN labels AS b",
    "SELECT max(place) <= 3 FROM (SELECT row_number() OVER (PARTITION BY {kind} "
    "ORDER BY {rate} DESC NULLS LAST) AS place FROM labels) t",
    "SELECT max(r) > 0 FROM (SELECT rank() OVER w AS r FROM labels "
    "WINDOW w AS (PARTITION BY {kind} ORDER BY {rank} DESC)) t",
    "SELECT max(total) > 1 FROM (SELECT sum({rate}) OVER (ORDER BY {rank} ROWS BETWEEN "
    "UNBOUNDED PRECEDING AND CURRENT ROW) AS total FROM labels) t",
    'SELECT avg("{rate}") > 0 FROM "labels" WHERE "{kind}" = \'x\'',
    "SELECT avg(`{rate}`) > 0 FROM `labels` AS `the labels` WHERE `the labels`.`{rank}` < 3",
    'SELECT max("{mean abs}") > 0.5 FROM labels_controls',
    'SELECT max(c."{mean abs}") > 0.5 AND min("{runs}") >= 3 FROM labels_controls c',
    "SELECT avg({first}) > 0 FROM labels WHERE {first} IS DISTINCT FROM {rate}",
    "SELECT avg(f) > 0 FROM (SELECT {first} f FROM labels) t",
    "SELECT TRY_CAST(max({label}) AS DOUBLE PRECISION) > 1 FROM labels",
    "SELECT max({rank}::INT) > 1 AND max(CAST({rate} AS DECIMAL(10, 2))) < 5 FROM labels",
    "SELECT max({when}) > DATE '2026-01-01' FROM labels_controls",
    "SELECT max(EXTRACT(year FROM {when})) > 2025 FROM labels_controls",
    "SELECT max({when}) - INTERVAL '1 day' > DATE '2026-01-01' FROM labels_controls",
    "SELECT count(DISTINCT {kind}) > 2 FROM labels -- not a word of kindd\n WHERE {rank} > 1",
    "SELECT /* nor of kindd */ sum({n_active}) = 1e3 FROM labels WHERE {label} <> 'it''s kindd'",
    "SELECT upper(max({kind})) LIKE '%A%' AND length(min({kind})) > 2 FROM labels",
    "SELECT coalesce(avg({rate}), 0) > 0.5 FROM labels GROUP BY ALL",
    "SELECT sum({rate}) > 1 AS enough FROM labels HAVING count(*) > 3",
    "SELECT max({rate}) BETWEEN 0 AND 1 ok FROM labels",
    "SELECT NOT max({rank}) > 5 FROM labels LIMIT 1 OFFSET 0",
    "SELECT true FROM labels WHERE {kind} IS NOT NULL AND {rate} > 0 OR NOT {rank} IN (1, 2)",
    "SELECT max(len) > 1 FROM (SELECT {kind}, count(*) FROM labels GROUP BY {kind}) t",
    "SELECT count(*) > 1 FROM (SELECT * EXCLUDE ({kind}) FROM labels) t",
    "SELECT max({best}.result) > 1 AND max(data.{best}.place) > 0 FROM data",
    "SELECT max({answer}) > 3 FROM data JOIN labels ON data.{id} = labels.{kind}",
    "SELECT max(v) > 1 FROM (VALUES (1), (2)) AS given(v), labels WHERE {rank} = given.v",
    'SELECT max("rate:c") > 1 FROM (SELECT * FROM labels l JOIN labels_controls c '
    "ON l.{kind} = c.{control}) t",
    "SELECT sum({rate}) > 1 FROM labels UNION SELECT true FROM labels WHERE {rank} < 0",
    "SELECT max(array_length({top_problems})) > 1 FROM labels",
)
"""Each is one that polars can ask."""


def plain(query: str) -> str:
    return query.replace("{", "").replace("}", "")
