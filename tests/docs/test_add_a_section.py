"""docs/how-to/add-a-section.md, done from its first line to its last."""

import json
import runpy
from dataclasses import replace

import polars as pl
import pytest
from pages import Page

import studyrun
from installing import clean_imports  # noqa: F401  # a fixture
from studyrun.testing import findings_of

PAGE = Page("add-a-section.md")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which everything on the page was done."""
    return PAGE.done_in(tmp_path_factory.mktemp("section"))


def test_everything_on_the_page_is_done_here():
    assert set(PAGE.files) == {"lengths.py", "lengths.yaml", "test_lengths.py"}
    assert {len(PAGE.blocks(language)) for language in ("console", "python")} == {1}
    assert len(PAGE.every) == len(PAGE.files) + 2


def test_the_section_stands_in_every_view_of_the_report(done):
    run = studyrun.open_run(done / "outputs/lengths/latest")
    facts = json.loads(run["report"].file("report.json").read_text())
    (section,) = (each for each in facts["sections"] if each["title"].startswith("How long the"))
    table = run["data"].table.filter(pl.col("n_steps") <= 4)
    longest = table["n_steps"].max()
    told = json.dumps(section)
    assert f"The longest of them has {longest} steps." in told
    for name in ("report.md", "report.html"):
        page = run["report"].file(name).read_text()
        assert "How long the problems are" in page
        assert f"The longest of them has {longest} steps." in page
    figures = [name for name in run["report"].manifest.files if name.endswith(".svg")]
    assert len(figures) >= 1


def test_its_own_test_passes_and_fails_where_a_problem_is_not_counted(done, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(done))
    tests = runpy.run_path(str(done / "test_lengths.py"))
    test, right = tests["test_every_problem_is_counted"], tests["lengths"]
    test(tmp_path)

    def wrong(params, findings):
        """Leaves longer problems out, whatever it is asked."""
        return right(replace(params, most=1), findings)

    monkeypatch.setitem(test.__globals__, "lengths", wrong)
    with pytest.raises(AssertionError):
        test(tmp_path)


def test_steps_are_found_by_what_they_make(done):
    findings = findings_of(studyrun.open_run(done / "outputs/lengths/latest"))
    namespace: dict = {}
    exec(PAGE.blocks("python")[0], namespace)
    assert namespace["makers"](findings, "problems") == ["data"]
    assert namespace["makers"](findings, "report") == []
