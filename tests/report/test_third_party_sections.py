"""Sections of third parties: shown like the report's own, and blamed where they fail."""

import json
from pathlib import Path

import pytest
from page import Page
from staged import STUDY
from test_report import NASTY
from written import record, rows

from shelf import surroundings
from studyrun import Inputs, PluginError
from studyrun_report.params import ReportParams
from studyrun_report.report import run

PLUGIN = str(Path(__file__).with_name("weather_sections.py"))


@pytest.fixture
def shown(inputs):
    """The report with these sections, of as little of the study as they ask for."""

    def put(*sections):
        steps = {name: inputs.by_step[name] for name in ("data", "labels")}
        context = surroundings(modules=(PLUGIN,))
        params = ReportParams(sections=list(sections), pages=False)
        result = run(params, Inputs({}, steps, STUDY), context)
        return {n: c.decode() for n, c in result.files.items() if not n.endswith(".png")}

    return put


def own(files, identity="own-weather"):
    return next(each for each in record(files)["sections"] if each["id"] == identity)


def test_a_section_stands_before_the_limits_with_all_that_it_says(shown, inputs):
    files = shown("weather")
    ids = [section["id"] for section in record(files)["sections"]]
    assert ids[-3:] == ["own-weather", "limits", "provenance"]
    section = own(files)
    assert (section["title"], section["lead"]) == ("Weather", "Of layer14_pos3, 2 steps.")
    text, table, bare, chart, _ = section["blocks"]
    top = inputs.by_step["labels"].read_table("top_problems").height
    assert text["text"] == f"dry: 64 features, {top} problems"
    assert rows(table) == [{"day": "Mon", "rain": 0.25}, {"day": "Tue", "rain": 0.5}]
    assert table["rows"][0][1]["shown"] == "25.0\N{NO-BREAK SPACE}%"
    assert table["columns"][1]["about"] == "Chance of it"
    assert [column["name"] for column in bare["columns"]] == ["day", "rain", "n"]
    assert chart["alt"] == "Two bars."
    assert f"figures/{chart['id']}.svg" in files
    Page(files["report.html"])


def test_a_section_has_parameters_and_may_come_twice(shown):
    files = shown("weather", {"weather": {"title": "Climate", "word": "wet"}})
    first, second = own(files), own(files, "own-weather--2")
    assert (first["title"], second["title"]) == ("Weather", "Climate")
    assert second["blocks"][0]["text"].startswith("wet: ")
    page = Page(files["report.html"])
    assert len(page.ids) == len(set(page.ids))


def test_a_section_that_has_nothing_to_say_is_not_there(shown):
    ids = [section["id"] for section in record(shown("silent"))["sections"]]
    assert not [each for each in ids if each.startswith("own")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "ZeroDivisionError: no clouds"),
        ("nothing", "TypeError: returned str, not a Section"),
        ("mistaken", "ValueError: 'x': the frame has no column 'snow'"),
        ("loading", "ValueError: 'x': a picture must hold its data; it has 'url'"),
        ("linking", "ValueError: 'x': a picture must hold its data; it has 'href'"),
        ("unreadable", "ValueError: 'x': Vega-Lite cannot draw it: "),
        (
            "shapeless",
            "ValueError: 'x': Vega-Lite cannot draw it: Error: Invalid specification ....",
        ),
        ("leaving", "SystemExit: 3"),
    ],
)
def test_what_a_section_does_wrong_is_its_plugins_fault(shown, name, why):
    with pytest.raises(PluginError) as caught:
        shown("weather", name)
    said = str(caught.value)
    assert said.startswith(f"plugin '{PLUGIN} (local)': section {name!r}: {why}")
    assert len(said.splitlines()) == 1


def test_hostile_strings_of_a_section_are_inert(shown):
    files = shown({"weather": {"title": NASTY, "word": NASTY + "x" * 1_000_000}})
    page = Page(files["report.html"])
    assert {each.get("type") for each in page.of("script")} <= {
        None, "application/json", "text/plain"}  # fmt: skip
    section = own(files)
    assert "<U+202E>" in section["title"]
    assert len(json.dumps(section)) < 40_000
    for name, content in files.items():
        assert "\u202e" not in content, name
        assert "\x00" not in content, name
