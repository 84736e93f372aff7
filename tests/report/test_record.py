"""`report.json` and its published schema."""

import json
import math
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given

from strategies import features_blocks
from studyrun_report.blocks import Cell, Column, Facts, Figure, Section, Table, Term, Text
from studyrun_report.views.record import written
from studyrun_report.views.schema import report_schema

SCHEMA = Path(__file__).parents[2] / "schemas" / "report.schema.json"


def facts_of(*blocks):
    return Facts(
        "t", "s", "", (Term("a", "1"),), (Section("x", "X", blocks, "lead"),), "studyrun 0"
    )


@given(features_blocks())
def test_it_reads_back_as_the_record_that_was_written(block):
    facts = facts_of(Text("before"), block)
    assert msgspec.json.decode(written(facts), type=Facts) == msgspec.json.decode(
        msgspec.json.encode(facts), type=Facts
    )


@given(features_blocks())
def test_defaults_are_left_out_as_msgspec_leaves_them_out(block):
    facts = facts_of(block)
    assert json.loads(written(facts))["sections"][0]["blocks"] == json.loads(
        msgspec.json.encode([block])
    )


@given(features_blocks())
def test_every_row_page_and_problem_has_a_line(block):
    lines = [line.strip() for line in written(facts_of(block)).splitlines()]
    for each in (*block.rows, *block.pages, *block.problems):
        own = msgspec.json.encode(each)
        assert any(line.startswith(own) and line[len(own) :][:1] in b",]" for line in lines)


def test_its_last_field_is_a_line_that_a_run_can_replace(files):
    assert files["report.json"].endswith('\n "run": null\n}\n')
    assert files["report.json"].count('\n "run": null\n') == 1


def test_what_is_no_number_is_null():
    table = Table("t", "", (Column("a", "A", True),), ((Cell(math.nan, "undefined"),),), 1)
    figure = Figure("f", "", "", {"datasets": {"d": [{"x": math.inf}]}})
    text = written(facts_of(table, figure)).decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["sections"][0]["blocks"][0]["rows"][0][0]["value"] is None


def test_the_published_schema_is_current():
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(report_schema())), (
        "run: python -m studyrun_report.views.schema > schemas/report.schema.json"
    )


def test_a_report_is_valid_and_what_is_none_is_not(files):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    report = json.loads(files["report.json"])
    for section in report["sections"]:  # a few of everything: validating all takes seconds
        for block in section["blocks"]:
            for name in ("rows", "pages", "problems"):
                block.update({name: block[name][:3]} if name in block else {})
    validator.validate(report)
    report["sections"][0]["blocks"][0]["type"] = "poem"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(report)
