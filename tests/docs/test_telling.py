"""What the documents show of a record's functions is done here."""

import re
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import torch

from studyrun import CheckScope, Estimate, Job, ModelFacts, Result
from studyrun.columns import table_faults
from studyrun.storing.contents import fault_of

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
    step = done(code(page, "counts = pl.DataFrame"), COUNTS=columns.COUNTS, Result=Result)
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


def test_many_of_the_reference_gives_what_its_target_gives():
    page = done(code("reference/hooks.md", "def many(jobs)"))
    shared, other = (
        SimpleNamespace(key=key, tensors=lambda x=x: {"activations": x})
        for key, x in [("a", torch.eye(3)[:, None]), ("b", 2 * torch.eye(2)[:, None])]
    )
    jobs = [
        Job(SimpleNamespace(penalty=penalty), {"activations": given}, None)
        for penalty, given in [(1.0, shared), (4.0, other), (3.0, shared)]
    ]
    found = dict(page.many(jobs))
    assert {n: result.meta["freedom"] for n, result in found.items()} == {0: 1.5, 1: 1.0, 2: 0.75}
    alone = [page.run(job.params, job.inputs, None) for job in jobs]
    assert [result.meta for result in alone] == [found[number].meta for number in range(3)]
    assert all(fault_of(result) is None for result in found.values())


def test_many_of_the_how_to_passes_its_own_test():
    page = "how-to/write-a-plugin.md"
    step = done(code(page, "def quantile_of"))
    test = done(code(page, "def test_many_gives"), many=step.many, run=step.run)
    draws = [pl.DataFrame({"value": values}) for values in ([3.0, 1.0, 2.0], [5.0, 4.0])]
    inputs = [
        {"draws": SimpleNamespace(key=str(number), table=table)}
        for number, table in enumerate(draws)
    ]
    jobs = [
        Job(SimpleNamespace(at=at), inputs[number], None)
        for at, number in [(0.5, 0), (0.0, 1), (1.0, 0)]
    ]
    test.test_many_gives_what_run_gives(jobs)
    values = {n: result.tables["table"]["value"].item() for n, result in step.many(jobs)}
    assert values == {0: 2.0, 1: 4.0, 2: 3.0}


def test_the_report_of_the_reference_shows_what_ran():
    show = done(code("reference/hooks.md", "def show(files, run, cell)")).show
    steps = {"a": {"status": "done"}, "b": {"status": "reused"}, "c": {"status": "done"}}
    shown = show({"report.md": b"Text."}, {"cells": {"k=1": {"steps": steps}}}, "k=1")
    assert shown == {"report.md": b"Text.\n2 steps ran.\n"}


def test_the_wishes_of_the_reference_are_names():
    wanted = done(code("reference/hooks.md", "def wanted(params)")).wanted
    assert wanted(SimpleNamespace(pages=False)) == []
    assert all(isinstance(name, str) for name in wanted(SimpleNamespace(pages=True)))
