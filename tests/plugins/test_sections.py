"""The contract of sections: what cannot be shown is refused where it is made."""

import subprocess
import sys
from dataclasses import make_dataclass, replace

import polars as pl
import pytest

from studyrun import ColumnTitle, Component, Paragraph, Picture, Rows, Section, SectionRef
from studyrun.params import COMPONENT_MARK, schema
from studyrun.plugging.describe import example
from studyrun.plugging.plugins import PluginInfo, new_manager
from studyrun.registry import Registry
from studyrun.schema import compose

FRAME = pl.DataFrame({"a": [1, 2], "b": [0.5, None]})
SPEC = {"mark": "bar", "data": {"values": []}}


def test_what_can_be_shown_is_taken():
    rows = Rows(FRAME, "Rows", (ColumnTitle("b", "B", "share", "A share."), ColumnTitle("a")))
    section = Section("Title", (Paragraph("<b>"), rows, Picture(SPEC, "Bars", "No bars.")))
    assert [type(block).__name__ for block in section.blocks] == ["Paragraph", "Rows", "Picture"]
    assert Section("Empty", ()).blocks == ()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ColumnTitle("a", form="percent"), "form 'percent' is not one of text, number"),
        (lambda: Rows(FRAME, "R", (ColumnTitle("c"),)), "'R': the frame has no column 'c'; it has"),
        (lambda: Picture("x", "P", "alt"), "'P': str is no Altair chart and no specification"),
        (lambda: Picture(SPEC, "P", " "), "'P': a picture needs `alt`"),
        (lambda: Section("", ()), "a section needs a title"),
        (lambda: Section("T", ("text",)), "'T': str is no Paragraph, Rows or Picture"),
        (
            lambda: Section("T", Paragraph("p")),
            "'T': blocks are a tuple, of one block too: (block,)",
        ),
        (lambda: Section(3, ()), "a section: its title is int, not text"),
        (lambda: Paragraph(3), "a paragraph: its text is int, not text"),
        (lambda: Rows(None, "R"), "'R': NoneType is no polars DataFrame"),
        (lambda: Rows(FRAME.lazy(), "R"), "'R': LazyFrame is no polars DataFrame"),
        (lambda: Rows(FRAME, "R", ("a",)), "'R': column 'a' is no ColumnTitle"),
        (lambda: Rows(FRAME, "R", note=None), "a table: its note is NoneType, not text"),
        (lambda: Picture(SPEC, "P", None), "a picture: its alt is NoneType, not text"),
    ],
)
def test_what_cannot_be_shown_is_refused_where_it_is_made(make, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert said in str(caught.value)


def test_contracts_are_imported_without_polars_or_altair():
    names = "Section, Rows, Picture, Findings, SectionSource"
    heavy = "{'polars', 'altair'} & {*sys.modules}"
    code = f"import sys; from studyrun import {names}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture
def registry():
    """The installed components, and a section of a third party."""
    installed = Registry.load()
    params = make_dataclass("Mine", [("top", int, 3)], frozen=True)
    section = Component("section", "mine", "1", params, "m:f")
    ours = PluginInfo("mine", "1", "mine", "mine", components=(section,))
    return Registry(new_manager(), [*installed.plugins, ours])


def test_a_reference_to_a_section_is_marked():
    cls = make_dataclass("Shown", [("sections", list[SectionRef])], frozen=True)
    own, _ = schema(cls)
    assert own["properties"]["sections"]["items"][COMPONENT_MARK] == "section"


def test_a_study_may_name_it_and_its_parameters_are_checked(registry):
    definitions = compose(registry)["$defs"]
    assert definitions["named.section"]["then"]["enum"] == ["mine"]
    assert definitions["section.mine"]["properties"]["top"]["type"] == "integer"


def test_its_description_shows_where_a_study_names_it(registry):
    shown = example(registry, registry.get("section", "mine"))
    assert "use: report" in shown
    assert "sections:" in shown
    assert "mine: {top: 3}" in shown


def test_its_version_is_in_the_report_s_key(registry):
    """Law: a new version of a section makes a new report."""
    ref = {"use": "report", "with": {"sections": ["mine"]}}
    before = registry.canonical(registry.bind("step", ref))
    (ours,) = (info for info in registry.plugins if info.name == "mine")
    newer = replace(ours, components=tuple(replace(c, version="2") for c in ours.components))
    others = [info for info in registry.plugins if info is not ours]
    again = Registry(new_manager(), [*others, newer])
    after = again.canonical(again.bind("step", ref))
    assert before["sections"] == [{"use": "mine", "version": "1", "with": {"top": 3}}]
    assert after["sections"] == [{"use": "mine", "version": "2", "with": {"top": 3}}]
