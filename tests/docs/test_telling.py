"""What the documents show of `tables` and `estimate` is done here."""

import re
from pathlib import Path
from types import SimpleNamespace

from studyrun import CheckScope, Estimate, ModelFacts, Result
from studyrun.columns import table_faults

DOCS = Path(__file__).parents[2] / "docs"


def code(page: str, beginning: str) -> str:
    """The code block of a page that has this in it."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    (found,) = (block for block in blocks if beginning in block)
    return found


def done(source: str, **names):
    exec(compile(source, "page", "exec"), names)
    return SimpleNamespace(**names)


def test_tables_of_the_reference_are_tables():
    told = done(code("reference/hooks.md", "EFFECTS =")).tables(None)
    assert table_faults(told) == []
    assert told["table"].schema().names() == ["feature", "moved", "ids"]
    assert told["runs"].open


def test_the_step_of_the_how_to_stores_what_it_tells():
    page = "how-to/write-a-plugin.md"
    columns = done(code(page, "COUNTS = Table"))
    step = done(code(page, "def run(params, inputs"), COUNTS=columns.COUNTS, Result=Result)
    stored = step.run(None, None, None).tables
    assert {name: each.schema for name, each in stored.items()} == {
        name: each.schema() for name, each in columns.tables(None).items()
    }


def test_the_estimate_of_the_reference_estimates():
    estimate = done(code("reference/hooks.md", "def estimate")).estimate
    acts = SimpleNamespace(params=SimpleNamespace(layers=[1, 2], positions=[0]))
    scope = CheckScope(ModelFacts("m", "", 4, 10), {"a": acts}, {"activations": "a"})
    params = SimpleNamespace(rounds=5)
    assert estimate(params, CheckScope()) is None
    assert estimate(params, scope) == Estimate(2000.0, 20, "5 rounds at 2 sites")


def test_the_report_of_the_reference_shows_what_ran():
    show = done(code("reference/hooks.md", "def show(files, run, cell)")).show
    steps = {"a": {"status": "done"}, "b": {"status": "reused"}, "c": {"status": "done"}}
    shown = show({"report.md": b"Text."}, {"cells": {"k=1": {"steps": steps}}}, "k=1")
    assert shown == {"report.md": b"Text.\n2 steps ran.\n"}


def test_the_wishes_of_the_reference_are_names():
    wanted = done(code("reference/hooks.md", "def wanted(params)")).wanted
    assert wanted(SimpleNamespace(pages=False)) == []
    assert all(isinstance(name, str) for name in wanted(SimpleNamespace(pages=True)))
